//! What Node does for streams, and is told of them.
//!
//! Node accepts connections, relays the bytes of those whose descriptor cannot be taken from it, and
//! reads the requests of long polling. It does all of that on the JavaScript thread.

use std::sync::Arc;

use bytes::Bytes;
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
    #[cfg_attr(not(unix), allow(dead_code))]
    fn released(&self, owner: u64);

    /// More events follow: JavaScript is not woken before [`Host::allow_wake`].
    fn defer_wake(&self) {}

    /// Ends [`Host::defer_wake`].
    fn allow_wake(&self) {}

    /// Resolves, or is dropped, after a full iteration of JavaScript's event loop: then it has read what
    /// was there when this was called, however busy it was.
    fn after_iteration(&self) -> oneshot::Receiver<()> {
        oneshot::channel().1
    }
}

/// Delays the wake-up of JavaScript until it is dropped, so that one wake-up is enough for many events,
/// and JavaScript does not wake to wait for a lock that is held meanwhile.
pub(crate) struct WakeGuard<'a>(&'a dyn Host);

impl<'a> WakeGuard<'a> {
    pub(crate) fn new(host: &'a dyn Host) -> Self {
        host.defer_wake();
        Self(host)
    }
}

impl Drop for WakeGuard<'_> {
    fn drop(&mut self) {
        self.0.allow_wake();
    }
}

/// Tells JavaScript, when dropped, that a descriptor is closed: the HTTP server that accepted it counts
/// its connections.
#[cfg_attr(not(unix), allow(dead_code))]
pub(crate) struct Released {
    host: Arc<dyn Host>,
    owner: u64,
}

#[cfg_attr(not(unix), allow(dead_code))]
impl Released {
    /// `owner` is JavaScript's number for that HTTP server.
    pub(crate) fn new(host: Arc<dyn Host>, owner: u64) -> Self {
        Self { host, owner }
    }
}

impl std::fmt::Debug for Released {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Released").field(&self.owner).finish()
    }
}

impl Drop for Released {
    fn drop(&mut self) {
        self.host.released(self.owner);
    }
}
