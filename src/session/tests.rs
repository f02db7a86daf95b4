//! The contract's "A socket's life", sentence by sentence, as far as they concern
//! state. Each test is named by the promise it keeps.

use super::*;

const FIRST: Instance = Instance(0);
const SECOND: Instance = Instance(1);

/// A session and the clock of its host.
struct Socket {
    session: Session,
    now: u64,
}

impl Socket {
    fn unserved() -> Self {
        Self {
            session: Session::new(),
            now: 1_000,
        }
    }

    /// Served by one instance with a timeout of 3,000, at 1,000.
    fn served() -> Self {
        let mut socket = Self::unserved();
        socket.serve(Some(3_000));
        socket
    }

    fn served_by_two() -> Self {
        let mut socket = Self::served();
        socket.serve(Some(3_000));
        socket
    }

    /// Authenticated by its one instance, with these methods.
    fn authenticated(methods: &[&str]) -> Self {
        let mut socket = Self::served();
        socket.authenticate(FIRST, methods);
        socket
    }

    fn handle(&mut self, event: Event<'_>) -> Vec<Effect> {
        self.session.handle(event).into_vec()
    }

    fn serve(&mut self, timeout: Option<u64>) -> Vec<Effect> {
        let now = self.now;
        self.handle(Event::Served { timeout, now })
    }

    fn restore(&mut self, methods: &[&str]) -> Vec<Effect> {
        let methods = Arc::new(Methods::named(methods));
        self.handle(Event::Restored { methods })
    }

    fn emit(&mut self, name: &str) -> Vec<Effect> {
        let name = name.as_bytes();
        self.handle(Event::Incoming { name })
    }

    fn begin(&mut self, instance: Instance) -> Attempt {
        match self.handle(Event::Credentials { instance })[..] {
            [
                Effect::RunAuth {
                    instance: i,
                    attempt,
                },
            ] if i == instance => attempt,
            ref other => panic!("no attempt: {other:?}"),
        }
    }

    fn outcome(
        &mut self,
        instance: Instance,
        attempt: Attempt,
        accepted: bool,
        handlers: u32,
    ) -> Vec<Effect> {
        self.handle(Event::Outcome {
            instance,
            attempt,
            accepted,
            handlers,
        })
    }

    fn bind(&mut self, instance: Instance, attempt: Attempt, methods: &[&str]) -> Vec<Effect> {
        self.handle(Event::Bound {
            instance,
            attempt,
            methods: Arc::new(Methods::named(methods)),
        })
    }

    fn acknowledge(&mut self, instance: Instance, attempt: Attempt) -> Vec<Effect> {
        self.handle(Event::Acknowledged { instance, attempt })
    }

    fn tick(&mut self, now: u64) -> Vec<Effect> {
        self.now = now;
        self.handle(Event::Tick { now })
    }

    /// An attempt that is accepted by an instance without onConnected handlers.
    fn authenticate(&mut self, instance: Instance, methods: &[&str]) -> Attempt {
        let attempt = self.begin(instance);
        let effects = self.outcome(instance, attempt, true, 0);
        assert_eq!(effects, [Effect::Bind { instance, attempt }]);
        let effects = self.bind(instance, attempt, methods);
        assert_eq!(effects, [Effect::Authenticated { instance, attempt }]);
        attempt
    }

    /// An attempt that the auth function refuses.
    fn refuse(&mut self, instance: Instance) -> Attempt {
        let attempt = self.begin(instance);
        let effects = self.outcome(instance, attempt, false, 0);
        assert_eq!(effects, [Effect::Unauthorized { instance, attempt }]);
        attempt
    }
}

fn run(instance: Instance, method: u32) -> Effect {
    Effect::RunMethod { instance, method }
}

// A socket's life, 1: connected, pending.

