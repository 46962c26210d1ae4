//! What the state machine asks of an engine: tables, views of one instant, atomic batches, sorted loads.
//!
//! Two implementations pass one suite (`tests/store.rs`): [`Disk`] on fjall and [`Memory`] as its oracle.

mod disk;
mod memory;

use std::io;
use std::sync::Arc;

use bytes::Bytes;

pub use disk::{Disk, DiskOptions};
pub use memory::Memory;

/// A handle on one table. Cheap to copy; it names the table but does not keep it alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Table(pub(crate) u64);

/// One key and its value.
pub type Pair = (Bytes, Bytes);

/// Pairs in ascending key order.
pub type Scan<'a> = Box<dyn Iterator<Item = Result<Pair, Error>> + Send + 'a>;

/// Why the engine could not do as asked. Nothing of a failed batch or load is ever visible.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine failed; after a failed sync it refuses all further writes.
    #[error("storage engine: {0}")]
    Engine(String),
    /// The disk is full. Reads keep working.
    #[error("no space left on the disk that holds the data directory")]
    Full,
    /// The table was dropped, or belongs to another store.
    #[error("table {0} does not exist")]
    NoTable(u64),
    /// A load was handed a key that does not sort after the one before it.
    #[error("keys of a load must ascend")]
    Unsorted,
    /// Another process holds the database.
    #[error("the database is in use by another process")]
    Locked,
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full,
            _ => Error::Engine(error.to_string()),
        }
    }
}

/// How much must have happened when a write returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Survives a crash of the process; a power cut may take it back (the Raft log has it).
    Process,
    /// Survives a power cut.
    Disk,
}

/// Changes that become visible and durable together.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) changes: Vec<(Table, Bytes, Option<Bytes>)>,
}

impl Batch {
    /// Sets `key` of `table`.
    pub fn put(&mut self, table: Table, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.changes.push((table, key.into(), Some(value.into())));
    }

    /// Removes `key` of `table`; removing what is not there is not an error.
    pub fn remove(&mut self, table: Table, key: impl Into<Bytes>) {
        self.changes.push((table, key.into(), None));
    }
}

/// A database of named tables.
pub trait Store: Send + Sync + 'static {
    /// Every table there is, by name.
    fn tables(&self) -> Vec<(String, Table)>;

    /// The table called `name`, made if there is none.
    fn table(&self, name: &str) -> Result<Table, Error>;

    /// Drops a table. Views that hold it keep reading it; its space is freed when the last one closes.
    fn drop_table(&self, table: Table) -> Result<(), Error>;

    /// A read-only view of `tables`, all at one instant, that stays as it is however long it is held.
    fn view(&self, tables: &[Table]) -> Result<Arc<dyn View>, Error>;

    /// Applies a batch atomically.
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Error>;

    /// Loads pairs in ascending key order past the journal: either all become visible at once, or none.
    /// Several loads into one table add up; a later load wins where keys repeat.
    fn load(&self, table: Table, pairs: &mut dyn Iterator<Item = Pair>) -> Result<(), Error>;

    /// When this returns, every finished write and load survives a power cut.
    fn sync(&self) -> Result<(), Error>;
}

/// Tables as they were at one instant.
pub trait View: Send + Sync {
    /// The value of `key`, if there is one.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// All pairs whose key begins with `prefix`.
    fn scan<'a>(&'a self, table: Table, prefix: &[u8]) -> Scan<'a>;
}
