//! The connections to flush after a batch of commands.

use std::sync::Arc;

use smallvec::SmallVec;

use super::connection::{Connection, Data, Queued};
use super::message::{Frame, PlainText};
use super::send_queue::Series;

/// Connections for which something was queued. They are flushed at the end of a batch, so that many
/// messages for one client leave in one write.
#[derive(Debug)]
pub(crate) struct FlushSet<D: Data> {
    connections: SmallVec<[Arc<Connection<D>>; 4]>,
    /// Those of clients that are behind and are to be waited for.
    pub(crate) behind: Vec<Arc<Connection<D>>>,
    /// Bytes that were broadcast since the task last yielded.
    pub(crate) bytes: usize,
    /// Whether the current step was a broadcast.
    pub(crate) is_broadcast: bool,
}

impl<D: Data> Default for FlushSet<D> {
    fn default() -> Self {
        Self {
            connections: SmallVec::new(),
            behind: Vec::new(),
            bytes: 0,
            is_broadcast: false,
        }
    }
}

impl<D: Data> FlushSet<D> {
    /// Queues a frame on a connection.
    pub(crate) fn send(&mut self, connection: &Arc<Connection<D>>, frame: &Frame) {
        self.add(connection, connection.send(frame));
    }

    /// Queues a text message on a connection.
    pub(crate) fn send_text(&mut self, connection: &Arc<Connection<D>>, text: PlainText<'_>) {
        self.add(connection, connection.send_text(text));
    }

    /// Queues a series of frames on a connection.
    pub(crate) fn send_series(&mut self, connection: &Arc<Connection<D>>, series: &Series) {
        self.add(connection, connection.send_series(series));
    }

    fn add(&mut self, connection: &Arc<Connection<D>>, queued: Queued) {
        match queued {
            Queued::Waits => {}
            Queued::IsToBeFlushed => self.connections.push(connection.clone()),
            Queued::IsBehind => self.behind.push(connection.clone()),
        }
    }

    /// Counts the bytes of a broadcast, to all clients together.
    pub(crate) fn broadcast(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.is_broadcast = true;
    }

    /// Flushes when the messages have been handled that were read together with the one that is handled now,
    /// which is of the only client to which something was sent.
    pub(crate) fn flush_after_read(mut self) {
        for connection in self.connections.drain(..) {
            connection.flush_after_read();
        }
    }

    pub(crate) fn flush(&mut self) {
        for connection in self.connections.drain(..) {
            connection.flush();
        }
    }

    /// Has a task wait for each client that is behind.
    pub(crate) fn wait_in_background(&mut self) {
        for connection in self.behind.drain(..) {
            connection.wait_in_background();
        }
    }
}

impl<D: Data> Drop for FlushSet<D> {
    /// Flushes even after a panic: a connection that is not empty is not added to a set again.
    fn drop(&mut self) {
        self.flush();
        self.wait_in_background();
    }
}
