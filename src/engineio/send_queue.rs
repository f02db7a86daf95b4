//! What waits for a client, and its way out.
//!
//! Owns the writing side of a connection's transport. On a websocket, what waits is the bytes of its
//! frames, so that many messages leave in one write; on polling it is the packets, until the client
//! asks. The connection that owns it locks it.

use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};

use super::events::{Events, RequestNumber};
use super::message::{Frame, Message};
use super::payload::{Packet, Writer};
use super::{ProtocolVersion, Str, TransportType};
use crate::io::transport::WriteHalf;
use crate::io::write_buffer::{MIN_SHARED, WriteBuffer};
use crate::protocol::CloseReason;
use crate::websocket::codec::{self, OpCode};

/// Bytes that are written at once, however many more are about to be queued.
const WRITE_AT: usize = 1 << 14;
/// How many bytes a second a client takes that is waited for when too much waits for it. A whole batch
/// goes no slower because of it.
const FAST: f64 = (8 << 20) as f64;
/// For how long it is looked at how many they are.
const PACE_WINDOW: Duration = Duration::from_millis(200);
/// A client that has taken nothing for so long is not waited for: it does not read.
const STALLED: Duration = Duration::from_millis(100);
/// About how many bytes a series has at most: a client that does not read is noticed between two.
const SERIES: usize = 1 << 16;

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

    /// Whether something waits that a flush would have go out.
    pub(super) fn is_flushable(&self) -> bool {
        match self {
            Self::Polling(polling) => !polling.is_empty(),
            Self::Websocket(websocket) => !websocket.is_blocked && websocket.waiting() > 0,
            Self::Closed => false,
        }
    }

    /// Whether what is queued now leaves at once, and not when the client comes for it.
    pub(super) fn is_writable(&self) -> bool {
        match self {
            Self::Polling(polling) => polling.poll.is_some() && polling.is_empty(),
            Self::Websocket(websocket) => websocket.waiting() == 0,
            Self::Closed => false,
        }
    }

    /// Bytes that wait.
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
    /// The request that waits for an answer.
    pub(super) poll: Option<RequestNumber>,
    takes_binary: bool,
    /// Why the connection ends when the client has what is queued.
    pub(super) ends: Option<CloseReason>,
}

impl Polling {
    pub(super) fn new(takes_binary: bool) -> Self {
        Self {
            queue: Vec::new(),
            bytes: 0,
            poll: None,
            takes_binary,
            ends: None,
        }
    }

    pub(super) fn push(&mut self, packet: Packet) {
        if matches!(
            (&packet, self.queue.last()),
            (Packet::Pong, Some(Packet::Pong))
        ) {
            // One answer says what several do.
            return;
        }
        self.bytes += packet.len();
        self.queue.push(packet);
    }

    /// Queues the messages of a frame.
    pub(super) fn push_frame(&mut self, frame: &Frame) {
        match &frame.message {
            Message::Text(text, attachments) => {
                self.push(Packet::Text(text.clone()));
                for attachment in attachments {
                    self.push(Packet::Binary(attachment.clone()));
                }
            }
            Message::Binary(bytes) => self.push(Packet::Binary(bytes.clone())),
        }
    }

    /// Answers the request that waits, if there is anything to say.
    pub(super) fn flush(&mut self, protocol: ProtocolVersion, events: &dyn Events) {
        if !self.queue.is_empty() {
            self.answer(protocol, events, None);
        }
    }

    /// Answers the request that waits with what is queued and a last packet, by its type.
    pub(super) fn answer(
        &mut self,
        protocol: ProtocolVersion,
        events: &dyn Events,
        last: Option<&str>,
    ) {
        let Some(request) = self.poll.take() else {
            return;
        };
        self.bytes = 0;
        let queue = std::mem::take(&mut self.queue);
        let has_binary = queue.iter().any(Packet::is_binary);
        let mut payload = Writer::new(protocol, self.takes_binary && has_binary);
        queue.iter().for_each(|packet| payload.packet(packet));
        if let Some(last) = last {
            payload.text(last, "");
        }
        let (body, is_binary) = payload.finish();
        respond(events, request, body, is_binary);
    }

