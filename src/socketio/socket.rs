//! A client in a namespace: its session, and its events.
//!
//! Two threads change its state, the I/O thread (for what the client sends) and the JavaScript thread
//! (for what the application decides), each under a lock for one step. Events are queued under that
//! lock, so JavaScript gets them in the order in which the session handled them. There is one exception:
//! what a client sends waits for the end of the read, so the end of its socket by another thread may come
//! before it. JavaScript then ignores it, as if it had come too late.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::client::Client;
use super::events::{AckId, Delivery, Event, EventSink, Run, SocketNumber, SubscriptionNumber};
use super::namespace::{Namespace, Occupant};
use super::packet::Payload;
use super::parser::{Parser, Welcome};
use super::sockets::Member;
use super::subscriptions::{self, Recipient};
use crate::engineio::connection::{self, Data};
use crate::engineio::flush_set;
use crate::engineio::inbound_budget::Permit;
use crate::engineio::message::Frame;
use crate::engineio::send_queue::Series;
use crate::engineio::{ProtocolVersion, Str};
use crate::io::delayed::{DelayedTask, DelayedTasks};
use crate::protocol::CloseReason;
use crate::session::subscriptions::Slot;
use crate::session::{self, Effect, Effects, Session};

/// A connection with its sockets.
pub(crate) type Connection = connection::Connection<Client<Arc<Socket>>>;

/// The connections to flush after a batch of commands.
pub(crate) type FlushSet = flush_set::FlushSet<Client<Arc<Socket>>>;

/// The channels of a server.
pub(crate) type Channels = subscriptions::Channels<Socket>;

/// A channel that sockets subscribe to.
pub(crate) type Channel = subscriptions::Channel<Socket>;

/// The open sockets of a server.
#[derive(Debug, Default)]
pub(crate) struct OpenSockets(RwLock<FxHashMap<SocketNumber, Arc<Socket>>>);

impl OpenSockets {
    /// The open socket with this number.
    pub(crate) fn get(&self, number: SocketNumber) -> Option<Arc<Socket>> {
        self.0.read().get(&number).cloned()
    }

    /// What the open sockets are now. Each is locked for a moment.
    pub(crate) fn usage(&self) -> Usage {
        let all: Vec<_> = self.0.read().values().cloned().collect();
        let mut usage = Usage::default();
        for socket in all {
            let state = socket.state.lock();
            match state.phase {
                Phase::Joining(_) => usage.joining += 1,
                Phase::Ended => continue,
                Phase::Joined if state.session.authenticated() => usage.authenticated += 1,
                Phase::Joined if state.session.is_pending() => usage.pending += 1,
                Phase::Joined => usage.open += 1,
            }
            usage.subscriptions += state.subscriptions.as_ref().map_or(0, |table| table.len());
        }
        usage
    }

    pub(crate) fn add(&self, socket: Arc<Socket>) {
        self.0.write().insert(socket.number, socket);
    }

    /// Removes a socket that has ended.
    pub(crate) fn remove(&self, number: SocketNumber) {
        self.0.write().remove(&number);
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.read().is_empty()
    }
}

/// How many sockets of a server there are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// The application has not accepted them yet.
    pub(crate) joining: usize,
    /// They have to authenticate, and have not.
    pub(crate) pending: usize,
    pub(crate) authenticated: usize,
    /// They need not authenticate: no LoopbackSocket serves them, or the application has exempted them.
    pub(crate) open: usize,
    /// The subscriptions of all of them.
    pub(crate) subscriptions: usize,
}

/// One client in one namespace.
pub(crate) struct Socket {
    pub(crate) number: SocketNumber,
    /// What the client knows as `socket.id`, unless the socket is accepted under the id of one whose
    /// state was recovered. Rust uses it for nothing else.
    pub(crate) id: Box<str>,
    pub(crate) namespace: Arc<Namespace<Self>>,
    pub(crate) connection: Arc<Connection>,
    pub(super) delivery: Arc<Delivery>,
    open_sockets: Weak<OpenSockets>,
    events: Arc<dyn EventSink>,
    started: Instant,
    muted: AtomicBool,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    session: Session,
    /// The timers of pending authentication, which are aborted with it.
    timers: SmallVec<[DelayedTask; 1]>,
    /// Its subscriptions, if it has any.
    subscriptions: Option<Box<subscriptions::Table<Socket>>>,
}

