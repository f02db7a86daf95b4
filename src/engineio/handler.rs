//! What the engine knows of the application that it serves clients for.

use std::sync::Arc;

use bytes::Bytes;

use super::Str;
use super::connection::{Connection, Data, Received};
use super::engine::Engine;
use super::packet::Packet;

/// What deals with the messages of clients. It is called on the thread that reads the client, in the
/// order of the wire.
pub(crate) trait Handler: Send + Sync + Sized + 'static {
    /// What it keeps with each connection, and what is done as that ends.
    type Data: Data;

    /// The engine that it has.
    fn engine(&self) -> &Arc<Engine<Connection<Self::Data>>>;

    /// What it keeps with a new connection.
    fn data(&self) -> Self::Data;

    /// A client has opened a connection.
    fn on_open(self: &Arc<Self>, connection: &Arc<Connection<Self::Data>>);

    /// A text message of a client.
    fn on_message(self: &Arc<Self>, connection: &Arc<Connection<Self::Data>>, message: Str);

    /// A binary message of a client.
    fn on_binary(self: &Arc<Self>, connection: &Arc<Connection<Self::Data>>, message: Bytes);
}

/// Deals with a packet of a client. Says whether to read on. If it is a ping, [`Connection::flush`] is
/// called for.
pub(super) fn receive<H: Handler>(
    handler: &Arc<H>,
    connection: &Arc<Connection<H::Data>>,
    packet: Packet<'_>,
) -> bool {
    match connection.received(packet) {
        Received::Message(text) => handler.on_message(connection, Str::copy_from_slice(text)),
        Received::Binary(bytes) => handler.on_binary(connection, bytes),
        Received::Nothing => {}
    }
    !connection.is_closed()
}
