//! The changes of one run of log entries to one scope: typed reads and writes over an overlay.

use bytes::Bytes;

use crate::key::{ID_BYTES_MAX, Key};
use crate::meta::ScopeState;
use crate::overlay::{Overlay, Savepoint};
use crate::tables::{Entries, Read};
use crate::totals::Totals;
use crate::view::{TOTALS_KEY, Tables, entries, suffixes};
use crate::{Error, Scope, error};

/// What a command may read and change: the records of its scope. Reads see the changes made so far.
pub struct Txn<'a> {
    overlay: &'a mut Overlay,
    tables: Tables,
    scope: Scope,
    state: &'a ScopeState,
    totals: Totals,
    at_ms: u64,
}

/// A place to which a transaction can be taken back.
pub struct Mark {
    savepoint: Savepoint,
    totals: Totals,
}

impl<'a> Txn<'a> {
    pub(crate) fn begin(
        overlay: &'a mut Overlay,
        tables: Tables,
        scope: Scope,
        state: &'a ScopeState,
        at_ms: u64,
    ) -> Result<Txn<'a>, Error> {
        let totals = match overlay.get(tables.derived, TOTALS_KEY)? {
            Some(bytes) => Totals::decode(&bytes)?,
            None => Totals::default(),
        };
        Ok(Txn { overlay, tables, scope, state, totals, at_ms })
    }

    pub(crate) fn end(self) {
        let totals = self.totals.encode();
        self.overlay.set(self.tables.derived, Bytes::from_static(TOTALS_KEY), Some(totals));
    }

    /// When the command was proposed, in milliseconds since the Unix epoch.
    pub fn at_ms(&self) -> u64 {
        self.at_ms
    }

    /// Stores a record of type `kind` under `id`, in place of the one that was there. The rules have checked
    /// that the id is no longer than [`ID_BYTES_MAX`].
    pub fn put(&mut self, kind: u8, id: &[u8], bytes: Bytes) -> Result<(), Error> {
        assert!(id.len() <= ID_BYTES_MAX, "the rules refuse longer ids");
        self.remove(kind, id)?;
        for key in self.derived_keys(kind, &bytes)? {
            self.overlay.set(self.tables.derived, key, Some(Bytes::new()));
        }
        self.totals.add(kind, bytes.len());
        self.overlay.set(self.tables.records, self.key(kind, id), Some(bytes));
        Ok(())
    }

    /// Removes a record; returns whether it was there.
    pub fn remove(&mut self, kind: u8, id: &[u8]) -> Result<bool, Error> {
        let Some(old) = self.get(kind, id)? else { return Ok(false) };
        for key in self.derived_keys(kind, &old)? {
            self.overlay.set(self.tables.derived, key, None);
        }
        self.totals.remove(kind, old.len());
        self.overlay.set(self.tables.records, self.key(kind, id), None);
        Ok(true)
    }

    /// Sets down a fact that no record tells, as a derived key that begins with [`Scope::notes`]. It is
    /// replicated and survives restarts; archives don't carry it, so a restore forgets it.
    pub(crate) fn note(&mut self, key: Bytes) {
        debug_assert!(key.starts_with(self.scope.notes()), "other derived keys belong to records");
        self.overlay.set(self.tables.derived, key, Some(Bytes::new()));
    }

    /// Takes back a note.
    pub(crate) fn forget(&mut self, key: Bytes) {
        self.overlay.set(self.tables.derived, key, None);
    }

    /// The derived keys that begin with `prefix`, whole and in order, read as the iterator is.
    pub(crate) fn scan_derived<'b>(
        &'b self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<Bytes, Error>> + 'b {
        self.overlay.scan(self.tables.derived, prefix).map(|pair| Ok(pair?.0))
    }

    /// Marks this place, so that everything after it can be taken back.
    pub fn mark(&self) -> Mark {
        Mark { savepoint: self.overlay.savepoint(), totals: self.totals.clone() }
    }

    /// Takes back every change made since `mark`.
    pub fn roll_back(&mut self, mark: Mark) {
        self.overlay.roll_back(mark.savepoint);
        self.totals = mark.totals;
    }

    fn key(&self, kind: u8, id: &[u8]) -> Bytes {
        Key::new(self.scope.rank(kind), kind, "", id).0
    }

    fn derived_keys(&self, kind: u8, bytes: &[u8]) -> Result<Vec<Bytes>, Error> {
        Ok(self.scope.derived(kind, bytes).map_err(|reason| error::stored("record", reason))?.keys)
    }
}

impl Read for Txn<'_> {
    fn get(&self, kind: u8, id: &[u8]) -> Result<Option<Bytes>, Error> {
        if id.len() > ID_BYTES_MAX {
            return Ok(None);
        }
        Ok(self.overlay.get(self.tables.records, &self.key(kind, id))?)
    }

    fn scan<'b>(&'b self, kind: u8, prefix: &[u8]) -> Entries<'b> {
        if prefix.len() > ID_BYTES_MAX {
            return Box::new(std::iter::empty());
        }
        entries(self.overlay.scan(self.tables.records, &self.key(kind, prefix)))
    }

    fn derived(&self, prefix: &[u8]) -> Result<Vec<Bytes>, Error> {
        suffixes(self.overlay.scan(self.tables.derived, prefix), prefix.len())
    }

    /// The index of the command being applied.
    fn index(&self) -> u64 {
        self.state.index
    }

    fn floor(&self) -> u64 {
        self.state.floor
    }
}
