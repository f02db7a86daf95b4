//! Long polling, served in process: Node reads the requests and writes the responses, which come to
//! it as notices.
//!
//! A request is served on the thread that brings it, JavaScript's: it has the bytes, and would have
//! to wake another thread, and be woken, for less work than that takes.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::connection::{Connection, ConnectionNumber, Transport};
use super::handshake::open_packet;
use super::payload::{self, Writer};
use super::request::Asks;
use super::send_queue::RequestNumber;
use super::{ProtocolVersion, Sid, TransportType};
use crate::protocol::Refusal;
use crate::socketio::events::{Notice, Reason};
use crate::socketio::server::{Hold, Server};

/// The type of a body of Engine.IO 3 that holds binary packets.
const BINARY: &str = "application/octet-stream";

/// How long a poll of a client that may leave polling waits for the websocket to be read: a websocket
/// and a request are read by two threads. Far below the 50 ms after which such a poll is released.
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

/// Serves a request; its answer comes as a [`Notice::Response`].
pub(crate) fn serve(server: &Arc<Server>, request: Request) {
    match (request.asks, &request.body) {
        (Asks::Open, _) => open(server, request),
        (Asks::Use(sid), None) => match server.connection(sid) {
            // What the client said on the websocket before it polled is heard first: it may be that it
            // has left polling.
            Some(connection) if connection.may_have_left_polling() => {
                let waiting = Arc::downgrade(server);
                server.runtime.handle.spawn(async move {
                    sleep(UPGRADE_GRACE).await;
                    if let Some(server) = waiting.upgrade() {
                        poll(&server, sid, request.number);
                    }
                });
            }
            _ => poll(server, sid, request.number),
        },
        (Asks::Use(sid), Some(body)) => {
            let Some(connection) = server.connection(sid) else {
                refuse(server, request.number, Some(Refusal::UnknownSession));
                return;
            };
            let is_binary = request.content_type.as_deref() == Some(BINARY);
            if is_binary && connection.protocol == ProtocolVersion::V4 {
                connection.close(Reason::InvalidContent);
                refuse(server, request.number, None);
                return;
            }
            if !post(server, &connection, body, is_binary) {
                refuse(server, request.number, None);
            } else if connection.unheard().is_high() {
                let unheard = connection.unheard().clone();
                let waiting = Arc::downgrade(server);
                // The client sends more when this is answered.
                connection.beat.pause();
                let paused = Arc::downgrade(&connection);
                server.runtime.handle.spawn(async move {
                    poll_fn(|cx| unheard.poll_low(cx)).await;
                    if let Some(connection) = paused.upgrade() {
                        connection.beat.resume();
                    }
                    if let Some(server) = waiting.upgrade() {
                        accept(&server, request.number);
                    }
                });
            } else {
                accept(server, request.number);
            }
        }
    }
}

/// Has a request wait for packets, or refuses it.
fn poll(server: &Arc<Server>, sid: Sid, request: RequestNumber) {
    let polled = match server.connection(sid) {
        Some(connection) => connection.poll(request),
        None => Err(Some(Refusal::UnknownSession)),
    };
    if let Err(refusal) = polled {
        refuse(server, request, refusal);
    }
}

/// Opens a connection.
fn open(server: &Arc<Server>, request: Request) {
    let id = request.id.unwrap_or_else(Sid::random);
    let transport = Transport::Polling {
        takes_binary: !request.base64_only,
    };
    let (number, protocol) = (request.connection, request.protocol);
    if Connection::open(server, id, number, protocol, transport, request.watched).is_none() {
        refuse(server, request.number, None);
        return;
    }
    let packet = open_packet(&server.options, id, TransportType::Polling);
    let mut payload = Writer::new(protocol, false);
    payload.text("", &packet);
    respond(server, request.number, payload.finish().0);
}

/// Takes packets of the client; false if they cannot be read, which ends the connection.
fn post(server: &Arc<Server>, connection: &Arc<Connection>, body: &[u8], is_binary: bool) -> bool {
    let protocol = connection.protocol;
    let _hold = Hold::new(&*server.inbox);
    let read = payload::read(body, is_binary, protocol, |packet| {
        connection.packet(server, packet)
    });
    if read.is_err() {
        if connection.is_ending() {
            // Nothing is read any more but that the client leaves.
            return true;
        }
        connection.close(Reason::ParseError);
    } else if protocol == ProtocolVersion::V3 {
        // Its pings are answered.
        connection.flush();
    }
    read.is_ok()
}

/// Answers a request whose packets are taken.
fn accept(server: &Server, request: RequestNumber) {
    respond(server, request, Bytes::from_static(b"ok"));
}

fn respond(server: &Server, request: RequestNumber, body: Bytes) {
    server.inbox.push(Notice::Response {
        request,
        status: 200,
        binary: false,
        body,
        refusal: None,
    });
}

/// Answers a request that was let in and cannot be served, with the reason if there is one to tell.
fn refuse(server: &Server, request: RequestNumber, refusal: Option<Refusal>) {
    server.inbox.push(Notice::Response {
        request,
        status: 400,
        binary: false,
        body: Bytes::new(),
        refusal,
    });
}

/// Ends a connection whose client does not keep to the protocol of polling.
pub(crate) fn abort_session(server: &Server, sid: Sid, reason: Reason) {
    if let Some(connection) = server.connection(sid) {
        connection.close(reason);
    }
}
