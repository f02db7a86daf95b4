//! The channel: its options, its subscribers, and what it tells its host.

use std::collections::vec_deque::IterMut;

use serde::Deserialize;

use super::log::{Entry, Log};
use super::slots::{Slot, Slots};

/// What becomes of a subscriber for which too much is queued.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Overflow {
    /// Its subscription ends as slow.
    #[default]
    End,
    /// It gets the newest item and none of those before.
    Latest,
}

/// The options of a channel.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Options {
    /// How many items a subscriber may have that it has not acknowledged. At least 1.
    pub(crate) window: u32,
    /// How many items are kept for those who subscribe later.
    pub(crate) history: u32,
    /// How many bytes may be queued for a subscriber, without items that are older than its subscription.
    pub(crate) max_queued_bytes: u64,
    pub(crate) overflow: Overflow,
    /// How many milliseconds a subscriber that has used up its window may take to acknowledge while items
    /// wait for it; `None` for any time.
    pub(crate) ack_timeout: Option<u64>,
    /// Whether the host is told how many items a subscriber has acknowledged.
    pub(crate) reports_credit: bool,
}

/// Why a subscription ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Too much was queued for it, or it did not acknowledge in time.
    Slow,
    /// The channel has finished, and the subscriber has been sent everything.
    Finished,
}

/// Does what a channel decides. `K` is what the host knows a subscriber by.
pub(crate) trait Sink<K, T> {
    /// Sends items to a subscriber.
    fn deliver(&mut self, key: &K, run: Run<'_, T>);

    /// A subscriber has acknowledged this many more items.
    fn credit(&mut self, key: &K, count: u32);

    /// A subscription has ended; the channel has dropped it.
    fn ended(&mut self, key: K, end: End);

    /// A subscriber that is behind goes on with the latest item, and does not get this many others.
    fn skipped(&mut self, count: u64);
}

/// Consecutive items for one subscriber: at least one.
#[derive(Debug)]
pub(crate) struct Run<'a, T> {
    /// The position of the first item in the channel, the same for every subscriber.
    pub(crate) start: u64,
    /// The place in this run, counted from 1, of the first item that asks for an acknowledgement.
    pub(crate) until_request: u32,
    /// The number of that request; the following ones count on.
    pub(crate) first_request: u32,
    entries: IterMut<'a, Entry<T>>,
    request: u32,
    every: u32,
    countdown: u32,
}

impl<T> Run<'_, T> {
    /// How many items are left.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<'a, T> Iterator for Run<'a, T> {
    /// An item by its offset, and the number of the acknowledgement request that goes with it. A client's
    /// acknowledgement comes back to [`Channel::acknowledge`] with that number.
    type Item = (u64, &'a mut T, Option<u32>);

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next()?;
        self.countdown -= 1;
        let request = (self.countdown == 0).then(|| {
            self.countdown = self.every;
            self.request = self.request.wrapping_add(1);
            self.request.wrapping_sub(1)
        });
        Some((entry.offset, &mut entry.item, request))
    }
}

/// The time of a subscriber that is not stalled.
const NEVER: u64 = u64::MAX;

/// A subscriber of a channel. There may be very many that do nothing for hours, so it is small.
#[derive(Debug)]
struct Subscriber<K> {
    key: K,
    /// The position of the next item that it gets.
    next: u64,
    /// The bytes of the channel before it subscribed, which do not count as queued for it.
    uncounted: u64,
    /// Since when it has acknowledged nothing although its window is used up and items wait.
    stalled_since: u64,
    /// The items since the last request that it has acknowledged.
    unacknowledged: u32,
    /// After how many items the next one asks for an acknowledgement.
    until_request: u32,
    /// The number of the last request; they count from 1 and go round.
    last_request: u32,
    is_held: bool,
}

const _: () = assert!(size_of::<Option<Subscriber<[u64; 2]>>>() <= 64);

/// One channel: a log of items and its subscribers.
#[derive(Debug)]
pub(crate) struct Channel<K, T> {
    options: Options,
    /// Every how many items of a subscriber one asks for an acknowledgement.
    every: u32,
    log: Log<T>,
    subscribers: Slots<Subscriber<K>>,
    /// How many subscribers are stalled.
    stalled: usize,
    is_finished: bool,
}

impl<K, T> Channel<K, T> {
    pub(crate) fn new(options: Options) -> Self {
        let window = options.window.max(1);
        Self {
            options: Options { window, ..options },
            every: window.div_ceil(2),
            log: Log::new(usize::try_from(options.history).unwrap_or(usize::MAX)),
            subscribers: Slots::new(),
            stalled: 0,
            is_finished: false,
        }
    }

