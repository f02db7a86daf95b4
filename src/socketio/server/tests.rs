//! Tests that need access to the server's internals: a panic costs one connection, nothing is kept after
//! an end, and every connection is reported as closed.
//!
//! Clients are the other ends of Unix sockets; everything else is real.

use std::future::Future;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::*;
use crate::engineio::TransportType;
use crate::engineio::config::Config;
use crate::engineio::http::response::Format;
use crate::engineio::http::verify::Asks;
use crate::engineio::message::{Frame, Message};
use crate::engineio::polling;
use crate::engineio::responder::Responder;
use crate::engineio::send_queue::{Series, WaitingPoll};
use crate::engineio::websocket::{self, Websocket};
use crate::io::adopt_fd;
use crate::io::host::{Deferred, Host, RelayAction, RelayNumber};
use crate::io::relay::Relay;
use crate::io::transport::Carrier;
use crate::protocol::Refusal;
use crate::session;
use crate::socketio::commands;
use crate::socketio::commands::queue::AtOnce;
use crate::socketio::parser::{Outgoing, Welcome};
use crate::websocket::deflate::{Agreement, Deflater};

/// Sends events to a test.
struct EventSender {
    events: UnboundedSender<Event>,
    /// Is called once, when someone waits for an iteration of the event loop.
    on_iteration: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl EventSink for EventSender {
    fn push(&self, event: Event) {
        let _ = self.events.send(event);
    }
}

impl Host for EventSender {
    fn relay(&self, relay: RelayNumber, action: RelayAction) {
        self.push(Event::Relay { relay, action });
    }

    fn released(&self, owner: u64) {
        self.push(Event::Released { owner });
    }

    fn after_handling(&self, action: Deferred) {
        self.push(Event::Handled(action));
    }

    fn after_iteration(&self) -> oneshot::Receiver<()> {
        if let Some(action) = self.on_iteration.lock().take() {
            action();
        }
        oneshot::channel().1
    }
}

struct World {
    server: Arc<Server>,
    events: UnboundedReceiver<Event>,
    host: Arc<EventSender>,
}

/// Runs a test on a runtime of its own, with a time limit.
fn run<F: Future<Output = ()>>(test: impl FnOnce(World) -> F) {
    run_with(Duration::from_secs(25), test);
}

/// As [`run`], with this interval of pings.
fn run_with<F: Future<Output = ()>>(ping_interval: Duration, test: impl FnOnce(World) -> F) {
    let engine = Config {
        ping_interval,
        ping_timeout: ping_interval,
        max_backpressure: 1_000_000,
        ..Config::default()
    };
    run_on(&mut Builder::new_current_thread(), engine, test);
}

/// As [`run`], on such a runtime, with these options of the engine.
fn run_on<F: Future<Output = ()>>(
    runtime: &mut Builder,
    engine: Config,
    test: impl FnOnce(World) -> F,
) {
    let runtime = runtime.enable_all().build().unwrap();
    runtime.block_on(async {
        let (sender, events) = unbounded_channel();
        let options = Options {
            engine,
            parser: Parser::Common,
        };
        let runtime = Runtime::on(&Handle::current()).unwrap();
        let host = Arc::new(EventSender {
            events: sender,
            on_iteration: Mutex::default(),
        });
        let server = commands::start(options, host.clone(), &runtime);
        server.namespace("/");
        let world = World {
            server,
            events,
            host,
        };
        tokio::time::timeout(Duration::from_secs(20), test(world))
            .await
            .expect("the promise is kept in time");
    });
}

/// A websocket that Node hands over.
fn websocket(carrier: Carrier, asks: Asks, number: u64) -> Websocket {
    Websocket {
        carrier,
        head: Bytes::new(),
        key: "dGhlIHNhbXBsZSBub25jZQ==".to_owned(),
        headers: String::new(),
        compression: None,
        protocol: ProtocolVersion::V4,
        asks,
        number,
        id: None,
        watched: false,
    }
}

impl World {
    /// Opens a websocket; its connection has this number.
    async fn open(&self, number: u64) -> UnixStream {
        self.open_with(number, None).await
    }

    /// The same, with compression as agreed.
    async fn open_with(&self, number: u64, compression: Option<Agreement>) -> UnixStream {
        let (ours, client) = std::os::unix::net::UnixStream::pair().unwrap();
        let taken = adopt_fd::take(std::os::fd::AsRawFd::as_raw_fd(&ours)).unwrap();
        let mut websocket = websocket(Carrier::Descriptor(taken), Asks::Open, number);
        websocket.compression = compression;
        websocket::serve(self.server.clone(), websocket).await;
        client.set_nonblocking(true).unwrap();
        UnixStream::from_std(client).unwrap()
    }

    /// Opens a websocket and joins the default namespace.
    async fn join(&mut self, number: u64) -> (UnixStream, Arc<Socket>) {
        self.join_with(number, None).await
    }

    /// The same, with compression as agreed.
    async fn join_with(
        &mut self,
        number: u64,
        compression: Option<Agreement>,
    ) -> (UnixStream, Arc<Socket>) {
        let mut client = self.open_with(number, compression).await;
        say(&mut client, "40").await;
        (client, self.joined().await)
    }

