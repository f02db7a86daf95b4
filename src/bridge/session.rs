//! The sessions of the sockets that npm `socket.io` servers own.
//!
//! `lib/hosted/hosted.js` reports what happens to its sockets, and does what the answers say; values and
//! acknowledgements stay in JavaScript. This file keeps a session for each socket, and converts numbers to the
//! session's types and back.
//! What must stay true: no method throws or panics, whatever it is given. An unknown number is answered
//! like a report that comes too late.

use std::num::NonZeroU64;
use std::sync::Arc;

use napi::bindgen_prelude::{FromNapiValue, Result};
use napi::sys;
use napi_derive::napi;

use super::authentication;
use crate::protocol::SessionAnswer;
use crate::session::{self, Attempt, Effect, Effects, Event, IdMap, Instance};

const NOTHING: i64 = SessionAnswer::Nothing.number();
const BIND: i64 = SessionAnswer::Bind.number();

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

    fn id(&self) -> Option<NonZeroU64> {
        self.name().and_then(NonZeroU64::new)
    }

    fn instance(&self) -> Option<Instance> {
        self.whole().map(Instance)
    }

    fn attempt(&self) -> Option<Attempt> {
        self.name().and_then(Attempt::from_number)
    }
}

/// The state of the sockets of npm `socket.io` servers: their authentication and their timeouts. It only
/// decides; the caller acts.
///
/// The session of a socket that has ended is not in it. One object for all sockets, which are numbers here: an
/// object for each would cost more to make, to call and to collect than everything that it decides.
#[napi]
pub struct Sessions {
    sessions: IdMap<session::Session>,
}

