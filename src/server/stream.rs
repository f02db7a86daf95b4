//! The bytes of a websocket, whoever carries them: a descriptor taken from Node, or Node itself.
//!
//! Replays what had been read before, counts what goes out, and gives up on a peer that has not
//! read for as long as a silent one may live; reads nothing on while too much of it is unheard. What must stay true: bytes of the client are neither
//! lost nor doubled; a peer that does not read cannot keep a writer waiting for ever; a connection
//! whose stream is gone ends.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use engineioxide::{DisconnectReason, ProtocolVersion, TransportType};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::connection::{Engine, Link, Upgrading};
use super::notice::Notice;
use super::pump::{Pump, PumpStream};
use super::{Inbox, Server, frame};

/// What carries the bytes.
#[derive(Debug)]
pub(crate) enum Io {
    #[cfg(unix)]
    Tcp(tokio::net::TcpStream),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
    Pump(PumpStream),
}

/// What ends a stream at once.
#[derive(Debug)]
pub(crate) enum Ender {
    #[cfg(unix)]
    Descriptor(std::os::fd::RawFd),
    Pump(Weak<Pump>),
}

/// Ends a link's stream at once, whatever is being read or written on it.
pub(crate) fn shut_down(link: &Link) {
    match &*link.ender().lock() {
        #[cfg(unix)]
        Some(Ender::Descriptor(fd)) => super::handover::shut_down(*fd),
        Some(Ender::Pump(pump)) => {
            if let Some(pump) = pump.upgrade() {
                pump.shut_down();
            }
        }
        None => {}
    }
}

/// A stream of a websocket.
#[derive(Debug)]
pub(crate) struct Stream {
    head: Bytes,
    io: Io,
    link: Arc<Link>,
    /// The server, once the connection lives and dies with this stream.
    carries: Option<Weak<Server>>,
    /// The upgrade this stream is for, until JavaScript is told that it is done.
    upgrade: Option<Upgrade>,
    /// Keeps any other websocket from taking the connection over.
    upgrading: Option<Upgrading>,
    instead: Instead,
    greeting: Greeting,
    /// The engine's last write ended amid a frame, for all that is known.
    amid_frame: bool,
    patience: Duration,
    stuck: Option<Pin<Box<Sleep>>>,
}

/// An upgrade from polling. The engine does it silently; that it is done shows when the stream is
/// read again.
struct Upgrade {
    engine: Weak<Engine>,
    inbox: Arc<dyn Inbox>,
}

impl std::fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Upgrade")
    }
}

/// What of the engine's own words does not go out.
#[derive(Debug)]
enum Instead {
    /// All of it does.
    Nothing,
    /// The engine's first frame does not; this packet does, made when the session has its id.
    Open(Weak<Server>),
    /// These bytes go first, and then that many of the engine's do not.
    Bytes(Bytes, usize),
}

/// The ping that the engine sends right behind the open packet, unlike Engine.IO, which waits for
/// an interval. A client does not get it; the engine gets its answer in front of all that the client
/// says, which is not read before.
#[derive(Debug)]
enum Greeting {
    /// There is none, or it is over.
    Over,
    /// Nothing of the client's is read yet; who reads waits here.
    Expected(Option<Waker>),
    /// The answer is to be read.
    Answered,
}

impl Stream {
    /// A stream that replays `head`, what Node had read, first.
    pub(crate) fn new(head: Bytes, io: Io, link: Arc<Link>, patience: Duration) -> Self {
        Self {
            head,
            io,
            link,
            carries: None,
            upgrade: None,
            upgrading: None,
            instead: Instead::Nothing,
            greeting: Greeting::Over,
            amid_frame: false,
            patience,
            stuck: None,
        }
    }

    /// The stream opens a connection: it ends with it, and our open packet goes out instead of the
    /// engine's.
    pub(crate) fn opens(&mut self, server: &Arc<Server>, ender: Ender, protocol: ProtocolVersion) {
        self.carry(server, ender);
        self.instead = Instead::Open(Arc::downgrade(server));
        if protocol == ProtocolVersion::V4 {
            self.greeting = Greeting::Expected(None);
        }
    }

    fn carry(&mut self, server: &Arc<Server>, ender: Ender) {
        *self.link.ender().lock() = Some(ender);
        self.carries = Some(Arc::downgrade(server));
    }

    /// The stream takes a connection over: what was said to agree on that is replayed to the engine,
    /// and the answer it gives, which the client has already, does not go out.
    pub(crate) fn upgrades(
        &mut self,
        server: &Arc<Server>,
        ender: Ender,
        engine: &Arc<Engine>,
        upgrading: Upgrading,
        (said, answered): (BytesMut, usize),
    ) {
        self.upgrading = Some(upgrading);
        self.carry(server, ender);
        self.upgrade = Some(Upgrade {
            engine: Arc::downgrade(engine),
            inbox: server.inbox.clone(),
        });
        self.instead = Instead::Bytes(Bytes::new(), answered);
        self.head = prepend(&said, &self.head);
    }

    fn peer_left(&self) {
        if self.carries.is_some() {
            self.link.peer_left();
        }
    }

    /// Tells JavaScript of an upgrade once it is done.
    fn notice_upgrade(&mut self) {
        let Some(upgrade) = &self.upgrade else {
            return;
        };
        let engine = upgrade.engine.upgrade();
        let upgraded = engine.filter(|engine| engine.transport_type() == TransportType::Websocket);
        if let Some(engine) = upgraded {
            upgrade.inbox.push(Notice::Upgraded {
                connection: self.link.number,
            });
            self.upgrade = None;
            if engine.data.is_closing() {
                engine.close(DisconnectReason::TransportClose);
            }
        }
    }