    /// How many subscribers there are.
    pub(crate) fn len(&self) -> usize {
        self.subscribers.len()
    }

    /// How many items are kept.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.log.len()
    }

    /// The offset of the first item that is kept; the one after the last item if none is.
    pub(crate) fn first_kept(&self) -> u64 {
        let after_last = || {
            self.log
                .last_offset()
                .map_or(0, |last| last.saturating_add(1))
        };
        self.log.first_offset().unwrap_or_else(after_last)
    }

    /// Whether [`Channel::tick`] has to be called from time to time.
    pub(crate) fn needs_tick(&self) -> bool {
        self.stalled > 0
    }

    /// Adds a subscriber, which gets items from this offset on, or from the oldest one of the history. It
    /// gets none before [`Channel::start`]. `None` if there are too many.
    pub(crate) fn add(&mut self, key: K, from: u64) -> Option<Slot> {
        let next = self.log.position_from(from);
        let slot = self.subscribers.add(Subscriber {
            key,
            next,
            uncounted: self.log.bytes(),
            stalled_since: NEVER,
            unacknowledged: 0,
            until_request: self.every,
            last_request: 0,
            is_held: true,
        })?;
        if next < self.log.end() {
            self.log.wait(next);
        }
        Some(slot)
    }

    /// Begins to deliver to a subscriber that has been added.
    pub(crate) fn start<Q>(&mut self, slot: Slot, key: &Q, now: u64, sink: &mut impl Sink<K, T>)
    where
        K: PartialEq<Q>,
    {
        self.hold(slot, key, false, now, sink);
    }

    /// Has the items of a subscriber wait, or no longer.
    pub(crate) fn hold<Q>(
        &mut self,
        slot: Slot,
        key: &Q,
        is_held: bool,
        now: u64,
        sink: &mut impl Sink<K, T>,
    ) where
        K: PartialEq<Q>,
    {
        if let Some(subscriber) = self.subscriber(slot, key) {
            subscriber.is_held = is_held;
            self.advance(slot, self.log.end(), now, sink);
            self.log.prune();
        }
    }

    /// Adds items (their offsets, which must grow, and their bytes) and delivers them. After
    /// [`Channel::finish`] it does nothing.
    pub(crate) fn publish(
        &mut self,
        items: impl Iterator<Item = (u64, T, u64)>,
        now: u64,
        sink: &mut impl Sink<K, T>,
    ) {
        if self.is_finished {
            return;
        }
        let new = self.log.end();
        for (offset, item, bytes) in items {
            self.log.push(offset, item, bytes);
        }
        for index in 0..self.subscribers.end() {
            self.advance(Slot(index), new, now, sink);
        }
        self.log.prune();
    }

    /// A client has acknowledged a request, and with it the items before. An acknowledgement that is old,
    /// repeated, or of no request has no effect.
    pub(crate) fn acknowledge<Q>(
        &mut self,
        slot: Slot,
        key: &Q,
        request: u32,
        now: u64,
        sink: &mut impl Sink<K, T>,
    ) where
        K: PartialEq<Q>,
    {
        let (every, reports_credit) = (self.every, self.options.reports_credit);
        let Some(subscriber) = self.subscriber(slot, key) else {
            return;
        };
        let outstanding = subscriber.unacknowledged / every;
        let later = subscriber.last_request.wrapping_sub(request);
        if later >= outstanding {
            return;
        }
        let count = (outstanding - later) * every;
        subscriber.unacknowledged -= count;
        let was_stalled = std::mem::replace(&mut subscriber.stalled_since, NEVER) != NEVER;
        if reports_credit {
            sink.credit(&subscriber.key, count);
        }
        self.stalled -= usize::from(was_stalled);
        self.advance(slot, self.log.end(), now, sink);
        self.log.prune();
    }

    /// Removes a subscriber; returns whether there was one. Its end is not told.
    pub(crate) fn remove<Q>(&mut self, slot: Slot, key: &Q) -> bool
    where
        K: PartialEq<Q>,
    {
        let is_there = self.subscriber(slot, key).is_some();
        if is_there {
            self.take(slot, self.log.end());
            self.log.prune();
        }
        is_there
    }

    /// There are no more items: each subscriber ends once it has been sent all.
    pub(crate) fn finish(&mut self, now: u64, sink: &mut impl Sink<K, T>) {
        self.is_finished = true;
        for index in 0..self.subscribers.end() {
            self.advance(Slot(index), self.log.end(), now, sink);
        }
        self.log.prune();
    }

    /// Whether a tick at this time would end a subscriber.
    pub(crate) fn is_due(&mut self, now: u64) -> bool {
        (0..self.subscribers.end()).any(|index| self.is_too_slow(Slot(index), now))
    }

    /// Ends the subscribers that have acknowledged nothing for too long.
    pub(crate) fn tick(&mut self, now: u64, sink: &mut impl Sink<K, T>) {
        for index in 0..self.subscribers.end() {
            if self.is_too_slow(Slot(index), now) {
                self.end(Slot(index), self.log.end(), End::Slow, sink);
            }
        }
        self.log.prune();
    }

    fn is_too_slow(&mut self, slot: Slot, now: u64) -> bool {
        let (Some(timeout), Some(subscriber)) =
            (self.options.ack_timeout, self.subscribers.get_mut(slot))
        else {
            return false;
        };
        let since = subscriber.stalled_since;
        since != NEVER && now.saturating_sub(since) >= timeout
    }

    /// Drops everything, and returns the subscribers that were left, whose end is not told.
    pub(crate) fn close(&mut self) -> impl Iterator<Item = K> {
        self.log = Log::new(0);
        self.stalled = 0;
        self.is_finished = true;
        self.subscribers.take_all().map(|subscriber| subscriber.key)
    }

    fn subscriber<Q>(&mut self, slot: Slot, key: &Q) -> Option<&mut Subscriber<K>>
    where
        K: PartialEq<Q>,
    {
        self.subscribers
            .get_mut(slot)
            .filter(|subscriber| subscriber.key == *key)
    }

    /// Delivers to a subscriber what it may get now, and decides what becomes of the rest. For items from
    /// position `new` on, which are being published, the log does not know yet who waits for them.
    fn advance(&mut self, slot: Slot, new: u64, now: u64, sink: &mut impl Sink<K, T>) {
        let Some(subscriber) = self.subscribers.get_mut(slot) else {
            return;
        };
        let end = self.log.end();
        let before = subscriber.next;
        if !subscriber.is_held && before < end {
            let credit = self.options.window - subscriber.unacknowledged;
            let count = u32::try_from(end - before).map_or(credit, |queued| queued.min(credit));
            if count > 0 {
                let first_request = subscriber.last_request.wrapping_add(1);
                let until_request = subscriber.until_request;
                // What the run will have used up when it has been read.
                subscriber.next += u64::from(count);
                subscriber.unacknowledged += count;
                if count < until_request {
                    subscriber.until_request -= count;
                } else {
                    let rest = count - until_request;
                    subscriber.until_request = self.every - rest % self.every;
                    let requests = 1 + rest / self.every;
                    subscriber.last_request = subscriber.last_request.wrapping_add(requests);
                }
                sink.deliver(
                    &subscriber.key,
                    Run {
                        start: before,
                        until_request,
                        first_request,
                        entries: self.log.entries(before, count),
                        request: first_request,
                        every: self.every,
                        countdown: until_request,
                    },
                );
            }
        }
        let mut next = subscriber.next;
        if next == end && before >= new {
            // Up to date before and after: the log never knew.
            if self.is_finished {
                self.end(slot, new, End::Finished, sink);
            }
            return;
        }
        let queued = self.log.bytes_from(next, subscriber.uncounted);
        let overflows = new < end && queued > self.options.max_queued_bytes;
        if overflows && self.options.overflow == Overflow::Latest {
            sink.skipped((end - 1).saturating_sub(next));
            next = end - 1;
            subscriber.next = next;
        }
        let is_stalled = next < end && subscriber.unacknowledged >= self.options.window;
        match (is_stalled, subscriber.stalled_since) {
            (true, NEVER) if self.options.ack_timeout.is_some() => {
                subscriber.stalled_since = now.min(NEVER - 1);
                self.stalled += 1;
            }
            (false, since) if since != NEVER => {
                subscriber.stalled_since = NEVER;
                self.stalled -= 1;
            }
            _ => {}
        }
        if before < new {
            self.log.leave(before);
        }
        if next < end {
            self.log.wait(next);
        }
        if overflows && self.options.overflow == Overflow::End {
            self.end(slot, end, End::Slow, sink);
        } else if self.is_finished && next == end {
            self.end(slot, end, End::Finished, sink);
        }
    }

    fn end(&mut self, slot: Slot, new: u64, end: End, sink: &mut impl Sink<K, T>) {
        if let Some(key) = self.take(slot, new) {
            sink.ended(key, end);
        }
    }

    /// Takes a subscriber out of the channel; `new` as for [`Channel::advance`].
    fn take(&mut self, slot: Slot, new: u64) -> Option<K> {
        let subscriber = self.subscribers.remove(slot)?;
        if subscriber.stalled_since != NEVER {
            self.stalled -= 1;
        }
        if subscriber.next < new {
            self.log.leave(subscriber.next);
        }
        Some(subscriber.key)
    }
}
