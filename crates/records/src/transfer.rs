//! The whole control state as one stream: what a lagging or new replica is sent in place of the log.
//!
//! Magic, header, documents, collections, then each scope's live and previous generation: its records in archive order, and
//! its notes, the facts that no record tells. At the end SHA-256 of it all.
//! The previous generation travels too, so that an undo needs no second way to fetch it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::meta::{self, Applied, Generation, KEY_APPLIED, Previous, ScopeState};
use crate::stage::Staged;
use crate::store::{self, Batch, Durability, Table};
use crate::view::{Record, View};
use crate::{Error, Records, Scope};

const MAGIC: &[u8; 8] = b"stillptX";
const VERSION: u32 = 3;

/// The first version that carries notes.
const VERSION_OF_NOTES: u32 = 2;

/// The first version that carries collections.
const VERSION_OF_COLLECTIONS: u32 = 3;

/// No record or document is longer; a length beyond it is damage.
const PIECE_BYTES_MAX: u32 = 64 << 20;

/// The engine's limit.
const KEY_BYTES_MAX: usize = u16::MAX as usize;

/// A pinned view of everything, at one applied position.
pub struct Transfer {
    header: Header,
    /// Documents and collections.
    tables: (Arc<dyn store::View>, [Table; 2]),
    generations: Vec<View>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    applied: Applied,
    scopes: Vec<(Scope, ScopeState)>,
}

/// A transfer that cannot be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
enum Damage {
    #[error("it does not begin as a transfer of control state")]
    Magic,
    #[error("it has version {0}, this release reads {VERSION}: upgrade this node")]
    Version(u32),
    #[error("a length of {0} bytes is out of bounds")]
    Length(u32),
    #[error("it holds a note that could not be stored")]
    Note,
    #[error("its checksum does not match")]
    Checksum,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Self {
        Error::Source(Box::new(damage))
    }
}

impl Records {
    /// Pins everything at the position applied last. Writers do not wait for its reading.
    pub fn transfer(&self) -> Result<Transfer, Error> {
        let _writing = self.writing.lock().expect("no panic while held");
        let mut scopes = Vec::new();
        let mut generations = Vec::new();
        for scope in Scope::ALL {
            let live = self.view(scope)?;
            scopes.push((scope, live.state.clone()));
            generations.push(live);
            generations.extend(self.previous_view(scope)?);
        }
        let header = Header { version: VERSION, applied: self.applied()?, scopes };
        let tables = [self.documents, self.qdrant];
        let tables = (self.store.view(&tables)?, tables);
        Ok(Transfer { header, tables, generations })
    }

    /// Replaces everything by what `input` carries. When this returns, the new state survives a power cut;
    /// on an error or a crash the old state stands.
    pub fn install(self: &Arc<Self>, input: &mut dyn Read, applied: Applied) -> Result<(), Error> {
        let mut reader = Reader { input, hash: Sha256::new() };
        let header = reader.header()?;
        let mut batch = Batch::default();
        self.replace_table(self.documents, &mut reader, &mut batch)?;
        if header.version >= VERSION_OF_COLLECTIONS {
            self.replace_table(self.qdrant, &mut reader, &mut batch)?;
        }
        let mut states = BTreeMap::new();
        let mut staged = Vec::new();
        for (scope, state) in header.scopes {
            let live = self.receive_generation(scope, &mut reader, header.version)?;
            let previous = match state.previous {
                Some(previous) => {
                    Some((previous, self.receive_generation(scope, &mut reader, header.version)?))
                }
                None => None,
            };
            states.insert(scope, localized(&state, &live, previous.as_ref()));
            staged.push(live);
            staged.extend(previous.map(|(_, previous)| previous));
        }
        reader.end()?;
        self.store.sync()?;
        let writing = self.writing.lock().expect("no panic while held");
        for (scope, state) in &states {
            batch.put(self.meta, meta::scope_key(*scope), meta::encode(state));
        }
        for (key, _) in self.ready_images()? {
            batch.remove(self.meta, key);
        }
        let applied = Applied { at_ms: header.applied.at_ms, ..applied };
        batch.put(self.meta, KEY_APPLIED, meta::encode(&applied));
        fail::fail_point!("install::before");
        self.store.write(batch, Durability::Disk)?;
        fail::fail_point!("install::after");
        self.exchange_states(states.clone());
        self.collection_changes.fetch_add(1, Ordering::Release);
        drop(writing);
        staged.into_iter().for_each(Staged::keep);
        self.sweep(&states)
    }

    fn receive_generation(
        self: &Arc<Self>,
        scope: Scope,
        reader: &mut Reader<'_>,
        version: u32,
    ) -> Result<Staged, Error> {
        let staged = self.stage(scope, &mut reader.generation(), true)?;
        if version >= VERSION_OF_NOTES {
            let derived = self.open_home(scope, staged.number())?.derived;
            let mut batch = Batch::default();
            while reader.more()? {
                batch.put(derived, reader.note(scope)?, Bytes::new());
            }
            self.store.write(batch, Durability::Process)?;
        }
        Ok(staged)
    }

