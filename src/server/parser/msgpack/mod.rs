//! MessagePack on the wire, as `socket.io-msgpack-parser` 3 has it: a packet is one binary message,
//! a map of `type`, `nsp` and, where they belong, `data` and `id`. Version 2, of Socket.IO 2 clients,
//! numbers packets with binary apart and joins and leaves namespaces in JSON; both are understood.
//!
//! ```text
//! decode   a message of a client: its packet, the data turned into JSON text
//! read     the values of MessagePack, one by one
//! encode   JSON text turned into MessagePack
//! date     a moment as JSON has it
//! ```
//!
//! Nothing here recurses, whatever a client nests.

mod date;
mod decode;
mod encode;
mod read;
#[cfg(test)]
mod tests;

use std::convert::Infallible;

use crate::engine::Str;
use bytes::Bytes;
use rmp::encode::{ByteBuf, ValueWriteError, write_map_len, write_sint, write_str};

use super::{Frame, Message};

pub(super) use decode::{decode, decode_text};

/// Writing to memory cannot fail.
type Written = Result<(), ValueWriteError<Infallible>>;

const CONNECT: u8 = 0;
const DISCONNECT: u8 = 1;
const EVENT: u8 = 2;
const ACK: u8 = 3;
const CONNECT_ERROR: u8 = 4;

pub(super) fn event(ns: &Str, json: &str, attachments: &[Bytes], ack: Option<i64>) -> Frame {
    packet(EVENT, ns, Some(json), attachments, ack)
}

pub(super) fn ack(ns: &Str, json: &str, attachments: &[Bytes], ack: i64) -> Frame {
    packet(ACK, ns, Some(json), attachments, Some(ack))
}

pub(super) fn disconnect(ns: &Str) -> Frame {
    packet(DISCONNECT, ns, None, &[], None)
}

pub(super) fn connect(ns: &Str, json: Option<&str>) -> Frame {
    packet(CONNECT, ns, json, &[], None)
}

pub(super) fn connect_error(ns: &Str, json: &str) -> Frame {
    packet(CONNECT_ERROR, ns, Some(json), &[], None)
}

/// A field that does not apply is left out: the parser of the client tells that from `null`.
fn packet(kind: u8, ns: &Str, json: Option<&str>, attachments: &[Bytes], id: Option<i64>) -> Frame {
    const FIELDS: usize = 48;
    let attached = attachments.iter().map(Bytes::len).sum::<usize>();
    let capacity = FIELDS + ns.len() + json.map_or(0, str::len) + attached;
    let mut out = ByteBuf::with_capacity(capacity);
    let Ok(()) = write_packet(&mut out, kind, ns, json, attachments, id);
    Frame::new(Message::Binary(out.into_vec().into()))
}

fn write_packet(
    out: &mut ByteBuf,
    kind: u8,
    ns: &Str,
    json: Option<&str>,
    attachments: &[Bytes],
    id: Option<i64>,
) -> Written {
    let fields = 2 + u32::from(json.is_some()) + u32::from(id.is_some());
    write_map_len(out, fields)?;
    write_str(out, "type")?;
    write_sint(out, kind.into())?;
    write_str(out, "nsp")?;
    write_str(out, ns)?;
    if let Some(json) = json {
        write_str(out, "data")?;
        encode::write_json(out, json, attachments)?;
    }
    if let Some(id) = id {
        write_str(out, "id")?;
        write_sint(out, id)?;
    }
    Ok(())
}
