//! Whether the load of clients is light: then JavaScript's event loop polls them itself, which only Linux
//! can do. [`super::load`] tells it what comes.
//!
//! The measurements behind the limits, and what else was tried, are in docs/performance.md.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::{add, as_nanos};

/// The shortest period whose load is judged, unless it exceeds its messages sooner.
const PERIOD: Duration = Duration::from_millis(20);
/// A longer period is idle, not light: with hardly any messages there are no wake-ups to save.
const MAX_PERIOD: Duration = Duration::from_millis(100);
/// A light load: 16,000 messages a second, and 1.5 for each poll. Up to there one event loop took less
/// CPU time than both threads (39 instead of 56 µs a call at 10,000 calls/s); above, the I/O thread
/// reads many messages at once, which costs least.
const LIGHT: Limits = Limits {
    max_messages: 320,
    max_batch: 15,
    max_bytes: 160 << 10,
    burst_factor: 1,
};
/// A light load on [`FEW_CORES`]: 100,000 messages a second, and 5 for each poll. There, an I/O thread takes a
/// core that JavaScript or the clients want, and its wake-ups cost as much as the reads: with one to eight
/// calls in flight, the event loop alone took half of the CPU time. With twice these limits, the 99th percentile
/// of 50 clients was 1.6 times as high.
const LIGHT_ON_FEW_CORES: Limits = Limits {
    max_messages: 2000,
    max_batch: 50,
    max_bytes: 160 << 10,
    burst_factor: 2,
};
/// The number of cores up to which [`LIGHT_ON_FEW_CORES`] holds: with two, the I/O thread, JavaScript
/// and any third thread have to share.
pub(super) const FEW_CORES: usize = 2;
/// Light periods in a row that make the load light; a single one may be an accident.
const MIN_LIGHT_PERIODS: u32 = 2;

/// Judges the load, period by period.
#[derive(Debug)]
pub(super) struct LightLoad {
    limits: &'static Limits,
    /// When the current period began, in nanoseconds.
    began: AtomicU64,
    /// What has come in the current period.
    messages: AtomicU64,
    bytes: AtomicU64,
    /// Those of the messages that are heartbeats.
    heartbeats: AtomicU64,
    /// Polls that found something.
    polls: AtomicU64,
    /// How many periods in a row before this one were light.
    light: AtomicU32,
}

/// What a light load has at most.
#[derive(Debug)]
struct Limits {
    /// Messages in a [`PERIOD`].
    max_messages: u64,
    /// Messages in ten polls: those that come in a batch are worth a thread of their own.
    max_batch: u64,
    /// Bytes in a [`PERIOD`]: to read large messages is worth a thread of its own.
    max_bytes: u64,
    /// How many times of the first two are still light after light periods, since messages gather while
    /// something else keeps the thread for a moment.
    burst_factor: u64,
}

impl LightLoad {
    /// For clients that are served on this many cores.
    pub(super) fn on_cores(cores: usize) -> Self {
        Self::new(match cores <= FEW_CORES {
            true => &LIGHT_ON_FEW_CORES,
            false => &LIGHT,
        })
    }

    fn new(limits: &'static Limits) -> Self {
        Self {
            limits,
            began: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            heartbeats: AtomicU64::new(0),
            polls: AtomicU64::new(0),
            light: AtomicU32::new(0),
        }
    }

    /// Whether messages come one by one, or nearly, with time between them.
    pub(super) fn is_light(&self) -> bool {
        self.light.load(Ordering::Relaxed) >= MIN_LIGHT_PERIODS
    }

    /// Records a read: its bytes, its messages, and how many of those are heartbeats.
    pub(super) fn received(&self, bytes: usize, messages: u64, heartbeats: u64) {
        add(&self.messages, messages);
        add(&self.bytes, bytes as u64);
        add(&self.heartbeats, heartbeats);
    }