    /// Accepts the next socket that joins.
    async fn joined(&mut self) -> Arc<Socket> {
        let socket = self
            .until(|event| match event {
                Event::Connect { socket, .. } => Some(*socket),
                _ => None,
            })
            .await;
        let socket = self.server.socket(socket).unwrap();
        let mut flush_set = FlushSet::default();
        let welcome = Welcome::of(&socket.id);
        socket
            .accept(Parser::Common, welcome, &mut flush_set)
            .unwrap();
        socket
    }

    /// The first result of `fits`, which is called with each event.
    async fn until<T>(&mut self, fits: impl Fn(&Event) -> Option<T>) -> T {
        loop {
            let event = self.events.recv().await.unwrap();
            if let Some(found) = fits(&event) {
                return found;
            }
        }
    }

    async fn closed(&mut self, number: u64) {
        self.until(|event| {
            matches!(event, Event::Closed { connection, .. } if *connection == number).then_some(())
        })
        .await;
    }

    async fn ended(&mut self, socket: &Socket) -> CloseReason {
        self.until(|event| match event {
            Event::Disconnect {
                socket: ended,
                reason,
                ..
            } if *ended == socket.number => Some(*reason),
            _ => None,
        })
        .await
    }
}

/// Sends a short text frame, masked with zeros.
async fn say(client: &mut UnixStream, text: &str) {
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    client.write_all(&frame).await.unwrap();
}

/// Reads until the server ends the websocket.
async fn told_the_end(client: &mut UnixStream) {
    let mut received = Vec::new();
    while !received.ends_with(&[0x88, 0]) {
        assert_ne!(client.read_buf(&mut received).await.unwrap(), 0);
    }
}

#[test]
fn a_panic_while_a_message_is_handled_ends_that_connection_and_no_other() {
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        let (mut other, _other_socket) = world.join(2).await;
        let connection = socket.connection.clone();
        world.server.decode(&connection, || panic!("on purpose"));
        assert_eq!(world.ended(&socket).await, CloseReason::ForcedClose);
        drop((connection, socket));
        world.closed(1).await;
        told_the_end(&mut client).await;
        say(&mut other, r#"42["still here"]"#).await;
        let text = world
            .until(|event| match event {
                Event::Emitted { payload, .. } => Some(payload.parts().0.to_owned()),
                _ => None,
            })
            .await;
        assert_eq!(text, r#"["still here"]"#);
    });
}

#[test]
fn a_message_may_take_any_time_until_its_last_attachment() {
    run(async |mut world| {
        let (_client, socket) = world.join(1).await;
        let connection = &socket.connection;
        let text = r#"51-["m",{"_placeholder":true,"num":0}]"#;
        world.server.on_message(connection, text);
        {
            let mut partial = connection.data.parser.partial_bin_packet.lock().unwrap();
            let hour = Duration::from_secs(3600);
            partial.as_mut().unwrap().initial_packet_recv -= hour;
        }
        let attachment = Bytes::from_static(b"late");
        world.server.on_binary(connection, attachment.clone());
        let attachments = world
            .until(|event| match event {
                Event::Emitted { payload, .. } => Some(payload.parts().1.to_vec()),
                Event::Malformed { .. } => Some(Vec::new()),
                _ => None,
            })
            .await;
        assert_eq!(attachments, [attachment]);
    });
}

/// The number of namespaces that were joined before the first socket left one.
async fn joins(world: &mut World) -> usize {
    let mut joins = 0;
    loop {
        match world.events.recv().await.unwrap() {
            Event::Connect { .. } => joins += 1,
            Event::Disconnect { .. } => return joins,
            _ => {}
        }
    }
}

#[test]
fn a_client_is_in_a_namespace_once_whatever_query_it_asks_with() {
    run(async |mut world| {
        let mut client = world.open(1).await;
        for text in ["40/?a=1,", "40/?a=2,", "40", "41/?a=3,"] {
            say(&mut client, text).await;
        }
        assert_eq!(joins(&mut world).await, 1);
    });
}

#[test]
fn a_client_that_asks_twice_for_a_namespace_to_be_made_joins_it_once() {
    run(async |mut world| {
        world.server.report_namespace_requests();
        let mut client = world.open(1).await;
        let mut asks = Vec::new();
        for text in ["40/made,", "40/made?a=1,"] {
            say(&mut client, text).await;
            let ask = world.until(|event| match event {
                Event::NamespaceRequest { request, .. } => Some(request.clone()),
                _ => None,
            });
            asks.push(ask.await);
        }
        world.server.namespace("/made");
        let sid = world.server.engine.connections().first().map(|it| it.id);
        for ask in asks {
            let asked = serde_json::from_str(&ask).unwrap();
            world
                .server
                .answer_namespace_request(sid.unwrap(), asked, None, true);
        }
        say(&mut client, "41/made,").await;
        assert_eq!(joins(&mut world).await, 1);
    });
}

#[test]
fn a_namespace_that_is_removed_before_its_request_is_answered_is_asked_for_again() {
    run(async |mut world| {
        world.server.report_namespace_requests();
        let mut client = world.open(1).await;
        say(&mut client, r#"40/made,{"a":1}"#).await;
        let requested = |event: &Event| match event {
            Event::NamespaceRequest { request, .. } => Some(request.clone()),
            _ => None,
        };
        let first = world.until(requested).await;
        let sid = world.server.engine.connections().first().map(|it| it.id);
        let answer = |world: &World| {
            let asked = serde_json::from_str(&first).unwrap();
            world
                .server
                .answer_namespace_request(sid.unwrap(), asked, None, true);
        };
        let removed = world.server.namespace("/made");
        world.server.remove_namespace(removed);
        answer(&world);
        assert_eq!(world.until(requested).await, first);
        let made = world.server.namespace("/made");
        assert_ne!(made, removed);
        answer(&world);
        let joined = world
            .until(|event| match event {
                Event::Connect { namespace, .. } => Some(*namespace),
                _ => None,
            })
            .await;
        assert_eq!(joined, made);
    });
}

#[test]
fn no_memory_is_kept_for_an_acknowledgement_that_a_client_requests() {
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        for ack in [0, 1, i64::MAX] {
            say(&mut client, &format!("42{ack}[\"m\"]")).await;
            let wanted = world.until(|event| match event {
                Event::Emitted { ack, .. } => Some(*ack),
                _ => None,
            });
            assert_eq!(wanted.await, Some(ack));
            assert!(socket.holds_nothing());
        }
    });
}

