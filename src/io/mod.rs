//! Bytes of clients: who reads and writes them, on which thread, and what carries them.
//!
//! ```text
//! runtime    the I/O thread                      reactor    who reads which client when
//! load       how close together messages come    stream     streams of the system, and who waits for them
//! transport  the two halves of any stream        adopt_fd   takes a descriptor from Node
//! relay      a stream whose bytes Node carries   write_buffer  bytes that wait, shared with others
//! ```
//!
//! Nothing here knows what the bytes mean.

#[cfg(unix)]
pub(crate) mod adopt_fd;
// Nobody borrows the reactor's queue elsewhere.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(crate) mod load;
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(crate) mod reactor;
pub(crate) mod relay;
pub(crate) mod runtime;
#[cfg(unix)]
mod stream;
pub(crate) mod transport;
pub(crate) mod write_buffer;
