//! One Engine.IO connection: what waits for it, and its end.
//!
//! It is owned by its engine until it ends; whoever reads its transport or watches its heart holds
//! it weakly. What must stay true: JavaScript is told once that it ended, after [`Data::on_close`];
//! what was queued before goes out first, unless the client does not take it.

use std::fmt;
use std::future::{pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::engine::Engine;
use super::events::{ConnectionNumber, PacketData, ReportedPacket, RequestNumber};
use super::inbound_budget::{InboundBudget, Permit};
use super::liveness::Beat;
use super::message::{Frame, Message};
use super::packet::Packet;
use super::payload;
use super::send_queue::{Polling, SendQueue, Series, Websocket};
use super::{ProtocolError, ProtocolVersion, Sid, Str, TransportType};
use crate::io::reactor::Reader;
use crate::io::transport::WriteHalf;
use crate::protocol::{CloseReason, Refusal};

/// How long a client may take to fetch what is queued for it, or to say goodbye, when its
/// connection ends; that of Engine.IO.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Threads that are not busy catch up in less, and notice as soon that a delay has run out.
pub(super) const SOON: Duration = Duration::from_millis(250);

/// How often it is looked whether a client that is behind has caught up.
const CATCHING_UP: Duration = Duration::from_millis(1);

/// What the application keeps with a connection, and what it does as that ends. Both are called once at
/// most, before JavaScript is told.
pub(crate) trait Data: Send + Sync + Sized + 'static {
    /// Whether the client uses the connection for nothing: it ends after `connectTimeout`.
    fn is_idle(&self) -> bool;

    /// The connection is to end as soon as the client has come for what waits for it.
    fn on_finish(connection: &Arc<Connection<Self>>, reason: CloseReason);

    /// The connection has ended.
    fn on_close(connection: &Arc<Connection<Self>>, reason: CloseReason);
}

/// By what a connection is known, and how its client speaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    pub(super) id: Sid,
    pub(super) number: ConnectionNumber,
    pub(super) protocol: ProtocolVersion,
}

/// One connection of a client.
pub(crate) struct Connection<D> {
    pub(crate) id: Sid,
    pub(crate) number: ConnectionNumber,
    pub(crate) protocol: ProtocolVersion,
    pub(crate) data: D,
    pub(super) beat: Beat,
    engine: Arc<Engine<Self>>,
    inbound_budget: Arc<InboundBudget>,
    outgoing: Mutex<SendQueue>,
    reason: OnceLock<CloseReason>,
    ending: AtomicBool,
    upgrading: AtomicBool,
    is_looked_after: AtomicBool,
    /// The client of an upgrade was told that it may leave polling.
    probed: AtomicBool,
    /// Whether JavaScript is told of every packet of the client.
    watches_received: AtomicBool,
    /// Whether JavaScript is told of every packet for the client.
    watches_sent: AtomicBool,
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    heart: Option<AbortHandle>,
    reader: Option<Arc<Reader>>,
}

/// Why a request of long polling cannot wait for packets.
#[derive(Debug)]
pub(super) enum PollError {
    /// The client is told why.
    Refused(Refusal),
    /// Another request waits already, so the connection has ended.
    Overlap,
}

impl fmt::Display for PollError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused(_) => "the request is refused",
            Self::Overlap => "another request of the client waits for packets",
        })
    }
}

impl std::error::Error for PollError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Overlap => None,
        }
    }
}

/// What became of something that was to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queued {
    /// It goes out by itself, or never, since the connection has ended.
    Waits,
    /// [`Connection::flush`] is called for.
    IsToBeFlushed,
    /// It goes out by itself. More waits than may, of which the client takes more all the time: whoever
    /// has more for it waits, or [has somebody do so](Connection::look_after).
    IsBehind,
}

