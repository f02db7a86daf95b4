//! Writes packets in the default encoding: the type, the number of attachments if there are any, the namespace
//! unless it is the default one, the id, and the JSON.

use bytes::Bytes;
use itoa::Buffer;

use super::super::outgoing::{Kind, Outgoing};
use crate::engineio::Str;
use crate::engineio::message::{Frame, Message};

/// The text of a packet, in parts: its type, its namespace with a comma, its id and its JSON.
pub(in super::super) type Parts<'a> = [&'a str; 5];

pub(in super::super) fn encode(packet: Outgoing<'_>, attachments: Vec<Bytes>) -> Frame {
    let mut digits = Buffer::new();
    let parts = parts(packet, &mut digits);
    if attachments.is_empty() {
        return text(parts);
    }
    let kind = match packet.kind {
        Kind::Event(_) => "5",
        Kind::Ack(_) => "6",
    };
    let [_, ns, comma, id, json] = parts;
    let mut digits = Buffer::new();
    let count = digits.format(attachments.len());
    let text = [kind, count, "-", ns, comma, id, json].concat();
    Frame::new(Message::Text(text.into(), attachments))
}

/// The text of a packet without attachments; `digits` has the room for its id.
pub(in super::super) fn parts<'a>(packet: Outgoing<'a>, digits: &'a mut Buffer) -> Parts<'a> {
    let Outgoing { kind, ns, json } = packet;
    match kind {
        Kind::Event(None) => join("2", ns, "", json),
        Kind::Event(Some(id)) => join("2", ns, digits.format(id), json),
        Kind::Ack(id) => join("3", ns, digits.format(id), json),
    }
}

/// The text of an event, with an id in front of its payload.
pub(in super::super) fn with_ack(ns: &Str, text: &Str, ack: i64) -> Str {
    let text = text.as_str();
    let mut head = match text.split_once('-') {
        Some((kind, _)) if text.starts_with('5') => kind.len() + 1,
        _ => 1,
    };
    if ns.as_str() != "/" {
        head += ns.len() + 1;
    }
    let (head, payload) = text.split_at_checked(head).unwrap_or((text, ""));
    format!("{head}{ack}{payload}").into()
}

pub(in super::super) fn disconnect(ns: &Str) -> Frame {
    text(join("1", ns, "", ""))
}

pub(in super::super) fn connect(ns: &Str, json: Option<&str>) -> Frame {
    text(join("0", ns, "", json.unwrap_or_default()))
}

pub(in super::super) fn connect_error(ns: &Str, json: &str) -> Frame {
    text(join("4", ns, "", json))
}

fn join<'a>(kind: &'a str, ns: &'a str, id: &'a str, json: &'a str) -> Parts<'a> {
    let (ns, comma) = if ns == "/" { ("", "") } else { (ns, ",") };
    [kind, ns, comma, id, json]
}

