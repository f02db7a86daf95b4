//! A native server and its clients without an operating system between them: clients use streams that
//! Node would relay, and what the server writes is an event.
//!
//! Everything happens on the caller's thread, inside [`World::until`]. Only [`World::new`],
//! [`World::open`] and [`World::ask`] know the internals of the server.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::runtime::Runtime;

use crate::engineio::config::Config;
use crate::engineio::http::response::Format;
use crate::engineio::http::verify::Asks;
use crate::engineio::polling::{self, Opening, Post};
use crate::engineio::responder::Responder;
use crate::engineio::send_queue::WaitingPoll;
use crate::engineio::websocket::{self, Websocket};
use crate::engineio::{ProtocolVersion, Sid};
use crate::io::host::{Host, RelayAction, RelayNumber};
use crate::io::relay::Relay;
use crate::io::runtime;
use crate::io::transport::Carrier;
use crate::session::{self, Effect, Instance, Methods};
use crate::socketio::commands;
use crate::socketio::commands::queue::{AtOnce, Task};
use crate::socketio::events::{self, Event};
use crate::socketio::options::Options;
use crate::socketio::parser::Parser;
use crate::socketio::server::Server;

/// What the server has told since the last [`World::forget`].
#[derive(Default)]
pub(super) struct Told {
    /// The events.
    pub(super) events: Vec<Event>,
    /// The bytes it wrote to all clients.
    pub(super) written: usize,
    unconfirmed: Vec<(u64, usize)>,
    waker: Option<Waker>,
}

#[derive(Default)]
struct EventLog(Mutex<Told>);

impl EventLog {
    /// Records what was told, and wakes the test that waits for it.
    fn note(&self, note: impl FnOnce(&mut Told)) {
        let mut told = self.0.lock();
        note(&mut told);
        if let Some(waker) = told.waker.take() {
            waker.wake();
        }
    }
}

impl events::EventSink for EventLog {
    fn push(&self, mut event: Event) {
        self.note(|told| {
            // As after delivery to JavaScript, so that the client is read further.
            drop(event.take_permit());
            told.events.push(event);
        });
    }
}

impl Host for EventLog {
    fn relay(&self, relay: RelayNumber, action: RelayAction) {
        self.note(|told| {
            if let RelayAction::Write(bytes) = action {
                told.written += bytes.len();
                told.unconfirmed.push((relay, bytes.len()));
            }
        });
    }

    fn released(&self, _: u64) {}
}

/// A server.
pub(super) struct World {
    runtime: Runtime,
    server: Arc<Server>,
    log: Arc<EventLog>,
    relays: HashMap<u64, Arc<Relay>>,
    /// The connections of clients that poll.
    sessions: HashMap<u64, Sid>,
    methods: Arc<Methods>,
}

