//! Finds out by trial what serves clients faster at a high rate.
//!
//! Whether messages should gather for a moment before they are read, and whether one thread should do
//! everything, depends on the clients, the cores and the application. So it is measured: for a moment, each way
//! takes turns with its opposite, and it is kept for a while if enough messages come with it
//! (docs/performance.md).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::as_nanos;

/// How long messages gather.
pub(crate) const GATHERING_TIME: Duration = Duration::from_micros(70);

/// A way to serve clients that is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Messages gather before they are read. Each read costs system calls, and often a wake-up; a thread that
    /// waits for some tens of microseconds finds several messages, which then share both. Clients that send on
    /// a schedule do not notice; those that send again as soon as they are answered may be slowed down.
    Gather,
    /// JavaScript's thread reads, calls the handlers and writes the answers, although the load is not light.
    /// On few cores, a second thread may cost more in wake-ups, and in time that other processes need, than it
    /// adds.
    OneThread,
}

const WAYS: [Way; 2] = [Way::OneThread, Way::Gather];

/// When a way is tried, and kept.
struct Rules {
    /// The period in which messages are counted.
    phase: Duration,
    /// It is kept if this share of the messages without it still comes, in per cent.
    min_share: u64,
    /// A trial ends at once at a share below this one, in per cent.
    min_early_share: u64,
    /// How often the phases of [`PATTERN`] are repeated at most, while it is uncertain whether it pays.
    max_rounds: u64,
    /// The time to the next trial after one that has succeeded. It is doubled for each failure in a row, up to
    /// [`MAX_DOUBLINGS`].
    interval: Duration,
}

impl Way {
    const fn rules(self) -> Rules {
        match self {
            // It saves CPU time, so it need not bring more messages: phases differ by some per cent for other
            // reasons.
            Self::Gather => Rules {
                phase: Duration::from_millis(10),
                min_share: 95,
                min_early_share: 80,
                max_rounds: 1,
                interval: Duration::from_secs(1),
            },
            // It takes time of JavaScript's thread, so it has to bring more messages.
            Self::OneThread => Rules {
                phase: Duration::from_millis(20),
                min_share: 104,
                min_early_share: 60,
                max_rounds: 6,
                interval: Duration::from_secs(4),
            },
        }
    }
}

/// In which phases of a trial its way is on: as often as not, and no earlier or later on average.
const PATTERN: [bool; 8] = [false, true, true, false, true, false, false, true];
/// By which the share of a single round may be wrong, in per cent: with both cores busy, it depends on which
/// thread had one. That of two rounds may be wrong by half as much, and so on.
const UNCERTAINTY: u64 = 20;
/// How often the time to the next trial is doubled at most.
const MAX_DOUBLINGS: u32 = 3;
/// The shortest phase.
const MIN_PHASE: Duration = Duration::from_millis(10);
/// The fewest messages in [`MIN_PHASE`] for which anything is tried: 30,000 a second.
const MIN_MESSAGES: u64 = 300;

/// The ways that are on, and the trial under way.
#[derive(Debug, Default)]
pub(super) struct Trials {
    is_on: [AtomicBool; WAYS.len()],
    /// When the current phase ends, in nanoseconds.
    phase_end: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the current phase began, in nanoseconds.
    began: u64,
    /// The messages that had come when it began.
    messages: u64,
    trial: Option<Trial>,
    /// How many trials of each way have failed since one that has succeeded, up to [`MAX_DOUBLINGS`].
    failures: [u32; WAYS.len()],
    /// When each way is tried next, in nanoseconds.
    next_trial: [u64; WAYS.len()],
}

/// The phases of a trial that are over.
#[derive(Debug, Clone, Copy)]
struct Trial {
    way: Way,
    phase: usize,
    with: Count,
    without: Count,
}

impl Trial {
    fn of(way: Way) -> Self {
        Self {
            way,
            phase: 0,
            with: Count::default(),
            without: Count::default(),
        }
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    messages: u64,
    nanos: u64,
}

impl Count {
    fn add(&mut self, messages: u64, nanos: u64) {
        self.messages += messages;
        self.nanos += nanos;
    }

