//! What Node does for streams, and is told of them.
//!
//! Node accepted their sockets, carries the bytes of those that could not be taken from it, and reads
//! the requests of long polling. All of that happens on JavaScript's thread.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

/// JavaScript's number for a pump: that of the connection the request might have opened.
pub(crate) type PumpNumber = u64;

/// What JavaScript does with a stream whose bytes it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PumpAction {
    /// Write these bytes.
    Write(Bytes),
    /// Read on.
    Resume,
    /// End it after what was written.
    End,
    /// End it at once.
    Destroy,
}

/// JavaScript's thread; called on any thread, in order.
pub(crate) trait Host: Send + Sync + 'static {
    /// Has it do something with a stream whose bytes it carries.
    fn pump(&self, pump: PumpNumber, action: PumpAction);

    /// Tells that a descriptor which was adopted from it is closed.
    #[cfg_attr(not(unix), allow(dead_code))]
    fn released(&self, owner: u64);

    /// More is about to be told: JavaScript need not be woken before [`Host::allow_wake`].
    fn defer_wake(&self) {}

    /// All of that has been told.
    fn allow_wake(&self) {}

    /// Tells, or is dropped, when JavaScript's event loop has gone round: it has had what was there
    /// to read when this was called, however busy it was.
    fn round(&self) -> oneshot::Receiver<()> {
        oneshot::channel().1
    }
}

/// Keeps JavaScript from being woken by the first of many things it is told, and while locks are held
/// that it would wait for; until dropped.
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

/// Tells JavaScript, when dropped, that a descriptor of one of its servers is closed: that server
/// counts its connections.
#[cfg_attr(not(unix), allow(dead_code))]
pub(crate) struct Released {
    host: Arc<dyn Host>,
    owner: u64,
}

#[cfg_attr(not(unix), allow(dead_code))]
impl Released {
    /// `owner` is a number of JavaScript's for that server.
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
