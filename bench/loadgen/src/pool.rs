//! All clients of this process, and the one thread that serves them.
//!
//! [`Pool::turn`] waits until something comes or an instant is reached. The instant is kept by a
//! timer of the kernel's that the same wait hears of (timerfd): it is exact to a few microseconds,
//! where a timeout of epoll has a granularity of milliseconds.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, ensure};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::conn::{Conn, Incoming, Load, Target, Transport, place};

/// The token of the timer.
const TIMER: u64 = u64::MAX;
/// How often heartbeats and limits of time are looked at.
const SWEEP: Duration = Duration::from_millis(250);
/// Reports taken from epoll at once.
const EVENTS: usize = 256;
/// How much is read at once.
const SCRATCH: usize = 256 << 10;
/// Reports of a short turn.
const SHORT_EVENTS: usize = 8;
/// How much is read at once in a short turn: a few hundred answers.
const SHORT_SCRATCH: usize = 8 << 10;
/// How long clients may take to leave.
const CLOSING: Duration = Duration::from_secs(5);

/// The clients and what wakes their thread.
#[derive(Debug)]
pub struct Pool {
    /// Where clients connect.
    target: Rc<Target>,
    /// Handshakes at a time while clients are opened.
    parallel: usize,
    /// Reports on connections.
    epoll: Rc<Epoll>,
    /// Reports that an instant is reached.
    timer: TimerFd,
    /// The instant that the timer is set to.
    armed: Option<Instant>,
    /// The clients by their index.
    conns: Vec<Option<Conn>>,
    /// How many there are.
    live: usize,
    /// Reports taken and not yet dealt with.
    events: Vec<EpollEvent>,
    /// What is read goes here.
    scratch: Box<[u8]>,
    /// When heartbeats are looked at next.
    sweep: Instant,
}

