//! The life of sockets and of calls: [`crate::session`].

use std::hint::black_box;
use std::sync::Arc;

use super::count;
use crate::session::{Attempt, Effect, Event, Instance, Methods, Session};

type Acks = Session<i64>;

const FIRST: Instance = Instance(0);
const TIMEOUT: Option<u64> = Some(3000);

/// A socket that one LoopbackSocket serves.
fn served() -> Acks {
    let mut session = Session::new();
    session.handle(Event::Served { timeout: TIMEOUT }, 0);
    session
}

fn methods(count: u32) -> Arc<Methods> {
    Arc::new(Methods::named(
        (0..count).map(|index| format!("method{index}")),
    ))
}

fn attempt(session: &mut Acks) -> Attempt {
    let credentials = Event::Incoming {
        name: b"authentication",
        ack: None,
    };
    let effects = session.handle(credentials, 1);
    let attempt = effects.into_iter().find_map(|effect| match effect {
        Effect::RunAuth { attempt, .. } => Some(attempt),
        _ => None,
    });
    attempt.expect("credentials begin an attempt")
}

fn outcome(attempt: Attempt, accepted: bool) -> Event<'static, i64> {
    Event::Outcome {
        instance: FIRST,
        attempt,
        accepted,
        handlers: 1,
    }
}

/// Authenticates with an auth function and one onConnected handler.
fn accept(session: &mut Acks, methods: &Arc<Methods>) {
    let attempt = attempt(session);
    session.handle(outcome(attempt, true), 2);
    session.handle(outcome(attempt, true), 3);
    let bound = Event::Bound {
        instance: FIRST,
        attempt,
        methods: methods.clone(),
    };
    session.handle(bound, 4);
}

fn authenticated(methods: &Arc<Methods>) -> Acks {
    let mut session = served();
    accept(&mut session, methods);
    assert!(session.authenticated());
    session
}

/// A call of a method, without its answer.
fn begin(session: &mut Acks, name: &[u8], ack: i64) -> crate::session::Call {
    let ack = Some(ack);
    let effects = session.handle(Event::Incoming { name, ack }, 5);
    let call = effects.into_iter().find_map(|effect| match effect {
        Effect::RunMethod { call, .. } => call,
        _ => None,
    });
    call.expect("the method is bound")
}

/// The answer.
fn settle(session: &mut Acks, call: crate::session::Call) -> i64 {
    let effects = session.handle(Event::Settled { call }, 6);
    let ack = effects.into_iter().find_map(|effect| match effect {
        Effect::Answer { ack } => Some(ack),
        _ => None,
    });
    ack.expect("the acknowledgement is due")
}

/// What the acknowledgement ids from 0 add up to.
fn sum_of_acks(n: u32) -> i64 {
    (0..i64::from(n)).sum()
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
            session.handle(outcome(attempt, false), 2);
            let instance = FIRST;
            session.handle(Event::Acknowledged { instance, attempt }, 3);
        }
    });
    assert!(
        sessions
            .iter()
            .all(|session| session.ended() && session.is_empty())
    );
}

/// An event that is no method, and that wants no acknowledgement.
pub(super) fn event(n: u32) {
    let mut session = authenticated(&methods(10));
    let effects = count(|| {
        let event = |_| {
            let (name, ack) = (black_box(b"typing".as_slice()), None);
            session.handle(Event::Incoming { name, ack }, 5).len()
        };
        (0..n).map(event).sum::<usize>()
    });
    assert_eq!(effects, n as usize);
}

fn calls(n: u32, methods: u32) {
    let mut session = authenticated(&self::methods(methods));
    let answered = count(|| {
        let call = |ack: i64| {
            let call = begin(&mut session, black_box(b"method7"), ack);
            settle(&mut session, call)
        };
        (0..i64::from(n)).map(call).sum::<i64>()
    });
    assert_eq!(answered, sum_of_acks(n));
}

/// A method of ten is called and answered.
pub(super) fn call(n: u32) {
    calls(n, 10);
}

/// A method of a thousand is called and answered.
pub(super) fn call_of_many(n: u32) {
    calls(n, 1000);
}

/// A call on a server written in JavaScript that outlives its tick.
pub(super) fn call_hosted(n: u32) {
    let mut session = authenticated(&Arc::new(Methods::unnamed(10)));
    let answered = count(|| {
        let call = |ack: i64| {
            let called = Event::Called {
                instance: FIRST,
                method: 7,
                ack: Some(ack),
            };
            let effects = session.handle(called, 5);
            let Some(&Effect::RunMethod { call, .. }) = effects.first() else {
                return 0;
            };
            call.map_or(0, |call| settle(&mut session, call))
        };
        (0..i64::from(n)).map(call).sum::<i64>()
    });
    assert_eq!(answered, sum_of_acks(n));
}

/// All calls are made before the first is answered.
pub(super) fn pending(n: u32) {
    let mut session = authenticated(&methods(10));
    let mut calls = Vec::with_capacity(n as usize);
    let answered = count(|| {
        calls.extend((0..i64::from(n)).map(|ack| begin(&mut session, black_box(b"method7"), ack)));
        calls
            .iter()
            .map(|&call| settle(&mut session, call))
            .sum::<i64>()
    });
    assert_eq!(answered, sum_of_acks(n));
}

/// A socket ends that waits for ten answers.
pub(super) fn disconnect(n: u32) {
    let methods = methods(10);
    let busy = |_| {
        let mut session = authenticated(&methods);
        for ack in 0..10 {
            begin(&mut session, b"method7", ack);
        }
        session
    };
    let mut sessions: Vec<_> = (0..n).map(busy).collect();
    count(|| {
        for session in &mut sessions {
            session.handle(Event::Disconnected, 6);
        }
    });
    assert!(sessions.iter().all(Session::is_empty));
}