#[test]
fn a_socket_is_pending_until_an_attempt_has_bound_its_methods() {
    let mut socket = Socket::served();
    assert!(!socket.session.authenticated());
    let attempt = socket.begin(FIRST);
    socket.outcome(FIRST, attempt, true, 1);
    socket.outcome(FIRST, attempt, true, 0);
    assert!(!socket.session.authenticated());
    socket.bind(FIRST, attempt, &[]);
    assert!(socket.session.authenticated());
}

#[test]
fn the_session_ignores_events_of_the_application() {
    let mut socket = Socket::served();
    assert_eq!(socket.emit("chat"), []);
}

#[test]
fn methods_do_not_exist_for_a_pending_socket_at_any_stage_of_an_attempt() {
    fn check(socket: &mut Socket) {
        assert_eq!(socket.emit("m"), []);
    }
    let mut socket = Socket::served();
    check(&mut socket);
    let attempt = socket.begin(FIRST);
    check(&mut socket);
    socket.outcome(FIRST, attempt, true, 1);
    check(&mut socket);
    socket.outcome(FIRST, attempt, true, 0);
    check(&mut socket);
    socket.refuse(FIRST);
    check(&mut socket);
}

#[test]
fn a_socket_whose_auth_the_application_sets_has_no_methods_before_it_authenticates() {
    let mut socket = Socket::served();
    assert_eq!(socket.handle(Event::Exempt), []);
    assert!(!socket.session.authenticated());
    assert_eq!(socket.emit("m"), []);
    socket.authenticate(FIRST, &["m"]);
    assert_eq!(socket.emit("m"), [run(FIRST, 0)]);
}

#[test]
fn a_socket_without_a_loopback_socket_has_only_events_of_the_application() {
    let mut socket = Socket::unserved();
    assert_eq!(socket.emit("authentication"), []);
    assert_eq!(socket.handle(Event::Credentials { instance: FIRST }), []);
    assert_eq!(socket.tick(u64::MAX), []);
}

// 2: the client emits `authentication`.

#[test]
fn credentials_run_the_auth_function_of_every_instance() {
    let mut socket = Socket::served_by_two();
    assert_eq!(
        socket.emit("authentication"),
        [FIRST, SECOND].map(|instance| Effect::TakeCredentials { instance })
    );
    assert_ne!(socket.begin(FIRST), socket.begin(SECOND));
}

#[test]
fn credentials_that_are_not_taken_leave_nothing_behind() {
    let mut socket = Socket::unserved();
    socket.serve(None);
    for _ in 0..1_000 {
        socket.emit("authentication");
    }
    assert!(socket.session.attempts.is_empty());
}

#[test]
fn a_method_named_authentication_runs_beside_the_attempt() {
    let mut socket = Socket::authenticated(&["authentication"]);
    match socket.emit("authentication")[..] {
        [Effect::TakeCredentials { .. }, ref method] => assert_eq!(*method, run(FIRST, 0)),
        ref other => panic!("{other:?}"),
    }
}

// 3: success.

#[test]
fn on_connected_handlers_run_one_after_the_other_each_awaited() {
    let mut socket = Socket::served();
    let attempt = socket.begin(FIRST);
    let instance = FIRST;
    for handler in 0..3 {
        // Only the auth function's outcome says how many there are.
        let handlers = if handler == 0 { 3 } else { 99 };
        assert_eq!(
            socket.outcome(FIRST, attempt, true, handlers),
            [Effect::RunConnected {
                instance,
                attempt,
                handler
            }]
        );
    }
    assert_eq!(
        socket.outcome(FIRST, attempt, true, 99),
        [Effect::Bind { instance, attempt }]
    );
}

#[test]
fn the_first_on_connected_handler_that_fails_refuses_the_socket() {
    let mut socket = Socket::served();
    let attempt = socket.begin(FIRST);
    socket.outcome(FIRST, attempt, true, 3);
    socket.outcome(FIRST, attempt, true, 0);
    assert_eq!(
        socket.outcome(FIRST, attempt, false, 0),
        [Effect::Unauthorized {
            instance: FIRST,
            attempt
        }]
    );
    assert_eq!(socket.outcome(FIRST, attempt, true, 0), []);
    assert_eq!(socket.bind(FIRST, attempt, &["m"]), []);
    assert!(!socket.session.authenticated());
}