/// Waits until clients that are behind have caught up or ended.
pub(crate) async fn wait_for<D: Data>(
    mut behind: Vec<Arc<Connection<D>>>,
    max_backpressure: usize,
) {
    loop {
        behind.retain(|connection| !connection.has_caught_up(max_backpressure));
        if behind.is_empty() {
            return;
        }
        tokio::time::sleep(CATCHING_UP).await;
    }
}

/// What of a packet of a client is left to do when the engine has done its part.
#[derive(Debug)]
pub(super) enum Received<'a> {
    Message(&'a str),
    Binary(Bytes),
    Nothing,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End<'a> {
    /// The client gets what was queued, and the end of its transport behind: on a websocket a closing
    /// frame that holds these bytes.
    CloseFrame(&'a [u8]),
    /// The client gets what was queued. It ended its side of the stream without a closing frame, and
    /// gets none.
    NoCloseFrame,
    /// The client takes nothing any more.
    Abort,
}

/// What a connection begins with.
#[derive(Debug)]
pub(super) enum Transport {
    /// Long polling; whether packets may go out as bytes.
    Polling { takes_binary: bool },
    /// A websocket, and bytes that wait for it.
    Websocket(WriteHalf, Vec<u8>),
}

impl<D> std::fmt::Debug for Connection<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("number", &self.number)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl<D: Data> Engine<Connection<D>> {
    /// Ends every connection.
    pub(crate) fn end_all(&self, reason: CloseReason) {
        for connection in self.connections() {
            connection.close(reason);
        }
    }
}

impl<D: Data> Connection<D> {
    pub(super) fn new(
        engine: &Arc<Engine<Self>>,
        identity: Identity,
        transport: Transport,
        watched: bool,
        data: D,
    ) -> Arc<Self> {
        let outgoing = match transport {
            Transport::Polling { takes_binary } => SendQueue::Polling(Polling::new(takes_binary)),
            Transport::Websocket(half, bytes) => SendQueue::Websocket(Websocket::new(half, bytes)),
        };
        let Identity {
            id,
            number,
            protocol,
        } = identity;
        Arc::new(Self {
            id,
            number,
            protocol,
            data,
            beat: Beat::new(protocol),
            engine: engine.clone(),
            inbound_budget: Arc::default(),
            outgoing: Mutex::new(outgoing),
            reason: OnceLock::new(),
            ending: AtomicBool::new(false),
            upgrading: AtomicBool::new(false),
            is_looked_after: AtomicBool::new(false),
            probed: AtomicBool::new(false),
            watches_received: AtomicBool::new(watched),
            watches_sent: AtomicBool::new(watched),
            tasks: Mutex::default(),
        })
    }

    /// Keeps the task that looks whether the client lives.
    pub(super) fn watched_by(&self, heart: AbortHandle) {
        self.tasks.lock().heart = Some(heart);
    }

    /// Keeps who reads the connection's websocket.
    pub(super) fn read_by(&self, reader: Arc<Reader>) {
        self.tasks.lock().reader = Some(reader);
        // It may have ended meanwhile, and nobody waits for this reader.
        if self.is_closed()
            && let Some(reader) = self.tasks.lock().reader.take()
        {
            let until = Instant::now() + CLOSE_TIMEOUT;
            self.engine.runtime.handle.spawn(await_close(reader, until));
        }
    }

    /// What the client says and JavaScript has not heard yet.
    pub(crate) fn inbound_budget(&self) -> &Arc<InboundBudget> {
        &self.inbound_budget
    }

    /// Counts a message of the client until JavaScript has heard it.
    pub(crate) fn permit(&self, text: &str, attachments: &[Bytes]) -> Permit {
        self.inbound_budget.permit_message(text.len(), attachments)
    }

    /// Has JavaScript told of every packet of the client from now on, or of none any more.
    pub(crate) fn watch_received(&self, watched: bool) {
        self.watches_received.store(watched, Ordering::Relaxed);
    }

    /// Has JavaScript told of every packet for the client from now on, or of none any more.
    pub(crate) fn watch_sent(&self, watched: bool) {
        self.watches_sent.store(watched, Ordering::Relaxed);
    }

    fn is_sending_watched(&self) -> bool {
        self.watches_sent.load(Ordering::Relaxed)
    }

    /// Tells JavaScript of a packet of the client.
    fn tell_received(&self, packet: &Packet<'_>) {
        let text = |text: &str| PacketData::Text(Str::copy_from_slice(text));
        let (kind, data) = match packet {
            // As Engine.IO has it: polling deals with the end itself.
            Packet::Close if self.transport() == Some(TransportType::Polling) => return,
            Packet::Close => (b'1', text("")),
            Packet::Ping(data) => (b'2', text(data)),
            Packet::Pong => (b'3', text("")),
            Packet::Message(data) => (b'4', text(data)),
            Packet::Binary(bytes) => (b'4', PacketData::Binary(bytes.clone())),
            Packet::Upgrade => (b'5', text("")),
            Packet::Noop => (b'6', text("")),
        };
        // Counted like what it is about: a client that floods is not read on for it.
        let permit = Some(self.inbound_budget.permit(0));
        self.tell_packet(kind, data, false, true, permit);
    }

    /// Tells JavaScript of a packet that is queued; not of those that only keep a request from waiting.
    fn tell_queued(&self, packet: &payload::Packet, compress: bool) {
        let text = |text: &str| PacketData::Text(Str::copy_from_slice(text));
        let (kind, data) = match packet {
            payload::Packet::Text(data) => (b'4', PacketData::Text(data.clone())),
            payload::Packet::Binary(bytes) => (b'4', PacketData::Binary(bytes.clone())),
            payload::Packet::Ping => (b'2', text("")),
            payload::Packet::Pong => (b'3', text("")),
            payload::Packet::Noop => return,
        };
        self.tell_packet(kind, data, true, compress, None);
    }

    /// Tells JavaScript of the packets of a frame that is queued.
    fn tell_frame(&self, frame: &Frame) {
        match &frame.message {
            Message::Text(text, attachments) => {
                self.tell_queued(&payload::Packet::Text(text.clone()), frame.compress);
                for bytes in attachments {
                    self.tell_queued(&payload::Packet::Binary(bytes.clone()), frame.compress);
                }
            }
            Message::Binary(bytes) => {
                self.tell_queued(&payload::Packet::Binary(bytes.clone()), frame.compress);
            }
        }
    }

    fn tell_packet(
        &self,
        digit: u8,
        data: PacketData,
        is_sent: bool,
        compress: bool,
        permit: Option<Permit>,
    ) {
        let packet = ReportedPacket {
            kind: digit - b'0',
            data,
            is_sent,
            compress,
        };
        self.engine.events.packet(self.number, packet, permit);
    }

    /// The transport, while the connection lives.
    pub(crate) fn transport(&self) -> Option<TransportType> {
        self.outgoing.lock().transport()
    }

    /// Bytes that wait for the client.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.outgoing.lock().waiting()
    }

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.transport().is_none()
    }

    /// Whether Node reads what the client sends, which it does not while JavaScript is busy.
    pub(super) fn is_read_by_node(&self) -> bool {
        match &*self.outgoing.lock() {
            SendQueue::Polling(_) => true,
            SendQueue::Websocket(websocket) => websocket.is_pumped(),
            SendQueue::Closed => false,
        }
    }

    /// Waits until what the client had sent when this was called is read, and JavaScript has heard it,
    /// however busy either thread is. Says whether that was soon.
    pub(crate) fn catch_up(connection: &Weak<Self>) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        let began = Instant::now();
        let connection = connection.clone();
        // Boxed, since each connection has a task that hardly ever does this. It may end meanwhile.
        Box::pin(async move {
            let with = |look: fn(&Self) -> bool| connection.upgrade().filter(|it| look(it));
            if let Some(round) = with(Self::is_read_by_node).map(|it| it.engine.events.round()) {
                let _ = round.await;
            }
            if let Some(reactor) = with(|_| true).map(|it| it.engine.runtime.reactor.clone()) {
                reactor.catch_up().await;
            }
            // Always: what JavaScript has taken counts as heard before it has dealt with it.
            if let Some(round) = with(|_| true).map(|it| it.engine.events.round()) {
                let _ = round.await;
            }
            began.elapsed() < SOON
        })
    }

    /// Whether the connection is to end, and the client not heard any more.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// The reason somebody gave for its end, if any.
    pub(crate) fn reason(&self) -> Option<CloseReason> {
        self.reason.get().copied()
    }

    /// Says why the connection is about to end; the first reason stays.
    pub(crate) fn ends_because(&self, reason: CloseReason) {
        let _ = self.reason.set(reason);
    }

    /// Queues a frame. A client that lets more than `max_backpressure` bytes wait loses its connection,
    /// unless it takes them fast enough to be waited for: a message is delivered or its connection
    /// ends.
    pub(crate) fn send(self: &Arc<Self>, frame: &Frame, max_backpressure: usize) -> Queued {
        self.queue(max_backpressure, |outgoing, _| {
            match outgoing {
                _ if frame.volatile && !outgoing.is_writable() => return Ok(()),
                // What is said after the end was decided on is not for the client any more.
                SendQueue::Polling(polling) if polling.ends.is_some() => return Ok(()),
                SendQueue::Polling(polling) => polling.push_frame(frame),
                SendQueue::Websocket(websocket) => websocket.push_frame(frame, self.protocol),
                SendQueue::Closed => return Ok(()),
            }
            if self.is_sending_watched() {
                self.tell_frame(frame);
            }
            Ok(())
        })
    }

    /// Queues a series of frames, as [`Connection::send`].
    pub(crate) fn send_series(
        self: &Arc<Self>,
        series: &Series,
        max_backpressure: usize,
    ) -> Queued {
        self.queue(max_backpressure, |outgoing, _| {
            match outgoing {
                SendQueue::Polling(polling) => {
                    for frame in series.frames() {
                        polling.push_frame(frame);
                    }
                }
                SendQueue::Websocket(websocket) => websocket.push_series(series, self.protocol)?,
                SendQueue::Closed => return Ok(()),
            }
            if self.is_sending_watched() {
                for frame in series.frames() {
                    self.tell_frame(frame);
                }
            }
            Ok(())
        })
    }

    fn queue(
        self: &Arc<Self>,
        max_backpressure: usize,
        push: impl FnOnce(&mut SendQueue, usize) -> io::Result<()>,
    ) -> Queued {
        let mut outgoing = self.outgoing.lock();
        let mut waiting = outgoing.waiting();
        let mut is_behind = false;
        if waiting > max_backpressure {
            // It may take more by now, which nobody had the time to see.
            let may_wait = self.take_more(&mut outgoing);
            waiting = outgoing.waiting();
            is_behind = waiting > max_backpressure;
            if is_behind && !may_wait {
                drop(outgoing);
                self.overflow();
                return Queued::Waits;
            }
        }
        let mut pushed = push(&mut outgoing, waiting);
        let is_full = match &*outgoing {
            SendQueue::Polling(_) => return Queued::IsToBeFlushed,
            SendQueue::Websocket(websocket) => websocket.is_full(),
            SendQueue::Closed => return Queued::Waits,
        };
        if is_full && pushed.is_ok() {
            pushed = self.flush_locked(&mut outgoing);
        }
        // What waits for a client that is blocked goes out without being asked for.
        let calls_for_flush = waiting == 0 && outgoing.is_flushable();
        drop(outgoing);
        if pushed.is_err() {
            self.lost();
            return Queued::Waits;
        }
        match (calls_for_flush, is_behind) {
            (true, _) => Queued::IsToBeFlushed,
            (false, true) => Queued::IsBehind,
            (false, false) => Queued::Waits,
        }
    }

    /// Has a client for which too much waits take what it does; says whether it may be waited for.
    fn take_more(self: &Arc<Self>, outgoing: &mut SendQueue) -> bool {
        match outgoing {
            SendQueue::Polling(polling) => {
                polling.flush(self.protocol, &*self.engine.events);
                false
            }
            // Whoever waits for the client finds out if nothing can be written any more.
            SendQueue::Websocket(websocket) => {
                websocket.flush_blocked().is_ok() && websocket.is_read()
            }
            SendQueue::Closed => false,
        }
    }

    /// Whether a client that [is behind](Queued::IsBehind) is not waited for any more: it has taken a
    /// good part of what waits, or it does not take it, and ends if that is too much.
    pub(crate) fn has_caught_up(self: &Arc<Self>, max_backpressure: usize) -> bool {
        let mut outgoing = self.outgoing.lock();
        let may_wait = self.take_more(&mut outgoing);
        let waiting = outgoing.waiting();
        drop(outgoing);
        if waiting > max_backpressure && !may_wait {
            self.overflow();
        }
        !may_wait || waiting <= max_backpressure / 2
    }

    /// Has somebody wait for a client that is behind.
    pub(crate) fn look_after(self: &Arc<Self>, max_backpressure: usize) {
        if self.is_looked_after.swap(true, Ordering::AcqRel) {
            return;
        }
        let connection = self.clone();
        self.engine.runtime.handle.spawn(async move {
            wait_for(vec![connection.clone()], max_backpressure).await;
            connection.is_looked_after.store(false, Ordering::Release);
        });
    }

    /// Has what is queued go out, as far as the client takes it.
    pub(crate) fn flush(self: &Arc<Self>) {
        let flushed = self.flush_locked(&mut self.outgoing.lock());
        if flushed.is_err() {
            self.lost();
        }
    }

    /// The client takes less than it is to get, and nothing is lost in silence.
    fn overflow(self: &Arc<Self>) {
        self.ends_because(CloseReason::Backpressure);
        self.end(CloseReason::Backpressure, End::Abort);
    }

    /// The peer is gone, or is to be: nothing is written to it any more.
    pub(crate) fn lost(self: &Arc<Self>) {
        self.end(CloseReason::TransportClose, End::Abort);
    }

    fn flush_locked(self: &Arc<Self>, outgoing: &mut SendQueue) -> io::Result<()> {
        match outgoing {
            SendQueue::Polling(polling) => polling.flush(self.protocol, &*self.engine.events),
            SendQueue::Websocket(websocket) if !websocket.is_blocked => {
                websocket.flush()?;
                if websocket.is_blocked {
                    self.engine
                        .runtime
                        .handle
                        .spawn(drain(Arc::downgrade(self)));
                }
            }
            SendQueue::Websocket(_) | SendQueue::Closed => {}
        }
        Ok(())
    }

    /// Queues a packet of the engine's own.
    fn tell(self: &Arc<Self>, packet: payload::Packet) {
        let mut outgoing = self.outgoing.lock();
        match &mut *outgoing {
            SendQueue::Polling(_) | SendQueue::Websocket(_) if self.is_sending_watched() => {
                self.tell_queued(&packet, true);
            }
            _ => {}
        }
        match &mut *outgoing {
            SendQueue::Polling(polling) => polling.push(packet),
            SendQueue::Websocket(websocket) => websocket.push(&packet, self.protocol),
            SendQueue::Closed => {}
        }
    }

    /// Pings the client.
    pub(super) fn ping(self: &Arc<Self>) {
        self.tell(payload::Packet::Ping);
        self.flush();
    }

    /// Queues the answer to a ping of the websocket's own; [`Connection::flush`] is called for.
    pub(super) fn pong(&self, data: &[u8]) {
        if let SendQueue::Websocket(websocket) = &mut *self.outgoing.lock() {
            websocket.pong(data);
        }
    }

    /// A packet of the client. If it is a ping, [`Connection::flush`] is called for.
    pub(super) fn received<'a>(self: &Arc<Self>, packet: Packet<'a>) -> Received<'a> {
        if self.is_closed() {
            return Received::Nothing;
        }
        // As in Engine.IO, a connection that is to end hears nothing but that the client ends it.
        if self.is_ending() && packet != Packet::Close {
            return Received::Nothing;
        }
        if self.protocol == ProtocolVersion::V4 {
            self.beat.received();
        }
        if self.watches_received.load(Ordering::Relaxed) {
            self.tell_received(&packet);
        }
        match (packet, self.protocol) {
            (Packet::Message(text), _) => return Received::Message(text),
            (Packet::Binary(bytes), _) => return Received::Binary(bytes),
            (Packet::Close, _) => self.close(CloseReason::TransportClose),
            (Packet::Ping(_), ProtocolVersion::V3) => {
                self.beat.answered();
                // What a client has the server say counts as all else does.
                if self.outgoing.lock().waiting() > self.engine.config.max_backpressure {
                    self.overflow();
                } else {
                    self.tell(payload::Packet::Pong);
                }
            }
            (Packet::Pong, ProtocolVersion::V4) => self.beat.answered(),
            // A heartbeat in the wrong direction.
            (Packet::Ping(_), ProtocolVersion::V4) | (Packet::Pong, ProtocolVersion::V3) => {
                self.close(CloseReason::HeartbeatDirection);
            }
            (Packet::Upgrade | Packet::Noop, _) => {}
        }
        Received::Nothing
    }

    /// A request waits for packets.
    ///
    /// # Errors
    /// Why it cannot.
    pub(super) fn poll(self: &Arc<Self>, request: RequestNumber) -> Result<(), PollError> {
        let mut outgoing = self.outgoing.lock();
        let polling = match &mut *outgoing {
            SendQueue::Polling(polling) => polling,
            SendQueue::Websocket(_) => return Err(PollError::Refused(Refusal::TransportMismatch)),
            SendQueue::Closed => return Err(PollError::Refused(Refusal::UnknownSession)),
        };
        if polling.poll.is_some() {
            drop(outgoing);
            self.close(CloseReason::PollOverlap);
            return Err(PollError::Overlap);
        }
        polling.poll = Some(request);
        if let Some(reason) = polling.ends
            && polling.is_empty()
        {
            polling.push(payload::Packet::Noop);
            drop(outgoing);
            self.close(reason);
            return Ok(());
        }
        polling.flush(self.protocol, &*self.engine.events);
        Ok(())
    }

    /// Has a poll that waits answered with nothing, so that the client can leave polling.
    pub(super) fn release_poll(&self) {
        if let SendQueue::Polling(polling) = &mut *self.outgoing.lock() {
            polling.answer(self.protocol, &*self.engine.events, Some("6"));
        }
    }

    /// Begins an upgrade to websocket; `None` while another one is under way.
    pub(super) fn upgrade(self: &Arc<Self>) -> Option<Upgrading<D>> {
        let is_first = !self.upgrading.swap(true, Ordering::AcqRel);
        is_first.then(|| Upgrading(Arc::downgrade(self)))
    }

    /// The client of an upgrade is told that it may leave polling, or it is not about to any more.
    pub(super) fn may_leave_polling(&self, may: bool) {
        self.probed.store(may, Ordering::Release);
    }

    /// Whether the client may have left polling already, and the websocket that says so is unread.
    pub(super) fn may_have_left_polling(&self) -> bool {
        self.probed.load(Ordering::Acquire)
    }

    /// The client is on a websocket from now on, and gets there what waits, behind what waits for the
    /// websocket itself.
    pub(super) fn upgraded(self: &Arc<Self>, half: WriteHalf, unwritten: Vec<u8>) {
        let ends = {
            let mut outgoing = self.outgoing.lock();
            let SendQueue::Polling(polling) = &mut *outgoing else {
                return;
            };
            let mut websocket = Websocket::new(half, unwritten);
            websocket.take_over(polling, self.protocol);
            // What is queued is on its way already.
            polling.answer(self.protocol, &*self.engine.events, Some("1"));
            let ends = polling.ends;
            *outgoing = SendQueue::Websocket(websocket);
            ends
        };
        self.engine.events.upgraded(self.number);
        match ends {
            Some(reason) => self.close(reason),
            None => self.flush(),
        }
    }

    /// Ends the connection when its client has what was queued: a polling client comes and fetches
    /// it, with the end behind.
    pub(crate) fn finish(self: &Arc<Self>, reason: CloseReason) {
        {
            let mut outgoing = self.outgoing.lock();
            let waiting = match &mut *outgoing {
                SendQueue::Polling(polling) if polling.poll.is_none() || !polling.is_empty() => {
                    polling
                }
                _ => {
                    drop(outgoing);
                    self.close(reason);
                    return;
                }
            };
            waiting.flush(self.protocol, &*self.engine.events);
            if waiting.ends.replace(reason).is_some() {
                return;
            }
        }
        self.ending.store(true, Ordering::Release);
        self.engine
            .runtime
            .handle
            .spawn(close_late(Arc::downgrade(self), reason));
        D::on_finish(self, reason);
    }

    /// Ends the connection; what was queued goes out, as far as the client takes it.
    pub(crate) fn close(self: &Arc<Self>, reason: CloseReason) {
        self.end(reason, End::CloseFrame(&[]));
    }

    /// Ends the connection with a closing frame that holds these bytes.
    pub(super) fn close_with(self: &Arc<Self>, reason: CloseReason, payload: &[u8]) {
        self.end(reason, End::CloseFrame(payload));
    }

    /// Ends the connection of a client that sent what a websocket may not carry.
    pub(super) fn close_for(self: &Arc<Self>, fault: ProtocolError) {
        self.close_with(
            CloseReason::InvalidFrame(fault),
            &fault.close_code().to_be_bytes(),
        );
    }

    /// Ends the connection of a client that ended its side of the stream.
    pub(super) fn close_without_frame(self: &Arc<Self>) {
        self.end(CloseReason::TransportClose, End::NoCloseFrame);
    }

    fn end(self: &Arc<Self>, reason: CloseReason, how: End<'_>) {
        let transport = std::mem::replace(&mut *self.outgoing.lock(), SendQueue::Closed);
        if matches!(transport, SendQueue::Closed) {
            return;
        }
        let reason = self.reason.get().copied().unwrap_or(reason);
        self.engine.remove(self.id, self);
        D::on_close(self, reason);
        self.engine.events.closed(self.number, reason);
        let Tasks { heart, reader } = std::mem::take(&mut *self.tasks.lock());
        if let Some(heart) = heart {
            heart.abort();
        }
        match (transport, how) {
            (SendQueue::Polling(mut polling), _) => {
                // A client that said that it leaves is not told that the server does.
                let last = if reason == CloseReason::TransportClose {
                    "6"
                } else {
                    "1"
                };
                polling.answer(self.protocol, &*self.engine.events, Some(last));
            }
            (SendQueue::Websocket(websocket), End::Abort) => websocket.shut_down(),
            (SendQueue::Websocket(mut websocket), how) => {
                // The stream stays open for the client's closing frame, unless it sent that already or
                // cannot be understood.
                let waits = matches!(how, End::CloseFrame([]));
                if let End::CloseFrame(payload) = how {
                    websocket.close(payload);
                }
                self.engine
                    .runtime
                    .handle
                    .spawn(finish_close(websocket, reader, waits));
            }
            (SendQueue::Closed, _) => {}
        }
    }
}

