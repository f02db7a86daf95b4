//! Fairness: what a client that keeps thousands of calls outstanding does to the latency of
//! another one, which calls at a fixed rate. First the other one alone, then both.

use std::time::{Duration, Instant};

use anyhow::{Error, Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::conn::{Conn, Incoming, Load};
use crate::modes::paced::{Schedule, Scheduled};
use crate::modes::{GRACE, complain};
use crate::pool::Pool;
use crate::stats::{Cost, Latency, Meter, Probe, seconds};
use crate::window::{Verdict, Window};
use crate::workload::Calls;

/// The client that calls at a fixed rate.
const STEADY: usize = 0;
/// The client that floods.
const FLOODING: usize = 1;

/// What is asked for.
#[derive(Debug, Args)]
pub struct Options {
    /// Calls that the flooding client keeps outstanding
    #[arg(short, long, default_value_t = 2000)]
    pub window: usize,
    /// Calls per second of the other
    #[arg(short, long, default_value_t = 200.0)]
    pub rate: f64,
    /// What both call
    #[arg(short, long, default_value = "double")]
    pub method: String,
    /// Bytes of the JSON arguments
    #[arg(short, long, default_value_t = 0)]
    pub payload: usize,
    /// Seconds before measuring, in each half
    #[arg(long, default_value = "1", value_parser = seconds)]
    pub warmup: Duration,
    /// Seconds to measure, the first half of them without the flood
    #[arg(short = 's', long = "seconds", default_value = "10", value_parser = seconds)]
    pub duration: Duration,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `flood`.
    pub mode: &'static str,
    /// What was called.
    pub method: String,
    /// Calls that the flooding client kept outstanding.
    pub window: usize,
    /// Bytes of the arguments.
    pub payload: usize,
    /// Calls per second of the other.
    pub offered_per_s: f64,
    /// Latency of the steady client without a flood, from the instant due.
    pub idle: Latency,
    /// Its latency with the flood.
    pub flooded: Latency,
    /// How many times its p99 is what it was.
    pub p99_ratio: f64,
    /// Lateness of this program's own, with the flood.
    pub send_delay: Latency,
    /// Calls of the flooding client per second.
    pub flood_calls_per_s: f64,
    /// Lost clients, and answers to nothing.
    pub errors: u64,
    /// Wrong answers.
    pub mismatched: u64,
    /// Calls without an answer.
    pub unanswered: u64,
    /// What the half with the flood cost, for each of its calls.
    #[serde(flatten)]
    pub cost: Cost,
}

/// Both clients.
struct Flood {
    /// The steady client's calls.
    schedule: Schedule,
    /// The flooding client's window.
    window: Window,
    /// What it calls.
    calls: Calls,
    /// Whether its answered calls are followed by others.
    goes_on: bool,
    /// How many of its calls were answered.
    done: u64,
    /// Lost clients, and answers to nothing.
    errors: u64,
    /// Wrong answers.
    mismatched: u64,
}

impl Load for Flood {
    fn received(&mut self, index: usize, conn: &mut Conn, what: Incoming<'_>, now: Instant) {
        let Incoming::Ack(ack) = what else {
            return;
        };
        if index == STEADY {
            self.schedule.answer(&ack, now);
            return;
        }
        let calls = &mut self.calls;
        match self.window.answer(conn, calls, &ack, now, self.goes_on) {
            Verdict::Right(_) => self.done += 1,
            Verdict::Wrong => self.mismatched += 1,
            Verdict::Unknown => self.errors += 1,
        }
    }

    fn lost(&mut self, _: usize, why: Error) {
        self.errors += 1;
        complain(self.errors, &why);
    }
}

impl Scheduled for Flood {
    fn schedule(&mut self) -> &mut Schedule {
        &mut self.schedule
    }
}

/// The schedule of one half, from now on.
fn half(o: &Options) -> Result<Schedule> {
    let begin = Instant::now() + Duration::from_millis(20);
    let from = begin + o.warmup;
    let until = from + o.duration / 2;
    let calls = Calls::new(&o.method, o.payload, false);
    Schedule::new(calls, (STEADY, 1), o.rate, [begin, from, until])
}

/// Runs the mode.
pub fn run(pool: &mut Pool, o: &Options, probe: Probe) -> Result<(Report, bool)> {
    ensure!(
        o.window > 0 && o.rate > 0.0,
        "at least one call and a positive rate"
    );
    pool.open_all(2)?;
    pool.take_short_turns();
    let mut load = Flood {
        schedule: half(o)?,
        window: Window::new(o.window),
        calls: Calls::new(&o.method, o.payload, false),
        goes_on: true,
        done: 0,
        errors: 0,
        mismatched: 0,
    };
    let half_time = o.warmup + o.duration / 2 + Duration::from_millis(20);
    load.keep(pool, Instant::now() + half_time + GRACE)?;

    let idle = std::mem::replace(&mut load.schedule, half(o)?);
    let begin = Instant::now();
    pool.send(FLOODING, &mut load, |load, conn| {
        load.window.fill(conn, &mut load.calls, begin);
    });
    load.keep(pool, begin + o.warmup)?;
    let (start, first, meter) = (Instant::now(), load.done, Meter::start(probe));
    load.keep(pool, begin + half_time)?;
    let flooded = load.done - first;
    let (elapsed, cost) = (start.elapsed().as_secs_f64(), meter.stop(flooded));
    load.goes_on = false;
    let end = Instant::now() + GRACE;
    while load.window.open() as u64 + load.schedule.open() > 0 && Instant::now() < end {
        pool.turn(end, &mut load)?;
    }
    pool.close()?;

    let unanswered = idle.open() + load.schedule.open() + load.window.open() as u64;
    let mismatched = idle.mismatched + load.schedule.mismatched + load.mismatched;
    let errors = idle.unknown + load.schedule.unknown + load.errors;
    let (before, with) = (idle.due.figures(), load.schedule.due.figures());
    let ran = idle.done > 0 && load.schedule.done > 0 && flooded > 0;
    let report = Report {
        mode: "flood",
        method: o.method.clone(),
        window: o.window,
        payload: o.payload,
        offered_per_s: o.rate,
        p99_ratio: (with.p99_us as f64 / before.p99_us as f64 * 100.0).round() / 100.0,
        idle: before,
        flooded: with,
        send_delay: load.schedule.delay.figures(),
        flood_calls_per_s: (flooded as f64 / elapsed).round(),
        errors,
        mismatched,
        unanswered,
        cost,
    };
    Ok((
        report,
        ran && errors == 0 && mismatched == 0 && unanswered == 0,
    ))
}
