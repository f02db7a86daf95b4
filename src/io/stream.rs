//! Streams of the operating system, and the readers and writers that wait for them.
//!
//! A descriptor is registered once, for both directions, and keeps its readiness until an operation
//! would block. What must stay true: a waiting reader or writer is woken by the first event after its
//! operation would have blocked, whichever thread polls for events.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mio::{Events, Interest, Registry, Token};
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;
use tokio::io::ReadBuf;

use super::host::Released;

/// A read may not block.
const READABLE: u8 = 1;
/// A write may not block.
const WRITABLE: u8 = 2;
/// The client sends no more: the end is read after what it has sent.
const ENDS: u8 = 4;
/// The stream is Node's again.
const RETURNED: u8 = 8;

/// How many events one poll returns at most.
const MAX_EVENTS: usize = 256;

/// All registered descriptors, and the event queue of the operating system for them.
pub(super) struct Descriptors {
    queue: Mutex<Queue>,
    queue_fd: RawFd,
    registry: Registry,
    registered: RwLock<FxHashMap<Token, Weak<Descriptor>>>,
    last_token: AtomicUsize,
}

struct Queue {
    poll: mio::Poll,
    events: Events,
}

/// The result of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Polled {
    /// How many descriptors have changed.
    pub(crate) changes: usize,
    /// There may be more events.
    pub(crate) more: bool,
}

/// A stream, nonblocking, that both of its halves share.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(mio::net::TcpStream),
    Unix(mio::net::UnixStream),
}

/// A registered stream.
pub(crate) struct Descriptor {
    stream: Stream,
    token: Token,
    descriptors: Arc<Descriptors>,
    readiness: AtomicU8,
    waiting: Mutex<Waiting>,
    /// Reports that the stream is closed, so it is dropped after the stream, whose field comes first.
    _released: Option<Released>,
}

#[derive(Default)]
struct Waiting {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl std::fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Descriptor").field(&self.token.0).finish()
    }
}

impl Descriptors {
    /// # Errors
    /// The error of the operating system when it opens the event queue.
    pub(super) fn new() -> io::Result<Arc<Self>> {
        let poll = mio::Poll::new()?;
        Ok(Arc::new(Self {
            queue_fd: poll.as_raw_fd(),
            registry: poll.registry().try_clone()?,
            queue: Mutex::new(Queue {
                poll,
                events: Events::with_capacity(MAX_EVENTS),
            }),
            registered: RwLock::default(),
            last_token: AtomicUsize::new(0),
        }))
    }

    /// Registers a stream; `released` is dropped when it is closed.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn register(
        self: &Arc<Self>,
        mut stream: Stream,
        released: Option<Released>,
    ) -> io::Result<Arc<Descriptor>> {
        let token = Token(self.last_token.fetch_add(1, Ordering::Relaxed));
        let interest = Interest::READABLE | Interest::WRITABLE;
        // Locked until the descriptor is inserted, so that no event of it is missed.
        let mut registered = self.registered.write();
        match &mut stream {
            Stream::Tcp(stream) => self.registry.register(stream, token, interest),
            Stream::Unix(stream) => self.registry.register(stream, token, interest),
        }?;
        let descriptor = Arc::new(Descriptor {
            stream,
            token,
            descriptors: self.clone(),
            readiness: AtomicU8::new(0),
            waiting: Mutex::default(),
            _released: released,
        });
        registered.insert(token, Arc::downgrade(&descriptor));
        Ok(descriptor)
    }

    /// Polls for events without waiting, and wakes the readers and writers that they concern.
    pub(super) fn poll(&self) -> Polled {
        let Queue { poll, events } = &mut *self.queue.lock();
        if poll.poll(events, Some(Duration::ZERO)).is_err() {
            // Interrupted: the next poll returns the events.
            return Polled {
                changes: 0,
                more: true,
            };
        }
        let mut changes = 0;
        for event in &*events {
            changes += 1;
            let descriptor = self
                .registered
                .read()
                .get(&event.token())
                .and_then(Weak::upgrade);
            if let Some(descriptor) = descriptor {
                descriptor.on_event(
                    event.is_readable(),
                    event.is_writable(),
                    event.is_read_closed() || event.is_error(),
                );
            }
        }
        Polled {
            changes,
            more: changes == MAX_EVENTS,
        }
    }
}

impl AsRawFd for Descriptors {
    /// The event queue's own descriptor: readable when a poll would return events.
    fn as_raw_fd(&self) -> RawFd {
        self.queue_fd
    }
}

