//! Takes a descriptor from Node: from then on its bytes never touch the event loop.
//!
//! JavaScript stops reading and we duplicate the descriptor; then Node destroys its half, which
//! closes its descriptor and leaves ours.
//!
//! What must stay true: the descriptor is closed exactly once, by the stream that owns it; nobody waits
//! for an event queue that is closed.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::reactor::Reactor;
use super::stream::{Descriptors, Stream};
use super::transport::{ReadHalf, WriteEnd, WriteHalf};
use crate::socketio::events::Notice;
use crate::socketio::server::Inbox;

/// A descriptor on its way from Node.
#[derive(Debug)]
pub(crate) struct Taken {
    fd: OwnedFd,
    kind: Kind,
    // Behind the descriptor: a descriptor that is not opened is closed first.
    released: Option<Released>,
}

/// Tells JavaScript, when dropped, that a descriptor of one of its servers is closed: that server
/// counts its connections.
pub(crate) struct Released {
    inbox: Arc<dyn Inbox>,
    owner: u64,
}

impl Released {
    /// `owner` is a number of JavaScript's for that server.
    pub(crate) fn new(inbox: Arc<dyn Inbox>, owner: u64) -> Self {
        Self { inbox, owner }
    }
}

impl std::fmt::Debug for Released {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Released").field(&self.owner).finish()
    }
}

impl Drop for Released {
    fn drop(&mut self) {
        self.inbox.push(Notice::Released { owner: self.owner });
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Tcp,
    Unix,
}

/// Duplicates Node's descriptor. Node's own can then be closed.
///
/// # Errors
/// The operating system's refusal, or `Unsupported` for what is neither TCP nor a Unix socket.
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
        libc::AF_INET | libc::AF_INET6 => Kind::Tcp,
        libc::AF_UNIX => Kind::Unix,
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    Ok(Taken {
        fd,
        kind,
        released: None,
    })
}

impl Taken {
    /// Has what is given dropped when the descriptor is closed.
    pub(crate) fn released(self, released: Released) -> Self {
        Self {
            released: Some(released),
            ..self
        }
    }

    /// Writes the first bytes, as many as are taken at once, and has a reactor wait for more. Says how
    /// many were written.
    ///
    /// # Errors
    /// The operating system's refusal.
    pub(crate) fn open(
        self,
        reactor: &Reactor,
        first: &[u8],
    ) -> io::Result<(ReadHalf, WriteHalf, usize)> {
        let stream = match self.kind {
            Kind::Tcp => {
                let stream = std::net::TcpStream::from(self.fd);
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                Stream::Tcp(mio::net::TcpStream::from_std(stream))
            }
            Kind::Unix => {
                let stream = std::os::unix::net::UnixStream::from(self.fd);
                stream.set_nonblocking(true)?;
                Stream::Unix(mio::net::UnixStream::from_std(stream))
            }
        };
        let descriptor = reactor.register(stream, self.released)?;
        let written = match descriptor.try_write(first) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            result => result?,
        };
        let write = WriteHalf::Descriptor(WriteEnd(descriptor.clone()));
        Ok((ReadHalf::Descriptor(descriptor), write, written))
    }
}

/// The event queue of all descriptors, as tokio waits for it.
pub(super) struct Queue(Arc<Descriptors>);

impl AsRawFd for Queue {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Has the runtime of the current task wait for descriptors to change.
///
/// # Errors
/// The operating system's refusal.
pub(super) fn wait_for(descriptors: &Arc<Descriptors>) -> io::Result<AsyncFd<Queue>> {
    let queue = Queue(descriptors.clone());
    // SAFETY: what is registered owns the queue, which is closed after it is dropped.
    let registered = unsafe { AsyncFd::register_with_interest(queue, Interest::READABLE) };
    Ok(registered?)
}
