//! The front in Rust: HTTP connections that Node has accepted, and whose requests it never sees.
//!
//! It serves what nearly all clients send: polls, packets, preflights and upgrades to websocket, in their
//! plain forms. At each boundary of requests the connection can go back to Node, with all bytes that were
//! read: when a request is not for the server, has an unusual form, is to be refused, or when the
//! application wants to see requests. So Node's http.Server decides all that is rare, with the settings
//! and listeners of the application, and no rule is here twice: what a request may do is in
//! [`super::requests`], responses are in [`super::http`].
//!
//! What must stay true: a request is served once, here or by Node; responses leave in the order of their
//! requests; what a client can make this hold is bounded.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, Method, Response, StatusCode, header};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::connection::Connection;
use super::engine::{CLOSE_TIMEOUT, Engine, next_connection};
use super::events::{ConnectionNumber, HandedBack, Opened, ResponseOrRefusal, Secure};
use super::handler::Handler;
use super::http::cors::{Cors, Origins};
use super::http::encoding::Encoding;
use super::http::head::{Head, MAX_LENGTH};
use super::http::query::Query;
use super::http::response::{self, Format};
use super::http::verify::Asks;
use super::http::{Config, client_file, front_response, jsonp, websocket as handshake};
use super::polling::{self, Opening, Post};
use super::reader::{MAX_READS, yield_to_others};
use super::requests::Checked;
use super::responder::{Respond, Responder};
use super::send_queue::WaitingPoll;
use super::websocket::{self, Websocket};
use super::{ProtocolVersion, Sid, TransportType};
use crate::io::adopt_fd::Taken;
use crate::io::forward::forward;
use crate::io::host::WakeGuard;
use crate::io::reactor::Task;
use crate::io::runtime::Runtime;
use crate::io::transport::{self, Carrier, ReadHalf, WriteHalf};
use crate::protocol::CloseReason;
use crate::websocket::extensions::Accepted;

/// Bytes that are read at once, and the longest head.
pub(crate) const READ_SIZE: usize = MAX_LENGTH;
/// Bytes of further requests that are kept while one waits for its response.
const MAX_PIPELINED: usize = 1 << 14;
/// How long a client may take for its handshake and the head of its first request: what Node gives it for the
/// head.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection without TLS may be silent before it is Node's, which has its own limits then.
const SILENCE: Duration = Duration::from_secs(1);
/// What Node's http.Server answers to a request that is not whole in time.
const REQUEST_TIMEOUT_RESPONSE: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";
/// How often connections are checked for what has taken too long.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

thread_local! {
    /// The read buffer of all connections that are read on this thread: no bytes stay in it.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_SIZE]);
    /// The buffer in which heads are written.
    static HEAD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What the application has set, and whether it wants to see requests.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Whether requests are served here; otherwise connections go back to Node.
    pub(crate) serves: bool,
    /// Whether requests may open sessions.
    pub(crate) opens: bool,
    /// Whether JavaScript is told of every packet of a new connection.
    pub(crate) watched: bool,
    /// What the targets of the client's bundles begin with, if Node serves them.
    pub(crate) bundles: Option<String>,
    pub(crate) cors: Option<(Cors, Origins)>,
    /// How long a connection may be idle; `None` for ever.
    pub(crate) keep_alive: Option<Duration>,
    /// How long a client may take to send a request; `None` for ever.
    pub(crate) request_timeout: Option<Duration>,
}

/// The front of one server.
pub(crate) struct Front<H> {
    handler: Weak<H>,
    options: Mutex<Arc<Options>>,
    all: Arc<All>,
}

/// What holds for a request.
struct Settings {
    options: Arc<Options>,
    http: Arc<Config>,
}

/// The connections of a front.
struct All {
    exchanges: Mutex<Exchanges>,
    last: AtomicU64,
    /// Connections end after the response that is under way.
    is_leaving: AtomicBool,
    /// JavaScript has ended: no connection can go back to Node.
    is_abandoned: AtomicBool,
    /// In milliseconds; 0 for ever.
    keep_alive: AtomicU64,
    request_timeout: AtomicU64,
}

#[derive(Default)]
struct Exchanges {
    by_number: FxHashMap<u64, Weak<Exchange>>,
    /// Whether a task checks them: one, however often the last of them ends and another one comes.
    is_checked: bool,
}

impl<H: Handler> Front<H> {
    pub(crate) fn new(handler: &Arc<H>) -> Arc<Self> {
        Arc::new(Self {
            handler: Arc::downgrade(handler),
            options: Mutex::default(),
            all: Arc::new(All {
                exchanges: Mutex::default(),
                last: AtomicU64::new(0),
                is_leaving: AtomicBool::new(false),
                is_abandoned: AtomicBool::new(false),
                keep_alive: AtomicU64::new(0),
                request_timeout: AtomicU64::new(0),
            }),
        })
    }

