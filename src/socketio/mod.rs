//! The native server: Socket.IO on the connections of [`crate::engineio`].
//!
//! ```text
//! server     namespaces, sockets, connections   options    what the server was told
//! socket     one client in one namespace        namespace  sockets and who hears a broadcast
//! sockets    those of one connection            rooms      who is in which room
//! packet     what a packet carries              parser/    how packets look on the wire
//! commands   the one ordered way out            events     what JavaScript is told
//! ```
//!
//! Nothing here touches JavaScript values.

pub(crate) mod commands;
pub(crate) mod events;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub(crate) mod namespace;
pub(crate) mod options;
pub(crate) mod packet;
pub(crate) mod parser;
mod rooms;
pub(crate) mod server;
pub(crate) mod socket;
pub(crate) mod sockets;
