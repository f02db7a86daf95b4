//! The bytes of a websocket, whoever carries them: a descriptor taken from Node, or Node itself.
//!
//! Two halves: a reader reads from one, any thread writes to the other.

use std::io::{self, IoSlice};
#[cfg(unix)]
use std::net::Shutdown;
#[cfg(unix)]
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::relay::{PumpReader, PumpWriter};
#[cfg(unix)]
use super::stream::Descriptor;

/// The half that is read.
#[derive(Debug)]
pub(crate) enum ReadHalf {
    #[cfg(unix)]
    Descriptor(Arc<Descriptor>),
    Pump(PumpReader),
}

/// The half that is written. Dropped, it ends the stream behind what was written.
#[derive(Debug)]
pub(crate) enum WriteHalf {
    #[cfg(unix)]
    Descriptor(WriteEnd),
    Pump(PumpWriter),
}

impl ReadHalf {
    /// Reads what there is into `buffer`; nothing read means that the peer sends no more.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            #[cfg(unix)]
            Self::Descriptor(descriptor) => descriptor.poll_read(cx, buffer),
            Self::Pump(half) => half.poll_read(cx, buffer),
        }
    }
}

impl WriteHalf {
    /// Writes what is taken at once.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is; any other when nothing will be any more.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            #[cfg(unix)]
            Self::Descriptor(end) => end.0.try_write(bytes),
            Self::Pump(half) => half.try_write(bytes),
        }
    }

    /// Writes several parts, as far as they are taken at once; see [`WriteHalf::try_write`].
    ///
    /// # Errors
    /// The same.
    pub(crate) fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, parts) {
            (_, [part]) => self.try_write(part),
            #[cfg(unix)]
            (Self::Descriptor(end), _) => end.0.try_write_vectored(parts),
            (Self::Pump(half), _) => half.try_write_vectored(parts),
        }
    }

    /// Ready when more may be taken.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            #[cfg(unix)]
            Self::Descriptor(end) => end.0.poll_writable(cx),
            Self::Pump(half) => half.poll_writable(cx),
        }
    }

    /// Whether Node carries the bytes.
    pub(crate) fn is_pumped(&self) -> bool {
        match self {
            #[cfg(unix)]
            Self::Descriptor(_) => false,
            Self::Pump(_) => true,
        }
    }

    /// Ends the stream at once, whatever is being read or written on it.
    pub(crate) fn shut_down(&self) {
        match self {
            #[cfg(unix)]
            Self::Descriptor(end) => end.0.shut_down(Shutdown::Both),
            Self::Pump(half) => half.shut_down(),
        }
    }
}

/// The end of a stream's writing: nothing is written behind it.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct WriteEnd(pub(super) Arc<Descriptor>);

#[cfg(unix)]
impl Drop for WriteEnd {
    fn drop(&mut self) {
        self.0.shut_down(Shutdown::Write);
    }
}
