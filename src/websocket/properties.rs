//! Compares the frame codec with that of tungstenite, an independent implementation of RFC 6455.
//!
//! Frames that one of them writes are read by the other as the same messages, and what one refuses the
//! other refuses. Where they differ on purpose, a test says how and why. `PROPTEST_CASES` in the
//! environment sets how many streams each property sees.

use std::io::{self, Cursor, Read, Write};
use std::ops::ControlFlow;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tungstenite::error;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use super::codec::{self, Frames};
use crate::protocol::ProtocolError;

/// Longer than any message but those of [`frames`].
const NO_LIMIT: usize = 1 << 20;

/// The maximum length of a message of [`frames`].
const LIMIT: usize = 200;

/// A message as a decoder passes it on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Received {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<(u16, String)>),
}

impl Received {
    fn is_control(&self) -> bool {
        !matches!(self, Self::Text(_) | Self::Binary(_))
    }

    /// The opcode and the payload of its frame.
    fn parts(&self) -> (OpCode, Vec<u8>) {
        match self {
            Self::Text(text) => (OpCode::Data(Data::Text), text.clone().into()),
            Self::Binary(bytes) => (OpCode::Data(Data::Binary), bytes.clone()),
            Self::Ping(data) => (OpCode::Control(Control::Ping), data.clone()),
            Self::Pong => (OpCode::Control(Control::Pong), Vec::new()),
            Self::Close(None) => (OpCode::Control(Control::Close), Vec::new()),
            Self::Close(Some((code, reason))) => (
                OpCode::Control(Control::Close),
                [&code.to_be_bytes(), reason.as_bytes()].concat(),
            ),
        }
    }
}

/// Reads the stream of a client in pieces of this size, up to a close frame.
fn read_by_us(stream: &[u8], piece: usize, limit: usize) -> (Vec<Received>, Option<ProtocolError>) {
    let mut frames = Frames::new(limit, None);
    let mut received = Vec::new();
    for piece in stream.to_vec().chunks_mut(piece) {
        let read = frames.feed(piece, |message| {
            received.push(match message {
                codec::Message::Text(text) => Received::Text(text.to_owned()),
                codec::Message::Binary(bytes) => Received::Binary(bytes.to_vec()),
                codec::Message::Ping(data) => Received::Ping(data.to_vec()),
                codec::Message::Pong => Received::Pong,
                codec::Message::Close(close_frame) => {
                    Received::Close(close_frame.map(|close_frame| {
                        let (code, reason) = close_frame.0.split_first_chunk().unwrap();
                        let reason = String::from_utf8(reason.to_vec()).unwrap();
                        (u16::from_be_bytes(*code), reason)
                    }))
                }
            });
            match received.last() {
                Some(Received::Close(_)) => ControlFlow::Break(codec::Stop::Discard),
                _ => ControlFlow::Continue(()),
            }
        });
        if let Err(fault) = read {
            return (received, Some(fault));
        }
        if let Some(Received::Close(_)) = received.last() {
            break;
        }
    }
    (received, None)
}

/// A stream to read from, which drops what is written.
struct Stream(Cursor<Vec<u8>>);

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the stream of the other side, up to a close frame.
fn read_by_tungstenite(stream: &[u8], role: Role, limit: usize) -> (Vec<Received>, Option<Error>) {
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_message_size(Some(limit))
        .max_frame_size(None);
    let stream = Stream(Cursor::new(stream.to_vec()));
    let mut socket = WebSocket::from_raw_socket(stream, role, Some(config));
    let mut received = Vec::new();
    loop {
        received.push(match socket.read() {
            Ok(Message::Text(text)) => Received::Text(text.to_string()),
            Ok(Message::Binary(bytes)) => Received::Binary(bytes.to_vec()),
            Ok(Message::Ping(data)) => Received::Ping(data.to_vec()),
            Ok(Message::Pong(_)) => Received::Pong,
            Ok(Message::Close(close_frame)) => {
                let close_frame =
                    close_frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                received.push(Received::Close(close_frame));
                return (received, None);
            }
            Ok(Message::Frame(_)) => unreachable!("tungstenite reads no raw frames"),
            Err(Error::Protocol(error::ProtocolError::ResetWithoutClosingHandshake)) => {
                return (received, None);
            }
            Err(error) => return (received, Some(error)),
        });
    }
}

/// Lengths about those at which the form of a frame's length changes.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        6 => 0..200usize,
        2 => select(vec![124, 125, 126, 127]),
        1 => select(vec![65_534, 65_535, 65_536, 65_537]),
    ]
}

fn bytes(length: impl Strategy<Value = usize>) -> impl Strategy<Value = Vec<u8>> {
    (length, any::<u8>()).prop_map(|(length, seed)| {
        let byte = |index: usize| (index % 251) as u8 ^ seed;
        (0..length).map(byte).collect()
    })
}

