//! Tasks that begin by waiting for something that is far off.
//!
//! To spawn a task on another thread, or to abort it there, wakes that thread. A connection has timers for its
//! heartbeat and for its authentication, and most that last for a moment never need them. So they are
//! spawned, and aborted, together with others, [`DELAY`] later. What must stay true: a task that was aborted
//! before it started never runs, one that had started ends within [`DELAY`], and one that was not aborted starts
//! long before its time.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

/// How much later tasks start than they are spawned.
const DELAY: Duration = Duration::from_millis(20);
/// A task that has something to do sooner than this is started at once.
const MIN_WAIT: Duration = Duration::from_millis(500);

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts and aborts the tasks of a runtime.
#[derive(Debug, Clone)]
pub(crate) struct DelayedTasks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    handle: Handle,
    due: Mutex<Due>,
    bell: Notify,
}

/// What is to be done when the delay is over.
#[derive(Debug, Default)]
struct Due {
    starting: Vec<Arc<Inner>>,
    aborting: Vec<AbortHandle>,
}

impl Due {
    fn is_empty(&self) -> bool {
        self.starting.is_empty() && self.aborting.is_empty()
    }
}

/// A task that may not have started.
#[derive(Debug)]
pub(crate) struct DelayedTask(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stage: Mutex<Stage>,
    shared: Arc<Shared>,
}

enum Stage {
    Waiting(Task),
    Started(AbortHandle),
    Aborted,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting(_) => "Waiting",
            Self::Started(_) => "Started",
            Self::Aborted => "Aborted",
        })
    }
}

impl DelayedTasks {
    /// Tasks of this runtime.
    pub(super) fn on(handle: &Handle) -> Self {
        let shared = Arc::new(Shared {
            handle: handle.clone(),
            due: Mutex::default(),
            bell: Notify::new(),
        });
        handle.spawn(run(Arc::clone(&shared)));
        Self(shared)
    }

    /// Spawns a task that has nothing to do before this time.
    pub(crate) fn spawn(
        &self,
        until: Instant,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> DelayedTask {
        let starts_now = until < Instant::now() + MIN_WAIT;
        let stage = if starts_now {
            Stage::Started(self.0.handle.spawn(task).abort_handle())
        } else {
            Stage::Waiting(Box::pin(task))
        };
        let inner = Arc::new(Inner {
            stage: Mutex::new(stage),
            shared: self.0.clone(),
        });
        if !starts_now {
            self.0.add(|due| due.starting.push(inner.clone()));
        }
        DelayedTask(inner)
    }
}

impl Shared {
    fn add(&self, add: impl FnOnce(&mut Due)) {
        let mut due = self.due.lock();
        let is_first = due.is_empty();
        add(&mut due);
        drop(due);
        if is_first {
            self.bell.notify_one();
        }
    }
}

impl DelayedTask {
    /// Ends the task.
    pub(crate) fn abort(&self) {
        let stage = mem::replace(&mut *self.0.stage.lock(), Stage::Aborted);
        if let Stage::Started(started) = stage {
            self.0.shared.add(|due| due.aborting.push(started));
        }
    }
}

/// Starts and aborts tasks as long as the runtime lives.
async fn run(shared: Arc<Shared>) {
    loop {
        shared.bell.notified().await;
        sleep(DELAY).await;
        let due = mem::take(&mut *shared.due.lock());
        for task in due.starting {
            let stage = &mut *task.stage.lock();
            *stage = match mem::replace(stage, Stage::Aborted) {
                Stage::Waiting(task) => Stage::Started(shared.handle.spawn(task).abort_handle()),
                other => other,
            };
        }
        due.aborting.iter().for_each(AbortHandle::abort);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::*;

    async fn report(started: UnboundedSender<&'static str>, name: &'static str) {
        started.send(name).unwrap();
        pending().await
    }

    #[tokio::test]
    async fn tasks_start_together_unless_they_are_urgent_and_end_when_they_are_aborted() {
        let tasks = DelayedTasks::on(&Handle::current());
        let (sender, mut started) = unbounded_channel();
        let task = |name| report(sender.clone(), name);
        let now = Instant::now();
        let later = now + 2 * MIN_WAIT;
        let one = tasks.spawn(later, task("one"));
        let never = tasks.spawn(later, task("never"));
        let other = tasks.spawn(later, task("other"));
        let urgent = tasks.spawn(now, task("urgent"));
        never.abort();
        for expected in ["urgent", "one", "other"] {
            assert_eq!(started.recv().await, Some(expected));
        }
        // Tasks that ended have dropped their senders.
        drop(sender);
        one.abort();
        one.abort();
        other.abort();
        urgent.abort();
        assert_eq!(started.recv().await, None);
    }
}
