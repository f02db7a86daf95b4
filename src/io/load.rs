//! How close together the messages of clients come, and what follows from it: whether to stay awake
//! for the next one, and whether the event loop of JavaScript may wait for them itself.
//!
//! The reasons, and what else was tried, are in docs/performance.md.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

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

/// How long a spell is at least, of which it is asked whether it was light, unless more messages came
/// sooner than may.
const SPELL: Duration = Duration::from_millis(20);
/// A longer one was rather silent than light.
const SILENT: Duration = Duration::from_millis(100);
/// What is light at most.
const LITTLE: Light = Light {
    messages: 320,
    together: 15,
    leeway: 1,
};
/// What is light at most on [`FEW_CORES`], where the I/O thread would take time that the JavaScript
/// thread and others want as well, if it is of more than [`FEW`] clients: those few come back as soon
/// as they are answered, and are best waited for awake. A thread that has time finds a few messages at
/// once, however fast they come.
const MORE: Light = Light {
    messages: 2000,
    together: 50,
    leeway: 2,
};
/// So many cores are few.
const FEW_CORES: usize = 2;
/// So many bytes in a spell of [`SPELL`] are light at most.
const LIGHT_BYTES: u64 = 160 << 10;
/// So many light spells in a row are no accident.
const SPELLS: u32 = 2;

/// How close together messages come.
#[derive(Debug)]
pub(crate) struct Pace {
    /// When the last came, in nanoseconds of [`nanos`].
    last: AtomicU64,
    /// How far apart the last few were.
    apart: AtomicU64,
    /// A bit for each client of the window, or for each few of them.
    clients: AtomicU64,
    messages: AtomicU32,
    are_few: AtomicBool,
    /// What of many clients is light at most.
    of_many: &'static Light,
    bell: Notify,
    spell: Spell,
}

/// The spell of messages under way.
#[derive(Debug)]
struct Spell {
    began: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    /// How many of the messages only said that a client lives.
    beats: AtomicU64,
    /// How often somebody looked and found some.
    turns: AtomicU64,
    /// How many before it, in a row, were light.
    light: AtomicU32,
}

/// What messages are light at most.
#[derive(Debug)]
struct Light {
    /// In a spell of [`SPELL`].
    messages: u64,
    /// In ten turns: what comes together is worth a thread of its own.
    together: u64,
    /// So many times of both are light after light spells: something may have kept the thread for a
    /// moment.
    leeway: u64,
}

fn nanos() -> u64 {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    as_nanos(EPOCH.get_or_init(Instant::now).elapsed())
}

