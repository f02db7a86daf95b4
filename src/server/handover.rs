//! Takes a websocket from Node: from then on its bytes never touch the event loop.
//!
//! JavaScript stops reading, we duplicate the descriptor and answer the upgrade ourselves, with
//! the bytes Node had already read put in front; then Node destroys its half, which closes its
//! descriptor and leaves ours.
//!
//! What must stay true: the descriptor is closed exactly once, by the stream that owns it, and
//! nobody shuts it down after that; bytes of the client are neither lost nor doubled; a peer that
//! does not read cannot keep a writer waiting for ever.

#![allow(unsafe_code)]

use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use engineioxide::service::EngineIoService;
use hyper::service::Service;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Sleep;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::Server;
use super::connection::Link;
use super::request::normal_query;

/// A websocket on its way from Node.
#[derive(Debug)]
pub(crate) struct Websocket {
    fd: OwnedFd,
    kind: Kind,
    /// What Node had read behind the request.
    pub(crate) head: Bytes,
    /// The client's `Sec-WebSocket-Key`.
    pub(crate) key: String,
    pub(crate) query: String,
    pub(crate) link: Arc<Link>,
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
pub(crate) fn duplicate(fd: RawFd) -> io::Result<(OwnedFd, Family)> {
    // SAFETY: fcntl and getsockname are told nothing but a number and a buffer of the size given;
    // a number that is no open descriptor is an error they return.
    let (copy, family) = unsafe {
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
    Ok((copy, Family(kind)))
}

/// What kind of socket a descriptor is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family(Kind);

impl Websocket {
    /// Puts together what the hand-over needs.
    pub(crate) fn new(
        (fd, Family(kind)): (OwnedFd, Family),
        head: Bytes,
        key: String,
        query: String,
        link: Arc<Link>,
    ) -> Self {
        Self {
            fd,
            kind,
            head,
            key,
            query,
            link,
        }
    }
}

/// Answers the upgrade and gives the stream to the engine.
pub(crate) async fn serve(
    server: Arc<Server>,
    service: EngineIoService<Server>,
    websocket: Websocket,
) {
    let fd = websocket.fd.as_raw_fd();
    let Ok(io) = open(websocket.fd, websocket.kind) else {
        return;
    };
    *websocket.link.fd().lock() = Some(fd);
    let patience = server.options.ping_interval + server.options.ping_timeout;
    let mut stream = Stream {
        head: websocket.head,
        io,
        link: websocket.link.clone(),
        server: Arc::downgrade(&server),
        patience,
        stuck: None,
    };
    let accept = derive_accept_key(websocket.key.as_bytes());
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    let request = http::Request::builder()
        .uri(format!("/engine.io/?{}", normal_query(&websocket.query)))
        .extension(websocket.link)
        .body(());
    let Ok(request) = request else {
        return;
    };
    if stream.write_all(response.as_bytes()).await.is_ok() {
        let _ = service.call((stream, request)).await;
    }
}

fn open(fd: OwnedFd, kind: Kind) -> io::Result<Io> {
    match kind {
        Kind::Tcp => {
            let stream = std::net::TcpStream::from(fd);
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            TcpStream::from_std(stream).map(Io::Tcp)
        }
        Kind::Unix => {
            let stream = std::os::unix::net::UnixStream::from(fd);
            stream.set_nonblocking(true)?;
            UnixStream::from_std(stream).map(Io::Unix)
        }
    }
}

/// Ends a link's stream at once, whatever is being read or written on it.
pub(crate) fn shut_down(link: &Link) {
    if let Some(fd) = *link.fd().lock() {
        // SAFETY: the number is an open descriptor of ours: `Stream` takes it away, under the lock
        // we hold, before it closes it. Shutting down does not close.
        unsafe {
            libc::shutdown(fd, libc::SHUT_RDWR);
        }
    }
}

#[derive(Debug)]
enum Io {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A taken-over stream: replays what Node had read, counts what goes out, and gives up on a peer
/// that has not read for as long as a silent one may live.
#[derive(Debug)]
struct Stream {
    head: Bytes,
    io: Io,
    link: Arc<Link>,
    server: Weak<Server>,
    patience: Duration,
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    /// What a write came to: counts it, or waits with bounded patience.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(bytes)) => {
                self.stuck = None;
                self.link.wrote(bytes);
            }
            Poll::Ready(Err(_)) => self.link.peer_left(),
            Poll::Pending => {
                let patience = self.patience;
                let stuck = self
                    .stuck
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
                if stuck.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        result
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.head.is_empty() {
            let bytes = self.head.len().min(buffer.remaining());
            buffer.put_slice(&self.head[..bytes]);
            self.head.advance(bytes);
            if self.head.is_empty() {
                self.head = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let result = match &mut self.io {
            Io::Tcp(io) => Pin::new(io).poll_read(cx, buffer),
            Io::Unix(io) => Pin::new(io).poll_read(cx, buffer),
        };
        match &result {
            Poll::Ready(Ok(())) if room > 0 && buffer.filled().len() == before => {
                self.link.peer_left();
            }
            Poll::Ready(Err(_)) => self.link.peer_left(),
            _ => {}
        }
        result
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = match &mut self.io {
            Io::Tcp(io) => Pin::new(io).poll_write(cx, bytes),
            Io::Unix(io) => Pin::new(io).poll_write(cx, bytes),
        };
        self.written(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = match &mut self.io {
            Io::Tcp(io) => Pin::new(io).poll_write_vectored(cx, bytes),
            Io::Unix(io) => Pin::new(io).poll_write_vectored(cx, bytes),
        };
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Tcp(io) => Pin::new(io).poll_shutdown(cx),
            Io::Unix(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}

impl Drop for Stream {
    /// Takes the descriptor away before it is closed, and ends the connection if it is still
    /// there: its stream may have failed where the engine does not look.
    fn drop(&mut self) {
        *self.link.fd().lock() = None;
        if let Some(server) = self.server.upgrade() {
            server.stream_ended(&self.link);
        }
    }
}
