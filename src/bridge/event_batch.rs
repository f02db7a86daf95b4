//! The queue of events for JavaScript, and one wake-up for many of them.
//!
//! The first event that the I/O thread queues wakes the JavaScript thread, which then takes all queued
//! events as one JSON text. What must stay true:
//! - events arrive in the order in which they were queued, each once, and those of one read of a client
//!   together, as far as they fit into one batch;
//! - the end of a socket arrives after the socket, even if another thread ends it during the read that
//!   opens it;
//! - a flood cannot starve the application: one iteration of the event loop takes at most
//!   [`MAX_RECORDS`] or [`MAX_BYTES`], and the next batch comes in a later iteration;
//! - a client's text cannot extend beyond its own record. It was checked to be one JSON value; if a
//!   batch still cannot be parsed, JavaScript asks for its records one by one.
//!
//! [`crate::protocol`] says what a record is.

use std::borrow::Cow;
use std::cell::RefCell;
#[cfg(unix)]
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, header};
use parking_lot::Mutex;
use tokio::sync::oneshot;

#[cfg(unix)]
use crate::engineio::TransportType;
#[cfg(unix)]
use crate::engineio::events::{HandedBack, Opened, Secure};
use crate::engineio::http::http1;
use crate::engineio::inbound_budget::Permit;
use crate::io::host::{Deferred, Host, RelayAction, RelayNumber};
use crate::protocol::{
    self, ATTACHMENT_RADIX, CloseReason, METHOD_RADIX, NONE, PacketFlag, RecordKind,
};
use crate::session::Instance;
use crate::socketio::events::{self, Event, EventSink as _, Run};
use crate::socketio::server::MAX_ATTACHMENTS;

/// The maximum number of records in one iteration of the event loop.
const MAX_RECORDS: usize = 1024;
/// The maximum payload in one iteration of the event loop, unless one record is larger.
const MAX_BYTES: usize = 1 << 20;
/// A batch of at least this many records is large: its permits are released when JavaScript has
/// processed it, not when it takes it. So a flooding client is read only as fast as JavaScript processes.
const MIN_LARGE_BATCH: usize = 32;
/// A text buffer larger than this is not kept for the next batch.
const MAX_KEPT_BYTES: usize = 1 << 20;
/// A list of events with more room than this is not kept for the next ones.
const MAX_KEPT_EVENTS: usize = 2 * MAX_RECORDS;
/// Iterations of the event loop after which it has read what clients had sent: one to accept their
/// connections, and one to read from them.
const READ_ITERATIONS: u8 = 2;
const _: () = assert!(MAX_ATTACHMENTS < ATTACHMENT_RADIX as usize);

/// Wakes JavaScript, which then takes a batch.
pub(crate) type Wake = Box<dyn Fn() + Send>;

/// The queue of events.
pub(crate) struct EventQueue {
    waiting: Mutex<Vec<Event>>,
    /// JavaScript is awake or about to wake, so it need not be woken.
    armed: AtomicBool,
    /// How many [`WakeGuard`](crate::io::host::WakeGuard)s delay the wake-up.
    wake_guards: AtomicUsize,
    wake: Mutex<Option<Wake>>,
    /// JavaScript has ended.
    is_gone: AtomicBool,
    taking: Mutex<Taking>,
}

/// The state of the JavaScript thread.
struct Taking {
    /// Events that were taken from the queue and not delivered yet, the next one last.
    undelivered: Vec<Event>,
    text: Vec<u8>,
    /// The end of each record in `text`.
    ends: Vec<usize>,
    records_left: usize,
    bytes_left: usize,
    /// JavaScript calls [`EventQueue::resume`] in the next iteration of its event loop.
    is_resumed: bool,
    /// The permits of a large batch that JavaScript has not processed yet.
    permits: Vec<Permit>,
    /// What is done once JavaScript has processed the batch.
    deferred: Vec<Deferred>,
    /// Tasks that wait for iterations of the event loop, with the number of those that are missing.
    iterations: Vec<(u8, oneshot::Sender<()>)>,
}

impl Taking {
    /// Whether the text is freed when JavaScript has processed the batch, which may ask for its records until then.
    fn has_large_text(&self) -> bool {
        self.text.capacity() > MAX_KEPT_BYTES
    }

    fn free_text(&mut self) {
        self.text = Vec::new();
        self.ends = Vec::new();
    }

    fn iterated(&mut self) {
        for (undelivered, _) in &mut self.iterations {
            *undelivered -= 1;
        }
        for (_, tell) in self
            .iterations
            .extract_if(.., |(undelivered, _)| *undelivered == 0)
        {
            // The receiver may have been dropped.
            let _ = tell.send(());
        }
    }
}

