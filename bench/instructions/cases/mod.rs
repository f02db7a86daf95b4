//! The work whose instructions are counted, case by case; `docs/performance-guard.md` says how.
//!
//! ```text
//! session   the state machine            packets   checks and wire formats
//! event_queue  records for JavaScript    server    the way from bytes to bytes
//! requests  HTTP requests
//! world     a native server with clients, for `server`
//! ```
//!
//! What must stay true: a case does the same work in every run, on every machine: no clock, no
//! randomness and no input or output of the operating system is counted. A case checks what it did, so
//! that work that was not done is not counted as a success. Cases use few functions of each module, so
//! that its internals can change.

// A case that cannot do its work panics: only the guard runs this program.
#![allow(clippy::expect_used)]

mod event_queue;
mod packets;
mod requests;
mod server;
mod session;
mod world;

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

/// Work that is repeated.
#[derive(Debug)]
pub struct Case {
    /// `<module>/<work>`.
    pub name: &'static str,
    /// How often the work is done: what is counted is divided by this.
    pub operations: u32,
    work: fn(u32),
}

impl Case {
    const fn new(name: &'static str, operations: u32, work: fn(u32)) -> Self {
        Self {
            name,
            operations,
            work,
        }
    }

    /// Prepares the work, and does it where callgrind counts. Says how often memory was asked for
    /// meanwhile.
    pub fn run(&self) -> u64 {
        (self.work)(self.operations);
        ALLOCATED.load(Ordering::Relaxed)
    }
}

/// How often memory was asked for since the program began: the program's allocator counts.
pub static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The same, in what was counted.
static ALLOCATED: AtomicU64 = AtomicU64::new(0);

/// Every case.
pub const CASES: &[Case] = &[
    Case::new("session/connect", 1000, session::connect),
    Case::new("session/authenticate", 1000, session::authenticate),
    Case::new("session/refuse", 1000, session::refuse),
    Case::new("session/event", 1000, session::event),
    Case::new("session/call", 1000, session::call),
    Case::new("session/call-of-1000-methods", 1000, session::call_of_many),
    Case::new("session/disconnect", 1000, session::disconnect),
    Case::new("event-queue/calls-in-one-batch", 1000, event_queue::batch),
    Case::new(
        "event-queue/calls-one-by-one",
        1000,
        event_queue::one_by_one,
    ),
    Case::new("event-queue/calls-of-1-kib", 1000, event_queue::large),
    Case::new(
        "event-queue/calls-with-attachments",
        1000,
        event_queue::attachments,
    ),
    Case::new(
        "event-queue/sockets-come-and-go",
        1000,
        event_queue::come_and_go,
    ),
    Case::new("event-queue/records-of-a-batch", 1000, event_queue::records),
    Case::new("packets/event-name", 1000, packets::name),
    Case::new("packets/event-name-of-1-kib", 1000, packets::name_large),
    Case::new("packets/event-name-escaped", 1000, packets::name_escaped),
    Case::new("packets/array-check", 1000, packets::array),
    Case::new("packets/object-check", 1000, packets::object),
    Case::new("packets/json-read", 1000, packets::json_read),
    Case::new(
        "packets/json-read-attachment",
        1000,
        packets::json_read_attachment,
    ),
    Case::new("packets/json-write", 1000, packets::json_write),
    Case::new(
        "packets/json-write-attachment",
        1000,
        packets::json_write_attachment,
    ),
    Case::new("packets/msgpack-read", 1000, packets::msgpack_read),
    Case::new("packets/msgpack-write", 1000, packets::msgpack_write),
    Case::new("requests/head", 1000, requests::head),
    Case::new("server/connect-and-leave", 100, server::connect_and_leave),
    Case::new("server/calls-in", 1000, server::calls_in),
    Case::new("server/calls-in-of-1-kib", 100, server::calls_in_large),
    Case::new("server/answers-out", 1000, server::answers_out),
    Case::new("server/answers-out-alone", 1000, server::answers_out_alone),
    Case::new(
        "server/answers-out-of-1-kib",
        100,
        server::answers_out_large,
    ),
    Case::new("server/emits-out", 1000, server::emits_out),
    Case::new("server/broadcast-to-1000", 1000, server::broadcast),
    Case::new(
        "server/broadcast-to-a-room",
        1000,
        server::broadcast_to_room,
    ),
    Case::new("server/publish-to-1000", 1000, server::publish),
    Case::new("server/publish-burst", 1000, server::publish_burst),
    Case::new(
        "server/items-acknowledged",
        1000,
        server::items_acknowledged,
    ),
    Case::new("server/rooms", 1000, server::rooms),
    Case::new("server/polling-calls", 160, server::polling_calls),
];

/// Runs the work that is counted.
fn count<T>(work: impl FnOnce() -> T) -> T {
    let mut work = Some(work);
    let mut result = None;
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    counted_region(&mut || {
        result = work.take().map(|work| black_box(work()));
    });
    let after = ALLOCATIONS.load(Ordering::Relaxed);
    ALLOCATED.store(after - before, Ordering::Relaxed);
    result.expect("the work is done once")
}

/// Callgrind counts while this runs: `bench/instructions/callgrind.js` knows it by its name.
#[inline(never)]
fn counted_region(work: &mut dyn FnMut()) {
    black_box(work)();
}
