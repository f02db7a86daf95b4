//! The one ordered way out: everything the application sends, in the order in which it did.
//!
//! JavaScript writes operations as text, a line each (fields parted by tabs, which JSON always
//! escapes), and hands over a batch per turn of its event loop. One thread at a time carries them
//! out, so an answer given before a broadcast reaches the client before it, and a room joined before
//! an emit hears that emit.
//!
//! | line | does |
//! |---|---|
//! | `a socket ack json` | answers a client's event with the array `json`, by the client's id |
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
//! `A`, `E`, `B`, `X` and `O` are the same with a count of attachments as the first field; in MessagePack that is
//! one, which stands for the JSON. Of the flags, `v` is for
//! volatile, which is dropped for a client for which something waits already, and `u` for uncompressed,
//! which only those learn of who watch.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::yield_now;

use super::events::{Notice, Reason};
use super::namespace::Audience;
use super::parser::{Frame, Parser};
use super::server::Server;
use super::socket::{AckId, Socket};
use crate::engineio::connection::{Connection, Queued, wait_for};
use crate::engineio::send_queue::Series;

/// How many operations the thread that speaks carries out itself, when nothing is before them: the
/// I/O thread would take longer to wake than they take. More of them are worth a thread of their
/// own (docs/performance.md).
const MAX_AT_ONCE: usize = 8;
/// How many bytes such operations hold at most.
const MAX_BYTES_AT_ONCE: usize = 1 << 13;

/// How many bytes are broadcast, to all clients together, before other tasks have their turn.
const YIELD_AT: usize = 1 << 22;

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
                .all(|(at, line)| at < MAX_AT_ONCE && matches!(line[0], b'a' | b'A' | b'e' | b'E'))
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
    async fn carry_out_all(&self, server: &Arc<Server>) {
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
                match command {
                    Command::Batch(text, attachments) => {
                        carry_out_patiently(server, Batch::new(text, attachments)).await;
                    }
                    other => run_one(server, other),
                }
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
        output.carry_out_all(&server).await;
    }
}

/// Carries out a batch on the I/O thread. A broadcast waits for clients that read and are behind, since
/// what is queued for them may be a copy for each, and has other tasks have their turn amid what is
/// much. A message to one client never waits: nobody's answers are late because of another client.
async fn carry_out_patiently(server: &Arc<Server>, mut batch: Batch) {
    let mut touched = Touched::default();
    while batch.step(server, &mut touched) {
        if !std::mem::take(&mut touched.is_broadcast) {
            touched.look_after();
        }
        if !touched.behind.is_empty() {
            touched.flush();
            let behind = std::mem::take(&mut touched.behind);
            wait_for(behind, server.options.max_backpressure).await;
        } else if touched.bytes >= YIELD_AT {
            touched.bytes = 0;
            yield_now().await;
        }
    }
}

/// Connections for which something was queued, to be written when all is queued that is to be: many
/// messages for one client leave in one write.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    connections: Vec<Arc<Connection>>,
    /// Those of clients that are behind, to be waited for.
    behind: Vec<Arc<Connection>>,
    max_backpressure: usize,
    /// How much was broadcast since other tasks had their turn.
    bytes: usize,
    /// Something was broadcast in this step.
    is_broadcast: bool,
}

impl Touched {
    /// Queues a frame on a connection.
    pub(crate) fn send(
        &mut self,
        connection: &Arc<Connection>,
        frame: &Frame,
        max_backpressure: usize,
    ) {
        let queued = connection.send(frame, max_backpressure);
        self.note(connection, queued, max_backpressure);
    }

    /// Queues a series of frames on a connection.
    pub(crate) fn send_series(
        &mut self,
        connection: &Arc<Connection>,
        series: &Series,
        max_backpressure: usize,
    ) {
        let queued = connection.send_series(series, max_backpressure);
        self.note(connection, queued, max_backpressure);
    }

    fn note(&mut self, connection: &Arc<Connection>, queued: Queued, max_backpressure: usize) {
        match queued {
            Queued::Waits => {}
            Queued::IsToBeFlushed => self.connections.push(connection.clone()),
            Queued::IsBehind => {
                self.max_backpressure = max_backpressure;
                self.behind.push(connection.clone());
            }
        }
    }

    /// Notes how much was broadcast, to all clients together.
    pub(crate) fn broadcast(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.is_broadcast = true;
    }

    fn flush(&mut self) {
        for connection in self.connections.drain(..) {
            connection.flush();
        }
    }

