//! Polls the readers of clients, on the I/O thread or on a JavaScript thread.
//!
//! A reader is polled when its stream is readable, which [`Reactor::poll_once`] finds out. The I/O
//! thread calls that whenever the event queue of the descriptors is readable. Under light load, a
//! JavaScript thread may acquire the poller: then its event loop does so, which saves waking the I/O
//! thread for each message only to wake JavaScript (docs/performance.md). The I/O thread reclaims the
//! poller when nobody has polled for a while, since the application is busy or no messages come.
//!
//! What must stay true: a reader is polled by one thread at a time, and again whenever it was woken;
//! the readers that became ready first are polled first; one thread always waits for the descriptors.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

#[cfg(unix)]
use super::adopt_fd;
#[cfg(unix)]
use super::gathering::GATHERING_TIME;
use super::host::ReadRound;
#[cfg(unix)]
use super::host::Released;
use super::load::LoadMonitor;
use super::poller::Poller;
#[cfg(unix)]
use super::stream::{Descriptor, Descriptors, Polled, Stream};

/// How often the I/O thread checks that the owner of the poller polls.
const OWNER_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// How often the I/O thread yields to catch up: one poll of the streams, one of the readers that
/// something else has woken, and one in reserve.
const CATCH_UP_POLLS: usize = 3;

/// By which a sleeping thread wakes up late on Linux.
#[cfg(unix)]
const TIMER_SLACK: Duration = Duration::from_micros(50);

/// How long the I/O thread waits for another thread that polls readers before it looks again.
#[cfg(unix)]
const CATCH_UP_PAUSE: Duration = Duration::from_millis(1);

/// What a reader runs.
pub(crate) trait Task: Send {
    /// Continues; ready when it is done for good.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Called after a panic; it is not polled again.
    fn on_panic(&mut self);
}

/// The readers of a process, and the descriptors they wait for.
pub(crate) struct Reactor {
    due: Mutex<Due>,
    /// Wakes the I/O thread when a reader is due or the poller has another owner.
    wake: Arc<Notify>,
    #[cfg(unix)]
    descriptors: Arc<Descriptors>,
    pub(crate) poller: Poller,
    poll_count: AtomicU64,
    pub(crate) load: LoadMonitor,
}

/// Readers to poll.
#[derive(Default)]
struct Due {
    readers: VecDeque<Arc<Reader>>,
    /// How many threads are about to poll them.
    polling: u32,
}

impl std::fmt::Debug for Reactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reactor").finish_non_exhaustive()
    }
}

