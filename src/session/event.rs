//! What a host reports to a session.

use std::sync::Arc;

use super::attempts::Attempt;
use super::instance::Instance;
use super::methods::Methods;

/// Something that happened to a socket. `now` is in milliseconds of any clock that does not go backwards; most
/// events, and all that clients cause, do not depend on the time.
///
/// A host of sockets reports client events either as [`Event::Incoming`], by name, or, where it
/// has a listener of its own for each name, none of them: what it listens for are the methods that the session
/// let it bind. Either way it reports credentials that it takes as [`Event::Credentials`].
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// A LoopbackSocket begins to serve the socket. `timeout` is how many milliseconds the socket
    /// may stay pending from `now` on; `None` is `'none'`.
    Served { timeout: Option<u64>, now: u64 },
    /// A LoopbackSocket begins to serve a socket that it has authenticated before: the host has recovered
    /// the socket's state after a lost connection. `methods` are those that were bound then.
    Restored { methods: Arc<Methods> },
    /// The client emitted the event `name` (decoded; WTF-8, for a name may hold a lone surrogate).
    Incoming { name: &'a [u8] },
    /// This instance takes the credentials of the client, which nothing has kept from it: an attempt begins.
    Credentials { instance: Instance },
    /// The handler that an attempt waits for is done: first the auth function, then one
    /// onConnected handler after the other. `handlers` is how many of those there are; it counts
    /// with the auth function's outcome only.
    Outcome {
        instance: Instance,
        attempt: Attempt,
        accepted: bool,
        handlers: u32,
    },
    /// The answer to [`Effect::Bind`](super::Effect::Bind): the methods as they stand now.
    Bound {
        instance: Instance,
        attempt: Attempt,
        methods: Arc<Methods>,
    },
    /// The client acknowledged the `unauthorized` of this attempt.
    Acknowledged {
        instance: Instance,
        attempt: Attempt,
    },
    /// The application exempts the socket from authentication (`socket.auth = true`): no timeout ends
    /// it any more. It gets no methods.
    Exempt,
    /// The time of an [`Effect::Timer`](super::Effect::Timer) has come, or time has passed otherwise.
    Tick { now: u64 },
    /// The socket has disconnected.
    Disconnected,
}
