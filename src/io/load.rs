//! Measures the load of clients and decides three things: whether the I/O thread busy-polls for the next
//! message instead of sleeping, whether JavaScript's event loop may poll the clients itself, since the load
//! is [light](super::light_load) or [one thread](super::one_thread) does everything, and whether messages
//! [gather](super::gathering) before they are read.
//!
//! The measurements behind the limits, and what else was tried, are in docs/performance.md.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::yield_now;

#[cfg(unix)]
use super::gathering::Gathering;
#[cfg(target_os = "linux")]
use super::light_load::{FEW_CORES, LightLoad};
#[cfg(target_os = "linux")]
use super::one_thread::{OneThread, Totals};
use super::{add, as_nanos};

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
const CLIENT_WINDOW: u64 = 64;
/// A longer interval enters the mean as this one, so that the first messages after a pause count.
const MAX_INTERVAL: Duration = Duration::from_millis(1);

/// Measures how many messages come, and how close together.
#[derive(Debug)]
pub(crate) struct LoadMonitor {
    /// When the last message came, in nanoseconds of [`nanos`].
    last: AtomicU64,
    /// The moving average of the intervals between messages, in nanoseconds.
    mean_interval: AtomicU64,
    /// The clients of the current window: each sets one bit, which it may share with others.
    clients: AtomicU64,
    /// All small reads.
    reads: AtomicU64,
    has_few_clients: AtomicBool,
    /// Whether the I/O thread polls the clients, so that it may busy-poll.
    is_on_io_thread: AtomicBool,
    busy_poll: Notify,
    #[cfg(target_os = "linux")]
    light: LightLoad,
    /// All messages that have come.
    #[cfg(unix)]
    total: AtomicU64,
    #[cfg(unix)]
    gathering: Gathering,
    /// All reads.
    #[cfg(target_os = "linux")]
    all_reads: AtomicU64,
    /// On few cores only.
    #[cfg(target_os = "linux")]
    one_thread: Option<OneThread>,
}

fn nanos() -> u64 {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    as_nanos(EPOCH.get_or_init(Instant::now).elapsed())
}