impl Reactor {
    /// Makes a reactor that polls on this runtime.
    ///
    /// # Errors
    /// The error of the operating system when it opens the event queue.
    pub(crate) fn start(runtime: &Handle) -> io::Result<Arc<Self>> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let wake = Arc::new(Notify::new());
        let reactor = Arc::new(Self {
            due: Mutex::default(),
            wake: wake.clone(),
            #[cfg(unix)]
            descriptors: Descriptors::new()?,
            poller: Poller::new(wake),
            poll_count: AtomicU64::new(0),
            load: LoadMonitor::new(cores),
        });
        runtime.spawn(drive(reactor.clone()));
        // On one core, busy-polling would only keep JavaScript from running.
        if cores > 1 {
            let reactor = reactor.clone();
            runtime.spawn(async move { reactor.load.stay_awake().await });
        }
        Ok(reactor)
    }

    /// Registers a stream for a reader; `released` is dropped when it is closed.
    ///
    /// # Errors
    /// The error of the operating system.
    #[cfg(unix)]
    pub(super) fn register(
        &self,
        stream: Stream,
        released: Option<Released>,
    ) -> io::Result<Arc<Descriptor>> {
        self.descriptors.register(stream, released)
    }

    /// Starts a reader.
    pub(crate) fn read(self: &Arc<Self>, task: impl Task + 'static) -> Arc<Reader> {
        let reader = Arc::new(Reader {
            reactor: self.clone(),
            state: AtomicU8::new(IDLE),
            task: Mutex::new(Some(Box::new(task))),
            ended: Notify::new(),
        });
        reader.wake_by_ref();
        reader
    }

    /// Starts a reader, and polls it once on this thread.
    #[cfg(unix)]
    pub(crate) fn read_now(self: &Arc<Self>, task: impl Task + 'static) {
        let reader = Arc::new(Reader {
            reactor: self.clone(),
            state: AtomicU8::new(DUE),
            task: Mutex::new(Some(Box::new(task))),
            ended: Notify::new(),
        });
        reader.run();
    }

    /// Polls the event queue, and then each reader that is due once.
    #[cfg(unix)]
    pub(crate) fn poll_once(&self) -> Polled {
        let polling = self.polling();
        let polled = self.descriptors.poll();
        polling.poll_due();
        if polled.changes > 0 {
            self.poll_count.fetch_add(1, Ordering::Relaxed);
            self.load.polled();
        }
        polled
    }

    /// Waits on the I/O thread until every reader has been polled for what its stream had when this was
    /// called.
    pub(crate) async fn catch_up(&self) {
        #[cfg(unix)]
        {
            if self.poller.is_acquired() {
                for _ in 0..CATCH_UP_POLLS {
                    if !self.poll_once().more {
                        break;
                    }
                    yield_now().await;
                }
            }
            // The owner of the poller may be busy with the application, so it is not waited for, unless it runs
            // readers, as it may even if the poller has just been reclaimed.
            let patience = Instant::now() + 2 * OWNER_CHECK_INTERVAL;
            while self.is_polling() && Instant::now() < patience {
                sleep(CATCH_UP_PAUSE).await;
            }
        }
        for _ in 0..CATCH_UP_POLLS {
            yield_now().await;
        }
    }

    /// Whether a thread polls readers.
    #[cfg(unix)]
    fn is_polling(&self) -> bool {
        self.due.lock().polling > 0
    }

    /// Polls readers that something other than their stream has woken.
    fn poll_due(&self) {
        self.polling().poll_due();
    }

    fn polling(&self) -> PollGuard<'_> {
        self.due.lock().polling += 1;
        PollGuard {
            reactor: self,
            readers: VecDeque::new(),
        }
    }

    fn schedule(&self, reader: Arc<Reader>) {
        let mut due = self.due.lock();
        due.readers.push_back(reader);
        let needs_wake = due.polling == 0;
        drop(due);
        if needs_wake {
            self.wake.notify_one();
        }
    }

    /// Whether the event loop may poll the clients itself: the load is light enough, or it does everything.
    #[cfg(target_os = "linux")]
    pub(crate) fn suits_event_loop(&self) -> bool {
        (self.load.is_light() || self.load.uses_one_thread()) && self.poller.has_one_thread()
    }
}

/// Marks a thread as about to poll the readers that are due, so that none is woken for them.
struct PollGuard<'a> {
    reactor: &'a Reactor,
    /// Those that it polls.
    readers: VecDeque<Arc<Reader>>,
}

impl PollGuard<'_> {
    fn poll_due(mut self) {
        self.readers = std::mem::take(&mut self.reactor.due.lock().readers);
        let _round = ReadRound::start();
        for reader in self.readers.drain(..) {
            // A panic must not keep the other readers from being polled.
            let _ = catch_unwind(AssertUnwindSafe(|| reader.run()));
        }
    }
}

impl Drop for PollGuard<'_> {
    fn drop(&mut self) {
        let mut due = self.reactor.due.lock();
        due.polling -= 1;
        let needs_wake = !due.readers.is_empty() && due.polling == 0;
        if due.readers.is_empty() {
            // The memory serves the readers that are due next.
            due.readers = std::mem::take(&mut self.readers);
        }
        drop(due);
        if needs_wake {
            self.reactor.wake.notify_one();
        }
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for Reactor {
    /// The event queue: readable when [`Reactor::poll_once`] has something to do.
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.descriptors.as_raw_fd()
    }
}

/// The loop of the I/O thread.
async fn drive(reactor: Arc<Reactor>) {
    loop {
        reactor.load.set_on_io_thread(true);
        poll_until_acquired(&reactor).await;
        reactor.load.set_on_io_thread(false);
        watch_owner(&reactor).await;
    }
}

