//! The tokio runtime every native server of the process shares.
//!
//! One I/O thread: on two cores a second one took cycles from the JavaScript thread and gave nothing
//! back. It runs what is ready in the order in which it became ready, so that clients are served in
//! the order in which they come; a runtime made for several threads runs the latest first. It is
//! started on first use and lives as long as the process.
//!
//! While the messages of a few clients follow each other closely it looks for the next one a moment
//! before it sleeps, since to fall asleep and be woken takes longer than they are apart
//! (docs/performance.md).

use std::future::pending;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;
use tokio::task::yield_now;

/// Messages that come this close together, on the average of the last few, are waited for awake.
const CLOSE: Duration = Duration::from_micros(40);
/// How long.
const AWAKE: Duration = Duration::from_micros(40);
/// Of so many different clients at most, in [`WINDOW`] messages: more of them keep the thread busy.
const FEW: u32 = 16;
/// Bytes that are no single small message.
const MUCH: usize = 1 << 10;
/// The messages after which it is looked how many clients they were of.
const WINDOW: u32 = 64;
/// No longer pause than this enters the average: the first messages after one count.
const LONGEST: Duration = Duration::from_millis(1);

/// The handle of the shared runtime.
///
/// # Errors
/// The operating system's refusal to start a thread or to open an event queue.
pub(crate) fn handle() -> io::Result<Handle> {
    static HANDLE: OnceLock<Handle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    // On one core the thread would only keep JavaScript from answering.
    if thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        handle.spawn(PACE.stay_awake());
    }
    thread::Builder::new()
        .name("loopback-socket".to_owned())
        .spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(HANDLE.get_or_init(|| handle).clone())
}

/// Notes that a client was heard, by the number of its connection, and how many bytes it said.
pub(crate) fn heard(connection: u32, bytes: usize) {
    PACE.heard(connection, bytes);
}

static PACE: Pace = Pace {
    last: AtomicU64::new(0),
    apart: AtomicU64::new(u64::MAX),
    clients: AtomicU64::new(0),
    messages: AtomicU32::new(0),
    are_few: AtomicBool::new(false),
    bell: Notify::const_new(),
};

/// How close together messages come.
struct Pace {
    /// When the last came, in nanoseconds of [`nanos`].
    last: AtomicU64,
    /// How far apart the last few were.
    apart: AtomicU64,
    /// A bit for each client of the window, or for each few of them.
    clients: AtomicU64,
    messages: AtomicU32,
    are_few: AtomicBool,
    bell: Notify,
}

fn nanos() -> u64 {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    as_nanos(EPOCH.get_or_init(Instant::now).elapsed())
}

fn as_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Pace {
    fn heard(&self, connection: u32, bytes: usize) {
        if bytes > MUCH {
            // There is enough to do meanwhile.
            self.apart.store(as_nanos(LONGEST), Ordering::Relaxed);
            return;
        }
        let client = 1 << (connection % u64::BITS);
        let clients = self.clients.fetch_or(client, Ordering::Relaxed) | client;
        if self.messages.fetch_add(1, Ordering::Relaxed) % WINDOW == WINDOW - 1 {
            self.clients.store(0, Ordering::Relaxed);
            self.are_few
                .store(clients.count_ones() <= FEW, Ordering::Relaxed);
        }
        let now = nanos();
        let apart = now.saturating_sub(self.last.swap(now, Ordering::Relaxed));
        let longest = as_nanos(LONGEST);
        let before = self.apart.load(Ordering::Relaxed).min(longest);
        let mean = (before * 7 + apart.min(longest)) / 8;
        self.apart.store(mean, Ordering::Relaxed);
        if mean < as_nanos(CLOSE) && self.are_few.load(Ordering::Relaxed) {
            self.bell.notify_one();
        }
    }

    /// Keeps the runtime of the task from sleeping while the next message is close.
    async fn stay_awake(&self) {
        loop {
            self.bell.notified().await;
            while nanos().saturating_sub(self.last.load(Ordering::Relaxed)) < as_nanos(AWAKE) {
                yield_now().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace {
            last: AtomicU64::new(0),
            apart: AtomicU64::new(u64::MAX),
            clients: AtomicU64::new(0),
            messages: AtomicU32::new(0),
            are_few: AtomicBool::new(false),
            bell: Notify::const_new(),
        }
    }

    #[test]
    fn only_messages_that_follow_closely_are_waited_for_awake() {
        let pace = pace();
        pace.heard(1, 100);
        assert!(pace.apart.load(Ordering::Relaxed) > as_nanos(CLOSE));
        for _ in 0..200 {
            pace.heard(1, 100);
        }
        assert!(pace.apart.load(Ordering::Relaxed) < as_nanos(CLOSE));
        pace.last.store(0, Ordering::Relaxed);
        pace.apart.store(as_nanos(LONGEST), Ordering::Relaxed);
        pace.heard(1, 100);
        assert!(pace.apart.load(Ordering::Relaxed) > as_nanos(CLOSE));
    }

    #[test]
    fn a_flood_is_not_waited_for_awake() {
        let pace = pace();
        for _ in 0..200 {
            pace.heard(1, 100);
        }
        pace.heard(1, MUCH + 1);
        assert!(pace.apart.load(Ordering::Relaxed) > as_nanos(CLOSE));
    }

    #[test]
    fn and_only_those_of_a_few_clients() {
        let pace = pace();
        for message in 0..WINDOW {
            pace.heard(message % 8, 100);
        }
        assert!(pace.are_few.load(Ordering::Relaxed));
        for message in 0..WINDOW {
            pace.heard(message % 50, 100);
        }
        assert!(!pace.are_few.load(Ordering::Relaxed));
    }
}