    /// Sets the options of the application for requests that come from now on.
    pub(crate) fn configure(&self, options: Options) {
        let millis = |timeout: Option<Duration>| {
            timeout.map_or(0, |it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX))
        };
        let (all, order) = (&self.all, Ordering::Relaxed);
        all.keep_alive.store(millis(options.keep_alive), order);
        let timeout = millis(options.request_timeout);
        all.request_timeout.store(timeout, order);
        *self.options.lock() = options.into();
    }

    fn settings(&self, handler: &H) -> Settings {
        Settings {
            options: self.options.lock().clone(),
            http: handler.engine().http(),
        }
    }

    /// Whether a connection that begins with these bytes begins with a request that is served here.
    pub(crate) fn serves(&self, bytes: &[u8]) -> bool {
        let settings = self.handler.upgrade().map(|it| self.settings(&it));
        settings.is_some_and(|it| Head::parse(bytes).is_some_and(|head| it.serves(&head)))
    }

    /// Takes a connection that begins with these bytes, or of which nothing has come yet. `owner` is
    /// JavaScript's number for what accepted it.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(crate) fn take(
        self: &Arc<Self>,
        taken: Taken,
        owner: u64,
        first: Vec<u8>,
    ) -> io::Result<()> {
        let Some(handler) = self.handler.upgrade() else {
            return Ok(());
        };
        let runtime = handler.engine().runtime.clone();
        let halves = transport::open(taken, &runtime.reactor)?;
        self.begin(&runtime, halves, owner, first, false);
        Ok(())
    }

    /// Takes a connection with TLS of which nothing was read. Its requests are Node's if clients have
    /// certificates, which only Node shows to the application.
    ///
    /// # Errors
    /// The error of the operating system, or of rustls.
    pub(crate) fn take_tls(
        self: &Arc<Self>,
        taken: Taken,
        owner: u64,
        tls: Arc<ServerConfig>,
        has_certificates: bool,
    ) -> io::Result<()> {
        let Some(handler) = self.handler.upgrade() else {
            return Ok(());
        };
        let runtime = handler.engine().runtime.clone();
        let halves = transport::open_tls(taken, &runtime.reactor, tls)?;
        self.begin(&runtime, halves, owner, Vec::new(), has_certificates);
        Ok(())
    }

    fn begin(
        self: &Arc<Self>,
        runtime: &Runtime,
        (read, write): (ReadHalf, WriteHalf),
        owner: u64,
        first: Vec<u8>,
        is_nodes: bool,
    ) {
        let exchange = Exchange::new(&self.all, write, first.is_empty());
        if self.all.add(&exchange) {
            runtime.handle.spawn(check_all(Arc::downgrade(&self.all)));
        }
        let serving = Serving {
            front: self.clone(),
            exchange,
            stream: Some(read),
            owner,
            buffer: first,
            receiving: None,
            is_nodes,
        };
        runtime.reactor.read_now(serving);
    }

    /// JavaScript has ended, and takes no connection back.
    pub(crate) fn abandon(&self) {
        self.all.is_abandoned.store(true, Ordering::Release);
        self.leave();
    }

    /// Ends idle connections now, and others after the response that is under way.
    pub(crate) fn leave(&self) {
        self.all.is_leaving.store(true, Ordering::Release);
        self.all.wake();
    }

    /// Ends idle connections now.
    pub(crate) fn end_idle(&self) {
        for exchange in self.all.exchanges() {
            exchange.end_if_idle();
        }
    }

    /// Ends all connections now, whatever is under way.
    pub(crate) fn break_all(&self) {
        for exchange in self.all.exchanges() {
            exchange.state.lock().fail();
        }
    }

    /// Ends all connections that do not wait for a session.
    pub(crate) fn end_all(&self) {
        self.leave();
        for exchange in self.all.exchanges() {
            exchange.end_unless_waiting();
        }
    }
}

impl Settings {
    /// Whether a request is served here, as far as its head tells.
    fn serves(&self, head: &Head<'_>) -> bool {
        let is_bundle = |folder: &String| client_file::name(folder, head.target).is_some();
        self.options.serves
            && head.target.starts_with(&self.http.prefix)
            && !self.options.bundles.as_ref().is_some_and(is_bundle)
    }
}

impl All {
    fn exchanges(&self) -> Vec<Arc<Exchange>> {
        let exchanges = self.exchanges.lock();
        let exchanges = exchanges.by_number.values();
        exchanges.filter_map(Weak::upgrade).collect()
    }

    /// Adds a connection. Returns whether the caller is to have them checked from now on.
    fn add(&self, exchange: &Arc<Exchange>) -> bool {
        let exchanges = &mut *self.exchanges.lock();
        let weak = Arc::downgrade(exchange);
        exchanges.by_number.insert(exchange.number, weak);
        !mem::replace(&mut exchanges.is_checked, true)
    }

    /// Whether there are connections to check. If there are none, nobody checks them any more.
    fn goes_on_checking(&self) -> bool {
        let mut exchanges = self.exchanges.lock();
        exchanges.is_checked = !exchanges.by_number.is_empty();
        exchanges.is_checked
    }

    fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Acquire)
    }

    /// Whether a connection that waits for bytes ends, as the server is left. One that has just been opened
    /// is about to bring a request, which may be of a session that is being drained.
    fn leaves(&self, state: &State) -> bool {
        let is_opening = state.is_new && !self.is_abandoned.load(Ordering::Acquire);
        self.is_leaving() && !state.is_receiving && !is_opening
    }

    fn wake(&self) {
        for exchange in self.exchanges() {
            exchange.state.lock().wake();
        }
    }

    /// For how many milliseconds a connection stays open after a response, 0 for ever; `None` if it ends.
    fn keep_alive_millis(&self) -> Option<u64> {
        let millis = self.keep_alive.load(Ordering::Relaxed);
        (!self.is_leaving()).then_some(millis)
    }
}

