//! What is queued for a client, and how it is written.
//!
//! Owns the writing side of a connection's transport. For a websocket it queues the bytes of frames, so
//! that many messages leave in one write; for polling it queues packets until the client polls. The
//! connection that owns it locks it.

use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use http::Response;

use super::http::encoding::Encoding;
use super::http::response::Format;
use super::message::{Frame, Message, PlainText};
use super::payload::{Packet, Writer};
use super::responder::Responder;
use super::{ProtocolVersion, Str, TransportType};
use crate::io::transport::WriteHalf;
use crate::io::write_buffer::{MIN_SHARED, WriteBuffer};
use crate::protocol::CloseReason;
use crate::websocket::codec::{self, OpCode};
use crate::websocket::deflate::{Deflater, SharedFrames};

/// A request of long polling that waits for packets.
#[derive(Debug)]
pub(crate) struct WaitingPoll {
    pub(crate) responder: Responder,
    pub(crate) format: Format,
}

/// From this many bytes on, the queue is written without waiting for a flush.
const WRITE_AT: usize = 1 << 14;
/// Bytes per second that a client has to read to be waited for when too much is queued for it. At 8 MiB/s
/// it hardly delays a batch.
const MIN_READ_RATE: f64 = (8 << 20) as f64;
/// The period over which that rate is measured.
const RATE_PERIOD: Duration = Duration::from_millis(200);
/// A client that has taken nothing for this long does not read, so it is not waited for.
const STALL_TIMEOUT: Duration = Duration::from_millis(100);
/// Bytes after which a series ends, so that a client that does not read is noticed between two series.
pub(crate) const MAX_SERIES: usize = 1 << 16;

/// The transport of a connection.
#[derive(Debug)]
pub(super) enum SendQueue {
    Polling(Polling),
    Websocket(Websocket),
    Closed,
}

impl SendQueue {
    pub(super) fn transport(&self) -> Option<TransportType> {
        match self {
            Self::Polling(_) => Some(TransportType::Polling),
            Self::Websocket(_) => Some(TransportType::Websocket),
            Self::Closed => None,
        }
    }

    /// Whether something is queued that a flush would send.
    pub(super) fn is_flushable(&self) -> bool {
        match self {
            Self::Polling(polling) => !polling.is_empty(),
            Self::Websocket(websocket) => !websocket.is_blocked && websocket.waiting() > 0,
            Self::Closed => false,
        }
    }

    /// Whether a message that is queued now is sent at once.
    pub(super) fn is_writable(&self) -> bool {
        match self {
            Self::Polling(polling) => polling.poll.is_some() && polling.is_empty(),
            Self::Websocket(websocket) => websocket.waiting() == 0,
            Self::Closed => false,
        }
    }

    /// Bytes that are queued.
    pub(super) fn waiting(&self) -> usize {
        match self {
            Self::Polling(polling) => polling.bytes,
            Self::Websocket(websocket) => websocket.waiting(),
            Self::Closed => 0,
        }
    }
}

/// Packets for a client that polls.
#[derive(Debug)]
pub(super) struct Polling {
    queue: Vec<Packet>,
    bytes: usize,
    /// The poll request that waits for packets.
    pub(super) poll: Option<WaitingPoll>,
    takes_binary: bool,
    /// Whether the application wants something that is queued compressed.
    compress: bool,
    /// Why the connection ends once the client has fetched what is queued.
    pub(super) ends: Option<CloseReason>,
    /// Whether somebody who has queued something will flush: a poll that comes before that waits for the
    /// flush, so that its response has all that was sent together.
    is_flush_awaited: bool,
}

/// The response to a poll, which [`Engine::respond`](super::engine::Engine::respond) sends.
#[derive(Debug)]
#[must_use = "the client waits for it"]
pub(super) struct Answer {
    pub(super) responder: Responder,
    pub(super) response: Response<Bytes>,
    /// How it may be compressed.
    pub(super) encoding: Option<Encoding>,
}

