//! The native server, as JavaScript drives it.
//!
//! `lib/socketio/` calls these methods with numbers that it was given and text that it wrote; events for
//! JavaScript go through the [`EventQueue`]. What must stay true: no method panics or throws for a number
//! whose socket has ended, since sockets end at any time. Numbers have 64 bits here and are exact as
//! doubles in JavaScript; none is used twice in a process.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use napi::bindgen_prelude::{Buffer, Either, FnArgs, Function, Result};
use napi::threadsafe_function::{
    ThreadsafeCallContext, ThreadsafeFunction, ThreadsafeFunctionCallMode, UnknownReturnValue,
};
use napi::{Env, Error, JsValue, Status};
use napi_derive::napi;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::event_batch::EventQueue;
use super::event_loop;
use super::native_sessions::{NativeSessions, Sessions};
use super::value::{self, Raw};
use crate::engineio::Sid;
use crate::engineio::config::Config;
#[cfg(unix)]
use crate::engineio::front::Front;
use crate::engineio::http::encoding::HttpCompression;
#[cfg(unix)]
use crate::io::adopt_fd;
use crate::io::host::RelayNumber;
#[cfg(unix)]
use crate::io::host::Released;
use crate::io::relay::Relay;
use crate::io::runtime::Runtime;
use crate::io::transport::Carrier;
use crate::session::Methods;
use crate::socketio::commands;
use crate::socketio::commands::queue::{AtOnce, Task};
use crate::socketio::options::Options;
use crate::socketio::packet;
use crate::socketio::parser::Parser;
use crate::socketio::server::Server;
use crate::websocket::deflate::{self, WindowBits};

/// The options of a native server; the caller has validated them. Durations are milliseconds, sizes
/// bytes.
#[napi(object)]
pub struct NativeOptions {
    pub ping_interval: f64,
    pub ping_timeout: f64,
    pub upgrade_timeout: f64,
    pub connect_timeout: f64,
    pub max_http_buffer_size: f64,
    pub max_backpressure: f64,
    /// `'json'` or `'msgpack'`.
    #[napi(ts_type = "'json' | 'msgpack'")]
    pub parser: String,
    /// `'polling'`, `'websocket'`.
    pub transports: Vec<String>,
    pub allow_upgrades: bool,
    #[napi(js_name = "allowEIO3")]
    pub allow_eio3: bool,
    pub per_message_deflate: Option<DeflateOptions>,
    /// Without it, responses to polls are not compressed.
    pub http_compression: Option<HttpCompressionOptions>,
}

/// How messages on websockets are compressed: the options of `ws`, those that are used.
#[napi(object)]
pub struct DeflateOptions {
    /// The length from which on a message is compressed.
    pub threshold: f64,
    pub server_no_context_takeover: Option<bool>,
    pub client_no_context_takeover: Option<bool>,
    pub server_max_window_bits: Option<Either<bool, u32>>,
    pub client_max_window_bits: Option<Either<bool, u32>>,
    pub zlib_deflate_options: Option<ZlibOptions>,
}

/// The options of zlib that are used.
#[napi(object)]
pub struct ZlibOptions {
    /// From 0 to 9; -1 stands for zlib's default.
    pub level: Option<i32>,
}

impl From<DeflateOptions> for deflate::Options {
    fn from(options: DeflateOptions) -> Self {
        let window = |bits| match bits {
            Some(Either::A(false)) => WindowBits::Refused,
            Some(Either::B(bits)) => {
                u8::try_from(bits).map_or(WindowBits::Any, WindowBits::Exactly)
            }
            Some(Either::A(true)) | None => WindowBits::Any,
        };
        let default = Self::default();
        let level = options.zlib_deflate_options.and_then(|zlib| zlib.level);
        Self {
            threshold: options.threshold as usize,
            level: level
                .and_then(|level| u8::try_from(level).ok())
                .unwrap_or(default.level),
            server_no_context_takeover: options.server_no_context_takeover,
            client_no_context_takeover: options.client_no_context_takeover == Some(true),
            server_max_window_bits: window(options.server_max_window_bits),
            client_max_window_bits: window(options.client_max_window_bits),
        }
    }
}

