//! Authentication, attempt by attempt.
//!
//! Every `authentication` of a client is an attempt of its own. Attempts do not know each other:
//! several may be under way, each is answered once, and an outcome that comes for another stage
//! or another instance than the attempt is in changes nothing. An attempt begins when its host takes the
//! credentials. How many there are is limited by the host, which counts those that failed or are under way
//! (`maxAuthenticationAttempts`).
//!
//! ```text
//! Authenticating ──accepted──▶ Connecting(0) ─accepted▶ Connecting(n) ─accepted▶ Binding ─bound▶ gone
//!        └───────── refused ──────────┴────── refused ──────┴──▶ Refused ─acknowledged▶ gone
//! ```

use std::num::NonZeroU64;

use super::id_map::IdMap;
use super::instance::Instance;

/// One `authentication` of a client, on one instance. Its number is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attempt(NonZeroU64);

impl Attempt {
    /// The attempt of this number; none has the number 0.
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The number by which a host may carry the attempt.
    pub(crate) fn number(self) -> u64 {
        self.0.get()
    }
}

/// What an attempt waits for.
#[derive(Clone, Copy)]
enum Stage {
    /// The outcome of the auth function.
    Authenticating,
    /// The outcome of onConnected handler number `handler` of `handlers`.
    Connecting { handler: u32, handlers: u32 },
    /// The methods to bind.
    Binding,
    /// The client's acknowledgement of `unauthorized`.
    Refused,
}

struct UnderWay {
    instance: Instance,
    stage: Stage,
}

/// What follows from an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    RunConnected(u32),
    Bind,
    Refuse,
}

/// The attempts of one socket that are not over.
#[derive(Default)]
pub(super) struct Attempts(IdMap<UnderWay>);

impl Attempts {
    /// Starts an attempt: its auth function is to run.
    pub(super) fn begin(&mut self, instance: Instance) -> Attempt {
        let stage = Stage::Authenticating;
        Attempt(self.0.insert(UnderWay { instance, stage }))
    }

    /// `[life 3, 4]` The handler this attempt waits for is done. onConnected handlers run one after
    /// the other; the first failure refuses the attempt.
    pub(super) fn outcome(
        &mut self,
        instance: Instance,
        attempt: Attempt,
        accepted: bool,
        handlers: u32,
    ) -> Option<Next> {
        let stage = self.stage(instance, attempt)?;
        let (next, handlers) = match *stage {
            Stage::Authenticating => (0, handlers),
            Stage::Connecting { handler, handlers } => (handler.saturating_add(1), handlers),
            Stage::Binding | Stage::Refused => return None,
        };
        Some(if !accepted {
            *stage = Stage::Refused;
            Next::Refuse
        } else if next < handlers {
            *stage = Stage::Connecting {
                handler: next,
                handlers,
            };
            Next::RunConnected(next)
        } else {
            *stage = Stage::Binding;
            Next::Bind
        })
    }

    /// `[life 3]` True, once, if this attempt waited for its methods: it has succeeded.
    pub(super) fn bound(&mut self, instance: Instance, attempt: Attempt) -> bool {
        matches!(self.stage(instance, attempt), Some(Stage::Binding))
            && self.0.remove(attempt.0).is_some()
    }

    /// `[life 4]` True, once, if this attempt was refused.
    pub(super) fn acknowledged(&mut self, instance: Instance, attempt: Attempt) -> bool {
        matches!(self.stage(instance, attempt), Some(Stage::Refused))
            && self.0.remove(attempt.0).is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn stage(&mut self, instance: Instance, attempt: Attempt) -> Option<&mut Stage> {
        let under_way = self.0.get_mut(attempt.0)?;
        (under_way.instance == instance).then_some(&mut under_way.stage)
    }
}
