//! A websocket on its way from Node: it opens a connection, or takes one over from polling.

use std::sync::Arc;

use bytes::Bytes;

use super::connection::Transport;
use super::events::ConnectionNumber;
use super::handler::Handler;
use super::handshake::{self, open_packet};
use super::http::verify::Asks;
use super::reader::Reading;
use super::upgrade;
use super::{ProtocolVersion, Sid, TransportType};
use crate::io::transport::Carrier;
use crate::protocol::CloseReason;
use crate::websocket::codec::{self, OpCode};
use crate::websocket::deflate::Agreement;
use crate::websocket::handshake::switching_protocols;
use crate::websocket::rewind::Rewind;

/// A websocket on its way from Node.
#[derive(Debug)]
pub(crate) struct Websocket {
    pub(crate) carrier: Carrier,
    /// What Node has read after the request.
    pub(crate) head: Bytes,
    /// The client's `Sec-WebSocket-Key`.
    pub(crate) key: String,
    /// More lines for the head of the answer, each with its line break.
    pub(crate) headers: String,
    /// The compression that the answer agrees to, if any.
    pub(crate) compression: Option<Agreement>,
    pub(crate) protocol: ProtocolVersion,
    pub(crate) asks: Asks,
    /// JavaScript's number for the connection that the websocket opens.
    pub(crate) number: ConnectionNumber,
    /// The id of the session that the websocket opens; a random one if there is none.
    pub(crate) id: Option<Sid>,
    /// Whether JavaScript is told of every packet from the start.
    pub(crate) watched: bool,
}

/// Takes a websocket on the thread that reads its request.
#[cfg(unix)]
pub(super) fn take<H: Handler>(handler: &Arc<H>, websocket: Websocket) {
    match websocket.asks {
        Asks::Open => open(handler, websocket),
        Asks::Use(_) => {
            let handle = &handler.engine().runtime.handle;
            handle.spawn(serve(handler.clone(), websocket));
        }
    }
}

/// Answers the upgrade, and reads the websocket to its end.
pub(crate) async fn serve<H: Handler>(handler: Arc<H>, websocket: Websocket) {
    match websocket.asks {
        Asks::Open => open(&handler, websocket),
        Asks::Use(sid) => {
            let first = switching_protocols(&websocket.key, &websocket.headers);
            let Some(connection) = handler.engine().connection(sid) else {
                return;
            };
            let reactor = handler.engine().runtime.reactor.clone();
            let Ok(opened) = websocket.carrier.open(&reactor, first) else {
                return;
            };
            // From here on, only their owners keep them alive.
            let weak = (Arc::downgrade(&handler), Arc::downgrade(&connection));
            drop((handler, connection));
            upgrade::take_over(weak, opened, websocket.head, websocket.compression).await;
        }
    }
}

fn open<H: Handler>(handler: &Arc<H>, websocket: Websocket) {
    let engine = handler.engine();
    let reactor = &engine.runtime.reactor;
    let id = websocket.id.unwrap_or_else(Sid::random);
    let mut first = switching_protocols(&websocket.key, &websocket.headers);
    let packet = open_packet(&engine.config, id, TransportType::Websocket);
    codec::write_frame(&mut first, OpCode::Text, packet.as_bytes());
    let number = websocket.number;
    let Ok(opened) = websocket.carrier.open(reactor, first) else {
        engine.events.closed(number, CloseReason::TransportClose);
        return;
    };
    let compression = websocket.compression;
    let deflater = engine.config.deflater(compression);
    let transport = Transport::Websocket(opened.write, opened.unwritten, deflater);
    let (protocol, watched) = (websocket.protocol, websocket.watched);
    let Some(connection) = handshake::open(handler, id, number, protocol, transport, watched)
    else {
        return;
    };
    connection.flush();
    let (head, read) = (websocket.head, opened.read);
    connection.set_reader(if head.is_empty() {
        reactor.read(Reading::new(handler, &connection, read, compression))
    } else {
        let stream = Rewind::new(head, read);
        reactor.read(Reading::new(handler, &connection, stream, compression))
    });
}
