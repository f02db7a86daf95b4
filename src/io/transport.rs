//! The stream of a client: a descriptor taken from Node, or a stream that Node relays.
//!
//! Two halves: a reader reads from one, any thread writes to the other.

use std::io::{self, IoSlice};
#[cfg(unix)]
use std::net::{Shutdown, SocketAddr};
#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::pin::Pin;
#[cfg(unix)]
use std::sync::Arc;
use std::task::{Context, Poll};

#[cfg(unix)]
use rustls::ServerConfig;
use tokio::io::{AsyncRead, ReadBuf};

#[cfg(unix)]
use super::adopt_fd::Taken;
use super::reactor::Reactor;
use super::relay::{self, RelayReader, RelayWriter};
#[cfg(unix)]
use super::stream::Descriptor;
#[cfg(unix)]
use super::tls::{Agreed, TlsStream};

/// A stream that Node hands over.
#[derive(Debug)]
pub(crate) enum Carrier {
    #[cfg(unix)]
    Descriptor(Taken),
    /// A stream that was opened before.
    #[cfg(unix)]
    Registered(ReadHalf, WriteHalf),
    Relay(relay::Halves),
}

/// Registers a descriptor with a reactor, without writing to it.
///
/// # Errors
/// The error of the operating system.
#[cfg(unix)]
pub(crate) fn open(taken: Taken, reactor: &Reactor) -> io::Result<(ReadHalf, WriteHalf)> {
    let (stream, released) = taken.into_stream()?;
    Ok(halves_of(reactor.register(stream, released)?))
}

/// Both halves of a registered descriptor.
#[cfg(unix)]
pub(super) fn halves_of(descriptor: Arc<Descriptor>) -> (ReadHalf, WriteHalf) {
    let write = WriteHalf::Descriptor(WriteEnd(descriptor.clone()));
    (ReadHalf::Descriptor(descriptor), write)
}

/// Registers a descriptor, whose bytes are encrypted, with a reactor.
///
/// # Errors
/// The error of the operating system, or of rustls if the configuration cannot be used.
#[cfg(unix)]
pub(crate) fn open_tls(
    taken: Taken,
    reactor: &Reactor,
    config: Arc<ServerConfig>,
) -> io::Result<(ReadHalf, WriteHalf)> {
    let (stream, released) = taken.into_stream()?;
    let stream = TlsStream::new(reactor.register(stream, released)?, config)?;
    let write = WriteHalf::Tls(TlsWriteEnd(stream.clone()));
    Ok((ReadHalf::Tls(stream), write))
}

/// Writes as many bytes as the stream takes, which may be none.
///
/// # Errors
/// The error of the operating system.
#[cfg(unix)]
fn write_some(half: &WriteHalf, bytes: &[u8]) -> io::Result<usize> {
    match half.try_write(bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}

/// A stream whose first bytes have been written, except those in `unwritten`.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) read: ReadHalf,
    pub(crate) write: WriteHalf,
    pub(crate) unwritten: Vec<u8>,
}

impl Carrier {
    /// Registers the stream with a reactor, and writes as many of the first bytes as it takes without
    /// blocking.
    ///
    /// # Errors
    /// The error of the operating system, or of a stream that is closed.
    #[cfg_attr(not(unix), allow(unused_variables))]
    pub(crate) fn open(self, reactor: &Reactor, mut first: Vec<u8>) -> io::Result<Opened> {
        let (read, write, written) = match self {
            #[cfg(unix)]
            Self::Descriptor(taken) => {
                let (read, write) = open(taken, reactor)?;
                let written = write_some(&write, &first)?;
                (read, write, written)
            }
            #[cfg(unix)]
            Self::Registered(read, write) => {
                let written = write_some(&write, &first)?;
                (read, write, written)
            }
            Self::Relay((read, write)) => {
                let write = WriteHalf::Relay(write);
                let written = write.try_write(&first)?;
                (ReadHalf::Relay(read), write, written)
            }
        };
        first.drain(..written);
        Ok(Opened {
            read,
            write,
            unwritten: first,
        })
    }
}

/// The half that is read.
#[derive(Debug)]
pub(crate) enum ReadHalf {
    #[cfg(unix)]
    Descriptor(Arc<Descriptor>),
    #[cfg(unix)]
    Tls(Arc<TlsStream>),
    Relay(RelayReader),
}

