//! Values under numbers that the host passes back.
//!
//! A number is used once, so that one that comes back late finds nothing instead of another value.

use std::num::NonZeroU64;

use rustc_hash::FxHashMap;

/// An empty table with a larger capacity is freed, so that one burst of entries does not cost memory
/// for the rest of a connection.
const MAX_SPARE_CAPACITY: usize = 128;

pub(crate) struct IdMap<T> {
    entries: FxHashMap<NonZeroU64, T>,
    last_number: u64,
}

impl<T> Default for IdMap<T> {
    fn default() -> Self {
        Self {
            entries: FxHashMap::default(),
            last_number: 0,
        }
    }
}

impl<T> IdMap<T> {
    /// Adds a value and returns its number.
    pub(crate) fn insert(&mut self, value: T) -> NonZeroU64 {
        let number = NonZeroU64::MIN.saturating_add(self.last_number);
        self.last_number = number.get();
        self.entries.insert(number, value);
        number
    }

    pub(crate) fn get_mut(&mut self, number: NonZeroU64) -> Option<&mut T> {
        self.entries.get_mut(&number)
    }

    pub(crate) fn remove(&mut self, number: NonZeroU64) -> Option<T> {
        let value = self.entries.remove(&number);
        if self.entries.is_empty() && self.entries.capacity() > MAX_SPARE_CAPACITY {
            self.entries = FxHashMap::default();
        }
        value
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
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
        assert_eq!(map.insert('a'), number(1));
        assert_eq!(map.remove(number(1)), Some('a'));
        assert_eq!(map.remove(number(1)), None);
        assert_eq!(map.insert('b'), number(2));
    }

    #[test]
    fn numbers_go_on_behind_those_of_32_bits() {
        let mut map = IdMap::default();
        assert_eq!(map.insert('a'), number(1));
        assert_eq!(map.remove(number(1)), Some('a'));
        map.last_number = u32::MAX.into();
        assert_eq!(map.insert('b'), number(1 << 32));
        assert_eq!(map.insert('c'), number((1 << 32) + 1));
        // A number that comes back late finds nothing.
        assert_eq!(map.remove(number(1)), None);
        assert_eq!(map.remove(number((1 << 32) + 1)), Some('c'));
    }

    #[test]
    fn memory_of_a_burst_of_ids_is_released() {
        let mut map = IdMap::default();
        let burst: Vec<_> = (0..10_000).map(|i| map.insert(i)).collect();
        for number in burst {
            map.remove(number);
        }
        assert!(map.is_empty());
        assert!(map.entries.capacity() <= MAX_SPARE_CAPACITY);
    }

    #[test]
    fn memory_of_a_few_ids_is_kept() {
        let mut map = IdMap::default();
        let first = map.insert(0);
        let room = map.entries.capacity();
        map.remove(first);
        for i in 0..1_000 {
            let number = map.insert(i);
            assert_eq!(map.remove(number), Some(i));
            assert_eq!(map.entries.capacity(), room);
        }
    }
}
