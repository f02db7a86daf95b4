//! The runtime every native server of the process shares.
//!
//! One I/O thread: on two cores a second one took cycles from the JavaScript thread and gave nothing
//! back. It runs what is ready in the order in which it became ready, so that clients are served in
//! the order in which they come; a runtime made for several threads runs the latest first. It is
//! started on first use and lives as long as the process.

use std::future::pending;
use std::io;
use std::sync::{Arc, OnceLock};
use std::thread;

use tokio::runtime::{Builder, Handle};

use super::reactor::Reactor;

/// What runs the tasks of servers, and reads their clients.
#[derive(Debug, Clone)]
pub(crate) struct Runtime {
    pub(crate) handle: Handle,
    pub(crate) reactor: Arc<Reactor>,
}

impl Runtime {
    /// The one of the process.
    ///
    /// # Errors
    /// The operating system's refusal to start a thread or to open an event queue.
    pub(crate) fn shared() -> io::Result<Self> {
        static SHARED: OnceLock<Runtime> = OnceLock::new();
        if let Some(shared) = SHARED.get() {
            return Ok(shared.clone());
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let shared = Self::on(runtime.handle())?;
        thread::Builder::new()
            .name("loopback-socket".to_owned())
            .spawn(move || runtime.block_on(pending::<()>()))?;
        Ok(SHARED.get_or_init(|| shared).clone())
    }

    /// One whose clients are read on a tokio runtime.
    ///
    /// # Errors
    /// The operating system's refusal to open an event queue.
    pub(crate) fn on(handle: &Handle) -> io::Result<Self> {
        Ok(Self {
            handle: handle.clone(),
            reactor: Reactor::start(handle)?,
        })
    }
}