fn text(parts: Parts<'_>) -> Frame {
    Frame::new(Message::Text(parts.concat().into(), Vec::new()))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use socketioxide_core::Value;
    use socketioxide_core::packet::{Packet, PacketData};
    use socketioxide_core::parser::Parse;
    use socketioxide_parser_common::CommonParser;

    use super::super::super::{Parser, Welcome};
    use super::*;
    use crate::engineio::ProtocolVersion;

    /// The text of a frame, and its attachments.
    fn message(frame: Frame) -> (String, Vec<Bytes>) {
        match frame.message {
            Message::Text(text, attachments) => (text.as_str().to_owned(), attachments),
            Message::Binary(bytes) => panic!("binary: {bytes:?}"),
        }
    }

    fn text(frame: Frame) -> String {
        message(frame).0
    }

    /// The same of socketioxide.
    fn theirs(packet: Packet) -> (String, Vec<Bytes>) {
        match CommonParser.encode(packet) {
            Value::Str(text, attachments) => {
                let attachments = attachments.map(Vec::from).unwrap_or_default();
                (text.as_str().to_owned(), attachments)
            }
            Value::Bytes(bytes) => panic!("binary: {bytes:?}"),
        }
    }

    fn namespace() -> impl Strategy<Value = Str> {
        prop_oneof![Just("/".to_owned()), "/[^,]{1,80}"].prop_map(Str::from)
    }

    fn attachments() -> impl Strategy<Value = Vec<Bytes>> {
        let attachment = vec(any::<u8>(), 0..4).prop_map(Bytes::from);
        prop_oneof![Just(Vec::new()), vec(attachment, 0..120)]
    }

    proptest! {
        #[test]
        fn packets_are_those_that_socketioxide_writes(
            ns in namespace(),
            json in any::<String>(),
            attachments in attachments(),
            id in option::of(any::<i64>()),
        ) {
            let value = || {
                let parts = (!attachments.is_empty()).then(|| VecDeque::from(attachments.clone()));
                Value::Str(Str::copy_from_slice(&json), parts)
            };
            let mut event = Packet::event(ns.clone(), value());
            if let Some(id) = id {
                event.inner.set_ack_id(id);
            }
            let ours = |packet| message(encode(packet, attachments.clone()));
            prop_assert_eq!(ours(Outgoing::event(&ns, &json, id)), theirs(event));
            let id = id.unwrap_or(7);
            let ack = Packet::ack(ns.clone(), value(), id);
            prop_assert_eq!(ours(Outgoing::ack(&ns, &json, id)), theirs(ack));
            let connect = |json: Option<&str>| Packet {
                inner: PacketData::Connect(json.map(|json| Value::Str(Str::copy_from_slice(json), None))),
                ns: ns.clone(),
            };
            for json in [None, Some(&json[..])] {
                prop_assert_eq!(message(super::connect(&ns, json)), theirs(connect(json)));
            }
            prop_assert_eq!(message(disconnect(&ns)), theirs(Packet::disconnect(ns)));
        }

        #[test]
        fn an_event_gets_an_acknowledgement_id_as_if_it_had_been_encoded_with_it(
            ns in namespace(),
            json in r#"\["[^"\\]*".*\]"#,
            attachments in attachments(),
            id in any::<i64>(),
        ) {
            let event = |id| Parser::Common.encode(Outgoing::event(&ns, &json, id), attachments.clone());
            let with_ack = Parser::Common.with_ack(&ns, &event(None), id);
            prop_assert_eq!(message(with_ack), message(event(Some(id))));
        }
    }

    #[test]
    fn packets_are_written_as_the_protocol_defines() {
        let ns = Str::from("/");
        let admin = Str::from("/admin");
        let without = |packet| text(encode(packet, Vec::new()));
        assert_eq!(
            without(Outgoing::event("/", r#"["authenticated",true]"#, None)),
            r#"2["authenticated",true]"#
        );
        assert_eq!(
            without(Outgoing::event("/", r#"["unauthorized",{}]"#, Some(0))),
            r#"20["unauthorized",{}]"#
        );
        assert_eq!(without(Outgoing::ack("/", "[{}]", 7)), "37[{}]");
        let one = vec![Bytes::from_static(b"x")];
        assert_eq!(
            text(encode(Outgoing::ack("/admin", "[{}]", 7), one)),
            "61-/admin,7[{}]"
        );
        assert_eq!(text(disconnect(&ns)), "1");
        let recoverable = Welcome {
            id: "i",
            pid: Some("p"),
        };
        let connect = |ns, welcome, protocol| text(Parser::Common.connect(ns, welcome, protocol));
        for welcome in [Welcome::of("i"), recoverable] {
            assert_eq!(connect(&admin, welcome, ProtocolVersion::V3), "0/admin,");
        }
        assert_eq!(
            connect(&ns, Welcome::of("i"), ProtocolVersion::V4),
            r#"0{"sid":"i"}"#
        );
        assert_eq!(
            connect(&ns, recoverable, ProtocolVersion::V4),
            r#"0{"sid":"i","pid":"p"}"#
        );
        assert_eq!(text(connect_error(&ns, "\"no\"")), "4\"no\"");
        assert_eq!(text(connect_error(&admin, "{}")), "4/admin,{}");
    }
}
