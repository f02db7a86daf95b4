//! The native server: Socket.IO on the Engine.IO engine of socketioxide.
//!
//! ```text
//! request    which requests are for a session   handshake the first packet of a connection
//! websocket  a websocket's way into the engine  frame     the frames of that way
//! handover   takes a descriptor from Node       pump      a stream whose bytes Node carries
//! stream     a websocket's bytes, either way    polling   long polling, served in process
//! options    what the server was told
//! connection one Engine.IO connection           socket    one client in one namespace
//! namespace  sockets and who hears a broadcast  rooms     who is in which room
//! packet     what a packet carries              parser    how packets look on the wire
//! output     the one ordered way out            notice    what JavaScript is told
//! unheard    what JavaScript has yet to hear    payload   the body of a POST
//! runtime    the I/O thread
//! ```
//!
//! The engine calls [`Server`] on its I/O thread, in the order of the wire; JavaScript is told by
//! notices through an [`Inbox`] and speaks through [`output`]. Nothing here touches JavaScript
//! values.

pub(crate) mod connection;
mod frame;
#[cfg(unix)]
pub(crate) mod handover;
mod handshake;
pub(crate) mod namespace;
pub(crate) mod notice;
pub(crate) mod options;
pub(crate) mod output;
pub(crate) mod packet;
pub(crate) mod parser;
mod payload;
pub(crate) mod polling;
pub(crate) mod pump;
pub(crate) mod request;
mod rooms;
pub(crate) mod runtime;
pub(crate) mod socket;
mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod unheard;
pub(crate) mod websocket;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use bytes::Bytes;
use engineioxide::handler::EngineIoHandler;
use engineioxide::socket::Sid;
use engineioxide::{DisconnectReason, ProtocolVersion, Str, TransportType};
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;
use socketioxide_core::Value;
use socketioxide_core::packet::PacketData;
use socketioxide_core::parser::{ParseConfig, ParseError};

use connection::{Connection, Engine, Link};
use namespace::{Namespace, Namespaces};
use notice::{Notice, Reason};
use options::Options;
use parser::Parser;
use socket::{Incoming, Malformed, Socket, SocketNumber};

/// How many attachments a message may have.
pub(crate) const MAX_ATTACHMENTS: usize = 10_000;

/// Where notices go: JavaScript's queue, or a test's list.
pub(crate) trait Inbox: Send + Sync + 'static {
    /// Queues a notice; called on any thread, in order.
    fn push(&self, notice: Notice);
}

/// One native server: its namespaces, sockets and connections.
pub(crate) struct Server {
    pub(crate) options: Options,
    pub(crate) inbox: Arc<dyn Inbox>,
    pub(crate) output: output::Sender,
    pub(crate) started: Instant,
    parsing: ParseConfig,
    namespaces: RwLock<Namespaces>,
    /// Clients that wait for JavaScript to say whether a namespace exists.
    asks: Mutex<FxHashMap<u32, Ask>>,
    last_ask: AtomicU32,
    asks_for_namespaces: AtomicBool,
    sockets: RwLock<FxHashMap<SocketNumber, Arc<Socket>>>,
    connections: RwLock<FxHashMap<Sid, Arc<Engine>>>,
    last_socket: AtomicU32,
    closing: AtomicBool,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Makes a server; its output task ends with it.
    pub(crate) fn new(
        options: Options,
        inbox: Arc<dyn Inbox>,
        runtime: &tokio::runtime::Handle,
    ) -> Arc<Self> {
        let (sender, receiver) = output::channel();
        let parsing = ParseConfig {
            max_incoming_binary_buf_size: options.max_http_buffer_size,
            max_incoming_binaries: MAX_ATTACHMENTS,
            ..ParseConfig::default()
        };
        let server = Arc::new(Self {
            options,
            inbox,
            output: sender,
            started: Instant::now(),
            parsing,
            namespaces: RwLock::default(),
            asks: Mutex::default(),
            last_ask: AtomicU32::new(0),
            asks_for_namespaces: AtomicBool::new(false),
            sockets: RwLock::default(),
            connections: RwLock::default(),
            last_socket: AtomicU32::new(0),
            closing: AtomicBool::new(false),
        });
        runtime.spawn(output::run(Arc::downgrade(&server), receiver));
        server
    }

