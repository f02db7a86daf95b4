//! Clients subscribe to one name; the server is told to feed it a numbered series of items, and every
//! subscriber must get every item exactly once and in order. With `--missed`, the clients come when the
//! items are past, and resume after the first: each must get those that it missed.
//!
//! The server under test answers two requests: `GET /ready?name=…&n=…` whether so many subscribers are
//! there (`true` or `false`), and `GET /feed?name=…&count=…&size=…&gap=…`, which begins to feed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::conn::{Conn, Incoming, Load, Protocol};
use crate::http;
use crate::modes::complain;
use crate::packet::number;
use crate::pool::Pool;
use crate::stats::{Cost, Meter, Probe, seconds};

/// How long items may stay away before the rest is lost.
const SILENCE: Duration = Duration::from_secs(5);
/// How long those that come twice may take to come.
const LATE: Duration = Duration::from_millis(200);
/// Clients that come back at a time.
const PARALLEL: u64 = 32;
/// How long until all are subscribed.
const SUBSCRIBING: Duration = Duration::from_secs(30);
/// What is in front of the number of an item, in every protocol.
const SEQ: &[u8] = b"\"seq\":";

/// The answer of tRPC to a subscription.
const TRPC_STARTED: &[u8] = b"{\"id\":1,\"jsonrpc\":\"2.0\",\"result\":{\"type\":\"started\"";
/// Milliseconds between items that warm the server up.
const WARMING_GAP: u64 = 20;

/// What is asked for.
#[derive(Debug, Args)]
pub struct Options {
    /// Clients that subscribe
    #[arg(short = 'n', long, default_value_t = 1000)]
    pub connections: usize,
    /// Items
    #[arg(short = 'k', long, default_value_t = 100)]
    pub count: usize,
    /// Bytes of padding in each
    #[arg(long, default_value_t = 200)]
    pub size: usize,
    /// Milliseconds between items, 0 for a burst
    #[arg(long, default_value_t = 0)]
    pub gap: u64,
    /// Items, or with `--missed` clients, before those that are measured, so that the server has
    /// compiled what it runs
    #[arg(long, default_value_t = 50)]
    pub warm: usize,
    /// The name that clients subscribe to
    #[arg(long, default_value = "orders")]
    pub name: String,
    /// Do not subscribe: the items are events of that name, broadcast to all
    #[arg(long)]
    pub broadcast: bool,
    /// Come when so many items are past, and resume: `count` and `gap` do not count
    #[arg(long)]
    pub missed: Option<usize>,
    /// Give up after this many seconds more than the gaps take
    #[arg(long, default_value = "60", value_parser = seconds)]
    pub limit: Duration,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `subscribe`.
    pub mode: &'static str,
    /// What was spoken.
    pub protocol: Protocol,
    /// Clients that subscribed.
    pub connections: usize,
    /// Items that each of them was to get.
    pub items: usize,
    /// Milliseconds between items.
    pub gap_ms: u64,
    /// Bytes of the last message with an item.
    pub message_bytes: usize,
    /// From the feed, or the first handshake, to the last item received.
    pub elapsed_s: f64,
    /// Items received.
    pub deliveries: u64,
    /// The same per second.
    pub deliveries_per_s: f64,
    /// Clients that came back, with `--missed`.
    pub returned: u64,
    /// Items that did not come.
    pub lost: u64,
    /// Lost clients, and items that were not those that were due.
    pub errors: u64,
    /// What it cost, for each item.
    #[serde(flatten)]
    pub cost: Cost,
}

/// The subscribers.
struct Subscribers {
    /// What is spoken.
    protocol: Protocol,
    /// What each client sends to subscribe.
    subscribe: String,
    /// Whether clients subscribe as soon as they are there.
    is_prompt: bool,
    /// How many subscriptions are answered; GraphQL has no answers.
    answered: usize,
    /// What follows the number of an item.
    body: Vec<u8>,
    /// How many numbers there are.
    end: usize,
    /// The number that each client waits for.
    next: Vec<usize>,
    /// The id of the first item, to resume after.
    first_id: Option<Value>,
    /// Items received.
    delivered: u64,
    /// When the last came.
    last: Instant,
    /// Bytes of the last message.
    bytes: usize,
    /// Lost clients, and items that were not those that were due.
    errors: u64,
}

