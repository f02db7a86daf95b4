//! The life of sockets: [`crate::session`].

use std::hint::black_box;
use std::sync::Arc;

use super::count;
use crate::session::{Attempt, Effect, Event, Instance, Methods, Session};

const FIRST: Instance = Instance(0);
const TIMEOUT: Option<u64> = Some(3000);

/// A socket that one LoopbackSocket serves.
fn served() -> Session {
    let mut session = Session::new();
    session.handle(Event::Served {
        timeout: TIMEOUT,
        now: 0,
    });
    session
}

fn methods(count: u32) -> Arc<Methods> {
    Arc::new(Methods::named(
        (0..count).map(|index| format!("method{index}")),
    ))
}

fn attempt(session: &mut Session) -> Attempt {
    session.handle(Event::Incoming {
        name: b"authentication",
    });
    let effects = session.handle(Event::Credentials { instance: FIRST });
    let attempt = effects.into_iter().find_map(|effect| match effect {
        Effect::RunAuth { attempt, .. } => Some(attempt),
        _ => None,
    });
    attempt.expect("credentials begin an attempt")
}

fn outcome(attempt: Attempt, accepted: bool) -> Event<'static> {
    Event::Outcome {
        instance: FIRST,
        attempt,
        accepted,
        handlers: 1,
    }
}

/// Authenticates with an auth function and one onConnected handler.
fn accept(session: &mut Session, methods: &Arc<Methods>) {
    let attempt = attempt(session);
    session.handle(outcome(attempt, true));
    session.handle(outcome(attempt, true));
    let bound = Event::Bound {
        instance: FIRST,
        attempt,
        methods: methods.clone(),
    };
    session.handle(bound);
}

fn authenticated(methods: &Arc<Methods>) -> Session {
    let mut session = served();
    accept(&mut session, methods);
    assert!(session.authenticated());
    session
}

/// A socket connects and begins to be served.
pub(super) fn connect(n: u32) {
    let mut sessions = Vec::with_capacity(n as usize);
    count(|| sessions.extend((0..n).map(|_| served())));
    assert!(sessions.iter().all(|session| session.deadline().is_some()));
}

/// Credentials, the auth function's outcome, an onConnected handler's, the methods.
pub(super) fn authenticate(n: u32) {
    let methods = methods(10);
    let mut sessions: Vec<_> = (0..n).map(|_| served()).collect();
    count(|| {
        for session in &mut sessions {
            accept(session, &methods);
        }
    });
    assert!(sessions.iter().all(Session::authenticated));
}

/// Credentials, a refusal, and the client's acknowledgement, which ends the socket.
pub(super) fn refuse(n: u32) {
    let mut sessions: Vec<_> = (0..n).map(|_| served()).collect();
    count(|| {
        for session in &mut sessions {
            let attempt = attempt(session);
            session.handle(outcome(attempt, false));
            let instance = FIRST;
            session.handle(Event::Acknowledged { instance, attempt });
        }
    });
    assert!(
        sessions
            .iter()
            .all(|session| session.ended() && session.is_empty())
    );
}

/// An event that is no method.
pub(super) fn event(n: u32) {
    let mut session = authenticated(&methods(10));
    let effects = count(|| {
        let event = |_| {
            let name = black_box(b"typing".as_slice());
            session.handle(Event::Incoming { name }).len()
        };
        (0..n).map(event).sum::<usize>()
    });
    assert_eq!(effects, 0);
}

fn calls(n: u32, methods: u32) {
    let mut session = authenticated(&self::methods(methods));
    let effects = count(|| {
        let call = |_| {
            let name = black_box(b"method7".as_slice());
            session.handle(Event::Incoming { name }).len()
        };
        (0..n).map(call).sum::<usize>()
    });
    assert_eq!(effects, n as usize);
}

/// A method of ten is called.
pub(super) fn call(n: u32) {
    calls(n, 10);
}

/// A method of a thousand is called.
pub(super) fn call_of_many(n: u32) {
    calls(n, 1000);
}

/// A socket ends that has authenticated.
pub(super) fn disconnect(n: u32) {
    let methods = methods(10);
    let mut sessions: Vec<_> = (0..n).map(|_| authenticated(&methods)).collect();
    count(|| {
        for session in &mut sessions {
            session.handle(Event::Disconnected);
        }
    });
    assert!(sessions.iter().all(Session::is_empty));
}