/// An upgrade under way; over when dropped.
#[derive(Debug)]
pub(super) struct Upgrading<D: Data>(Weak<Connection<D>>);

impl<D: Data> Drop for Upgrading<D> {
    fn drop(&mut self) {
        if let Some(connection) = self.0.upgrade() {
            connection.may_leave_polling(false);
            connection.upgrading.store(false, Ordering::Release);
        }
    }
}

/// Writes on whenever the client takes more, until nothing waits. A client that takes nothing for as
/// long as a silent one may live loses its connection: whatever it says, no ping reaches it.
async fn drain<D: Data>(connection: Weak<Connection<D>>) {
    let Some(time_limit) = connection.upgrade().map(|connection| {
        let config = &connection.engine.config;
        config.ping_interval + config.ping_timeout
    }) else {
        return;
    };
    loop {
        let drained = poll_fn(|cx| {
            let Some(connection) = connection.upgrade() else {
                return Poll::Ready(true);
            };
            let mut outgoing = connection.outgoing.lock();
            let SendQueue::Websocket(websocket) = &mut *outgoing else {
                return Poll::Ready(true);
            };
            if ready!(websocket.poll_writable(cx)).is_err() || websocket.flush().is_err() {
                drop(outgoing);
                connection.lost();
                return Poll::Ready(true);
            }
            Poll::Ready(!websocket.is_blocked)
        });
        match in_time(&connection, time_limit, drained).await {
            Some(true) => return,
            Some(false) => {}
            None => {
                if let Some(connection) = connection.upgrade() {
                    connection.end(CloseReason::PingTimeout, End::Abort);
                }
                return;
            }
        }
    }
}

