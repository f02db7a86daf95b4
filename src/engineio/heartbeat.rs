//! Who has been silent for too long.
//!
//! In Engine.IO 4 the server pings and waits for an answer, which the first other packet of the
//! client puts off once; in Engine.IO 3 the client pings. A connection that joins no namespace ends
//! after `connectTimeout`. The hot path writes one flag; a task per connection looks at it.
//!
//! What must stay true: silence counts only while the client is read. That is not so while too much
//! of what it said waits for JavaScript, nor, where Node reads it, while JavaScript is busy.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{OnceLock, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::ProtocolVersion;
use super::connection::{Connection, SOON};
use crate::socketio::events::Reason;
use crate::socketio::options::Options;

/// Nothing is waited for.
const QUIET: u8 = 0;
/// A ping is to be answered.
const AWAITED: u8 = 1;
/// It is not answered, but something else was heard.
const REFRESHED: u8 = 2;

/// The signs of life of one client.
#[derive(Debug)]
pub(super) struct Beat {
    /// Whether it is the server that pings: then a client owes nothing until it does.
    is_pinged: bool,
    state: AtomicU8,
    /// When the sign came that the state is about, in milliseconds of [`millis`].
    at: AtomicU64,
    /// Since when the client is not read; 0 while it is.
    paused: AtomicU64,
}

impl Beat {
    pub(super) fn new(protocol: ProtocolVersion) -> Self {
        Self {
            is_pinged: protocol == ProtocolVersion::V4,
            state: AtomicU8::new(QUIET),
            at: AtomicU64::new(millis(Instant::now())),
            paused: AtomicU64::new(0),
        }
    }

    /// The client is not read from now on.
    pub(super) fn pause(&self) {
        if !self.is_paused() {
            let now = millis(Instant::now()).max(1);
            self.paused.store(now, Ordering::Relaxed);
        }
    }

    /// The client is read again: how long it was not is not counted as silence.
    pub(super) fn resume(&self) {
        if self.is_paused() {
            // First: who looks meanwhile counts less silence, not more.
            let order = Ordering::Relaxed;
            let _ = self
                .at
                .fetch_update(order, order, |at| Some(self.without_pause(at)));
            self.paused.store(0, Ordering::Relaxed);
        }
    }

    /// When silence that counts since `at` would have begun to, had there been no pause.
    fn without_pause(&self, at: u64) -> u64 {
        let is_owed = !self.is_pinged || self.state.load(Ordering::Relaxed) != QUIET;
        match self.paused.load(Ordering::Relaxed) {
            since if since > 0 && is_owed => unpaused(at, since, millis(Instant::now())),
            _ => at,
        }
    }

    fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed) != 0
    }

    /// The server pings.
    fn awaits(&self) {
        self.at.store(millis(Instant::now()), Ordering::Relaxed);
        self.state.store(AWAITED, Ordering::Relaxed);
    }

    /// Silence counts from now on: from what is returned.
    fn begins_anew(&self) -> Instant {
        let now = millis(Instant::now());
        self.at.store(now, Ordering::Relaxed);
        instant(now)
    }

    /// A packet came that is no sign of life by itself.
    pub(super) fn heard(&self) {
        if self.state.load(Ordering::Relaxed) == AWAITED {
            self.at.store(millis(Instant::now()), Ordering::Relaxed);
            self.state.store(REFRESHED, Ordering::Relaxed);
        }
    }

    /// The client answered a ping, or sent its own in Engine.IO 3.
    pub(super) fn answered(&self) {
        self.at.store(millis(Instant::now()), Ordering::Relaxed);
        self.state.store(QUIET, Ordering::Relaxed);
    }

    /// The state, and since when silence counts.
    fn state(&self) -> (u8, Instant) {
        let at = self.without_pause(self.at.load(Ordering::Relaxed));
        (self.state.load(Ordering::Relaxed), instant(at))
    }
}

/// Since when silence would count now had it not been for a pause: it has counted since `at`, but not
/// since `since`.
fn unpaused(at: u64, since: u64, now: u64) -> u64 {
    at + now.saturating_sub(at.max(since))
}

fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

fn millis(at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(epoch()).as_millis()).unwrap_or(u64::MAX)
}

/// Undoes [`millis`].
fn instant(millis: u64) -> Instant {
    epoch() + Duration::from_millis(millis)
}

/// The delays of one server.
#[derive(Debug, Clone, Copy)]
struct Delays {
    interval: Duration,
    timeout: Duration,
}

/// Watches a connection until it ends, or ends it.
pub(super) fn watch(
    connection: Weak<Connection>,
    protocol: ProtocolVersion,
    options: &Options,
) -> impl Future<Output = ()> + use<> {
    let delays = Delays {
        interval: options.ping_interval.max(Duration::from_millis(1)),
        timeout: options.ping_timeout,
    };
    let joins_within = options.connect_timeout;
    async move {
        match protocol {
            ProtocolVersion::V3 => listen(connection, delays).await,
            ProtocolVersion::V4 => ping(connection, delays, joins_within).await,
        }
    }
}

/// What is held in favour of a client that was silent for as long as it may be.
#[derive(Debug, Default)]
struct Doubt {
    /// Since when it has been given that time anew.
    given: Option<Instant>,
}