impl Polling {
    pub(super) fn new(takes_binary: bool) -> Self {
        Self {
            queue: Vec::new(),
            bytes: 0,
            poll: None,
            takes_binary,
            compress: false,
            ends: None,
            is_flush_awaited: false,
        }
    }

    /// Has polls wait for the next flush. Returns false if they wait for it already.
    pub(super) fn await_flush(&mut self) -> bool {
        !std::mem::replace(&mut self.is_flush_awaited, true)
    }

    /// The response to a poll that has just come, if anything is queued and nobody is about to flush it.
    pub(super) fn flush_unless_awaited(&mut self, protocol: ProtocolVersion) -> Option<Answer> {
        if self.is_flush_awaited {
            return None;
        }
        self.flush(protocol)
    }

    /// Queues a packet of the engine itself.
    pub(super) fn push(&mut self, packet: Packet) {
        // As in Engine.IO, everything may be compressed but a noop.
        let compress = !matches!(packet, Packet::Noop);
        self.push_packet(packet, compress);
    }

    fn push_packet(&mut self, packet: Packet, compress: bool) {
        if matches!(
            (&packet, self.queue.last()),
            (Packet::Pong, Some(Packet::Pong))
        ) {
            // One pong answers several pings.
            return;
        }
        self.compress |= compress;
        self.bytes += packet.len();
        self.queue.push(packet);
    }

    /// Queues the messages of a frame.
    pub(super) fn push_frame(&mut self, frame: &Frame) {
        match &frame.message {
            Message::Text(text, attachments) => {
                self.push_packet(Packet::Text(text.clone()), frame.compress);
                for attachment in attachments {
                    self.push_packet(Packet::Binary(attachment.clone()), frame.compress);
                }
            }
            Message::Binary(bytes) => {
                self.push_packet(Packet::Binary(bytes.clone()), frame.compress);
            }
        }
    }

    /// The response to the waiting request, if there is one and anything is queued.
    pub(super) fn flush(&mut self, protocol: ProtocolVersion) -> Option<Answer> {
        self.is_flush_awaited = false;
        if self.queue.is_empty() {
            return None;
        }
        self.answer(protocol, None)
    }

    /// The response to the waiting request: what is queued and, if given, a last packet of this type.
    pub(super) fn answer(
        &mut self,
        protocol: ProtocolVersion,
        last: Option<&str>,
    ) -> Option<Answer> {
        let poll = self.poll.take()?;
        self.bytes = 0;
        let compress = std::mem::take(&mut self.compress);
        let queue = std::mem::take(&mut self.queue);
        let has_binary = queue.iter().any(Packet::is_binary);
        let mut payload = Writer::new(protocol, self.takes_binary && has_binary);
        queue.iter().for_each(|packet| payload.packet(packet));
        if let Some(last) = last {
            payload.text(last, "");
        }
        let (body, is_binary) = payload.finish();
        Some(Answer {
            responder: poll.responder,
            response: poll.format.payload(body, is_binary),
            encoding: poll.format.encoding.filter(|_| compress),
        })
    }

    /// Whether nothing is queued.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// Frames that are broadcast together: their bytes on a websocket are made once.
#[derive(Debug)]
pub(crate) struct Series {
    frames: Vec<Frame>,
    bytes: Bytes,
    /// The same for clients with compression.
    compressed: SharedFrames,
}

impl Series {
    /// Takes frames of one message each, until they have enough bytes or there are no more.
    pub(crate) fn gather(each: impl Iterator<Item = Frame>) -> Self {
        let mut frames = Vec::new();
        let mut bytes = Vec::new();
        for frame in each {
            match &frame.message {
                Message::Text(text, _) => write_text(&mut bytes, text),
                // Engine.IO 3 encodes these differently; see `Websocket::push_series`.
                Message::Binary(message) => codec::write_frame(&mut bytes, OpCode::Binary, message),
            }
            frames.push(frame);
            if bytes.len() >= MAX_SERIES {
                break;
            }
        }
        Self {
            frames,
            bytes: bytes.into(),
            compressed: SharedFrames::default(),
        }
    }

    /// How many bytes they are on a websocket.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    fn is_binary(&self) -> bool {
        self.frames.iter().any(Frame::is_binary)
    }

