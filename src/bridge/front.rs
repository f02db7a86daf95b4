//! The front in Rust (`engineio::front`), as JavaScript sets it up and passes connections to it. On Windows
//! there is none, and all requests are Node's.

#[cfg(unix)]
use std::io::ErrorKind;
#[cfg(unix)]
use std::sync::Arc;
#[cfg(unix)]
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::Result;
use napi_derive::napi;

#[cfg(unix)]
use super::event_batch::EventQueue;
#[cfg(unix)]
use super::functions::Number;
use super::functions::{Callable, Functions};
use super::requests::CorsOptions;
use super::server::NativeServer;
use crate::engineio::engine;
#[cfg(unix)]
use crate::engineio::front::{Front, Options, READ_SIZE};
#[cfg(unix)]
use crate::engineio::http::cors::{Cors, Origins};
#[cfg(unix)]
use crate::io::{adopt_fd, host::Released};
#[cfg(unix)]
use crate::socketio::server::Server;

/// What the application has set, and whether it wants to see requests. Durations are milliseconds, 0 for
/// ever.
#[napi(object)]
pub struct FrontOptions {
    /// Whether requests are served without Node.
    pub serves: bool,
    /// Whether requests may open sessions.
    pub opens: bool,
    /// Whether every packet of a new connection is reported.
    pub watched: bool,
    /// What the URLs of the client's bundles begin with, if they are served.
    pub bundles: Option<String>,
    pub cors: Option<FrontCors>,
    pub keep_alive_timeout: f64,
    pub request_timeout: f64,
}

/// The option `cors`, where the application need not be asked.
#[napi(object)]
pub struct FrontCors {
    pub options: CorsOptions,
    /// The one origin that is allowed, or `*`.
    pub origin: Option<String>,
    /// The origins that are allowed; without both, that of the request.
    pub origins: Option<Vec<String>>,
}

#[cfg(unix)]
fn duration(ms: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(ms / 1000.0)
        .ok()
        .filter(|it| !it.is_zero())
}

#[cfg(unix)]
impl FrontCors {
    fn policy(self) -> std::result::Result<(Cors, Origins), http::Error> {
        let origins = match (self.origin, self.origins) {
            (Some(any), _) if any == "*" => Origins::Any,
            (Some(origin), _) => Origins::Fixed(origin.try_into()?),
            (None, Some(origins)) => Origins::Listed(origins),
            (None, None) => Origins::Reflected,
        };
        Ok((self.options.cors()?, origins))
    }
}

#[cfg(unix)]
impl From<FrontOptions> for Options {
    fn from(options: FrontOptions) -> Self {
        let cors = options.cors.map(FrontCors::policy).transpose();
        Self {
            // What cannot be sent is Node's to refuse.
            serves: options.serves && cors.is_ok(),
            opens: options.opens,
            watched: options.watched,
            bundles: options.bundles,
            cors: cors.unwrap_or_default(),
            keep_alive: duration(options.keep_alive_timeout),
            request_timeout: duration(options.request_timeout),
        }
    }
}

#[napi]
impl NativeServer {
    /// Sets up the front in Rust, for requests that come from now on.
    #[napi(catch_unwind)]
    #[cfg_attr(not(unix), allow(unused_variables))]
    pub fn configure_front(&self, options: FrontOptions) {
        #[cfg(unix)]
        self.front.configure(options.into());
    }

    /// Makes a function that takes a connection from Node if it begins with a request that is served here, or
    /// if nothing has come yet: what it brings decides then whether it comes back. The caller destroys its own
    /// half of a connection that was taken. The function is given:
    ///
    /// - `fd`: the connection's descriptor, which Node does not read
    /// - `owner`: a number of the caller's for what had accepted it; a record tells when it is closed or comes
    ///   back
    ///
    /// It returns whether the connection was taken, and is called for each connection; see
    /// [`functions`](super::functions).
    #[napi(
        getter,
        catch_unwind,
        ts_return_type = "(fd: number, owner: number) => boolean"
    )]
    pub fn take_http<'env>(&self, env: &'env Env) -> Result<Callable<'env, bool>> {
        #[cfg(unix)]
        let from_node = (self.front.clone(), self.queue.clone());
        #[cfg(not(unix))]
        let from_node = ();
        Functions::new(env, from_node).make("takeHttp", |from_node, given| {
            #[cfg(unix)]
            return take_from_node(from_node, &given.number(0), &given.number(1));
            #[cfg(not(unix))]
            {
                let _ = (from_node, given);
                false
            }
        })
    }

    /// Has the connections of the front in Rust end: idle ones now, others after the response that is
    /// under way.
    #[napi(catch_unwind)]
    pub fn leave_http(&self) {
        #[cfg(unix)]
        self.front.leave();
    }

    /// Ends the idle connections of the front in Rust.
    #[napi(catch_unwind)]
    pub fn end_idle_http(&self) {
        #[cfg(unix)]
        self.front.end_idle();
    }

    /// Ends all connections of the front in Rust, whatever is under way.
    #[napi(catch_unwind)]
    pub fn end_all_http(&self) {
        #[cfg(unix)]
        self.front.break_all();
    }

    /// Ends the connections of the front in Rust, except those that wait for a session.
    #[napi(catch_unwind)]
    pub fn end_http(&self) {
        #[cfg(unix)]
        self.front.end_all();
    }

    /// A number for a connection that a request may open.
    #[napi(catch_unwind)]
    pub fn next_connection(&self) -> i64 {
        engine::next_connection().cast_signed()
    }
}

/// Takes a connection from Node, for the front and for the queue that is told when it is closed.
#[cfg(unix)]
fn take_from_node(
    (front, queue): &(Arc<Front<Server>>, Arc<EventQueue>),
    fd: &Number,
    owner: &Number,
) -> bool {
    let fd = fd.whole().and_then(|fd| i32::try_from(fd).ok());
    let (Some(fd), Some(owner)) = (fd, owner.name()) else {
        return false;
    };
    let mut first = vec![0; READ_SIZE];
    match adopt_fd::peek(fd, &mut first) {
        Ok(length) if length > 0 => {
            first.truncate(length);
            if !front.serves(&first) {
                return false;
            }
        }
        // The front waits for them.
        Err(error) if error.kind() == ErrorKind::WouldBlock => first = Vec::new(),
        _ => return false,
    }
    let Ok(taken) = adopt_fd::take(fd) else {
        return false;
    };
    let released = Released::new(queue.clone(), owner);
    if !first.is_empty() {
        adopt_fd::skip(fd, &mut first);
    }
    // An error closes the connection.
    let _ = front.take(taken.released(released), owner, first);
    true
}
