//! Streams of the operating system, and who waits for them.
//!
//! A descriptor is registered once, for both directions, and told when something changes; what it
//! can do is remembered until it was tried. What must stay true: whoever waits is woken by the
//! first change after it found nothing to do, whichever thread looked for changes.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mio::{Events, Interest, Registry, Token};
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;
use tokio::io::ReadBuf;

use super::adopt_fd::Released;

/// There may be something to read.
const READABLE: u8 = 1;
/// There may be room to write.
const WRITABLE: u8 = 2;
/// The client sends no more, which is read behind what it sent.
const ENDS: u8 = 4;

/// How many changes one look finds at most.
const CHANGES: usize = 256;

/// All descriptors that are waited for, and the event queue that tells of their changes.
pub(super) struct Descriptors {
    queue: Mutex<Queue>,
    queue_fd: RawFd,
    registry: Registry,
    known: RwLock<FxHashMap<Token, Weak<Descriptor>>>,
    last: AtomicUsize,
}

struct Queue {
    poll: mio::Poll,
    events: Events,
}

/// What a look at the descriptors found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) changes: usize,
    /// There may be more.
    pub(super) more: bool,
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
    home: Arc<Descriptors>,
    can: AtomicU8,
    waiting: Mutex<Waiting>,
    /// Dropped behind the stream, whose field comes first: it tells that the stream is closed.
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
    /// The operating system's refusal to open an event queue.
    pub(super) fn new() -> io::Result<Arc<Self>> {
        let poll = mio::Poll::new()?;
        Ok(Arc::new(Self {
            queue_fd: poll.as_raw_fd(),
            registry: poll.registry().try_clone()?,
            queue: Mutex::new(Queue {
                poll,
                events: Events::with_capacity(CHANGES),
            }),
            known: RwLock::default(),
            last: AtomicUsize::new(0),
        }))
    }

    /// Registers a stream, and who is told when it is closed.
    ///
    /// # Errors
    /// The operating system's refusal.
    pub(super) fn register(
        self: &Arc<Self>,
        mut stream: Stream,
        released: Option<Released>,
    ) -> io::Result<Arc<Descriptor>> {
        let token = Token(self.last.fetch_add(1, Ordering::Relaxed));
        let interest = Interest::READABLE | Interest::WRITABLE;
        // Known before it is told of changes.
        let mut known = self.known.write();
        match &mut stream {
            Stream::Tcp(stream) => self.registry.register(stream, token, interest),
            Stream::Unix(stream) => self.registry.register(stream, token, interest),
        }?;
        let descriptor = Arc::new(Descriptor {
            stream,
            token,
            home: self.clone(),
            can: AtomicU8::new(0),
            waiting: Mutex::default(),
            _released: released,
        });
        known.insert(token, Arc::downgrade(&descriptor));
        Ok(descriptor)
    }

    /// Looks which descriptors changed, without waiting, and wakes whoever waits for them.
    pub(super) fn look(&self) -> Found {
        let Queue { poll, events } = &mut *self.queue.lock();
        if poll.poll(events, Some(Duration::ZERO)).is_err() {
            // Interrupted: what changed is found by the next look.
            return Found {
                changes: 0,
                more: true,
            };
        }
        let mut changes = 0;
        for event in &*events {
            changes += 1;
            let descriptor = self
                .known
                .read()
                .get(&event.token())
                .and_then(Weak::upgrade);
            if let Some(descriptor) = descriptor {
                descriptor.changed(
                    event.is_readable(),
                    event.is_writable(),
                    event.is_read_closed() || event.is_error(),
                );
            }
        }
        Found {
            changes,
            more: changes == CHANGES,
        }
    }
}

impl AsRawFd for Descriptors {
    /// The event queue's own descriptor: readable when a look would find something.
    fn as_raw_fd(&self) -> RawFd {
        self.queue_fd
    }
}

impl Descriptor {
    fn changed(&self, readable: bool, writable: bool, ends: bool) {
        let mut can = 0;
        if readable || ends {
            can |= READABLE;
        }
        if writable || ends {
            can |= WRITABLE;
        }
        if ends {
            can |= ENDS;
        }
        self.can.fetch_or(can, Ordering::SeqCst);
        let waiting = &mut *self.waiting.lock();
        if let Some(reader) = waiting.reader.as_ref().filter(|_| can & READABLE != 0) {
            // It stays, since it is about to wait again.
            reader.wake_by_ref();
        }
        if let Some(writer) = waiting.writer.take_if(|_| can & WRITABLE != 0) {
            writer.wake();
        }
    }

