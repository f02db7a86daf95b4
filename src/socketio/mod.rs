//! The native server: Socket.IO on the connections of [`crate::engineio`].
//!
//! ```text
//! options        the options of a server
//! server         namespaces and sockets, and what a client's packets do
//! socket         one client in one namespace          client     the sockets of one connection
//! namespace      sockets, and who gets a broadcast    sockets    a connection's, by their namespaces
//! rooms          the sockets in each room
//! packet         the payload of a packet             parser/    the encoding of packets
//! json           checks JSON without reading it
//! subscriptions/ which sockets get the items of a channel
//! events         what JavaScript is told              commands   what JavaScript tells the server
//! ```
//!
//! Nothing here touches JavaScript values.

mod client;
pub(crate) mod commands;
pub(crate) mod events;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod json;
pub(crate) mod namespace;
pub(crate) mod options;
pub(crate) mod packet;
pub(crate) mod parser;
mod rooms;
pub(crate) mod server;
pub(crate) mod socket;
mod sockets;
pub(crate) mod subscriptions;
