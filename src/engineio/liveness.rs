//! When a client last showed that it is alive.
//!
//! The hot path writes one flag. What must stay true: silence counts only while the client is read.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::ProtocolVersion;

/// No answer is awaited.
pub(super) const IDLE: u8 = 0;
/// A ping was sent and is not answered.
const AWAITED: u8 = 1;
/// The ping is not answered, but another packet has been received since.
const REFRESHED: u8 = 2;

/// The liveness of one client.
#[derive(Debug)]
pub(super) struct Liveness {
    /// Whether the server pings: then the client owes no packet until it does.
    is_pinged: bool,
    state: AtomicU8,
    /// When the state began, in milliseconds of [`millis`].
    at: AtomicU64,
    /// Since when the client is not read; 0 while it is read.
    paused: AtomicU64,
}

impl Liveness {
    pub(super) fn new(protocol: ProtocolVersion) -> Self {
        Self {
            is_pinged: protocol == ProtocolVersion::V4,
            state: AtomicU8::new(IDLE),
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

    /// The client is read again. The pause does not count as silence.
    pub(super) fn resume(&self) {
        if self.is_paused() {
            // Before `paused` is cleared: a check in between must count less silence, not more.
            let order = Ordering::Relaxed;
            let _ = self
                .at
                .fetch_update(order, order, |at| Some(self.without_pause(at)));
            self.paused.store(0, Ordering::Relaxed);
        }
    }

    /// `at`, moved forward by the pause so far.
    fn without_pause(&self, at: u64) -> u64 {
        let is_owed = !self.is_pinged || self.state.load(Ordering::Relaxed) != IDLE;
        match self.paused.load(Ordering::Relaxed) {
            since if since > 0 && is_owed => unpaused(at, since, millis(Instant::now())),
            _ => at,
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed) != 0
    }

    /// The server has sent a ping.
    pub(super) fn ping_sent(&self) {
        self.at.store(millis(Instant::now()), Ordering::Relaxed);
        self.state.store(AWAITED, Ordering::Relaxed);
    }

    /// Restarts the silence, and returns its start.
    pub(super) fn restart(&self) -> Instant {
        let now = millis(Instant::now());
        self.at.store(now, Ordering::Relaxed);
        instant(now)
    }

    /// A packet other than an answer to a ping was received.
    pub(super) fn received(&self) {
        if self.state.load(Ordering::Relaxed) == AWAITED {
            self.at.store(millis(Instant::now()), Ordering::Relaxed);
            self.state.store(REFRESHED, Ordering::Relaxed);
        }
    }

    /// The client answered a ping, or sent its own in Engine.IO 3.
    pub(super) fn pong_received(&self) {
        self.at.store(millis(Instant::now()), Ordering::Relaxed);
        self.state.store(IDLE, Ordering::Relaxed);
    }

    /// The state, and since when silence counts.
    pub(super) fn state(&self) -> (u8, Instant) {
        let at = self.without_pause(self.at.load(Ordering::Relaxed));
        (self.state.load(Ordering::Relaxed), instant(at))
    }
}

/// Where silence that began at `at` would have begun without a pause that began at `since` and lasts
/// until `now`.
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

/// The inverse of [`millis`].
fn instant(millis: u64) -> Instant {
    epoch() + Duration::from_millis(millis)
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
            let liveness = Liveness::new(protocol);
            if liveness.is_pinged {
                liveness.ping_sent();
            }
            liveness.at.store(100, Ordering::Relaxed);
            liveness.paused.store(100, Ordering::Relaxed);
            assert!(liveness.state().1.elapsed() < Duration::from_secs(1));
            liveness.at.store(100, Ordering::Relaxed);
            liveness.resume();
            assert!(!liveness.is_paused());
            assert!(liveness.state().1.elapsed() < Duration::from_secs(1));
        }
    }

    #[test]
    fn the_next_ping_is_not_put_off_while_the_client_is_not_read() {
        let liveness = Liveness::new(ProtocolVersion::V4);
        liveness.at.store(100, Ordering::Relaxed);
        liveness.paused.store(100, Ordering::Relaxed);
        liveness.resume();
        assert_eq!(liveness.state(), (IDLE, instant(100)));
    }
}