impl LoadMonitor {
    /// A monitor for clients that are served on this many cores.
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables))]
    pub(super) fn new(cores: usize) -> Self {
        Self {
            last: AtomicU64::new(0),
            mean_interval: AtomicU64::new(u64::MAX),
            clients: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            has_few_clients: AtomicBool::new(true),
            is_on_io_thread: AtomicBool::new(true),
            busy_poll: Notify::new(),
            #[cfg(target_os = "linux")]
            light: LightLoad::on_cores(cores),
            #[cfg(unix)]
            total: AtomicU64::new(0),
            #[cfg(unix)]
            gathering: Gathering::default(),
            #[cfg(target_os = "linux")]
            all_reads: AtomicU64::new(0),
            #[cfg(target_os = "linux")]
            one_thread: (cores <= FEW_CORES).then(OneThread::default),
        }
    }

    /// Records a read from a client, by the number of its connection: its bytes, the messages that
    /// they complete, and how many of those are heartbeats.
    #[cfg_attr(not(target_os = "linux"), expect(unused_variables))]
    pub(crate) fn received(&self, connection: u64, bytes: usize, messages: u64, heartbeats: u64) {
        #[cfg(target_os = "linux")]
        {
            self.light.received(bytes, messages, heartbeats);
            add(&self.all_reads, 1);
        }
        #[cfg(unix)]
        add(&self.total, messages);
        if bytes > MAX_SMALL_READ {
            self.mean_interval
                .store(as_nanos(MAX_INTERVAL), Ordering::Relaxed);
            return;
        }
        let client = 1 << (connection % u64::from(u64::BITS));
        // Loaded and stored, as by `add`.
        let mut clients = self.clients.load(Ordering::Relaxed) | client;
        if add(&self.reads, 1).is_multiple_of(CLIENT_WINDOW) {
            self.has_few_clients.store(
                clients.count_ones() <= MAX_BUSY_POLL_CLIENTS,
                Ordering::Relaxed,
            );
            clients = 0;
        }
        self.clients.store(clients, Ordering::Relaxed);
        let now = nanos();
        let interval = now.saturating_sub(self.last.load(Ordering::Relaxed));
        self.last.store(now, Ordering::Relaxed);
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
    #[cfg(unix)]
    pub(super) fn polled(&self) {
        let now = nanos();
        #[cfg(target_os = "linux")]
        self.light.polled(now);
        self.gathering
            .polled(now, self.total.load(Ordering::Relaxed));
    }

    /// Whether messages are to gather before they are read.
    #[cfg(unix)]
    pub(crate) fn gathers(&self) -> bool {
        self.gathering.is_on()
            && self.mean_interval.load(Ordering::Relaxed) < as_nanos(MAX_BUSY_POLL_INTERVAL)
    }

    /// Records whether the I/O thread polls the clients.
    pub(super) fn set_on_io_thread(&self, is_on_io_thread: bool) {
        self.is_on_io_thread
            .store(is_on_io_thread, Ordering::Relaxed);
    }

    /// Whether JavaScript's thread does everything, although the load is not light.
    #[cfg(target_os = "linux")]
    pub(crate) fn uses_one_thread(&self) -> bool {
        self.one_thread.as_ref().is_some_and(OneThread::is_on)
    }

    /// Judges from time to time whether one thread can do everything. `cpu_time` returns the CPU time of the
    /// process, in nanoseconds.
    #[cfg(target_os = "linux")]
    pub(crate) fn judge_threads(&self, cpu_time: impl FnOnce() -> u64) {
        let Some(one_thread) = &self.one_thread else {
            return;
        };
        let time = nanos();
        if one_thread.is_due(time) {
            one_thread.judge(Totals {
                time,
                cpu_time: cpu_time(),
                messages: self.total.load(Ordering::Relaxed),
                reads: self.all_reads.load(Ordering::Relaxed),
            });
        }
    }

    /// JavaScript's thread is too busy with other things to do everything.
    #[cfg(target_os = "linux")]
    pub(crate) fn give_up_one_thread(&self) {
        if let Some(one_thread) = &self.one_thread {
            one_thread.give_up(nanos());
        }
    }

    /// Whether messages come one by one, or nearly, with time between them.
    #[cfg(target_os = "linux")]
    pub(super) fn is_light(&self) -> bool {
        self.light.is_light()
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
            monitor.received(message % 8, 100, 1, 0);
        }
        assert!(monitor.has_few_clients.load(Ordering::Relaxed));
        for message in 0..CLIENT_WINDOW {
            monitor.received(message % 50, 100, 1, 0);
        }
        assert!(!monitor.has_few_clients.load(Ordering::Relaxed));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_light_load_may_be_higher_on_few_cores() {
        for (cores, clients, is_light) in [(2, 50, true), (2, 8, true), (4, 50, false)] {
            let monitor = LoadMonitor::new(cores);
            let becomes_light = (0..50).any(|_| {
                for message in 0..3 * CLIENT_WINDOW {
                    monitor.received(message % clients, 10, 1, 0);
                    if message % 3 == 0 {
                        monitor.polled();
                    }
                }
                std::thread::sleep(Duration::from_millis(4));
                monitor.is_light()
            });
            assert_eq!(becomes_light, is_light, "{cores} cores, {clients} clients");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn one_thread_is_used_on_few_cores_if_all_fits_in_one() {
        for (cores, cpu_time, is_used) in [(2, 0, true), (2, u64::MAX, false), (4, 0, false)] {
            let monitor = LoadMonitor::new(cores);
            // So many that it is a high rate, however long the process has run.
            monitor.received(1, 100, u64::from(u32::MAX), 0);
            std::thread::sleep(Duration::from_millis(1));
            monitor.judge_threads(|| cpu_time);
            assert_eq!(
                monitor.uses_one_thread(),
                is_used,
                "{cores} cores, {cpu_time} ns"
            );
            monitor.give_up_one_thread();
            assert!(!monitor.uses_one_thread());
        }
    }
}
