//! The state machine: opens the database, applies log entries in atomic runs, hands out views.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use uuid::Uuid;

use crate::command::{Command, Commit, Document, Op, Refusal, Reply};
use crate::meta::{
    self, Applied, Generation, IMAGE_PREFIX, KEY_APPLIED, KEY_FORMAT, Position, Previous, Ready, ScopeState,
};
use crate::overlay::Overlay;
use crate::store::{Batch, Durability, Store, Table};
use crate::txn::Txn;
use crate::view::{Tables, View};
use crate::{Error, Scope, consul, error, nomad, qdrant};

/// One committed log entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the log.
    pub position: Position,
    /// The membership it brings into force, if it is about that.
    pub members: Option<Vec<u8>>,
    /// The command it carries, if any.
    pub command: Option<Vec<u8>>,
}

/// The control state of one replica.
pub struct Records {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) meta: Table,
    pub(crate) documents: Table,
    pub(crate) qdrant: Table,
    /// The tables of every generation there is, live, previous, ready or being staged.
    pub(crate) homes: RwLock<HashMap<(Scope, u64), Tables>>,
    /// Generations being staged, which no sweep may take.
    pub(crate) staging: Mutex<HashSet<(Scope, u64)>>,
    next_generation: AtomicU64,
    /// Raised after each change of collections.
    pub(crate) collection_changes: AtomicU64,
    /// As in `meta`, for those who ask often.
    states: RwLock<BTreeMap<Scope, ScopeState>>,
    /// Held by whoever changes `meta`.
    pub(crate) writing: Mutex<()>,
}

impl Records {
    /// Opens the state in `store`, making what is missing and dropping what no generation, live or staged,
    /// refers to: a crash leaves nothing behind.
    pub fn open(store: Arc<dyn Store>) -> Result<Records, Error> {
        let meta = store.table("meta")?;
        let documents = store.table("documents")?;
        let qdrant = store.table("qdrant")?;
        let records = Records {
            store,
            meta,
            documents,
            qdrant,
            homes: RwLock::default(),
            staging: Mutex::default(),
            next_generation: AtomicU64::new(1),
            collection_changes: AtomicU64::new(0),
            states: RwLock::default(),
            writing: Mutex::default(),
        };
        records.check_format()?;
        let mut states = BTreeMap::new();
        for scope in Scope::ALL {
            let state = records.recover_scope(scope)?;
            states.insert(scope, state);
        }
        for (_, ready) in records.ready_images()? {
            records.open_home(ready.scope, ready.generation)?;
        }
        records.sweep(&states)?;
        *records.states.write().expect("no panic while held") = states;
        Ok(records)
    }

    /// Where `scope` stands. An index read here may already be behind.
    pub fn state(&self, scope: Scope) -> ScopeState {
        self.states.read().expect("no panic while held")[&scope].clone()
    }

    /// The last log entry applied here.
    pub fn applied(&self) -> Result<Applied, Error> {
        let view = self.store.view(&[self.meta])?;
        match view.get(self.meta, KEY_APPLIED.as_bytes())? {
            Some(bytes) => meta::decode("applied position", &bytes),
            None => Ok(Applied::default()),
        }
    }

    /// When this returns, everything applied survives a power cut.
    pub fn sync(&self) -> Result<(), Error> {
        Ok(self.store.sync()?)
    }

    /// A view of the live generation of `scope`.
    pub fn view(&self, scope: Scope) -> Result<View, Error> {
        loop {
            // An exchange may fall between the two reads: the view itself says whether the guess held.
            let guess = self.state(scope).live;
            if let Some(view) = self.view_of(scope, guess)?
                && view.state.live == guess
            {
                return Ok(view);
            }
        }
    }

    /// A view of the previous generation of `scope`, if it is still there.
    pub fn previous_view(&self, scope: Scope) -> Result<Option<View>, Error> {
        match self.state(scope).previous {
            Some(previous) => self.view_of(scope, previous.generation),
            None => Ok(None),
        }
    }