/// How responses to polls are compressed.
#[napi(object)]
pub struct HttpCompressionOptions {
    /// The length from which on a response is compressed.
    pub threshold: f64,
    /// zlib's level, from 0 to 9; -1 is the default.
    pub level: Option<i32>,
    /// zlib's window, from 8 to 15.
    pub window_bits: Option<u8>,
}

impl From<HttpCompressionOptions> for HttpCompression {
    fn from(options: HttpCompressionOptions) -> Self {
        let default = Self::default();
        let level = options.level.and_then(|level| u32::try_from(level).ok());
        Self {
            threshold: options.threshold as usize,
            level: level.unwrap_or(default.level),
            window_bits: options.window_bits.unwrap_or(default.window_bits),
        }
    }
}

impl From<NativeOptions> for Options {
    fn from(options: NativeOptions) -> Self {
        let duration = |ms: f64| Duration::from_millis(ms as u64);
        let size = |bytes: f64| bytes as usize;
        let allows = |transport: &str| options.transports.iter().any(|name| name == transport);
        let engine = Config {
            ping_interval: duration(options.ping_interval),
            ping_timeout: duration(options.ping_timeout),
            upgrade_timeout: duration(options.upgrade_timeout),
            connect_timeout: duration(options.connect_timeout),
            max_http_buffer_size: size(options.max_http_buffer_size),
            max_backpressure: size(options.max_backpressure),
            polling: allows("polling"),
            websocket: allows("websocket"),
            allow_upgrades: options.allow_upgrades,
            allow_eio3: options.allow_eio3,
            per_message_deflate: options.per_message_deflate.map(Into::into),
            http_compression: options.http_compression.map(Into::into),
        };
        Self {
            engine,
            parser: Parser::named(&options.parser).unwrap_or_default(),
        }
    }
}

/// The function that wakes JavaScript. It does not keep the process alive, and calls `receive` with a
/// batch, its attachments, whether there is more, and whether `processed` is to be called.
type Receive = ThreadsafeFunction<
    (),
    UnknownReturnValue,
    FnArgs<(Raw, Raw, bool, bool)>,
    Status,
    false,
    true,
    0,
>;

/// The function that executes commands, with their attachments.
type Push<'env> = Function<'env, FnArgs<(Raw, Vec<Buffer>)>, ()>;

/// A Socket.IO server in Rust, with its own I/O thread.
#[napi]
pub struct NativeServer {
    pub(super) server: Arc<Server>,
    #[cfg(unix)]
    pub(super) front: Arc<Front<Server>>,
    pub(super) queue: Arc<EventQueue>,
    relays: Mutex<FxHashMap<RelayNumber, Arc<Relay>>>,
    pub(super) runtime: Runtime,
    pub(super) sessions: Arc<Sessions>,
}

