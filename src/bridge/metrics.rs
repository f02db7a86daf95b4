//! What the server has counted, and what its connections and sockets are now, for `io.metrics()`.

use std::sync::atomic::{AtomicU64, Ordering};

use napi_derive::napi;

use super::server::NativeServer;

/// The figures of a server. Those that end in `ed` and `dropped` count from its beginning, the others say
/// what there is now.
#[napi(object)]
pub struct NativeMetrics {
    pub polling: i64,
    pub websocket: i64,
    pub queued_bytes: i64,
    pub max_queued_bytes: i64,
    pub opened_polling: i64,
    pub opened_websocket: i64,
    pub upgraded: i64,
    /// By the number of the `CloseReason`.
    pub closed: Vec<i64>,
    pub volatile_dropped: i64,
    pub items_dropped: i64,
    pub joining: i64,
    pub pending: i64,
    pub authenticated: i64,
    pub open: i64,
    pub subscriptions: i64,
    pub accepted: i64,
    pub rejected: i64,
    pub timed_out: i64,
    pub unknown_namespaces: i64,
}

fn size(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[napi]
impl NativeServer {
    /// The figures of the server. It looks at every connection and every socket, so that calls and messages
    /// need not count anything.
    #[napi(catch_unwind)]
    pub fn metrics(&self) -> NativeMetrics {
        let connections = self.server.engine.usage();
        let counted = self.server.engine.counters.read();
        let sockets = self.server.socket_usage();
        let attempts = |counter: &AtomicU64| count(counter.load(Ordering::Relaxed));
        NativeMetrics {
            polling: size(connections.polling),
            websocket: size(connections.websocket),
            queued_bytes: size(connections.queued_bytes),
            max_queued_bytes: size(connections.max_queued_bytes),
            opened_polling: count(counted.opened_polling),
            opened_websocket: count(counted.opened_websocket),
            upgraded: count(counted.upgraded),
            closed: counted.closed.into_iter().map(count).collect(),
            volatile_dropped: count(counted.volatile_dropped),
            items_dropped: count(self.server.skipped_items()),
            joining: size(sockets.joining),
            pending: size(sockets.pending),
            authenticated: size(sockets.authenticated),
            open: size(sockets.open),
            subscriptions: size(sockets.subscriptions),
            accepted: attempts(&self.sessions.attempts.accepted),
            rejected: attempts(&self.sessions.attempts.rejected),
            timed_out: attempts(&self.sessions.attempts.timed_out),
            unknown_namespaces: count(self.server.unknown_namespaces()),
        }
    }
}
