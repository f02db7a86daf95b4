//! Websockets: the answer to an upgrade, and the reading of what the client says, on a connection
//! that the websocket opens or on one that it takes over from polling.
//!
//! What must stay true: a client that begins an upgrade and does not finish it loses nothing, since
//! polling goes on as if nothing were; a connection whose stream is gone ends.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use sha1::{Digest, Sha1};
use tokio::io::ReadBuf;
use tokio::time::{Instant, interval_at, timeout};

use super::connection::{Connection, ConnectionNumber, FAREWELL, Transport, Upgrading, in_time};
use super::handshake::open_packet;
use super::packet::Packet;
use super::request::Asks;
use super::{ProtocolVersion, Sid, TransportType};
use crate::io::reactor::{Reactor, Task};
use crate::io::relay;
use crate::io::transport::{ReadHalf, WriteHalf};
use crate::socketio::events::{Notice, Reason};
use crate::socketio::server::{Hold, Server};
use crate::websocket::codec::{self, Frames, Kind, Said};

/// How often a poll that waits is released while a client upgrades.
const RELEASE_INTERVAL: Duration = Duration::from_millis(50);

/// How long a client that gets no connection may take to say goodbye.
const PATIENCE: Duration = Duration::from_secs(1);

/// What may wait for a client that has not agreed on its upgrade.
const MAX_UNWRITTEN: usize = 1 << 12;

/// What is read of a stream at once.
const READ: usize = 1 << 13;

/// How often in a row, before it is [`others_first`].
const READS: usize = 16;

