//! The native server: its namespaces, sockets and connections, and what a client's packets do.
//!
//! The engine calls [`Server`] on the thread that reads the client, in the order in which messages were
//! received. JavaScript gets events through an [`EventSink`] and answers through [`super::commands`].

#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::RwLock;
use serde_json::value::RawValue;
use socketioxide_core::packet::PacketData;
use socketioxide_core::parser::{ParseConfig, ParseError};

use super::client::Client;
use super::commands::queue::{CommandQueue, Task};
use super::events::{Event, EventSink, NamespaceIndex, SocketNumber};
use super::namespace::{Namespace, Namespaces};
use super::options::Options;
use super::packet::Payload;
use super::parser::Parser;
use super::socket::{
    self, Channels, Connection, FlushSet, Incoming, OpenSockets, Rejected, Socket,
};
use super::subscriptions::Shared;
use crate::engineio::engine::Engine;
use crate::engineio::handler::Handler;
use crate::engineio::{ProtocolVersion, Sid, Str};
use crate::io::runtime::Runtime;
use crate::protocol::CloseReason;

/// The maximum number of attachments of a message.
pub(crate) const MAX_ATTACHMENTS: usize = 10_000;

/// Bytes of the name, the query and the `auth` with which a client joins a namespace: the JSON that JavaScript gets of them
/// may be six times as long, and must not be longer than a string can be.
const MAX_JOIN: usize = 1 << 24;

/// One native server: its namespaces, sockets and connections.
pub(crate) struct Server {
    pub(crate) engine: Arc<Engine<Connection>>,
    pub(crate) events: Arc<dyn EventSink>,
    pub(crate) output: Arc<CommandQueue>,
    pub(crate) parser: Parser,
    pub(super) channels: Channels,
    /// What its channels share.
    pub(super) shared: Arc<Shared>,
    started: Instant,
    parsing: ParseConfig,
    namespaces: RwLock<Namespaces<Socket>>,
    reports_namespace_requests: AtomicBool,
    sockets: Arc<OpenSockets>,
    last_socket: AtomicU64,
    /// How often clients have asked for a namespace that does not exist.
    unknown_namespaces: AtomicU64,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("parser", &self.parser)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Makes a server; [`super::commands::start`] also starts to execute its commands.
    pub(crate) fn new(
        options: Options,
        events: Arc<dyn EventSink>,
        runtime: &Runtime,
    ) -> Arc<Self> {
        let parsing = ParseConfig {
            max_incoming_binary_buf_size: options.engine.max_http_buffer_size,
            max_incoming_binaries: MAX_ATTACHMENTS,
            // As in Socket.IO, a message may take any time, since the heartbeat ends silent clients.
            packet_completion_timeout: Duration::MAX,
        };
        let started = Instant::now();
        let parser = options.parser;
        Arc::new(Self {
            engine: Engine::new(options.engine, events.clone(), runtime.clone()),
            shared: Shared::new(events.clone(), parser, started, runtime.clone()),
            events,
            output: Arc::default(),
            parser,
            channels: Channels::default(),
            started,
            parsing,
            namespaces: RwLock::default(),
            reports_namespace_requests: AtomicBool::new(false),
            sockets: Arc::default(),
            last_socket: AtomicU64::new(0),
            unknown_namespaces: AtomicU64::new(0),
        })
    }

    /// The index of a namespace, which is created on first use.
    pub(crate) fn namespace(&self, name: &str) -> NamespaceIndex {
        self.namespaces.write().index(name)
    }

    /// Removes a namespace that has no sockets.
    pub(crate) fn remove_namespace(&self, index: NamespaceIndex) {
        self.namespaces.write().remove(index);
    }

    /// The namespace with this index.
    pub(crate) fn namespace_at(&self, index: NamespaceIndex) -> Option<Arc<Namespace<Socket>>> {
        self.namespaces.read().at(index)
    }

    /// Has the numbers of new sockets and namespaces begin after this one. For tests of very long-lived
    /// processes: numbers must stay distinct.
    pub(crate) fn skip_numbers(&self, to: u64) {
        self.last_socket.fetch_max(to, Ordering::Relaxed);
        self.namespaces.write().skip_indices(to);
    }

