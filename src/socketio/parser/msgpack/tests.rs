//! Messages of the real `socket.io-msgpack-parser` 3.0.2 and of `socket.io` 4.8.4 with it, byte for
//! byte, and hostile ones. What the values are is for the tests of `lib/native/msgpack.js` to say.

use crate::engineio::Str;
use crate::socketio::packet::Payload;
use bytes::Bytes;
use proptest::prelude::*;
use socketioxide_core::Value;
use socketioxide_core::packet::{Packet, PacketData};
use socketioxide_core::parser::{ParseConfig, ParseError};

use super::*;
use crate::engineio::message::{Frame, Message};

fn read(message: &[u8]) -> Result<Packet, ParseError> {
    decode(&ParseConfig::default(), &Bytes::copy_from_slice(message))
}

/// Type, id and data of a packet.
fn told(packet: PacketData) -> (u8, Option<i64>, Option<Vec<u8>>) {
    let data = |value: Value| match value {
        Value::Bytes(bytes) => Some(bytes.to_vec()),
        Value::Str(text, _) => panic!("text: {text:?}"),
    };
    match packet {
        PacketData::Connect(None) => (CONNECT, None, None),
        PacketData::Connect(Some(value)) => (CONNECT, None, data(value)),
        PacketData::Disconnect => (DISCONNECT, None, None),
        PacketData::Event(value, id) => (EVENT, id, data(value)),
        PacketData::EventAck(value, id) => (ACK, Some(id), data(value)),
        other => panic!("{other:?}"),
    }
}

fn bytes(frame: Frame) -> Vec<u8> {
    match frame.message {
        Message::Binary(bytes) => bytes.to_vec(),
        Message::Text(text, _) => panic!("text: {text}"),
    }
}

/// `{type: 2, nsp: '/', data: …}` around the MessagePack of `data`.
fn event_of(data: &[u8]) -> Vec<u8> {
    let mut message = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data".to_vec();
    message.extend_from_slice(data);
    message
}

fn name_of(data: &[u8]) -> Option<Vec<u8>> {
    let (name, _) = event_name(data)?;
    Some(name.into_owned())
}

#[test]
fn packets_are_those_of_socket_io() {
    let ns = Str::from("/");
    let admin = Str::from("/admin");
    assert_eq!(
        bytes(connect(
            &ns,
            Welcome::of("J-Tp7Ra5mLK__nL8AAAA"),
            ProtocolVersion::V4
        )),
        b"\x83\xa4type\x00\xa4data\x82\xa3sid\xb4J-Tp7Ra5mLK__nL8AAAA\xa3pid\xd4\0\0\xa3nsp\xa1/"
    );
    let recoverable = Welcome {
        id: "i",
        pid: Some("p"),
    };
    assert_eq!(
        bytes(connect(&ns, recoverable, ProtocolVersion::V4)),
        b"\x83\xa4type\x00\xa4data\x82\xa3sid\xa1i\xa3pid\xa1p\xa3nsp\xa1/"
    );
    for welcome in [Welcome::of("i"), recoverable] {
        assert_eq!(
            bytes(connect(&admin, welcome, ProtocolVersion::V3)),
            b"\x82\xa4type\x00\xa3nsp\xa6/admin"
        );
    }
    assert_eq!(
        bytes(encode(Outgoing::event("/", "", None), b"\x91\xa1m")),
        b"\x83\xa4type\x02\xa4data\x91\xa1m\xa3nsp\xa1/"
    );
    assert_eq!(
        bytes(encode(Outgoing::event("/", "", Some(0)), b"\x91\xa1m")),
        b"\x84\xa4type\x02\xa4data\x91\xa1m\xa2id\x00\xa3nsp\xa1/"
    );
    assert_eq!(
        bytes(encode(
            Outgoing::event("/", "", Some(1 << 32)),
            b"\x91\xa1m"
        )),
        b"\x84\xa4type\x02\xa4data\x91\xa1m\xa2id\xcf\0\0\0\x01\0\0\0\0\xa3nsp\xa1/"
    );
    assert_eq!(
        bytes(encode(Outgoing::ack("/admin", "", 300), b"\x90")),
        b"\x84\xa2id\xcd\x01\x2c\xa4type\x03\xa4data\x90\xa3nsp\xa6/admin"
    );
    assert_eq!(bytes(disconnect(&ns)), b"\x82\xa4type\x01\xa3nsp\xa1/");
    assert_eq!(
        bytes(connect_error(&ns, b"\xa2no")),
        b"\x83\xa4type\x04\xa4data\xa2no\xa3nsp\xa1/"
    );
    assert_eq!(
        bytes(no_namespace(&admin, "no", ProtocolVersion::V4)),
        b"\x83\xa4type\x04\xa3nsp\xa6/admin\xa4data\x81\xa7message\xa2no"
    );
    assert_eq!(
        bytes(no_namespace(&admin, "no", ProtocolVersion::V3)),
        b"\x83\xa4type\x04\xa3nsp\xa6/admin\xa4data\xa2no"
    );
}

