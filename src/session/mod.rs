//! The life of one socket and of its calls, as a pure state machine.
//!
//! A [`Session`] belongs to one socket of one namespace. Its host feeds it what happened, as an
//! [`Event`], and does what the returned [`Effects`] say, in their
//! order. The session owns which LoopbackSockets serve the socket ([`Instance`]), how far each
//! attempt to authenticate is ([`Attempt`]) and which methods are bound. Names are opaque to it;
//! credentials, arguments, results and acknowledgements never reach it. It knows no clock, no thread, no
//! socket and no JavaScript.
//!
//! What must stay true, whatever the host sends and in whatever order:
//! - a method runs only for a socket that its own instance has authenticated, if only before the socket's
//!   state was recovered;
//! - a socket that stays pending ends at its deadline; a refused one ends before that if and only
//!   if its client acknowledges the refusal;
//! - once the socket has ended nothing is held and nothing has an effect.
//!
//! The numbers in brackets, `[life 3]`, are the points of the contract's "A socket's life".
//!
//! ```text
//! event.rs     what a host reports          attempts.rs  authentication, attempt by attempt
//! effect.rs    what a host must do          timeout.rs   what a timeout given in JavaScript means
//! methods.rs   the methods of one binding   id_map.rs    values under numbers that are used once
//! instance.rs  which LoopbackSocket it is
//! subscriptions/  how the items of a channel reach its subscribers
//! ```

mod attempts;
mod effect;
mod event;
mod id_map;
mod instance;
mod methods;
pub(crate) mod subscriptions;
mod timeout;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use smallvec::SmallVec;

pub(crate) use attempts::Attempt;
pub(crate) use effect::{Effect, Effects};
pub(crate) use event::Event;
pub(crate) use id_map::IdMap;
pub(crate) use instance::Instance;
pub(crate) use methods::Methods;
pub(crate) use timeout::timeout_ms;

use attempts::{Attempts, Next};

/// The event with which a client hands in its credentials.
const AUTHENTICATION: &[u8] = b"authentication";

/// A LoopbackSocket that serves the socket. The methods are those of its last successful attempt;
/// they are also the sign that it has authenticated the socket.
#[derive(Default)]
struct Served {
    methods: Option<Arc<Methods>>,
}

/// The state of one socket.
pub(crate) struct Session {
    /// Every LoopbackSocket that serves the socket; almost always one.
    served: SmallVec<[Served; 1]>,
    /// When the connection is closed. Only a pending socket has a deadline.
    deadline: Option<u64>,
    /// An instance has authenticated the socket, or the application exempted it: it is not
    /// pending any more and never will be again.
    is_exempt: bool,
    /// The socket has disconnected, or an effect has told the host to end it.
    ended: bool,
    attempts: Attempts,
}

impl Session {
    /// A socket that has just connected and that no LoopbackSocket serves yet.
    pub(crate) fn new() -> Self {
        Self {
            served: SmallVec::new(),
            deadline: None,
            is_exempt: false,
            ended: false,
            attempts: Attempts::default(),
        }
    }

    /// How many LoopbackSockets serve the socket: the index that the next [`Event::Served`] or
    /// [`Event::Restored`] gets.
    pub(crate) fn instances(&self) -> u32 {
        u32::try_from(self.served.len()).unwrap_or(u32::MAX)
    }

    /// True from the first [`Effect::Authenticated`] or [`Event::Restored`] until the socket ends.
    pub(crate) fn authenticated(&self) -> bool {
        self.served.iter().any(|served| served.methods.is_some())
    }

    /// True while a LoopbackSocket serves the socket and none has authenticated it, nor has the application
    /// exempted it.
    pub(crate) fn is_pending(&self) -> bool {
        !self.served.is_empty() && !self.is_exempt
    }

