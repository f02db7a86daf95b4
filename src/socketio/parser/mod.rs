//! How packets look on the wire: one parser for a server and all its clients.
//!
//! ```text
//! common    text with JSON, attachments beside it: what every client speaks unless told otherwise
//! msgpack   one binary message a packet: clients made with socket.io-msgpack-parser
//! ```
//!
//! Between a parser and JavaScript a packet's data is what it is on the wire: JSON text, with placeholders
//! where its attachments belong, or MessagePack. Only what is checked to be exactly one value may pass
//! that way (see [`super::packet`]).

mod common;
pub(super) mod msgpack;

use bytes::Bytes;
use socketioxide_core::packet::Packet;
use socketioxide_core::parser::{ParseConfig, ParseError, ParserState};

use crate::engineio::message::Frame;
use crate::engineio::{ProtocolVersion, Str};

/// The wire format of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Parser {
    /// Socket.IO's own.
    #[default]
    Common,
    /// MessagePack, as `socket.io-msgpack-parser` has it.
    Msgpack,
}

/// The MessagePack that came beside an operation; none would be a mistake of our own JavaScript, and is
/// `null` then.
fn only(attachments: &[Bytes]) -> &[u8] {
    attachments.first().map_or(&[0xc0], |data| &data[..])
}

impl Parser {
    /// The parser of a name: `json` or `msgpack`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Common),
            "msgpack" => Some(Self::Msgpack),
            _ => None,
        }
    }

    /// An event; `json` is `["name",args…]`, with placeholders where attachments belong. In MessagePack the
    /// one attachment is that array, and there is no JSON; so below.
    pub(crate) fn event(
        self,
        ns: &Str,
        json: &str,
        attachments: Vec<Bytes>,
        ack: Option<i64>,
    ) -> Frame {
        match self {
            Self::Common => common::event(ns, json, attachments, ack),
            Self::Msgpack => msgpack::event(ns, only(&attachments), ack),
        }
    }

    /// The answer to an acknowledgement request; `json` is the array of its arguments.
    pub(crate) fn ack(self, ns: &Str, json: &str, attachments: Vec<Bytes>, ack: i64) -> Frame {
        match self {
            Self::Common => common::ack(ns, json, attachments, ack),
            Self::Msgpack => msgpack::ack(ns, only(&attachments), ack),
        }
    }

    /// The end of a socket, said by the server.
    pub(crate) fn disconnect(self, ns: &Str) -> Frame {
        match self {
            Self::Common => common::disconnect(ns),
            Self::Msgpack => msgpack::disconnect(ns),
        }
    }

    /// The welcome to a namespace: protocol 5 carries the socket's id.
    pub(crate) fn connect(self, ns: &Str, id: &str, protocol: ProtocolVersion) -> Frame {
        match (self, protocol) {
            (Self::Common, ProtocolVersion::V3) => common::connect(ns, None),
            (Self::Common, ProtocolVersion::V4) => {
                common::connect(ns, Some(&format!("{{\"sid\":\"{id}\"}}")))
            }
            (Self::Msgpack, _) => msgpack::connect(ns, id, protocol),
        }
    }

    /// A refusal to join a namespace. `json` is what the client's error handler gets: an object
    /// with `message` in protocol 5, any value in protocol 4, or nothing, which is no text.
    pub(crate) fn connect_error(self, ns: &Str, json: &str, attachments: &[Bytes]) -> Frame {
        match self {
            Self::Common => common::connect_error(ns, json),
            Self::Msgpack => msgpack::connect_error(ns, only(attachments)),
        }
    }

    /// A refusal to join a namespace that does not exist.
    pub(crate) fn no_namespace(self, ns: &Str, protocol: ProtocolVersion) -> Frame {
        const MESSAGE: &str = "Invalid namespace";
        match self {
            Self::Common => common::connect_error(ns, &format!("{{\"message\":\"{MESSAGE}\"}}")),
            Self::Msgpack => msgpack::no_namespace(ns, MESSAGE, protocol),
        }
    }

    /// Reads a text message of a client. Its data comes as `Value::Str`, JSON that is not checked
    /// yet, or as `Value::Bytes`, MessagePack that is.
    ///
    /// # Errors
    /// `NeedsMoreBinaryData` if attachments are to follow; any other if it is not a packet.
    pub(crate) fn decode_text(
        self,
        config: &ParseConfig,
        state: &ParserState,
        text: Str,
    ) -> Result<Packet, ParseError> {
        match self {
            Self::Common => common::decode_text(config, state, text),
            Self::Msgpack => msgpack::decode_text(&text),
        }
    }

    /// Reads a binary message of a client; see [`Parser::decode_text`].
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