#[test]
fn the_methods_bound_are_those_reported_after_the_handlers() {
    let mut socket = Socket::served();
    let attempt = socket.begin(FIRST);
    assert_eq!(socket.bind(FIRST, attempt, &["early"]), []);
    socket.outcome(FIRST, attempt, true, 1);
    assert_eq!(socket.bind(FIRST, attempt, &["early"]), []);
    socket.outcome(FIRST, attempt, true, 0);
    socket.bind(FIRST, attempt, &["late"]);
    assert_eq!(socket.emit("early"), []);
    assert_eq!(socket.emit("late"), [run(FIRST, 0)]);
}

#[test]
fn a_call_made_before_authentication_is_never_run() {
    let mut socket = Socket::served();
    let attempt = socket.begin(FIRST);
    assert_eq!(socket.emit("m"), []);
    socket.outcome(FIRST, attempt, true, 0);
    assert_eq!(
        socket.bind(FIRST, attempt, &["m"]),
        [Effect::Authenticated {
            instance: FIRST,
            attempt
        }]
    );
    assert_eq!(socket.tick(9_999), []);
}

#[test]
fn an_attempt_is_answered_once() {
    let mut socket = Socket::served();
    let attempt = socket.authenticate(FIRST, &["m"]);
    assert_eq!(socket.outcome(FIRST, attempt, true, 2), []);
    assert_eq!(socket.outcome(FIRST, attempt, false, 0), []);
    assert_eq!(socket.bind(FIRST, attempt, &[]), []);
    assert_eq!(socket.emit("m"), [run(FIRST, 0)]);
}

// 4: failure.

#[test]
fn a_refused_socket_is_disconnected_when_its_client_acknowledges() {
    let mut socket = Socket::served();
    let attempt = socket.refuse(FIRST);
    assert_eq!(socket.acknowledge(FIRST, attempt), [Effect::Disconnect]);
    assert!(socket.session.ended());
    assert_eq!(socket.acknowledge(FIRST, attempt), []);
    assert_eq!(socket.tick(9_999), []);
}

#[test]
fn only_the_acknowledgement_of_a_refusal_disconnects() {
    let mut socket = Socket::served();
    let attempt = socket.begin(FIRST);
    assert_eq!(socket.acknowledge(FIRST, attempt), []);
    socket.outcome(FIRST, attempt, true, 1);
    assert_eq!(socket.acknowledge(FIRST, attempt), []);
    socket.outcome(FIRST, attempt, true, 0);
    assert_eq!(socket.acknowledge(FIRST, attempt), []);
    socket.bind(FIRST, attempt, &[]);
    assert_eq!(socket.acknowledge(FIRST, attempt), []);
    assert!(!socket.session.ended());
}

#[test]
fn a_refused_socket_that_does_not_acknowledge_stays_pending_and_may_try_again() {
    let mut socket = Socket::served();
    socket.refuse(FIRST);
    assert!(!socket.session.ended());
    assert_eq!(socket.emit("chat"), []);
    socket.authenticate(FIRST, &["m"]);
    assert_eq!(socket.tick(9_999), []);
}

#[test]
fn a_refused_socket_that_does_not_acknowledge_ends_at_the_timeout() {
    let mut socket = Socket::served();
    socket.refuse(FIRST);
    assert_eq!(socket.tick(4_000), [Effect::DisconnectConnection]);
}

#[test]
fn a_late_acknowledgement_of_a_refusal_disconnects_a_socket_that_has_authenticated_since() {
    let mut socket = Socket::served();
    let refused = socket.refuse(FIRST);
    socket.authenticate(FIRST, &["m"]);
    assert_eq!(socket.acknowledge(FIRST, refused), [Effect::Disconnect]);
}