    /// The index of a namespace, made on first use.
    pub(crate) fn namespace(&self, name: &str) -> u32 {
        self.namespaces.write().index(name)
    }

    /// Forgets a namespace that has no sockets.
    pub(crate) fn remove_namespace(&self, index: u32) {
        self.namespaces.write().remove(index);
    }

    /// The namespace of an index.
    pub(crate) fn namespace_at(&self, index: u32) -> Option<Arc<Namespace>> {
        self.namespaces.read().at(index)
    }

    /// A socket that lives.
    pub(crate) fn socket(&self, number: SocketNumber) -> Option<Arc<Socket>> {
        self.sockets.read().get(&number).cloned()
    }

    /// A connection that lives, by its Engine.IO session id.
    pub(crate) fn connection(&self, sid: Sid) -> Option<Arc<Engine>> {
        self.connections.read().get(&sid).cloned()
    }

    /// Forgets a socket that ended.
    pub(crate) fn forget(&self, socket: SocketNumber) {
        self.sockets.write().remove(&socket);
    }

    /// Ends every connection after what was said before, and lets none in any more.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.output
            .send(output::Command::EndAll(Reason::ServerShuttingDown));
    }

    /// Ends the connections there are, after what was said before.
    pub(crate) fn close_connections(&self) {
        self.output
            .send(output::Command::EndAll(Reason::ForcedClose));
    }

    pub(crate) fn end_all(&self, reason: Reason) {
        let connections: Vec<_> = self.connections.read().values().cloned().collect();
        for engine in connections {
            for socket in engine.data.sockets() {
                socket.end(self, reason);
            }
            engine.close(DisconnectReason::ClosingServer);
        }
    }

    /// The stream a connection lives on is gone; so is the connection. One that was about to
    /// upgrade ends too: the engine would answer its polls with nothing for ever.
    pub(crate) fn stream_ended(&self, link: &Link) {
        if let Some(engine) = link.sid().and_then(|sid| self.connection(sid)) {
            engine.close(match engine.transport_type() {
                TransportType::Websocket => DisconnectReason::TransportClose,
                TransportType::Polling => DisconnectReason::TransportError,
            });
        }
    }

    /// The client has not read for as long as it may stay silent: whatever it says, no ping reaches
    /// it.
    pub(crate) fn stream_stuck(&self, link: &Link) {
        if let Some(engine) = link.sid().and_then(|sid| self.connection(sid)) {
            engine.close(DisconnectReason::HeartbeatTimeout);
        }
    }

    /// A client asks for a namespace.
    fn join(self: &Arc<Self>, engine: &Arc<Engine>, path: &str, auth: Option<&str>) {
        let Some(link) = engine.data.link() else {
            return;
        };
        let (name, query) = name_and_query(path);
        // A client that asks twice before JavaScript has made the namespace is answered twice.
        if engine.data.socket(name).is_some() {
            return;
        }
        let mut request = JoinRequest {
            id: None,
            nsp: name,
            eio: match engine.protocol {
                ProtocolVersion::V3 => 3,
                ProtocolVersion::V4 => 4,
            },
            sid: engine.id.as_str(),
            query,
            auth: auth.and_then(|auth| serde_json::from_str(auth).ok()),
        };
        let namespace = self.namespaces.read().named(name);
        let Some(namespace) = namespace else {
            if !self.asks_for_namespaces.load(Ordering::Relaxed) {
                self.refuse(engine, name);
                return;
            }
            let ask = self
                .last_ask
                .fetch_add(1, Ordering::Relaxed)
                .wrapping_add(1);
            let asked = Ask {
                engine: Arc::downgrade(engine),
                path: path.to_owned(),
                auth: auth.map(str::to_owned),
            };
            self.asks.lock().insert(ask, asked);
            self.inbox.push(Notice::Ask {
                ask,
                connection: link.number,
                said: Some(link.unheard().count(path.len() + auth.map_or(0, str::len))),
                request: request.to_json(),
            });
            return;
        };
        let number = self
            .last_socket
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(1);
        // A client of protocol 4 makes the id of its socket from the connection's; in protocol 5
        // the connection's id is a secret between client and server.
        let id: Box<str> = match engine.protocol {
            ProtocolVersion::V3 if name == "/" => engine.id.as_str().into(),
            ProtocolVersion::V3 => format!("{name}#{}", engine.id).into_boxed_str(),
            ProtocolVersion::V4 => Sid::new().as_str().into(),
        };
        request.id = Some(&id);
        let request = request.to_json();
        let socket = Socket::new(number, id, namespace, engine.clone(), self);
        engine.data.add(socket.clone());
        self.sockets.write().insert(number, socket);
        self.inbox.push(Notice::Connect {
            socket: number,
            connection: link.number,
            said: Some(link.unheard().count(request.len())),
            request,
        });
    }

    fn refuse(&self, engine: &Arc<Engine>, name: &str) {
        let reason = match (engine.protocol, self.options.parser) {
            // All that version 2 of the MessagePack parser takes.
            (ProtocolVersion::V3, Parser::Msgpack) => r#""Invalid namespace""#,
            _ => r#"{"message":"Invalid namespace"}"#,
        };
        let frame = self
            .options
            .parser
            .connect_error(&Str::copy_from_slice(name), reason);
        self.output
            .send(output::Command::Frame(engine.clone(), frame));
    }

    /// The application made the namespace a client asked for, or has none of that name.
    pub(crate) fn answer_ask(self: &Arc<Self>, ask: u32, exists: bool) {
        let Some(asked) = self.asks.lock().remove(&ask) else {
            return;
        };
        let Some(engine) = asked.engine.upgrade().filter(|engine| !engine.is_closed()) else {
            return;
        };
        let (name, _) = name_and_query(&asked.path);
        if exists && self.namespaces.read().named(name).is_some() {
            self.join(&engine, &asked.path, asked.auth.as_deref());
        } else {
            self.refuse(&engine, name);
        }
    }

    /// Whether JavaScript is asked about namespaces that do not exist.
    pub(crate) fn ask_for_namespaces(&self) {
        self.asks_for_namespaces.store(true, Ordering::Relaxed);
    }

    /// One decoded packet of a client.
    fn packet(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        ns: &str,
        packet: PacketData,
    ) -> Result<(), Malformed> {
        let socket = engine.data.socket(name_and_query(ns).0);
        match (packet, socket) {
            (PacketData::Connect(auth), None) => {
                let auth = auth.as_ref().and_then(Value::as_str).map(Str::as_str);
                if auth.is_some_and(|auth| !packet::is_object(auth)) {
                    return Err(Malformed);
                }
                self.join(engine, ns, auth);
                Ok(())
            }
            // A client whose manager is open already asks twice in one breath.
            (PacketData::Connect(_), Some(socket)) if socket.is_joining() => Ok(()),
            (PacketData::Event(value, ack) | PacketData::BinaryEvent(value, ack), Some(socket)) => {
                let (text, attachments) = parts(value)?;
                socket.incoming(Incoming {
                    text,
                    attachments,
                    ack,
                })
            }
            (
                PacketData::EventAck(value, ack) | PacketData::BinaryAck(value, ack),
                Some(socket),
            ) => {
                let (text, attachments) = parts(value)?;
                socket.acknowledged(ack, text, attachments)
            }
            (PacketData::Disconnect, Some(socket)) => {
                socket.end(self, Reason::ClientNamespaceDisconnect);
                Ok(())
            }
            // Socket.IO 2 is patient with packets for a namespace the client is not in, and its
            // clients send CONNECT again; Socket.IO 3 and later end the connection.
            _ if engine.protocol == ProtocolVersion::V3 => Ok(()),
            _ => Err(Malformed),
        }
    }

    /// Decodes and handles one message. A panic would leave a connection that nobody reads any
    /// more, so it ends the connection instead.
    fn message(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        decode: impl FnOnce() -> Result<socketioxide_core::packet::Packet, ParseError>,
    ) {
        if engine.data.is_closing() {
            return;
        }
        let handled = catch_unwind(AssertUnwindSafe(|| match decode() {
            Ok(packet) => self.packet(engine, packet.ns.as_str(), packet.inner),
            Err(ParseError::NeedsMoreBinaryData) => Ok(()),
            Err(_) => Err(Malformed),
        }));
        if !matches!(handled, Ok(Ok(()))) {
            output::malformed(engine);
        }
    }
}

