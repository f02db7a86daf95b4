//! Polling payloads: how several messages share the body of one request, in both revisions.
//!
//! Revision 4 separates packets by U+001E and writes attachments in base64. Revision 3 counts the
//! characters of each packet (UTF-16 units, as JavaScript counts them); a payload with attachments
//! counts bytes and is binary.

use std::collections::VecDeque;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::packet::{Eio, Message, number};

/// Between packets of revision 4.
const SEPARATOR: u8 = 0x1E;
/// The type byte of a message, in front of attachments in revision 3.
pub const MESSAGE: u8 = 4;

/// Messages that wait for the next POST.
#[derive(Debug, Default)]
pub struct Queue {
    /// The messages one after the other.
    bytes: Vec<u8>,
    /// Of each, its length and whether it is an attachment.
    messages: VecDeque<(usize, bool)>,
    /// Where the first message that waits begins.
    start: usize,
}

impl Queue {
    /// Puts a message at the end.
    pub fn push(&mut self, message: Message<'_>) {
        let (bytes, is_binary) = match message {
            Message::Text(bytes) => (bytes, false),
            Message::Binary(bytes) => (bytes, true),
        };
        self.bytes.extend_from_slice(bytes);
        self.messages.push_back((bytes.len(), is_binary));
    }

    /// Hands over all messages, which then wait no longer.
    pub fn drain(&mut self, mut each: impl FnMut(Message<'_>)) {
        for (length, is_binary) in self.messages.drain(..) {
            let bytes = &self.bytes[self.start..self.start + length];
            self.start += length;
            each(if is_binary {
                Message::Binary(bytes)
            } else {
                Message::Text(bytes)
            });
        }
        self.bytes.clear();
        self.start = 0;
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Moves messages into a payload, at least one and no more than fit into `limit` bytes;
    /// whether the payload is binary.
    pub fn take(&mut self, eio: Eio, limit: usize, body: &mut Vec<u8>) -> bool {
        let (mut count, mut size, mut any_binary) = (0, 0, false);
        for &(length, is_binary) in &self.messages {
            // no message costs more than base64 and twelve bytes of frame
            size += if is_binary { length * 4 / 3 } else { length } + 12;
            if count > 0 && size > limit {
                break;
            }
            count += 1;
            any_binary |= is_binary;
        }
        for (length, is_binary) in self.messages.drain(..count) {
            let bytes = &self.bytes[self.start..self.start + length];
            self.start += length;
            match eio {
                Eio::V4 => {
                    if !body.is_empty() {
                        body.push(SEPARATOR);
                    }
                    if is_binary {
                        body.extend_from_slice(b"b");
                        body.extend_from_slice(BASE64.encode(bytes).as_bytes());
                    } else {
                        body.extend_from_slice(bytes);
                    }
                }
                Eio::V3 if any_binary => {
                    body.push(is_binary.into());
                    let length = bytes.len() + usize::from(is_binary);
                    let mut digits = itoa::Buffer::new();
                    body.extend(digits.format(length).bytes().map(|b| b - b'0'));
                    body.push(0xFF);
                    if is_binary {
                        body.push(MESSAGE);
                    }
                    body.extend_from_slice(bytes);
                }
                Eio::V3 => {
                    let mut digits = itoa::Buffer::new();
                    body.extend_from_slice(digits.format(units(bytes)).as_bytes());
                    body.push(b':');
                    body.extend_from_slice(bytes);
                }
            }
        }
        if self.messages.is_empty() {
            self.bytes.clear();
            self.start = 0;
        }
        eio == Eio::V3 && any_binary
    }
}

/// Takes a payload apart and hands over its messages in order.
pub fn decode(
    eio: Eio,
    is_binary: bool,
    body: &[u8],
    mut each: impl FnMut(Message<'_>) -> Result<()>,
) -> Result<()> {
    if eio == Eio::V4 {
        return body
            .split(|&b| b == SEPARATOR)
            .try_for_each(|packet| text_packet(packet, b"b", &mut each));
    }
    let mut rest = body;
    while let Some(&first) = rest.first() {
        if is_binary {
            let end = rest
                .iter()
                .position(|&b| b == 0xFF)
                .context("a packet without the end of its length")?;
            let length = rest[1..end].iter().try_fold(0usize, |n, &b| {
                ensure!(b < 10 && n < 1 << 40, "a packet with an impossible length");
                Ok(n * 10 + usize::from(b))
            })?;
            let packet = rest
                .get(end + 1..end + 1 + length)
                .context("a packet shorter than its length")?;
            rest = &rest[end + 1 + length..];
            if first == 0 {
                each(Message::Text(packet))?;
            } else {
                let data = packet
                    .strip_prefix(&[MESSAGE])
                    .context("an attachment that is no message")?;
                each(Message::Binary(data))?;
            }
        } else {
            let (length, after) = number(rest).context("a packet without a length")?;
            let after = after
                .strip_prefix(b":")
                .context("a packet without the end of its length")?;
            let end = prefix(after, usize::try_from(length)?)
                .context("a packet shorter than its length")?;
            let (packet, next) = after.split_at(end);
            text_packet(packet, b"b4", &mut each)?;
            rest = next;
        }
    }
    Ok(())
}

/// A packet in a text payload: text, or an attachment in base64 behind its mark.
fn text_packet(
    packet: &[u8],
    mark: &[u8],
    each: &mut impl FnMut(Message<'_>) -> Result<()>,
) -> Result<()> {
    match packet.strip_prefix(mark) {
        Some(base64) => {
            let data = BASE64.decode(base64).context("an attachment")?;
            each(Message::Binary(&data))
        }
        None => each(Message::Text(packet)),
    }
}

/// How many UTF-16 units the byte that begins a character stands for; continuation bytes, none.
fn units_of(byte: u8) -> usize {
    match byte {
        0x80..=0xBF => 0,
        0xF0..=0xFF => 2,
        _ => 1,
    }
}

/// The length of a text as JavaScript counts it.
fn units(text: &[u8]) -> usize {
    text.iter().map(|&b| units_of(b)).sum()
}

/// How many bytes the first `wanted` UTF-16 units take.
fn prefix(text: &[u8], wanted: usize) -> Option<usize> {
    if text.get(..wanted)?.is_ascii() {
        return Some(wanted);
    }
    let mut seen = 0;
    for (i, &b) in text.iter().enumerate() {
        let units = units_of(b);
        if seen == wanted && units > 0 {
            return Some(i);
        }
        seen += units;
    }
    (seen == wanted).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of a payload, by value.
    fn messages(eio: Eio, is_binary: bool, body: &[u8]) -> Result<Vec<(bool, Vec<u8>)>> {
        let mut all = Vec::new();
        decode(eio, is_binary, body, |m| {
            all.push(match m {
                Message::Text(t) => (false, t.to_vec()),
                Message::Binary(b) => (true, b.to_vec()),
            });
            Ok(())
        })?;
        Ok(all)
    }

    /// The payload of what a queue holds.
    fn payload(queue: &mut Queue, eio: Eio, limit: usize) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        let is_binary = queue.take(eio, limit, &mut body);
        (body, is_binary)
    }

    #[test]
    fn payloads_look_as_the_protocols_have_them() {
        let mut queue = Queue::default();
        let mut fill = |binary: bool| {
            let mut queue = std::mem::take(&mut queue);
            queue.push(Message::Text("42[\"é€😀\"]".as_bytes()));
            if binary {
                queue.push(Message::Binary(&[1, 2, 3]));
            }
            queue.push(Message::Text(b"2"));
            queue
        };
        assert_eq!(
            payload(&mut fill(true), Eio::V4, 1000),
            ("42[\"é€😀\"]\u{1e}bAQID\u{1e}2".into(), false)
        );
        assert_eq!(
            payload(&mut fill(false), Eio::V3, 1000),
            ("10:42[\"é€😀\"]1:2".into(), false)
        );
        let (body, is_binary) = payload(&mut fill(true), Eio::V3, 1000);
        assert!(is_binary);
        assert_eq!(&body[..4], &[0, 1, 5, 0xFF]);
        assert_eq!(&body[19..], &[1, 4, 0xFF, 4, 1, 2, 3, 0, 1, 0xFF, b'2']);
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for eio in [Eio::V3, Eio::V4] {
            for binary in [false, true] {
                let mut queue = Queue::default();
                let mut expected = Vec::new();
                for text in ["2", "42[\"é€😀\"]", "430[]"] {
                    queue.push(Message::Text(text.as_bytes()));
                    expected.push((false, text.as_bytes().to_vec()));
                    if binary {
                        let data: Vec<u8> = (0..=255).collect();
                        queue.push(Message::Binary(&data));
                        expected.push((true, data));
                    }
                }
                let (body, is_binary) = payload(&mut queue, eio, 10_000);
                assert!(queue.is_empty());
                assert_eq!(messages(eio, is_binary, &body).unwrap(), expected);
            }
        }
    }

    #[test]
    fn a_payload_stays_below_the_limit_and_takes_one_message_at_least() {
        let mut queue = Queue::default();
        for _ in 0..3 {
            queue.push(Message::Text(&[b'x'; 100]));
        }
        assert_eq!(payload(&mut queue, Eio::V4, 250).0.len(), 201);
        assert_eq!(payload(&mut queue, Eio::V4, 10).0.len(), 100);
        assert!(queue.is_empty());
    }

    #[test]
    fn attachments_of_text_payloads_are_found_in_both_revisions() {
        let expected = vec![(true, vec![1, 2, 3])];
        assert_eq!(messages(Eio::V4, false, b"bAQID").unwrap(), expected);
        assert_eq!(messages(Eio::V3, false, b"6:b4AQID").unwrap(), expected);
    }

    #[test]
    fn broken_payloads_are_refused() {
        for body in ["x", "5:42", "5", ":", "9999999999999999999999:x"] {
            assert!(messages(Eio::V3, false, body.as_bytes()).is_err(), "{body}");
        }
        for body in [
            &[0u8, 1][..],
            &[0, 11, 0xFF],
            &[0, 5, 0xFF, b'x'],
            &[1, 1, 0xFF, 9],
        ] {
            assert!(messages(Eio::V3, true, body).is_err(), "{body:?}");
        }
        assert!(messages(Eio::V4, false, b"b!").is_err());
    }
}
