//! The interface between the engine and the application above it.

use std::sync::Arc;

use bytes::Bytes;

use super::connection::{Connection, Data, Received};
use super::engine::Engine;
use super::packet::Packet;

/// The application. It is called on the thread that reads the client, in the order in which messages
/// were received.
pub(crate) trait Handler: Send + Sync + Sized + 'static {
    /// What it stores with each connection.
    type Data: Data;

    /// The engine that calls it.
    fn engine(&self) -> &Arc<Engine<Connection<Self::Data>>>;

    /// The data of a new connection.
    fn data(&self) -> Self::Data;

    /// A client has opened a connection.
    fn on_open(self: &Arc<Self>, connection: &Arc<Connection<Self::Data>>);

    /// A text message of a client.
    fn on_message(self: &Arc<Self>, connection: &Arc<Connection<Self::Data>>, message: &str);

    /// A binary message of a client.
    fn on_binary(self: &Arc<Self>, connection: &Arc<Connection<Self::Data>>, message: Bytes);
}

/// Handles a packet of a client. Returns whether to read on. After a ping, the caller must call
/// [`Connection::flush`].
pub(super) fn receive<H: Handler>(
    handler: &Arc<H>,
    connection: &Arc<Connection<H::Data>>,
    packet: Packet<'_>,
) -> bool {
    match connection.on_packet(packet) {
        Received::Message(text) => handler.on_message(connection, text),
        Received::Binary(bytes) => handler.on_binary(connection, bytes),
        Received::Nothing => {}
    }
    !connection.is_closed()
}
