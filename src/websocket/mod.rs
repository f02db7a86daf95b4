//! The WebSocket protocol (RFC 6455) on bytes.
//!
//! ```text
//! handshake  the response to an upgrade     codec  decodes and encodes frames
//! rewind     a stream with bytes read before
//! ```
//!
//! Nothing here knows what messages mean.

pub(crate) mod codec;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub(crate) mod handshake;
#[cfg(test)]
mod properties;
pub(crate) mod rewind;
