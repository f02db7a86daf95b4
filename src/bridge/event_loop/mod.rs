//! Node's event loop, which waits for the clients itself while they say little.
//!
//! ```text
//! libuv        how it does, on Linux
//! unsupported  elsewhere it does not: the I/O thread always waits
//! ```

#[cfg_attr(not(target_os = "linux"), path = "unsupported.rs")]
mod libuv;

pub(super) use libuv::{gather, listen, unlisten, wait_if_suitable};