    /// Records a poll whose messages have been handled, with the time in nanoseconds.
    pub(super) fn polled(&self, now: u64) {
        let limits = self.limits;
        let polls = add(&self.polls, 1);
        let messages = self.messages.load(Ordering::Relaxed);
        let lasted = now.saturating_sub(self.began.load(Ordering::Relaxed));
        let before = self.light.load(Ordering::Relaxed);
        let burst_factor = match before >= MIN_LIGHT_PERIODS {
            true => limits.burst_factor,
            false => 1,
        };
        let max_messages = limits.max_messages * burst_factor;
        if lasted < as_nanos(PERIOD) && messages <= max_messages {
            return;
        }
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        let heartbeats = self.heartbeats.swap(0, Ordering::Relaxed);
        self.messages.store(0, Ordering::Relaxed);
        self.polls.store(0, Ordering::Relaxed);
        self.began.store(now, Ordering::Relaxed);
        let for_period = |limit: u64| limit * lasted / as_nanos(PERIOD);
        let is_light = lasted < as_nanos(MAX_PERIOD)
            && messages <= for_period(max_messages)
            // JavaScript is not told of heartbeats, so its event loop need not wake for them.
            && heartbeats * 2 <= messages
            && bytes <= for_period(limits.max_bytes)
            && messages * 10 <= polls * limits.max_batch * burst_factor;
        let light = match is_light {
            true => before.saturating_add(1),
            false => 0,
        };
        self.light.store(light, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has `batch` messages of `bytes` each come every `interval`, for a second.
    fn load(limits: &'static Limits, batch: u64, interval: Duration, bytes: usize) -> LightLoad {
        let load = LightLoad::new(limits);
        let mut now = 0;
        while now < as_nanos(Duration::from_secs(1)) {
            now += as_nanos(interval);
            load.received(batch as usize * bytes, batch, 0);
            load.polled(now);
        }
        load
    }

    #[test]
    fn single_messages_are_a_light_load() {
        assert!(load(&LIGHT, 1, Duration::from_micros(500), 100).is_light());
        assert!(load(&LIGHT, 1, Duration::from_millis(5), 100).is_light());
    }

    #[test]
    fn frequent_or_batched_or_large_or_rare_messages_are_not_a_light_load() {
        assert!(!load(&LIGHT, 1, Duration::from_micros(50), 100).is_light());
        assert!(!load(&LIGHT, 4, Duration::from_micros(500), 100).is_light());
        assert!(!load(&LIGHT, 1, Duration::from_micros(500), 100_000).is_light());
        assert!(!load(&LIGHT, 1, Duration::from_millis(200), 100).is_light());
    }

    #[test]
    fn a_light_load_on_few_cores_may_have_frequent_and_small_batches() {
        assert!(load(&LIGHT_ON_FEW_CORES, 4, Duration::from_micros(50), 50).is_light());
    }

    #[test]
    fn a_light_load_on_few_cores_has_no_very_frequent_or_large_batches() {
        assert!(!load(&LIGHT_ON_FEW_CORES, 1, Duration::from_micros(9), 50).is_light());
        assert!(!load(&LIGHT_ON_FEW_CORES, 6, Duration::from_micros(500), 50).is_light());
        assert!(!load(&LIGHT_ON_FEW_CORES, 4, Duration::from_micros(50), 500).is_light());
    }

    #[test]
    fn a_short_burst_does_not_end_a_light_load() {
        let load = load(&LIGHT_ON_FEW_CORES, 4, Duration::from_micros(100), 50);
        let mut now = as_nanos(Duration::from_secs(1));
        for _ in 0..100 {
            now += as_nanos(Duration::from_micros(200));
            load.received(400, 8, 0);
            load.polled(now);
            assert!(load.is_light());
        }
        for _ in 0..200 {
            now += as_nanos(Duration::from_micros(300));
            load.received(600, 12, 0);
            load.polled(now);
        }
        assert!(!load.is_light());
    }

    #[test]
    fn a_light_load_ends_as_soon_as_more_messages_arrive() {
        for limits in [&LIGHT, &LIGHT_ON_FEW_CORES] {
            let load = load(limits, 1, Duration::from_micros(500), 100);
            load.received(9, limits.burst_factor * limits.max_messages + 1, 0);
            load.polled(as_nanos(Duration::from_secs(1)));
            assert!(!load.is_light());
        }
    }

    #[test]
    fn messages_of_one_client_in_one_read_count_one_by_one() {
        let load = LightLoad::new(&LIGHT);
        for millisecond in 1..1000 {
            load.received(400, 5, 0);
            load.polled(as_nanos(Duration::from_millis(millisecond)));
        }
        assert!(!load.is_light());
    }

    #[test]
    fn heartbeats_do_not_count_as_a_light_load() {
        let load = LightLoad::new(&LIGHT);
        for millisecond in 1..1000 {
            load.received(7, 1, u64::from(millisecond % 4 > 0));
            load.polled(as_nanos(Duration::from_millis(millisecond)));
        }
        assert!(!load.is_light());
    }
}
