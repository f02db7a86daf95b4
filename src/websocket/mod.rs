//! The WebSocket protocol (RFC 6455) on bytes, and its compression (RFC 7692).
//!
//! ```text
//! handshake   the response to an upgrade            codec    decodes and encodes frames
//! extensions  whether compression is agreed on      deflate  compresses and inflates messages
//! rewind      a stream with bytes read before
//! ```
//!
//! Nothing here knows what messages mean.

pub(crate) mod codec;
pub(crate) mod deflate;
pub(crate) mod extensions;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub(crate) mod handshake;
#[cfg(test)]
mod properties;
pub(crate) mod rewind;
