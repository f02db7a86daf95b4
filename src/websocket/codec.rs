//! Decodes and encodes the frames of a websocket (RFC 6455, section 5).
//!
//! It works on bytes that others read and write. What must stay true: a message is passed on complete,
//! once and in order, however the stream is split; a control frame between the fragments of a message is
//! passed on at once; nothing larger than the limit is buffered; between messages nothing is buffered, unless
//! decoding is paused.

use std::ops::ControlFlow;

use super::deflate::Inflater;
use crate::protocol::ProtocolError;

/// A message of a client, or a control frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    /// Must be answered with a pong with the same payload.
    Ping(&'a [u8]),
    Pong,
    /// The client closes the websocket, perhaps with a code and a reason.
    Close(Option<CloseFrame<'a>>),
}

/// Why no further message is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The rest of the bytes is discarded.
    Discard,
    /// The rest of the bytes is kept, and decoded when more is fed, if only nothing.
    Pause,
}

/// The payload of a closing frame: a code and a reason, which the server sends back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CloseFrame<'a>(pub(crate) &'a [u8]);

impl ProtocolError {
    /// The code of the closing frame that answers it (section 7.4.1).
    pub(crate) fn close_code(self) -> CloseCode {
        match self {
            Self::Text | Self::Compression => CloseCode::InvalidPayload,
            Self::TooBig | Self::LengthTooLarge => CloseCode::TooBig,
            _ => CloseCode::Protocol,
        }
    }
}

/// The close codes that the server sends (section 7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum CloseCode {
    Protocol = 1002,
    InvalidPayload = 1007,
    TooBig = 1009,
}

impl CloseCode {
    /// The payload of a closing frame with this code.
    pub(crate) fn to_bytes(self) -> [u8; 2] {
        (self as u16).to_be_bytes()
    }
}

/// The opcodes of frames that the server writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum OpCode {
    Text = TEXT,
    Binary = BINARY,
    Close = CLOSE,
    Pong = PONG,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

const FINAL: u8 = 0x80;
const COMPRESSION: u8 = 0x40;
const RESERVED: u8 = 0x30;
const OPCODE: u8 = 0x0f;
const CONTROL: u8 = 0x08;
const MASKED: u8 = 0x80;
/// Means that the next two bytes are the length.
const LENGTH_16: u8 = 126;
/// Means that the next eight bytes are the length.
const LENGTH_64: u8 = 127;
/// The maximum payload of a control frame.
const MAX_CONTROL: u8 = 125;
/// Lengths from here on are refused, as in `ws`: a JavaScript number cannot hold all of them exactly.
const MAX_LENGTH: u64 = 1 << 53;
/// The capacity reserved for an incomplete frame, as a multiple of the bytes received of it. Its length
/// alone does not count, since a client may announce bytes that it never sends.
const RESERVE_FACTOR: usize = 4;

/// The length of a server frame with a payload of this length.
pub(crate) fn frame_len(payload: usize) -> usize {
    payload
        + match payload {
            0..=125 => 2,
            126..=0xffff => 4,
            _ => 10,
        }
}

