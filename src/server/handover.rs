//! Takes a descriptor from Node: from then on its bytes never touch the event loop.
//!
//! JavaScript stops reading and we duplicate the descriptor; then Node destroys its half, which
//! closes its descriptor and leaves ours.
//!
//! What must stay true: the descriptor is closed exactly once, by the stream that owns it, and
//! nobody shuts it down after that.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use tokio::net::{TcpStream, UnixStream};

use super::stream::Io;

/// A descriptor on its way from Node.
#[derive(Debug)]
pub(crate) struct Taken {
    fd: OwnedFd,
    kind: Kind,
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
    Ok(Taken { fd, kind })
}

impl Taken {
    /// Registers the descriptor with the runtime of the current task.
    ///
    /// # Errors
    /// The operating system's refusal.
    pub(crate) fn open(self) -> io::Result<(RawFd, Io)> {
        let number = self.fd.as_raw_fd();
        let io = match self.kind {
            Kind::Tcp => {
                let stream = std::net::TcpStream::from(self.fd);
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                Io::Tcp(TcpStream::from_std(stream)?)
            }
            Kind::Unix => {
                let stream = std::os::unix::net::UnixStream::from(self.fd);
                stream.set_nonblocking(true)?;
                Io::Unix(UnixStream::from_std(stream)?)
            }
        };
        Ok((number, io))
    }
}

/// Shuts a stream's descriptor down. The caller holds the lock under which the stream takes the
/// number away before it closes the descriptor.
pub(super) fn shut_down(fd: RawFd) {
    // SAFETY: the number is an open descriptor of ours, see above. Shutting down does not close.
    unsafe {
        libc::shutdown(fd, libc::SHUT_RDWR);
    }
}
