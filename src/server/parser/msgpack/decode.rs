//! A message of a client: its packet, the data turned into JSON text and attachments.
//!
//! What JSON lacks arrives as JSON would have written it: a `Date` as its text, a number that is
//! none as `null`, `undefined` as nothing. Bounded by the message, by [`MAX_DEPTH`] and by the
//! count of attachments; a message that claims more than it carries ends where its bytes end.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::engine::Str;
use bytes::Bytes;
use socketioxide_core::Value;
use socketioxide_core::packet::{Packet, PacketData};
use socketioxide_core::parser::{ParseConfig, ParseError};

use super::date;
use super::read::{Item, Reader};

/// How deep values may lie in each other: more than JavaScript's own encoder manages.
const MAX_DEPTH: usize = 10_000;
const CONNECT: u64 = super::CONNECT as u64;
const DISCONNECT: u64 = super::DISCONNECT as u64;
const EVENT: u64 = super::EVENT as u64;
const ACK: u64 = super::ACK as u64;
/// Packets of Socket.IO 2 that carry binary are numbered apart.
const BINARY_EVENT: u64 = 5;
const BINARY_ACK: u64 = 6;
/// Integers beyond which a JavaScript number is not exact.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// Reads one message.
///
/// # Errors
/// When it is not exactly one packet that a client may send, or exceeds a limit.
pub(in super::super) fn decode(config: &ParseConfig, message: &[u8]) -> Result<Packet, ParseError> {
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
                Item::Str(name) => ns = Some(text(name).into_owned()),
                _ => return Err(ParseError::InvalidNamespace),
            },
            b"id" => {
                id = match reader.next()? {
                    Item::Nil | Item::Undefined => None,
                    number => Some(integer(number).ok_or(ParseError::InvalidAckId)?),
                };
            }
            b"data" => {
                data = Some(reader);
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
    }
    if !reader.is_empty() {
        return Err(ParseError::InvalidData);
    }
    let kind = kind
        .and_then(|kind| u64::try_from(kind).ok())
        .ok_or(ParseError::InvalidPacketType)?;
    // As in Socket.IO's own format, only events and their answers have attachments.
    let binary = match kind {
        CONNECT => Binary::Inline,
        _ => Binary::Attached(config.max_incoming_binaries),
    };
    let data = match data {
        Some(mut reader) => json(binary, &mut reader)?,
        None => None,
    };
    Ok(Packet {
        inner: inner(kind, id, data)?,
        ns: ns.ok_or(ParseError::InvalidNamespace)?.into(),
    })
}

/// Reads one text message: version 2 of the parser joins and leaves namespaces in JSON.
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
        super::CONNECT => PacketData::Connect(None),
        super::DISCONNECT => PacketData::Disconnect,
        _ => return Err(ParseError::UnexpectedStringPacket),
    };
    Ok(Packet {
        inner,
        ns: fields.nsp.into(),
    })
}

fn inner(kind: u64, id: Option<i64>, data: Option<Data>) -> Result<PacketData, ParseError> {
    Ok(match (kind, data) {
        (CONNECT, None) => PacketData::Connect(None),
        (CONNECT, Some(data)) => PacketData::Connect(Some(data.object()?)),
        (DISCONNECT, None) => PacketData::Disconnect,
        (EVENT | BINARY_EVENT, Some(data)) => PacketData::Event(data.array()?, id),
        (ACK | BINARY_ACK, Some(data)) => {
            PacketData::EventAck(data.array()?, id.ok_or(ParseError::InvalidAckId)?)
        }
        (CONNECT..=ACK | BINARY_EVENT | BINARY_ACK, _) => return Err(ParseError::InvalidData),
        _ => return Err(ParseError::InvalidPacketType),
    })
}

/// JSON text and its attachments.
struct Data {
    shape: Shape,
    text: Vec<u8>,
    attachments: VecDeque<Bytes>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Array,
    Object,
    Other,
}

impl Data {
    fn array(self) -> Result<Value, ParseError> {
        self.value(Shape::Array)
    }

    fn object(self) -> Result<Value, ParseError> {
        self.value(Shape::Object)
    }

    fn value(self, shape: Shape) -> Result<Value, ParseError> {
        if self.shape != shape {
            return Err(ParseError::InvalidData);
        }
        let text = String::from_utf8(self.text).map_err(|_| ParseError::InvalidData)?;
        let attachments = (!self.attachments.is_empty()).then_some(self.attachments);
        Ok(Value::Str(Str::from(text), attachments))
    }
}

/// The integer a value is, as JavaScript sees it: `2.0` is one.
fn integer(item: Item<'_>) -> Option<i64> {
    match item {
        Item::Unsigned(number) => i64::try_from(number).ok(),
        Item::Signed(number) => Some(number),
        Item::Float(number) if number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER => {
            Some(number as i64)
        }
        _ => None,
    }
}

/// Text as JavaScript reads it: what is not UTF-8 is replaced.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Where binary values go.
#[derive(Debug, Clone, Copy)]
enum Binary {
    /// Into attachments, of which there may be this many.
    Attached(usize),
    /// Into the text, as JSON writes a `Buffer`.
    Inline,
}

