//! Compares the payload codec with that of engineioxide-core, an independent implementation of Engine.IO.
//!
//! Payloads that one of them writes are read by the other as the same packets, and what one refuses the
//! other refuses. Where they differ on purpose, a test says how and why. `PROPTEST_CASES` in the
//! environment sets how many payloads each property sees.

use std::pin::pin;

use bytes::Bytes;
use engineioxide_core::Packet as TheirPacket;
use engineioxide_core::payload::{decoder, encoder};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::HeaderValue;
use http_body_util::Full;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use smallvec::smallvec;

use super::packet::Packet;
use super::payload::{self, Writer};
use super::{ProtocolVersion, Str};

const NO_LIMIT: u64 = 1 << 20;

/// The form of a payload: its protocol version, and whether it is binary.
#[derive(Clone, Copy, Debug)]
struct Form {
    protocol: ProtocolVersion,
    is_binary: bool,
}

const V4: Form = Form {
    protocol: ProtocolVersion::V4,
    is_binary: false,
};
const V3: Form = Form {
    protocol: ProtocolVersion::V3,
    is_binary: false,
};
const V3_BINARY: Form = Form {
    protocol: ProtocolVersion::V3,
    is_binary: true,
};

/// A packet as a decoder passes it on. The data of a ping or pong is ignored in a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Received {
    Close,
    Ping,
    Pong,
    Message(String),
    Binary(Vec<u8>),
    Upgrade,
    Noop,
}

/// The packets of a body, and whether all of it could be read.
type Read = (Vec<Received>, bool);

fn read_by_us(body: &[u8], form: Form) -> Read {
    let mut received = Vec::new();
    let read = payload::read(body, form.is_binary, form.protocol, |packet| {
        received.push(match packet {
            Packet::Close => Received::Close,
            Packet::Ping(_) => Received::Ping,
            Packet::Pong => Received::Pong,
            Packet::Message(text) => Received::Message(text.to_owned()),
            Packet::Binary(bytes) => Received::Binary(bytes.into()),
            Packet::Upgrade => Received::Upgrade,
            Packet::Noop => Received::Noop,
        });
        true
    });
    (received, read.is_ok())
}

fn read_by_engineioxide(body: &[u8], form: Form) -> Read {
    let content_type = match form.is_binary {
        true => HeaderValue::from_static("application/octet-stream"),
        false => HeaderValue::from_static("text/plain; charset=UTF-8"),
    };
    let body = Full::new(Bytes::copy_from_slice(body));
    let mut packets = pin!(decoder(body, Some(&content_type), form.protocol, NO_LIMIT));
    let mut received = Vec::new();
    loop {
        let next = packets.next().now_or_never().expect("the body is there");
        received.push(match next {
            None => return (received, true),
            Some(Err(_)) => return (received, false),
            Some(Ok(packet)) => match packet {
                TheirPacket::Close => Received::Close,
                TheirPacket::Ping | TheirPacket::PingUpgrade => Received::Ping,
                TheirPacket::Pong | TheirPacket::PongUpgrade => Received::Pong,
                TheirPacket::Message(text) => Received::Message(text.to_string()),
                TheirPacket::Binary(bytes) | TheirPacket::BinaryV3(bytes) => {
                    Received::Binary(bytes.into())
                }
                TheirPacket::Upgrade => Received::Upgrade,
                TheirPacket::Noop => Received::Noop,
                TheirPacket::Open(_) => unreachable!("a client sends no open packet"),
            },
        });
    }
}

fn write_by_us(packets: &[Received], form: Form) -> Bytes {
    let mut writer = Writer::new(form.protocol, form.is_binary);
    for packet in packets {
        writer.packet(&match packet {
            Received::Message(text) => payload::Packet::Text(Str::copy_from_slice(text)),
            Received::Binary(bytes) => payload::Packet::Binary(bytes.clone().into()),
            Received::Ping => payload::Packet::Ping,
            Received::Pong => payload::Packet::Pong,
            _ => payload::Packet::Noop,
        });
    }
    let (body, is_binary) = writer.finish();
    assert_eq!(is_binary, form.is_binary);
    body
}

