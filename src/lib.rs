//! Authenticated sockets for LoopBack apps: the Rust half of the npm package `loopback-socket`.
//!
//! # Layout
//! - [`session`]: the life of one socket and of its calls, as a pure state machine. No threads, no
//!   clock, no JavaScript: what may happen when is decided here, for every host.
//! - [`protocol`]: the numbers, names and letters that Rust and JavaScript share.
//! - [`bridge`]: the boundary with V8. What JavaScript calls, the queue that wakes it, and all
//!   JavaScript values.
//! - [`io`]: the streams of clients, and the threads that read and write them.
//! - [`websocket`]: the frames of websockets.
//! - [`engineio`]: Engine.IO, the connections of clients.
//! - [`socketio`]: the native Socket.IO server on these connections.
//!
//! One call on the native server: `engineio` reads a packet, `socketio` asks its `session`, which says
//! what runs; `bridge` queues that and wakes JavaScript once for many; the handler's outcome comes back
//! as text, and `socketio` asks `session` once more whether an answer is due. On a server written in
//! JavaScript the same `session` decides, asked through `bridge` alone.
//! `docs/architecture.md` has the picture, `docs/behaviour.md` the contract.

#![deny(unsafe_code)]
// Without the classes for JavaScript, which a program without Node.js cannot link, much is unused.
#![cfg_attr(feature = "no-node", allow(dead_code, unused_imports))]

mod bridge;
mod engineio;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
/// The work that `bench/instructions` counts; see `docs/performance-guard.md`.
#[cfg(feature = "instructions")]
#[doc(hidden)]
#[path = "../bench/instructions/cases/mod.rs"]
pub mod instructions;
mod io;
mod protocol;
mod session;
mod socketio;
mod websocket;
