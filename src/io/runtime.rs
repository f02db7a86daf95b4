//! The runtime that all native servers of the process share.
//!
//! It has one I/O thread: on two cores, a second one took CPU time from the JavaScript thread without
//! any gain. Tasks run in the order in which they became ready, so that clients are served in the order
//! in which they come; tokio's multi-threaded runtime would run the latest first. It starts on first use
//! and lives as long as the process.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};

use super::delayed::DelayedTasks;
use super::reactor::Reactor;

/// Runs the tasks of servers, and the readers of their clients.
#[derive(Debug, Clone)]
pub(crate) struct Runtime {
    pub(crate) handle: Handle,
    /// Those that need not start at once.
    pub(crate) delayed: DelayedTasks,
    pub(crate) reactor: Arc<Reactor>,
}

impl Runtime {
    /// The runtime of the process.
    ///
    /// # Errors
    /// The error of the operating system when it starts the thread or opens the event queue.
    pub(crate) fn shared() -> io::Result<Self> {
        // Locked while it starts, since threads may ask for it at the same time.
        static SHARED: Mutex<Option<Runtime>> = Mutex::new(None);
        let mut shared = SHARED.lock();
        if let Some(started) = &*shared {
            return Ok(started.clone());
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let started = Self::on(runtime.handle())?;
        thread::Builder::new()
            .name("loopback-socket".to_owned())
            .spawn(move || runtime.block_on(pending::<()>()))?;
        Ok(shared.insert(started).clone())
    }

    /// A runtime on an existing tokio runtime.
    ///
    /// # Errors
    /// The error of the operating system when it opens the event queue.
    pub(crate) fn on(handle: &Handle) -> io::Result<Self> {
        Ok(Self {
            handle: handle.clone(),
            delayed: DelayedTasks::on(handle),
            reactor: Reactor::start(handle)?,
        })
    }
}
