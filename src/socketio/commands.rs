//! The one ordered way out: everything the application sends, in the order in which it did.
//!
//! JavaScript writes commands as text ([`crate::protocol`]) and hands over a batch per turn of its event
//! loop. One thread at a time carries them out, so an answer given before a broadcast reaches the client
//! before it, and a room joined before an emit hears that emit. A command that cannot be read is
//! reported to JavaScript; one for a socket that has ended does nothing.
//!
//! ```text
//! parse   a line of a batch as a command
//! queue   the tasks that wait, and whose turn it is
//! ```

mod parse;
pub(crate) mod queue;

use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::Utf8Error;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::task::yield_now;

use self::parse::{Broadcast, Command, CommandError, Flags, Line};
use self::queue::{Output, Task};
use super::events::{Event, EventSink};
use super::options::Options;
use super::parser::Parser;
use super::server::{Server, malformed};
use super::socket::{Connection, FlushSet, Socket};
use crate::engineio::connection::wait_for;
use crate::engineio::message::Frame;
use crate::engineio::send_queue::Series;
use crate::io::runtime::Runtime;
use crate::protocol::CloseReason;

/// How many bytes are broadcast, to all clients together, before other tasks have their turn.
const YIELD_AT: usize = 1 << 22;

/// Makes a server whose commands are carried out, by a task that ends with it.
pub(crate) fn start(
    options: Options,
    events: Arc<dyn EventSink>,
    runtime: &Runtime,
) -> Arc<Server> {
    let server = Server::new(options, events, runtime);
    let output = server.output.clone();
    let running = run(Arc::downgrade(&server), output);
    runtime.handle.spawn(running);
    server
}

/// Carries a task out on this thread if it is small and nothing is before it; else gives it to the I/O
/// thread.
pub(crate) fn carry_out(server: &Arc<Server>, task: Task) {
    if let Some(task) = server.output.take_small(task) {
        run_one(server, task);
        server.output.done();
    }
}

/// Carries out what there is, unless another thread does and will look for more.
async fn carry_out_all(server: &Arc<Server>, output: &Output) {
    while let Some(tasks) = output.take_all() {
        for task in tasks {
            match task {
                Task::Batch(text, attachments) => {
                    carry_out_patiently(server, Batch::new(text, attachments)).await;
                }
                other => run_one(server, other),
            }
        }
        output.done_all();
    }
}

/// Carries out tasks on the I/O thread until the server is gone.
async fn run(server: Weak<Server>, output: Arc<Output>) {
    loop {
        output.wait().await;
        let Some(server) = server.upgrade() else {
            return;
        };
        carry_out_all(&server, &output).await;
    }
}

/// Carries out a batch on the I/O thread. A broadcast waits for clients that read and are behind, since
/// what is queued for them may be a copy for each, and has other tasks have their turn amid what is
/// much. A message to one client never waits: nobody's answers are late because of another client.
async fn carry_out_patiently(server: &Arc<Server>, mut batch: Batch) {
    let mut flush_set = FlushSet::default();
    while batch.step(server, &mut flush_set) {
        if !std::mem::take(&mut flush_set.is_broadcast) {
            flush_set.look_after();
        }
        if !flush_set.behind.is_empty() {
            flush_set.flush();
            let behind = std::mem::take(&mut flush_set.behind);
            wait_for(behind, server.max_backpressure()).await;
        } else if flush_set.bytes >= YIELD_AT {
            flush_set.bytes = 0;
            yield_now().await;
        }
    }
}

/// Carries a task out at once.
fn run_one(server: &Arc<Server>, task: Task) {
    // A panic would end the one way out there is, so it costs one task.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let flush_set = &mut FlushSet::default();
        match task {
            Task::Batch(text, attachments) => {
                let mut batch = Batch::new(text, attachments);
                while batch.step(server, flush_set) {}
            }
            Task::Expire(socket) => {
                disconnect_connection(server, &socket.connection, flush_set);
            }
            Task::EndAll(reason) => server.engine.end_all(reason),
        }
    }));
}

/// A batch of commands of the application, carried out one after the other.
struct Batch {
    text: Vec<u8>,
    /// Where the next line begins.
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

