//! Websockets (RFC 6455), as far as they are bytes.
//!
//! ```text
//! handshake  the answer to an upgrade       codec  frames, taken apart and put together
//! rewind     a stream with bytes in front
//! ```
//!
//! Knows nothing of what is in a frame.

pub(crate) mod codec;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub(crate) mod handshake;
#[cfg(test)]
mod properties;
pub(crate) mod rewind;
