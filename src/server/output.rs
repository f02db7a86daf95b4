//! The one ordered way out: everything the application sends, in the order in which it did.
//!
//! JavaScript writes operations as text, a line each (fields parted by tabs, which JSON always
//! escapes), and hands over a batch per turn of its event loop. One task carries them out, so an
//! answer given before a broadcast reaches the client before it, and a room joined before an emit
//! hears that emit.
//!
//! | line | does |
//! |---|---|
//! | `a socket call json` | answers a call with the array `json` |
//! | `f socket call` | forgets a call that nobody will answer |
//! | `e socket ack? volatile? json` | emits the array `json` to one socket, with an acknowledgement id or none |
//! | `b namespace audience ack? volatile? json` | broadcasts |
//! | `j socket json` / `l socket json` | joins / leaves a room |
//! | `c socket` | accepts a socket into its namespace |
//! | `x socket json` | refuses it, telling the client why |
//! | `o ask` / `r ask` | lets a client join the namespace it asked for / refuses, since there is none |
//! | `h socket 0/1` | lets broadcasts through / holds them back |
//! | `d socket 0/1` | disconnects a socket, with its whole connection if 1 |
//! | `m socket` | ends the connection of a socket whose message cannot be read |
//! | `z sid` | ends a connection by its session id |
//!
//! `A`, `E` and `B` are the same with a count of attachments as the first field. A volatile frame (`v`)
//! is dropped for a client for which something waits already.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engineioxide::{DisconnectReason, TransportType};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Server;
use super::connection::Engine;
use super::namespace::Audience;
use super::notice::Reason;
use super::parser::Frame;
use super::socket::{self, Socket};
use crate::session::Call;

/// Something for the output task to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// A batch of operations of the application, and the attachments they count.
    Batch(Vec<u8>, Vec<Bytes>),
    /// A frame for a connection that has no socket yet.
    Frame(Arc<Engine>, Frame),
    /// The timeout of a pending socket: its connection ends (docs/behaviour.md "A socket's life" 5).
    Expire(Arc<Socket>),
    /// Every connection ends, for this reason.
    EndAll(Reason),
}

/// The sending end of the way out.
#[derive(Debug, Clone)]
pub(crate) struct Sender(UnboundedSender<Command>);

impl Sender {
    /// Queues a command. After the server is gone nothing is left to do, and nothing is done.
    pub(crate) fn send(&self, command: Command) {
        let _ = self.0.send(command);
    }
}

/// The receiving end, for [`run`].
pub(crate) type Receiver = UnboundedReceiver<Command>;

/// Both ends of the way out.
pub(crate) fn channel() -> (Sender, Receiver) {
    let (sender, receiver) = unbounded_channel();
    (Sender(sender), receiver)
}

/// Carries out commands until the server is gone.
pub(crate) async fn run(server: std::sync::Weak<Server>, mut commands: Receiver) {
    while let Some(command) = commands.recv().await {
        let Some(server) = server.upgrade() else {
            return;
        };
        // A panic would end the one task that speaks for everybody, so it costs one command.
        let _ = catch_unwind(AssertUnwindSafe(|| run_one(&server, command)));
    }
}

fn run_one(server: &Arc<Server>, command: Command) {
    match command {
        Command::Batch(text, attachments) => batch(server, &text, attachments),
        Command::Frame(engine, frame) => {
            socket::send(&engine, &frame, server.options.max_backpressure);
        }
        Command::Expire(socket) => disconnect_connection(server, &socket.engine),
        Command::EndAll(reason) => server.end_all(reason),
    }
}

fn batch(server: &Arc<Server>, text: &[u8], attachments: Vec<Bytes>) {
    let mut attachments = attachments.into_iter();
    for line in text.split(|&byte| byte == b'\n') {
        // The text is written by our own JavaScript; a line that does not parse is skipped, and a
        // panic costs one line.
        if let Ok(line) = std::str::from_utf8(line) {
            let _ = catch_unwind(AssertUnwindSafe(|| {
                operation(server, line, &mut attachments)
            }));
        }
    }
}

