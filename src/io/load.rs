//! Measures the load of clients and decides three things: whether the I/O thread busy-polls for the next
//! message instead of sleeping, whether JavaScript's event loop may poll the clients itself, and whether
//! messages [gather](super::gathering) before they are read.
//!
//! The measurements behind the limits, and what else was tried, are in docs/performance.md.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::yield_now;

use super::gathering::{Gathering, as_nanos};

/// The I/O thread busy-polls while the mean interval of messages is below this. It took four clients
/// with one call each in flight from 37,000 to at least 67,000 calls/s; a limit of 100 µs kept a core
/// busy at 10,000 calls/s already.
const MAX_BUSY_POLL_INTERVAL: Duration = Duration::from_micros(40);
/// How long it busy-polls after a message: 30 µs was too short for four clients with one call each.
const BUSY_POLL_TIME: Duration = Duration::from_micros(40);
/// It busy-polls for this many different clients at most, counted over [`CLIENT_WINDOW`] messages. More
/// of them keep the thread busy anyway: busy-polling for them cost 19 instead of 11 µs of CPU a call.
const MAX_BUSY_POLL_CLIENTS: u32 = 16;
/// A read of more bytes than this is not one small message: the thread is busy with it, so it does not
/// busy-poll.
const MAX_SMALL_READ: usize = 1 << 10;
/// Messages after which the different clients among them are counted.
const CLIENT_WINDOW: u32 = 64;
/// A longer interval enters the mean as this one, so that the first messages after a pause count.
const MAX_INTERVAL: Duration = Duration::from_millis(1);

/// The shortest period whose load is judged, unless it exceeds its messages sooner.
const PERIOD: Duration = Duration::from_millis(20);
/// A longer period is idle, not light: with hardly any messages there are no wake-ups to save.
const MAX_PERIOD: Duration = Duration::from_millis(100);
/// A light load: 16,000 messages a second, and 1.5 for each poll. Up to there one event loop took less
/// CPU time than both threads (39 instead of 56 µs a call at 10,000 calls/s); above, the I/O thread
/// reads many messages at once, which costs least.
const LIGHT: LoadLimits = LoadLimits {
    max_messages: 320,
    max_batch: 15,
    max_bytes: 160 << 10,
    burst_factor: 1,
};
/// A light load on [`FEW_CORES`]: 100,000 messages a second, and 5 for each poll. There, an I/O thread takes a
/// core that JavaScript or the clients want, and its wake-ups cost as much as the reads: with one to eight
/// calls in flight, the event loop alone took half of the CPU time. With twice these limits, the 99th percentile
/// of 50 clients was 1.6 times as high.
const LIGHT_ON_FEW_CORES: LoadLimits = LoadLimits {
    max_messages: 2000,
    max_batch: 50,
    max_bytes: 160 << 10,
    burst_factor: 2,
};
/// The number of cores up to which [`LIGHT_ON_FEW_CORES`] holds: with two, the I/O thread, JavaScript
/// and any third thread have to share.
const FEW_CORES: usize = 2;
/// Light periods in a row that make the load light; a single one may be an accident.
const MIN_LIGHT_PERIODS: u32 = 2;

/// Measures how many messages come, and how close together.
#[derive(Debug)]
pub(crate) struct LoadMonitor {
    /// When the last message came, in nanoseconds of [`nanos`].
    last: AtomicU64,
    /// The moving average of the intervals between messages, in nanoseconds.
    mean_interval: AtomicU64,
    /// The clients of the current window: each sets one bit, which it may share with others.
    clients: AtomicU64,
    messages: AtomicU32,
    has_few_clients: AtomicBool,
    /// The limits of a light load.
    limits: &'static LoadLimits,
    /// Whether the I/O thread polls the clients, so that it may busy-poll.
    is_on_io_thread: AtomicBool,
    busy_poll: Notify,
    period: Period,
    /// All messages that have come.
    total: AtomicU64,
    gathering: Gathering,
}

/// What has come in the current period.
#[derive(Debug)]
struct Period {
    began: AtomicU64,
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
struct LoadLimits {
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

fn nanos() -> u64 {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    as_nanos(EPOCH.get_or_init(Instant::now).elapsed())
}

impl LoadMonitor {
    /// A monitor for clients that are served on this many cores.
    pub(super) fn new(cores: usize) -> Self {
        Self {
            last: AtomicU64::new(0),
            mean_interval: AtomicU64::new(u64::MAX),
            clients: AtomicU64::new(0),
            messages: AtomicU32::new(0),
            has_few_clients: AtomicBool::new(true),
            limits: match cores <= FEW_CORES {
                true => &LIGHT_ON_FEW_CORES,
                false => &LIGHT,
            },
            is_on_io_thread: AtomicBool::new(true),
            busy_poll: Notify::new(),
            period: Period {
                began: AtomicU64::new(0),
                messages: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
                heartbeats: AtomicU64::new(0),
                polls: AtomicU64::new(0),
                light: AtomicU32::new(0),
            },
            total: AtomicU64::new(0),
            gathering: Gathering::default(),
        }
    }