#[test]
fn a_client_whose_messages_are_not_handled_is_not_read_until_they_are() {
    const MESSAGES: usize = 100_000;
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        let inbound_budget = socket.connection.inbound_budget().clone();
        drop(socket);
        let flooding = tokio::spawn(async move {
            let flood = b"\x81\x87\0\0\0\x0042[\"m\"]".repeat(MESSAGES);
            client.write_all(&flood).await.unwrap();
            client
        });
        while !inbound_budget.is_exceeded() {
            tokio::task::yield_now().await;
        }
        // Many times what it would take to read everything.
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        let waiting = world.events.len();
        assert!(waiting < MESSAGES / 5, "{waiting} messages wait");
        for _ in 0..MESSAGES {
            world
                .until(|event| matches!(event, Event::Emitted { .. }).then_some(()))
                .await;
        }
        drop(flooding.await.unwrap());
        world.closed(1).await;
    });
}

#[test]
fn compressed_messages_that_were_read_at_once_are_not_inflated_before_those_before_them_are_handled()
 {
    const MESSAGES: usize = 50;
    run(async |mut world| {
        let agreement = Agreement {
            client_takes_over: false,
            ..Agreement::default()
        };
        let (mut client, socket) = world.join_with(1, Some(agreement)).await;
        drop(socket);
        let mut deflater = Deflater::new(
            Agreement {
                server_takes_over: false,
                ..Agreement::default()
            },
            &Default::default(),
        );
        let message = format!(r#"42["m","{}"]"#, "x".repeat(100_000));
        let payload = deflater.compress([message.as_bytes(), &[]]).unwrap();
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        let frame = [&[0xc1, 0xfe], &length[..], &[0; 4], &payload].concat();
        client.write_all(&frame.repeat(MESSAGES)).await.unwrap();
        let emitted = |event: &Event| matches!(event, Event::Emitted { .. }).then_some(());
        world.until(emitted).await;
        for _ in 1..MESSAGES {
            // Many times what it would take to inflate all.
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            assert!(world.events.len() <= 1, "{} wait", world.events.len());
            world.until(emitted).await;
        }
        drop(client);
        world.closed(1).await;
    });
}

#[test]
fn a_client_that_only_pongs_is_not_read_while_its_packets_are_reported_and_not_handled() {
    const PONGS: usize = 100_000;
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        socket.connection.watch_received(true);
        let inbound_budget = socket.connection.inbound_budget().clone();
        drop(socket);
        let flooding = tokio::spawn(async move {
            let flood = b"\x81\x81\0\0\0\x003".repeat(PONGS);
            client.write_all(&flood).await.unwrap();
            client
        });
        while !inbound_budget.is_exceeded() {
            tokio::task::yield_now().await;
        }
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
        let waiting = world.events.len();
        assert!(waiting < PONGS / 5, "{waiting} packets wait");
        for _ in 0..PONGS {
            world
                .until(|event| matches!(event, Event::Packet { .. }).then_some(()))
                .await;
        }
        drop(flooding.await.unwrap());
        world.closed(1).await;
    });
}

#[test]
fn packets_are_reported_while_they_are_watched_and_no_longer() {
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        let parser = Parser::Common;
        let hi = Outgoing::event(&socket.namespace.name, "[\"hi\"]", None);
        let frame = parser.encode(hi, Vec::new());
        for watched in [false, true, false] {
            socket.connection.watch_received(watched);
            socket.connection.watch_sent(watched);
            socket.send(&frame, &mut FlushSet::default());
            say(&mut client, r#"42["m"]"#).await;
            let mut packets = 0;
            while !matches!(world.events.recv().await.unwrap(), Event::Emitted { .. }) {
                packets += 1;
            }
            assert_eq!(packets, if watched { 2 } else { 0 });
        }
    });
}