fn operation(
    server: &Arc<Server>,
    line: &str,
    attachments: &mut std::vec::IntoIter<Bytes>,
) -> Option<()> {
    let mut fields = line.split('\t');
    let kind = fields.next()?;
    let attached = match kind {
        "A" | "E" | "B" => {
            let count = fields.next()?.parse().ok()?;
            attachments.by_ref().take(count).collect()
        }
        _ => Vec::new(),
    };
    let subject = fields.next()?;
    if kind == "z" {
        let engine = server.connection(subject.parse().ok()?)?;
        engine.data.ends_because(Reason::ForcedClose);
        engine.close(DisconnectReason::TransportClose);
        return Some(());
    }
    let subject: u32 = subject.parse().ok()?;
    let parser = server.options.parser;
    match kind {
        "b" | "B" => {
            let namespace = server.namespace_at(subject)?;
            let audience: Audience = serde_json::from_str(fields.next()?).ok()?;
            let ack = fields.next()?.parse().ok();
            let volatile = fields.next()? == "v";
            let frame = parser.event(&namespace.name, fields.next()?, attached, ack);
            let frame = if volatile { frame.volatile() } else { frame };
            namespace.broadcast(&audience, &frame, server.options.max_backpressure);
            return Some(());
        }
        "o" | "r" => {
            server.answer_ask(subject, kind == "o");
            return Some(());
        }
        _ => {}
    }
    let socket = server.socket(subject)?;
    let max_backpressure = server.options.max_backpressure;
    let ns = &socket.namespace.name;
    match kind {
        "a" | "A" => {
            let call = Call::from_number(fields.next()?.parse().ok()?)?;
            let ack = socket.settle(call)?;
            let frame = parser.ack(ns, fields.next()?, attached, ack);
            socket.send(&frame, max_backpressure);
        }
        "f" => {
            socket.settle(Call::from_number(fields.next()?.parse().ok()?)?);
        }
        "e" | "E" => {
            let ack = fields.next()?.parse().ok();
            let volatile = fields.next()? == "v";
            let frame = parser.event(ns, fields.next()?, attached, ack);
            let frame = if volatile { frame.volatile() } else { frame };
            socket.send(&frame, max_backpressure);
        }
        "j" => {
            let room: String = serde_json::from_str(fields.next()?).ok()?;
            socket.namespace.join(socket.number, &room);
        }
        "l" => {
            let room: String = serde_json::from_str(fields.next()?).ok()?;
            socket.namespace.leave(socket.number, &room);
        }
        "c" => socket
            .joined(parser, max_backpressure)
            .unwrap_or_else(|_| malformed(&socket.engine)),
        "x" => {
            socket.send(&parser.connect_error(ns, fields.next()?), max_backpressure);
            socket.end(server, Reason::Refused);
        }
        "h" => socket.hold(fields.next()? == "1"),
        "d" if fields.next()? == "1" => disconnect_connection(server, &socket.engine),
        "d" => disconnect(server, &socket),
        "m" => malformed(&socket.engine),
        _ => {}
    }
    Some(())
}

/// Ends one socket, telling its client.
fn disconnect(server: &Server, socket: &Socket) {
    socket.send(
        &server.options.parser.disconnect(&socket.namespace.name),
        server.options.max_backpressure,
    );
    socket.end(server, Reason::ServerNamespaceDisconnect);
}

/// Ends every socket of a connection, telling the client, and then the connection.
fn disconnect_connection(server: &Server, engine: &Arc<Engine>) {
    for socket in engine.data.sockets() {
        disconnect(server, &socket);
    }
    finish(engine, DisconnectReason::TransportClose);
}

/// How long a polling client may take to fetch what is queued for it when its connection ends; that
/// of Engine.IO.
const FAREWELL: Duration = Duration::from_secs(30);

/// Ends a connection when its client has what was queued. A websocket is flushed by the engine; a
/// polling client comes and fetches it, with the end of the connection behind
/// ([`super::polling`]), unless it waits and there is nothing to fetch.
fn finish(engine: &Arc<Engine>, reason: DisconnectReason) {
    let waits = engine.data.is_polled() && engine.data.link().is_none_or(|link| link.queued() == 0);
    if waits || engine.transport_type() == TransportType::Websocket {
        engine.close(reason);
    } else if engine.data.begin_closing() {
        let engine = Arc::downgrade(engine);
        tokio::spawn(async move {
            tokio::time::sleep(FAREWELL).await;
            if let Some(engine) = engine.upgrade() {
                engine.close(reason);
            }
        });
    }
}

/// Ends a connection that sent what cannot be understood.
pub(crate) fn malformed(engine: &Arc<Engine>) {
    engine.data.ends_because(Reason::Malformed);
    finish(engine, DisconnectReason::PacketParsingError);
}
