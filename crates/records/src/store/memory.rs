//! The store in memory: maps behind one lock, copied whole for a view. The oracle of the disk store's tests.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use super::{Batch, Durability, Error, Pair, Scan, Store, Table, View};

type Map = BTreeMap<Bytes, Bytes>;

/// A store without a disk: nothing survives the process.
#[derive(Default)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    names: HashMap<String, Table>,
    maps: HashMap<Table, Arc<Map>>,
    next: u64,
}

impl Memory {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while held")
    }
}

impl Inner {
    fn map_mut(&mut self, table: Table) -> Result<&mut Map, Error> {
        self.maps.get_mut(&table).map(Arc::make_mut).ok_or(Error::NoTable(table.0))
    }
}

impl Store for Memory {
    fn tables(&self) -> Vec<(String, Table)> {
        self.inner().names.iter().map(|(name, table)| (name.clone(), *table)).collect()
    }

    fn table(&self, name: &str) -> Result<Table, Error> {
        let mut inner = self.inner();
        if let Some(table) = inner.names.get(name) {
            return Ok(*table);
        }
        let table = Table(inner.next);
        inner.next += 1;
        inner.names.insert(name.to_owned(), table);
        inner.maps.insert(table, Arc::default());
        Ok(table)
    }

    fn drop_table(&self, table: Table) -> Result<(), Error> {
        let mut inner = self.inner();
        inner.names.retain(|_, named| *named != table);
        inner.maps.remove(&table).map(drop).ok_or(Error::NoTable(table.0))
    }

    fn view(&self, tables: &[Table]) -> Result<Arc<dyn View>, Error> {
        let inner = self.inner();
        let held = |table: &Table| {
            let map = inner.maps.get(table).ok_or(Error::NoTable(table.0))?;
            Ok((*table, Arc::clone(map)))
        };
        let maps = tables.iter().map(held).collect::<Result<Vec<_>, Error>>()?;
        Ok(Arc::new(MemoryView { maps }))
    }

    fn write(&self, batch: Batch, _: Durability) -> Result<(), Error> {
        let mut inner = self.inner();
        if let Some((table, ..)) = batch.changes.iter().find(|(table, ..)| !inner.maps.contains_key(table)) {
            return Err(Error::NoTable(table.0));
        }
        for (table, key, value) in batch.changes {
            let map = inner.map_mut(table)?;
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        Ok(())
    }

    fn load(&self, table: Table, pairs: &mut dyn Iterator<Item = Pair>) -> Result<(), Error> {
        let mut loaded = Map::new();
        for (key, value) in pairs {
            if loaded.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(Error::Unsorted);
            }
            loaded.insert(key, value);
        }
        self.inner().map_mut(table)?.append(&mut loaded);
        Ok(())
    }

    fn sync(&self) -> Result<(), Error> {
        Ok(())
    }
}

struct MemoryView {
    maps: Vec<(Table, Arc<Map>)>,
}

impl MemoryView {
    fn map(&self, table: Table) -> Result<&Map, Error> {
        let found = self.maps.iter().find(|(held, _)| *held == table);
        found.map(|(_, map)| &**map).ok_or(Error::NoTable(table.0))
    }
}

impl View for MemoryView {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Ok(self.map(table)?.get(key).cloned())
    }

    fn scan<'a>(&'a self, table: Table, prefix: &[u8]) -> Scan<'a> {
        let map = match self.map(table) {
            Ok(map) => map,
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        let prefix = Bytes::copy_from_slice(prefix);
        let from = (Bound::Included(prefix.clone()), Bound::Unbounded);
        let within = map.range(from).take_while(move |(key, _)| key.starts_with(&prefix));
        Box::new(within.map(|(key, value)| Ok((key.clone(), value.clone()))))
    }
}
