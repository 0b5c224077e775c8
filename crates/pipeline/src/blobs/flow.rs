//! Stored bytes as an answer's body: opened a batch at a time on a thread that may block, one batch ahead of the client.
//!
//! Invariant: an answer holds at most three batches, however slow its client: one being opened, one that waits, one with the
//! connection.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::reader::{Reader, Unopened};
use crate::front::{Damaged, Departing};

/// Bytes that are opened at a time.
pub(super) const BATCH: usize = 512 << 10;

type Opened = Result<(Reader, Option<Bytes>), Unopened>;

/// An answer's payload on its way out.
pub(crate) struct Flow {
    size: u64,
    first: Option<Bytes>,
    opening: Opening,
}

enum Opening {
    Idle(Reader),
    Going(JoinHandle<Opened>),
    Ended,
}

impl Flow {
    /// `first` is what was taken out of `reader` already.
    pub(super) fn new(first: Bytes, reader: Reader) -> Self {
        Self {
            size: reader.left().saturating_add(first.len() as u64),
            first: Some(first),
            opening: Opening::Idle(reader),
        }
    }

    fn begin(&mut self) {
        if let Opening::Idle(reader) = std::mem::replace(&mut self.opening, Opening::Ended) {
            // Made here, where it will be given back too: threads that come and go would each keep what others free.
            let room = reader.room(BATCH);
            self.opening = Opening::Going(tokio::task::spawn_blocking(move || open(reader, room)));
        }
    }
}

fn open(mut reader: Reader, room: Vec<u8>) -> Opened {
    let bytes = reader.next_in(BATCH, room)?;
    Ok((reader, bytes))
}

impl Departing for Flow {
    fn size(&self) -> u64 {
        self.size
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Damaged>>> {
        if let Some(first) = self.first.take() {
            self.begin();
            return Poll::Ready(Some(Ok(first)));
        }
        let Opening::Going(going) = &mut self.opening else {
            return Poll::Ready(None);
        };
        let opened = ready!(Pin::new(going).poll(cx));
        self.opening = Opening::Ended;
        match opened {
            Ok(Ok((reader, Some(bytes)))) => {
                self.opening = Opening::Idle(reader);
                self.begin();
                Poll::Ready(Some(Ok(bytes)))
            }
            Ok(Ok((_, None))) => Poll::Ready(None),
            Ok(Err(unopened)) => {
                tell(&unopened);
                Poll::Ready(Some(Err(Damaged)))
            }
            Err(_stopping) => Poll::Ready(Some(Err(Damaged))),
        }
    }
}

/// The log hears of damage; the client only that the connection breaks off.
fn tell(unopened: &Unopened) {
    use std::error::Error as _;
    let source = unopened
        .source()
        .map(|source| format!(": {source}"))
        .unwrap_or_default();
    eprintln!("ringwork: an answer was broken off: {unopened}{source}");
}