/// A batch of events. [`EventQueue::with_text`] has its text.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) attachments: Vec<Bytes>,
    /// JavaScript must call `resume` in the next iteration of its event loop.
    pub(crate) more: bool,
    /// JavaScript must call `processed` when it has processed the batch and handed over its answers.
    pub(crate) is_awaited: bool,
}

impl EventQueue {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            armed: AtomicBool::new(false),
            wake_guards: AtomicUsize::new(0),
            wake: Mutex::new(None),
            is_gone: AtomicBool::new(false),
            taking: Mutex::new(Taking {
                undelivered: Vec::new(),
                text: Vec::new(),
                ends: Vec::new(),
                records_left: MAX_RECORDS,
                bytes_left: MAX_BYTES,
                is_resumed: false,
                permits: Vec::new(),
                deferred: Vec::new(),
                iterations: Vec::new(),
            }),
        }
    }

    /// Sets or removes the function that wakes JavaScript.
    pub(crate) fn set_wake(&self, wake: Option<Wake>) {
        let is_gone = wake.is_none();
        *self.wake.lock() = wake;
        self.is_gone.store(is_gone, Ordering::SeqCst);
        if is_gone {
            {
                let taking = &mut *self.taking.lock();
                // Its iterations are not reported any more.
                taking.iterations.clear();
                taking.free_text();
            }
            self.release_deferred();
        }
    }

    /// Does what waits for JavaScript, which handles no events any more.
    fn release_deferred(&self) {
        let is_deferred = |event: &mut Event| matches!(event, Event::Handled(_));
        let mut taking = self.taking.lock();
        let deferred = std::mem::take(&mut taking.deferred);
        let undelivered: Vec<_> = taking.undelivered.extract_if(.., is_deferred).collect();
        drop(taking);
        let waiting: Vec<_> = self.waiting.lock().extract_if(.., is_deferred).collect();
        drop((deferred, undelivered, waiting));
    }

    fn wake(&self) {
        if !self.armed.swap(true, Ordering::AcqRel)
            && let Some(wake) = &*self.wake.lock()
        {
            wake();
        }
    }

    /// Wakes JavaScript, unless a guard does so when it is dropped.
    fn wake_unless_deferred(&self) {
        if self.wake_guards.load(Ordering::SeqCst) == 0 {
            self.wake();
        }
    }

    /// Wakes JavaScript after the event loop could not deliver a batch itself.
    #[cfg(target_os = "linux")]
    pub(super) fn wake_again(&self) {
        if let Some(wake) = &*self.wake.lock() {
            wake();
        }
    }

    /// Takes the next batch. The events of a small one count as delivered.
    pub(crate) fn take(&self) -> Batch {
        let taking = &mut *self.taking.lock();
        taking.text.clear();
        taking.ends.clear();
        if taking.is_resumed {
            // Woken by what came while the batch before was written. `resume` wakes again, and one is enough.
            taking.text.extend_from_slice(b"[]");
            return Batch::default();
        }
        // Cleared before the queue is read, so that later events wake JavaScript again.
        self.armed.store(false, Ordering::SeqCst);
        let mut attachments = Vec::new();
        taking.text.push(b'[');
        while let Some(event) = self.next(&mut taking.undelivered) {
            let mut event = match event {
                Event::Handled(action) => {
                    taking.deferred.push(action);
                    continue;
                }
                told => told,
            };
            let bytes = event.len();
            if taking.records_left == 0 || (taking.bytes_left < bytes && !taking.ends.is_empty()) {
                taking.undelivered.push(event);
                break;
            }
            taking.records_left -= 1;
            taking.bytes_left = taking.bytes_left.saturating_sub(bytes);
            taking.permits.extend(event.take_permit());
            write(taking, &mut attachments, event);
        }
        taking.text.push(b']');
        let spent = taking.records_left == 0 || taking.bytes_left == 0;
        let more = spent || !taking.undelivered.is_empty() || !taking.iterations.is_empty();
        taking.is_resumed = more;
        if more {
            // JavaScript is not woken before it calls `resume`.
            self.armed.store(true, Ordering::SeqCst);
        }
        let is_large = taking.ends.len() >= MIN_LARGE_BATCH;
        if !is_large {
            taking.permits.clear();
        }
        Batch {
            attachments,
            more,
            is_awaited: is_large || !taking.deferred.is_empty() || taking.has_large_text(),
        }
    }

    /// JavaScript has processed a batch, so its clients are read again. Returns what is to be done after the
    /// answers that it has handed over.
    #[must_use = "it is done after the answers"]
    pub(crate) fn processed(&self) -> Vec<Deferred> {
        let taking = &mut *self.taking.lock();
        taking.permits.clear();
        if taking.has_large_text() {
            taking.free_text();
        }
        std::mem::take(&mut taking.deferred)
    }

    fn next(&self, undelivered: &mut Vec<Event>) -> Option<Event> {
        if undelivered.is_empty() {
            free_if_large(undelivered);
            std::mem::swap(undelivered, &mut *self.waiting.lock());
            undelivered.reverse();
        }
        undelivered.pop()
    }

    /// The next iteration of the event loop has begun, so the next batch may be taken.
    pub(crate) fn resume(&self) {
        let idle = {
            let taking = &mut *self.taking.lock();
            taking.records_left = MAX_RECORDS;
            taking.bytes_left = MAX_BYTES;
            taking.is_resumed = false;
            taking.iterated();
            // Cleared before anything is looked for, and under the lock: what is added later wakes JavaScript again.
            self.armed.store(false, Ordering::SeqCst);
            taking.undelivered.is_empty() && taking.iterations.is_empty()
        };
        if !idle || !self.waiting.lock().is_empty() {
            self.wake();
        }
    }

    /// Passes the text of the last batch to `read`.
    pub(crate) fn with_text<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        read(&self.taking.lock().text)
    }

    /// The records of the last batch, each as a JSON array.
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

