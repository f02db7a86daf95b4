//! What stays true for every sequence of operations, compared with a model that is written without regard
//! to cost: every subscriber has a queue of its own.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::tests::{OPTIONS, Recorder, Told};
use super::*;

const BYTES: u64 = 10;

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    /// Publishes items, each this much greater in offset than the one before.
    Publish(Vec<u64>),
    /// Subscribes from an offset this much before the next one.
    Subscribe(u64),
    /// `pick` chooses among the subscribers there have been, counted back from the last.
    Hold(usize, bool),
    Remove(usize),
    /// Acknowledges a request, counted back from the last one.
    Acknowledge(usize, u32),
    Tick,
    Finish,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pick = || prop_oneof![3 => 0..2usize, 1 => 0..9usize];
    let gaps = prop::collection::vec(prop_oneof![9 => Just(1u64), 1 => 0..4u64], 1..6);
    let step = prop_oneof![
        3 => (0..30u64).prop_map(Step::Wait),
        10 => gaps.prop_map(Step::Publish),
        4 => (0..9u64).prop_map(Step::Subscribe),
        2 => (pick(), any::<bool>()).prop_map(|(pick, is_held)| Step::Hold(pick, is_held)),
        1 => pick().prop_map(Step::Remove),
        12 => (pick(), prop_oneof![4 => 0..2u32, 1 => 0..6u32])
            .prop_map(|(pick, back)| Step::Acknowledge(pick, back)),
        2 => Just(Step::Tick),
    ];
    let finish = prop::option::weighted(0.3, Just(Step::Finish));
    (prop::collection::vec(step, 0..120), finish, 0..120usize).prop_map(
        |(mut steps, finish, at)| {
            if let Some(finish) = finish {
                steps.insert(at.min(steps.len()), finish);
            }
            steps
        },
    )
}

fn options() -> impl Strategy<Value = Options> {
    (1..8u32, 0..6u32, 0..12u64, any::<bool>(), any::<bool>()).prop_map(
        |(window, history, items, latest, reports_credit)| Options {
            window,
            history,
            max_queued_bytes: items * BYTES,
            overflow: if latest {
                Overflow::Latest
            } else {
                Overflow::End
            },
            reports_credit,
            ..OPTIONS
        },
    )
}

/// A subscriber of the model.
struct Modelled {
    key: u64,
    slot: Slot,
    /// Items to send, and whether each counts as queued.
    queue: VecDeque<(u64, bool)>,
    /// Items that are sent and not acknowledged, with their requests.
    sent: Vec<Option<u32>>,
    since_request: u32,
    requests: u32,
    is_held: bool,
    is_over: bool,
    stalled_since: Option<u64>,
}

struct Model {
    options: Options,
    channel: Channel<u64, ()>,
    history: VecDeque<u64>,
    subscribers: Vec<Modelled>,
    is_finished: bool,
    offset: u64,
    now: u64,
}

impl Model {
    fn new(options: Options) -> Self {
        Self {
            options,
            channel: Channel::new(options),
            history: VecDeque::new(),
            subscribers: Vec::new(),
            is_finished: false,
            offset: 0,
            now: 0,
        }
    }

    /// Sends what a subscriber may get.
    fn send(&mut self, index: usize, told: &mut Vec<Told>) {
        let (options, now, is_finished) = (self.options, self.now, self.is_finished);
        let it = &mut self.subscribers[index];
        if it.is_over {
            return;
        }
        while !it.is_held && it.sent.len() < options.window as usize {
            let Some((offset, _)) = it.queue.pop_front() else {
                break;
            };
            it.since_request += 1;
            let asks = it.since_request == options.window.div_ceil(2);
            if asks {
                it.since_request = 0;
                it.requests += 1;
            }
            let request = asks.then_some(it.requests);
            it.sent.push(request);
            told.push(Told::Item(it.key, offset, request));
        }
        let is_stalled = !it.queue.is_empty() && it.sent.len() == options.window as usize;
        it.stalled_since = is_stalled.then(|| it.stalled_since.unwrap_or(now));
        if is_finished && it.queue.is_empty() {
            it.is_over = true;
            told.push(Told::Ended(it.key, End::Finished));
        }
    }