/// Ends connections that take too long, while there are any.
async fn check_all(all: Weak<All>) {
    let mut ticks = interval(CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(all) = all.upgrade().filter(|all| all.goes_on_checking()) else {
            return;
        };
        let now = Instant::now();
        for exchange in all.exchanges() {
            exchange.check(&all, now);
        }
    }
}

/// What the reader of a connection shares with those who answer its requests.
struct Exchange {
    number: u64,
    all: Arc<All>,
    state: Mutex<State>,
}

struct State {
    /// `None` when the stream is Node's or a websocket's.
    half: Option<WriteHalf>,
    /// What the client has not taken of responses yet.
    unwritten: BytesMut,
    waiting: Option<Waiting>,
    /// The session whose packets are in `unwritten`: it ends for this reason if the client leaves.
    delivering: Option<(Sid, CloseReason)>,
    /// Whether nothing has come yet: the connection is at its handshake, or silent after it.
    is_new: bool,
    /// Whether nothing has come for so long that the connection is Node's.
    is_silent: bool,
    /// Whether a request is being received.
    is_receiving: bool,
    /// Whether the reader has bytes to go on with after the response.
    has_more: bool,
    /// Whether the client sends no more, and still gets the response that is under way.
    is_half_closed: bool,
    /// Whether the connection ends when everything is written.
    ends: bool,
    /// Whether it has ended, whatever was under way.
    is_broken: bool,
    /// Since when it is as it is.
    since: Instant,
    /// Wakes the reader.
    waker: Option<Waker>,
}

/// A request that waits for its response.
struct Waiting {
    /// Its session, which ends for this reason if the client leaves.
    session: Option<(Sid, CloseReason)>,
    /// More headers of the response.
    headers: HeaderMap,
    keeps_alive: bool,
}

/// How far a connection is.
enum Stage {
    /// The client has not taken the last response.
    Writing,
    /// A request waits for its response.
    Waiting,
    /// As `Waiting`, and there is nothing to read.
    Responding,
    /// The next request may come.
    Open,
    /// Nothing has come for long.
    Silent,
    Ended,
}

impl Exchange {
    fn new(all: &Arc<All>, half: WriteHalf, is_new: bool) -> Arc<Self> {
        Arc::new(Self {
            number: all.last.fetch_add(1, Ordering::Relaxed),
            all: all.clone(),
            state: Mutex::new(State {
                half: Some(half),
                unwritten: BytesMut::new(),
                waiting: None,
                delivering: None,
                is_new,
                is_silent: false,
                is_receiving: false,
                has_more: false,
                is_half_closed: false,
                ends: false,
                is_broken: false,
                since: Instant::now(),
                waker: None,
            }),
        })
    }

    /// Has a request wait for its response.
    fn begin(&self, waiting: Waiting) {
        let mut state = self.state.lock();
        state.waiting = Some(waiting);
        state.is_new = false;
        state.is_receiving = false;
    }

    /// Writes what is left, and finds out how far the connection is. `has_more` is whether the reader has
    /// bytes to go on with.
    fn advance(&self, cx: &mut Context<'_>, has_more: bool) -> Stage {
        let mut state = self.state.lock();
        if !state
            .waker
            .as_ref()
            .is_some_and(|it| it.will_wake(cx.waker()))
        {
            state.waker = Some(cx.waker().clone());
        }
        state.has_more = has_more;
        if state.is_broken {
            return Stage::Ended;
        }
        if !state.write_rest(cx) {
            return match state.ends && state.unwritten.is_empty() {
                true => Stage::Ended,
                false => Stage::Writing,
            };
        }
        if let Some(waiting) = &state.waiting {
            match state.is_half_closed && waiting.session.is_none() {
                true => Stage::Responding,
                false => Stage::Waiting,
            }
        } else if state.ends || (self.all.leaves(&state) && !has_more) {
            Stage::Ended
        } else if state.is_new && state.is_silent {
            Stage::Silent
        } else {
            Stage::Open
        }
    }

    /// The client sends no more. Returns whether it gets the response that is under way before its connection
    /// ends: not the response to a poll, whose session ends with it, as in Engine.IO.
    fn half_close(&self) -> bool {
        let mut state = self.state.lock();
        let waiting = state.waiting.as_ref();
        let gets_response = waiting.is_none_or(|waiting| waiting.session.is_none());
        if gets_response {
            state.is_half_closed = true;
            state.since = Instant::now();
        }
        gets_response
    }

    fn end_if_idle(&self) {
        let mut state = self.state.lock();
        if !state.is_served() {
            return;
        }
        if state.unwritten.is_empty() {
            state.ends = true;
            state.wake();
        } else {
            // To Node, which has got all of a response, its connection is idle, too.
            state.fail();
        }
    }

    fn end_unless_waiting(&self) {
        let mut state = self.state.lock();
        if state.waiting.is_none() && state.unwritten.is_empty() {
            state.fail();
        }
    }