thread_local! {
    /// What this thread has read of a client so far.
    static READ: RefCell<Read> = const { RefCell::new(Read { queue: 0, depth: 0, has_told: false, events: Vec::new() }) };
}

/// The events of a read that is under way.
struct Read {
    /// The address of their queue.
    queue: usize,
    /// How many times the read has begun and not ended.
    depth: u32,
    /// Whether it has had an event.
    has_told: bool,
    events: Vec<Event>,
}

impl Read {
    fn is_of(&self, queue: &EventQueue) -> bool {
        self.depth > 0 && self.queue == address_of(queue)
    }
}

/// Frees an empty list of events that has become large.
fn free_if_large(events: &mut Vec<Event>) {
    if events.capacity() > MAX_KEPT_EVENTS {
        *events = Vec::new();
    }
}

fn address_of(queue: &EventQueue) -> usize {
    std::ptr::from_ref(queue).addr()
}

impl events::EventSink for EventQueue {
    fn push(&self, event: Event) {
        // Asked first, since an event is large to be moved about.
        if READ.with_borrow(|read| read.is_of(self)) {
            // The end of the read queues it.
            READ.with_borrow_mut(|read| {
                read.has_told = true;
                read.events.push(event);
            });
            return;
        }
        self.waiting.lock().push(event);
        self.wake_unless_deferred();
    }

    fn push_ordered(&self, event: Event) {
        READ.with_borrow_mut(|read| {
            let mut waiting = self.waiting.lock();
            if read.is_of(self) {
                waiting.append(&mut read.events);
            }
            waiting.push(event);
        });
        self.wake_unless_deferred();
    }
}

impl Host for EventQueue {
    fn relay(&self, relay: RelayNumber, action: RelayAction) {
        // What is written is told under the lock of the send queue, in the order of the stream.
        self.push_ordered(Event::Relay { relay, action });
    }

    #[cfg(unix)]
    fn released(&self, owner: u64) {
        self.push(Event::Released { owner });
    }

    fn begin_read(&self) {
        READ.with_borrow_mut(|read| {
            if read.depth == 0 {
                (read.queue, read.has_told) = (address_of(self), false);
            }
            // A read of a client of another server, inside of this one, tells JavaScript at once.
            if read.queue == address_of(self) {
                read.depth += 1;
            }
        });
    }

    fn after_handling(&self, action: Deferred) {
        let due = READ.with_borrow_mut(|read| {
            if read.is_of(self) && read.has_told {
                read.events.push(Event::Handled(action));
                None
            } else {
                Some(action)
            }
        });
        // It may push events itself.
        drop(due);
    }

    fn end_read(&self) {
        READ.with_borrow_mut(|read| {
            if read.is_of(self) {
                read.depth -= 1;
                if read.depth == 0 && !read.events.is_empty() {
                    self.waiting.lock().append(&mut read.events);
                    free_if_large(&mut read.events);
                }
            }
        });
        if self.is_gone.load(Ordering::SeqCst) {
            self.release_deferred();
        }
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

    fn after_iteration(&self) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        {
            let taking = &mut *self.taking.lock();
            // Asked under the lock, under which `set_wake` drops those that wait.
            if self.wake.lock().is_none() {
                return told;
            }
            // The iteration in which JavaScript handles a batch has begun already.
            let missing = READ_ITERATIONS + u8::from(taking.is_resumed);
            taking.iterations.push((missing, tell));
        }
        self.wake();
        told
    }
}

/// The payload of a record that has none.
const NO_PAYLOAD: &str = "0";

