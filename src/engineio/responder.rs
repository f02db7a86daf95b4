//! Who writes the response to a request of long polling.

use std::fmt;
#[cfg(unix)]
use std::sync::Arc;

use super::events::{Events, RequestNumber, ResponseOrRefusal};

/// Writes the response to the one request that it waits with.
#[cfg(unix)]
pub(crate) trait Respond: Send + Sync {
    /// Called once for each request, on any thread.
    fn respond(&self, response: ResponseOrRefusal);

    /// The session has ended whose packets are being received: nobody wants the rest.
    fn abort(&self);
}

/// Who writes the response to a request.
#[derive(Clone)]
pub(crate) enum Responder {
    /// Node, by JavaScript's number for the request.
    Node(RequestNumber),
    /// The connection of HTTP on which the request came; see [`super::front`].
    #[cfg(unix)]
    Stream(Arc<dyn Respond>),
}

impl Responder {
    pub(super) fn respond(self, events: &dyn Events, response: ResponseOrRefusal) {
        match self {
            Self::Node(request) => events.response(request, response),
            #[cfg(unix)]
            Self::Stream(stream) => stream.respond(response),
        }
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(request) => f.debug_tuple("Node").field(request).finish(),
            #[cfg(unix)]
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}
