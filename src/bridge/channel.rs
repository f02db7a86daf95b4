//! The class `Channel` of the addon: a channel of subscriptions for a host that keeps the items itself.
//!
//! The owner of the sockets of an npm `socket.io` server knows items by their offsets and subscribers by
//! numbers of its own, which it uses once. Each method returns what the owner has to do, in order, as a
//! list of numbers: [`CHANNEL_REPORT_FIELDS`] for each [`ChannelReport`]. What must stay true: no method
//! panics or throws for any number; one that is not a whole number from 0 to 2⁵³ names no subscriber.

use napi_derive::napi;
use rustc_hash::FxHashMap;

use super::functions::{Flag, Number};
use crate::protocol::{CHANNEL_REPORT_FIELDS, ChannelReport, NONE, SubscriptionEnd};
use crate::session::subscriptions::{self, End, Options, Overflow, Run, Sink, Slot};

/// The options of a channel; the caller has validated them.
#[napi(object)]
pub struct ChannelOptions {
    /// How many items a subscriber may have that it has not acknowledged.
    pub window: f64,
    /// How many items are kept for those who subscribe later.
    pub history: f64,
    /// How many bytes may be queued for a subscriber.
    pub max_queued_bytes: f64,
    /// What becomes of a subscriber for which more is queued.
    #[napi(ts_type = "'end' | 'latest'")]
    pub overflow: String,
    /// How many milliseconds a subscriber that has used up its window may take to acknowledge while items
    /// wait; `null` for any time.
    #[napi(ts_type = "number | null")]
    pub ack_timeout: Option<f64>,
    /// Whether acknowledged items are reported.
    pub reports_credit: bool,
}

impl From<ChannelOptions> for Options {
    fn from(options: ChannelOptions) -> Self {
        Self {
            window: options.window as u32,
            history: options.history as u32,
            max_queued_bytes: options.max_queued_bytes as u64,
            overflow: match options.overflow.as_str() {
                "latest" => Overflow::Latest,
                _ => Overflow::End,
            },
            ack_timeout: options.ack_timeout.map(|ms| ms as u64),
            reports_credit: options.reports_credit,
        }
    }
}

/// A channel of subscriptions. It only decides; the caller keeps the items and sends them.
#[napi]
pub struct Channel {
    core: subscriptions::Channel<u64, ()>,
    slots: FxHashMap<u64, Slot>,
}

#[napi]
impl Channel {
    /// A channel without items and subscribers.
    #[napi(constructor, catch_unwind)]
    pub fn new(options: ChannelOptions) -> Self {
        Self {
            core: subscriptions::Channel::new(options.into()),
            slots: FxHashMap::default(),
        }
    }

    /// Publishes an item. Its offset must be greater than that of the one before; otherwise, and after
    /// `finish`, nothing happens.
    ///
    /// @returns `ChannelReport`s
    #[napi(catch_unwind)]
    pub fn publish(
        &mut self,
        #[napi(ts_arg_type = "number")] offset: Number,
        #[napi(ts_arg_type = "number")] bytes: Number,
        #[napi(ts_arg_type = "number")] now: Number,
    ) -> Vec<i64> {
        let Some(offset) = offset.name() else {
            return Vec::new();
        };
        let item = std::iter::once((offset, (), bytes.time()));
        self.report(|core, sink| core.publish(item, now.time(), sink))
    }

    /// Adds a subscriber, which gets items from this offset on, or from the first one of the history.
    ///
    /// @returns `ChannelReport`s
    #[napi(catch_unwind)]
    pub fn add(
        &mut self,
        #[napi(ts_arg_type = "number")] subscriber: Number,
        #[napi(ts_arg_type = "number")] from: Number,
        #[napi(ts_arg_type = "number")] now: Number,
    ) -> Vec<i64> {
        let Some(key) = subscriber.name() else {
            return Vec::new();
        };
        if self.slots.contains_key(&key) {
            return Vec::new();
        }
        let Some(slot) = self.core.add(key, from.time()) else {
            return Vec::new();
        };
        self.slots.insert(key, slot);
        self.report(|core, sink| core.start(slot, &key, now.time(), sink))
    }