fn write(taking: &mut Taking, attachments: &mut Vec<Bytes>, event: Event) {
    let mut record = |kind: RecordKind, [subject, a, b, place]: [i64; 4], payload: &str| {
        let text = &mut taking.text;
        if !taking.ends.is_empty() {
            text.push(b',');
        }
        write_numbers(text, [kind.number(), subject, a, b, place]);
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
            // Negative ids, which only MessagePack has, are moved by one to leave room for `NONE`.
            let ack = ack.map_or(NONE, |ack| ack.saturating_add(ack >> 63));
            let (first, runs) = match runs.as_slice() {
                &[Run::Method { instance, method }, ref others @ ..] => {
                    (method_number(instance, method), others)
                }
                all => (NONE, all),
            };
            let (text, attached) = payload.into_parts();
            let place = attach(attachments, attached);
            record(
                RecordKind::Event,
                [socket, ack, first, place],
                text.as_str(),
            );
            for run in runs {
                match *run {
                    Run::Method { instance, method } => {
                        let method = method_number(instance, method);
                        record(RecordKind::Method, [socket, 0, method, NONE], NO_PAYLOAD);
                    }
                    Run::Auth { instance } => {
                        let numbers = [socket, instance.0.into(), 0, NONE];
                        record(RecordKind::Authentication, numbers, NO_PAYLOAD);
                    }
                }
            }
        }
        Event::Connect {
            socket,
            connection,
            namespace,
            delivery,
            request,
            auth,
            ..
        } => {
            let place = attach(attachments, auth.into_iter().collect());
            let numbers = [id(socket), id(connection), id(namespace), place];
            record(RecordKind::Connect, numbers, &request);
            if let Some(reason) = delivery.connect() {
                let numbers = [id(socket), reason.number(), 0, NONE];
                record(RecordKind::Disconnect, numbers, &details(reason));
            }
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
        #[cfg(unix)]
        Event::Released { owner } => {
            record(RecordKind::Released, [id(owner), 0, 0, NONE], NO_PAYLOAD);
        }
        #[cfg(unix)]
        Event::Opened(opened) => {
            let Opened {
                connection,
                id: sid,
                protocol,
                transport,
                address,
                is_encrypted,
                request,
            } = *opened;
            let payload = serde_json::json!([sid.as_str(), address, request]).to_string();
            let is_websocket = transport == TransportType::Websocket;
            let how = i64::from(is_websocket) + 2 * i64::from(is_encrypted);
            let numbers = [id(connection), protocol as i64, how, NONE];
            record(RecordKind::Opened, numbers, &payload);
        }
        #[cfg(unix)]
        Event::HandedBack(handed_back) => {
            let HandedBack {
                owner,
                descriptor,
                bytes,
                secure,
            } = *handed_back;
            let payload = secure.as_ref().map_or(serde_json::Value::Null, described);
            let certificate = secure.and_then(|secure| secure.agreed.certificate);
            let attached = [bytes].into_iter().chain(certificate).collect();
            let place = attach(attachments, attached);
            // JavaScript opens it as a socket of Node's.
            let numbers = [id(owner), descriptor.into_raw_fd().into(), 0, place];
            record(RecordKind::HandedBack, numbers, &payload.to_string());
        }
        // Not a record: `take` keeps it.
        Event::Handled(_) => {}
        Event::Upgraded { connection } => {
            record(
                RecordKind::Upgraded,
                [id(connection), 0, 0, NONE],
                NO_PAYLOAD,
            );
        }
        Event::Disconnect {
            socket,
            delivery,
            reason,
        } => {
            if delivery.disconnect(reason) {
                let numbers = [id(socket), reason.number(), 0, NONE];
                record(RecordKind::Disconnect, numbers, &details(reason));
            }
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
        Event::SubscriptionEnded {
            socket,
            subscription,
            reason,
        } => {
            let numbers = [id(socket), subscription.into(), reason.number(), NONE];
            record(RecordKind::SubscriptionEnded, numbers, NO_PAYLOAD);
        }
        Event::SubscriptionCredit {
            socket,
            subscription,
            count,
        } => {
            let numbers = [id(socket), subscription.into(), count.into(), NONE];
            record(RecordKind::SubscriptionCredit, numbers, NO_PAYLOAD);
        }
        Event::InvalidCommand { message } => {
            let message = serde_json::Value::String(message).to_string();
            record(RecordKind::InvalidCommand, [0, 0, 0, NONE], &message);
        }
        Event::Closed { connection, reason } => {
            let numbers = [id(connection), reason.number(), 0, NONE];
            record(RecordKind::Closed, numbers, &details(reason));
        }
        Event::Response { request, response } => match response {
            Ok(response) => {
                let status = response.status().as_u16().into();
                let headers = headers(response.headers());
                let place = attach(attachments, vec![response.into_body()]);
                let numbers = [id(request), status, NONE, place];
                record(RecordKind::Response, numbers, &headers);
            }
            Err(refusal) => {
                let numbers = [id(request), 0, refusal.number(), NONE];
                record(RecordKind::Response, numbers, NO_PAYLOAD);
            }
        },
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
        Event::Relay { relay, action } => {
            let (action, place) = match action {
                RelayAction::Write(bytes) => (
                    protocol::RelayAction::Write,
                    attach(attachments, vec![bytes]),
                ),
                RelayAction::Resume => (protocol::RelayAction::Resume, NONE),
                RelayAction::End => (protocol::RelayAction::End, NONE),
                RelayAction::Destroy => (protocol::RelayAction::Destroy, NONE),
            };
            record(
                RecordKind::Relay,
                [id(relay), action.number(), 0, place],
                NO_PAYLOAD,
            );
        }
    }
}

/// Writes numbers, with a comma behind each.
fn write_numbers(text: &mut Vec<u8>, numbers: [i64; 5]) {
    /// A sign, 19 digits and a comma.
    const MAX_LENGTH: usize = 21;
    // Digits are found from the last to the first, so the numbers are written from the end.
    let mut written = [0; 5 * MAX_LENGTH];
    let mut start = written.len();
    let mut put = |byte| {
        start -= 1;
        written[start] = byte;
    };
    for number in numbers.into_iter().rev() {
        put(b',');
        let mut left = number.unsigned_abs();
        // Most numbers have one digit, which needs no division.
        while left >= 10 {
            put(b'0' + (left % 10) as u8);
            left /= 10;
        }
        put(b'0' + left as u8);
        if number < 0 {
            put(b'-');
        }
    }
    text.extend_from_slice(&written[start..]);
}

/// Headers as JSON, as a listener to them expects: the length is a number, and cookies are a list.
fn headers(headers: &HeaderMap) -> String {
    let mut json = String::with_capacity(128);
    for (name, value) in headers {
        json.push(if json.is_empty() { '{' } else { ',' });
        json.push('"');
        json.push_str(http1::name(name));
        json.push_str("\":");
        let text = String::from_utf8_lossy(value.as_bytes());
        if name == header::CONTENT_LENGTH {
            json.push_str(&text);
        } else if name == header::SET_COOKIE {
            json.push_str(&serde_json::json!([text]).to_string());
        } else {
            json.push('"');
            json.push_str(&text);
            json.push('"');
        }
    }
    json.push('}');
    json
}

/// What Node does not find out from the descriptor of a connection with TLS.
#[cfg(unix)]
fn described(secure: &Secure) -> serde_json::Value {
    let Secure { agreed, addresses } = secure;
    let family = |address: &SocketAddr| if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let (remote, local) = addresses.unzip();
    serde_json::json!({
        "remoteAddress": remote.map(|it| it.ip()),
        "remotePort": remote.map(|it| it.port()),
        "remoteFamily": remote.as_ref().map(family),
        "localAddress": local.map(|it| it.ip()),
        "localPort": local.map(|it| it.port()),
        "localFamily": local.as_ref().map(family),
        "protocol": agreed.version,
        "cipherSuite": agreed.cipher_suite.and_then(|suite| suite.as_str()),
        "alpnProtocol": agreed.alpn_protocol,
    })
}

/// The details of a reason besides its number.
fn details(reason: CloseReason) -> Cow<'static, str> {
    match reason {
        CloseReason::InvalidFrame(error) => serde_json::Value::String(error.to_string())
            .to_string()
            .into(),
        _ => NO_PAYLOAD.into(),
    }
}

