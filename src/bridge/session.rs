//! The session of a socket that an npm `socket.io` server owns.
//!
//! `lib/hosted/hosted.js` reports what happens to its socket, and does what the answers say; values and
//! acknowledgements stay in JavaScript. This file only converts numbers to the session's types and back.
//! What must stay true: no method throws or panics, whatever it is given. An unknown number is answered
//! like a report that comes too late.

use std::sync::Arc;

use napi::bindgen_prelude::{FromNapiValue, Result};
use napi::sys;
use napi_derive::napi;

use super::authentication;
use crate::protocol::SessionAnswer;
use crate::session::{self, Attempt, Effect, Effects, Event, Instance};

const NOTHING: i64 = SessionAnswer::Nothing.number();

/// A number from JavaScript; `NaN` for any other value.
pub struct Number(f64);

impl FromNapiValue for Number {
    #[allow(unsafe_code)]
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: both come from the caller, who promises that they are live.
        let number = unsafe { f64::from_napi_value(env, value) };
        Ok(Self(number.unwrap_or(f64::NAN)))
    }
}

/// Whether a value from JavaScript is `true`.
pub struct Flag(bool);

impl FromNapiValue for Flag {
    #[allow(unsafe_code)]
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: both come from the caller, who promises that they are live.
        let flag = unsafe { bool::from_napi_value(env, value) };
        Ok(Self(flag.unwrap_or(false)))
    }
}

impl Flag {
    pub(super) fn is_set(&self) -> bool {
        self.0
    }

    #[cfg(test)]
    pub(super) fn of(flag: bool) -> Self {
        Self(flag)
    }
}

impl Number {
    #[cfg(test)]
    pub(super) fn of(number: f64) -> Self {
        Self(number)
    }

    /// The number, if it is a valid count or index.
    pub(super) fn whole(&self) -> Option<u32> {
        let number = self.0 as u32;
        (f64::from(number) == self.0).then_some(number)
    }

    /// The number, if it is a valid id: an integer that is exact as a double.
    pub(super) fn name(&self) -> Option<u64> {
        const MOST: f64 = (1_u64 << f64::MANTISSA_DIGITS) as f64;
        (self.0.fract() == 0.0 && (0.0..MOST).contains(&self.0)).then_some(self.0 as u64)
    }

    /// The number as a time; 0 if it is not one.
    pub(super) fn time(&self) -> u64 {
        self.0 as u64
    }

    fn instance(&self) -> Option<Instance> {
        self.whole().map(Instance)
    }

    fn attempt(&self) -> Option<Attempt> {
        self.name().and_then(Attempt::from_number)
    }
}

/// The state of one socket of an npm `socket.io` server: its authentication and its timeout. It only
/// decides; the caller acts.
#[napi]
pub struct Session {
    core: session::Session,
}