thread_local! {
    /// Where a stream is read to: one for all that are read on a thread, since nothing stays there.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// Has a task that could go on wait for its next turn: whoever always has more to say keeps nobody
/// else waiting.
fn others_first<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// What carries a websocket.
#[derive(Debug)]
pub(crate) enum Carrier {
    #[cfg(unix)]
    Descriptor(crate::io::adopt_fd::Taken),
    Pump(relay::Halves),
}

/// A stream whose first bytes are written, as far as they were taken.
struct Opened {
    read: ReadHalf,
    write: WriteHalf,
    unwritten: Vec<u8>,
}

impl Carrier {
    #[cfg_attr(not(unix), allow(unused_variables))]
    fn open(self, reactor: &Reactor, mut first: Vec<u8>) -> io::Result<Opened> {
        let (read, write, written) = match self {
            #[cfg(unix)]
            Self::Descriptor(taken) => taken.open(reactor, &first)?,
            Self::Pump((read, write)) => {
                let write = WriteHalf::Pump(write);
                let written = write.try_write(&first)?;
                (ReadHalf::Pump(read), write, written)
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

/// A websocket on its way from Node.
#[derive(Debug)]
pub(crate) struct Websocket {
    pub(crate) carrier: Carrier,
    /// What Node had read behind the request.
    pub(crate) head: Bytes,
    /// The client's `Sec-WebSocket-Key`.
    pub(crate) key: String,
    /// More lines for the head of the answer, each with its line break.
    pub(crate) headers: String,
    pub(crate) protocol: ProtocolVersion,
    pub(crate) asks: Asks,
    /// JavaScript's number for the connection that the websocket opens.
    pub(crate) number: ConnectionNumber,
    /// The id of the session that the websocket opens; a random one if there is none.
    pub(crate) id: Option<Sid>,
    /// Whether JavaScript is told of every packet from the start.
    pub(crate) watched: bool,
}

/// Answers the upgrade, and reads the websocket to its end.
pub(crate) async fn serve(server: Arc<Server>, websocket: Websocket) {
    match websocket.asks {
        Asks::Open => open(&server, websocket),
        Asks::Use(sid) => {
            // Held by the connection alone from here on.
            let weak = Arc::downgrade(&server);
            drop(server);
            take_over(weak, sid, websocket).await;
        }
    }
}

/// The answer to the request of an upgrade (RFC 6455, section 4.2.2).
fn switching(key: &str, headers: &str) -> Vec<u8> {
    const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let accept = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let accept = BASE64_STANDARD.encode(accept);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
    )
    .into_bytes()
}

fn open(server: &Arc<Server>, websocket: Websocket) {
    let id = websocket.id.unwrap_or_else(Sid::random);
    let mut first = switching(&websocket.key, &websocket.headers);
    let packet = open_packet(&server.options, id, TransportType::Websocket);
    codec::write(&mut first, Kind::Text, packet.as_bytes());
    let number = websocket.number;
    let Ok(opened) = websocket.carrier.open(&server.runtime.reactor, first) else {
        server.inbox.push(Notice::Closed {
            connection: number,
            reason: Reason::TransportClose,
        });
        return;
    };
    let transport = Transport::Websocket(opened.write, opened.unwritten);
    let (protocol, watched) = (websocket.protocol, websocket.watched);
    let Some(connection) = Connection::open(server, id, number, protocol, transport, watched)
    else {
        return;
    };
    connection.flush();
    let reading = Reading {
        connection: Arc::downgrade(&connection),
        server: Arc::downgrade(server),
        half: opened.read,
        frames: Frames::new(server.options.max_http_buffer_size),
        peer_has_closed: false,
    };
    let reactor = &server.runtime.reactor;
    connection.read_by(if websocket.head.is_empty() {
        reactor.read(reading)
    } else {
        reactor.read(Headed(websocket.head, reading))
    });
}

/// The reading of a websocket, as long as its connection lives; what comes behind its end is read and
/// not looked at, until the client has said goodbye.
struct Reading {
    connection: Weak<Connection>,
    server: Weak<Server>,
    half: ReadHalf,
    frames: Frames,
    peer_has_closed: bool,
}

impl Reading {
    /// Reads what comes; ready when nothing will any more.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..READS {
            if self.peer_has_closed {
                return Poll::Ready(());
            }
            if let Some(connection) = self.connection.upgrade() {
                if connection.unheard().poll_low(cx).is_pending() {
                    connection.beat.pause();
                    return Poll::Pending;
                }
                connection.beat.resume();
            }
            let read = BUFFER.with_borrow_mut(|buffer| {
                let mut into = ReadBuf::new(buffer);
                ready!(self.half.poll_read(cx, &mut into))?;
                let bytes = into.filled_mut();
                let is_end = bytes.is_empty();
                self.heard(bytes);
                Poll::Ready(io::Result::Ok(is_end))
            });
            if ready!(read).unwrap_or(true) {
                return Poll::Ready(());
            }
        }
        others_first(cx)
    }

    /// Takes bytes of the client.
    fn heard(&mut self, bytes: &mut [u8]) {
        let living = self.connection.upgrade().zip(self.server.upgrade());
        let Some((connection, server)) = living.filter(|(connection, _)| !connection.is_closed())
        else {
            // Nothing is heard any more but the client's goodbye.
            let closed = &mut self.peer_has_closed;
            let fed = self.frames.feed(bytes, |said| {
                *closed |= matches!(said, Said::Close(_));
                ControlFlow::Continue(())
            });
            // Behind what is no frame there can be no goodbye.
            *closed |= fed.is_err();
            return;
        };
        let _hold = Hold::new(&*server.inbox);
        let length = bytes.len();
        let closed = &mut self.peer_has_closed;
        let mut pinged = connection.protocol == ProtocolVersion::V3;
        let (mut messages, mut beats) = (0, 0);
        let fed = self.frames.feed(bytes, |said| {
            *closed |= matches!(said, Said::Close(_));
            pinged |= matches!(said, Said::Ping(_));
            messages += 1;
            beats += u64::from(matches!(
                said,
                Said::Ping(_) | Said::Pong | Said::Text("2" | "3")
            ));
            handle(&server, &connection, said)
        });
        let load = &server.runtime.reactor.load;
        load.received(connection.number, length, messages, beats);
        match fed {
            Err(fault) => connection.close_for(fault),
            // Its pings are answered, all in one write.
            Ok(()) if pinged => connection.flush(),
            Ok(()) => {}
        }
    }
}

impl Task for Reading {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_read(cx));
        if let Some(connection) = self.connection.upgrade() {
            connection.close_unsaid();
        }
        Poll::Ready(())
    }

    fn failed(&mut self) {
        if let Some(connection) = self.connection.upgrade() {
            connection.close(Reason::TransportError);
        }
    }
}