#[napi]
impl Sessions {
    /// No sockets.
    #[napi(constructor, catch_unwind)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            sessions: IdMap::default(),
        }
    }

    /// A socket has connected, and a LoopbackSocket begins to serve it: the one with the index 0. The caller
    /// arms a `setTimeout` of `timeoutMs` (none for `null`) and calls `tick` when it fires. It reports
    /// `disconnected` when the socket has ended, whatever happens before.
    ///
    /// @returns the number of the socket; none is used twice
    #[napi(catch_unwind)]
    pub fn open(
        &mut self,
        #[napi(ts_arg_type = "number | null")] timeout_ms: Option<Number>,
        #[napi(ts_arg_type = "number")] now: Number,
    ) -> i64 {
        self.insert(served(timeout_ms, &now))
    }

    /// As `open`, for a socket that the LoopbackSocket had authenticated before its connection was lost.
    ///
    /// @returns the number of the socket; none is used twice
    #[napi(catch_unwind)]
    pub fn open_restored(&mut self) -> i64 {
        self.insert(restored())
    }

    /// Another LoopbackSocket begins to serve the socket. The caller arms a timer as for `open`.
    ///
    /// @returns the index of the LoopbackSocket from now on, or -1 if the socket has ended
    #[napi(catch_unwind)]
    pub fn serve(
        &mut self,
        #[napi(ts_arg_type = "number")] socket: Number,
        #[napi(ts_arg_type = "number | null")] timeout_ms: Option<Number>,
        #[napi(ts_arg_type = "number")] now: Number,
    ) -> i64 {
        self.serve_also(&socket, served(timeout_ms, &now))
    }

    /// Another LoopbackSocket begins to serve the socket, which it had authenticated before the connection
    /// was lost.
    ///
    /// @returns the index of the LoopbackSocket from now on, or -1 if the socket has ended
    #[napi(catch_unwind)]
    pub fn serve_restored(&mut self, #[napi(ts_arg_type = "number")] socket: Number) -> i64 {
        self.serve_also(&socket, restored())
    }

    /// The client emitted `authentication` to this LoopbackSocket: its auth function is to run.
    ///
    /// @returns the attempt that begins, or -1 if the socket has ended
    #[napi(catch_unwind)]
    pub fn credentials(
        &mut self,
        #[napi(ts_arg_type = "number")] socket: Number,
        #[napi(ts_arg_type = "number")] instance: Number,
    ) -> i64 {
        let Some(instance) = instance.instance() else {
            return NOTHING;
        };
        authentication::credentials(instance, |event| self.handle(&socket, event))
    }

    /// The auth function of this attempt is done, or the onConnected handler that ran last.
    /// `handlers` is how many onConnected handlers there are; it counts with the auth function's
    /// outcome only.
    ///
    /// With the answer `Bind` the socket is authenticated. The caller binds the methods at once, in the place of
    /// those bound by an earlier attempt, and emits `authenticated`, unless the socket ends meanwhile.
    ///
    /// @returns the index of the onConnected handler to run, or a `SessionAnswer`, which is below 0
    #[napi(catch_unwind)]
    pub fn outcome(
        &mut self,
        #[napi(ts_arg_type = "number")] socket: Number,
        #[napi(ts_arg_type = "number")] instance: Number,
        #[napi(ts_arg_type = "number")] attempt: Number,
        #[napi(ts_arg_type = "boolean")] accepted: Flag,
        #[napi(ts_arg_type = "number")] handlers: Number,
    ) -> i64 {
        let (Some(instance), Some(attempt)) = (instance.instance(), attempt.attempt()) else {
            return NOTHING;
        };
        let handlers = handlers.whole().unwrap_or(0);
        let answer = authentication::outcome(instance, attempt, accepted.0, handlers, |event| {
            self.handle(&socket, event)
        });
        if answer == BIND {
            // JavaScript listens to the names of the methods itself, so there is nothing to wait for.
            let methods = Arc::default();
            authentication::bound(instance, attempt, methods, |event| {
                self.handle(&socket, event)
            });
        }
        answer
    }

    /// The client acknowledged the `unauthorized` of this attempt.
    ///
    /// @returns true: disconnect the socket
    #[napi(catch_unwind)]
    pub fn acknowledged(
        &mut self,
        #[napi(ts_arg_type = "number")] socket: Number,
        #[napi(ts_arg_type = "number")] instance: Number,
        #[napi(ts_arg_type = "number")] attempt: Number,
    ) -> bool {
        let (Some(instance), Some(attempt)) = (instance.instance(), attempt.attempt()) else {
            return false;
        };
        let is_over =
            authentication::acknowledged(instance, attempt, |event| self.handle(&socket, event));
        if is_over {
            self.remove(&socket);
        }
        is_over
    }

    /// A timer that was started when a LoopbackSocket began to serve has fired. Its time counts, not that of
    /// `now`: a `setTimeout` may fire a little early, and the socket's time is up all the same.
    ///
    /// @returns true: the socket is still pending, close its connection
    #[napi(catch_unwind)]
    pub fn tick(
        &mut self,
        #[napi(ts_arg_type = "number")] socket: Number,
        #[napi(ts_arg_type = "number")] now: Number,
    ) -> bool {
        let Some(session) = self.get(&socket) else {
            return false;
        };
        let now = now.time().max(session.deadline().unwrap_or(0));
        let effects = session.handle(Event::Tick { now });
        let is_over = matches!(
            authentication::first(effects),
            Some(Effect::DisconnectConnection)
        );
        if is_over {
            self.remove(&socket);
        }
        is_over
    }

    /// The application exempts the socket from authentication (`socket.auth = true`): no timeout ends it
    /// any more.
    #[napi(catch_unwind)]
    pub fn exempt(&mut self, #[napi(ts_arg_type = "number")] socket: Number) {
        self.handle(&socket, Event::Exempt);
    }

    /// The socket has ended. Everything is released; no later report has an effect.
    #[napi(catch_unwind)]
    pub fn disconnected(&mut self, #[napi(ts_arg_type = "number")] socket: Number) {
        self.remove(&socket);
    }

    /// Adds the session of a socket, and tells it of the LoopbackSocket that serves it.
    fn insert(&mut self, event: Event<'_>) -> i64 {
        let mut session = session::Session::new();
        session.handle(event);
        self.sessions.insert(session).get().cast_signed()
    }

    /// Tells the session of another LoopbackSocket that serves its socket, and returns the index of that.
    fn serve_also(&mut self, socket: &Number, event: Event<'_>) -> i64 {
        match self.get(socket) {
            Some(session) => {
                let instance = session.instances();
                session.handle(event);
                i64::from(instance)
            }
            None => NOTHING,
        }
    }

    fn remove(&mut self, socket: &Number) {
        if let Some(number) = socket.id() {
            self.sessions.remove(number);
        }
    }

    fn get(&mut self, socket: &Number) -> Option<&mut session::Session> {
        self.sessions.get_mut(socket.id()?)
    }

    /// An event, which has no effect on a socket that has ended.
    fn handle(&mut self, socket: &Number, event: Event<'_>) -> Effects {
        self.get(socket)
            .map_or_else(Effects::new, |session| session.handle(event))
    }
}