/// What comes of something that a client is to bring about within a delay; `None` if it does not.
/// A thread that serves the client and was busy when the delay ran out has it begin once more.
pub(super) async fn in_time<T, D: Data>(
    connection: &Weak<Connection<D>>,
    delay: Duration,
    outcome: impl Future<Output = T>,
) -> Option<T> {
    let mut outcome = pin!(outcome);
    let mut may_be_late = true;
    loop {
        let began = Instant::now();
        if let Ok(outcome) = timeout(delay, &mut outcome).await {
            return Some(outcome);
        }
        let is_late = began.elapsed() > delay + SOON;
        let was_soon = Connection::catch_up(connection).await;
        if let Ok(outcome) = timeout(Duration::ZERO, &mut outcome).await {
            return Some(outcome);
        }
        if (was_soon && !is_late) || !std::mem::take(&mut may_be_late) {
            return None;
        }
    }
}

/// Writes what is left, with the end behind, and lets the client answer: a stream that is closed with
/// bytes unread takes back what was written on it.
///
/// The stream ends when both sides have said goodbye (RFC 6455, section 7.1.1), unless the client
/// did so already or cannot be understood.
async fn finish_close(mut websocket: Websocket, reader: Option<Arc<Reader>>, waits: bool) {
    let until = Instant::now() + CLOSE_TIMEOUT;
    let written = async {
        while websocket.flush().is_ok() && websocket.is_blocked {
            if poll_fn(|cx| websocket.poll_writable(cx)).await.is_err() {
                return;
            }
        }
    };
    let _ = timeout_at(until, written).await;
    let websocket = waits.then_some(websocket);
    if let Some(reader) = reader {
        await_close(reader, until).await;
    }
    drop(websocket);
}

/// Hears a client whose connection has ended, until it has said goodbye.
async fn await_close(reader: Arc<Reader>, until: Instant) {
    if timeout_at(until, reader.ended()).await.is_err() {
        reader.stop();
    }
}

async fn close_late<D: Data>(connection: Weak<Connection<D>>, reason: CloseReason) {
    let _ = in_time(&connection, CLOSE_TIMEOUT, pending::<()>()).await;
    if let Some(connection) = connection.upgrade() {
        connection.close(reason);
    }
}
