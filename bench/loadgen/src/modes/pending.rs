//! Memory of calls that are not answered: every client makes calls of a method that does not
//! answer, and one that does, last. Once that is answered, all of them are with the server.

use std::time::{Duration, Instant};

use anyhow::{Error, Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::conn::{Conn, Incoming, Load};
use crate::modes::complain;
use crate::pool::Pool;
use crate::stats::{Probe, rss_each, seconds};
use crate::workload::{Calls, VALUES};

/// How long memory may take to settle before it is read.
const SETTLE: Duration = Duration::from_millis(500);

/// What is asked for.
#[derive(Debug, Args)]
pub struct Options {
    /// Clients
    #[arg(short = 'n', long, default_value_t = 100)]
    pub connections: usize,
    /// Calls of each
    #[arg(short, long, default_value_t = 100)]
    pub window: usize,
    /// A method that does not answer
    #[arg(short, long, default_value = "hang")]
    pub method: String,
    /// A method that answers, called last by each client
    #[arg(long, default_value = "double")]
    pub probe_method: String,
    /// Bytes of the JSON arguments
    #[arg(short, long, default_value_t = 0)]
    pub payload: usize,
    /// Give up after this many seconds
    #[arg(long, default_value = "60", value_parser = seconds)]
    pub limit: Duration,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `pending`.
    pub mode: &'static str,
    /// What was called.
    pub method: String,
    /// Clients.
    pub connections: usize,
    /// Calls of each.
    pub window: usize,
    /// Bytes of the arguments.
    pub payload: usize,
    /// Calls pending in all.
    pub pending: u64,
    /// How long the server took to read them.
    pub elapsed_s: f64,
    /// Resident bytes of the server with its clients, before their calls.
    pub rss_before_bytes: Option<u64>,
    /// The same with all calls pending.
    pub rss_pending_bytes: Option<u64>,
    /// What it gained for each call.
    pub rss_per_pending_call: Option<f64>,
    /// Its peak since it began.
    pub peak_rss_bytes: Option<u64>,
    /// Lost clients, and answers to calls that do not answer.
    pub errors: u64,
    /// Wrong answers to the last calls.
    pub mismatched: u64,
    /// Last calls without an answer.
    pub unanswered: u64,
}

/// The calls of all clients.
struct Pending {
    /// The calls that are answered.
    calls: Calls,
    /// The id of each client's last call.
    last: u64,
    /// Last calls that are answered.
    answered: usize,
    /// Lost clients, and answers to calls that do not answer.
    errors: u64,
    /// Wrong answers to the last calls.
    mismatched: u64,
}

impl Load for Pending {
    fn received(&mut self, index: usize, _: &mut Conn, what: Incoming<'_>, _: Instant) {
        let Incoming::Ack(ack) = what else {
            return;
        };
        if ack.id != self.last {
            self.errors += 1;
            complain(self.errors, &"a call was answered that should not be");
            return;
        }
        self.answered += 1;
        self.mismatched += u64::from(!self.calls.matches(&ack, value(index)));
    }

    fn lost(&mut self, _: usize, why: Error) {
        self.errors += 1;
        complain(self.errors, &why);
    }
}

/// What a client's last call is made with.
fn value(index: usize) -> u64 {
    index as u64 % VALUES + 1
}

/// Runs the mode.
pub fn run(pool: &mut Pool, o: &Options, probe: Probe) -> Result<(Report, bool)> {
    ensure!(
        o.connections > 0 && o.window > 0,
        "at least one connection and one call"
    );
    pool.open_all(o.connections)?;
    let mut load = Pending {
        calls: Calls::new(&o.probe_method, 0, false),
        last: o.window as u64,
        answered: 0,
        errors: 0,
        mismatched: 0,
    };
    pool.run_until(Instant::now() + SETTLE, &mut load)?;
    let before = probe.sample();
    let start = Instant::now();
    let mut hanging = Calls::new(&o.method, o.payload, false);
    for index in 0..o.connections {
        pool.send(index, &mut load, |load, conn| {
            for id in 0..load.last {
                hanging.send(conn, id, id % VALUES + 1);
            }
            load.calls.send(conn, load.last, value(index));
        });
        // what the kernel does not take at once must not gather for all clients
        pool.turn(Instant::now(), &mut load)?;
    }
    let end = start + o.limit;
    while load.answered < pool.live() && Instant::now() < end {
        pool.turn(end, &mut load)?;
    }
    let elapsed = start.elapsed();
    pool.run_until(Instant::now() + SETTLE, &mut load)?;
    let after = probe.sample();
    let unanswered = (o.connections - load.answered.min(o.connections)) as u64;
    pool.close()?;

    let report = Report {
        mode: "pending",
        method: o.method.clone(),
        connections: o.connections,
        window: o.window,
        payload: o.payload,
        pending: (o.connections * o.window) as u64,
        elapsed_s: elapsed.as_secs_f64(),
        rss_before_bytes: before.map(|s| s.rss),
        rss_pending_bytes: after.map(|s| s.rss),
        rss_per_pending_call: rss_each(before, after, o.connections * o.window),
        peak_rss_bytes: after.map(|s| s.peak_rss),
        errors: load.errors,
        mismatched: load.mismatched,
        unanswered,
    };
    let ok = load.errors == 0 && load.mismatched == 0 && unanswered == 0;
    Ok((report, ok))
}
