//! One Engine.IO connection: its send queue, and its end.
//!
//! Its engine owns it until it ends; its reader and its heartbeat hold it weakly. What must stay true:
//! JavaScript is told once that it ended, after [`Data::on_close`]; what was queued before is sent
//! first, unless the client does not take it.

use std::future::{pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use super::acceptance::Acceptance;
use super::counters::Usage;
use super::engine::{CLOSE_TIMEOUT, Engine};
use super::events::{ConnectionNumber, PacketData, ReportedPacket};
use super::inbound_budget::{InboundBudget, Permit};
use super::liveness::Liveness;
use super::message::{Frame, Message, PlainText};
use super::packet::Packet;
use super::payload;
#[cfg(unix)]
use super::responder::Respond;
use super::send_queue::{Polling, SendQueue, Series, WaitingPoll, Websocket};
use super::{ProtocolError, ProtocolVersion, Sid, Str, TransportType};
use crate::io::delayed::DelayedTask;
use crate::io::reactor::Reader;
use crate::io::transport::WriteHalf;
use crate::protocol::{CloseReason, Refusal};
use crate::websocket::deflate::Deflater;

/// A thread that takes longer than this to catch up, or to notice that a timer is due, counts as busy.
pub(super) const BUSY_THRESHOLD: Duration = Duration::from_millis(250);

/// How often a client that is behind is checked for whether it has caught up.
const CATCHING_UP: Duration = Duration::from_millis(1);

/// What the application stores with a connection, and what it does when the connection ends. Each is
/// called at most once, before JavaScript is told.
pub(crate) trait Data: Send + Sync + Sized + 'static {
    /// Whether the client makes no use of the connection, which then ends after `connectTimeout`.
    fn is_idle(&self) -> bool;

    /// The connection ends as soon as the client has fetched what is queued for it.
    fn on_finish(connection: &Arc<Connection<Self>>, reason: CloseReason);

    /// The connection has ended.
    fn on_close(connection: &Arc<Connection<Self>>, reason: CloseReason);
}

/// What identifies a connection, and the protocol that its client uses.
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
    pub(super) liveness: Liveness,
    engine: Arc<Engine<Self>>,
    inbound_budget: Arc<InboundBudget>,
    send_queue: Mutex<SendQueue>,
    reason: OnceLock<CloseReason>,
    ending: AtomicBool,
    /// Whether the send queue is closed, for those who would lock it only to ask that: for each message.
    closed: AtomicBool,
    upgrading: AtomicBool,
    is_waited_for: AtomicBool,
    /// Something is queued that whoever reads the client flushes when it has handled what it has read.
    is_flush_due: AtomicBool,
    /// The probe of an upgrade was answered, so the client may leave polling.
    probed: AtomicBool,
    /// Packets are being received as the body of a request.
    receiving: AtomicBool,
    /// Packets of a request wait for those before them to be handled.
    holding: AtomicBool,
    /// When requests with packets are answered.
    pub(super) acceptance: Acceptance,
    /// Whether JavaScript is told of every packet that the client sends.
    watches_received: AtomicBool,
    /// Whether JavaScript is told of every packet that is sent to the client.
    watches_sent: AtomicBool,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    heartbeat: Option<DelayedTask>,
    reader: Option<Arc<Reader>>,
    /// Wakes the upgrade that waits for packets of a request.
    upgrade: Option<Waker>,
    /// What receives packets for it, without Node.
    #[cfg(unix)]
    receiver: Option<Weak<dyn Respond>>,
}

/// The outcome of queueing something for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queued {
    /// It is sent without further calls, or never, since the connection has ended.
    Waits,
    /// The caller must call [`Connection::flush`].
    IsToBeFlushed,
    /// It is sent without further calls. More is queued than may be, but the client keeps reading:
    /// the caller waits before it queues more, or [has a task wait](Connection::wait_in_background).
    IsBehind,
}

/// Aborts a request whose packets nobody wants any more.
#[cfg(unix)]
fn abort(receiver: Option<Weak<dyn Respond>>) {
    if let Some(receiver) = receiver.and_then(|receiver| receiver.upgrade()) {
        receiver.abort();
    }
}