#[napi]
impl NativeServer {
    /// Makes a server. `receive(batch, attachments, more, isAwaited)` is called with batches of events. After
    /// one with `more` no events come before `resume`; after one with `isAwaited`, `processed` must be
    /// called. Without `hasLibuv`, only the I/O thread polls clients.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        env: Env,
        options: NativeOptions,
        #[napi(
            ts_arg_type = "(batch: string, attachments: Buffer[] | undefined, more: boolean, isAwaited: boolean) => void"
        )]
        receive: Function<'_, FnArgs<(Raw, Raw, bool, bool)>, UnknownReturnValue>,
        has_libuv: bool,
    ) -> Result<Self> {
        let runtime = Runtime::shared().map_err(|error| Error::from_reason(error.to_string()))?;
        let queue = Arc::new(EventQueue::new());
        let taker = Arc::downgrade(&queue);
        let function = receive.raw();
        let reactor = runtime.reactor.clone();
        let receive: Receive = receive
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .build_callback(move |context: ThreadsafeCallContext<()>| {
                let queue = taker
                    .upgrade()
                    .ok_or_else(|| Error::from_reason("The server is gone."))?;
                let env = context.env.raw();
                event_loop::acquire_if_suitable(&reactor);
                let batch = queue.take();
                let text = queue.with_text(|text| value::string(env, text))?;
                Ok(FnArgs::from((
                    text,
                    value::buffers(env, &batch.attachments)?,
                    batch.more,
                    batch.is_awaited,
                )))
            })?;
        if has_libuv {
            event_loop::listen(env.raw(), &queue, function, &runtime.reactor);
        }
        let found_by = Arc::downgrade(&queue);
        queue.set_wake(Some(Box::new(move || {
            if event_loop::note(&found_by) {
                return;
            }
            receive.call((), ThreadsafeFunctionCallMode::NonBlocking);
        })));
        let options = Options::from(options);
        let server = commands::start(options, queue.clone(), &runtime);
        let sessions = Arc::new(Sessions::new(server.clone(), runtime.delayed.clone()));
        Ok(Self {
            #[cfg(unix)]
            front: Front::new(&server),
            server,
            queue,
            relays: Mutex::default(),
            runtime,
            sessions,
        })
    }

    /// The next iteration of the event loop after `more` has begun: the next batch may come.
    #[napi(catch_unwind)]
    pub fn resume(&self) {
        self.queue.resume();
    }

    /// The function to call when a batch with `isAwaited` has been processed, and its answers have been pushed.
    #[napi(getter, catch_unwind, ts_return_type = "() => void")]
    pub fn processed<'env>(&self, env: &'env Env) -> Result<Function<'env, (), ()>> {
        let (server, queue) = (self.server.clone(), self.queue.clone());
        env.create_function_from_closure("processed", move |_| {
            let deferred = queue.processed();
            if !deferred.is_empty() {
                commands::execute(&server, Task::Deferred(deferred), &AtOnce::LITTLE);
            }
            Ok(())
        })
    }

    /// The records of the last batch, each as a JSON array.
    #[napi(catch_unwind)]
    pub fn records(&self) -> Vec<String> {
        self.queue.records()
    }

    /// The index of a namespace, which is created on first use. Clients may join it from now on.
    #[napi(catch_unwind)]
    pub fn namespace(&self, name: String) -> i64 {
        self.server.namespace(&name).cast_signed()
    }

    /// Removes a namespace that has no sockets.
    #[napi(catch_unwind)]
    pub fn remove_namespace(&self, index: i64) {
        self.server.remove_namespace(index.cast_unsigned());
    }

    /// Has the numbers of new sockets, namespaces and tables begin after this one. For tests of very
    /// long-lived processes.
    #[napi(catch_unwind)]
    pub fn skip_numbers(&self, to: i64) {
        let to = to.cast_unsigned();
        self.server.skip_numbers(to);
        self.sessions.skip_tables(to);
    }

    /// Reports clients that ask for a namespace that does not exist, instead of refusing them.
    #[napi(catch_unwind)]
    pub fn ask_for_namespaces(&self) {
        self.server.report_namespace_requests();
    }

    #[cfg_attr(not(unix), allow(unused_variables))]
    pub(super) fn carrier(&self, fd: i32, number: RelayNumber, owner: i64) -> Option<Carrier> {
        if fd < 0 {
            let (relay, halves) = Relay::new(number, self.queue.clone());
            self.relays.lock().insert(number, relay);
            return Some(Carrier::Relay(halves));
        }
        #[cfg(unix)]
        return adopt_fd::take(fd).ok().map(|taken| {
            Carrier::Descriptor(
                taken.released(Released::new(self.queue.clone(), owner.cast_unsigned())),
            )
        });
        #[cfg(not(unix))]
        None
    }

    /// Passes in bytes of a client whose stream is relayed.
    ///
    /// @returns whether to continue reading; otherwise a record tells when
    #[napi(catch_unwind)]
    pub fn relay_data(&self, relay: i64, data: Buffer) -> bool {
        let relay = self.relays.lock().get(&relay.cast_unsigned()).cloned();
        relay.is_none_or(|relay| relay.on_data(&data))
    }

    /// Bytes that a record has passed have been written.
    #[napi(catch_unwind)]
    pub fn relay_written(&self, relay: i64, bytes: u32) {
        let relay = self.relays.lock().get(&relay.cast_unsigned()).cloned();
        if let Some(relay) = relay {
            relay.on_written(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
    }

    /// A client whose stream is relayed sends no more.
    #[napi(catch_unwind)]
    pub fn relay_end(&self, relay: i64) {
        let relay = self.relays.lock().get(&relay.cast_unsigned()).cloned();
        if let Some(relay) = relay {
            relay.on_end();
        }
    }

    /// The socket of a relayed stream is closed.
    #[napi(catch_unwind)]
    pub fn relay_close(&self, relay: i64) {
        let relay = self.relays.lock().remove(&relay.cast_unsigned());
        if let Some(relay) = relay {
            relay.on_close();
        }
    }

    /// Ends a session at once, as if its client had disconnected.
    #[napi(catch_unwind)]
    pub fn terminate(&self, sid: String) {
        if let Ok(sid) = sid.parse()
            && let Some(connection) = self.server.connection(sid)
        {
            connection.abort();
        }
    }

    /// Whether every packet that is received on a session is reported, from now on. For sent packets there
    /// is a command, which is executed in order with the others.
    #[napi(catch_unwind)]
    pub fn watch_received(&self, sid: String, watched: bool) {
        if let Ok(sid) = sid.parse()
            && let Some(connection) = self.server.connection(sid)
        {
            connection.watch_received(watched);
        }
    }

    /// Makes a function that executes commands in order, one for each line, as `src/protocol.rs` defines them.
    /// It is called for each batch of events; see [`functions`](super::functions).
    #[napi(
        getter,
        catch_unwind,
        ts_return_type = "(operations: string, attachments?: Buffer[]) => void"
    )]
    pub fn push<'env>(&self, env: &'env Env) -> Result<Push<'env>> {
        let server = self.server.clone();
        let reactor = self.runtime.reactor.clone();
        env.create_function_from_closure("push", move |context| {
            let text = value::text(context.env.raw(), context.first_arg()?)?;
            let attachments = if context.length() > 1 {
                copies(&context.get::<Vec<Buffer>>(1)?)
            } else {
                Vec::new()
            };
            let limit = match event_loop::does_everything(&reactor) {
                true => &AtOnce::MOST,
                false => &AtOnce::LITTLE,
            };
            commands::execute(&server, Task::Batch(text, attachments), limit);
            Ok(())
        })
    }

    /// Registers methods by name (a JSON array of strings), for `NativeSessions.bound`.
    ///
    /// @returns the number of the table
    #[napi(catch_unwind)]
    pub fn methods(&self, names: String) -> Result<i64> {
        let names = packet::names(&names).map_err(|error| Error::from_reason(error.to_string()))?;
        Ok(self.sessions.add_table(Methods::named(names)).cast_signed())
    }

    /// Removes a table that is not bound to any socket any more.
    #[napi(catch_unwind)]
    pub fn forget_methods(&self, table: i64) {
        self.sessions.remove_table(table.cast_unsigned());
    }

    /// The sessions of the server's sockets.
    #[napi(getter, catch_unwind)]
    pub fn sessions<'env>(&self, env: &'env Env) -> Result<NativeSessions<'env>> {
        NativeSessions::new(env, self.sessions.clone())
    }

    /// Ends every connection, after the commands given before; each is reported as closed. Accepts no more
    /// connections.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.server.close();
    }

    /// Clients whose connection ends from now on have this many milliseconds, or a little longer, to close
    /// their streams.
    #[napi(catch_unwind)]
    pub fn limit_closing(&self, ms: u32) {
        let within = Duration::from_millis(ms.into());
        self.server.engine.limit_closing(within);
    }

    /// Ends all current connections. New ones are still accepted.
    #[napi(catch_unwind)]
    pub fn close_connections(&self) {
        self.server.close_connections();
    }

    /// Releases `receive`: after `close` has ended every connection, nothing more is reported.
    #[napi(catch_unwind)]
    pub fn release(&self) {
        self.queue.set_wake(None);
        event_loop::unlisten(&self.queue);
    }
}

impl Drop for NativeServer {
    /// Ends all connections: a worker thread ended, or the server was garbage collected.
    fn drop(&mut self) {
        #[cfg(unix)]
        self.front.abandon();
        self.release();
        self.server.close();
        #[cfg(unix)]
        self.front.end_all();
    }
}

fn copies(buffers: &[Buffer]) -> Vec<Bytes> {
    let copy = |buffer: &Buffer| Bytes::copy_from_slice(buffer);
    buffers.iter().map(copy).collect()
}

/// Whether a text can be the id of a session.
// Tests of Rust register nothing with Node.
#[cfg_attr(test, allow(dead_code))]
#[napi(catch_unwind)]
pub(super) fn is_session_id(text: String) -> bool {
    text.parse::<Sid>().is_ok()
}
