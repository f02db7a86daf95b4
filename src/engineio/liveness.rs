//! The signs of life of one client, and since when there is none.
//!
//! The hot path writes one flag. What must stay true: silence counts only while the client is read.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::ProtocolVersion;

/// Nothing is waited for.
pub(super) const QUIET: u8 = 0;
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

    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed) != 0
    }

    /// The server pings.
    pub(super) fn awaits(&self) {
        self.at.store(millis(Instant::now()), Ordering::Relaxed);
        self.state.store(AWAITED, Ordering::Relaxed);
    }

    /// Silence counts from now on: from what is returned.
    pub(super) fn begins_anew(&self) -> Instant {
        let now = millis(Instant::now());
        self.at.store(now, Ordering::Relaxed);
        instant(now)
    }

    /// A packet came that is no sign of life by itself.
    pub(super) fn received(&self) {
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
    pub(super) fn state(&self) -> (u8, Instant) {
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
