//! What JavaScript reports of an attempt to authenticate, and what the session answers, for both kinds of
//! socket: those of an npm `socket.io` server ([`super::hosted_sessions`]) and native ones ([`super::native_sessions`]).
//!
//! Each function takes the numbers as JavaScript gave them, and `handle`, which passes the event to the session of
//! the socket. Numbers that are none of an instance or attempt are answered like a report that comes too late.

use std::sync::Arc;

use super::functions::Number;
use crate::protocol::SessionAnswer;
use crate::session::{Effect, Effects, Event, Methods};

/// The client sent credentials to this instance. Returns the number of the attempt that begins.
pub(super) fn credentials(instance: &Number, handle: impl FnOnce(Event<'_>) -> Effects) -> i64 {
    let Some(instance) = instance.instance() else {
        return SessionAnswer::Nothing.number();
    };
    match first(handle(Event::Credentials { instance })) {
        Some(Effect::RunAuth { attempt, .. }) => attempt.number().cast_signed(),
        _ => SessionAnswer::Nothing.number(),
    }
}

/// The handler that the attempt waits for is done. Returns the index of the onConnected handler to run,
/// or a [`SessionAnswer`].
pub(super) fn outcome(
    instance: &Number,
    attempt: &Number,
    accepted: bool,
    handlers: &Number,
    handle: impl FnOnce(Event<'_>) -> Effects,
) -> i64 {
    let (Some(instance), Some(attempt)) = (instance.instance(), attempt.attempt()) else {
        return SessionAnswer::Nothing.number();
    };
    let event = Event::Outcome {
        instance,
        attempt,
        accepted,
        handlers: handlers.whole().unwrap_or(0),
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
    instance: &Number,
    attempt: &Number,
    methods: Arc<Methods>,
    handle: impl FnOnce(Event<'_>) -> Effects,
) -> bool {
    let (Some(instance), Some(attempt)) = (instance.instance(), attempt.attempt()) else {
        return false;
    };
    let event = Event::Bound {
        instance,
        attempt,
        methods,
    };
    matches!(first(handle(event)), Some(Effect::Authenticated { .. }))
}

/// The client acknowledged the `unauthorized` of the attempt. Returns whether to disconnect the socket.
pub(super) fn acknowledged(
    instance: &Number,
    attempt: &Number,
    handle: impl FnOnce(Event<'_>) -> Effects,
) -> bool {
    let (Some(instance), Some(attempt)) = (instance.instance(), attempt.attempt()) else {
        return false;
    };
    let event = Event::Acknowledged { instance, attempt };
    matches!(first(handle(event)), Some(Effect::Disconnect))
}

/// The only effect: an attempt has one at a time.
pub(super) fn first(effects: Effects) -> Option<Effect> {
    effects.into_iter().next()
}
