//! What a channel does, rule by rule.

use super::*;

/// What a channel told its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// To a subscriber: an item, by its offset, and the number of the request that goes with it.
    Item(u64, u64, Option<u32>),
    Credit(u64, u32),
    Ended(u64, End),
}

use Told::{Credit, Ended, Item};

/// Records what a channel tells.
#[derive(Default)]
pub(super) struct Recorder(pub(super) Vec<Told>, pub(super) u64);

impl Sink<u64, ()> for Recorder {
    fn skipped(&mut self, count: u64) {
        self.1 += count;
    }

    fn deliver(&mut self, key: &u64, run: Run<'_, ()>) {
        assert!(run.len() > 0);
        let items = run.map(|(offset, (), request)| Item(*key, offset, request));
        self.0.extend(items);
    }

    fn credit(&mut self, key: &u64, count: u32) {
        self.0.push(Credit(*key, count));
    }

    fn ended(&mut self, key: u64, end: End) {
        self.0.push(Ended(key, end));
    }
}

pub(super) const OPTIONS: Options = Options {
    window: 4,
    history: 0,
    max_queued_bytes: 100,
    overflow: Overflow::End,
    ack_timeout: Some(50),
    reports_credit: false,
};

/// A channel whose items have 10 bytes, and a clock.
struct World {
    channel: Channel<u64, ()>,
    recorder: Recorder,
    offset: u64,
    now: u64,
}

impl World {
    fn new(options: Options) -> Self {
        Self {
            channel: Channel::new(options),
            recorder: Recorder::default(),
            offset: 0,
            now: 1_000,
        }
    }

    fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.recorder.0)
    }

    /// Items as a subscriber got them, without requests.
    fn offsets(&mut self, key: u64) -> Vec<u64> {
        let told = self.told().into_iter();
        told.filter_map(|told| match told {
            Item(to, offset, _) if to == key => Some(offset),
            _ => None,
        })
        .collect()
    }

    fn subscribe(&mut self, key: u64, from: u64) -> Slot {
        let slot = self.channel.add(key, from).unwrap();
        self.channel.start(slot, &key, self.now, &mut self.recorder);
        slot
    }

    fn publish(&mut self, count: u64) {
        let items = (1..=count).map(|n| (self.offset + n, (), 10));
        self.channel.publish(items, self.now, &mut self.recorder);
        self.offset += count;
    }

    fn acknowledge(&mut self, slot: Slot, key: u64, request: u32) {
        self.channel
            .acknowledge(slot, &key, request, self.now, &mut self.recorder);
    }

    fn hold(&mut self, slot: Slot, key: u64, is_held: bool) {
        self.channel
            .hold(slot, &key, is_held, self.now, &mut self.recorder);
    }

    fn finish(&mut self) {
        self.channel.finish(self.now, &mut self.recorder);
    }

    fn tick_after(&mut self, ms: u64) -> Vec<Told> {
        self.now += ms;
        self.channel.tick(self.now, &mut self.recorder);
        self.told()
    }
}

#[test]
fn every_second_half_of_a_window_asks_and_no_more_than_the_window_is_sent() {
    let mut world = World::new(OPTIONS);
    let slot = world.subscribe(7, 1);
    world.publish(6);
    let sent = [
        Item(7, 1, None),
        Item(7, 2, Some(1)),
        Item(7, 3, None),
        Item(7, 4, Some(2)),
    ];
    assert_eq!(world.told(), sent);
    world.acknowledge(slot, 7, 1);
    assert_eq!(world.told(), [Item(7, 5, None), Item(7, 6, Some(3))]);
    assert_eq!(world.channel.kept(), 0);
}

#[test]
fn a_burst_and_single_items_ask_at_the_same_places() {
    for window in 1..8 {
        let options = Options { window, ..OPTIONS };
        let [mut one_by_one, mut burst] = [World::new(options), World::new(options)];
        for world in [&mut one_by_one, &mut burst] {
            world.subscribe(7, 1);
        }
        for _ in 0..9 {
            one_by_one.publish(1);
        }
        burst.publish(9);
        let told = one_by_one.told();
        assert_eq!(told.len(), window as usize);
        assert_eq!(told, burst.told());
    }
}

