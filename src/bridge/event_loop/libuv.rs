//! Node's event loop polls the clients itself under light load, or when one thread does everything.
//!
//! A message that the I/O thread reads wakes that thread, which wakes JavaScript; one that is read here
//! wakes JavaScript alone, which costs it less than to be woken by another thread (docs/performance.md).
//! When the load grows, the I/O thread polls again; [`Reactor`] decides. Nor does an event loop poll that
//! is busy otherwise, or that of one of several threads with servers.
//!
//! What must stay true: events reach JavaScript in order, each once, as they do otherwise; polling does
//! not keep the event loop alive; nothing of it is left when the thread's environment ends.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::{CStr, c_int, c_void};
use std::mem::{ManuallyDrop, transmute};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use napi::sys;

use crate::bridge::event_batch::EventQueue;
use crate::bridge::value;
use crate::io::gathering::GATHERING_TIME;
use crate::io::reactor::Reactor;

/// `UV_POLL` of `uv_handle_type`.
const UV_POLL: c_int = 8;
/// `UV_READABLE` of `uv_poll_event`.
const UV_READABLE: c_int = 1;

/// How often the idle time of the event loop is measured.
const MEASURE_INTERVAL: Duration = Duration::from_millis(100);
/// The event loop begins to poll clients only if it is idle for this share of its time.
const MIN_IDLE_SHARE: f64 = 0.25;
/// It goes on while it is idle, or serves the clients that it polls, for this share of its time. One that
/// is full of their messages would not be less so if the I/O thread woke it for them.
const MIN_FREE_SHARE: f64 = 0.5;

const NO_TIME: libc::timespec = libc::timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

type Handle = *mut c_void;
type OnPoll = unsafe extern "C" fn(Handle, c_int, c_int);
type OnClose = unsafe extern "C" fn(Handle);
type PollInit = unsafe extern "C" fn(*mut sys::uv_loop_s, Handle, c_int) -> c_int;
type PollStart = unsafe extern "C" fn(Handle, c_int, OnPoll) -> c_int;
type PollStop = unsafe extern "C" fn(Handle) -> c_int;
type Unref = unsafe extern "C" fn(Handle);
type Close = unsafe extern "C" fn(Handle, OnClose);
type HandleSize = unsafe extern "C" fn(c_int) -> usize;
type SetData = unsafe extern "C" fn(Handle, *mut c_void);
type GetData = unsafe extern "C" fn(Handle) -> *mut c_void;
type IdleTime = unsafe extern "C" fn(*mut sys::uv_loop_s) -> u64;

/// The functions of libuv, which is part of the executable that loaded the addon.
#[derive(Clone, Copy)]
struct Uv {
    poll_init: PollInit,
    poll_start: PollStart,
    poll_stop: PollStop,
    unref: Unref,
    close: Close,
    handle_size: HandleSize,
    set_data: SetData,
    get_data: GetData,
    idle_time: IdleTime,
}

impl Uv {
    /// `None` in an executable without libuv.
    fn get() -> Option<Self> {
        static UV: OnceLock<Option<Uv>> = OnceLock::new();
        *UV.get_or_init(Self::find)
    }

    fn find() -> Option<Self> {
        fn symbol(name: &CStr) -> Option<*mut c_void> {
            // SAFETY: the name ends with a zero; what is loaded is searched, nothing is loaded.
            let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
            (!symbol.is_null()).then_some(symbol)
        }
        // SAFETY: these are libuv's signatures, the same since its version 1.39.
        unsafe {
            Some(Self {
                poll_init: transmute::<Handle, PollInit>(symbol(c"uv_poll_init")?),
                poll_start: transmute::<Handle, PollStart>(symbol(c"uv_poll_start")?),
                poll_stop: transmute::<Handle, PollStop>(symbol(c"uv_poll_stop")?),
                unref: transmute::<Handle, Unref>(symbol(c"uv_unref")?),
                close: transmute::<Handle, Close>(symbol(c"uv_close")?),
                handle_size: transmute::<Handle, HandleSize>(symbol(c"uv_handle_size")?),
                set_data: transmute::<Handle, SetData>(symbol(c"uv_handle_set_data")?),
                get_data: transmute::<Handle, GetData>(symbol(c"uv_handle_get_data")?),
                idle_time: transmute::<Handle, IdleTime>(symbol(c"uv_metrics_idle_time")?),
            })
        }
    }
}

