//! Decodes a client's message into a packet. The work is bounded by the length of the message, by depth
//! and by the number of binary values, whatever lengths the message declares.

use bytes::Bytes;
use socketioxide_core::Value;
use socketioxide_core::packet::{Packet, PacketData};
use socketioxide_core::parser::{ParseConfig, ParseError};

use super::data::{self, check, integer};
use super::packet_type;
use super::read::{Item, Reader};

const CONNECT: u64 = packet_type::CONNECT as u64;
const DISCONNECT: u64 = packet_type::DISCONNECT as u64;
const EVENT: u64 = packet_type::EVENT as u64;
const ACK: u64 = packet_type::ACK as u64;
/// In Socket.IO 2, packets with binary data have types of their own.
const BINARY_EVENT: u64 = 5;
const BINARY_ACK: u64 = 6;

/// Decodes a binary message. Its data is a `Value::Bytes` with one complete MessagePack value.
///
/// # Errors
/// When it is not exactly one packet that a client may send, or exceeds a limit.
pub(in super::super) fn decode(
    config: &ParseConfig,
    message: &Bytes,
) -> Result<Packet, ParseError> {
    let mut reader = Reader::new(message);
    let Item::Map(fields) = reader.next()? else {
        return Err(ParseError::InvalidData);
    };
    let mut kind = None;
    let mut ns = None;
    let mut id = None;
    let mut data = None;
    for _ in 0..fields {
        let Item::Str(field) = reader.next()? else {
            return Err(ParseError::InvalidData);
        };
        match field {
            b"type" => kind = integer(reader.next()?),
            b"nsp" => match reader.next()? {
                Item::Str(name) => ns = Some(String::from_utf8_lossy(name).into_owned()),
                _ => return Err(ParseError::InvalidNamespace),
            },
            b"id" => {
                id = match reader.next()? {
                    Item::Undefined => None,
                    number => Some(integer(number).ok_or(ParseError::InvalidAckId)?),
                };
            }
            b"data" => {
                let before = reader.left();
                check(&mut reader, config.max_incoming_binaries)?;
                let start = message.len() - before;
                data = Some(message.slice(start..message.len() - reader.left()));
            }
            _ => check(&mut reader, config.max_incoming_binaries)?,
        }
    }
    if reader.left() > 0 {
        return Err(ParseError::InvalidData);
    }
    let kind = kind
        .and_then(|kind| u64::try_from(kind).ok())
        .ok_or(ParseError::InvalidPacketType)?;
    let is_nothing = |data: &Bytes| {
        let first = Reader::new(data).next();
        matches!(first, Ok(Item::Undefined))
    };
    let data = data.filter(|data| !is_nothing(data));
    Ok(Packet {
        inner: inner(kind, id, data)?,
        ns: ns.ok_or(ParseError::InvalidNamespace)?.into(),
    })
}

/// Decodes a text message: version 2 of the parser joins and leaves namespaces in JSON.
///
/// # Errors
/// When it is anything else.
pub(in super::super) fn decode_text(message: &str) -> Result<Packet, ParseError> {
    #[derive(serde::Deserialize)]
    struct Fields {
        r#type: u8,
        nsp: String,
    }
    let fields: Fields =
        serde_json::from_str(message).map_err(|_| ParseError::UnexpectedStringPacket)?;
    let inner = match fields.r#type {
        packet_type::CONNECT => PacketData::Connect(None),
        packet_type::DISCONNECT => PacketData::Disconnect,
        _ => return Err(ParseError::UnexpectedStringPacket),
    };
    Ok(Packet {
        inner,
        ns: fields.nsp.into(),
    })
}

fn inner(kind: u64, id: Option<i64>, data: Option<Bytes>) -> Result<PacketData, ParseError> {
    Ok(match (kind, data) {
        (CONNECT, None) => PacketData::Connect(None),
        (CONNECT, Some(data)) if data::is_object(&data) => {
            PacketData::Connect(Some(Value::Bytes(data)))
        }
        (DISCONNECT, None) => PacketData::Disconnect,
        (EVENT | BINARY_EVENT, Some(data)) if data::is_array(&data) => {
            PacketData::Event(Value::Bytes(data), id)
        }
        (ACK | BINARY_ACK, Some(data)) if data::is_array(&data) => {
            PacketData::EventAck(Value::Bytes(data), id.ok_or(ParseError::InvalidAckId)?)
        }
        (CONNECT..=ACK | BINARY_EVENT | BINARY_ACK, _) => return Err(ParseError::InvalidData),
        _ => return Err(ParseError::InvalidPacketType),
    })
}
