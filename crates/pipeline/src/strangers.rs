//! What callers may take who show no signature, or none that holds: so many calls, bodies that they send and answers that stream at a
//! time, in all and per peer.
//!
//! A site in a bucket is open to everybody, and so to every flood. What a flood finds taken is refused at once (`SlowDown`), which costs
//! neither a transaction nor a record; of the refusals of one second the first is recorded, with the number of those that were not.
//!
//! Invariant: a call whose signature was verified is never counted here, and takes nothing that is counted here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::front::{Body, Damaged, Departing, network};

/// The bounds. Each names what it stops.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Calls at a time. Stops strangers from having all threads and the store's line to themselves.
    pub calls_max: u32,
    /// The same of one peer: as many as one HTTP/2 connection can have open. Stops one host from shutting a site for others.
    pub calls_per_peer_max: u32,
    /// Calls at a time whose bodies stream in, browsers' forms above all: these are not among the calls. Stops clients that send a large
    /// body at the least rate from having the places of all others for hours.
    pub uploads_max: u32,
    /// The same of one peer.
    pub uploads_per_peer_max: u32,
    /// Answers that stream at a time. Stops clients that ask for large objects and read slowly from having all of the memory that streams
    /// share: 2 MiB each.
    pub streams_max: u32,
    /// The same of one peer.
    pub streams_per_peer_max: u32,
}

impl Bounds {
    /// What `ringwork serve` uses.
    pub const STANDARD: Self = Self {
        calls_max: 256,
        calls_per_peer_max: 128,
        uploads_max: 128,
        uploads_per_peer_max: 32,
        streams_max: 128,
        streams_per_peer_max: 64,
    };
}

/// What is taken.
pub(crate) struct Strangers {
    bounds: Bounds,
    // Holds only peers that have taken something, so it is bounded by the two bounds in all.
    taken: Mutex<Taken>,
    /// Refusals since the last that was recorded.
    unrecorded: AtomicU64,
    /// The second of the last refusal that was recorded.
    recorded: AtomicI64,
}

#[derive(Default)]
struct Taken {
    all: Counts,
    peers: HashMap<IpAddr, Counts>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    calls: u32,
    uploads: u32,
    streams: u32,
}

impl Counts {
    const fn of(&mut self, what: What) -> &mut u32 {
        match what {
            What::Call => &mut self.calls,
            What::Upload => &mut self.uploads,
            What::Stream => &mut self.streams,
        }
    }
}

/// What a stranger takes.
#[derive(Clone, Copy)]
enum What {
    Call,
    Upload,
    Stream,
}

/// What one stranger has taken, given back when dropped.
pub struct Guest {
    strangers: Arc<Strangers>,
    peer: IpAddr,
    what: What,
}