    /// Whether some bytes begin with the engine's first ping, which does not go out: then its answer
    /// is there to be read. It is the first that the engine writes behind its open packet.
    fn is_greeting(&mut self, bytes: &[u8]) -> bool {
        let Greeting::Expected(reader) = std::mem::replace(&mut self.greeting, Greeting::Over)
        else {
            return false;
        };
        let is_ping = bytes.starts_with(&frame::PING);
        if is_ping {
            self.greeting = Greeting::Answered;
        }
        if let Some(reader) = reader {
            reader.wake();
        }
        is_ping
    }

    /// Writes with bounded patience, and counts.
    fn poll_out(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = match &mut self.io {
            #[cfg(unix)]
            Io::Tcp(io) => Pin::new(io).poll_write(cx, bytes),
            #[cfg(unix)]
            Io::Unix(io) => Pin::new(io).poll_write(cx, bytes),
            Io::Pump(io) => Pin::new(io).poll_write(cx, bytes),
        };
        match result {
            Poll::Ready(Ok(bytes)) => {
                self.stuck = None;
                if self.carries.is_some() {
                    self.link.wrote(bytes);
                }
            }
            Poll::Ready(Err(_)) => self.peer_left(),
            Poll::Pending => {
                let patience = self.patience;
                let stuck = self
                    .stuck
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
                if stuck.as_mut().poll(cx).is_ready() {
                    // The engine does not end a connection for what it cannot write: it tries again.
                    if let Some(server) = self.carries.as_ref().and_then(Weak::upgrade) {
                        server.stream_stuck(&self.link);
                        shut_down(&self.link);
                    }
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        result
    }

    /// Writes what goes out instead of the engine's words. Says how many of the given bytes, which
    /// are the engine's, are done with that way; none when they are to go out.
    fn poll_instead(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Instead::Open(server) = &self.instead {
            let ours = server
                .upgrade()
                .zip(self.link.sid())
                .map(|(server, sid)| frame::open(&server.options, sid));
            self.instead = match (ours, frame::length(bytes)) {
                (Some(ours), Some(length)) => Instead::Bytes(ours, length),
                _ => Instead::Nothing,
            };
        }
        let Instead::Bytes(ours, skip) = std::mem::replace(&mut self.instead, Instead::Nothing)
        else {
            return Poll::Ready(Ok(0));
        };
        let (mut ours, mut skip) = (ours, skip);
        while !ours.is_empty() {
            match self.poll_out(cx, &ours) {
                Poll::Ready(Ok(written)) => ours.advance(written),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.instead = Instead::Bytes(ours, skip);
                    return Poll::Pending;
                }
            }
        }
        let skipped = skip.min(bytes.len());
        skip -= skipped;
        if skip > 0 {
            self.instead = Instead::Bytes(ours, skip);
        }
        Poll::Ready(Ok(skipped))
    }
}

fn prepend(first: &[u8], then: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(first.len() + then.len());
    bytes.extend_from_slice(first);
    bytes.extend_from_slice(then);
    bytes.freeze()
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.notice_upgrade();
        match std::mem::replace(&mut self.greeting, Greeting::Over) {
            Greeting::Over => {}
            Greeting::Expected(_) => {
                self.greeting = Greeting::Expected(Some(cx.waker().clone()));
                return Poll::Pending;
            }
            Greeting::Answered => self.head = prepend(&frame::PONG, &self.head),
        }
        if !self.head.is_empty() {
            let bytes = self.head.len().min(buffer.remaining());
            buffer.put_slice(&self.head[..bytes]);
            self.head.advance(bytes);
            if self.head.is_empty() {
                self.head = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        if self.carries.is_some() {
            ready!(self.link.unheard().poll_low(cx));
        }
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let result = match &mut self.io {
            #[cfg(unix)]
            Io::Tcp(io) => Pin::new(io).poll_read(cx, buffer),
            #[cfg(unix)]
            Io::Unix(io) => Pin::new(io).poll_read(cx, buffer),
            Io::Pump(io) => Pin::new(io).poll_read(cx, buffer),
        };
        match &result {
            Poll::Ready(Ok(())) if room > 0 && buffer.filled().len() == before => self.peer_left(),
            Poll::Ready(Err(_)) => self.peer_left(),
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
        if !matches!(self.instead, Instead::Nothing) {
            let done = ready!(self.poll_instead(cx, bytes))?;
            if done > 0 {
                return Poll::Ready(Ok(done));
            }
        }
        if self.is_greeting(bytes) {
            return Poll::Ready(Ok(frame::PING.len()));
        }
        let mut bytes = bytes;
        if !self.amid_frame
            && let Some(end) = frame::end(bytes)
        {
            // Like Engine.IO, which ends a websocket with the websocket's own close: clients that
            // are told otherwise do not come back.
            if end == 0 {
                return Poll::Ready(Ok(frame::END.len()));
            }
            bytes = &bytes[..end];
        }
        let result = self.poll_out(cx, bytes);
        if let Poll::Ready(Ok(written)) = result {
            self.amid_frame = written < bytes.len();
        }
        result
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            #[cfg(unix)]
            Io::Tcp(io) => Pin::new(io).poll_shutdown(cx),
            #[cfg(unix)]
            Io::Unix(io) => Pin::new(io).poll_shutdown(cx),
            Io::Pump(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}

impl Drop for Stream {
    /// Takes the way to shut it down away before it is closed, and ends the connection if it is
    /// still there: its stream may have failed where the engine does not look.
    fn drop(&mut self) {
        let Some(server) = self.carries.take() else {
            return;
        };
        *self.link.ender().lock() = None;
        if let Some(server) = server.upgrade() {
            server.stream_ended(&self.link);
        }
    }
}
