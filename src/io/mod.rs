//! The streams of clients, and the threads that read and write them.
//!
//! ```text
//! runtime       the I/O thread                       delayed   tasks that need not start at once
//! reactor       which reader is polled when          poller    the thread that polls
//! load          how close together messages come      light_load  whether Node's event loop polls
//! gathering     whether messages gather               one_thread  whether one thread does everything
//! transport     both halves of any stream            stream    the operating system's streams
//! tls           streams that are encrypted           tls_config  certificates, versions
//! adopt_fd      takes a descriptor from Node         relay     a stream whose bytes Node carries
//! forward       gives Node what is decrypted
//! write_buffer  bytes that wait for a client         host      what Node does for streams
//! ```
//!
//! Nothing here knows what the bytes mean.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[cfg(unix)]
pub(crate) mod adopt_fd;
pub(crate) mod delayed;
#[cfg(unix)]
pub(crate) mod forward;
#[cfg(unix)]
pub(crate) mod gathering;
pub(crate) mod host;
#[cfg(target_os = "linux")]
mod light_load;
mod load;
#[cfg(target_os = "linux")]
mod one_thread;
mod poller;
pub(crate) mod reactor;
pub(crate) mod relay;
pub(crate) mod runtime;
#[cfg(unix)]
mod stream;
#[cfg(unix)]
pub(crate) mod tls;
#[cfg(unix)]
pub(crate) mod tls_config;
pub(crate) mod transport;
pub(crate) mod write_buffer;

/// A duration as atomics hold it.
fn as_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Adds to a count that one thread changes at a time, nearly always, and that need not be exact: an atomic
/// addition would cost each read more. Returns the sum.
fn add(count: &AtomicU64, number: u64) -> u64 {
    let sum = count.load(Ordering::Relaxed).wrapping_add(number);
    count.store(sum, Ordering::Relaxed);
    sum
}