enum Phase {
    /// The application has not accepted the socket yet; events that the client sends meanwhile wait
    /// here. Only a client of Engine.IO 3, which joins the default namespace without asking, sends any.
    Joining(VecDeque<(Incoming, Permit)>),
    Joined,
    Ended,
}

/// An event as it was received.
pub(crate) struct Incoming {
    pub(crate) payload: Payload,
    pub(crate) ack: Option<AckId>,
}

/// What a client sent is not a Socket.IO packet, so its connection ends.
#[derive(Debug)]
pub(crate) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message that is no Socket.IO packet")
    }
}

impl std::error::Error for Malformed {}

/// Why a packet of a client ends its connection.
#[derive(Debug)]
pub(crate) enum Rejected {
    /// It is not a Socket.IO packet.
    Malformed,
    /// It is one that may not come now.
    OutOfPlace,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a Socket.IO packet",
            Self::OutOfPlace => "a Socket.IO packet that may not come now",
        })
    }
}

impl std::error::Error for Rejected {}

impl From<Malformed> for Rejected {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// The maximum number of events that wait while a socket joins.
const MAX_EARLY_EVENTS: usize = 64;

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket")
            .field("number", &self.number)
            .field("id", &self.id)
            .field("namespace", &self.namespace.name)
            .finish_non_exhaustive()
    }
}

impl Socket {
    pub(crate) fn new(
        number: SocketNumber,
        id: Box<str>,
        namespace: Arc<Namespace<Self>>,
        connection: Arc<Connection>,
        open_sockets: &Arc<OpenSockets>,
        events: &Arc<dyn EventSink>,
        started: Instant,
    ) -> Arc<Self> {
        Arc::new(Self {
            number,
            id,
            namespace,
            connection,
            delivery: Arc::default(),
            open_sockets: Arc::downgrade(open_sockets),
            events: events.clone(),
            started,
            muted: AtomicBool::new(false),
            state: Mutex::new(State {
                phase: Phase::Joining(VecDeque::new()),
                session: Session::new(),
                timers: SmallVec::new(),
                subscriptions: None,
            }),
        })
    }

    /// Milliseconds since the server began: the session's clock.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Mutes the socket, which then receives no broadcasts, or unmutes it.
    pub(crate) fn mute(&self, muted: bool) {
        self.muted.store(muted, Ordering::Relaxed);
    }

    /// The application accepted the socket: adds it to its namespace, tells the client what the `welcome`
    /// has, and handles the events that waited.
    ///
    /// # Errors
    /// `Malformed` if an event that waited is not valid.
    pub(crate) fn accept(
        self: &Arc<Self>,
        parser: Parser,
        welcome: Welcome<'_>,
        flush_set: &mut FlushSet,
    ) -> Result<(), Malformed> {
        if !self.is_joining() {
            return Ok(());
        }
        let protocol = self.connection.protocol;
        let welcome = parser.connect(&self.namespace.name, welcome, protocol);
        // Before the state is locked, since this may end a client that does not read, and its sockets.
        self.send(&welcome, flush_set);
        let mut state = self.state.lock();
        let early = match std::mem::replace(&mut state.phase, Phase::Joined) {
            Phase::Joining(early) => early,
            other => {
                state.phase = other;
                return Ok(());
            }
        };
        self.namespace.add(self.clone());
        early
            .into_iter()
            .try_for_each(|(incoming, _)| self.handle_event(&mut state, incoming))
    }

    /// Whether the application has not accepted the socket yet.
    pub(crate) fn is_joining(&self) -> bool {
        matches!(self.state.lock().phase, Phase::Joining(_))
    }

    /// Handles an event of the client.
    ///
    /// # Errors
    /// `Malformed` if its payload is not exactly one `["name",…]`; `OutOfPlace` if it comes from a client
    /// of Engine.IO 4 that has not been accepted.
    pub(crate) fn on_event(&self, incoming: Incoming) -> Result<(), Rejected> {
        let mut state = self.state.lock();
        let may_be_early = self.connection.protocol == ProtocolVersion::V3;
        match &mut state.phase {
            Phase::Joined => Ok(self.handle_event(&mut state, incoming)?),
            Phase::Joining(early) if may_be_early && early.len() < MAX_EARLY_EVENTS => {
                // Counted as not delivered, so that a client cannot send without limit while middleware runs.
                let (text, attachments) = incoming.payload.parts();
                let permit = self.connection.permit(text, attachments);
                early.push_back((incoming, permit));
                Ok(())
            }
            Phase::Joining(_) => Err(Rejected::OutOfPlace),
            Phase::Ended => Ok(()),
        }
    }

