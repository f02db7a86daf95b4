//! The one ordered way out: everything the application sends, in the order in which it did.
//!
//! JavaScript writes operations as text, a line each (fields parted by tabs, which JSON always
//! escapes), and hands over a batch per turn of its event loop. One thread at a time carries them
//! out, so an answer given before a broadcast reaches the client before it, and a room joined before
//! an emit hears that emit.
//!
//! | line | does |
//! |---|---|
//! | `a socket call json` | answers a call with the array `json` |
//! | `f socket call` | forgets a call that nobody will answer |
//! | `e socket ack? flags? json` | emits the array `json` to one socket, with an acknowledgement id or none |
//! | `b namespace audience ack? flags? json` | broadcasts |
//! | `j socket room` / `l socket room` | joins / leaves a room, by its number |
//! | `c socket` | accepts a socket into its namespace |
//! | `x socket json` | refuses it, telling the client why |
//! | `o sid json` / `r sid json` | lets a client join the namespace it asked for with that request / refuses, since there is none |
//! | `h socket 0/1` | lets broadcasts through / holds them back |
//! | `d socket 0/1` | disconnects a socket, with its whole connection if 1 |
//! | `m socket` | ends the connection of a socket whose message cannot be read |
//! | `z sid` | ends a connection by its session id |
//! | `w sid 0/1` | reports what is sent on a connection no more / from now on |
//!
//! `A`, `E`, `B` and `X` are the same with a count of attachments as the first field; in MessagePack that is
//! one, which stands for the JSON. Of the flags, `v` is for
//! volatile, which is dropped for a client for which something waits already, and `u` for uncompressed,
//! which only those learn of who watch.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Server;
use super::namespace::Audience;
use super::notice::{Notice, Reason};
use super::parser::{Frame, Parser};
use super::socket::Socket;
use crate::engine::connection::Connection;
use crate::engine::outgoing::Series;
use crate::session::Call;

/// How many operations the thread that speaks carries out itself, when nothing is before them: the
/// I/O thread would take longer to wake than they take. More of them are worth a thread of their
/// own (docs/performance.md).
const MAX_AT_ONCE: usize = 8;
/// How many bytes such operations hold at most.
const MAX_BYTES_AT_ONCE: usize = 1 << 13;

/// Something to carry out.
#[derive(Debug)]
pub(crate) enum Command {
    /// A batch of operations of the application, and the attachments they count.
    Batch(Vec<u8>, Vec<Bytes>),
    /// The timeout of a pending socket: its connection ends (docs/behaviour.md "A socket's life" 5).
    Expire(Arc<Socket>),
    /// Every connection ends, for this reason.
    EndAll(Reason),
}

impl Command {
    /// Whether it is no more than a few messages to single sockets.
    fn is_small(&self) -> bool {
        let Self::Batch(text, attachments) = self else {
            return false;
        };
        let attached: usize = attachments.iter().map(Bytes::len).sum();
        text.len() + attached <= MAX_BYTES_AT_ONCE
            && text
                .split(|&byte| byte == b'\n')
                .filter(|line| !line.is_empty())
                .enumerate()
                .all(|(at, line)| {
                    at < MAX_AT_ONCE && matches!(line[0], b'a' | b'A' | b'e' | b'E' | b'f')
                })
    }
}

/// The way out: commands in the order in which they were given, carried out by one thread at a time.
#[derive(Debug, Default)]
pub(crate) struct Output {
    queue: Mutex<Queue>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    commands: VecDeque<Command>,
    /// A thread carries out commands, and looks after the queue when it is done.
    is_busy: bool,
}

impl Output {
    /// Gives a command to the I/O thread.
    pub(crate) fn send(&self, command: Command) {
        let mut queue = self.queue.lock();
        queue.commands.push_back(command);
        let rings = !queue.is_busy;
        drop(queue);
        if rings {
            self.bell.notify_one();
        }
    }

    /// Carries a command out on this thread if it is small and nothing is before it; else gives it
    /// to the I/O thread.
    pub(crate) fn carry_out(&self, server: &Arc<Server>, command: Command) {
        {
            let mut queue = self.queue.lock();
            if queue.is_busy || !queue.commands.is_empty() || !command.is_small() {
                drop(queue);
                self.send(command);
                return;
            }
            queue.is_busy = true;
        }
        run_one(server, command);
        let mut queue = self.queue.lock();
        queue.is_busy = false;
        let rings = !queue.commands.is_empty();
        drop(queue);
        if rings {
            self.bell.notify_one();
        }
    }