    fn replace_table(&self, table: Table, reader: &mut Reader<'_>, batch: &mut Batch) -> Result<(), Error> {
        let view = self.store.view(&[table])?;
        for pair in view.scan(table, &[]) {
            batch.remove(table, pair?.0);
        }
        while reader.more()? {
            let (key, value) = (reader.piece()?, reader.piece()?);
            batch.put(table, key, value);
        }
        Ok(())
    }
}

/// A sender's state with the generations as they are numbered here.
fn localized(state: &ScopeState, live: &Staged, previous: Option<&(Previous, Staged)>) -> ScopeState {
    let home = |generation: Generation, staged: &Staged| Generation { number: staged.number(), ..generation };
    ScopeState {
        live: home(state.live, live),
        previous: previous.map(|(was, staged)| Previous { generation: home(was.generation, staged), ..*was }),
        ..*state
    }
}

impl Transfer {
    /// The position at which everything is pinned.
    pub fn applied(&self) -> &Applied {
        &self.header.applied
    }

    /// Writes the stream: equal state gives equal bytes.
    pub fn write_to(&self, out: &mut dyn Write) -> Result<(), Error> {
        let mut out = Writer { out, hash: Sha256::new() };
        out.bytes(MAGIC)?;
        out.piece(&meta::encode(&self.header))?;
        let (view, tables) = &self.tables;
        for table in tables {
            for pair in view.scan(*table, &[]) {
                let (key, value) = pair?;
                out.bytes(&[1])?;
                out.piece(&key)?;
                out.piece(&value)?;
            }
            out.bytes(&[0])?;
        }
        for generation in &self.generations {
            for record in generation.records() {
                let record = record?;
                out.bytes(&[1, record.kind])?;
                out.piece(&record.bytes)?;
            }
            out.bytes(&[0])?;
            for note in generation.notes() {
                out.bytes(&[1])?;
                out.piece(&note?)?;
            }
            out.bytes(&[0])?;
        }
        let digest = out.hash.clone().finalize();
        out.out.write_all(&digest).map_err(Damage::from)?;
        Ok(())
    }
}

struct Writer<'a> {
    out: &'a mut dyn Write,
    hash: Sha256,
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.hash.update(bytes);
        Ok(self.out.write_all(bytes).map_err(Damage::from)?)
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let length = u32::try_from(bytes.len()).map_err(|_| Damage::Length(u32::MAX))?;
        self.bytes(&length.to_be_bytes())?;
        self.bytes(bytes)
    }
}

struct Reader<'a> {
    input: &'a mut dyn Read,
    hash: Sha256,
}

impl Reader<'_> {
    fn header(&mut self) -> Result<Header, Error> {
        if self.array::<8>()? != *MAGIC {
            return Err(Damage::Magic.into());
        }
        let header: Header = meta::decode("transfer header", &self.piece()?)?;
        if header.version > VERSION { Err(Damage::Version(header.version).into()) } else { Ok(header) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.hash.update(bytes);
        Ok(bytes)
    }

    fn more(&mut self) -> Result<bool, Damage> {
        Ok(self.array::<1>()? == [1])
    }

    fn piece(&mut self) -> Result<Bytes, Damage> {
        let length = u32::from_be_bytes(self.array()?);
        if length > PIECE_BYTES_MAX {
            return Err(Damage::Length(length));
        }
        let mut bytes = Vec::new();
        self.input.take(u64::from(length)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != u64::from(length) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.hash.update(&bytes);
        Ok(bytes.into())
    }

    fn note(&mut self, scope: Scope) -> Result<Bytes, Damage> {
        let note = self.piece()?;
        match note.len() > KEY_BYTES_MAX || !note.starts_with(scope.notes()) {
            true => Err(Damage::Note),
            false => Ok(note),
        }
    }

    fn record(&mut self) -> Result<Option<Record>, Damage> {
        if !self.more()? {
            return Ok(None);
        }
        let [kind] = self.array()?;
        Ok(Some(Record { kind, bytes: self.piece()? }))
    }

    /// The records of one generation, up to its end.
    fn generation(
        &mut self,
    ) -> impl Iterator<Item = Result<Record, Box<dyn std::error::Error + Send + Sync>>> + '_ {
        std::iter::from_fn(|| self.record().map_err(Into::into).transpose())
    }

    fn end(self) -> Result<(), Error> {
        let expected = self.hash.finalize();
        let mut found = [0; 32];
        self.input.read_exact(&mut found).map_err(Damage::from)?;
        if found[..] == expected[..] { Ok(()) } else { Err(Damage::Checksum.into()) }
    }
}