/// Polls the clients until a JavaScript thread acquires the poller.
#[cfg(unix)]
async fn poll_until_acquired(reactor: &Arc<Reactor>) {
    let Ok(queue) = adopt_fd::wait_for(&reactor.descriptors) else {
        // The operating system lacks a resource: try again later.
        sleep(OWNER_CHECK_INTERVAL).await;
        reactor.poll_once();
        return;
    };
    while !reactor.poller.is_acquired() {
        let mut wake = pin!(reactor.wake.notified());
        let more = poll_fn(|cx| {
            let needs_wake = wake.as_mut().poll(cx).is_ready();
            match queue.poll_read_ready(cx) {
                Poll::Ready(Ok(mut ready)) => {
                    if reactor.load.gathers() {
                        // Commands and timers that come meanwhile are as late as the messages.
                        thread::sleep(GATHERING_TIME - TIMER_SLACK);
                    }
                    let Polled { more, .. } = reactor.poll_once();
                    if !more {
                        ready.clear_ready();
                    }
                    Poll::Ready(more || needs_wake)
                }
                _ if needs_wake => {
                    reactor.poll_due();
                    Poll::Ready(true)
                }
                _ => Poll::Pending,
            }
        });
        if more.await {
            // Clients that never stop sending must not keep other tasks waiting.
            yield_now().await;
        }
    }
}

#[cfg(not(unix))]
async fn poll_until_acquired(reactor: &Arc<Reactor>) {
    loop {
        reactor.wake.notified().await;
        reactor.poll_due();
        yield_now().await;
    }
}

/// Polls readers that something other than their stream has woken, until the poller is released, or
/// is reclaimed because its owner does not poll.
async fn watch_owner(reactor: &Reactor) {
    let mut poll_count = reactor.poll_count.load(Ordering::Relaxed);
    let mut watch = pin!(sleep(OWNER_CHECK_INTERVAL));
    while reactor.poller.is_acquired() {
        let mut wake = pin!(reactor.wake.notified());
        let is_time = poll_fn(|cx| match watch.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending => wake.as_mut().poll(cx).map(|()| false),
        });
        if is_time.await {
            let before = poll_count;
            poll_count = reactor.poll_count.load(Ordering::Relaxed);
            if poll_count == before {
                reactor.poller.reclaim();
            }
            watch.as_mut().reset(Instant::now() + OWNER_CHECK_INTERVAL);
        } else {
            reactor.poll_due();
            yield_now().await;
        }
    }
}

const IDLE: u8 = 0;
/// Due, or about to be.
const DUE: u8 = 1;
const RUNNING: u8 = 2;
/// Running, and to be polled again.
const WOKEN: u8 = 3;
const ENDED: u8 = 4;

