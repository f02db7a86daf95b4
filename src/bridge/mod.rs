//! The boundary with V8.
//!
//! ```text
//! hosted_sessions  the sessions of the sockets that npm socket.io servers own
//! native_sessions  those of the sockets of a native server
//! functions    makes functions for JavaScript, which cost less to call than methods
//! channel      Channel: a channel of subscriptions for an npm socket.io server
//! server       NativeServer: the server in Rust, as JavaScript drives it
//! requests     requests of Node's http.Server
//! front        the front in Rust
//! event_batch  the queue of events, and one wake-up for many of them
//! event_loop/  Node's event loop, which polls the clients under light load
//! tls          TlsContext: how clients use TLS
//! metrics      what the server has counted, for `io.metrics()`
//! authentication  what both report to a session, and its answers as numbers
//! protocol     the numbers that JavaScript shares, as an object
//! value        converts strings and buffers of JavaScript
//! ```
//!
//! JavaScript values exist only here. Every function that JavaScript calls catches panics, since a panic
//! that reached JavaScript would end the process.

#[cfg(not(feature = "no-node"))]
mod authentication;
#[cfg(not(feature = "no-node"))]
mod channel;
pub(crate) mod event_batch;
#[cfg(not(feature = "no-node"))]
mod event_loop;
#[cfg(not(feature = "no-node"))]
mod front;
#[cfg(not(feature = "no-node"))]
mod functions;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
#[cfg(not(feature = "no-node"))]
mod hosted_sessions;
#[cfg(not(feature = "no-node"))]
mod metrics;
#[cfg(not(feature = "no-node"))]
mod native_sessions;
#[cfg(not(feature = "no-node"))]
mod protocol;
#[cfg(not(feature = "no-node"))]
// Tests of Rust register nothing with Node.
#[cfg_attr(test, allow(dead_code))]
mod requests;
#[cfg(not(feature = "no-node"))]
mod server;
#[cfg(all(unix, not(feature = "no-node")))]
mod tls;
#[cfg(not(feature = "no-node"))]
mod value;