/// A reading before which Node had read some bytes already.
struct Headed(Bytes, Reading);

impl Task for Headed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self(head, reading) = self;
        if !head.is_empty() {
            reading.heard(&mut std::mem::take(head).to_vec());
        }
        reading.poll(cx)
    }

    fn failed(&mut self) {
        self.1.failed();
    }
}

/// What a client says on the websocket of its connection.
fn handle(server: &Arc<Server>, connection: &Arc<Connection>, said: Said<'_>) -> ControlFlow<()> {
    let protocol = connection.protocol;
    let packet = match said {
        Said::Text(text) => Packet::of_text(text, protocol),
        Said::Binary(bytes) => Ok(Packet::of_bytes(bytes, protocol)),
        Said::Ping(data) => {
            connection.pong(data);
            return ControlFlow::Continue(());
        }
        Said::Pong => return ControlFlow::Continue(()),
        Said::Close(closing) => {
            let payload = closing.map_or(&[][..], |closing| closing.0);
            connection.close_with(Reason::TransportClose, payload);
            return ControlFlow::Break(());
        }
    };
    let Ok(packet) = packet else {
        connection.close(Reason::ParseError);
        return ControlFlow::Break(());
    };
    if connection.packet(server, packet) {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

/// Takes a connection over from polling, once the client says that it has left that.
async fn take_over(server: Weak<Server>, sid: Sid, websocket: Websocket) {
    let Some((strong, connection)) = server.upgrade().and_then(|server| {
        let connection = server.connection(sid)?;
        Some((server, connection))
    }) else {
        return;
    };
    let first = switching(&websocket.key, &websocket.headers);
    let Ok(Opened {
        read,
        write,
        unwritten,
    }) = websocket.carrier.open(&strong.runtime.reactor, first)
    else {
        return;
    };
    let mut upgrade = Upgrade {
        reading: Reading {
            connection: Arc::downgrade(&connection),
            server,
            half: read,
            frames: Frames::new(strong.options.max_http_buffer_size),
            peer_has_closed: false,
        },
        write: Some(write),
        unwritten,
        upgrading: None,
        is_probed: false,
        is_refused: false,
        closing: Vec::new(),
    };
    let patience = strong.options.upgrade_timeout;
    let polls = connection.transport() == Some(TransportType::Polling);
    // As Engine.IO does, a second websocket of a session is turned away.
    upgrade.upgrading = polls.then(|| connection.upgrade()).flatten();
    let reactor = strong.runtime.reactor.clone();
    drop((strong, connection));
    let upgrading = upgrade.reading.connection.clone();
    let agreed = upgrade.upgrading.is_some()
        && in_time(&upgrading, patience, upgrade.agree(websocket.head)).await == Some(true);
    if agreed {
        let Upgrade {
            mut reading,
            upgrading,
            ..
        } = upgrade;
        drop(upgrading);
        let living = reading.connection.upgrade();
        let Some(connection) = living.filter(|connection| !connection.is_closed()) else {
            let _ = timeout(FAREWELL, poll_fn(|cx| reading.poll_read(cx))).await;
            return;
        };
        connection.read_by(reactor.read(reading));
    } else {
        // Another websocket may take the connection over meanwhile.
        upgrade.upgrading = None;
        upgrade.turn_away().await;
    }
}

/// A client that may be about to leave polling.
struct Upgrade {
    reading: Reading,
    /// Until the connection has it.
    write: Option<WriteHalf>,
    unwritten: Vec<u8>,
    upgrading: Option<Upgrading>,
    is_probed: bool,
    is_refused: bool,
    /// What its closing frame holds.
    closing: Vec<u8>,
}

impl Upgrade {
    /// Hears a client out until it says that it has left polling: `2probe`, which is answered, and
    /// `5`. Meanwhile a poll that waits is released now and then, since the client cannot leave
    /// before its poll is answered.
    ///
    /// False if the client says anything else or leaves, or the connection ends.
    async fn agree(&mut self, head: Bytes) -> bool {
        self.heard(&mut head.to_vec());
        let mut releases = interval_at(Instant::now() + RELEASE_INTERVAL, RELEASE_INTERVAL);
        poll_fn(|cx| {
            while releases.poll_tick(cx).is_ready() {
                match self.reading.connection.upgrade() {
                    Some(connection) if self.is_probed => connection.release_poll(),
                    Some(_) => {}
                    None => return Poll::Ready(false),
                }
            }
            for _ in 0..READS {
                if self.write.is_none() {
                    return Poll::Ready(true);
                }
                if self.is_refused || !self.poll_write(cx) {
                    return Poll::Ready(false);
                }
                let mut buffer = [0; 1024];
                let mut into = ReadBuf::new(&mut buffer);
                if ready!(self.reading.half.poll_read(cx, &mut into)).is_err()
                    || into.filled().is_empty()
                {
                    return Poll::Ready(false);
                }
                self.heard(into.filled_mut());
            }
            others_first(cx)
        })
        .await
    }

    /// Writes what is to be said, as far as it is taken; false if nothing will be any more.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(write) = &self.write else {
            return true;
        };
        while !self.unwritten.is_empty() {
            match write.try_write(&self.unwritten) {
                Ok(written) => drop(self.unwritten.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match write.poll_writable(cx) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(_)) => return false,
                        Poll::Pending => return true,
                    }
                }
                Err(_) => return false,
            }
        }
        true
    }

    /// Takes bytes of the client: what comes behind the `5` is for the connection already.
    fn heard(&mut self, bytes: &mut [u8]) {
        let living = self.reading.connection.upgrade();
        let Some((connection, server)) = living.zip(self.reading.server.upgrade()) else {
            self.is_refused = true;
            return;
        };
        let Self {
            reading,
            write,
            unwritten,
            is_probed,
            is_refused,
            closing,
            ..
        } = self;
        let closed = &mut reading.peer_has_closed;
        let fed = reading.frames.feed(bytes, |said| {
            *closed |= matches!(said, Said::Close(_));
            if write.is_none() {
                return handle(&server, &connection, said);
            }
            match said {
                Said::Text("2probe") => {
                    *is_probed = true;
                    connection.may_leave_polling(true);
                    codec::write(unwritten, Kind::Text, b"3probe");
                }
                Said::Text(text) if text.starts_with('5') => {
                    if let Some(half) = write.take() {
                        connection.upgraded(half, std::mem::take(unwritten));
                    }
                }
                Said::Ping(data) => codec::write(unwritten, Kind::Pong, data),
                Said::Pong => {}
                _ => {
                    if let Said::Close(Some(said)) = said {
                        *closing = said.0.to_vec();
                    }
                    *is_refused = true;
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        match fed {
            Ok(()) if self.write.is_none() => connection.flush(),
            // A client that only pings and reads nothing is not about to leave polling.
            Ok(()) => self.is_refused |= self.unwritten.len() > MAX_UNWRITTEN,
            Err(fault) if self.write.is_none() => {
                connection.close_for(fault);
            }
            Err(fault) => {
                self.closing = fault.close_code().to_be_bytes().to_vec();
                self.is_refused = true;
            }
        }
    }

    /// Ends a websocket that no connection gets. The client's answer is waited for, since a stream
    /// that is closed with bytes unread takes back what was written on it.
    async fn turn_away(mut self) {
        codec::write(&mut self.unwritten, Kind::Close, &self.closing);
        let goodbye = poll_fn(|cx| {
            for _ in 0..READS {
                if !self.poll_write(cx) {
                    return Poll::Ready(());
                }
                if self.unwritten.is_empty() && self.reading.peer_has_closed {
                    return Poll::Ready(());
                }
                let mut buffer = [0; 1024];
                let mut into = ReadBuf::new(&mut buffer);
                if ready!(self.reading.half.poll_read(cx, &mut into)).is_err()
                    || into.filled().is_empty()
                {
                    return Poll::Ready(());
                }
                let closed = &mut self.reading.peer_has_closed;
                let fed = self.reading.frames.feed(into.filled_mut(), |said| {
                    *closed |= matches!(said, Said::Close(_));
                    ControlFlow::Continue(())
                });
                *closed |= fed.is_err();
            }
            others_first(cx)
        });
        let _ = timeout(PATIENCE, goodbye).await;
    }
}