    /// When the connection of this pending socket is closed; `None` if nothing will close it.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.deadline
    }

    /// True when the socket has ended: no event has an effect any more.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// True when nothing is held: no instance, no methods, no attempt.
    pub(crate) fn is_empty(&self) -> bool {
        self.served.is_empty() && self.deadline.is_none() && self.attempts.is_empty()
    }

    /// Takes what happened and returns what the host must do about it, in order.
    pub(crate) fn handle(&mut self, event: Event<'_>) -> Effects {
        let mut effects = Effects::new();
        if self.ended {
            return effects;
        }
        match event {
            Event::Incoming { name } => self.incoming(name, &mut effects),
            Event::Served { timeout, now } => self.serve(timeout, now, &mut effects),
            Event::Restored { methods } => self.restore(methods),
            Event::Credentials { instance } => {
                if self.served_by(instance).is_some() {
                    self.begin(instance, &mut effects);
                }
            }
            Event::Outcome {
                instance,
                attempt,
                accepted,
                handlers,
            } => {
                let next = self.attempts.outcome(instance, attempt, accepted, handlers);
                if let Some(next) = next {
                    effects.push(match next {
                        Next::RunConnected(handler) => Effect::RunConnected {
                            instance,
                            attempt,
                            handler,
                        },
                        Next::Bind => Effect::Bind { instance, attempt },
                        Next::Refuse => Effect::Unauthorized { instance, attempt },
                    });
                }
            }
            Event::Bound {
                instance,
                attempt,
                methods,
            } => {
                if self.attempts.bound(instance, attempt) {
                    self.bind(instance, methods);
                    effects.push(Effect::Authenticated { instance, attempt });
                }
            }
            Event::Acknowledged { instance, attempt } => {
                if self.attempts.acknowledged(instance, attempt) {
                    self.end();
                    effects.push(Effect::Disconnect);
                }
            }
            Event::Exempt => self.exempt(),
            Event::Tick { now } => self.tick(now, &mut effects),
            Event::Disconnected => self.end(),
        }
        effects
    }

    /// `[life 5]` The timeout counts from here; with several instances the first to run out ends
    /// the socket.
    fn serve(&mut self, timeout: Option<u64>, now: u64, effects: &mut Effects) {
        self.served.push(Served::default());
        if let Some(timeout) = timeout
            && !self.is_exempt
        {
            let at = now.saturating_add(timeout);
            self.deadline = Some(self.deadline.map_or(at, |deadline| deadline.min(at)));
            effects.push(Effect::Timer { at });
        }
    }

    /// The socket begins as its earlier attempt left it. Nobody is told: that attempt was answered then.
    fn restore(&mut self, methods: Arc<Methods>) {
        self.served.push(Served {
            methods: Some(methods),
        });
        self.exempt();
    }

    /// `[life 1, 2]` Credentials reach every instance; a name that is bound reaches its methods. The
    /// application's own listeners see every event, whatever the socket's state.
    fn incoming(&mut self, name: &[u8], effects: &mut Effects) {
        if name == AUTHENTICATION {
            for instance in 0..self.instances() {
                effects.push(Effect::TakeCredentials {
                    instance: Instance(instance),
                });
            }
        }
        for (instance, served) in (0..).map(Instance).zip(&self.served) {
            let methods = served.methods.as_ref();
            if let Some(method) = methods.and_then(|methods| methods.index(name)) {
                effects.push(Effect::RunMethod { instance, method });
            }
        }
    }

    /// `[life 2, 6]` Starts an attempt beside those that are under way.
    fn begin(&mut self, instance: Instance, effects: &mut Effects) {
        let attempt = self.attempts.begin(instance);
        effects.push(Effect::RunAuth { instance, attempt });
    }

    /// `[life 3, 6]` The methods as they stand now take the place of those bound before.
    fn bind(&mut self, instance: Instance, methods: Arc<Methods>) {
        let served = usize::try_from(instance.0)
            .ok()
            .and_then(|index| self.served.get_mut(index));
        if let Some(served) = served {
            served.methods = Some(methods);
        }
        self.exempt();
    }

    /// `[life 5]` The socket is not pending any more, so it has no deadline.
    fn exempt(&mut self) {
        self.is_exempt = true;
        self.deadline = None;
    }

    /// `[life 5]` Ends a socket that is still pending at its deadline. An early tick
    /// asks for another, so that the host's timer need not be exact.
    fn tick(&mut self, now: u64, effects: &mut Effects) {
        match self.deadline {
            Some(at) if now >= at => {
                self.end();
                effects.push(Effect::DisconnectConnection);
            }
            Some(at) => effects.push(Effect::Timer { at }),
            None => {}
        }
    }

    /// `[life 7]` Drops all state. Results that come later find nothing and have no effect.
    fn end(&mut self) {
        *self = Self {
            ended: true,
            ..Self::new()
        };
    }

    fn served_by(&self, instance: Instance) -> Option<&Served> {
        self.served.get(usize::try_from(instance.0).ok()?)
    }
}
