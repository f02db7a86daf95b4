//! What stays true for every sequence of events, however a host or a client misbehaves.
//!
//! Steps are drawn at random and played as a host would report them: some follow what the session
//! asked for, others come late, twice, for another instance or for a number that was never used. Each
//! property then looks at the recording of reports and effects alone, not into the session.
//! `PROPTEST_CASES` in the environment sets how many sequences each property sees.

use std::collections::HashMap;
use std::sync::Weak;

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 5] = ["a", "b", "c", "", "authentication"];

/// A step before it is played. `pick` chooses among the attempts there have been,
/// counted back from the last.
#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Serve(Option<u64>),
    Restore(Vec<usize>),
    Incoming(usize),
    Credentials(u32),
    /// Do what the session asked this attempt's host for.
    Follow {
        pick: usize,
        accepted: bool,
        handlers: u32,
        methods: Vec<usize>,
    },
    /// Report something about this attempt that nobody asked for, perhaps for another instance.
    Stray {
        pick: usize,
        instance: Option<u32>,
        kind: u8,
    },
    Exempt,
    Tick,
    TickAtDeadline,
    Disconnected,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let methods = || prop::collection::vec(0..NAMES.len(), 0..4);
    let pick = || prop_oneof![3 => 0..2usize, 1 => 0..9usize];
    let step = prop_oneof![
        6 => (0..400u64).prop_map(Step::Wait),
        3 => prop::option::weighted(0.8, 0..2_000u64).prop_map(Step::Serve),
        1 => methods().prop_map(Step::Restore),
        14 => (0..NAMES.len()).prop_map(Step::Incoming),
        6 => (0..4u32).prop_map(Step::Credentials),
        30 => (pick(), prop::bool::weighted(0.85), 0..3u32, methods()).prop_map(
            |(pick, accepted, handlers, methods)| Step::Follow {
                pick,
                accepted,
                handlers,
                methods,
            }
        ),
        6 => (pick(), prop::option::of(0..4u32), 0..4u8)
            .prop_map(|(pick, instance, kind)| Step::Stray { pick, instance, kind }),
        1 => Just(Step::Exempt),
        4 => Just(Step::Tick),
        1 => Just(Step::TickAtDeadline),
        1 => Just(Step::Disconnected),
    ];
    // Most sockets are served at once; some are only later, or never.
    (
        prop::option::weighted(0.9, prop::option::weighted(0.8, 0..2_000u64)),
        prop::collection::vec(step, 0..80),
    )
        .prop_map(|(first, mut steps)| {
            if let Some(timeout) = first {
                steps.insert(0, Step::Serve(timeout));
            }
            steps
        })
}

