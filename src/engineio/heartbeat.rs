//! Who has been silent for too long.
//!
//! In Engine.IO 4 the server pings and waits for an answer, which the first other packet of the
//! client puts off once; in Engine.IO 3 the client pings. A connection that is used for nothing
//! ends after `connectTimeout`. A task per connection looks at its [`Beat`].
//!
//! What must stay true: silence counts only while the client is read. That is not so while too much
//! of what it said waits for JavaScript, nor, where Node reads it, while JavaScript is busy.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::ProtocolVersion;
use super::config::Config;
use super::connection::{Connection, Data, SOON};
use super::liveness::{Beat, QUIET};
use crate::protocol::CloseReason;

/// The delays of one server.
#[derive(Debug, Clone, Copy)]
struct Delays {
    interval: Duration,
    timeout: Duration,
}

/// Watches a connection until it ends, or ends it.
pub(super) fn watch<D: Data>(
    connection: Weak<Connection<D>>,
    protocol: ProtocolVersion,
    config: &Config,
) -> impl Future<Output = ()> + use<D> {
    let delays = Delays {
        interval: config.ping_interval.max(Duration::from_millis(1)),
        timeout: config.ping_timeout,
    };
    let joins_within = config.connect_timeout;
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
    async fn gives_more<D: Data>(
        &mut self,
        connection: &Weak<Connection<D>>,
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

fn close<D: Data>(connection: &Weak<Connection<D>>, reason: CloseReason) {
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
async fn listen<D: Data>(connection: Weak<Connection<D>>, Delays { interval, timeout }: Delays) {
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
            close(&connection, CloseReason::PingTimeout);
            return;
        }
    }
}

/// Engine.IO 4: pings.
async fn ping<D: Data>(
    connection: Weak<Connection<D>>,
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
            && strong.data.is_idle()
        {
            drop(strong);
            let was_soon = Connection::catch_up(&connection).await && until.elapsed() < SOON;
            if !was_soon && std::mem::take(&mut may_join_late) {
                joins_until = Some(Instant::now() + joins_within);
            } else if let Some(idle) = connection.upgrade().filter(|it| it.data.is_idle()) {
                idle.finish(CloseReason::ForcedClose);
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
            close(&connection, CloseReason::PingTimeout);
            return;
        }
        next = Instant::now();
    }
}

/// Has silence count from when a ping has left, which JavaScript sends when it is not busy.
async fn sent<D: Data>(connection: &Weak<Connection<D>>) {
    Connection::catch_up(connection).await;
    if let Some(connection) = connection.upgrade()
        && connection.beat.state().0 != QUIET
    {
        connection.beat.begins_anew();
    }
}
