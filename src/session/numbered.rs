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

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).expect("not 0")
    }

    #[test]
    fn numbers_start_at_one_and_a_free_one_is_not_given_out_again() {
        let mut numbered = Numbered::default();
        assert_eq!(numbered.hold('a'), Some(number(1)));
        assert_eq!(numbered.take(number(1)), Some('a'));
        assert_eq!(numbered.take(number(1)), None);
        assert_eq!(numbered.hold('b'), Some(number(2)));
    }

    #[test]
    fn numbers_that_are_held_are_passed_over_after_all_have_been_used() {
        let mut numbered = Numbered::default();
        assert_eq!(numbered.hold('a'), Some(number(1)));
        numbered.last = u32::MAX - 1;
        assert_eq!(numbered.hold('b'), Some(number(u32::MAX)));
        assert_eq!(numbered.hold('c'), Some(number(2)));
        assert_eq!(numbered.take(number(1)), Some('a'));
        assert_eq!(numbered.take(number(u32::MAX)), Some('b'));
    }

    #[test]
    fn the_room_of_a_burst_is_given_back() {
        let mut numbered = Numbered::default();
        let burst: Vec<_> = (0..10_000).filter_map(|i| numbered.hold(i)).collect();
        for number in burst {
            numbered.take(number);
        }
        assert!(numbered.is_empty());
        assert!(numbered.held.capacity() <= SPARE);
    }

    #[test]
    fn the_room_of_a_few_is_kept() {
        let mut numbered = Numbered::default();
        let first = numbered.hold(0).expect("there is room");
        let room = numbered.held.capacity();
        numbered.take(first);
        for i in 0..1_000 {
            let number = numbered.hold(i).expect("there is room");
            assert_eq!(numbered.take(number), Some(i));
            assert_eq!(numbered.held.capacity(), room);
        }
    }
}