/// The half that is written. When dropped, it ends the stream after what was written.
#[derive(Debug)]
pub(crate) enum WriteHalf {
    #[cfg(unix)]
    Descriptor(WriteEnd),
    #[cfg(unix)]
    Tls(TlsWriteEnd),
    Relay(RelayWriter),
}

impl AsyncRead for ReadHalf {
    /// Reads available bytes into `buffer`; none means that the client sends no more.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            #[cfg(unix)]
            Self::Descriptor(descriptor) => descriptor.poll_read(cx, buffer),
            #[cfg(unix)]
            Self::Tls(stream) => stream.poll_read(cx, buffer),
            Self::Relay(half) => half.poll_read(cx, buffer),
        }
    }
}

impl WriteHalf {
    /// Writes as many bytes as the stream takes without blocking.
    ///
    /// # Errors
    /// `WouldBlock` when it takes none now; any other error is final.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            #[cfg(unix)]
            Self::Descriptor(end) => end.0.try_write(bytes),
            #[cfg(unix)]
            Self::Tls(end) => end.0.try_write(bytes),
            Self::Relay(half) => half.try_write(bytes),
        }
    }

    /// Writes several parts; see [`WriteHalf::try_write`].
    ///
    /// # Errors
    /// The same.
    pub(crate) fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, parts) {
            (_, [part]) => self.try_write(part),
            #[cfg(unix)]
            (Self::Descriptor(end), _) => end.0.try_write_vectored(parts),
            #[cfg(unix)]
            (Self::Tls(end), _) => end.0.try_write_vectored(parts),
            (Self::Relay(half), _) => half.try_write_vectored(parts),
        }
    }

    /// Ready when a write may not block.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            #[cfg(unix)]
            Self::Descriptor(end) => end.0.poll_writable(cx),
            #[cfg(unix)]
            Self::Tls(end) => end.0.poll_writable(cx),
            Self::Relay(half) => half.poll_writable(cx),
        }
    }

    /// Duplicates the descriptor for Node; this half no longer ends the stream when it is dropped.
    ///
    /// # Errors
    /// The error of the operating system, or `Unsupported` for a stream that has no descriptor of its own.
    #[cfg(unix)]
    pub(crate) fn hand_back(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Descriptor(end) => end.0.hand_back(),
            Self::Tls(_) | Self::Relay(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The addresses of both ends: the client's and this one's; `None` for what is no TCP stream.
    #[cfg(unix)]
    pub(crate) fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            Self::Descriptor(end) => end.0.addresses(),
            Self::Tls(end) => end.0.addresses(),
            Self::Relay(_) => None,
        }
    }

    /// What the handshake of a stream with TLS agreed on; `None` without TLS.
    #[cfg(unix)]
    pub(crate) fn agreed(&self) -> Option<Agreed> {
        match self {
            Self::Tls(end) => Some(end.0.agreed()),
            Self::Descriptor(_) | Self::Relay(_) => None,
        }
    }

    /// Whether the bytes are encrypted here.
    #[cfg(unix)]
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// Whether Node relays the bytes.
    pub(crate) fn is_relayed(&self) -> bool {
        match self {
            #[cfg(unix)]
            Self::Descriptor(_) | Self::Tls(_) => false,
            Self::Relay(_) => true,
        }
    }

    /// Ends the stream at once, in both directions.
    pub(crate) fn shut_down(&self) {
        match self {
            #[cfg(unix)]
            Self::Descriptor(end) => end.0.shut_down(Shutdown::Both),
            #[cfg(unix)]
            Self::Tls(end) => end.0.shut_down(),
            Self::Relay(half) => half.shut_down(),
        }
    }
}

/// Ends the writing side of a stream when it is dropped.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct WriteEnd(Arc<Descriptor>);

#[cfg(unix)]
impl Drop for WriteEnd {
    fn drop(&mut self) {
        self.0.shut_down(Shutdown::Write);
    }
}

/// Ends the writing side of a stream with TLS when it is dropped.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct TlsWriteEnd(Arc<TlsStream>);

#[cfg(unix)]
impl Drop for TlsWriteEnd {
    fn drop(&mut self) {
        self.0.end_writing();
    }
}