/// An array or object whose end has not come.
struct Open {
    left: u32,
    is_map: bool,
    is_fresh: bool,
}

/// Turns the next value into JSON; `None` for `null` and `undefined`, which stand for no data.
fn json(binary: Binary, reader: &mut Reader<'_>) -> Result<Option<Data>, ParseError> {
    let first = reader.next()?;
    let shape = match first {
        Item::Nil | Item::Undefined => return Ok(None),
        Item::Array(_) => Shape::Array,
        Item::Map(_) => Shape::Object,
        _ => Shape::Other,
    };
    let mut writer = Writer {
        binary,
        text: Vec::new(),
        attachments: VecDeque::new(),
        open: Vec::new(),
    };
    writer.item(first)?;
    while let Some(inmost) = writer.open.last_mut() {
        if inmost.left == 0 {
            writer.text.push(if inmost.is_map { b'}' } else { b']' });
            writer.open.pop();
            continue;
        }
        inmost.left -= 1;
        let key = if inmost.is_map {
            Some(reader.next()?)
        } else {
            None
        };
        let item = reader.next()?;
        if key.is_some() && item == Item::Undefined {
            continue;
        }
        if !std::mem::take(&mut inmost.is_fresh) {
            writer.text.push(b',');
        }
        if let Some(key) = key {
            writer.key(key)?;
        }
        writer.item(item)?;
    }
    Ok(Some(Data {
        shape,
        text: writer.text,
        attachments: writer.attachments,
    }))
}

struct Writer {
    binary: Binary,
    text: Vec<u8>,
    attachments: VecDeque<Bytes>,
    open: Vec<Open>,
}

impl Writer {
    fn key(&mut self, key: Item<'_>) -> Result<(), ParseError> {
        match key {
            Item::Str(name) => self.string(&text(name))?,
            Item::Unsigned(number) => self.raw(format_args!("\"{number}\"")),
            Item::Signed(number) => self.raw(format_args!("\"{number}\"")),
            _ => return Err(ParseError::InvalidData),
        }
        self.text.push(b':');
        Ok(())
    }

    fn item(&mut self, item: Item<'_>) -> Result<(), ParseError> {
        match item {
            Item::Nil | Item::Undefined => self.null(),
            Item::Bool(value) => self.raw(format_args!("{value}")),
            Item::Unsigned(number) => self.raw(format_args!("{number}")),
            Item::Signed(number) => self.raw(format_args!("{number}")),
            Item::Float(number) => self.float(number)?,
            Item::Str(bytes) => self.string(&text(bytes))?,
            Item::Bin(bytes) => self.binary(bytes)?,
            Item::Date(time) => match date::iso(time) {
                Some(text) => self.string(&text)?,
                None => self.null(),
            },
            Item::Ext(kind, bytes) => {
                self.raw(format_args!("[{kind},"));
                self.binary(bytes)?;
                self.text.push(b']');
            }
            Item::Array(length) => self.open(b'[', length)?,
            Item::Map(length) => self.open(b'{', length)?,
        }
        Ok(())
    }

    fn raw(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a vector cannot fail.
        let _ = std::io::Write::write_fmt(&mut self.text, text);
    }

    fn null(&mut self) {
        self.text.extend_from_slice(b"null");
    }

    fn string(&mut self, text: &str) -> Result<(), ParseError> {
        serde_json::to_writer(&mut self.text, text).map_err(|_| ParseError::InvalidData)
    }

    /// An integer is written as one, so that it reads the same however it came.
    fn float(&mut self, number: f64) -> Result<(), ParseError> {
        if number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER {
            self.raw(format_args!("{number}"));
            return Ok(());
        }
        // Gives `null` for what is no number.
        serde_json::to_writer(&mut self.text, &number).map_err(|_| ParseError::InvalidData)
    }

    fn binary(&mut self, bytes: &[u8]) -> Result<(), ParseError> {
        match self.binary {
            Binary::Attached(max) => self.attach(bytes, max),
            Binary::Inline => self.inline(bytes),
        }
    }

    fn attach(&mut self, bytes: &[u8], max: usize) -> Result<(), ParseError> {
        let num = self.attachments.len();
        if num >= max {
            return Err(ParseError::TooManyAttachments { got: num + 1, max });
        }
        self.raw(format_args!("{{\"_placeholder\":true,\"num\":{num}}}"));
        // Copied: a view would keep the whole message.
        self.attachments.push_back(Bytes::copy_from_slice(bytes));
        Ok(())
    }

    fn inline(&mut self, bytes: &[u8]) -> Result<(), ParseError> {
        self.raw(format_args!("{{\"type\":\"Buffer\",\"data\":"));
        serde_json::to_writer(&mut self.text, bytes).map_err(|_| ParseError::InvalidData)?;
        self.text.push(b'}');
        Ok(())
    }

    fn open(&mut self, bracket: u8, left: u32) -> Result<(), ParseError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(ParseError::InvalidData);
        }
        self.text.push(bracket);
        self.open.push(Open {
            left,
            is_map: bracket == b'{',
            is_fresh: true,
        });
        Ok(())
    }
}
