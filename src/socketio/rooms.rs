//! The rooms of a namespace, and the sockets in them.
//!
//! Owns both directions of the relation (room to sockets, socket to rooms) and keeps them equal;
//! a room without sockets does not exist. Rooms have numbers: their names can be any JavaScript values,
//! and stay in `lib/socketio/rooms.js`. The room of a socket's own id, in which it always is, is not
//! stored here. Pure data: the namespace that owns it locks it.

use rustc_hash::{FxHashMap, FxHashSet};

use super::events::SocketNumber;

/// JavaScript's number for a room, which is used once.
pub(crate) type RoomNumber = u64;

/// Rooms and their sockets.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    sockets_of: FxHashMap<RoomNumber, FxHashSet<SocketNumber>>,
    rooms_of: FxHashMap<SocketNumber, FxHashSet<RoomNumber>>,
}

impl Rooms {
    /// Adds a socket to a room, if it is not in it.
    pub(crate) fn join(&mut self, socket: SocketNumber, room: RoomNumber) {
        self.sockets_of.entry(room).or_default().insert(socket);
        self.rooms_of.entry(socket).or_default().insert(room);
    }

    /// Removes a socket from a room.
    pub(crate) fn leave(&mut self, socket: SocketNumber, room: RoomNumber) {
        self.remove_from(socket, room);
        if let Some(rooms) = self.rooms_of.get_mut(&socket) {
            rooms.remove(&room);
            if rooms.is_empty() {
                self.rooms_of.remove(&socket);
            }
        }
    }

    /// Removes a socket from all its rooms.
    pub(crate) fn leave_all(&mut self, socket: SocketNumber) {
        for room in self.rooms_of.remove(&socket).into_iter().flatten() {
            self.remove_from(socket, room);
        }
    }

    /// The sockets in a room, if there are any.
    pub(crate) fn sockets(&self, room: RoomNumber) -> Option<&FxHashSet<SocketNumber>> {
        self.sockets_of.get(&room)
    }

    /// Whether there are no rooms.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.sockets_of.is_empty() && self.rooms_of.is_empty()
    }

    fn remove_from(&mut self, socket: SocketNumber, room: RoomNumber) {
        if let Some(sockets) = self.sockets_of.get_mut(&room) {
            sockets.remove(&socket);
            if sockets.is_empty() {
                self.sockets_of.remove(&room);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: RoomNumber = 1;
    const B: RoomNumber = 2;

    fn sorted(rooms: &Rooms, room: RoomNumber) -> Vec<SocketNumber> {
        let mut sockets: Vec<_> = rooms.sockets(room).into_iter().flatten().copied().collect();
        sockets.sort_unstable();
        sockets
    }

    #[test]
    fn a_socket_joins_once_and_leaves_at_once() {
        let mut rooms = Rooms::default();
        rooms.join(1, A);
        rooms.join(1, A);
        rooms.join(2, A);
        assert_eq!(sorted(&rooms, A), [1, 2]);
        rooms.leave(1, A);
        rooms.leave(1, B);
        assert_eq!(sorted(&rooms, A), [2]);
    }

    #[test]
    fn a_socket_that_has_ended_is_in_no_room() {
        let mut rooms = Rooms::default();
        rooms.join(1, A);
        rooms.join(1, B);
        rooms.join(2, B);
        rooms.leave_all(1);
        assert!(rooms.sockets(A).is_none());
        assert_eq!(sorted(&rooms, B), [2]);
    }

    #[test]
    fn empty_rooms_are_removed() {
        let mut rooms = Rooms::default();
        rooms.join(1, A);
        rooms.leave(1, A);
        rooms.join(2, B);
        rooms.leave_all(2);
        assert!(rooms.is_empty());
    }
}