fn as_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Pace {
    /// Of clients that are served on so many cores.
    pub(super) fn new(cores: usize) -> Self {
        Self {
            last: AtomicU64::new(0),
            apart: AtomicU64::new(u64::MAX),
            clients: AtomicU64::new(0),
            messages: AtomicU32::new(0),
            are_few: AtomicBool::new(true),
            of_many: match cores <= FEW_CORES {
                true => &MORE,
                false => &LITTLE,
            },
            bell: Notify::new(),
            spell: Spell {
                began: AtomicU64::new(0),
                messages: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
                beats: AtomicU64::new(0),
                turns: AtomicU64::new(0),
                light: AtomicU32::new(0),
            },
        }
    }

    /// Notes that a client was heard, by the number of its connection: how many bytes it said at
    /// once, how many messages they ended, and how many of those say only that it lives.
    pub(crate) fn heard(&self, connection: u64, bytes: usize, messages: u64, beats: u64) {
        self.spell.heard(bytes, messages, beats);
        if bytes > MUCH {
            // There is enough to do meanwhile.
            self.apart.store(as_nanos(LONGEST), Ordering::Relaxed);
            return;
        }
        let client = 1 << (connection % u64::from(u64::BITS));
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

    /// Notes that somebody looked for messages and has dealt with what there was.
    pub(super) fn turned(&self) {
        let light = match self.are_few.load(Ordering::Relaxed) {
            true => &LITTLE,
            false => self.of_many,
        };
        self.spell.turned(nanos(), light);
    }

    /// Whether messages come one by one, or nearly, and leave time between them.
    pub(super) fn is_light(&self) -> bool {
        self.spell.light.load(Ordering::Relaxed) >= SPELLS
    }

    /// Keeps the runtime of the task from sleeping while the next message is close.
    pub(super) async fn stay_awake(&self) {
        loop {
            self.bell.notified().await;
            while nanos().saturating_sub(self.last.load(Ordering::Relaxed)) < as_nanos(AWAKE) {
                yield_now().await;
            }
        }
    }
}

impl Spell {
    fn heard(&self, bytes: usize, messages: u64, beats: u64) {
        self.messages.fetch_add(messages, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.beats.fetch_add(beats, Ordering::Relaxed);
    }

    fn turned(&self, now: u64, light: &Light) {
        let turns = self.turns.fetch_add(1, Ordering::Relaxed) + 1;
        let messages = self.messages.load(Ordering::Relaxed);
        let lasted = now.saturating_sub(self.began.load(Ordering::Relaxed));
        let before = self.light.load(Ordering::Relaxed);
        let leeway = match before >= SPELLS {
            true => light.leeway,
            false => 1,
        };
        let light_messages = light.messages * leeway;
        if lasted < as_nanos(SPELL) && messages <= light_messages {
            return;
        }
        let bytes = self.bytes.swap(0, Ordering::Relaxed);
        let beats = self.beats.swap(0, Ordering::Relaxed);
        self.messages.store(0, Ordering::Relaxed);
        self.turns.store(0, Ordering::Relaxed);
        self.began.store(now, Ordering::Relaxed);
        let most = |in_a_spell: u64| in_a_spell * lasted / as_nanos(SPELL);
        let is_light = lasted < as_nanos(SILENT)
            && messages <= most(light_messages)
            // JavaScript has no part in heartbeats.
            && beats * 2 <= messages
            && bytes <= most(LIGHT_BYTES)
            && messages * 10 <= turns * light.together * leeway;
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
        let pace = Pace::new(2);
        pace.heard(1, 100, 1, 0);
        assert!(pace.apart.load(Ordering::Relaxed) > as_nanos(CLOSE));
        for _ in 0..200 {
            pace.heard(1, 100, 1, 0);
        }
        assert!(pace.apart.load(Ordering::Relaxed) < as_nanos(CLOSE));
        pace.last.store(0, Ordering::Relaxed);
        pace.apart.store(as_nanos(LONGEST), Ordering::Relaxed);
        pace.heard(1, 100, 1, 0);
        assert!(pace.apart.load(Ordering::Relaxed) > as_nanos(CLOSE));
    }

    #[test]
    fn the_io_thread_does_not_busy_poll_during_a_flood() {
        let pace = Pace::new(2);
        for _ in 0..200 {
            pace.heard(1, 100, 1, 0);
        }
        pace.heard(1, MUCH + 1, 1, 0);
        assert!(pace.apart.load(Ordering::Relaxed) > as_nanos(CLOSE));
    }

    #[test]
    fn the_io_thread_busy_polls_only_for_a_few_clients() {
        let pace = Pace::new(2);
        for message in 0..WINDOW {
            pace.heard(u64::from(message % 8), 100, 1, 0);
        }
        assert!(pace.are_few.load(Ordering::Relaxed));
        for message in 0..WINDOW {
            pace.heard(u64::from(message % 50), 100, 1, 0);
        }
        assert!(!pace.are_few.load(Ordering::Relaxed));
    }

    /// A load that goes on for a second: so many messages at once, so often, of so many bytes.
    fn load(of: &Light, at_once: u64, every: Duration, bytes: usize) -> Pace {
        let pace = Pace::new(2);
        let mut now = 0;
        while now < as_nanos(Duration::from_secs(1)) {
            now += as_nanos(every);
            pace.spell.heard(at_once as usize * bytes, at_once, 0);
            pace.spell.turned(now, of);
        }
        pace
    }

    #[test]
    fn single_messages_are_a_light_load() {
        assert!(load(&LITTLE, 1, Duration::from_micros(500), 100).is_light());
        assert!(load(&LITTLE, 1, Duration::from_millis(5), 100).is_light());
    }

    #[test]
    fn frequent_or_batched_or_large_or_rare_messages_are_not_a_light_load() {
        assert!(!load(&LITTLE, 1, Duration::from_micros(50), 100).is_light());
        assert!(!load(&LITTLE, 4, Duration::from_micros(500), 100).is_light());
        assert!(!load(&LITTLE, 1, Duration::from_micros(500), 100_000).is_light());
        assert!(!load(&LITTLE, 1, Duration::from_millis(200), 100).is_light());
    }

    #[test]
    fn a_light_load_may_be_higher_with_many_clients_on_few_cores() {
        for (cores, clients, is_light) in [(2, 50, true), (2, 8, false), (4, 50, false)] {
            let pace = Pace::new(cores);
            let becomes_light = (0..50).any(|_| {
                for message in 0..3 * WINDOW {
                    pace.heard(u64::from(message % clients), 10, 1, 0);
                    if message % 3 == 0 {
                        pace.turned();
                    }
                }
                std::thread::sleep(SPELL / 5);
                pace.is_light()
            });
            assert_eq!(becomes_light, is_light, "{cores} cores, {clients} clients");
        }
    }

    #[test]
    fn a_light_load_on_few_cores_may_have_frequent_and_small_batches() {
        assert!(load(&MORE, 4, Duration::from_micros(50), 50).is_light());
    }

    #[test]
    fn a_light_load_on_few_cores_has_no_very_frequent_or_large_batches() {
        assert!(!load(&MORE, 1, Duration::from_micros(9), 50).is_light());
        assert!(!load(&MORE, 6, Duration::from_micros(500), 50).is_light());
        assert!(!load(&MORE, 4, Duration::from_micros(50), 500).is_light());
    }

    #[test]
    fn a_short_burst_does_not_end_a_light_load() {
        let pace = load(&MORE, 4, Duration::from_micros(100), 50);
        let mut now = as_nanos(Duration::from_secs(1));
        for _ in 0..100 {
            now += as_nanos(Duration::from_micros(200));
            pace.spell.heard(400, 8, 0);
            pace.spell.turned(now, &MORE);
            assert!(pace.is_light());
        }
        for _ in 0..200 {
            now += as_nanos(Duration::from_micros(300));
            pace.spell.heard(600, 12, 0);
            pace.spell.turned(now, &MORE);
        }
        assert!(!pace.is_light());
    }

    #[test]
    fn a_light_load_ends_as_soon_as_more_messages_arrive() {
        for of in [&LITTLE, &MORE] {
            let pace = load(of, 1, Duration::from_micros(500), 100);
            pace.spell.heard(9, of.leeway * of.messages + 1, 0);
            pace.spell.turned(as_nanos(Duration::from_secs(1)), of);
            assert!(!pace.is_light());
        }
    }

    #[test]
    fn messages_of_one_client_in_one_read_count_one_by_one() {
        let pace = Pace::new(2);
        for millisecond in 1..1000 {
            pace.spell.heard(400, 5, 0);
            pace.spell
                .turned(as_nanos(Duration::from_millis(millisecond)), &LITTLE);
        }
        assert!(!pace.is_light());
    }

    #[test]
    fn heartbeats_do_not_count_as_a_light_load() {
        let pace = Pace::new(2);
        for millisecond in 1..1000 {
            pace.spell.heard(7, 1, u64::from(millisecond % 4 > 0));
            pace.spell
                .turned(as_nanos(Duration::from_millis(millisecond)), &LITTLE);
        }
        assert!(!pace.is_light());
    }
}
