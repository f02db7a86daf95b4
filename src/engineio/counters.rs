//! What an engine counts while it runs, and what it finds out about its connections when it is asked.
//!
//! What is counted changes once for a connection, or when something is dropped, never for each message.

use std::sync::atomic::{AtomicU64, Ordering};

use super::TransportType;
use crate::protocol::CloseReason;

/// How many reasons there is room for; a test checks that it is enough.
const REASONS: usize = 32;

/// What has happened since the server began.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    opened_polling: AtomicU64,
    opened_websocket: AtomicU64,
    upgraded: AtomicU64,
    /// By the number of the reason.
    closed: [AtomicU64; REASONS],
    volatile_dropped: AtomicU64,
}

impl Counters {
    /// A connection has opened.
    pub(super) fn opened(&self, transport: TransportType) {
        let counter = match transport {
            TransportType::Polling => &self.opened_polling,
            TransportType::Websocket => &self.opened_websocket,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection has left polling for a websocket.
    pub(super) fn upgraded(&self) {
        self.upgraded.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection that had opened has ended.
    pub(super) fn closed(&self, reason: CloseReason) {
        let index = usize::try_from(reason.number()).ok();
        if let Some(counter) = index.and_then(|index| self.closed.get(index)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A volatile event was not sent, since the client could not take it at once.
    pub(super) fn dropped_volatile(&self) {
        self.volatile_dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// What has been counted.
    pub(crate) fn read(&self) -> Counted {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted {
            opened_polling: read(&self.opened_polling),
            opened_websocket: read(&self.opened_websocket),
            upgraded: read(&self.upgraded),
            closed: self.closed.iter().map(read).collect(),
            volatile_dropped: read(&self.volatile_dropped),
        }
    }
}

/// What had been counted at one time.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) opened_polling: u64,
    pub(crate) opened_websocket: u64,
    pub(crate) upgraded: u64,
    /// By the number of the reason.
    pub(crate) closed: Vec<u64>,
    pub(crate) volatile_dropped: u64,
}

/// What the open connections are at one time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) polling: usize,
    pub(crate) websocket: usize,
    /// Bytes that are queued for all clients.
    pub(crate) queued_bytes: usize,
    /// Bytes that are queued for the client for which the most are.
    pub(crate) max_queued_bytes: usize,
}

impl Usage {
    /// Adds a connection, for whose client so many bytes are queued.
    pub(super) fn add(&mut self, transport: TransportType, queued: usize) {
        match transport {
            TransportType::Polling => self.polling += 1,
            TransportType::Websocket => self.websocket += 1,
        }
        self.queued_bytes = self.queued_bytes.saturating_add(queued);
        self.max_queued_bytes = self.max_queued_bytes.max(queued);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Constant, GROUPS};

    #[test]
    fn there_is_room_for_every_reason() {
        let reasons = GROUPS
            .iter()
            .filter(|group| group.name == "CloseReason")
            .flat_map(|group| group.constants);
        let mut count = 0;
        for (name, constant) in reasons {
            let Constant::Number(number) = constant else {
                panic!("{name} is no number");
            };
            assert!(
                usize::try_from(*number).is_ok_and(|it| it < REASONS),
                "{name}"
            );
            count += 1;
        }
        assert!(count > 10, "{count}");
    }

    #[test]
    fn each_event_is_counted_under_its_own_name() {
        let counters = Counters::default();
        counters.opened(TransportType::Polling);
        counters.opened(TransportType::Websocket);
        counters.opened(TransportType::Websocket);
        for _ in 0..3 {
            counters.upgraded();
        }
        for _ in 0..4 {
            counters.dropped_volatile();
        }
        for _ in 0..5 {
            counters.closed(CloseReason::Backpressure);
        }
        let counted = counters.read();
        assert_eq!(counted.opened_polling, 1);
        assert_eq!(counted.opened_websocket, 2);
        assert_eq!(counted.upgraded, 3);
        assert_eq!(counted.volatile_dropped, 4);
        let closed: Vec<_> = counted.closed.iter().filter(|&&count| count > 0).collect();
        assert_eq!(closed, [&5]);
        let backpressure = usize::try_from(CloseReason::Backpressure.number()).unwrap();
        assert_eq!(counted.closed[backpressure], 5);
    }

    #[test]
    fn queued_bytes_are_summed_and_their_maximum_is_kept() {
        let mut usage = Usage::default();
        usage.add(TransportType::Polling, 10);
        usage.add(TransportType::Websocket, 30);
        usage.add(TransportType::Websocket, 20);
        assert_eq!(
            usage,
            Usage {
                polling: 1,
                websocket: 2,
                queued_bytes: 60,
                max_queued_bytes: 30,
            }
        );
    }
}