impl Uv {
    /// A handle that does not keep the event loop alive, to poll a descriptor.
    ///
    /// # Safety
    /// The event loop is this thread's. The handle is closed before the descriptor.
    unsafe fn new_poll(&self, uv_loop: *mut sys::uv_loop_s, fd: c_int) -> Option<Handle> {
        // SAFETY: the handle's memory is as large as libuv says, aligned for anything, and freed when libuv
        // is done with it.
        unsafe {
            let poll = libc::calloc(1, (self.handle_size)(UV_POLL));
            if poll.is_null() {
                return None;
            }
            if (self.poll_init)(uv_loop, poll, fd) != 0 {
                libc::free(poll);
                return None;
            }
            (self.unref)(poll);
            Some(poll)
        }
    }
}

/// The event loop of this thread.
struct EventLoop {
    uv: Uv,
    /// The `uv_loop_t`.
    uv_loop: *mut sys::uv_loop_s,
    /// The `uv_poll_t` of the reactor's event queue.
    poll: Handle,
    timer: Timer,
    shares: Shares,
    reactor: Arc<Reactor>,
    poller_number: u64,
    listeners: Vec<Rc<Listener>>,
}

/// Wakes the event loop when messages have gathered. libuv's own timers count milliseconds.
struct Timer {
    fd: OwnedFd,
    /// Its `uv_poll_t`.
    poll: Handle,
}

impl Timer {
    /// Starts it anew. Returns whether it will wake the event loop.
    fn start(&self) -> bool {
        let spec = libc::itimerspec {
            it_interval: NO_TIME,
            it_value: libc::timespec {
                tv_nsec: GATHERING_TIME.subsec_nanos().into(),
                ..NO_TIME
            },
        };
        // SAFETY: the descriptor is open, and the time is read during the call.
        unsafe { libc::timerfd_settime(self.fd.as_raw_fd(), 0, &raw const spec, null_mut()) == 0 }
    }
}

/// Measures what the event loop does with its time.
struct Shares {
    /// The start of the measurement.
    since: Instant,
    /// The idle time of the event loop at that start, in nanoseconds.
    idle: u64,
    /// How long it has served the clients that it polls since then.
    served: Duration,
    has_time: bool,
}

impl Shares {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            idle: 0,
            served: Duration::ZERO,
            has_time: true,
        }
    }

    /// Whether it has time to poll clients, by the last measurement; there is one at most every
    /// [`MEASURE_INTERVAL`]. `idle_time` returns the total idle time of the event loop.
    fn has_time(&mut self, now: Instant, polls: bool, idle_time: impl FnOnce() -> u64) -> bool {
        let lasted = now.saturating_duration_since(self.since);
        if lasted >= MEASURE_INTERVAL {
            let idle = idle_time();
            let rested = Duration::from_nanos(idle.saturating_sub(self.idle));
            let is_enough = if polls {
                rested + self.served >= lasted.mul_f64(MIN_FREE_SHARE)
            } else {
                rested >= lasted.mul_f64(MIN_IDLE_SHARE)
            };
            // An executable that does not measure it returns 0.
            self.has_time = idle == 0 || is_enough;
            self.begin(now, idle);
        }
        self.has_time
    }

    fn begin(&mut self, now: Instant, idle: u64) {
        (self.since, self.idle, self.served) = (now, idle, Duration::ZERO);
    }
}

/// The function that gets the events of a queue. It lives until the call that removes it is over.
struct Listener {
    queue: Weak<EventQueue>,
    env: sys::napi_env,
    receive: sys::napi_ref,
    /// The async context of the call that made the server, in which `receive` is called.
    context: sys::napi_async_context,
}

thread_local! {
    /// Not dropped when the thread ends: its values of JavaScript have been released by then.
    static EVENT_LOOP: RefCell<ManuallyDrop<Option<EventLoop>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
    /// The queues with events for JavaScript, while this thread polls.
    static NOTED: RefCell<Option<Vec<Weak<EventQueue>>>> = const { RefCell::new(None) };
}