    /// Carries out what there is, unless another thread does and will look for more.
    fn carry_out_all(&self, server: &Arc<Server>) {
        loop {
            let commands = {
                let mut queue = self.queue.lock();
                if queue.is_busy || queue.commands.is_empty() {
                    return;
                }
                queue.is_busy = true;
                std::mem::take(&mut queue.commands)
            };
            for command in commands {
                run_one(server, command);
            }
            self.queue.lock().is_busy = false;
        }
    }

    /// Has [`run`] look whether its server is gone.
    pub(crate) fn close(&self) {
        self.bell.notify_one();
    }
}

/// Carries out commands on the I/O thread until the server is gone.
pub(crate) async fn run(server: Weak<Server>, output: Arc<Output>) {
    loop {
        output.bell.notified().await;
        let Some(server) = server.upgrade() else {
            return;
        };
        output.carry_out_all(&server);
    }
}

/// Connections for which something was queued, to be written when all is queued that is to be: many
/// messages for one client leave in one write.
#[derive(Debug, Default)]
pub(crate) struct Touched(Vec<Arc<Connection>>);

impl Touched {
    /// Queues a frame on a connection.
    pub(crate) fn send(
        &mut self,
        connection: &Arc<Connection>,
        frame: &Frame,
        max_backpressure: usize,
    ) {
        if connection.send(frame, max_backpressure) {
            self.0.push(connection.clone());
        }
    }

    /// Queues a series of frames on a connection.
    pub(crate) fn send_series(
        &mut self,
        connection: &Arc<Connection>,
        series: &Series,
        max_backpressure: usize,
    ) {
        if connection.send_series(series, max_backpressure) {
            self.0.push(connection.clone());
        }
    }
}

impl Drop for Touched {
    /// Writes: after a panic too, since whoever queues next relies on it.
    fn drop(&mut self) {
        for connection in self.0.drain(..) {
            connection.flush();
        }
    }
}

fn run_one(server: &Arc<Server>, command: Command) {
    // A panic would end the one way out there is, so it costs one command.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let touched = &mut Touched::default();
        match command {
            Command::Batch(text, attachments) => batch(server, &text, attachments, touched),
            Command::Expire(socket) => {
                disconnect_connection(server, &socket.connection, touched);
            }
            Command::EndAll(reason) => server.end_all(reason),
        }
    }));
}

fn batch(server: &Arc<Server>, text: &[u8], attachments: Vec<Bytes>, touched: &mut Touched) {
    let mut attachments = attachments.into_iter();
    // The text is written by our own JavaScript; a line that does not parse is skipped, and a panic
    // costs one line, or the broadcasts that go out together.
    let mut lines = text
        .split(|&byte| byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok())
        .peekable();
    let parser = server.options.parser;
    while let Some(line) = lines.next() {
        if let Some((audience, json)) = repeatable(line, parser)
            && lines
                .peek()
                .and_then(|next| repeatable(next, parser))
                .is_some_and(|(next, _)| next == audience)
        {
            let mut series = vec![json];
            while let Some((_, json)) = lines
                .peek()
                .and_then(|next| repeatable(next, parser))
                .filter(|(next, _)| *next == audience)
            {
                series.push(json);
                lines.next();
            }
            let _ = catch_unwind(AssertUnwindSafe(|| {
                broadcast_series(server, audience, &series, &mut attachments, touched)
            }));
            continue;
        }
        let _ = catch_unwind(AssertUnwindSafe(|| {
            operation(server, line, &mut attachments, touched)
        }));
    }
}

/// What comes before the JSON of a broadcast that every client is to get and none acknowledges, and
/// the JSON: broadcasts that have the first in common and follow each other go out together.
fn repeatable(line: &str, parser: Parser) -> Option<(&str, &str)> {
    let rest = match parser {
        Parser::Common => line.strip_prefix("b\t")?,
        Parser::Msgpack => line.strip_prefix("B\t1\t")?,
    };
    let (audience, json) = rest.split_once("\t\t\t")?;
    // Namespace and audience: one tab, since JSON escapes its own.
    (audience.bytes().filter(|&byte| byte == b'\t').count() == 1).then_some((audience, json))
}

/// Broadcasts to one audience, each in its turn.
fn broadcast_series(
    server: &Arc<Server>,
    audience: &str,
    series: &[&str],
    attachments: &mut std::vec::IntoIter<Bytes>,
    touched: &mut Touched,
) -> Option<()> {
    let parser = server.options.parser;
    let attached: Vec<_> = match parser {
        Parser::Common => Vec::new(),
        Parser::Msgpack => attachments.by_ref().take(series.len()).collect(),
    };
    let (namespace, audience) = audience.split_once('\t')?;
    let namespace = server.namespace_at(namespace.parse().ok()?)?;
    let audience: Audience = serde_json::from_str(audience).ok()?;
    let frames = series
        .iter()
        .enumerate()
        .map(|(at, json)| {
            let data = attached.get(at).cloned().into_iter().collect();
            parser.event(&namespace.name, json, data, None)
        })
        .collect();
    for series in Series::split(frames) {
        namespace.broadcast_series(&audience, &series, server.options.max_backpressure, touched);
    }
    Some(())
}

