//! Closes connections whose heartbeat times out.
//!
//! In Engine.IO 4 the server pings, and the first other packet of the client extends the time for its
//! answer once; in Engine.IO 3 the client pings. A connection that is not used ends after
//! `connectTimeout`. Each connection has a task that checks its [`Liveness`].
//!
//! What must stay true: silence counts only while the client is read. It is not read while too much
//! of what it sent is not delivered, while its request with packets waits for JavaScript, nor, where Node reads
//! it, while JavaScript is busy.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::ProtocolVersion;
use super::config::Config;
use super::connection::{BUSY_THRESHOLD, Connection, Data};
use super::liveness::{IDLE, Liveness};
use crate::io::delayed::{DelayedTask, DelayedTasks};
use crate::protocol::CloseReason;

/// By which a timer comes late, even if the thread is not busy: tokio and the operating system each round it up
/// to a millisecond. So timers are set this much earlier, or a tenth of the delay if that is less: a client
/// whose time is over must not be served any more.
const TIMER_PRECISION: Duration = Duration::from_millis(2);

/// The delays of one server.
#[derive(Debug, Clone, Copy)]
struct Delays {
    interval: Duration,
    timeout: Duration,
    /// What is due within this time from now is due now.
    precision: Duration,
}

impl Delays {
    fn new(config: &Config) -> Self {
        let interval = config.ping_interval.max(Duration::from_millis(1));
        let timeout = config.ping_timeout;
        let precision = TIMER_PRECISION.min(interval.min(timeout).min(config.connect_timeout) / 10);
        Self {
            interval,
            timeout,
            precision,
        }
    }

    /// Waits until a time is due.
    async fn wait_until(self, time: Instant) {
        sleep_until(time.checked_sub(self.precision).unwrap_or(time)).await;
    }

    /// The latest time that is due now.
    fn due(self) -> Instant {
        Instant::now() + self.precision
    }
}

/// Watches a connection until it ends, and ends it when its heartbeat times out.
pub(super) fn watch<D: Data>(
    tasks: &DelayedTasks,
    connection: Weak<Connection<D>>,
    protocol: ProtocolVersion,
    config: &Config,
) -> DelayedTask {
    let delays = Delays::new(config);
    let opened = Instant::now();
    match protocol {
        ProtocolVersion::V3 => {
            let until = opened + delays.interval + delays.timeout;
            tasks.spawn(until, listen(connection, delays, until))
        }
        ProtocolVersion::V4 => {
            let joins_until = opened + config.connect_timeout;
            let until = joins_until.min(opened + delays.interval);
            tasks.spawn(
                until,
                ping(connection, delays, opened, config.connect_timeout),
            )
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
async fn listen<D: Data>(connection: Weak<Connection<D>>, delays: Delays, first_check: Instant) {
    let delay = delays.interval + delays.timeout;
    let mut grace = Grace::default();
    let mut next_check = first_check;
    loop {
        delays.wait_until(next_check).await;
        let Some(strong) = connection.upgrade() else {
            return;
        };
        let since = strong.liveness.state().1;
        next_check = next_check_at(&strong.liveness, since + delay, delay);
        drop(strong);
        if next_check <= delays.due() && !grace.extends(&connection, since, delay).await {
            close(&connection, CloseReason::PingTimeout);
            return;
        }
    }
}

/// Engine.IO 4: pings.
async fn ping<D: Data>(
    connection: Weak<Connection<D>>,
    delays: Delays,
    opened: Instant,
    joins_within: Duration,
) {
    let Delays {
        interval, timeout, ..
    } = delays;
    let mut joins_until = Some(opened + joins_within);
    let mut may_join_late = true;
    let mut grace = Grace::default();
    let mut pinged = opened;
    let mut next = pinged + interval;
    loop {
        let wake = joins_until.map_or(next, |until| until.min(next));
        delays.wait_until(wake).await;
        let Some(strong) = connection.upgrade() else {
            return;
        };
        let due = delays.due();
        if let Some(until) = joins_until.take_if(|until| *until <= due)
            && strong.data.is_idle()
        {
            drop(strong);
            let was_idle =
                Connection::catch_up(&connection).await && until.elapsed() < BUSY_THRESHOLD;
            if !was_idle && std::mem::take(&mut may_join_late) {
                joins_until = Some(Instant::now() + joins_within);
            } else if let Some(idle) = connection.upgrade().filter(|it| it.data.is_idle()) {
                // A client that polls still fetches what is queued, and may be gone: its heartbeat goes on.
                idle.finish(CloseReason::ForcedClose);
            }
            continue;
        }
        if due < next {
            continue;
        }
        let (state, since) = strong.liveness.state();
        if state == IDLE {
            // The client has answered the last ping, so the next one is due an interval later.
            if since + interval > due {
                next = since + interval;
                continue;
            }
            strong.liveness.ping_sent();
            strong.ping();
            pinged = due;
            next = Instant::now() + timeout.min(interval);
            if strong.is_read_by_node() {
                drop(strong);
                sent(&connection).await;
            }
            continue;
        }
        let runs_out = since + timeout;
        if runs_out > due {
            if strong.liveness.is_paused() && pinged + interval <= due {
                // The answer to the last ping is not read for now, and a client that gets no pings
                // disconnects.
                strong.ping();
                pinged = due;
            }
            // Checked again when the answer or the next ping is due.
            let delay = timeout.min(interval);
            next = next_check_at(&strong.liveness, runs_out.min(due + interval), delay);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(interval: u64, timeout: u64) -> Delays {
        Delays::new(&Config {
            ping_interval: Duration::from_millis(interval),
            ping_timeout: Duration::from_millis(timeout),
            ..Config::default()
        })
    }

    #[test]
    fn a_timer_is_set_earlier_by_a_small_part_of_a_short_delay() {
        assert_eq!(delays(25_000, 20_000).precision, TIMER_PRECISION);
        assert_eq!(delays(300, 10).precision, Duration::from_millis(1));
        assert_eq!(delays(0, 200).precision, Duration::from_micros(100));
    }

    #[tokio::test]
    async fn what_was_waited_for_is_due() {
        let delays = delays(300, 200);
        let time = Instant::now() + Duration::from_millis(5);
        assert!(delays.due() < time);
        delays.wait_until(time).await;
        assert!(delays.due() >= time);
    }
}