/// A task that reads a client.
pub(crate) struct Reader {
    reactor: Arc<Reactor>,
    state: AtomicU8,
    task: Mutex<Option<Box<dyn Task>>>,
    ended: Notify,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Reader {
    fn run(self: Arc<Self>) {
        let mut task = self.task.lock();
        if self.state.swap(RUNNING, Ordering::SeqCst) == ENDED {
            self.state.store(ENDED, Ordering::SeqCst);
            return;
        }
        let waker = Waker::from(self.clone());
        let polled = task.as_mut().map_or(Poll::Ready(()), |task| {
            let cx = &mut Context::from_waker(&waker);
            // A panic costs the client that caused it, not the thread.
            catch_unwind(AssertUnwindSafe(|| task.poll(cx))).unwrap_or_else(|_| {
                let _ = catch_unwind(AssertUnwindSafe(|| task.on_panic()));
                Poll::Ready(())
            })
        });
        if polled.is_ready() {
            self.end(&mut task);
            return;
        }
        drop(task);
        let rests = self
            .state
            .compare_exchange(RUNNING, IDLE, Ordering::SeqCst, Ordering::SeqCst);
        if rests.is_err() {
            self.state.store(DUE, Ordering::SeqCst);
            self.reactor.schedule(self.clone());
        }
    }

    fn end(&self, task: &mut Option<Box<dyn Task>>) {
        self.state.store(ENDED, Ordering::SeqCst);
        *task = None;
        self.ended.notify_one();
    }

    /// Stops the reader, after the poll that is under way.
    pub(crate) fn stop(&self) {
        self.end(&mut self.task.lock());
    }

    /// Waits for the end of the task. Only one caller may wait.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }
}

impl Wake for Reader {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let woken =
            self.state
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| match state {
                    IDLE => Some(DUE),
                    RUNNING => Some(WOKEN),
                    _ => None,
                });
        if woken == Ok(IDLE) {
            self.reactor.schedule(self.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use tokio::runtime::Builder;
    use tokio::time::timeout;

    use super::*;

    /// A task with the behaviour that a test gives it. It counts its polls and failures.
    struct Does<F>(F, Arc<Polls>);

    #[derive(Default)]
    struct Polls {
        polls: AtomicUsize,
        failures: AtomicUsize,
        at_once: AtomicUsize,
    }

    impl Polls {
        fn count(&self) -> usize {
            self.polls.load(Ordering::SeqCst)
        }
    }

    impl<F: FnMut(&mut Context<'_>, usize) -> Poll<()> + Send> Task for Does<F> {
        fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            let Self(does, polls) = self;
            assert_eq!(polls.at_once.fetch_add(1, Ordering::SeqCst), 0);
            let count = polls.polls.fetch_add(1, Ordering::SeqCst) + 1;
            let polled = does(cx, count);
            polls.at_once.fetch_sub(1, Ordering::SeqCst);
            polled
        }

        fn on_panic(&mut self) {
            self.1.failures.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn run<F: Future<Output = ()>>(test: impl FnOnce(Arc<Reactor>) -> F) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let reactor = Reactor::start(runtime.handle()).unwrap();
            timeout(Duration::from_secs(20), test(reactor))
                .await
                .expect("the promise is kept in time");
        });
    }

    async fn until(is_so: impl Fn() -> bool) {
        while !is_so() {
            yield_now().await;
        }
    }