    fn check(&self, all: &All, now: Instant) {
        let mut state = self.state.lock();
        let lasted = now.saturating_duration_since(state.since);
        let exceeds = |limit: &AtomicU64| {
            let limit = limit.load(Ordering::Relaxed);
            limit > 0 && lasted >= Duration::from_millis(limit)
        };
        if state.is_new {
            let is_encrypted = state.half.as_ref().is_some_and(WriteHalf::is_encrypted);
            if lasted >= FIRST_REQUEST_TIMEOUT {
                state.fail();
            } else if lasted >= SILENCE && !is_encrypted {
                state.is_silent = true;
                state.wake();
            }
        } else if state.is_idle() {
            if exceeds(&all.keep_alive) {
                state.ends = true;
                state.wake();
            }
        } else if state.is_receiving {
            if exceeds(&all.request_timeout) {
                state.is_receiving = false;
                state.ends = true;
                state.since = now;
                state.write(REQUEST_TIMEOUT_RESPONSE, &[]);
                state.wake();
            }
        } else if (state.is_half_closed || !state.unwritten.is_empty()) && lasted >= CLOSE_TIMEOUT {
            state.fail();
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.all.exchanges.lock().by_number.remove(&self.number);
    }
}

impl Respond for Exchange {
    fn respond(&self, response: ResponseOrRefusal) {
        let mut state = self.state.lock();
        let Some(waiting) = state.waiting.take() else {
            return;
        };
        let response = match response {
            Ok(response) => *response,
            Err(refusal) => refusal.response(None),
        };
        let closes = response.headers().contains_key(header::CONNECTION);
        let keep_alive = self.all.keep_alive_millis();
        let keep_alive = keep_alive.filter(|_| waiting.keeps_alive && !closes);
        state.ends |= keep_alive.is_none();
        state.since = Instant::now();
        HEAD.with_borrow_mut(|head| {
            head.clear();
            front_response::write_head(head, &response, &waiting.headers, keep_alive);
            match front_response::chunked(&response, &waiting.headers) {
                Some(body) => state.write(head, &body),
                None => state.write(head, response.body()),
            }
        });
        // What a client has taken of a request is not lost with the response to it.
        if state.is_broken || !state.unwritten.is_empty() {
            let session = waiting.session;
            state.delivering = session.filter(|(_, reason)| *reason == CloseReason::PollClosed);
        }
        let goes_on = state.has_more || state.is_half_closed || !state.unwritten.is_empty();
        if state.ends || goes_on {
            state.wake();
        }
    }

    fn abort(&self) {
        let mut state = self.state.lock();
        if state.is_receiving {
            state.fail();
        }
    }
}

impl State {
    /// Whether each request that has come has its response, which the client may not have taken.
    fn is_served(&self) -> bool {
        self.waiting.is_none() && !self.is_receiving
    }

    fn is_idle(&self) -> bool {
        self.is_served() && self.unwritten.is_empty()
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// Writes a response, as far as the client takes it.
    fn write(&mut self, head: &[u8], body: &[u8]) {
        let Some(half) = &self.half else {
            return;
        };
        let written = if !self.unwritten.is_empty() {
            Ok(0)
        } else if body.is_empty() {
            half.try_write(head)
        } else {
            half.try_write_vectored(&[IoSlice::new(head), IoSlice::new(body)])
        };
        let written = match written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return self.fail(),
            Ok(written) => written,
        };
        let rest = head.get(written..).unwrap_or_default();
        self.unwritten.extend_from_slice(rest);
        let written = written.saturating_sub(head.len());
        let rest = body.get(written..).unwrap_or_default();
        self.unwritten.extend_from_slice(rest);
    }

    /// Writes what is left. False if the client takes no more now, or never.
    fn write_rest(&mut self, cx: &mut Context<'_>) -> bool {
        while !self.unwritten.is_empty() {
            let Some(half) = &self.half else {
                return false;
            };
            match half.try_write(&self.unwritten) {
                Ok(written) => {
                    // Costs nothing, however much is left.
                    self.unwritten.advance(written);
                    self.since = Instant::now();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match half.poll_writable(cx) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(_)) => self.fail(),
                        Poll::Pending => return false,
                    }
                }
                Err(_) => self.fail(),
            }
        }
        self.unwritten = BytesMut::new();
        if !self.is_broken {
            self.delivering = None;
        }
        true
    }

    /// The stream ends at once; the reader finds that out.
    fn fail(&mut self) {
        self.unwritten = BytesMut::new();
        self.ends = true;
        self.is_broken = true;
        if let Some(half) = &self.half {
            half.shut_down();
        }
        self.wake();
    }
}

/// Packets that a client is sending.
struct Receiving {
    sid: Sid,
    format: Format,
    content_type: Option<String>,
    headers: HeaderMap,
    keeps_alive: bool,
    length: usize,
    body: Vec<u8>,
}

/// What became of received bytes.
enum Served {
    /// So many belong to a request that was taken.
    Bytes(usize),
    /// The connection is not here any more.
    Gone,
}

/// What a read has found.
enum Read {
    Bytes,
    /// The client sends no more.
    End,
    /// The connection has ended.
    Broken,
}

/// Why a request is not served here.
struct NotOurs;

/// Reads a connection.
struct Serving<H: Handler> {
    front: Arc<Front<H>>,
    exchange: Arc<Exchange>,
    stream: Option<ReadHalf>,
    owner: u64,
    /// What was read and not served yet.
    buffer: Vec<u8>,
    receiving: Option<Receiving>,
    /// Whether Node serves its requests in any case.
    is_nodes: bool,
}

