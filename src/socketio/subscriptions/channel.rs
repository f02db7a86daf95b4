//! One channel of the native server.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use smallvec::SmallVec;

use super::item::Item;
use super::shared::Shared;
use crate::engineio::message::Frame;
use crate::engineio::send_queue::Series;
use crate::protocol::SubscriptionEnd;
use crate::session::subscriptions::{self, End, Options, Run, Sink, Slot};
use crate::socketio::events::{AckId, Event, SocketNumber, SubscriptionNumber};
use crate::socketio::namespace::Namespace;

/// How often it is checked whether a subscriber has taken too long to acknowledge, unless it may take less
/// time than that.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The shortest interval of such checks.
const MIN_CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// What a channel has to know of a socket.
pub(crate) trait Recipient: Send + Sync + Sized + 'static {
    /// The connections to which something was sent, which are to be flushed.
    type FlushSet: Default;

    fn number(&self) -> SocketNumber;

    fn namespace(&self) -> &Arc<Namespace<Self>>;

    /// Adds a subscription; returns false if the socket has ended or the number is in use.
    fn subscribed(
        &self,
        number: SubscriptionNumber,
        channel: &Arc<Channel<Self>>,
        slot: Slot,
    ) -> bool;

    /// Removes a subscription; returns where it was.
    fn unsubscribed(&self, number: SubscriptionNumber) -> Option<(Arc<Channel<Self>>, Slot)>;

    /// Awaits the acknowledgement of a request of a subscription; returns the id that the client is to
    /// acknowledge with, another one if this is awaited already. `None` if there is no such subscription.
    fn expect_ack(
        &self,
        subscription: SubscriptionNumber,
        request: u32,
        id: AckId,
        new_id: impl Fn() -> AckId,
    ) -> Option<AckId>;

    /// Queues a frame for the client.
    fn send(&self, frame: &Frame, flush_set: &mut Self::FlushSet);

    /// Queues a series of frames for the client.
    fn send_series(&self, series: &Series, flush_set: &mut Self::FlushSet);
}

/// One channel.
pub(crate) struct Channel<S> {
    shared: Arc<Shared>,
    namespace: Arc<Namespace<S>>,
    /// How often it is checked whether a subscriber has taken too long to acknowledge.
    check_interval: Duration,
    state: Mutex<State<S>>,
    /// Subscriptions of sockets that have ended, which are to be removed.
    leaving: Mutex<Vec<(Slot, Key)>>,
}

struct State<S> {
    core: Core<S>,
    /// Whether the task runs that checks for subscribers that do not acknowledge.
    is_checked: bool,
}

type Core<S> = subscriptions::Channel<Subscriber<S>, Item>;

/// What a subscriber is found by: its socket and its number there.
type Key = (SocketNumber, SubscriptionNumber);

/// A subscriber of a channel.
struct Subscriber<S> {
    socket: Arc<S>,
    number: SubscriptionNumber,
}

impl<S: Recipient> PartialEq<Key> for Subscriber<S> {
    fn eq(&self, key: &Key) -> bool {
        (self.socket.number(), self.number) == *key
    }
}

impl<S> fmt::Debug for Channel<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("namespace", &self.namespace.name)
            .finish_non_exhaustive()
    }
}

/// An item that JavaScript publishes.
pub(crate) struct Published<'a> {
    pub(crate) offset: u64,
    pub(crate) json: &'a str,
    pub(crate) attachments: Vec<Bytes>,
}