/// Texts whose characters take one to four bytes, so that fragments part them anywhere.
fn text(length: impl Strategy<Value = usize>) -> impl Strategy<Value = String> {
    length.prop_map(|length| {
        let mut text = "ü✓😀x".repeat(length / 10);
        text.push_str(&"y".repeat(length % 10));
        text
    })
}

fn message() -> impl Strategy<Value = Received> {
    prop_oneof![
        text(length()).prop_map(Received::Text),
        bytes(length()).prop_map(Received::Binary),
    ]
}

fn ping_or_pong() -> impl Strategy<Value = Received> {
    prop_oneof![
        bytes(0..=125usize).prop_map(Received::Ping),
        Just(Received::Pong),
    ]
}

fn close() -> impl Strategy<Value = Received> {
    let code = prop_oneof![1000..=1003u16, 1007..=1013u16, 3000..=4999u16,];
    let close_frame = (code, text(0..=123usize));
    prop::option::of(close_frame).prop_map(Received::Close)
}

/// A message of a client in fragments that end there, with control frames between them.
#[derive(Clone, Debug)]
struct Fragmented {
    message: Received,
    cuts: Vec<Index>,
    between: Vec<Received>,
    mask: [u8; 4],
}

fn fragmented() -> impl Strategy<Value = Fragmented> {
    (
        message(),
        vec(any::<Index>(), 0..4),
        vec(ping_or_pong(), 0..4),
        any::<[u8; 4]>(),
    )
        .prop_map(|(message, cuts, between, mask)| Fragmented {
            message,
            cuts,
            between,
            mask,
        })
}

/// Has tungstenite write a frame of a client.
fn write_frame(stream: &mut Vec<u8>, header: FrameHeader, payload: &[u8]) {
    Frame::from_payload(header, payload.to_vec().into())
        .format(stream)
        .unwrap();
}

impl Fragmented {
    /// Has tungstenite write it, and gives what is received of it.
    fn write(&self, stream: &mut Vec<u8>) -> Vec<Received> {
        let (opcode, payload) = self.message.parts();
        let mut cuts: Vec<_> = self
            .cuts
            .iter()
            .map(|cut| cut.index(payload.len() + 1))
            .collect();
        cuts.sort_unstable();
        let ends = cuts.iter().copied().chain([payload.len()]);
        let mut between = self.between.iter();
        let mut received = Vec::new();
        let mut start = 0;
        for (fragment, end) in ends.enumerate() {
            let is_final = fragment == cuts.len();
            let opcode = match fragment {
                0 => opcode,
                _ => OpCode::Data(Data::Continue),
            };
            let header = FrameHeader {
                is_final,
                opcode,
                mask: Some(self.mask),
                ..FrameHeader::default()
            };
            write_frame(stream, header, &payload[start..end]);
            start = end;
            if let Some(control) = between.next().filter(|_| !is_final) {
                write_control(stream, control, self.mask);
                received.push(control.clone());
            }
        }
        received.push(self.message.clone());
        received
    }
}

fn write_control(stream: &mut Vec<u8>, control: &Received, mask: [u8; 4]) {
    let (opcode, payload) = control.parts();
    let header = FrameHeader {
        opcode,
        mask: Some(mask),
        ..FrameHeader::default()
    };
    write_frame(stream, header, &payload);
}

/// A frame of a client that may break any rule.
#[derive(Clone, Debug)]
struct AnyFrame {
    first: u8,
    mask: Option<[u8; 4]>,
    payload: Vec<u8>,
}

