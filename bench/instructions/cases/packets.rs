//! The payload and the encoding of packets: [`crate::socketio::packet`] and
//! [`crate::socketio::parser`].

use std::hint::black_box;

use bytes::Bytes;
use socketioxide_core::parser::{ParseConfig, ParserState};

use super::count;
use crate::engineio::Str;
use crate::engineio::message::{Frame, Message};
use crate::socketio::packet;
use crate::socketio::parser::{Outgoing, Parser};

const EVENT: &str = r#"["double",{"value":21}]"#;
const ANSWER: &str = r#"[{"result":{"value":42}}]"#;
const BLOB: &str = r#"["blob",{"value":21,"data":{"_placeholder":true,"num":0}}]"#;

/// How often `is` holds.
fn holds(n: u32, is: impl Fn() -> bool) {
    let held = count(|| (0..n).filter(|_| is()).count());
    assert_eq!(held, n as usize);
}

fn names(n: u32, text: &str, name: &[u8]) {
    holds(n, || {
        packet::event_name(black_box(text)).is_some_and(|found| *found == *name)
    });
}

/// The name of a small event.
pub(super) fn name(n: u32) {
    names(n, EVENT, b"double");
}

/// The name of an event of a kibibyte: all of it is checked.
pub(super) fn name_large(n: u32) {
    let filler = r#"{"id":12345,"tags":["a","b"],"price":-1.5e3},"#.repeat(24);
    let text = format!(r#"["double",[{filler}null]]"#);
    names(n, &text, b"double");
}

/// A name that has to be unescaped.
pub(super) fn name_escaped(n: u32) {
    names(n, r#"["dou\u0062le",{"value":21}]"#, b"double");
}

/// What a client acknowledges with.
pub(super) fn array(n: u32) {
    holds(n, || packet::is_arguments(black_box(ANSWER)));
}

/// What a client joins a namespace with.
pub(super) fn object(n: u32) {
    holds(n, || {
        packet::is_object(black_box(r#"{"token":"abcdefghijklmnop"}"#))
    });
}

/// Reads packets of one message each, and of two where an attachment follows.
fn read(n: u32, parser: Parser, text: Option<&str>, binary: Option<Bytes>) {
    let config = ParseConfig::default();
    let state = ParserState::default();
    let packets = count(|| {
        let mut packets = 0;
        for _ in 0..n {
            let read = black_box(text).map(|text| parser.decode_text(&config, &state, text));
            packets += u32::from(matches!(read, Some(Ok(_))));
            let bytes = black_box(&binary).clone();
            let read = bytes.map(|bytes| parser.decode_binary(&config, &state, bytes));
            packets += u32::from(matches!(read, Some(Ok(_))));
        }
        packets
    });
    assert_eq!(packets, n);
}

/// Writes answers, each with its own copy of what is attached.
fn write(n: u32, parser: Parser, json: &str, attachments: &[Bytes]) {
    let messages = count(|| {
        let write = |ack| {
            let packet = Outgoing::ack("/", black_box(json), ack);
            let frame = parser.encode(packet, attachments.to_vec());
            messages(black_box(&frame))
        };
        (0..i64::from(n)).map(write).sum::<usize>()
    });
    let per_packet = match parser {
        Parser::Common => 1 + attachments.len(),
        Parser::Msgpack => 1,
    };
    assert_eq!(messages, n as usize * per_packet);
}

fn messages(frame: &Frame) -> usize {
    match &frame.message {
        Message::Text(_, attachments) => 1 + attachments.len(),
        Message::Binary(_) => 1,
    }
}

/// A call in the default wire format.
pub(super) fn json_read(n: u32) {
    read(n, Parser::Common, Some(&format!("27{EVENT}")), None);
}

/// The same with an attachment.
pub(super) fn json_read_attachment(n: u32) {
    let data = Bytes::from_static(&[7; 64]);
    read(n, Parser::Common, Some(&format!("51-7{BLOB}")), Some(data));
}

/// An answer in the default wire format.
pub(super) fn json_write(n: u32) {
    write(n, Parser::Common, ANSWER, &[]);
}

/// The same with an attachment.
pub(super) fn json_write_attachment(n: u32) {
    let json = r#"[{"result":{"_placeholder":true,"num":0}}]"#;
    write(n, Parser::Common, json, &[Bytes::from_static(&[7; 64])]);
}

/// `["double",{"value":21}]` and `[{"result":{"value":42}}]` in MessagePack.
const PACKED_EVENT: &[u8] = b"\x92\xa6double\x81\xa5value\x15";
const PACKED_ANSWER: &[u8] = b"\x91\x81\xa6result\x81\xa5value\x2a";

/// A call in MessagePack.
pub(super) fn msgpack_read(n: u32) {
    let data = vec![Bytes::from_static(PACKED_EVENT)];
    let event = Parser::Msgpack.encode(Outgoing::event("/", "", Some(7)), data);
    let Message::Binary(bytes) = event.message else {
        return;
    };
    read(n, Parser::Msgpack, None, Some(bytes));
}

/// An answer in MessagePack.
pub(super) fn msgpack_write(n: u32) {
    write(n, Parser::Msgpack, "", &[Bytes::from_static(PACKED_ANSWER)]);
}
