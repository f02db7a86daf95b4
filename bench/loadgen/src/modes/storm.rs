//! All clients come at once, as they do when a server comes back: each connects, authenticates, calls
//! once and stays. One that is turned away or gives up comes again, as clients do.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Error, Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::conn::{Conn, Incoming, Load};
use crate::modes::complain;
use crate::pool::Pool;
use crate::stats::{Cost, Durations, Latency, Meter, Probe, seconds};
use crate::workload::{Calls, VALUES};

/// How long a client that failed waits before it comes again: what socket.io's clients wait at least.
const RECONNECTION_DELAY: Duration = Duration::from_millis(500);

/// What is asked for.
#[derive(Debug, Args)]
pub struct Options {
    /// Clients
    #[arg(short = 'n', long, default_value_t = 2000)]
    pub connections: usize,
    /// What they call
    #[arg(short, long, default_value = "double")]
    pub method: String,
    /// Give up after this many seconds
    #[arg(long, default_value = "60", value_parser = seconds)]
    pub limit: Duration,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `storm`.
    pub mode: &'static str,
    /// Clients that were answered.
    pub connections: u64,
    /// From the first handshake to the last answer.
    pub elapsed_s: f64,
    /// From the first handshake to the answer of each client.
    pub latency: Latency,
    /// How often a client had to come again.
    pub reconnections: u64,
    /// Wrong answers.
    pub mismatched: u64,
    /// Clients without an answer.
    pub unanswered: u64,
    /// What it cost.
    #[serde(flatten)]
    pub cost: Cost,
}

/// Clients that come at once.
struct Storm {
    /// What is called.
    calls: Calls,
    /// When the first handshake began.
    start: Instant,
    /// How long each waited for its answer.
    latency: Durations,
    /// When the last answer came.
    last: Instant,
    /// Clients that were answered.
    done: u64,
    /// Clients that come again, and when; the first of them first.
    again: VecDeque<(Instant, usize)>,
    /// How often one had to.
    reconnections: u64,
    /// Whether each is answered.
    is_answered: Vec<bool>,
    /// Wrong answers.
    mismatched: u64,
}

/// What a client calls with.
fn value(index: usize) -> u64 {
    index as u64 % VALUES + 1
}

impl Load for Storm {
    fn received(&mut self, index: usize, conn: &mut Conn, what: Incoming<'_>, now: Instant) {
        match what {
            Incoming::Ready => self.calls.send(conn, 1, value(index)),
            Incoming::Event(_) => {}
            Incoming::Ack(ack) => {
                self.last = now;
                self.is_answered[index] = true;
                self.latency.add(now.saturating_duration_since(self.start));
                if ack.id == 1 && self.calls.matches(&ack, value(index)) {
                    self.done += 1;
                } else {
                    self.mismatched += 1;
                }
            }
        }
    }

    fn lost(&mut self, index: usize, why: Error) {
        if !self.is_answered[index] {
            self.reconnections += 1;
            complain(self.reconnections, &why);
            self.again
                .push_back((Instant::now() + RECONNECTION_DELAY, index));
        }
    }
}

/// Runs the mode.
pub fn run(pool: &mut Pool, o: &Options, probe: Probe) -> Result<(Report, bool)> {
    ensure!(o.connections > 0, "at least one client");
    let meter = Meter::start(probe);
    let start = Instant::now();
    let mut load = Storm {
        calls: Calls::new(&o.method, 0, false),
        start,
        latency: Durations::new()?,
        last: start,
        done: 0,
        again: VecDeque::new(),
        reconnections: 0,
        is_answered: vec![false; o.connections],
        mismatched: 0,
    };
    for index in 0..o.connections {
        pool.open(index)?;
    }
    let wanted = o.connections as u64;
    let end = start + o.limit;
    while load.done + load.mismatched < wanted && Instant::now() < end {
        let now = Instant::now();
        while let Some((_, index)) = load.again.pop_front_if(|(at, _)| *at <= now) {
            pool.open(index)?;
        }
        let next = load.again.front().map_or(end, |(at, _)| *at);
        pool.turn(end.min(next), &mut load)?;
    }
    let cost = meter.stop(load.done);
    pool.close()?;
    let unanswered = wanted.saturating_sub(load.done + load.mismatched);
    let report = Report {
        mode: "storm",
        connections: load.done,
        elapsed_s: (load.last - start).as_secs_f64(),
        latency: load.latency.figures(),
        reconnections: load.reconnections,
        mismatched: load.mismatched,
        unanswered,
        cost,
    };
    Ok((report, load.done == wanted))
}