/// The body, and whether it is binary: of version 3 only if a packet is, and the client takes that.
fn write_by_engineioxide(packets: &[Received], form: Form) -> (Bytes, bool) {
    let packets = packets.iter().map(|packet| match packet {
        Received::Close => TheirPacket::Close,
        Received::Ping => TheirPacket::Ping,
        Received::Pong => TheirPacket::Pong,
        Received::Message(text) => TheirPacket::Message(Str::copy_from_slice(text)),
        Received::Binary(bytes) => match form.protocol {
            ProtocolVersion::V3 => TheirPacket::BinaryV3(bytes.clone().into()),
            ProtocolVersion::V4 => TheirPacket::Binary(bytes.clone().into()),
        },
        Received::Upgrade => TheirPacket::Upgrade,
        Received::Noop => TheirPacket::Noop,
    });
    let batches: Vec<_> = packets.map(|packet| smallvec![packet]).collect();
    let written = encoder(
        stream::iter(batches),
        form.protocol,
        form.is_binary,
        NO_LIMIT,
    );
    let written = written.now_or_never().expect("the packets are there");
    (written.data, written.has_binary)
}

const PIECES_V4: [&str; 4] = ["bAQI=", "b", "bAQIDBA==", "bAQID"];
const PIECES_V3: [&str; 4] = ["b4AQI=", "b4", "b4AQID", "b"];

fn form() -> impl Strategy<Value = Form> {
    select(vec![V4, V3, V3_BINARY])
}

/// Texts of characters of one to four bytes, which are one or two units of JavaScript. The separator of
/// version 4 is not among them: JSON escapes it.
fn text() -> impl Strategy<Value = String> {
    let character = select(vec![
        'a', ':', '4', '"', '\u{7f}', 'ü', '✓', '\u{ffff}', '😀',
    ]);
    vec(character, 0..40).prop_map(String::from_iter)
}

fn packet() -> impl Strategy<Value = Received> {
    prop_oneof![
        6 => text().prop_map(Received::Message),
        3 => vec(any::<u8>(), 0..40).prop_map(Received::Binary),
        1 => select(vec![Received::Ping, Received::Pong, Received::Noop]),
    ]
}

fn packet_of_a_client() -> impl Strategy<Value = Received> {
    prop_oneof![
        6 => packet(),
        1 => select(vec![Received::Close, Received::Upgrade]),
    ]
}