/// Has events of a queue that come while this thread polls, that of `env`, passed to `receive`. Does
/// nothing if the thread has no event loop.
pub(in crate::bridge) fn listen(
    env: sys::napi_env,
    queue: &Arc<EventQueue>,
    receive: sys::napi_value,
    reactor: &Arc<Reactor>,
) {
    // Before the event loop is borrowed, since `async_hooks` of the application may be called.
    let listener = Listener::new(env, queue, receive);
    EVENT_LOOP.with_borrow_mut(|event_loop| {
        if event_loop.is_none() {
            **event_loop = EventLoop::new(env, reactor);
        }
        if let (Some(event_loop), Some(listener)) = (&mut **event_loop, listener) {
            if event_loop.listeners.is_empty() {
                event_loop.reactor.poller.add_thread();
            }
            event_loop.listeners.push(Rc::new(listener));
        }
    });
}

/// The inverse of [`listen`].
pub(in crate::bridge) fn unlisten(queue: &Arc<EventQueue>) {
    let listener = EVENT_LOOP.with_borrow_mut(|event_loop| {
        let event_loop = event_loop.as_mut()?;
        let listeners = &mut event_loop.listeners;
        let is_it = |listener: &Rc<Listener>| listener.queue.as_ptr() == Arc::as_ptr(queue);
        let at = listeners.iter().position(is_it)?;
        let listener = listeners.swap_remove(at);
        if listeners.is_empty() {
            event_loop.leave();
        }
        Some(listener)
    });
    drop(listener);
}

/// Has this thread's event loop acquire the poller, if the load suits it.
pub(in crate::bridge) fn acquire_if_suitable(reactor: &Reactor) {
    reactor.load.judge_threads(process_cpu_time);
    if reactor.poller.is_acquired() || !reactor.suits_event_loop() {
        return;
    }
    EVENT_LOOP.with_borrow_mut(|event_loop| {
        if let Some(event_loop) = &mut **event_loop
            && !event_loop.listeners.is_empty()
            && (reactor.load.uses_one_thread() || event_loop.has_time(false))
            && reactor.poller.acquire(event_loop.poller_number)
        {
            event_loop.measure_anew();
            let start = event_loop.uv.poll_start;
            // SAFETY: the handle was initialized on this thread and is not closed.
            let refused = unsafe { start(event_loop.poll, UV_READABLE, on_readable) };
            if refused != 0 {
                reactor.poller.release(event_loop.poller_number);
            }
        }
    });
}

