//! The Engine.IO packets of a client, by their first character.

use std::fmt;

use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine as _};
use bytes::Bytes;

use super::ProtocolVersion;

/// A packet of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    Close,
    Ping(&'a str),
    Pong,
    Message(&'a str),
    Binary(Bytes),
    /// The client has left polling for a websocket.
    Upgrade,
    /// Has no meaning from a client, and is ignored.
    Noop,
}

/// The input is not a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an Engine.IO packet")
    }
}

impl std::error::Error for Unreadable {}

/// Base64 as clients write it: with padding or without, and bits behind the last byte.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes base64 as Node does, and so npm `engine.io`: in both alphabets, up to the first padding. Anything else is
/// skipped, such as the line breaks of engine.io-client-java, and so is a last digit alone.
fn decode_base64(text: &str) -> Vec<u8> {
    BASE64.decode(text).unwrap_or_else(|_| {
        // Of a UTF-16 unit, Node takes the low byte.
        let bytes = text.encode_utf16().map(|unit| unit.to_le_bytes()[0]);
        let digits = bytes.take_while(|&byte| byte != b'=');
        let mut digits: Vec<u8> = digits
            .filter_map(|byte| match byte {
                b'-' => Some(b'+'),
                b'_' => Some(b'/'),
                b'+' | b'/' => Some(byte),
                _ => byte.is_ascii_alphanumeric().then_some(byte),
            })
            .collect();
        if digits.len() % 4 == 1 {
            digits.pop();
        }
        BASE64.decode(digits).unwrap_or_default()
    })
}

impl<'a> Packet<'a> {
    /// Parses a packet that was received as text.
    ///
    /// # Errors
    /// `Unreadable` if it is not a packet.
    pub(super) fn of_text(text: &'a str, protocol: ProtocolVersion) -> Result<Self, Unreadable> {
        let Some(kind) = text.as_bytes().first() else {
            return Err(Unreadable);
        };
        // Every type that is accepted below is one ASCII character, so `text[1..]` is valid.
        let data = || text.get(1..).unwrap_or_default();
        Ok(match kind {
            b'4' => Self::Message(data()),
            b'1' => Self::Close,
            b'2' => Self::Ping(data()),
            b'3' => Self::Pong,
            b'5' => Self::Upgrade,
            b'0' | b'6' => Self::Noop,
            b'b' => {
                // Engine.IO 3 names the packet's type in front of the bytes.
                let (kind, base64) = match protocol {
                    ProtocolVersion::V3 => data().split_at_checked(1).ok_or(Unreadable)?,
                    ProtocolVersion::V4 => ("4", data()),
                };
                let kind = kind.bytes().next().map(|digit| digit.wrapping_sub(b'0'));
                Self::of_kind(kind, decode_base64(base64).into())
            }
            _ => return Err(Unreadable),
        })
    }

    /// Parses a packet that was received as bytes.
    pub(super) fn of_bytes(bytes: &[u8], protocol: ProtocolVersion) -> Self {
        let (kind, data) = match protocol {
            ProtocolVersion::V3 => (bytes.first().copied(), bytes.get(1..).unwrap_or_default()),
            ProtocolVersion::V4 => (Some(4), bytes),
        };
        Self::of_kind(kind, Bytes::copy_from_slice(data))
    }

    /// A packet with bytes. Engine.IO ignores those of an unknown type.
    fn of_kind(kind: Option<u8>, data: Bytes) -> Self {
        match kind {
            Some(1) => Self::Close,
            Some(2) => Self::Ping(""),
            Some(3) => Self::Pong,
            Some(4) => Self::Binary(data),
            Some(5) => Self::Upgrade,
            _ => Self::Noop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V3: ProtocolVersion = ProtocolVersion::V3;
    const V4: ProtocolVersion = ProtocolVersion::V4;

    #[test]
    fn the_first_character_of_a_packet_is_its_type() {
        assert_eq!(Packet::of_text("4é", V4), Ok(Packet::Message("é")));
        assert_eq!(Packet::of_text("2probe", V3), Ok(Packet::Ping("probe")));
        assert_eq!(Packet::of_text("3", V4), Ok(Packet::Pong));
        assert_eq!(Packet::of_text("1", V4), Ok(Packet::Close));
        assert_eq!(Packet::of_text("5", V4), Ok(Packet::Upgrade));
        assert_eq!(Packet::of_text("5x", V4), Ok(Packet::Upgrade));
        assert_eq!(Packet::of_text("6x", V4), Ok(Packet::Noop));
        assert_eq!(Packet::of_text("0{}", V4), Ok(Packet::Noop));
        for text in ["", "7", "é", "x1", "-1"] {
            assert_eq!(Packet::of_text(text, V4), Err(Unreadable), "{text}");
        }
    }

    #[test]
    fn binary_packets_are_read_in_the_form_of_each_version() {
        let bytes = || Packet::Binary(Bytes::from_static(&[1, 2]));
        assert_eq!(Packet::of_text("bAQI=", V4), Ok(bytes()));
        assert_eq!(Packet::of_text("bAQI", V4), Ok(bytes()));
        assert_eq!(Packet::of_text("b4AQI=", V3), Ok(bytes()));
        assert_eq!(Packet::of_text("b", V3), Err(Unreadable));
        assert_eq!(Packet::of_text("bé", V3), Err(Unreadable));
        assert_eq!(Packet::of_bytes(&[1, 2], V4), bytes());
        assert_eq!(Packet::of_bytes(&[4, 1, 2], V3), bytes());
    }

    #[test]
    fn base64_is_decoded_as_node_decodes_it() {
        // What `Buffer.from(text, 'base64')` gives.
        let rows: [(&str, &[u8]); 15] = [
            ("", &[]),
            ("AQIDBA==", &[1, 2, 3, 4]),
            ("AQIDBA", &[1, 2, 3, 4]),
            ("AQIDBA==\n", &[1, 2, 3, 4]),
            ("AQID\nBA==", &[1, 2, 3, 4]),
            ("AQ\r\nIDBA==\r\n", &[1, 2, 3, 4]),
            ("AQ IDBA", &[1, 2, 3, 4]),
            ("AQ*IDBAé==", &[1, 2, 3, 4]),
            ("AQIDBŁ", &[1, 2, 3, 4]),
            ("-_-_", &[251, 255, 191]),
            ("+/-_", &[251, 255, 191]),
            ("AQ==AQ==", &[1]),
            ("AQJ", &[1, 2]),
            ("AQIDB", &[1, 2, 3]),
            ("A", &[]),
        ];
        for (text, bytes) in rows {
            let expected = Ok(Packet::Binary(Bytes::from_static(bytes)));
            assert_eq!(Packet::of_text(&format!("b{text}"), V4), expected, "{text}");
            assert_eq!(
                Packet::of_text(&format!("b4{text}"), V3),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn binary_packets_of_an_unknown_type_are_ignored() {
        assert_eq!(Packet::of_bytes(&[1, 2], V3), Packet::Close);
        assert_eq!(Packet::of_bytes(&[2], V3), Packet::Ping(""));
        assert_eq!(Packet::of_text("b2", V3), Ok(Packet::Ping("")));
        assert_eq!(Packet::of_text("bAQI=", V3), Ok(Packet::Noop));
        for bytes in [&[][..], &[0], &[6], &[7, 1], &[b'4', 1], &[255]] {
            assert_eq!(Packet::of_bytes(bytes, V3), Packet::Noop, "{bytes:?}");
        }
    }
}