/// The name of a namespace, and the query with which a client asks for it.
fn name_and_query(path: &str) -> (&str, Option<&str>) {
    match path.split_once('?') {
        Some((name, query)) => (name, Some(query)),
        None => (path, None),
    }
}

fn parts(value: Value) -> Result<(Str, Vec<Bytes>), Malformed> {
    match value {
        Value::Str(text, attachments) => Ok((text, attachments.map(Vec::from).unwrap_or_default())),
        Value::Bytes(_) => Err(Malformed),
    }
}

/// What a client asks with to join a namespace, as JavaScript reads it.
#[derive(serde::Serialize)]
struct JoinRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    nsp: &'a str,
    eio: u8,
    sid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<&'a serde_json::value::RawValue>,
}

impl JoinRequest<'_> {
    fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A client that waits to learn whether a namespace exists.
#[derive(Debug)]
struct Ask {
    engine: Weak<Engine>,
    path: String,
    auth: Option<String>,
}

impl EngineIoHandler for Server {
    type Data = Connection;

    fn on_connect(self: Arc<Self>, engine: Arc<Engine>) {
        let link = engine.req_parts.extensions.get::<Arc<Link>>();
        let Some(link) = link.filter(|_| !self.closing.load(Ordering::Acquire)) else {
            engine.close(DisconnectReason::ClosingServer);
            return;
        };
        engine.data.open(engine.id, link.clone());
        self.connections.write().insert(engine.id, engine.clone());
        match engine.protocol {
            ProtocolVersion::V3 => self.join(&engine, "/", None),
            ProtocolVersion::V4 => {
                let idle: Weak<Engine> = Arc::downgrade(&engine);
                let timeout = self.options.connect_timeout;
                let timer = tokio::spawn(async move {
                    tokio::time::sleep(timeout).await;
                    if let Some(engine) = idle.upgrade().filter(|engine| engine.data.is_idle()) {
                        engine.close(DisconnectReason::TransportClose);
                    }
                });
                engine.data.set_timer(timer.abort_handle());
            }
        }
    }

