//! The upgrade of a connection from polling to a websocket.
//!
//! The client probes the websocket (`2probe`), is answered (`3probe`), and announces that it has left
//! polling (`5`). What must stay true: a client that begins an upgrade and does not finish it loses
//! nothing, since polling continues unchanged.

use std::future::poll_fn;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, interval_at, timeout};

use super::TransportType;
use super::connection::{Connection, Data, in_time};
use super::engine::CLOSE_TIMEOUT;
use super::handler::Handler;
use super::reader::{MAX_READS, Reading, handle, yield_to_others};
use crate::io::transport::{Opened, ReadHalf, WriteHalf};
use crate::websocket::codec::{self, Message, OpCode, Stop};
use crate::websocket::deflate::{Agreement, Deflater};
use crate::websocket::rewind::Rewind;

/// How often a waiting poll is answered with a noop while a client upgrades.
const RELEASE_INTERVAL: Duration = Duration::from_millis(50);

/// How long a client whose upgrade was refused may take to close the websocket.
const REFUSED_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes that may be queued for a client that has not finished its upgrade.
const MAX_UNWRITTEN: usize = 1 << 12;

/// The state of an upgrade.
#[derive(Debug)]
enum State {
    /// The client has not probed the websocket yet.
    Opened(Unused),
    /// Its probe is answered, so it may leave polling at any time.
    Probed(Unused),
    /// It has left polling, and its connection writes to the websocket.
    Upgraded,
    /// It did something else, and is refused with a closing frame with this payload.
    Refused(Unused, Vec<u8>),
}

/// The half of a websocket to which no connection writes yet.
#[derive(Debug)]
struct Unused {
    half: WriteHalf,
    unwritten: Vec<u8>,
    /// For what the connection sends.
    deflater: Option<Deflater>,
}