impl<S: Recipient> Channel<S> {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        namespace: Arc<Namespace<S>>,
        options: Options,
    ) -> Arc<Self> {
        let timeout = options.ack_timeout.map(Duration::from_millis);
        Arc::new(Self {
            shared: shared.clone(),
            namespace,
            check_interval: timeout
                .unwrap_or(CHECK_INTERVAL)
                .clamp(MIN_CHECK_INTERVAL, CHECK_INTERVAL),
            state: Mutex::new(State {
                core: subscriptions::Channel::new(options),
                is_checked: false,
            }),
            leaving: Mutex::default(),
        })
    }

    /// Publishes items in order, and sends each to the subscribers that may get it now. Returns how many
    /// bytes that was, for all of them together.
    pub(crate) fn publish<'a>(
        self: &Arc<Self>,
        items: impl Iterator<Item = Published<'a>>,
        flush_set: &mut S::FlushSet,
    ) -> usize {
        let ns = &self.namespace.name;
        let items = items.map(|published| {
            let Published {
                offset,
                json,
                attachments,
            } = published;
            let item = Item::new(&self.shared, ns, json, attachments);
            let bytes = item.len() as u64;
            (offset, item, bytes)
        });
        self.with(flush_set, |core, now, sink| {
            // What one subscriber gets alone is not worth a copy.
            sink.shares_runs = core.len() > 1;
            core.publish(items, now, sink);
            sink.bytes
        })
    }

    /// Subscribes a socket, unless it has ended or the number is in use.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        socket: &Arc<S>,
        number: SubscriptionNumber,
        from: u64,
        flush_set: &mut S::FlushSet,
    ) {
        if !Arc::ptr_eq(socket.namespace(), &self.namespace) {
            return;
        }
        self.with(flush_set, |core, now, sink| {
            let key = (socket.number(), number);
            let subscriber = Subscriber {
                socket: socket.clone(),
                number,
            };
            let Some(slot) = core.add(subscriber, from) else {
                return;
            };
            // The socket has to know of it before anything is delivered.
            if socket.subscribed(number, self, slot) {
                core.start(slot, &key, now, sink);
            } else {
                core.remove(slot, &key);
            }
        });
    }

    /// Has the items of a subscription wait, or no longer.
    pub(crate) fn hold(
        self: &Arc<Self>,
        slot: Slot,
        key: Key,
        is_held: bool,
        flush_set: &mut S::FlushSet,
    ) {
        self.with(flush_set, |core, now, sink| {
            core.hold(slot, &key, is_held, now, sink);
        });
    }

    /// A client has acknowledged a request.
    pub(crate) fn acknowledge(
        self: &Arc<Self>,
        slot: Slot,
        key: Key,
        request: u32,
        flush_set: &mut S::FlushSet,
    ) {
        self.with(flush_set, |core, now, sink| {
            core.acknowledge(slot, &key, request, now, sink);
        });
    }

    /// Removes a subscription that its socket does not know any more. After that nothing of it is sent.
    pub(crate) fn remove(self: &Arc<Self>, slot: Slot, key: Key, flush_set: &mut S::FlushSet) {
        self.with(flush_set, |core, _, _| core.remove(slot, &key));
    }

    /// There are no more items.
    pub(crate) fn finish(self: &Arc<Self>, flush_set: &mut S::FlushSet) {
        self.with(flush_set, |core, now, sink| core.finish(now, sink));
    }

    /// Drops the channel, with the subscriptions that are left.
    pub(crate) fn close(self: &Arc<Self>, flush_set: &mut S::FlushSet) {
        self.with(flush_set, |core, _, _| {
            for subscriber in core.close() {
                subscriber.socket.unsubscribed(subscriber.number);
            }
        });
    }

    /// As [`Channel::remove`], for the end of a socket. If the channel is locked, even by the caller, that
    /// happens once the lock is released.
    pub(crate) fn leave(&self, slot: Slot, key: Key) {
        self.leaving.lock().push((slot, key));
        self.remove_leaving();
    }

    fn remove_leaving(&self) {
        // Whoever holds the lock looks again after it has released it.
        while !self.leaving.lock().is_empty() {
            let Some(mut state) = self.state.try_lock() else {
                return;
            };
            let leaving = std::mem::take(&mut *self.leaving.lock());
            for (slot, key) in leaving {
                state.core.remove(slot, &key);
            }
        }
    }

    /// How many subscribers and items there are, and how many subscribers are to be removed.
    #[cfg(test)]
    pub(crate) fn held(&self) -> [usize; 3] {
        let state = self.state.lock();
        [
            state.core.len(),
            state.core.kept(),
            self.leaving.lock().len(),
        ]
    }

    /// Does something with the channel. What it sends is flushed by the caller, after the lock is released.
    fn with<R>(
        self: &Arc<Self>,
        flush_set: &mut S::FlushSet,
        act: impl FnOnce(&mut Core<S>, u64, &mut Delivery<'_, S>) -> R,
    ) -> R {
        let mut delivery = Delivery {
            channel: self,
            flush_set,
            bytes: 0,
            shares_runs: false,
            runs: Vec::new(),
        };
        let mut state = self.state.lock();
        let result = act(&mut state.core, self.shared.now(), &mut delivery);
        if state.core.needs_tick() && !std::mem::replace(&mut state.is_checked, true) {
            let checking = check(Arc::downgrade(self), self.check_interval);
            self.shared.runtime.handle.spawn(checking);
        }
        drop(state);
        self.remove_leaving();
        result
    }

    /// The time, if a subscriber has taken too long to acknowledge by now; whether to check again.
    fn due(&self) -> (Option<u64>, bool) {
        let now = self.shared.now();
        let mut state = self.state.lock();
        let is_due = state.core.is_due(now);
        state.is_checked = state.core.needs_tick();
        let is_checked = state.is_checked;
        drop(state);
        self.remove_leaving();
        (is_due.then_some(now), is_checked)
    }
}