impl Descriptor {
    fn on_event(&self, readable: bool, writable: bool, ends: bool) {
        let mut readiness = 0;
        if readable || ends {
            readiness |= READABLE;
        }
        if writable || ends {
            readiness |= WRITABLE;
        }
        if ends {
            readiness |= ENDS;
        }
        self.readiness.fetch_or(readiness, Ordering::SeqCst);
        let waiting = &mut *self.waiting.lock();
        if let Some(reader) = waiting
            .reader
            .as_ref()
            .filter(|_| readiness & READABLE != 0)
        {
            // The waker stays: a reader waits again after it has read.
            reader.wake_by_ref();
        }
        if let Some(writer) = waiting.writer.take_if(|_| readiness & WRITABLE != 0) {
            writer.wake();
        }
    }

    /// Reads available bytes into `buffer`; none means that the client sends no more.
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            // Cleared before the read, so that an event during the read is not lost.
            if self.readiness.fetch_and(!READABLE, Ordering::SeqCst) & READABLE == 0 {
                let waiting = &mut *self.waiting.lock();
                if self.readiness.load(Ordering::SeqCst) & READABLE != 0 {
                    continue;
                }
                match &mut waiting.reader {
                    Some(reader) => reader.clone_from(cx.waker()),
                    none => *none = Some(cx.waker().clone()),
                }
                return Poll::Pending;
            }
            let into = buffer.initialize_unfilled();
            let room = into.len();
            let read = match &self.stream {
                Stream::Tcp(stream) => (&*stream).read(into),
                Stream::Unix(stream) => (&*stream).read(into),
            };
            match read {
                Ok(read) => {
                    // A read that did not fill the buffer took all there was, except the end.
                    if read == room || self.readiness.load(Ordering::SeqCst) & ENDS != 0 {
                        self.readiness.fetch_or(READABLE, Ordering::SeqCst);
                    }
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    self.readiness.fetch_or(READABLE, Ordering::SeqCst);
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
    }

    /// Writes as many bytes as the system takes without blocking.
    ///
    /// # Errors
    /// `WouldBlock` when it takes none now; any other error is final.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.try_twice(|| match &self.stream {
            Stream::Tcp(stream) => (&*stream).write(bytes),
            Stream::Unix(stream) => (&*stream).write(bytes),
        })
    }

    /// Writes several parts; see [`Descriptor::try_write`].
    ///
    /// # Errors
    /// The same.
    pub(super) fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_twice(|| match &self.stream {
            Stream::Tcp(stream) => (&*stream).write_vectored(parts),
            Stream::Unix(stream) => (&*stream).write_vectored(parts),
        })
    }

    fn try_twice(&self, write: impl Fn() -> io::Result<usize>) -> io::Result<usize> {
        match write() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.fetch_and(!WRITABLE, Ordering::SeqCst);
                // An event between the write and the clearing would be lost otherwise.
                let written = write();
                if written.is_ok() {
                    // It was, so there may be none after this.
                    self.readiness.fetch_or(WRITABLE, Ordering::SeqCst);
                }
                written
            }
            written => written,
        }
    }

    /// Ready when a write may not block.
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let waiting = &mut *self.waiting.lock();
        if self.readiness.load(Ordering::SeqCst) & WRITABLE != 0 {
            return Poll::Ready(Ok(()));
        }
        waiting.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Duplicates the descriptor; the stream is not ended any more when its writing half is dropped.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn hand_back(&self) -> io::Result<OwnedFd> {
        let fd = match &self.stream {
            Stream::Tcp(stream) => stream.as_fd().try_clone_to_owned(),
            Stream::Unix(stream) => stream.as_fd().try_clone_to_owned(),
        }?;
        self.readiness.fetch_or(RETURNED, Ordering::SeqCst);
        Ok(fd)
    }

    /// The addresses of both ends, the client's first; `None` for what is no TCP stream.
    pub(super) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        match &self.stream {
            Stream::Tcp(stream) => Some((stream.peer_addr().ok()?, stream.local_addr().ok()?)),
            Stream::Unix(_) => None,
        }
    }

    /// Has the task woken when a write may not block, unless another one waits for that already.
    pub(super) fn wake_when_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let waiting = &mut *self.waiting.lock();
        if self.readiness.load(Ordering::SeqCst) & WRITABLE != 0 {
            return Poll::Ready(());
        }
        waiting.writer.get_or_insert_with(|| cx.waker().clone());
        Poll::Pending
    }

    /// Ends the stream, in one direction or both.
    pub(super) fn shut_down(&self, how: Shutdown) {
        if self.readiness.load(Ordering::SeqCst) & RETURNED != 0 {
            return;
        }
        // An error means that the stream has ended already.
        let _ = match &self.stream {
            Stream::Tcp(stream) => stream.shutdown(how),
            Stream::Unix(stream) => stream.shutdown(how),
        };
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.descriptors.registered.write().remove(&self.token);
        let registry = &self.descriptors.registry;
        // An error does no harm: closing the descriptor, which follows, deregisters it too.
        let _ = match &mut self.stream {
            Stream::Tcp(stream) => registry.deregister(stream),
            Stream::Unix(stream) => registry.deregister(stream),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    struct World {
        all: Arc<Descriptors>,
        ours: Arc<Descriptor>,
        client: UnixStream,
        woken: Arc<Woken>,
        waker: Waker,
    }

    fn world() -> World {
        let all = Descriptors::new().unwrap();
        let (ours, client) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        client.set_nonblocking(true).unwrap();
        let ours = mio::net::UnixStream::from_std(ours);
        let ours = all.register(Stream::Unix(ours), None).unwrap();
        let woken = Arc::new(Woken::default());
        let waker = woken.clone().into();
        World {
            all,
            ours,
            client,
            woken,
            waker,
        }
    }

    impl World {
        /// Reads without waiting: `None` if there is nothing to read, empty at the end.
        fn read(&self, most: usize) -> Option<Vec<u8>> {
            let mut bytes = vec![0; most];
            let mut buffer = ReadBuf::new(&mut bytes);
            let mut cx = Context::from_waker(&self.waker);
            match self.ours.poll_read(&mut cx, &mut buffer) {
                Poll::Ready(result) => {
                    result.unwrap();
                    Some(buffer.filled().to_vec())
                }
                Poll::Pending => None,
            }
        }

        fn is_writable(&self) -> bool {
            let mut cx = Context::from_waker(&self.waker);
            self.ours.poll_writable(&mut cx).is_ready()
        }

        /// Polls, and counts the wakers that it woke.
        fn poll(&self) -> usize {
            let before = self.woken.0.load(Ordering::SeqCst);
            self.all.poll();
            self.woken.0.load(Ordering::SeqCst) - before
        }
    }

    #[test]
    fn a_stream_that_takes_bytes_at_the_second_attempt_stays_writable() {
        let world = world();
        world.all.poll();
        let attempts = AtomicUsize::new(0);
        let written = world
            .ours
            .try_twice(|| match attempts.fetch_add(1, Ordering::SeqCst) {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                _ => Ok(1),
            });
        assert_eq!(written.unwrap(), 1);
        assert!(world.is_writable());
        let blocked = world
            .ours
            .try_twice(|| Err(io::ErrorKind::WouldBlock.into()));
        assert_eq!(blocked.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(!world.is_writable());
    }

    #[test]
    fn a_reader_that_found_nothing_is_woken_when_bytes_arrive() {
        let mut world = world();
        assert_eq!(world.read(9), None);
        assert_eq!(world.poll(), 0);
        world.client.write_all(b"one").unwrap();
        assert_eq!(world.poll(), 1);
        assert_eq!(world.read(9).unwrap(), b"one");
        assert_eq!(world.read(9), None);
        world.client.write_all(b"two").unwrap();
        assert_eq!(world.poll(), 1);
        assert_eq!(world.read(9).unwrap(), b"two");
    }

    #[test]
    fn remaining_bytes_are_read_without_another_readiness_event() {
        let mut world = world();
        world.client.write_all(b"abcd").unwrap();
        world.poll();
        assert_eq!(world.read(2).unwrap(), b"ab");
        assert_eq!(world.poll(), 0);
        assert_eq!(world.read(2).unwrap(), b"cd");
        assert_eq!(world.read(2), None);
    }

    #[test]
    fn the_end_of_a_stream_is_read_after_its_last_bytes() {
        let mut world = world();
        world.client.write_all(b"last").unwrap();
        world.client.shutdown(Shutdown::Write).unwrap();
        world.poll();
        assert_eq!(world.read(9).unwrap(), b"last");
        assert_eq!(world.read(9).unwrap(), b"");
    }

    #[test]
    fn a_writer_is_woken_when_the_stream_is_writable_again() {
        let mut world = world();
        world.poll();
        let much = vec![7; 1 << 16];
        while world.ours.try_write(&much).is_ok() {}
        let error = world.ours.try_write(&much).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(!world.is_writable());
        assert_eq!(world.poll(), 0);
        let mut read = vec![0; 1 << 16];
        while world.client.read(&mut read).is_ok() {}
        assert_eq!(world.poll(), 1);
        assert!(world.is_writable());
    }

    #[test]
    fn a_closed_descriptor_is_deregistered() {
        let World { all, ours, .. } = world();
        assert_eq!(all.registered.read().len(), 1);
        drop(ours);
        assert!(all.registered.read().is_empty());
        assert_eq!(all.poll().changes, 0);
    }
}