    /// The frames, one by one.
    pub(super) fn frames(&self) -> &[Frame] {
        &self.frames
    }
}

/// Writes what precedes a text message of this length, which must follow.
fn begin_text(bytes: &mut Vec<u8>, length: usize) {
    codec::begin_frame(bytes, OpCode::Text, 1 + length);
    bytes.push(b'4');
}

fn write_text(bytes: &mut Vec<u8>, data: &Str) {
    begin_text(bytes, data.len());
    bytes.extend_from_slice(data.as_bytes());
}

/// Bytes for a client on a websocket.
#[derive(Debug)]
pub(super) struct Websocket {
    half: WriteHalf,
    queue: WriteBuffer,
    /// The last write would have blocked: a task of [`super::connection`] waits until the stream takes
    /// more.
    pub(super) is_blocked: bool,
    read_rate: ReadRate,
    /// If compression was agreed on; apart, since most connections have none.
    deflater: Option<Box<Deflater>>,
}

/// How fast a client reads while something is queued for it.
#[derive(Debug)]
struct ReadRate {
    since: Instant,
    /// Bytes it has taken since then.
    taken: usize,
    /// When it last took any.
    last: Instant,
}

impl ReadRate {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            since: now,
            taken: 0,
            last: now,
        }
    }

    fn take(&mut self, bytes: usize) {
        self.taken += bytes;
        if bytes > 0 {
            self.last = Instant::now();
        }
    }

    /// Whether the client reads fast enough; true until there has been time to measure it.
    fn is_fast(&mut self) -> bool {
        if self.last.elapsed() >= STALL_TIMEOUT {
            return false;
        }
        let lasted = self.since.elapsed();
        if lasted < RATE_PERIOD {
            return true;
        }
        let is_fast = self.taken as f64 >= MIN_READ_RATE * lasted.as_secs_f64();
        (self.since, self.taken) = (Instant::now(), 0);
        is_fast
    }
}

impl Websocket {
    /// A websocket for which some bytes are queued already.
    pub(super) fn new(half: WriteHalf, bytes: Vec<u8>, deflater: Option<Deflater>) -> Self {
        Self {
            half,
            queue: bytes.into(),
            is_blocked: false,
            read_rate: ReadRate::new(),
            deflater: deflater.map(Box::new),
        }
    }

    /// Takes over what is queued for a client that polled.
    pub(super) fn take_over(&mut self, polling: &mut Polling, protocol: ProtocolVersion) {
        polling.compress = false;
        for packet in std::mem::take(&mut polling.queue) {
            self.push(&packet, protocol);
        }
    }