impl Strangers {
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            taken: Mutex::default(),
            unrecorded: AtomicU64::new(0),
            recorded: AtomicI64::new(i64::MIN),
        })
    }

    /// Takes a call's place, if there is one.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        self.take(address, What::Call)
    }

    /// Takes the place of a call whose body is on its way in, if there is one.
    pub(crate) fn enter_sending(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        self.take(address, What::Upload)
    }

    /// Has a streamed answer to a stranger hold a place as long as it is on its way; `None` if there is none. What is whole needs none.
    pub(crate) fn hold(
        self: &Arc<Self>,
        stranger: Option<IpAddr>,
        body: Body<Box<dyn Departing>>,
    ) -> Option<Body<Box<dyn Departing>>> {
        match (body, stranger) {
            (Body::Stream(stream), Some(address)) => {
                let guest = self.take(address, What::Stream)?;
                Some(Body::Stream(Box::new(Held {
                    stream,
                    _guest: guest,
                })))
            }
            (body, _) => Some(body),
        }
    }

    /// Counts a refusal for want of a place. Tells how many were not recorded before it if this one is to be.
    pub(crate) fn refused(&self, wall: i64) -> Option<u64> {
        let second = wall.div_euclid(1000);
        if self.recorded.swap(second, Ordering::Relaxed) == second {
            self.unrecorded.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.unrecorded.swap(0, Ordering::Relaxed))
    }

    fn take(self: &Arc<Self>, address: IpAddr, what: What) -> Option<Guest> {
        let peer = network(address);
        let (max, per_peer_max) = match what {
            What::Call => (self.bounds.calls_max, self.bounds.calls_per_peer_max),
            What::Upload => (self.bounds.uploads_max, self.bounds.uploads_per_peer_max),
            What::Stream => (self.bounds.streams_max, self.bounds.streams_per_peer_max),
        };
        let mut taken = self.taken.lock();
        let mut of_peer = taken.peers.get(&peer).copied().unwrap_or_default();
        if *taken.all.of(what) >= max || *of_peer.of(what) >= per_peer_max {
            return None;
        }
        *taken.all.of(what) += 1;
        *of_peer.of(what) += 1;
        taken.peers.insert(peer, of_peer);
        Some(Guest {
            strangers: Arc::clone(self),
            peer,
            what,
        })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut taken = self.strangers.taken.lock();
        let all = taken.all.of(self.what);
        *all = all.saturating_sub(1);
        if let Some(of_peer) = taken.peers.get_mut(&self.peer) {
            let own = of_peer.of(self.what);
            *own = own.saturating_sub(1);
            if *of_peer == Counts::default() {
                taken.peers.remove(&self.peer);
            }
        }
    }
}

/// An answer on its way to a stranger.
struct Held {
    stream: Box<dyn Departing>,
    _guest: Guest,
}

impl Departing for Held {
    fn size(&self) -> u64 {
        self.stream.size()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Damaged>>> {
        self.stream.poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    /// S20.5: one host has its share, all hosts together theirs, and what ends is given back.
    #[test]
    fn calls_are_bounded_per_peer_and_in_all() {
        let strangers = Strangers::new(Bounds {
            calls_max: 3,
            calls_per_peer_max: 2,
            ..Bounds::STANDARD
        });
        let enter = |address| strangers.enter(from(address));
        let (first, _second) = (enter("192.0.2.1").unwrap(), enter("192.0.2.1").unwrap());
        assert!(enter("192.0.2.1").is_none());
        assert!(enter("::ffff:192.0.2.1").is_none());
        let _other = enter("192.0.2.2").unwrap();
        assert!(enter("192.0.2.3").is_none(), "all are taken");
        drop(first);
        drop(enter("192.0.2.1").unwrap());
        drop(enter("192.0.2.3").unwrap());
        assert_eq!(strangers.taken.lock().peers.len(), 2);
    }

    /// S20.5: whoever sends without end takes no place of those who ask.
    #[test]
    fn bodies_on_their_way_in_take_no_calls_places() {
        let strangers = Strangers::new(Bounds {
            calls_max: 2,
            uploads_max: 3,
            uploads_per_peer_max: 2,
            ..Bounds::STANDARD
        });
        let send = |address| strangers.enter_sending(from(address));
        let _slow = (send("192.0.2.1").unwrap(), send("192.0.2.1").unwrap());
        assert!(send("192.0.2.1").is_none());
        let _third = send("192.0.2.2").unwrap();
        assert!(send("192.0.2.3").is_none(), "all are taken");
        assert!(strangers.enter(from("192.0.2.1")).is_some());
    }

    #[test]
    fn of_a_seconds_refusals_the_first_is_recorded_and_the_others_are_counted() {
        let strangers = Strangers::new(Bounds::STANDARD);
        assert_eq!(strangers.refused(1000), Some(0));
        assert_eq!(strangers.refused(1001), None);
        assert_eq!(strangers.refused(1999), None);
        assert_eq!(strangers.refused(2000), Some(2));
        assert_eq!(strangers.refused(4000), Some(0));
    }
}
