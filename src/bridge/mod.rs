//! The one border with V8.
//!
//! ```text
//! hosted   Session: the state of a socket that a JavaScript server owns
//! native   NativeServer: the server in Rust, as JavaScript drives it
//! inbox    the queue of notices, and the one wake-up for many of them
//! event_loop  Node's, waiting for clients that say little; no_event_loop  elsewhere than on Linux
//! value    strings and buffers of JavaScript, in and out
//! ```
//!
//! Only here do JavaScript values exist. Every function that JavaScript calls catches panics: one
//! that crossed the border would end the process.

#[cfg(not(feature = "no-node"))]
#[cfg_attr(not(target_os = "linux"), path = "no_event_loop.rs")]
mod event_loop;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
#[cfg(not(feature = "no-node"))]
mod hosted;
pub(crate) mod inbox;
#[cfg(not(feature = "no-node"))]
mod native;
#[cfg(not(feature = "no-node"))]
mod value;
