//! The bytes of a websocket, whoever carries them: a descriptor taken from Node, or Node itself.
//!
//! Two halves: the I/O thread reads from one, any thread writes to the other.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use super::pump::{PumpReader, PumpWriter};

/// The half that is read.
#[derive(Debug)]
pub(super) enum ReadHalf {
    #[cfg(unix)]
    Tcp(tokio::net::tcp::OwnedReadHalf),
    #[cfg(unix)]
    Unix(tokio::net::unix::OwnedReadHalf),
    Pump(PumpReader),
}

/// The half that is written. Dropped, it ends the stream behind what was written.
#[derive(Debug)]
pub(super) enum WriteHalf {
    #[cfg(unix)]
    Tcp(tokio::net::tcp::OwnedWriteHalf),
    #[cfg(unix)]
    Unix(tokio::net::unix::OwnedWriteHalf),
    Pump(PumpWriter),
}

impl ReadHalf {
    /// Reads what there is into `buffer`; nothing read means that the peer sends no more.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            #[cfg(unix)]
            Self::Tcp(half) => Pin::new(half).poll_read(cx, buffer),
            #[cfg(unix)]
            Self::Unix(half) => Pin::new(half).poll_read(cx, buffer),
            Self::Pump(half) => half.poll_read(cx, buffer),
        }
    }
}

impl WriteHalf {
    /// Writes what is taken at once.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is; any other when nothing will be any more.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            #[cfg(unix)]
            Self::Tcp(half) => half.try_write(bytes),
            #[cfg(unix)]
            Self::Unix(half) => half.try_write(bytes),
            Self::Pump(half) => half.try_write(bytes),
        }
    }

    /// Ready when more may be taken.
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            #[cfg(unix)]
            Self::Tcp(half) => half.as_ref().poll_write_ready(cx),
            #[cfg(unix)]
            Self::Unix(half) => half.as_ref().poll_write_ready(cx),
            Self::Pump(half) => half.poll_writable(cx),
        }
    }

    /// Ends the stream at once, whatever is being read or written on it.
    pub(super) fn shut_down(&self) {
        match self {
            #[cfg(unix)]
            Self::Tcp(half) => super::handover::shut_down(half.as_ref()),
            #[cfg(unix)]
            Self::Unix(half) => super::handover::shut_down(half.as_ref()),
            Self::Pump(half) => half.shut_down(),
        }
    }
}