    /// Records a read from a client, by the number of its connection: its bytes, the messages that
    /// they complete, and how many of those are heartbeats.
    pub(crate) fn received(&self, connection: u64, bytes: usize, messages: u64, heartbeats: u64) {
        self.period.received(bytes, messages, heartbeats);
        self.total.fetch_add(messages, Ordering::Relaxed);
        if bytes > MAX_SMALL_READ {
            self.mean_interval
                .store(as_nanos(MAX_INTERVAL), Ordering::Relaxed);
            return;
        }
        let client = 1 << (connection % u64::from(u64::BITS));
        let clients = self.clients.fetch_or(client, Ordering::Relaxed) | client;
        if self.messages.fetch_add(1, Ordering::Relaxed) % CLIENT_WINDOW == CLIENT_WINDOW - 1 {
            self.clients.store(0, Ordering::Relaxed);
            self.has_few_clients.store(
                clients.count_ones() <= MAX_BUSY_POLL_CLIENTS,
                Ordering::Relaxed,
            );
        }
        let now = nanos();
        let interval = now.saturating_sub(self.last.swap(now, Ordering::Relaxed));
        let longest = as_nanos(MAX_INTERVAL);
        let before = self.mean_interval.load(Ordering::Relaxed).min(longest);
        let mean = (before * 7 + interval.min(longest)) / 8;
        self.mean_interval.store(mean, Ordering::Relaxed);
        if mean < as_nanos(MAX_BUSY_POLL_INTERVAL)
            && self.has_few_clients.load(Ordering::Relaxed)
            && self.is_on_io_thread.load(Ordering::Relaxed)
        {
            self.busy_poll.notify_one();
        }
    }

    /// Records a poll whose messages have been handled.
    pub(super) fn polled(&self) {
        let now = nanos();
        self.period.polled(now, self.limits);
        self.gathering
            .polled(now, self.total.load(Ordering::Relaxed));
    }

    /// Whether messages are to gather before they are read.
    pub(crate) fn gathers(&self) -> bool {
        self.gathering.is_on()
            && self.mean_interval.load(Ordering::Relaxed) < as_nanos(MAX_BUSY_POLL_INTERVAL)
    }

    /// Records whether the I/O thread polls the clients.
    pub(super) fn set_on_io_thread(&self, is_on_io_thread: bool) {
        self.is_on_io_thread
            .store(is_on_io_thread, Ordering::Relaxed);
    }

    /// Whether messages come one by one, or nearly, with time between them.
    pub(super) fn is_light(&self) -> bool {
        self.period.light.load(Ordering::Relaxed) >= MIN_LIGHT_PERIODS
    }

