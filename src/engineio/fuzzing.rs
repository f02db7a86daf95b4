//! What must stay true for every input of the websocket and polling codecs; `fuzz/` and the unit tests
//! run it. A function panics where it does not.

use std::ops::ControlFlow;

use super::packet::Packet;
use super::payload::{self, Writer};
use super::{ProtocolVersion, Str};
use crate::protocol::FrameError;
use crate::websocket::codec::{Frames, Said};

/// A frame's content, kept.
#[derive(Debug, PartialEq, Eq)]
enum Received {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<Vec<u8>>),
}

/// Reads the frames of a stream that comes in chunks of these sizes, over and over.
fn frames_of(stream: &[u8], limit: usize, sizes: &[usize]) -> (Vec<Received>, Option<FrameError>) {
    let mut frames = Frames::new(limit);
    let mut received = Vec::new();
    let mut left = stream;
    for &size in sizes.iter().cycle() {
        if left.is_empty() {
            break;
        }
        let (chunk, rest) = left.split_at(size.clamp(1, left.len()));
        left = rest;
        let read = frames.feed(&mut chunk.to_vec(), |said| {
            received.push(match said {
                Said::Text(text) => Received::Text(text.to_owned()),
                Said::Binary(bytes) => Received::Binary(bytes.to_vec()),
                Said::Ping(data) => Received::Ping(data.to_vec()),
                Said::Pong => Received::Pong,
                Said::Close(closing) => Received::Close(closing.map(|closing| closing.0.to_vec())),
            });
            ControlFlow::Continue(())
        });
        if let Err(fault) = read {
            return (received, Some(fault));
        }
    }
    (received, None)
}

/// The frames of a client: a stream means the same however it is cut up, and no message is larger than
/// the limit. The first bytes are the limit and the sizes of the chunks.
pub fn frames(input: &[u8]) {
    let Some((&[limit, first, second], stream)) = input.split_first_chunk::<3>() else {
        return;
    };
    let limit = usize::from(limit) * 4;
    let whole = frames_of(stream, limit, &[stream.len()]);
    for received in &whole.0 {
        match received {
            Received::Text(text) => assert!(text.len() <= limit),
            Received::Binary(bytes) => assert!(bytes.len() <= limit),
            Received::Ping(data) => assert!(data.len() <= 125),
            Received::Pong | Received::Close(_) => {}
        }
    }
    assert_eq!(whole, frames_of(stream, limit, &[1]));
    let sizes = [usize::from(first), usize::from(second)];
    assert_eq!(whole, frames_of(stream, limit, &sizes));
}

/// What a server and a client can both send in a payload.
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
    // What comes before something unreadable has been handed on, and counts.
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
    fn streams_of_frames_of_the_corpus_mean_the_same_however_they_are_cut_up() {
        replay("frames", frames);
    }

    #[test]
    fn payloads_of_the_corpus_are_the_same_when_written_and_read_again() {
        replay("payloads", payloads);
    }
}