    fn handle_event(&self, state: &mut State, incoming: Incoming) -> Result<(), Malformed> {
        let Incoming { payload, ack } = incoming;
        let name = payload.event_name().ok_or(Malformed)?;
        let mut runs = SmallVec::new();
        for effect in &state
            .session
            .handle(session::Event::Incoming { name: &name })
        {
            match *effect {
                Effect::TakeCredentials { instance } => runs.push(Run::Auth { instance }),
                Effect::RunMethod { instance, method } => {
                    runs.push(Run::Method { instance, method });
                }
                _ => {}
            }
        }
        drop(name);
        let (text, attachments) = payload.parts();
        self.events.push(Event::Emitted {
            socket: self.number,
            ack,
            runs,
            permit: Some(self.connection.permit(text, attachments)),
            payload,
        });
        Ok(())
    }

    /// Handles the client's acknowledgement of an event of the server.
    ///
    /// # Errors
    /// `Malformed` if the payload is not exactly one array of arguments; `OutOfPlace` as for an event.
    pub(crate) fn on_ack(&self, ack: AckId, payload: Payload) -> Result<(), Rejected> {
        if !payload.is_arguments() {
            return Err(Rejected::Malformed);
        }
        let mut state = self.state.lock();
        let is_early = matches!(state.phase, Phase::Joining(_));
        if is_early && self.connection.protocol == ProtocolVersion::V4 {
            return Err(Rejected::OutOfPlace);
        }
        if subscriptions::is_item_ack(ack)
            && let Some(table) = &mut state.subscriptions
            && let Some(awaited) = table.acknowledge(ack)
        {
            // A channel is not locked while the state of a socket is.
            drop(state);
            let mut flush_set = FlushSet::default();
            awaited.channel.acknowledge(
                awaited.slot,
                (self.number, awaited.subscription),
                awaited.request,
                &mut flush_set,
            );
            flush_set.flush_after_read();
            return Ok(());
        }
        if matches!(state.phase, Phase::Joined) {
            let (text, attachments) = payload.parts();
            self.events.push(Event::Acknowledged {
                socket: self.number,
                ack,
                permit: Some(self.connection.permit(text, attachments)),
                payload,
            });
        }
        Ok(())
    }

    /// The channel of a subscription, and where it is there.
    pub(crate) fn subscription(&self, number: SubscriptionNumber) -> Option<(Arc<Channel>, Slot)> {
        self.state.lock().subscriptions.as_ref()?.get(number)
    }

    /// Passes an event of JavaScript to the session.
    pub(crate) fn step(&self, event: session::Event<'_>) -> Effects {
        let mut state = self.state.lock();
        let effects = state.session.handle(event);
        if state.session.deadline().is_none() {
            state.timers.drain(..).for_each(|timer| timer.abort());
        }
        effects
    }

    /// Whether the session is empty, since no LoopbackSocket serves the socket, and it has no subscription.
    #[cfg(test)]
    pub(crate) fn holds_nothing(&self) -> bool {
        let state = self.state.lock();
        state.session.is_empty() && state.subscriptions.is_none()
    }

    /// The index of the next LoopbackSocket that serves the socket; `None` after its end.
    pub(crate) fn next_instance(&self) -> Option<u32> {
        let state = self.state.lock();
        (!state.session.ended()).then(|| state.session.instances())
    }

    /// Starts the timer of pending authentication; `expire` is called if it runs out.
    pub(crate) fn arm(
        self: &Arc<Self>,
        tasks: &DelayedTasks,
        at: u64,
        expire: impl FnOnce(Arc<Self>) + Send + 'static,
    ) {
        let socket: Weak<Self> = Arc::downgrade(self);
        let deadline = (self.started + Duration::from_millis(at)).into();
        let timer = tasks.spawn(deadline, async move {
            tokio::time::sleep_until(deadline).await;
            // What the client sent in time counts, however late it is delivered.
            let connection = socket
                .upgrade()
                .map(|socket| Arc::downgrade(&socket.connection));
            if let Some(connection) = connection {
                Connection::catch_up(&connection).await;
            }
            let Some(socket) = socket.upgrade() else {
                return;
            };
            let expired = {
                let mut state = socket.state.lock();
                let now = socket.now().max(at);
                let effects = state.session.handle(session::Event::Tick { now });
                effects
                    .iter()
                    .any(|effect| matches!(effect, Effect::DisconnectConnection))
            };
            if expired {
                expire(socket);
            }
        });
        self.state.lock().timers.push(timer);
    }

