//! What Node does for streams, and is told of them.
//!
//! Node accepts connections, relays the bytes of those whose descriptor cannot be taken from it, and
//! reads the requests of long polling. It does all of that on the JavaScript thread.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;
use tokio::sync::oneshot;

/// JavaScript's number for a relay: that of the connection that the request would open.
pub(crate) type RelayNumber = u64;

/// What JavaScript does with a stream that it relays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RelayAction {
    /// Write these bytes.
    Write(Bytes),
    /// Continue to read.
    Resume,
    /// End it after what was written.
    End,
    /// End it at once.
    Destroy,
}

/// The JavaScript thread. Its methods are called on any thread; the order of calls is kept.
pub(crate) trait Host: Send + Sync + 'static {
    /// Tells it what to do with a stream that it relays.
    fn relay(&self, relay: RelayNumber, action: RelayAction);

    /// Tells it that a descriptor that was adopted from it is closed.
    #[cfg(unix)]
    fn released(&self, owner: u64);

    /// A read of a client begins: what this thread tells JavaScript up to [`Host::end_read`] reaches it
    /// together, so that a message is never seen without what the client sent right behind it. Until then,
    /// the client must learn of nothing that it could answer on another thread. An event whose place among
    /// those of other threads matters, such as bytes for a relay, does not wait, and neither do the events
    /// before it.
    fn begin_read(&self) {}

    /// Ends [`Host::begin_read`].
    fn end_read(&self) {}

    /// More events follow: JavaScript is not woken before [`Host::allow_wake`].
    fn defer_wake(&self) {}

    /// Ends [`Host::defer_wake`].
    fn allow_wake(&self) {}

    /// Runs this once JavaScript has handled what the read under way has told it, after the answers that it has
    /// given at once; now, if the read has told it nothing.
    fn after_handling(&self, action: Deferred) {
        drop(action);
    }

    /// Resolves, or is dropped, after a full iteration of JavaScript's event loop: then it has read what
    /// was there when this was called, however busy it was.
    fn after_iteration(&self) -> oneshot::Receiver<()> {
        oneshot::channel().1
    }
}

/// Something to do later: when it is dropped, wherever that is.
pub(crate) struct Deferred(Option<Box<dyn FnOnce() + Send>>);

impl Deferred {
    pub(crate) fn new(action: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(action)))
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        if let Some(action) = self.0.take() {
            action();
        }
    }
}

impl std::fmt::Debug for Deferred {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deferred")
    }
}

/// Delays the wake-up of JavaScript until it is dropped, so that one wake-up is enough for many events,
/// and JavaScript does not wake to wait for a lock that is held meanwhile.
#[cfg(unix)]
pub(crate) struct WakeGuard<'a>(&'a dyn Host);

#[cfg(unix)]
impl<'a> WakeGuard<'a> {
    pub(crate) fn new(host: &'a dyn Host) -> Self {
        host.defer_wake();
        Self(host)
    }
}

#[cfg(unix)]
impl Drop for WakeGuard<'_> {
    fn drop(&mut self) {
        self.0.allow_wake();
    }
}

/// Reads after which JavaScript is woken, although the round of reads is not over.
const MAX_READS: usize = 32;
/// Bytes after which it is.
const MAX_BYTES: usize = 1 << 11;

thread_local! {
    /// The round of reads that this thread is in.
    static ROUND: RefCell<Option<Round>> = const { RefCell::new(None) };
}

/// What one poll of a thread has read so far.
#[derive(Default)]
struct Round {
    /// Those that are not woken yet; almost always one.
    hosts: SmallVec<[Arc<dyn Host>; 1]>,
    reads: usize,
    bytes: usize,
}

impl Round {
    /// Wakes the hosts.
    fn wake(&mut self) {
        (self.reads, self.bytes) = (0, 0);
        for host in self.hosts.drain(..) {
            host.allow_wake();
        }
    }
}

/// All that a thread reads from its start to its end reaches JavaScript by one wake-up, or by a few if it
/// is much. JavaScript that is woken by the first of many messages takes only the first few, and has to
/// be woken again for the others.
pub(super) struct ReadRound(());

impl ReadRound {
    pub(super) fn start() -> Self {
        ROUND.with_borrow_mut(|round| {
            round.get_or_insert_default();
        });
        Self(())
    }
}

impl Drop for ReadRound {
    fn drop(&mut self) {
        if let Some(mut round) = ROUND.take() {
            round.wake();
        }
    }
}

