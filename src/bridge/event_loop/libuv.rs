//! Node's event loop, waiting for the clients itself while their messages come one by one.
//!
//! Every such message has to reach JavaScript before the next one comes. Read on the I/O thread it
//! wakes that one, which wakes JavaScript; read here it wakes JavaScript alone, for which that is
//! less work than to be woken by another thread (docs/performance.md). As soon as more come, the I/O
//! thread has the clients back; [`Reactor`] decides. It does not lend them to one of several threads
//! that have servers. Nor does an event loop take them that has too much else to do.
//!
//! What must stay true: notices reach JavaScript as they do otherwise, in order, each once; the
//! event loop is not kept alive by it; nothing of it is left when the thread's environment ends.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::{CStr, c_int, c_void};
use std::mem::{ManuallyDrop, transmute};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use napi::sys;

use crate::bridge::event_batch::EventQueue;
use crate::bridge::value;
use crate::io::reactor::Reactor;

/// `UV_POLL` of `uv_handle_type`.
const UV_POLL: c_int = 8;
/// `UV_READABLE` of `uv_poll_event`.
const UV_READABLE: c_int = 1;

/// How often it is looked how busy the event loop is.
const LOOK: Duration = Duration::from_millis(100);
/// It has time for clients while it is idle for this share of its time.
const LEISURE: f64 = 0.25;

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

/// What is called of libuv, which lives in the executable that loaded us.
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

/// The event loop of this thread.
struct EventLoop {
    uv: Uv,
    /// Libuv's.
    uv_loop: *mut sys::uv_loop_s,
    /// Waits for the reactor's queue, when started.
    poll: Handle,
    leisure: Leisure,
    reactor: Arc<Reactor>,
    poller_number: u64,
    listeners: Vec<Rc<Listener>>,
}

/// How much of its time the event loop has nothing to do.
struct Leisure {
    /// Since when that is looked at.
    since: Instant,
    /// How long the event loop had been idle then, in nanoseconds.
    idle: u64,
    is_enough: bool,
}

impl Leisure {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            idle: 0,
            is_enough: true,
        }
    }

    /// Whether it was enough when it was last looked at, which is done at most every [`LOOK`].
    /// `idle_time` says for how long the event loop has been idle in its life.
    fn is_enough(&mut self, now: Instant, idle_time: impl FnOnce() -> u64) -> bool {
        let lasted = now.saturating_duration_since(self.since);
        if lasted >= LOOK {
            let idle = idle_time();
            let rested = Duration::from_nanos(idle.saturating_sub(self.idle));
            // An executable that does not measure it says 0.
            self.is_enough = idle == 0 || rested >= lasted.mul_f64(LEISURE);
            (self.since, self.idle) = (now, idle);
        }
        self.is_enough
    }
}

/// Whom the notices of an inbox go to; it lives until the call that lets go of it is over.
struct Listener {
    queue: Weak<EventQueue>,
    env: sys::napi_env,
    receive: sys::napi_ref,
    /// That of the call that made the server, in which `receive` is called.
    context: sys::napi_async_context,
}

thread_local! {
    /// Nothing is done about it when the thread ends: what JavaScript had is gone before that.
    static EVENT_LOOP: RefCell<ManuallyDrop<Option<EventLoop>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
    /// The inboxes with notices for JavaScript, while this thread takes a turn.
    static GATHERED: RefCell<Option<Vec<Weak<EventQueue>>>> = const { RefCell::new(None) };
}

