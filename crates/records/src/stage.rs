//! Staging: an image's records become a complete, invisible generation beside the live one.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::key::{Key, id_of, kind_of, repeated};
use crate::meta::{self, Generation, IMAGE_PREFIX, Ready};
use crate::store::{Batch, Durability, Pair, Store, View};
use crate::totals::Totals;
use crate::view::{Record, TOTALS_KEY, Tables};
use crate::{Error, Records, Scope, error};

/// Where staged records come from. Its end means that the whole archive was read and verified.
pub type Source<'a> = dyn Iterator<Item = Result<Record, Box<dyn std::error::Error + Send + Sync>>> + 'a;

/// Records that arrive out of order are sorted this many bytes at a time.
const CHUNK_BYTES: usize = 8 << 20;

/// Legal repetitions of one record: genuine archives hold one, and looking for a free place takes time.
const COPIES_MAX: u64 = 8;

/// State indexes above this are refused: counting on from there must never overflow.
pub const INDEX_MAX: u64 = u64::MAX >> 2;

/// A complete generation that no one sees yet. Dropped before [`Staged::ready`], it leaves nothing behind.
pub struct Staged {
    records: Arc<Records>,
    scope: Scope,
    number: u64,
    digest: [u8; 32],
    totals: Totals,
    index: u64,
    /// Whether something durable refers to it by now.
    kept: bool,
}

impl Records {
    /// Loads every record of `source` into a new generation of `scope`.
    ///
    /// Refuses records that do not decode, that are there twice, or whose type is unknown (unless
    /// `unknown_records`). Whatever fails, live state is untouched.
    pub fn stage(
        self: &Arc<Self>,
        scope: Scope,
        source: &mut Source<'_>,
        unknown_records: bool,
    ) -> Result<Staged, Error> {
        let number = self.next_generation();
        self.staging.lock().expect("no panic while held").insert((scope, number));
        // From here on, dropping `staged` cleans up.
        let mut staged = Staged {
            records: Arc::clone(self),
            scope,
            number,
            digest: [0; 32],
            totals: Totals::default(),
            index: 0,
            kept: false,
        };
        let tables = self.open_home(scope, number)?;
        let filled = Filler::new(&*self.store, scope, tables, source, unknown_records).fill()?;
        let mut batch = Batch::default();
        batch.put(tables.derived, Bytes::from_static(TOTALS_KEY), filled.totals.encode());
        self.store.write(batch, Durability::Process)?;
        fail::fail_point!("stage::loaded");
        (staged.digest, staged.totals, staged.index) = (filled.digest, filled.totals, filled.index);
        Ok(staged)
    }

    /// What staging `image` here showed, if it is ready: the digest of its records, and the highest state
    /// index that one of them mentions.
    pub fn staged(&self, image: Uuid) -> Result<Option<(Vec<u8>, u64)>, Error> {
        Ok(self.ready(image)?.map(|ready| (ready.digest, ready.index)))
    }

    /// Drops an image that is ready here. Should the cluster commit it after all, it is staged again.
    pub fn drop_staged(&self, image: Uuid) -> Result<(), Error> {
        let _writing = self.writing.lock().expect("no panic while held");
        let mut batch = Batch::default();
        batch.remove(self.meta, meta::image_key(image));
        self.store.write(batch, Durability::Process)?;
        self.sweep(&self.states())
    }

    /// The images that are ready here and wait for their commit.
    pub fn staged_images(&self) -> Result<Vec<(Scope, Uuid)>, Error> {
        let image = |(key, ready): (String, Ready)| {
            let name = key.strip_prefix(IMAGE_PREFIX).and_then(|name| name.parse().ok());
            name.map(|image| (ready.scope, image)).ok_or_else(|| error::stored("staged image", "its key"))
        };
        self.ready_images()?.into_iter().map(image).collect()
    }
}