    /// Has somebody wait for the clients that are behind.
    fn look_after(&mut self) {
        for connection in self.behind.drain(..) {
            connection.look_after(self.max_backpressure);
        }
    }
}

impl Drop for Touched {
    /// Writes: after a panic too, since whoever queues next relies on it.
    fn drop(&mut self) {
        self.flush();
        self.look_after();
    }
}

/// Carries a command out at once.
fn run_one(server: &Arc<Server>, command: Command) {
    // A panic would end the one way out there is, so it costs one command.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let touched = &mut Touched::default();
        match command {
            Command::Batch(text, attachments) => {
                let mut batch = Batch::new(text, attachments);
                while batch.step(server, touched) {}
            }
            Command::Expire(socket) => {
                disconnect_connection(server, &socket.connection, touched);
            }
            Command::EndAll(reason) => server.end_all(reason),
        }
    }));
}

/// A batch of operations of the application, carried out one after the other.
struct Batch {
    text: Vec<u8>,
    /// Where the next operation begins.
    at: usize,
    attachments: std::vec::IntoIter<Bytes>,
}

impl Batch {
    fn new(text: Vec<u8>, attachments: Vec<Bytes>) -> Self {
        Self {
            text,
            at: 0,
            attachments: attachments.into_iter(),
        }
    }

    /// Carries out the next operation, or the broadcasts to one audience that go out together; false
    /// if there is none.
    ///
    /// The text is written by our own JavaScript; a line that does not parse is skipped, and a panic
    /// costs one line, or those broadcasts.
    fn step(&mut self, server: &Arc<Server>, touched: &mut Touched) -> bool {
        let Self {
            text,
            at,
            attachments,
        } = self;
        let Some(line) = next_line(text, at) else {
            return false;
        };
        let parser = server.options.parser;
        let behind = |at: usize| {
            let mut at = at;
            let (audience, json) = repeatable(next_line(text, &mut at)?, parser)?;
            Some((audience, json, at))
        };
        let series = repeatable(line, parser)
            .filter(|(audience, _)| behind(*at).is_some_and(|(next, ..)| next == *audience));
        let _ = catch_unwind(AssertUnwindSafe(|| match series {
            Some((audience, json)) => {
                let more = std::iter::from_fn(|| {
                    let (_, json, end) = behind(*at).filter(|(next, ..)| *next == audience)?;
                    *at = end;
                    Some(json)
                });
                let all = std::iter::once(json).chain(more).map(|json| match parser {
                    Parser::Common => (json, None),
                    Parser::Msgpack => (json, attachments.next()),
                });
                broadcast_series(server, audience, all, touched)
            }
            None => operation(server, line, attachments, touched),
        }));
        true
    }
}

/// The line that begins there, behind which the next one does; one that is no text is skipped.
fn next_line<'a>(text: &'a [u8], at: &mut usize) -> Option<&'a str> {
    loop {
        let rest = text.get(*at..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|&byte| byte == b'\n');
        let length = length.unwrap_or(rest.len());
        *at += length + 1;
        if let Ok(line) = std::str::from_utf8(&rest[..length]) {
            return Some(line);
        }
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

/// Broadcasts to one audience, as many as go out together.
fn broadcast_series<'a>(
    server: &Arc<Server>,
    audience: &str,
    series: impl Iterator<Item = (&'a str, Option<Bytes>)>,
    touched: &mut Touched,
) -> Option<()> {
    let parser = server.options.parser;
    let mut series = series.peekable();
    // With what belongs to it, should nobody be there to hear it.
    series.peek()?;
    let (namespace, audience) = audience.split_once('\t')?;
    let namespace = server.namespace_at(namespace.parse().ok()?)?;
    let audience: Audience = serde_json::from_str(audience).ok()?;
    let frames = series.map(|(json, data)| {
        let data = data.into_iter().collect();
        parser.event(&namespace.name, json, data, None)
    });
    // Those that are too many for one series are of the next.
    let series = Series::gather(frames);
    namespace.broadcast_series(&audience, &series, server.options.max_backpressure, touched);
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
        "A" | "E" | "B" | "X" | "O" => {
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
            let ack = ack_id(fields.next()?)?;
            let frame = parser.ack(ns, fields.next()?, attached, ack);
            socket.send(&frame, max_backpressure, touched);
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

/// The id of a client's acknowledgement. Beyond 2⁵³ JavaScript has it rounded, as Socket.IO does.
fn ack_id(digits: &str) -> Option<AckId> {
    digits
        .parse()
        .or_else(|_| digits.parse().map(|rounded: f64| rounded as AckId))
        .ok()
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
