//! The queued tasks, and which thread executes them.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::super::socket::Socket;
use super::parse;
use crate::io::host::Deferred;
use crate::protocol::CloseReason;

/// What a batch has at most that is executed by the thread that gives it, if nothing is queued before it.
#[derive(Debug)]
pub(crate) struct AtOnce {
    commands: usize,
    bytes: usize,
}

impl AtOnce {
    /// To wake the I/O thread for so little would take longer. Larger batches gained nothing at 50 × 1 and took
    /// twice the JavaScript thread's time (docs/performance.md).
    pub(crate) const LITTLE: Self = Self {
        commands: 8,
        bytes: 1 << 13,
    };
    /// For a thread that does everything: what clients have sent that it read at once is answered at once. An
    /// application that sends more than that in one turn need not wait until all of it is written.
    pub(crate) const MOST: Self = Self {
        commands: 512,
        bytes: 1 << 16,
    };
}

/// Something to execute.
#[derive(Debug)]
pub(crate) enum Task {
    /// A batch of commands, and their attachments.
    Batch(String, Vec<Bytes>),
    /// The timeout of a pending socket: its connection ends (docs/behaviour.md "A socket's life" 5).
    Expire(Arc<Socket>),
    /// End every connection, for this reason.
    EndAll(CloseReason),
    /// What is done after the answers of the batches before.
    Deferred(Vec<Deferred>),
}

impl Task {
    /// The length of its commands and their attachments.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Batch(text, attachments) => {
                text.len() + attachments.iter().map(Bytes::len).sum::<usize>()
            }
            Self::Expire(_) | Self::EndAll(_) | Self::Deferred(_) => 0,
        }
    }

    /// Whether it is only what concerns single sockets, and not too much, or responses to requests.
    fn is_small(&self, limit: &AtOnce) -> bool {
        let text = match self {
            Self::Batch(text, _) => text,
            Self::Deferred(_) => return true,
            Self::Expire(_) | Self::EndAll(_) => return false,
        };
        let mut start = 0;
        self.len() <= limit.bytes
            && std::iter::from_fn(|| parse::next_line(text, &mut start))
                .filter(|line| !line.is_empty())
                .enumerate()
                .all(|(at, line)| at < limit.commands && parse::may_be_brief(line))
    }
}

/// The queued tasks, executed in order by one thread at a time.
#[derive(Debug, Default)]
pub(crate) struct CommandQueue {
    queue: Mutex<Queue>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    tasks: VecDeque<Task>,
    /// A thread executes tasks, and checks the queue again when it is done.
    is_busy: bool,
}

impl CommandQueue {
    /// Queues a task for the I/O thread.
    pub(crate) fn send(&self, task: Task) {
        let mut queue = self.queue.lock();
        queue.tasks.push_back(task);
        let rings = !queue.is_busy;
        drop(queue);
        if rings {
            self.bell.notify_one();
        }
    }

    /// Wakes [`CommandQueue::wait`], so that it checks whether the server has been dropped.
    pub(crate) fn close(&self) {
        self.bell.notify_one();
    }

    /// Waits until there may be tasks for the I/O thread.
    pub(super) async fn wait(&self) {
        self.bell.notified().await;
    }

    /// Returns a task that the calling thread may execute itself: a small one, with nothing queued before
    /// it. That thread then calls [`CommandQueue::done`]. Any other task is queued for the I/O thread.
    pub(super) fn take_small(&self, task: Task, limit: &AtOnce) -> Option<Task> {
        let mut queue = self.queue.lock();
        if queue.is_busy || !queue.tasks.is_empty() || !task.is_small(limit) {
            drop(queue);
            self.send(task);
            return None;
        }
        queue.is_busy = true;
        Some(task)
    }

    /// Takes the queued tasks, unless another thread executes tasks and will check for more. The caller
    /// then calls [`CommandQueue::done_all`].
    pub(super) fn take_all(&self) -> Option<VecDeque<Task>> {
        let mut queue = self.queue.lock();
        if queue.is_busy || queue.tasks.is_empty() {
            return None;
        }
        queue.is_busy = true;
        Some(std::mem::take(&mut queue.tasks))
    }

    /// A small task has been executed.
    pub(super) fn done(&self) {
        let mut queue = self.queue.lock();
        queue.is_busy = false;
        let rings = !queue.tasks.is_empty();
        drop(queue);
        if rings {
            self.bell.notify_one();
        }
    }

    /// All tasks that were taken have been executed; the I/O thread may take more.
    pub(super) fn done_all(&self) {
        self.queue.lock().is_busy = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_executed_at_once_up_to_the_limit_of_its_thread() {
        let is_taken = |line: &str, count: usize, limit: &AtOnce| {
            let batch = Task::Batch(format!("{line}\n").repeat(count), Vec::new());
            CommandQueue::default().take_small(batch, limit).is_some()
        };
        let long = format!("e\t1\t\t\t[\"{}\"]", "x".repeat(AtOnce::MOST.bytes));
        for limit in [&AtOnce::LITTLE, &AtOnce::MOST] {
            for brief in [
                "e\t1\t\t\t[1]",
                "c\t1",
                "n\t1\ta\tb",
                "h\t1\t1",
                "j\t1\t2",
                "l\t1\t2",
            ] {
                assert!(is_taken(brief, limit.commands, limit));
            }
            assert!(!is_taken("e\t1\t\t\t[1]", limit.commands + 1, limit));
            assert!(!is_taken(&long, 1, limit));
            assert!(!is_taken("b\t0\t{}\t\t\t[1]", 1, limit));
        }
    }
}
