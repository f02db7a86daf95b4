//! Payloads of long polling: several packets in one request or response body.
//!
//! Engine.IO 4 separates packets with a character. Engine.IO 3 puts the length before each packet, in
//! UTF-16 units; if one packet is binary, and the client accepts that, all of them are encoded as bytes.

use base64::engine::Engine as _;
use bytes::Bytes;

use super::packet::{self, BASE64, Unreadable};
use super::{ProtocolVersion, Str};

const SEPARATOR: char = '\x1e';
/// Ends the length of a packet of a binary payload.
const LENGTH_END: u8 = 0xff;

/// A packet for a client.
#[derive(Debug, Clone)]
pub(super) enum Packet {
    /// A message.
    Text(Str),
    /// A binary message.
    Binary(Bytes),
    Ping,
    Pong,
    /// Nothing: it only ends a poll, so that the client polls again.
    Noop,
}

impl Packet {
    /// About how many bytes it takes in the queue.
    pub(super) fn len(&self) -> usize {
        1 + match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::Ping | Self::Pong | Self::Noop => 0,
        }
    }

    /// Whether it is a binary message.
    pub(super) fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }
}

/// Parses the packets of a body in order, and passes each to `each` until that returns false. Returns what is
/// behind the last one that was passed on.
///
/// # Errors
/// `Unreadable` at the first that is not a packet; those before it have been passed on.
pub(super) fn read(
    body: &[u8],
    is_binary: bool,
    protocol: ProtocolVersion,
    each: impl FnMut(packet::Packet<'_>) -> bool,
) -> Result<Packets<'_>, Unreadable> {
    let packets = if is_binary {
        Packets::Binary(body)
    } else {
        match std::str::from_utf8(body) {
            Ok("") | Err(_) => return Err(Unreadable),
            Ok(text) => Packets::Text(text),
        }
    };
    packets.read(protocol, each)
}

/// Packets of a body that are not parsed yet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Packets<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

impl<'a> Packets<'a> {
    /// No packets.
    pub(super) const NONE: Self = Self::Binary(&[]);

    /// How many bytes they are.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Goes on as [`read`].
    ///
    /// # Errors
    /// As [`read`].
    pub(super) fn read(
        self,
        protocol: ProtocolVersion,
        each: impl FnMut(packet::Packet<'_>) -> bool,
    ) -> Result<Self, Unreadable> {
        match self {
            Self::Text(text) => read_text(text, protocol, each).map(Self::Text),
            Self::Binary(bytes) => read_binary(bytes, each).map(Self::Binary),
        }
    }
}

/// A copy of packets that are parsed later, piece by piece.
#[derive(Debug)]
pub(super) struct KeptPackets {
    packets: Kept,
    /// How many bytes of them have been parsed.
    parsed: usize,
}

#[derive(Debug)]
enum Kept {
    Text(Box<str>),
    Binary(Box<[u8]>),
}

impl KeptPackets {
    /// What is not parsed yet.
    pub(super) fn rest(&self) -> Packets<'_> {
        match &self.packets {
            Kept::Text(text) => Packets::Text(text.get(self.parsed..).unwrap_or_default()),
            Kept::Binary(bytes) => Packets::Binary(bytes.get(self.parsed..).unwrap_or_default()),
        }
    }

    /// All but this many bytes at their end have been parsed.
    pub(super) fn leave(&mut self, left: usize) {
        self.parsed += self.rest().len().saturating_sub(left);
    }
}

impl From<Packets<'_>> for KeptPackets {
    fn from(packets: Packets<'_>) -> Self {
        Self {
            packets: match packets {
                Packets::Text(text) => Kept::Text(text.into()),
                Packets::Binary(bytes) => Kept::Binary(bytes.into()),
            },
            parsed: 0,
        }
    }
}