impl Unused {
    /// Writes what is queued, as far as the stream takes it; false after an error.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> bool {
        while !self.unwritten.is_empty() {
            match self.half.try_write(&self.unwritten) {
                Ok(written) => drop(self.unwritten.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match self.half.poll_writable(cx) {
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

    fn queue(&mut self, opcode: OpCode, payload: &[u8]) {
        codec::write_frame(&mut self.unwritten, opcode, payload);
    }
}

impl State {
    /// The half that the connection does not have yet.
    fn unused(&mut self) -> Option<&mut Unused> {
        match self {
            Self::Opened(unused) | Self::Probed(unused) | Self::Refused(unused, _) => Some(unused),
            Self::Upgraded => None,
        }
    }

    /// Changes to [`State::Upgraded`], and returns the half that the connection does not have yet.
    fn upgrade(&mut self) -> Option<Unused> {
        match std::mem::replace(self, Self::Upgraded) {
            Self::Opened(unused) | Self::Probed(unused) | Self::Refused(unused, _) => Some(unused),
            Self::Upgraded => None,
        }
    }

    fn probed(&mut self) {
        if let Some(unused) = self.upgrade() {
            *self = Self::Probed(unused);
        }
    }

    fn refuse(&mut self, close_frame: &[u8]) {
        if let Some(unused) = self.upgrade() {
            *self = Self::Refused(unused, close_frame.to_vec());
        }
    }
}

/// Moves a connection from polling to a websocket, once the client announces that it has left polling.
/// `head` is what was already read from the websocket, which has begun.
pub(super) async fn take_over<H: Handler>(
    (handler, connection): (Weak<H>, Weak<Connection<H::Data>>),
    opened: Opened,
    head: Bytes,
    compression: Option<Agreement>,
) {
    let Some((strong, living)) = handler.upgrade().zip(connection.upgrade()) else {
        return;
    };
    let mut upgrade = Upgrade {
        reading: Reading::new(
            &strong,
            &living,
            Rewind::new(head, opened.read),
            compression,
        ),
        state: State::Opened(Unused {
            half: opened.write,
            unwritten: opened.unwritten,
            deflater: strong.engine().config.deflater(compression),
        }),
    };
    let time_limit = strong.engine().config.upgrade_timeout;
    let reactor = strong.engine().runtime.reactor.clone();
    let polls = living.transport() == Some(TransportType::Polling);
    // As Engine.IO does, refuse a second websocket of a session.
    let upgrading = polls.then(|| living.upgrade()).flatten();
    drop((strong, living));
    if upgrading.is_some() {
        in_time(&connection, time_limit, upgrade.agree()).await;
    }
    // The time may be over just when the client has left polling: its connection writes to this websocket then.
    let is_agreed = matches!(upgrade.state, State::Upgraded);
    // Another websocket may take the connection over from now on, if this one does not.
    drop(upgrading);
    if !is_agreed {
        upgrade.refuse_websocket().await;
        return;
    }
    let mut reading = upgrade.reading;
    match connection.upgrade().filter(|living| !living.is_closed()) {
        Some(connection) => connection.set_reader(reactor.read(reading)),
        None => {
            let _ = timeout(CLOSE_TIMEOUT, poll_fn(|cx| reading.poll_read(cx))).await;
        }
    }
}

/// A client that may leave polling.
struct Upgrade<H: Handler> {
    reading: Reading<H, Rewind<ReadHalf>>,
    state: State,
}

impl<H: Handler> Upgrade<H> {
    /// Reads until the client announces that it has left polling. Meanwhile a waiting poll is answered
    /// at intervals, since the client cannot leave before its poll is answered.
    ///
    /// Ends, too, if the client sends anything else or disconnects, or the connection ends.
    async fn agree(&mut self) {
        let mut releases = interval_at(Instant::now() + RELEASE_INTERVAL, RELEASE_INTERVAL);
        poll_fn(|cx| {
            while releases.poll_tick(cx).is_ready() {
                match self.reading.connection.upgrade() {
                    Some(connection) if matches!(self.state, State::Probed(_)) => {
                        connection.release_poll();
                    }
                    Some(_) => {}
                    None => return Poll::Ready(()),
                }
            }
            for _ in 0..MAX_READS {
                match &mut self.state {
                    State::Upgraded | State::Refused(..) => return Poll::Ready(()),
                    State::Opened(unused) | State::Probed(unused) => {
                        if !unused.poll_write(cx) {
                            return Poll::Ready(());
                        }
                    }
                }
                if matches!(self.state, State::Probed(_))
                    && let Some(connection) = self.reading.connection.upgrade()
                {
                    ready!(connection.poll_packets_taken(cx));
                }
                let mut buffer = [0; 1024];
                let mut into = ReadBuf::new(&mut buffer);
                if ready!(self.poll_read(cx, &mut into)).is_err() || into.filled().is_empty() {
                    return Poll::Ready(());
                }
                self.receive(into.filled_mut());
            }
            yield_to_others(cx)
        })
        .await
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reading.stream).poll_read(cx, into)
    }

    /// Handles received bytes: what follows the `5` is for the connection.
    fn receive(&mut self, bytes: &mut [u8]) {
        let Self { reading, state } = self;
        let living = reading.connection.upgrade().zip(reading.handler.upgrade());
        let Some((connection, handler)) = living else {
            state.refuse(&[]);
            return;
        };
        let closed = &mut reading.peer_has_closed;
        let fed = reading.frames.feed(bytes, |message| {
            *closed |= matches!(message, Message::Close(_));
            let flow = match state {
                State::Upgraded => handle(&handler, &connection, message),
                _ => step(state, &connection, message),
            };
            match flow {
                ControlFlow::Continue(()) => ControlFlow::Continue(()),
                ControlFlow::Break(()) => ControlFlow::Break(Stop::Discard),
            }
        });
        match (fed, state.unused()) {
            (Ok(()), None) => connection.flush(),
            (Err(error), None) => connection.close_for(error),
            // A client that only pings and reads nothing is not about to leave polling.
            (Ok(()), Some(unused)) => {
                if unused.unwritten.len() > MAX_UNWRITTEN {
                    state.refuse(&[]);
                }
            }
            (Err(error), Some(_)) => state.refuse(&error.close_code().to_bytes()),
        }
    }

    /// Closes a websocket whose upgrade failed, and waits for the client's answer: a stream that is
    /// closed with bytes unread is reset, which discards what was written to it.
    async fn refuse_websocket(mut self) {
        let close_frame = match &mut self.state {
            State::Refused(_, close_frame) => std::mem::take(close_frame),
            _ => Vec::new(),
        };
        let Some(mut unused) = self.state.upgrade() else {
            return;
        };
        unused.queue(OpCode::Close, &close_frame);
        let close = poll_fn(|cx| {
            for _ in 0..MAX_READS {
                if !unused.poll_write(cx) {
                    return Poll::Ready(());
                }
                if unused.unwritten.is_empty() && self.reading.peer_has_closed {
                    return Poll::Ready(());
                }
                let mut buffer = [0; 1024];
                let mut into = ReadBuf::new(&mut buffer);
                if ready!(self.poll_read(cx, &mut into)).is_err() || into.filled().is_empty() {
                    return Poll::Ready(());
                }
                self.reading.look_for_close(into.filled_mut());
            }
            yield_to_others(cx)
        });
        let _ = timeout(REFUSED_CLOSE_TIMEOUT, close).await;
    }
}

/// Handles a message on a websocket that the connection does not use yet.
fn step<D: Data>(
    state: &mut State,
    connection: &Arc<Connection<D>>,
    message: Message<'_>,
) -> ControlFlow<()> {
    let Some(unused) = state.unused() else {
        return ControlFlow::Break(());
    };
    match message {
        Message::Text("2probe") => {
            unused.queue(OpCode::Text, b"3probe");
            connection.may_leave_polling(true);
            state.probed();
        }
        Message::Text(text) if text.starts_with('5') => {
            if let Some(unused) = state.upgrade() {
                connection.upgraded(unused.half, unused.unwritten, unused.deflater);
            }
        }
        Message::Ping(data) => unused.queue(OpCode::Pong, data),
        Message::Pong => {}
        Message::Close(close_frame) => {
            state.refuse(close_frame.map_or(&[][..], |close_frame| close_frame.0));
            return ControlFlow::Break(());
        }
        Message::Text(_) | Message::Binary(_) => {
            state.refuse(&[]);
            return ControlFlow::Break(());
        }
    }
    ControlFlow::Continue(())
}
