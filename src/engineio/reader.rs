//! Reads the websocket of a connection.

use std::cell::RefCell;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::ProtocolVersion;
use super::connection::Connection;
use super::handler::{Handler, receive};
use super::packet::Packet;
use crate::io::host::ReadGuard;
use crate::io::reactor::Task;
use crate::protocol::CloseReason;
use crate::websocket::codec::{Frames, Message, Stop};
use crate::websocket::deflate::{Agreement, Inflater};

/// Bytes that are read from a stream at once. 4 KiB cost 10 % of the calls of 1 KiB, and gained nothing.
const READ_SIZE: usize = 1 << 13;

/// Reads in a row, before the task [yields](yield_to_others).
pub(super) const MAX_READS: usize = 16;

/// Bytes that are inflated in a row, before the task [yields](yield_to_others): about a millisecond.
const MAX_INFLATED: usize = 1 << 20;

thread_local! {
    /// The read buffer of all streams that are read on this thread: no bytes stay in it.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_SIZE]);
}

/// Reschedules the task, so that a client that never stops sending does not keep others waiting.
pub(super) fn yield_to_others<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Reads the websocket of a connection. After the connection has ended, it discards what it reads until
/// the client has closed the websocket.
pub(super) struct Reading<H: Handler, R> {
    pub(super) connection: Weak<Connection<H::Data>>,
    pub(super) handler: Weak<H>,
    pub(super) stream: R,
    pub(super) frames: Frames,
    pub(super) peer_has_closed: bool,
}

impl<H: Handler, R: AsyncRead + Unpin> Reading<H, R> {
    pub(super) fn new(
        handler: &Arc<H>,
        connection: &Arc<Connection<H::Data>>,
        stream: R,
        compression: Option<Agreement>,
    ) -> Self {
        let limit = handler.engine().config.max_http_buffer_size;
        Self {
            connection: Arc::downgrade(connection),
            handler: Arc::downgrade(handler),
            stream,
            frames: Frames::new(limit, compression.map(Inflater::new)),
            peer_has_closed: false,
        }
    }

    /// Reads until the stream ends.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inflated = 0;
        for _ in 0..MAX_READS {
            if self.peer_has_closed {
                return Poll::Ready(());
            }
            if let Some(connection) = self.connection.upgrade() {
                if connection.inbound_budget().poll_available(cx).is_pending() {
                    connection.liveness.pause();
                    return Poll::Pending;
                }
                connection.liveness.resume();
            }
            if self.frames.is_paused() {
                inflated += self.receive(&mut []);
                if inflated >= MAX_INFLATED {
                    break;
                }
                continue;
            }
            let read = BUFFER.with_borrow_mut(|buffer| {
                let mut into = ReadBuf::new(buffer);
                ready!(Pin::new(&mut self.stream).poll_read(cx, &mut into))?;
                let bytes = into.filled_mut();
                let is_end = bytes.is_empty();
                inflated += self.receive(bytes);
                Poll::Ready(io::Result::Ok(is_end))
            });
            if ready!(read).unwrap_or(true) {
                return Poll::Ready(());
            }
            if inflated >= MAX_INFLATED {
                break;
            }
        }
        yield_to_others(cx)
    }

    /// Handles received bytes. Returns how many bytes they were inflated to.
    fn receive(&mut self, bytes: &mut [u8]) -> usize {
        let living = self.connection.upgrade().zip(self.handler.upgrade());
        let Some((connection, handler)) = living.filter(|(connection, _)| !connection.is_closed())
        else {
            // Only the client's closing frame counts any more.
            self.look_for_close(bytes);
            return self.frames.take_inflated();
        };
        let events = &handler.engine().events;
        let length = bytes.len();
        let _read_guard = ReadGuard::new(&**events, length, || events.clone());
        let closed = &mut self.peer_has_closed;
        let mut pinged = connection.protocol == ProtocolVersion::V3;
        let (mut messages, mut heartbeats) = (0, 0);
        // Otherwise what was read is not much more than the budget.
        let may_pause = self.frames.inflates();
        let fed = self.frames.feed(bytes, |message| {
            *closed |= matches!(message, Message::Close(_));
            pinged |= matches!(message, Message::Ping(_));
            messages += 1;
            heartbeats += u64::from(matches!(
                message,
                Message::Ping(_) | Message::Pong | Message::Text("2" | "3")
            ));
            match handle(&handler, &connection, message) {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(()) => return ControlFlow::Break(Stop::Discard),
            }
            if may_pause && connection.inbound_budget().is_exceeded() {
                return ControlFlow::Break(Stop::Pause);
            }
            ControlFlow::Continue(())
        });
        let load = &handler.engine().runtime.reactor.load;
        let inflated = self.frames.take_inflated();
        load.received(
            connection.number,
            length.max(inflated),
            messages,
            heartbeats,
        );
        match fed {
            Err(error) => connection.close_for(error),
            // Sends the answers to all pings, and all that acknowledgements have released, in one write.
            Ok(()) if connection.takes_flush() || pinged => connection.flush(),
            Ok(()) => {}
        }
        inflated
    }

    /// Looks for the closing frame of a client whose messages are discarded.
    pub(super) fn look_for_close(&mut self, bytes: &mut [u8]) {
        let closed = &mut self.peer_has_closed;
        let fed = self.frames.feed(bytes, |message| {
            *closed |= matches!(message, Message::Close(_));
            ControlFlow::Continue(())
        });
        // After an invalid frame no closing frame can be found.
        *closed |= fed.is_err();
    }
}

impl<H: Handler, R: AsyncRead + Unpin + Send> Task for Reading<H, R> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_read(cx));
        if let Some(connection) = self.connection.upgrade() {
            connection.close_without_frame();
        }
        Poll::Ready(())
    }

    fn on_panic(&mut self) {
        if let Some(connection) = self.connection.upgrade() {
            connection.close(CloseReason::TransportError);
        }
    }
}

/// Handles a message of the client.
pub(super) fn handle<H: Handler>(
    handler: &Arc<H>,
    connection: &Arc<Connection<H::Data>>,
    message: Message<'_>,
) -> ControlFlow<()> {
    let protocol = connection.protocol;
    let packet = match message {
        Message::Text(text) => Packet::of_text(text, protocol),
        Message::Binary(bytes) => Ok(Packet::of_bytes(bytes, protocol)),
        Message::Ping(data) => {
            connection.pong(data);
            return ControlFlow::Continue(());
        }
        Message::Pong => return ControlFlow::Continue(()),
        Message::Close(close_frame) => {
            let payload = close_frame.map_or(&[][..], |close_frame| close_frame.0);
            connection.close_with(CloseReason::TransportClose, payload);
            return ControlFlow::Break(());
        }
    };
    let Ok(packet) = packet else {
        connection.close(CloseReason::ParseError);
        return ControlFlow::Break(());
    };
    if receive(handler, connection, packet) {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}
