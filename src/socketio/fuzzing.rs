//! Properties of the Socket.IO parsers that hold for every message of a client; `fuzz/` and the unit
//! tests run them. A function panics if its property does not hold.

// A property that does not hold panics; only the fuzz targets and the unit tests run them.
#![allow(clippy::expect_used)]

use bytes::Bytes;
use serde_json::value::RawValue;
use socketioxide_core::Value;
use socketioxide_core::packet::PacketData;
use socketioxide_core::parser::{ParseConfig, ParserState};

use super::packet;
use super::parser::{Parser, msgpack as msgpack_data};

/// Ends a message of [`packets`]: a text if it is followed by a 0, bytes if by anything else.
const END: u8 = 0xff;

/// A text that is accepted as an event or an acknowledgement becomes part of a batch of records for
/// JavaScript: it must be exactly one value there, whatever comes before and after it.
fn is_one_value(text: &str) {
    let batch = format!("[1,{text},2]");
    let values: Vec<&RawValue> = serde_json::from_str(&batch).expect("a batch that parses");
    assert_eq!(values.len(), 3, "{text}");
    assert_eq!(values[1].get(), text.trim_matches(JSON_SPACE), "{text}");
}

/// The white space of JSON.
const JSON_SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

fn read(parser: Parser, messages: &[u8]) {
    let config = ParseConfig {
        max_incoming_binary_buf_size: 1 << 16,
        max_incoming_binaries: 100,
        ..ParseConfig::default()
    };
    let state = ParserState::default();
    let mut left = messages;
    while !left.is_empty() {
        let end = left.iter().position(|&byte| byte == END);
        let (message, rest) = left.split_at(end.unwrap_or(left.len()));
        let is_text = rest.get(1).is_none_or(|&kind| kind == 0);
        left = rest.get(2..).unwrap_or_default();
        let packet = match std::str::from_utf8(message) {
            Ok(text) if is_text => parser.decode_text(&config, &state, text),
            _ => parser.decode_binary(&config, &state, Bytes::copy_from_slice(message)),
        };
        let Ok(packet) = packet else { return };
        match packet.inner {
            // Passed to JavaScript unchanged.
            PacketData::Event(Value::Bytes(data), _)
            | PacketData::EventAck(Value::Bytes(data), _)
            | PacketData::Connect(Some(Value::Bytes(data))) => {
                assert!(msgpack_data::is_one_value(&data), "{data:02x?}");
                let _ = msgpack_data::event_name(&data);
            }
            PacketData::Event(Value::Str(text, _), _)
            | PacketData::BinaryEvent(Value::Str(text, _), _)
                if packet::event_name(text.as_str()).is_some() =>
            {
                is_one_value(text.as_str())
            }
            PacketData::EventAck(Value::Str(text, _), _)
            | PacketData::BinaryAck(Value::Str(text, _), _)
                if packet::is_arguments(text.as_str()) =>
            {
                is_one_value(text.as_str())
            }
            PacketData::Connect(Some(Value::Str(text, _))) if packet::is_object(text.as_str()) => {
                is_one_value(text.as_str())
            }
            _ => {}
        }
    }
}

/// Messages of a client to a server with the default parser, each ended by 0xff and its kind.
pub fn packets(input: &[u8]) {
    read(Parser::Common, input);
}

/// The same to a server with the MessagePack parser.
pub fn msgpack(input: &[u8]) {
    read(Parser::Msgpack, input);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::tests::replay;

    #[test]
    fn messages_of_the_corpus_are_one_value_of_a_batch_or_refused() {
        replay("packets", packets);
    }

    #[test]
    fn messages_of_the_corpus_in_messagepack_are_read_or_refused() {
        replay("msgpack", msgpack);
    }
}