#[test]
fn a_window_of_one_item_asks_with_each() {
    let options = Options {
        window: 0,
        ..OPTIONS
    };
    let mut world = World::new(options);
    let slot = world.subscribe(7, 1);
    world.publish(2);
    assert_eq!(world.told(), [Item(7, 1, Some(1))]);
    world.acknowledge(slot, 7, 1);
    assert_eq!(world.told(), [Item(7, 2, Some(2))]);
}

#[test]
fn the_acknowledgement_of_a_request_acknowledges_those_before_it_which_then_count_no_more() {
    let mut world = World::new(OPTIONS);
    let slot = world.subscribe(7, 1);
    world.publish(10);
    world.told();
    world.acknowledge(slot, 7, 2);
    assert_eq!(world.offsets(7), [5, 6, 7, 8]);
    for odd in [1, 2, 0, 5, u32::MAX] {
        world.acknowledge(slot, 7, odd);
    }
    world.acknowledge(Slot(9), 7, 3);
    world.acknowledge(slot, 8, 3);
    assert_eq!(world.told(), []);
    world.acknowledge(slot, 7, 3);
    assert_eq!(world.offsets(7), [9, 10]);
}

#[test]
fn credit_is_reported_if_the_host_asks_for_it_before_the_items_that_it_allows() {
    let options = Options {
        reports_credit: true,
        ..OPTIONS
    };
    let mut world = World::new(options);
    let slot = world.subscribe(7, 1);
    world.publish(5);
    world.told();
    world.acknowledge(slot, 7, 2);
    assert_eq!(world.told(), [Credit(7, 4), Item(7, 5, None)]);
    world.acknowledge(slot, 7, 2);
    assert_eq!(world.told(), []);
}

#[test]
fn a_subscriber_gets_the_history_from_an_offset_on_and_no_older_item() {
    let options = Options {
        history: 3,
        window: 32,
        ..OPTIONS
    };
    let mut world = World::new(options);
    world.publish(5);
    assert_eq!((world.channel.kept(), world.channel.first_kept()), (3, 3));
    for (key, from, expected) in [
        (1, 0, vec![3, 4, 5]),
        (2, 4, vec![4, 5]),
        (3, 6, vec![]),
        (4, 99, vec![]),
    ] {
        world.subscribe(key, from);
        assert_eq!(world.offsets(key), expected);
    }
    world.publish(1);
    assert_eq!(world.told().len(), 4);
}

#[test]
fn offsets_may_have_gaps_and_one_that_does_not_grow_is_not_published() {
    let mut world = World::new(Options {
        history: 9,
        ..OPTIONS
    });
    let items = [(5, (), 10), (5, (), 10), (3, (), 10), (9, (), 10)];
    world
        .channel
        .publish(items.into_iter(), 0, &mut world.recorder);
    world.subscribe(7, 6);
    world.subscribe(8, 1);
    assert_eq!(
        world.told(),
        [Item(7, 9, None), Item(8, 5, None), Item(8, 9, Some(1))]
    );
}

#[test]
fn a_subscriber_that_falls_behind_ends_as_slow_once_and_costs_the_others_nothing() {
    let mut world = World::new(OPTIONS);
    let slow = world.subscribe(7, 1);
    let other = world.subscribe(8, 1);
    for round in 0..7 {
        world.publish(2);
        world.acknowledge(other, 8, round + 1);
    }
    assert_eq!(world.channel.kept(), 10);
    let told = world.told();
    assert!(!told.iter().any(|told| matches!(told, Ended(..))));
    world.publish(1);
    assert_eq!(world.told(), [Ended(7, End::Slow), Item(8, 15, None)]);
    world.acknowledge(slow, 7, 1);
    assert!(!world.channel.remove(slow, &7));
    assert_eq!(world.told(), []);
    assert_eq!((world.channel.len(), world.channel.kept()), (1, 0));
}

#[test]
fn a_subscriber_that_wants_the_latest_gets_the_newest_item_and_none_of_those_before() {
    let mut world = World::new(Options {
        overflow: Overflow::Latest,
        ..OPTIONS
    });
    let slot = world.subscribe(7, 1);
    world.publish(15);
    assert_eq!(world.offsets(7), [1, 2, 3, 4]);
    assert_eq!(world.channel.kept(), 1);
    world.acknowledge(slot, 7, 2);
    assert_eq!(world.offsets(7), [15]);
    assert_eq!(world.recorder.1, 10);
}