/// The CPU time of the process, in nanoseconds.
fn process_cpu_time() -> u64 {
    let mut time = NO_TIME;
    // SAFETY: the time is written during the call. If that fails, it is 0.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// Whether this thread does everything for clients, although the load is not light.
pub(in crate::bridge) fn does_everything(reactor: &Reactor) -> bool {
    reactor.load.uses_one_thread()
        && EVENT_LOOP.with_borrow(|event_loop| {
            let event_loop = event_loop.as_ref();
            event_loop.is_some_and(|it| reactor.poller.is_acquired_by(it.poller_number))
        })
}

/// Notes a queue whose events are delivered after the poll of this thread, instead of a wake-up. False
/// if this thread does not poll, or the queue belongs to another thread, which must not wait for the
/// JavaScript of this one.
pub(in crate::bridge) fn note(queue: &Weak<EventQueue>) -> bool {
    let noted = NOTED.try_with(|noted| {
        let noted = &mut *noted.borrow_mut();
        let noted = noted.as_mut().filter(|_| is_of_this_thread(queue));
        noted.map(|noted| noted.push(queue.clone()))
    });
    matches!(noted, Ok(Some(())))
}

fn is_of_this_thread(queue: &Weak<EventQueue>) -> bool {
    EVENT_LOOP.with_borrow(|event_loop| {
        let listener = event_loop.as_ref().and_then(|it| it.listener(queue));
        listener.is_some()
    })
}

impl EventLoop {
    fn new(env: sys::napi_env, reactor: &Arc<Reactor>) -> Option<Self> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let uv = Uv::get()?;
        let mut uv_loop = null_mut();
        // SAFETY: `env` is of this thread. The descriptor of the timer is new, and owned once.
        unsafe {
            if sys::napi_get_uv_event_loop(env, &raw mut uv_loop) != sys::Status::napi_ok {
                return None;
            }
            let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
            let fd = libc::timerfd_create(libc::CLOCK_MONOTONIC, flags);
            if fd < 0 {
                return None;
            }
            let fd = OwnedFd::from_raw_fd(fd);
            let timer_poll = uv.new_poll(uv_loop, fd.as_raw_fd())?;
            let timer = Timer {
                fd,
                poll: timer_poll,
            };
            let Some(poll) = uv.new_poll(uv_loop, reactor.as_raw_fd()) else {
                (uv.close)(timer.poll, on_closed);
                return None;
            };
            // Node waits for the hook before it ends the environment: see `on_closed`.
            let hook =
                sys::napi_add_async_cleanup_hook(env, Some(on_cleanup), null_mut(), null_mut());
            if hook != sys::Status::napi_ok {
                (uv.close)(timer.poll, on_closed);
                (uv.close)(poll, on_closed);
                return None;
            }
            Some(Self {
                uv,
                uv_loop,
                poll,
                timer,
                shares: Shares::new(),
                reactor: reactor.clone(),
                poller_number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
                listeners: Vec::new(),
            })
        }
    }

    /// This thread has no server any more. The handle stops at its next event.
    fn leave(&self) {
        self.reactor.poller.release(self.poller_number);
        self.reactor.poller.remove_thread();
    }

    /// Has the timer wake the event loop for the clients instead of the event queue. Returns whether it does.
    fn begin_gathering(&self) -> bool {
        // SAFETY: both handles were initialized on this thread and are not closed.
        unsafe {
            if !self.timer.start()
                || (self.uv.poll_start)(self.timer.poll, UV_READABLE, on_gathered) != 0
            {
                return false;
            }
            (self.uv.poll_stop)(self.poll);
        }
        true
    }

    /// Has the event loop woken for the clients again, after `handle` has woken it; `found` says whether there
    /// were messages then.
    fn go_on(&self, handle: Handle, found: bool) {
        let is_timer = handle == self.timer.poll;
        if !is_timer || (found && self.reactor.load.gathers() && self.timer.start()) {
            return;
        }
        // SAFETY: both handles were initialized on this thread and are not closed.
        unsafe {
            (self.uv.poll_stop)(self.timer.poll);
            if (self.uv.poll_start)(self.poll, UV_READABLE, on_readable) != 0 {
                self.reactor.poller.release(self.poller_number);
            }
        }
    }

    /// Whether the event loop has time to poll clients; `polls` says whether it does so already.
    fn has_time(&mut self, polls: bool) -> bool {
        self.has_time_at(Instant::now(), polls)
    }

    fn has_time_at(&mut self, now: Instant, polls: bool) -> bool {
        let idle_time = self.idle_time();
        self.shares.has_time(now, polls, idle_time)
    }

    /// Returns the total idle time of the event loop when it is called, in nanoseconds.
    fn idle_time(&self) -> impl Fn() -> u64 + use<> {
        let (idle_time, uv_loop) = (self.uv.idle_time, self.uv_loop);
        // SAFETY: the loop is this thread's, and outlives its environment.
        move || unsafe { idle_time(uv_loop) }
    }

    /// Begins a measurement: it polls from now on.
    fn measure_anew(&mut self) {
        let idle_time = self.idle_time();
        self.shares.begin(Instant::now(), idle_time());
    }

    /// Whether it has time to go on polling, after it has served clients since `start`.
    fn has_time_after(&mut self, start: Instant) -> bool {
        let now = Instant::now();
        self.shares.served += now.saturating_duration_since(start);
        self.has_time_at(now, true)
    }

    fn listener(&self, queue: &Weak<EventQueue>) -> Option<&Rc<Listener>> {
        let mut listeners = self.listeners.iter();
        listeners.find(|listener| listener.queue.ptr_eq(queue))
    }
}

