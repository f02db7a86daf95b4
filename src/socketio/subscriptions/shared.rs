//! What the channels of a server share: the ids with which clients acknowledge items, and the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use crate::io::runtime::Runtime;
use crate::protocol::{ITEM_ACK_END, ITEM_ACK_START};
use crate::socketio::events::{AckId, EventSink};
use crate::socketio::parser::Parser;

/// What the channels of a server share.
pub(crate) struct Shared {
    pub(super) events: Arc<dyn EventSink>,
    pub(super) parser: Parser,
    started: Instant,
    pub(super) runtime: Runtime,
    /// How many acknowledgement ids have been used.
    ids: AtomicU32,
    /// How many items subscribers did not get, since they were behind.
    skipped_items: AtomicU64,
}

impl Shared {
    pub(crate) fn new(
        events: Arc<dyn EventSink>,
        parser: Parser,
        started: Instant,
        runtime: Runtime,
    ) -> Arc<Self> {
        Arc::new(Self {
            events,
            parser,
            started,
            runtime,
            ids: AtomicU32::new(0),
            skipped_items: AtomicU64::new(0),
        })
    }

    /// Milliseconds since the server began.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A subscriber does not get this many items.
    pub(super) fn skip_items(&self, count: u64) {
        self.skipped_items.fetch_add(count, Ordering::Relaxed);
    }

    /// How many items subscribers did not get, since they were behind.
    pub(crate) fn skipped_items(&self) -> u64 {
        self.skipped_items.load(Ordering::Relaxed)
    }

    /// The next acknowledgement id; they go round.
    pub(super) fn next_id(&self) -> AckId {
        let used = AckId::from(self.ids.fetch_add(1, Ordering::Relaxed));
        ITEM_ACK_START + used % (ITEM_ACK_END - ITEM_ACK_START)
    }

    /// Has the ids go on after this many, for tests.
    #[cfg(test)]
    pub(crate) fn skip_ids(&self, used: u32) {
        self.ids.store(used, Ordering::Relaxed);
    }
}

/// Whether an acknowledgement id is one of an item.
pub(crate) fn is_item_ack(ack: AckId) -> bool {
    (ITEM_ACK_START..ITEM_ACK_END).contains(&ack)
}
