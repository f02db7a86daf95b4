//! Executes the commands of JavaScript in their order.
//!
//! JavaScript writes commands as text ([`crate::protocol`]) and passes a batch in each iteration of its
//! event loop. One thread at a time executes them, so an answer given before a broadcast reaches the
//! client before it, and a socket that joins a room before an emit receives that emit. A command that
//! cannot be parsed is reported to JavaScript; one for a socket that has ended does nothing.
//!
//! ```text
//! parse   parses a line of a batch
//! queue   the queued tasks, and which thread executes them
//! ```

mod parse;
pub(crate) mod queue;

use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::task::yield_now;

use self::parse::{
    Broadcast, ChannelCommand, Command, CommandError, Flags, Line, Publish, next_line,
};
use self::queue::{AtOnce, CommandQueue, Task};
use super::events::{Event, EventSink};
use super::options::Options;
use super::parser::{Outgoing, Parser, Welcome};
use super::server::{Server, malformed};
use super::socket::{Channel, FlushSet, Socket};
use super::subscriptions::{ChannelNumber, Published, Recipient};
use crate::engineio::connection::wait_for;
use crate::engineio::message::{Frame, PlainText};
use crate::engineio::send_queue::{MAX_SERIES, Series};
use crate::io::runtime::Runtime;
use crate::protocol::CloseReason;

/// Bytes broadcast to all clients together, after which the task yields to others.
const YIELD_AT: usize = 1 << 22;

/// Makes a server, and starts the task that executes its commands until the server is dropped.
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

/// Executes a task on this thread, if it is within the limit and nothing is queued before it. Any other
/// task is queued for the I/O thread.
pub(crate) fn execute(server: &Arc<Server>, task: Task, limit: &AtOnce) {
    if may_compress(server, &task) {
        server.output.send(task);
    } else if let Some(task) = server.output.take_small(task, limit) {
        execute_now(server, task);
        server.output.done();
    }
}

/// Whether a task may send something that is compressed, which is left to the I/O thread.
fn may_compress(server: &Server, task: &Task) -> bool {
    match &server.engine.config.per_message_deflate {
        Some(options) => task.len() >= options.threshold,
        None => false,
    }
}

/// Executes the queued tasks, unless another thread is doing so and will check for more.
async fn execute_all(server: &Arc<Server>, output: &CommandQueue) {
    while let Some(tasks) = output.take_all() {
        for task in tasks {
            match task {
                Task::Batch(text, attachments) => {
                    execute_and_wait(server, Batch::new(text, attachments)).await;
                }
                other => execute_now(server, other),
            }
        }
        output.done_all();
    }
}

/// Executes tasks on the I/O thread until the server is dropped.
async fn run(server: Weak<Server>, output: Arc<CommandQueue>) {
    loop {
        output.wait().await;
        let Some(server) = server.upgrade() else {
            return;
        };
        execute_all(&server, &output).await;
    }
}

/// Executes a batch on the I/O thread. A broadcast waits for clients that read but are behind, since
/// each may hold its own copy of what is queued, and yields to other tasks after many bytes. A message
/// to one client never waits: no answer is late because of another client.
async fn execute_and_wait(server: &Arc<Server>, mut batch: Batch) {
    let mut flush_set = FlushSet::default();
    while batch.step(server, &mut flush_set) {
        let is_broadcast = std::mem::take(&mut flush_set.is_broadcast);
        if flush_set.behind.is_empty() {
            if flush_set.bytes >= YIELD_AT {
                flush_set.bytes = 0;
                yield_now().await;
            }
        } else if is_broadcast {
            flush_set.flush();
            let behind = std::mem::take(&mut flush_set.behind);
            wait_for(behind).await;
        } else {
            flush_set.wait_in_background();
        }
    }
}

/// Executes a task without waiting.
fn execute_now(server: &Arc<Server>, task: Task) {
    // A panic would stop all later commands, so it is confined to one task.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let flush_set = &mut FlushSet::default();
        match task {
            Task::Batch(text, attachments) => {
                let mut batch = Batch::new(text, attachments);
                while batch.step(server, flush_set) {}
            }
            Task::Expire(socket) => {
                expire(server, &socket, flush_set);
            }
            Task::EndAll(reason) => server.engine.end_all(reason),
            Task::Deferred(actions) => drop(actions),
        }
    }));
}

/// A batch of commands, executed one after the other.
struct Batch {
    text: String,
    /// The start of the next line.
    at: usize,
    attachments: std::vec::IntoIter<Bytes>,
}

impl Batch {
    fn new(text: String, attachments: Vec<Bytes>) -> Self {
        Self {
            text,
            at: 0,
            attachments: attachments.into_iter(),
        }
    }

    /// Executes the next command, or the next series of broadcasts to one audience; false if there is
    /// none. A panic costs that command or series.
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
        let executed = catch_unwind(AssertUnwindSafe(|| {
            let line = Line::parse(line);
            let attached = take(attachments, line.attachments);
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
                Command::Publish(first) => {
                    let more = SameChannel {
                        text,
                        at,
                        attachments,
                        channel: first.channel,
                        bytes: first.json.len(),
                    };
                    publish(server, published(first, attached), more, flush_set);
                    Ok(())
                }
                command => execute_command(server, command, attached, flush_set),
            }
        }));
        if let Ok(Err(error)) = executed {
            report(server, &error);
        }
        true
    }
}

