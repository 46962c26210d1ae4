//! When tables, and parts of tables, were last changed: the records of type 16.
//!
//! Follows `hashicorp/consul:agent/consul/state/{state_store,schema_ce}.go`.

use archive::consul::IndexEntry;

use super::layout::INDEX;
use super::lookups;
use crate::{Error, ID_BYTES_MAX, Read, Txn, error};

/// The index of `table`, if it was ever changed.
pub(super) fn of(read: &dyn Read, table: &str) -> Result<Option<u64>, Error> {
    let Some((_, bytes)) = lookups::named(read, INDEX, table.as_bytes())? else { return Ok(None) };
    let entry = IndexEntry::decode(&bytes).map_err(|e| error::stored("table index", e))?;
    Ok(Some(entry.value))
}

/// The highest index of `tables`; 0 if none was ever changed.
pub(super) fn highest(read: &dyn Read, tables: &[&str]) -> Result<u64, Error> {
    let mut highest = 0;
    for table in tables {
        highest = highest.max(of(read, table)?.unwrap_or_default());
    }
    Ok(highest)
}

/// Moves a table's index to the command being applied. The part of a table whose name is too long to be
/// stored has no index of its own; its answers bear that of the whole.
pub(super) fn touch(txn: &mut Txn<'_>, table: &str) -> Result<(), Error> {
    if table.len() > ID_BYTES_MAX {
        return Ok(());
    }
    let entry = IndexEntry { key: table.to_owned(), value: txn.index() };
    let bytes = entry.encode();
    match lookups::named(txn, INDEX, table.as_bytes())? {
        Some((_, found)) if found == bytes => return Ok(()),
        Some((id, _)) if id != table.as_bytes() => drop(txn.remove(INDEX, &id)?),
        _ => {}
    }
    txn.put(INDEX, table.as_bytes(), bytes.into())
}

/// Forgets a table's index.
pub(super) fn forget(txn: &mut Txn<'_>, table: &str) -> Result<(), Error> {
    if let Some((id, _)) = lookups::named(txn, INDEX, table.as_bytes())? {
        txn.remove(INDEX, &id)?;
    }
    Ok(())
}
