//! One TCP connection that never blocks: what is to be written gathers and leaves in one write.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrStorage, bind, connect, setsockopt,
    socket, sockopt,
};

/// A buffer that grew beyond this is given back once it is empty.
const KEPT: usize = 256 << 10;

/// How often this program wrote to a connection.
static WRITES: AtomicU64 = AtomicU64::new(0);
/// How often it read from one.
static READS: AtomicU64 = AtomicU64::new(0);

/// How often this program wrote to a connection, and read from one.
pub fn traffic() -> (u64, u64) {
    (WRITES.load(Relaxed), READS.load(Relaxed))
}

/// A connection, what is to be written to it, and what has been read of a message half there.
#[derive(Debug)]
pub struct Link {
    /// The connection.
    stream: TcpStream,
    /// Who reports that it can be read or written.
    epoll: Rc<Epoll>,
    /// What it is called in those reports.
    token: u64,
    /// What is to be written.
    pub out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
    /// Whether the kernel takes nothing at the moment; at first, while it connects.
    is_blocked: bool,
    /// The beginning of what has not come whole.
    pub rest: Vec<u8>,
    /// When something was written or read last.
    pub used: Instant,
}

impl Link {
    /// Begins to connect to `address`, from `source` if one is given.
    pub fn open(
        address: SocketAddr,
        source: Option<Ipv4Addr>,
        epoll: Rc<Epoll>,
        token: u64,
    ) -> Result<Link> {
        let family = if address.is_ipv4() {
            AddressFamily::Inet
        } else {
            AddressFamily::Inet6
        };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(family, SockType::Stream, flags, None).context("socket")?;
        setsockopt(&fd, sockopt::TcpNoDelay, &true)?;
        if let Some(source) = source {
            // without this, each source address would have only as many ports as the host has
            setsockopt(&fd, sockopt::IpBindAddressNoPort, &true)?;
            let [a, b, c, d] = source.octets();
            bind(fd.as_raw_fd(), &SockaddrIn::new(a, b, c, d, 0)).context("bind")?;
        }
        match connect(fd.as_raw_fd(), &SockaddrStorage::from(address)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(e) => return Err(e).context("connect"),
        }
        let both = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT;
        epoll.add(&fd, EpollEvent::new(both, token))?;
        Ok(Link {
            stream: TcpStream::from(fd),
            epoll,
            token,
            out: Vec::new(),
            written: 0,
            is_blocked: true,
            rest: Vec::new(),
            used: Instant::now(),
        })
    }

    /// The kernel takes bytes again.
    pub fn writable(&mut self) -> Result<()> {
        if !self.is_blocked {
            return Ok(());
        }
        if let Some(e) = self.stream.take_error()? {
            return Err(e).context("connect");
        }
        self.is_blocked = false;
        self.flush()?;
        if !self.is_blocked {
            self.watch(EpollFlags::EPOLLIN)?;
        }
        Ok(())
    }

    /// Writes what has gathered, as far as the kernel takes it; the rest when it takes more.
    pub fn flush(&mut self) -> Result<()> {
        if self.is_blocked || self.out.is_empty() {
            return Ok(());
        }
        while self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(n) => {
                    self.written += n;
                    WRITES.fetch_add(1, Relaxed);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.is_blocked = true;
                    return self.watch(EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT);
                }
                Err(e) => return Err(e).context("write"),
            }
        }
        self.written = 0;
        self.out.clear();
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        }
        Ok(())
    }

    /// Reads what is there: `None` if nothing is, zero at the end.
    pub fn read(&mut self, into: &mut [u8]) -> Result<Option<usize>> {
        loop {
            return match self.stream.read(into) {
                Ok(n) => {
                    READS.fetch_add(1, Relaxed);
                    Ok(Some(n))
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(None),
                Err(e) => Err(e).context("read"),
            };
        }
    }

    /// Asks for other reports.
    fn watch(&self, flags: EpollFlags) -> Result<()> {
        let mut event = EpollEvent::new(flags, self.token);
        Ok(self.epoll.modify(&self.stream, &mut event)?)
    }
}