/// A number for JavaScript. Numbers count up from 0, and stay exact as doubles for 285 years at a million
/// a second.
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
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::engineio::config::Config;
    use crate::engineio::events::{Events as _, PacketData, ReportedPacket};
    use crate::engineio::handler::Handler as _;
    use crate::engineio::http::response::Format;
    use crate::engineio::inbound_budget::{HIGH_WATER, InboundBudget};
    use crate::engineio::polling::{self, Opening};
    use crate::engineio::responder::Responder;
    use crate::engineio::{ProtocolVersion, Sid};
    use crate::io::runtime::Runtime;
    use crate::protocol::CloseReason;
    use crate::socketio::commands;
    use crate::socketio::events::Delivery;
    use crate::socketio::options::Options;
    use crate::socketio::packet::Payload;
    use crate::socketio::parser::{Parser, Welcome};
    use crate::socketio::server::Server;
    use crate::socketio::socket::{Connection, FlushSet};

    fn event(socket: u64, text: &str) -> Event {
        Event::Emitted {
            socket,
            ack: None,
            runs: Default::default(),
            payload: Payload::Json(text.to_owned().into(), Vec::new()),
            permit: None,
        }
    }

    #[test]
    fn numbers_are_written_in_full() {
        for numbers in [
            [0, -1, 9, 10, 99],
            [i64::MIN, i64::MAX, 100, -100, 1 << 53],
            [i64::MIN; 5],
        ] {
            let mut text = b"1,".to_vec();
            write_numbers(&mut text, numbers);
            let expected: String = numbers.iter().map(|number| format!("{number},")).collect();
            assert_eq!(text, format!("1,{expected}").into_bytes());
        }
    }

    fn connect(socket: u64, delivery: &Arc<Delivery>) -> Event {
        Event::Connect {
            socket,
            connection: 1,
            namespace: 0,
            delivery: delivery.clone(),
            request: "{}".to_owned(),
            auth: None,
            permit: None,
        }
    }

    fn disconnect(socket: u64, delivery: &Arc<Delivery>) -> Event {
        Event::Disconnect {
            socket,
            delivery: delivery.clone(),
            reason: CloseReason::TransportClose,
        }
    }

    /// The delivery of a socket that JavaScript knows.
    fn known() -> Arc<Delivery> {
        let delivery = Arc::<Delivery>::default();
        assert_eq!(delivery.connect(), None);
        delivery
    }

    fn text(queue: &EventQueue) -> String {
        queue.with_text(|text| String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn events_of_one_read_are_taken_together_and_those_of_others_at_once() {
        let [queue, other] = [EventQueue::new(), EventQueue::new()];
        queue.begin_read();
        queue.push(event(1, "[1]"));
        queue.begin_read();
        queue.push(event(1, "[2]"));
        queue.end_read();
        other.begin_read();
        other.push(event(3, "[4]"));
        other.end_read();
        queue.take();
        other.take();
        assert_eq!(text(&queue), "[]");
        assert!(text(&other).contains("[4]"));
        std::thread::scope(|scope| {
            scope.spawn(|| queue.push(event(2, "[3]")));
        });
        queue.take();
        assert!(text(&queue).contains("[3]"));
        queue.end_read();
        queue.push(event(1, "[5]"));
        queue.take();
        let all = text(&queue);
        let places = ["[1]", "[2]", "[5]"].map(|one| all.find(one).unwrap());
        assert!(places.is_sorted(), "{all}");
    }

    #[test]
    fn the_text_of_a_large_batch_is_freed_when_javascript_has_processed_it() {
        let queue = EventQueue::new();
        let long = format!("[\"{}\"]", "a".repeat(2 * MAX_KEPT_BYTES));
        queue.push(event(1, &long));
        assert!(queue.take().is_awaited);
        assert!(text(&queue).contains(&long));
        assert_eq!(queue.records().len(), 1);
        assert!(queue.processed().is_empty());
        assert_eq!(queue.taking.lock().text.capacity(), 0);
    }

    #[test]
    fn a_queue_without_javascript_keeps_no_text() {
        let queue = EventQueue::new();
        queue.push(event(1, "[1]"));
        queue.take();
        queue.set_wake(None);
        assert_eq!(queue.taking.lock().text.capacity(), 0);
    }

    #[test]
    fn room_for_a_flood_of_events_is_freed_when_it_is_over() {
        let queue = EventQueue::new();
        queue.begin_read();
        for _ in 0..=MAX_KEPT_EVENTS {
            queue.push(event(1, "[1]"));
        }
        queue.end_read();
        while queue.take().more {
            queue.resume();
        }
        queue.push(event(1, "[1]"));
        queue.take();
        queue.take();
        assert!(READ.with_borrow(|read| read.events.capacity()) <= MAX_KEPT_EVENTS);
        assert!(queue.waiting.lock().capacity() <= MAX_KEPT_EVENTS);
        assert!(queue.taking.lock().undelivered.capacity() <= MAX_KEPT_EVENTS);
    }

    /// Runs on another thread, to its end.
    fn elsewhere(act: impl FnOnce() + Send) {
        thread::scope(|scope| {
            scope.spawn(act);
        });
    }

    /// Takes a batch, and returns the kinds of its records.
    fn kinds(queue: &EventQueue) -> Vec<i64> {
        queue.take();
        let kind = |record: String| record[1..].split_once(',').unwrap().0.parse().unwrap();
        queue.records().into_iter().map(kind).collect()
    }

    #[test]
    fn a_socket_that_ends_before_javascript_is_told_of_it_is_delivered_before_its_end() {
        for is_taken_between in [false, true] {
            let queue = EventQueue::new();
            let delivery = Arc::default();
            queue.begin_read();
            queue.push(connect(7, &delivery));
            elsewhere(|| queue.push_ordered(disconnect(7, &delivery)));
            if is_taken_between {
                queue.take();
                assert_eq!(text(&queue), "[]");
            }
            queue.end_read();
            queue.take();
            assert_eq!(text(&queue), "[4,7,1,0,-1,{},5,7,2,0,-1,0]");
            queue.take();
            assert_eq!(text(&queue), "[]");
        }
    }

    /// What is written to a relay, or sent in a packet that is watched.
    fn sent(queue: &EventQueue, is_relayed: bool, text: &'static str) {
        if is_relayed {
            queue.relay(9, RelayAction::Write(Bytes::from_static(text.as_bytes())));
        } else {
            let packet = ReportedPacket {
                kind: 4,
                data: PacketData::Text(text.into()),
                is_sent: true,
                compress: true,
            };
            queue.packet(9, packet, None);
        }
    }

    #[test]
    fn data_sent_during_a_read_keeps_its_place_before_data_that_another_thread_sends() {
        for is_relayed in [false, true] {
            let queue = EventQueue::new();
            queue.begin_read();
            queue.push(event(1, "[1]"));
            sent(&queue, is_relayed, "a");
            elsewhere(|| sent(&queue, is_relayed, "b"));
            queue.push(event(1, "[2]"));
            queue.end_read();
            let batch = queue.take();
            assert_eq!(batch.attachments, ["a", "b"]);
            let records = queue.records();
            assert_eq!(records.len(), 4);
            assert!(records[0].contains("[1]") && records[3].contains("[2]"));
        }
    }

    /// Runs a test with a server that queues its events, and the connection of a client that polls.
    fn with_client(test: impl FnOnce(&EventQueue, &Arc<Server>, &Arc<Connection>)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let queue = Arc::new(EventQueue::new());
            let options = Options {
                engine: Config::default(),
                parser: Parser::Common,
            };
            let runtime = Runtime::on(&tokio::runtime::Handle::current()).unwrap();
            let server = commands::start(options, queue.clone(), &runtime);
            server.namespace("/");
            let id = Sid::random();
            let opening = Opening {
                responder: Responder::Node(1),
                format: Format::default(),
                connection: 1,
                id,
                protocol: ProtocolVersion::V4,
                base64_only: false,
                cookie: None,
                watched: false,
            };
            polling::open(&server, opening);
            let connection = server.connection(id).unwrap();
            assert_eq!(kinds(&queue), [RecordKind::Response.number()]);
            test(&queue, &server, &connection);
        });
    }

    #[test]
    fn a_socket_that_another_thread_ends_during_the_read_that_opens_it_is_delivered_with_its_end() {
        with_client(|queue, server, connection| {
            queue.begin_read();
            server.on_message(connection, "0");
            elsewhere(|| {
                for socket in connection.data.sockets() {
                    assert!(socket.end(CloseReason::ServerNamespaceDisconnect));
                }
            });
            assert!(kinds(queue).is_empty());
            queue.end_read();
            let expected = [RecordKind::Connect, RecordKind::Disconnect];
            assert_eq!(kinds(queue), expected.map(RecordKind::number));
        });
    }

    #[test]
    fn a_socket_that_ends_during_a_read_ends_before_its_connection_that_another_thread_closes() {
        with_client(|queue, server, connection| {
            server.on_message(connection, "0");
            assert_eq!(kinds(queue), [RecordKind::Connect.number()]);
            let socket = connection.data.sockets().into_iter().next().unwrap();
            let welcome = Welcome::of(&socket.id);
            let mut flush_set = FlushSet::default();
            socket
                .accept(server.parser, welcome, &mut flush_set)
                .unwrap();
            queue.begin_read();
            server.on_message(connection, "1");
            elsewhere(|| connection.close(CloseReason::PingTimeout));
            queue.end_read();
            let expected = [RecordKind::Disconnect, RecordKind::Closed];
            assert_eq!(kinds(queue), expected.map(RecordKind::number));
        });
    }

    #[test]
    fn an_action_that_is_deferred_in_a_read_is_done_after_the_answers_to_its_events() {
        let queue = EventQueue::new();
        let done = Arc::new(AtomicBool::new(false));
        let is_done = || done.load(Ordering::SeqCst);
        let deferred = || {
            done.store(false, Ordering::SeqCst);
            let done = done.clone();
            Deferred::new(move || done.store(true, Ordering::SeqCst))
        };
        queue.begin_read();
        queue.after_handling(deferred());
        assert!(is_done(), "the read has told JavaScript nothing");
        queue.push(event(1, "[1]"));
        queue.after_handling(deferred());
        queue.end_read();
        assert!(!is_done());
        let batch = queue.take();
        assert!(batch.is_awaited && !is_done());
        assert_eq!(queue.records().len(), 1);
        let answered = queue.processed();
        assert!(!is_done());
        drop(answered);
        assert!(is_done());
        assert!(!queue.take().is_awaited);

        // In the batch with the last of the events, however many there are.
        queue.resume();
        queue.begin_read();
        for _ in 0..=MAX_RECORDS {
            queue.push(event(1, "[1]"));
        }
        queue.after_handling(deferred());
        queue.end_read();
        assert!(queue.take().more);
        drop(queue.processed());
        assert!(!is_done());
        queue.resume();
        assert!(queue.take().is_awaited);
        drop(queue.processed());
        assert!(is_done());

        let read = || {
            let action = deferred();
            queue.begin_read();
            queue.push(event(1, "[1]"));
            queue.after_handling(action);
            queue.end_read();
        };
        read();
        queue.take();
        queue.resume();
        assert!(!is_done(), "JavaScript is processing the batch");
        queue.set_wake(None);
        assert!(is_done(), "JavaScript has ended");
        read();
        assert!(is_done(), "it is still read");
    }

    #[test]
    fn events_arrive_in_one_batch_and_in_order() {
        let queue = EventQueue::new();
        queue.push(event(7, r#"["m",1]"#));
        queue.push(disconnect(7, &known()));
        let batch = queue.take();
        assert!(batch.attachments.is_empty() && !batch.more);
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
        let Batch { attachments, .. } = queue.take();
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
            // Woken again in the same iteration, by what came meanwhile, there is nothing more to take, and
            // `resume` is called once.
            queue.push(event(5000, "[\"m\"]"));
            let again = queue.take();
            assert!(!again.more && queue.records().is_empty());
            queue.resume();
            assert!(queue.armed.load(Ordering::SeqCst), "JavaScript is woken");
        }
        assert_eq!(sizes, [1024, 1024, 454]);
        assert!(!queue.armed.load(Ordering::SeqCst), "what comes next wakes");
    }

    #[test]
    fn a_requested_iteration_is_reported_after_the_event_loop_has_run_twice() {
        let queue = EventQueue::new();
        let mut none = queue.after_iteration();
        assert!(
            none.try_recv().is_err(),
            "JavaScript is not woken, so there is no iteration"
        );
        queue.set_wake(Some(Box::new(|| {})));
        let mut told = queue.after_iteration();
        for is_told in [false, true] {
            assert!(queue.armed.load(Ordering::SeqCst), "JavaScript is woken");
            assert_eq!(told.try_recv(), Err(oneshot::error::TryRecvError::Empty));
            assert!(queue.take().more);
            queue.resume();
            assert_eq!(told.try_recv().is_ok(), is_told);
        }
        assert!(!queue.take().more);
        let _other = queue.after_iteration();
        assert!(queue.take().more);
        let mut told = queue.after_iteration();
        queue.resume();
        for is_told in [false, true] {
            assert!(
                told.try_recv().is_err(),
                "an iteration that has begun counts"
            );
            assert!(queue.take().more);
            queue.resume();
            assert_eq!(told.try_recv().is_ok(), is_told);
        }
        let mut told = queue.after_iteration();
        queue.set_wake(None);
        assert_eq!(told.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn an_iteration_that_is_requested_just_when_another_ends_is_reported() {
        let queue = Arc::new(EventQueue::new());
        let (wake, wakes) = mpsc::channel();
        queue.set_wake(Some(Box::new(move || wake.send(()).unwrap())));
        let javascript = {
            let queue = queue.clone();
            thread::spawn(move || {
                for () in wakes {
                    if queue.take().more {
                        queue.resume();
                    }
                }
            })
        };
        let (report, reported) = mpsc::channel();
        let asking = queue.clone();
        // As a timeout does that ends: it asks again as soon as it is told.
        thread::spawn(move || {
            for _ in 0..200_000 {
                asking.after_iteration().blocking_recv().unwrap();
            }
            report.send(()).unwrap();
        });
        let is_done = reported.recv_timeout(Duration::from_secs(60));
        assert_eq!(is_done, Ok(()), "JavaScript was not woken");
        queue.set_wake(None);
        javascript.join().unwrap();
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
            namespace: 0,
            delivery: Arc::default(),
            request: "{}".to_owned(),
            auth: None,
            permit: Some(inbound_budget.permit(words)),
        };
        let queue = EventQueue::new();
        queue.push(permit(HIGH_WATER));
        assert!(inbound_budget.is_exceeded());
        assert!(!queue.take().is_awaited);
        assert!(
            !inbound_budget.is_exceeded(),
            "a small batch counts as delivered at once"
        );
        for _ in 0..MIN_LARGE_BATCH {
            queue.push(permit(HIGH_WATER));
        }
        assert!(queue.take().is_awaited);
        assert!(inbound_budget.is_exceeded());
        drop(queue.processed());
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
        assert!(queue.armed.load(Ordering::SeqCst), "the limits are used up");
    }
}
