//! The events that the native server tells JavaScript, in their order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use smallvec::SmallVec;

use super::packet::Payload;
use crate::engineio::events::{
    ConnectionNumber, Events, ReportedPacket, RequestNumber, ResponseOrRefusal,
};
#[cfg(unix)]
use crate::engineio::events::{HandedBack, Opened};
use crate::engineio::inbound_budget::Permit;
use crate::io::host::{Deferred, Host, RelayAction, RelayNumber};
use crate::protocol::{CloseReason, SubscriptionEnd};
use crate::session::Instance;

/// The number of a socket, which is used once in a process.
pub(crate) type SocketNumber = u64;

/// A client's acknowledgement request, by the client's own id.
pub(crate) type AckId = i64;

/// The number of a namespace, which is used once.
pub(crate) type NamespaceIndex = u64;

/// JavaScript's number for a subscription, which is used once for a socket.
pub(crate) type SubscriptionNumber = u32;

/// Takes events: the queue for JavaScript, or the list of a test.
pub(crate) trait EventSink: Host + Events {
    /// Queues an event; called on any thread. The order of calls is kept, except that an event of a
    /// [read](Host::begin_read) waits for its end, so events of other threads may come before it.
    fn push(&self, event: Event);

    /// Queues an event whose place among those of other threads matters: the caller holds the lock that
    /// decides it. It does not wait for the end of a read, and comes after what was read before.
    fn push_ordered(&self, event: Event) {
        self.push(event);
    }
}

impl<T: EventSink> Events for T {
    #[cfg(unix)]
    fn opened(&self, opened: Opened) {
        self.push(Event::Opened(opened.into()));
    }

    #[cfg(unix)]
    fn handed_back(&self, handed_back: HandedBack) {
        self.push(Event::HandedBack(handed_back.into()));
    }

    fn upgraded(&self, connection: ConnectionNumber) {
        self.push(Event::Upgraded { connection });
    }

    fn closed(&self, connection: ConnectionNumber, reason: CloseReason) {
        self.push(Event::Closed { connection, reason });
    }

    fn packet(&self, connection: ConnectionNumber, packet: ReportedPacket, permit: Option<Permit>) {
        // Packets are reported as sent under the lock of the send queue, in the order in which they leave.
        let is_sent = packet.is_sent;
        let event = Event::Packet {
            connection,
            packet,
            permit,
        };
        if is_sent {
            self.push_ordered(event);
        } else {
            self.push(event);
        }
    }

    fn response(&self, request: RequestNumber, response: ResponseOrRefusal) {
        self.push(Event::Response { request, response });
    }
}

/// How far JavaScript has been told of a socket: both events of the socket share it.
///
/// The end of a socket must be delivered after the socket itself: JavaScript ignores the end of a socket
/// that it does not know, and would then keep that socket. But a read queues `Connect` at its end, while
/// another thread, which has already found the socket, may queue `Disconnect`. So whoever delivers events
/// passes each of them by this, one at a time.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    is_connected: AtomicBool,
    /// Why the socket has ended, if its `Disconnect` came before its `Connect`.
    ended: OnceLock<CloseReason>,
}

impl Delivery {
    /// `Connect` is delivered. Returns the reason of the `Disconnect` that is to be delivered right after
    /// it, if that came before.
    pub(crate) fn connect(&self) -> Option<CloseReason> {
        self.is_connected.store(true, Ordering::Relaxed);
        self.ended.get().copied()
    }

    /// Whether `Disconnect` is delivered now. Otherwise it is delivered with `Connect`.
    pub(crate) fn disconnect(&self, reason: CloseReason) -> bool {
        let is_connected = self.is_connected.load(Ordering::Relaxed);
        if !is_connected {
            // A socket ends once.
            let _ = self.ended.set(reason);
        }
        is_connected
    }
}