    /// The client of a subscriber has acknowledged a request.
    ///
    /// @returns `ChannelReport`s
    #[napi(catch_unwind)]
    pub fn acknowledge(
        &mut self,
        #[napi(ts_arg_type = "number")] subscriber: Number,
        #[napi(ts_arg_type = "number")] request: Number,
        #[napi(ts_arg_type = "number")] now: Number,
    ) -> Vec<i64> {
        let (Some((key, slot)), Some(request)) = (self.find(&subscriber), request.whole()) else {
            return Vec::new();
        };
        self.report(|core, sink| core.acknowledge(slot, &key, request, now.time(), sink))
    }

    /// Has the items of a subscriber wait, or no longer.
    ///
    /// @returns `ChannelReport`s
    #[napi(catch_unwind)]
    pub fn hold(
        &mut self,
        #[napi(ts_arg_type = "number")] subscriber: Number,
        #[napi(ts_arg_type = "boolean")] is_held: Flag,
        #[napi(ts_arg_type = "number")] now: Number,
    ) -> Vec<i64> {
        let Some((key, slot)) = self.find(&subscriber) else {
            return Vec::new();
        };
        self.report(|core, sink| core.hold(slot, &key, is_held.is_set(), now.time(), sink))
    }

    /// Removes a subscriber, for which nothing more is reported.
    ///
    /// @returns whether there was one
    #[napi(catch_unwind)]
    pub fn remove(&mut self, #[napi(ts_arg_type = "number")] subscriber: Number) -> bool {
        let Some((key, slot)) = self.find(&subscriber) else {
            return false;
        };
        self.slots.remove(&key);
        self.core.remove(slot, &key)
    }

    /// There are no more items: each subscriber ends once it has been sent all.
    ///
    /// @returns `ChannelReport`s
    #[napi(catch_unwind)]
    pub fn finish(&mut self, #[napi(ts_arg_type = "number")] now: Number) -> Vec<i64> {
        self.report(|core, sink| core.finish(now.time(), sink))
    }

    /// Ends the subscribers that have not acknowledged in time. To be called from time to time while
    /// `needsTick`.
    ///
    /// @returns `ChannelReport`s
    #[napi(catch_unwind)]
    pub fn tick(&mut self, #[napi(ts_arg_type = "number")] now: Number) -> Vec<i64> {
        self.report(|core, sink| core.tick(now.time(), sink))
    }

    /// Whether a subscriber may end because it does not acknowledge in time.
    #[napi(getter, catch_unwind)]
    pub fn needs_tick(&self) -> bool {
        self.core.needs_tick()
    }

    /// How many subscribers there are.
    #[napi(getter, catch_unwind)]
    pub fn size(&self) -> i64 {
        self.core.len() as i64
    }

    /// The offset of the first item that the caller has to keep; items from there on may be delivered.
    #[napi(catch_unwind)]
    pub fn first_kept(&self) -> i64 {
        self.core.first_kept().cast_signed()
    }

    fn find(&self, subscriber: &Number) -> Option<(u64, Slot)> {
        let key = subscriber.name()?;
        self.slots.get(&key).map(|&slot| (key, slot))
    }

    fn report(
        &mut self,
        act: impl FnOnce(&mut subscriptions::Channel<u64, ()>, &mut Reports<'_>),
    ) -> Vec<i64> {
        let mut reports = Reports {
            numbers: Vec::new(),
            slots: &mut self.slots,
        };
        act(&mut self.core, &mut reports);
        reports.numbers
    }
}

/// Writes what a channel decides.
struct Reports<'a> {
    numbers: Vec<i64>,
    slots: &'a mut FxHashMap<u64, Slot>,
}

impl Reports<'_> {
    fn add(&mut self, kind: ChannelReport, subscriber: u64, a: i64, b: i64) {
        let numbers: [i64; CHANNEL_REPORT_FIELDS] = [kind.number(), subscriber.cast_signed(), a, b];
        self.numbers.extend(numbers);
    }
}

