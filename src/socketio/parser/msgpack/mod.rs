//! MessagePack as in `socket.io-msgpack-parser` 3: a packet is one binary message, a map of `type`,
//! `nsp` and, if there are any, `data` and `id`. In version 2, of Socket.IO 2 clients, packets with
//! binary data have types of their own, and clients join and leave namespaces in JSON; both are accepted.
//!
//! The data of a packet stays MessagePack between here and `lib/native/msgpack.js`, which decodes and
//! encodes it: a `Date` or `undefined` would not survive in JSON.
//!
//! ```text
//! decode   decodes a client's message into a packet, and checks its data
//! data     the shape of the data, and the name of an event
//! read     reads MessagePack value by value
//! packet_type  Socket.IO's packet types
//! ```
//!
//! Nothing here recurses, however deeply a client nests values.

mod data;
mod decode;
mod packet_type;
mod read;
#[cfg(test)]
mod tests;

use std::convert::Infallible;

use bytes::Bytes;
use rmp::encode::{ByteBuf, RmpWrite, ValueWriteError, write_map_len, write_sint, write_str};

use self::packet_type::{ACK, CONNECT, CONNECT_ERROR, DISCONNECT, EVENT};
use super::outgoing::{Kind, Outgoing};
use super::welcome::Welcome;
use crate::engineio::message::{Frame, Message};
use crate::engineio::{ProtocolVersion, Str};

#[cfg(any(test, feature = "fuzzing"))]
pub(in super::super) use data::is_one_value;
pub(in super::super) use data::{array_length, event_name, is_deeper_than, is_object};
pub(super) use decode::{decode, decode_text};

/// Writing to memory cannot fail.
type Written = Result<(), ValueWriteError<Infallible>>;

/// `undefined`, as the encoder of `socket.io-msgpack-parser` writes it.
const UNDEFINED: [u8; 3] = [0xd4, 0, 0];

/// A field of a packet. Fields are written in the order of `socket.io` 4. Those that do not apply are
/// left out, which the client's parser distinguishes from `null`.
enum Field<'a> {
    Type(u8),
    Namespace(&'a str),
    /// Encoded already.
    Data(&'a [u8]),
    Id(i64),
}

use Field::{Data, Id, Namespace, Type};

pub(super) fn encode(outgoing: Outgoing<'_>, data: &[u8]) -> Frame {
    let namespace = Namespace(outgoing.ns);
    match outgoing.kind {
        Kind::Event(None) => packet(&[Type(EVENT), Data(data), namespace]),
        Kind::Event(Some(id)) => packet(&[Type(EVENT), Data(data), Id(id), namespace]),
        Kind::Ack(id) => packet(&[Id(id), Type(ACK), Data(data), namespace]),
    }
}

/// An event, with an id between its data and its namespace.
pub(super) fn with_ack(ns: &Str, event: &Bytes, ack: i64) -> Bytes {
    // The first byte is the number of fields; the namespace is the last one.
    let mut tail = ByteBuf::new();
    let Ok(()) = write_field(&mut tail, &Namespace(ns));
    let body = event.len().saturating_sub(tail.as_slice().len());
    let mut out = ByteBuf::with_capacity(event.len() + ACK_FIELD);
    let Ok(()) = write_with_ack(&mut out, event.get(1..body).unwrap_or_default(), ack);
    let Ok(()) = write_bytes(&mut out, tail.as_slice());
    out.into_vec().into()
}

fn write_with_ack(out: &mut ByteBuf, body: &[u8], ack: i64) -> Written {
    write_map_len(out, 4)?;
    write_bytes(out, body)?;
    write_field(out, &Id(ack))
}

/// The maximum length of an id with its key.
const ACK_FIELD: usize = 12;

pub(super) fn disconnect(ns: &Str) -> Frame {
    packet(&[Type(DISCONNECT), Namespace(ns)])
}

pub(super) fn connect(ns: &Str, welcome: Welcome<'_>, protocol: ProtocolVersion) -> Frame {
    if protocol == ProtocolVersion::V3 {
        return packet(&[Type(CONNECT), Namespace(ns)]);
    }
    let mut data = ByteBuf::new();
    let Ok(()) = write_welcome(&mut data, welcome);
    packet(&[Type(CONNECT), Data(data.as_slice()), Namespace(ns)])
}

/// The id of the socket, and that of its session, which is undefined without recovery.
fn write_welcome(out: &mut ByteBuf, Welcome { id, pid }: Welcome<'_>) -> Written {
    write_map_len(out, 2)?;
    write_str(out, "sid")?;
    write_str(out, id)?;
    write_str(out, "pid")?;
    match pid {
        Some(pid) => write_str(out, pid),
        None => write_bytes(out, &UNDEFINED),
    }
}

pub(super) fn connect_error(ns: &Str, data: &[u8]) -> Frame {
    packet(&[Type(CONNECT_ERROR), Data(data), Namespace(ns)])
}

/// A namespace does not exist: to a client of Engine.IO 3 in a string, all that version 2 of the parser
/// takes.
pub(super) fn no_namespace(ns: &Str, message: &str, protocol: ProtocolVersion) -> Frame {
    let mut data = ByteBuf::new();
    let Ok(()) = write_error(&mut data, message, protocol);
    packet(&[Type(CONNECT_ERROR), Namespace(ns), Data(data.as_slice())])
}

fn write_error(out: &mut ByteBuf, message: &str, protocol: ProtocolVersion) -> Written {
    if protocol == ProtocolVersion::V4 {
        write_map_len(out, 1)?;
        write_str(out, "message")?;
    }
    write_str(out, message)
}

fn packet(fields: &[Field<'_>]) -> Frame {
    const FIELDS: usize = 48;
    let length = |field: &Field<'_>| match field {
        Namespace(ns) => ns.len(),
        Data(data) => data.len(),
        Type(_) | Id(_) => 0,
    };
    let capacity = FIELDS + fields.iter().map(length).sum::<usize>();
    let mut out = ByteBuf::with_capacity(capacity);
    let Ok(()) = write_packet(&mut out, fields);
    Frame::new(Message::Binary(out.into_vec().into()))
}

fn write_packet(out: &mut ByteBuf, fields: &[Field<'_>]) -> Written {
    write_map_len(out, u32::try_from(fields.len()).unwrap_or_default())?;
    fields.iter().try_for_each(|field| write_field(out, field))
}

// A function of its own would cost each packet more.
#[inline(always)]
fn write_field(out: &mut ByteBuf, field: &Field<'_>) -> Written {
    match *field {
        Type(kind) => {
            write_str(out, "type")?;
            write_sint(out, kind.into())?;
        }
        Namespace(ns) => {
            write_str(out, "nsp")?;
            write_str(out, ns)?;
        }
        Data(data) => {
            write_str(out, "data")?;
            write_bytes(out, data)?;
        }
        Id(id) => {
            write_str(out, "id")?;
            write_sint(out, id)?;
        }
    }
    Ok(())
}

fn write_bytes(out: &mut ByteBuf, bytes: &[u8]) -> Written {
    let Ok(()) = out.write_bytes(bytes);
    Ok(())
}
