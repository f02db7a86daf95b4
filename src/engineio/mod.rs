//! Engine.IO: connections, and the transports that carry them.
//!
//! ```text
//! config       the options of the engine              engine        what all connections have in common
//! handler      the application above the engine       events        what JavaScript is told
//! counters     what is counted for `io.metrics()`
//! http/        which requests are for a session       sid           session ids
//! handshake    how a connection begins                connection    one client, whatever carries it
//! send_queue   what is queued for a client            flush_set     connections to be written to
//! message      what the application sends             inbound_budget  what is not delivered yet
//! heartbeat    closes connections that time out       liveness      when the client was last alive
//! websocket    opens a connection, or upgrades one    upgrade       how a client leaves polling
//! front        reads and answers HTTP requests        requests      what a request may do
//! polling      long polling, for every front          responder     who writes a response
//! reader       reads a websocket                      acceptance    when a POST is answered
//! packet       the packets of a client                payload       several packets in one body
//! ```
//!
//! Versions 3 and 4 of the protocol. A connection is written to from any thread, at once if its
//! transport takes it; it is read by one thread at a time, in the order of the wire. Of the application
//! the engine knows [`handler::Handler`]. What must stay true: what is queued for a client reaches it in
//! order, over an upgrade too, or its connection ends with a reason.

mod acceptance;
pub(crate) mod config;
pub(crate) mod connection;
pub(crate) mod counters;
pub(crate) mod engine;
pub(crate) mod events;
pub(crate) mod flush_set;
#[cfg(unix)]
pub(crate) mod front;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub(crate) mod handler;
mod handshake;
mod heartbeat;
pub(crate) mod http;
pub(crate) mod inbound_budget;
mod liveness;
pub(crate) mod message;
mod packet;
mod payload;
pub(crate) mod polling;
#[cfg(test)]
mod properties;
mod reader;
pub(crate) mod requests;
pub(crate) mod responder;
pub(crate) mod send_queue;
mod sid;
mod upgrade;
pub(crate) mod websocket;

pub(crate) use crate::protocol::ProtocolError;

pub(crate) use engineioxide_core::{ProtocolVersion, Str, TransportType};
pub(crate) use sid::Sid;
