//! How the items of a channel reach its subscribers, as a pure state machine.
//!
//! A [`Channel`] has one log of items. A subscriber has no queue of its own: it is a place in the log, and
//! what lies between that place and the end of the log is queued for it. Its host tells the channel what
//! happened, with the time in milliseconds, and does what the channel tells its [`Sink`]. Items and keys
//! are opaque; there is no clock, no thread and no I/O here.
//!
//! What must stay true, whatever the host and the clients do and in whatever order:
//! - a subscriber never has more than `window` items that it has not acknowledged;
//! - it gets each item at most once, in their order, and none while it is held or after its end;
//! - its end is told at most once, and never after the host has removed it;
//! - the log keeps the last `history` items, and before those only what a subscriber still waits for,
//!   which is bounded by `max_queued_bytes`.
//!
//! Credit: every `window / 2`-th item of a subscriber, rounded up, asks for an acknowledgement, which
//! acknowledges the items before it too. So a window that is used up always has a request in it, and
//! at most two are outstanding.
//!
//! ```text
//! channel.rs   the channel and its operations     log.rs   the items, and who waits for them
//! slots.rs     the subscribers, in a dense table
//! ```

mod channel;
mod log;
mod slots;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub(crate) use channel::{Channel, End, Options, Overflow, Run, Sink};
pub(crate) use slots::Slot;