/// A packet as it stands in a payload of text, or something that is none. Those of binary packets are
/// given: the versions differ in them.
fn piece(binary: [&'static str; 4]) -> impl Strategy<Value = String> {
    prop_oneof![
        6 => text().prop_map(|text| format!("4{text}")),
        2 => select(vec!["1", "2", "2probe", "3", "5", "6"]).prop_map(str::to_owned),
        1 => select(binary.to_vec()).prop_map(str::to_owned),
        1 => select(vec!["7", "x", "é", "-1", "✓4"]).prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn payloads_that_we_write_are_read_by_engineioxide_as_the_same_packets(
        packets in vec(packet(), 1..20),
        form in form(),
    ) {
        let body = write_by_us(&packets, form);
        prop_assert_eq!(read_by_engineioxide(&body, form), (packets, true));
    }

    #[test]
    fn payloads_that_engineioxide_writes_are_read_by_us_as_the_same_packets(
        packets in vec(packet_of_a_client(), 1..20),
        form in form(),
    ) {
        let (body, is_binary) = write_by_engineioxide(&packets, form);
        let form = Form { is_binary, ..form };
        prop_assert_eq!(read_by_us(&body, form), (packets, true));
    }

    #[test]
    fn payloads_of_engine_io_4_that_engineioxide_refuses_are_refused_by_us_and_no_others(
        pieces in vec(prop_oneof![9 => piece(PIECES_V4), 1 => Just(String::new())], 0..6),
        last in piece(PIECES_V4),
    ) {
        let body = [pieces, vec![last]].concat().join("\x1e");
        prop_assert_eq!(read_by_us(body.as_bytes(), V4), read_by_engineioxide(body.as_bytes(), V4));
    }

    #[test]
    fn payloads_of_engine_io_3_that_engineioxide_refuses_are_refused_by_us_and_no_others(
        pieces in vec((piece(PIECES_V3), prop_oneof![9 => Just(0), 1 => -1..3isize]), 1..6),
        end in select(vec!["", "", "", "x", "9", "x:4", ":", "9:4"]),
    ) {
        let are_right = pieces.iter().all(|&(_, error)| error == 0);
        // We decode base64 that is cut short, or runs into the next packet, as far as it is valid.
        let pieces = pieces.into_iter().map(|(piece, error)| match piece.starts_with('b') {
            true if !are_right => ("2".to_owned(), error),
            _ => (piece, error),
        });
        let pieces: Vec<_> = pieces.collect();
        let mut body = String::new();
        for (piece, error) in pieces {
            let length = piece.encode_utf16().count().saturating_add_signed(error);
            // A length that ends amid a pair of surrogates stops engineioxide for ever.
            let piece = if are_right { piece } else { piece.replace('😀', "✓✓") };
            body.push_str(&format!("{length}:{piece}"));
        }
        body.push_str(end);
        let body = body.as_bytes();
        let (ours, theirs) = (read_by_us(body, V3), read_by_engineioxide(body, V3));
        // A body may end for engineioxide where a packet should begin.
        if theirs.1 && !ours.1 && body.ends_with(b":") {
            prop_assert_eq!(ours.0, theirs.0);
        } else {
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn binary_payloads_that_engineioxide_refuses_are_refused_by_us_and_no_others(
        packets in vec(packet(), 1..6),
        cut in prop::option::of(any::<Index>()),
    ) {
        let mut starts = Vec::new();
        let mut body = Vec::new();
        for packet in packets {
            starts.push(body.len());
            body.extend(write_by_us(&[packet], V3_BINARY));
        }
        if let Some(cut) = cut {
            body.truncate(1 + cut.index(body.len()));
        }
        let (ours, theirs) = (read_by_us(&body, V3_BINARY), read_by_engineioxide(&body, V3_BINARY));
        // A body may end for engineioxide where a packet's own bytes should begin, or before.
        let last = starts.iter().rfind(|&&start| start < body.len()).unwrap();
        let header = body[*last..].iter().position(|&byte| byte == 255);
        if theirs.1 && header.is_none_or(|end| last + end + 1 == body.len()) {
            prop_assert_eq!(ours, (theirs.0, false));
        } else {
            prop_assert_eq!(ours, theirs);
        }
    }
}

/// What only one of the two accepts, and what they read of it.
#[test]
fn payloads_that_only_one_codec_accepts_are_known() {
    let none = || vec![];
    // (body, form, what we read, what engineioxide reads)
    let rows: Vec<(&[u8], Form, Read, Read)> = vec![
        // Engine.IO refuses a payload without packets.
        (b"", V4, (none(), false), (none(), true)),
        (b"", V3, (none(), false), (none(), true)),
        // A separator has a packet on either side.
        (b"2\x1e", V4, (none(), false), (vec![Received::Ping], true)),
        // A packet that only servers send is ignored by Engine.IO.
        (b"0{}", V4, (vec![Received::Noop], true), (none(), false)),
        // Node decodes base64 without its padding.
        (
            b"bAQI",
            V4,
            (vec![Received::Binary(vec![1, 2])], true),
            (none(), false),
        ),
        // It also skips what is no digit, such as a line break.
        (
            b"bAQ\nI=\n",
            V4,
            (vec![Received::Binary(vec![1, 2])], true),
            (none(), false),
        ),
        // Version 3 has the type of a packet before its bytes, any type.
        (b"2:b2", V3, (vec![Received::Ping], true), (none(), false)),
        (
            &[1, 1, 255, 2],
            V3_BINARY,
            (vec![Received::Ping], true),
            (vec![Received::Binary(vec![])], true),
        ),
        // What is not text in a binary payload is bytes.
        (
            &[7, 2, 255, 4, 1],
            V3_BINARY,
            (vec![Received::Binary(vec![1])], true),
            (none(), false),
        ),
        // A body may not end where the packet should begin that has been announced.
        (b"1:", V3, (none(), false), (none(), true)),
        (&[0, 1, 255], V3_BINARY, (none(), false), (none(), true)),
        (&[0, 1], V3_BINARY, (none(), false), (none(), true)),
        // A length is of digits.
        (b"+1:2", V3, (none(), false), (vec![Received::Ping], true)),
    ];
    for (body, form, ours, theirs) in rows {
        assert_eq!(read_by_us(body, form), ours, "{body:?}");
        assert_eq!(read_by_engineioxide(body, form), theirs, "{body:?}");
    }
}