    /// The open socket with this number.
    pub(crate) fn socket(&self, number: SocketNumber) -> Option<Arc<Socket>> {
        self.sockets.get(number)
    }

    /// What the open sockets are now.
    pub(crate) fn socket_usage(&self) -> socket::Usage {
        self.sockets.usage()
    }

    /// How many items of subscriptions clients did not get, since they were behind.
    pub(crate) fn skipped_items(&self) -> u64 {
        self.shared.skipped_items()
    }

    /// The open connection with this session id.
    pub(crate) fn connection(&self, sid: Sid) -> Option<Arc<Connection>> {
        self.engine.connection(sid)
    }

    /// Ends every connection, after the commands given before, and accepts no more.
    pub(crate) fn close(&self) {
        self.engine.close();
        self.output
            .send(Task::EndAll(CloseReason::ServerShuttingDown));
    }

    /// Ends all current connections, after the commands given before.
    pub(crate) fn close_connections(&self) {
        self.output.send(Task::EndAll(CloseReason::ForcedClose));
    }

    /// A client asks to join a namespace.
    fn join(self: &Arc<Self>, connection: &Arc<Connection>, path: &str, auth: Option<&Payload>) {
        let (name, query) = name_and_query(path, connection.protocol);
        // A client that asks twice before JavaScript has created the namespace is answered once.
        if connection.data.socket(name).is_some() || connection.is_ending() {
            return;
        }
        let mut request = JoinRequest {
            id: None,
            nsp: name,
            query,
            auth: match auth {
                Some(Payload::Json(text, _)) => serde_json::from_str(text.as_str()).ok(),
                Some(Payload::Msgpack(_)) | None => None,
            },
        };
        let packed = match auth {
            Some(Payload::Msgpack(data)) => Some(data.clone()),
            Some(Payload::Json(..)) | None => None,
        };
        let namespace = self.namespaces.read().named(name);
        let Some(namespace) = namespace else {
            if !self.reports_namespace_requests.load(Ordering::Relaxed) {
                self.refuse(connection, name);
                return;
            }
            self.events.push(Event::NamespaceRequest {
                connection: connection.number,
                permit: Some(
                    connection
                        .inbound_budget()
                        .permit(path.len() + auth.map_or(0, Payload::len)),
                ),
                request: request.to_json(),
                auth: packed,
            });
            return;
        };
        let number = self.last_socket.fetch_add(1, Ordering::Relaxed) + 1;
        // In protocol 4 the client derives the id of its socket from the session id; in protocol 5 the
        // session id is a secret between client and server.
        let id: Box<str> = match connection.protocol {
            ProtocolVersion::V3 if name == "/" => connection.id.as_str().into(),
            ProtocolVersion::V3 => format!("{name}#{}", connection.id).into_boxed_str(),
            ProtocolVersion::V4 => Sid::random().as_str().into(),
        };
        request.id = Some(&id);
        let request = request.to_json();
        let socket = Socket::new(
            number,
            id,
            namespace,
            connection.clone(),
            &self.sockets,
            &self.events,
            self.started,
        );
        self.sockets.add(socket.clone());
        if !connection.data.add(socket.clone()) {
            // The client asked twice, and another thread has added its socket meanwhile.
            self.sockets.remove(number);
            return;
        }
        // Other threads may end the socket from here on, even before JavaScript is told of it: see
        // [`Delivery`](super::events::Delivery).
        self.events.push(Event::Connect {
            socket: number,
            connection: connection.number,
            namespace: socket.namespace.index,
            delivery: socket.delivery.clone(),
            permit: Some(
                connection
                    .inbound_budget()
                    .permit(request.len() + packed.as_ref().map_or(0, Bytes::len)),
            ),
            request,
            auth: packed,
        });
        // Another thread may have ended the connection, or begun to, before the socket was added.
        if connection.is_closed() {
            socket.end(connection.reason().unwrap_or(CloseReason::TransportClose));
        } else if connection.is_ending() && socket.is_joining() {
            socket.end(connection.reason().unwrap_or(CloseReason::ForcedClose));
        }
    }

