//! What the engine tells JavaScript: of connections, and of requests of long polling.

#[cfg(unix)]
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::OwnedFd;

use bytes::Bytes;
use http::Response;

use super::Str;
use super::inbound_budget::Permit;
#[cfg(unix)]
use super::{ProtocolVersion, Sid, TransportType};
use crate::io::host::Host;
#[cfg(unix)]
use crate::io::tls::Agreed;
use crate::protocol::{CloseReason, Refusal};

/// JavaScript's number for a connection, given before the connection exists.
pub(crate) type ConnectionNumber = u64;

/// JavaScript's number for a request of long polling.
pub(crate) type RequestNumber = u64;

/// The response to a request, or why it is refused; boxed, since most events are smaller.
pub(crate) type ResponseOrRefusal = Result<Box<Response<Bytes>>, Refusal>;

/// Takes what JavaScript is told; called on any thread, in order.
pub(crate) trait Events: Host {
    /// A connection is open, which a request that JavaScript has not seen has opened: before anything else
    /// of it.
    #[cfg(unix)]
    fn opened(&self, opened: Opened);

    /// A connection of HTTP goes back to Node.
    #[cfg(unix)]
    fn handed_back(&self, handed_back: HandedBack);

    /// A connection has moved from polling to websocket.
    fn upgraded(&self, connection: ConnectionNumber);

    /// A connection ended, after what it carried did.
    fn closed(&self, connection: ConnectionNumber, reason: CloseReason);

    /// A packet was received or queued, on a connection whose packets JavaScript watches.
    fn packet(&self, connection: ConnectionNumber, packet: ReportedPacket, permit: Option<Permit>);

    /// The response to a request of long polling, or why it is refused.
    fn response(&self, request: RequestNumber, response: ResponseOrRefusal);
}

/// A connection that a request has opened which JavaScript has not seen.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) connection: ConnectionNumber,
    pub(crate) id: Sid,
    pub(crate) protocol: ProtocolVersion,
    pub(crate) transport: TransportType,
    /// The client's address, or a proxy's; `None` for what is no TCP stream.
    pub(crate) address: Option<String>,
    /// Whether the connection is TLS.
    pub(crate) is_encrypted: bool,
    /// The request, as [`Head::snapshot`](super::http::head::Head::snapshot) writes it.
    pub(crate) request: String,
}

/// A connection of HTTP that goes back to Node.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct HandedBack {
    /// The number of what had accepted it.
    pub(crate) owner: u64,
    pub(crate) descriptor: OwnedFd,
    /// Bytes that were read.
    pub(crate) bytes: Bytes,
    /// What Node does not find out from the descriptor of a connection with TLS.
    pub(crate) secure: Option<Secure>,
}

/// A client that came by TLS.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct Secure {
    pub(crate) agreed: Agreed,
    /// The client's and ours; `None` for what is no TCP stream.
    pub(crate) addresses: Option<(SocketAddr, SocketAddr)>,
}

/// A packet of Engine.IO, as an application that watches a connection sees it.
#[derive(Debug)]
pub(crate) struct ReportedPacket {
    /// The digit of its type in the protocol.
    pub(crate) kind: u8,
    pub(crate) data: PacketData,
    /// Whether the server sends it.
    pub(crate) is_sent: bool,
    /// Whether the application wants it compressed.
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

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}