#[test]
fn refusals_are_acknowledged_one_by_one() {
    let mut socket = Socket::served();
    let first = socket.refuse(FIRST);
    let second = socket.refuse(FIRST);
    assert_ne!(first, second);
    assert_eq!(socket.acknowledge(FIRST, second), [Effect::Disconnect]);
    assert_eq!(socket.acknowledge(FIRST, first), []);
}

// 5: the timeout.

#[test]
fn a_socket_still_pending_at_its_timeout_has_its_connection_closed_once() {
    let mut socket = Socket::unserved();
    assert_eq!(socket.serve(Some(3_000)), [Effect::Timer { at: 4_000 }]);
    assert_eq!(socket.session.deadline(), Some(4_000));
    assert_eq!(socket.tick(4_000), [Effect::DisconnectConnection]);
    assert_eq!(socket.tick(4_001), []);
}

#[test]
fn a_tick_before_the_timeout_asks_for_another() {
    let mut socket = Socket::served();
    assert_eq!(socket.tick(3_999), [Effect::Timer { at: 4_000 }]);
    assert_eq!(socket.tick(9_000), [Effect::DisconnectConnection]);
}

#[test]
fn a_socket_without_a_timeout_stays_pending() {
    let mut socket = Socket::unserved();
    assert_eq!(socket.serve(None), []);
    assert_eq!(socket.tick(u64::MAX), []);
    socket.authenticate(FIRST, &[]);
}

#[test]
fn a_failed_attempt_does_not_restart_the_timeout() {
    let mut socket = Socket::served();
    socket.now = 3_900;
    socket.refuse(FIRST);
    assert_eq!(socket.session.deadline(), Some(4_000));
    assert_eq!(socket.tick(4_000), [Effect::DisconnectConnection]);
}

#[test]
fn an_attempt_under_way_does_not_stop_the_timeout() {
    for outcomes in 0..3 {
        let mut socket = Socket::served();
        let attempt = socket.begin(FIRST);
        for _ in 0..outcomes {
            socket.outcome(FIRST, attempt, true, 1);
        }
        assert_eq!(socket.tick(4_000), [Effect::DisconnectConnection]);
        assert_eq!(socket.outcome(FIRST, attempt, true, 0), []);
        assert_eq!(socket.bind(FIRST, attempt, &["m"]), []);
        assert!(!socket.session.authenticated());
    }
}

#[test]
fn an_authenticated_socket_has_no_timeout() {
    let mut socket = Socket::authenticated(&[]);
    assert_eq!(socket.session.deadline(), None);
    assert_eq!(socket.tick(4_000), []);
}

#[test]
fn a_socket_whose_auth_the_application_sets_has_no_timeout() {
    let mut socket = Socket::served();
    socket.handle(Event::Exempt);
    assert_eq!(socket.tick(4_000), []);

    let mut socket = Socket::unserved();
    socket.handle(Event::Exempt);
    assert_eq!(socket.serve(Some(3_000)), []);
    assert_eq!(socket.tick(4_000), []);
}

#[test]
fn the_first_of_several_timeouts_to_run_out_ends_the_socket() {
    for timeouts in [
        [Some(1_000), Some(2_000)],
        [Some(2_000), Some(1_000)],
        [None, Some(1_000)],
        [Some(1_000), None],
    ] {
        let mut socket = Socket::unserved();
        for timeout in timeouts {
            let timer = timeout.map(|timeout| Effect::Timer {
                at: 1_000 + timeout,
            });
            assert_eq!(socket.serve(timeout), Vec::from_iter(timer));
        }
        assert_eq!(socket.tick(1_999), [Effect::Timer { at: 2_000 }]);
        assert_eq!(socket.tick(2_000), [Effect::DisconnectConnection]);
    }
}