    /// Queues a frame for the client, and adds its connection to those to flush.
    pub(crate) fn send(&self, frame: &Frame, flush_set: &mut FlushSet) {
        flush_set.send(&self.connection, frame);
    }

    /// Ends the socket, and removes it from its namespace and its connection. The caller tells the
    /// client. Returns whether the socket was still open.
    pub(crate) fn end(self: &Arc<Self>, reason: CloseReason) -> bool {
        let subscriptions = {
            let mut state = self.state.lock();
            if matches!(state.phase, Phase::Ended) {
                return false;
            }
            state.phase = Phase::Ended;
            state.session.handle(session::Event::Disconnected);
            debug_assert!(state.session.is_empty());
            state.timers.drain(..).for_each(|timer| timer.abort());
            // Ordered, since another thread may close the connection right after this, and JavaScript is
            // told of that after its sockets.
            self.events.push_ordered(Event::Disconnect {
                socket: self.number,
                delivery: self.delivery.clone(),
                reason,
            });
            state.subscriptions.take()
        };
        for (number, channel, slot) in subscriptions.into_iter().flat_map(|table| table.into_all())
        {
            channel.leave(slot, (self.number, number));
        }
        self.namespace.remove(self.number);
        self.connection.data.remove(self);
        if let Some(open_sockets) = self.open_sockets.upgrade() {
            open_sockets.remove(self.number);
        }
        true
    }
}

impl Member for Arc<Socket> {
    fn number(&self) -> SocketNumber {
        self.number
    }

    fn namespace(&self) -> &Str {
        &self.namespace.name
    }
}

impl Occupant for Socket {
    fn number(&self) -> SocketNumber {
        self.number
    }

    fn is_muted(&self) -> bool {
        self.muted.load(Ordering::Relaxed)
    }
}

impl Recipient for Socket {
    type FlushSet = FlushSet;

    fn number(&self) -> SocketNumber {
        self.number
    }

    fn namespace(&self) -> &Arc<Namespace<Self>> {
        &self.namespace
    }

    fn subscribed(&self, number: SubscriptionNumber, channel: &Arc<Channel>, slot: Slot) -> bool {
        let mut state = self.state.lock();
        if matches!(state.phase, Phase::Ended) {
            return false;
        }
        let table = state.subscriptions.get_or_insert_default();
        table.add(number, channel.clone(), slot)
    }

    fn unsubscribed(&self, number: SubscriptionNumber) -> Option<(Arc<Channel>, Slot)> {
        let mut state = self.state.lock();
        let table = state.subscriptions.as_mut()?;
        let removed = table.remove(number);
        if table.is_empty() {
            state.subscriptions = None;
        }
        removed
    }

    fn expect_ack(
        &self,
        subscription: SubscriptionNumber,
        request: u32,
        id: AckId,
        new_id: impl Fn() -> AckId,
    ) -> Option<AckId> {
        let mut state = self.state.lock();
        let table = state.subscriptions.as_mut()?;
        table.expect(subscription, request, id, new_id)
    }

    fn send(&self, frame: &Frame, flush_set: &mut FlushSet) {
        flush_set.send(&self.connection, frame);
    }

    fn send_series(&self, series: &Series, flush_set: &mut FlushSet) {
        flush_set.send_series(&self.connection, series);
    }
}

impl Data for Client<Arc<Socket>> {
    fn is_idle(&self) -> bool {
        self.has_no_sockets()
    }

    fn on_finish(connection: &Arc<Connection>, reason: CloseReason) {
        // A socket that has not been accepted cannot be accepted any more.
        for socket in connection.data.sockets() {
            if socket.is_joining() {
                socket.end(reason);
            }
        }
    }

    fn on_close(connection: &Arc<Connection>, reason: CloseReason) {
        for socket in connection.data.sockets() {
            socket.end(reason);
        }
    }
}
