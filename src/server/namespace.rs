//! A namespace: its sockets and rooms, and who hears a broadcast.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::Str;
use crate::engine::outgoing::Series;
use parking_lot::{Mutex, RwLock};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;

use super::output::Touched;
use super::parser::Frame;
use super::rooms::Rooms;
use super::socket::{Socket, SocketNumber};

/// One namespace of a server.
#[derive(Debug)]
pub(crate) struct Namespace {
    pub(crate) name: Str,
    sockets: RwLock<FxHashMap<SocketNumber, Arc<Socket>>>,
    rooms: Mutex<Rooms>,
}

/// JavaScript's name for a namespace; given once.
pub(crate) type NamespaceIndex = u64;

/// The namespaces of a server, by name and by the index JavaScript has for each.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    by_index: FxHashMap<NamespaceIndex, Arc<Namespace>>,
    /// Where parents make namespaces, clients choose their names: hashed with a random seed.
    by_name: HashMap<Box<str>, NamespaceIndex>,
    next: NamespaceIndex,
}

impl Namespaces {
    /// The index of a namespace, made on first use; indices are not given out twice.
    pub(crate) fn index(&mut self, name: &str) -> NamespaceIndex {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        let index = self.next;
        self.next += 1;
        self.by_name.insert(name.into(), index);
        self.by_index.insert(index, Namespace::new(name));
        index
    }

    /// Has indices begin here.
    pub(crate) fn skip_indices(&mut self, to: NamespaceIndex) {
        self.next = self.next.max(to);
    }

    /// Forgets a namespace.
    pub(crate) fn remove(&mut self, index: NamespaceIndex) {
        if let Some(namespace) = self.by_index.remove(&index) {
            self.by_name.remove(namespace.name.as_str());
        }
    }

    /// The namespace of an index.
    pub(crate) fn at(&self, index: NamespaceIndex) -> Option<Arc<Namespace>> {
        self.by_index.get(&index).cloned()
    }

    /// The namespace of a name.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Namespace>> {
        self.at(*self.by_name.get(name)?)
    }
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
    /// authentication, docs/behaviour.md "A socket's life" 1) hear nothing.
    pub(crate) fn broadcast(
        &self,
        audience: &Audience,
        frame: &Frame,
        max_backpressure: usize,
        touched: &mut Touched,
    ) {
        for socket in self.audience(audience) {
            socket.send(frame, max_backpressure, touched);
        }
    }

    /// Sends a series of frames to an audience; see [`Namespace::broadcast`].
    pub(crate) fn broadcast_series(
        &self,
        audience: &Audience,
        series: &Series,
        max_backpressure: usize,
        touched: &mut Touched,
    ) {
        for socket in self.audience(audience) {
            touched.send_series(&socket.connection, series, max_backpressure);
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
