//! What stands in the place of `event_loop.rs` on systems other than Linux, where the I/O thread
//! always waits for the clients.

use std::sync::{Arc, Weak};

use napi::sys;

use super::inbox::Inbox;
use crate::engine::reactor::Reactor;

pub(super) fn listen(_: sys::napi_env, _: &Arc<Inbox>, _: sys::napi_value, _: &Arc<Reactor>) {}

pub(super) fn unlisten(_: &Arc<Inbox>) {}

pub(super) fn wait_if_suitable(_: &Reactor) {}

/// False: JavaScript is to be woken.
pub(super) fn gather(_: &Weak<Inbox>) -> bool {
    false
}