impl Sink<u64, ()> for Reports<'_> {
    /// Counted on the native server alone.
    fn skipped(&mut self, _: u64) {}

    fn deliver(&mut self, key: &u64, run: Run<'_, ()>) {
        for (offset, (), request) in run {
            let request = request.map_or(NONE, i64::from);
            self.add(ChannelReport::Deliver, *key, offset.cast_signed(), request);
        }
    }

    fn credit(&mut self, key: &u64, count: u32) {
        self.add(ChannelReport::Credit, *key, count.into(), 0);
    }

    fn ended(&mut self, key: u64, end: End) {
        self.slots.remove(&key);
        let end = match end {
            End::Slow => SubscriptionEnd::Slow,
            End::Finished => SubscriptionEnd::Finished,
        };
        self.add(ChannelReport::Ended, key, end.number(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELIVER: i64 = ChannelReport::Deliver.number();
    const CREDIT: i64 = ChannelReport::Credit.number();
    const ENDED: i64 = ChannelReport::Ended.number();

    const NOTHING: [i64; 0] = [];

    fn n(number: impl Into<f64>) -> Number {
        Number::of(number.into())
    }

    fn channel() -> Channel {
        Channel::new(ChannelOptions {
            window: 2.0,
            history: 1.0,
            max_queued_bytes: 25.0,
            overflow: "end".to_owned(),
            ack_timeout: Some(50.0),
            reports_credit: true,
        })
    }

    #[test]
    fn decisions_of_a_channel_are_reported_as_numbers() {
        let mut channel = channel();
        assert_eq!(channel.publish(n(1), n(10), n(0)), NOTHING);
        assert_eq!(channel.add(n(7), n(1), n(0)), [DELIVER, 7, 1, 1]);
        assert_eq!(
            channel.add(n(7), n(1), n(0)),
            NOTHING,
            "it is there already"
        );
        assert_eq!(channel.publish(n(2), n(10), n(0)), [DELIVER, 7, 2, 2]);
        assert_eq!(channel.publish(n(3), n(10), n(0)), NOTHING);
        assert_eq!((channel.first_kept(), channel.needs_tick()), (3, true));
        assert_eq!(
            channel.acknowledge(n(7), n(2), n(0)),
            [CREDIT, 7, 2, 0, DELIVER, 7, 3, 3]
        );
        assert_eq!(channel.hold(n(7), Flag::of(true), n(0)), NOTHING);
        assert_eq!(channel.publish(n(4), n(10), n(0)), NOTHING);
        assert_eq!(channel.finish(n(0)), NOTHING);
        assert_eq!(
            channel.hold(n(7), Flag::of(false), n(0)),
            [
                DELIVER,
                7,
                4,
                4,
                ENDED,
                7,
                SubscriptionEnd::Finished.number(),
                0
            ]
        );
        assert_eq!(channel.size(), 0);
        assert!(!channel.remove(n(7)));
    }

    #[test]
    fn a_subscriber_that_does_not_acknowledge_in_time_ends() {
        let mut channel = channel();
        channel.add(n(7), n(1), n(0));
        for offset in 1..4 {
            channel.publish(n(offset), n(10), n(offset));
        }
        assert_eq!(channel.tick(n(52)), NOTHING);
        let slow = SubscriptionEnd::Slow.number();
        assert_eq!(channel.tick(n(53)), [ENDED, 7, slow, 0]);
    }

    #[test]
    fn any_number_is_taken() {
        let odd = [
            -1.0,
            0.5,
            1e300,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            9_007_199_254_740_992.0,
        ];
        for odd in odd {
            let mut channel = Channel::new(ChannelOptions {
                window: odd,
                history: odd,
                max_queued_bytes: odd,
                overflow: String::new(),
                ack_timeout: Some(odd),
                reports_credit: true,
            });
            channel.add(n(odd), n(odd), n(odd));
            channel.add(n(1), n(odd), n(odd));
            for offset in [1.0, odd, 2.0, 3.0] {
                channel.publish(n(offset), n(odd), n(odd));
                channel.acknowledge(n(1), n(odd), n(odd));
            }
            channel.acknowledge(n(odd), n(1), n(1));
            channel.hold(n(odd), Flag::of(true), n(odd));
            channel.tick(n(odd));
            channel.finish(n(odd));
            channel.first_kept();
            assert!(!channel.remove(n(odd)));
        }
    }
}
