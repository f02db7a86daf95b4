//! The native server: its namespaces, sockets and connections, and what a client's packets do.
//!
//! The engine calls [`Server`] on the thread that reads the client, in the order of the wire;
//! JavaScript is told by notices through an [`Inbox`] and speaks through [`super::commands`].

#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use serde_json::value::RawValue;
use socketioxide_core::packet::PacketData;
use socketioxide_core::parser::{ParseConfig, ParseError};
use tokio::sync::oneshot;

use super::commands;
use super::events::{Notice, Reason};
use super::namespace::{Namespace, NamespaceIndex, Namespaces};
use super::options::Options;
use super::packet::Payload;
use super::socket::{Incoming, Malformed, Socket, SocketNumber};
use crate::engineio::connection::Connection;
use crate::engineio::{ProtocolVersion, Sid, Str};
use crate::io::runtime::Runtime;

/// How many attachments a message may have.
pub(crate) const MAX_ATTACHMENTS: usize = 10_000;

/// Where notices go: JavaScript's queue, or a test's list.
pub(crate) trait Inbox: Send + Sync + 'static {
    /// Queues a notice; called on any thread, in order.
    fn push(&self, notice: Notice);

    /// More notices are about to come: JavaScript need not be woken before [`Inbox::release`].
    fn hold(&self) {}

    /// Those notices have come.
    fn release(&self) {}

    /// Tells, or is dropped, when JavaScript's event loop has gone round: it has had what was there
    /// to read when this was called, however busy it was.
    fn round(&self) -> oneshot::Receiver<()> {
        oneshot::channel().1
    }
}

/// Keeps JavaScript from being woken by the first of many notices, and while locks are held that it
/// would wait for; until dropped.
pub(crate) struct Hold<'a>(&'a dyn Inbox);

