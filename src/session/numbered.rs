//! Things held under numbers that the host carries around.
//!
//! A number is not given out again before all others have been, and never while its thing is
//! held: a number that comes back late finds nothing rather than somebody else's thing.

use std::collections::hash_map::Entry;
use std::num::NonZeroU32;

use rustc_hash::FxHashMap;

/// An empty table that grew beyond this is given back, so that one burst is not paid for during
/// the rest of a connection.
const SPARE: usize = 128;

pub(super) struct Numbered<T> {
    held: FxHashMap<NonZeroU32, T>,
    last: u32,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self {
            held: FxHashMap::default(),
            last: 0,
        }
    }
}

impl<T> Numbered<T> {
    /// Holds `thing` and returns its number; `None`, and the thing is dropped, when every number
    /// is taken.
    pub(super) fn hold(&mut self, thing: T) -> Option<NonZeroU32> {
        if self.held.len() >= u32::MAX as usize {
            return None;
        }
        loop {
            self.last = self.last.wrapping_add(1);
            if let Some(number) = NonZeroU32::new(self.last)
                && let Entry::Vacant(place) = self.held.entry(number)
            {
                place.insert(thing);
                return Some(number);
            }
        }
    }

    pub(super) fn get_mut(&mut self, number: NonZeroU32) -> Option<&mut T> {
        self.held.get_mut(&number)
    }

    pub(super) fn take(&mut self, number: NonZeroU32) -> Option<T> {
        let thing = self.held.remove(&number);
        if self.held.is_empty() && self.held.capacity() > SPARE {
            self.held = FxHashMap::default();
        }
        thing
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}