impl Load for Subscribers {
    fn received(&mut self, index: usize, conn: &mut Conn, what: Incoming<'_>, now: Instant) {
        let text = match what {
            Incoming::Ready => {
                if self.is_prompt {
                    conn.text(self.subscribe.as_bytes());
                }
                return;
            }
            Incoming::Ack(ack) => return self.answer(ack.json, b"[{\"result\":"),
            Incoming::Event(text) => text,
        };
        let Some(at) = text.windows(SEQ.len()).position(|window| window == SEQ) else {
            if self.protocol == Protocol::Trpc {
                self.answer(text, TRPC_STARTED);
            } else {
                self.wrong(text);
            }
            return;
        };
        let due = self.next[index];
        let seen = number(&text[at + SEQ.len()..]);
        if !seen.is_some_and(|(n, rest)| n == due as u64 && rest.starts_with(&self.body)) {
            return self.wrong(text);
        }
        if due == 0 && self.first_id.is_none() {
            self.first_id = self.id_of(text);
        }
        self.next[index] += 1;
        self.delivered += 1;
        self.last = now;
        self.bytes = text.len();
    }

    fn lost(&mut self, _: usize, why: Error) {
        self.errors += 1;
        complain(self.errors, &why);
    }
}

impl Subscribers {
    /// Nobody is there yet; items are numbered up to `end`.
    fn new(protocol: Protocol, o: &Options, clients: usize, end: usize) -> Subscribers {
        Subscribers {
            protocol,
            subscribe: subscribe(protocol, &o.name, None),
            is_prompt: false,
            answered: 0,
            body: format!(",\"pad\":\"{}\"", "x".repeat(o.size)).into_bytes(),
            end,
            next: vec![0; clients],
            first_id: None,
            delivered: 0,
            last: Instant::now(),
            bytes: 0,
            errors: 0,
        }
    }

    /// Expects items from the first one again.
    fn begin(&mut self, end: usize) {
        self.end = end;
        self.next.fill(0);
        self.delivered = 0;
    }

    /// A subscription is answered, if the text begins as it has to.
    fn answer(&mut self, text: &[u8], start: &[u8]) {
        if text.starts_with(start) {
            self.answered += 1;
        } else {
            self.wrong(text);
        }
    }

    /// What to resume after to get all that follow an item.
    fn id_of(&self, text: &[u8]) -> Option<Value> {
        let value: Value = serde_json::from_slice(text).ok()?;
        match self.protocol {
            Protocol::SocketIo => value.get(2)?.get("id").cloned(),
            Protocol::GraphqlTransportWs => Some(0.into()),
            Protocol::Trpc => value.get("result")?.get("id").cloned(),
        }
    }

    /// Counts what is not as it has to be.
    fn wrong(&mut self, text: &[u8]) {
        self.errors += 1;
        let text = String::from_utf8_lossy(&text[..text.len().min(200)]);
        complain(self.errors, &format_args!("not what was due: {text}"));
    }

    /// Whether every client has got all items.
    fn is_whole(&self) -> bool {
        self.delivered >= (self.next.len() * self.end) as u64
    }

    /// Takes turns until all is there, or nothing comes any more.
    fn gather(&mut self, pool: &mut Pool, end: Instant, silence: Duration) -> Result<()> {
        while !self.is_whole() && Instant::now() < end && self.last.elapsed() < silence {
            let until = end.min(self.last + silence);
            pool.turn(until, self)?;
        }
        Ok(())
    }
}

