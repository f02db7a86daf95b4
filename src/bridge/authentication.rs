//! What JavaScript reports of an attempt to authenticate, and what the session answers, for both kinds of
//! socket: those of an npm `socket.io` server ([`super::session`]) and native ones ([`super::server`]).
//!
//! Each function takes `handle`, which passes the event to the session of the socket.

use std::sync::Arc;

use crate::protocol::SessionAnswer;
use crate::session::{Attempt, Effect, Effects, Event, Instance, Methods};

/// The client sent credentials to this instance. Returns the number of the attempt that begins.
pub(super) fn credentials(instance: Instance, handle: impl FnOnce(Event<'_>) -> Effects) -> i64 {
    match first(handle(Event::Credentials { instance })) {
        Some(Effect::RunAuth { attempt, .. }) => attempt.number().cast_signed(),
        _ => SessionAnswer::Nothing.number(),
    }
}

/// The handler that the attempt waits for is done. Returns the index of the onConnected handler to run,
/// or a [`SessionAnswer`].
pub(super) fn outcome(
    instance: Instance,
    attempt: Attempt,
    accepted: bool,
    handlers: u32,
    handle: impl FnOnce(Event<'_>) -> Effects,
) -> i64 {
    let event = Event::Outcome {
        instance,
        attempt,
        accepted,
        handlers,
    };
    match first(handle(event)) {
        Some(Effect::RunConnected { handler, .. }) => handler.into(),
        Some(Effect::Bind { .. }) => SessionAnswer::Bind.number(),
        Some(Effect::Unauthorized { .. }) => SessionAnswer::Unauthorized.number(),
        _ => SessionAnswer::Nothing.number(),
    }
}

/// The attempt has bound these methods. Returns whether the socket is authenticated.
pub(super) fn bound(
    instance: Instance,
    attempt: Attempt,
    methods: Arc<Methods>,
    handle: impl FnOnce(Event<'_>) -> Effects,
) -> bool {
    let event = Event::Bound {
        instance,
        attempt,
        methods,
    };
    matches!(first(handle(event)), Some(Effect::Authenticated { .. }))
}

/// The client acknowledged the `unauthorized` of the attempt. Returns whether to disconnect the socket.
pub(super) fn acknowledged(
    instance: Instance,
    attempt: Attempt,
    handle: impl FnOnce(Event<'_>) -> Effects,
) -> bool {
    let event = Event::Acknowledged { instance, attempt };
    matches!(first(handle(event)), Some(Effect::Disconnect))
}

/// The only effect: an attempt has one at a time.
pub(super) fn first(effects: Effects) -> Option<Effect> {
    effects.into_iter().next()
}
