//! The newest entries of a log, in memory: all that are not yet on disk, and some that are.
//!
//! Replication and apply read here; the file is read only for followers that lag and after a restart.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::types::{Entry, Payload};

/// Flushed entries are dropped, oldest first, beyond this size.
const BYTES_MAX: usize = 2 << 20;

/// What an entry costs besides its command.
const ENTRY_OVERHEAD_BYTES: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Tail {
    entries: BTreeMap<u64, Entry>,
    bytes: usize,
    /// The first index that is not on disk.
    unflushed: u64,
}

impl Tail {
    /// Adds an entry that is yet to be written.
    pub(super) fn push(&mut self, entry: Entry) {
        let index = entry.position.index;
        self.unflushed = self.unflushed.min(index);
        self.bytes += cost(&entry);
        if let Some(replaced) = self.entries.insert(index, entry) {
            self.bytes -= cost(&replaced);
        }
    }

    /// Notes that everything up to and including `index` is on disk, and lets go of what is too much.
    pub(super) fn flushed(&mut self, index: u64) {
        self.unflushed = index + 1;
        while self.bytes > BYTES_MAX
            && let Some(oldest) = self.entries.first_entry()
            && *oldest.key() < self.unflushed
        {
            self.bytes -= cost(&oldest.remove());
        }
    }

    /// Forgets the entries from `index` on.
    pub(super) fn truncate(&mut self, index: u64) {
        let removed = self.entries.split_off(&index);
        self.bytes -= removed.values().map(cost).sum::<usize>();
    }

    /// Forgets the entries up to and including `index`.
    pub(super) fn purge(&mut self, index: u64) {
        let kept = self.entries.split_off(&(index + 1));
        self.bytes = kept.values().map(cost).sum();
        self.entries = kept;
    }

    /// The first index from which on everything is here, if anything is.
    pub(super) fn first(&self) -> Option<u64> {
        self.entries.first_key_value().map(|(index, _)| *index)
    }

    /// Entries from the start of the range on, until its end or, after the first, `bytes_max`.
    pub(super) fn read(&self, range: Range<u64>, bytes_max: usize) -> Vec<Entry> {
        let mut bytes = 0;
        let mut entries = Vec::new();
        if range.is_empty() {
            return entries;
        }
        for entry in self.entries.range(range).map(|(_, entry)| entry) {
            bytes += cost(entry);
            if bytes > bytes_max && !entries.is_empty() {
                break;
            }
            entries.push(entry.clone());
        }
        entries
    }
}

fn cost(entry: &Entry) -> usize {
    let payload_bytes = match &entry.payload {
        Payload::Blank => 0,
        Payload::Members(members) => members.everyone().len() * ENTRY_OVERHEAD_BYTES,
        Payload::Command(command) => command.len(),
    };
    ENTRY_OVERHEAD_BYTES + payload_bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Position;

    fn entry(index: u64, bytes: usize) -> Entry {
        Entry { position: Position { term: 1, index }, payload: Payload::Command(vec![0; bytes].into()) }
    }

    #[test]
    fn entries_not_yet_on_disk_are_never_dropped() {
        let mut tail = Tail::default();
        for index in 0..4 {
            tail.push(entry(index, BYTES_MAX));
        }
        tail.flushed(1);
        assert_eq!(tail.first(), Some(2));
        tail.flushed(3);
        assert_eq!(tail.first(), None, "flushed and too much");
    }

    #[test]
    fn its_size_is_counted_right_through_every_change() {
        let mut tail = Tail::default();
        for index in 0..10 {
            tail.push(entry(index, 100));
        }
        tail.truncate(8);
        tail.purge(2);
        tail.push(entry(8, 5));
        tail.push(entry(8, 7));
        assert_eq!(tail.bytes, tail.entries.values().map(cost).sum::<usize>());
        assert_eq!(tail.read(0..100, usize::MAX).len(), 6);
    }

    #[test]
    fn a_read_gives_at_least_one_entry_whatever_its_size() {
        let mut tail = Tail::default();
        tail.push(entry(0, 1000));
        tail.push(entry(1, 1000));
        assert_eq!(tail.read(0..2, 1).len(), 1);
    }
}