/// Reports to JavaScript a command that cannot be executed.
fn report(server: &Server, error: &CommandError) {
    let message = match error.source() {
        Some(source) => format!("{error} ({source})"),
        None => error.to_string(),
    };
    server.events.push(Event::InvalidCommand { message });
}

/// Whether a frame with this many attachments is one message on the wire.
fn is_one_message(attachments: usize, parser: Parser) -> bool {
    attachments == 0 || parser == Parser::Msgpack
}

/// The next attachments of a batch.
fn take(attachments: &mut std::vec::IntoIter<Bytes>, count: usize) -> Vec<Bytes> {
    // Most commands have none, and the iterator would take longer.
    if count == 0 {
        return Vec::new();
    }
    attachments.take(count).collect()
}

/// The broadcasts after the first that have the same audience, and are sent together with it.
struct Alike<'a, 'b> {
    text: &'a str,
    /// The start of the next line.
    at: &'b mut usize,
    attachments: &'b mut std::vec::IntoIter<Bytes>,
    first: Broadcast<'a>,
    parser: Parser,
}

impl<'a> Alike<'a, '_> {
    /// The next one, the number of its attachments, and the end of its line.
    fn peek(&self) -> Option<(Broadcast<'a>, usize, usize)> {
        let mut end = *self.at;
        let line = next_line(self.text, &mut end)?;
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
        Some((next, take(self.attachments, attachments)))
    }
}

/// The items after the first that are published in the same channel, and are sent together with it.
struct SameChannel<'a, 'b> {
    text: &'a str,
    /// The start of the next line.
    at: &'b mut usize,
    attachments: &'b mut std::vec::IntoIter<Bytes>,
    channel: ChannelNumber,
    /// Their bytes so far, without attachments.
    bytes: usize,
}

impl<'a> Iterator for SameChannel<'a, '_> {
    type Item = Published<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut end = *self.at;
        let line = next_line(self.text, &mut end)?;
        if self.bytes >= MAX_SERIES || !parse::may_be_publish(line) {
            return None;
        }
        let line = Line::parse(line);
        match line.command {
            Ok(Command::Publish(next)) if next.channel == self.channel => {
                *self.at = end;
                self.bytes += next.json.len();
                Some(published(next, take(self.attachments, line.attachments)))
            }
            _ => None,
        }
    }
}

/// Publishes a series of items in one channel.
#[inline(never)]
fn publish(
    server: &Arc<Server>,
    first: Published<'_>,
    more: SameChannel<'_, '_>,
    flush_set: &mut FlushSet,
) {
    if let Some(channel) = server.channels.get(more.channel) {
        let bytes = channel.publish(std::iter::once(first).chain(more), flush_set);
        flush_set.broadcast(bytes);
    }
}