impl Listener {
    fn new(env: sys::napi_env, queue: &Arc<EventQueue>, receive: sys::napi_value) -> Option<Self> {
        let name = value::string(env, b"loopback-socket").ok()?.raw();
        let mut listener = Self {
            queue: Arc::downgrade(queue),
            env,
            receive: null_mut(),
            context: null_mut(),
        };
        // SAFETY: `env` and the values are of the call under way.
        let made = unsafe {
            // If this fails, `receive` is called without a context.
            sys::napi_async_init(env, null_mut(), name, &raw mut listener.context);
            sys::napi_create_reference(env, receive, 1, &raw mut listener.receive)
        };
        (made == sys::Status::napi_ok).then_some(listener)
    }

    /// Passes a batch of a queue to JavaScript.
    fn deliver(&self, queue: &EventQueue) {
        let env = self.env;
        let mut scope = null_mut();
        // SAFETY: this is called by the event loop of `env`, in which no call is under way. Every
        // value lives in the scope, which is closed behind the call.
        unsafe {
            if sys::napi_open_handle_scope(env, &raw mut scope) != sys::Status::napi_ok {
                queue.wake_again();
                return;
            }
            let batch = queue.take();
            let text = queue.with_text(|text| value::string(env, text));
            let attachments = value::buffers(env, &batch.attachments);
            if let (Ok(text), Ok(attachments)) = (text, attachments) {
                let mut function = null_mut();
                let (mut more, mut is_awaited) = (null_mut(), null_mut());
                sys::napi_get_reference_value(env, self.receive, &raw mut function);
                sys::napi_get_boolean(env, batch.more, &raw mut more);
                sys::napi_get_boolean(env, batch.is_awaited, &raw mut is_awaited);
                let arguments = [text.raw(), attachments.raw(), more, is_awaited];
                let called = sys::napi_make_callback(
                    env,
                    self.context,
                    function,
                    function,
                    arguments.len(),
                    arguments.as_ptr(),
                    null_mut(),
                );
                if called == sys::Status::napi_pending_exception {
                    let mut error = null_mut();
                    sys::napi_get_and_clear_last_exception(env, &raw mut error);
                    sys::napi_fatal_exception(env, error);
                }
            }
            sys::napi_close_handle_scope(env, scope);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // SAFETY: dropped on the thread of `env`, which lives: by a call of it, by the finalizer of a
        // server, or by the hook that runs before it ends.
        unsafe {
            if !self.receive.is_null() {
                sys::napi_delete_reference(self.env, self.receive);
            }
            if !self.context.is_null() {
                sys::napi_async_destroy(self.env, self.context);
            }
        }
    }
}

/// Called by libuv when the event queue of the reactor is readable.
unsafe extern "C" fn on_readable(poll: Handle, _status: c_int, _events: c_int) {
    serve(poll, true);
}

/// Called by libuv when messages have gathered.
unsafe extern "C" fn on_gathered(timer: Handle, _status: c_int, _events: c_int) {
    serve(timer, false);
}

/// Serves the clients, if this thread polls them, at once or, if it may, when more messages have gathered.
/// `handle` is the one that has woken the event loop.
fn serve(handle: Handle, may_wait: bool) {
    // A panic must not reach libuv.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let known = EVENT_LOOP.with_borrow(|event_loop| {
            let event_loop = event_loop.as_ref()?;
            let reactor = event_loop.reactor.clone();
            let polls = reactor.poller.is_acquired_by(event_loop.poller_number);
            let waits = may_wait && polls && reactor.load.gathers() && event_loop.begin_gathering();
            Some((reactor, event_loop.uv.poll_stop, polls, waits))
        });
        let Some((reactor, poll_stop, polls, waits)) = known else {
            return;
        };
        if waits {
            return;
        }
        let start = Instant::now();
        let found = polls && poll_once(&reactor);
        reactor.load.judge_threads(process_cpu_time);
        let goes_on = EVENT_LOOP.with_borrow_mut(|event_loop| {
            let Some(event_loop) = event_loop.as_mut() else {
                return false;
            };
            let has_time = polls && event_loop.has_time_after(start);
            if has_time && reactor.suits_event_loop() {
                event_loop.go_on(handle, found);
                return true;
            }
            if polls && !has_time {
                reactor.load.give_up_one_thread();
            }
            reactor.poller.release(event_loop.poller_number);
            false
        });
        if !goes_on {
            // SAFETY: the handle is the one this is called for.
            unsafe { poll_stop(handle) };
        }
    }));
}

