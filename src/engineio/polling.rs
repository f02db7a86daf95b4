//! Long polling: the requests of sessions, whichever front reads them and writes the responses, which
//! it gets through a [`Responder`].
//!
//! A request is served on the thread that brings it: to wake another thread would take longer than the
//! work itself.

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::connection::{Connection, Data, Transport};
use super::engine::Engine;
use super::events::{ConnectionNumber, ResponseOrRefusal};
use super::handler::{Handler, receive};
use super::handshake::{self, open_packet};
use super::http::encoding::BodyEncoder;
use super::http::response::Format;
use super::packet::{Packet, Unreadable};
use super::payload::{self, KeptPackets, Packets, Writer};
use super::responder::Responder;
use super::send_queue::{Answer, WaitingPoll};
use super::{ProtocolVersion, Sid, TransportType};
use crate::io::host::{Deferred, ReadGuard};
use crate::protocol::{CloseReason, Refusal};

/// The content type of an Engine.IO 3 body with binary packets.
const BINARY: &str = "application/octet-stream";

/// How long a poll waits for the websocket to be read, if the client may have left polling: another
/// thread reads the websocket. It is far below the 50 ms after which such a poll is released.
const UPGRADE_GRACE: Duration = Duration::from_millis(10);

/// How many bytes of a response are compressed before other tasks have their turn: zlib takes about 1 ms
/// for them.
const COMPRESSED_AT_ONCE: usize = 1 << 16;

/// How many packets of a request are taken before other tasks have their turn, should none of them have to wait for
/// JavaScript: as many short ones as are read of a websocket.
const TAKEN_AT_ONCE: usize = 1 << 14;

/// The request of a session that polls.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) responder: Responder,
    pub(crate) format: Format,
    /// JavaScript's number for the connection that the request opens.
    pub(crate) connection: ConnectionNumber,
    pub(crate) id: Sid,
    pub(crate) protocol: ProtocolVersion,
    /// Whether the client takes binary packets only as base64.
    pub(crate) base64_only: bool,
    pub(crate) cookie: Option<HeaderValue>,
    /// Whether JavaScript is told of every packet from the start.
    pub(crate) watched: bool,
}

/// Opens a connection, and responds.
pub(crate) fn open<H: Handler>(handler: &Arc<H>, opening: Opening) {
    let engine = handler.engine();
    let Opening {
        id,
        connection,
        protocol,
        ..
    } = opening;
    let transport = Transport::Polling {
        takes_binary: !opening.base64_only,
    };
    if handshake::open(
        handler,
        id,
        connection,
        protocol,
        transport,
        opening.watched,
    )
    .is_none()
    {
        refuse(engine, opening.responder, Refusal::Unserved);
        return;
    }
    let packet = open_packet(&engine.config, id, TransportType::Polling);
    let mut payload = Writer::new(protocol, false);
    payload.text("", &packet);
    engine.respond(Some(Answer {
        responder: opening.responder,
        response: opening.format.opened(payload.finish().0, opening.cookie),
        encoding: opening.format.encoding,
    }));
}

impl<C> Engine<C> {
    /// Responds to a poll. A response that is to be compressed is compressed on the I/O thread, piece by
    /// piece, so that other clients need not wait for a large one.
    pub(super) fn respond(&self, answer: Option<Answer>) {
        let Some(Answer {
            responder,
            response,
            encoding,
        }) = answer
        else {
            return;
        };
        let options = self.config.http_compression.as_ref();
        let options = options.filter(|options| options.applies_to(response.body()));
        let encoder = encoding
            .zip(options)
            .and_then(|(encoding, options)| BodyEncoder::new(encoding, options));
        match encoder {
            Some(encoder) => {
                let events = self.events.clone();
                self.runtime.handle.spawn(async move {
                    let response = compressed(encoder, response).await;
                    responder.respond(&*events, Ok(response.into()));
                });
            }
            None => responder.respond(&*self.events, Ok(response.into())),
        }
    }
}

/// The response with a compressed body; as it is, should zlib fail.
async fn compressed(mut encoder: BodyEncoder, response: Response<Bytes>) -> Response<Bytes> {
    for piece in response.body().chunks(COMPRESSED_AT_ONCE) {
        if encoder.write(piece).is_err() {
            return response;
        }
        yield_now().await;
    }
    let head = response.clone().map(|_| ());
    encoder.finish(head).unwrap_or(response)
}

