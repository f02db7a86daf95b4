//! Has Node read and write a stream whose bytes it could not read itself, such as one with TLS.
//!
//! Node gets one end of a pair of sockets, and two readers of the reactor carry the bytes between the other
//! end and the client. So Node has a socket like any other, with its own ways to pause, end and destroy it.
//!
//! What must stay true: bytes keep their order; what is read from one side and not yet taken by the other is
//! bounded by one buffer and what the operating system takes; the end of one side, or an error, reaches the
//! other.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::sleep;

use super::reactor::Task;
use super::runtime::Runtime;
use super::stream::{Descriptor, Stream};
use super::tls::TlsStream;
use super::transport::{ReadHalf, WriteHalf, halves_of};

/// Bytes that are carried at once.
const READ_SIZE: usize = 1 << 15;
/// Reads in a row, before others are read.
const MAX_READS: usize = 8;
/// How long a client may stay after Node has ended its side: as long as `ws` waits for it.
const LINGER: Duration = Duration::from_secs(30);

thread_local! {
    /// The read buffer of all streams that are read on this thread: no bytes stay in it.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_SIZE]);
}

/// Gives a stream with TLS to Node. Returns the descriptor with which Node reads and writes what is decrypted.
///
/// # Errors
/// The error of the operating system, or `Unsupported` for a stream without TLS.
pub(crate) fn forward(runtime: &Runtime, read: ReadHalf, write: WriteHalf) -> io::Result<OwnedFd> {
    let ReadHalf::Tls(client) = &read else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let client = Arc::downgrade(client);
    let (ours, nodes) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let ours = Stream::Unix(mio::net::UnixStream::from_std(ours));
    let ours = runtime.reactor.register(ours, None)?;
    let (from_node, to_node) = halves_of(ours.clone());
    runtime.reactor.read(Carrying {
        from: read,
        to: Some(to_node),
        unwritten: Vec::new(),
        source: Source::Client(client.clone()),
    });
    runtime.reactor.read(Carrying {
        from: from_node,
        to: Some(write),
        unwritten: Vec::new(),
        source: Source::Node {
            node: ours,
            client,
            runtime: runtime.clone(),
        },
    });
    Ok(nodes.into())
}

/// Carries the bytes of one direction.
struct Carrying {
    from: ReadHalf,
    to: Option<WriteHalf>,
    /// What was read, and not taken yet.
    unwritten: Vec<u8>,
    source: Source,
}

enum Source {
    Client(Weak<TlsStream>),
    Node {
        node: Arc<Descriptor>,
        client: Weak<TlsStream>,
        runtime: Runtime,
    },
}

impl Task for Carrying {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let carried = ready!(self.carry(cx));
        self.end(carried);
        Poll::Ready(())
    }

    fn on_panic(&mut self) {
        self.end(Err(io::ErrorKind::Other.into()));
    }
}

impl Carrying {
    /// Carries bytes until the end.
    fn carry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(to) = &self.to else {
            return Poll::Ready(Ok(()));
        };
        for _ in 0..MAX_READS {
            while !self.unwritten.is_empty() {
                let written = try_write(to, &self.unwritten)?;
                self.unwritten.drain(..written);
                if written == 0 {
                    ready!(to.poll_writable(cx))?;
                }
            }
            self.unwritten = Vec::new();
            let is_end = BUFFER.with_borrow_mut(|buffer| {
                let mut into = ReadBuf::new(buffer);
                ready!(Pin::new(&mut self.from).poll_read(cx, &mut into))?;
                let bytes = into.filled();
                if !bytes.is_empty() {
                    let written = try_write(to, bytes)?;
                    self.unwritten.extend_from_slice(&bytes[written..]);
                }
                Poll::Ready(io::Result::Ok(bytes.is_empty()))
            });
            if ready!(is_end)? {
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Tells the other side of the end.
    fn end(&mut self, carried: io::Result<()>) {
        let to = self.to.take();
        match &self.source {
            Source::Client(client) => {
                if carried.is_err() {
                    shut_down(client);
                    // Node finds the end, and that it can write no more.
                    if let Some(node) = to {
                        node.shut_down();
                    }
                }
            }
            Source::Node {
                node,
                client,
                runtime,
            } => {
                drop(to);
                // Who has destroyed the socket does not read any more either.
                if carried.is_err() || node.try_write(&[]).is_err() {
                    shut_down(client);
                    return;
                }
                let client = client.clone();
                runtime.handle.spawn(async move {
                    sleep(LINGER).await;
                    shut_down(&client);
                });
            }
        }
    }
}

fn shut_down(client: &Weak<TlsStream>) {
    if let Some(client) = client.upgrade() {
        client.shut_down();
    }
}

/// Writes as many bytes as the stream takes now, which may be none.
fn try_write(to: &WriteHalf, bytes: &[u8]) -> io::Result<usize> {
    match to.try_write(bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}