/// Polls the clients, and then delivers their events to JavaScript. Returns whether there were any.
fn poll_once(reactor: &Reactor) -> bool {
    NOTED.set(Some(Vec::new()));
    let polled = catch_unwind(AssertUnwindSafe(|| reactor.poll_once()));
    let noted = NOTED.take().unwrap_or_default();
    let found = polled.is_ok_and(|polled| polled.changes > 0);
    for weak in noted {
        let Some(queue) = weak.upgrade() else {
            continue;
        };
        // Not borrowed during the call, in which servers may be made and closed.
        let listener =
            EVENT_LOOP.with_borrow(|event_loop| event_loop.as_ref()?.listener(&weak).cloned());
        match listener {
            Some(listener) => listener.deliver(&queue),
            // JavaScript has removed the listener in a call just before.
            None => queue.wake_again(),
        }
    }
    found
}

/// Called by Node before the environment ends.
unsafe extern "C" fn on_cleanup(hook: sys::napi_async_cleanup_hook_handle, _: *mut c_void) {
    let event_loop = EVENT_LOOP.with_borrow_mut(|event_loop| event_loop.take());
    if let Some(event_loop) = event_loop {
        if !event_loop.listeners.is_empty() {
            event_loop.leave();
        }
        let EventLoop {
            uv, poll, timer, ..
        } = event_loop;
        // SAFETY: the handles are not closed yet; closing them stops them, before the descriptor of the timer
        // is closed.
        unsafe {
            (uv.close)(timer.poll, on_closed);
            (uv.set_data)(poll, hook.cast());
            (uv.close)(poll, on_closed);
        }
        drop(timer.fd);
    }
}

/// Called by libuv when a handle is closed: the environment may end, if it is the one with the hook.
unsafe extern "C" fn on_closed(poll: Handle) {
    // SAFETY: `on_cleanup` left its hook with one handle; others have none.
    // libuv is done with the memory, which `EventLoop::new` allocated.
    unsafe {
        let hook = Uv::get().map_or(null_mut(), |uv| (uv.get_data)(poll));
        if !hook.is_null() {
            sys::napi_remove_async_cleanup_hook(hook.cast());
        }
        libc::free(poll);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_loop_has_time_to_begin_if_it_waits_for_a_good_part_of_it() {
        let mut shares = Shares::new();
        let mut now = shares.since;
        let mut idle = 0;
        for (share, has_time) in [(0.9, true), (0.2, false), (0.26, true), (0.0, false)] {
            for _ in 0..3 {
                now += MEASURE_INTERVAL;
                idle += u64::try_from(MEASURE_INTERVAL.mul_f64(share).as_nanos()).unwrap();
                assert_eq!(shares.has_time(now, false, || idle), has_time, "{share}");
            }
        }
        assert!(!shares.has_time(now + MEASURE_INTERVAL / 2, false, || unreachable!()));
    }

    #[test]
    fn an_event_loop_goes_on_if_it_is_busy_with_the_clients_and_not_if_with_other_things() {
        let mut shares = Shares::new();
        let mut now = shares.since;
        let mut idle = 1;
        for (rested, served, has_time) in [
            (0.0, 0.9, true),
            (0.3, 0.3, true),
            (0.9, 0.0, true),
            (0.1, 0.3, false),
        ] {
            for _ in 0..3 {
                now += MEASURE_INTERVAL;
                idle += u64::try_from(MEASURE_INTERVAL.mul_f64(rested).as_nanos()).unwrap();
                shares.served = MEASURE_INTERVAL.mul_f64(served);
                let goes_on = shares.has_time(now, true, || idle);
                assert_eq!(goes_on, has_time, "{rested} {served}");
            }
        }
    }

    #[test]
    fn an_event_loop_without_metrics_counts_as_idle() {
        let mut shares = Shares::new();
        let now = shares.since;
        assert!(shares.has_time(now + MEASURE_INTERVAL, false, || 0));
    }
}