    pub(crate) fn view_of(&self, scope: Scope, generation: Generation) -> Result<Option<View>, Error> {
        let home = self.homes.read().expect("no panic while held").get(&(scope, generation.number)).copied();
        let Some(tables) = home else { return Ok(None) };
        let view = match self.store.view(&[self.meta, tables.records, tables.derived]) {
            Ok(view) => view,
            Err(crate::store::Error::NoTable(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let state = match view.get(self.meta, meta::scope_key(scope).as_bytes())? {
            Some(bytes) => meta::decode("scope state", &bytes)?,
            None => return Err(error::stored("scope state", "it is missing")),
        };
        let applied = match view.get(self.meta, KEY_APPLIED.as_bytes())? {
            Some(bytes) => meta::decode("applied position", &bytes)?,
            None => Applied::default(),
        };
        Ok(Some(View { view, tables, scope, state, applied }))
    }

    /// The documents whose key begins with `prefix`, in order.
    pub fn documents(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, Error> {
        let view = self.store.view(&[self.documents])?;
        let scan = view.scan(self.documents, prefix.as_bytes());
        scan.map(|pair| {
            let (key, value) = pair?;
            Ok((String::from_utf8_lossy(&key).into_owned(), value))
        })
        .collect()
    }

    /// All collections and aliases.
    pub fn collections(&self) -> Result<qdrant::Collections, Error> {
        let view = self.store.view(&[self.qdrant])?;
        qdrant::read(self.qdrant, |table, prefix| view.scan(table, prefix))
    }

    /// How often collections may have changed since this was opened.
    pub fn collection_changes(&self) -> u64 {
        self.collection_changes.load(Ordering::Acquire)
    }

    /// The first image that `entries` commit and this replica has not staged.
    pub fn missing_image(&self, entries: &[Entry]) -> Result<Option<Commit>, Error> {
        for entry in entries {
            let Some(command) = &entry.command else { continue };
            if let Op::Commit(commit) = Command::decode(entry.position.index, command)?.op
                && commit.is_of(Some(entry.position))
                && self.ready(commit.image)?.is_none()
            {
                return Ok(Some(commit));
            }
        }
        Ok(None)
    }

    /// Applies committed entries in order, as one atomic write; one reply each. An error leaves the state
    /// as it was. What is applied survives a crash of the process; a power cut may take back a suffix,
    /// which the log then replays.
    pub fn apply(&self, entries: &[Entry]) -> Result<Vec<Vec<u8>>, Error> {
        let _writing = self.writing.lock().expect("no panic while held");
        let mut run = self.begin_run()?;
        let replies = entries.iter().map(|entry| run.apply(entry)).collect::<Result<Vec<_>, Error>>()?;
        let (exchanged, collections) = (run.exchanged, run.collections);
        let (batch, states) = run.finish();
        if exchanged {
            fail::fail_point!("exchange::before");
        }
        self.store.write(batch, if exchanged { Durability::Disk } else { Durability::Process })?;
        *self.states.write().expect("no panic while held") = states.clone();
        if collections {
            self.collection_changes.fetch_add(1, Ordering::Release);
        }
        if exchanged {
            fail::fail_point!("exchange::after");
            self.sweep(&states)?;
        }
        Ok(replies)
    }

    fn begin_run(&self) -> Result<Run<'_>, Error> {
        let homes = self.homes.read().expect("no panic while held").clone();
        let mut tables = vec![self.meta, self.documents, self.qdrant];
        tables.extend(homes.values().flat_map(|home| [home.records, home.derived]));
        Ok(Run {
            overlay: Overlay::new(self.store.view(&tables)?),
            records: self,
            homes,
            states: self.states(),
            applied: self.applied()?,
            exchanged: false,
            collections: false,
        })
    }

    fn check_format(&self) -> Result<(), Error> {
        let view = self.store.view(&[self.meta])?;
        match view.get(self.meta, KEY_FORMAT.as_bytes())? {
            Some(bytes) => match meta::decode("format", &bytes)? {
                found if found > meta::FORMAT => Err(Error::NewerFormat { found, known: meta::FORMAT }),
                _ => Ok(()),
            },
            None => {
                let mut batch = Batch::default();
                batch.put(self.meta, KEY_FORMAT, meta::encode(&meta::FORMAT));
                Ok(self.store.write(batch, Durability::Disk)?)
            }
        }
    }

    fn recover_scope(&self, scope: Scope) -> Result<ScopeState, Error> {
        let view = self.store.view(&[self.meta])?;
        let state = match view.get(self.meta, meta::scope_key(scope).as_bytes())? {
            Some(bytes) => meta::decode("scope state", &bytes)?,
            None => self.birth(scope)?,
        };
        self.open_home(scope, state.live.number)?;
        if let Some(previous) = state.previous {
            self.open_home(scope, previous.generation.number)?;
        }
        Ok(state)
    }

    /// The state a scope is born with: empty, at index 1, the least that clients accept.
    fn birth(&self, scope: Scope) -> Result<ScopeState, Error> {
        let live = Generation { number: self.next_generation(), image: Uuid::nil() };
        let state = ScopeState { live, previous: None, index: 1, floor: 1, term: 0, changed_at_ms: 0 };
        let mut batch = Batch::default();
        batch.put(self.meta, meta::scope_key(scope), meta::encode(&state));
        self.store.write(batch, Durability::Disk)?;
        Ok(state)
    }

    /// Numbers are never used twice while the process lives; after a restart, swept ones may come again.
    pub(crate) fn next_generation(&self) -> u64 {
        self.next_generation.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn open_home(&self, scope: Scope, number: u64) -> Result<Tables, Error> {
        self.next_generation.fetch_max(number + 1, Ordering::Relaxed);
        let tables = Tables {
            records: self.store.table(&format!("{scope}@{number}"))?,
            derived: self.store.table(&format!("{scope}@{number}.derived"))?,
        };
        self.homes.write().expect("no panic while held").insert((scope, number), tables);
        Ok(tables)
    }

    pub(crate) fn ready(&self, image: Uuid) -> Result<Option<Ready>, Error> {
        let view = self.store.view(&[self.meta])?;
        let found = view.get(self.meta, meta::image_key(image).as_bytes())?;
        found.map(|bytes| meta::decode("staged image", &bytes)).transpose()
    }

    pub(crate) fn ready_images(&self) -> Result<Vec<(String, Ready)>, Error> {
        let view = self.store.view(&[self.meta])?;
        let scan = view.scan(self.meta, IMAGE_PREFIX.as_bytes());
        scan.map(|pair| {
            let (key, value) = pair?;
            Ok((String::from_utf8_lossy(&key).into_owned(), meta::decode("staged image", &value)?))
        })
        .collect()
    }

    /// Drops every generation that nothing refers to. Views that hold one keep it until they close.
    pub(crate) fn sweep(&self, states: &BTreeMap<Scope, ScopeState>) -> Result<(), Error> {
        let mut kept: HashSet<(Scope, u64)> = self.staging.lock().expect("no panic while held").clone();
        kept.extend(self.ready_images()?.into_iter().map(|(_, ready)| (ready.scope, ready.generation)));
        for (scope, state) in states {
            kept.insert((*scope, state.live.number));
            kept.extend(state.previous.map(|previous| (*scope, previous.generation.number)));
        }
        let kept_names: HashSet<String> = kept
            .iter()
            .flat_map(|(scope, number)| [format!("{scope}@{number}"), format!("{scope}@{number}.derived")])
            .collect();
        self.homes.write().expect("no panic while held").retain(|home, _| kept.contains(home));
        for (name, table) in self.store.tables() {
            if name.contains('@') && !kept_names.contains(&name) {
                self.store.drop_table(table)?;
            }
        }
        Ok(())
    }

    pub(crate) fn states(&self) -> BTreeMap<Scope, ScopeState> {
        self.states.read().expect("no panic while held").clone()
    }

    pub(crate) fn exchange_states(&self, states: BTreeMap<Scope, ScopeState>) {
        *self.states.write().expect("no panic while held") = states;
    }
}

/// A run of entries being applied.
struct Run<'a> {
    records: &'a Records,
    overlay: Overlay,
    homes: HashMap<(Scope, u64), Tables>,
    states: BTreeMap<Scope, ScopeState>,
    applied: Applied,
    exchanged: bool,
    collections: bool,
}

impl Run<'_> {
    fn apply(&mut self, entry: &Entry) -> Result<Vec<u8>, Error> {
        self.applied.position = Some(entry.position);
        if let Some(members) = &entry.members {
            self.applied.members.clone_from(members);
        }
        let reply = match &entry.command {
            Some(command) => self.command(Command::decode(entry.position.index, command)?)?,
            None => Reply::Done,
        };
        Ok(reply.encode())
    }

    fn command(&mut self, command: Command) -> Result<Reply, Error> {
        // A new leader's clock may be behind the old one's: time in the state never goes back.
        self.applied.at_ms = self.applied.at_ms.max(command.at_ms);
        let reply = self.op(command.op)?;
        if let (Reply::Exchanged { .. }, Some(then)) = (&reply, command.then) {
            self.op(*then)?;
        }
        Ok(reply)
    }

    fn op(&mut self, op: Op) -> Result<Reply, Error> {
        match op {
            Op::Consul(command) => {
                self.in_scope(Scope::Consul, |txn| Ok(Reply::Consul(consul::apply(txn, command)?)))
            }
            Op::Nomad(command) => {
                self.in_scope(Scope::Nomad, |txn| Ok(Reply::Nomad(nomad::apply(txn, command)?)))
            }
            Op::Qdrant(qdrant::Command::Exchange { term, .. }) if term != self.term() => {
                Ok(Reply::Refused(Refusal::TermChanged))
            }
            Op::Qdrant(command) => {
                self.collections = true;
                self.exchanged |= command.exchanges();
                let (table, at_ms) = (self.records.qdrant, self.applied.at_ms);
                Ok(Reply::Qdrant(qdrant::apply(&mut self.overlay, table, at_ms, command)?))
            }
            Op::Commit(commit) if !commit.is_of(self.applied.position) => {
                Ok(Reply::Refused(Refusal::TermChanged))
            }
            Op::Commit(commit) => self.commit(&commit),
            Op::Undo { scope, image } => Ok(self.undo(scope, image)),
            Op::Forget { scope, image } => Ok(self.forget(scope, image)),
            Op::Documents(documents) => {
                documents.into_iter().for_each(|document| self.document(document));
                Ok(Reply::Done)
            }
        }
    }

    fn in_scope(
        &mut self,
        scope: Scope,
        change: impl FnOnce(&mut Txn<'_>) -> Result<Reply, Error>,
    ) -> Result<Reply, Error> {
        let term = self.term();
        let state = self.states.get_mut(&scope).expect("every scope has a state");
        state.index += 1;
        (state.term, state.changed_at_ms) = (term, self.applied.at_ms);
        let tables = self.homes[&(scope, state.live.number)];
        let mut txn = Txn::begin(&mut self.overlay, tables, scope, state, self.applied.at_ms)?;
        let reply = change(&mut txn)?;
        txn.end();
        Ok(reply)
    }

    fn commit(&mut self, commit: &Commit) -> Result<Reply, Error> {
        let found = self.overlay.get(self.records.meta, meta::image_key(commit.image).as_bytes())?;
        let Some(bytes) = found else { return Err(Error::MissingImage(commit.image, commit.scope)) };
        let ready: Ready = meta::decode("staged image", &bytes)?;
        if ready.digest != commit.digest || ready.scope != commit.scope {
            let (found, expected) = (hex(&ready.digest), hex(&commit.digest));
            return Err(Error::OtherImage { image: commit.image, found, expected });
        }
        let live = Generation { number: ready.generation, image: commit.image };
        let index = self.exchange(commit.scope, live, commit.index);
        for (key, other) in self.records.ready_images()? {
            if other.scope == commit.scope {
                self.remove_meta(key);
            }
        }
        Ok(Reply::Exchanged { index })
    }

    fn undo(&mut self, scope: Scope, image: Uuid) -> Reply {
        match self.states[&scope].previous {
            Some(previous) if previous.generation.image == image => {
                Reply::Exchanged { index: self.exchange(scope, previous.generation, previous.index) }
            }
            _ => Reply::Refused(Refusal::NothingToUndo),
        }
    }

    /// Makes `live` the live generation. Every index answered from now on is above every one before.
    fn exchange(&mut self, scope: Scope, live: Generation, live_index: u64) -> u64 {
        let (term, replaced_at_ms) = (self.term(), self.applied.at_ms);
        let state = self.states.get_mut(&scope).expect("every scope has a state");
        let index = state.index.max(live_index) + 1;
        let previous = Previous { generation: state.live, index: state.index, replaced_at_ms };
        let previous = Some(previous);
        *state = ScopeState { live, previous, index, floor: index, term, changed_at_ms: replaced_at_ms };
        self.exchanged = true;
        index
    }

    fn forget(&mut self, scope: Scope, image: Uuid) -> Reply {
        let state = self.states.get_mut(&scope).expect("every scope has a state");
        match state.previous {
            Some(previous) if previous.generation.image == image => {
                state.previous = None;
                self.exchanged = true;
                Reply::Done
            }
            _ => Reply::Refused(Refusal::NothingToUndo),
        }
    }

    /// The term of the entry being applied.
    fn term(&self) -> u64 {
        self.applied.position.map_or(0, |position| position.term)
    }

    fn document(&mut self, document: Document) {
        self.overlay.set(self.records.documents, document.key.into(), document.value.map(Bytes::from));
    }

    fn remove_meta(&mut self, key: String) {
        self.overlay.set(self.records.meta, key.into(), None);
    }

    fn finish(mut self) -> (Batch, BTreeMap<Scope, ScopeState>) {
        for (scope, state) in &self.states {
            self.overlay.set(self.records.meta, meta::scope_key(*scope).into(), Some(meta::encode(state)));
        }
        self.overlay.set(self.records.meta, KEY_APPLIED.into(), Some(meta::encode(&self.applied)));
        (self.overlay.into_batch(), self.states)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
