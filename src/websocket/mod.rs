//! Websockets (RFC 6455), as far as they are bytes.
//!
//! ```text
//! codec   frames, taken apart and put together
//! ```
//!
//! Knows nothing of who carries the bytes, nor of what is in a frame.

pub(crate) mod codec;
#[cfg(test)]
mod properties;