/// Waits until clients that are behind have caught up or ended.
pub(crate) async fn wait_for<D: Data>(mut behind: Vec<Arc<Connection<D>>>) {
    loop {
        behind.retain(|connection| {
            !connection.has_caught_up(connection.engine.config.max_backpressure)
        });
        if behind.is_empty() {
            return;
        }
        tokio::time::sleep(CATCHING_UP).await;
    }
}

/// What the application has to do about a packet, after the engine has done its part.
#[derive(Debug)]
pub(super) enum Received<'a> {
    Message(&'a str),
    Binary(Bytes),
    Nothing,
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End<'a> {
    /// The client gets what was queued, and then the end of its transport: on a websocket, a closing
    /// frame with this payload.
    CloseFrame(&'a [u8]),
    /// The client gets what was queued, but no closing frame, since it ended the stream without one.
    NoCloseFrame,
    /// The client gets nothing any more: the stream is aborted.
    Abort,
}

/// The transport with which a connection begins.
#[derive(Debug)]
pub(super) enum Transport {
    /// Long polling; whether the client takes binary packets as bytes.
    Polling { takes_binary: bool },
    /// A websocket, bytes that are to be written to it, and what compresses the messages after them.
    Websocket(WriteHalf, Vec<u8>, Option<Deflater>),
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
        let send_queue = match transport {
            Transport::Polling { takes_binary } => SendQueue::Polling(Polling::new(takes_binary)),
            Transport::Websocket(half, bytes, deflater) => {
                SendQueue::Websocket(Websocket::new(half, bytes, deflater))
            }
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
            liveness: Liveness::new(protocol),
            engine: engine.clone(),
            inbound_budget: Arc::default(),
            send_queue: Mutex::new(send_queue),
            reason: OnceLock::new(),
            ending: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            upgrading: AtomicBool::new(false),
            is_waited_for: AtomicBool::new(false),
            is_flush_due: AtomicBool::new(false),
            probed: AtomicBool::new(false),
            receiving: AtomicBool::new(false),
            holding: AtomicBool::new(false),
            acceptance: Acceptance::default(),
            watches_received: AtomicBool::new(watched),
            watches_sent: AtomicBool::new(watched),
            tasks: Mutex::default(),
        })
    }

    /// Stores the heartbeat task, which is aborted when the connection ends.
    pub(super) fn set_heartbeat(&self, heartbeat: DelayedTask) {
        self.tasks.lock().heartbeat = Some(heartbeat);
    }

    /// Stores what receives packets for the connection, which is aborted when that ends; `None` when they
    /// are received.
    #[cfg(unix)]
    pub(super) fn set_receiver(&self, receiver: Option<&Arc<dyn Respond>>) {
        self.tasks.lock().receiver = receiver.map(Arc::downgrade);
        if self.is_closed() {
            abort(self.tasks.lock().receiver.take());
        }
    }

    /// Stores the reader of the connection's websocket.
    pub(super) fn set_reader(&self, reader: Arc<Reader>) {
        self.tasks.lock().reader = Some(reader);
        // The connection may have ended meanwhile: then its end has not waited for this reader.
        if self.is_closed()
            && let Some(reader) = self.tasks.lock().reader.take()
        {
            let until = self.engine.close_deadline();
            let tasks = &self.engine.runtime.delayed;
            tasks.spawn(until, await_close(reader, until));
        }
    }

    /// Limits what is received from the client and not delivered to JavaScript yet.
    pub(crate) fn inbound_budget(&self) -> &Arc<InboundBudget> {
        &self.inbound_budget
    }

    /// Counts a received message until JavaScript has processed it.
    pub(crate) fn permit(&self, text: &str, attachments: &[Bytes]) -> Permit {
        self.inbound_budget.permit_message(text.len(), attachments)
    }

    /// Whether JavaScript is told of every packet that the client sends, from now on.
    pub(crate) fn watch_received(&self, watched: bool) {
        self.watches_received.store(watched, Ordering::Relaxed);
    }

    /// Whether JavaScript is told of every packet that is sent to the client, from now on.
    pub(crate) fn watch_sent(&self, watched: bool) {
        self.watches_sent.store(watched, Ordering::Relaxed);
    }

    fn is_sending_watched(&self) -> bool {
        self.watches_sent.load(Ordering::Relaxed)
    }

    /// Tells JavaScript of a packet of the client.
    fn report_received(&self, packet: &Packet<'_>) {
        let text = |text: &str| PacketData::Text(Str::copy_from_slice(text));
        let (kind, data) = match packet {
            // Engine.IO's polling transport handles this packet itself and does not report it.
            Packet::Close if self.transport() == Some(TransportType::Polling) => return,
            Packet::Close => (b'1', text("")),
            Packet::Ping(data) => (b'2', text(data)),
            Packet::Pong => (b'3', text("")),
            Packet::Message(data) => (b'4', text(data)),
            Packet::Binary(bytes) => (b'4', PacketData::Binary(bytes.clone())),
            Packet::Upgrade => (b'5', text("")),
            Packet::Noop => (b'6', text("")),
        };
        // The report counts like the packet itself, so that a flood of packets pauses the reader.
        let permit = Some(self.inbound_budget.permit(0));
        self.report_packet(kind, data, false, true, permit);
    }

    /// Tells JavaScript of a packet that is queued, except a noop that only ends a poll.
    fn report_queued(&self, packet: &payload::Packet, compress: bool) {
        let text = |text: &str| PacketData::Text(Str::copy_from_slice(text));
        let (kind, data) = match packet {
            payload::Packet::Text(data) => (b'4', PacketData::Text(data.clone())),
            payload::Packet::Binary(bytes) => (b'4', PacketData::Binary(bytes.clone())),
            payload::Packet::Ping => (b'2', text("")),
            payload::Packet::Pong => (b'3', text("")),
            payload::Packet::Noop => return,
        };
        self.report_packet(kind, data, true, compress, None);
    }

    /// Tells JavaScript of the packets of a frame that is queued.
    fn report_frame(&self, frame: &Frame) {
        match &frame.message {
            Message::Text(text, attachments) => {
                self.report_queued(&payload::Packet::Text(text.clone()), frame.compress);
                for bytes in attachments {
                    self.report_queued(&payload::Packet::Binary(bytes.clone()), frame.compress);
                }
            }
            Message::Binary(bytes) => {
                self.report_queued(&payload::Packet::Binary(bytes.clone()), frame.compress);
            }
        }
    }

    fn report_packet(
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
        self.send_queue.lock().transport()
    }

    /// The transport, and how many bytes are queued for the client, while the connection lives.
    pub(super) fn queued(&self) -> Option<(TransportType, usize)> {
        let send_queue = self.send_queue.lock();
        Some((send_queue.transport()?, send_queue.waiting()))
    }

    /// Bytes that are queued for the client.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.send_queue.lock().waiting()
    }

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether Node reads what the client sends. It does not while JavaScript is busy.
    pub(super) fn is_read_by_node(&self) -> bool {
        match &*self.send_queue.lock() {
            SendQueue::Polling(_) => true,
            SendQueue::Websocket(websocket) => websocket.is_relayed(),
            SendQueue::Closed => false,
        }
    }

    /// Waits until everything that the client has sent so far is read and delivered to JavaScript,
    /// however busy the threads are. Returns whether they were not busy.
    pub(crate) fn catch_up(connection: &Weak<Self>) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        let began = Instant::now();
        let connection = connection.clone();
        // Boxed: every connection has a task that rarely does this, and its future stays small.
        Box::pin(async move {
            let with = |look: fn(&Self) -> bool| connection.upgrade().filter(|it| look(it));
            if let Some(iteration) =
                with(Self::is_read_by_node).map(|it| it.engine.events.after_iteration())
            {
                let _ = iteration.await;
            }
            if let Some(reactor) = with(|_| true).map(|it| it.engine.runtime.reactor.clone()) {
                reactor.catch_up().await;
            }
            // Always: what JavaScript has taken counts as delivered before it has been processed.
            if let Some(iteration) = with(|_| true).map(|it| it.engine.events.after_iteration()) {
                let _ = iteration.await;
            }
            began.elapsed() < BUSY_THRESHOLD
        })
    }

    /// Whether the connection is about to end, so that nothing more is received from the client.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// The reason given for its end in advance, if any.
    pub(crate) fn reason(&self) -> Option<CloseReason> {
        self.reason.get().copied()
    }

    /// Sets the reason for which the connection is about to end; the first one stays.
    pub(crate) fn set_reason(&self, reason: CloseReason) {
        let _ = self.reason.set(reason);
    }

    /// Queues a frame. If more bytes than the option `maxBackpressure` are queued, the connection ends,
    /// unless the client reads fast enough to be waited for: a message is sent or its connection ends.
    pub(crate) fn send(self: &Arc<Self>, frame: &Frame) -> Queued {
        self.queue(|send_queue| {
            self.push(send_queue, frame);
            Ok(())
        })
    }

    /// Queues a text message, as [`Connection::send`].
    pub(crate) fn send_text(self: &Arc<Self>, text: PlainText<'_>) -> Queued {
        self.queue(|send_queue| {
            let is_pushed = match send_queue {
                SendQueue::Websocket(websocket) if !text.volatile && !self.is_sending_watched() => {
                    websocket.push_plain(text)
                }
                _ => false,
            };
            if !is_pushed {
                self.push(send_queue, &text.into());
            }
            Ok(())
        })
    }

    fn push(&self, send_queue: &mut SendQueue, frame: &Frame) {
        match send_queue {
            _ if frame.volatile && !send_queue.is_writable() => {
                self.drop_volatile(send_queue);
                return;
            }
            // Messages that come after the decision to end are not sent any more.
            SendQueue::Polling(polling) if polling.ends.is_some() => return,
            SendQueue::Polling(polling) => polling.push_frame(frame),
            SendQueue::Websocket(websocket) => websocket.push_frame(frame, self.protocol),
            SendQueue::Closed => return,
        }
        if self.is_sending_watched() {
            self.report_frame(frame);
        }
    }

    /// Counts an event that is not sent. Apart, so that it costs other messages nothing.
    #[cold]
    #[inline(never)]
    fn drop_volatile(&self, send_queue: &SendQueue) {
        if !matches!(send_queue, SendQueue::Closed) {
            self.engine.counters.dropped_volatile();
        }
    }

    /// Queues a series of frames, as [`Connection::send`].
    pub(crate) fn send_series(self: &Arc<Self>, series: &Series) -> Queued {
        self.queue(|send_queue| {
            match send_queue {
                // As in `push`.
                SendQueue::Polling(polling) if polling.ends.is_some() => return Ok(()),
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
                    self.report_frame(frame);
                }
            }
            Ok(())
        })
    }

    fn queue(self: &Arc<Self>, push: impl FnOnce(&mut SendQueue) -> io::Result<()>) -> Queued {
        let max_backpressure = self.engine.config.max_backpressure;
        let mut send_queue = self.send_queue.lock();
        let mut waiting = send_queue.waiting();
        let mut is_behind = false;
        if waiting > max_backpressure {
            // The client may have read more since the last write.
            let may_wait = self.take_more(&mut send_queue);
            waiting = send_queue.waiting();
            is_behind = waiting > max_backpressure;
            if is_behind && !may_wait {
                drop(send_queue);
                self.overflow();
                return Queued::Waits;
            }
        }
        let mut pushed = push(&mut send_queue);
        let is_full = match &mut *send_queue {
            SendQueue::Polling(polling) => {
                return match polling.await_flush() {
                    true => Queued::IsToBeFlushed,
                    false => Queued::Waits,
                };
            }
            SendQueue::Websocket(websocket) => websocket.is_full(),
            SendQueue::Closed => return Queued::Waits,
        };
        if is_full && pushed.is_ok() {
            pushed = self.flush_locked(&mut send_queue);
        }
        // If the stream is blocked, the task that waits for it writes what is queued.
        let calls_for_flush = waiting == 0 && send_queue.is_flushable();
        drop(send_queue);
        if pushed.is_err() {
            self.abort();
            return Queued::Waits;
        }
        match (calls_for_flush, is_behind) {
            (true, _) => Queued::IsToBeFlushed,
            (false, true) => Queued::IsBehind,
            (false, false) => Queued::Waits,
        }
    }

    /// Writes to a client for which too much is queued. Returns whether it may be waited for.
    fn take_more(self: &Arc<Self>, send_queue: &mut SendQueue) -> bool {
        match send_queue {
            SendQueue::Polling(polling) => {
                self.engine.respond(polling.flush(self.protocol));
                false
            }
            // An error is found again by the task that waits for the client.
            SendQueue::Websocket(websocket) => {
                websocket.flush_blocked().is_ok() && websocket.is_read()
            }
            SendQueue::Closed => false,
        }
    }

    /// Whether the wait for a client that [is behind](Queued::IsBehind) is over: it has taken a good
    /// part of its queue, or it does not read, and its connection ends if too much is queued.
    pub(crate) fn has_caught_up(self: &Arc<Self>, max_backpressure: usize) -> bool {
        let mut send_queue = self.send_queue.lock();
        let may_wait = self.take_more(&mut send_queue);
        let waiting = send_queue.waiting();
        drop(send_queue);
        if waiting > max_backpressure && !may_wait {
            self.overflow();
        }
        !may_wait || waiting <= max_backpressure / 2
    }

    /// Has a task wait for a client that is behind.
    pub(crate) fn wait_in_background(self: &Arc<Self>) {
        if self.is_waited_for.swap(true, Ordering::SeqCst) {
            return;
        }
        let connection = self.clone();
        self.engine.runtime.handle.spawn(async move {
            loop {
                wait_for(vec![connection.clone()]).await;
                connection.is_waited_for.store(false, Ordering::SeqCst);
                // Looked at again: nobody waits for a client that fell behind before this was cleared.
                let max_backpressure = connection.engine.config.max_backpressure;
                if connection.has_caught_up(max_backpressure)
                    || connection.is_waited_for.swap(true, Ordering::SeqCst)
                {
                    return;
                }
            }
        });
    }

    /// Writes what is queued, as far as the client takes it.
    pub(crate) fn flush(self: &Arc<Self>) {
        let flushed = self.flush_locked(&mut self.send_queue.lock());
        if flushed.is_err() {
            self.abort();
        }
    }

    /// Has whoever handles a message of the client flush when it has handled the others that it has read, so
    /// that what is sent because of them leaves in one write.
    pub(super) fn flush_after_read(&self) {
        self.is_flush_due.store(true, Ordering::Relaxed);
    }

    /// Whether [`Connection::flush_after_read`] was called, by the thread that calls this.
    pub(super) fn takes_flush(&self) -> bool {
        // Without an exchange, which would cost each read more.
        let is_due = self.is_flush_due.load(Ordering::Relaxed);
        if is_due {
            self.is_flush_due.store(false, Ordering::Relaxed);
        }
        is_due
    }

    /// Ends a connection whose client does not take what is queued: no message is dropped silently.
    fn overflow(self: &Arc<Self>) {
        self.set_reason(CloseReason::Backpressure);
        self.end(CloseReason::Backpressure, End::Abort);
    }

    /// Ends the connection without writing to the client any more.
    pub(crate) fn abort(self: &Arc<Self>) {
        self.end(CloseReason::TransportClose, End::Abort);
    }

    fn flush_locked(self: &Arc<Self>, send_queue: &mut SendQueue) -> io::Result<()> {
        match send_queue {
            SendQueue::Polling(polling) => self.engine.respond(polling.flush(self.protocol)),
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

    /// Queues a packet of the engine itself.
    fn queue_packet(self: &Arc<Self>, packet: payload::Packet) {
        let send_queue = &mut *self.send_queue.lock();
        match send_queue {
            // As in `push`: the client would fetch it before it is told of the end.
            SendQueue::Polling(polling) if polling.ends.is_some() => return,
            SendQueue::Closed => return,
            _ if self.is_sending_watched() => self.report_queued(&packet, true),
            _ => {}
        }
        match send_queue {
            SendQueue::Polling(polling) => polling.push(packet),
            SendQueue::Websocket(websocket) => websocket.push(&packet, self.protocol),
            SendQueue::Closed => {}
        }
    }

    /// Pings the client.
    pub(crate) fn ping(self: &Arc<Self>) {
        self.queue_packet(payload::Packet::Ping);
        self.flush();
    }

    /// Queues the answer to a ping frame; the caller must call [`Connection::flush`].
    pub(super) fn pong(&self, data: &[u8]) {
        if let SendQueue::Websocket(websocket) = &mut *self.send_queue.lock() {
            websocket.pong(data);
        }
    }

    /// Handles a packet of the client. After a ping, the caller must call [`Connection::flush`].
    pub(super) fn on_packet<'a>(self: &Arc<Self>, packet: Packet<'a>) -> Received<'a> {
        if self.is_closed() {
            return Received::Nothing;
        }
        // As in Engine.IO, a connection that is about to end accepts nothing but a close packet.
        if self.is_ending() && packet != Packet::Close {
            return Received::Nothing;
        }
        if self.protocol == ProtocolVersion::V4 {
            self.liveness.received();
        }
        if self.watches_received.load(Ordering::Relaxed) {
            self.report_received(&packet);
        }
        match (packet, self.protocol) {
            (Packet::Message(text), _) => return Received::Message(text),
            (Packet::Binary(bytes), _) => return Received::Binary(bytes),
            (Packet::Close, _) => self.close(CloseReason::TransportClose),
            (Packet::Ping(_), ProtocolVersion::V3) => {
                self.liveness.pong_received();
                // Answers that the client asks for count as backpressure like any other packet.
                if self.send_queue.lock().waiting() > self.engine.config.max_backpressure {
                    self.overflow();
                } else {
                    self.queue_packet(payload::Packet::Pong);
                }
            }
            (Packet::Pong, ProtocolVersion::V4) => self.liveness.pong_received(),
            // A heartbeat in the wrong direction.
            (Packet::Ping(_), ProtocolVersion::V4) | (Packet::Pong, ProtocolVersion::V3) => {
                self.close(CloseReason::HeartbeatDirection);
            }
            (Packet::Upgrade | Packet::Noop, _) => {}
        }
        Received::Nothing
    }

    /// Has a poll request wait for packets.
    ///
    /// # Errors
    /// Why it cannot wait.
    pub(super) fn poll(self: &Arc<Self>, poll: WaitingPoll) -> Result<(), Refusal> {
        let mut send_queue = self.send_queue.lock();
        let polling = match &mut *send_queue {
            SendQueue::Polling(polling) => polling,
            SendQueue::Websocket(_) => return Err(Refusal::TransportMismatch),
            SendQueue::Closed => return Err(Refusal::UnknownSession),
        };
        if polling.poll.is_some() {
            drop(send_queue);
            self.close(CloseReason::PollOverlap);
            return Err(Refusal::Unserved);
        }
        polling.poll = Some(poll);
        if let Some(reason) = polling.ends
            && polling.is_empty()
        {
            polling.push(payload::Packet::Noop);
            drop(send_queue);
            self.close(reason);
            return Ok(());
        }
        self.engine
            .respond(polling.flush_unless_awaited(self.protocol));
        Ok(())
    }

    /// Begins to receive packets that come as the body of a request. If others are being received, the
    /// connection is closed, since dropping them would lose them silently.
    ///
    /// # Errors
    /// Why they are not received.
    pub(super) fn begin_post(self: &Arc<Self>) -> Result<(), Refusal> {
        if self.transport() == Some(TransportType::Websocket) {
            return Err(Refusal::TransportMismatch);
        }
        if self.receiving.swap(true, Ordering::AcqRel) {
            self.close(CloseReason::DataOverlap);
            return Err(Refusal::DataOverlap);
        }
        Ok(())
    }

    /// The packets of a request are processed, so the client may send more.
    pub(super) fn end_post(&self) {
        self.receiving.store(false, Ordering::Release);
    }

    /// Notes that packets of a request wait for those before them to be handled, or that all have been taken.
    pub(super) fn holds_packets(&self, holds: bool) {
        self.holding.store(holds, Ordering::SeqCst);
        if !holds && let Some(upgrade) = self.tasks.lock().upgrade.take() {
            upgrade.wake();
        }
    }

    /// Ready when all packets of the requests so far have been taken: what the client sends on its websocket when it
    /// has left polling comes after them.
    pub(super) fn poll_packets_taken(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.holding.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        self.tasks.lock().upgrade = Some(cx.waker().clone());
        // They may have been taken before the waker was stored.
        match self.holding.load(Ordering::SeqCst) {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    }

    /// Answers a waiting poll with a noop, so that the client can leave polling.
    pub(super) fn release_poll(&self) {
        if let SendQueue::Polling(polling) = &mut *self.send_queue.lock() {
            self.engine
                .respond(polling.answer(self.protocol, Some("6")));
        }
    }

    /// Begins an upgrade to websocket; `None` while another one is under way.
    pub(super) fn upgrade(self: &Arc<Self>) -> Option<Upgrading<D>> {
        let is_first = !self.upgrading.swap(true, Ordering::AcqRel);
        is_first.then(|| Upgrading(Arc::downgrade(self)))
    }

    /// Notes that the probe of an upgrade was answered, or that the upgrade is over.
    pub(super) fn may_leave_polling(&self, may: bool) {
        self.probed.store(may, Ordering::Release);
    }

    /// Whether the client may have left polling already, with its `5` still unread.
    pub(super) fn may_have_left_polling(&self) -> bool {
        self.probed.load(Ordering::Acquire)
    }

    /// Moves the connection to a websocket: what is queued is sent there, after the bytes that wait for
    /// the websocket itself.
    pub(super) fn upgraded(
        self: &Arc<Self>,
        half: WriteHalf,
        unwritten: Vec<u8>,
        deflater: Option<Deflater>,
    ) {
        let ends = {
            let mut send_queue = self.send_queue.lock();
            let SendQueue::Polling(polling) = &mut *send_queue else {
                return;
            };
            let mut websocket = Websocket::new(half, unwritten, deflater);
            websocket.take_over(polling, self.protocol);
            // The queue has moved to the websocket, so the poll gets none of it.
            self.engine
                .respond(polling.answer(self.protocol, Some("1")));
            let ends = polling.ends;
            *send_queue = SendQueue::Websocket(websocket);
            ends
        };
        self.engine.counters.upgraded();
        self.engine.events.upgraded(self.number);
        match ends {
            Some(reason) => self.close(reason),
            None => self.flush(),
        }
    }

    /// Ends the connection after the client has what was queued: a polling client still fetches it,
    /// followed by the end.
    pub(crate) fn finish(self: &Arc<Self>, reason: CloseReason) {
        {
            let mut send_queue = self.send_queue.lock();
            let waiting = match &mut *send_queue {
                SendQueue::Polling(polling) if polling.poll.is_none() || !polling.is_empty() => {
                    polling
                }
                _ => {
                    drop(send_queue);
                    self.close(reason);
                    return;
                }
            };
            self.engine.respond(waiting.flush(self.protocol));
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

    /// Ends the connection; what was queued is sent, as far as the client takes it.
    pub(crate) fn close(self: &Arc<Self>, reason: CloseReason) {
        self.end(reason, End::CloseFrame(&[]));
    }

    /// Ends the connection with a closing frame with this payload.
    pub(super) fn close_with(self: &Arc<Self>, reason: CloseReason, payload: &[u8]) {
        self.end(reason, End::CloseFrame(payload));
    }

    /// Ends the connection of a client that violated the WebSocket protocol.
    pub(super) fn close_for(self: &Arc<Self>, error: ProtocolError) {
        self.close_with(
            CloseReason::InvalidFrame(error),
            &error.close_code().to_bytes(),
        );
    }

    /// Ends the connection of a client that ended the stream without a closing frame.
    pub(super) fn close_without_frame(self: &Arc<Self>) {
        self.end(CloseReason::TransportClose, End::NoCloseFrame);
    }

    fn end(self: &Arc<Self>, reason: CloseReason, how: End<'_>) {
        let transport = {
            let mut send_queue = self.send_queue.lock();
            self.closed.store(true, Ordering::Release);
            std::mem::replace(&mut *send_queue, SendQueue::Closed)
        };
        if matches!(transport, SendQueue::Closed) {
            return;
        }
        let reason = self.reason.get().copied().unwrap_or(reason);
        if self.engine.remove(self.id, self) {
            self.engine.counters.closed(reason);
        }
        D::on_close(self, reason);
        self.engine.events.closed(self.number, reason);
        let Tasks {
            heartbeat,
            reader,
            upgrade: _,
            #[cfg(unix)]
            receiver,
        } = std::mem::take(&mut *self.tasks.lock());
        if let Some(heartbeat) = heartbeat {
            heartbeat.abort();
        }
        #[cfg(unix)]
        abort(receiver);
        match (transport, how) {
            (SendQueue::Polling(mut polling), _) => {
                // A client that has closed the connection itself gets a noop, as in Engine.IO.
                let last = if reason == CloseReason::TransportClose {
                    "6"
                } else {
                    "1"
                };
                self.engine
                    .respond(polling.answer(self.protocol, Some(last)));
            }
            (SendQueue::Websocket(websocket), End::Abort) => websocket.shut_down(),
            (SendQueue::Websocket(mut websocket), how) => {
                // The stream stays open for the client's closing frame, unless the client has sent it
                // or has violated the protocol.
                let waits = matches!(how, End::CloseFrame([]));
                if let End::CloseFrame(payload) = how {
                    websocket.close(payload);
                }
                let until = self.engine.close_deadline();
                let runtime = &self.engine.runtime;
                let is_written = websocket.flush().is_err() || !websocket.is_blocked;
                if waits || !is_written {
                    let closing = finish_close(websocket, reader, waits, until);
                    runtime.handle.spawn(closing);
                } else if let Some(reader) = reader {
                    // Nearly always it has just read the client's closing frame, and ends.
                    drop(websocket);
                    runtime.delayed.spawn(until, await_close(reader, until));
                }
            }
            (SendQueue::Closed, _) => {}
        }
    }
}

impl<D: Data> Engine<Connection<D>> {
    /// Looks at every open connection, each locked for a moment.
    pub(crate) fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for connection in self.connections() {
            if let Some((transport, queued)) = connection.queued() {
                usage.add(transport, queued);
            }
        }
        usage
    }
}

/// An upgrade under way, which ends when this is dropped.
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

/// Writes whenever the client takes more, until nothing is queued. The connection ends if the client
/// takes nothing for the time of a heartbeat, since no ping reaches it, whatever it sends.
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
            let mut send_queue = connection.send_queue.lock();
            let SendQueue::Websocket(websocket) = &mut *send_queue else {
                return Poll::Ready(true);
            };
            if ready!(websocket.poll_writable(cx)).is_err() || websocket.flush().is_err() {
                drop(send_queue);
                connection.abort();
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

/// Waits for something that the client has to do within a delay; `None` if it does not. If a thread
/// that serves the client was busy when the delay ran out, the delay starts once more.
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
        let is_late = began.elapsed() > delay + BUSY_THRESHOLD;
        let was_idle = Connection::catch_up(connection).await;
        if let Ok(outcome) = timeout(Duration::ZERO, &mut outcome).await {
            return Some(outcome);
        }
        if (was_idle && !is_late) || !std::mem::take(&mut may_be_late) {
            return None;
        }
    }
}

/// Writes what is queued, closes the websocket, and waits for the client's answer: a stream that is
/// closed with bytes unread is reset, which discards what was written to it.
///
/// The stream ends when both sides have sent a closing frame (RFC 6455, section 7.1.1), unless the
/// client has done so already or has violated the protocol.
async fn finish_close(
    mut websocket: Websocket,
    reader: Option<Arc<Reader>>,
    waits: bool,
    until: Instant,
) {
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

/// Reads from a client whose connection has ended, until it has closed the websocket.
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