impl World {
    /// A server with the default namespace, whose number is 0.
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("the operating system lets us");
        let engine = Config {
            ping_interval: Duration::from_secs(3600),
            ping_timeout: Duration::from_secs(3600),
            upgrade_timeout: Duration::from_secs(3600),
            connect_timeout: Duration::from_secs(3600),
            max_backpressure: 64 << 20,
            ..Config::default()
        };
        let options = Options {
            engine,
            parser: Parser::Common,
        };
        let log = Arc::new(EventLog::default());
        let shared = runtime::Runtime::on(runtime.handle()).expect("the operating system lets us");
        let server = commands::start(options, log.clone(), &shared);
        server.namespace("/");
        Self {
            runtime,
            server,
            log,
            relays: HashMap::new(),
            sessions: HashMap::new(),
            methods: Arc::new(Methods::named(["double", "blob"])),
        }
    }

    /// Begins a websocket by this number.
    pub(super) fn open(&mut self, number: u64) {
        let (relay, halves) = Relay::new(number, self.log.clone());
        self.relays.insert(number, relay);
        let websocket = Websocket {
            carrier: Carrier::Relay(halves),
            head: Bytes::new(),
            key: "dGhlIHNhbXBsZSBub25jZQ==".to_owned(),
            headers: String::new(),
            compression: None,
            protocol: ProtocolVersion::V4,
            asks: Asks::Open,
            number,
            id: None,
            watched: false,
        };
        let serve = websocket::serve(self.server.clone(), websocket);
        self.runtime.spawn(serve);
    }

    /// Sends a request of long polling for a connection: with a body, a POST. The first one opens
    /// the connection.
    pub(super) fn ask(&mut self, number: u64, connection: u64, body: Option<String>) {
        let (responder, format) = (Responder::Node(number), Format::default());
        let Some(&session) = self.sessions.get(&connection) else {
            let id = Sid::random();
            let opening = Opening {
                responder,
                format,
                connection,
                id,
                protocol: ProtocolVersion::V4,
                base64_only: false,
                cookie: None,
                watched: false,
            };
            polling::open(&self.server, opening);
            self.until(|told| {
                let is_answer = |event: &Event| matches!(event, Event::Response { .. });
                told.events.iter().any(is_answer).then_some(())
            });
            self.sessions.insert(connection, id);
            self.forget();
            return;
        };
        match body {
            None => polling::poll(
                &self.server.engine,
                session,
                WaitingPoll { responder, format },
            ),
            Some(body) => {
                // One after the other, so none overlaps.
                let _ = polling::begin_post(&self.server.engine, session);
                let post = Post {
                    responder,
                    format,
                    content_type: None,
                    packets: Some(body.into()),
                };
                polling::post(&self.server, session, post);
            }
        }
    }

    /// Runs the server until `wished` returns something for what it told. Clients read what is written.
    pub(super) fn until<T>(&self, wished: impl Fn(&Told) -> Option<T>) -> T {
        let (relays, log) = (&self.relays, &self.log.0);
        self.runtime.block_on(poll_fn(|cx| {
            let mut told = log.lock();
            let unconfirmed = std::mem::take(&mut told.unconfirmed);
            let found = wished(&told);
            told.waker = Some(cx.waker().clone());
            drop(told);
            for (number, bytes) in unconfirmed {
                if let Some(relay) = relays.get(&number) {
                    relay.on_written(bytes);
                }
            }
            found.map_or(Poll::Pending, Poll::Ready)
        }))
    }

    /// Runs the server until it has queued that many events.
    pub(super) fn until_told(&self, events: usize) {
        self.until(|told| (told.events.len() >= events).then_some(()));
    }

    /// Runs the server until it has written that many bytes.
    pub(super) fn until_written(&self, bytes: usize) {
        self.until(|told| (told.written >= bytes).then_some(()));
    }

    /// Passes what the server has told to `look`.
    pub(super) fn told<T>(&self, look: impl FnOnce(&Told) -> T) -> T {
        look(&self.log.0.lock())
    }

    /// Clears what the server told.
    pub(super) fn forget(&self) {
        let mut told = self.log.0.lock();
        told.events.clear();
        told.written = 0;
    }

    /// Bytes of the client of this websocket.
    pub(super) fn say(&self, number: u64, bytes: &Bytes) {
        if let Some(relay) = self.relays.get(&number) {
            relay.on_data(bytes);
        }
    }

    /// The client of this websocket disconnects.
    pub(super) fn leave(&mut self, number: u64) {
        if let Some(relay) = self.relays.remove(&number) {
            relay.on_close();
        }
    }

    /// Commands of the application.
    pub(super) fn push(&self, lines: String) {
        let batch = Task::Batch(lines, Vec::new());
        commands::execute(&self.server, batch, &AtOnce::LITTLE);
    }

    /// Authenticates a socket from the application's side, without credentials of the client.
    pub(super) fn authenticate(&self, socket: u64) {
        let socket = self.server.socket(socket).expect("the socket lives");
        let instance = Instance(0);
        socket.step(session::Event::Served {
            timeout: None,
            now: 0,
        });
        let effects = socket.step(session::Event::Credentials { instance });
        let Some(&Effect::RunAuth { attempt, .. }) = effects.first() else {
            return;
        };
        socket.step(session::Event::Outcome {
            instance,
            attempt,
            accepted: true,
            handlers: 0,
        });
        let methods = self.methods.clone();
        let effects = socket.step(session::Event::Bound {
            instance,
            attempt,
            methods,
        });
        assert!(matches!(
            effects.first(),
            Some(Effect::Authenticated { .. })
        ));
    }

    /// Accepts and authenticates the socket that asks to join, and returns its number.
    pub(super) fn admit(&self) -> u64 {
        let socket = self.until(|told| {
            told.events.iter().find_map(|event| match event {
                Event::Connect { socket, .. } => Some(*socket),
                _ => None,
            })
        });
        self.forget();
        self.push(format!("c\t{socket}"));
        self.authenticate(socket);
        socket
    }

    /// Opens a websocket with this number, joins and authenticates. Returns the number of its socket.
    pub(super) fn client(&mut self, number: u64) -> u64 {
        self.open(number);
        self.say(number, &frame("40"));
        let socket = self.admit();
        self.until_written(frame_length(WELCOME));
        self.forget();
        socket
    }

    /// As many clients, by the numbers from 1.
    pub(super) fn clients(&mut self, count: u64) -> Vec<u64> {
        (1..=count).map(|number| self.client(number)).collect()
    }
}

/// The length of the packet that accepts a socket: `40{"sid":"…"}`.
const WELCOME: usize = 28;

/// A text frame of a client, masked with zeros.
pub(super) fn frame(text: &str) -> Bytes {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length),
        _ => {
            let length = u16::try_from(text.len()).expect("a short text");
            frame.push(0x80 | 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame.into()
}

/// The length of a server frame with this payload.
pub(super) fn frame_length(payload: usize) -> usize {
    payload + if payload < 126 { 2 } else { 4 }
}
