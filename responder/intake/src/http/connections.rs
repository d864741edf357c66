//! The open connections of a listener, and which of them gives way when there are too many.
//!
//! A connection costs its peer nothing, so one that has proved nothing must never keep out one that would: above a cap the
//! oldest connection without an authenticated request goes. A listener with connections of authenticated senders only is
//! full, and further peers wait in the system's queue.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// The most connections at the same time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    /// Of the whole listener.
    pub(super) all: usize,
    /// Of one peer address.
    pub(super) of_peer: usize,
}

/// The connections of a listener.
#[derive(Debug)]
pub struct Connections {
    caps: Caps,
    open: Mutex<Open>,
    displaced: AtomicU64,
    refused: AtomicU64,
    late: AtomicU64,
}

/// The connections of a listener, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Open connections with an authenticated request.
    pub authenticated: usize,
    /// Open connections without one.
    pub unauthenticated: usize,
    /// Connections that gave way to a newer one, since the start.
    pub displaced: u64,
    /// Connections that were closed at once, since the start: their peer had too many authenticated ones.
    pub refused: u64,
    /// Connections that were closed without an authenticated request in time, since the start.
    pub late: u64,
}

#[derive(Debug, Default)]
struct Open {
    /// Numbers are given in order, so the first connection is the oldest.
    next: u64,
    by_age: BTreeMap<u64, Entry>,
    proven: usize,
    of_peer: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Entry {
    peer: IpAddr,
    is_proven: bool,
    displaced: CancellationToken,
}

/// The place of an open connection, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPlace {
    connections: Arc<Connections>,
    number: u64,
    is_proven: AtomicBool,
    displaced: CancellationToken,
}

/// The answer to a new connection.
#[derive(Debug)]
pub(super) struct Entrance {
    /// `None`: the connection has to be closed.
    pub(super) place: Option<ConnectionPlace>,
    /// The cap that was reached, if one was.
    pub(super) cap: Option<Cap>,
}

/// A cap that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cap {
    /// That of the whole listener.
    All,
    /// That of one peer address.
    OfPeer,
}

impl Connections {
    pub(super) fn new(caps: Caps) -> Arc<Self> {
        Arc::new(Self {
            caps,
            open: Mutex::default(),
            displaced: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            late: AtomicU64::new(0),
        })
    }

    pub(super) const fn caps(&self) -> Caps {
        self.caps
    }

    /// Whether a new connection can have a place, its own or that of another.
    pub(super) fn has_room(&self) -> bool {
        let open = self.open();
        open.by_age.len() < self.caps.all || open.proven < open.by_age.len()
    }

    /// Takes a new connection in. Above a cap the oldest unauthenticated connection gives way: of the same peer above the
    /// cap of a peer, of all above the cap of the listener.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Entrance {
        let peer = peer.to_canonical();
        let mut open = self.open();
        let cap = if open.of_peer.get(&peer).copied().unwrap_or(0) >= self.caps.of_peer {
            Some(Cap::OfPeer)
        } else if open.by_age.len() >= self.caps.all {
            Some(Cap::All)
        } else {
            None
        };
        if let Some(cap) = cap {
            let gives_way = |entry: &Entry| !entry.is_proven && (cap == Cap::All || entry.peer == peer);
            let oldest = open
                .by_age
                .iter()
                .find(|(_, entry)| gives_way(entry))
                .map(|(number, _)| *number);
            let Some(entry) = oldest.and_then(|number| open.remove(number)) else {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return Entrance {
                    place: None,
                    cap: Some(cap),
                };
            };
            entry.displaced.cancel();
            self.displaced.fetch_add(1, Ordering::Relaxed);
        }
        let displaced = CancellationToken::new();
        let number = open.add(Entry {
            peer,
            is_proven: false,
            displaced: displaced.clone(),
        });
        let place = ConnectionPlace {
            connections: Arc::clone(self),
            number,
            is_proven: AtomicBool::new(false),
            displaced,
        };
        Entrance {
            place: Some(place),
            cap,
        }
    }

    /// The counts, for metrics.
    pub fn counts(&self) -> ConnectionCounts {
        let open = self.open();
        ConnectionCounts {
            authenticated: open.proven,
            unauthenticated: open.by_age.len() - open.proven,
            displaced: self.displaced.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            late: self.late.load(Ordering::Relaxed),
        }
    }

    /// The open connections of a peer.
    pub(super) fn of_peer(&self, peer: IpAddr) -> usize {
        self.open().of_peer.get(&peer.to_canonical()).copied().unwrap_or(0)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Each method leaves it consistent, and none of them panics in between.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn add(&mut self, entry: Entry) -> u64 {
        let number = self.next;
        self.next += 1;
        *self.of_peer.entry(entry.peer).or_default() += 1;
        self.by_age.insert(number, entry);
        number
    }

    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.by_age.remove(&number)?;
        self.proven -= usize::from(entry.is_proven);
        if let Some(count) = self.of_peer.get_mut(&entry.peer) {
            *count -= 1;
            if *count == 0 {
                self.of_peer.remove(&entry.peer);
            }
        }
        Some(entry)
    }
}