#[test]
fn a_client_that_reads_nothing_for_too_long_loses_its_connection() {
    run_with(Duration::from_millis(25), async |mut world| {
        let (client, socket) = world.join(1).await;
        let much = format!("[\"{}\"]", "x".repeat(4_000_000));
        let frame = Parser::Common.encode(Outgoing::event("/", &much, None), Vec::new());
        socket.send(&frame, &mut FlushSet::default());
        assert_eq!(world.ended(&socket).await, CloseReason::PingTimeout);
        drop(socket);
        world.closed(1).await;
        drop(client);
    });
}

#[test]
fn no_memory_is_kept_of_connections_that_have_ended() {
    run(async |mut world| {
        let mut clients = Vec::new();
        for number in 0..12 {
            let (client, socket) = world.join(number).await;
            socket.namespace.join(socket.number, 1);
            socket.step(session::Event::Served {
                timeout: Some(60_000),
                now: socket.now(),
            });
            match number % 4 {
                0 => drop(client),
                1 => {
                    malformed(&world.server, &socket.connection);
                    clients.push(client);
                }
                2 => {
                    socket.end(CloseReason::ServerNamespaceDisconnect);
                    socket.connection.close(CloseReason::TransportClose);
                    clients.push(client);
                }
                _ => {
                    let mut client = client;
                    say(&mut client, "41").await;
                    drop(client);
                }
            }
            let connection = Arc::downgrade(&socket.connection);
            let socket = {
                let weak = Arc::downgrade(&socket);
                drop(socket);
                weak
            };
            world.closed(number).await;
            while socket.strong_count() + connection.strong_count() > 0 {
                tokio::task::yield_now().await;
            }
        }
        assert!(world.server.sockets.is_empty());
        assert!(world.server.engine.connections().is_empty());
        assert!(world.server.namespace_at(0).unwrap().is_empty());
    });
}

#[test]
fn a_connection_that_opens_while_the_server_closes_is_reported_as_closed() {
    run(async |mut world| {
        world.server.close();
        let mut client = world.open(7).await;
        world.closed(7).await;
        told_the_end(&mut client).await;
        assert!(world.server.engine.connections().is_empty());
    });
}

/// The next `count` text frames of the server, without packets of the engine.
async fn texts(client: &mut UnixStream, count: usize) -> Vec<String> {
    let mut bytes = Vec::new();
    loop {
        let mut texts = Vec::new();
        // After the response to the upgrade.
        let head = bytes.windows(4).position(|end| end == b"\r\n\r\n");
        let mut frames = head.map_or(&[][..], |head| &bytes[head + 4..]);
        while let [0x81, length, rest @ ..] = frames {
            let (length, rest) = match (*length, rest) {
                (126, [high, low, rest @ ..]) => (u16::from_be_bytes([*high, *low]), rest),
                (126.., _) => break,
                (length, rest) => (u16::from(length), rest),
            };
            let Some((text, rest)) = rest.split_at_checked(usize::from(length)) else {
                break;
            };
            if text.starts_with(b"42") {
                texts.push(String::from_utf8(text[2..].to_vec()).unwrap());
            }
            frames = rest;
        }
        if texts.len() >= count {
            return texts;
        }
        assert_ne!(client.read_buf(&mut bytes).await.unwrap(), 0);
    }
}

#[test]
fn batched_broadcasts_keep_their_order_among_other_packets() {
    const LONG: usize = 300;
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        let (mut other, second) = world.join(2).await;
        let mut batch = String::new();
        let mut expected = Vec::new();
        let broadcast = |batch: &mut String, name: &str| {
            // Together they are more than one write takes.
            let json = format!(r#"["{name}","{}"]"#, "x".repeat(200));
            batch.push_str(&format!("b\t0\t{{}}\t\t\t{json}\n"));
            json
        };
        for n in 0..LONG {
            expected.push(broadcast(&mut batch, &format!("a{n}")));
        }
        let first = socket.number;
        batch.push_str(&format!("e\t{first}\t\t\t[\"only you\"]\n"));
        let skip = format!("{{\"exceptSockets\":[{}]}}", second.number);
        batch.push_str(&format!("b\t0\t{skip}\t\t\t[\"not the second\"]\n"));
        let mut received_texts = expected.clone();
        received_texts.extend([
            r#"["only you"]"#.to_owned(),
            r#"["not the second"]"#.to_owned(),
        ]);
        for n in 0..LONG {
            let json = broadcast(&mut batch, &format!("b{n}"));
            received_texts.push(json.clone());
            expected.push(json);
        }
        world.server.output.send(Task::Batch(batch, Vec::new()));
        let (one, two) = tokio::join!(
            texts(&mut client, received_texts.len()),
            texts(&mut other, expected.len())
        );
        assert_eq!(one, received_texts);
        assert_eq!(two, expected);
    });
}

