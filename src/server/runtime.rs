//! The tokio runtime every native server of the process shares.
//!
//! One I/O thread: on two cores a second one took cycles from the JavaScript thread and gave
//! nothing back. It is started on first use and lives as long as the process.

use std::io;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

/// The handle of the shared runtime.
///
/// # Errors
/// The operating system's refusal to start a thread or to open an event queue.
pub(crate) fn handle() -> io::Result<Handle> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.handle().clone());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("loopback-socket")
        .enable_all()
        .build()?;
    Ok(RUNTIME.get_or_init(|| runtime).handle().clone())
}
