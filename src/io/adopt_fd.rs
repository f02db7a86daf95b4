//! Takes the descriptor of a websocket from Node, so that Rust reads and writes it.
//!
//! JavaScript stops reading, and Rust duplicates the descriptor; then Node destroys its socket, which
//! closes Node's descriptor and leaves the duplicate open.
//!
//! What must stay true: the duplicate is closed exactly once, by the stream that owns it; nothing waits
//! for an event queue that is closed.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::host::Released;
use super::stream::{Descriptors, Stream};

/// A descriptor taken from Node.
#[derive(Debug)]
pub(crate) struct Taken {
    fd: OwnedFd,
    kind: SocketKind,
    // After the descriptor, so that one that is never opened is closed before this is dropped.
    released: Option<Released>,
}

#[derive(Debug, Clone, Copy)]
enum SocketKind {
    Tcp,
    Unix,
}

/// Copies bytes that can be read from Node's descriptor, and leaves them there.
///
/// # Errors
/// `WouldBlock` if there are none yet; any other error of the operating system.
pub(crate) fn peek(fd: RawFd, into: &mut [u8]) -> io::Result<usize> {
    // SAFETY: recv writes at most the length of the buffer that it is given; a number that is no open
    // socket is an error it returns.
    let read = unsafe {
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        libc::recv(fd, into.as_mut_ptr().cast(), into.len(), flags)
    };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

/// Reads bytes that [`peek`] has copied, into the same place.
pub(crate) fn skip(fd: RawFd, bytes: &mut [u8]) {
    // SAFETY: as for `peek`. The bytes are there, since nobody else reads them.
    let _ = unsafe {
        libc::recv(
            fd,
            bytes.as_mut_ptr().cast(),
            bytes.len(),
            libc::MSG_DONTWAIT,
        )
    };
}

/// Duplicates Node's descriptor, which can then be closed.
///
/// # Errors
/// The error of the operating system, or `Unsupported` for what is neither a TCP nor a Unix socket.
pub(crate) fn take(fd: RawFd) -> io::Result<Taken> {
    // SAFETY: fcntl and getsockname are told nothing but a number and a buffer of the size given;
    // a number that is no open descriptor is an error they return.
    let (fd, family) = unsafe {
        let copy = libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0);
        if copy < 0 {
            return Err(io::Error::last_os_error());
        }
        let copy = OwnedFd::from_raw_fd(copy);
        let mut address: libc::sockaddr_storage = std::mem::zeroed();
        let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        let address_ptr = (&raw mut address).cast();
        if libc::getsockname(copy.as_raw_fd(), address_ptr, &raw mut length) != 0 {
            return Err(io::Error::last_os_error());
        }
        (copy, i32::from(address.ss_family))
    };
    let kind = match family {
        libc::AF_INET | libc::AF_INET6 => SocketKind::Tcp,
        libc::AF_UNIX => SocketKind::Unix,
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    Ok(Taken {
        fd,
        kind,
        released: None,
    })
}

impl Taken {
    /// Sets what is dropped when the descriptor is closed.
    pub(crate) fn released(self, released: Released) -> Self {
        Self {
            released: Some(released),
            ..self
        }
    }

    /// The nonblocking stream, and what is dropped when it is closed.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn into_stream(self) -> io::Result<(Stream, Option<Released>)> {
        let stream = match self.kind {
            SocketKind::Tcp => {
                let stream = std::net::TcpStream::from(self.fd);
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                Stream::Tcp(mio::net::TcpStream::from_std(stream))
            }
            SocketKind::Unix => {
                let stream = std::os::unix::net::UnixStream::from(self.fd);
                stream.set_nonblocking(true)?;
                Stream::Unix(mio::net::UnixStream::from_std(stream))
            }
        };
        Ok((stream, self.released))
    }
}

/// The event queue of all descriptors, as tokio registers it.
pub(super) struct Queue(Arc<Descriptors>);

impl AsRawFd for Queue {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Registers the event queue of the descriptors with the runtime of the current task.
///
/// # Errors
/// The error of the operating system.
pub(super) fn wait_for(descriptors: &Arc<Descriptors>) -> io::Result<AsyncFd<Queue>> {
    let queue = Queue(descriptors.clone());
    // SAFETY: what is registered owns the queue, which is closed after it is dropped.
    let registered = unsafe { AsyncFd::register_with_interest(queue, Interest::READABLE) };
    Ok(registered?)
}