#[test]
fn one_instance_that_authenticates_is_enough_to_stay() {
    let mut socket = Socket::served_by_two();
    socket.authenticate(SECOND, &[]);
    assert_eq!(socket.tick(9_999), []);
    assert_eq!(socket.serve(Some(1)), []);
    assert_eq!(socket.tick(99_999), []);
}

#[test]
fn a_timeout_that_overflows_the_clock_is_its_maximum() {
    let mut socket = Socket::unserved();
    let effects = socket.serve(Some(u64::MAX));
    assert_eq!(effects, [Effect::Timer { at: u64::MAX }]);
}

// 6: authenticating again.

#[test]
fn a_later_authentication_runs_everything_again_and_is_answered_again() {
    let mut socket = Socket::authenticated(&["old"]);
    let instance = FIRST;
    let attempt = socket.begin(FIRST);
    assert_eq!(
        socket.outcome(FIRST, attempt, true, 1),
        [Effect::RunConnected {
            instance,
            attempt,
            handler: 0
        }]
    );
    assert_eq!(socket.emit("old"), [run(FIRST, 0)]);
    assert_eq!(
        socket.outcome(FIRST, attempt, true, 0),
        [Effect::Bind { instance, attempt }]
    );
    assert_eq!(
        socket.bind(FIRST, attempt, &["x", "new"]),
        [Effect::Authenticated { instance, attempt }]
    );
    assert_eq!(socket.emit("old"), []);
    assert_eq!(socket.emit("new"), [run(FIRST, 1)]);
}

#[test]
fn a_later_authentication_that_fails_leaves_the_methods_and_the_socket() {
    let mut socket = Socket::authenticated(&["m"]);
    socket.refuse(FIRST);
    assert!(socket.session.authenticated());
    assert_eq!(socket.emit("m"), [run(FIRST, 0)]);
    assert_eq!(socket.tick(9_999), []);
}

#[test]
fn a_later_authentication_that_fails_disconnects_when_the_client_acknowledges() {
    let mut socket = Socket::authenticated(&["m"]);
    let attempt = socket.refuse(FIRST);
    assert_eq!(socket.acknowledge(FIRST, attempt), [Effect::Disconnect]);
    assert_eq!(socket.emit("m"), []);
}

#[test]
fn attempts_that_overlap_both_run_and_are_both_answered() {
    let mut socket = Socket::served();
    let (a, b) = (socket.begin(FIRST), socket.begin(FIRST));
    socket.outcome(FIRST, b, true, 0);
    socket.outcome(FIRST, a, true, 1);
    socket.outcome(FIRST, a, true, 0);
    let instance = FIRST;
    assert_eq!(
        socket.bind(FIRST, b, &["b"]),
        [Effect::Authenticated {
            instance,
            attempt: b
        }]
    );
    assert_eq!(
        socket.bind(FIRST, a, &["a"]),
        [Effect::Authenticated {
            instance,
            attempt: a
        }]
    );
    assert_eq!(socket.emit("a"), [run(FIRST, 0)]);
    assert_eq!(socket.emit("b"), []);
}

#[test]
fn an_attempt_that_is_refused_does_not_touch_one_beside_it() {
    let mut socket = Socket::served();
    let good = socket.begin(FIRST);
    socket.refuse(FIRST);
    assert_eq!(
        socket.outcome(FIRST, good, true, 0),
        [Effect::Bind {
            instance: FIRST,
            attempt: good
        }]
    );
}

#[test]
fn instances_authenticate_a_socket_each_for_itself() {
    let mut socket = Socket::served_by_two();
    socket.authenticate(FIRST, &["m"]);
    assert_eq!(socket.emit("n"), []);
    socket.authenticate(SECOND, &["n"]);
    assert_eq!(socket.emit("m"), [run(FIRST, 0)]);
    assert_eq!(socket.emit("n"), [run(SECOND, 0)]);
}