    fn read(
        reactor: &Arc<Reactor>,
        does: impl FnMut(&mut Context<'_>, usize) -> Poll<()> + Send + 'static,
    ) -> (Arc<Polls>, Arc<Reader>) {
        let polls = Arc::new(Polls::default());
        let reader = reactor.read(Does(does, polls.clone()));
        (polls, reader)
    }

    #[test]
    fn a_reader_is_polled_at_once_and_whenever_it_is_woken_until_it_is_done() {
        run(|reactor| async move {
            let (polls, reader) = read(&reactor, |_, count| match count {
                3 => Poll::Ready(()),
                _ => Poll::Pending,
            });
            until(|| polls.count() == 1).await;
            reader.wake_by_ref();
            until(|| polls.count() == 2).await;
            reader.wake_by_ref();
            reader.ended().await;
            reader.wake_by_ref();
            yield_now().await;
            yield_now().await;
            assert_eq!(polls.count(), 3);
        });
    }

    #[test]
    fn a_reader_that_is_woken_while_it_is_polled_is_polled_again() {
        run(|reactor| async move {
            let (polls, reader) = read(&reactor, |cx, count| {
                if count == 100 {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            });
            reader.ended().await;
            assert_eq!(polls.count(), 100);
        });
    }

    #[test]
    fn a_reader_is_polled_by_one_thread_at_a_time_and_no_wake_is_lost() {
        const WAKES: usize = 2_000;
        run(|reactor| async move {
            let woken = Arc::new(AtomicUsize::new(0));
            let seen = woken.clone();
            let (polls, reader) = read(&reactor, move |_, _| {
                match seen.load(Ordering::SeqCst) == 2 * WAKES {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            });
            let threads = [0, 1].map(|_| {
                let (woken, reader, reactor) = (woken.clone(), reader.clone(), reactor.clone());
                thread::spawn(move || {
                    for _ in 0..WAKES {
                        woken.fetch_add(1, Ordering::SeqCst);
                        reader.wake_by_ref();
                        reactor.poll_due();
                    }
                })
            });
            reader.ended().await;
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(polls.failures.load(Ordering::SeqCst), 0);
        });
    }

    #[test]
    fn a_panic_ends_only_its_own_reader() {
        run(|reactor| async move {
            let (failing, failed) = read(&reactor, |_, _| panic!("as a test has it"));
            let (other, reader) = read(&reactor, |_, _| Poll::Pending);
            failed.ended().await;
            assert_eq!(failing.failures.load(Ordering::SeqCst), 1);
            until(|| other.count() == 1).await;
            reader.wake_by_ref();
            until(|| other.count() == 2).await;
        });
    }

    #[test]
    fn a_reader_that_is_stopped_is_not_polled_any_more() {
        run(|reactor| async move {
            let (polls, reader) = read(&reactor, |_, _| Poll::Pending);
            until(|| polls.count() == 1).await;
            reader.stop();
            reader.ended().await;
            reader.wake_by_ref();
            yield_now().await;
            yield_now().await;
            assert_eq!(polls.count(), 1);
        });
    }

    /// Adds a reader that is always ready.
    fn add_busy_reader(reactor: &Arc<Reactor>) {
        let _ = read(reactor, |cx, _| {
            cx.waker().wake_by_ref();
            Poll::Pending
        });
    }

    #[test]
    fn a_reader_that_is_always_ready_does_not_starve_others() {
        run(|reactor| async move {
            add_busy_reader(&reactor);
            sleep(Duration::from_millis(1)).await;
            #[cfg(unix)]
            {
                let (client, reader) = stream(&reactor);
                drop(client);
                reader.ended().await;
                // The I/O thread can still reclaim the poller.
                assert!(reactor.poller.acquire(1));
                until(|| !reactor.poller.is_acquired()).await;
            }
        });
    }

    /// A client, and how often it had something that was read. `handle` is called before that counts.
    #[cfg(unix)]
    fn counting_reader(
        reactor: &Arc<Reactor>,
        handle: impl Fn() + Send + 'static,
    ) -> (std::os::unix::net::UnixStream, Arc<AtomicUsize>) {
        let (client, descriptor) = pair(reactor);
        let reads = Arc::new(AtomicUsize::new(0));
        let count = reads.clone();
        read(reactor, move |cx, _| {
            let mut bytes = [0; 16];
            let mut buffer = tokio::io::ReadBuf::new(&mut bytes);
            while descriptor.poll_read(cx, &mut buffer).is_ready() {
                handle();
                count.fetch_add(1, Ordering::SeqCst);
                buffer.clear();
            }
            Poll::Pending
        });
        (client, reads)
    }

    #[test]
    #[cfg(unix)]
    fn catching_up_waits_for_a_thread_that_loses_the_poller_while_it_polls_readers() {
        use std::io::Write;
        use std::sync::mpsc;

        run(|reactor| async move {
            let (release, released) = mpsc::channel::<()>();
            let (begin, begun) = mpsc::channel();
            let (mut slow, _) = counting_reader(&reactor, move || {
                begin.send(()).unwrap();
                released.recv().unwrap();
            });
            let (mut client, count) = counting_reader(&reactor, || {});
            // Both have been polled, and wait for their streams.
            for _ in 0..CATCH_UP_POLLS {
                yield_now().await;
            }
            slow.write_all(b"a").unwrap();
            client.write_all(b"a").unwrap();
            // The I/O thread runs this test, and does not poll before it waits.
            let owner = thread::spawn({
                let reactor = reactor.clone();
                move || reactor.poll_once()
            });
            begun.recv().unwrap();
            assert!(!reactor.poller.is_acquired() && reactor.is_polling());
            let mut catching_up = pin!(reactor.catch_up());
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..=2 * CATCH_UP_POLLS {
                assert!(catching_up.as_mut().poll(&mut cx).is_pending());
                yield_now().await;
            }
            release.send(()).unwrap();
            catching_up.await;
            assert_eq!(count.load(Ordering::SeqCst), 1);
            owner.join().unwrap();
        });
    }

    /// A client, and the registered stream of the server.
    #[cfg(unix)]
    fn pair(reactor: &Reactor) -> (std::os::unix::net::UnixStream, Arc<Descriptor>) {
        let (ours, client) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let stream = Stream::Unix(mio::net::UnixStream::from_std(ours));
        (client, reactor.register(stream, None).unwrap())
    }

    /// A client, and a reader that reads its stream to the end.
    #[cfg(unix)]
    fn stream(reactor: &Arc<Reactor>) -> (std::os::unix::net::UnixStream, Arc<Reader>) {
        let (client, descriptor) = pair(reactor);
        let (_, reader) = read(reactor, move |cx, _| {
            let mut bytes = [0; 16];
            loop {
                let mut buffer = tokio::io::ReadBuf::new(&mut bytes);
                match descriptor.poll_read(cx, &mut buffer) {
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        (client, reader)
    }

    #[test]
    #[cfg(unix)]
    fn many_readers_that_are_always_ready_do_not_starve_the_runtime() {
        use std::io::Write;

        /// More streams than one poll returns events for.
        const MANY: usize = 300;
        run(|reactor| async move {
            let reads = Arc::new(AtomicUsize::new(0));
            for _ in 0..MANY {
                let (mut client, descriptor) = pair(&reactor);
                let reads = reads.clone();
                read(&reactor, move |cx, _| {
                    let mut bytes = [0; 16];
                    let mut buffer = tokio::io::ReadBuf::new(&mut bytes);
                    while descriptor.poll_read(cx, &mut buffer).is_ready() {
                        buffer.clear();
                    }
                    // Each read makes the stream readable again.
                    client.write_all(b"more").unwrap();
                    reads.fetch_add(1, Ordering::SeqCst);
                    Poll::Pending
                });
            }
            until(|| reads.load(Ordering::SeqCst) > 4 * MANY).await;
            for _ in 0..100 {
                let before = reads.load(Ordering::SeqCst);
                yield_now().await;
                assert!(reads.load(Ordering::SeqCst) - before < 8 * MANY);
            }
        });
    }

    #[test]
    #[cfg(unix)]
    fn a_thread_that_acquired_the_poller_keeps_it_while_it_polls() {
        use std::io::Write;

        run(|reactor| async move {
            let (mut client, reader) = stream(&reactor);
            assert!(reactor.poller.acquire(1));
            assert!(!reactor.poller.acquire(2));
            let mut watch = pin!(sleep(4 * OWNER_CHECK_INTERVAL));
            let mut is_over = false;
            while !is_over {
                client.write_all(b"something").unwrap();
                reactor.poll_once();
                assert!(reactor.poller.is_acquired_by(1));
                poll_fn(|cx| {
                    is_over = watch.as_mut().poll(cx).is_ready();
                    Poll::Ready(())
                })
                .await;
                sleep(OWNER_CHECK_INTERVAL / 8).await;
            }
            reactor.poller.release(2);
            assert!(reactor.poller.is_acquired_by(1));
            reactor.poller.release(1);
            assert!(!reactor.poller.is_acquired());
            drop(client);
            reader.ended().await;
        });
    }

    #[test]
    #[cfg(unix)]
    fn the_poller_cannot_be_acquired_while_several_threads_have_servers() {
        use std::io::Write;

        run(|reactor| async move {
            let (mut client, _) = stream(&reactor);
            let mut suits_after_a_message = || {
                client.write_all(b"something").unwrap();
                reactor.load.received(1, 9, 1, 0);
                reactor.poll_once();
                thread::sleep(Duration::from_millis(1));
                reactor.suits_event_loop()
            };
            reactor.poller.add_thread();
            assert!((0..10_000).any(|_| suits_after_a_message()));
            assert!(reactor.poller.acquire(1));
            reactor.poller.add_thread();
            assert!(!reactor.poller.is_acquired());
            assert!(!reactor.poller.acquire(1));
            assert!(!reactor.poller.is_acquired());
            assert!((0..100).all(|_| !suits_after_a_message()));
            reactor.poller.remove_thread();
            assert!((0..10_000).any(|_| suits_after_a_message()));
        });
    }

    #[test]
    #[cfg(unix)]
    fn the_poller_is_reclaimed_from_a_thread_that_does_not_poll() {
        run(|reactor| async move {
            let (client, reader) = stream(&reactor);
            assert!(reactor.poller.acquire(1));
            drop(client);
            reader.ended().await;
            assert!(!reactor.poller.is_acquired());
        });
    }
}
