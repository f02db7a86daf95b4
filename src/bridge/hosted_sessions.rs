//! The sessions of the sockets that npm `socket.io` servers own.
//!
//! `lib/hosted/hosted.js` reports what happens to its sockets, and does what the answers say; values and
//! acknowledgements stay in JavaScript. This file keeps a session for each socket, and converts numbers to the
//! session's types and back.
//! What must stay true: no function throws or panics, whatever it is given. An unknown number is answered
//! like a report that comes too late.

use std::cell::RefCell;
use std::num::NonZeroU64;
use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

use super::authentication;
use super::functions::{Callable, Functions, Number};
use crate::protocol::SessionAnswer;
use crate::session::{self, Effect, Effects, Event, IdMap};

const NOTHING: i64 = SessionAnswer::Nothing.number();
const BIND: i64 = SessionAnswer::Bind.number();

/// The state of the sockets of npm `socket.io` servers: their authentication and their timeouts. It only
/// decides; the caller acts.
///
/// The session of a socket that has ended is not in it. One object for all sockets, which are numbers here: an
/// object for each would cost more to make, to call and to collect than everything that it decides.
#[napi(object, object_from_js = false)]
pub(super) struct HostedSessions<'env> {
    /// A socket has connected, and a LoopbackSocket begins to serve it: the one with the index 0. The caller
    /// arms a `setTimeout` of `timeoutMs` (none for `null`) and calls `tick` when it fires. It reports
    /// `disconnected` when the socket has ended, whatever happens before.
    ///
    /// @returns the number of the socket; none is used twice
    #[napi(ts_type = "(timeoutMs: number | null, now: number) => number")]
    pub open: Callable<'env, i64>,

    /// As `open`, for a socket that the LoopbackSocket had authenticated before its connection was lost.
    ///
    /// @returns the number of the socket; none is used twice
    #[napi(ts_type = "() => number")]
    pub open_restored: Callable<'env, i64>,

    /// Another LoopbackSocket begins to serve the socket. The caller arms a timer as for `open`.
    ///
    /// @returns the index of the LoopbackSocket from now on, or -1 if the socket has ended
    #[napi(ts_type = "(socket: number, timeoutMs: number | null, now: number) => number")]
    pub serve: Callable<'env, i64>,

    /// Another LoopbackSocket begins to serve the socket, which it had authenticated before the connection
    /// was lost.
    ///
    /// @returns the index of the LoopbackSocket from now on, or -1 if the socket has ended
    #[napi(ts_type = "(socket: number) => number")]
    pub serve_restored: Callable<'env, i64>,

    /// The client emitted `authentication` to this LoopbackSocket: its auth function is to run.
    ///
    /// @returns the attempt that begins, or -1 if the socket has ended
    #[napi(ts_type = "(socket: number, instance: number) => number")]
    pub credentials: Callable<'env, i64>,

    /// The auth function of this attempt is done, or the onConnected handler that ran last.
    /// `handlers` is how many onConnected handlers there are; it counts with the auth function's
    /// outcome only.
    ///
    /// With the answer `Bind` the socket is authenticated. The caller binds the methods at once, in the place of
    /// those bound by an earlier attempt, and emits `authenticated`, unless the socket ends meanwhile.
    ///
    /// @returns the index of the onConnected handler to run, or a `SessionAnswer`, which is below 0
    #[napi(
        ts_type = "(socket: number, instance: number, attempt: number, accepted: boolean, handlers: number) => number"
    )]
    pub outcome: Callable<'env, i64>,

    /// The client acknowledged the `unauthorized` of this attempt.
    ///
    /// @returns true: disconnect the socket
    #[napi(ts_type = "(socket: number, instance: number, attempt: number) => boolean")]
    pub acknowledged: Callable<'env, bool>,

    /// A timer that was started when a LoopbackSocket began to serve has fired. Its time counts, not that of
    /// `now`: a `setTimeout` may fire a little early, and the socket's time is up all the same.
    ///
    /// @returns true: the socket is still pending, close its connection
    #[napi(ts_type = "(socket: number, now: number) => boolean")]
    pub tick: Callable<'env, bool>,

    /// The application exempts the socket from authentication (`socket.auth = true`): no timeout ends it
    /// any more.
    #[napi(ts_type = "(socket: number) => void")]
    pub exempt: Callable<'env, ()>,

    /// The socket has ended. Everything is released; no later report has an effect.
    #[napi(ts_type = "(socket: number) => void")]
    pub disconnected: Callable<'env, ()>,
}