#[test]
fn packets_of_another_thread_do_not_overtake_queued_ones() {
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        let emit = |n: usize| {
            let line = format!("e\t{}\t\t\t[\"n\",{n}]\n", socket.number);
            Task::Batch(line, Vec::new())
        };
        // Alternately for the I/O thread, which has not begun, and for this thread, which then has to wait.
        for n in 0..100 {
            if n % 3 == 0 {
                world.server.output.send(emit(n));
            } else {
                commands::execute(&world.server, emit(n), &AtOnce::LITTLE);
            }
        }
        let expected: Vec<_> = (0..100).map(|n| format!(r#"["n",{n}]"#)).collect();
        assert_eq!(texts(&mut client, 100).await, expected);
    });
}

#[test]
fn a_broadcast_that_is_to_be_acknowledged_names_the_sockets_it_is_sent_to() {
    run(async |mut world| {
        let (mut client, first) = world.join(1).await;
        let (_other, second) = world.join(2).await;
        let (_pending, third) = world.join(3).await;
        let skip = format!("{{\"exceptSockets\":[{}]}}", second.number);
        let batch = format!(
            "h\t{}\t1\nb\t0\t{skip}\t7\t\t[\"q\"]\nb\t99\t{{}}\t8\t\t[\"q\"]\n",
            third.number
        );
        let task = Task::Batch(batch, Vec::new());
        world.server.output.send(task);
        let sent = |event: &Event| match event {
            Event::BroadcastSent {
                namespace,
                ack,
                receivers,
            } => Some((*namespace, *ack, receivers.clone())),
            _ => None,
        };
        assert_eq!(world.until(sent).await, (0, 7, vec![first.number]));
        assert_eq!(
            world.until(sent).await,
            (99, 8, vec![]),
            "no such namespace"
        );
        say(&mut client, "437[]").await;
        world
            .until(|event| matches!(event, Event::Acknowledged { ack: 7, .. }).then_some(()))
            .await;
    });
}

#[test]
fn a_client_whose_state_is_recovered_is_sent_what_it_missed_and_then_its_former_ids() {
    run(async |mut world| {
        let mut client = world.open(1).await;
        say(&mut client, "40").await;
        let number = world
            .until(|event| match event {
                Event::Connect { socket, .. } => Some(*socket),
                _ => None,
            })
            .await;
        let lines = [
            format!("e\t{number}\t\t\t[\"missed\",\"offset\"]"),
            format!("n\t{number}\tformer\tsecret"),
            "b\t0\t{}\t\t\t[\"new\"]".to_owned(),
        ];
        let batch = lines.join("\n");
        world.server.output.send(Task::Batch(batch, Vec::new()));
        let mut received = Vec::new();
        while !received.ends_with(b"42[\"new\"]") {
            assert_ne!(client.read_buf(&mut received).await.unwrap(), 0);
        }
        let text = String::from_utf8_lossy(&received);
        let missed = text.find(r#"42["missed","offset"]"#);
        let welcome = text.find(r#"40{"sid":"former","pid":"secret"}"#);
        assert!(missed.is_some() && missed < welcome, "{text}");
    });
}

#[test]
fn a_command_that_cannot_be_read_is_reported_and_costs_no_other_command_its_place_or_attachments() {
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        let number = socket.number;
        let lines = [
            format!("e\t{number}\t\t\t[1]"),
            "?\t1".to_owned(),
            "E\t1\tx\t\t\t[]".to_owned(),
            format!("e\t{number}\t\t\t[2]"),
            "b\t0\t{]\t\t\t[3]".to_owned(),
            format!("o\t{}\t{{]", socket.connection.id),
            format!("E\t1\t{number}\t\t\t[{{\"_placeholder\":true,\"num\":0}}]"),
        ];
        let attachments = [&b"not this one"[..], b"this one"].map(Bytes::from_static);
        let batch = lines.join("\n");
        let task = Task::Batch(batch, attachments.to_vec());
        world.server.output.send(task);
        let invalid = |event: &Event| match event {
            Event::InvalidCommand { message } => Some(message.clone()),
            _ => None,
        };
        for part in ["`code`", "`socket`", "`audience`", "`request`"] {
            let message = world.until(invalid).await;
            assert!(message.contains(part), "{message}");
        }
        let mut received = Vec::new();
        while !received.ends_with(b"this one") {
            assert_ne!(client.read_buf(&mut received).await.unwrap(), 0);
        }
        let text = String::from_utf8_lossy(&received);
        assert!(text.contains("42[1]") && text.contains("42[2]"), "{text}");
        assert!(!text.contains("not this one"), "{text}");
    });
}

/// Queues more for a client than may be queued.
fn overfill(connection: &Arc<Connection>) {
    let much = format!("[\"{}\"]", "x".repeat(8_000_000));
    let frame = Parser::Common.encode(Outgoing::event("/", &much, None), Vec::new());
    connection.send(&frame);
    connection.flush();
}

#[test]
fn a_client_that_stops_reading_does_not_block_the_writer_below_max_backpressure() {
    run(async |mut world| {
        let (_client, socket) = world.join(1).await;
        let connection = &socket.connection;
        overfill(connection);
        let limit = connection.waiting();
        assert!(!connection.has_caught_up(limit), "it may be reading");
        while !connection.has_caught_up(limit) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(!connection.is_closed() && connection.waiting() == limit);
        assert!(connection.has_caught_up(2 * limit));
        while !connection.has_caught_up(limit - 1) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(world.ended(&socket).await, CloseReason::Backpressure);
    });
}