    fn publish(&mut self, gaps: &[u64], recorder: &mut Recorder, told: &mut Vec<Told>) {
        let first = self.offset;
        let offsets: Vec<_> = gaps
            .iter()
            .scan(first, |offset, gap| {
                *offset = (*offset + gap).max(1);
                Some(*offset)
            })
            .collect();
        let items = offsets.iter().map(|&offset| (offset, (), BYTES));
        self.channel.publish(items, self.now, recorder);
        if self.is_finished {
            return;
        }
        for offset in offsets {
            if offset > self.offset {
                self.offset = offset;
                self.history.push_back(offset);
                let live = self.subscribers.iter_mut().filter(|it| !it.is_over);
                live.for_each(|it| it.queue.push_back((offset, true)));
            }
        }
        while self.history.len() > self.options.history as usize {
            self.history.pop_front();
        }
        for index in 0..self.subscribers.len() {
            self.send(index, told);
            let it = &mut self.subscribers[index];
            let queued = it.queue.iter().filter(|(_, counts)| *counts).count() as u64 * BYTES;
            if it.is_over || self.offset == first || queued <= self.options.max_queued_bytes {
                continue;
            }
            if self.options.overflow == Overflow::Latest {
                it.queue.drain(..it.queue.len() - 1);
            } else {
                it.is_over = true;
                told.push(Told::Ended(it.key, End::Slow));
            }
        }
    }

    fn acknowledge(
        &mut self,
        index: usize,
        back: u32,
        recorder: &mut Recorder,
        told: &mut Vec<Told>,
    ) {
        let it = &mut self.subscribers[index];
        let request = it.requests.wrapping_sub(back);
        self.channel
            .acknowledge(it.slot, &it.key, request, self.now, recorder);
        let Some(at) = it.sent.iter().position(|sent| *sent == Some(request)) else {
            return;
        };
        if it.is_over {
            return;
        }
        it.sent.drain(..=at);
        it.stalled_since = None;
        if self.options.reports_credit {
            told.push(Told::Credit(it.key, at as u32 + 1));
        }
        self.send(index, told);
    }

    /// Plays a step in the channel and in the model; returns what each tells, by subscriber.
    fn play(&mut self, step: &Step) -> (Vec<Told>, Vec<Told>) {
        let mut recorder = Recorder::default();
        let mut told = Vec::new();
        let pick = |pick: usize| self.subscribers.len().checked_sub(1 + pick);
        match *step {
            Step::Wait(ms) => self.now += ms,
            Step::Publish(ref gaps) => self.publish(gaps, &mut recorder, &mut told),
            Step::Subscribe(back) => {
                let from = (self.offset + 1).saturating_sub(back);
                let key = self.subscribers.len() as u64;
                let slot = self.channel.add(key, from).unwrap();
                let old = self.history.iter().filter(|&&offset| offset >= from);
                self.subscribers.push(Modelled {
                    key,
                    slot,
                    queue: old.map(|&offset| (offset, false)).collect(),
                    sent: Vec::new(),
                    since_request: 0,
                    requests: 0,
                    is_held: false,
                    is_over: false,
                    stalled_since: None,
                });
                self.channel.start(slot, &key, self.now, &mut recorder);
                self.send(self.subscribers.len() - 1, &mut told);
            }
            Step::Hold(back, is_held) => {
                if let Some(index) = pick(back) {
                    let it = &mut self.subscribers[index];
                    it.is_held = is_held;
                    self.channel
                        .hold(it.slot, &it.key, is_held, self.now, &mut recorder);
                    self.send(index, &mut told);
                }
            }
            Step::Remove(back) => {
                if let Some(index) = pick(back) {
                    let it = &mut self.subscribers[index];
                    let was_there = !std::mem::replace(&mut it.is_over, true);
                    assert_eq!(self.channel.remove(it.slot, &it.key), was_there);
                }
            }
            Step::Acknowledge(subscriber, back) => {
                if let Some(index) = pick(subscriber) {
                    self.acknowledge(index, back, &mut recorder, &mut told);
                }
            }
            Step::Tick => {
                self.channel.tick(self.now, &mut recorder);
                let timeout = self.options.ack_timeout.unwrap();
                for it in self.subscribers.iter_mut().filter(|it| !it.is_over) {
                    if it
                        .stalled_since
                        .is_some_and(|since| since + timeout <= self.now)
                    {
                        it.is_over = true;
                        told.push(Told::Ended(it.key, End::Slow));
                    }
                }
            }
            Step::Finish => {
                self.is_finished = true;
                self.channel.finish(self.now, &mut recorder);
                (0..self.subscribers.len()).for_each(|index| self.send(index, &mut told));
            }
        }
        // The order among subscribers is not promised.
        let by_key = |told: &Told| match *told {
            Told::Item(key, ..) | Told::Credit(key, _) | Told::Ended(key, _) => key,
        };
        recorder.0.sort_by_key(by_key);
        told.sort_by_key(by_key);
        (recorder.0, told)
    }

