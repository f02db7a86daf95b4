//! The queue of notices for JavaScript, and the one wake-up for many of them.
//!
//! The I/O thread queues; the first notice after a quiet moment wakes the JavaScript thread, which
//! then takes what has gathered as one joined JSON text. What must stay true:
//! - notices arrive in the order in which they were queued, each once;
//! - a flood cannot starve the application's event loop: one turn of it takes at most
//!   [`MAX_RECORDS`] or [`MAX_BYTES`], and the next portion only after the loop has gone round;
//! - a text of a client never reaches beyond its own record. It was checked to be one JSON value
//!   when it came; if a batch still cannot be parsed, JavaScript asks for its records one by one.
//!
//! [`crate::protocol`] says what a record is.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::engineio::inbound_budget::Permit;
use crate::io::host::{Host, PumpAction, PumpNumber};
use crate::protocol::{
    ATTACHMENT_RADIX, CloseReason, METHOD_RADIX, NONE, PacketFlag, RecordKind, Refusal, RelayAction,
};
use crate::session::Instance;
use crate::socketio::events::{self, Event, EventSink as _, Run};
use crate::socketio::server::MAX_ATTACHMENTS;

/// Records one turn of the event loop takes at most.
const MAX_RECORDS: usize = 1024;
/// Bytes of payload one turn of the event loop takes at most, unless one record is larger.
const MAX_BYTES: usize = 1 << 20;
/// A portion of so many records is large: JavaScript has heard it when it has dealt with it, not
/// before. So one that floods is read while JavaScript rests, and does not keep two threads busy.
const LARGE: usize = 32;
/// A text buffer larger than this is not kept for the next batch.
const KEEP_BYTES: usize = 1 << 20;
/// How often the event loop goes round until what clients had sent has been read: once to accept
/// their connections, and once to read those.
const ROUNDS: u8 = 2;
const _: () = assert!(MAX_ATTACHMENTS < ATTACHMENT_RADIX as usize);

/// Wakes JavaScript, which then takes.
pub(crate) type Wake = Box<dyn Fn() + Send>;

/// The queue.
pub(crate) struct EventQueue {
    waiting: Mutex<Vec<Event>>,
    /// JavaScript is awake or will wake: nobody need wake it.
    armed: AtomicBool,
    /// How many are about to queue more, and wake when they have.
    wake_guards: AtomicUsize,
    wake: Mutex<Option<Wake>>,
    taking: Mutex<Taking>,
}

/// What the JavaScript thread is in the middle of.
struct Taking {
    /// Taken from the queue and not yet given to JavaScript, the next one last.
    left: Vec<Event>,
    text: Vec<u8>,
    /// Where each record of `text` ends.
    ends: Vec<usize>,
    records_left: usize,
    bytes_left: usize,
    /// What clients said in a portion that JavaScript has not dealt with yet.
    permits: Vec<Permit>,
    /// Who waits for the event loop to go round, and how often it still has to.
    rounds: Vec<(u8, oneshot::Sender<()>)>,
}

impl Taking {
    fn gone_round(&mut self) {
        for (left, _) in &mut self.rounds {
            *left -= 1;
        }
        for (_, tell) in self.rounds.extract_if(.., |(left, _)| *left == 0) {
            // Who waited may have left.
            let _ = tell.send(());
        }
    }
}

/// A portion of notices; its text is in [`EventQueue::with_text`].
#[derive(Debug)]
pub(crate) struct Portion {
    pub(crate) attachments: Vec<Bytes>,
    /// JavaScript has to come back for more after its event loop has gone round.
    pub(crate) more: bool,
    /// JavaScript has to say when it has dealt with it.
    pub(crate) is_large: bool,
}

