//! Messages of the real `socket.io-msgpack-parser` 3.0.2, byte for byte, and hostile ones.

use crate::engine::Str;
use bytes::Bytes;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;
use socketioxide_core::Value;
use socketioxide_core::packet::{Packet, PacketData};
use socketioxide_core::parser::{ParseConfig, ParseError};

use super::super::{Frame, Message};
use super::*;

#[derive(Deserialize)]
struct Fixtures {
    /// The same in both directions.
    both: Vec<Fixture>,
    /// Data of an event that a client sends.
    incoming: Vec<Fixture>,
    /// What only the server sends, or what only its JSON says so.
    outgoing: Vec<Fixture>,
}

#[derive(Deserialize)]
struct Fixture {
    name: String,
    #[serde(default)]
    r#type: u8,
    #[serde(default)]
    nsp: String,
    id: Option<i64>,
    data: Option<String>,
    #[serde(default)]
    attachments: Vec<String>,
    message: String,
}

fn fixtures() -> Fixtures {
    serde_json::from_str(include_str!("fixtures.json")).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn attachments(fixture: &Fixture) -> Vec<Bytes> {
    let texts = fixture.attachments.iter();
    texts.map(|text| unhex(text).into()).collect()
}

fn read(message: &[u8]) -> Result<Packet, ParseError> {
    decode(&ParseConfig::default(), message)
}

/// Type, id, JSON text and attachments of a packet.
fn told(packet: PacketData) -> (u8, Option<i64>, Option<String>, Vec<Bytes>) {
    let parts = |value: Value| match value {
        Value::Str(text, attachments) => (
            Some(text.as_str().to_owned()),
            attachments.map(Vec::from).unwrap_or_default(),
        ),
        Value::Bytes(bytes) => panic!("not text: {bytes:?}"),
    };
    match packet {
        PacketData::Connect(None) => (CONNECT, None, None, vec![]),
        PacketData::Connect(Some(value)) => {
            let (text, attachments) = parts(value);
            (CONNECT, None, text, attachments)
        }
        PacketData::Disconnect => (DISCONNECT, None, None, vec![]),
        PacketData::Event(value, id) => {
            let (text, attachments) = parts(value);
            (EVENT, id, text, attachments)
        }
        PacketData::EventAck(value, id) => {
            let (text, attachments) = parts(value);
            (ACK, Some(id), text, attachments)
        }
        other => panic!("unexpected {other:?}"),
    }
}

fn written(fixture: &Fixture) -> Vec<u8> {
    let ns = Str::from(fixture.nsp.clone());
    let data = fixture.data.as_deref();
    let attachments = attachments(fixture);
    bytes(packet(fixture.r#type, &ns, data, &attachments, fixture.id))
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

#[test]
fn what_the_javascript_parser_writes_is_read() {
    for fixture in fixtures().both {
        let packet = read(&unhex(&fixture.message)).unwrap();
        assert_eq!(packet.ns.as_str(), fixture.nsp, "{}", fixture.name);
        let told = told(packet.inner);
        let attachments = attachments(&fixture);
        let expected = (fixture.r#type, fixture.id, fixture.data, attachments);
        assert_eq!(told, expected, "{}", fixture.name);
    }
}

#[test]
fn what_is_written_is_what_the_javascript_parser_writes() {
    let Fixtures { both, outgoing, .. } = fixtures();
    for fixture in both.iter().chain(&outgoing) {
        let message = unhex(&fixture.message);
        assert_eq!(written(fixture), message, "{}", fixture.name);
    }
}

#[test]
fn what_json_lacks_arrives_as_json_writes_it() {
    for fixture in fixtures().incoming {
        let packet = read(&unhex(&fixture.message)).unwrap();
        let attachments = attachments(&fixture);
        let expected = (EVENT, None, fixture.data, attachments);
        assert_eq!(told(packet.inner), expected, "{}", fixture.name);
    }
}

#[test]
fn forms_of_other_encoders_are_read() {
    for (data, json) in [
        // Integers and lengths wider than they need be.
        (&b"\x91\xcf\0\0\0\0\0\0\0\x05"[..], "[5]"),
        (b"\x91\xd3\xff\xff\xff\xff\xff\xff\xff\xff", "[-1]"),
        (b"\xdd\0\0\0\x01\xdb\0\0\0\x01m", r#"["m"]"#),
        (b"\x91\xdf\0\0\0\x01\xd9\x01k\xc3", r#"[{"k":true}]"#),
        // Floats of either width; a whole number is one.
        (b"\x92\xca\x3f\x00\0\0\xcb\x40\0\0\0\0\0\0\0", "[0.5,2]"),
        (b"\x91\xcb\x80\0\0\0\0\0\0\0", "[-0]"),
        // Names that are numbers.
        (b"\x91\x82\x01\xc0\xff\xc0", r#"[{"1":null,"-1":null}]"#),
        // Text that is not UTF-8.
        (b"\x91\xa3a\xffb", "[\"a\u{fffd}b\"]"),
        // Extensions, empty, fixed and not.
        (
            b"\x92\xd5\x05ab\xc7\x00\xff",
            r#"[[5,{"_placeholder":true,"num":0}],[-1,{"_placeholder":true,"num":1}]]"#,
        ),
        // A moment beyond all dates.
        (b"\x91\xd7\x00\x7f\xff\xff\xff\xff\xff\xff\xff", "[null]"),
    ] {
        let packet = read(&event_of(data)).unwrap();
        assert_eq!(told(packet.inner).2.as_deref(), Some(json));
    }
}

#[test]
fn an_integer_beyond_those_of_messagepack_travels_as_a_number_all_the_same() {
    let message = bytes(event(&Str::from("/"), "[1e+300,-1e+20]", &[], None));
    let text = told(read(&message).unwrap().inner).2;
    assert_eq!(text.as_deref(), Some("[1e+300,-1e+20]"));
}

#[test]
fn what_a_client_joins_with_has_its_binary_as_json_writes_it() {
    let message = b"\x83\xa4data\x81\xa1k\xc4\x02\x00\xff\xa4type\x00\xa3nsp\xa1/";
    let (kind, _, text, attachments) = told(read(message).unwrap().inner);
    let json = r#"{"k":{"type":"Buffer","data":[0,255]}}"#;
    assert_eq!((kind, text.as_deref()), (CONNECT, Some(json)));
    assert!(attachments.is_empty());
}

#[test]
fn no_data_may_be_said_in_any_way() {
    for (fields, expected) in [
        (&b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\xc0"[..], CONNECT),
        (b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\xd4\0\0", CONNECT),
        (b"\x83\xa4type\x01\xa3nsp\xa1/\xa4data\xc0", DISCONNECT),
    ] {
        let packet = read(fields).unwrap();
        assert_eq!(told(packet.inner), (expected, None, None, vec![]));
    }
}

#[test]
fn packets_of_version_2_are_read() {
    let event = b"\x84\xa4type\x05\xa3nsp\xa1/\xa4data\x91\xc4\x01x\xa2id\x07";
    let (kind, id, _, attached) = told(read(event).unwrap().inner);
    assert_eq!((kind, id, attached.len()), (EVENT, Some(7), 1));
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
        b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x90",
        b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\xc4\x01x",
        b"\x83\xa4type\x01\xa3nsp\xa1/\xa4data\x80",
        // An acknowledgement of nothing, and of what is no integer.
        b"\x83\xa4type\x03\xa3nsp\xa1/\xa4data\x90",
        b"\x84\xa4type\x03\xa3nsp\xa1/\xa4data\x90\xa2id\xa11",
        b"\x84\xa4type\x02\xa3nsp\xa1/\xa4data\x90\xa2id\xcb\x3f\xe0\0\0\0\0\0\0",
        // A field that is not named by text, a name that is no text or number.
        b"\x83\xa4type\x02\xa3nsp\xa1/\x01\x90",
        b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\x81\x90\xc0",
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
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let mut data = vec![0x91; depth];
        data.push(0xc0);
        event_of(&data)
    };
    assert!(read(&nested(10_000)).is_ok());
    assert!(read(&nested(10_001)).is_err());
    assert!(read(&nested(900_000)).is_err());
    let mut passed_over = b"\x81\xa1x".to_vec();
    passed_over.resize(900_000, 0x91);
    assert!(read(&passed_over).is_err());
}

#[test]
fn what_was_nested_deeply_is_written_too() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let frame = event(&Str::from("/"), &deep, &[], None);
    let Message::Binary(bytes) = frame.message else {
        panic!("text");
    };
    assert!(bytes.len() > 100_000);
}

#[test]
fn the_count_of_attachments_is_bounded() {
    let config = ParseConfig {
        max_incoming_binaries: 2,
        ..ParseConfig::default()
    };
    let two = event_of(b"\x92\xc4\x00\xc4\x00");
    assert!(decode(&config, &two).is_ok());
    let three = event_of(b"\x93\xc4\x00\xc4\x00\xc4\x00");
    assert!(matches!(
        decode(&config, &three),
        Err(ParseError::TooManyAttachments { got: 3, max: 2 })
    ));
}

#[test]
fn a_name_cannot_leave_its_string() {
    let forged = br#"m"],0,-1,0,["m"#;
    let mut data = vec![0x91, 0xa0 | u8::try_from(forged.len()).unwrap()];
    data.extend_from_slice(forged);
    let text = told(read(&event_of(&data)).unwrap().inner).2.unwrap();
    let name: Vec<String> = serde_json::from_str(&text).unwrap();
    assert_eq!(name[0].as_bytes(), forged);
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        (-(1i64 << 53)..(1i64 << 53)).prop_map(Into::into),
        any::<f64>()
            .prop_filter("JSON has none other", |number| number.is_finite()
                && number.fract() != 0.0)
            .prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Into::into),
            prop::collection::hash_map(any::<String>(), inner, 0..20)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_comes_back_as_it_went(value in json_value(), id in any::<Option<i64>>()) {
        let json = serde_json::Value::Array(vec![value]).to_string();
        let message = bytes(event(&Str::from("/ns"), &json, &[], id));
        let packet = read(&message).unwrap();
        prop_assert_eq!(packet.ns.as_str(), "/ns");
        let (kind, told_id, text, _) = told(packet.inner);
        prop_assert_eq!((kind, told_id), (EVENT, id));
        prop_assert_eq!(text.unwrap(), json);
    }

    #[test]
    fn no_message_brings_the_server_down(message in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&message);
        let _ = decode_text(&String::from_utf8_lossy(&message));
    }

    #[test]
    fn whatever_data_is_read_is_exactly_one_json_value(
        data in prop::collection::vec(any::<u8>(), 0..300),
        length in 0u8..16,
    ) {
        let message = event_of(&[&[0x90 | length], &data[..]].concat());
        if let Ok(packet) = read(&message) {
            let text = told(packet.inner).2.unwrap();
            prop_assert!(serde_json::from_str::<&RawValue>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn a_fixture_with_a_changed_byte_does_no_harm(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let fixtures = fixtures().both;
        let mut message = unhex(&which.get(&fixtures).message);
        let place = place.index(message.len());
        message[place] = byte;
        if let Ok(packet) = read(&message)
            && let Some(text) = told(packet.inner).2
        {
            prop_assert!(serde_json::from_str::<&RawValue>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn no_text_fails_to_be_written(text in any::<String>(), attached in any::<bool>()) {
        let attachments = if attached { vec![Bytes::from_static(b"x")] } else { vec![] };
        event(&Str::from("/"), &text, &attachments, None);
        event(&Str::from("/"), &format!("[\"{text}"), &attachments, None);
    }
}