/// Writes the header of a server frame, whose payload of this length must follow.
pub(crate) fn begin_frame(bytes: &mut Vec<u8>, opcode: OpCode, length: usize) {
    bytes.reserve(frame_len(length));
    bytes.push(FINAL | opcode as u8);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length), _) if length < LENGTH_16 => bytes.push(length),
        (_, Ok(length)) => {
            bytes.push(LENGTH_16);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            bytes.push(LENGTH_64);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Writes the header of a server frame whose payload of this length, which must follow, is compressed.
pub(crate) fn begin_compressed_frame(bytes: &mut Vec<u8>, opcode: OpCode, length: usize) {
    let start = bytes.len();
    begin_frame(bytes, opcode, length);
    if let Some(first) = bytes.get_mut(start) {
        *first |= COMPRESSION;
    }
}

/// Writes a complete server frame.
pub(crate) fn write_frame(bytes: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) {
    begin_frame(bytes, opcode, payload.len());
    bytes.extend_from_slice(payload);
}

/// The header of a client's frame.
#[derive(Debug, Clone, Copy)]
struct Header {
    is_final: bool,
    /// It begins a message that is compressed.
    is_compressed: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Where the payload begins and ends, counted from the header's first byte.
    start: usize,
    end: usize,
}

/// Parses a header; `None` while it is incomplete. Errors are found in the order in which `ws` checks
/// for them.
fn header(
    bytes: &[u8],
    limit: usize,
    in_fragments: bool,
    may_be_compressed: bool,
) -> Result<Option<Header>, ProtocolError> {
    let (&[first, second], rest) = match bytes.split_first_chunk::<2>() {
        Some(split) => split,
        None => return Ok(None),
    };
    let opcode = first & OPCODE;
    let is_final = first & FINAL != 0;
    let short = second & !MASKED;
    if first & RESERVED != 0 {
        return Err(ProtocolError::ReservedBits);
    }
    let is_compressed = first & COMPRESSION != 0;
    if is_compressed && (!may_be_compressed || opcode == CONTINUATION) {
        return Err(ProtocolError::CompressionBit);
    }
    match opcode {
        CONTINUATION if in_fragments => {}
        TEXT | BINARY if !in_fragments => {}
        CLOSE..=PONG => {
            if !is_final {
                return Err(ProtocolError::FragmentedControl);
            }
            if is_compressed {
                return Err(ProtocolError::CompressionBit);
            }
            if short > MAX_CONTROL || (opcode == CLOSE && short == 1) {
                return Err(ProtocolError::ControlLength(short));
            }
        }
        _ => return Err(ProtocolError::Opcode(opcode)),
    }
    if second & MASKED == 0 {
        return Err(ProtocolError::Unmasked);
    }
    let (length, rest, size) = match short {
        LENGTH_16 => match rest.split_first_chunk::<2>() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest, 8),
            None => return Ok(None),
        },
        LENGTH_64 => match rest.split_first_chunk::<8>() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest, 14),
            None => return Ok(None),
        },
        length => (u64::from(length), rest, 6),
    };
    if length >= MAX_LENGTH {
        return Err(ProtocolError::LengthTooLarge);
    }
    let length = usize::try_from(length).map_err(|_| ProtocolError::TooBig)?;
    // Control frames have a limit of their own.
    if opcode & CONTROL == 0 && length > limit {
        return Err(ProtocolError::TooBig);
    }
    let Some(&mask) = rest.first_chunk::<4>() else {
        return Ok(None);
    };
    Ok(Some(Header {
        is_final,
        is_compressed,
        opcode,
        mask,
        start: size,
        end: size + length,
    }))
}

/// Removes a client's mask.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let once = u64::from(u32::from_ne_bytes(mask));
    let wide = once << 32 | once;
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        if let Ok(word) = <[u8; 8]>::try_from(&*chunk) {
            chunk.copy_from_slice(&(u64::from_ne_bytes(word) ^ wide).to_ne_bytes());
        }
    }
    for (index, byte) in chunks.into_remainder().iter_mut().enumerate() {
        *byte ^= mask[index % mask.len()];
    }
}

/// The complete frames at the start of some bytes.
#[derive(Debug, Clone, Copy)]
struct Complete {
    /// Where they end.
    end: usize,
    /// The length of the frame after them; 0 if it is not known.
    next: usize,
}

/// The fragments of an incomplete message.
#[derive(Debug)]
struct Fragments {
    is_text: bool,
    is_compressed: bool,
    /// How many bytes of it were received.
    received: usize,
    /// What they are, inflated.
    bytes: Vec<u8>,
}

/// Decodes the frames of one client.
#[derive(Debug)]
pub(crate) struct Frames {
    /// The maximum length of a message, both as it is received and inflated.
    limit: usize,
    /// The beginning of an incomplete frame.
    partial: Vec<u8>,
    fragments: Option<Box<Fragments>>,
    /// If compression was agreed on; apart, since most connections have none.
    inflater: Option<Box<Inflater>>,
    /// Whether `partial` may begin with complete frames.
    is_paused: bool,
}

impl Frames {
    /// A decoder for messages of `limit` bytes at most; without an inflater, none may be compressed.
    pub(crate) fn new(limit: usize, inflater: Option<Inflater>) -> Self {
        Self {
            limit,
            partial: Vec::new(),
            fragments: None,
            inflater: inflater.map(Box::new),
            is_paused: false,
        }
    }

    /// Whether messages may be compressed, so that few bytes may be large messages.
    pub(crate) fn inflates(&self) -> bool {
        self.inflater.is_some()
    }

    /// Whether decoding was paused: there may be complete messages without anything more being read.
    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// How many bytes were inflated since the last call.
    pub(crate) fn take_inflated(&mut self) -> usize {
        self.inflater
            .as_mut()
            .map_or(0, |inflater| inflater.take_inflated())
    }