fn read_text(
    mut left: &str,
    protocol: ProtocolVersion,
    mut each: impl FnMut(packet::Packet<'_>) -> bool,
) -> Result<&str, Unreadable> {
    while !left.is_empty() {
        let packet;
        (packet, left) = match protocol {
            ProtocolVersion::V3 => split_by_length(left).ok_or(Unreadable)?,
            ProtocolVersion::V4 => match left.split_once(SEPARATOR) {
                // There is a packet on either side of a separator.
                Some((_, "")) => return Err(Unreadable),
                Some(split) => split,
                None => (left, ""),
            },
        };
        // Engine.IO 3 has no empty packets.
        if packet.is_empty() && protocol == ProtocolVersion::V3 {
            continue;
        }
        if !each(packet::Packet::of_text(packet, protocol)?) {
            break;
        }
    }
    Ok(left)
}

/// The first packet of an Engine.IO 3 text payload, and the rest; `None` if it is incomplete.
fn split_by_length(payload: &str) -> Option<(&str, &str)> {
    let (length, rest) = payload.split_once(':')?;
    let length = decimal(length.bytes().map(|digit| digit.wrapping_sub(b'0')))?;
    let mut units = 0;
    for (at, character) in rest.char_indices() {
        if units >= length {
            return (units == length).then(|| rest.split_at(at));
        }
        units += character.len_utf16();
    }
    (units == length).then_some((rest, ""))
}

fn decimal(digits: impl Iterator<Item = u8>) -> Option<usize> {
    let mut number = None;
    for digit in digits {
        if digit > 9 {
            return None;
        }
        let before: usize = number.unwrap_or(0);
        number = Some(before.checked_mul(10)?.checked_add(usize::from(digit))?);
    }
    number
}

fn read_binary(
    mut left: &[u8],
    mut each: impl FnMut(packet::Packet<'_>) -> bool,
) -> Result<&[u8], Unreadable> {
    while let Some((&kind, rest)) = left.split_first() {
        // No valid length has more digits.
        let digits = rest.iter().take(20).position(|&byte| byte == LENGTH_END);
        let (length, rest) = rest.split_at(digits.ok_or(Unreadable)?);
        let length = decimal(length.iter().copied()).ok_or(Unreadable)?;
        let packet;
        (packet, left) = rest[1..].split_at_checked(length).ok_or(Unreadable)?;
        let packet = match kind {
            0 => {
                let text = std::str::from_utf8(packet).map_err(|_| Unreadable)?;
                packet::Packet::of_text(text, ProtocolVersion::V3)?
            }
            // 1, from clients that keep to the protocol.
            _ => packet::Packet::of_bytes(packet, ProtocolVersion::V3),
        };
        if !each(packet) {
            break;
        }
    }
    Ok(left)
}

/// A payload for a client, written packet by packet.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    protocol: ProtocolVersion,
    is_binary: bool,
}

impl Writer {
    /// A payload; `is_binary` if packets are encoded as bytes, which only Engine.IO 3 does.
    pub(super) fn new(protocol: ProtocolVersion, is_binary: bool) -> Self {
        Self {
            bytes: Vec::new(),
            protocol,
            is_binary: is_binary && protocol == ProtocolVersion::V3,
        }
    }

    /// Adds a packet.
    pub(super) fn packet(&mut self, packet: &Packet) {
        match packet {
            Packet::Ping => self.text("2", ""),
            Packet::Pong => self.text("3", ""),
            Packet::Noop => self.text("6", ""),
            Packet::Text(text) => self.text("4", text.as_str()),
            Packet::Binary(bytes) if self.is_binary => {
                self.length(1, bytes.len() + 1);
                self.bytes.push(4);
                self.bytes.extend_from_slice(bytes);
            }
            Packet::Binary(bytes) => {
                let kind = match self.protocol {
                    ProtocolVersion::V3 => "b4",
                    ProtocolVersion::V4 => "b",
                };
                self.text(kind, &BASE64.encode(bytes));
            }
        }
    }

    /// Adds a text packet of this type.
    pub(super) fn text(&mut self, kind: &str, data: &str) {
        if self.is_binary {
            self.length(0, kind.len() + data.len());
        } else if self.protocol == ProtocolVersion::V3 {
            let units = kind.len() + data.encode_utf16().count();
            self.bytes.extend_from_slice(units.to_string().as_bytes());
            self.bytes.push(b':');
        } else if !self.bytes.is_empty() {
            self.bytes.push(SEPARATOR as u8);
        }
        self.bytes.extend_from_slice(kind.as_bytes());
        self.bytes.extend_from_slice(data.as_bytes());
    }

    fn length(&mut self, kind: u8, length: usize) {
        self.bytes.push(kind);
        let digits = length.to_string();
        self.bytes.extend(digits.bytes().map(|digit| digit - b'0'));
        self.bytes.push(LENGTH_END);
    }

    /// The payload, and whether it is binary.
    pub(super) fn finish(self) -> (Bytes, bool) {
        (self.bytes.into(), self.is_binary)
    }
}

#[cfg(test)]
mod tests {
    use super::packet::Packet as Received;
    use super::*;

    const V3: ProtocolVersion = ProtocolVersion::V3;
    const V4: ProtocolVersion = ProtocolVersion::V4;

    fn packets(
        body: &[u8],
        is_binary: bool,
        protocol: ProtocolVersion,
    ) -> Result<Vec<String>, Unreadable> {
        let mut packets = Vec::new();
        read(body, is_binary, protocol, |packet| {
            packets.push(match packet {
                Received::Message(text) => format!("4{text}"),
                Received::Ping(data) => format!("2{data}"),
                Received::Pong => "3".to_owned(),
                Received::Binary(bytes) => format!("{bytes:?}"),
                other => format!("{other:?}"),
            });
            true
        })?;
        Ok(packets)
    }

    #[test]
    fn payloads_of_engine_io_4_are_split_at_separators() {
        assert_eq!(
            packets("4a\x1e2\x1ebAQI=".as_bytes(), false, V4).unwrap(),
            ["4a", "2", "b\"\\x01\\x02\""]
        );
        for body in ["", "\x1e4a", "4a\x1e", "4a\x1e\x1e4b", "abc", "4a\x1exyz"] {
            assert_eq!(
                packets(body.as_bytes(), false, V4),
                Err(Unreadable),
                "{body:?}"
            );
        }
        assert_eq!(packets(b"4\xff", false, V4), Err(Unreadable));
    }

    #[test]
    fn payloads_of_engine_io_3_count_utf_16_code_units() {
        let read = |body: &str| packets(body.as_bytes(), false, V3);
        assert_eq!(read("1:26:42[\"m\"1:3").unwrap(), ["2", "42[\"m\"", "3"]);
        assert_eq!(read("5:4€ß😀1:2").unwrap(), ["4€ß😀", "2"]);
        assert_eq!(read("0:1:2").unwrap(), ["2"]);
        assert_eq!(read("6:b4AQI=1:2").unwrap(), ["b\"\\x01\\x02\"", "2"]);
        for body in [
            "",
            "x:21:2",
            "222",
            "9:21:2",
            ":1:2",
            "99999999999999999999:1:2",
            "1:😀1:2",
            "2:😀1:2",
            "-1:2",
            "1:2x:2",
        ] {
            assert_eq!(read(body), Err(Unreadable), "{body}");
        }
    }

    #[test]
    fn packets_that_are_parsed_piece_by_piece_are_those_of_the_whole_body() {
        let binary = [0, 2, 0xff, b'4', b'x', 1, 2, 0xff, 4, 7, 0, 1, 0xff, b'2'];
        for (body, is_binary, protocol) in [
            ("4€\x1ebAQI=\x1e2".as_bytes(), false, V4),
            ("2:4€0:6:b4AQI=1:2".as_bytes(), false, V3),
            (&binary[..], true, V3),
        ] {
            let mut count = 0;
            let one = |_: Received<'_>| {
                count += 1;
                false
            };
            let rest = read(body, is_binary, protocol, one).unwrap();
            let mut kept = KeptPackets::from(rest);
            while kept.rest().len() > 0 {
                let one = |_: Received<'_>| {
                    count += 1;
                    false
                };
                let left = kept.rest().read(protocol, one).unwrap().len();
                kept.leave(left);
            }
            assert_eq!(count, packets(body, is_binary, protocol).unwrap().len());
            assert_eq!(count, 3);
        }
    }

    #[test]
    fn a_payload_of_300_000_packets_is_read_in_linear_time() {
        let body = "1:2".repeat(300_000);
        assert_eq!(packets(body.as_bytes(), false, V3).unwrap().len(), 300_000);
    }

    #[test]
    fn payloads_that_are_written_are_read_as_the_same_packets() {
        let packets_ = [
            Packet::Text(Str::from("2[\"ünï😀\"]")),
            Packet::Binary(Bytes::from_static(&[1, 2])),
            Packet::Text(Str::from("")),
            Packet::Ping,
            Packet::Pong,
        ];
        let expected = ["42[\"ünï😀\"]", "b\"\\x01\\x02\"", "4", "2", "3"];
        for (protocol, takes_binary) in [(V3, false), (V3, true), (V4, false), (V4, true)] {
            let mut writer = Writer::new(protocol, takes_binary);
            packets_.iter().for_each(|packet| writer.packet(packet));
            let (bytes, is_binary) = writer.finish();
            assert_eq!(is_binary, takes_binary && protocol == V3);
            assert_eq!(packets(&bytes, is_binary, protocol).unwrap(), expected);
        }
    }

    #[test]
    fn packets_of_a_binary_payload_that_are_not_text_are_bytes() {
        let body = [0, 2, 0xff, b'4', b'x', 2, 2, 0xff, 4, 7, 1, 2, 0xff, 4, 8];
        let expected = ["4x", "b\"\\x07\"", "b\"\\x08\""];
        assert_eq!(packets(&body, true, V3).unwrap(), expected);
    }

    #[test]
    fn a_binary_payload_with_wrong_lengths_is_refused() {
        for body in [
            &[0][..],
            &[0, 1],
            &[0, 0xff],
            &[0, 2, 0xff, b'2'],
            &[0, 1, 0xff, 0xff],
            &[0, 11, 0xff, b'2'],
        ] {
            assert_eq!(packets(body, true, V3), Err(Unreadable), "{body:?}");
        }
    }
}
