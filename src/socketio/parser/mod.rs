//! The encoding of packets: one parser for a server and all its clients.
//!
//! ```text
//! common    text with JSON, and attachments: the default
//! msgpack   one binary message for each packet, as in socket.io-msgpack-parser
//! outgoing  an event or an acknowledgement that is to be encoded
//! welcome   what a client is told when it joins a namespace
//! ```
//!
//! Between a parser and JavaScript, the data of a packet stays encoded: JSON text, with placeholders for
//! its attachments, or MessagePack. Only data that is exactly one value may pass (see
//! [`super::packet`]).

mod common;
pub(super) mod msgpack;
mod outgoing;
mod welcome;

use bytes::Bytes;
use socketioxide_core::packet::Packet;
use socketioxide_core::parser::{ParseConfig, ParseError, ParserState};

use self::common::Parts;
pub(crate) use self::outgoing::Outgoing;
pub(crate) use self::welcome::Welcome;
use crate::engineio::message::{Frame, Message};
use crate::engineio::{ProtocolVersion, Str};

/// The parser of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Parser {
    /// The default one of Socket.IO.
    #[default]
    Common,
    /// MessagePack, as in `socket.io-msgpack-parser`.
    Msgpack,
}

/// The MessagePack of a command. If it is missing, which would be a mistake in `lib/`, it is `null`.
fn only(attachments: &[Bytes]) -> &[u8] {
    attachments.first().map_or(&[0xc0], |data| &data[..])
}

impl Parser {
    /// The parser with this name: `json` or `msgpack`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Common),
            "msgpack" => Some(Self::Msgpack),
            _ => None,
        }
    }

    /// Encodes an event or an acknowledgement.
    pub(crate) fn encode(self, packet: Outgoing<'_>, attachments: Vec<Bytes>) -> Frame {
        match self {
            Self::Common => common::encode(packet, attachments),
            Self::Msgpack => msgpack::encode(packet, only(&attachments)),
        }
    }

    /// The parts of a packet, if joined they are all that it is encoded to: a text. Nothing is copied but
    /// its id, to `digits`.
    pub(crate) fn text<'a>(
        self,
        packet: Outgoing<'a>,
        attachments: &[Bytes],
        digits: &'a mut itoa::Buffer,
    ) -> Option<Parts<'a>> {
        (self == Self::Common && attachments.is_empty()).then(|| common::parts(packet, digits))
    }

    /// The event of a frame that [`Parser::encode`] made, with an id that the client is to acknowledge it
    /// with.
    pub(crate) fn with_ack(self, ns: &Str, frame: &Frame, ack: i64) -> Frame {
        let message = match (self, &frame.message) {
            (Self::Common, Message::Text(text, attachments)) => {
                Message::Text(common::with_ack(ns, text, ack), attachments.clone())
            }
            (Self::Msgpack, Message::Binary(bytes)) => {
                Message::Binary(msgpack::with_ack(ns, bytes, ack))
            }
            // No parser makes such a frame.
            (_, other) => other.clone(),
        };
        frame.with_message(message)
    }

    /// The server's DISCONNECT packet.
    pub(crate) fn disconnect(self, ns: &Str) -> Frame {
        match self {
            Self::Common => common::disconnect(ns),
            Self::Msgpack => msgpack::disconnect(ns),
        }
    }

    /// The server's CONNECT packet; in protocol 5 it has the welcome.
    pub(crate) fn connect(
        self,
        ns: &Str,
        welcome: Welcome<'_>,
        protocol: ProtocolVersion,
    ) -> Frame {
        match (self, protocol) {
            (Self::Common, ProtocolVersion::V3) => common::connect(ns, None),
            (Self::Common, ProtocolVersion::V4) => {
                let Welcome { id, pid } = welcome;
                let json = match pid {
                    Some(pid) => format!("{{\"sid\":\"{id}\",\"pid\":\"{pid}\"}}"),
                    None => format!("{{\"sid\":\"{id}\"}}"),
                };
                common::connect(ns, Some(&json))
            }
            (Self::Msgpack, _) => msgpack::connect(ns, welcome, protocol),
        }
    }

    /// A CONNECT_ERROR packet. `json` is what the client's error handler gets: an object with `message`
    /// in protocol 5, any value in protocol 4, or an empty text for no value.
    pub(crate) fn connect_error(self, ns: &Str, json: &str, attachments: &[Bytes]) -> Frame {
        match self {
            Self::Common => common::connect_error(ns, json),
            Self::Msgpack => msgpack::connect_error(ns, only(attachments)),
        }
    }

    /// A CONNECT_ERROR packet for a namespace that does not exist.
    pub(crate) fn no_namespace(self, ns: &Str, protocol: ProtocolVersion) -> Frame {
        const MESSAGE: &str = "Invalid namespace";
        match self {
            Self::Common => common::connect_error(ns, &format!("{{\"message\":\"{MESSAGE}\"}}")),
            Self::Msgpack => msgpack::no_namespace(ns, MESSAGE, protocol),
        }
    }

    /// Decodes a text message of a client. Its data is a `Value::Str`, JSON that is not checked yet, or a
    /// `Value::Bytes`, checked MessagePack.
    ///
    /// # Errors
    /// `NeedsMoreBinaryData` if attachments are to follow; any other if it is not a packet.
    pub(crate) fn decode_text(
        self,
        config: &ParseConfig,
        state: &ParserState,
        text: &str,
    ) -> Result<Packet, ParseError> {
        match self {
            Self::Common => common::decode_text(config, state, text),
            Self::Msgpack => msgpack::decode_text(text),
        }
    }

    /// Decodes a binary message of a client; see [`Parser::decode_text`].
    ///
    /// # Errors
    /// The same.
    pub(crate) fn decode_binary(
        self,
        config: &ParseConfig,
        state: &ParserState,
        data: Bytes,
    ) -> Result<Packet, ParseError> {
        match self {
            Self::Common => common::decode_binary(config, state, data),
            Self::Msgpack => msgpack::decode(config, &data),
        }
    }
}
