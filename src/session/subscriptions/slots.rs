//! A dense table of subscribers, each in a slot that does not change.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Where a subscriber is. Slots are used again, so a slot counts together with the subscriber's key only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(pub(super) u32);

/// Values in slots. The lowest free slot is used first, so that a table from which many have left becomes
/// short again as others come and go.
#[derive(Debug)]
pub(super) struct Slots<T> {
    slots: Vec<Option<T>>,
    /// The slots that are free; those behind the end of the table do not count.
    free: BinaryHeap<Reverse<u32>>,
    len: usize,
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: BinaryHeap::new(),
            len: 0,
        }
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The end of the table: every value is in a slot below this one.
    pub(super) fn end(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Adds a value; `None` if there is no slot for it.
    pub(super) fn add(&mut self, value: T) -> Option<Slot> {
        if let Some(&Reverse(index)) = self.free.peek()
            && let Some(slot) = self.slots.get_mut(index as usize)
        {
            self.free.pop();
            *slot = Some(value);
            self.len += 1;
            return Some(Slot(index));
        }
        // All that is left there is behind the end.
        self.free.clear();
        let index = u32::try_from(self.slots.len()).ok()?;
        if self.slots.len() == self.slots.capacity() {
            // Grows by a quarter, so that subscribers that never come cost little memory.
            self.slots.reserve_exact(1 + self.slots.len() / 4);
        }
        self.slots.push(Some(value));
        self.len += 1;
        Some(Slot(index))
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        self.slots.get_mut(slot.0 as usize)?.as_mut()
    }

    /// Takes the value out of a slot.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<T> {
        let value = self.slots.get_mut(slot.0 as usize)?.take()?;
        self.len -= 1;
        self.free.push(Reverse(slot.0));
        while self.slots.pop_if(|last| last.is_none()).is_some() {}
        if self.slots.len() < self.slots.capacity() / 4 {
            self.slots.shrink_to(self.slots.len() * 2);
        }
        if self.slots.is_empty() {
            self.free = BinaryHeap::new();
        }
        Some(value)
    }

    /// Takes all values.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = T> {
        let all = std::mem::replace(self, Self::new());
        all.slots.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_slot_is_used_first_and_the_table_ends_with_its_last_value() {
        let mut slots = Slots::new();
        let all: Vec<_> = (0..6).map(|value| slots.add(value).unwrap()).collect();
        for index in [4, 1, 5] {
            assert_eq!(slots.remove(all[index]), Some(index));
            assert_eq!(slots.remove(all[index]), None);
        }
        assert_eq!((slots.len(), slots.end()), (3, 4));
        assert_eq!(slots.add(9), Some(Slot(1)));
        assert_eq!(slots.add(10), Some(Slot(4)));
        assert_eq!(slots.add(11), Some(Slot(5)));
        assert_eq!(slots.remove(Slot(99)), None);
        assert_eq!(slots.get_mut(Slot(5)), Some(&mut 11));
        assert_eq!(slots.take_all().count(), 6);
        assert_eq!((slots.len(), slots.end()), (0, 0));
    }

    #[test]
    fn a_table_that_many_have_left_keeps_no_memory_of_them() {
        let mut slots = Slots::new();
        let all: Vec<_> = (0..10_000).map(|value| slots.add(value).unwrap()).collect();
        for slot in all.into_iter().rev() {
            slots.remove(slot);
        }
        assert_eq!(slots.slots.capacity(), 0);
        assert_eq!(slots.free.capacity(), 0);
    }
}