    /// Carries out the next command, or the broadcasts to one audience that go out together; false
    /// if there is none. A panic costs that command, or those broadcasts.
    fn step(&mut self, server: &Arc<Server>, flush_set: &mut FlushSet) -> bool {
        let Self {
            text,
            at,
            attachments,
        } = self;
        let Some(line) = next_line(text, at) else {
            return false;
        };
        let parser = server.parser;
        let carried_out = catch_unwind(AssertUnwindSafe(|| {
            let line = Line::parse(line.map_err(CommandError::Text)?);
            let attached = attachments.by_ref().take(line.attachments).collect();
            match line.command? {
                Command::Broadcast(first) if is_one_message(line.attachments, parser) => {
                    let more = Alike {
                        text,
                        at,
                        attachments,
                        first,
                        parser,
                    };
                    if more.peek().is_some() {
                        let series = std::iter::once((first, attached)).chain(more);
                        broadcast_series(server, first, series, flush_set)
                    } else {
                        broadcast(server, first, attached, flush_set)
                    }
                }
                command => run_command(server, command, attached, flush_set),
            }
        }));
        if let Ok(Err(error)) = carried_out {
            report(server, &error);
        }
        true
    }
}

/// Tells JavaScript of a command that cannot be carried out.
fn report(server: &Server, error: &CommandError) {
    let message = match error.source() {
        Some(source) => format!("{error} ({source})"),
        None => error.to_string(),
    };
    server.events.push(Event::InvalidCommand { message });
}

/// Whether a frame of a command with so many attachments is one message on the wire.
fn is_one_message(attachments: usize, parser: Parser) -> bool {
    attachments == 0 || parser == Parser::Msgpack
}

/// The line that begins there, behind which the next one does.
fn next_line<'a>(text: &'a [u8], at: &mut usize) -> Option<Result<&'a str, Utf8Error>> {
    let rest = text.get(*at..).filter(|rest| !rest.is_empty())?;
    let length = rest.iter().position(|&byte| byte == b'\n');
    let length = length.unwrap_or(rest.len());
    *at += length + 1;
    Some(std::str::from_utf8(&rest[..length]))
}

/// The broadcasts that follow and are like the first: they go out together.
struct Alike<'a, 'b> {
    text: &'a [u8],
    /// Where the next line begins.
    at: &'b mut usize,
    attachments: &'b mut std::vec::IntoIter<Bytes>,
    first: Broadcast<'a>,
    parser: Parser,
}

impl<'a> Alike<'a, '_> {
    /// The next one, how many attachments it has, and where its line ends.
    fn peek(&self) -> Option<(Broadcast<'a>, usize, usize)> {
        let mut end = *self.at;
        let line = next_line(self.text, &mut end)?.ok()?;
        if !parse::may_be_broadcast(line) {
            return None;
        }
        let line = Line::parse(line);
        match line.command {
            Ok(Command::Broadcast(next))
                if next.is_like(&self.first) && is_one_message(line.attachments, self.parser) =>
            {
                Some((next, line.attachments, end))
            }
            _ => None,
        }
    }
}

impl<'a> Iterator for Alike<'a, '_> {
    type Item = (Broadcast<'a>, Vec<Bytes>);

    fn next(&mut self) -> Option<Self::Item> {
        let (next, attachments, end) = self.peek()?;
        *self.at = end;
        let attached = self.attachments.by_ref().take(attachments);
        Some((next, attached.collect()))
    }
}

/// Broadcasts to one audience, as many as go out together.
fn broadcast_series<'a>(
    server: &Arc<Server>,
    first: Broadcast<'_>,
    series: impl Iterator<Item = (Broadcast<'a>, Vec<Bytes>)>,
    flush_set: &mut FlushSet,
) -> Result<(), CommandError> {
    let parser = server.parser;
    let Some(namespace) = server.namespace_at(first.namespace) else {
        return Ok(());
    };
    let audience = first.audience()?;
    let frames =
        series.map(|(each, attached)| parser.event(&namespace.name, each.json, attached, None));
    // Those that are too many for one series are of the next.
    let series = Series::gather(frames);
    let receivers = namespace.audience(&audience);
    flush_set.broadcast(receivers.len() * series.len());
    for socket in receivers {
        flush_set.send_series(&socket.connection, &series, server.max_backpressure());
    }
    Ok(())
}