/// Makes the sessions of the sockets of npm `socket.io` servers; there are none yet.
// Tests of Rust register nothing with Node.
#[cfg_attr(test, allow(dead_code))]
#[napi(catch_unwind)]
pub(super) fn hosted_sessions(env: &Env) -> Result<HostedSessions<'_>> {
    let of = Functions::new(env, RefCell::new(Sessions::default()));
    Ok(HostedSessions {
        open: of.make("open", |sessions, given| {
            let (timeout_ms, now) = (given.optional(0), given.number(1));
            sessions.borrow_mut().open(timeout_ms, now)
        })?,
        open_restored: of.make("openRestored", |sessions, _| {
            sessions.borrow_mut().open_restored()
        })?,
        serve: of.make("serve", |sessions, given| {
            let (socket, timeout_ms, now) = (given.number(0), given.optional(1), given.number(2));
            sessions.borrow_mut().serve(socket, timeout_ms, now)
        })?,
        serve_restored: of.make("serveRestored", |sessions, given| {
            sessions.borrow_mut().serve_restored(given.number(0))
        })?,
        credentials: of.make("credentials", |sessions, given| {
            let (socket, instance) = (given.number(0), given.number(1));
            sessions.borrow_mut().credentials(socket, instance)
        })?,
        outcome: of.make("outcome", |sessions, given| {
            let (socket, instance, attempt) = (given.number(0), given.number(1), given.number(2));
            let (accepted, handlers) = (given.flag(3), given.number(4));
            sessions
                .borrow_mut()
                .outcome(socket, instance, attempt, accepted, handlers)
        })?,
        acknowledged: of.make("acknowledged", |sessions, given| {
            let (socket, instance, attempt) = (given.number(0), given.number(1), given.number(2));
            sessions
                .borrow_mut()
                .acknowledged(socket, instance, attempt)
        })?,
        tick: of.make("tick", |sessions, given| {
            sessions.borrow_mut().tick(given.number(0), given.number(1))
        })?,
        exempt: of.make("exempt", |sessions, given| {
            sessions.borrow_mut().exempt(given.number(0));
        })?,
        disconnected: of.make("disconnected", |sessions, given| {
            sessions.borrow_mut().disconnected(given.number(0));
        })?,
    })
}

/// The sessions, by the numbers of their sockets.
#[derive(Default)]
struct Sessions {
    sessions: IdMap<session::Session>,
}

impl Sessions {
    fn open(&mut self, timeout_ms: Option<Number>, now: Number) -> i64 {
        self.insert(served(timeout_ms, &now))
    }

    fn open_restored(&mut self) -> i64 {
        self.insert(restored())
    }

    fn serve(&mut self, socket: Number, timeout_ms: Option<Number>, now: Number) -> i64 {
        self.serve_also(&socket, served(timeout_ms, &now))
    }

    fn serve_restored(&mut self, socket: Number) -> i64 {
        self.serve_also(&socket, restored())
    }

    fn credentials(&mut self, socket: Number, instance: Number) -> i64 {
        authentication::credentials(&instance, |event| self.handle(&socket, event))
    }

    fn outcome(
        &mut self,
        socket: Number,
        instance: Number,
        attempt: Number,
        accepted: bool,
        handlers: Number,
    ) -> i64 {
        let answer = authentication::outcome(&instance, &attempt, accepted, &handlers, |event| {
            self.handle(&socket, event)
        });
        if answer == BIND {
            // JavaScript listens to the names of the methods itself, so there is nothing to wait for.
            let methods = Arc::default();
            authentication::bound(&instance, &attempt, methods, |event| {
                self.handle(&socket, event)
            });
        }
        answer
    }