#[test]
fn packet_fields_may_come_in_any_order() {
    let data = b"\x92\xa1m\xc4\x01x";
    for message in [
        &b"\x84\xa4type\x02\xa3nsp\xa2/a\xa4data\x92\xa1m\xc4\x01x\xa2id\x07"[..],
        b"\x84\xa2id\x07\xa4data\x92\xa1m\xc4\x01x\xa3nsp\xa2/a\xa4type\x02",
        // With an unknown field, and one that comes twice.
        b"\x86\xa7options\x81\xa1c\xc3\xa2id\x01\xa4data\x92\xa1m\xc4\x01x\xa3nsp\xa2/a\xa4type\x02\xa2id\x07",
    ] {
        let packet = read(message).unwrap();
        assert_eq!(packet.ns.as_str(), "/a");
        assert_eq!(told(packet.inner), (EVENT, Some(7), Some(data.to_vec())));
    }
}

#[test]
fn msgpack_data_is_forwarded_byte_for_byte() {
    for data in [
        &b"\x91\xa1m"[..],
        b"\x92\xa1m\xd4\0\0",
        b"\x93\xa1m\xd7\0\0\0\x01\x8b\xcf\xe5\x68\x7b\xcb\x7f\xf8\0\0\0\0\0\0",
        b"\x93\xa1m\xc7\x02\0ab\xc7\x03\x2aabc",
        b"\xdd\0\0\0\x01\xdb\0\0\0\x01m",
        b"\x92\xa1m\x85\xa1a\x01\x01\xc0\xff\xc0\xc3\xc0\xca\x3f\0\0\0\xc0",
    ] {
        let packet = read(&event_of(data)).unwrap();
        assert_eq!(told(packet.inner), (EVENT, None, Some(data.to_vec())));
    }
}

#[test]
fn an_event_is_named_by_its_first_value() {
    for (data, name) in [
        (&b"\x91\xa1m"[..], Some(&b"m"[..])),
        (b"\x91\xa0", Some(b"")),
        (b"\xdc\0\x01\xd9\x02ok", Some(b"ok")),
        (b"\x91\xa3a\xffb", Some("a\u{fffd}b".as_bytes())),
        // What is longer than it need be is no letter, here as in JavaScript.
        (b"\x91\xa2\xc1\xa4", Some("\u{fffd}\u{fffd}".as_bytes())),
        (b"\x91\x0c", Some(b"12")),
        (b"\x91\xf4", Some(b"-12")),
        (b"\x91\xcb\x40\x28\0\0\0\0\0\0", Some(b"12")),
        (b"\x91\xca\x3f\0\0\0", Some(b"0.5")),
        (b"\x91\xcb\x7f\xf8\0\0\0\0\0\0", Some(b"NaN")),
        (b"\x91\xcb\x7f\xf0\0\0\0\0\0\0", Some(b"Infinity")),
        (b"\x91\xca\xff\x80\0\0", Some(b"-Infinity")),
        (b"\x91\xc0", None),
        (b"\x91\xd4\0\0", None),
        (b"\x91\x90", None),
        (b"\x91\xc4\x01m", None),
        (b"\x90", None),
        (b"\x80", None),
        (b"", None),
    ] {
        assert_eq!(name_of(data).as_deref(), name, "{data:02x?}");
    }
}