    /// Ready when a blocked stream may take more.
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half.poll_writable(cx)
    }

    /// Ends the stream at once, whatever is queued.
    pub(super) fn shut_down(&self) {
        self.half.shut_down();
    }

    /// Whether Node carries the bytes.
    pub(super) fn is_relayed(&self) -> bool {
        self.half.is_relayed()
    }

    /// Bytes that are queued; bytes shared with other clients count for each of them.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Whether the client reads fast enough to be waited for.
    pub(super) fn is_read(&mut self) -> bool {
        self.read_rate.is_fast()
    }

    pub(super) fn push(&mut self, packet: &Packet, protocol: ProtocolVersion) {
        match packet {
            Packet::Text(text) => self.text(text),
            Packet::Binary(bytes) => self.binary(bytes, protocol),
            Packet::Ping => self.control("2"),
            Packet::Pong => self.control("3"),
            Packet::Noop => self.control("6"),
        }
    }

    /// Queues the messages of a frame.
    pub(super) fn push_frame(&mut self, frame: &Frame, protocol: ProtocolVersion) {
        if frame.compress
            && let Some(deflater) = &mut self.deflater
        {
            push_compressed(&mut self.queue, deflater, frame, protocol);
            return;
        }
        match &frame.message {
            Message::Text(text, attachments) => {
                self.text(text);
                for attachment in attachments {
                    self.binary(attachment, protocol);
                }
            }
            Message::Binary(bytes) => self.binary(bytes, protocol),
        }
    }

    /// Queues a text message as it is. Returns false if it has to be a frame, since it is to be compressed or is so
    /// long that it is not copied.
    pub(super) fn push_plain(&mut self, text: PlainText<'_>) -> bool {
        let is_compressed = text.compress && self.deflater.is_some();
        let length = text.parts.iter().map(|part| part.len()).sum::<usize>();
        if is_compressed || length >= MIN_SHARED {
            return false;
        }
        self.queue.append(|bytes| {
            begin_text(bytes, length);
            for part in text.parts {
                bytes.extend_from_slice(part.as_bytes());
            }
        });
        true
    }

    /// Queues the messages of a series, or writes them at once if nothing is queued and they are large.
    ///
    /// # Errors
    /// The stream's error, after which it cannot be written to.
    pub(super) fn push_series(
        &mut self,
        series: &Series,
        protocol: ProtocolVersion,
    ) -> io::Result<()> {
        if protocol == ProtocolVersion::V3 && series.is_binary() {
            for frame in &series.frames {
                self.push_frame(frame, protocol);
            }
            return Ok(());
        }
        let mut bytes = match &mut self.deflater {
            None => series.bytes.clone(),
            Some(deflater) => match deflater.shares() {
                Some(parameters) => series.compressed.get(parameters, || {
                    let mut bytes = Vec::new();
                    for frame in &series.frames {
                        write_compressed(&mut bytes, deflater, frame, protocol);
                    }
                    bytes
                }),
                None => {
                    for frame in &series.frames {
                        self.push_frame(frame, protocol);
                    }
                    return Ok(());
                }
            },
        };
        if !self.is_blocked && self.queue.is_empty() && bytes.len() >= WRITE_AT {
            while !bytes.is_empty() {
                match self.half.try_write(&bytes) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => bytes.advance(written),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.queue.add(&bytes);
        Ok(())
    }

    /// Whether so much is queued that it should be written at once.
    pub(super) fn is_full(&self) -> bool {
        !self.is_blocked && self.waiting() >= WRITE_AT
    }

    fn control(&mut self, packet: &str) {
        self.queue
            .append(|bytes| codec::write_frame(bytes, OpCode::Text, packet.as_bytes()));
    }

    fn text(&mut self, data: &Str) {
        push_text(&mut self.queue, data);
    }

    fn binary(&mut self, data: &Bytes, protocol: ProtocolVersion) {
        push_binary(&mut self.queue, data, protocol);
    }

    /// Queues a closing frame with this payload.
    pub(super) fn close(&mut self, payload: &[u8]) {
        self.queue
            .append(|bytes| codec::write_frame(bytes, OpCode::Close, payload));
    }

    /// Queues the answer to a ping frame. A client that does not read need not get one (RFC 6455,
    /// section 5.5.3).
    pub(super) fn pong(&mut self, payload: &[u8]) {
        if !self.is_blocked {
            self.queue
                .append(|bytes| codec::write_frame(bytes, OpCode::Pong, payload));
        }
    }

    /// Writes as much as the stream takes without blocking.
    ///
    /// # Errors
    /// The stream's error, after which it cannot be written to.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let was_blocked = self.is_blocked;
        let taken = self.write()?;
        self.is_blocked = !self.queue.is_empty();
        // Only a blocked client is measured: this spares every other write a look at the clock.
        match (was_blocked, self.is_blocked) {
            (false, true) => self.read_rate = ReadRate::new(),
            (true, _) => self.read_rate.take(taken),
            (false, false) => {}
        }
        Ok(())
    }

    /// Writes as much as a blocked stream takes; the task that waits for the stream continues to wait.
    ///
    /// # Errors
    /// See [`Websocket::flush`].
    pub(super) fn flush_blocked(&mut self) -> io::Result<()> {
        let taken = self.write()?;
        self.read_rate.take(taken);
        Ok(())
    }

    fn write(&mut self) -> io::Result<usize> {
        let before = self.queue.len();
        self.queue
            .write(|parts| self.half.try_write_vectored(parts))?;
        Ok(before - self.queue.len())
    }
}