impl<H: Handler> Task for Serving<H> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(handler) = self.front.handler.upgrade() else {
            return Poll::Ready(());
        };
        let _wake_guard = WakeGuard::new(&*handler.engine().events);
        ready!(self.run(&handler, cx));
        self.finish(&handler);
        Poll::Ready(())
    }

    fn on_panic(&mut self) {
        if let Some(handler) = self.front.handler.upgrade() {
            self.finish(&handler);
        }
    }
}

impl<H: Handler> Serving<H> {
    fn run(&mut self, handler: &Arc<H>, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..MAX_READS {
            match self.exchange.advance(cx, !self.buffer.is_empty()) {
                Stage::Ended => return Poll::Ready(()),
                Stage::Silent => {
                    self.hand_back(handler, &[]);
                    return Poll::Ready(());
                }
                Stage::Writing | Stage::Responding => return Poll::Pending,
                Stage::Waiting if self.buffer.len() >= MAX_PIPELINED => return Poll::Pending,
                Stage::Waiting => {
                    let add = |this: &mut Self, bytes: &[u8]| this.buffer.extend_from_slice(bytes);
                    match ready!(self.read(cx, add)) {
                        Read::Bytes => {}
                        Read::End if self.exchange.half_close() => {}
                        Read::End | Read::Broken => return Poll::Ready(()),
                    }
                }
                Stage::Open if self.buffer.is_empty() => {
                    let mut served = Served::Bytes(0);
                    let serve = |this: &mut Self, bytes: &[u8]| {
                        served = this.serve(handler, bytes);
                        if let Served::Bytes(count) = served {
                            let rest = bytes.get(count..).unwrap_or_default();
                            this.buffer.extend_from_slice(rest);
                        }
                    };
                    let read = ready!(self.read(cx, serve));
                    if !matches!((read, served), (Read::Bytes, Served::Bytes(_))) {
                        return Poll::Ready(());
                    }
                }
                Stage::Open => {
                    let bytes = mem::take(&mut self.buffer);
                    match self.serve(handler, &bytes) {
                        Served::Gone => return Poll::Ready(()),
                        Served::Bytes(count) if count < bytes.len() => {
                            self.buffer = bytes.get(count..).unwrap_or_default().to_vec();
                        }
                        Served::Bytes(_) => {}
                    }
                }
            }
        }
        yield_to_others(cx)
    }

