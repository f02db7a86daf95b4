//! What the native server tells JavaScript, in the order it happened.

use crate::engineio::Str;
use bytes::Bytes;
use smallvec::SmallVec;

use super::namespace::NamespaceIndex;
use super::packet::Payload;
use super::socket::{AckId, SocketNumber};
use crate::engineio::connection::ConnectionNumber;
use crate::engineio::inbound_budget::Said;
use crate::engineio::send_queue::RequestNumber;
use crate::io::relay::PumpNumber;
pub(crate) use crate::protocol::CloseReason as Reason;
use crate::protocol::Refusal;
use crate::session::{Attempt, Instance};

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum Notice {
    /// A client asks to join a namespace; JavaScript accepts.
    Connect {
        socket: SocketNumber,
        connection: ConnectionNumber,
        /// JSON: `{id, nsp, query?, auth?}`.
        request: String,
        /// The MessagePack of `auth`, which then is not in `request`.
        auth: Option<Bytes>,
        /// Counts the notice until JavaScript has heard it; so below.
        said: Option<Said>,
    },
    /// A client asks to join a namespace that does not exist; JavaScript may make it.
    Ask {
        connection: ConnectionNumber,
        /// JSON, as for `Connect` but without an id.
        request: String,
        /// As for `Connect`.
        auth: Option<Bytes>,
        said: Option<Said>,
    },
    /// The descriptor of a websocket is closed, which a server of JavaScript's had accepted.
    #[cfg_attr(not(unix), allow(dead_code))]
    Released { owner: u64 },
    /// A connection has moved from polling to websocket.
    Upgraded { connection: ConnectionNumber },
    /// An event of a client, with what the session decided about it.
    Event {
        socket: SocketNumber,
        /// What the client wants it acknowledged with, if it does. Nobody keeps it but JavaScript: it goes
        /// with what may acknowledge.
        ack: Option<AckId>,
        runs: SmallVec<[Run; 1]>,
        /// The raw `["name",args…]`, checked to be exactly one array.
        payload: Payload,
        said: Option<Said>,
    },
    /// A client acknowledged an event of ours.
    Acknowledged {
        socket: SocketNumber,
        ack: AckId,
        /// The raw array of arguments, checked like an event's.
        payload: Payload,
        said: Option<Said>,
    },
    /// A packet of Engine.IO came or is queued, on a connection whose packets JavaScript watches.
    Packet {
        connection: ConnectionNumber,
        packet: Packet,
        said: Option<Said>,
    },
    /// A socket ended.
    Disconnect {
        socket: SocketNumber,
        reason: Reason,
    },
    /// A client sent what is no Socket.IO packet: its connection is to end.
    Malformed { socket: SocketNumber },
    /// A broadcast that clients are to acknowledge is about to be sent to these sockets.
    BroadcastSent {
        namespace: NamespaceIndex,
        ack: AckId,
        receivers: Vec<SocketNumber>,
    },
    /// A command of JavaScript's cannot be carried out.
    InvalidCommand { message: String },
    /// A connection ended, after its sockets did.
    Closed {
        connection: ConnectionNumber,
        reason: Reason,
    },
    /// The answer to a request of long polling.
    Response {
        request: RequestNumber,
        status: u16,
        binary: bool,
        body: Bytes,
        /// Why the request is refused, if there is a reason to tell.
        refusal: Option<Refusal>,
    },
    /// What JavaScript is to do with a stream whose bytes it carries.
    Pump {
        pump: PumpNumber,
        action: PumpAction,
    },
}

/// A packet of Engine.IO, as an application that watches a connection sees it.
#[derive(Debug)]
pub(crate) struct Packet {
    /// The digit of its type in the protocol.
    pub(crate) kind: u8,
    pub(crate) data: PacketData,
    /// Whether the server sends it.
    pub(crate) is_sent: bool,
    /// Whether the application would have had it compressed.
    pub(crate) compress: bool,
}

/// What a packet carries.
#[derive(Debug)]
pub(crate) enum PacketData {
    Text(Str),
    Binary(Bytes),
}

impl PacketData {
    /// As bytes, and whether they are text.
    pub(crate) fn into_bytes(self) -> (Bytes, bool) {
        match self {
            Self::Text(text) => (text.into(), true),
            Self::Binary(bytes) => (bytes, false),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// What JavaScript does with a stream whose bytes it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PumpAction {
    /// Write these bytes.
    Write(Bytes),
    /// Read on.
    Resume,
    /// End it after what was written.
    End,
    /// End it at once.
    Destroy,
}

/// What JavaScript runs for an event, beside the application's own listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// The authentication function of an instance.
    Auth {
        instance: Instance,
        attempt: Attempt,
    },
    /// A method bound by an instance.
    Method { instance: Instance, method: u32 },
}

impl Notice {
    /// Takes out what counts the words of the client.
    pub(crate) fn take_said(&mut self) -> Option<Said> {
        match self {
            Self::Connect { said, .. }
            | Self::Ask { said, .. }
            | Self::Event { said, .. }
            | Self::Packet { said, .. }
            | Self::Acknowledged { said, .. } => said.take(),
            _ => None,
        }
    }

    /// About how many bytes the notice adds to a batch.
    pub(crate) fn len(&self) -> usize {
        const RECORD: usize = 24;
        RECORD
            + match self {
                Self::Connect { request, auth, .. } | Self::Ask { request, auth, .. } => {
                    request.len() + auth.as_ref().map_or(0, Bytes::len)
                }
                Self::Event { payload, .. } | Self::Acknowledged { payload, .. } => payload.len(),
                Self::Packet { packet, .. } => packet.data.len(),
                Self::Response { body, .. } => body.len(),
                Self::Pump {
                    action: PumpAction::Write(bytes),
                    ..
                } => bytes.len(),
                Self::BroadcastSent { receivers, .. } => size_of_val(&receivers[..]),
                Self::Disconnect { .. }
                | Self::Malformed { .. }
                | Self::InvalidCommand { .. }
                | Self::Closed { .. }
                | Self::Upgraded { .. }
                | Self::Released { .. }
                | Self::Pump { .. } => 0,
            }
    }
}
