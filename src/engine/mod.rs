//! Engine.IO: connections, and the transports that carry them.
//!
//! ```text
//! request    which requests are for a session   handshake  the first packet of a connection
//! connection one client, whatever carries it    outgoing   what waits for it, and its way out
//! heartbeat  who has been silent for too long   packet     what a client says to the engine
//! websocket  reads a client, lets it upgrade    frame      the frames of a websocket (RFC 6455)
//! wire       the bytes of a websocket           handover   takes a descriptor from Node
//! reactor    who reads which client when        descriptor streams, and who waits for them
//! pace       how close together messages come   pump       a stream whose bytes Node carries
//! polling    long polling, served in process    payload    many packets in one body
//! unheard    what JavaScript has yet to hear    send_queue bytes that wait, shared with others
//! sid        session ids
//! ```
//!
//! Versions 3 and 4 of the protocol. A connection is written to from any thread, at once if its
//! transport takes it; it is read by one thread at a time, in the order of the wire. What it says goes to
//! [`crate::server::Server`]. What must stay true: what is queued for a client reaches it in order,
//! over an upgrade too, or its connection ends with a reason.

pub(crate) mod connection;
#[cfg(unix)]
mod descriptor;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
#[cfg(unix)]
pub(crate) mod handover;
mod handshake;
mod heartbeat;
pub(crate) mod outgoing;
// Nobody borrows the reactor's queue elsewhere.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
mod pace;
mod packet;
mod payload;
pub(crate) mod polling;
pub(crate) mod pump;
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(crate) mod reactor;
pub(crate) mod request;
mod send_queue;
mod sid;
pub(crate) mod unheard;
pub(crate) mod websocket;
mod wire;

pub(crate) use frame::Fault;

pub(crate) use engineioxide_core::{ProtocolVersion, Str, TransportType};
pub(crate) use sid::Sid;