#[napi]
impl Session {
    /// The session of a socket that has just connected.
    #[napi(constructor, catch_unwind)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            core: session::Session::new(),
        }
    }

    /// A LoopbackSocket begins to serve the socket. The caller arms a `setTimeout` of `timeoutMs`
    /// (none for `null`) and calls `tick` when it fires.
    ///
    /// @returns the index of the LoopbackSocket from now on, or -1 if the socket has ended
    #[napi(catch_unwind)]
    pub fn serve(
        &mut self,
        #[napi(ts_arg_type = "number | null")] timeout_ms: Option<Number>,
        #[napi(ts_arg_type = "number")] now: Number,
    ) -> i64 {
        if self.core.ended() {
            return NOTHING;
        }
        let instance = self.core.instances();
        let timeout = timeout_ms.map(|timeout| session::timeout_ms(timeout.0));
        self.core.handle(Event::Served { timeout }, now.time());
        i64::from(instance)
    }

    /// A LoopbackSocket begins to serve a socket that it had authenticated before its connection was lost.
    ///
    /// @returns the index of the LoopbackSocket from now on, or -1 if the socket has ended
    #[napi(catch_unwind)]
    pub fn serve_restored(&mut self) -> i64 {
        if self.core.ended() {
            return NOTHING;
        }
        let instance = self.core.instances();
        // JavaScript listens to the names of the methods itself.
        let methods = Arc::default();
        self.handle(Event::Restored { methods });
        i64::from(instance)
    }

    /// The client emitted `authentication` to this LoopbackSocket: its auth function is to run.
    ///
    /// @returns the attempt that begins, or -1 if the socket has ended
    #[napi(catch_unwind)]
    pub fn credentials(&mut self, #[napi(ts_arg_type = "number")] instance: Number) -> i64 {
        let Some(instance) = instance.instance() else {
            return NOTHING;
        };
        authentication::credentials(instance, |event| self.handle(event))
    }

    /// The auth function of this attempt is done, or the onConnected handler that ran last.
    /// `handlers` is how many onConnected handlers there are; it counts with the auth function's
    /// outcome only.
    ///
    /// @returns the index of the onConnected handler to run, or a `SessionAnswer`, which is below 0
    #[napi(catch_unwind)]
    pub fn outcome(
        &mut self,
        #[napi(ts_arg_type = "number")] instance: Number,
        #[napi(ts_arg_type = "number")] attempt: Number,
        #[napi(ts_arg_type = "boolean")] accepted: Flag,
        #[napi(ts_arg_type = "number")] handlers: Number,
    ) -> i64 {
        let (Some(instance), Some(attempt)) = (instance.instance(), attempt.attempt()) else {
            return NOTHING;
        };
        let handlers = handlers.whole().unwrap_or(0);
        authentication::outcome(instance, attempt, accepted.0, handlers, |event| {
            self.handle(event)
        })
    }

    /// This attempt has bound its methods; those bound by an earlier attempt are replaced.
    ///
    /// @returns true: the socket is authenticated, emit `authenticated`
    #[napi(catch_unwind)]
    pub fn bound(
        &mut self,
        #[napi(ts_arg_type = "number")] instance: Number,
        #[napi(ts_arg_type = "number")] attempt: Number,
    ) -> bool {
        let (Some(instance), Some(attempt)) = (instance.instance(), attempt.attempt()) else {
            return false;
        };
        // JavaScript listens to their names itself.
        let methods = Arc::default();
        authentication::bound(instance, attempt, methods, |event| self.handle(event))
    }

    /// The client acknowledged the `unauthorized` of this attempt.
    ///
    /// @returns true: disconnect the socket
    #[napi(catch_unwind)]
    pub fn acknowledged(
        &mut self,
        #[napi(ts_arg_type = "number")] instance: Number,
        #[napi(ts_arg_type = "number")] attempt: Number,
    ) -> bool {
        let (Some(instance), Some(attempt)) = (instance.instance(), attempt.attempt()) else {
            return false;
        };
        authentication::acknowledged(instance, attempt, |event| self.handle(event))
    }

    /// A timer that was started after `serve` has fired. Its time counts, not that of `now`: a `setTimeout`
    /// may fire a little early, and the socket's time is up all the same.
    ///
    /// @returns true: the socket is still pending, close its connection
    #[napi(catch_unwind)]
    pub fn tick(&mut self, #[napi(ts_arg_type = "number")] now: Number) -> bool {
        let now = now.time().max(self.core.deadline().unwrap_or(0));
        let effects = self.core.handle(Event::Tick, now);
        matches!(
            authentication::first(effects),
            Some(Effect::DisconnectConnection)
        )
    }

    /// The application exempts the socket from authentication (`socket.auth = true`): no timeout ends it
    /// any more.
    #[napi(catch_unwind)]
    pub fn exempt(&mut self) {
        self.handle(Event::Exempt);
    }

    /// The socket has ended. Everything is released; no later report has an effect.
    #[napi(catch_unwind)]
    pub fn disconnected(&mut self) {
        self.handle(Event::Disconnected);
    }

    /// True from the first successful attempt until the socket ends.
    #[napi(getter, catch_unwind)]
    pub fn authenticated(&self) -> bool {
        self.core.authenticated()
    }

    /// An event that does not depend on the time.
    fn handle(&mut self, event: Event<'_>) -> Effects {
        self.core.handle(event, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIND: i64 = SessionAnswer::Bind.number();
    const UNAUTHORIZED: i64 = SessionAnswer::Unauthorized.number();

    fn n(number: impl Into<f64>) -> Number {
        Number(number.into())
    }

    /// A session that is served at time 0 with a timeout of 50, and its instance.
    fn served() -> (Session, i64) {
        let mut session = Session::new();
        let instance = session.serve(Some(n(50)), n(0));
        (session, instance)
    }

    /// As [`served`], and authenticated.
    fn authenticated() -> Session {
        let (mut session, _) = served();
        let attempt = session.credentials(n(0));
        assert_eq!(session.outcome(n(0), num(attempt), Flag(true), n(0)), BIND);
        assert!(session.bound(n(0), num(attempt)));
        session
    }

    fn num(number: i64) -> Number {
        Number(number as f64)
    }

    #[test]
    fn instances_are_numbered_in_the_order_they_serve() {
        let (mut session, first) = served();
        assert_eq!((first, session.serve(None, n(0))), (0, 1));
    }

    #[test]
    fn a_restored_socket_is_authenticated_and_numbered_like_one_that_is_served() {
        let mut session = Session::new();
        assert_eq!(session.serve(Some(n(50)), n(0)), 0);
        assert_eq!(session.serve_restored(), 1);
        assert!(session.authenticated());
        assert!(!session.tick(n(60)));
        session.disconnected();
        assert_eq!(session.serve_restored(), NOTHING);
    }

    #[test]
    fn an_accepted_attempt_goes_through_its_handlers_to_the_methods() {
        let (mut session, _) = served();
        let attempt = session.credentials(n(0));
        assert!(attempt > 0);
        let mut outcome = |handlers| session.outcome(n(0), num(attempt), Flag(true), n(handlers));
        assert_eq!((outcome(2), outcome(0), outcome(0)), (0, 1, BIND));
        assert_eq!(outcome(0), NOTHING);
        assert!(!session.authenticated());
        assert!(session.bound(n(0), num(attempt)));
        assert!(session.authenticated());
    }

    #[test]
    fn a_refused_attempt_ends_the_socket_when_it_is_acknowledged_and_only_once() {
        let (mut session, _) = served();
        let attempt = session.credentials(n(0));
        assert!(!session.acknowledged(n(0), num(attempt)));
        let outcome = session.outcome(n(0), num(attempt), Flag(false), n(3));
        assert_eq!(outcome, UNAUTHORIZED);
        assert!(session.acknowledged(n(0), num(attempt)));
        assert!(!session.acknowledged(n(0), num(attempt)));
    }

    #[test]
    fn a_timer_that_fires_ends_a_pending_socket_even_if_the_clock_lags_behind() {
        let (mut session, _) = served();
        assert!(session.tick(n(49.2)));
        assert!(!session.tick(n(60)));
    }

    #[test]
    fn a_timer_that_fires_spares_a_socket_that_is_not_pending() {
        assert!(!authenticated().tick(n(60)));
        let (mut session, _) = served();
        session.exempt();
        assert!(!session.tick(n(60)));
        let mut session = Session::new();
        session.serve(None, n(0));
        assert!(!session.tick(n(f64::MAX)));
    }

    #[test]
    fn a_disconnected_session_answers_every_report_with_nothing() {
        let mut session = authenticated();
        let attempt = session.credentials(n(0));
        session.disconnected();
        assert!(!session.authenticated());
        assert_eq!(session.serve(Some(n(1)), n(0)), NOTHING);
        assert_eq!(session.credentials(n(0)), NOTHING);
        let outcome = session.outcome(n(0), num(attempt), Flag(true), n(0));
        assert_eq!(outcome, NOTHING);
        assert!(!session.bound(n(0), num(attempt)));
        assert!(!session.tick(n(9_999)));
    }

    #[test]
    fn an_unknown_session_id_is_ignored() {
        let odd = [
            -1.0,
            0.5,
            1e300,
            f64::NAN,
            f64::INFINITY,
            4_294_967_296.0,
            9_007_199_254_740_992.0,
        ];
        let mut session = authenticated();
        for odd in odd {
            assert_eq!(session.credentials(n(odd)), NOTHING);
            let outcome = session.outcome(n(0), n(odd), Flag(true), n(odd));
            assert_eq!(outcome, NOTHING);
            assert!(!session.bound(n(0), n(odd)));
            assert!(!session.acknowledged(n(odd), n(odd)));
        }
    }
}
