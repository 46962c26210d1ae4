//! When tables were last changed: the records of type 2.
//!
//! Follows `hashicorp/nomad:nomad/state/state_store.go`.

use archive::msgpack;
use archive::nomad::{IndexEntry, kinds};

use crate::{Error, Read, Txn, error};

/// Decodes a table's index.
pub(super) fn entry(bytes: &[u8]) -> Result<IndexEntry, msgpack::Error> {
    IndexEntry::decode(bytes)
}

/// The index of `table`, if it was ever changed.
pub(super) fn of(read: &dyn Read, table: &str) -> Result<Option<u64>, Error> {
    let Some(bytes) = read.get(kinds::INDEX, table.as_bytes())? else { return Ok(None) };
    Ok(Some(entry(&bytes).map_err(|e| error::stored("table index", e))?.value))
}

/// Moves a table's index to the command being applied.
pub(super) fn touch(txn: &mut Txn<'_>, table: &str) -> Result<(), Error> {
    let entry = IndexEntry { key: table.to_owned(), value: txn.index() };
    txn.put(kinds::INDEX, table.as_bytes(), entry.encode().into())
}