/// Marks one read of the round of this thread; without a round, JavaScript is woken at the end of the read.
pub(crate) struct ReadGuard<'a> {
    host: &'a dyn Host,
    bytes: usize,
    is_in_round: bool,
}

impl<'a> ReadGuard<'a> {
    /// A read of this many bytes. `share` gives the same host, and is called once in a round.
    pub(crate) fn new(
        host: &'a dyn Host,
        bytes: usize,
        share: impl FnOnce() -> Arc<dyn Host>,
    ) -> Self {
        let is_in_round = ROUND.with_borrow_mut(|round| {
            let Some(round) = round else {
                return false;
            };
            let mut hosts = round.hosts.iter();
            if !hosts.any(|known| std::ptr::addr_eq(Arc::as_ptr(known), host)) {
                host.defer_wake();
                round.hosts.push(share());
            }
            true
        });
        if !is_in_round {
            host.defer_wake();
        }
        host.begin_read();
        Self {
            host,
            bytes,
            is_in_round,
        }
    }
}

impl Drop for ReadGuard<'_> {
    fn drop(&mut self) {
        self.host.end_read();
        if !self.is_in_round {
            self.host.allow_wake();
            return;
        }
        let full = ROUND.with_borrow_mut(|round| {
            let round = round.as_mut()?;
            round.reads += 1;
            round.bytes += self.bytes;
            let is_full = round.reads >= MAX_READS || round.bytes >= MAX_BYTES;
            is_full.then(|| std::mem::take(round))
        });
        if let Some(mut full) = full {
            full.wake();
        }
    }
}

/// Tells JavaScript, when dropped, that a descriptor is closed: the HTTP server that accepted it counts
/// its connections.
#[cfg(unix)]
pub(crate) struct Released {
    host: Arc<dyn Host>,
    owner: u64,
}

#[cfg(unix)]
impl Released {
    /// `owner` is JavaScript's number for that HTTP server.
    pub(crate) fn new(host: Arc<dyn Host>, owner: u64) -> Self {
        Self { host, owner }
    }
}

#[cfg(unix)]
impl std::fmt::Debug for Released {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Released").field(&self.owner).finish()
    }
}

#[cfg(unix)]
impl Drop for Released {
    fn drop(&mut self) {
        self.host.released(self.owner);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts how often it may be woken.
    #[derive(Default)]
    struct Waked {
        deferred: AtomicUsize,
        wakes: AtomicUsize,
    }

    impl Host for Waked {
        fn relay(&self, _: RelayNumber, _: RelayAction) {}

        fn released(&self, _: u64) {}

        fn defer_wake(&self) {
            self.deferred.fetch_add(1, Ordering::SeqCst);
        }

        fn allow_wake(&self) {
            if self.deferred.fetch_sub(1, Ordering::SeqCst) == 1 {
                self.wakes.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    impl Waked {
        fn read(self: &Arc<Self>, bytes: usize) {
            let _guard = ReadGuard::new(&**self, bytes, || self.clone());
            assert!(self.deferred.load(Ordering::SeqCst) > 0);
        }

        fn wakes(&self) -> usize {
            self.wakes.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn javascript_is_woken_once_for_all_reads_of_a_round() {
        let [one, other] = [Arc::new(Waked::default()), Arc::new(Waked::default())];
        let round = ReadRound::start();
        for _ in 0..3 {
            one.read(1);
            other.read(1);
        }
        assert_eq!((one.wakes(), other.wakes()), (0, 0));
        drop(round);
        assert_eq!((one.wakes(), other.wakes()), (1, 1));
    }

    #[test]
    fn javascript_does_not_wait_for_the_end_of_a_round_with_many_reads_or_bytes() {
        for (reads, bytes) in [(MAX_READS, 1), (1, MAX_BYTES)] {
            let host = Arc::new(Waked::default());
            let round = ReadRound::start();
            for wakes in 1..=2 {
                for _ in 1..reads {
                    host.read(bytes);
                }
                assert_eq!(host.wakes(), wakes - 1);
                host.read(bytes);
                assert_eq!(host.wakes(), wakes);
            }
            drop(round);
            assert_eq!(host.wakes(), 2);
        }
    }

    #[test]
    fn javascript_is_woken_after_a_read_outside_of_a_round() {
        let host = Arc::new(Waked::default());
        host.read(1);
        assert_eq!(host.wakes(), 1);
    }
}