#[test]
fn a_client_beyond_max_backpressure_when_it_is_accepted_is_closed_and_blocks_no_other() {
    run(async |mut world| {
        let mut client = world.open(1).await;
        say(&mut client, "40").await;
        let number = world
            .until(|event| match event {
                Event::Connect { socket, .. } => Some(*socket),
                _ => None,
            })
            .await;
        let socket = world.server.socket(number).unwrap();
        overfill(&socket.connection);
        // On another thread, so that a deadlock fails the test instead of blocking it.
        let (done, is_done) = std::sync::mpsc::channel();
        let letting_in = socket.clone();
        std::thread::spawn(move || {
            let mut flush_set = FlushSet::default();
            let _ = letting_in.accept(Parser::Common, Welcome::of("id"), &mut flush_set);
            drop(flush_set);
            let _ = done.send(());
        });
        let waited =
            tokio::task::spawn_blocking(move || is_done.recv_timeout(Duration::from_secs(10)));
        waited.await.unwrap().unwrap();
        assert_eq!(world.ended(&socket).await, CloseReason::Backpressure);
        world.closed(1).await;
        assert!(world.server.namespace_at(0).unwrap().is_empty());
    });
}

#[test]
fn a_client_that_joins_while_another_thread_ends_its_connection_leaves_nothing_behind() {
    run(async |mut world| {
        let (_client, socket) = world.join(1).await;
        let connection = socket.connection.clone();
        connection.close(CloseReason::PingTimeout);
        world.server.namespace("/late");
        world.server.join(&connection, "/late", None);
        let late = world
            .until(|event| match event {
                Event::Connect { socket, .. } => Some(*socket),
                _ => None,
            })
            .await;
        world
            .until(|event| match event {
                Event::Disconnect { socket, .. } => (*socket == late).then_some(()),
                _ => None,
            })
            .await;
        assert!(world.server.sockets.is_empty());
    });
}

#[test]
fn a_client_that_pings_and_never_reads_does_not_grow_the_send_queue() {
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        let ping = [&[0x89, 0xfd, 0, 0, 0, 0][..], &[7; 125]].concat();
        let flood = ping.repeat(80_000);
        tokio::spawn(async move {
            let _ = client.write_all(&flood).await;
            say(&mut client, "42[\"after\"]").await;
            // Kept open, and never read.
            std::future::pending::<()>().await;
        });
        world
            .until(|event| matches!(event, Event::Emitted { .. }).then_some(()))
            .await;
        assert!(socket.connection.waiting() < 1 << 20);
    });
}

/// Unsolicited pongs, more than the server reads before it yields to other tasks.
const RAMBLING: usize = 1 << 22;

/// Has a client that never stops sending begin a second websocket of a connection. Returns whether
/// another task runs before all of that was read.
async fn others_have_their_turn(world: &mut World, sid: Sid) -> bool {
    let (relay, halves) = Relay::new(9, world.server.events.clone());
    let pong = [0x8a, 0x80, 0, 0, 0, 0];
    assert!(!relay.on_data(&pong.repeat(RAMBLING / pong.len())));
    let websocket = websocket(Carrier::Relay(halves), Asks::Use(sid), 9);
    let serving = tokio::spawn(websocket::serve(world.server.clone(), websocket));
    tokio::task::yield_now().await;
    let mut is_read = false;
    while let Ok(event) = world.events.try_recv() {
        let action = match event {
            Event::Relay { action, .. } => Some(action),
            _ => None,
        };
        is_read |= action == Some(RelayAction::Resume);
    }
    serving.abort();
    !is_read
}

#[test]
fn a_client_that_leaves_polling_just_when_the_time_for_that_is_over_is_read() {
    let engine = Config {
        upgrade_timeout: Duration::from_millis(20),
        ..Config::default()
    };
    // Timers are looked at after each task.
    run_on(
        Builder::new_current_thread().event_interval(1),
        engine,
        async |mut world| {
            let sid = open_polling(&world, 1);
            let (relay, halves) = Relay::new(9, world.server.events.clone());
            // As much as is read before the task yields, twice, with the announcement at the end.
            let pongs = [
                b"\x8a\x81\0\0\0\0x".to_vec(),
                b"\x8a\x80\0\0\0\0".repeat(5459),
            ]
            .concat();
            let leaving = [pongs, b"\x81\x81\0\0\0\x005".to_vec()].concat();
            assert_eq!(leaving.len(), 2 * 16 * 1024);
            let feeding = relay.clone();
            *world.host.on_iteration.lock() = Some(Box::new(move || {
                feeding.on_data(&leaving);
            }));
            let websocket = websocket(Carrier::Relay(halves), Asks::Use(sid), 9);
            let serving = tokio::spawn(websocket::serve(world.server.clone(), websocket));
            let waiting = tokio::spawn(async {
                loop {
                    // Long enough for any timer, in between the two.
                    std::thread::sleep(Duration::from_millis(2));
                    tokio::task::yield_now().await;
                }
            });
            serving.await.unwrap();
            waiting.abort();
            let connection = world.server.engine.connection(sid).unwrap();
            assert_eq!(connection.transport(), Some(TransportType::Websocket));
            relay.on_data(b"\x81\x82\0\0\0\x0040");
            world
                .until(|event| matches!(event, Event::Connect { .. }).then_some(()))
                .await;
        },
    );
}