    /// Reads once, and passes on what was read.
    fn read(&mut self, cx: &mut Context<'_>, then: impl FnOnce(&mut Self, &[u8])) -> Poll<Read> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut into = ReadBuf::new(buffer);
            let Some(stream) = &mut self.stream else {
                return Poll::Ready(Read::Broken);
            };
            if ready!(Pin::new(stream).poll_read(cx, &mut into)).is_err() {
                return Poll::Ready(Read::Broken);
            }
            if into.filled().is_empty() {
                return Poll::Ready(Read::End);
            }
            then(self, into.filled());
            Poll::Ready(Read::Bytes)
        })
    }

    /// Serves the request at the beginning of received bytes, or goes on to receive one.
    fn serve(&mut self, handler: &Arc<H>, bytes: &[u8]) -> Served {
        if let Some(receiving) = &mut self.receiving {
            let missing = receiving.length - receiving.body.len();
            let count = missing.min(bytes.len());
            let part = bytes.get(..count).unwrap_or_default();
            receiving.body.extend_from_slice(part);
            if count == missing
                && let Some(received) = self.receiving.take()
            {
                self.set_receiver(handler.engine(), received.sid, false);
                self.post(handler, received);
            }
            return Served::Bytes(count);
        }
        let settings = self.front.settings(handler);
        let head = Head::parse(bytes).filter(|head| !self.is_nodes && settings.serves(head));
        if let Some(head) = head
            && let Ok(served) = self.serve_request(handler, &settings, &head, bytes)
        {
            return served;
        }
        self.hand_back(handler, bytes);
        Served::Gone
    }

    fn serve_request(
        &mut self,
        handler: &Arc<H>,
        settings: &Settings,
        head: &Head<'_>,
        bytes: &[u8],
    ) -> Result<Served, NotOurs> {
        let mut headers = HeaderMap::new();
        if let Some((cors, origins)) = &settings.options.cors {
            let origin = origins.allowed(&head.headers);
            let answer = cors.answer(&head.method, &head.headers, origin);
            headers = answer.headers;
            if let Some(status) = answer.ends {
                self.answer_preflight(status, headers, head.keeps_alive);
                return Ok(Served::Bytes(head.bytes.len()));
            }
        }
        let query = Query::of(head.target);
        let engine = handler.engine();
        let asks = engine
            .verify(&head.method, &query, head.is_upgrade)
            .and_then(|asks| engine.check_origin(asks, &settings.http, &query, &head.headers));
        let Ok(Checked::Asks(asks)) = asks else {
            return Err(NotOurs);
        };
        if asks == Asks::Open && !settings.options.opens {
            return Err(NotOurs);
        }
        let rest = bytes.get(head.bytes.len()..).unwrap_or_default();
        if head.is_upgrade {
            return self.upgrade(handler, settings, head, &query, asks, &headers, rest);
        }
        let load = &engine.runtime.reactor.load;
        load.received(self.exchange.number, head.bytes.len() + head.body, 1, 0);
        let format = format_of(&query, &head.headers);
        let waiting = |session| Waiting {
            session: Some(session),
            headers,
            keeps_alive: head.keeps_alive,
        };
        match (&head.method, asks) {
            (&Method::GET, Asks::Use(sid)) => {
                self.exchange.begin(waiting((sid, CloseReason::PollClosed)));
                let responder = self.responder();
                polling::poll(engine, sid, WaitingPoll { responder, format });
                Ok(Served::Bytes(head.bytes.len()))
            }
            (&Method::GET, Asks::Open) => {
                let id = Sid::random();
                let id = engine
                    .check_opening(&query, id.as_str())
                    .map_err(|_| NotOurs)?;
                self.exchange.begin(waiting((id, CloseReason::PollClosed)));
                let opening = Opening {
                    responder: self.responder(),
                    format,
                    connection: self.opened(engine, id, query.protocol, head),
                    id,
                    protocol: query.protocol,
                    base64_only: query.base64_only,
                    cookie: response::cookie(settings.http.cookie.as_ref(), id.as_str(), None),
                    watched: settings.options.watched,
                };
                polling::open(handler, opening);
                Ok(Served::Bytes(head.bytes.len()))
            }
            (&Method::POST, Asks::Use(sid)) => {
                if head.body > engine.config.max_http_buffer_size {
                    return Err(NotOurs);
                }
                if let Err(refusal) = polling::begin_post(engine, sid) {
                    let mut waiting = waiting((sid, CloseReason::DataClosed));
                    // Its body was not read.
                    waiting.keeps_alive = false;
                    self.exchange.begin(waiting);
                    self.exchange.respond(Err(refusal));
                    return Ok(Served::Bytes(bytes.len()));
                }
                let count = rest.len().min(head.body);
                let content_type = head.headers.get(header::CONTENT_TYPE);
                let received = Receiving {
                    sid,
                    format,
                    content_type: content_type
                        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
                    headers: waiting((sid, CloseReason::DataClosed)).headers,
                    keeps_alive: head.keeps_alive,
                    length: head.body,
                    body: rest.get(..count).unwrap_or_default().to_vec(),
                };
                if count == head.body {
                    self.post(handler, received);
                } else {
                    {
                        let mut state = self.exchange.state.lock();
                        state.is_new = false;
                        state.is_receiving = true;
                        state.since = Instant::now();
                    }
                    self.receiving = Some(received);
                    self.set_receiver(engine, sid, true);
                }
                Ok(Served::Bytes(head.bytes.len() + count))
            }
            _ => Err(NotOurs),
        }
    }

    fn responder(&self) -> Responder {
        Responder::Stream(self.exchange.clone())
    }

    /// Has the end of a session end the request that brings packets for it, or no longer.
    fn set_receiver(&self, engine: &Engine<Connection<H::Data>>, sid: Sid, receives: bool) {
        let exchange: Arc<dyn Respond> = self.exchange.clone();
        match engine.connection(sid) {
            Some(connection) => connection.set_receiver(receives.then_some(&exchange)),
            None if receives => exchange.abort(),
            None => {}
        }
    }

    fn answer_preflight(&self, status: StatusCode, headers: HeaderMap, keeps_alive: bool) {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        self.exchange.begin(Waiting {
            session: None,
            headers,
            keeps_alive,
        });
        self.exchange.respond(Ok(response.into()));
    }

    /// Takes packets that were received. The client may leave then, as in Engine.IO: nothing is lost with the response.
    fn post(&self, handler: &Arc<H>, received: Receiving) {
        self.exchange.begin(Waiting {
            session: None,
            headers: received.headers,
            keeps_alive: received.keeps_alive,
        });
        let packets = if received.format.is_jsonp() {
            jsonp::packets(&received.body)
        } else {
            Some(received.body.into())
        };
        let post = Post {
            responder: self.responder(),
            format: received.format,
            content_type: received.content_type,
            packets,
        };
        polling::post(handler, received.sid, post);
    }

    /// Takes a websocket.
    #[allow(clippy::too_many_arguments)]
    fn upgrade(
        &mut self,
        handler: &Arc<H>,
        settings: &Settings,
        head: &Head<'_>,
        query: &Query<'_>,
        asks: Asks,
        headers: &HeaderMap,
        rest: &[u8],
    ) -> Result<Served, NotOurs> {
        let engine = handler.engine();
        let options = engine.config.per_message_deflate.as_ref();
        let key = head.headers.get(header::SEC_WEBSOCKET_KEY);
        let key = key.and_then(|key| key.to_str().ok()).ok_or(NotOurs)?;
        handshake::check(&head.method, &head.headers).map_err(|_| NotOurs)?;
        let accepted = handshake::compression(&head.headers, options).map_err(|_| NotOurs)?;
        let id = match asks {
            Asks::Use(_) => None,
            Asks::Open => {
                let id = engine.check_opening(query, Sid::random().as_str());
                Some(id.map_err(|_| NotOurs)?)
            }
        };
        let number = match id {
            Some(id) => self.opened(engine, id, query.protocol, head),
            None => next_connection(),
        };
        let halves = self
            .stream
            .take()
            .zip(self.exchange.state.lock().half.take());
        let Some((read, write)) = halves else {
            return Ok(Served::Gone);
        };
        let mut lines = handshake::agreed(&head.headers, accepted.as_ref());
        front_response::write_lines(&mut lines, headers);
        let websocket = Websocket {
            carrier: Carrier::Registered(read, write),
            head: Bytes::copy_from_slice(rest),
            key: key.to_owned(),
            headers: lines,
            compression: accepted.map(|Accepted { agreement, .. }| agreement),
            protocol: query.protocol,
            asks,
            number,
            id,
            watched: settings.options.watched,
        };
        websocket::take(handler, websocket);
        Ok(Served::Gone)
    }

    /// Tells JavaScript of the connection that a request opens.
    fn opened(
        &self,
        engine: &Engine<Connection<H::Data>>,
        id: Sid,
        protocol: ProtocolVersion,
        head: &Head<'_>,
    ) -> ConnectionNumber {
        let connection = next_connection();
        let (addresses, is_encrypted) = {
            let state = self.exchange.state.lock();
            let half = state.half.as_ref();
            let is_encrypted = half.is_some_and(WriteHalf::is_encrypted);
            (half.and_then(WriteHalf::addresses), is_encrypted)
        };
        let lines = addresses.map_or_else(Default::default, |(remote, local)| {
            let family = if remote.is_ipv4() { "IPv4" } else { "IPv6" };
            [
                remote.port().to_string(),
                family.to_owned(),
                local.ip().to_string(),
                local.port().to_string(),
            ]
        });
        let request = head.snapshot(&lines);
        let address = addresses.map(|(remote, _): (SocketAddr, _)| remote.ip().to_string());
        engine.events.opened(Opened {
            connection,
            id,
            protocol,
            transport: match head.is_upgrade {
                true => TransportType::Websocket,
                false => TransportType::Polling,
            },
            address,
            is_encrypted,
            request,
        });
        connection
    }

    /// Gives the connection to Node, with what was read.
    fn hand_back(&mut self, handler: &Arc<H>, bytes: &[u8]) {
        if self.front.all.is_abandoned.load(Ordering::Acquire) {
            return;
        }
        let engine = handler.engine();
        let Some(half) = self.exchange.state.lock().half.take() else {
            return;
        };
        let secure = half.agreed().map(|agreed| Secure {
            agreed,
            addresses: half.addresses(),
        });
        let descriptor = match (self.stream.take(), &secure) {
            (Some(stream), Some(_)) => forward(&engine.runtime, stream, half),
            _ => half.hand_back(),
        };
        let Ok(descriptor) = descriptor else {
            return;
        };
        engine.events.handed_back(HandedBack {
            owner: self.owner,
            descriptor,
            bytes: Bytes::copy_from_slice(bytes),
            secure,
        });
    }

    /// The connection has ended: what it was bringing or waiting for is lost, so its session ends.
    fn finish(&mut self, handler: &Arc<H>) {
        let receiving = self.receiving.take();
        let mut lost = receiving.map(|it| (it.sid, CloseReason::DataClosed));
        {
            let mut state = self.exchange.state.lock();
            lost = lost.or(state.delivering.take());
            if let Some(waiting) = state.waiting.take() {
                lost = waiting.session;
            }
            state.waker = None;
            // Dropped now, though a poll that is kept elsewhere may still refer to this.
            state.half = None;
        }
        if let Some((sid, reason)) = lost {
            polling::abort_session(handler.engine(), sid, reason);
        }
    }
}