    /// Decodes bytes, which it unmasks in place, and passes each message that they complete to `each`,
    /// until that [stops](Stop) it.
    ///
    /// # Errors
    /// A violation of the protocol; nothing after it is decoded.
    pub(crate) fn feed(
        &mut self,
        bytes: &mut [u8],
        mut each: impl FnMut(Message<'_>) -> ControlFlow<Stop>,
    ) -> Result<(), ProtocolError> {
        self.is_paused = false;
        if self.partial.is_empty() {
            let complete = self.split(bytes, &mut each)?;
            self.store(&bytes[complete.end..], complete.next);
            return Ok(());
        }
        let mut gathered = std::mem::take(&mut self.partial);
        gathered.extend_from_slice(bytes);
        let complete = self.split(&mut gathered, &mut each)?;
        if complete.end == 0 {
            self.partial = gathered;
        } else {
            self.store(&gathered[complete.end..], complete.next);
        }
        Ok(())
    }

    /// Stores the beginning of a frame of this length; 0 if it is not known.
    fn store(&mut self, partial: &[u8], length: usize) {
        let reserve = length.min(partial.len() * RESERVE_FACTOR);
        self.partial.reserve_exact(reserve.max(partial.len()));
        self.partial.extend_from_slice(partial);
    }

    /// Decodes the complete frames at the start of some bytes.
    fn split(
        &mut self,
        bytes: &mut [u8],
        each: &mut impl FnMut(Message<'_>) -> ControlFlow<Stop>,
    ) -> Result<Complete, ProtocolError> {
        let mut end = 0;
        loop {
            let rest = &mut bytes[end..];
            let received = self.fragments.as_ref().map(|message| message.received);
            let limit = self.limit.saturating_sub(received.unwrap_or(0));
            let may_be_compressed = self.inflater.is_some();
            let Some(header) = header(rest, limit, received.is_some(), may_be_compressed)? else {
                return Ok(Complete { end, next: 0 });
            };
            let Some(payload) = rest.get_mut(header.start..header.end) else {
                let next = header.end;
                return Ok(Complete { end, next });
            };
            unmask(payload, header.mask);
            end += header.end;
            match self.frame(header, payload, each)? {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(Stop::Pause) => {
                    self.is_paused = true;
                    return Ok(Complete { end, next: 0 });
                }
                ControlFlow::Break(Stop::Discard) => {
                    let end = bytes.len();
                    return Ok(Complete { end, next: 0 });
                }
            }
        }
    }

    fn frame(
        &mut self,
        header: Header,
        payload: &[u8],
        each: &mut impl FnMut(Message<'_>) -> ControlFlow<Stop>,
    ) -> Result<ControlFlow<Stop>, ProtocolError> {
        Ok(match header.opcode {
            PING => each(Message::Ping(payload)),
            PONG => each(Message::Pong),
            CLOSE => each(Message::Close(close_frame(payload)?)),
            CONTINUATION => {
                if let Some(message) = &mut self.fragments {
                    message.received += payload.len();
                    if !message.is_compressed {
                        message.bytes.extend_from_slice(payload);
                    } else if let Some(inflater) = &mut self.inflater {
                        let bytes = &mut message.bytes;
                        inflater.inflate(payload, header.is_final, bytes, self.limit)?;
                    }
                }
                if !header.is_final {
                    return Ok(ControlFlow::Continue(()));
                }
                match self.fragments.take() {
                    Some(message) => complete(message.is_text, &message.bytes, each)?,
                    None => ControlFlow::Continue(()),
                }
            }
            opcode if header.is_final && !header.is_compressed => {
                complete(opcode == TEXT, payload, each)?
            }
            opcode => {
                let message = self.first_fragment(header, payload)?;
                if header.is_final {
                    return complete(opcode == TEXT, &message.bytes, each);
                }
                self.fragments = Some(Box::new(message));
                ControlFlow::Continue(())
            }
        })
    }

    /// The first fragment of a message, which is all of one that is compressed and not fragmented.
    fn first_fragment(
        &mut self,
        header: Header,
        payload: &[u8],
    ) -> Result<Fragments, ProtocolError> {
        let bytes = match &mut self.inflater {
            Some(inflater) if header.is_compressed => {
                let mut bytes = Vec::new();
                inflater.inflate(payload, header.is_final, &mut bytes, self.limit)?;
                bytes
            }
            _ => payload.to_vec(),
        };
        Ok(Fragments {
            is_text: header.opcode == TEXT,
            is_compressed: header.is_compressed,
            received: payload.len(),
            bytes,
        })
    }
}

fn complete(
    is_text: bool,
    message: &[u8],
    each: &mut impl FnMut(Message<'_>) -> ControlFlow<Stop>,
) -> Result<ControlFlow<Stop>, ProtocolError> {
    if !is_text {
        return Ok(each(Message::Binary(message)));
    }
    let text = std::str::from_utf8(message).map_err(|_| ProtocolError::Text)?;
    Ok(each(Message::Text(text)))
}

/// Parses the payload of a closing frame, a code and a reason, if there is any (section 7.4).
fn close_frame(payload: &[u8]) -> Result<Option<CloseFrame<'_>>, ProtocolError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return Ok(None);
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(ProtocolError::CloseCode(code));
    }
    match std::str::from_utf8(reason) {
        Ok(_) => Ok(Some(CloseFrame(payload))),
        Err(_) => Err(ProtocolError::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::deflate::Agreement;

    /// "Hello" compressed (RFC 7692, section 7.2.3.1).
    const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

    /// A masked frame of a client.
    fn client(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x1d, 0xc4, 0x05, 0x9a];
        let mut bytes = Vec::new();
        begin_frame(&mut bytes, OpCode::Text, payload.len());
        bytes[0] = first;
        bytes[1] |= MASKED;
        bytes.extend_from_slice(&mask);
        let masked = payload.iter().zip(mask.iter().cycle());
        bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
        bytes
    }

    fn describe(message: &Message<'_>) -> String {
        match message {
            Message::Text(text) => format!("text {text}"),
            Message::Binary(bytes) => format!("binary {bytes:?}"),
            Message::Ping(bytes) => format!("ping {bytes:?}"),
            Message::Pong => "pong".to_owned(),
            Message::Close(close_frame) => format!("close {close_frame:?}"),
        }
    }

    /// Decodes bytes in pieces of this size.
    fn read(bytes: &[u8], piece: usize, limit: usize) -> (Vec<String>, Option<ProtocolError>) {
        read_with(Frames::new(limit, None), bytes, piece)
    }

    /// The same, with compression.
    fn inflate(bytes: &[u8], piece: usize, limit: usize) -> (Vec<String>, Option<ProtocolError>) {
        let inflater = Inflater::new(Agreement::default());
        read_with(Frames::new(limit, Some(inflater)), bytes, piece)
    }

    fn read_with(
        mut frames: Frames,
        bytes: &[u8],
        piece: usize,
    ) -> (Vec<String>, Option<ProtocolError>) {
        let mut received = Vec::new();
        for piece in bytes.to_vec().chunks_mut(piece) {
            let fed = frames.feed(piece, |message| {
                received.push(describe(&message));
                ControlFlow::Continue(())
            });
            if let Err(error) = fed {
                return (received, Some(error));
            }
        }
        assert!(frames.partial.is_empty() && frames.fragments.is_none());
        assert_eq!(
            frames.partial.capacity(),
            0,
            "nothing is buffered between messages"
        );
        (received, None)
    }

    #[test]
    fn messages_are_read_whole_however_the_stream_is_split() {
        let long = "x".repeat(70_000);
        let bytes = [
            client(0x81, "42[\"ünï✓\"]".as_bytes()),
            client(0x82, &[1, 2, 3]),
            client(0x01, b"in "),
            client(0x89, b"hi"),
            client(0x00, "pär".as_bytes()),
            client(0x8a, b""),
            client(0x80, b"ts"),
            client(0x81, b""),
            client(0x81, long.as_bytes()),
            client(0x81, "y".repeat(300).as_bytes()),
            client(0x88, &[0x03, 0xe8, b'o', b'k']),
        ]
        .concat();
        let expected = vec![
            "text 42[\"ünï✓\"]".to_owned(),
            "binary [1, 2, 3]".to_owned(),
            "ping [104, 105]".to_owned(),
            "pong".to_owned(),
            "text in pärts".to_owned(),
            "text ".to_owned(),
            format!("text {long}"),
            format!("text {}", "y".repeat(300)),
            "close Some(CloseFrame([3, 232, 111, 107]))".to_owned(),
        ];
        for piece in [1, 2, 3, 7, 64, 1000, bytes.len()] {
            assert_eq!(read(&bytes, piece, 100_000), (expected.clone(), None));
        }
    }

    #[test]
    fn invalid_frames_are_refused_with_their_close_code() {
        let unmasked = b"\x81\x01x".to_vec();
        for (bytes, error) in [
            (unmasked, ProtocolError::Unmasked),
            (client(0xc1, b"x"), ProtocolError::CompressionBit),
            (client(0xa1, b"x"), ProtocolError::ReservedBits),
            (client(0xd1, b"x"), ProtocolError::ReservedBits),
            (client(0x83, b"x"), ProtocolError::Opcode(3)),
            (client(0x09, b"x"), ProtocolError::FragmentedControl),
            (client(0x89, &[0; 126]), ProtocolError::ControlLength(126)),
            (client(0x80, b"x"), ProtocolError::Opcode(0)),
            (
                [client(0x01, b"x"), client(0x81, b"y")].concat(),
                ProtocolError::Opcode(1),
            ),
            (client(0x88, b"x"), ProtocolError::ControlLength(1)),
            (client(0x88, &[0x03, 0xed]), ProtocolError::CloseCode(1005)),
            (client(0x81, b"\xff"), ProtocolError::Text),
            (client(0x81, &[b'x'; 101]), ProtocolError::TooBig),
            (
                [client(0x01, &[b'x'; 60]), client(0x80, &[b'x'; 60])].concat(),
                ProtocolError::TooBig,
            ),
            (
                b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
                ProtocolError::LengthTooLarge,
            ),
            (
                b"\x82\xff\x00\x1f\xff\xff\xff\xff\xff\xff".to_vec(),
                ProtocolError::TooBig,
            ),
        ] {
            assert_eq!(
                read(&bytes, bytes.len(), 100),
                (vec![], Some(error)),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn compressed_messages_are_read_whole_however_they_are_fragmented_and_the_stream_is_split() {
        let bytes = [
            client(0xc1, HELLO),
            client(0x81, b"plain"),
            // It refers to the first message (section 7.2.3.2).
            client(0xc1, &[0xf2, 0x00, 0x11, 0x00, 0x00]),
            client(0x41, &HELLO[..3]),
            client(0x89, b"hi"),
            client(0x00, &HELLO[3..5]),
            client(0x00, b""),
            client(0x80, &HELLO[5..]),
            client(0x01, b"in "),
            client(0x80, b"parts"),
            client(0xc2, HELLO),
            client(0xc1, &[0x00]),
            client(0xc1, b""),
        ]
        .concat();
        let expected: Vec<_> = [
            "text Hello",
            "text plain",
            "text Hello",
            "ping [104, 105]",
            "text Hello",
            "text in parts",
            "binary [72, 101, 108, 108, 111]",
            "text ",
            "text ",
        ]
        .map(str::to_owned)
        .into();
        for piece in [1, 2, 3, 7, bytes.len()] {
            assert_eq!(inflate(&bytes, piece, 100), (expected.clone(), None));
        }
    }

    #[test]
    fn invalid_compressed_frames_are_refused_with_their_close_code() {
        let begun = client(0x41, HELLO);
        let after = |second| [begun.clone(), second].concat();
        for (bytes, limit, error, code) in [
            (client(0xc9, b""), 100, ProtocolError::CompressionBit, 1002),
            (client(0xc8, b""), 100, ProtocolError::CompressionBit, 1002),
            (
                after(client(0xc0, b"")),
                100,
                ProtocolError::CompressionBit,
                1002,
            ),
            (
                after(client(0xc1, HELLO)),
                100,
                ProtocolError::Opcode(1),
                1002,
            ),
            (client(0xe1, HELLO), 100, ProtocolError::ReservedBits, 1002),
            (client(0xc3, HELLO), 100, ProtocolError::Opcode(3), 1002),
            (
                client(0xc1, &[0xff; 9]),
                100,
                ProtocolError::Compression,
                1007,
            ),
            (
                after(client(0x80, &[0xff; 9])),
                100,
                ProtocolError::Compression,
                1007,
            ),
            // The text is the byte 0xff, in a stored block.
            (
                client(0xc1, &[0x00, 0x01, 0x00, 0xfe, 0xff, 0xff, 0x00]),
                100,
                ProtocolError::Text,
                1007,
            ),
            (client(0xc1, HELLO), 6, ProtocolError::TooBig, 1009),
            // Above the limit only when it is inflated; as a whole, and with what came before.
            (
                client(0xc2, &[0x4a, 0x4c, 0x84, 0x03, 0x00]),
                9,
                ProtocolError::TooBig,
                1009,
            ),
            (after(client(0x00, HELLO)), 8, ProtocolError::TooBig, 1009),
        ] {
            assert_eq!(
                inflate(&bytes, bytes.len(), limit),
                (vec![], Some(error)),
                "{bytes:?}"
            );
            assert_eq!(error.close_code() as u16, code);
        }
    }

    #[test]
    fn memory_for_an_incomplete_message_is_in_proportion_to_the_bytes_received() {
        let announced = &mut client(0x81, &[b'x'; 900_000])[..14];
        let mut frames = Frames::new(1_000_000, None);
        frames
            .feed(announced, |_| unreachable!())
            .expect("the beginning of a frame is valid");
        assert!(frames.partial.capacity() <= 14 * RESERVE_FACTOR);
        let mut frames = Frames::new(1_000_000, None);
        for (at, byte) in client(0x81, &[b'x'; 10_000]).iter_mut().enumerate() {
            let piece = std::slice::from_mut(byte);
            let fed = frames.feed(piece, |_| ControlFlow::Continue(()));
            assert_eq!(fed, Ok(()));
            assert!(frames.partial.capacity() <= 2 * (at + 1).max(8));
        }
        assert_eq!(frames.partial.capacity(), 0);
    }

    #[test]
    fn fragments_of_one_byte_take_memory_only_for_their_bytes() {
        let mut frames = Frames::new(1_000_000, None);
        for at in 0..10_000 {
            let mut fragment = client(u8::from(at == 0), b"x");
            let fed = frames.feed(&mut fragment, |_| unreachable!());
            assert_eq!(fed, Ok(()));
            let kept = frames.fragments.as_ref().map(|it| it.bytes.capacity());
            assert!(kept.is_some_and(|kept| kept <= 2 * (at + 1).max(8)));
            assert_eq!(frames.partial.capacity(), 0);
        }
    }

    #[test]
    fn frames_after_a_pause_are_read_when_more_is_fed_if_only_nothing() {
        let bytes = [
            client(0x81, b"a"),
            client(0xc1, HELLO),
            client(0x01, b"b"),
            client(0x80, b"c"),
            client(0x81, b"d"),
        ]
        .concat();
        for size in [1, 7, bytes.len()] {
            let mut frames = Frames::new(100, Some(Inflater::new(Agreement::default())));
            let mut received = Vec::new();
            for piece in bytes.chunks(size) {
                let mut piece = piece.to_vec();
                loop {
                    let before = received.len();
                    let fed = frames.feed(&mut piece, |message| {
                        received.push(describe(&message));
                        ControlFlow::Break(Stop::Pause)
                    });
                    assert_eq!(fed, Ok(()));
                    assert_eq!(received.len() - before, usize::from(frames.is_paused()));
                    piece.clear();
                    if !frames.is_paused() {
                        break;
                    }
                }
            }
            assert_eq!(received, ["text a", "text Hello", "text bc", "text d"]);
            assert_eq!(frames.partial.capacity(), 0);
        }
    }

    #[test]
    fn frames_after_a_stop_are_not_read() {
        let mut bytes = [client(0x81, b"a"), client(0x81, b"b")].concat();
        let mut received = 0;
        let mut frames = Frames::new(10, None);
        let fed = frames.feed(&mut bytes, |_| {
            received += 1;
            ControlFlow::Break(Stop::Discard)
        });
        assert_eq!((fed, received), (Ok(()), 1));
        assert!(frames.partial.is_empty());
    }

    #[test]
    fn a_compressed_frame_of_ours_differs_in_one_bit() {
        for length in [0, 125, 126, 70_000] {
            let (mut plain, mut compressed) = (vec![7], vec![7]);
            begin_frame(&mut plain, OpCode::Text, length);
            begin_compressed_frame(&mut compressed, OpCode::Text, length);
            assert_eq!(compressed[1], plain[1] | 0x40);
            assert_eq!(compressed[2..], plain[2..]);
        }
    }

    #[test]
    fn the_computed_length_of_a_frame_is_that_of_the_written_one() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
            let mut bytes = Vec::new();
            write_frame(&mut bytes, OpCode::Binary, &vec![7; length]);
            assert_eq!(bytes.len(), frame_len(length), "{length}");
        }
    }
}