/// Opens a session of long polling in the default namespace.
async fn join_polling(world: &mut World, number: u64) -> (Sid, Arc<Socket>) {
    let sid = open_polling(world, number);
    post(world, sid, 100, "40".to_owned());
    (sid, world.joined().await)
}

/// Has packets be received as the body of a request.
fn post(world: &World, sid: Sid, number: u64, packets: String) {
    polling::begin_post(&world.server.engine, sid).unwrap();
    post_body(world, sid, number, packets);
}

/// Has the body of a request that has begun be received.
fn post_body(world: &World, sid: Sid, number: u64, packets: String) {
    let post = polling::Post {
        responder: Responder::Node(number),
        format: Format::default(),
        content_type: None,
        packets: Some(packets.into()),
    };
    polling::post(&world.server, sid, post);
}

/// More packets than may wait for JavaScript, with numbers.
const NUMBERED: usize = 20_000;

fn numbered() -> String {
    let packets =
        (0..NUMBERED).map(|number| format!("42[{number:?},1]", number = number.to_string()));
    packets.collect::<Vec<_>>().join("\x1e")
}

/// What a test is told of posted packets.
#[derive(Debug, PartialEq)]
enum Posted {
    Emitted(String),
    Accepted,
    Refused(Refusal),
    Closed,
}

impl World {
    /// The next of these, for the request with this number.
    async fn posted(&mut self, number: u64) -> Posted {
        self.until(|event| match event {
            Event::Emitted {
                payload: Payload::Json(text, _),
                ..
            } => Some(Posted::Emitted(text.to_string())),
            Event::Response { request, response } if *request == number => Some(match response {
                Ok(_) => Posted::Accepted,
                Err(refusal) => Posted::Refused(*refusal),
            }),
            Event::Closed { .. } => Some(Posted::Closed),
            _ => None,
        })
        .await
    }

    /// Waits for all of [`numbered`].
    async fn all_numbered(&mut self, number: u64) {
        for expected in 0..NUMBERED {
            let expected = Posted::Emitted(format!("[\"{expected}\",1]"));
            assert_eq!(self.posted(number).await, expected);
        }
    }
}

#[test]
fn packets_of_a_request_beyond_the_budget_are_taken_when_those_before_them_are_handled() {
    run(async |mut world| {
        let (sid, _socket) = join_polling(&mut world, 1).await;
        post(&world, sid, 2, numbered());
        // Many times what it would take to take all.
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert!(world.events.len() < 100, "{} wait", world.events.len());
        world.all_numbered(2).await;
        assert_eq!(world.posted(2).await, Posted::Accepted);
        // The next request is received.
        post(&world, sid, 3, "42[\"next\"]".to_owned());
        let next = Posted::Emitted("[\"next\"]".to_owned());
        assert_eq!(world.posted(3).await, next);
        assert_eq!(world.posted(3).await, Posted::Accepted);
    });
}

#[test]
fn packets_of_a_request_beyond_the_budget_come_before_what_follows_on_a_websocket() {
    run(async |mut world| {
        let (sid, _socket) = join_polling(&mut world, 1).await;
        let (relay, halves) = Relay::new(9, world.server.events.clone());
        let websocket = websocket(Carrier::Relay(halves), Asks::Use(sid), 9);
        tokio::spawn(websocket::serve(world.server.clone(), websocket));
        relay.on_data(b"\x81\x86\0\0\0\x002probe");
        world
            .until(|event| match event {
                Event::Relay {
                    action: RelayAction::Write(bytes),
                    ..
                } => bytes.ends_with(b"3probe").then_some(()),
                _ => None,
            })
            .await;
        post(&world, sid, 2, numbered());
        relay.on_data(b"\x81\x81\0\0\0\x005\x81\x8b\0\0\0\x0042[\"after\"]");
        world.all_numbered(2).await;
        let mut rest = [world.posted(2).await, world.posted(2).await];
        rest.sort_by_key(|posted| *posted == Posted::Accepted);
        let after = Posted::Emitted("[\"after\"]".to_owned());
        assert_eq!(rest, [after, Posted::Accepted]);
    });
}

#[test]
fn a_request_that_cannot_be_parsed_beyond_the_budget_is_refused_after_the_packets_before() {
    run(async |mut world| {
        let (sid, _socket) = join_polling(&mut world, 1).await;
        post(&world, sid, 2, numbered() + "\x1exyz");
        world.all_numbered(2).await;
        assert_eq!(world.posted(2).await, Posted::Closed);
        assert_eq!(world.posted(2).await, Posted::Refused(Refusal::Unserved));
    });
}