fn format_of(query: &Query<'_>, headers: &HeaderMap) -> Format {
    let accepted = headers.get(header::ACCEPT_ENCODING);
    let encoding = accepted
        .and_then(|accepted| accepted.to_str().ok())
        .and_then(Encoding::for_polls);
    Format::of(query, headers, encoding)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::io::adopt_fd;

    /// A connection, and its client, who reads and writes nothing by itself.
    struct World {
        all: Arc<All>,
        exchange: Arc<Exchange>,
        client: UnixStream,
        // Kept for as long as the connection.
        _read: ReadHalf,
    }

    fn world(test: impl FnOnce(World)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let runtime = Runtime::on(&tokio::runtime::Handle::current()).unwrap();
            let (ours, client) = UnixStream::pair().unwrap();
            client.set_nonblocking(true).unwrap();
            let taken = adopt_fd::take(ours.as_raw_fd()).unwrap();
            let (read, write) = transport::open(taken, &runtime.reactor).unwrap();
            let all = Arc::new(All {
                exchanges: Mutex::default(),
                last: AtomicU64::new(0),
                is_leaving: AtomicBool::new(false),
                is_abandoned: AtomicBool::new(false),
                keep_alive: AtomicU64::new(5_000),
                request_timeout: AtomicU64::new(300_000),
            });
            let exchange = Exchange::new(&all, write, false);
            test(World {
                all,
                exchange,
                client,
                _read: read,
            });
        });
    }

    impl World {
        fn begin(&self) {
            self.exchange.begin(Waiting {
                session: None,
                headers: HeaderMap::new(),
                keeps_alive: true,
            });
        }

        fn respond(&self, length: usize) {
            let body = Bytes::from(vec![b'a'; length]);
            self.exchange.respond(Ok(Response::new(body).into()));
        }

        fn advance(&self) -> Stage {
            let mut cx = Context::from_waker(Waker::noop());
            self.exchange.advance(&mut cx, false)
        }

        /// How far the connection is when it was checked after this time without anything.
        fn after(&self, time: Duration) -> Stage {
            self.exchange.check(&self.all, Instant::now() + time);
            self.advance()
        }

        /// Reads what there is.
        fn received(&mut self) -> usize {
            let mut buffer = vec![0; 1 << 16];
            let mut length = 0;
            while let Ok(read @ 1..) = self.client.read(&mut buffer) {
                length += read;
            }
            length
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_idle_connection_ends_after_the_keep_alive_timeout() {
        world(|world| {
            assert!(matches!(world.after(4 * SECOND), Stage::Open));
            assert!(matches!(world.after(5 * SECOND), Stage::Ended));
        });
    }

    #[test]
    fn a_request_that_waits_for_its_response_does_not_end_by_a_timeout() {
        world(|world| {
            world.begin();
            assert!(matches!(world.after(900 * SECOND), Stage::Waiting));
            world.respond(1);
            assert!(matches!(world.after(4 * SECOND), Stage::Open));
        });
    }

    #[test]
    fn a_request_that_is_not_whole_after_the_request_timeout_is_answered_and_ends_its_connection() {
        world(|mut world| {
            world.exchange.state.lock().is_receiving = true;
            assert!(matches!(world.after(299 * SECOND), Stage::Open));
            assert_eq!(world.received(), 0);
            assert!(matches!(world.after(300 * SECOND), Stage::Ended));
            assert_eq!(world.received(), REQUEST_TIMEOUT_RESPONSE.len());
        });
    }

    #[test]
    fn timeouts_that_are_zero_end_nothing() {
        world(|world| {
            world.all.keep_alive.store(0, Ordering::Relaxed);
            world.all.request_timeout.store(0, Ordering::Relaxed);
            assert!(matches!(world.after(10_000 * SECOND), Stage::Open));
            world.exchange.state.lock().is_receiving = true;
            assert!(matches!(world.after(10_000 * SECOND), Stage::Open));
        });
    }

    #[test]
    fn a_client_that_reads_slowly_gets_all_of_a_response_before_the_next_request_is_served() {
        world(|mut world| {
            const LENGTH: usize = 4 << 20;
            world.begin();
            world.respond(LENGTH);
            let mut received = 0;
            while let Stage::Writing = world.advance() {
                received += world.received();
            }
            received += world.received();
            assert!(received > LENGTH, "{received}");
            assert!(matches!(world.advance(), Stage::Open));
        });
    }

    #[test]
    fn a_client_that_reads_nothing_of_a_response_loses_its_connection() {
        world(|world| {
            world.begin();
            world.respond(4 << 20);
            let before = CLOSE_TIMEOUT.saturating_sub(SECOND);
            assert!(matches!(world.after(before), Stage::Writing));
            assert!(matches!(world.after(CLOSE_TIMEOUT), Stage::Ended));
            assert_eq!(world.exchange.state.lock().unwritten.capacity(), 0);
        });
    }

    #[test]
    fn a_client_that_sends_no_more_gets_the_response_that_is_under_way() {
        world(|mut world| {
            world.begin();
            assert!(world.exchange.half_close());
            assert!(matches!(world.advance(), Stage::Responding));
            world.respond(1);
            assert!(world.received() > 0);
            assert!(matches!(world.advance(), Stage::Open));
        });
    }

    #[test]
    fn a_client_that_sends_no_more_ends_its_poll() {
        world(|world| {
            world.exchange.begin(Waiting {
                session: Some((Sid::random(), CloseReason::PollClosed)),
                headers: HeaderMap::new(),
                keeps_alive: true,
            });
            assert!(!world.exchange.half_close());
        });
    }

    #[test]
    fn a_response_to_a_client_that_sends_no_more_is_not_waited_for_for_ever() {
        world(|world| {
            world.begin();
            assert!(world.exchange.half_close());
            let before = CLOSE_TIMEOUT.saturating_sub(SECOND);
            assert!(matches!(world.after(before), Stage::Responding));
            assert!(matches!(world.after(CLOSE_TIMEOUT), Stage::Ended));
        });
    }

    #[test]
    fn a_connection_whose_client_does_not_read_a_response_is_idle_when_idle_ones_are_to_end() {
        world(|world| {
            world.begin();
            world.respond(4 << 20);
            assert!(matches!(world.advance(), Stage::Writing));
            world.exchange.end_if_idle();
            assert!(matches!(world.advance(), Stage::Ended));
        });
    }

    #[test]
    fn a_connection_that_is_broken_ends_whatever_waits_on_it() {
        world(|world| {
            world.begin();
            world.exchange.state.lock().fail();
            assert!(matches!(world.advance(), Stage::Ended));
            // A response that comes late is for nobody.
            world.respond(1);
            assert!(matches!(world.advance(), Stage::Ended));
        });
    }

    #[test]
    fn a_connection_that_is_to_end_when_it_is_idle_responds_to_a_request_that_came_meanwhile() {
        world(|mut world| {
            world.exchange.end_if_idle();
            world.begin();
            assert!(matches!(world.advance(), Stage::Waiting));
            world.respond(1);
            assert!(world.received() > 0);
            assert!(matches!(world.advance(), Stage::Ended));
        });
    }

    #[test]
    fn one_task_checks_connections_however_often_they_come_and_go() {
        world(|world| {
            assert!(world.all.add(&world.exchange));
            assert!(!world.all.add(&world.exchange));
            world.all.exchanges.lock().by_number.clear();
            // The last one has ended, and its task has not found that out yet.
            assert!(!world.all.add(&world.exchange));
            assert!(world.all.goes_on_checking());
            world.all.exchanges.lock().by_number.clear();
            assert!(!world.all.goes_on_checking());
            assert!(world.all.add(&world.exchange));
        });
    }
}