/// What was reported, by names and numbers that outlive the session.
#[derive(Clone, Debug)]
enum Report {
    Served(Option<u64>),
    Restored(Vec<&'static str>),
    Incoming(&'static str),
    Credentials(Instance),
    Outcome {
        instance: Instance,
        attempt: Attempt,
        accepted: bool,
        handlers: u32,
    },
    Bound {
        instance: Instance,
        attempt: Attempt,
        methods: Vec<&'static str>,
    },
    Acknowledged {
        instance: Instance,
        attempt: Attempt,
    },
    Exempt,
    Tick,
    Disconnected,
}

/// One report, what came of it, and what the session held afterwards.
#[derive(Debug)]
struct Moment {
    now: u64,
    report: Report,
    effects: Vec<Effect>,
    /// Method tables that the session still owned.
    held: usize,
    empty: bool,
    authenticated: bool,
    /// The socket had ended before this report.
    after_the_end: bool,
}

/// A host: plays steps on a session and records them.
#[derive(Default)]
struct Host {
    session: Option<Session>,
    now: u64,
    ended: bool,
    tables: Vec<Weak<Methods>>,
    /// Every attempt there has been, with what the session last asked for.
    attempts: Vec<(Instance, Attempt, Option<Effect>)>,
    recording: Vec<Moment>,
}

impl Host {
    fn play(steps: &[Step]) -> Self {
        let mut host = Self {
            session: Some(Session::new()),
            ..Self::default()
        };
        for step in steps {
            host.step(step);
        }
        host
    }

    fn recent<T>(things: &[T], pick: usize) -> Option<&T> {
        things.len().checked_sub(pick + 1).map(|i| &things[i])
    }

    fn step(&mut self, step: &Step) {
        let report = match step {
            Step::Wait(time) => {
                self.now += time;
                return;
            }
            Step::Serve(timeout) => Report::Served(*timeout),
            Step::Restore(methods) => {
                Report::Restored(methods.iter().map(|name| NAMES[*name]).collect())
            }
            Step::Incoming(name) => Report::Incoming(NAMES[*name]),
            Step::Credentials(instance) => Report::Credentials(Instance(*instance)),
            Step::Follow {
                pick,
                accepted,
                handlers,
                methods,
            } => {
                let Some(&(instance, attempt, ref asked)) = Self::recent(&self.attempts, *pick)
                else {
                    return;
                };
                match asked {
                    Some(Effect::RunAuth { .. } | Effect::RunConnected { .. }) => Report::Outcome {
                        instance,
                        attempt,
                        accepted: *accepted,
                        handlers: *handlers,
                    },
                    Some(Effect::Bind { .. }) => Report::Bound {
                        instance,
                        attempt,
                        methods: methods.iter().map(|name| NAMES[*name]).collect(),
                    },
                    // A client that is refused acknowledges now and then.
                    Some(Effect::Unauthorized { .. }) if !accepted => {
                        Report::Acknowledged { instance, attempt }
                    }
                    _ => return,
                }
            }
            Step::Stray {
                pick,
                instance,
                kind,
            } => {
                let Some(&(own, attempt, _)) = Self::recent(&self.attempts, *pick) else {
                    return;
                };
                let instance = instance.map_or(own, Instance);
                match kind {
                    0 | 1 => Report::Outcome {
                        instance,
                        attempt,
                        accepted: *kind == 0,
                        handlers: 1,
                    },
                    2 => Report::Bound {
                        instance,
                        attempt,
                        methods: NAMES.to_vec(),
                    },
                    _ => Report::Acknowledged { instance, attempt },
                }
            }
            Step::Exempt => Report::Exempt,
            Step::Tick => Report::Tick,
            Step::TickAtDeadline => {
                let deadline = self.session.as_ref().and_then(Session::deadline);
                self.now = self.now.max(deadline.unwrap_or(0));
                Report::Tick
            }
            Step::Disconnected => Report::Disconnected,
        };
        self.report(report);
    }

    fn report(&mut self, report: Report) {
        let event = match report.clone() {
            Report::Served(timeout) => Event::Served {
                timeout,
                now: self.now,
            },
            Report::Restored(methods) => Event::Restored {
                methods: self.table(methods),
            },
            Report::Incoming(name) => Event::Incoming {
                name: name.as_bytes(),
            },
            Report::Credentials(instance) => Event::Credentials { instance },
            Report::Outcome {
                instance,
                attempt,
                accepted,
                handlers,
            } => Event::Outcome {
                instance,
                attempt,
                accepted,
                handlers,
            },
            Report::Bound {
                instance,
                attempt,
                methods,
            } => Event::Bound {
                instance,
                attempt,
                methods: self.table(methods),
            },
            Report::Acknowledged { instance, attempt } => Event::Acknowledged { instance, attempt },
            Report::Exempt => Event::Exempt,
            Report::Tick => Event::Tick { now: self.now },
            Report::Disconnected => Event::Disconnected,
        };
        let session = self.session.get_or_insert_with(Session::new);
        let effects = session.handle(event).into_vec();
        let tables = self.tables.iter().filter(|table| table.strong_count() > 0);
        let held = tables.count();
        let (empty, authenticated) = (session.is_empty(), session.authenticated());
        for effect in &effects {
            self.note(effect);
        }
        let after_the_end = self.ended;
        self.ended |= matches!(report, Report::Disconnected)
            || effects.contains(&Effect::Disconnect)
            || effects.contains(&Effect::DisconnectConnection);
        self.recording.push(Moment {
            now: self.now,
            report,
            effects,
            held,
            empty,
            authenticated,
            after_the_end,
        });
    }

    /// A table of methods, which the recording watches.
    fn table(&mut self, methods: Vec<&'static str>) -> Arc<Methods> {
        let methods = Arc::new(Methods::named(methods));
        self.tables.push(Arc::downgrade(&methods));
        methods
    }

    /// Remembers what the session asks for, to follow it in a later step.
    fn note(&mut self, effect: &Effect) {
        match effect {
            Effect::RunAuth { instance, attempt } => {
                self.attempts
                    .push((*instance, *attempt, Some(effect.clone())));
            }
            Effect::RunConnected { attempt, .. }
            | Effect::Bind { attempt, .. }
            | Effect::Unauthorized { attempt, .. }
            | Effect::Authenticated { attempt, .. } => {
                let known = self.attempts.iter_mut().find(|known| known.1 == *attempt);
                if let Some(known) = known {
                    known.2 = Some(effect.clone());
                }
            }
            _ => {}
        }
    }
}

fn runs(effects: &[Effect]) -> Vec<(Instance, u32)> {
    effects
        .iter()
        .filter_map(|effect| match *effect {
            Effect::RunMethod { instance, method } => Some((instance, method)),
            _ => None,
        })
        .collect()
}

fn last_index(methods: &[&str], name: &str) -> Option<u32> {
    let index = methods.iter().rposition(|method| *method == name)?;
    u32::try_from(index).ok()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_method_runs_exactly_when_its_instance_has_authenticated_the_socket_with_it(
        steps in steps()
    ) {
        let mut bound: HashMap<u32, Vec<&str>> = HashMap::new();
        let mut instances = 0;
        for moment in Host::play(&steps).recording {
            let mut expected = Vec::new();
            match &moment.report {
                Report::Incoming(name) if !moment.after_the_end => {
                    let mut instances: Vec<_> = bound.iter().collect();
                    instances.sort();
                    for (instance, methods) in instances {
                        if let Some(method) = last_index(methods, name) {
                            expected.push((Instance(*instance), method));
                        }
                    }
                }
                _ => {}
            }
            prop_assert_eq!(runs(&moment.effects), expected, "{:?}", moment);
            if let Report::Bound { instance, methods, .. } = &moment.report
                && matches!(moment.effects[..], [Effect::Authenticated { .. }])
            {
                bound.insert(instance.0, methods.clone());
            }
            match &moment.report {
                Report::Served(_) if !moment.after_the_end => instances += 1,
                Report::Restored(methods) if !moment.after_the_end => {
                    bound.insert(instances, methods.clone());
                    instances += 1;
                }
                _ => {}
            }
            let ends = moment.empty && !moment.authenticated;
            prop_assert!(ends || moment.authenticated != bound.is_empty(), "{:?}", moment);
        }
    }

    #[test]
    fn credentials_reach_every_instance(steps in steps()) {
        let mut instances = 0;
        for moment in Host::play(&steps).recording {
            if moment.after_the_end {
                continue;
            }
            let begun: Vec<_> = moment
                .effects
                .iter()
                .filter_map(|effect| match effect {
                    Effect::RunAuth { instance, .. } => Some(instance.0),
                    _ => None,
                })
                .collect();
            let offered: Vec<_> = moment
                .effects
                .iter()
                .filter_map(|effect| match effect {
                    Effect::TakeCredentials { instance } => Some(instance.0),
                    _ => None,
                })
                .collect();
            match &moment.report {
                Report::Served(_) | Report::Restored(_) => instances += 1,
                Report::Incoming(name) => {
                    let expected = if *name == "authentication" { instances } else { 0 };
                    prop_assert_eq!(offered, Vec::from_iter(0..expected));
                    prop_assert!(begun.is_empty(), "{:?}", moment);
                    continue;
                }
                Report::Credentials(instance) => {
                    let known = (instance.0 < instances).then_some(instance.0);
                    prop_assert_eq!(begun, Vec::from_iter(known));
                    prop_assert!(offered.is_empty(), "{:?}", moment);
                    continue;
                }
                _ => {}
            }
            prop_assert!(begun.is_empty() && offered.is_empty(), "{:?}", moment);
        }
    }

    #[test]
    fn an_attempt_takes_its_steps_in_order_and_is_answered_once(steps in steps()) {
        // What each attempt was last asked for, and how many onConnected handlers it has.
        let mut asked: HashMap<Attempt, (Effect, u32)> = HashMap::new();
        for moment in Host::play(&steps).recording {
            let expected = match moment.report {
                _ if moment.after_the_end => None,
                Report::Outcome { instance, attempt, accepted, handlers } => {
                    let step = match asked.get(&attempt) {
                        Some((Effect::RunAuth { instance: own, .. }, _)) if *own == instance => {
                            Some((0, handlers))
                        }
                        Some((Effect::RunConnected { instance: own, handler, .. }, handlers))
                            if *own == instance =>
                        {
                            Some((handler + 1, *handlers))
                        }
                        _ => None,
                    };
                    step.map(|(handler, handlers)| {
                        let effect = if !accepted {
                            Effect::Unauthorized { instance, attempt }
                        } else if handler == handlers {
                            Effect::Bind { instance, attempt }
                        } else {
                            Effect::RunConnected { instance, attempt, handler }
                        };
                        asked.insert(attempt, (effect.clone(), handlers));
                        effect
                    })
                }
                Report::Bound { instance, attempt, .. } => {
                    let waits = Effect::Bind { instance, attempt };
                    (asked.get(&attempt).is_some_and(|(effect, _)| *effect == waits)).then(|| {
                        let effect = Effect::Authenticated { instance, attempt };
                        asked.insert(attempt, (effect.clone(), 0));
                        effect
                    })
                }
                _ => {
                    for effect in &moment.effects {
                        match effect {
                            Effect::RunAuth { attempt, .. } => {
                                let before = asked.insert(*attempt, (effect.clone(), 0));
                                prop_assert!(before.is_none(), "{:?} began twice", attempt);
                            }
                            Effect::RunConnected { .. }
                            | Effect::Bind { .. }
                            | Effect::Authenticated { .. }
                            | Effect::Unauthorized { .. } => {
                                prop_assert!(false, "unasked: {:?}", moment);
                            }
                            _ => {}
                        }
                    }
                    continue;
                }
            };
            prop_assert_eq!(&moment.effects, &Vec::from_iter(expected), "{:?}", &moment);
        }
    }

    #[test]
    fn a_socket_is_disconnected_exactly_when_its_client_acknowledges_a_refusal(
        steps in steps()
    ) {
        let mut refused: Vec<(Instance, Attempt)> = Vec::new();
        for moment in Host::play(&steps).recording {
            let expected = match moment.report {
                Report::Acknowledged { instance, attempt } => {
                    !moment.after_the_end && refused.contains(&(instance, attempt))
                }
                _ => false,
            };
            let effects = &moment.effects;
            prop_assert_eq!(effects.contains(&Effect::Disconnect), expected, "{:?}", &moment);
            refused.extend(effects.iter().filter_map(|effect| match effect {
                Effect::Unauthorized { instance, attempt } => Some((*instance, *attempt)),
                _ => None,
            }));
        }
    }

    #[test]
    fn a_connection_is_closed_exactly_when_a_pending_socket_reaches_its_deadline(
        steps in steps()
    ) {
        let mut host = Host::play(&steps);
        // Whatever the steps were, the deadline comes in the end.
        host.now = 1_000_000;
        host.report(Report::Tick);
        host.report(Report::Tick);
        let mut deadline: Option<u64> = None;
        let mut is_exempt = false;
        for moment in host.recording {
            let mut closed = false;
            let mut timer = None;
            match moment.report {
                _ if moment.after_the_end => {}
                Report::Served(Some(timeout)) if !is_exempt => {
                    let at = moment.now + timeout;
                    timer = Some(at);
                    deadline = Some(deadline.map_or(at, |before| before.min(at)));
                }
                Report::Exempt | Report::Restored(_) => is_exempt = true,
                Report::Tick if !is_exempt => {
                    closed = deadline.is_some_and(|at| moment.now >= at);
                    timer = deadline.filter(|_| !closed);
                }
                _ => {}
            }
            let effects = &moment.effects;
            let closes = effects.contains(&Effect::DisconnectConnection);
            prop_assert_eq!(closes, closed, "{:?}", &moment);
            let timers = effects.iter().filter_map(|effect| match effect {
                Effect::Timer { at } => Some(*at),
                _ => None,
            });
            prop_assert_eq!(Vec::from_iter(timers), Vec::from_iter(timer), "{:?}", &moment);
            is_exempt |= effects
                .iter()
                .any(|effect| matches!(effect, Effect::Authenticated { .. }));
        }
    }

    #[test]
    fn nothing_happens_and_nothing_is_held_once_the_socket_has_ended(steps in steps()) {
        let mut host = Host::play(&steps);
        host.report(Report::Disconnected);
        for step in &steps {
            host.step(step);
        }
        let mut ended = false;
        for moment in &host.recording {
            if ended {
                prop_assert_eq!(&moment.effects, &vec![], "{:?}", moment);
            }
            ended |= matches!(moment.report, Report::Disconnected)
                || moment.effects.contains(&Effect::Disconnect)
                || moment.effects.contains(&Effect::DisconnectConnection);
            if ended {
                prop_assert!(moment.empty && !moment.authenticated, "{:?}", moment);
                prop_assert_eq!(moment.held, 0, "{:?}", moment);
            }
        }
    }
}