/// What a client sends to subscribe, after an item if one is given.
fn subscribe(protocol: Protocol, name: &str, after: Option<&Value>) -> String {
    match protocol {
        Protocol::SocketIo => {
            let after = after.map_or(String::new(), |after| format!(",\"after\":{after}"));
            format!("420[{},{{\"args\":{{}}{after}}}]", Value::from(name))
        }
        Protocol::GraphqlTransportWs => {
            let after = after.map_or(String::new(), |after| format!("(after: {after})"));
            let query = format!("subscription {{ {name}{after} {{ seq pad }} }}");
            let query = Value::from(query);
            format!("{{\"id\":\"1\",\"type\":\"subscribe\",\"payload\":{{\"query\":{query}}}}}")
        }
        Protocol::Trpc => {
            let input = after.map_or(String::new(), |after| {
                format!(",\"input\":{{\"lastEventId\":{after}}}")
            });
            let path = Value::from(name);
            format!(
                "{{\"id\":1,\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\
                 \"params\":{{\"path\":{path}{input}}}}}"
            )
        }
    }
}

/// Has all of these clients subscribe, and waits until the server says that they are subscribed.
fn subscribe_all(pool: &mut Pool, o: &Options, load: &mut Subscribers, n: usize) -> Result<()> {
    if !o.broadcast {
        for index in 0..n {
            pool.send(index, load, |load, conn| {
                conn.text(load.subscribe.as_bytes())
            });
        }
    }
    let until = Instant::now() + SUBSCRIBING;
    let is_answered = !o.broadcast && load.protocol != Protocol::GraphqlTransportWs;
    while is_answered && load.answered < n {
        ensure!(
            load.errors == 0 && Instant::now() < until,
            "{} of {n} subscriptions are answered",
            load.answered
        );
        pool.turn(Instant::now() + LATE, load)?;
    }
    let ready = format!("/ready?name={}&n={n}", o.name);
    while ask(pool, &ready)? != "true" {
        ensure!(Instant::now() < until, "not all are subscribed");
        pool.run_until(Instant::now() + Duration::from_millis(50), load)?;
    }
    // what subscribing leaves to do is not counted
    pool.run_until(Instant::now() + Duration::from_millis(500), load)
}

/// Has the server feed items.
fn feed(pool: &Pool, o: &Options, count: usize, gap: u64) -> Result<()> {
    let Options { name, size, .. } = o;
    let url = format!("/feed?name={name}&count={count}&size={size}&gap={gap}");
    ensure!(ask(pool, &url)? == "true", "the server does not feed");
    Ok(())
}