fn operation(
    server: &Arc<Server>,
    line: &str,
    attachments: &mut std::vec::IntoIter<Bytes>,
    touched: &mut Touched,
) -> Option<()> {
    let mut fields = line.split('\t');
    let kind = fields.next()?;
    let attached = match kind {
        "A" | "E" | "B" | "X" => {
            let count = fields.next()?.parse().ok()?;
            attachments.by_ref().take(count).collect()
        }
        _ => Vec::new(),
    };
    let subject = fields.next()?;
    if matches!(kind, "o" | "O" | "r") {
        let packed = attached.into_iter().next();
        server.answer_ask(subject.parse().ok()?, fields.next()?, packed, kind != "r");
        return Some(());
    }
    if matches!(kind, "z" | "w") {
        let connection = server.connection(subject.parse().ok()?)?;
        match kind {
            "z" => connection.finish(Reason::ForcedClose),
            _ => connection.watch_sent(fields.next()? == "1"),
        }
        return Some(());
    }
    let subject: u64 = subject.parse().ok()?;
    let parser = server.options.parser;
    match kind {
        "b" | "B" => {
            let namespace = server.namespace_at(subject)?;
            let audience: Audience = serde_json::from_str(fields.next()?).ok()?;
            let ack = fields.next()?.parse().ok();
            let flags = fields.next()?;
            let frame = parser.event(&namespace.name, fields.next()?, attached, ack);
            let frame = frame.flagged(flags);
            let max_backpressure = server.options.max_backpressure;
            namespace.broadcast(&audience, &frame, max_backpressure, touched);
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
            socket.send(&frame, max_backpressure, touched);
        }
        "f" => {
            socket.settle(Call::from_number(fields.next()?.parse().ok()?)?);
        }
        "e" | "E" => {
            let ack = fields.next()?.parse().ok();
            let flags = fields.next()?;
            let frame = parser.event(ns, fields.next()?, attached, ack);
            let frame = frame.flagged(flags);
            socket.send(&frame, max_backpressure, touched);
        }
        "j" => {
            let room = fields.next()?.parse().ok()?;
            socket.namespace.join(socket.number, room);
        }
        "l" => {
            let room = fields.next()?.parse().ok()?;
            socket.namespace.leave(socket.number, room);
        }
        "c" => socket
            .joined(parser, max_backpressure, touched)
            .unwrap_or_else(|_| malformed(server, &socket.connection)),
        "x" | "X" => {
            let refusal = parser.connect_error(ns, fields.next()?, &attached);
            socket.send(&refusal, max_backpressure, touched);
            socket.end(server, Reason::Refused);
        }
        "h" => socket.hold(fields.next()? == "1"),
        "d" if fields.next()? == "1" => disconnect_connection(server, &socket.connection, touched),
        "d" => disconnect(server, &socket, touched),
        "m" => malformed(server, &socket.connection),
        _ => {}
    }
    Some(())
}

/// Ends one socket, telling its client.
fn disconnect(server: &Server, socket: &Arc<Socket>, touched: &mut Touched) {
    socket.send(
        &server.options.parser.disconnect(&socket.namespace.name),
        server.options.max_backpressure,
        touched,
    );
    socket.end(server, Reason::ServerNamespaceDisconnect);
}

/// Ends every socket of a connection, telling the client, and then the connection.
fn disconnect_connection(server: &Server, connection: &Arc<Connection>, touched: &mut Touched) {
    for socket in connection.sockets() {
        disconnect(server, &socket, touched);
    }
    connection.finish(Reason::ForcedClose);
}

/// Ends a connection that sent what cannot be understood. Its sockets are told of that at once, and
/// of the end when it comes: a polling client fetches first what waits for it.
pub(crate) fn malformed(server: &Server, connection: &Arc<Connection>) {
    for socket in connection.sockets() {
        server.inbox.push(Notice::Malformed {
            socket: socket.number,
        });
    }
    connection.finish(Reason::ForcedClose);
}

/// Ends a connection that sent a packet which is well formed and out of place, as one for a namespace
/// that the client is not in. Its sockets end at once.
pub(crate) fn out_of_place(server: &Server, connection: &Arc<Connection>) {
    connection.finish(Reason::ForcedClose);
    for socket in connection.sockets() {
        socket.end(server, Reason::ForcedServerClose);
    }
}
