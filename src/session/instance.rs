//! Which LoopbackSocket it is.

/// One of the LoopbackSockets that serve a socket: its place, from 0, among the [`super::Event::Served`]
/// and [`super::Event::Restored`] of that socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Instance(pub(crate) u32);
