//! One Engine.IO connection: the sockets it carries and how much waits for it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use engineioxide::Socket as EngineSocket;
use engineioxide::socket::Sid;
use parking_lot::Mutex;
use smallvec::SmallVec;
use socketioxide_core::parser::ParserState;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::Inbox;
use super::notice::{Notice, Reason};
use super::socket::Socket;
use super::stream::Ender;
use super::unheard::{Said, Unheard};

/// JavaScript's number for a connection, given before the connection exists.
pub(crate) type ConnectionNumber = u32;

/// The engine's socket, carrying our connection.
pub(crate) type Engine = EngineSocket<Connection>;

/// What the engine keeps for us with each connection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    pub(crate) parser: ParserState,
    link: OnceLock<Arc<Link>>,
    sockets: Mutex<SmallVec<[Arc<Socket>; 1]>>,
    reason: OnceLock<Reason>,
    closing: AtomicBool,
    /// Ends a connection that joins no namespace; does not outlive it.
    timer: Mutex<Option<AbortHandle>>,
    polls: AtomicUsize,
}

impl Connection {
    /// Ties the connection to the link its first request came with.
    pub(crate) fn open(&self, sid: Sid, link: Arc<Link>) {
        let _ = link.sid.set(sid);
        let _ = self.link.set(link);
    }

    /// The link, once the connection is open.
    pub(crate) fn link(&self) -> Option<&Arc<Link>> {
        self.link.get()
    }

    /// Counts a message of the client until JavaScript has heard it.
    pub(crate) fn said(&self, text: &str, attachments: &[Bytes]) -> Option<Said> {
        let attached = attachments.iter().map(Bytes::len).sum::<usize>();
        let link = self.link()?;
        Some(link.unheard().count(text.len() + attached))
    }

    /// The socket of a namespace, if the client joined it.
    pub(crate) fn socket(&self, ns: &str) -> Option<Arc<Socket>> {
        let sockets = self.sockets.lock();
        sockets
            .iter()
            .find(|s| s.namespace.name.as_str() == ns)
            .cloned()
    }

    /// Adds a socket.
    pub(crate) fn add(&self, socket: Arc<Socket>) {
        self.sockets.lock().push(socket);
    }

    /// Forgets a socket.
    pub(crate) fn remove(&self, socket: &Socket) {
        self.sockets.lock().retain(|s| s.number != socket.number);
    }

    /// Every socket, in the order they joined.
    pub(crate) fn sockets(&self) -> SmallVec<[Arc<Socket>; 1]> {
        self.sockets.lock().clone()
    }

    /// Whether the client joined no namespace, or left them all.
    pub(crate) fn is_idle(&self) -> bool {
        self.sockets.lock().is_empty()
    }

    /// Keeps the timer of a connection that has not joined a namespace.
    pub(crate) fn set_timer(&self, timer: AbortHandle) {
        *self.timer.lock() = Some(timer);
    }

    /// Stops that timer, which holds memory of the connection.
    pub(crate) fn stop_timer(&self) {
        if let Some(timer) = self.timer.lock().take() {
            timer.abort();
        }
    }

    /// Says why the connection is about to end; the first reason stays.
    pub(crate) fn ends_because(&self, reason: Reason) {
        let _ = self.reason.set(reason);
    }

    /// Counts a poll of the client's until the guard is dropped.
    pub(crate) fn polls(engine: &Arc<Engine>) -> Poll {
        engine.data.polls.fetch_add(1, Ordering::AcqRel);
        Poll(engine.clone())
    }

    /// Whether the client waits for something to be sent.
    pub(crate) fn is_polled(&self) -> bool {
        self.polls.load(Ordering::Acquire) > 0
    }

    /// Has the connection end when its client has taken what is queued; only a polling client takes
    /// its time. Says whether that is new.
    pub(crate) fn begin_closing(&self) -> bool {
        !self.closing.swap(true, Ordering::AcqRel)
    }

    /// Whether the connection is to end.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// The reason somebody gave, if any.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.reason.get().copied()
    }
}

/// A poll of a client, under way.
#[derive(Debug)]
pub(crate) struct Poll(Arc<Engine>);

