//! Who may connect: connections are counted in all and per peer, and a slot gives its place back when it is dropped.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::Limits;

/// The places for connections.
pub(crate) struct Admission {
    total_max: usize,
    per_peer_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    // Holds only peers that are connected, so it is bounded by `total_max`.
    peers: HashMap<IpAddr, usize>,
}

/// One place, held as long as the connection lives.
pub(crate) struct Slot {
    admission: Arc<Admission>,
    peer: IpAddr,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            total_max: limits.connections_max,
            per_peer_max: limits.connections_per_peer_max,
            taken: Mutex::default(),
        })
    }

    /// Takes a place for a connection from `address`, if there is one.
    pub(crate) fn admit(self: &Arc<Self>, address: SocketAddr) -> Option<Slot> {
        let peer = peer_of(address.ip());
        let mut taken = self.lock();
        if taken.total >= self.total_max || taken.peers.get(&peer).is_some_and(|n| *n >= self.per_peer_max) {
            return None;
        }
        taken.total += 1;
        *taken.peers.entry(peer).or_default() += 1;
        Some(Slot {
            admission: Arc::clone(self),
            peer,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // Nothing can panic between the two counts, so a poisoned lock still guards a consistent table.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.admission.lock();
        taken.total = taken.total.saturating_sub(1);
        if let Some(count) = taken.peers.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                taken.peers.remove(&self.peer);
            }
        }
    }
}

/// The peer that an address stands for. A host on IPv6 usually owns its whole /64 (RFC 6177), so a single address there
/// would be no bound at all.
fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_peer_has_its_share_and_a_closed_connection_gives_it_back() {
        let places = admission(10, 1);
        let first = places.admit(from("192.0.2.1")).unwrap();
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
        let _first = places.admit(from("2001:db8::1")).unwrap();
        assert!(places.admit(from("2001:db8::ffff:1")).is_none());
        assert!(places.admit(from("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn the_total_holds_over_all_peers() {
        let places = admission(2, 2);
        let _one = places.admit(from("192.0.2.1")).unwrap();
        let _two = places.admit(from("192.0.2.2")).unwrap();
        assert!(places.admit(from("192.0.2.3")).is_none());
    }
}
