//! The items of a channel, and how many subscribers wait for each of them.
//!
//! Positions count all items from 0; offsets are the host's, and may have gaps. The log counts the
//! subscribers that wait for each item, so it knows without looking at them what it may drop.

use std::collections::VecDeque;
use std::collections::vec_deque::IterMut;

/// An item of the log.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) offset: u64,
    pub(super) item: T,
    /// The bytes of all items before it.
    bytes_before: u64,
    /// How many subscribers wait for this item first.
    waiting: u32,
}

/// The items of a channel.
#[derive(Debug)]
pub(super) struct Log<T> {
    entries: VecDeque<Entry<T>>,
    /// The position of the first entry.
    first: u64,
    /// The offset of the last item that was ever added.
    last_offset: Option<u64>,
    /// The bytes of all items that were ever added.
    bytes: u64,
    /// How many items are kept although nobody waits for them.
    history: usize,
}

impl<T> Log<T> {
    pub(super) fn new(history: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            last_offset: None,
            bytes: 0,
            history,
        }
    }

    /// The position of the next item.
    pub(super) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The bytes of all items that were ever added.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many items there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The offset of the first item.
    pub(super) fn first_offset(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.offset)
    }

    /// The offset of the last item that was ever added.
    pub(super) fn last_offset(&self) -> Option<u64> {
        self.last_offset
    }

    /// Adds an item, unless its offset is not greater than that of the last one.
    pub(super) fn push(&mut self, offset: u64, item: T, bytes: u64) {
        if self.last_offset.is_some_and(|last| offset <= last) {
            return;
        }
        self.last_offset = Some(offset);
        self.entries.push_back(Entry {
            offset,
            item,
            bytes_before: self.bytes,
            waiting: 0,
        });
        self.bytes = self.bytes.saturating_add(bytes.max(1));
    }

    /// The position of the first item of the history with this offset or a greater one; the end if there
    /// is none.
    pub(super) fn position_from(&self, offset: u64) -> u64 {
        let oldest = self.entries.len().saturating_sub(self.history);
        let index = self.entries.partition_point(|entry| entry.offset < offset);
        self.first + index.max(oldest) as u64
    }

    /// The entries from a position on.
    pub(super) fn entries(&mut self, position: u64, count: u32) -> IterMut<'_, Entry<T>> {
        let from = self.index(position).min(self.entries.len());
        let to = (from + count as usize).min(self.entries.len());
        self.entries.range_mut(from..to)
    }

    /// The bytes from a position on, without those of the first `uncounted` bytes of the channel.
    pub(super) fn bytes_from(&self, position: u64, uncounted: u64) -> u64 {
        let before = self.entries.get(self.index(position));
        let before = before.map_or(self.bytes, |entry| entry.bytes_before);
        self.bytes - before.max(uncounted)
    }

    /// One more subscriber waits for the item at a position.
    pub(super) fn wait(&mut self, position: u64) {
        let index = self.index(position);
        if let Some(entry) = self.entries.get_mut(index) {
            entry.waiting += 1;
        }
    }

    /// One subscriber less waits for the item at a position.
    pub(super) fn leave(&mut self, position: u64) {
        let index = self.index(position);
        if let Some(entry) = self.entries.get_mut(index) {
            entry.waiting -= 1;
        }
    }

    /// Drops what is older than the history and nobody waits for.
    pub(super) fn prune(&mut self) {
        while self.entries.len() > self.history
            && self
                .entries
                .pop_front_if(|entry| entry.waiting == 0)
                .is_some()
        {
            self.first += 1;
        }
        if self.entries.is_empty() && self.entries.capacity() > MAX_SPARE_CAPACITY {
            self.entries = VecDeque::new();
        }
    }

    fn index(&self, position: u64) -> usize {
        usize::try_from(position - self.first).unwrap_or(usize::MAX)
    }
}

/// An empty log with a larger capacity is freed, so that a slow subscriber does not cost memory after it
/// has caught up.
const MAX_SPARE_CAPACITY: usize = 64;
