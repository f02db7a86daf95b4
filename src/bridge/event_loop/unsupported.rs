//! Replaces `libuv.rs` on systems other than Linux, where only the I/O thread polls clients.

use std::sync::{Arc, Weak};

use napi::sys;

use crate::bridge::event_batch::EventQueue;
use crate::io::reactor::Reactor;

pub(in crate::bridge) fn listen(
    _: sys::napi_env,
    _: &Arc<EventQueue>,
    _: sys::napi_value,
    _: &Arc<Reactor>,
) {
}

pub(in crate::bridge) fn unlisten(_: &Arc<EventQueue>) {}

pub(in crate::bridge) fn acquire_if_suitable(_: &Reactor) {}

/// False: the I/O thread polls.
pub(in crate::bridge) fn does_everything(_: &Reactor) -> bool {
    false
}

/// False: JavaScript must be woken.
pub(in crate::bridge) fn note(_: &Weak<EventQueue>) -> bool {
    false
}
