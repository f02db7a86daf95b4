//! The sessions of the sockets of a native server.
//!
//! `lib/socketio/loopback.js` reports what handlers of the application decide, and does what the answers say.
//! What must stay true: no function throws or panics for a number whose socket has ended, since sockets end at
//! any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use napi::Env;
use napi::bindgen_prelude::Result;
use napi_derive::napi;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::authentication;
use super::functions::{Callable, Functions, Number};
use crate::io::delayed::DelayedTasks;
use crate::protocol::SessionAnswer;
use crate::session::{self, Effect, Effects, Event, Methods};
use crate::socketio::commands::queue::Task;
use crate::socketio::server::Server;
use crate::socketio::socket::Socket;

const NOTHING: i64 = SessionAnswer::Nothing.number();

/// The sessions of a native server's sockets. They decide; the caller acts.
#[napi(object, object_from_js = false)]
pub struct NativeSessions<'env> {
    /// A LoopbackSocket begins to serve a socket; `timeout` in milliseconds, `null` for `'none'`.
    ///
    /// @returns its index, or -1 if the socket has ended
    #[napi(ts_type = "(socket: number, timeout: number | null) => number")]
    pub serve: Callable<'env, i64>,

    /// A LoopbackSocket begins to serve a socket that it had authenticated before its connection was lost,
    /// with the methods of a table; as `HostedSessions.serveRestored`.
    #[napi(ts_type = "(socket: number, table: number) => number")]
    pub serve_restored: Callable<'env, i64>,

    /// A LoopbackSocket takes credentials: those of an event that no middleware has blocked, or of the application in
    /// place of the client; as `HostedSessions.credentials`.
    #[napi(ts_type = "(socket: number, instance: number) => number")]
    pub credentials: Callable<'env, i64>,

    /// The auth function of an attempt is done, or the onConnected handler that ran last; as
    /// `HostedSessions.outcome`.
    #[napi(
        ts_type = "(socket: number, instance: number, attempt: number, accepted: boolean, handlers: number) => number"
    )]
    pub outcome: Callable<'env, i64>,

    /// An attempt binds the methods of a table.
    ///
    /// @returns whether the socket is authenticated: it has not ended meanwhile
    #[napi(
        ts_type = "(socket: number, instance: number, attempt: number, table: number) => boolean"
    )]
    pub bound: Callable<'env, bool>,

    /// The client acknowledged the `unauthorized` of an attempt; as `HostedSessions.acknowledged`.
    #[napi(ts_type = "(socket: number, instance: number, attempt: number) => boolean")]
    pub acknowledged: Callable<'env, bool>,

    /// The application exempts a socket from authentication: no timeout ends it any more.
    #[napi(ts_type = "(socket: number) => void")]
    pub exempt: Callable<'env, ()>,
}

impl<'env> NativeSessions<'env> {
    pub(super) fn new(env: &'env Env, sessions: Arc<Sessions>) -> Result<Self> {
        let of = Functions::new(env, sessions);
        Ok(Self {
            serve: of.make("serve", |sessions, given| {
                let timeout = given.optional(1).map(|timeout| timeout.value());
                sessions.serve(&given.number(0), timeout)
            })?,
            serve_restored: of.make("serveRestored", |sessions, given| {
                sessions.serve_restored(&given.number(0), &given.number(1))
            })?,
            credentials: of.make("credentials", |sessions, given| {
                sessions.credentials(&given.number(0), &given.number(1))
            })?,
            outcome: of.make("outcome", |sessions, given| {
                let (socket, instance, attempt) =
                    (given.number(0), given.number(1), given.number(2));
                let (accepted, handlers) = (given.flag(3), given.number(4));
                sessions.outcome(&socket, &instance, &attempt, accepted, &handlers)
            })?,
            bound: of.make("bound", |sessions, given| {
                let (socket, instance, attempt) =
                    (given.number(0), given.number(1), given.number(2));
                sessions.bound(&socket, &instance, &attempt, &given.number(3))
            })?,
            acknowledged: of.make("acknowledged", |sessions, given| {
                sessions.acknowledged(&given.number(0), &given.number(1), &given.number(2))
            })?,
            exempt: of.make("exempt", |sessions, given| {
                sessions.step(&given.number(0), Event::Exempt);
            })?,
        })
    }
}