    /// What is kept, and whether ticks are needed.
    fn check_what_is_kept(&self) {
        let live = || self.subscribers.iter().filter(|it| !it.is_over);
        let needed = live().map(|it| it.queue.len()).max().unwrap_or(0);
        let kept = self.channel.kept();
        assert_eq!(kept, needed.max(self.history.len()));
        let counted = usize::try_from(self.options.max_queued_bytes / BYTES).unwrap();
        assert!(kept <= self.options.history as usize + counted.max(1));
        assert_eq!(self.channel.len(), live().count());
        let is_stalled = live().any(|it| it.stalled_since.is_some());
        assert_eq!(self.channel.needs_tick(), is_stalled);
    }
}

proptest! {
    #[test]
    fn a_channel_does_what_the_model_does(options in options(), steps in steps()) {
        let mut model = Model::new(options);
        for step in &steps {
            let (told, expected) = model.play(step);
            prop_assert_eq!(told, expected, "at {:?}", step);
            model.check_what_is_kept();
        }
    }

    #[test]
    fn every_subscriber_gets_items_in_order_within_its_window_and_ends_at_most_once(
        options in options(),
        steps in steps(),
    ) {
        let mut model = Model::new(options);
        let mut unacknowledged = Vec::<u32>::new();
        let mut last = Vec::<u64>::new();
        let mut ends = Vec::<u32>::new();
        for step in &steps {
            let (told, _) = model.play(step);
            let count = model.subscribers.len();
            unacknowledged.resize(count, 0);
            last.resize(count, 0);
            ends.resize(count, 0);
            for told in told {
                match told {
                    Told::Item(key, offset, _) => {
                        let index = key as usize;
                        prop_assert!(offset > last[index]);
                        last[index] = offset;
                        unacknowledged[index] += 1;
                        prop_assert_eq!(ends[index], 0);
                        prop_assert!(!model.subscribers[index].is_held);
                    }
                    Told::Credit(..) => {}
                    Told::Ended(key, _) => {
                        ends[key as usize] += 1;
                        prop_assert_eq!(ends[key as usize], 1);
                    }
                }
            }
            for (index, it) in model.subscribers.iter().enumerate() {
                prop_assert!(it.sent.len() <= options.window as usize);
                prop_assert!(it.sent.len() as u32 <= unacknowledged[index]);
            }
        }
    }

    #[test]
    fn nothing_is_held_after_the_last_subscriber_but_the_history(
        options in options(),
        steps in steps(),
    ) {
        let mut model = Model::new(options);
        for step in &steps {
            model.play(step);
        }
        for it in &model.subscribers {
            model.channel.remove(it.slot, &it.key);
        }
        prop_assert_eq!(model.channel.len(), 0);
        prop_assert_eq!(model.channel.kept(), model.history.len());
        prop_assert!(!model.channel.needs_tick());
        prop_assert_eq!(model.channel.close().count(), 0);
        prop_assert_eq!(model.channel.kept(), 0);
    }
}
