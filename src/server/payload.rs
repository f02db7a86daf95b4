//! The body of a POST on its way into the engine.
//!
//! A text payload of Engine.IO 3 is `length:packet` time after time. For each packet the engine looks
//! at all of the chunk that it begins in, so a payload in one chunk would cost the square of its
//! size; and at a packet that ends amid a surrogate pair it looks for ever. Either would stop the
//! thread that serves everybody. What must stay true: the engine gets whole packets alone, each in
//! a chunk of its own, and behind them, if anything else was sent, [`NONE`].

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};

/// What the engine refuses at once.
const NONE: Bytes = Bytes::from_static(b"none:");

/// A body, a chunk at a time.
#[derive(Debug)]
pub(super) struct Payload {
    left: Bytes,
    is_split: bool,
}

impl Payload {
    /// A payload that the engine takes apart in one go.
    pub(super) fn whole(body: Bytes) -> Self {
        Self {
            left: body,
            is_split: false,
        }
    }

    /// A text payload of Engine.IO 3.
    pub(super) fn split(body: Bytes) -> Self {
        Self {
            left: body,
            is_split: true,
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let chunk = if !self.is_split {
            std::mem::take(&mut self.left)
        } else if let Some(end) = packet_end(&self.left) {
            self.left.split_to(end)
        } else {
            self.left.clear();
            NONE
        };
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }
}

/// Where the first packet ends; `None` if there is no whole one.
fn packet_end(payload: &[u8]) -> Option<usize> {
    let colon = payload.iter().position(|&byte| byte == b':')?;
    let (length, packet) = (&payload[..colon], &payload[colon + 1..]);
    let length: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
    // Lengths are those of JavaScript's strings. In UTF-8 a byte begins a character unless it is
    // 10xxxxxx, and one that begins four bytes stands for two units.
    let mut units: usize = 0;
    let mut end = 0;
    while let Some(&byte) = packet.get(end) {
        let begins = byte & 0xc0 != 0x80;
        if begins && units >= length {
            break;
        }
        units += usize::from(begins) + usize::from(byte >= 0xf0);
        end += 1;
    }
    let is_whole = units == length && std::str::from_utf8(&packet[..end]).is_ok();
    is_whole.then_some(colon + 1 + end)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn chunks(mut payload: Payload) -> Vec<Bytes> {
        let mut chunks = Vec::new();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.build().unwrap().block_on(async {
            while let Some(Ok(frame)) = payload.frame().await {
                chunks.push(frame.into_data().unwrap());
            }
        });
        chunks
    }

    fn split(body: &'static str) -> Vec<Bytes> {
        chunks(Payload::split(Bytes::from_static(body.as_bytes())))
    }

    #[test]
    fn each_packet_is_a_chunk() {
        assert_eq!(split("1:26:42[\"m\"1:3"), ["1:2", "6:42[\"m\"", "1:3"]);
        assert_eq!(split("5:4€ß😀1:2"), ["5:4€ß😀", "1:2"]);
        assert_eq!(split("0:0:1:2"), ["0:", "0:", "1:2"]);
        assert!(split("").is_empty());
    }

    #[test]
    fn what_is_no_whole_packet_never_reaches_the_engine() {
        for body in [
            "x:21:2",
            "222",
            "9:21:2",
            ":1:2",
            "99999999999999999999:1:2",
            "1:😀1:2",
        ] {
            assert_eq!(split(body), [NONE], "{body}");
        }
        assert_eq!(split("1:2x:21:2"), [Bytes::from_static(b"1:2"), NONE]);
        assert_eq!(
            chunks(Payload::split(Bytes::from_static(b"1:\xff"))),
            [NONE]
        );
    }

    #[test]
    fn other_payloads_are_one_chunk() {
        let body = Bytes::from_static(b"1:21:2");
        assert_eq!(chunks(Payload::whole(body.clone())), [body]);
    }
}