    /// Whether nothing is queued.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// Frames that go out together to many clients: what a websocket carries of them is made once.
#[derive(Debug)]
pub(crate) struct Series {
    frames: Vec<Frame>,
    bytes: Bytes,
}

impl Series {
    /// Takes frames of one message each until they are long, or there are no more.
    pub(crate) fn gather(each: impl Iterator<Item = Frame>) -> Self {
        let mut frames = Vec::new();
        let mut bytes = Vec::new();
        for frame in each {
            match &frame.message {
                Message::Text(text, _) => write_text(&mut bytes, "4", text.as_str()),
                // Engine.IO 3 has these otherwise; see `Websocket::push_series`.
                Message::Binary(message) => codec::write_frame(&mut bytes, OpCode::Binary, message),
            }
            frames.push(frame);
            if bytes.len() >= SERIES {
                break;
            }
        }
        Self {
            frames,
            bytes: bytes.into(),
        }
    }

    /// How many bytes a websocket carries of them.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    fn is_binary(&self) -> bool {
        let mut frames = self.frames.iter();
        frames.any(|frame| matches!(frame.message, Message::Binary(_)))
    }

    /// The frames, one by one.
    pub(super) fn frames(&self) -> &[Frame] {
        &self.frames
    }
}

fn write_text(bytes: &mut Vec<u8>, kind: &str, data: &str) {
    codec::begin_frame(bytes, OpCode::Text, kind.len() + data.len());
    bytes.extend_from_slice(kind.as_bytes());
    bytes.extend_from_slice(data.as_bytes());
}

/// Answers a request of long polling.
pub(super) fn respond(
    events: &dyn Events,
    request: RequestNumber,
    body: impl Into<Bytes>,
    is_binary: bool,
) {
    events.response(request, 200, is_binary, body.into(), None);
}

/// Bytes for a client on a websocket.
#[derive(Debug)]
pub(super) struct Websocket {
    half: WriteHalf,
    queue: WriteBuffer,
    /// The client took nothing when it was last tried: what is queued waits for [`super::connection`]
    /// to be told that it does.
    pub(super) is_blocked: bool,
    pace: ReadingPace,
}

/// How fast a client reads for which something waits.
#[derive(Debug)]
struct ReadingPace {
    since: Instant,
    /// Bytes it has taken since then.
    taken: usize,
    /// When it last took some.
    last: Instant,
}

impl ReadingPace {
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

    /// Whether the client reads, as far as can be known: it does while it has not been asked for long.
    fn is_fast(&mut self) -> bool {
        if self.last.elapsed() >= STALLED {
            return false;
        }
        let lasted = self.since.elapsed();
        if lasted < PACE_WINDOW {
            return true;
        }
        let is_fast = self.taken as f64 >= FAST * lasted.as_secs_f64();
        (self.since, self.taken) = (Instant::now(), 0);
        is_fast
    }
}

impl Websocket {
    /// A websocket for which some bytes wait already.
    pub(super) fn new(half: WriteHalf, bytes: Vec<u8>) -> Self {
        Self {
            half,
            queue: bytes.into(),
            is_blocked: false,
            pace: ReadingPace::new(),
        }
    }

    /// Takes over what waits for a client that polled.
    pub(super) fn take_over(&mut self, polling: &mut Polling, protocol: ProtocolVersion) {
        for packet in std::mem::take(&mut polling.queue) {
            self.push(&packet, protocol);
        }
    }

