//! Things held under numbers that the host carries around.
//!
//! A number is given out once: one that comes back late finds nothing rather than somebody else's
//! thing.

use std::num::NonZeroU64;

use rustc_hash::FxHashMap;

/// An empty table that grew beyond this is given back, so that one burst is not paid for during
/// the rest of a connection.
const SPARE: usize = 128;

pub(super) struct IdMap<T> {
    held: FxHashMap<NonZeroU64, T>,
    last: u64,
}

impl<T> Default for IdMap<T> {
    fn default() -> Self {
        Self {
            held: FxHashMap::default(),
            last: 0,
        }
    }
}

impl<T> IdMap<T> {
    /// Holds `thing` and returns its number.
    pub(super) fn hold(&mut self, thing: T) -> NonZeroU64 {
        let number = NonZeroU64::MIN.saturating_add(self.last);
        self.last = number.get();
        self.held.insert(number, thing);
        number
    }

    pub(super) fn get_mut(&mut self, number: NonZeroU64) -> Option<&mut T> {
        self.held.get_mut(&number)
    }

    pub(super) fn take(&mut self, number: NonZeroU64) -> Option<T> {
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

    fn number(number: u64) -> NonZeroU64 {
        NonZeroU64::new(number).expect("not 0")
    }

    #[test]
    fn numbers_start_at_one_and_a_free_one_is_not_given_out_again() {
        let mut map = IdMap::default();
        assert_eq!(map.hold('a'), number(1));
        assert_eq!(map.take(number(1)), Some('a'));
        assert_eq!(map.take(number(1)), None);
        assert_eq!(map.hold('b'), number(2));
    }

    #[test]
    fn numbers_go_on_behind_those_of_32_bits() {
        let mut map = IdMap::default();
        assert_eq!(map.hold('a'), number(1));
        assert_eq!(map.take(number(1)), Some('a'));
        map.last = u32::MAX.into();
        assert_eq!(map.hold('b'), number(1 << 32));
        assert_eq!(map.hold('c'), number((1 << 32) + 1));
        // Somebody who comes back late finds nothing.
        assert_eq!(map.take(number(1)), None);
        assert_eq!(map.take(number((1 << 32) + 1)), Some('c'));
    }

    #[test]
    fn memory_of_a_burst_of_ids_is_released() {
        let mut map = IdMap::default();
        let burst: Vec<_> = (0..10_000).map(|i| map.hold(i)).collect();
        for number in burst {
            map.take(number);
        }
        assert!(map.is_empty());
        assert!(map.held.capacity() <= SPARE);
    }

    #[test]
    fn memory_of_a_few_ids_is_kept() {
        let mut map = IdMap::default();
        let first = map.hold(0);
        let room = map.held.capacity();
        map.take(first);
        for i in 0..1_000 {
            let number = map.hold(i);
            assert_eq!(map.take(number), Some(i));
            assert_eq!(map.held.capacity(), room);
        }
    }
}
