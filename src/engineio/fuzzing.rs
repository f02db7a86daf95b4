//! What must stay true for every input of the codec of polling; `fuzz/` and the unit tests
//! run it. A function panics where it does not.

use super::packet::Packet;
use super::payload::{self, Writer};
use super::{ProtocolVersion, Str};

/// A packet that both a server and a client can send in a payload.
fn both_ways(packet: &Packet<'_>) -> Option<payload::Packet> {
    Some(match packet {
        Packet::Message(text) => payload::Packet::Text(Str::copy_from_slice(text)),
        Packet::Binary(bytes) => payload::Packet::Binary(bytes.clone()),
        Packet::Ping("") => payload::Packet::Ping,
        Packet::Noop => payload::Packet::Noop,
        _ => return None,
    })
}

/// A packet as text, to be compared.
fn shown(packet: &payload::Packet) -> String {
    match packet {
        payload::Packet::Text(text) => format!("text {}", text.as_str()),
        payload::Packet::Binary(bytes) => format!("binary {bytes:?}"),
        other => format!("{other:?}"),
    }
}

fn packets_of(body: &[u8], is_binary: bool, protocol: ProtocolVersion) -> Vec<payload::Packet> {
    let mut packets = Vec::new();
    // Packets before an unreadable one have been passed on, so they count.
    let _ = payload::read(body, is_binary, protocol, |packet| {
        packets.extend(both_ways(&packet));
        true
    });
    packets
}

/// The bodies of long polling: packets that are read, written and read again are the same. The first
/// byte chooses the version of the protocol and whether the body is binary.
pub fn payloads(input: &[u8]) {
    let Some((&choice, body)) = input.split_first() else {
        return;
    };
    let protocol = if choice & 1 == 0 {
        ProtocolVersion::V4
    } else {
        ProtocolVersion::V3
    };
    // Only Engine.IO 3 has binary payloads.
    let is_binary = choice & 3 == 3;
    let packets = packets_of(body, is_binary, protocol);
    if packets.is_empty() {
        return;
    }
    for takes_binary in [false, true] {
        let mut writer = Writer::new(protocol, takes_binary);
        packets.iter().for_each(|packet| writer.packet(packet));
        let (written, is_binary) = writer.finish();
        let again = packets_of(&written, is_binary, protocol);
        let all = |packets: &[payload::Packet]| packets.iter().map(shown).collect::<Vec<_>>();
        assert_eq!(all(&packets), all(&again));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::tests::replay;

    #[test]
    fn payloads_of_the_corpus_are_the_same_when_written_and_read_again() {
        replay("payloads", payloads);
    }
}
