//! A namespace: its sockets and rooms, and who hears a broadcast.

use std::sync::Arc;

use engineioxide::Str;
use parking_lot::{Mutex, RwLock};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;

use super::packet::Frame;
use super::rooms::Rooms;
use super::socket::{Socket, SocketNumber};

/// One namespace of a server.
#[derive(Debug)]
pub(crate) struct Namespace {
    pub(crate) name: Str,
    sockets: RwLock<FxHashMap<SocketNumber, Arc<Socket>>>,
    rooms: Mutex<Rooms>,
}

/// Whom a broadcast is for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Audience {
    /// In at least one of these rooms; empty means the whole namespace.
    rooms: Vec<Box<str>>,
    /// In none of these rooms.
    except: Vec<Box<str>>,
    /// Not this socket: the one that broadcasts.
    skip: Option<SocketNumber>,
}

impl Namespace {
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: Str::copy_from_slice(name),
            sockets: RwLock::default(),
            rooms: Mutex::default(),
        })
    }

    /// Adds a socket that the application accepted. Its own id is a room, as in Socket.IO.
    pub(crate) fn add(&self, socket: Arc<Socket>) {
        self.rooms.lock().join(socket.number, &socket.id);
        self.sockets.write().insert(socket.number, socket);
    }

    /// Forgets a socket and its rooms.
    pub(crate) fn remove(&self, socket: SocketNumber) {
        self.sockets.write().remove(&socket);
        self.rooms.lock().leave_all(socket);
    }

    /// Puts a socket that is here in a room.
    pub(crate) fn join(&self, socket: SocketNumber, room: &str) {
        let sockets = self.sockets.read();
        if sockets.contains_key(&socket) {
            self.rooms.lock().join(socket, room);
        }
    }

    /// Takes a socket out of a room.
    pub(crate) fn leave(&self, socket: SocketNumber, room: &str) {
        self.rooms.lock().leave(socket, room);
    }

    /// Sends a frame to an audience, each socket once. Sockets that are held back (pending
    /// authentication, BEHAVIOUR "A socket's life" 1) hear nothing.
    pub(crate) fn broadcast(&self, audience: &Audience, frame: &Frame, max_backpressure: usize) {
        for socket in self.audience(audience) {
            socket.send(frame, max_backpressure);
        }
    }

    /// Whether nobody is here and no room is.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.sockets.read().is_empty() && self.rooms.lock().is_empty()
    }

    fn audience(&self, audience: &Audience) -> Vec<Arc<Socket>> {
        let sockets = self.sockets.read();
        let rooms = self.rooms.lock();
        let hears = |socket: &&Arc<Socket>| {
            !socket.is_held()
                && audience.skip != Some(socket.number)
                && (audience.except.is_empty() || !rooms.is_in_any(socket.number, &audience.except))
        };
        match audience.rooms.as_slice() {
            [] => sockets.values().filter(hears).cloned().collect(),
            [room] => rooms
                .sockets(room)
                .filter_map(|number| sockets.get(&number))
                .filter(hears)
                .cloned()
                .collect(),
            several => several
                .iter()
                .flat_map(|room| rooms.sockets(room))
                .collect::<FxHashSet<_>>()
                .into_iter()
                .filter_map(|number| sockets.get(&number))
                .filter(hears)
                .cloned()
                .collect(),
        }
    }
}
