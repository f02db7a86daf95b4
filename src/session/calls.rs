//! The acknowledgements that clients wait for.

use std::num::NonZeroU64;

use super::numbered::Numbered;

/// One event of a client that waits for an acknowledgement. Its number is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call(NonZeroU64);

impl Call {
    /// The call of this number; none has the number 0.
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The number by which a host may carry the call.
    pub(crate) fn number(self) -> u64 {
        self.0.get()
    }
}

/// The acknowledgements that are due. Whoever settles a call first takes its token with it, so a
/// second answer is not possible; the application's listeners and the methods of several
/// instances may all hold the same call.
pub(super) struct Calls<A>(Numbered<A>);

impl<A> Default for Calls<A> {
    fn default() -> Self {
        Self(Numbered::default())
    }
}

impl<A> Calls<A> {
    /// Holds `ack` until it is answered.
    pub(super) fn hold(&mut self, ack: A) -> Call {
        Call(self.0.hold(ack))
    }

    /// The token to answer, unless the call was answered before.
    pub(super) fn answer(&mut self, call: Call) -> Option<A> {
        self.0.take(call.0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