    /// Reads what there is into `buffer`; nothing read means that the client sends no more.
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            // Before it is tried: a change that comes meanwhile is not forgotten.
            if self.can.fetch_and(!READABLE, Ordering::SeqCst) & READABLE == 0 {
                let waiting = &mut *self.waiting.lock();
                if self.can.load(Ordering::SeqCst) & READABLE != 0 {
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
                    // Less than there was room for is all there was, unless the end is behind it.
                    if read == room || self.can.load(Ordering::SeqCst) & ENDS != 0 {
                        self.can.fetch_or(READABLE, Ordering::SeqCst);
                    }
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    self.can.fetch_or(READABLE, Ordering::SeqCst);
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
    }

    /// Writes what is taken at once.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is; any other when nothing will be any more.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.try_twice(|| match &self.stream {
            Stream::Tcp(stream) => (&*stream).write(bytes),
            Stream::Unix(stream) => (&*stream).write(bytes),
        })
    }

    /// Writes several parts, as far as they are taken at once.
    ///
    /// # Errors
    /// See [`Descriptor::try_write`].
    pub(super) fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_twice(|| match &self.stream {
            Stream::Tcp(stream) => (&*stream).write_vectored(parts),
            Stream::Unix(stream) => (&*stream).write_vectored(parts),
        })
    }

    fn try_twice(&self, write: impl Fn() -> io::Result<usize>) -> io::Result<usize> {
        match write() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.can.fetch_and(!WRITABLE, Ordering::SeqCst);
                // There may have been room right before that.
                write()
            }
            written => written,
        }
    }

    /// Ready when more may be taken.
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let waiting = &mut *self.waiting.lock();
        if self.can.load(Ordering::SeqCst) & WRITABLE != 0 {
            return Poll::Ready(Ok(()));
        }
        waiting.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Ends the stream, in one direction or both.
    pub(super) fn shut_down(&self, how: Shutdown) {
        // A stream that has ended already needs no end.
        let _ = match &self.stream {
            Stream::Tcp(stream) => stream.shutdown(how),
            Stream::Unix(stream) => stream.shutdown(how),
        };
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.home.known.write().remove(&self.token);
        let registry = &self.home.registry;
        // It is closed in a moment, which would do the same.
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
        /// What is read at once: `None` if nothing has come, empty at the end.
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

        /// How many were woken by a look.
        fn look(&self) -> usize {
            let before = self.woken.0.load(Ordering::SeqCst);
            self.all.look();
            self.woken.0.load(Ordering::SeqCst) - before
        }
    }

    #[test]
    fn a_reader_that_found_nothing_is_woken_when_bytes_arrive() {
        let mut world = world();
        assert_eq!(world.read(9), None);
        assert_eq!(world.look(), 0);
        world.client.write_all(b"one").unwrap();
        assert_eq!(world.look(), 1);
        assert_eq!(world.read(9).unwrap(), b"one");
        assert_eq!(world.read(9), None);
        world.client.write_all(b"two").unwrap();
        assert_eq!(world.look(), 1);
        assert_eq!(world.read(9).unwrap(), b"two");
    }

    #[test]
    fn remaining_bytes_are_read_without_another_readiness_event() {
        let mut world = world();
        world.client.write_all(b"abcd").unwrap();
        world.look();
        assert_eq!(world.read(2).unwrap(), b"ab");
        assert_eq!(world.look(), 0);
        assert_eq!(world.read(2).unwrap(), b"cd");
        assert_eq!(world.read(2), None);
    }

    #[test]
    fn the_end_of_a_stream_is_read_after_its_last_bytes() {
        let mut world = world();
        world.client.write_all(b"last").unwrap();
        world.client.shutdown(Shutdown::Write).unwrap();
        world.look();
        assert_eq!(world.read(9).unwrap(), b"last");
        assert_eq!(world.read(9).unwrap(), b"");
    }

    #[test]
    fn a_writer_is_woken_when_the_stream_is_writable_again() {
        let mut world = world();
        world.look();
        let much = vec![7; 1 << 16];
        while world.ours.try_write(&much).is_ok() {}
        let error = world.ours.try_write(&much).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(!world.is_writable());
        assert_eq!(world.look(), 0);
        let mut read = vec![0; 1 << 16];
        while world.client.read(&mut read).is_ok() {}
        assert_eq!(world.look(), 1);
        assert!(world.is_writable());
    }

    #[test]
    fn a_closed_descriptor_is_deregistered() {
        let World { all, ours, .. } = world();
        assert_eq!(all.known.read().len(), 1);
        drop(ours);
        assert!(all.known.read().is_empty());
        assert_eq!(all.look().changes, 0);
    }
}
