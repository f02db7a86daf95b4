//! Whether one thread does everything for clients on few cores: JavaScript's thread reads, calls the handlers
//! and writes the answers, although the load is not [light](super::light_load). Only Linux can do so.
//!
//! While a second thread reads and writes, each batch is handed over twice, which wakes a thread that needs a
//! core. Clients on the same cores need them, too. If all that the process does fits in one core, and its reads
//! find several messages each, then the hand-overs cost more than the second thread gains
//! (docs/performance.md).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::as_nanos;

/// The shortest period that is judged.
const PERIOD: Duration = Duration::from_millis(100);
/// The fewest messages a second: below, there are few wake-ups to save.
const MIN_RATE: u64 = 30_000;
/// The fewest messages in ten reads. With single messages, system calls cost the most, which two threads share:
/// one thread had 0.91 of the calls of two at 50 and 500 clients with one call each.
const MIN_BATCH: u64 = 20;
/// One thread begins to do everything if the process takes at most this share of a core, in per cent.
const MAX_SHARE: u64 = 80;
/// It goes on up to this share, in per cent: beyond it, two threads do more.
const MAX_SHARE_TO_GO_ON: u64 = 95;
/// After it has ended, it does not begin again for so long.
const PAUSE: Duration = Duration::from_secs(1);

/// Decides whether one thread does everything, period by period.
#[derive(Debug, Default)]
pub(super) struct OneThread {
    is_on: AtomicBool,
    /// When the current period ends, in nanoseconds.
    period_end: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The totals when the current period began.
    began: Totals,
    /// Until when it may not begin, in nanoseconds.
    pause_end: u64,
}

/// What has been counted until now.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Totals {
    /// The time of the clock, in nanoseconds.
    pub(super) time: u64,
    /// The CPU time of the process, in nanoseconds.
    pub(super) cpu_time: u64,
    pub(super) messages: u64,
    pub(super) reads: u64,
}

impl Totals {
    fn since(self, earlier: Self) -> Self {
        Self {
            time: self.time.saturating_sub(earlier.time),
            cpu_time: self.cpu_time.saturating_sub(earlier.cpu_time),
            messages: self.messages.saturating_sub(earlier.messages),
            reads: self.reads.saturating_sub(earlier.reads),
        }
    }

    /// Whether one thread is enough for what this period had.
    fn suits_one_thread(self, max_share: u64) -> bool {
        let rate = u128::from(self.messages) * u128::from(as_nanos(Duration::from_secs(1)));
        rate >= u128::from(MIN_RATE) * u128::from(self.time)
            && self.messages * 10 >= self.reads * MIN_BATCH
            && self.cpu_time.saturating_mul(100) <= self.time * max_share
    }
}

impl OneThread {
    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Whether it is time to [judge](Self::judge) a period.
    pub(super) fn is_due(&self, now: u64) -> bool {
        now >= self.period_end.load(Ordering::Relaxed)
    }

    /// Judges the period that ends now.
    pub(super) fn judge(&self, totals: Totals) {
        let state = &mut *self.state.lock();
        let now = totals.time;
        let period = totals.since(state.began);
        state.began = totals;
        let period_end = now.saturating_add(as_nanos(PERIOD));
        self.period_end.store(period_end, Ordering::Relaxed);
        let was_on = self.is_on();
        let is_on = match was_on {
            true => period.suits_one_thread(MAX_SHARE_TO_GO_ON),
            false => now >= state.pause_end && period.suits_one_thread(MAX_SHARE),
        };
        if was_on && !is_on {
            state.pause_end = now.saturating_add(as_nanos(PAUSE));
        }
        self.is_on.store(is_on, Ordering::Relaxed);
    }

    /// Ends it, since the thread is too busy with other things.
    pub(super) fn give_up(&self, now: u64) {
        let state = &mut *self.state.lock();
        if self.is_on.swap(false, Ordering::Relaxed) {
            state.pause_end = now.saturating_add(as_nanos(PAUSE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIODS_OF_A_SECOND: u32 = 10;

    /// A process whose load is judged.
    #[derive(Default)]
    struct Process {
        one_thread: OneThread,
        totals: Totals,
    }

    impl Process {
        /// Lets a period pass with this rate of messages, messages in ten reads, and share of a core. Returns
        /// whether one thread does everything in the next one.
        fn period(&mut self, rate: u64, batch: u64, share: u64) -> bool {
            let totals = &mut self.totals;
            totals.time += as_nanos(PERIOD);
            totals.cpu_time += as_nanos(PERIOD) * share / 100;
            totals.messages += rate / u64::from(PERIODS_OF_A_SECOND);
            totals.reads += rate / u64::from(PERIODS_OF_A_SECOND) * 10 / batch;
            assert!(self.one_thread.is_due(totals.time));
            self.one_thread.judge(*totals);
            assert!(!self.one_thread.is_due(totals.time));
            self.one_thread.is_on()
        }

        fn on() -> Self {
            let mut process = Self::default();
            assert!(process.period(100_000, 80, 60));
            process
        }
    }

    #[test]
    fn one_thread_does_everything_that_fits_in_one_core() {
        assert!(Process::default().period(30_000, 20, 80));
        assert!(!Process::default().period(100_000, 80, 81));
    }

    #[test]
    fn few_messages_and_single_messages_do_not_suit_one_thread() {
        assert!(!Process::default().period(29_000, 80, 60));
        assert!(!Process::default().period(100_000, 19, 60));
    }

    #[test]
    fn one_thread_goes_on_until_the_core_is_full() {
        let mut process = Process::on();
        assert!((0..20).all(|_| process.period(150_000, 80, 95)));
        assert!(!process.period(150_000, 80, 96));
    }

    #[test]
    fn one_thread_pauses_after_it_has_ended() {
        let mut process = Process::on();
        process.one_thread.give_up(process.totals.time);
        assert!(!process.one_thread.is_on());
        assert!((1..PERIODS_OF_A_SECOND).all(|_| !process.period(100_000, 80, 60)));
        assert!(process.period(100_000, 80, 60));

        assert!(!process.period(1_000, 80, 60));
        assert!((1..PERIODS_OF_A_SECOND).all(|_| !process.period(100_000, 80, 60)));
        assert!(process.period(100_000, 80, 60));
    }

    #[test]
    fn giving_up_one_thread_that_is_off_changes_nothing() {
        let mut process = Process::default();
        process.one_thread.give_up(process.totals.time);
        assert!(process.period(100_000, 80, 60));
    }
}
