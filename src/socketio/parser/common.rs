//! The default encoding. The common parser of socketioxide decodes, except for what it cannot do and what
//! must be fast.

mod encode;

use bytes::Bytes;
use socketioxide_core::Value;
use socketioxide_core::packet::{Packet, PacketData};
use socketioxide_core::parser::{Parse, ParseConfig, ParseError, ParserState};
use socketioxide_parser_common::CommonParser;

pub(super) use self::encode::{Parts, connect, connect_error, disconnect, encode, parts, with_ack};
use super::super::packet;
use crate::engineio::Str;

pub(super) fn decode_text(
    config: &ParseConfig,
    state: &ParserState,
    text: &str,
) -> Result<Packet, ParseError> {
    // A text may not come while attachments are awaited.
    let may_come = || matches!(state.partial_bin_packet.lock().as_deref(), Ok(None));
    match plain(text) {
        Some(plain) if may_come() => Ok(plain.into_packet()),
        _ => decode_any(config, state, Str::copy_from_slice(text)),
    }
}

/// An event, or an acknowledgement, without attachments and exactly as clients write it:
/// `<type>[<namespace>,][<id>][…]`. Nearly all messages are one, so they are decoded here without what
/// the library does for all others, and only their data is copied.
struct Plain<'a> {
    is_ack: bool,
    ns: Option<&'a str>,
    id: Option<i64>,
    data: &'a str,
}

/// Decodes a plain packet; `None` if a text is anything else.
fn plain(text: &str) -> Option<Plain<'_>> {
    let is_ack = match text.as_bytes().first()? {
        b'2' => false,
        b'3' => true,
        _ => return None,
    };
    let rest = text.get(1..)?;
    let (ns, rest) = match rest.starts_with('/') {
        true => rest.split_once(',').map(|(ns, rest)| (Some(ns), rest))?,
        false => (None, rest),
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, data) = rest.split_at_checked(digits)?;
    // No event has an id that does not fit, as in the library.
    let id = digits.parse().ok();
    let is_plain = data.starts_with('[') && (id.is_some() || !is_ack);
    is_plain.then_some(Plain {
        is_ack,
        ns,
        id,
        data,
    })
}

impl Plain<'_> {
    fn into_packet(self) -> Packet {
        let data = Value::Str(Str::copy_from_slice(self.data), None);
        let inner = match self.id {
            Some(id) if self.is_ack => PacketData::EventAck(data, id),
            id => PacketData::Event(data, id),
        };
        let ns = self.ns.map_or(Str::from("/"), Str::copy_from_slice);
        Packet { inner, ns }
    }
}

fn decode_any(config: &ParseConfig, state: &ParserState, text: Str) -> Result<Packet, ParseError> {
    let text = match text.as_bytes().first() {
        Some(b'3' | b'6') => completed(text),
        _ => text,
    };
    let mut packet = match text.as_bytes().first() {
        Some(b'1' | b'4' | b'5' | b'6') => return decode_rare(config, state, text),
        _ if !has_blanks(text.as_str()) => return CommonParser.decode_str(config, state, text),
        _ => CommonParser.decode_str(config, state, text.clone())?,
    };
    // Socket.IO accepts blanks among the digits of an acknowledgement's id.
    if let PacketData::Event(Value::Str(data, _), ack @ None) = &mut packet.inner
        && data.as_str().starts_with(' ')
    {
        let digits = digits_of(text.as_str(), data.as_str());
        *ack = digits.parse().ok();
        *data = Str::copy_from_slice(data.as_str().trim_start_matches(' '));
    }
    Ok(packet)
}

/// Refuses packets that are malformed already without their attachments, and those that clients may not
/// send.
fn decode_rare(config: &ParseConfig, state: &ParserState, text: Str) -> Result<Packet, ParseError> {
    let decoded = CommonParser.decode_str(config, state, text.clone());
    if matches!(decoded, Err(ParseError::UnexpectedStringPacket)) {
        return decoded;
    }
    let payload = payload_of(text.as_str());
    let may_carry = match text.as_bytes()[0] {
        b'1' => payload.is_empty(),
        b'4' if payload.is_empty() || packet::is_string(payload) || packet::is_object(payload) => {
            return Ok(Packet {
                inner: PacketData::ConnectError(String::new()),
                ns: "/".into(),
            });
        }
        b'5' => payload.is_empty() || packet::event_name(payload).is_some(),
        b'6' => payload.is_empty() || packet::is_arguments(payload),
        _ => false,
    };
    if may_carry && attachments_of(text.as_str()) != Some(0) {
        decoded
    } else {
        Err(ParseError::InvalidPacketType)
    }
}

/// The number of attachments that a packet declares; `None` if its type has none.
fn attachments_of(text: &str) -> Option<usize> {
    let rest = text.strip_prefix(['5', '6'])?;
    rest.split_once('-')
        .and_then(|(count, _)| count.parse().ok())
}