fn any_frame() -> impl Strategy<Value = AnyFrame> {
    // Text, binary, continuation, each final or not, and the control frames.
    let first = prop_oneof![
        12 => select(vec![0x81, 0x82, 0x01, 0x02, 0x80, 0x00, 0x88, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => text(0..130usize).prop_map(String::into_bytes),
        1 => bytes(0..=LIMIT + 10),
        2 => (900..5100u16, text(0..40usize))
            .prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat()),
        1 => vec(any::<u8>(), 0..3),
    ];
    let mask = prop::option::weighted(0.97, any::<[u8; 4]>());
    (first, mask, payload).prop_map(|(first, mask, payload)| AnyFrame {
        first,
        mask,
        payload,
    })
}

impl AnyFrame {
    fn write(&self, stream: &mut Vec<u8>) {
        let has = |bit| self.first & bit != 0;
        let header = FrameHeader {
            is_final: has(0x80),
            rsv1: has(0x40),
            rsv2: has(0x20),
            rsv3: has(0x10),
            opcode: OpCode::from(self.first & 0x0f),
            mask: self.mask,
        };
        write_frame(stream, header, &self.payload);
    }
}

/// What tungstenite returns in place of an unknown close code.
fn violation() -> Received {
    Received::Close(Some((1002, "Protocol violation".to_owned())))
}

/// The stream of a client with one close frame.
fn close_frame(code: u16) -> Vec<u8> {
    let mut stream = Vec::new();
    let close = Received::Close(Some((code, String::new())));
    write_control(&mut stream, &close, [1, 2, 3, 4]);
    stream
}

proptest! {
    #[test]
    fn frames_that_we_write_are_read_by_tungstenite_as_the_same_messages(
        messages in vec(prop_oneof![4 => message(), 1 => Just(Received::Pong)], 0..8),
        close in close(),
    ) {
        let mut expected = messages;
        expected.push(close);
        let mut stream = Vec::new();
        for message in &expected {
            let kind = match message {
                Received::Text(_) => codec::OpCode::Text,
                Received::Binary(_) => codec::OpCode::Binary,
                Received::Ping(_) | Received::Pong => codec::OpCode::Pong,
                Received::Close(_) => codec::OpCode::Close,
            };
            codec::write_frame(&mut stream, kind, &message.parts().1);
        }
        let (received, error) = read_by_tungstenite(&stream, Role::Client, NO_LIMIT);
        prop_assert!(error.is_none(), "{error:?}");
        prop_assert_eq!(received, expected);
    }

    #[test]
    fn frames_that_tungstenite_writes_are_read_by_us_as_the_same_messages(
        messages in vec(fragmented(), 0..6),
        close in close(),
        piece in prop_oneof![1..10usize, 10..5000usize, Just(usize::MAX)],
    ) {
        let mut stream = Vec::new();
        let mut expected: Vec<_> =
            messages.iter().flat_map(|message| message.write(&mut stream)).collect();
        write_control(&mut stream, &close, [9; 4]);
        expected.push(close);
        prop_assert_eq!(read_by_us(&stream, piece, NO_LIMIT), (expected, None));
    }

    #[test]
    fn frames_that_tungstenite_refuses_are_refused_by_us_and_no_others(
        frames in vec(any_frame(), 1..8),
    ) {
        let mut stream = Vec::new();
        frames.iter().for_each(|frame| frame.write(&mut stream));
        let (mut ours, fault) = read_by_us(&stream, usize::MAX, LIMIT);
        let (theirs, error) = read_by_tungstenite(&stream, Role::Server, LIMIT);
        if let Some(Error::Utf8(_)) = error {
            // tungstenite finds it in a fragment, and our codec in the complete message.
            prop_assert!(ours.starts_with(&theirs), "{ours:?} {theirs:?}");
            prop_assert!(ours[theirs.len()..].iter().all(Received::is_control));
            return Ok(());
        }
        // Both differences are those of `close_codes_are_those_of_tungstenite_and_1014`.
        match (ours.last_mut(), fault) {
            (_, Some(ProtocolError::CloseCode(_))) => ours.push(violation()),
            (Some(last @ Received::Close(Some((1014, _)))), _) => *last = violation(),
            _ => prop_assert_eq!(fault.is_some(), error.is_some(), "{:?} {:?}", fault, error),
        }
        prop_assert_eq!(ours, theirs);
    }
}

/// A frame of a client that may be compressed, and that may break any rule.
fn compressed_frame() -> impl Strategy<Value = AnyFrame> {
    let first = select(vec![
        0xc1, 0xc2, 0x41, 0x42, 0x81, 0x01, 0x80, 0x00, 0x89, 0xc9, 0xc0,
    ]);
    let payload = prop_oneof![
        4 => (text(length()), 0..=9u32).prop_map(|(text, level)| {
            let level = flate2::Compression::new(level);
            let mut out = Vec::with_capacity(text.len() + 100);
            flate2::Compress::new(level, false)
                .compress_vec(text.as_bytes(), &mut out, flate2::FlushCompress::Sync)
                .unwrap();
            out
        }),
        1 => vec(any::<u8>(), 0..40),
    ];
    (first, payload, any::<[u8; 4]>()).prop_map(|(first, payload, mask)| AnyFrame {
        first,
        mask: Some(mask),
        payload,
    })
}

proptest! {
    #[test]
    fn compressed_frames_of_any_kind_mean_the_same_however_they_are_cut_up(
        frames in vec(compressed_frame(), 1..8),
        head in any::<[u8; 4]>(),
    ) {
        let mut stream = head.to_vec();
        frames.iter().for_each(|frame| frame.write(&mut stream));
        super::fuzzing::inflate(&stream);
    }
}

/// A close code that may not be sent is an error for our codec, as for `ws`; tungstenite replaces it.
/// tungstenite does not know 1014, "bad gateway", which IANA has registered.
#[test]
fn close_codes_are_those_of_tungstenite_and_1014() {
    for code in 0..=u16::MAX {
        let stream = close_frame(code);
        let (ours, fault) = read_by_us(&stream, usize::MAX, LIMIT);
        let (theirs, error) = read_by_tungstenite(&stream, Role::Server, LIMIT);
        assert!(error.is_none(), "{code}: {error:?}");
        // A protocol error that the client reports is not told apart by its code.
        let is_refused = theirs == [violation()];
        assert_eq!(fault.is_some(), is_refused && code != 1014, "{code}");
        match fault {
            Some(fault) => assert_eq!((fault, ours), (ProtocolError::CloseCode(code), vec![])),
            None => assert_eq!(ours, [Received::Close(Some((code, String::new())))]),
        }
    }
}
