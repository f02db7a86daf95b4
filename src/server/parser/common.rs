//! The default wire format: the common parser of socketioxide does the framing; here is only what
//! it cannot do, a refusal with any JSON.

use std::collections::VecDeque;

use crate::engine::Str;
use bytes::Bytes;
use socketioxide_core::Value;
use socketioxide_core::packet::{Packet, PacketData};
use socketioxide_core::parser::{Parse, ParseConfig, ParseError, ParserState};
use socketioxide_parser_common::CommonParser;

use super::{Frame, Message};

pub(super) fn event(ns: &Str, json: &str, attachments: Vec<Bytes>, ack: Option<i64>) -> Frame {
    let mut packet = Packet::event(ns.clone(), value(json, attachments));
    if let Some(ack) = ack {
        packet.inner.set_ack_id(ack);
    }
    encode(packet)
}

pub(super) fn ack(ns: &Str, json: &str, attachments: Vec<Bytes>, ack: i64) -> Frame {
    encode(Packet::ack(ns.clone(), value(json, attachments), ack))
}

pub(super) fn disconnect(ns: &Str) -> Frame {
    encode(Packet::disconnect(ns.clone()))
}

pub(super) fn connect(ns: &Str, json: Option<&str>) -> Frame {
    encode(Packet {
        inner: PacketData::Connect(json.map(|json| value(json, Vec::new()))),
        ns: ns.clone(),
    })
}

pub(super) fn connect_error(ns: &Str, json: &str) -> Frame {
    let ns = ns.as_str();
    let (ns, comma) = if ns == "/" { ("", "") } else { (ns, ",") };
    let text = format!("4{ns}{comma}{json}");
    Frame::new(Message::Text(text.into(), Vec::new()))
}

pub(super) fn decode_text(
    config: &ParseConfig,
    state: &ParserState,
    text: Str,
) -> Result<Packet, ParseError> {
    CommonParser.decode_str(config, state, text)
}

pub(super) fn decode_binary(
    config: &ParseConfig,
    state: &ParserState,
    data: Bytes,
) -> Result<Packet, ParseError> {
    CommonParser.decode_bin(config, state, data)
}

fn value(json: &str, attachments: Vec<Bytes>) -> Value {
    let attachments = (!attachments.is_empty()).then(|| VecDeque::from(attachments));
    Value::Str(Str::copy_from_slice(json), attachments)
}

fn encode(packet: Packet) -> Frame {
    Frame::new(match CommonParser.encode(packet) {
        Value::Str(text, attachments) => {
            Message::Text(text, attachments.map(Vec::from).unwrap_or_default())
        }
        Value::Bytes(bytes) => Message::Binary(bytes),
    })
}

#[cfg(test)]
mod tests {
    use crate::engine::ProtocolVersion;

    use super::super::Parser;
    use super::*;

    #[test]
    fn frames_are_those_of_the_protocol() {
        let ns = Str::from("/");
        let admin = Str::from("/admin");
        let text = |frame: Frame| match frame.message {
            Message::Text(text, _) => text.as_str().to_owned(),
            Message::Binary(bytes) => panic!("binary: {bytes:?}"),
        };
        assert_eq!(
            text(event(&ns, r#"["authenticated",true]"#, vec![], None)),
            r#"2["authenticated",true]"#
        );
        assert_eq!(
            text(event(&ns, r#"["unauthorized",{}]"#, vec![], Some(0))),
            r#"20["unauthorized",{}]"#
        );
        assert_eq!(text(ack(&ns, "[{}]", vec![], 7)), "37[{}]");
        let one = vec![Bytes::from_static(b"x")];
        assert_eq!(text(ack(&admin, "[{}]", one, 7)), "61-/admin,7[{}]");
        assert_eq!(text(disconnect(&ns)), "1");
        assert_eq!(
            text(Parser::Common.connect(&admin, "i", ProtocolVersion::V3)),
            "0/admin,"
        );
        assert_eq!(
            text(Parser::Common.connect(&ns, "i", ProtocolVersion::V4)),
            r#"0{"sid":"i"}"#
        );
        assert_eq!(text(connect_error(&ns, "\"no\"")), "4\"no\"");
        assert_eq!(text(connect_error(&admin, "{}")), "4/admin,{}");
    }
}