fn push_text(queue: &mut WriteBuffer, data: &Str) {
    if data.len() < MIN_SHARED {
        queue.append(|bytes| write_text(bytes, data));
        return;
    }
    queue.append(|bytes| begin_text(bytes, data.len()));
    queue.add(&data.clone().into());
}

fn push_binary(queue: &mut WriteBuffer, data: &Bytes, protocol: ProtocolVersion) {
    let kind = binary_kind(protocol);
    queue.append(|bytes| {
        codec::begin_frame(bytes, OpCode::Binary, kind.len() + data.len());
        bytes.extend_from_slice(kind);
    });
    queue.add(data);
}

/// What Engine.IO writes before the bytes of a binary message.
fn binary_kind(protocol: ProtocolVersion) -> &'static [u8] {
    match protocol {
        ProtocolVersion::V3 => &[4],
        ProtocolVersion::V4 => &[],
    }
}

/// Queues the messages of a frame for a client with which compression was agreed on. A frame is compressed
/// once for all clients that have equal parameters and take no context over.
#[inline(never)]
fn push_compressed(
    queue: &mut WriteBuffer,
    deflater: &mut Deflater,
    frame: &Frame,
    protocol: ProtocolVersion,
) {
    if let Some(parameters) = deflater.shares()
        && (protocol == ProtocolVersion::V4 || !frame.is_binary())
    {
        queue.add(&frame.compressed.get(parameters, || {
            let mut bytes = Vec::new();
            write_compressed(&mut bytes, deflater, frame, protocol);
            bytes
        }));
        return;
    }
    each_message(frame, protocol, |opcode, parts| {
        match (deflater.compress([parts.0, parts.1.as_slice()]), parts.1) {
            (Some(compressed), _) => {
                queue.append(|bytes| {
                    codec::begin_compressed_frame(bytes, opcode, compressed.len());
                });
                queue.add(&compressed.into());
            }
            (None, Payload::Text(text)) => push_text(queue, text),
            (None, Payload::Binary(data)) => push_binary(queue, data, protocol),
        }
    });
}

/// Writes the messages of a frame, compressed if they are long enough.
fn write_compressed(
    bytes: &mut Vec<u8>,
    deflater: &mut Deflater,
    frame: &Frame,
    protocol: ProtocolVersion,
) {
    each_message(frame, protocol, |opcode, (kind, data)| {
        let data = data.as_slice();
        match deflater.compress([kind, data]) {
            Some(compressed) => {
                codec::begin_compressed_frame(bytes, opcode, compressed.len());
                bytes.extend_from_slice(&compressed);
            }
            None => {
                codec::begin_frame(bytes, opcode, kind.len() + data.len());
                bytes.extend_from_slice(kind);
                bytes.extend_from_slice(data);
            }
        }
    });
}

