//! Node's event loop, which polls the clients itself under light load, or when that serves more of them.
//!
//! ```text
//! libuv        does so on Linux
//! unsupported  on other systems, where only the I/O thread polls
//! ```

#[cfg_attr(not(target_os = "linux"), path = "unsupported.rs")]
mod libuv;

pub(super) use libuv::{acquire_if_suitable, does_everything, listen, note, unlisten};
