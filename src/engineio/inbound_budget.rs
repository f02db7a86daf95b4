//! Limits the received data of one connection that waits for delivery to JavaScript.
//!
//! The I/O thread reads faster than an application processes, so a client that never pauses would
//! fill the memory. What must stay true: not much more than [`HIGH_WATER`] of one connection waits,
//! since it is not read beyond that; it is read again when most of that has been delivered; no other
//! connection is slowed down by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;

/// Bytes beyond which a connection is not read. A flood doubles the 99th percentile of other connections
/// with 8 KiB; with 1 MiB it was 6.7 times the idle one.
pub(crate) const HIGH_WATER: usize = 1 << 13;
/// Bytes below which it is read again.
const LOW_WATER: usize = HIGH_WATER / 4;
/// Bytes that an event takes beside its data, and that each attachment takes, even an empty one.
const RECORD: usize = 160;

/// The budget of one connection.
#[derive(Debug, Default)]
pub(crate) struct InboundBudget {
    bytes: AtomicUsize,
    waiting: Mutex<Vec<Waker>>,
}

impl InboundBudget {
    /// Counts received bytes until the permit is dropped.
    pub(crate) fn permit(self: &Arc<Self>, bytes: usize) -> Permit {
        let bytes = bytes.saturating_add(RECORD);
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        let budget = self.clone();
        Permit { budget, bytes }
    }

    /// Counts a received message, as [`InboundBudget::permit`].
    pub(crate) fn permit_message(self: &Arc<Self>, text: usize, attachments: &[Bytes]) -> Permit {
        let attached = attachments.iter().map(|it| it.len() + RECORD);
        self.permit(text + attached.sum::<usize>())
    }

    /// Ready while more may be read.
    pub(crate) fn poll_available(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_exceeded() {
            return Poll::Ready(());
        }
        {
            let mut waiting = self.waiting.lock();
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
        }
        // Everything may have been delivered before the waker was stored.
        if self.is_exceeded() {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    /// Whether no more may be read.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.bytes.load(Ordering::SeqCst) > HIGH_WATER
    }

    fn release(&self, bytes: usize) {
        let before = self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        if before >= LOW_WATER && before - bytes < LOW_WATER {
            let waiting = std::mem::take(&mut *self.waiting.lock());
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

/// Counts a part of the budget as used until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    budget: Arc<InboundBudget>,
    bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
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
        let budget = Arc::new(InboundBudget::default());
        let message = budget.permit_message(5, &[const { Bytes::new() }; 100]);
        assert!(budget.is_exceeded());
        drop(message);
        assert_eq!(budget.bytes.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_waiting_reader_is_woken_when_most_of_the_budget_is_free() {
        let budget = Arc::new(InboundBudget::default());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        let most = budget.permit(HIGH_WATER - LOW_WATER);
        assert!(budget.poll_available(&mut cx).is_ready());
        let some = budget.permit(LOW_WATER / 2);
        let more = budget.permit(LOW_WATER);
        assert!(budget.poll_available(&mut cx).is_pending());
        assert!(budget.poll_available(&mut cx).is_pending());
        drop(more);
        assert!(!woken.0.load(Ordering::SeqCst));
        drop(most);
        assert!(woken.0.load(Ordering::SeqCst));
        assert!(budget.poll_available(&mut cx).is_ready());
        drop(some);
        assert_eq!(budget.bytes.load(Ordering::SeqCst), 0);
        assert!(budget.waiting.lock().is_empty());
    }
}
