//! Which thread polls the streams of clients: the I/O thread, or a JavaScript thread.
//!
//! A JavaScript thread acquires the poller, under a number of its own, and releases it; the I/O thread
//! polls while nobody has it, and reclaims it from an owner that does not poll. While several JavaScript
//! threads have servers nobody can acquire it, since one would delay the clients of the other. Only on Linux
//! does a JavaScript thread acquire it.

use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::sync::atomic::AtomicU32;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// The right to poll, which one thread has at a time.
#[derive(Debug)]
pub(crate) struct Poller {
    /// The number of the JavaScript thread that has it, or 0.
    owner: AtomicU64,
    /// How many JavaScript threads have servers.
    #[cfg(target_os = "linux")]
    threads: AtomicU32,
    /// Wakes the I/O thread when the owner changes.
    wake: Arc<Notify>,
}

impl Poller {
    pub(super) fn new(wake: Arc<Notify>) -> Self {
        Self {
            owner: AtomicU64::new(0),
            #[cfg(target_os = "linux")]
            threads: AtomicU32::new(0),
            wake,
        }
    }

    /// Whether a JavaScript thread has it.
    pub(crate) fn is_acquired(&self) -> bool {
        self.owner.load(Ordering::SeqCst) != 0
    }

    /// Takes it from its owner, which finds out when it would poll next.
    pub(super) fn reclaim(&self) {
        self.owner.store(0, Ordering::SeqCst);
        self.wake.notify_one();
    }
}

#[cfg(target_os = "linux")]
impl Poller {
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

    /// Whether the JavaScript thread with this number has it.
    pub(crate) fn is_acquired_by(&self, owner: u64) -> bool {
        self.owner.load(Ordering::SeqCst) == owner
    }

    /// Acquires it for a JavaScript thread, by a number above 0, which must then poll whenever the event
    /// queue is readable. False if another thread has it, or several threads have servers.
    pub(crate) fn acquire(&self, owner: u64) -> bool {
        let is_acquired = self.change_owner(0, owner);
        // After the exchange: either a second thread sees the owner and reclaims it, or it is seen here.
        let is_alone = self.threads.load(Ordering::SeqCst) <= 1;
        if is_acquired && !is_alone {
            self.release(owner);
        }
        is_acquired && is_alone
    }

    /// Releases it, if this JavaScript thread has it.
    pub(crate) fn release(&self, owner: u64) {
        self.change_owner(owner, 0);
    }

    fn change_owner(&self, from: u64, to: u64) -> bool {
        let order = Ordering::SeqCst;
        let is_changed = self.owner.compare_exchange(from, to, order, order).is_ok();
        if is_changed {
            self.wake.notify_one();
        }
        is_changed
    }
}