#[test]
fn a_report_about_another_instance_than_the_attempts_changes_nothing() {
    let mut socket = Socket::served_by_two();
    let attempt = socket.begin(FIRST);
    assert_eq!(socket.outcome(SECOND, attempt, true, 0), []);
    socket.outcome(FIRST, attempt, true, 0);
    assert_eq!(socket.bind(SECOND, attempt, &["m"]), []);
    socket.bind(FIRST, attempt, &["m"]);
    let refused = socket.refuse(FIRST);
    assert_eq!(socket.acknowledge(SECOND, refused), []);
    let strange = Instance(9);
    assert_eq!(socket.handle(Event::Credentials { instance: strange }), []);
}

// A socket whose state was recovered.

#[test]
fn a_restored_socket_is_authenticated_and_has_its_methods_without_an_attempt() {
    let mut socket = Socket::unserved();
    assert_eq!(socket.restore(&["m"]), []);
    assert!(socket.session.authenticated());
    assert_eq!(socket.emit("m"), [run(FIRST, 0)]);
    assert_eq!(socket.emit("n"), []);
    assert!(socket.session.attempts.is_empty());
}

#[test]
fn a_restored_socket_has_no_timeout_whenever_other_instances_begin_to_serve_it() {
    let mut socket = Socket::served();
    socket.restore(&[]);
    assert_eq!(socket.session.deadline(), None);
    assert_eq!(socket.serve(Some(1)), []);
    assert_eq!(socket.tick(99_999), []);
}

#[test]
fn an_instance_beside_the_one_that_restores_a_socket_has_not_authenticated_it() {
    let mut socket = Socket::served();
    socket.restore(&["m"]);
    assert_eq!(socket.emit("m"), [run(SECOND, 0)]);
    socket.authenticate(FIRST, &["m"]);
    assert_eq!(socket.emit("m"), [run(FIRST, 0), run(SECOND, 0)]);
}

#[test]
fn a_restored_socket_authenticates_again_like_any_other() {
    let mut socket = Socket::unserved();
    socket.restore(&["old"]);
    let attempt = socket.refuse(FIRST);
    assert_eq!(socket.emit("old"), [run(FIRST, 0)]);
    socket.authenticate(FIRST, &["new"]);
    assert_eq!(socket.emit("old"), []);
    assert_eq!(socket.emit("new"), [run(FIRST, 0)]);
    assert_eq!(socket.acknowledge(FIRST, attempt), [Effect::Disconnect]);
    assert_eq!(socket.emit("new"), []);
}

#[test]
fn a_socket_that_has_ended_is_not_restored() {
    let methods = Arc::new(Methods::named(["m"]));
    let mut session = Session::new();
    session.handle(Event::Disconnected);
    let restored = Event::Restored {
        methods: Arc::clone(&methods),
    };
    assert_eq!(session.handle(restored).into_vec(), []);
    assert_eq!(Arc::strong_count(&methods), 1);
    assert!(session.is_empty() && !session.authenticated());
}

// 7: disconnecting.

/// Every event there is, about everything the socket knew.
fn everything(attempt: Attempt) -> Vec<Event<'static>> {
    let instance = FIRST;
    vec![
        Event::Served {
            timeout: Some(0),
            now: 0,
        },
        Event::Restored {
            methods: Arc::new(Methods::named(["m"])),
        },
        Event::Incoming { name: b"m" },
        Event::Incoming {
            name: b"authentication",
        },
        Event::Credentials { instance },
        Event::Outcome {
            instance,
            attempt,
            accepted: true,
            handlers: 0,
        },
        Event::Outcome {
            instance,
            attempt,
            accepted: false,
            handlers: 0,
        },
        Event::Bound {
            instance,
            attempt,
            methods: Arc::new(Methods::named(["m"])),
        },
        Event::Acknowledged { instance, attempt },
        Event::Exempt,
        Event::Tick { now: 0 },
        Event::Disconnected,
    ]
}