impl EventQueue {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            armed: AtomicBool::new(false),
            wake_guards: AtomicUsize::new(0),
            wake: Mutex::new(None),
            taking: Mutex::new(Taking {
                left: Vec::new(),
                text: Vec::new(),
                ends: Vec::new(),
                records_left: MAX_RECORDS,
                bytes_left: MAX_BYTES,
                permits: Vec::new(),
                rounds: Vec::new(),
            }),
        }
    }

    /// Gives the queue its way to wake JavaScript, or takes it away.
    pub(crate) fn set_wake(&self, wake: Option<Wake>) {
        let is_gone = wake.is_none();
        *self.wake.lock() = wake;
        if is_gone {
            // It goes round for nobody any more.
            self.taking.lock().rounds.clear();
        }
    }

    fn wake(&self) {
        if !self.armed.swap(true, Ordering::AcqRel)
            && let Some(wake) = &*self.wake.lock()
        {
            wake();
        }
    }

    /// Wakes JavaScript anew: it was to be told otherwise, which could not be done.
    #[cfg(target_os = "linux")]
    pub(super) fn wake_again(&self) {
        if let Some(wake) = &*self.wake.lock() {
            wake();
        }
    }

    /// The next portion. What clients said in a small one counts as heard.
    pub(crate) fn take(&self) -> Portion {
        let taking = &mut *self.taking.lock();
        taking.text.clear();
        taking.ends.clear();
        // Cleared before the queue is looked at: what comes later wakes again.
        self.armed.store(false, Ordering::SeqCst);
        let mut attachments = Vec::new();
        taking.text.push(b'[');
        while let Some(mut event) = self.next(&mut taking.left) {
            let bytes = event.len();
            if taking.records_left == 0 || (taking.bytes_left < bytes && !taking.ends.is_empty()) {
                taking.left.push(event);
                break;
            }
            taking.records_left -= 1;
            taking.bytes_left = taking.bytes_left.saturating_sub(bytes);
            taking.permits.extend(event.take_permit());
            write(taking, &mut attachments, event);
        }
        taking.text.push(b']');
        let spent = taking.records_left == 0 || taking.bytes_left == 0;
        let more = spent || !taking.left.is_empty() || !taking.rounds.is_empty();
        if more {
            // Until JavaScript comes back nobody else wakes it.
            self.armed.store(true, Ordering::SeqCst);
        }
        let is_large = taking.ends.len() >= LARGE;
        if !is_large {
            taking.permits.clear();
        }
        Portion {
            attachments,
            more,
            is_large,
        }
    }

    /// JavaScript has dealt with a large portion: who said much of it may say more.
    pub(crate) fn processed(&self) {
        self.taking.lock().permits.clear();
    }

    fn next(&self, left: &mut Vec<Event>) -> Option<Event> {
        if left.is_empty() {
            std::mem::swap(left, &mut *self.waiting.lock());
            left.reverse();
        }
        left.pop()
    }

    /// JavaScript's event loop has gone round: the next portion may come.
    pub(crate) fn resume(&self) {
        let idle = {
            let taking = &mut *self.taking.lock();
            taking.records_left = MAX_RECORDS;
            taking.bytes_left = MAX_BYTES;
            taking.gone_round();
            taking.left.is_empty() && taking.rounds.is_empty()
        };
        self.armed.store(false, Ordering::SeqCst);
        if !idle || !self.waiting.lock().is_empty() {
            self.wake();
        }
    }

    /// The text of the portion taken last.
    pub(crate) fn with_text<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        let taking = &mut *self.taking.lock();
        let result = read(&taking.text);
        if taking.text.capacity() > KEEP_BYTES && taking.ends.is_empty() {
            taking.text = Vec::new();
        }
        result
    }

    /// The records of the portion taken last, each as a JSON array of its own.
    pub(crate) fn records(&self) -> Vec<String> {
        let taking = self.taking.lock();
        let mut start = 1;
        let mut records = Vec::with_capacity(taking.ends.len());
        for &end in &taking.ends {
            let record = taking.text.get(start..end).unwrap_or_default();
            records.push(format!("[{}]", String::from_utf8_lossy(record)));
            start = end + 1;
        }
        records
    }
}

impl events::EventSink for EventQueue {
    fn push(&self, event: Event) {
        self.waiting.lock().push(event);
        // Whoever holds the queue looks at it afterwards.
        if self.wake_guards.load(Ordering::SeqCst) == 0 {
            self.wake();
        }
    }
}

impl Host for EventQueue {
    fn pump(&self, pump: PumpNumber, action: PumpAction) {
        self.push(Event::Pump { pump, action });
    }