    fn on_disconnect(&self, engine: Arc<Engine>, reason: DisconnectReason) {
        self.connections.write().remove(&engine.id);
        engine.data.stop_timer();
        let Some(link) = engine.data.link() else {
            return;
        };
        let reason = engine.data.reason().unwrap_or(match reason {
            DisconnectReason::TransportClose => Reason::TransportClose,
            DisconnectReason::TransportError if link.is_peer_gone() => Reason::TransportClose,
            DisconnectReason::TransportError | DisconnectReason::MultipleHttpPollingError => {
                Reason::TransportError
            }
            DisconnectReason::PacketParsingError => Reason::ParseError,
            DisconnectReason::HeartbeatTimeout => Reason::PingTimeout,
            DisconnectReason::ClosingServer => Reason::ServerShuttingDown,
        });
        for socket in engine.data.sockets() {
            socket.end(self, reason);
        }
        link.closed();
    }

    fn on_message(self: &Arc<Self>, message: Str, engine: Arc<Engine>) {
        self.message(&engine, || {
            let parser = self.options.parser;
            parser.decode_text(&self.parsing, &engine.data.parser, message)
        });
    }

    fn on_binary(self: &Arc<Self>, data: Bytes, engine: Arc<Engine>) {
        self.message(&engine, || {
            let parser = self.options.parser;
            parser.decode_binary(&self.parsing, &engine.data.parser, data)
        });
    }
}