impl Staged {
    /// A digest of every record, equal on all replicas that staged the same archive.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// What was staged.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// A view of its records; all else in it is of the live generation.
    pub fn view(&self) -> Result<crate::View, Error> {
        let generation = Generation { number: self.number, image: Uuid::nil() };
        let view = self.records.view_of(self.scope, generation)?;
        view.ok_or_else(|| error::stored("staged image", "its tables are missing"))
    }

    /// The highest state index that a record mentions.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Marks the image complete. When this returns, it survives a power cut and waits for its commit.
    pub fn ready(mut self, image: Uuid) -> Result<(), Error> {
        self.records.store.sync()?;
        let ready = Ready {
            scope: self.scope,
            generation: self.number,
            digest: self.digest.to_vec(),
            index: self.index,
        };
        let mut batch = Batch::default();
        batch.put(self.records.meta, meta::image_key(image), meta::encode(&ready));
        self.records.store.write(batch, Durability::Disk)?;
        fail::fail_point!("stage::ready");
        self.kept = true;
        Ok(())
    }

    /// The meta table refers to the generation now.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let home = (self.scope, self.number);
        let records = &self.records;
        if !self.kept {
            let tables = records.homes.write().expect("no panic while held").remove(&home);
            for table in tables.into_iter().flat_map(|tables| [tables.records, tables.derived]) {
                if let Err(error) = records.store.drop_table(table) {
                    tracing::warn!(%error, "drop a staged table; the next start will");
                }
            }
        }
        records.staging.lock().expect("no panic while held").remove(&home);
    }
}

/// What a load amounted to.
struct Filled {
    digest: [u8; 32],
    totals: Totals,
    index: u64,
}

/// Reads a source in runs: ascending stretches go straight into the store, the rest through sorted chunks.
struct Filler<'a, 's> {
    store: &'a dyn Store,
    scope: Scope,
    tables: Tables,
    source: &'a mut Source<'s>,
    unknown_records: bool,
    position: u64,
    highest: Option<Bytes>,
    pending: Option<Pair>,
    error: Option<Error>,
    hash: Sha256,
    totals: Totals,
    index: u64,
    derived: Vec<Bytes>,
    derived_bytes: usize,
}

impl<'a, 's> Filler<'a, 's> {
    fn new(
        store: &'a dyn Store,
        scope: Scope,
        tables: Tables,
        source: &'a mut Source<'s>,
        unknown_records: bool,
    ) -> Self {
        Filler {
            store,
            scope,
            tables,
            source,
            unknown_records,
            position: 0,
            highest: None,
            pending: None,
            error: None,
            hash: Sha256::new(),
            totals: Totals::default(),
            index: 0,
            derived: Vec::new(),
            derived_bytes: 0,
        }
    }

    fn fill(mut self) -> Result<Filled, Error> {
        let (store, records) = (self.store, self.tables.records);
        store.load(records, &mut std::iter::from_fn(|| self.next_ascending()))?;
        self.check()?;
        while let Some(first) = self.pending.take() {
            let chunk = self.sorted_chunk(first)?;
            store.load(records, &mut chunk.into_iter())?;
        }
        self.flush_derived()?;
        Ok(Filled { digest: self.hash.finalize().into(), totals: self.totals, index: self.index })
    }

    /// The next record if it sorts after all before it; otherwise it is left pending.
    fn next_ascending(&mut self) -> Option<Pair> {
        let (key, value) = self.next_or_stop()?;
        if self.highest.as_ref().is_some_and(|highest| key <= *highest) {
            self.pending = Some((key, value));
            return None;
        }
        self.highest = Some(key.clone());
        Some((key, value))
    }

