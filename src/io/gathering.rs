//! Decides by trial whether messages gather for a moment before they are read.
//!
//! Each read costs system calls, and often a wake-up. A thread that waits for some tens of microseconds finds
//! several messages, which then share both. Clients that send on a schedule do not notice; those that send again
//! as soon as they are answered may be slowed down, or may gain, since more of a core is left to them. That
//! depends on the clients, the cores and the application, so it is measured: for a moment, gathering takes turns
//! with reading at once, and it is kept for a while if as many messages come with it (docs/performance.md).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::as_nanos;

/// How long messages gather.
pub(crate) const GATHERING_TIME: Duration = Duration::from_micros(70);

/// The period in which messages are counted.
const PHASE: Duration = Duration::from_millis(10);
/// In which phases of a trial messages gather: as often as not, and no earlier or later on average.
const PATTERN: [bool; 8] = [false, true, true, false, true, false, false, true];
/// The fewest messages in a [`PHASE`] for which it is tried: 30,000 a second.
const MIN_MESSAGES: u64 = 300;
/// It is kept if this share of the messages without it still comes, in per cent. It saves CPU time, so it need
/// not bring more messages: phases differ by some per cent for other reasons.
const MIN_SHARE: u64 = 95;
/// A trial ends at once at a share below this one, in per cent.
const MIN_EARLY_SHARE: u64 = 80;
/// The time to the next trial after one that has succeeded. It is doubled for each failure in a row, up to
/// [`MAX_DOUBLINGS`].
const TRIAL_INTERVAL: Duration = Duration::from_secs(1);
/// How often the time to the next trial is doubled at most.
const MAX_DOUBLINGS: u32 = 3;

/// Whether messages gather, and the trial under way.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    is_on: AtomicBool,
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
    /// How many trials have failed since one that has succeeded, up to [`MAX_DOUBLINGS`].
    failures: u32,
    /// When the next trial begins, in nanoseconds.
    next_trial: u64,
}

/// The phases of a trial that are over.
#[derive(Debug, Clone, Copy, Default)]
struct Trial {
    phase: usize,
    with: Count,
    without: Count,
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

    /// Whether its rate is at least this share of that of another count, in per cent.
    fn has_share(self, percent: u64, of: Self) -> bool {
        let rate = |messages: u64, nanos: u64| u128::from(messages) * u128::from(nanos);
        rate(self.messages, of.nanos) * 100 >= rate(of.messages, self.nanos) * u128::from(percent)
    }
}

impl Gathering {
    /// Whether messages gather now.
    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Records a poll, with the time and the number of all messages that have come so far.
    pub(super) fn polled(&self, now: u64, messages: u64) {
        if now < self.phase_end.load(Ordering::Relaxed) {
            return;
        }
        let state = &mut *self.state.lock();
        let lasted = now.saturating_sub(state.began).max(1);
        let count = messages.saturating_sub(state.messages);
        (state.began, state.messages) = (now, messages);
        let is_on = state.next(now, count, lasted, self.is_on());
        self.is_on.store(is_on, Ordering::Relaxed);
        let end = now.saturating_add(as_nanos(PHASE));
        self.phase_end.store(end, Ordering::Relaxed);
    }
}

impl State {
    /// Whether messages gather in the phase that begins now. In the last one, so many came.
    fn next(&mut self, now: u64, messages: u64, lasted: u64, is_on: bool) -> bool {
        if messages * as_nanos(PHASE) < MIN_MESSAGES * lasted {
            if is_on {
                // Perhaps too few because they gathered.
                self.end_trial(now, false);
            }
            self.trial = None;
            return false;
        }
        let Some(trial) = &mut self.trial else {
            if now < self.next_trial {
                return is_on;
            }
            self.trial = Some(Trial::default());
            return PATTERN[0];
        };
        let count = match is_on {
            true => &mut trial.with,
            false => &mut trial.without,
        };
        count.add(messages, lasted);
        trial.phase += 1;
        if is_on && !trial.with.has_share(MIN_EARLY_SHARE, trial.without) {
            return self.end_trial(now, false);
        }
        if let Some(&is_on) = PATTERN.get(trial.phase) {
            return is_on;
        }
        let pays = trial.with.has_share(MIN_SHARE, trial.without);
        self.end_trial(now, pays)
    }

    /// Ends a trial. Returns whether it has succeeded.
    fn end_trial(&mut self, now: u64, has_succeeded: bool) -> bool {
        self.failures = match has_succeeded {
            true => 0,
            false => (self.failures + 1).min(MAX_DOUBLINGS),
        };
        self.trial = None;
        self.next_trial = now.saturating_add(as_nanos(TRIAL_INTERVAL) << self.failures);
        has_succeeded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has messages come for four seconds, so many a second with and without gathering. Returns for which share
    /// of the last two they gathered.
    fn share_of(rate: impl Fn(bool) -> u64) -> f64 {
        let gathering = Gathering::default();
        let (mut now, mut messages) = (as_nanos(Duration::from_secs(60)), 0);
        let (mut with, mut polls) = (0, 0);
        for round in 0..40_000 {
            now += 100_000;
            messages += rate(gathering.is_on()) / 10_000;
            gathering.polled(now, messages);
            if round >= 20_000 {
                polls += 1;
                with += u32::from(gathering.is_on());
            }
        }
        f64::from(with) / f64::from(polls)
    }

    #[test]
    fn messages_on_a_schedule_gather_at_a_high_rate_only() {
        assert!(share_of(|_| 40_000) > 0.9);
        assert_eq!(share_of(|_| 20_000), 0.0);
    }

    #[test]
    fn messages_gather_if_more_of_them_come_then() {
        assert!(share_of(|gathers| if gathers { 200_000 } else { 150_000 }) > 0.9);
    }

    #[test]
    fn messages_of_clients_that_are_slowed_down_do_not_gather() {
        let slowed = share_of(|gathers| if gathers { 90_000 } else { 100_000 });
        assert!(slowed < 0.1, "{slowed}");
        let clearly = share_of(|gathers| if gathers { 40_000 } else { 90_000 });
        assert!(clearly < 0.02, "{clearly}");
        let below_the_minimum = share_of(|gathers| if gathers { 10_000 } else { 90_000 });
        assert!(below_the_minimum < 0.02, "{below_the_minimum}");
    }

    #[test]
    fn messages_stop_gathering_when_they_become_few() {
        let gathering = Gathering::default();
        let (mut now, mut messages) = (as_nanos(Duration::from_secs(60)), 0);
        let mut poll = |after: Duration, count: u64| {
            now += as_nanos(after);
            messages += count;
            gathering.polled(now, messages);
            gathering.is_on()
        };
        while !(0..400).all(|_| poll(Duration::from_micros(100), 10)) {}
        assert!(!poll(Duration::from_secs(3), 1));
        assert!((0..100).all(|_| !poll(Duration::from_millis(1), 1)));
    }
}