    /// How often clients have asked for a namespace that does not exist.
    pub(crate) fn unknown_namespaces(&self) -> u64 {
        self.unknown_namespaces.load(Ordering::Relaxed)
    }

    fn refuse(&self, connection: &Arc<Connection>, name: &str) {
        self.unknown_namespaces.fetch_add(1, Ordering::Relaxed);
        let parser = self.parser;
        let frame = parser.no_namespace(&Str::copy_from_slice(name), connection.protocol);
        // Flushed now, since the client's next packet may end the connection.
        let mut flush_set = FlushSet::default();
        flush_set.send(connection, &frame);
    }

    /// Answers a [`Event::NamespaceRequest`], whose values are `asked` and `packed`: the application has
    /// created the namespace, or there is none of that name.
    pub(super) fn answer_namespace_request(
        self: &Arc<Self>,
        connection: Sid,
        asked: Asked<'_>,
        packed: Option<Bytes>,
        exists: bool,
    ) {
        let Some(connection) = self.connection(connection) else {
            return;
        };
        let Asked { nsp, query, auth } = asked;
        if exists {
            // If it has been removed since, JavaScript is asked again.
            let path = match query {
                Some(query) => format!("{nsp}?{query}"),
                None => nsp,
            };
            let json =
                |auth: &RawValue| Payload::Json(Str::copy_from_slice(auth.get()), Vec::new());
            let auth = packed.map(Payload::Msgpack).or(auth.map(json));
            self.join(&connection, &path, auth.as_ref());
        } else {
            self.refuse(&connection, &nsp);
        }
    }

    /// Whether JavaScript is asked about namespaces that do not exist.
    pub(crate) fn report_namespace_requests(&self) {
        self.reports_namespace_requests
            .store(true, Ordering::Relaxed);
    }

    /// Handles a decoded packet of a client.
    fn on_packet(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        ns: &str,
        packet: PacketData,
    ) -> Result<(), Rejected> {
        let socket = connection
            .data
            .socket(name_and_query(ns, connection.protocol).0);
        match (packet, socket) {
            (PacketData::Connect(auth), None) => {
                let auth = auth.map(Payload::of);
                let length = ns.len() + auth.as_ref().map_or(0, Payload::len);
                if length > MAX_JOIN || auth.as_ref().is_some_and(|auth| !auth.is_auth()) {
                    return Err(Rejected::Malformed);
                }
                // Clients of protocol 4 send this data in the query instead.
                let auth = auth.filter(|_| connection.protocol == ProtocolVersion::V4);
                self.join(connection, ns, auth.as_ref());
                Ok(())
            }
            // A client whose manager is already open sends CONNECT twice.
            (PacketData::Connect(_), Some(socket)) if socket.is_joining() => Ok(()),
            (PacketData::Event(value, ack) | PacketData::BinaryEvent(value, ack), Some(socket)) => {
                let payload = Payload::of(value);
                socket.on_event(Incoming { payload, ack })?;
                Ok(())
            }
            (
                PacketData::EventAck(value, ack) | PacketData::BinaryAck(value, ack),
                Some(socket),
            ) => {
                socket.on_ack(ack, Payload::of(value))?;
                Ok(())
            }
            (PacketData::Disconnect, Some(socket))
                if connection.protocol == ProtocolVersion::V3 || !socket.is_joining() =>
            {
                socket.end(CloseReason::ClientNamespaceDisconnect);
                Ok(())
            }
            (packet, _) if !is_well_formed(&packet) => Err(Rejected::Malformed),
            // Socket.IO 2 ignores packets for a namespace that the client is not in, and its clients
            // send CONNECT again; Socket.IO 3 and later end the connection.
            _ if connection.protocol == ProtocolVersion::V3 => Ok(()),
            _ => Err(Rejected::OutOfPlace),
        }
    }

