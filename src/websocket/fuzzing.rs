//! Properties of the frame codec that hold for every input; `fuzz/` and the unit tests run them. A
//! function panics if its property does not hold.

use std::ops::ControlFlow;

use super::codec::{Frames, Message, Stop};
use super::deflate::{Agreement, Inflater};
use crate::protocol::ProtocolError;

/// An owned message.
#[derive(Debug, PartialEq, Eq)]
enum Received {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<Vec<u8>>),
}

/// Decodes a stream in chunks of these sizes, repeated; with pauses after each message, or without.
fn frames_of(
    stream: &[u8],
    limit: usize,
    agreement: Option<Agreement>,
    sizes: &[usize],
    pauses: bool,
) -> (Vec<Received>, Option<ProtocolError>) {
    let mut frames = Frames::new(limit, agreement.map(Inflater::new));
    let mut received = Vec::new();
    let mut left = stream;
    let mut sizes = sizes.iter().cycle();
    while !left.is_empty() || frames.is_paused() {
        let size = if frames.is_paused() {
            0
        } else {
            sizes.next().map_or(1, |&size| size.clamp(1, left.len()))
        };
        let (chunk, rest) = left.split_at(size);
        left = rest;
        let read = frames.feed(&mut chunk.to_vec(), |message| {
            received.push(match message {
                Message::Text(text) => Received::Text(text.to_owned()),
                Message::Binary(bytes) => Received::Binary(bytes.to_vec()),
                Message::Ping(data) => Received::Ping(data.to_vec()),
                Message::Pong => Received::Pong,
                Message::Close(close_frame) => {
                    Received::Close(close_frame.map(|close_frame| close_frame.0.to_vec()))
                }
            });
            if pauses {
                ControlFlow::Break(Stop::Pause)
            } else {
                ControlFlow::Continue(())
            }
        });
        if let Err(error) = read {
            return (received, Some(error));
        }
    }
    (received, None)
}

/// A client's stream decodes to the same messages however it is split and wherever decoding is paused, and no
/// message is larger than the limit. The first bytes are the limit and the sizes of the chunks.
pub fn frames(input: &[u8]) {
    if let Some((sizes, stream)) = input.split_first_chunk::<3>() {
        check(*sizes, stream, None);
    }
}

/// The same with compression. The fourth byte is whether contexts are taken over, and the window.
pub fn inflate(input: &[u8]) {
    if let Some((&[limit, first, second, agreed], stream)) = input.split_first_chunk::<4>() {
        let agreement = Agreement {
            client_takes_over: agreed & 8 == 0,
            client_window_bits: 8 + agreed % 8,
            ..Agreement::default()
        };
        check([limit, first, second], stream, Some(agreement));
    }
}

fn check([limit, first, second]: [u8; 3], stream: &[u8], agreement: Option<Agreement>) {
    let limit = usize::from(limit) * 4;
    let whole = frames_of(stream, limit, agreement, &[stream.len()], false);
    for received in &whole.0 {
        match received {
            Received::Text(text) => assert!(text.len() <= limit),
            Received::Binary(bytes) => assert!(bytes.len() <= limit),
            Received::Ping(data) => assert!(data.len() <= 125),
            Received::Pong | Received::Close(_) => {}
        }
    }
    assert_eq!(whole, frames_of(stream, limit, agreement, &[1], false));
    let sizes = [usize::from(first), usize::from(second)];
    for pauses in [false, true] {
        assert_eq!(whole, frames_of(stream, limit, agreement, &sizes, pauses));
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
    fn compressed_messages_of_the_corpus_mean_the_same_however_they_are_cut_up() {
        replay("inflate", inflate);
    }
}
