//! The sockets of one connection, one for each namespace.

use parking_lot::Mutex;
use smallvec::SmallVec;
use socketioxide_core::parser::ParserState;

use super::sockets::{Member, Sockets};

/// One client; `S` is a socket.
pub(crate) struct Client<S> {
    /// The attachments of an incomplete message.
    pub(crate) parser: ParserState,
    sockets: Mutex<Sockets<S>>,
}

impl<S> Default for Client<S> {
    fn default() -> Self {
        Self {
            parser: ParserState::default(),
            sockets: Mutex::default(),
        }
    }
}

impl<S: Member + Clone> Client<S> {
    /// The socket of a namespace, if the client joined it.
    pub(crate) fn socket(&self, ns: &str) -> Option<S> {
        self.sockets.lock().get(ns).cloned()
    }

    /// Adds a socket, and returns true, unless there is one of its namespace.
    pub(crate) fn add(&self, socket: S) -> bool {
        self.sockets.lock().add(socket)
    }

    /// Removes a socket.
    pub(crate) fn remove(&self, socket: &S) {
        self.sockets.lock().remove(socket);
    }

    /// Every socket, in the order they joined.
    pub(crate) fn sockets(&self) -> SmallVec<[S; 1]> {
        self.sockets.lock().all()
    }

    /// Whether the client joined no namespace, or left them all.
    pub(crate) fn has_no_sockets(&self) -> bool {
        self.sockets.lock().is_empty()
    }
}