impl Pool {
    /// An empty pool.
    pub fn new(target: Target, parallel: usize) -> Result<Pool> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        // edge-triggered: it need not be read, setting it again is enough
        let edge = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        epoll.add(&timer, EpollEvent::new(edge, TIMER))?;
        Ok(Pool {
            target: Rc::new(target),
            parallel,
            epoll: Rc::new(epoll),
            timer,
            armed: None,
            conns: Vec::new(),
            live: 0,
            events: vec![EpollEvent::empty(); EVENTS],
            scratch: vec![0; SCRATCH].into(),
            sweep: Instant::now() + SWEEP,
        })
    }

    /// Has turns be short, for a mode that must not be late: a call that falls due waits until what
    /// has come is dealt with.
    pub fn take_short_turns(&mut self) {
        self.events.truncate(SHORT_EVENTS);
        self.scratch = vec![0; SHORT_SCRATCH].into();
    }

    /// Where clients connect.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// How many clients there are.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Opens clients with the indices `0..n`, some at a time, and waits until all are authenticated.
    pub fn open_all(&mut self, n: usize) -> Result<()> {
        check_file_limit(n, self.target.transport)?;
        let mut opening = Opening::default();
        let mut begun = 0;
        while opening.ready < n {
            while begun < n && begun - opening.ready < self.parallel {
                self.open(begun)?;
                begun += 1;
            }
            self.turn(Instant::now() + SWEEP, &mut opening)?;
            if let Some((index, why)) = opening.failed.take() {
                return Err(why.context(format!("client {index}")));
            }
        }
        Ok(())
    }

    /// Begins to open the client of that index.
    pub fn open(&mut self, index: usize) -> Result<()> {
        if self.conns.len() <= index {
            self.conns.resize_with(index + 1, || None);
        }
        let conn = Conn::open(self.target.clone(), self.epoll.clone(), index)?;
        if self.conns[index].replace(conn).is_none() {
            self.live += 1;
        }
        Ok(())
    }

    /// Has a client queue something and sends it.
    pub fn send<L: Load>(
        &mut self,
        index: usize,
        load: &mut L,
        queue: impl FnOnce(&mut L, &mut Conn),
    ) {
        if let Some(Some(conn)) = self.conns.get_mut(index) {
            queue(load, conn);
            let sent = conn.flush();
            self.settle(index, sent, load);
        }
    }

    /// Waits until something comes, at most until `until`, and deals with what has come.
    pub fn turn<L: Load>(&mut self, until: Instant, load: &mut L) -> Result<()> {
        let timeout = self.arm(until.min(self.sweep))?;
        let n = match self.epoll.wait(&mut self.events, timeout) {
            Ok(n) => n,
            Err(Errno::EINTR) => 0,
            Err(e) => return Err(e).context("epoll"),
        };
        for i in 0..n {
            let (token, flags) = (self.events[i].data(), self.events[i].events());
            if token == TIMER {
                self.armed = None;
                continue;
            }
            let (index, side) = place(token);
            let Some(Some(conn)) = self.conns.get_mut(index) else {
                continue;
            };
            let mut done = Ok(());
            if flags.contains(EpollFlags::EPOLLOUT) {
                done = conn.writable(side);
            }
            if done.is_ok() && flags != EpollFlags::EPOLLOUT {
                done = conn.readable(side, &mut self.scratch, load);
            }
            self.settle(index, done, load);
        }
        let now = Instant::now();
        if now >= self.sweep {
            self.sweep = now + SWEEP;
            for index in 0..self.conns.len() {
                if let Some(conn) = &mut self.conns[index] {
                    let ticked = conn.tick(now);
                    self.settle(index, ticked, load);
                }
            }
        }
        Ok(())
    }

    /// Takes turns until `until`.
    pub fn run_until<L: Load>(&mut self, until: Instant, load: &mut L) -> Result<()> {
        while Instant::now() < until {
            self.turn(until, load)?;
        }
        Ok(())
    }

    /// Has all clients leave.
    pub fn close(&mut self) -> Result<()> {
        let mut load = Opening::default();
        for index in 0..self.conns.len() {
            self.send(index, &mut load, |_, conn| {
                if !conn.is_leaving() {
                    conn.leave();
                }
            });
        }
        let until = Instant::now() + CLOSING;
        while self.live > 0 && Instant::now() < until {
            self.turn(until, &mut load)?;
        }
        self.conns.clear();
        self.live = 0;
        Ok(())
    }

    /// Sets the timer, and says whether to wait.
    fn arm(&mut self, until: Instant) -> Result<EpollTimeout> {
        if self.armed == Some(until) {
            return Ok(EpollTimeout::NONE);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(EpollTimeout::ZERO);
        }
        let once = Expiration::OneShot(TimeSpec::from(left));
        self.timer.set(once, TimerSetTimeFlags::empty())?;
        self.armed = Some(until);
        Ok(EpollTimeout::NONE)
    }

    /// Lets go of a client that has left or is lost.
    fn settle<L: Load>(&mut self, index: usize, done: Result<()>, load: &mut L) {
        let Some(conn) = &self.conns[index] else {
            return;
        };
        if done.is_ok() && !conn.has_left() {
            return;
        }
        let was_leaving = conn.is_leaving() || conn.has_left();
        self.conns[index] = None;
        self.live -= 1;
        match done {
            Err(why) if !was_leaving => load.lost(index, why),
            _ => load.left(index),
        }
    }
}

/// What clients are for while they open or leave: nothing.
#[derive(Debug, Default)]
struct Opening {
    /// How many are authenticated.
    ready: usize,
    /// The first that failed.
    failed: Option<(usize, Error)>,
}

impl Load for Opening {
    fn received(&mut self, _: usize, _: &mut Conn, what: Incoming<'_>, _: Instant) {
        if let Incoming::Ready = what {
            self.ready += 1;
        }
    }

    fn lost(&mut self, index: usize, why: Error) {
        self.failed.get_or_insert((index, why));
    }
}

/// Lifts the soft limit on open files to the hard one.
pub fn raise_file_limit() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

/// Says that so many clients cannot be had before the first of them fails.
fn check_file_limit(n: usize, transport: Transport) -> Result<()> {
    let each = match transport {
        Transport::Websocket => 1,
        Transport::Polling => 2,
        Transport::Upgrade => 3,
    };
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let usable = limit.saturating_sub(24) / each;
    ensure!(
        n as u64 <= usable,
        "{n} clients are more than the limit of {limit} open files allows ({usable})"
    );
    Ok(())
}
