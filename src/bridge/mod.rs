//! The one border with V8.
//!
//! ```text
//! session      Session: the state of a socket that a JavaScript server owns
//! server       NativeServer: the server in Rust, as JavaScript drives it
//! event_batch  the queue of notices, and the one wake-up for many of them
//! event_loop/  Node's, waiting for clients that say little
//! authentication  what both ask a session, and its answers as numbers
//! protocol     the numbers that JavaScript shares, as an object
//! value        strings and buffers of JavaScript, in and out
//! ```
//!
//! Only here do JavaScript values exist. Every function that JavaScript calls catches panics: one
//! that crossed the border would end the process.

#[cfg(not(feature = "no-node"))]
mod authentication;
pub(crate) mod event_batch;
#[cfg(not(feature = "no-node"))]
mod event_loop;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
#[cfg(not(feature = "no-node"))]
mod protocol;
#[cfg(not(feature = "no-node"))]
mod server;
#[cfg(not(feature = "no-node"))]
mod session;
#[cfg(not(feature = "no-node"))]
mod value;