/// Notices of an inbox go to `receive` when they are found on this thread, that of `env`. Nothing
/// happens where there is no such event loop.
pub(in crate::bridge) fn listen(
    env: sys::napi_env,
    queue: &Arc<EventQueue>,
    receive: sys::napi_value,
    reactor: &Arc<Reactor>,
) {
    // First, since an application's `async_hooks` may be told.
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

/// Undoes [`listen`].
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

/// Has this thread's event loop wait for the clients, if that suits them.
pub(in crate::bridge) fn wait_if_suitable(reactor: &Reactor) {
    if reactor.poller.is_acquired() || !reactor.suits_event_loop() {
        return;
    }
    EVENT_LOOP.with_borrow_mut(|event_loop| {
        if let Some(event_loop) = &mut **event_loop
            && !event_loop.listeners.is_empty()
            && event_loop.has_time()
            && reactor.poller.acquire(event_loop.poller_number)
        {
            let start = event_loop.uv.poll_start;
            // SAFETY: the handle was initialized on this thread and is not closed.
            let refused = unsafe { start(event_loop.poll, UV_READABLE, on_readable) };
            if refused != 0 {
                reactor.poller.release(event_loop.poller_number);
            }
        }
    });
}

/// Notes an inbox that would have JavaScript woken, to be given to it when the turn of this thread
/// is over; false if it takes none, or the inbox is another thread's, which is not to wait for what
/// JavaScript does on this one.
pub(in crate::bridge) fn gather(queue: &Weak<EventQueue>) -> bool {
    let gathered = GATHERED.try_with(|gathered| {
        let gathered = &mut *gathered.borrow_mut();
        let gathered = gathered.as_mut().filter(|_| is_of_this_thread(queue));
        gathered.map(|gathered| gathered.push(queue.clone()))
    });
    matches!(gathered, Ok(Some(())))
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
        // SAFETY: `env` is of this thread. The handle's memory is as large as libuv says, aligned
        // for anything, and freed when libuv is done with it.
        unsafe {
            if sys::napi_get_uv_event_loop(env, &raw mut uv_loop) != sys::Status::napi_ok {
                return None;
            }
            let poll = libc::calloc(1, (uv.handle_size)(UV_POLL));
            if poll.is_null() {
                return None;
            }
            if (uv.poll_init)(uv_loop, poll, reactor.as_raw_fd()) != 0 {
                libc::free(poll);
                return None;
            }
            (uv.unref)(poll);
            // The environment ends when its hook is done: see `on_closed`.
            let hook =
                sys::napi_add_async_cleanup_hook(env, Some(on_cleanup), null_mut(), null_mut());
            if hook != sys::Status::napi_ok {
                (uv.close)(poll, on_closed);
                return None;
            }
            Some(Self {
                uv,
                uv_loop,
                poll,
                leisure: Leisure::new(),
                reactor: reactor.clone(),
                poller_number: LAST.fetch_add(1, Ordering::Relaxed) + 1,
                listeners: Vec::new(),
            })
        }
    }

    /// This thread has no server any more; the handle stops when it is told next.
    fn leave(&self) {
        self.reactor.poller.release(self.poller_number);
        self.reactor.poller.remove_thread();
    }

    /// Whether the event loop has time to wait for clients, beside what else it does.
    fn has_time(&mut self) -> bool {
        let (idle_time, uv_loop) = (self.uv.idle_time, self.uv_loop);
        // SAFETY: the loop is this thread's, and outlives its environment.
        let idle_time = || unsafe { idle_time(uv_loop) };
        self.leisure.is_enough(Instant::now(), idle_time)
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
            // Without a context JavaScript is called all the same.
            sys::napi_async_init(env, null_mut(), name, &raw mut listener.context);
            sys::napi_create_reference(env, receive, 1, &raw mut listener.receive)
        };
        (made == sys::Status::napi_ok).then_some(listener)
    }

    /// Gives JavaScript a portion of what an inbox holds.
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
            let portion = queue.take();
            let text = queue.with_text(|text| value::string(env, text));
            let attachments = value::buffers(env, &portion.attachments);
            if let (Ok(text), Ok(attachments)) = (text, attachments) {
                let mut function = null_mut();
                let (mut more, mut is_large) = (null_mut(), null_mut());
                sys::napi_get_reference_value(env, self.receive, &raw mut function);
                sys::napi_get_boolean(env, portion.more, &raw mut more);
                sys::napi_get_boolean(env, portion.is_large, &raw mut is_large);
                let arguments = [text.raw(), attachments.raw(), more, is_large];
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

/// A client may have said something.
unsafe extern "C" fn on_readable(poll: Handle, _status: c_int, _events: c_int) {
    // A panic must not reach libuv.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let known = EVENT_LOOP.with_borrow(|event_loop| {
            let event_loop = event_loop.as_ref()?;
            let Uv { poll_stop, .. } = event_loop.uv;
            Some((
                event_loop.reactor.clone(),
                event_loop.poller_number,
                poll_stop,
            ))
        });
        let Some((reactor, poller_number, poll_stop)) = known else {
            return;
        };
        if reactor.poller.is_acquired_by(poller_number) {
            poll_once(&reactor);
            let has_time = EVENT_LOOP
                .with_borrow_mut(|event_loop| event_loop.as_mut().is_some_and(EventLoop::has_time));
            if has_time && reactor.suits_event_loop() {
                return;
            }
        }
        // SAFETY: the handle is the one this is called for.
        unsafe { poll_stop(poll) };
        reactor.poller.release(poller_number);
    }));
}

/// Hears the clients, and tells JavaScript what they said.
fn poll_once(reactor: &Reactor) {
    GATHERED.set(Some(Vec::new()));
    let polled = catch_unwind(AssertUnwindSafe(|| reactor.poll_once()));
    let gathered = GATHERED.take().unwrap_or_default();
    drop(polled);
    for weak in gathered {
        let Some(queue) = weak.upgrade() else {
            continue;
        };
        // Not borrowed during the call, in which servers come and go.
        let listener =
            EVENT_LOOP.with_borrow(|event_loop| event_loop.as_ref()?.listener(&weak).cloned());
        match listener {
            Some(listener) => listener.deliver(&queue),
            // Let go of by what JavaScript was just told.
            None => queue.wake_again(),
        }
    }
}

/// The environment is about to end.
unsafe extern "C" fn on_cleanup(hook: sys::napi_async_cleanup_hook_handle, _: *mut c_void) {
    let event_loop = EVENT_LOOP.with_borrow_mut(|event_loop| event_loop.take());
    if let Some(event_loop) = event_loop {
        let EventLoop { uv, poll, .. } = event_loop;
        if !event_loop.listeners.is_empty() {
            event_loop.leave();
        }
        // SAFETY: the handle is not closed yet; closing it stops it.
        unsafe {
            (uv.set_data)(poll, hook.cast());
            (uv.close)(poll, on_closed);
        }
    }
}

/// Nothing of libuv's is left: the environment may end.
unsafe extern "C" fn on_closed(poll: Handle) {
    // SAFETY: `on_cleanup` left its hook with the handle, which has none where the hook was refused.
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
    fn an_event_loop_is_idle_if_it_waits_for_a_good_part_of_the_time() {
        let mut leisure = Leisure::new();
        let mut now = leisure.since;
        let mut idle = 0;
        for (share, is_enough) in [(0.9, true), (0.2, false), (0.26, true), (0.0, false)] {
            for _ in 0..3 {
                now += LOOK;
                idle += u64::try_from(LOOK.mul_f64(share).as_nanos()).unwrap();
                assert_eq!(leisure.is_enough(now, || idle), is_enough, "{share}");
            }
        }
        assert!(!leisure.is_enough(now + LOOK / 2, || unreachable!()));
    }

    #[test]
    fn an_event_loop_without_metrics_counts_as_idle() {
        let mut leisure = Leisure::new();
        let now = leisure.since;
        assert!(leisure.is_enough(now + LOOK, || 0));
    }
}
