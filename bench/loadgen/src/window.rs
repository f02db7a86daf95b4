//! A window of calls that one client keeps outstanding.

use std::time::{Duration, Instant};

use crate::conn::{Ack, Conn};
use crate::workload::{Calls, VALUES};

/// A call that is not answered.
#[derive(Clone, Copy, Debug)]
struct Call {
    /// Its number.
    id: u64,
    /// What it was made with.
    value: u64,
    /// When.
    sent: Instant,
}

/// What an answer was worth.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Right, after so long.
    Right(Duration),
    /// Not what the call asks for.
    Wrong,
    /// It answers nothing that is open.
    Unknown,
}

/// The calls of one client.
#[derive(Debug)]
pub struct Window {
    /// Each slot's call; ids are congruent to their slot modulo the window.
    slots: Vec<Option<Call>>,
    /// How many are open.
    open: usize,
    /// The value of the last call.
    value: u64,
}

impl Window {
    /// A window of so many calls, none of them made.
    pub fn new(size: usize) -> Window {
        Window {
            slots: vec![None; size],
            open: 0,
            value: 0,
        }
    }

    /// Makes all of them.
    pub fn fill(&mut self, conn: &mut Conn, calls: &mut Calls, now: Instant) {
        for id in 0..self.slots.len() as u64 {
            self.call(conn, calls, id, now);
        }
    }

    /// Takes an answer and, if `goes_on`, makes the next call of that slot.
    pub fn answer(
        &mut self,
        conn: &mut Conn,
        calls: &mut Calls,
        ack: &Ack<'_>,
        now: Instant,
        goes_on: bool,
    ) -> Verdict {
        let slot = self.slot(ack.id);
        let Some(call) = self.slots[slot].take_if(|call| call.id == ack.id) else {
            return Verdict::Unknown;
        };
        self.open -= 1;
        let is_right = calls.matches(ack, call.value);
        if goes_on {
            self.call(conn, calls, ack.id + self.slots.len() as u64, now);
        }
        if is_right {
            Verdict::Right(now.saturating_duration_since(call.sent))
        } else {
            Verdict::Wrong
        }
    }

    /// How many calls are not answered.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Makes a call.
    fn call(&mut self, conn: &mut Conn, calls: &mut Calls, id: u64, now: Instant) {
        self.value = self.value % VALUES + 1;
        let (value, sent) = (self.value, now);
        calls.send(conn, id, value);
        let slot = self.slot(id);
        self.slots[slot] = Some(Call { id, value, sent });
        self.open += 1;
    }

    /// The slot of a call.
    fn slot(&self, id: u64) -> usize {
        (id % self.slots.len() as u64) as usize
    }
}