    fn released(&self, owner: u64) {
        self.push(Event::Released { owner });
    }

    fn defer_wake(&self) {
        self.wake_guards.fetch_add(1, Ordering::SeqCst);
    }

    fn allow_wake(&self) {
        self.wake_guards.fetch_sub(1, Ordering::SeqCst);
        if !self.waiting.lock().is_empty() {
            self.wake();
        }
    }

    fn round(&self) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        if self.wake.lock().is_some() {
            self.taking.lock().rounds.push((ROUNDS, tell));
            self.wake();
        }
        told
    }
}

/// What stands in the place of a payload that a record does not have.
const NO_PAYLOAD: &str = "0";

fn write(taking: &mut Taking, attachments: &mut Vec<Bytes>, event: Event) {
    let mut digits = itoa::Buffer::new();
    let mut record = |kind: RecordKind, [subject, a, b, place]: [i64; 4], payload: &str| {
        let text = &mut taking.text;
        if !taking.ends.is_empty() {
            text.push(b',');
        }
        for number in [kind.number(), subject, a, b, place] {
            text.extend_from_slice(digits.format(number).as_bytes());
            text.push(b',');
        }
        text.extend_from_slice(payload.as_bytes());
        taking.ends.push(text.len());
    };
    match event {
        Event::Emitted {
            socket,
            ack,
            runs,
            payload,
            ..
        } => {
            let socket = id(socket);
            // Ids below 0, which only MessagePack has, make room for `NONE`.
            let ack = ack.map_or(NONE, |ack| ack.saturating_add(ack >> 63));
            let mut runs = runs.into_iter().peekable();
            let first = match runs.peek() {
                Some(&Run::Method { instance, method }) => {
                    runs.next();
                    method_number(instance, method)
                }
                _ => NONE,
            };
            let (text, attached) = payload.into_parts();
            let place = attach(attachments, attached);
            record(
                RecordKind::Event,
                [socket, ack, first, place],
                text.as_str(),
            );
            for run in runs {
                match run {
                    Run::Method { instance, method } => {
                        let method = method_number(instance, method);
                        record(RecordKind::Method, [socket, 0, method, NONE], NO_PAYLOAD);
                    }
                    Run::Auth { instance, attempt } => {
                        let (instance, attempt) = (instance.0.into(), id(attempt.number()));
                        let numbers = [socket, instance, attempt, NONE];
                        record(RecordKind::Authentication, numbers, NO_PAYLOAD);
                    }
                }
            }
        }
        Event::Connect {
            socket,
            connection,
            request,
            auth,
            ..
        } => {
            let place = attach(attachments, auth.into_iter().collect());
            let numbers = [id(socket), id(connection), 0, place];
            record(RecordKind::Connect, numbers, &request);
        }
        Event::NamespaceRequest {
            connection,
            request,
            auth,
            ..
        } => {
            let place = attach(attachments, auth.into_iter().collect());
            let numbers = [id(connection), 0, 0, place];
            record(RecordKind::NamespaceRequest, numbers, &request);
        }
        Event::Released { owner } => {
            record(RecordKind::Released, [id(owner), 0, 0, NONE], NO_PAYLOAD);
        }
        Event::Upgraded { connection } => {
            record(
                RecordKind::Upgraded,
                [id(connection), 0, 0, NONE],
                NO_PAYLOAD,
            );
        }
        Event::Disconnect { socket, reason } => {
            let numbers = [id(socket), reason.number(), 0, NONE];
            record(RecordKind::Disconnect, numbers, &details(reason));
        }
        Event::Acknowledged {
            socket,
            ack,
            payload,
            ..
        } => {
            let (text, attached) = payload.into_parts();
            let place = attach(attachments, attached);
            let numbers = [id(socket), ack, 0, place];
            record(RecordKind::Acknowledgement, numbers, text.as_str());
        }
        Event::Malformed { socket } => {
            record(RecordKind::Malformed, [id(socket), 0, 0, NONE], NO_PAYLOAD);
        }
        Event::BroadcastSent {
            namespace,
            ack,
            receivers,
        } => {
            let numbers = [id(namespace), ack, 0, NONE];
            let receivers = serde_json::to_string(&receivers).unwrap_or_default();
            record(RecordKind::BroadcastSent, numbers, &receivers);
        }
        Event::InvalidCommand { message } => {
            let message = serde_json::Value::String(message).to_string();
            record(RecordKind::InvalidCommand, [0, 0, 0, NONE], &message);
        }
        Event::Closed { connection, reason } => {
            let numbers = [id(connection), reason.number(), 0, NONE];
            record(RecordKind::Closed, numbers, &details(reason));
        }
        Event::Response {
            request,
            status,
            binary,
            body,
            refusal,
        } => {
            let place = attach(attachments, vec![body]);
            let numbers = [id(request), status.into(), binary.into(), place];
            let refusal = refusal.map_or(NONE, Refusal::number);
            record(
                RecordKind::Response,
                numbers,
                itoa::Buffer::new().format(refusal),
            );
        }
        Event::Packet {
            connection, packet, ..
        } => {
            let (bytes, is_text) = packet.data.into_bytes();
            let flags = [
                (packet.is_sent, PacketFlag::Sent),
                (is_text, PacketFlag::Text),
                (!packet.compress, PacketFlag::Uncompressed),
            ];
            let flags = flags.map(|(is_so, flag)| i64::from(is_so) * flag.number());
            let place = attach(attachments, vec![bytes]);
            let numbers = [
                id(connection),
                packet.kind.into(),
                flags.iter().sum(),
                place,
            ];
            record(RecordKind::Packet, numbers, NO_PAYLOAD);
        }
        Event::Pump { pump, action } => {
            let (action, place) = match action {
                PumpAction::Write(bytes) => (RelayAction::Write, attach(attachments, vec![bytes])),
                PumpAction::Resume => (RelayAction::Resume, NONE),
                PumpAction::End => (RelayAction::End, NONE),
                PumpAction::Destroy => (RelayAction::Destroy, NONE),
            };
            record(
                RecordKind::Relay,
                [id(pump), action.number(), 0, place],
                NO_PAYLOAD,
            );
        }
    }
}