/// Serves a request that waits for packets, with which it is responded to.
pub(crate) fn poll<D: Data>(engine: &Arc<Engine<Connection<D>>>, sid: Sid, poll: WaitingPoll) {
    match engine.connection(sid) {
        // What the client sent on the websocket before this poll is read first: it may have left
        // polling.
        Some(connection) if connection.may_have_left_polling() => {
            let waiting = Arc::downgrade(engine);
            let reactor = engine.runtime.reactor.clone();
            engine.runtime.handle.spawn(async move {
                sleep(UPGRADE_GRACE).await;
                reactor.catch_up().await;
                if let Some(engine) = waiting.upgrade() {
                    wait_for_packets(&engine, sid, poll);
                }
            });
        }
        _ => wait_for_packets(engine, sid, poll),
    }
}

fn wait_for_packets<D: Data>(engine: &Engine<Connection<D>>, sid: Sid, poll: WaitingPoll) {
    let responder = poll.responder.clone();
    let polled = match engine.connection(sid) {
        Some(connection) => connection.poll(poll),
        None => Err(Refusal::UnknownSession),
    };
    if let Err(refusal) = polled {
        refuse(engine, responder, refusal);
    }
}

/// Begins to receive the packets of a client.
///
/// # Errors
/// The refusal a client is to be told.
pub(crate) fn begin_post<D: Data>(engine: &Engine<Connection<D>>, sid: Sid) -> Result<(), Refusal> {
    let connection = engine.connection(sid).ok_or(Refusal::UnknownSession)?;
    connection.begin_post()
}

/// Packets of a client that have been received.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) responder: Responder,
    pub(crate) format: Format,
    pub(crate) content_type: Option<String>,
    /// The body, out of the form of JSONP. Such a form may be without, which is as good as no packets.
    pub(crate) packets: Option<Bytes>,
}

/// Takes the packets of a client, and responds. They are taken even if the client has left polling meanwhile,
/// since it had sent them before.
///
/// As a websocket, the request is read on only when JavaScript has handled enough of what was received. Until then
/// the client gets no response, and so it sends no more.
pub(crate) fn post<H: Handler>(handler: &Arc<H>, sid: Sid, post: Post) {
    let engine = handler.engine();
    let Some(connection) = engine.connection(sid) else {
        refuse(engine, post.responder, Refusal::UnknownSession);
        return;
    };
    let is_binary = post.content_type.as_deref() == Some(BINARY);
    let events = &engine.events;
    let length = post.packets.as_ref().map_or(0, Bytes::len);
    let read_guard = ReadGuard::new(&**events, length, || events.clone());
    let mut taken = 0;
    let received = match &post.packets {
        None => Some(Packets::NONE),
        Some(_) if is_binary && connection.protocol == ProtocolVersion::V4 => {
            connection.close(CloseReason::InvalidContent);
            None
        }
        Some(packets) => take(handler, &connection, &mut taken, |protocol, each| {
            payload::read(packets, is_binary, protocol, each)
        }),
    };
    let responder = post.responder;
    let response = Ok(post.format.accepted().into());
    let rest = match received {
        Some(rest) if rest.len() > 0 => rest,
        received => {
            let taken = received.map(|_| taken);
            finish(handler, &connection, taken, responder, response, read_guard);
            return;
        }
    };
    drop(read_guard);
    connection.liveness.pause();
    connection.holds_packets(true);
    let holding = Holding {
        handler: Arc::downgrade(handler),
        connection: Arc::downgrade(&connection),
        packets: rest.into(),
        taken,
    };
    engine
        .runtime
        .handle
        .spawn(holding.take_all(responder, response));
}

/// A request whose packets have not all been taken yet.
struct Holding<H: Handler> {
    handler: Weak<H>,
    connection: Weak<Connection<H::Data>>,
    packets: KeptPackets,
    /// How many have been taken.
    taken: usize,
}

impl<H: Handler> Holding<H> {
    async fn take_all(mut self, responder: Responder, response: ResponseOrRefusal) {
        loop {
            yield_now().await;
            let budget = self.connection.upgrade();
            let budget = budget.map(|connection| connection.inbound_budget().clone());
            if let Some(budget) = budget {
                poll_fn(|cx| budget.poll_available(cx)).await;
            }
            let living = self.handler.upgrade().zip(self.connection.upgrade());
            let Some((handler, connection)) =
                living.filter(|(_, connection)| !connection.is_closed())
            else {
                break;
            };
            let engine = handler.engine();
            let events = &engine.events;
            let read_guard =
                ReadGuard::new(&**events, self.packets.rest().len(), || events.clone());
            let rest = self.packets.rest();
            let received = take(&handler, &connection, &mut self.taken, |protocol, each| {
                rest.read(protocol, each)
            });
            match received.map(Packets::len) {
                Some(left @ 1..) => self.packets.leave(left),
                received => {
                    connection.holds_packets(false);
                    let taken = received.map(|_| self.taken);
                    finish(
                        &handler,
                        &connection,
                        taken,
                        responder,
                        response,
                        read_guard,
                    );
                    return;
                }
            }
        }
        // The connection has ended, and nobody takes the rest.
        if let Some(handler) = self.handler.upgrade() {
            responder.respond(&*handler.engine().events, response);
        }
    }
}