fn broadcast(
    server: &Arc<Server>,
    broadcast: Broadcast<'_>,
    attached: Vec<Bytes>,
    flush_set: &mut FlushSet,
) -> Result<(), CommandError> {
    let Broadcast {
        ack, flags, json, ..
    } = broadcast;
    let audience = broadcast.audience()?;
    let namespace = server.namespace_at(broadcast.namespace);
    let receivers = namespace
        .as_ref()
        .map_or_else(Vec::new, |namespace| namespace.audience(&audience));
    if let Some(ack) = ack {
        // Before a client can have acknowledged it.
        server.events.push(Event::BroadcastSent {
            namespace: broadcast.namespace,
            ack,
            receivers: receivers.iter().map(|socket| socket.number).collect(),
        });
    }
    let Some(namespace) = namespace else {
        return Ok(());
    };
    let parser = server.parser;
    let frame = flagged(parser.event(&namespace.name, json, attached, ack), flags);
    flush_set.broadcast(receivers.len() * frame.len());
    for socket in receivers {
        socket.send(&frame, server.max_backpressure(), flush_set);
    }
    Ok(())
}

fn flagged(frame: Frame, flags: Flags) -> Frame {
    Frame {
        volatile: flags.volatile,
        compress: !flags.uncompressed,
        ..frame
    }
}

/// Carries out any other command.
fn run_command(
    server: &Arc<Server>,
    command: Command<'_>,
    attached: Vec<Bytes>,
    flush_set: &mut FlushSet,
) -> Result<(), CommandError> {
    let parser = server.parser;
    let max_backpressure = server.max_backpressure();
    match command {
        Command::Answer { socket, ack, json } => {
            if let Some(socket) = server.socket(socket) {
                let frame = parser.ack(&socket.namespace.name, json, attached, ack);
                socket.send(&frame, max_backpressure, flush_set);
            }
        }
        Command::Emit {
            socket,
            ack,
            flags,
            json,
        } => {
            if let Some(socket) = server.socket(socket) {
                let frame = parser.event(&socket.namespace.name, json, attached, ack);
                socket.send(&flagged(frame, flags), max_backpressure, flush_set);
            }
        }
        Command::Broadcast(broadcast) => {
            self::broadcast(server, broadcast, attached, flush_set)?;
        }
        Command::Join { socket, room } => {
            if let Some(socket) = server.socket(socket) {
                socket.namespace.join(socket.number, room);
            }
        }
        Command::Leave { socket, room } => {
            if let Some(socket) = server.socket(socket) {
                socket.namespace.leave(socket.number, room);
            }
        }
        Command::Accept { socket } => {
            if let Some(socket) = server.socket(socket)
                && socket.joined(parser, max_backpressure, flush_set).is_err()
            {
                malformed(server, &socket.connection);
            }
        }
        Command::Refuse { socket, json } => {
            if let Some(socket) = server.socket(socket) {
                let refusal = parser.connect_error(&socket.namespace.name, json, &attached);
                socket.send(&refusal, max_backpressure, flush_set);
                socket.end(CloseReason::Refused);
            }
        }
        Command::AnswerNamespaceRequest {
            sid,
            request,
            exists,
        } => {
            let packed = attached.into_iter().next();
            server.answer_ask(sid, parse::json("request", request)?, packed, exists);
        }
        Command::Mute { socket, muted } => {
            if let Some(socket) = server.socket(socket) {
                socket.mute(muted);
            }
        }
        Command::Disconnect {
            socket,
            whole_connection,
        } => match server.socket(socket) {
            Some(socket) if whole_connection => {
                disconnect_connection(server, &socket.connection, flush_set);
            }
            Some(socket) => disconnect(server, &socket, flush_set),
            None => {}
        },
        Command::Malformed { socket } => {
            if let Some(socket) = server.socket(socket) {
                malformed(server, &socket.connection);
            }
        }
        Command::CloseConnection { sid } => {
            if let Some(connection) = server.connection(sid) {
                connection.finish(CloseReason::ForcedClose);
            }
        }
        Command::WatchSent { sid, watched } => {
            if let Some(connection) = server.connection(sid) {
                connection.watch_sent(watched);
            }
        }
    }
    Ok(())
}

/// Ends one socket, telling its client.
fn disconnect(server: &Server, socket: &Arc<Socket>, flush_set: &mut FlushSet) {
    socket.send(
        &server.parser.disconnect(&socket.namespace.name),
        server.max_backpressure(),
        flush_set,
    );
    socket.end(CloseReason::ServerNamespaceDisconnect);
}

/// Ends every socket of a connection, telling the client, and then the connection.
fn disconnect_connection(server: &Server, connection: &Arc<Connection>, flush_set: &mut FlushSet) {
    for socket in connection.data.sockets() {
        disconnect(server, &socket, flush_set);
    }
    connection.finish(CloseReason::ForcedClose);
}
