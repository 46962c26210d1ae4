//! A scope at one instant: what queries read, and what a capture streams.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::key::{DEFAULT_PREFIX_BYTES, ID_BYTES_MAX, Key, kind_of};
use crate::meta::{Applied, ScopeState};
use crate::store::{self, Table};
use crate::tables::{Entries, Read};
use crate::totals::Totals;
use crate::{Error, Scope};

/// The tables of one generation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables {
    pub(crate) records: Table,
    pub(crate) derived: Table,
}

/// The derived key of the totals; every other derived key begins with a tag above zero.
pub(crate) const TOTALS_KEY: &[u8] = &[0];

/// A read-only view of a scope, pinned at one applied position: writers neither wait for it nor change it.
#[derive(Clone)]
pub struct View {
    pub(crate) view: Arc<dyn store::View>,
    pub(crate) tables: Tables,
    pub(crate) scope: Scope,
    pub(crate) state: ScopeState,
    pub(crate) applied: Applied,
}

/// One record as an archive carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its type number.
    pub kind: u8,
    /// Its bytes, without the type byte.
    pub bytes: Bytes,
}

impl View {
    /// What is viewed.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Where the scope stood.
    pub fn state(&self) -> &ScopeState {
        &self.state
    }

    /// The last log entry whose effects are seen.
    pub fn applied(&self) -> &Applied {
        &self.applied
    }

    /// Every record, in the order in which archives hold them.
    pub fn records(&self) -> impl Iterator<Item = Result<Record, Error>> + Send + '_ {
        let scan = self.view.scan(self.tables.records, &[]);
        scan.map(|pair| pair.map(|(key, bytes)| Record { kind: kind_of(&key), bytes }).map_err(Error::from))
    }

    /// Facts that no record tells, as derived keys.
    pub(crate) fn notes(&self) -> impl Iterator<Item = Result<Bytes, Error>> + Send + '_ {
        self.view.scan(self.tables.derived, self.scope.notes()).map(|pair| Ok(pair?.0))
    }

    /// SHA-256 of every stored key and record: equal state, equal digest, on every replica.
    pub fn digest(&self) -> Result<[u8; 32], Error> {
        let mut hash = Sha256::new();
        for pair in self.view.scan(self.tables.records, &[]) {
            let (key, value) = pair?;
            for part in [&key, &value] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        Ok(hash.finalize().into())
    }

    /// How many records there are of each type, and their bytes.
    pub fn totals(&self) -> Result<Totals, Error> {
        match self.view.get(self.tables.derived, TOTALS_KEY)? {
            Some(bytes) => Totals::decode(&bytes),
            None => Ok(Totals::default()),
        }
    }
}

impl Read for View {
    fn get(&self, kind: u8, id: &[u8]) -> Result<Option<Bytes>, Error> {
        if id.len() > ID_BYTES_MAX {
            return Ok(None);
        }
        let key = Key::new(self.scope.rank(kind), kind, "", id);
        Ok(self.view.get(self.tables.records, &key.0)?)
    }

    fn scan<'a>(&'a self, kind: u8, prefix: &[u8]) -> Entries<'a> {
        if prefix.len() > ID_BYTES_MAX {
            return Box::new(std::iter::empty());
        }
        let key = Key::new(self.scope.rank(kind), kind, "", prefix);
        entries(self.view.scan(self.tables.records, &key.0))
    }

    fn derived(&self, prefix: &[u8]) -> Result<Vec<Bytes>, Error> {
        suffixes(self.view.scan(self.tables.derived, prefix), prefix.len())
    }

    fn index(&self) -> u64 {
        self.state.index
    }

    fn floor(&self) -> u64 {
        self.state.floor
    }
}

pub(crate) fn entries(scan: store::Scan<'_>) -> Entries<'_> {
    Box::new(scan.map(|pair| {
        let (key, value) = pair?;
        Ok((key.slice(DEFAULT_PREFIX_BYTES..), value))
    }))
}

pub(crate) fn suffixes(scan: store::Scan<'_>, prefix_bytes: usize) -> Result<Vec<Bytes>, Error> {
    scan.map(|pair| Ok(pair?.0.slice(prefix_bytes..))).collect()
}