    /// Its rate as a share of that of another count, in per cent.
    fn share(self, of: Self) -> u64 {
        let with = u128::from(self.messages) * u128::from(of.nanos);
        let without = u128::from(of.messages) * u128::from(self.nanos);
        let share = with * 100 / without.max(1);
        u64::try_from(share).unwrap_or(u64::MAX)
    }
}

impl Trials {
    /// Whether clients are served in this way now.
    pub(super) fn is_on(&self, way: Way) -> bool {
        self.is_on[way as usize].load(Ordering::Relaxed)
    }

    fn set_on(&self, way: Way, is_on: bool) {
        self.is_on[way as usize].store(is_on, Ordering::Relaxed);
    }

    /// Records a poll, with the time and the number of all messages that have come so far. `may_try` says
    /// whether a trial of a way may begin.
    pub(super) fn polled(&self, now: u64, messages: u64, may_try: impl Fn(Way) -> bool) {
        if now < self.phase_end.load(Ordering::Relaxed) {
            return;
        }
        let state = &mut *self.state.lock();
        let lasted = now.saturating_sub(state.began).max(1);
        let count = messages.saturating_sub(state.messages);
        (state.began, state.messages) = (now, messages);
        let is_due = |way: &Way| now >= state.next_trial[*way as usize] && may_try(*way);
        if count * as_nanos(MIN_PHASE) < MIN_MESSAGES * lasted {
            self.end_all(state, now);
        } else if let Some(trial) = state.trial {
            self.go_on(state, trial, now, count, lasted);
        } else if let Some(way) = WAYS.into_iter().find(is_due) {
            state.trial = Some(Trial::of(way));
            self.set_on(way, PATTERN[0]);
        }
        let phase = match state.trial {
            Some(trial) => trial.way.rules().phase,
            None => MIN_PHASE,
        };
        self.phase_end
            .store(now.saturating_add(as_nanos(phase)), Ordering::Relaxed);
    }

    /// A phase of a trial is over, in which so many messages came.
    fn go_on(&self, state: &mut State, mut trial: Trial, now: u64, messages: u64, lasted: u64) {
        let way = trial.way;
        let rules = way.rules();
        let is_on = self.is_on(way);
        let count = match is_on {
            true => &mut trial.with,
            false => &mut trial.without,
        };
        count.add(messages, lasted);
        trial.phase += 1;
        let share = trial.with.share(trial.without);
        if is_on && share < rules.min_early_share {
            self.keep(state, way, false, now);
            return;
        }
        let round = (trial.phase / PATTERN.len()) as u64;
        if trial.phase.is_multiple_of(PATTERN.len()) {
            let uncertainty = match round < rules.max_rounds {
                true => UNCERTAINTY / round,
                false => 0,
            };
            if share.abs_diff(rules.min_share) >= uncertainty {
                self.keep(state, way, share >= rules.min_share, now);
                return;
            }
        }
        state.trial = Some(trial);
        self.set_on(way, PATTERN[trial.phase % PATTERN.len()]);
    }

    /// Keeps a way on or off until it is tried next.
    fn keep(&self, state: &mut State, way: Way, is_on: bool, now: u64) {
        let failures = &mut state.failures[way as usize];
        *failures = match is_on {
            true => 0,
            false => (*failures + 1).min(MAX_DOUBLINGS),
        };
        let interval = as_nanos(way.rules().interval) << *failures;
        state.trial = state.trial.filter(|trial| trial.way != way);
        state.next_trial[way as usize] = now.saturating_add(interval);
        self.set_on(way, is_on);
    }

    /// Too few messages come.
    fn end_all(&self, state: &mut State, now: u64) {
        state.trial = None;
        for way in WAYS {
            if self.is_on(way) {
                // Perhaps because of it.
                self.keep(state, way, false, now);
            }
        }
    }