/// Ends the subscribers of a channel that take too long to acknowledge, until none is waited for.
async fn check<S: Recipient>(channel: Weak<Channel<S>>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let Some((due, goes_on)) = channel.upgrade().map(|channel| channel.due()) else {
            return;
        };
        if !goes_on {
            return;
        }
        let Some(due) = due else {
            continue;
        };
        // What clients have sent in time counts, however late it is read.
        let Some(shared) = channel.upgrade().map(|channel| channel.shared.clone()) else {
            return;
        };
        let _ = shared.events.after_iteration().await;
        shared.runtime.reactor.catch_up().await;
        if let Some(channel) = channel.upgrade() {
            channel.with(&mut S::FlushSet::default(), |core, _, sink| {
                core.tick(due, sink)
            });
        }
    }
}

/// Does what a channel decides.
struct Delivery<'a, S: Recipient> {
    channel: &'a Channel<S>,
    flush_set: &'a mut S::FlushSet,
    /// The bytes that were sent.
    bytes: usize,
    /// Whether a run of several items is likely to be the same for several subscribers.
    shares_runs: bool,
    /// Runs as they were sent to several subscribers.
    runs: Vec<SharedRun>,
}

/// A run of items as it is sent to several subscribers.
struct SharedRun {
    key: RunKey,
    frames: Vec<Frame>,
    requests: SmallVec<[Asking; 2]>,
    /// The bytes of all frames; empty if one of them is several messages.
    series: Vec<Series>,
}

/// The first item of a run, the number of its items, and which of them is the first that asks for an
/// acknowledgement.
type RunKey = (u64, usize, usize);

/// An item of a run that asks for an acknowledgement.
struct Asking {
    /// Which item of the run.
    index: usize,
    id: AckId,
    /// The item without an id.
    plain: Frame,
}

/// At most this many different runs of a publication are kept to be sent to more subscribers.
const MAX_SHARED_RUNS: usize = 32;

impl SharedRun {
    fn new<S>(channel: &Channel<S>, key: RunKey, run: Run<'_, Item>) -> Self {
        let mut frames = Vec::with_capacity(run.len());
        let mut requests = SmallVec::new();
        let mut are_messages = true;
        for (_, item, request) in run {
            are_messages &= item.is_one_message();
            if request.is_some() {
                let plain = item.frame.clone();
                let (id, asking) = item.asking(&channel.shared, &channel.namespace.name);
                requests.push(Asking {
                    index: frames.len(),
                    id,
                    plain,
                });
                frames.push(asking.clone());
            } else {
                frames.push(item.frame.clone());
            }
        }
        let mut series = Vec::new();
        let mut left = frames.iter().cloned().peekable();
        while are_messages && left.peek().is_some() {
            series.push(Series::gather(left.by_ref()));
        }
        Self {
            key,
            frames,
            requests,
            series,
        }
    }
}