    /// Ready when a client that took nothing may take more.
    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half.poll_writable(cx)
    }

    /// Ends the stream at once, whatever waits.
    pub(super) fn shut_down(&self) {
        self.half.shut_down();
    }

    /// Whether Node carries the bytes.
    pub(super) fn is_pumped(&self) -> bool {
        self.half.is_pumped()
    }

    /// Bytes that wait; those that wait for others, too, count for each.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Whether a client for which too much waits takes it fast enough to be waited for.
    pub(super) fn is_read(&mut self) -> bool {
        self.pace.is_fast()
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

    /// Queues the messages of a series, or writes them at once if nothing waits and they are worth it.
    ///
    /// # Errors
    /// That of the stream, on which nothing can be written any more.
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
        let mut bytes = series.bytes.clone();
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

    /// Whether so much waits that it is to be written at once.
    pub(super) fn is_full(&self) -> bool {
        !self.is_blocked && self.waiting() >= WRITE_AT
    }

    fn control(&mut self, packet: &str) {
        self.queue.append(|bytes| write_text(bytes, packet, ""));
    }

    fn text(&mut self, data: &Str) {
        if data.len() < MIN_SHARED {
            self.queue.append(|bytes| write_text(bytes, "4", data));
            return;
        }
        self.queue.append(|bytes| {
            codec::begin_frame(bytes, OpCode::Text, 1 + data.len());
            bytes.push(b'4');
        });
        self.queue.add(&data.clone().into());
    }

    fn binary(&mut self, data: &Bytes, protocol: ProtocolVersion) {
        self.queue.append(|bytes| match protocol {
            ProtocolVersion::V3 => {
                codec::begin_frame(bytes, OpCode::Binary, data.len() + 1);
                bytes.push(4);
            }
            ProtocolVersion::V4 => codec::begin_frame(bytes, OpCode::Binary, data.len()),
        });
        self.queue.add(data);
    }

    /// Queues the end of the websocket: a closing frame that holds `payload`.
    pub(super) fn close(&mut self, payload: &[u8]) {
        self.queue
            .append(|bytes| codec::write_frame(bytes, OpCode::Close, payload));
    }

    /// Queues the answer to a ping of the websocket's own, unless the client takes nothing: then it
    /// need not have one (RFC 6455, section 5.5.3).
    pub(super) fn pong(&mut self, payload: &[u8]) {
        if !self.is_blocked {
            self.queue
                .append(|bytes| codec::write_frame(bytes, OpCode::Pong, payload));
        }
    }

    /// Writes what is taken at once.
    ///
    /// # Errors
    /// That of the stream, on which nothing can be written any more.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let was_blocked = self.is_blocked;
        let taken = self.write()?;
        self.is_blocked = !self.queue.is_empty();
        if self.is_blocked && !was_blocked {
            self.pace = ReadingPace::new();
        } else {
            self.pace.take(taken);
        }
        Ok(())
    }

    /// Writes what is taken at once by a client that took nothing; whoever waits for it to take more
    /// waits on.
    ///
    /// # Errors
    /// See [`Websocket::flush`].
    pub(super) fn flush_blocked(&mut self) -> io::Result<()> {
        let taken = self.write()?;
        self.pace.take(taken);
        Ok(())
    }

    fn write(&mut self) -> io::Result<usize> {
        let before = self.queue.len();
        self.queue
            .write(|parts| self.half.try_write_vectored(parts))?;
        Ok(before - self.queue.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::engineio::events::{ConnectionNumber, ReportedPacket};
    use crate::engineio::inbound_budget::Permit;
    use crate::io::host::{Host, PumpAction, PumpNumber};
    use crate::protocol::Refusal;

    #[derive(Default)]
    struct Told(Mutex<Vec<Bytes>>);

    impl Host for Told {
        fn pump(&self, _: PumpNumber, _: PumpAction) {}

        fn released(&self, _: u64) {}
    }

    impl Events for Told {
        fn upgraded(&self, _: ConnectionNumber) {}

        fn closed(&self, _: ConnectionNumber, _: CloseReason) {}

        fn packet(&self, _: ConnectionNumber, _: ReportedPacket, _: Option<Permit>) {}

        fn response(&self, _: RequestNumber, _: u16, _: bool, body: Bytes, _: Option<Refusal>) {
            self.0.lock().unwrap().push(body);
        }
    }

    #[test]
    fn many_pings_of_a_client_that_does_not_poll_have_one_pong() {
        let told = Told::default();
        let mut polling = Polling::new(false);
        for _ in 0..1000 {
            polling.push(Packet::Pong);
        }
        polling.push(Packet::Text("2[]".into()));
        polling.push(Packet::Pong);
        polling.poll = Some(1);
        polling.flush(ProtocolVersion::V3, &told);
        assert_eq!(*told.0.lock().unwrap(), ["1:34:42[]1:3"]);
        assert_eq!(polling.bytes, 0);
    }
}
