//! Who may connect: connections are counted in all and per peer, and a slot gives its place back when it is dropped.
//!
//! Where all places are taken, a newcomer gets the place of the oldest connection of the peer that has most, among those on which
//! nobody has proven who they are: first of those that do nothing. So a flood of strangers takes places from itself, and callers who
//! sign keep theirs (S20.5).
//!
//! Invariant: a connection on which a signature was verified keeps its place until it ends; a newcomer that is turned away found
//! nobody else.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use pipeline::front::{Standing, network};
use tokio::sync::Notify;

use crate::gauge::Gauge;
use crate::limits::Limits;

/// The places for connections.
pub(crate) struct Admission {
    total_max: usize,
    per_peer_max: usize,
    taken: Mutex<Taken>,
    displaced: AtomicU64,
}

#[derive(Default)]
struct Taken {
    total: usize,
    next: u64,
    // Holds only peers that are connected, so it is bounded by `total_max`.
    peers: HashMap<IpAddr, BTreeMap<u64, Arc<Holder>>>,
}

/// A connection that has a place.
#[derive(Default)]
pub(crate) struct Holder {
    /// Whether somebody proved on it who they are.
    pub(crate) standing: Standing,
    /// What it does, once it speaks HTTP.
    gauge: OnceLock<Arc<Gauge>>,
    displaced: Notify,
}

