//! Changes not yet written, over a view: reads see them, a savepoint takes some of them back.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::store::{self, Batch, Pair, Scan, Table, View};

/// A view with uncommitted changes on top.
pub(crate) struct Overlay {
    view: Arc<dyn View>,
    changes: BTreeMap<Table, BTreeMap<Bytes, Option<Bytes>>>,
    /// What each change replaced, newest last. `None`: there was no change of that key yet.
    journal: Vec<(Table, Bytes, Option<Option<Bytes>>)>,
}

/// A place in the journal to go back to.
#[derive(Clone, Copy)]
pub(crate) struct Savepoint(usize);

impl Overlay {
    pub(crate) fn new(view: Arc<dyn View>) -> Overlay {
        Overlay { view, changes: BTreeMap::new(), journal: Vec::new() }
    }

    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, store::Error> {
        match self.changes.get(&table).and_then(|changes| changes.get(key)) {
            Some(changed) => Ok(changed.clone()),
            None => self.view.get(table, key),
        }
    }

    /// Sets (`Some`) or removes (`None`) a key.
    pub(crate) fn set(&mut self, table: Table, key: Bytes, value: Option<Bytes>) {
        let before = self.changes.entry(table).or_default().insert(key.clone(), value);
        self.journal.push((table, key, before));
    }

    pub(crate) fn savepoint(&self) -> Savepoint {
        Savepoint(self.journal.len())
    }

    pub(crate) fn roll_back(&mut self, to: Savepoint) {
        while self.journal.len() > to.0 {
            let (table, key, before) = self.journal.pop().expect("longer than the savepoint");
            let changes = self.changes.entry(table).or_default();
            match before {
                Some(value) => changes.insert(key, value),
                None => changes.remove(&key),
            };
        }
    }

    pub(crate) fn scan<'a>(&'a self, table: Table, prefix: &[u8]) -> Scan<'a> {
        let stored = self.view.scan(table, prefix);
        let Some(changes) = self.changes.get(&table) else { return stored };
        let prefix = Bytes::copy_from_slice(prefix);
        let from = (Bound::Included(prefix.clone()), Bound::Unbounded);
        let changed = changes.range(from).take_while(move |(key, _)| key.starts_with(&prefix));
        Box::new(Merge { stored: stored.peekable(), changed: changed.peekable() })
    }

    pub(crate) fn into_batch(self) -> Batch {
        let mut batch = Batch::default();
        for (table, changes) in self.changes {
            for (key, value) in changes {
                match value {
                    Some(value) => batch.put(table, key, value),
                    None => batch.remove(table, key),
                }
            }
        }
        batch
    }
}

/// Two ascending sequences as one; where both have a key the change wins.
struct Merge<'a, C: Iterator<Item = (&'a Bytes, &'a Option<Bytes>)>> {
    stored: std::iter::Peekable<Scan<'a>>,
    changed: std::iter::Peekable<C>,
}

impl<'a, C: Iterator<Item = (&'a Bytes, &'a Option<Bytes>)>> Iterator for Merge<'a, C> {
    type Item = Result<Pair, store::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((changed, _)) = self.changed.peek() else { return self.stored.next() };
            match self.stored.peek() {
                Some(Err(_)) => return self.stored.next(),
                Some(Ok((stored, _))) if stored < *changed => return self.stored.next(),
                Some(Ok((stored, _))) if stored == *changed => drop(self.stored.next()),
                _ => {}
            }
            let (key, value) = self.changed.next().expect("peeked");
            if let Some(value) = value {
                return Some(Ok((key.clone(), value.clone())));
            }
        }
    }
}