impl<S: Recipient> Delivery<'_, S> {
    fn send(&mut self, to: &Subscriber<S>, frame: &Frame) {
        self.bytes = self.bytes.saturating_add(frame.len());
        to.socket.send(frame, self.flush_set);
    }

    /// Awaits the acknowledgement of a request; returns the id for the client. `None` if its socket has
    /// ended.
    fn expect(&self, to: &Subscriber<S>, request: u32, id: AckId) -> Option<AckId> {
        let shared = &self.channel.shared;
        to.socket
            .expect_ack(to.number, request, id, || shared.next_id())
    }

    /// Sends an item with an id of the subscriber's own: it awaits the shared one for another item.
    fn send_with_own_id(&mut self, to: &Subscriber<S>, plain: &Frame, id: AckId) {
        let Channel {
            shared, namespace, ..
        } = self.channel;
        let frame = shared.parser.with_ack(&namespace.name, plain, id);
        self.send(to, &frame);
    }

    fn send_item(&mut self, to: &Subscriber<S>, item: &mut Item, request: Option<u32>) {
        let Some(request) = request else {
            self.send(to, &item.frame);
            return;
        };
        let (id, asking) = item.asking(&self.channel.shared, &self.channel.namespace.name);
        match self.expect(to, request, id) {
            Some(same) if same == id => self.send(to, asking),
            Some(own) => self.send_with_own_id(to, &item.frame, own),
            None => {}
        }
    }

    /// Sends a run as it is sent to others, too.
    fn send_run(&mut self, to: &Subscriber<S>, run: &SharedRun, first_request: u32) {
        let mut own = SmallVec::<[_; 2]>::new();
        for (request, asking) in (0..).zip(&run.requests) {
            let request = first_request.wrapping_add(request);
            match self.expect(to, request, asking.id) {
                Some(id) if id == asking.id => {}
                Some(id) => own.push((asking, id)),
                None => return,
            }
        }
        if own.is_empty() && !run.series.is_empty() {
            for series in &run.series {
                self.bytes = self.bytes.saturating_add(series.len());
                to.socket.send_series(series, self.flush_set);
            }
            return;
        }
        for (index, frame) in run.frames.iter().enumerate() {
            match own.iter().find(|(asking, _)| asking.index == index) {
                Some(&(asking, id)) => self.send_with_own_id(to, &asking.plain, id),
                None => self.send(to, frame),
            }
        }
    }
}

impl<S: Recipient> Sink<Subscriber<S>, Item> for Delivery<'_, S> {
    fn deliver(&mut self, to: &Subscriber<S>, run: Run<'_, Item>) {
        let until_request = usize::try_from(run.until_request).unwrap_or(usize::MAX);
        let key = (run.start, run.len(), until_request.min(run.len() + 1));
        let first_request = run.first_request;
        let mut runs = std::mem::take(&mut self.runs);
        if let Some(shared) = runs.iter().find(|shared| shared.key == key) {
            self.send_run(to, shared, first_request);
        } else if self.shares_runs && run.len() > 1 && runs.len() < MAX_SHARED_RUNS {
            let shared = SharedRun::new(self.channel, key, run);
            self.send_run(to, &shared, first_request);
            runs.push(shared);
        } else {
            for (_, item, request) in run {
                self.send_item(to, item, request);
            }
        }
        self.runs = runs;
    }

    fn credit(&mut self, to: &Subscriber<S>, count: u32) {
        self.channel.shared.events.push(Event::SubscriptionCredit {
            socket: to.socket.number(),
            subscription: to.number,
            count,
        });
    }

    fn skipped(&mut self, count: u64) {
        self.channel.shared.skip_items(count);
    }

    fn ended(&mut self, to: Subscriber<S>, end: End) {
        // Otherwise JavaScript, or the end of the socket, has ended it meanwhile.
        if to.socket.unsubscribed(to.number).is_some() {
            self.channel.shared.events.push(Event::SubscriptionEnded {
                socket: to.socket.number(),
                subscription: to.number,
                reason: match end {
                    End::Slow => SubscriptionEnd::Slow,
                    End::Finished => SubscriptionEnd::Finished,
                },
            });
        }
    }
}