/// Responds to a request of which no packets are left: so many have been taken by the read that this guards, and
/// before; `None` if there was one that could not be parsed.
fn finish<H: Handler>(
    handler: &Arc<H>,
    connection: &Arc<Connection<H::Data>>,
    taken: Option<usize>,
    responder: Responder,
    response: ResponseOrRefusal,
    read_guard: ReadGuard<'_>,
) {
    let engine = handler.engine();
    let Some(packets) = taken else {
        connection.end_post();
        drop(read_guard);
        refuse(engine, responder, Refusal::Unserved);
        return;
    };
    let is_behind = connection.inbound_budget().is_exceeded();
    let accepting = Accepting {
        engine: Arc::downgrade(engine),
        connection: Arc::downgrade(connection),
        is_behind,
        responder,
        response,
    };
    if !is_behind {
        connection.end_post();
    }
    if is_behind || connection.acceptance.waits(packets) {
        // The client sends no more before this is answered, not even a pong.
        connection.liveness.pause();
        let deferred = Deferred::new(move || accepting.go_on());
        engine.events.after_handling(deferred);
    } else {
        drop(read_guard);
        accepting.answer();
    }
}

/// A request whose packets were received, and which is to be answered.
struct Accepting<D: Data> {
    engine: Weak<Engine<Connection<D>>>,
    connection: Weak<Connection<D>>,
    /// Whether no other request of the client is received before this one is answered.
    is_behind: bool,
    responder: Responder,
    response: ResponseOrRefusal,
}

impl<D: Data> Accepting<D> {
    /// Answers, unless what was received still waits, such as for middleware: then when it does no longer.
    fn go_on(self) {
        let Some(engine) = self.engine.upgrade() else {
            return;
        };
        let waiting = self.connection.upgrade();
        let waiting = waiting.map(|connection| connection.inbound_budget().clone());
        match waiting.filter(|budget| self.is_behind && budget.is_exceeded()) {
            Some(budget) => {
                engine.runtime.handle.spawn(async move {
                    poll_fn(|cx| budget.poll_available(cx)).await;
                    self.answer();
                });
            }
            None => self.answer(),
        }
    }

    fn answer(self) {
        if let Some(connection) = self.connection.upgrade() {
            connection.liveness.resume();
            if self.is_behind {
                connection.end_post();
            }
        }
        if let Some(engine) = self.engine.upgrade() {
            self.responder.respond(&*engine.events, self.response);
        }
    }
}

/// Receives packets of the client, as many as may wait for JavaScript, and counts them. `read` parses them. Returns
/// those that are left; `None` if they cannot be parsed, which ends the connection.
fn take<'a, H: Handler>(
    handler: &Arc<H>,
    connection: &Arc<Connection<H::Data>>,
    taken: &mut usize,
    read: impl FnOnce(ProtocolVersion, &mut Each<'_>) -> Result<Packets<'a>, Unreadable>,
) -> Option<Packets<'a>> {
    let protocol = connection.protocol;
    let budget = connection.inbound_budget();
    let until = *taken + TAKEN_AT_ONCE;
    let read = read(protocol, &mut |packet| {
        *taken += 1;
        receive(handler, connection, packet) && *taken < until && !budget.is_exceeded()
    });
    let Ok(rest) = read else {
        if connection.is_ending() {
            // Only a close packet counts any more.
            return Some(Packets::NONE);
        }
        connection.close(CloseReason::ParseError);
        return None;
    };
    if connection.takes_flush() || protocol == ProtocolVersion::V3 {
        // Sends the answers to its pings, and all that its acknowledgements have released.
        connection.flush();
    }
    match connection.is_closed() {
        true => Some(Packets::NONE),
        false => Some(rest),
    }
}

/// What is done with each packet of a body. Returns whether to go on.
type Each<'a> = dyn FnMut(Packet<'_>) -> bool + 'a;

/// Refuses a request that was accepted and cannot be served.
fn refuse<C>(engine: &Engine<C>, responder: Responder, refusal: Refusal) {
    responder.respond(&*engine.events, Err(refusal));
}

/// Ends a connection whose client violates the polling protocol, or left before it had all of a response.
/// A connection that has left polling goes on without its last poll.
pub(crate) fn abort_session<D: Data>(
    engine: &Engine<Connection<D>>,
    sid: Sid,
    reason: CloseReason,
) {
    if let Some(connection) = engine.connection(sid) {
        let has_left = connection.transport() == Some(TransportType::Websocket);
        if !(has_left && reason == CloseReason::PollClosed) {
            connection.close(reason);
        }
    }
}
