//! What the native server tells JavaScript, in the order it happened.

use bytes::Bytes;
use smallvec::SmallVec;

use super::packet::Payload;
use crate::engineio::events::{ConnectionNumber, Events, ReportedPacket, RequestNumber};
use crate::engineio::inbound_budget::Permit;
use crate::io::host::{Host, PumpAction, PumpNumber};
use crate::protocol::{CloseReason, Refusal};
use crate::session::{Attempt, Instance};

/// JavaScript's name for a socket: given once, however long the process lives.
pub(crate) type SocketNumber = u64;

/// A client's acknowledgement request, by the client's own id.
pub(crate) type AckId = i64;

/// JavaScript's name for a namespace; given once.
pub(crate) type NamespaceIndex = u64;

/// Where notices go: JavaScript's queue, or a test's list.
pub(crate) trait EventSink: Host + Events {
    /// Queues a notice; called on any thread, in order.
    fn push(&self, event: Event);
}

impl<T: EventSink> Events for T {
    fn upgraded(&self, connection: ConnectionNumber) {
        self.push(Event::Upgraded { connection });
    }

    fn closed(&self, connection: ConnectionNumber, reason: CloseReason) {
        self.push(Event::Closed { connection, reason });
    }

    fn packet(&self, connection: ConnectionNumber, packet: ReportedPacket, permit: Option<Permit>) {
        self.push(Event::Packet {
            connection,
            packet,
            permit,
        });
    }

    fn response(
        &self,
        request: RequestNumber,
        status: u16,
        binary: bool,
        body: Bytes,
        refusal: Option<Refusal>,
    ) {
        self.push(Event::Response {
            request,
            status,
            binary,
            body,
            refusal,
        });
    }
}

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// A client asks to join a namespace; JavaScript accepts.
    Connect {
        socket: SocketNumber,
        connection: ConnectionNumber,
        /// JSON: `{id, nsp, query?, auth?}`.
        request: String,
        /// The MessagePack of `auth`, which then is not in `request`.
        auth: Option<Bytes>,
        /// Counts the notice until JavaScript has heard it; so below.
        permit: Option<Permit>,
    },
    /// A client asks to join a namespace that does not exist; JavaScript may make it.
    NamespaceRequest {
        connection: ConnectionNumber,
        /// JSON, as for `Connect` but without an id.
        request: String,
        /// As for `Connect`.
        auth: Option<Bytes>,
        permit: Option<Permit>,
    },
    /// The descriptor of a websocket is closed, which a server of JavaScript's had accepted.
    #[cfg_attr(not(unix), allow(dead_code))]
    Released { owner: u64 },
    /// A connection has moved from polling to websocket.
    Upgraded { connection: ConnectionNumber },
    /// An event of a client, with what the session decided about it.
    Emitted {
        socket: SocketNumber,
        /// What the client wants it acknowledged with, if it does. Nobody keeps it but JavaScript: it goes
        /// with what may acknowledge.
        ack: Option<AckId>,
        runs: SmallVec<[Run; 1]>,
        /// The raw `["name",args…]`, checked to be exactly one array.
        payload: Payload,
        permit: Option<Permit>,
    },
    /// A client acknowledged an event of ours.
    Acknowledged {
        socket: SocketNumber,
        ack: AckId,
        /// The raw array of arguments, checked like an event's.
        payload: Payload,
        permit: Option<Permit>,
    },
    /// A packet of Engine.IO came or is queued, on a connection whose packets JavaScript watches.
    Packet {
        connection: ConnectionNumber,
        packet: ReportedPacket,
        permit: Option<Permit>,
    },
    /// A socket ended.
    Disconnect {
        socket: SocketNumber,
        reason: CloseReason,
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
        reason: CloseReason,
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

impl Event {
    /// Takes out what counts the words of the client.
    pub(crate) fn take_permit(&mut self) -> Option<Permit> {
        match self {
            Self::Connect { permit, .. }
            | Self::NamespaceRequest { permit, .. }
            | Self::Emitted { permit, .. }
            | Self::Packet { permit, .. }
            | Self::Acknowledged { permit, .. } => permit.take(),
            _ => None,
        }
    }

    /// About how many bytes the notice adds to a batch.
    pub(crate) fn len(&self) -> usize {
        const RECORD: usize = 24;
        RECORD
            + match self {
                Self::Connect { request, auth, .. }
                | Self::NamespaceRequest { request, auth, .. } => {
                    request.len() + auth.as_ref().map_or(0, Bytes::len)
                }
                Self::Emitted { payload, .. } | Self::Acknowledged { payload, .. } => payload.len(),
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