/// What the server answers to a GET.
fn ask(pool: &Pool, url: &str) -> Result<String> {
    let target = pool.target();
    let mut stream = TcpStream::connect(target.address).context("a request")?;
    stream.set_read_timeout(Some(SUBSCRIBING))?;
    let mut request = Vec::new();
    http::get(&mut request, &target.host, url, "Connection: close\r\n");
    stream.write_all(&request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    match http::parse(&answer)? {
        Some(response) if response.status == 200 => {
            Ok(String::from_utf8_lossy(response.body).into_owned())
        }
        Some(response) => bail!("{url} was answered with {}", response.status),
        None => bail!("{url} was not answered"),
    }
}

/// Runs the mode.
pub fn run(pool: &mut Pool, o: &Options, probe: Probe) -> Result<(Report, bool)> {
    ensure!(
        o.connections > 0 && o.count > 0 && o.missed != Some(0),
        "at least one subscriber and one item"
    );
    let protocol = pool.target().protocol;
    let (load, start, cost) = match o.missed {
        None => live(pool, o, protocol, probe)?,
        Some(missed) => returning(pool, o, protocol, missed, probe)?,
    };
    pool.close()?;
    let items = o.missed.unwrap_or(o.count);
    let lost = ((o.connections * items) as u64).saturating_sub(load.delivered);
    let elapsed = (load.last - start).as_secs_f64();
    let report = Report {
        mode: "subscribe",
        protocol,
        connections: o.connections,
        items,
        gap_ms: o.gap,
        message_bytes: load.bytes,
        elapsed_s: elapsed,
        deliveries: load.delivered,
        deliveries_per_s: (load.delivered as f64 / elapsed).round(),
        returned: o.missed.map_or(0, |_| o.connections as u64),
        lost,
        errors: load.errors,
        cost,
    };
    let ok = lost == 0 && load.errors == 0;
    Ok((report, ok))
}

/// Items that come while all are subscribed.
fn live(
    pool: &mut Pool,
    o: &Options,
    protocol: Protocol,
    probe: Probe,
) -> Result<(Subscribers, Instant, Cost)> {
    pool.open_all(o.connections)?;
    let mut load = Subscribers::new(protocol, o, o.connections, o.count);
    subscribe_all(pool, o, &mut load, o.connections)?;
    if o.warm > 0 {
        load.end = o.warm;
        load.last = Instant::now();
        feed(pool, o, o.warm, WARMING_GAP)?;
        load.gather(pool, Instant::now() + o.limit, SILENCE)?;
        ensure!(
            load.is_whole(),
            "items are missing while the server warms up"
        );
        load.begin(o.count);
        pool.run_until(Instant::now() + LATE, &mut load)?;
    }
    let meter = Meter::start(probe);
    let start = Instant::now();
    load.last = start;
    feed(pool, o, o.count, o.gap)?;
    let end = start + o.limit + Duration::from_millis(o.gap * o.count as u64);
    let silence = SILENCE.max(Duration::from_millis(o.gap * 4));
    load.gather(pool, end, silence)?;
    let cost = meter.stop(load.delivered);
    pool.run_until(Instant::now() + LATE, &mut load)?;
    Ok((load, start, cost))
}

/// Clients that resume after the first item, when the others are past. One client is there all the
/// time.
fn returning(
    pool: &mut Pool,
    o: &Options,
    protocol: Protocol,
    missed: usize,
    probe: Probe,
) -> Result<(Subscribers, Instant, Cost)> {
    pool.open_all(1)?;
    let mut load = Subscribers::new(protocol, o, 1, missed + 1);
    subscribe_all(pool, o, &mut load, 1)?;
    load.last = Instant::now();
    feed(pool, o, missed + 1, 0)?;
    load.gather(pool, Instant::now() + o.limit, SILENCE)?;
    ensure!(load.is_whole(), "the first subscriber missed items");
    let after = load.first_id.take().context("items have no id")?;

    // the warm clients are the first, so that the others have places of their own
    let all = o.warm + o.connections;
    let mut load = Subscribers::new(protocol, o, all + 1, missed + 1);
    load.subscribe = subscribe(protocol, &o.name, Some(&after));
    load.is_prompt = true;
    load.next.fill(1);
    return_some(pool, o, &mut load, 1..=o.warm, missed)?;
    let meter = Meter::start(probe);
    let start = Instant::now();
    load.delivered = 0;
    return_some(pool, o, &mut load, o.warm + 1..=all, missed)?;
    let cost = meter.stop(load.delivered);
    pool.run_until(Instant::now() + LATE, &mut load)?;
    Ok((load, start, cost))
}

/// Has the clients of these places come, some at a time, each until it has what it missed.
fn return_some(
    pool: &mut Pool,
    o: &Options,
    load: &mut Subscribers,
    clients: RangeInclusive<usize>,
    missed: usize,
) -> Result<()> {
    load.last = Instant::now();
    let end = load.last + o.limit;
    let wanted = (clients.clone().count() * missed) as u64;
    let mut begun = 0;
    let mut waiting = clients;
    while load.delivered < wanted && Instant::now() < end && load.last.elapsed() < SILENCE {
        while begun * (missed as u64) < load.delivered + PARALLEL * missed as u64
            && let Some(client) = waiting.next()
        {
            begun += 1;
            pool.open(client)?;
        }
        let until = end.min(load.last + SILENCE);
        pool.turn(until, load)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_asks_in_its_own_words() {
        let after = Value::from("a-1");
        assert_eq!(
            subscribe(Protocol::SocketIo, "orders", Some(&after)),
            r#"420["orders",{"args":{},"after":"a-1"}]"#
        );
        for protocol in [Protocol::GraphqlTransportWs, Protocol::Trpc] {
            let text = subscribe(protocol, "orders", Some(&0.into()));
            assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
        }
    }
}