fn served<'a>(timeout_ms: Option<Number>, now: &Number) -> Event<'a> {
    Event::Served {
        timeout: timeout_ms.map(|timeout| session::timeout_ms(timeout.0)),
        now: now.time(),
    }
}

fn restored<'a>() -> Event<'a> {
    // JavaScript listens to the names of the methods itself.
    let methods = Arc::default();
    Event::Restored { methods }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNAUTHORIZED: i64 = SessionAnswer::Unauthorized.number();

    fn n(number: impl Into<f64>) -> Number {
        Number(number.into())
    }

    fn num(number: i64) -> Number {
        Number(number as f64)
    }

    /// The sessions of one socket, which is served at time 0 with a timeout of 50, and its number.
    fn served() -> (Sessions, i64) {
        let mut sessions = Sessions::new();
        let socket = sessions.open(Some(n(50)), n(0));
        (sessions, socket)
    }

    /// As [`served`], and authenticated.
    fn authenticated() -> (Sessions, i64) {
        let (mut sessions, socket) = served();
        let attempt = sessions.credentials(num(socket), n(0));
        assert_eq!(
            sessions.outcome(num(socket), n(0), num(attempt), Flag(true), n(0)),
            BIND
        );
        (sessions, socket)
    }

    fn is_authenticated(sessions: &mut Sessions, socket: i64) -> bool {
        sessions
            .get(&num(socket))
            .is_some_and(|session| session.authenticated())
    }

    #[test]
    fn instances_are_numbered_in_the_order_they_serve() {
        let (mut sessions, socket) = served();
        assert_eq!(sessions.serve(num(socket), None, n(0)), 1);
        assert_eq!(sessions.serve(num(socket), None, n(0)), 2);
    }

    #[test]
    fn a_restored_socket_is_authenticated_and_numbered_like_one_that_is_served() {
        let (mut sessions, socket) = served();
        assert_eq!(sessions.serve_restored(num(socket)), 1);
        assert!(is_authenticated(&mut sessions, socket));
        assert!(!sessions.tick(num(socket), n(60)));
        sessions.disconnected(num(socket));
        assert_eq!(sessions.serve_restored(num(socket)), NOTHING);
        let other = sessions.open_restored();
        assert!(is_authenticated(&mut sessions, other));
        assert!(!sessions.tick(num(other), n(f64::MAX)));
    }

    #[test]
    fn an_accepted_attempt_goes_through_its_handlers_to_the_methods() {
        let (mut sessions, socket) = served();
        let attempt = sessions.credentials(num(socket), n(0));
        assert!(attempt > 0);
        let mut outcome =
            |handlers| sessions.outcome(num(socket), n(0), num(attempt), Flag(true), n(handlers));
        assert_eq!((outcome(2), outcome(0)), (0, 1));
        assert!(!is_authenticated(&mut sessions, socket));
        let mut outcome = || sessions.outcome(num(socket), n(0), num(attempt), Flag(true), n(0));
        assert_eq!((outcome(), outcome()), (BIND, NOTHING));
        assert!(is_authenticated(&mut sessions, socket));
    }

    #[test]
    fn a_refused_attempt_ends_the_socket_when_it_is_acknowledged_and_only_once() {
        let (mut sessions, socket) = served();
        let attempt = sessions.credentials(num(socket), n(0));
        assert!(!sessions.acknowledged(num(socket), n(0), num(attempt)));
        let outcome = sessions.outcome(num(socket), n(0), num(attempt), Flag(false), n(3));
        assert_eq!(outcome, UNAUTHORIZED);
        assert!(sessions.acknowledged(num(socket), n(0), num(attempt)));
        assert!(!sessions.acknowledged(num(socket), n(0), num(attempt)));
        assert_eq!(sessions.serve(num(socket), None, n(0)), NOTHING);
    }

    #[test]
    fn a_timer_that_fires_ends_a_pending_socket_even_if_the_clock_lags_behind() {
        let (mut sessions, socket) = served();
        assert!(sessions.tick(num(socket), n(49.2)));
        assert!(!sessions.tick(num(socket), n(60)));
    }

    #[test]
    fn a_timer_that_fires_spares_a_socket_that_is_not_pending() {
        let (mut sessions, socket) = authenticated();
        assert!(!sessions.tick(num(socket), n(60)));
        let (mut sessions, socket) = served();
        sessions.exempt(num(socket));
        assert!(!sessions.tick(num(socket), n(60)));
        let unlimited = sessions.open(None, n(0));
        assert!(!sessions.tick(num(unlimited), n(f64::MAX)));
    }

    #[test]
    fn a_disconnected_session_answers_every_report_with_nothing() {
        let (mut sessions, socket) = authenticated();
        let attempt = sessions.credentials(num(socket), n(0));
        sessions.disconnected(num(socket));
        assert!(sessions.sessions.is_empty());
        assert!(!is_authenticated(&mut sessions, socket));
        assert_eq!(sessions.serve(num(socket), Some(n(1)), n(0)), NOTHING);
        assert_eq!(sessions.credentials(num(socket), n(0)), NOTHING);
        let outcome = sessions.outcome(num(socket), n(0), num(attempt), Flag(true), n(0));
        assert_eq!(outcome, NOTHING);
        assert!(!sessions.tick(num(socket), n(9_999)));
    }

    #[test]
    fn sockets_do_not_share_what_is_decided() {
        let (mut sessions, socket) = authenticated();
        let other = sessions.open(Some(n(50)), n(0));
        assert_ne!(socket, other);
        let attempt = sessions.credentials(num(other), n(0));
        let outcome = sessions.outcome(num(socket), n(0), num(attempt), Flag(true), n(0));
        assert_eq!(outcome, NOTHING);
        assert!(!is_authenticated(&mut sessions, other));
        sessions.disconnected(num(socket));
        let outcome = sessions.outcome(num(other), n(0), num(attempt), Flag(true), n(0));
        assert_eq!(outcome, BIND);
        // A number that comes back late finds nothing instead of another socket.
        let newer = sessions.open(None, n(0));
        assert!(newer > other && other > socket);
    }

    #[test]
    fn an_unknown_number_is_ignored() {
        let odd = [
            -1.0,
            0.5,
            1e300,
            f64::NAN,
            f64::INFINITY,
            4_294_967_296.0,
            9_007_199_254_740_992.0,
        ];
        let (mut sessions, socket) = authenticated();
        for odd in odd {
            assert_eq!(sessions.credentials(num(socket), n(odd)), NOTHING);
            let outcome = sessions.outcome(num(socket), n(0), n(odd), Flag(true), n(odd));
            assert_eq!(outcome, NOTHING);
            assert!(!sessions.acknowledged(num(socket), n(odd), n(odd)));
            assert_eq!(sessions.serve(n(odd), None, n(0)), NOTHING);
            assert_eq!(sessions.credentials(n(odd), n(0)), NOTHING);
            assert!(!sessions.tick(n(odd), n(f64::MAX)));
            sessions.exempt(n(odd));
            sessions.disconnected(n(odd));
        }
        assert!(is_authenticated(&mut sessions, socket));
    }
}
