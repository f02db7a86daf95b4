//! A namespace: its sockets and rooms, and which sockets receive a broadcast.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;
use smallvec::SmallVec;

use super::events::{NamespaceIndex, SocketNumber};
use super::rooms::{RoomNumber, Rooms};
use crate::engineio::Str;

/// What a namespace has to know of a socket.
pub(crate) trait Occupant {
    fn number(&self) -> SocketNumber;

    /// Whether it receives no broadcasts: it is pending (docs/behaviour.md "A socket's life" 1).
    fn is_muted(&self) -> bool;
}

/// One namespace of a server.
#[derive(Debug)]
pub(crate) struct Namespace<S> {
    pub(crate) name: Str,
    pub(crate) index: NamespaceIndex,
    sockets: RwLock<FxHashMap<SocketNumber, Arc<S>>>,
    rooms: Mutex<Rooms>,
}

/// The namespaces of a server, by name and by index.
#[derive(Debug)]
pub(crate) struct Namespaces<S> {
    by_index: FxHashMap<NamespaceIndex, Arc<Namespace<S>>>,
    /// Parent namespaces let clients choose names, so the hash has a random seed.
    by_name: HashMap<Box<str>, NamespaceIndex>,
    next: NamespaceIndex,
}

impl<S> Default for Namespaces<S> {
    fn default() -> Self {
        Self {
            by_index: FxHashMap::default(),
            by_name: HashMap::new(),
            next: 0,
        }
    }
}

impl<S: Occupant> Namespaces<S> {
    /// The index of a namespace, which is created on first use. No index is used twice.
    pub(crate) fn index(&mut self, name: &str) -> NamespaceIndex {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        let index = self.next;
        self.next += 1;
        self.by_name.insert(name.into(), index);
        self.by_index.insert(index, Namespace::new(name, index));
        index
    }

    /// Has the next index be at least this one.
    pub(crate) fn skip_indices(&mut self, to: NamespaceIndex) {
        self.next = self.next.max(to);
    }

    /// Removes a namespace.
    pub(crate) fn remove(&mut self, index: NamespaceIndex) {
        if let Some(namespace) = self.by_index.remove(&index) {
            self.by_name.remove(namespace.name.as_str());
        }
    }

    /// The namespace with this index.
    pub(crate) fn at(&self, index: NamespaceIndex) -> Option<Arc<Namespace<S>>> {
        self.by_index.get(&index).cloned()
    }

    /// The namespace with this name.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Namespace<S>>> {
        self.at(*self.by_name.get(name)?)
    }
}

/// The audience of a broadcast: all sockets, unless `rooms` or `sockets` are given.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Audience {
    /// Sockets in at least one of these rooms.
    rooms: Option<Vec<RoomNumber>>,
    /// These sockets: each is in the room of its own id.
    sockets: Option<Vec<SocketNumber>>,
    /// No sockets in one of these rooms.
    except: Vec<RoomNumber>,
    /// None of these sockets: the one that broadcasts, and those that are excluded by their ids.
    except_sockets: FxHashSet<SocketNumber>,
}

impl<S: Occupant> Namespace<S> {
    pub(crate) fn new(name: &str, index: NamespaceIndex) -> Arc<Self> {
        Arc::new(Self {
            name: Str::copy_from_slice(name),
            index,
            sockets: RwLock::default(),
            rooms: Mutex::default(),
        })
    }

    /// Adds a socket that the application accepted.
    pub(crate) fn add(&self, socket: Arc<S>) {
        self.sockets.write().insert(socket.number(), socket);
    }

    /// Removes a socket and its rooms.
    pub(crate) fn remove(&self, socket: SocketNumber) {
        self.sockets.write().remove(&socket);
        self.rooms.lock().leave_all(socket);
    }

    /// Adds a socket of this namespace to a room.
    pub(crate) fn join(&self, socket: SocketNumber, room: RoomNumber) {
        let sockets = self.sockets.read();
        if sockets.contains_key(&socket) {
            self.rooms.lock().join(socket, room);
        }
    }

    /// Removes a socket from a room.
    pub(crate) fn leave(&self, socket: SocketNumber, room: RoomNumber) {
        self.rooms.lock().leave(socket, room);
    }

    /// Whether there are no sockets and no rooms.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.sockets.read().is_empty() && self.rooms.lock().is_empty()
    }

    /// The sockets that receive a broadcast to this audience, each once. Muted sockets do not
    /// (docs/behaviour.md "A socket's life" 1).
    pub(crate) fn audience(&self, audience: &Audience) -> Vec<Arc<S>> {
        let sockets = self.sockets.read();
        let rooms = self.rooms.lock();
        let members = |room: &RoomNumber| rooms.sockets(*room);
        let except: SmallVec<[_; 4]> = audience.except.iter().filter_map(members).collect();
        let receives = |socket: &&Arc<S>| {
            let number = &socket.number();
            !socket.is_muted()
                && (audience.except_sockets.is_empty() || !audience.except_sockets.contains(number))
                && !except.iter().any(|members| members.contains(number))
        };
        let named = audience.sockets.as_deref().unwrap_or_default();
        match (audience.rooms.as_deref(), named) {
            (None, []) if audience.sockets.is_none() => {
                sockets.values().filter(receives).cloned().collect()
            }
            (None | Some([]), [one]) => sockets
                .get(one)
                .filter(receives)
                .cloned()
                .into_iter()
                .collect(),
            (Some([room]), []) => rooms
                .sockets(*room)
                .into_iter()
                .flatten()
                .filter_map(|number| sockets.get(number))
                .filter(receives)
                .cloned()
                .collect(),
            (several, named) => several
                .unwrap_or_default()
                .iter()
                .filter_map(members)
                .flatten()
                .chain(named)
                .collect::<FxHashSet<_>>()
                .into_iter()
                .filter_map(|number| sockets.get(number))
                .filter(receives)
                .cloned()
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    struct Nobody;

    impl Occupant for Nobody {
        fn number(&self) -> SocketNumber {
            0
        }

        fn is_muted(&self) -> bool {
            false
        }
    }

    /// The hash of a name. Names that collide in one process, or with a known hash function, must not
    /// collide in another process.
    fn hash(namespaces: &Namespaces<Nobody>) -> u64 {
        namespaces.by_name.hasher().hash_one("/name")
    }

    #[test]
    fn namespace_names_are_hashed_with_a_random_seed() {
        let [one, other] = [Namespaces::default(), Namespaces::default()];
        assert_ne!(hash(&one), hash(&other));
    }

    #[test]
    fn a_namespace_that_is_made_again_has_another_index() {
        let mut namespaces = Namespaces::<Nobody>::default();
        let index = namespaces.index("/a");
        namespaces.remove(index);
        assert!(namespaces.named("/a").is_none());
        namespaces.skip_indices(u32::MAX.into());
        let again = namespaces.index("/a");
        assert_ne!(again, index);
        assert!(namespaces.at(again).is_some() && namespaces.at(index).is_none());
        assert!(namespaces.index("/b") > u32::MAX.into());
    }
}