/// The payload of a packet, after its type, its number of attachments, its namespace and its id.
fn payload_of(text: &str) -> &str {
    let mut rest = text.get(1..).unwrap_or_default();
    if text.starts_with(['5', '6']) {
        rest = rest.split_once('-').map_or("", |(_, rest)| rest);
    }
    if rest.starts_with('/') {
        rest = rest.split_once(',').map_or("", |(_, rest)| rest);
    }
    rest.trim_start_matches(|digit: char| digit.is_ascii_digit() || digit == ' ')
}

/// Whether a blank is right before the first bracket of a packet, where most events have their id.
fn has_blanks(text: &str) -> bool {
    let mut before = 0;
    for &byte in text.as_bytes() {
        if byte == b'[' {
            return before == b' ';
        }
        before = byte;
    }
    false
}

/// The digits right before the payload of a packet.
fn digits_of<'a>(text: &'a str, data: &str) -> &'a str {
    let head = &text[..text.len() - data.len()];
    let digits = head.bytes().rev().take_while(u8::is_ascii_digit).count();
    // The first digit is the packet's type.
    &head[(head.len() - digits).max(1)..]
}

/// Stands for a missing or impossible acknowledgement id: no event has it.
const NO_ID: &str = "9223372036854775807";

/// An acknowledgement as the parser expects it: in Socket.IO it may lack its id or its arguments.
fn completed(text: Str) -> Str {
    let mut rest = &text.as_str()[1..];
    if text.starts_with('6') {
        rest = rest.split_once('-').map_or(rest, |(_, rest)| rest);
    }
    let is_named = rest.starts_with('/');
    let (has_comma, rest) = match rest.split_once(',') {
        Some((_, rest)) if is_named => (true, rest),
        None if is_named => (false, ""),
        _ => (true, rest),
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (id, data) = rest.split_at(digits);
    let is_id = (1..NO_ID.len()).contains(&id.len()) || id.parse::<i64>().is_ok();
    if is_id && !data.is_empty() {
        return text;
    }
    let head = &text.as_str()[..text.len() - rest.len()];
    let comma = if has_comma { "" } else { "," };
    let id = if is_id { id } else { NO_ID };
    let data = if data.is_empty() { "[]" } else { data };
    format!("{head}{comma}{id}{data}").into()
}

pub(super) fn decode_binary(
    config: &ParseConfig,
    state: &ParserState,
    data: Bytes,
) -> Result<Packet, ParseError> {
    CommonParser.decode_bin(config, state, data)
}

#[cfg(test)]
mod tests {
    use proptest::bool::weighted;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[test]
    fn an_acknowledgement_may_lack_its_id_or_its_arguments() {
        for text in ["37[]", "3/x,7[1]", "61-/x,7[1]", "39223372036854775806[1]"] {
            assert_eq!(completed(text.into()).as_str(), text);
        }
        for (text, expected) in [
            ("3", "39223372036854775807[]"),
            ("3[1]", "39223372036854775807[1]"),
            ("3/x", "3/x,9223372036854775807[]"),
            ("3/x,[1]", "3/x,9223372036854775807[1]"),
            ("37", "37[]"),
            ("61-[1]", "61-9223372036854775807[1]"),
            ("61-/x,[1]", "61-/x,9223372036854775807[1]"),
            ("39223372036854775808[1]", "39223372036854775807[1]"),
            ("3/x,99999999999999999999[]", "3/x,9223372036854775807[]"),
        ] {
            assert_eq!(completed(text.into()).as_str(), expected);
        }
    }

    /// What a packet is made of, and what it must not be made of.
    const PIECES: [&str; 26] = [
        "2",
        "3",
        "3",
        "/",
        "/a",
        "/é[",
        "?x=1",
        ",",
        "7",
        "12",
        "0",
        "9223372036854775807",
        "9223372036854775808",
        "[",
        "[\"a\"]",
        "[1]",
        "{}",
        " ",
        "-",
        "+1",
        "\"",
        "é",
        "5",
        "61-",
        "4",
        "\n",
    ];

    proptest! {
        #[test]
        fn a_packet_is_decoded_as_the_library_does(
            pieces in vec(select(PIECES.to_vec()), 0..7),
            awaits_attachments in weighted(0.1),
        ) {
            let text = pieces.concat();
            let decoded = [
                |config: &_, state: &_, text: &str| decode_text(config, state, text),
                |config: &_, state: &_, text: &str| decode_any(config, state, text.to_owned().into()),
            ]
            .map(|decode| {
                let (config, state) = (ParseConfig::default(), ParserState::default());
                if awaits_attachments {
                    decode(&config, &state, "51-[\"a\"]").unwrap_err();
                }
                format!("{:?}", decode(&config, &state, &text))
            });
            prop_assert_eq!(&decoded[0], &decoded[1], "{:?}", text);
        }
    }
}