/// Something that JavaScript is told.
#[derive(Debug)]
pub(crate) enum Event {
    /// A client asks to join a namespace; JavaScript accepts.
    Connect {
        socket: SocketNumber,
        connection: ConnectionNumber,
        /// The namespace that the socket belongs to. JavaScript may have made another one of that name since.
        namespace: NamespaceIndex,
        delivery: Arc<Delivery>,
        /// JSON: `{id, nsp, query?, auth?}`.
        request: String,
        /// The MessagePack of `auth`, which then is not in `request`.
        auth: Option<Bytes>,
        /// Counts the event as received and not delivered, as in the events below.
        permit: Option<Permit>,
    },
    /// A client asks to join a namespace that does not exist; JavaScript may create it.
    NamespaceRequest {
        connection: ConnectionNumber,
        /// JSON, as for `Connect` but without an id.
        request: String,
        /// As for `Connect`.
        auth: Option<Bytes>,
        permit: Option<Permit>,
    },
    /// The descriptor of a websocket that Node has accepted is closed.
    #[cfg(unix)]
    Released { owner: u64 },
    /// A request that JavaScript has not seen has opened a connection.
    #[cfg(unix)]
    Opened(Box<Opened>),
    /// A connection of HTTP is Node's again.
    #[cfg(unix)]
    HandedBack(Box<HandedBack>),
    /// A connection has moved from polling to websocket.
    Upgraded { connection: ConnectionNumber },
    /// An event of a client, with what the session decided about it.
    Emitted {
        socket: SocketNumber,
        /// The client's id for the acknowledgement, if it wants one. Only JavaScript keeps it, with the
        /// function that acknowledges.
        ack: Option<AckId>,
        runs: SmallVec<[Run; 1]>,
        /// The raw `["name",args…]`, checked to be exactly one array.
        payload: Payload,
        permit: Option<Permit>,
    },
    /// A client acknowledged an event of the server.
    Acknowledged {
        socket: SocketNumber,
        ack: AckId,
        /// The raw array of arguments, checked like an event's.
        payload: Payload,
        permit: Option<Permit>,
    },
    /// An Engine.IO packet was received or queued, on a connection whose packets JavaScript watches.
    Packet {
        connection: ConnectionNumber,
        packet: ReportedPacket,
        permit: Option<Permit>,
    },
    /// A socket ended.
    Disconnect {
        socket: SocketNumber,
        delivery: Arc<Delivery>,
        reason: CloseReason,
    },
    /// A client sent something that is not a Socket.IO packet, so its connection ends.
    Malformed { socket: SocketNumber },
    /// A broadcast that clients are to acknowledge is about to be sent to these sockets.
    BroadcastSent {
        namespace: NamespaceIndex,
        ack: AckId,
        receivers: Vec<SocketNumber>,
    },
    /// A subscription ended without JavaScript having ended it.
    SubscriptionEnded {
        socket: SocketNumber,
        subscription: SubscriptionNumber,
        reason: SubscriptionEnd,
    },
    /// A client acknowledged this many more items of a subscription.
    SubscriptionCredit {
        socket: SocketNumber,
        subscription: SubscriptionNumber,
        count: u32,
    },
    /// A command of JavaScript cannot be executed.
    InvalidCommand { message: String },
    /// A connection ended, after its sockets did.
    Closed {
        connection: ConnectionNumber,
        reason: CloseReason,
    },
    /// Not told to JavaScript: what is done once it has handled the events before this one.
    Handled(Deferred),
    /// The response to a request of long polling, or why it is refused.
    Response {
        request: RequestNumber,
        response: ResponseOrRefusal,
    },
    /// What JavaScript does with a stream that it relays.
    Relay {
        relay: RelayNumber,
        action: RelayAction,
    },
}

/// What JavaScript runs for an event, beside the application's own listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// The authentication function of an instance, once JavaScript has begun the attempt.
    Auth { instance: Instance },
    /// A method bound by an instance.
    Method { instance: Instance, method: u32 },
}

impl Event {
    /// Takes the permit, if there is one.
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

    /// About how many bytes the event adds to a batch.
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
                Self::Response { response, .. } => response
                    .as_ref()
                    .map_or(0, |response| response.body().len()),
                Self::Relay {
                    action: RelayAction::Write(bytes),
                    ..
                } => bytes.len(),
                Self::BroadcastSent { receivers, .. } => size_of_val(&receivers[..]),
                #[cfg(unix)]
                Self::Opened(opened) => opened.request.len(),
                #[cfg(unix)]
                Self::HandedBack(handed_back) => handed_back.bytes.len(),
                #[cfg(unix)]
                Self::Released { .. } => 0,
                Self::Disconnect { .. }
                | Self::Malformed { .. }
                | Self::InvalidCommand { .. }
                | Self::SubscriptionEnded { .. }
                | Self::SubscriptionCredit { .. }
                | Self::Closed { .. }
                | Self::Upgraded { .. }
                | Self::Handled(_)
                | Self::Relay { .. } => 0,
            }
    }
}