impl Poll {
    /// The connection that is polled.
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.0
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        self.0.data.polls.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The bytes' way to the client: shared by the connection, which queues, and the transport, which
/// writes, over an upgrade too. JavaScript is told once that it is closed: when its connection
/// ended or, if none ever opened over it, when nobody holds it any more.
pub(crate) struct Link {
    pub(crate) number: ConnectionNumber,
    inbox: Arc<dyn Inbox>,
    closed: AtomicBool,
    sid: OnceLock<Sid>,
    queued: AtomicUsize,
    unheard: Arc<Unheard>,
    peer_gone: AtomicBool,
    upgrading: AtomicBool,
    poll: Notify,
    ender: Mutex<Option<Ender>>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("number", &self.number)
            .field("sid", &self.sid)
            .field("queued", &self.queued)
            .finish_non_exhaustive()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.closed();
    }
}

impl Link {
    pub(crate) fn new(number: ConnectionNumber, inbox: Arc<dyn Inbox>) -> Arc<Self> {
        Arc::new(Self {
            number,
            inbox,
            closed: AtomicBool::new(false),
            sid: OnceLock::new(),
            queued: AtomicUsize::new(0),
            unheard: Arc::default(),
            peer_gone: AtomicBool::new(false),
            upgrading: AtomicBool::new(false),
            poll: Notify::new(),
            ender: Mutex::new(None),
        })
    }

    /// The connection's session id, once it is open.
    pub(crate) fn sid(&self) -> Option<Sid> {
        self.sid.get().copied()
    }

    /// Tells JavaScript that the connection is closed, if it has not been told.
    pub(crate) fn closed(&self) {
        if !self.closed.swap(true, Ordering::Relaxed) {
            let connection = self.number;
            self.inbox.push(Notice::Closed { connection });
        }
    }

    /// Bytes queued and not yet written.
    pub(crate) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Counts bytes that begin to wait.
    pub(crate) fn queue(&self, bytes: usize) {
        self.queued.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts bytes that went out. The transport's own framing goes out too without having been
    /// queued, so the count is an estimate that never goes below zero.
    pub(crate) fn wrote(&self, bytes: usize) {
        let _ = self
            .queued
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |queued| {
                Some(queued.saturating_sub(bytes))
            });
    }

    /// What the client said and JavaScript has not heard yet.
    pub(crate) fn unheard(&self) -> &Arc<Unheard> {
        &self.unheard
    }

    /// Notes that the peer closed or reset the stream (as opposed to speaking nonsense on it).
    pub(crate) fn peer_left(&self) {
        self.peer_gone.store(true, Ordering::Relaxed);
    }

    /// Whether the peer closed or reset the stream.
    pub(crate) fn is_peer_gone(&self) -> bool {
        self.peer_gone.load(Ordering::Relaxed)
    }

    /// Begins an upgrade to websocket; `None` while another one is under way.
    pub(crate) fn upgrade(self: &Arc<Self>) -> Option<Upgrading> {
        let is_first = !self.upgrading.swap(true, Ordering::AcqRel);
        is_first.then(|| Upgrading(self.clone()))
    }

    /// Whether an upgrade to websocket is under way.
    pub(crate) fn is_upgrading(&self) -> bool {
        self.upgrading.load(Ordering::Acquire)
    }

    /// Has a poll that waits answered with nothing, so that the client can leave polling.
    pub(crate) fn release_poll(&self) {
        self.poll.notify_waiters();
    }

    /// Resolves when a poll that waits is to be answered with nothing.
    pub(crate) fn poll_released(&self) -> impl Future<Output = ()> {
        self.poll.notified()
    }

    /// What ends the link's stream at once, while there is one.
    pub(crate) fn ender(&self) -> &Mutex<Option<Ender>> {
        &self.ender
    }
}

/// An upgrade under way; over when dropped.
#[derive(Debug)]
pub(crate) struct Upgrading(Arc<Link>);

impl Drop for Upgrading {
    fn drop(&mut self) {
        self.0.upgrading.store(false, Ordering::Release);
    }
}