/// How attempts to authenticate have ended, since the server began.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    pub(super) accepted: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) timed_out: AtomicU64,
}

impl Attempts {
    /// An attempt has authenticated its socket.
    pub(super) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// A handler of the application has refused a socket.
    pub(super) fn rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// The time of a pending socket has run out.
    pub(super) fn timed_out(&self) {
        self.timed_out.fetch_add(1, Ordering::Relaxed);
    }
}

/// The sessions, which live with their sockets.
pub(super) struct Sessions {
    server: Arc<Server>,
    /// The timers of authentication.
    tasks: DelayedTasks,
    tables: Mutex<Tables>,
    pub(super) attempts: Arc<Attempts>,
}

/// The method tables of the application, by number.
#[derive(Default)]
struct Tables {
    last: u64,
    by_number: FxHashMap<u64, Arc<Methods>>,
}

impl Sessions {
    pub(super) fn new(server: Arc<Server>, tasks: DelayedTasks) -> Self {
        Self {
            server,
            tasks,
            tables: Mutex::default(),
            attempts: Arc::default(),
        }
    }

    /// Has the numbers of new tables begin after this one.
    pub(super) fn skip_tables(&self, to: u64) {
        let mut tables = self.tables.lock();
        tables.last = tables.last.max(to);
    }

    /// Adds a table of methods, and returns its number.
    pub(super) fn add_table(&self, methods: Methods) -> u64 {
        let mut tables = self.tables.lock();
        tables.last += 1;
        let number = tables.last;
        tables.by_number.insert(number, Arc::new(methods));
        number
    }

    pub(super) fn remove_table(&self, table: u64) {
        self.tables.lock().by_number.remove(&table);
    }

    fn table(&self, number: &Number) -> Option<Arc<Methods>> {
        let number = number.name()?;
        self.tables.lock().by_number.get(&number).cloned()
    }

    fn socket(&self, number: &Number) -> Option<Arc<Socket>> {
        self.server.socket(number.name()?)
    }

    fn serve(&self, socket: &Number, timeout: Option<f64>) -> i64 {
        let Some(socket) = self.socket(socket) else {
            return NOTHING;
        };
        let Some(instance) = socket.next_instance() else {
            return NOTHING;
        };
        let timeout = timeout.map(session::timeout_ms);
        let now = socket.now();
        for effect in socket.step(Event::Served { timeout, now }) {
            if let Effect::Timer { at } = effect {
                let output = self.server.output.clone();
                let attempts = self.attempts.clone();
                socket.arm(&self.tasks, at, move |socket| {
                    attempts.timed_out();
                    output.send(Task::Expire(socket));
                });
            }
        }
        i64::from(instance)
    }

    fn serve_restored(&self, socket: &Number, table: &Number) -> i64 {
        let (Some(socket), Some(methods)) = (self.socket(socket), self.table(table)) else {
            return NOTHING;
        };
        let Some(instance) = socket.next_instance() else {
            return NOTHING;
        };
        socket.step(Event::Restored { methods });
        i64::from(instance)
    }

    fn credentials(&self, socket: &Number, instance: &Number) -> i64 {
        authentication::credentials(instance, |event| self.step(socket, event))
    }

    fn outcome(
        &self,
        socket: &Number,
        instance: &Number,
        attempt: &Number,
        accepted: bool,
        handlers: &Number,
    ) -> i64 {
        let next = authentication::outcome(instance, attempt, accepted, handlers, |event| {
            self.step(socket, event)
        });
        if next == SessionAnswer::Unauthorized.number() {
            self.attempts.rejected();
        }
        next
    }

    fn bound(&self, socket: &Number, instance: &Number, attempt: &Number, table: &Number) -> bool {
        let Some(methods) = self.table(table) else {
            return false;
        };
        let is_authenticated =
            authentication::bound(instance, attempt, methods, |event| self.step(socket, event));
        if is_authenticated {
            self.attempts.accepted();
        }
        is_authenticated
    }

    fn acknowledged(&self, socket: &Number, instance: &Number, attempt: &Number) -> bool {
        authentication::acknowledged(instance, attempt, |event| self.step(socket, event))
    }

    fn step(&self, socket: &Number, event: Event<'_>) -> Effects {
        match self.socket(socket) {
            Some(socket) => socket.step(event),
            None => Effects::new(),
        }
    }
}
