//! What a session wants its host to do.

use smallvec::SmallVec;

use super::attempts::Attempt;
use super::instance::Instance;

/// The effects of one event, in order. Two of them fit without a heap allocation, which is a
/// call of a method that one or two instances bind.
pub(crate) type Effects = SmallVec<[Effect; 2]>;

/// Something the host must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Report [`Event::Tick`](super::Event::Tick) at this time.
    Timer { at: u64 },
    /// The client has sent credentials for this instance: report [`Event::Credentials`](super::Event::Credentials)
    /// when they are taken. Until then no attempt begins and nothing is held, since the host may never take them.
    TakeCredentials { instance: Instance },
    /// Run the auth function of this instance.
    RunAuth {
        instance: Instance,
        attempt: Attempt,
    },
    /// Run one of the onConnected handlers this attempt began with.
    RunConnected {
        instance: Instance,
        attempt: Attempt,
        handler: u32,
    },
    /// Report the methods of this instance, as they stand now.
    Bind {
        instance: Instance,
        attempt: Attempt,
    },
    /// Set `socket.auth` and emit `authenticated`.
    Authenticated {
        instance: Instance,
        attempt: Attempt,
    },
    /// Emit `unauthorized`, and report whether the client acknowledges it.
    Unauthorized {
        instance: Instance,
        attempt: Attempt,
    },
    /// Run this method.
    RunMethod { instance: Instance, method: u32 },
    /// Disconnect the socket from its namespace. The session has ended.
    Disconnect,
    /// Close the connection, with every namespace on it. The session has ended.
    DisconnectConnection,
}