#[test]
fn disconnecting_a_socket_ends_its_attempts_and_calls() {
    for stage in 0..4 {
        let mut socket = Socket::authenticated(&["m"]);
        let attempt = socket.begin(FIRST);
        match stage {
            0 => {}
            1 => drop(socket.outcome(FIRST, attempt, true, 1)),
            2 => drop(socket.outcome(FIRST, attempt, true, 0)),
            _ => drop(socket.outcome(FIRST, attempt, false, 0)),
        }
        assert_eq!(socket.handle(Event::Disconnected), []);
        for event in everything(attempt) {
            let seen = format!("{event:?}");
            assert_eq!(socket.handle(event), [], "{seen} in stage {stage}");
            assert!(socket.session.is_empty(), "{seen}");
            assert!(!socket.session.authenticated(), "{seen}");
        }
    }
}

#[test]
fn a_disconnect_by_the_session_ends_everything_before_the_host_reports_it() {
    let refused = |socket: &mut Socket| {
        let attempt = socket.refuse(FIRST);
        let effects = socket.acknowledge(FIRST, attempt);
        assert_eq!(effects, [Effect::Disconnect]);
    };
    let late = |socket: &mut Socket| {
        assert_eq!(socket.tick(4_000), [Effect::DisconnectConnection]);
    };
    let ends: [&dyn Fn(&mut Socket); 2] = [&refused, &late];
    for end in ends {
        let mut socket = Socket::served();
        let attempt = socket.begin(FIRST);
        end(&mut socket);
        for event in everything(attempt) {
            let seen = format!("{event:?}");
            assert_eq!(socket.handle(event), [], "{seen}");
            assert!(socket.session.is_empty(), "{seen}");
        }
    }
}

#[test]
fn no_memory_is_kept_of_a_disconnected_socket() {
    let methods = Arc::new(Methods::named(["m"]));
    let mut session = Session::new();
    session.handle(Event::Served {
        timeout: None,
        now: 0,
    });
    let instance = FIRST;
    let attempt = match session.handle(Event::Credentials { instance })[..] {
        [Effect::RunAuth { attempt, .. }] => attempt,
        ref other => panic!("{other:?}"),
    };
    let event = Event::Outcome {
        instance,
        attempt,
        accepted: true,
        handlers: 0,
    };
    session.handle(event);
    let event = Event::Bound {
        instance,
        attempt,
        methods: Arc::clone(&methods),
    };
    session.handle(event);
    for name in [&b"m"[..], b"chat", b"authentication"] {
        session.handle(Event::Incoming { name });
    }
    assert_eq!(Arc::strong_count(&methods), 2);
    session.handle(Event::Disconnected);
    assert_eq!(Arc::strong_count(&methods), 1);
    assert!(session.is_empty());
}

#[test]
fn a_socket_that_has_settled_its_attempts_holds_only_its_instances() {
    let mut socket = Socket::authenticated(&["m"]);
    assert_eq!(socket.emit("m"), [run(FIRST, 0)]);
    assert!(socket.session.attempts.is_empty());
}

// Calls.

#[test]
fn a_method_that_is_not_bound_does_not_run() {
    let mut socket = Socket::authenticated(&["m"]);
    assert_eq!(socket.emit("n"), []);
}

#[test]
fn a_name_bound_by_two_instances_runs_twice() {
    let mut socket = Socket::served_by_two();
    socket.authenticate(FIRST, &["m"]);
    socket.authenticate(SECOND, &["x", "m"]);
    assert_eq!(socket.emit("m"), [run(FIRST, 0), run(SECOND, 1)]);
}

#[test]
fn the_effects_of_a_call_stay_on_the_stack() {
    let mut socket = Socket::served_by_two();
    socket.authenticate(FIRST, &["m"]);
    socket.authenticate(SECOND, &["m"]);
    let effects = socket.session.handle(Event::Incoming { name: b"m" });
    assert_eq!((effects.len(), effects.spilled()), (2, false));
}