#[test]
fn a_request_whose_connection_ends_before_all_its_packets_are_taken_is_answered_without_the_rest() {
    run(async |mut world| {
        let (sid, socket) = join_polling(&mut world, 1).await;
        post(&world, sid, 2, numbered());
        socket.connection.close(CloseReason::ForcedClose);
        let mut emitted = 0;
        let mut is_closed = false;
        loop {
            match world.posted(2).await {
                Posted::Emitted(_) => emitted += 1,
                Posted::Closed => is_closed = true,
                response => break assert_eq!(response, Posted::Accepted),
            }
        }
        assert!(is_closed && emitted < 100, "{emitted} packets");
    });
}

#[test]
fn packets_that_a_client_sent_before_it_left_polling_are_taken_although_they_come_later() {
    run(async |mut world| {
        let (sid, socket) = join_polling(&mut world, 1).await;
        polling::begin_post(&world.server.engine, sid).unwrap();
        let (relay, halves) = Relay::new(9, world.server.events.clone());
        let websocket = websocket(Carrier::Relay(halves), Asks::Use(sid), 9);
        relay.on_data(b"\x81\x86\0\0\0\x002probe\x81\x81\0\0\0\x005");
        websocket::serve(world.server.clone(), websocket).await;
        assert_eq!(
            socket.connection.transport(),
            Some(TransportType::Websocket)
        );
        post_body(&world, sid, 2, numbered());
        world.all_numbered(2).await;
        assert_eq!(world.posted(2).await, Posted::Accepted);
    });
}

/// Opens a session of long polling.
fn open_polling(world: &World, number: u64) -> Sid {
    let id = Sid::random();
    polling::open(
        &world.server,
        polling::Opening {
            responder: Responder::Node(number),
            format: Format::default(),
            connection: number,
            id,
            protocol: ProtocolVersion::V4,
            base64_only: false,
            cookie: None,
            watched: false,
        },
    );
    id
}

#[test]
fn a_poll_that_comes_while_a_batch_is_executed_gets_all_of_it() {
    run(async |mut world| {
        let sid = open_polling(&world, 1);
        let connection = world.server.engine.connection(sid).unwrap();
        let frame = |text: String| Frame::new(Message::Text(text.into(), Vec::new()));
        for polls_after in 0..=3 {
            let mut flush_set = FlushSet::default();
            for sent in 0..=3 {
                if sent == polls_after {
                    let waiting = WaitingPoll {
                        responder: Responder::Node(2 + sent),
                        format: Format::default(),
                    };
                    polling::poll(&world.server.engine, sid, waiting);
                }
                if sent < 3 {
                    flush_set.send(&connection, &frame(sent.to_string()));
                }
            }
            drop(flush_set);
            let body = world
                .until(|event| match event {
                    Event::Response { request, response } if *request == 2 + polls_after => {
                        response
                            .as_ref()
                            .ok()
                            .map(|response| response.body().clone())
                    }
                    _ => None,
                })
                .await;
            assert_eq!(body, "40\x1e41\x1e42");
        }
    });
}

/// Has a request wait for packets, and returns what it is answered with.
async fn polled(world: &mut World, sid: Sid, number: u64) -> Bytes {
    let waiting = WaitingPoll {
        responder: Responder::Node(number),
        format: Format::default(),
    };
    polling::poll(&world.server.engine, sid, waiting);
    world
        .until(|event| match event {
            Event::Response { request, response } if *request == number => {
                Some(response.as_ref().unwrap().body().clone())
            }
            _ => None,
        })
        .await
}

#[test]
fn a_client_that_polls_is_sent_nothing_after_the_decision_to_end_its_connection() {
    run(async |mut world| {
        let sid = open_polling(&world, 1);
        let connection = world.server.engine.connection(sid).unwrap();
        let frame = |text: &'static str| Frame::new(Message::Text(text.into(), Vec::new()));
        let mut flush_set = FlushSet::default();
        flush_set.send(&connection, &frame("before"));
        connection.finish(CloseReason::ForcedClose);
        flush_set.send(&connection, &frame("after"));
        let series = Series::gather(["after", "it"].map(frame).into_iter());
        flush_set.send_series(&connection, &series);
        drop(flush_set);
        connection.ping();
        assert_eq!(polled(&mut world, sid, 2).await, "4before");
        assert_eq!(polled(&mut world, sid, 3).await, "6\x1e1");
        assert!(connection.is_closed());
    });
}

#[test]
fn a_client_that_keeps_sending_instead_of_upgrading_does_not_delay_others() {
    run(async |mut world| {
        let sid = open_polling(&world, 1);
        assert!(others_have_their_turn(&mut world, sid).await);
    });
}

#[test]
fn a_client_that_keeps_sending_while_it_is_refused_does_not_delay_others() {
    run(async |mut world| {
        let (_client, socket) = world.join(1).await;
        let sid = socket.connection.id;
        assert!(others_have_their_turn(&mut world, sid).await);
    });
}

#[test]
fn no_memory_is_kept_of_a_server_that_is_dropped() {
    run(async |mut world| {
        let (client, socket) = world.join(1).await;
        socket.step(session::Event::Served {
            timeout: Some(60_000),
            now: socket.now(),
        });
        let socket = {
            let weak = Arc::downgrade(&socket);
            drop(socket);
            weak
        };
        drop(world);
        while socket.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        drop(client);
    });
}

mod subscriptions;