impl<'a> Hold<'a> {
    pub(crate) fn new(inbox: &'a dyn Inbox) -> Self {
        inbox.hold();
        Self(inbox)
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// One native server: its namespaces, sockets and connections.
pub(crate) struct Server {
    pub(crate) options: Options,
    pub(crate) inbox: Arc<dyn Inbox>,
    pub(crate) output: Arc<commands::Output>,
    pub(crate) runtime: Runtime,
    pub(crate) started: Instant,
    parsing: ParseConfig,
    namespaces: RwLock<Namespaces>,
    asks_for_namespaces: AtomicBool,
    sockets: RwLock<FxHashMap<SocketNumber, Arc<Socket>>>,
    /// By session id, which an application may make of what a client sends: hashed with a random seed.
    connections: RwLock<HashMap<Sid, Arc<Connection>>>,
    last_socket: AtomicU64,
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
    pub(crate) fn new(options: Options, inbox: Arc<dyn Inbox>, runtime: &Runtime) -> Arc<Self> {
        let output = Arc::<commands::Output>::default();
        let parsing = ParseConfig {
            max_incoming_binary_buf_size: options.max_http_buffer_size,
            max_incoming_binaries: MAX_ATTACHMENTS,
            ..ParseConfig::default()
        };
        let server = Arc::new(Self {
            options,
            inbox,
            output: output.clone(),
            runtime: runtime.clone(),
            started: Instant::now(),
            parsing,
            namespaces: RwLock::default(),
            asks_for_namespaces: AtomicBool::new(false),
            sockets: RwLock::default(),
            connections: RwLock::default(),
            last_socket: AtomicU64::new(0),
            closing: AtomicBool::new(false),
        });
        runtime
            .handle
            .spawn(commands::run(Arc::downgrade(&server), output));
        server
    }

    /// The index of a namespace, made on first use.
    pub(crate) fn namespace(&self, name: &str) -> NamespaceIndex {
        self.namespaces.write().index(name)
    }

    /// Forgets a namespace that has no sockets.
    pub(crate) fn remove_namespace(&self, index: NamespaceIndex) {
        self.namespaces.write().remove(index);
    }

    /// The namespace of an index.
    pub(crate) fn namespace_at(&self, index: NamespaceIndex) -> Option<Arc<Namespace>> {
        self.namespaces.read().at(index)
    }

    /// Has the numbers that are given from now on begin behind this one, as if as many sockets and
    /// namespaces had been before. For tests: what is named later must be told apart from what lives.
    pub(crate) fn skip_numbers(&self, to: u64) {
        self.last_socket.fetch_max(to, Ordering::Relaxed);
        self.namespaces.write().skip_indices(to);
    }

    /// A socket that lives.
    pub(crate) fn socket(&self, number: SocketNumber) -> Option<Arc<Socket>> {
        self.sockets.read().get(&number).cloned()
    }

    /// A connection that lives, by its Engine.IO session id.
    pub(crate) fn connection(&self, sid: Sid) -> Option<Arc<Connection>> {
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
            .send(commands::Task::EndAll(Reason::ServerShuttingDown));
    }

    /// Ends the connections there are, after what was said before.
    pub(crate) fn close_connections(&self) {
        self.output
            .send(commands::Task::EndAll(Reason::ForcedClose));
    }

    pub(crate) fn end_all(&self, reason: Reason) {
        let connections: Vec<_> = self.connections.read().values().cloned().collect();
        for connection in connections {
            connection.close(reason);
        }
    }

    /// Lets a connection in, unless the server closes or another one that lives has its session id.
    pub(crate) fn admit(self: &Arc<Self>, connection: &Arc<Connection>) -> bool {
        if self.closing.load(Ordering::Acquire) {
            return false;
        }
        match self.connections.write().entry(connection.id) {
            Entry::Occupied(_) => return false,
            Entry::Vacant(place) => place.insert(connection.clone()),
        };
        if connection.protocol == ProtocolVersion::V3 {
            // A client of Engine.IO 3 is in the default namespace from the start.
            self.join(connection, "/", None);
        }
        true
    }

    /// A connection ended: so do its sockets.
    pub(crate) fn ended(&self, connection: &Arc<Connection>, reason: Reason) {
        if let Entry::Occupied(place) = self.connections.write().entry(connection.id)
            && Arc::ptr_eq(place.get(), connection)
        {
            place.remove();
        }
        for socket in connection.sockets() {
            socket.end(self, reason);
        }
    }

    /// A text message of a client.
    pub(crate) fn text(self: &Arc<Self>, connection: &Arc<Connection>, message: Str) {
        self.message(connection, || {
            let parser = self.options.parser;
            parser.decode_text(&self.parsing, &connection.parser, message)
        });
    }

    /// A binary message of a client.
    pub(crate) fn binary(self: &Arc<Self>, connection: &Arc<Connection>, data: Bytes) {
        self.message(connection, || {
            let parser = self.options.parser;
            parser.decode_binary(&self.parsing, &connection.parser, data)
        });
    }

    /// A client asks for a namespace.
    fn join(self: &Arc<Self>, connection: &Arc<Connection>, path: &str, auth: Option<&Payload>) {
        let (name, query) = name_and_query(path, connection.protocol);
        // A client that asks twice before JavaScript has made the namespace is answered once.
        if connection.socket(name).is_some() || connection.is_ending() {
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
            if !self.asks_for_namespaces.load(Ordering::Relaxed) {
                self.refuse(connection, name);
                return;
            }
            self.inbox.push(Notice::Ask {
                connection: connection.number,
                said: Some(
                    connection
                        .unheard()
                        .count(path.len() + auth.map_or(0, Payload::len)),
                ),
                request: request.to_json(),
                auth: packed,
            });
            return;
        };
        let number = self.last_socket.fetch_add(1, Ordering::Relaxed) + 1;
        // A client of protocol 4 makes the id of its socket from the connection's; in protocol 5
        // the connection's id is a secret between client and server.
        let id: Box<str> = match connection.protocol {
            ProtocolVersion::V3 if name == "/" => connection.id.as_str().into(),
            ProtocolVersion::V3 => format!("{name}#{}", connection.id).into_boxed_str(),
            ProtocolVersion::V4 => Sid::random().as_str().into(),
        };
        request.id = Some(&id);
        let request = request.to_json();
        let socket = Socket::new(number, id, namespace, connection.clone(), self);
        self.sockets.write().insert(number, socket.clone());
        if !connection.add(socket.clone()) {
            // Another thread has let the client in meanwhile, which asked for the namespace twice.
            self.forget(number);
            return;
        }
        self.inbox.push(Notice::Connect {
            socket: number,
            connection: connection.number,
            said: Some(
                connection
                    .unheard()
                    .count(request.len() + packed.as_ref().map_or(0, Bytes::len)),
            ),
            request,
            auth: packed,
        });
        // Another thread may have ended the connection before it had this socket.
        if connection.is_closed() {
            socket.end(self, connection.reason().unwrap_or(Reason::TransportClose));
        }
    }

    fn refuse(&self, connection: &Arc<Connection>, name: &str) {
        let parser = self.options.parser;
        let frame = parser.no_namespace(&Str::copy_from_slice(name), connection.protocol);
        // Before the end of the connection, if what the client sent behind it is its end.
        let mut touched = commands::Touched::default();
        touched.send(connection, &frame, self.options.max_backpressure);
    }

    /// The application made the namespace a client asked for, or has none of that name. `asked` and
    /// `packed` are what [`Notice::Ask`] had.
    pub(super) fn answer_ask(
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
        if exists && self.namespaces.read().named(&nsp).is_some() {
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
    pub(crate) fn ask_for_namespaces(&self) {
        self.asks_for_namespaces.store(true, Ordering::Relaxed);
    }

    /// One decoded packet of a client.
    fn packet(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        ns: &str,
        packet: PacketData,
    ) -> Result<(), Rejected> {
        let socket = connection.socket(name_and_query(ns, connection.protocol).0);
        match (packet, socket) {
            (PacketData::Connect(auth), None) => {
                let auth = auth.map(Payload::of);
                if auth.as_ref().is_some_and(|auth| !auth.is_object()) {
                    return Err(Rejected::Malformed);
                }
                // Clients of protocol 4 put into a query what those of protocol 5 put here.
                let auth = auth.filter(|_| connection.protocol == ProtocolVersion::V4);
                self.join(connection, ns, auth.as_ref());
                Ok(())
            }
            // A client whose manager is open already asks twice in one breath.
            (PacketData::Connect(_), Some(socket)) if socket.is_joining() => Ok(()),
            (PacketData::Event(value, ack) | PacketData::BinaryEvent(value, ack), Some(socket)) => {
                let payload = Payload::of(value);
                socket.incoming(Incoming { payload, ack })?;
                Ok(())
            }
            (
                PacketData::EventAck(value, ack) | PacketData::BinaryAck(value, ack),
                Some(socket),
            ) => {
                socket.acknowledged(ack, Payload::of(value))?;
                Ok(())
            }
            (PacketData::Disconnect, Some(socket))
                if connection.protocol == ProtocolVersion::V3 || !socket.is_joining() =>
            {
                socket.end(self, Reason::ClientNamespaceDisconnect);
                Ok(())
            }
            (packet, _) if !is_well_formed(&packet) => Err(Rejected::Malformed),
            // Socket.IO 2 is patient with packets for a namespace the client is not in, and its
            // clients send CONNECT again; Socket.IO 3 and later end the connection.
            _ if connection.protocol == ProtocolVersion::V3 => Ok(()),
            _ => Err(Rejected::OutOfPlace),
        }
    }

    /// Decodes and handles one message. A panic would leave a connection that nobody reads any
    /// more, so it ends the connection instead.
    fn message(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        decode: impl FnOnce() -> Result<socketioxide_core::packet::Packet, ParseError>,
    ) {
        if connection.is_ending() {
            return;
        }
        let handled = catch_unwind(AssertUnwindSafe(|| match decode() {
            Ok(packet) => self.packet(connection, packet.ns.as_str(), packet.inner),
            Err(ParseError::NeedsMoreBinaryData) => Ok(()),
            Err(_) => Err(Rejected::Malformed),
        }));
        match handled {
            Ok(Ok(())) => {}
            Ok(Err(Rejected::OutOfPlace)) => commands::out_of_place(self, connection),
            Ok(Err(Rejected::Malformed)) | Err(_) => commands::malformed(self, connection),
        }
    }
}

/// Why a packet of a client ends its connection.
#[derive(Debug)]
pub(crate) enum Rejected {
    /// It is no Socket.IO packet.
    Malformed,
    /// It is one, but not now.
    OutOfPlace,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a Socket.IO packet",
            Self::OutOfPlace => "a Socket.IO packet that may not come now",
        })
    }
}

impl std::error::Error for Rejected {}

impl From<Malformed> for Rejected {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// The name of a namespace, and the query with which a client of protocol 4 asks for it.
fn name_and_query(path: &str, protocol: ProtocolVersion) -> (&str, Option<&str>) {
    match path.split_once('?') {
        Some((name, query)) if protocol == ProtocolVersion::V3 => (name, Some(query)),
        _ => (path, None),
    }
}

/// Whether what a packet carries is what its kind may, if it carries anything.
fn is_well_formed(packet: &PacketData) -> bool {
    let has = |value: &socketioxide_core::Value, check: fn(&Payload) -> bool| {
        let payload = Payload::of(value.clone());
        payload.len() == 0 || check(&payload)
    };
    match packet {
        PacketData::Connect(auth) => auth
            .as_ref()
            .is_none_or(|auth| has(auth, Payload::is_object)),
        PacketData::Event(value, _) | PacketData::BinaryEvent(value, _) => {
            has(value, |payload| payload.event_name().is_some())
        }
        PacketData::EventAck(value, _) | PacketData::BinaryAck(value, _) => {
            has(value, Payload::is_array)
        }
        PacketData::Disconnect | PacketData::ConnectError(_) => true,
    }
}

/// What a client asks with to join a namespace, as JavaScript reads it.
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

/// The request of a client that asked for a namespace which did not exist, as JavaScript hands it back.
#[derive(serde::Deserialize)]
pub(super) struct Asked<'a> {
    nsp: String,
    query: Option<String>,
    #[serde(borrow)]
    auth: Option<&'a RawValue>,
}

impl Drop for Server {
    /// Nobody can speak to the clients any more.
    fn drop(&mut self) {
        self.output.close();
        for connection in std::mem::take(self.connections.get_mut()).into_values() {
            connection.close(Reason::ServerShuttingDown);
            // It cannot do so itself any more.
            for socket in connection.sockets() {
                socket.end(self, Reason::ServerShuttingDown);
            }
        }
    }
}