/// The data of one message.
#[derive(Clone, Copy)]
enum Payload<'a> {
    Text(&'a Str),
    Binary(&'a Bytes),
}

impl<'a> Payload<'a> {
    fn as_slice(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// Calls a function with each message of a frame: its opcode, what Engine.IO writes first, and its data.
fn each_message<'a>(
    frame: &'a Frame,
    protocol: ProtocolVersion,
    mut each: impl FnMut(OpCode, (&'static [u8], Payload<'a>)),
) {
    let kind = binary_kind(protocol);
    match &frame.message {
        Message::Text(text, attachments) => {
            each(OpCode::Text, (b"4", Payload::Text(text)));
            for attachment in attachments {
                each(OpCode::Binary, (kind, Payload::Binary(attachment)));
            }
        }
        Message::Binary(bytes) => each(OpCode::Binary, (kind, Payload::Binary(bytes))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::io::host::{Host, RelayAction, RelayNumber};
    use crate::io::relay::Relay;
    use crate::websocket::deflate::{Agreement, Inflater, Options};

    struct NoHost;

    impl Host for NoHost {
        fn relay(&self, _: RelayNumber, _: RelayAction) {}

        fn released(&self, _: u64) {}
    }

    fn polling() -> Polling {
        let mut format = Format::default();
        format.encoding = Some(Encoding::Gzip);
        let mut polling = Polling::new(false);
        polling.poll = Some(WaitingPoll {
            responder: Responder::Node(1),
            format,
        });
        polling
    }

    #[test]
    fn many_pings_of_a_client_that_does_not_poll_have_one_pong() {
        let mut polling = polling();
        for _ in 0..1000 {
            polling.push(Packet::Pong);
        }
        polling.push(Packet::Text("2[]".into()));
        polling.push(Packet::Pong);
        let answer = polling.flush(ProtocolVersion::V3).unwrap();
        assert_eq!(answer.response.body(), "1:34:42[]1:3");
        assert_eq!(polling.bytes, 0);
    }

    /// A websocket that queues everything.
    fn websocket(agreement: Option<Agreement>) -> Websocket {
        let (_, (_, writer)) = Relay::new(1, Arc::new(NoHost));
        let options = Options {
            threshold: 100,
            ..Options::default()
        };
        let deflater = agreement.map(|agreement| Deflater::new(agreement, &options));
        let mut websocket = Websocket::new(WriteHalf::Relay(writer), Vec::new(), deflater);
        websocket.is_blocked = true;
        websocket
    }

    /// The messages that are queued: whether each is compressed, and its bytes.
    fn messages(websocket: &mut Websocket, agreement: Agreement) -> Vec<(bool, Vec<u8>)> {
        let mut bytes = Vec::new();
        let all = websocket.queue.write(|parts| {
            parts.iter().for_each(|part| bytes.extend_from_slice(part));
            Ok(parts.iter().map(|part| part.len()).sum())
        });
        assert!(all.unwrap());
        let mut inflater = Inflater::new(Agreement {
            client_takes_over: agreement.server_takes_over,
            client_window_bits: agreement.server_window_bits,
            ..agreement
        });
        let mut rest = &bytes[..];
        let mut messages = Vec::new();
        while let [first, length, after @ ..] = rest {
            let (length, after) = match (length, after) {
                (126, [high, low, after @ ..]) => {
                    (usize::from(*high) << 8 | usize::from(*low), after)
                }
                (length, after) => (usize::from(*length), after),
            };
            let (payload, after) = after.split_at(length);
            rest = after;
            let is_compressed = first & 0x40 != 0;
            let mut message = payload.to_vec();
            if is_compressed {
                message.clear();
                inflater
                    .inflate(payload, true, &mut message, 1 << 20)
                    .unwrap();
            }
            messages.push((is_compressed, message));
        }
        messages
    }

    fn agreements() -> [Agreement; 3] {
        let alone = Agreement {
            server_takes_over: false,
            ..Agreement::default()
        };
        let small = Agreement {
            server_window_bits: 8,
            ..alone
        };
        [Agreement::default(), alone, small]
    }

    fn frames() -> [Frame; 4] {
        let long = "long".repeat(500);
        let attachments = vec![
            long.clone().into_bytes().into(),
            Bytes::from_static(b"short"),
        ];
        [
            Frame::new(Message::Text(long.clone().into(), attachments)),
            Frame::new(Message::Text("short".into(), Vec::new())),
            Frame::new(Message::Binary(long.clone().into())),
            Frame {
                compress: false,
                ..Frame::new(Message::Text(long.into(), Vec::new()))
            },
        ]
    }

    #[test]
    fn only_long_messages_that_may_be_compressed_are_and_all_arrive_in_order() {
        let long = "long".repeat(500).into_bytes();
        let text = |data: &[u8]| [b"4", data].concat();
        for agreement in agreements() {
            for protocol in [ProtocolVersion::V3, ProtocolVersion::V4] {
                let binary = |data: &[u8]| [binary_kind(protocol), data].concat();
                let mut websocket = websocket(Some(agreement));
                for frame in &frames() {
                    websocket.push_frame(frame, protocol);
                }
                websocket.control("2");
                assert_eq!(
                    messages(&mut websocket, agreement),
                    [
                        (true, text(&long)),
                        (true, binary(&long)),
                        (false, binary(b"short")),
                        (false, text(b"short")),
                        (true, binary(&long)),
                        (false, text(&long)),
                        (false, b"2".to_vec()),
                    ]
                );
            }
        }
    }

    #[test]
    fn a_plain_text_is_the_same_message_as_its_frame_unless_it_has_to_be_one() {
        let queued = |websocket: &mut Websocket| messages(websocket, Agreement::default());
        for length in [0, 1, 124, 125, MIN_SHARED - 1, MIN_SHARED] {
            let data = "x".repeat(length);
            for compress in [false, true] {
                let text = PlainText {
                    parts: &["", &data[..length / 2], &data[length / 2..]],
                    volatile: false,
                    compress,
                };
                for agreement in [None, Some(Agreement::default())] {
                    let mut as_it_is = websocket(agreement);
                    let mut as_frame = websocket(agreement);
                    as_frame.push_frame(&text.into(), ProtocolVersion::V4);
                    let is_copied = length < MIN_SHARED && !(compress && agreement.is_some());
                    assert_eq!(as_it_is.push_plain(text), is_copied, "{length}");
                    assert_eq!(as_it_is.waiting() > 0, is_copied);
                    if is_copied {
                        assert_eq!(queued(&mut as_it_is), queued(&mut as_frame));
                    }
                }
            }
        }
    }

    #[test]
    fn a_series_and_its_frames_one_by_one_are_the_same_messages_with_any_compression() {
        let frames = || frames().into_iter().filter(|frame| frame.compress).skip(1);
        let series = Series::gather(frames());
        for agreement in agreements().into_iter().cycle().take(6) {
            for protocol in [ProtocolVersion::V3, ProtocolVersion::V4] {
                let mut one_by_one = websocket(Some(agreement));
                for frame in frames() {
                    one_by_one.push_frame(&frame, protocol);
                }
                let mut together = websocket(Some(agreement));
                together.push_series(&series, protocol).unwrap();
                let expected = messages(&mut one_by_one, agreement);
                assert_eq!(expected.len(), 2);
                assert_eq!(messages(&mut together, agreement), expected);
            }
        }
    }

    #[test]
    fn a_frame_is_compressed_once_for_all_clients_with_equal_parameters() {
        let noise: String = (0..9000).map(|_| rand::random_range('a'..='z')).collect();
        let frame = Frame::new(Message::Text(noise.into(), Vec::new()));
        let [_, alone, _] = agreements();
        let queued = |frame: &Frame| {
            let mut websocket = websocket(Some(alone));
            websocket.push_frame(frame, ProtocolVersion::V4);
            let mut start = None;
            let written = websocket.queue.write(|parts| {
                start = parts.first().map(|part| part.as_ptr());
                Err(io::ErrorKind::WouldBlock.into())
            });
            assert!(!written.unwrap());
            (start, websocket)
        };
        let (first, _kept) = queued(&frame);
        assert_eq!(queued(&frame).0, first);
        assert_ne!(queued(&frame.with_message(frame.message.clone())).0, first);
    }

    #[test]
    fn a_response_may_be_compressed_if_one_of_its_packets_may() {
        let frame = |compress| Frame {
            compress,
            ..Frame::new(Message::Text("2[]".into(), vec![Bytes::from_static(&[1])]))
        };
        let may_be_compressed = |fill: &dyn Fn(&mut Polling)| {
            let mut polling = polling();
            fill(&mut polling);
            let answer = polling.answer(ProtocolVersion::V4, Some("6")).unwrap();
            answer.encoding.is_some()
        };
        assert!(!may_be_compressed(&|_| {}));
        assert!(!may_be_compressed(&|it| it.push_frame(&frame(false))));
        assert!(may_be_compressed(&|it| {
            it.push_frame(&frame(true));
            it.push_frame(&frame(false));
        }));
        assert!(may_be_compressed(&|it| {
            it.push_frame(&frame(false));
            it.push(Packet::Ping);
        }));
        assert!(!may_be_compressed(&|it| it.push(Packet::Noop)));
    }
}