    /// The next records, sorted, none of them there already.
    fn sorted_chunk(&mut self, first: Pair) -> Result<BTreeMap<Bytes, Bytes>, Error> {
        let view = self.store.view(&[self.tables.records])?;
        let mut bytes = 0;
        let mut chunk = BTreeMap::new();
        let mut next = Some(first);
        while let Some((key, value)) = next.take_if(|_| bytes < CHUNK_BYTES) {
            bytes += key.len() + value.len();
            let key = self.free_key(key, &value, &chunk, &*view)?;
            chunk.insert(key, value);
            next = self.next_or_stop();
            self.check()?;
        }
        self.pending = next;
        let last = chunk.last_key_value().map(|(key, _)| key.clone());
        self.highest = self.highest.take().max(last);
        Ok(chunk)
    }

    /// The key under which a record can be stored: its own, or that of a repetition where one is legal.
    fn free_key(
        &self,
        key: Bytes,
        value: &Bytes,
        chunk: &BTreeMap<Bytes, Bytes>,
        view: &dyn View,
    ) -> Result<Bytes, Error> {
        let kind = kind_of(&key);
        let mut free = key.clone();
        for copy in 1..=COPIES_MAX {
            let there = match chunk.get(&free) {
                Some(there) => Some(there.clone()),
                None if self.highest.as_ref().is_some_and(|highest| free <= *highest) => {
                    view.get(self.tables.records, &free)?
                }
                None => None,
            };
            match there {
                None => return Ok(free),
                Some(there) if there == *value && self.scope.may_repeat(kind, id_of(&key)) => {
                    free = repeated(&key, copy);
                }
                Some(_) => break,
            }
        }
        let reason = match self.scope.id_may_be_secret(kind) {
            true => "there is another one".to_owned(),
            false => format!("there is another one for {:?}", String::from_utf8_lossy(id_of(&key))),
        };
        Err(Error::Record { scope: self.scope, position: self.position, kind, reason })
    }

    fn next_or_stop(&mut self) -> Option<Pair> {
        match self.next_pair() {
            Ok(pair) => pair,
            Err(error) => self.stop(error),
        }
    }

    fn next_pair(&mut self) -> Result<Option<Pair>, Error> {
        let Some(record) = self.source.next().transpose().map_err(Error::Source)? else { return Ok(None) };
        self.position += 1;
        let Record { kind, bytes } = record;
        if !self.unknown_records && !self.scope.known(kind) {
            return Err(Error::UnknownKind { position: self.position, kind, scope: self.scope });
        }
        let position = self.position;
        let scope = self.scope;
        let refuse = |reason| Error::Record { scope, position, kind, reason };
        let Key(key) = self.scope.key(kind, &bytes).map_err(refuse)?;
        let derived = self.scope.derived(kind, &bytes).map_err(refuse)?;
        if derived.index > INDEX_MAX {
            return Err(refuse(format!("its index {} is out of range", derived.index)));
        }
        self.index = self.index.max(derived.index);
        self.totals.add(kind, bytes.len());
        self.add_derived(derived.keys)?;
        for part in [&key, &bytes] {
            self.hash.update((part.len() as u64).to_be_bytes());
            self.hash.update(part);
        }
        Ok(Some((key, bytes)))
    }

    fn add_derived(&mut self, keys: Vec<Bytes>) -> Result<(), Error> {
        self.derived_bytes += keys.iter().map(Bytes::len).sum::<usize>();
        self.derived.extend(keys);
        if self.derived_bytes < CHUNK_BYTES { Ok(()) } else { self.flush_derived() }
    }

    fn flush_derived(&mut self) -> Result<(), Error> {
        let mut keys = std::mem::take(&mut self.derived);
        self.derived_bytes = 0;
        keys.sort();
        keys.dedup();
        let mut pairs = keys.into_iter().map(|key| (key, Bytes::new()));
        Ok(self.store.load(self.tables.derived, &mut pairs)?)
    }

    fn stop(&mut self, error: Error) -> Option<Pair> {
        self.error = Some(error);
        None
    }

    fn check(&mut self) -> Result<(), Error> {
        self.error.take().map_or(Ok(()), Err)
    }
}
