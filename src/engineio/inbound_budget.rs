//! What a client said and JavaScript has not heard yet.
//!
//! The I/O thread reads faster than an application listens, so a client that never pauses would
//! fill the memory with what waits. What must stay true: of one connection not much more than
//! [`HIGH_WATER`] waits, since nothing of it is read on meanwhile; a connection that is not read on
//! is read on when JavaScript has heard most of it; no other connection suffers for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;

/// Bytes beyond which a connection is not read on.
pub(crate) const HIGH_WATER: usize = 1 << 13;
/// Bytes below which it is read on.
const LOW_WATER: usize = HIGH_WATER / 4;
/// What a notice takes beside the client's words, and each of its attachments, which may be empty.
const RECORD: usize = 160;

/// How much of one connection waits.
#[derive(Debug, Default)]
pub(crate) struct Unheard {
    bytes: AtomicUsize,
    waiting: Mutex<Vec<Waker>>,
}

impl Unheard {
    /// Counts words of the client until what is returned is dropped.
    pub(crate) fn count(self: &Arc<Self>, bytes: usize) -> Said {
        let bytes = bytes.saturating_add(RECORD);
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        let unheard = self.clone();
        Said { unheard, bytes }
    }

    /// Counts a message of the client, as [`Unheard::count`].
    pub(crate) fn count_message(self: &Arc<Self>, text: usize, attachments: &[Bytes]) -> Said {
        let attached = attachments.iter().map(|it| it.len() + RECORD);
        self.count(text + attached.sum::<usize>())
    }

    /// Ready while more may be read.
    pub(crate) fn poll_low(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_high() {
            return Poll::Ready(());
        }
        {
            let mut waiting = self.waiting.lock();
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
        }
        // All may have been heard before the waker was there.
        if self.is_high() {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    /// Whether nothing more is to be read.
    pub(crate) fn is_high(&self) -> bool {
        self.bytes.load(Ordering::SeqCst) > HIGH_WATER
    }

    fn heard(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        if before >= LOW_WATER && before - bytes < LOW_WATER {
            let waiting = std::mem::take(&mut *self.waiting.lock());
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

/// Words of a client; heard when dropped.
#[derive(Debug)]
pub(crate) struct Said {
    unheard: Arc<Unheard>,
    bytes: usize,
}

impl Drop for Said {
    fn drop(&mut self) {
        self.unheard.heard(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn empty_attachments_count_for_the_memory_they_take() {
        let unheard = Arc::new(Unheard::default());
        let message = unheard.count_message(5, &[const { Bytes::new() }; 100]);
        assert!(unheard.is_high());
        drop(message);
        assert_eq!(unheard.bytes.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_waiting_reader_is_woken_when_most_of_the_budget_is_free() {
        let unheard = Arc::new(Unheard::default());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        let most = unheard.count(HIGH_WATER - LOW_WATER);
        assert!(unheard.poll_low(&mut cx).is_ready());
        let some = unheard.count(LOW_WATER / 2);
        let more = unheard.count(LOW_WATER);
        assert!(unheard.poll_low(&mut cx).is_pending());
        assert!(unheard.poll_low(&mut cx).is_pending());
        drop(more);
        assert!(!woken.0.load(Ordering::SeqCst));
        drop(most);
        assert!(woken.0.load(Ordering::SeqCst));
        assert!(unheard.poll_low(&mut cx).is_ready());
        drop(some);
        assert_eq!(unheard.bytes.load(Ordering::SeqCst), 0);
        assert!(unheard.waiting.lock().is_empty());
    }
}