#[test]
fn the_events_of_the_socket_itself_cannot_be_forged() {
    for data in [&b"\x91\xaadisconnect"[..], b"\x91\xd9\x07connect"] {
        assert_eq!(Payload::Msgpack(data.into()).event_name(), None);
    }
    let overlong = Payload::Msgpack(b"\x91\xab\xc1\xa4isconnect"[..].into());
    assert!(
        overlong
            .event_name()
            .is_some_and(|name| *name != *b"disconnect")
    );
}

#[test]
fn an_auth_payload_is_an_object_or_absent() {
    let joins = |data: &[u8]| {
        let message = [b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data", data].concat();
        read(&message).map(|packet| told(packet.inner).2)
    };
    let auth = b"\x81\xa1k\xc4\x02\x00\xff";
    assert_eq!(joins(auth).unwrap(), Some(auth.to_vec()));
    assert_eq!(joins(b"\xd4\0\0").unwrap(), None);
    for other in [
        &b"\xc0"[..],
        b"\x90",
        b"\xc4\x01x",
        b"\xa1x",
        b"\x01",
        b"\xd7\0\0\0\0\0\0\0\0\0",
    ] {
        assert!(joins(other).is_err(), "{other:02x?}");
    }
    let left = read(b"\x83\xa4type\x01\xa3nsp\xa1/\xa4data\xd4\0\0").unwrap();
    assert_eq!(told(left.inner), (DISCONNECT, None, None));
    assert!(read(b"\x83\xa4type\x01\xa3nsp\xa1/\xa4data\xc0").is_err());
    assert!(read(b"\x84\xa4type\x02\xa3nsp\xa1/\xa4data\x91\xa1m\xa2id\xc0").is_err());
}

#[test]
fn packets_of_version_2_are_read() {
    let event = b"\x84\xa4type\x05\xa3nsp\xa1/\xa4data\x91\xc4\x01x\xa2id\x07";
    let data = Some(b"\x91\xc4\x01x".to_vec());
    assert_eq!(told(read(event).unwrap().inner), (EVENT, Some(7), data));
    let packet = decode_text(r#"{"type":0,"nsp":"/admin?a=b"}"#).unwrap();
    assert_eq!(packet.ns.as_str(), "/admin?a=b");
    assert_eq!(told(packet.inner).0, CONNECT);
    let packet = decode_text(r#"{"type":1,"nsp":"/admin"}"#).unwrap();
    assert_eq!(told(packet.inner).0, DISCONNECT);
}

#[test]
fn a_text_that_is_not_of_version_2_is_refused() {
    for text in [
        "",
        "0",
        "2[\"m\"]",
        "{}",
        r#"{"type":0}"#,
        r#"{"type":2,"nsp":"/","data":["m"]}"#,
        r#"{"type":0,"nsp":"/"}{}"#,
    ] {
        assert!(decode_text(text).is_err(), "{text}");
    }
}

#[test]
fn a_message_that_is_not_exactly_one_packet_is_refused() {
    let whole = event_of(b"\x91\xa1m");
    assert!(read(&whole).is_ok());
    for end in 0..whole.len() {
        assert!(read(&whole[..end]).is_err(), "cut at {end}");
    }
    let trailed = [&whole[..], b"\xc0"].concat();
    for message in [
        &trailed[..],
        b"\xc0",
        b"\x90",
        b"\x80",
        // No type, no namespace, a namespace that is no text.
        b"\x82\xa3nsp\xa1/\xa4data\x90",
        b"\x82\xa4type\x02\xa4data\x90",
        b"\x83\xa4type\x02\xa3nsp\x01\xa4data\x90",
        // A type that is no integer, none of a client, or none at all.
        b"\x82\xa4type\xa10\xa3nsp\xa1/",
        b"\x82\xa4type\xcb\x3f\xe0\0\0\0\0\0\0\xa3nsp\xa1/",
        b"\x83\xa4type\x04\xa3nsp\xa1/\xa4data\x80",
        b"\x83\xa4type\x07\xa3nsp\xa1/\xa4data\x90",
        b"\x83\xa4type\xff\xa3nsp\xa1/\xa4data\x90",
        // Data of another shape than the type asks for.
        b"\x82\xa4type\x02\xa3nsp\xa1/",
        b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x80",
        b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\xa1m",
        b"\x83\xa4type\x01\xa3nsp\xa1/\xa4data\x80",
        // An acknowledgement of nothing, and of what is no integer.
        b"\x83\xa4type\x03\xa3nsp\xa1/\xa4data\x90",
        b"\x84\xa4type\x03\xa3nsp\xa1/\xa4data\x90\xa2id\xa11",
        b"\x84\xa4type\x02\xa3nsp\xa1/\xa4data\x90\xa2id\xcb\x3f\xe0\0\0\0\0\0\0",
        // A field that is not named by text; names that are no names of properties.
        b"\x83\xa4type\x02\xa3nsp\xa1/\x01\x90",
        b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\x81\x90\xc0",
        b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\x81\xc4\x01x\xc0",
        b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\x81\xc7\x00\x05\xc0",
        // The one byte that means nothing.
        b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\xc1",
    ] {
        assert!(read(message).is_err(), "{message:02x?}");
    }
}

#[test]
fn a_message_that_claims_more_than_it_carries_costs_nothing() {
    for data in [
        &b"\xdd\xff\xff\xff\xff"[..],
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x00",
        b"\x91\xdd\xff\xff\xff\xff\xc0",
    ] {
        assert!(read(&event_of(data)).is_err());
        // The same in a field that is passed over.
        let mut message = b"\x81\xa1x".to_vec();
        message.extend_from_slice(data);
        assert!(read(&message).is_err());
    }
}

#[test]
fn nesting_of_msgpack_is_bounded() {
    let nested = |depth: usize, with: u8| {
        let mut data = vec![0x91];
        for _ in 1..depth {
            data.push(with);
            if with == 0x81 {
                data.push(0xa0);
            }
        }
        data.push(if with == 0x81 { 0x80 } else { 0x90 });
        event_of(&data)
    };
    for with in [0x91, 0x81] {
        assert!(read(&nested(9_999, with)).is_ok());
        assert!(read(&nested(10_001, with)).is_err());
        assert!(read(&nested(900_000, with)).is_err());
    }
    let mut passed_over = b"\x81\xa1x".to_vec();
    passed_over.resize(900_000, 0x91);
    assert!(read(&passed_over).is_err());
}

#[test]
fn the_count_of_binary_values_is_bounded() {
    let config = ParseConfig {
        max_incoming_binaries: 2,
        ..ParseConfig::default()
    };
    let two = event_of(b"\x93\xa1m\xc4\x00\xc7\x00\x00");
    assert!(decode(&config, &two.into()).is_ok());
    let three = event_of(b"\x93\xc4\x00\xc4\x00\xd5\x05ab");
    assert!(matches!(
        decode(&config, &three.into()),
        Err(ParseError::TooManyAttachments { got: 3, max: 2 })
    ));
}

proptest! {
    #[test]
    fn packets_that_are_written_are_read_with_the_same_data(
        text in any::<String>(),
        id in any::<Option<i64>>(),
    ) {
        let mut data = ByteBuf::new();
        let Ok(()) = rmp::encode::write_array_len(&mut data, 1).and_then(|_| write_str(&mut data, &text));
        let message = bytes(encode(Outgoing::event("/ns", "", id), data.as_slice()));
        if let Some(id) = id {
            let without = bytes(encode(Outgoing::event("/ns", "", None), data.as_slice())).into();
            prop_assert_eq!(&with_ack(&Str::from("/ns"), &without, id), &message);
        }
        let packet = read(&message).unwrap();
        prop_assert_eq!(packet.ns.as_str(), "/ns");
        let expected = (EVENT, id, Some(data.as_slice().to_vec()));
        prop_assert_eq!(told(packet.inner), expected);
        let name = name_of(data.as_slice());
        prop_assert_eq!(name.as_deref(), Some(text.as_bytes()));
    }

    #[test]
    fn arbitrary_messages_do_not_panic(message in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&message);
        let _ = decode_text(&String::from_utf8_lossy(&message));
        let _ = event_name(&message);
    }

    #[test]
    fn a_packet_with_a_changed_byte_does_not_panic(
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut message = b"\x84\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1m\x81\xa1k\xdc\0\x02\xc3\xc0\xa2id\x07".to_vec();
        let place = place.index(message.len());
        message[place] = byte;
        if let Ok(packet) = read(&message)
            && let Some(data) = told(packet.inner).2
        {
            // What JavaScript gets is one complete value.
            prop_assert!(is_one_value(&data));
        }
    }
}