/// What there is to say of a reason besides its number.
fn details(reason: CloseReason) -> Cow<'static, str> {
    match reason {
        CloseReason::InvalidFrame(error) => serde_json::Value::String(error.to_string())
            .to_string()
            .into(),
        _ => NO_PAYLOAD.into(),
    }
}

/// A number as JavaScript gets it. It counts from 0 and has a place in a double for longer than any
/// process lives: at a million a second for 285 years.
fn id(number: u64) -> i64 {
    number.cast_signed()
}

fn method_number(instance: Instance, method: u32) -> i64 {
    i64::from(instance.0) * METHOD_RADIX + i64::from(method)
}

fn attach(attachments: &mut Vec<Bytes>, mut attached: Vec<Bytes>) -> i64 {
    if attached.is_empty() {
        return NONE;
    }
    let place = i64::try_from(attachments.len()).unwrap_or(0);
    let count = i64::try_from(attached.len()).unwrap_or(0);
    attachments.append(&mut attached);
    place * ATTACHMENT_RADIX + count
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engineio::inbound_budget::{HIGH_WATER, InboundBudget};
    use crate::protocol::CloseReason;
    use crate::socketio::packet::Payload;

    fn event(socket: u64, text: &str) -> Event {
        Event::Emitted {
            socket,
            ack: None,
            runs: Default::default(),
            payload: Payload::Json(text.to_owned().into(), Vec::new()),
            permit: None,
        }
    }

    fn text(queue: &EventQueue) -> String {
        queue.with_text(|text| String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn events_arrive_in_one_batch_and_in_order() {
        let queue = EventQueue::new();
        queue.push(event(7, r#"["m",1]"#));
        queue.push(Event::Disconnect {
            socket: 7,
            reason: CloseReason::TransportClose,
        });
        let portion = queue.take();
        assert!(portion.attachments.is_empty() && !portion.more);
        assert_eq!(text(&queue), r#"[1,7,-1,-1,-1,["m",1],5,7,2,0,-1,0]"#);
        assert_eq!(
            queue.records(),
            [r#"[1,7,-1,-1,-1,["m",1]]"#, "[5,7,2,0,-1,0]"]
        );
    }

    #[test]
    fn attachments_are_found_by_place_and_count() {
        let queue = EventQueue::new();
        for socket in 0..2 {
            queue.push(Event::Acknowledged {
                socket,
                ack: 3,
                payload: Payload::Json(
                    "[]".to_owned().into(),
                    vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")],
                ),
                permit: None,
            });
        }
        let Portion { attachments, .. } = queue.take();
        assert_eq!(attachments.len(), 4);
        let second = 2 * ATTACHMENT_RADIX + 2;
        assert_eq!(text(&queue), format!("[6,0,3,0,2,[],6,1,3,0,{second},[]]"));
    }

    #[test]
    fn a_flood_of_events_is_delivered_in_portions_that_let_the_event_loop_run() {
        let queue = EventQueue::new();
        for socket in 0..2500 {
            queue.push(event(socket, "[\"m\"]"));
        }
        let mut sizes = Vec::new();
        loop {
            let more = queue.take().more;
            sizes.push(queue.records().len());
            if !more {
                break;
            }
            // Without going round there is nothing more to take.
            let still = queue.take();
            assert!(still.more && queue.records().is_empty());
            queue.resume();
        }
        assert_eq!(sizes, [1024, 1024, 452]);
        assert!(!queue.armed.load(Ordering::SeqCst), "what comes next wakes");
    }

    #[test]
    fn a_requested_iteration_is_reported_after_the_event_loop_has_run_twice() {
        let queue = EventQueue::new();
        let mut none = queue.round();
        assert!(none.try_recv().is_err(), "nobody goes round");
        queue.set_wake(Some(Box::new(|| {})));
        let mut told = queue.round();
        for is_told in [false, true] {
            assert!(queue.armed.load(Ordering::SeqCst), "JavaScript is woken");
            assert_eq!(told.try_recv(), Err(oneshot::error::TryRecvError::Empty));
            assert!(queue.take().more);
            queue.resume();
            assert_eq!(told.try_recv().is_ok(), is_told);
        }
        assert!(!queue.take().more);
        let mut told = queue.round();
        queue.set_wake(None);
        assert_eq!(told.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn a_large_event_is_delivered_in_a_batch_of_its_own() {
        let queue = EventQueue::new();
        let large = format!("[\"{}\"]", "x".repeat(2 * MAX_BYTES));
        queue.push(event(1, &large));
        queue.push(event(2, "[\"m\"]"));
        let more = queue.take().more;
        assert!(more);
        assert_eq!(queue.records().len(), 1);
        queue.resume();
        assert!(!queue.take().more);
        assert_eq!(queue.records().len(), 1);
    }

    #[test]
    fn a_client_that_sends_much_is_read_again_when_javascript_has_handled_it() {
        let inbound_budget = Arc::new(InboundBudget::default());
        let permit = |words: usize| Event::Connect {
            socket: 1,
            connection: 1,
            request: "{}".to_owned(),
            auth: None,
            permit: Some(inbound_budget.permit(words)),
        };
        let queue = EventQueue::new();
        queue.push(permit(HIGH_WATER));
        assert!(inbound_budget.is_exceeded());
        assert!(!queue.take().is_large);
        assert!(
            !inbound_budget.is_exceeded(),
            "a small portion is heard at once"
        );
        for _ in 0..LARGE {
            queue.push(permit(HIGH_WATER));
        }
        assert!(queue.take().is_large);
        assert!(inbound_budget.is_exceeded());
        queue.processed();
        assert!(!inbound_budget.is_exceeded());
    }

    #[test]
    fn events_queued_while_javascript_is_busy_do_not_wake_it_again() {
        let queue = EventQueue::new();
        queue.push(event(1, "[\"m\"]"));
        assert!(queue.armed.load(Ordering::SeqCst));
        queue.take();
        assert!(!queue.armed.load(Ordering::SeqCst));
        for socket in 0..2000 {
            queue.push(event(socket, "[\"m\"]"));
        }
        queue.take();
        assert!(queue.armed.load(Ordering::SeqCst), "a portion is spent");
    }
}