#[test]
fn items_from_before_a_subscription_do_not_count_as_queued_for_it() {
    let mut world = World::new(Options {
        history: 50,
        ..OPTIONS
    });
    world.publish(50);
    let slot = world.subscribe(7, 1);
    world.publish(10);
    assert_eq!(world.channel.len(), 1);
    world.acknowledge(slot, 7, 2);
    assert_eq!(world.offsets(7), [1, 2, 3, 4, 5, 6, 7, 8]);
    world.publish(1);
    assert_eq!(world.told(), [Ended(7, End::Slow)]);
}

#[test]
fn items_wait_while_a_subscriber_is_held() {
    let mut world = World::new(OPTIONS);
    let slot = world.subscribe(7, 1);
    world.hold(slot, 7, true);
    world.publish(3);
    assert_eq!(world.told(), []);
    world.hold(slot, 7, false);
    assert_eq!(world.offsets(7), [1, 2, 3]);
    world.hold(slot, 8, true);
    world.publish(1);
    assert_eq!(world.offsets(7), [4]);
}

#[test]
fn nothing_is_delivered_to_a_subscriber_that_was_removed() {
    let mut world = World::new(OPTIONS);
    let slot = world.subscribe(7, 1);
    world.publish(9);
    world.told();
    assert!(!world.channel.remove(slot, &8));
    assert!(world.channel.remove(slot, &7));
    world.acknowledge(slot, 7, 1);
    world.publish(1);
    world.finish();
    assert_eq!(world.told(), []);
    assert_eq!((world.channel.len(), world.channel.kept()), (0, 0));
    assert!(!world.channel.needs_tick());
}

#[test]
fn a_channel_that_finishes_delivers_what_is_queued_first() {
    let mut world = World::new(OPTIONS);
    let slot = world.subscribe(7, 1);
    world.publish(5);
    let done = world.subscribe(8, 6);
    world.told();
    world.finish();
    assert_eq!(world.told(), [Ended(8, End::Finished)]);
    world.publish(1);
    world.acknowledge(done, 8, 1);
    world.acknowledge(slot, 7, 1);
    assert_eq!(world.told(), [Item(7, 5, None), Ended(7, End::Finished)]);
    world.subscribe(9, 1);
    assert_eq!(world.told(), [Ended(9, End::Finished)]);
    assert_eq!(world.channel.kept(), 0);
}

#[test]
fn a_subscriber_that_acknowledges_nothing_while_items_wait_ends_after_the_timeout() {
    let mut world = World::new(OPTIONS);
    let slot = world.subscribe(7, 1);
    world.publish(4);
    assert!(!world.channel.needs_tick(), "nothing waits");
    assert_eq!(world.tick_after(1_000).len(), 4);
    world.publish(1);
    assert!(world.channel.needs_tick());
    assert_eq!(world.tick_after(49), []);
    world.acknowledge(slot, 7, 1);
    assert!(!world.channel.needs_tick());
    world.publish(2);
    assert_eq!(world.tick_after(49).len(), 2);
    world.publish(1);
    assert_eq!(world.tick_after(1), [Ended(7, End::Slow)]);
    assert!(!world.channel.needs_tick());
}

#[test]
fn an_acknowledgement_that_lets_only_some_of_what_waits_leave_starts_the_timeout_again() {
    let mut world = World::new(OPTIONS);
    let slot = world.subscribe(7, 1);
    world.publish(10);
    world.tick_after(40);
    world.acknowledge(slot, 7, 1);
    assert_eq!(world.offsets(7), [5, 6]);
    assert_eq!(world.tick_after(49), []);
    assert_eq!(world.tick_after(1), [Ended(7, End::Slow)]);
}

#[test]
fn without_a_timeout_a_subscriber_may_take_any_time() {
    let mut world = World::new(Options {
        ack_timeout: None,
        ..OPTIONS
    });
    world.subscribe(7, 1);
    world.publish(5);
    world.told();
    assert!(!world.channel.needs_tick());
    assert_eq!(world.tick_after(u64::MAX / 2), []);
}

#[test]
fn a_channel_that_is_closed_holds_nothing_and_tells_no_end() {
    let mut world = World::new(OPTIONS);
    let slot = world.subscribe(7, 1);
    world.publish(9);
    world.told();
    let left: Vec<_> = world.channel.close().collect();
    assert_eq!(left, [7]);
    world.acknowledge(slot, 7, 1);
    world.publish(1);
    assert_eq!(world.tick_after(1_000), []);
    assert_eq!((world.channel.len(), world.channel.kept()), (0, 0));
}