impl ConnectionPlace {
    /// Notes that a whole request of an authenticated sender came over the connection, so that it gives way to no other.
    pub(super) fn prove(&self) {
        if self.is_proven.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut open = self.connections.open();
        if let Some(entry) = open.by_age.get_mut(&self.number) {
            entry.is_proven = true;
            open.proven += 1;
        }
    }

    pub(super) fn is_proven(&self) -> bool {
        self.is_proven.load(Ordering::Relaxed)
    }

    /// Ready when the connection has to give way.
    pub(super) async fn displaced(&self) {
        self.displaced.cancelled().await;
    }

    /// Counts the connection as one that sent no authenticated request in time.
    pub(super) fn late(&self) {
        self.connections.late.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.connections.open().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn connections(all: usize, of_peer: usize) -> Arc<Connections> {
        Connections::new(Caps { all, of_peer })
    }

    fn enter(connections: &Arc<Connections>, from: u8) -> ConnectionPlace {
        connections.enter(peer(from)).place.unwrap()
    }

    fn is_displaced(place: &ConnectionPlace) -> bool {
        place.displaced.is_cancelled()
    }

    #[test]
    fn above_the_cap_of_the_listener_the_oldest_unauthenticated_connection_goes() {
        let connections = connections(3, 3);
        let (first, second, third) = (enter(&connections, 1), enter(&connections, 2), enter(&connections, 3));
        first.prove();
        let fourth = connections.enter(peer(4));
        assert_eq!(fourth.cap, Some(Cap::All));
        assert_eq!([&first, &second, &third].map(is_displaced), [false, true, false]);
        assert_eq!(connections.counts().displaced, 1);
    }

    #[test]
    fn above_the_cap_of_a_peer_its_own_oldest_unauthenticated_connection_goes() {
        let connections = connections(9, 2);
        let other = enter(&connections, 1);
        let (first, second) = (enter(&connections, 2), enter(&connections, 2));
        let third = connections.enter(peer(2));
        assert_eq!(third.cap, Some(Cap::OfPeer));
        assert_eq!([&other, &first, &second].map(is_displaced), [false, true, false]);
        assert_eq!(connections.of_peer(peer(2)), 2);
    }

    #[test]
    fn authenticated_connections_give_way_to_none() {
        let connections = connections(2, 1);
        let first = enter(&connections, 1);
        first.prove();
        assert!(connections.enter(peer(1)).place.is_none());
        let second = enter(&connections, 2);
        assert!(connections.has_room());
        second.prove();
        assert!(!connections.has_room());
        assert!(connections.enter(peer(3)).place.is_none());
        assert_eq!(connections.counts().refused, 2);
        drop(first);
        assert!(connections.has_room());
    }

    #[test]
    fn an_address_counts_once_however_it_is_written() {
        let connections = connections(9, 1);
        let _first = enter(&connections, 1);
        let mapped = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(connections.enter(mapped).cap, Some(Cap::OfPeer));
    }

    proptest! {
        #[test]
        fn the_caps_hold_and_all_places_are_free_in_the_end(steps in prop::collection::vec((0u8..6, 0u8..4), 0..200)) {
            let connections = connections(5, 3);
            let mut places: Vec<ConnectionPlace> = Vec::new();
            for (from, then) in steps {
                places.retain(|place| !is_displaced(place));
                places.extend(connections.enter(peer(from)).place);
                match then {
                    0 => drop(places.pop()),
                    1 => places.first().into_iter().for_each(ConnectionPlace::prove),
                    _ => {}
                }
                let counts = connections.counts();
                prop_assert!(counts.authenticated + counts.unauthenticated <= 5);
                prop_assert!((0..6).all(|from| connections.of_peer(peer(from)) <= 3));
            }
            drop(places);
            let counts = connections.counts();
            prop_assert_eq!((counts.authenticated, counts.unauthenticated), (0, 0));
            prop_assert!((0..6).all(|from| connections.of_peer(peer(from)) == 0));
        }
    }
}
