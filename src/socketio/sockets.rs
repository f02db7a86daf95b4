//! The sockets of one connection, by namespace and in the order in which they joined.
//!
//! A client can join every namespace, and any number of them where parent namespaces create them. So
//! each operation costs O(log n) at most. Most connections have one socket or a few, which are kept in a
//! list without an index.

use smallvec::SmallVec;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::events::SocketNumber;
use crate::engineio::Str;

/// Up to this many sockets are searched one by one.
const MAX_UNINDEXED: usize = 8;

/// What a connection has to know of a socket.
pub(crate) trait Member {
    /// Its number, greater than that of every earlier socket.
    fn number(&self) -> SocketNumber;
    /// The name of its namespace.
    fn namespace(&self) -> &Str;
}

/// The sockets of one connection, one for each namespace.
#[derive(Debug)]
pub(crate) enum Sockets<M> {
    Few(SmallVec<[M; 1]>),
    Many(Box<Indexed<M>>),
}

#[derive(Debug)]
pub(crate) struct Indexed<M> {
    /// Clients choose names, so the hash has a random seed.
    numbers: HashMap<Str, SocketNumber>,
    sockets: BTreeMap<SocketNumber, M>,
}

impl<M> Default for Sockets<M> {
    fn default() -> Self {
        Self::Few(SmallVec::new())
    }
}

impl<M: Member + Clone> Sockets<M> {
    /// The socket of a namespace.
    pub(crate) fn get(&self, namespace: &str) -> Option<&M> {
        match self {
            Self::Few(sockets) => sockets
                .iter()
                .find(|socket| socket.namespace().as_str() == namespace),
            Self::Many(indexed) => indexed.sockets.get(indexed.numbers.get(namespace)?),
        }
    }

    /// Adds a socket, and returns true, unless there is one of its namespace.
    pub(crate) fn add(&mut self, socket: M) -> bool {
        match self {
            Self::Few(sockets) => {
                let name = socket.namespace();
                if sockets.iter().any(|other| other.namespace() == name) {
                    return false;
                }
                if sockets.len() < MAX_UNINDEXED {
                    sockets.push(socket);
                    return true;
                }
                let mut indexed = Indexed {
                    numbers: HashMap::new(),
                    sockets: BTreeMap::new(),
                };
                for socket in sockets.drain(..) {
                    indexed.add(socket);
                }
                indexed.add(socket);
                *self = Self::Many(Box::new(indexed));
                true
            }
            Self::Many(indexed) => indexed.add(socket),
        }
    }

    /// Removes a socket.
    pub(crate) fn remove(&mut self, socket: &M) {
        match self {
            Self::Few(sockets) => sockets.retain(|other| other.number() != socket.number()),
            Self::Many(indexed) => {
                if indexed.sockets.remove(&socket.number()).is_some() {
                    indexed.numbers.remove(socket.namespace());
                }
                // Well below the size at which it grew, so that a client cannot cause a rebuild at each
                // step.
                if indexed.sockets.len() <= MAX_UNINDEXED / 2 {
                    let left = std::mem::take(&mut indexed.sockets);
                    *self = Self::Few(left.into_values().collect());
                }
            }
        }
    }

    /// Every socket, in the order in which they joined.
    pub(crate) fn all(&self) -> SmallVec<[M; 1]> {
        match self {
            Self::Few(sockets) => sockets.clone(),
            Self::Many(indexed) => indexed.sockets.values().cloned().collect(),
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Few(sockets) => sockets.is_empty(),
            Self::Many(indexed) => indexed.sockets.is_empty(),
        }
    }
}

impl<M: Member> Indexed<M> {
    fn add(&mut self, socket: M) -> bool {
        match self.numbers.entry(socket.namespace().clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(socket.number());
                self.sockets.insert(socket.number(), socket);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    /// A socket that counts how often it is accessed.
    #[derive(Debug, Clone)]
    struct Counting {
        number: SocketNumber,
        namespace: Str,
        looks: Rc<Cell<usize>>,
    }

    impl Member for Counting {
        fn number(&self) -> SocketNumber {
            self.looks.set(self.looks.get() + 1);
            self.number
        }

        fn namespace(&self) -> &Str {
            self.looks.set(self.looks.get() + 1);
            &self.namespace
        }
    }

    fn name(number: u64) -> String {
        format!("/{number}")
    }

    fn sockets_of(count: u64, looks: &Rc<Cell<usize>>) -> Vec<Counting> {
        (0..count)
            .map(|number| Counting {
                number,
                namespace: name(number).into(),
                looks: looks.clone(),
            })
            .collect()
    }

    fn numbers(sockets: &Sockets<Counting>) -> Vec<u64> {
        sockets.all().iter().map(|socket| socket.number).collect()
    }

    #[test]
    fn sockets_are_found_by_namespace_and_listed_in_order_for_any_number_of_sockets() {
        for count in [1, 2, MAX_UNINDEXED as u64, MAX_UNINDEXED as u64 + 1, 100] {
            let all = sockets_of(count, &Rc::default());
            let mut sockets = Sockets::default();
            assert!(sockets.is_empty());
            assert!(all.iter().all(|socket| sockets.add(socket.clone())));
            assert_eq!(numbers(&sockets), (0..count).collect::<Vec<_>>());
            for number in 0..count {
                let found = sockets.get(&name(number)).map(|socket| socket.number);
                assert_eq!(found, Some(number));
            }
            assert!(sockets.get("/no such").is_none());
            for (left, socket) in all.iter().enumerate() {
                assert_eq!(numbers(&sockets), (left as u64..count).collect::<Vec<_>>());
                sockets.remove(socket);
                assert!(sockets.get(&socket.namespace).is_none());
            }
            assert!(sockets.is_empty());
        }
    }

    #[test]
    fn a_second_socket_of_a_namespace_is_not_added_and_its_end_changes_nothing() {
        for count in [1, 100] {
            let looks = Rc::default();
            let mut sockets = Sockets::default();
            for socket in sockets_of(count, &looks) {
                sockets.add(socket);
            }
            let second = Counting {
                number: 1000,
                namespace: "/0".into(),
                looks,
            };
            assert!(!sockets.add(second.clone()));
            sockets.remove(&second);
            assert_eq!(sockets.get("/0").map(|socket| socket.number), Some(0));
            assert_eq!(numbers(&sockets).len(), count as usize);
        }
    }

    #[test]
    fn a_join_a_message_and_a_leave_cost_the_same_however_many_namespaces_a_client_has_joined() {
        const MOST: usize = 64;
        let looks = Rc::<Cell<usize>>::default();
        let all = sockets_of(10_000, &looks);
        let mut sockets = Sockets::default();
        let cost = |step: &mut dyn FnMut()| {
            let before = looks.get();
            step();
            looks.get() - before
        };
        for socket in &all {
            let steps = cost(&mut || {
                sockets.add(socket.clone());
                sockets.get(&socket.namespace);
            });
            assert!(steps <= MOST, "{steps} sockets were looked at to join");
        }
        for socket in &all {
            let steps = cost(&mut || sockets.remove(socket));
            assert!(steps <= MOST, "{steps} sockets were looked at to leave");
        }
    }
}