fn published(item: Publish<'_>, attachments: Vec<Bytes>) -> Published<'_> {
    Published {
        offset: item.offset,
        json: item.json,
        attachments,
    }
}

/// Sends a series of broadcasts to one audience.
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
    let frames = series.map(|(each, attached)| {
        let packet = Outgoing::event(&namespace.name, each.json, None);
        parser.encode(packet, attached)
    });
    // Takes as many as fit; the rest form the next series.
    let series = Series::gather(frames);
    let receivers = namespace.audience(&audience);
    flush_set.broadcast(receivers.len() * series.len());
    for socket in receivers {
        flush_set.send_series(&socket.connection, &series);
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
    if let Some(ack) = ack
        && !flags.unreported
    {
        // Queued before the broadcast is sent, so that it comes before any acknowledgement.
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
    let packet = Outgoing::event(&namespace.name, json, ack);
    let frame = flagged(parser.encode(packet, attached), flags);
    flush_set.broadcast(receivers.len() * frame.len());
    for socket in receivers {
        socket.send(&frame, flush_set);
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

/// Sends a packet to one client.
fn send(
    parser: Parser,
    socket: &Socket,
    packet: Outgoing<'_>,
    attached: Vec<Bytes>,
    flags: Flags,
    flush_set: &mut FlushSet,
) {
    let mut digits = itoa::Buffer::new();
    match parser.text(packet, &attached, &mut digits) {
        Some(parts) => {
            let text = PlainText {
                parts: &parts,
                volatile: flags.volatile,
                compress: !flags.uncompressed,
            };
            flush_set.send_text(&socket.connection, text);
        }
        None => socket.send(&flagged(parser.encode(packet, attached), flags), flush_set),
    }
}

/// Executes any other command.
fn execute_command(
    server: &Arc<Server>,
    command: Command<'_>,
    attached: Vec<Bytes>,
    flush_set: &mut FlushSet,
) -> Result<(), CommandError> {
    let parser = server.parser;
    match command {
        Command::Answer { socket, ack, json } => {
            if let Some(socket) = server.socket(socket) {
                let packet = Outgoing::ack(&socket.namespace.name, json, ack);
                send(
                    parser,
                    &socket,
                    packet,
                    attached,
                    Flags::default(),
                    flush_set,
                );
            }
        }
        Command::Emit {
            socket,
            ack,
            flags,
            json,
        } => {
            if let Some(socket) = server.socket(socket) {
                let packet = Outgoing::event(&socket.namespace.name, json, ack);
                send(parser, &socket, packet, attached, flags, flush_set);
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
            if let Some(socket) = server.socket(socket) {
                let welcome = Welcome::of(&socket.id);
                accept(server, &socket, welcome, flush_set);
            }
        }
        Command::AcceptRecoverable { socket, id, pid } => {
            if let Some(socket) = server.socket(socket) {
                let welcome = Welcome {
                    id: id.as_str(),
                    pid: Some(pid.as_str()),
                };
                accept(server, &socket, welcome, flush_set);
            }
        }
        Command::Refuse { socket, json } => {
            if let Some(socket) = server.socket(socket) {
                let refusal = parser.connect_error(&socket.namespace.name, json, &attached);
                socket.send(&refusal, flush_set);
                socket.end(CloseReason::Refused);
            }
        }
        Command::Withdraw { socket } => {
            if let Some(socket) = server.socket(socket) {
                socket.end(CloseReason::Refused);
            }
        }
        Command::AnswerNamespaceRequest {
            sid,
            request,
            exists,
        } => {
            let packed = attached.into_iter().next();
            server.answer_namespace_request(sid, parse::json("request", request)?, packed, exists);
        }
        Command::Mute { socket, muted } => {
            if let Some(socket) = server.socket(socket) {
                socket.mute(muted);
            }
        }
        Command::Disconnect { socket } => {
            if let Some(socket) = server.socket(socket) {
                let reason = CloseReason::ServerNamespaceDisconnect;
                disconnect(server, &socket, reason, flush_set);
            }
        }
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
        // A series of its own; see [`Batch::step`].
        Command::Publish(_) => {}
        Command::Channel(command) => execute_channel_command(server, command, flush_set)?,
    }
    Ok(())
}

/// Executes a command about channels and subscriptions.
#[inline(never)]
fn execute_channel_command(
    server: &Arc<Server>,
    command: ChannelCommand<'_>,
    flush_set: &mut FlushSet,
) -> Result<(), CommandError> {
    match command {
        ChannelCommand::Define {
            channel,
            namespace,
            options,
        } => {
            let options = parse::json("options", options)?;
            if let Some(namespace) = server.namespace_at(namespace) {
                let defined = Channel::new(&server.shared, namespace, options);
                server.channels.add(channel, defined);
            }
        }
        ChannelCommand::Subscribe {
            socket,
            subscription,
            channel,
            from,
        } => {
            if let (Some(socket), Some(channel)) =
                (server.socket(socket), server.channels.get(channel))
            {
                channel.subscribe(&socket, subscription, from, flush_set);
            }
        }
        ChannelCommand::Hold {
            socket,
            subscription,
            held,
        } => {
            let found = server.socket(socket);
            if let Some((channel, slot)) = found.and_then(|it| it.subscription(subscription)) {
                channel.hold(slot, (socket, subscription), held, flush_set);
            }
        }
        ChannelCommand::Unsubscribe {
            socket,
            subscription,
        } => {
            let found = server.socket(socket);
            if let Some((channel, slot)) = found.and_then(|it| it.unsubscribed(subscription)) {
                channel.remove(slot, (socket, subscription), flush_set);
            }
        }
        ChannelCommand::Finish { channel } => {
            if let Some(channel) = server.channels.get(channel) {
                channel.finish(flush_set);
            }
        }
        ChannelCommand::Close { channel } => {
            if let Some(channel) = server.channels.remove(channel) {
                channel.close(flush_set);
            }
        }
    }
    Ok(())
}

/// Accepts a socket into its namespace.
fn accept(server: &Server, socket: &Arc<Socket>, welcome: Welcome<'_>, flush_set: &mut FlushSet) {
    if socket.accept(server.parser, welcome, flush_set).is_err() {
        malformed(server, &socket.connection);
    }
}

/// Ends a socket and tells its client.
fn disconnect(
    server: &Server,
    socket: &Arc<Socket>,
    reason: CloseReason,
    flush_set: &mut FlushSet,
) {
    socket.send(&server.parser.disconnect(&socket.namespace.name), flush_set);
    socket.end(reason);
}

/// The client of a socket has not authenticated in time: ends its connection. Other sockets of that end for another
/// reason, whether or not they have authenticated.
fn expire(server: &Server, socket: &Arc<Socket>, flush_set: &mut FlushSet) {
    for other in socket.connection.data.sockets() {
        let reason = if Arc::ptr_eq(&other, socket) {
            CloseReason::AuthenticationTimeout
        } else {
            CloseReason::ServerNamespaceDisconnect
        };
        disconnect(server, &other, reason, flush_set);
    }
    socket.connection.finish(CloseReason::ForcedClose);
}
