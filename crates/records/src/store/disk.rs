//! The store on fjall, an LSM engine: views cost nothing to hold, loads bypass the journal.

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};

use super::{Batch, Durability, Error, Pair, Scan, Store, Table, View};

/// Memory that the engine may take, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct DiskOptions {
    /// Cache of blocks read from disk.
    pub cache_bytes: u64,
    /// Writes kept in memory per table before they are flushed.
    pub table_buffer_bytes: u64,
}

impl Default for DiskOptions {
    fn default() -> Self {
        DiskOptions { cache_bytes: 64 << 20, table_buffer_bytes: 16 << 20 }
    }
}

/// Journal bytes after which tables are flushed: bounds the replay at start (the engine's least value).
const JOURNAL_BYTES: u64 = 64 << 20;

/// A fjall database.
pub struct Disk {
    database: Database,
    options: DiskOptions,
    handles: RwLock<HashMap<Table, Keyspace>>,
    next: AtomicU64,
}

impl Disk {
    /// Opens or creates the database under `path`.
    ///
    /// Tables that were dropped before a crash are gone; everything written with [`Durability::Process`]
    /// before the process died is there.
    pub fn open(path: &Path, options: DiskOptions) -> Result<Self, Error> {
        let database = Database::builder(path)
            .cache_size(options.cache_bytes)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(2)
            .open()?;
        let disk = Disk { database, options, handles: RwLock::new(HashMap::new()), next: AtomicU64::new(0) };
        for name in disk.database.list_keyspace_names() {
            disk.table(&name)?;
        }
        Ok(disk)
    }

    fn handle(&self, table: Table) -> Result<Keyspace, Error> {
        self.handles.read().expect("no panic while held").get(&table).cloned().ok_or(Error::NoTable(table.0))
    }
}

impl Store for Disk {
    fn tables(&self) -> Vec<(String, Table)> {
        let handles = self.handles.read().expect("no panic while held");
        handles.iter().map(|(table, keyspace)| (keyspace.name().to_string(), *table)).collect()
    }

    fn table(&self, name: &str) -> Result<Table, Error> {
        let mut handles = self.handles.write().expect("no panic while held");
        if let Some((table, _)) = handles.iter().find(|(_, keyspace)| &**keyspace.name() == name) {
            return Ok(*table);
        }
        let buffer_bytes = self.options.table_buffer_bytes;
        let create = || KeyspaceCreateOptions::default().max_memtable_size(buffer_bytes);
        let keyspace = self.database.keyspace(name, create)?;
        let table = Table(self.next.fetch_add(1, Ordering::Relaxed));
        handles.insert(table, keyspace);
        Ok(table)
    }

    fn drop_table(&self, table: Table) -> Result<(), Error> {
        let keyspace = self.handles.write().expect("no panic while held").remove(&table);
        let keyspace = keyspace.ok_or(Error::NoTable(table.0))?;
        Ok(self.database.delete_keyspace(keyspace)?)
    }

    fn view(&self, tables: &[Table]) -> Result<Arc<dyn View>, Error> {
        let handles = tables.iter().map(|t| Ok((*t, self.handle(*t)?))).collect::<Result<Vec<_>, Error>>()?;
        Ok(Arc::new(DiskView { snapshot: self.database.snapshot(), handles }))
    }

    fn write(&self, batch: Batch, durability: Durability) -> Result<(), Error> {
        let mode = match durability {
            Durability::Process => PersistMode::Buffer,
            Durability::Disk => PersistMode::SyncAll,
        };
        let mut out = self.database.batch().durability(Some(mode));
        let handles = self.handles.read().expect("no panic while held");
        for (table, key, value) in batch.changes {
            let keyspace = handles.get(&table).ok_or(Error::NoTable(table.0))?;
            match value {
                Some(value) => out.insert(keyspace, key, value),
                None => out.remove(keyspace, key),
            }
        }
        drop(handles);
        Ok(out.commit()?)
    }

    fn load(&self, table: Table, pairs: &mut dyn Iterator<Item = Pair>) -> Result<(), Error> {
        let keyspace = self.handle(table)?;
        let mut ingestion = keyspace.start_ingestion()?;
        let mut last: Option<Bytes> = None;
        for (key, value) in pairs {
            // The engine would panic.
            if last.as_ref().is_some_and(|last| *last >= key) {
                return Err(Error::Unsorted);
            }
            last = Some(key.clone());
            ingestion.write(key, value)?;
        }
        Ok(ingestion.finish()?)
    }

    fn sync(&self) -> Result<(), Error> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
}

/// An engine snapshot together with the handles that keep its tables' files alive.
struct DiskView {
    snapshot: Snapshot,
    handles: Vec<(Table, Keyspace)>,
}

impl DiskView {
    fn handle(&self, table: Table) -> Result<&Keyspace, Error> {
        let found = self.handles.iter().find(|(held, _)| *held == table);
        found.map(|(_, keyspace)| keyspace).ok_or(Error::NoTable(table.0))
    }
}

impl View for DiskView {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Ok(self.snapshot.get(self.handle(table)?, key)?.map(Bytes::from))
    }

    fn scan<'a>(&'a self, table: Table, prefix: &[u8]) -> Scan<'a> {
        let keyspace = match self.handle(table) {
            Ok(keyspace) => keyspace,
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        Box::new(self.snapshot.prefix(keyspace, prefix).map(|entry| {
            let (key, value) = entry.into_inner()?;
            Ok((Bytes::from(key), Bytes::from(value)))
        }))
    }
}

impl From<fjall::Error> for Error {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Locked => Error::Locked,
            fjall::Error::Io(io) => io.into(),
            other => match other.source().and_then(|cause| cause.downcast_ref::<io::Error>()) {
                Some(io) if io.kind() == io::ErrorKind::StorageFull => Error::Full,
                _ => Error::Engine(other.to_string()),
            },
        }
    }
}