    /// Ends a way that cannot be kept up.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(super) fn give_up(&self, way: Way, now: u64) {
        self.keep(&mut self.state.lock(), way, false, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(way: Way, rate: impl Fn(bool) -> u64) -> f64 {
        share_of(way, |trials| rate(trials.is_on(way)), |tried| tried == way)
    }

    /// Has messages come for four seconds, so many a second as `rate` says. Returns for which share of the last
    /// two a way was on.
    fn share_of(
        way: Way,
        rate: impl Fn(&Trials) -> u64,
        may_try: impl Fn(Way) -> bool + Copy,
    ) -> f64 {
        let trials = Trials::default();
        let (mut now, mut messages) = (as_nanos(Duration::from_secs(60)), 0);
        let (mut with, mut polls) = (0, 0);
        for round in 0..40_000 {
            now += 100_000;
            messages += rate(&trials) / 10_000;
            trials.polled(now, messages, may_try);
            if round >= 20_000 {
                polls += 1;
                with += u32::from(trials.is_on(way));
            }
        }
        f64::from(with) / f64::from(polls)
    }

    #[test]
    fn messages_on_a_schedule_gather_at_a_high_rate_only() {
        assert!(trials(Way::Gather, |_| 40_000) > 0.9);
        assert_eq!(trials(Way::Gather, |_| 20_000), 0.0);
    }

    #[test]
    fn a_way_is_kept_if_more_messages_come_with_it() {
        for way in WAYS {
            let share = trials(way, |is_on| if is_on { 200_000 } else { 150_000 });
            assert!(share > 0.9, "{way:?}: {share}");
        }
    }

    #[test]
    fn a_way_that_slows_clients_down_is_not_kept() {
        for way in WAYS {
            let slowed = trials(way, |is_on| if is_on { 90_000 } else { 100_000 });
            assert!(slowed < 0.1, "{way:?}: {slowed}");
            let clearly = trials(way, |is_on| if is_on { 40_000 } else { 90_000 });
            assert!(clearly < 0.02, "{way:?}: {clearly}");
            let below_the_minimum = trials(way, |is_on| if is_on { 10_000 } else { 90_000 });
            assert!(below_the_minimum < 0.02, "{way:?}: {below_the_minimum}");
        }
    }

    #[test]
    fn one_thread_is_not_enough_if_it_brings_no_more_messages() {
        let share = trials(
            Way::OneThread,
            |is_on| if is_on { 102_000 } else { 100_000 },
        );
        assert!(share < 0.1, "{share}");
    }

    #[test]
    fn each_way_is_judged_for_itself() {
        let rate = |trials: &Trials| match (trials.is_on(Way::Gather), trials.is_on(Way::OneThread))
        {
            (false, false) => 100_000,
            (true, false) => 80_000,
            (false, true) => 120_000,
            (true, true) => 96_000,
        };
        assert!(share_of(Way::OneThread, rate, |_| true) > 0.9);
        assert!(share_of(Way::Gather, rate, |_| true) < 0.1);
    }

    #[test]
    fn a_way_that_may_not_be_tried_stays_off() {
        let rate = |trials: &Trials| 100_000 + 50_000 * u64::from(trials.is_on(Way::OneThread));
        let share = share_of(Way::OneThread, rate, |way| way != Way::OneThread);
        assert_eq!(share, 0.0);
    }

    /// Trials of a way that is on, with what has polls follow each other.
    fn kept(way: Way) -> (Trials, impl FnMut(&Trials, Duration, u64) -> bool) {
        let trials = Trials::default();
        let (mut now, mut messages) = (as_nanos(Duration::from_secs(60)), 0);
        let mut poll = move |trials: &Trials, after: Duration, count: u64| {
            now += as_nanos(after);
            messages += count + 2 * u64::from(trials.is_on(way));
            trials.polled(now, messages, |tried| tried == way);
            trials.is_on(way)
        };
        let short = Duration::from_micros(100);
        while !(0..400).all(|_| poll(&trials, short, 10)) {}
        (trials, poll)
    }

    #[test]
    fn a_way_ends_when_messages_become_few() {
        for way in WAYS {
            let (trials, mut poll) = kept(way);
            assert!(!poll(&trials, Duration::from_secs(3), 1));
            assert!((0..100).all(|_| !poll(&trials, Duration::from_millis(1), 1)));
        }
    }

    #[test]
    fn a_way_that_is_given_up_is_off_for_a_while() {
        for way in WAYS {
            let (trials, mut poll) = kept(way);
            let now = trials.state.lock().began;
            trials.give_up(way, now);
            let short = Duration::from_micros(100);
            assert!((0..20_000).all(|_| !poll(&trials, short, 10)));
            assert!((0..400_000).any(|_| poll(&trials, short, 10)));
        }
    }
}
