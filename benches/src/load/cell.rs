//! One cell of the table: so many connections, each sending one call after the other, for a given time.

use std::cell::Cell as Counter;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::Result;
use crate::connection::Connection;
use crate::process::now;

/// The requests of a cell, signed already.
pub(crate) enum Requests {
    /// One request, sent again and again: a signature stays valid for fifteen minutes.
    Same(Vec<u8>),
    /// Each is sent once; the cell ends early if they run out.
    Each(Vec<Vec<u8>>),
    /// One for each connection, which sends its own again and again.
    Own(Vec<Vec<u8>>),
}

/// Hands out requests to the connections.
struct Dispenser {
    requests: Requests,
    next: Counter<usize>,
}

impl Dispenser {
    fn next(&self, connection: usize) -> Option<&[u8]> {
        match &self.requests {
            Requests::Same(request) => Some(request),
            Requests::Own(requests) => requests.get(connection).map(Vec::as_slice),
            Requests::Each(requests) => {
                let at = self.next.get();
                self.next.set(at + 1);
                requests.get(at).map(Vec::as_slice)
            }
        }
    }
}

/// What a cell measured.
pub(crate) struct Measured {
    pub(crate) calls: usize,
    pub(crate) elapsed: Duration,
    /// Of every call, ascending.
    latencies: Vec<Duration>,
}

impl Measured {
    pub(crate) fn rate(&self) -> f64 {
        self.calls as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// The latency that this share of the calls does not pass.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let at = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

/// Runs a cell. A call that is not answered with 200 ends it with an error: a server that refuses is fast.
pub(crate) async fn run(
    address: SocketAddr,
    connections: usize,
    requests: Requests,
    time: Duration,
) -> Result<Measured> {
    let dispenser = Rc::new(Dispenser {
        requests,
        next: Counter::new(0),
    });
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections.max(1) {
        open.push(Connection::open(address).await?);
    }
    let begun = now();
    let tasks: Vec<_> = open
        .into_iter()
        .enumerate()
        .map(|(number, connection)| {
            tokio::task::spawn_local(drive(connection, number, Rc::clone(&dispenser), begun + time))
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.map_err(|error| error.to_string())??);
    }
    let elapsed = begun.elapsed();
    latencies.sort_unstable();
    Ok(Measured {
        calls: latencies.len(),
        elapsed,
        latencies,
    })
}

async fn drive(
    mut connection: Connection,
    number: usize,
    dispenser: Rc<Dispenser>,
    end: Instant,
) -> Result<Vec<Duration>> {
    let mut latencies = Vec::with_capacity(1 << 16);
    let mut sent = now();
    while sent < end {
        let Some(request) = dispenser.next(number) else {
            break;
        };
        let (status, body) = connection.exchange(request).await?;
        if status != 200 {
            return Err(format!(
                "answered {status}: {}",
                String::from_utf8_lossy(body).trim()
            ));
        }
        let answered = now();
        latencies.push(answered - sent);
        sent = answered;
    }
    Ok(latencies)
}