impl Doubt {
    /// Whether the client, not heard since then, has more time: it is heard as soon as the threads
    /// that read it have caught up; or one of them was busy, so that what it said may be on its way.
    /// That is held in its favour once.
    async fn gives_more(
        &mut self,
        connection: &Weak<Connection>,
        since: Instant,
        delay: Duration,
    ) -> bool {
        let is_late = (since + delay).elapsed() > SOON;
        let was_soon = Connection::catch_up(connection).await;
        let Some(connection) = connection.upgrade() else {
            return false;
        };
        if connection.beat.state().1 != since {
            return true;
        }
        let gives_more = self.given != Some(since) && (is_late || !was_soon);
        if gives_more {
            self.given = Some(connection.beat.begins_anew());
        }
        gives_more
    }
}

fn close(connection: &Weak<Connection>, reason: Reason) {
    if let Some(connection) = connection.upgrade() {
        connection.close(reason);
    }
}

/// When to look whether a delay has run out, which it does not while the client is not read.
fn next_look(beat: &Beat, runs_out: Instant, delay: Duration) -> Instant {
    match beat.is_paused() {
        true => runs_out.max(Instant::now() + delay),
        false => runs_out,
    }
}

/// Engine.IO 3: waits for the client's pings.
async fn listen(connection: Weak<Connection>, Delays { interval, timeout }: Delays) {
    let delay = interval + timeout;
    let mut doubt = Doubt::default();
    let mut look = Instant::now() + delay;
    loop {
        sleep_until(look).await;
        let Some(strong) = connection.upgrade() else {
            return;
        };
        let since = strong.beat.state().1;
        look = next_look(&strong.beat, since + delay, delay);
        drop(strong);
        if look <= Instant::now() && !doubt.gives_more(&connection, since, delay).await {
            close(&connection, Reason::PingTimeout);
            return;
        }
    }
}

/// Engine.IO 4: pings.
async fn ping(
    connection: Weak<Connection>,
    Delays { interval, timeout }: Delays,
    joins_within: Duration,
) {
    let mut joins_until = Some(Instant::now() + joins_within);
    let mut may_join_late = true;
    let mut doubt = Doubt::default();
    let mut pinged = Instant::now();
    let mut next = pinged + interval;
    loop {
        let wake = joins_until.map_or(next, |until| until.min(next));
        sleep_until(wake).await;
        let Some(strong) = connection.upgrade() else {
            return;
        };
        let now = Instant::now();
        if let Some(until) = joins_until.take_if(|until| *until <= now)
            && strong.is_idle()
        {
            drop(strong);
            let was_soon = Connection::catch_up(&connection).await && until.elapsed() < SOON;
            if !was_soon && std::mem::take(&mut may_join_late) {
                joins_until = Some(Instant::now() + joins_within);
            } else if let Some(idle) = connection.upgrade().filter(|it| it.is_idle()) {
                idle.finish(Reason::ForcedClose);
                return;
            }
            continue;
        }
        if now < next {
            continue;
        }
        let (state, since) = strong.beat.state();
        if state == QUIET {
            // The client has answered the ping before; the next comes an interval later.
            if since + interval > now + Duration::from_millis(1) {
                next = since + interval;
                continue;
            }
            strong.beat.awaits();
            strong.ping();
            pinged = now;
            next = now + timeout.min(interval);
            if strong.is_read_by_node() {
                drop(strong);
                sent(&connection).await;
            }
            continue;
        }
        let runs_out = since + timeout;
        if runs_out > now {
            if strong.beat.is_paused() && pinged + interval <= now {
                // The answer to the last one is not read for a while, and a client that gets no more
                // of them leaves.
                strong.ping();
                pinged = now;
            }
            // Looked at again when the answer may be due, or the next ping.
            let delay = timeout.min(interval);
            next = next_look(&strong.beat, runs_out.min(now + interval), delay);
            continue;
        }
        drop(strong);
        if !doubt.gives_more(&connection, since, timeout).await {
            close(&connection, Reason::PingTimeout);
            return;
        }
        next = Instant::now();
    }
}

/// Has silence count from when a ping has left, which JavaScript sends when it is not busy.
async fn sent(connection: &Weak<Connection>) {
    Connection::catch_up(connection).await;
    if let Some(connection) = connection.upgrade()
        && connection.beat.state().0 != QUIET
    {
        connection.beat.begins_anew();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_does_not_count_while_the_client_is_not_read() {
        // Silent for 30 and then not read, and not read when the ping was sent.
        assert_eq!(unpaused(100, 130, 1000), 970);
        assert_eq!(unpaused(100, 50, 1000), 1000);
        for protocol in [ProtocolVersion::V3, ProtocolVersion::V4] {
            let beat = Beat::new(protocol);
            if beat.is_pinged {
                beat.awaits();
            }
            beat.at.store(100, Ordering::Relaxed);
            beat.paused.store(100, Ordering::Relaxed);
            assert!(beat.state().1.elapsed() < Duration::from_secs(1));
            beat.at.store(100, Ordering::Relaxed);
            beat.resume();
            assert!(!beat.is_paused());
            assert!(beat.state().1.elapsed() < Duration::from_secs(1));
        }
    }

    #[test]
    fn the_next_ping_is_not_put_off_while_the_client_is_not_read() {
        let beat = Beat::new(ProtocolVersion::V4);
        beat.at.store(100, Ordering::Relaxed);
        beat.paused.store(100, Ordering::Relaxed);
        beat.resume();
        assert_eq!(beat.state(), (QUIET, instant(100)));
    }
}
