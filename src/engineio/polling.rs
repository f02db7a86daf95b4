//! Long polling: Node reads the requests and writes the responses, which it gets through
//! [`super::events`].
//!
//! A request is served on the JavaScript thread, which brings it: to wake another thread would take
//! longer than the work itself.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::connection::{Connection, Data, PollError, Transport};
use super::engine::Engine;
use super::events::{ConnectionNumber, RequestNumber};
use super::handler::{Handler, receive};
use super::handshake::{self, open_packet};
use super::payload::{self, Writer};
use super::request::Asks;
use super::{ProtocolVersion, Sid, TransportType};
use crate::io::host::WakeGuard;
use crate::protocol::{CloseReason, Refusal};

/// The content type of an Engine.IO 3 body with binary packets.
const BINARY: &str = "application/octet-stream";

/// How long a poll waits for the websocket to be read, if the client may have left polling: another
/// thread reads the websocket. It is far below the 50 ms after which such a poll is released.
const UPGRADE_GRACE: Duration = Duration::from_millis(10);

/// A request of long polling, checked by [`super::request::check`].
#[derive(Debug)]
pub(crate) struct Request {
    /// JavaScript's number for the request.
    pub(crate) number: RequestNumber,
    pub(crate) protocol: ProtocolVersion,
    /// The packets of a POST; none for a GET.
    pub(crate) body: Option<Bytes>,
    pub(crate) content_type: Option<String>,
    /// Whether the client takes binary packets only as base64.
    pub(crate) base64_only: bool,
    pub(crate) asks: Asks,
    /// JavaScript's number for the connection that the request opens.
    pub(crate) connection: ConnectionNumber,
    /// The id of the session that the request opens; a random one if there is none.
    pub(crate) id: Option<Sid>,
    /// Whether JavaScript is told of every packet from the start.
    pub(crate) watched: bool,
}

/// Serves a request. The response is an event of [`super::events`].
pub(crate) fn serve<H: Handler>(handler: &Arc<H>, request: Request) {
    let engine = handler.engine();
    match (request.asks, &request.body) {
        (Asks::Open, _) => open(handler, request),
        (Asks::Use(sid), None) => match engine.connection(sid) {
            // What the client sent on the websocket before this poll is read first: it may have left
            // polling.
            Some(connection) if connection.may_have_left_polling() => {
                let waiting = Arc::downgrade(engine);
                engine.runtime.handle.spawn(async move {
                    sleep(UPGRADE_GRACE).await;
                    if let Some(engine) = waiting.upgrade() {
                        poll(&engine, sid, request.number);
                    }
                });
            }
            _ => poll(engine, sid, request.number),
        },
        (Asks::Use(sid), Some(body)) => {
            let Some(connection) = engine.connection(sid) else {
                refuse(engine, request.number, Some(Refusal::UnknownSession));
                return;
            };
            let is_binary = request.content_type.as_deref() == Some(BINARY);
            if is_binary && connection.protocol == ProtocolVersion::V4 {
                connection.close(CloseReason::InvalidContent);
                refuse(engine, request.number, None);
                return;
            }
            if !post(handler, &connection, body, is_binary) {
                refuse(engine, request.number, None);
            } else if connection.inbound_budget().is_exceeded() {
                let inbound_budget = connection.inbound_budget().clone();
                let waiting = Arc::downgrade(engine);
                // The client sends no more before this is answered.
                connection.liveness.pause();
                let paused = Arc::downgrade(&connection);
                engine.runtime.handle.spawn(async move {
                    poll_fn(|cx| inbound_budget.poll_available(cx)).await;
                    if let Some(connection) = paused.upgrade() {
                        connection.liveness.resume();
                    }
                    if let Some(engine) = waiting.upgrade() {
                        accept(&engine, request.number);
                    }
                });
            } else {
                accept(engine, request.number);
            }
        }
    }
}

/// Has a request wait for packets, or refuses it.
fn poll<D: Data>(engine: &Engine<Connection<D>>, sid: Sid, request: RequestNumber) {
    let polled = match engine.connection(sid) {
        Some(connection) => connection.poll(request),
        None => Err(PollError::Refused(Refusal::UnknownSession)),
    };
    match polled {
        Ok(()) => {}
        Err(PollError::Refused(refusal)) => refuse(engine, request, Some(refusal)),
        Err(PollError::Overlap) => refuse(engine, request, None),
    }
}

/// Opens a connection.
fn open<H: Handler>(handler: &Arc<H>, request: Request) {
    let engine = handler.engine();
    let id = request.id.unwrap_or_else(Sid::random);
    let transport = Transport::Polling {
        takes_binary: !request.base64_only,
    };
    let (number, protocol) = (request.connection, request.protocol);
    if handshake::open(handler, id, number, protocol, transport, request.watched).is_none() {
        refuse(engine, request.number, None);
        return;
    }
    let packet = open_packet(&engine.config, id, TransportType::Polling);
    let mut payload = Writer::new(protocol, false);
    payload.text("", &packet);
    respond(engine, request.number, payload.finish().0);
}

/// Receives packets of the client; false if they cannot be parsed, which ends the connection.
fn post<H: Handler>(
    handler: &Arc<H>,
    connection: &Arc<Connection<H::Data>>,
    body: &[u8],
    is_binary: bool,
) -> bool {
    let protocol = connection.protocol;
    let _wake_guard = WakeGuard::new(&*handler.engine().events);
    let read = payload::read(body, is_binary, protocol, |packet| {
        receive(handler, connection, packet)
    });
    if read.is_err() {
        if connection.is_ending() {
            // Only a close packet counts any more.
            return true;
        }
        connection.close(CloseReason::ParseError);
    } else if protocol == ProtocolVersion::V3 {
        // Sends the answers to its pings.
        connection.flush();
    }
    read.is_ok()
}

/// Answers a request whose packets were accepted.
fn accept<C>(engine: &Engine<C>, request: RequestNumber) {
    respond(engine, request, Bytes::from_static(b"ok"));
}

fn respond<C>(engine: &Engine<C>, request: RequestNumber, body: Bytes) {
    engine.events.response(request, 200, false, body, None);
}

/// Answers a request that cannot be served, with the refusal that JavaScript reports, if any.
fn refuse<C>(engine: &Engine<C>, request: RequestNumber, refusal: Option<Refusal>) {
    engine
        .events
        .response(request, 400, false, Bytes::new(), refusal);
}

/// Ends a connection whose client violates the polling protocol.
pub(crate) fn abort_session<D: Data>(
    engine: &Engine<Connection<D>>,
    sid: Sid,
    reason: CloseReason,
) {
    if let Some(connection) = engine.connection(sid) {
        connection.close(reason);
    }
}
