//! Who is in which room of a namespace.
//!
//! Owns both directions of the relation (room to sockets, socket to rooms) and keeps them equal;
//! a room without sockets does not exist. Pure data: the namespace that owns it locks it.

use rustc_hash::{FxHashMap, FxHashSet};

use super::socket::SocketNumber;

/// Rooms by name and their sockets.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    sockets_of: FxHashMap<Box<str>, FxHashSet<SocketNumber>>,
    rooms_of: FxHashMap<SocketNumber, FxHashSet<Box<str>>>,
}

impl Rooms {
    /// Puts a socket in a room; being there already changes nothing.
    pub(crate) fn join(&mut self, socket: SocketNumber, room: &str) {
        match self.sockets_of.get_mut(room) {
            Some(sockets) => {
                sockets.insert(socket);
            }
            None => {
                let sockets = FxHashSet::from_iter([socket]);
                self.sockets_of.insert(room.into(), sockets);
            }
        }
        self.rooms_of.entry(socket).or_default().insert(room.into());
    }

    /// Takes a socket out of a room.
    pub(crate) fn leave(&mut self, socket: SocketNumber, room: &str) {
        self.remove_from(socket, room);
        if let Some(rooms) = self.rooms_of.get_mut(&socket) {
            rooms.remove(room);
            if rooms.is_empty() {
                self.rooms_of.remove(&socket);
            }
        }
    }

    /// Takes a socket out of every room it is in.
    pub(crate) fn leave_all(&mut self, socket: SocketNumber) {
        for room in self.rooms_of.remove(&socket).into_iter().flatten() {
            self.remove_from(socket, &room);
        }
    }

    /// The sockets of a room.
    pub(crate) fn sockets(&self, room: &str) -> impl Iterator<Item = SocketNumber> + '_ {
        self.sockets_of.get(room).into_iter().flatten().copied()
    }

    /// Whether a socket is in at least one of these rooms.
    pub(crate) fn is_in_any(&self, socket: SocketNumber, rooms: &[Box<str>]) -> bool {
        self.rooms_of
            .get(&socket)
            .is_some_and(|joined| rooms.iter().any(|room| joined.contains(room)))
    }

    /// Whether there is no room.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.sockets_of.is_empty() && self.rooms_of.is_empty()
    }

    fn remove_from(&mut self, socket: SocketNumber, room: &str) {
        if let Some(sockets) = self.sockets_of.get_mut(room) {
            sockets.remove(&socket);
            if sockets.is_empty() {
                self.sockets_of.remove(room);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(rooms: &Rooms, room: &str) -> Vec<SocketNumber> {
        let mut sockets: Vec<_> = rooms.sockets(room).collect();
        sockets.sort_unstable();
        sockets
    }

    #[test]
    fn a_socket_joins_once_and_leaves_at_once() {
        let mut rooms = Rooms::default();
        rooms.join(1, "a");
        rooms.join(1, "a");
        rooms.join(2, "a");
        assert_eq!(sorted(&rooms, "a"), [1, 2]);
        rooms.leave(1, "a");
        rooms.leave(1, "never joined");
        assert_eq!(sorted(&rooms, "a"), [2]);
    }

    #[test]
    fn a_socket_that_ends_is_in_no_room() {
        let mut rooms = Rooms::default();
        rooms.join(1, "a");
        rooms.join(1, "b");
        rooms.join(2, "b");
        rooms.leave_all(1);
        assert!(sorted(&rooms, "a").is_empty());
        assert_eq!(sorted(&rooms, "b"), [2]);
        assert!(!rooms.is_in_any(1, &["a".into(), "b".into()]));
    }

    #[test]
    fn nothing_is_kept_of_empty_rooms() {
        let mut rooms = Rooms::default();
        rooms.join(1, "a");
        rooms.leave(1, "a");
        rooms.join(2, "b");
        rooms.leave_all(2);
        assert!(rooms.sockets_of.is_empty());
        assert!(rooms.rooms_of.is_empty());
    }
}
