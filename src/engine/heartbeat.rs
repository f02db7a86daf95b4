//! Who has been silent for too long.
//!
//! In Engine.IO 4 the server pings and waits for an answer, which the first other packet of the
//! client puts off once; in Engine.IO 3 the client pings. A connection that joins no namespace ends
//! after `connectTimeout`. The hot path writes one flag; a task per connection looks at it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{OnceLock, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::ProtocolVersion;
use super::connection::Connection;
use crate::server::notice::Reason;
use crate::server::options::Options;

/// Nothing is waited for.
const QUIET: u8 = 0;
/// A ping is to be answered.
const AWAITED: u8 = 1;
/// It is not answered, but something else was heard.
const REFRESHED: u8 = 2;

/// The signs of life of one client.
#[derive(Debug)]
pub(super) struct Beat {
    state: AtomicU8,
    /// When the sign came that the state is about, in milliseconds of [`now`].
    at: AtomicU64,
}

impl Beat {
    pub(super) fn new() -> Self {
        Self {
            state: AtomicU8::new(QUIET),
            at: AtomicU64::new(millis(Instant::now())),
        }
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

    fn state(&self) -> (u8, Instant) {
        let at = Duration::from_millis(self.at.load(Ordering::Relaxed));
        (self.state.load(Ordering::Relaxed), epoch() + at)
    }
}

fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

fn millis(at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(epoch()).as_millis()).unwrap_or(u64::MAX)
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
    let joins_until = Instant::now() + options.connect_timeout;
    async move {
        match protocol {
            ProtocolVersion::V3 => listen(connection, delays).await,
            ProtocolVersion::V4 => ping(connection, delays, joins_until).await,
        }
    }
}

/// Engine.IO 3: waits for the client's pings.
async fn listen(connection: Weak<Connection>, Delays { interval, timeout }: Delays) {
    let mut until = Instant::now() + interval + timeout;
    loop {
        sleep_until(until).await;
        let Some(connection) = connection.upgrade() else {
            return;
        };
        until = connection.beat.state().1 + interval + timeout;
        if until <= Instant::now() {
            connection.close(Reason::PingTimeout);
            return;
        }
    }
}

/// Engine.IO 4: pings.
async fn ping(
    connection: Weak<Connection>,
    Delays { interval, timeout }: Delays,
    joins_until: Instant,
) {
    let mut joins_until = Some(joins_until);
    let mut next = Instant::now() + interval;
    loop {
        let wake = joins_until.map_or(next, |until| until.min(next));
        sleep_until(wake).await;
        let Some(connection) = connection.upgrade() else {
            return;
        };
        let now = Instant::now();
        if joins_until.is_some_and(|until| until <= now) {
            joins_until = None;
            if connection.is_idle() {
                connection.close(Reason::TransportClose);
                return;
            }
        }
        if now < next {
            continue;
        }
        let due = match connection.beat.state() {
            (QUIET, at) => {
                // The client has answered the ping before; the next comes an interval later.
                if at + interval > now + Duration::from_millis(1) {
                    next = at + interval;
                    continue;
                }
                connection.beat.state.store(AWAITED, Ordering::Relaxed);
                connection.beat.at.store(millis(now), Ordering::Relaxed);
                connection.ping();
                now + timeout
            }
            (_, at) => at + timeout,
        };
        if due <= now {
            connection.close(Reason::PingTimeout);
            return;
        }
        // Looked at again when the answer may be due, or the next ping.
        next = due.min(now + interval);
    }
}
