//! Who polls the clients' streams: the I/O thread, or the event loop of a JavaScript thread.
//!
//! A JavaScript thread acquires the poller, by a number of its own, and releases it; the I/O thread
//! polls while nobody has it, and reclaims it from one that does not poll. While several JavaScript
//! threads have servers nobody acquires it: the clients of one would wait for what the other one does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::sync::Notify;

/// The right to poll, which one thread has at a time.
#[derive(Debug)]
pub(crate) struct Poller {
    /// The JavaScript thread that has it; 0 is none.
    owner: AtomicU64,
    /// How many JavaScript threads have servers and might acquire it.
    threads: AtomicU32,
    /// Tells the I/O thread that the owner is another one.
    wake: Arc<Notify>,
}

impl Poller {
    pub(super) fn new(wake: Arc<Notify>) -> Self {
        Self {
            owner: AtomicU64::new(0),
            threads: AtomicU32::new(0),
            wake,
        }
    }

    /// A JavaScript thread has its first server.
    pub(crate) fn add_thread(&self) {
        let others = self.threads.fetch_add(1, Ordering::SeqCst);
        if others > 0 {
            self.reclaim();
        }
    }

    /// A JavaScript thread has no server any more.
    pub(crate) fn remove_thread(&self) {
        self.threads.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether no more than one JavaScript thread has servers.
    pub(super) fn has_one_thread(&self) -> bool {
        self.threads.load(Ordering::Relaxed) <= 1
    }

    /// Whether a JavaScript thread has it.
    pub(crate) fn is_acquired(&self) -> bool {
        self.owner.load(Ordering::SeqCst) != 0
    }

    /// Whether that is the one of this number.
    pub(crate) fn is_acquired_by(&self, owner: u64) -> bool {
        self.owner.load(Ordering::SeqCst) == owner
    }

    /// Gives it to a JavaScript thread, by a number above 0: it polls from now on whenever the queue of
    /// the reactor is readable. False if another one has it, or several threads have servers.
    pub(crate) fn acquire(&self, owner: u64) -> bool {
        let is_acquired = self.hand_over(0, owner);
        // Only now: a second thread either sees the owner and reclaims it, or is seen.
        let is_alone = self.threads.load(Ordering::SeqCst) <= 1;
        if is_acquired && !is_alone {
            self.release(owner);
        }
        is_acquired && is_alone
    }

    /// A JavaScript thread polls no more.
    pub(crate) fn release(&self, owner: u64) {
        self.hand_over(owner, 0);
    }

    /// Takes it from whoever has it, who finds out when it is to poll next.
    pub(super) fn reclaim(&self) {
        self.owner.store(0, Ordering::SeqCst);
        self.wake.notify_one();
    }

    fn hand_over(&self, from: u64, to: u64) -> bool {
        let order = Ordering::SeqCst;
        let is_handed_over = self.owner.compare_exchange(from, to, order, order).is_ok();
        if is_handed_over {
            self.wake.notify_one();
        }
        is_handed_over
    }
}