/// One place, held as long as the connection lives.
pub(crate) struct Slot {
    admission: Arc<Admission>,
    peer: IpAddr,
    number: u64,
    holder: Arc<Holder>,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            total_max: limits.connections_max,
            per_peer_max: limits.connections_per_peer_max,
            taken: Mutex::default(),
            displaced: AtomicU64::new(0),
        })
    }

    /// Takes a place for a connection from `address`, if there is one or one can be had.
    pub(crate) fn admit(self: &Arc<Self>, address: SocketAddr) -> Option<Slot> {
        let peer = network(address.ip());
        let mut taken = self.lock();
        let of_peer = taken.peers.get(&peer).map_or(0, BTreeMap::len);
        if of_peer >= self.per_peer_max {
            let number = taken.peers.get(&peer).and_then(dispensable)?;
            self.displace(&mut taken, peer, number);
        } else if taken.total >= self.total_max {
            let (greediest, number) = taken.greediest()?;
            self.displace(&mut taken, greediest, number);
        }
        let (number, holder) = (taken.next, Arc::new(Holder::default()));
        taken.next += 1;
        taken.total += 1;
        let of_peer = taken.peers.entry(peer).or_default();
        of_peer.insert(number, Arc::clone(&holder));
        Some(Slot {
            admission: Arc::clone(self),
            peer,
            number,
            holder,
        })
    }

    /// Connections that lost their place to a newcomer.
    pub(crate) fn displaced(&self) -> u64 {
        self.displaced.load(Ordering::Relaxed)
    }

    fn displace(&self, taken: &mut Taken, peer: IpAddr, number: u64) {
        if let Some(holder) = taken.remove(peer, number) {
            self.displaced.fetch_add(1, Ordering::Relaxed);
            // One waits at the most, and finds this if it comes late.
            holder.displaced.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // Nothing can panic between the counts, so a poisoned lock still guards a consistent table.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// A connection that may go, of the peer that has most among those that have one.
    fn greediest(&self) -> Option<(IpAddr, u64)> {
        let mut peers: Vec<_> = self
            .peers
            .iter()
            .map(|(peer, of_peer)| (of_peer.len(), peer))
            .collect();
        peers.sort_unstable_by(|one, other| other.cmp(one));
        peers.into_iter().find_map(|(_, peer)| {
            let number = self.peers.get(peer).and_then(dispensable)?;
            Some((*peer, number))
        })
    }

    fn remove(&mut self, peer: IpAddr, number: u64) -> Option<Arc<Holder>> {
        let of_peer = self.peers.get_mut(&peer)?;
        let holder = of_peer.remove(&number)?;
        self.total = self.total.saturating_sub(1);
        if of_peer.is_empty() {
            self.peers.remove(&peer);
        }
        Some(holder)
    }
}

/// The connection of a peer that goes first: the oldest without standing that does nothing, else the oldest without standing.
fn dispensable(of_peer: &BTreeMap<u64, Arc<Holder>>) -> Option<u64> {
    let mut strangers = of_peer.iter().filter(|(_, holder)| !holder.standing.is_proven());
    let mut oldest = None;
    strangers
        .find(|(number, holder)| {
            oldest.get_or_insert(**number);
            holder.is_idle()
        })
        .map(|(number, _)| *number)
        .or(oldest)
}

impl Holder {
    /// Makes known what the connection does from now on.
    pub(crate) fn speaks(&self, gauge: &Arc<Gauge>) {
        let _first = self.gauge.set(Arc::clone(gauge));
    }

    /// Requests that were seen on the connection.
    pub(crate) fn requests(&self) -> u64 {
        self.gauge.get().map_or(0, |gauge| gauge.requests())
    }

    /// Resolves when the place went to a newcomer.
    pub(crate) async fn displaced(&self) {
        self.displaced.notified().await;
    }

    fn is_idle(&self) -> bool {
        self.gauge.get().is_none_or(|gauge| gauge.is_idle())
    }
}

impl Slot {
    pub(crate) const fn holder(&self) -> &Arc<Holder> {
        &self.holder
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.admission.lock().remove(self.peer, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gauge::Running;

    fn admission(connections_max: usize, connections_per_peer_max: usize) -> Arc<Admission> {
        Admission::new(&Limits {
            connections_max,
            connections_per_peer_max,
            ..Limits::default()
        })
    }

    fn from(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 1)
    }

    /// A connection of somebody who signed.
    fn proven(places: &Arc<Admission>, address: &str) -> Slot {
        let slot = places.admit(from(address)).unwrap();
        slot.holder.standing.prove();
        slot
    }

    #[test]
    fn a_peer_has_its_share_and_a_closed_connection_gives_it_back() {
        let places = admission(10, 1);
        let first = proven(&places, "192.0.2.1");
        assert!(places.admit(from("192.0.2.1")).is_none());
        assert!(
            places.admit(from("::ffff:192.0.2.1")).is_none(),
            "the same peer, written as IPv6"
        );
        let _other = places.admit(from("192.0.2.2")).unwrap();
        drop(first);
        assert!(places.admit(from("192.0.2.1")).is_some());
    }

    #[test]
    fn an_ipv6_host_is_counted_by_its_network() {
        let places = admission(10, 1);
        let _first = proven(&places, "2001:db8::1");
        assert!(places.admit(from("2001:db8::ffff:1")).is_none());
        assert!(places.admit(from("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn the_total_holds_over_all_peers() {
        let places = admission(2, 2);
        let _one = proven(&places, "192.0.2.1");
        let _two = proven(&places, "192.0.2.2");
        assert!(places.admit(from("192.0.2.3")).is_none());
    }

    /// S20.5: whoever floods loses places to newcomers, and callers who signed lose none.
    #[tokio::test]
    async fn a_flood_takes_places_from_itself() {
        let places = admission(4, 3);
        let signed = proven(&places, "192.0.2.1");
        let flood: Vec<Slot> = (0..3).filter_map(|_| places.admit(from("192.0.2.9"))).collect();
        assert_eq!(flood.len(), 3);
        let _newcomer = proven(&places, "192.0.2.2");
        let [first, second, third] = flood.as_slice() else {
            panic!()
        };
        first.holder.displaced().await;
        // Of the same peer too.
        let fourth = places.admit(from("192.0.2.9"));
        second.holder.displaced().await;
        assert_eq!(places.displaced(), 2);
        assert!(places.lock().peers[&from("192.0.2.1").ip()].contains_key(&signed.number));
        assert!(places.lock().peers[&from("192.0.2.9").ip()].contains_key(&third.number));
        drop((flood, fourth));
        assert_eq!(
            places.lock().total,
            2,
            "a place that was lost is not given back again"
        );
    }

    #[tokio::test]
    async fn who_does_nothing_goes_before_who_is_served() {
        let places = admission(10, 2);
        let served = places.admit(from("192.0.2.1")).unwrap();
        let gauge = Gauge::new(Arc::new(Limits::default()));
        served.holder.speaks(&gauge);
        let running = Running::begin(&gauge, false);
        let idle = places.admit(from("192.0.2.1")).unwrap();
        let _third = places.admit(from("192.0.2.1")).unwrap();
        idle.holder.displaced().await;
        assert!(places.lock().peers[&served.peer].contains_key(&served.number));
        drop(running);
    }
}
