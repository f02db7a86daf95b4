//! Engine.IO: connections, and the transports that carry them.
//!
//! ```text
//! request    which requests are for a session   handshake  the first packet of a connection
//! connection one client, whatever carries it    send_queue what waits for it, and its way out
//! heartbeat  who has been silent for too long   packet     what a client says to the engine
//! websocket  reads a client, lets it upgrade    polling    long polling, served in process
//! payload    many packets in one body           inbound_budget  what JavaScript has yet to hear
//! sid        session ids
//! ```
//!
//! Versions 3 and 4 of the protocol. A connection is written to from any thread, at once if its
//! transport takes it; it is read by one thread at a time, in the order of the wire. What it says goes to
//! [`crate::socketio::server::Server`]. What must stay true: what is queued for a client reaches it in
//! order, over an upgrade too, or its connection ends with a reason.

pub(crate) mod connection;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod handshake;
mod heartbeat;
pub(crate) mod inbound_budget;
mod packet;
mod payload;
pub(crate) mod polling;
#[cfg(test)]
mod properties;
pub(crate) mod request;
pub(crate) mod send_queue;
mod sid;
pub(crate) mod websocket;

pub(crate) use crate::protocol::FrameError;

pub(crate) use engineioxide_core::{ProtocolVersion, Str, TransportType};
pub(crate) use sid::Sid;
