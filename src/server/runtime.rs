//! The tokio runtime every native server of the process shares.
//!
//! One I/O thread: on two cores a second one took cycles from the JavaScript thread and gave nothing
//! back. It runs what is ready in the order in which it became ready, so that clients are served in
//! the order in which they come; a runtime made for several threads runs the latest first. It is
//! started on first use and lives as long as the process.

use std::future::pending;
use std::io;
use std::sync::OnceLock;
use std::thread;

use tokio::runtime::{Builder, Handle};

/// The handle of the shared runtime.
///
/// # Errors
/// The operating system's refusal to start a thread or to open an event queue.
pub(crate) fn handle() -> io::Result<Handle> {
    static HANDLE: OnceLock<Handle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("loopback-socket".to_owned())
        .spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(HANDLE.get_or_init(|| handle).clone())
}