    /// Keeps the runtime of the task from sleeping while the next message is expected soon.
    pub(super) async fn stay_awake(&self) {
        loop {
            self.busy_poll.notified().await;
            while self.is_on_io_thread.load(Ordering::Relaxed)
                && nanos().saturating_sub(self.last.load(Ordering::Relaxed))
                    < as_nanos(BUSY_POLL_TIME)
            {
                yield_now().await;
            }
        }
    }
}

impl Period {
    fn received(&self, bytes: usize, messages: u64, heartbeats: u64) {
        self.messages.fetch_add(messages, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.heartbeats.fetch_add(heartbeats, Ordering::Relaxed);
    }

    fn polled(&self, now: u64, limits: &LoadLimits) {
        let polls = self.polls.fetch_add(1, Ordering::Relaxed) + 1;
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

    #[test]
    fn the_io_thread_busy_polls_only_for_messages_in_close_succession() {
        let monitor = LoadMonitor::new(2);
        monitor.received(1, 100, 1, 0);
        assert!(monitor.mean_interval.load(Ordering::Relaxed) > as_nanos(MAX_BUSY_POLL_INTERVAL));
        for _ in 0..200 {
            monitor.received(1, 100, 1, 0);
        }
        assert!(monitor.mean_interval.load(Ordering::Relaxed) < as_nanos(MAX_BUSY_POLL_INTERVAL));
        monitor.last.store(0, Ordering::Relaxed);
        monitor
            .mean_interval
            .store(as_nanos(MAX_INTERVAL), Ordering::Relaxed);
        monitor.received(1, 100, 1, 0);
        assert!(monitor.mean_interval.load(Ordering::Relaxed) > as_nanos(MAX_BUSY_POLL_INTERVAL));
    }

    #[test]
    fn the_io_thread_does_not_busy_poll_during_a_flood() {
        let monitor = LoadMonitor::new(2);
        for _ in 0..200 {
            monitor.received(1, 100, 1, 0);
        }
        monitor.received(1, MAX_SMALL_READ + 1, 1, 0);
        assert!(monitor.mean_interval.load(Ordering::Relaxed) > as_nanos(MAX_BUSY_POLL_INTERVAL));
    }

    #[test]
    fn the_io_thread_busy_polls_only_for_a_few_clients() {
        let monitor = LoadMonitor::new(2);
        for message in 0..CLIENT_WINDOW {
            monitor.received(u64::from(message % 8), 100, 1, 0);
        }
        assert!(monitor.has_few_clients.load(Ordering::Relaxed));
        for message in 0..CLIENT_WINDOW {
            monitor.received(u64::from(message % 50), 100, 1, 0);
        }
        assert!(!monitor.has_few_clients.load(Ordering::Relaxed));
    }

    /// Has `batch` messages of `bytes` each come every `interval`, for a second.
    fn load(limits: &LoadLimits, batch: u64, interval: Duration, bytes: usize) -> LoadMonitor {
        let monitor = LoadMonitor::new(2);
        let mut now = 0;
        while now < as_nanos(Duration::from_secs(1)) {
            now += as_nanos(interval);
            monitor.period.received(batch as usize * bytes, batch, 0);
            monitor.period.polled(now, limits);
        }
        monitor
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
    fn a_light_load_may_be_higher_on_few_cores() {
        for (cores, clients, is_light) in [(2, 50, true), (2, 8, true), (4, 50, false)] {
            let monitor = LoadMonitor::new(cores);
            let becomes_light = (0..50).any(|_| {
                for message in 0..3 * CLIENT_WINDOW {
                    monitor.received(u64::from(message % clients), 10, 1, 0);
                    if message % 3 == 0 {
                        monitor.polled();
                    }
                }
                std::thread::sleep(PERIOD / 5);
                monitor.is_light()
            });
            assert_eq!(becomes_light, is_light, "{cores} cores, {clients} clients");
        }
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
        let monitor = load(&LIGHT_ON_FEW_CORES, 4, Duration::from_micros(100), 50);
        let mut now = as_nanos(Duration::from_secs(1));
        for _ in 0..100 {
            now += as_nanos(Duration::from_micros(200));
            monitor.period.received(400, 8, 0);
            monitor.period.polled(now, &LIGHT_ON_FEW_CORES);
            assert!(monitor.is_light());
        }
        for _ in 0..200 {
            now += as_nanos(Duration::from_micros(300));
            monitor.period.received(600, 12, 0);
            monitor.period.polled(now, &LIGHT_ON_FEW_CORES);
        }
        assert!(!monitor.is_light());
    }

    #[test]
    fn a_light_load_ends_as_soon_as_more_messages_arrive() {
        for limits in [&LIGHT, &LIGHT_ON_FEW_CORES] {
            let monitor = load(limits, 1, Duration::from_micros(500), 100);
            monitor
                .period
                .received(9, limits.burst_factor * limits.max_messages + 1, 0);
            monitor
                .period
                .polled(as_nanos(Duration::from_secs(1)), limits);
            assert!(!monitor.is_light());
        }
    }

    #[test]
    fn messages_of_one_client_in_one_read_count_one_by_one() {
        let monitor = LoadMonitor::new(2);
        for millisecond in 1..1000 {
            monitor.period.received(400, 5, 0);
            monitor
                .period
                .polled(as_nanos(Duration::from_millis(millisecond)), &LIGHT);
        }
        assert!(!monitor.is_light());
    }

    #[test]
    fn heartbeats_do_not_count_as_a_light_load() {
        let monitor = LoadMonitor::new(2);
        for millisecond in 1..1000 {
            monitor
                .period
                .received(7, 1, u64::from(millisecond % 4 > 0));
            monitor
                .period
                .polled(as_nanos(Duration::from_millis(millisecond)), &LIGHT);
        }
        assert!(!monitor.is_light());
    }
}