    fn acknowledged(&mut self, socket: Number, instance: Number, attempt: Number) -> bool {
        let is_over =
            authentication::acknowledged(&instance, &attempt, |event| self.handle(&socket, event));
        if is_over {
            self.remove(&socket);
        }
        is_over
    }

    fn tick(&mut self, socket: Number, now: Number) -> bool {
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

    fn exempt(&mut self, socket: Number) {
        self.handle(&socket, Event::Exempt);
    }

    fn disconnected(&mut self, socket: Number) {
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
        if let Some(number) = id(socket) {
            self.sessions.remove(number);
        }
    }

    fn get(&mut self, socket: &Number) -> Option<&mut session::Session> {
        self.sessions.get_mut(id(socket)?)
    }

    /// An event, which has no effect on a socket that has ended.
    fn handle(&mut self, socket: &Number, event: Event<'_>) -> Effects {
        self.get(socket)
            .map_or_else(Effects::new, |session| session.handle(event))
    }
}

fn id(socket: &Number) -> Option<NonZeroU64> {
    socket.name().and_then(NonZeroU64::new)
}

fn served<'a>(timeout_ms: Option<Number>, now: &Number) -> Event<'a> {
    Event::Served {
        timeout: timeout_ms.map(|timeout| session::timeout_ms(timeout.value())),
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
        Number::of(number.into())
    }

    fn num(number: i64) -> Number {
        Number::of(number as f64)
    }

    /// The sessions of one socket, which is served at time 0 with a timeout of 50, and its number.
    fn served() -> (Sessions, i64) {
        let mut sessions = Sessions::default();
        let socket = sessions.open(Some(n(50)), n(0));
        (sessions, socket)
    }

    /// As [`served`], and authenticated.
    fn authenticated() -> (Sessions, i64) {
        let (mut sessions, socket) = served();
        let attempt = sessions.credentials(num(socket), n(0));
        assert_eq!(
            sessions.outcome(num(socket), n(0), num(attempt), true, n(0)),
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
            |handlers| sessions.outcome(num(socket), n(0), num(attempt), true, n(handlers));
        assert_eq!((outcome(2), outcome(0)), (0, 1));
        assert!(!is_authenticated(&mut sessions, socket));
        let mut outcome = || sessions.outcome(num(socket), n(0), num(attempt), true, n(0));
        assert_eq!((outcome(), outcome()), (BIND, NOTHING));
        assert!(is_authenticated(&mut sessions, socket));
    }

    #[test]
    fn a_refused_attempt_ends_the_socket_when_it_is_acknowledged_and_only_once() {
        let (mut sessions, socket) = served();
        let attempt = sessions.credentials(num(socket), n(0));
        assert!(!sessions.acknowledged(num(socket), n(0), num(attempt)));
        let outcome = sessions.outcome(num(socket), n(0), num(attempt), false, n(3));
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
        let outcome = sessions.outcome(num(socket), n(0), num(attempt), true, n(0));
        assert_eq!(outcome, NOTHING);
        assert!(!sessions.tick(num(socket), n(9_999)));
    }

    #[test]
    fn sockets_do_not_share_what_is_decided() {
        let (mut sessions, socket) = authenticated();
        let other = sessions.open(Some(n(50)), n(0));
        assert_ne!(socket, other);
        let attempt = sessions.credentials(num(other), n(0));
        let outcome = sessions.outcome(num(socket), n(0), num(attempt), true, n(0));
        assert_eq!(outcome, NOTHING);
        assert!(!is_authenticated(&mut sessions, other));
        sessions.disconnected(num(socket));
        let outcome = sessions.outcome(num(other), n(0), num(attempt), true, n(0));
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
            let outcome = sessions.outcome(num(socket), n(0), n(odd), true, n(odd));
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
