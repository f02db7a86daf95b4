//! Closes connections whose heartbeat times out.
//!
//! In Engine.IO 4 the server pings, and the first other packet of the client extends the time for its
//! answer once; in Engine.IO 3 the client pings. A connection that is not used ends after
//! `connectTimeout`. Each connection has a task that checks its [`Liveness`].
//!
//! What must stay true: silence counts only while the client is read. It is not read while too much
//! of what it sent is not delivered, nor, where Node reads it, while JavaScript is busy.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::ProtocolVersion;
use super::config::Config;
use super::connection::{BUSY_THRESHOLD, Connection, Data};
use super::liveness::{IDLE, Liveness};
use crate::protocol::CloseReason;

/// The delays of one server.
#[derive(Debug, Clone, Copy)]
struct Delays {
    interval: Duration,
    timeout: Duration,
}

/// Watches a connection until it ends, and ends it when its heartbeat times out.
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

/// Whether a client whose time is over gets more, because the server was busy.
#[derive(Debug, Default)]
struct Grace {
    /// The start of the period that it got in addition.
    extended: Option<Instant>,
}

impl Grace {
    /// Whether the client, silent since `since`, gets more time. It does if something was received once
    /// the threads that read it had caught up, and, only once, if one of them was busy: then what it sent
    /// may still be on its way.
    async fn extends<D: Data>(
        &mut self,
        connection: &Weak<Connection<D>>,
        since: Instant,
        delay: Duration,
    ) -> bool {
        let is_late = (since + delay).elapsed() > BUSY_THRESHOLD;
        let was_idle = Connection::catch_up(connection).await;
        let Some(connection) = connection.upgrade() else {
            return false;
        };
        if connection.liveness.state().1 != since {
            return true;
        }
        let extends = self.extended != Some(since) && (is_late || !was_idle);
        if extends {
            self.extended = Some(connection.liveness.restart());
        }
        extends
    }
}

fn close<D: Data>(connection: &Weak<Connection<D>>, reason: CloseReason) {
    if let Some(connection) = connection.upgrade() {
        connection.close(reason);
    }
}

/// When to check a delay again: it does not run out while the client is not read.
fn next_check_at(liveness: &Liveness, runs_out: Instant, delay: Duration) -> Instant {
    match liveness.is_paused() {
        true => runs_out.max(Instant::now() + delay),
        false => runs_out,
    }
}

/// Engine.IO 3: waits for the client's pings.
async fn listen<D: Data>(connection: Weak<Connection<D>>, Delays { interval, timeout }: Delays) {
    let delay = interval + timeout;
    let mut grace = Grace::default();
    let mut next_check = Instant::now() + delay;
    loop {
        sleep_until(next_check).await;
        let Some(strong) = connection.upgrade() else {
            return;
        };
        let since = strong.liveness.state().1;
        next_check = next_check_at(&strong.liveness, since + delay, delay);
        drop(strong);
        if next_check <= Instant::now() && !grace.extends(&connection, since, delay).await {
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
    let mut grace = Grace::default();
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
            let was_idle =
                Connection::catch_up(&connection).await && until.elapsed() < BUSY_THRESHOLD;
            if !was_idle && std::mem::take(&mut may_join_late) {
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
        let (state, since) = strong.liveness.state();
        if state == IDLE {
            // The client has answered the last ping, so the next one is due an interval later.
            if since + interval > now + Duration::from_millis(1) {
                next = since + interval;
                continue;
            }
            strong.liveness.ping_sent();
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
            if strong.liveness.is_paused() && pinged + interval <= now {
                // The answer to the last ping is not read for now, and a client that gets no pings
                // disconnects.
                strong.ping();
                pinged = now;
            }
            // Checked again when the answer or the next ping is due.
            let delay = timeout.min(interval);
            next = next_check_at(&strong.liveness, runs_out.min(now + interval), delay);
            continue;
        }
        drop(strong);
        if !grace.extends(&connection, since, timeout).await {
            close(&connection, CloseReason::PingTimeout);
            return;
        }
        next = Instant::now();
    }
}

/// Restarts the timeout when the ping has left: Node sends it once JavaScript is not busy.
async fn sent<D: Data>(connection: &Weak<Connection<D>>) {
    Connection::catch_up(connection).await;
    if let Some(connection) = connection.upgrade()
        && connection.liveness.state().0 != IDLE
    {
        connection.liveness.restart();
    }
}