    /// Decodes and handles a message. After a panic the connection would not be read any more, so it
    /// ends.
    fn decode(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        decode: impl FnOnce() -> Result<socketioxide_core::packet::Packet, ParseError>,
    ) {
        if connection.is_ending() {
            return;
        }
        let handled = catch_unwind(AssertUnwindSafe(|| match decode() {
            Ok(packet) => self.on_packet(connection, packet.ns.as_str(), packet.inner),
            Err(ParseError::NeedsMoreBinaryData) => Ok(()),
            Err(_) => Err(Rejected::Malformed),
        }));
        match handled {
            Ok(Ok(())) => {}
            Ok(Err(Rejected::OutOfPlace)) => out_of_place(connection),
            Ok(Err(Rejected::Malformed)) | Err(_) => malformed(self, connection),
        }
    }
}

/// The name of a namespace, and the query that a client of protocol 4 appends to it.
fn name_and_query(path: &str, protocol: ProtocolVersion) -> (&str, Option<&str>) {
    let parts = match protocol {
        ProtocolVersion::V3 => path.split_once('?'),
        ProtocolVersion::V4 => None,
    };
    parts.map_or((path, None), |(name, query)| (name, Some(query)))
}

/// Whether a packet's payload, if it has one, fits its type.
fn is_well_formed(packet: &PacketData) -> bool {
    let has = |value: &socketioxide_core::Value, check: fn(&Payload) -> bool| {
        let payload = Payload::of(value.clone());
        payload.len() == 0 || check(&payload)
    };
    match packet {
        PacketData::Connect(auth) => auth.as_ref().is_none_or(|auth| has(auth, Payload::is_auth)),
        PacketData::Event(value, _) | PacketData::BinaryEvent(value, _) => {
            has(value, |payload| payload.event_name().is_some())
        }
        PacketData::EventAck(value, _) | PacketData::BinaryAck(value, _) => {
            has(value, Payload::is_arguments)
        }
        PacketData::Disconnect | PacketData::ConnectError(_) => true,
    }
}

/// A client's request to join a namespace, as JavaScript reads it.
#[derive(serde::Serialize)]
struct JoinRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    nsp: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<&'a RawValue>,
}

impl JoinRequest<'_> {
    fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The request to join a namespace that did not exist, as JavaScript passes it back.
#[derive(serde::Deserialize)]
pub(super) struct Asked<'a> {
    nsp: String,
    query: Option<String>,
    #[serde(borrow)]
    auth: Option<&'a RawValue>,
}

impl Handler for Server {
    type Data = Client<Arc<Socket>>;

    fn engine(&self) -> &Arc<Engine<Connection>> {
        &self.engine
    }

    fn data(&self) -> Self::Data {
        Client::default()
    }

    fn on_open(self: &Arc<Self>, connection: &Arc<Connection>) {
        if connection.protocol == ProtocolVersion::V3 {
            // A client of Engine.IO 3 joins the default namespace without asking.
            self.join(connection, "/", None);
        }
    }

    fn on_message(self: &Arc<Self>, connection: &Arc<Connection>, message: &str) {
        self.decode(connection, || {
            let state = &connection.data.parser;
            self.parser.decode_text(&self.parsing, state, message)
        });
    }

    fn on_binary(self: &Arc<Self>, connection: &Arc<Connection>, message: Bytes) {
        self.decode(connection, || {
            let state = &connection.data.parser;
            self.parser.decode_binary(&self.parsing, state, message)
        });
    }
}

/// Ends a connection that sent something that is not a Socket.IO packet. Its sockets are told of that at
/// once, and of the end when it comes: a polling client first fetches what is queued for it.
pub(crate) fn malformed(server: &Server, connection: &Arc<Connection>) {
    for socket in connection.data.sockets() {
        server.events.push(Event::Malformed {
            socket: socket.number,
        });
    }
    connection.finish(CloseReason::ForcedClose);
}

/// Ends a connection that sent a valid packet that may not come now, for example for a namespace that
/// the client is not in. Its sockets end at once.
fn out_of_place(connection: &Arc<Connection>) {
    connection.finish(CloseReason::ForcedClose);
    for socket in connection.data.sockets() {
        socket.end(CloseReason::ForcedServerClose);
    }
}

impl Drop for Server {
    /// Ends all connections: nothing can be sent to the clients any more.
    fn drop(&mut self) {
        self.output.close();
        self.engine.close();
        self.engine.end_all(CloseReason::ServerShuttingDown);
    }
}
