//! The shards that this node holds: opened and closed as the control state says, led where the control group is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use groups::{Group, Log, Member, Network, NodeId, Setup, Timing};
use points::{Keeper, Options, Shard};
use records::qdrant;
use tokio::sync::{RwLock, watch};
use uuid::Uuid;

use super::directory::Described;
use super::machine::ShardMachine;
use super::snapshots::{StagingDirs, restage};
use crate::error::{self, Error, Kind, Result, blocking};
use crate::stager::Stager;

/// How long a request waits for a shard that is being opened or has no leader.
pub(crate) const READY: Duration = Duration::from_secs(10);

/// A log is cut after so many entries; opening it reads what is left.
const LOG_ENTRIES: u64 = 5_000;

/// And kept so long for replicas that were away.
const LOG_ENTRIES_KEPT: u64 = 1_000;

/// A log is also cut after so many bytes.
const LOG_BYTES: u64 = 256 << 20;

/// Shards opened at the same time.
const OPENED_AT_ONCE: usize = 4;

/// Names a shard on this node.
pub(crate) type Key = (Uuid, u32);

/// A shard that is open here.
pub(crate) struct Hosted {
    pub(crate) group: Group<ShardMachine>,
    machine: Arc<ShardMachine>,
    /// Held shared by what changes points by id, alone by what looks at them first.
    pub(crate) gate: Arc<RwLock<()>>,
    /// The entry up to which the log is being cut.
    cutting: Mutex<Option<u64>>,
    /// The revision of the collection whose settings it has.
    revision: Mutex<u64>,
    /// Whether its indexes were compared with the collection's since this node leads.
    pub(crate) compared: AtomicBool,
}

impl Hosted {
    pub(crate) fn shard(&self) -> &Arc<Shard> {
        self.machine.shard()
    }

    /// Shortens a log that has grown by more than [`LOG_BYTES`]: first a snapshot point is asked for, and when it
    /// is there, what it covers goes.
    async fn cut_log(&self, status: &groups::Status) -> Result<()> {
        let cutting = *self.cutting.lock().expect("no panic while held");
        if let Some(index) = cutting {
            if status.snapshot.is_some_and(|snapshot| snapshot.index >= index) {
                *self.cutting.lock().expect("no panic while held") = None;
                self.group.purge(index).await?;
            }
        } else if self.machine.logged_bytes() > LOG_BYTES {
            self.machine.cut();
            *self.cutting.lock().expect("no panic while held") = status.applied.map(|applied| applied.index);
            self.group.trigger_snapshot().await?;
        }
        Ok(())
    }
}

enum Slot {
    Open(Arc<Hosted>),
    /// Opening failed, and why.
    Failed(String),
}

/// The shards that this node holds.
pub(crate) struct Shards {
    dir: PathBuf,
    spool: PathBuf,
    node: NodeId,
    seed: u64,
    timing: Timing,
    network: Arc<dyn Network>,
    keeper: Keeper,
    stager: Arc<Stager>,
    /// Held shared by whoever changes collections, aliases or indexes; alone by who captures or exchanges them.
    pub(crate) gate: RwLock<()>,
    /// Shards whose files are read by captures, and how many.
    pins: Arc<Mutex<HashMap<Key, usize>>>,
    /// Directories that are being staged, which no sweep may take.
    staging: StagingDirs,
    slots: Mutex<HashMap<Key, Slot>>,
    /// Raised after each change of `slots`.
    changes: watch::Sender<u64>,
    /// Ends when nobody opens or closes shards any more.
    supervisor: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Shards {
    pub(crate) fn new(
        data_dir: &Path,
        node: NodeId,
        seed: u64,
        timing: &Timing,
        network: Arc<dyn Network>,
        stager: Arc<Stager>,
    ) -> Shards {
        let timing = Timing { snapshot_after: LOG_ENTRIES, keep: LOG_ENTRIES_KEPT, ..timing.clone() };
        Shards {
            dir: data_dir.join("points"),
            spool: data_dir.to_owned(),
            node,
            seed,
            timing,
            network,
            keeper: Keeper::new(0),
            stager,
            gate: RwLock::default(),
            pins: Arc::default(),
            staging: StagingDirs::default(),
            slots: Mutex::default(),
            changes: watch::Sender::new(0),
            supervisor: Mutex::default(),
        }
    }

    /// Remembers who opens and closes shards, to end after it.
    pub(crate) fn start(&self, supervisor: tokio::task::JoinHandle<()>) {
        *self.supervisor.lock().expect("no panic while held") = Some(supervisor);
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Key, Slot>> {
        self.slots.lock().expect("no panic while held")
    }

    /// An open shard; `Unavailable` with the reason if it cannot be opened, or is not in time.
    pub(crate) async fn get(&self, key: Key) -> Result<Arc<Hosted>> {
        let mut changes = self.changes.subscribe();
        let wait = async {
            loop {
                changes.borrow_and_update();
                match self.slots().get(&key) {
                    Some(Slot::Open(hosted)) => return Ok(Arc::clone(hosted)),
                    Some(Slot::Failed(why)) => return Err(unavailable(key.1, why)),
                    None => {}
                }
                if changes.changed().await.is_err() {
                    return Err(unavailable(key.1, "the node is shutting down"));
                }
            }
        };
        let late = |_| Err(unavailable(key.1, "it is being opened"));
        tokio::time::timeout(READY, wait).await.unwrap_or_else(late)
    }

    /// An open shard, if it is open right now; why not, if opening failed.
    pub(crate) fn look(&self, key: Key) -> Result<Option<Arc<Hosted>>> {
        match self.slots().get(&key) {
            Some(Slot::Open(hosted)) => Ok(Some(Arc::clone(hosted))),
            Some(Slot::Failed(why)) => Err(unavailable(key.1, why)),
            None => Ok(None),
        }
    }

    /// Whether this is still the shard that is open here. One that was exchanged and came back is opened anew.
    pub(crate) fn is_open(&self, key: Key, hosted: &Arc<Hosted>) -> bool {
        matches!(self.slots().get(&key), Some(Slot::Open(open)) if Arc::ptr_eq(open, hosted))
    }

    /// All open shards.
    pub(crate) fn all(&self) -> Vec<(Key, Arc<Hosted>)> {
        let open = |(key, slot): (&Key, &Slot)| match slot {
            Slot::Open(hosted) => Some((*key, Arc::clone(hosted))),
            Slot::Failed(_) => None,
        };
        self.slots().iter().filter_map(open).collect()
    }

    /// The shard whose group has this name.
    pub(crate) fn of_group(&self, name: &str) -> Option<Arc<Hosted>> {
        let (generation, id) = name.strip_prefix("qdrant/")?.split_once('/')?;
        self.look((generation.parse().ok()?, id.parse().ok()?)).ok().flatten()
    }

    /// Where generations lie.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Directories that are being staged.
    pub(crate) fn staging(&self) -> &StagingDirs {
        &self.staging
    }

    /// Opens what is wanted here and not open, closes what is not wanted, and passes settings on. Files of what
    /// is neither wanted nor `kept` go. What failed is tried again only if `again`. Whether a shard has come back
    /// meanwhile is asked of `is_live`.
    pub(crate) async fn reconcile(
        &self,
        wanted: &BTreeMap<Key, Wanted>,
        kept: &BTreeSet<Key>,
        members: &[Member],
        again: bool,
        is_live: impl Fn(Key) -> bool,
    ) {
        let mut opening = FuturesUnordered::new();
        for (key, shard) in wanted {
            match self.slots().get(key) {
                Some(Slot::Failed(_)) if !again => continue,
                Some(Slot::Open(_)) => continue,
                _ => {}
            }
            if opening.len() >= OPENED_AT_ONCE {
                opening.next().await;
            }
            opening.push(self.open_into(*key, shard, members));
        }
        while opening.next().await.is_some() {}
        // Last, for closing waits for readings, and what takes the place of these is waited for.
        let unwanted: Vec<Key> =
            self.slots().keys().filter(|key| !wanted.contains_key(key)).copied().collect();
        for key in unwanted {
            // No change is under way while it is taken away, and whoever waits for the gate looks again.
            let gate = match self.look(key) {
                Ok(Some(hosted)) => Some(Arc::clone(&hosted.gate).write_owned().await),
                _ => None,
            };
            if is_live(key) {
                continue;
            }
            let slot = self.take(key);
            drop(gate);
            self.end(key, slot).await;
            if !kept.contains(&key) {
                self.drop_files(key).await;
            }
        }
        for (key, shard) in wanted {
            if let Ok(Some(hosted)) = self.look(*key)
                && let Err(error) = configure(&hosted, &shard.collection).await
            {
                tracing::warn!(%error, shard = %group_name(*key), "change the settings of a shard");
            }
        }
    }

    async fn open_into(&self, key: Key, shard: &Wanted, members: &[Member]) {
        let slot = match self.open(key, shard, members).await {
            Ok(hosted) => Slot::Open(Arc::new(hosted)),
            Err(error) => {
                tracing::error!(%error, shard = %group_name(key), "open a shard");
                Slot::Failed(error.to_string())
            }
        };
        self.slots().insert(key, slot);
        self.changes.send_modify(|changes| *changes += 1);
    }

    async fn open(&self, key: Key, wanted: &Wanted, members: &[Member]) -> Result<Hosted> {
        let dir = self.dir_of(key);
        let options = Options {
            dir: dir.join("shard"),
            config: wanted.collection.config.to_edge_config(),
            flush_interval: Duration::from_secs(
                wanted.collection.config.optimizer_config.flush_interval_sec.max(1),
            ),
            keeper: self.keeper.clone(),
        };
        // What was born from an archive never begins empty, however this node came to lack it.
        if let Some(image) = wanted.image.clone().filter(|_| !Shard::is_in(&options.dir)) {
            let (stager, points, config) = (self.stager.clone(), self.dir.clone(), options.config.clone());
            let _staging = self.staging.add([key.0]);
            blocking(move || restage(&stager, &points, key, &image, config)).await?;
        }
        let (log, shard) = blocking(move || open_files(&dir, options)).await?;
        let machine = Arc::new(ShardMachine::new(Arc::clone(&shard)));
        let setup = Setup {
            node: self.node,
            name: group_name(key),
            timing: self.timing.clone(),
            spool: self.spool.clone(),
            seed: self.seed,
        };
        let group = match Group::open(setup, log, Arc::clone(&machine), Arc::clone(&self.network)).await {
            Ok(group) => group,
            Err(error) => {
                blocking(move || Ok(shard.close()?)).await?;
                return Err(error.into());
            }
        };
        let founder = wanted.nodes.iter().min() == Some(&self.node.0);
        if founder && group.status().members.is_empty() {
            let voters = members.iter().filter(|member| wanted.nodes.contains(&member.id.0));
            group.initialize(voters.cloned().collect()).await?;
        }
        Ok(Hosted {
            group,
            machine,
            gate: Arc::default(),
            cutting: Mutex::default(),
            revision: Mutex::new(wanted.collection.record.revision),
            compared: AtomicBool::new(false),
        })
    }

    /// Removes the files of a shard that is closed.
    async fn drop_files(&self, key: Key) {
        if self.is_pinned(key) {
            return;
        }
        let dir = self.dir_of(key);
        let removed = blocking(move || {
            remove(&dir)?;
            // Succeeds with the last shard of its generation.
            drop(fs::remove_dir(dir.parent().expect("a shard lies in its generation's directory")));
            Ok(())
        });
        if let Err(error) = removed.await {
            tracing::warn!(%error, shard = %group_name(key), "remove a shard; the next start tries again");
        }
    }

    async fn close(&self, key: Key) {
        let slot = self.take(key);
        self.end(key, slot).await;
    }

    /// From now on nobody finds it.
    fn take(&self, key: Key) -> Option<Slot> {
        let slot = self.slots().remove(&key);
        self.changes.send_modify(|changes| *changes += 1);
        slot
    }

    async fn end(&self, key: Key, slot: Option<Slot>) {
        let Some(Slot::Open(hosted)) = slot else { return };
        hosted.group.shutdown().await;
        let shard = Arc::clone(hosted.shard());
        if let Err(error) = blocking(move || Ok(shard.close()?)).await {
            tracing::error!(%error, shard = %group_name(key), "close a shard");
        }
    }

    /// Keeps the files of a shard until the answer is dropped.
    pub(crate) fn pin(&self, key: Key) -> Pin {
        *self.pins.lock().expect("no panic while held").entry(key).or_default() += 1;
        Pin { pins: Arc::clone(&self.pins), key }
    }

    fn is_pinned(&self, key: Key) -> bool {
        self.pins.lock().expect("no panic while held").contains_key(&key)
    }

    /// Removes shards that are not among those `named`, nor staged for an image that `may_happen` yet. Both are asked
    /// anew before anything goes. Only sound once this node has applied all that its log held at start: a power cut
    /// may have taken a suffix from the control state, and with it a collection.
    pub(crate) async fn remove_leftovers(
        &self,
        named: impl Fn() -> BTreeSet<Key> + Send + 'static,
        may_happen: impl Fn(Uuid) -> bool + Send + 'static,
    ) -> Result<()> {
        let (dir, staging, pins) = (self.dir.clone(), self.staging.clone(), Arc::clone(&self.pins));
        // Only the caller opens shards.
        let open: BTreeSet<Key> = self.slots().keys().copied().collect();
        blocking(move || {
            let is_needed = |key: &Key, named: &BTreeSet<Key>| {
                named.contains(key)
                    || open.contains(key)
                    || pins.lock().expect("no panic while held").contains_key(key)
            };
            let all = named();
            for generation in list(&dir)? {
                let Some(shards) = shards_in(&generation)? else { continue };
                if !shards.is_empty() && shards.iter().all(|(key, _)| is_needed(key, &all)) {
                    continue;
                }
                // In this order: what is staged no more is named by now, or never will be.
                if staging.holds(&generation, &may_happen) {
                    continue;
                }
                let all = named();
                let mut left = false;
                for (key, shard) in shards {
                    if is_needed(&key, &all) {
                        left = true;
                    } else {
                        tracing::info!(dir = %shard.display(), "remove what is left of a shard");
                        remove(&shard)?;
                    }
                }
                if !left {
                    remove(&generation)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// What is to be looked after from time to time: groups that stopped are closed, to be opened again; long
    /// logs are cut; leadership goes where the control group is led.
    pub(crate) async fn look_after(&self, control: Option<NodeId>) {
        for (key, hosted) in self.all() {
            let status = hosted.group.status();
            if let Err(why) = &status.running {
                tracing::error!(%why, shard = %group_name(key), "a shard's group stopped; opening it again");
                self.close(key).await;
                continue;
            }
            if let Err(error) = hosted.cut_log(&status).await {
                tracing::warn!(%error, shard = %group_name(key), "cut the log of a shard");
            }
            if !hosted.group.is_leader() {
                hosted.compared.store(false, Ordering::Relaxed);
                continue;
            }
            if let Some(control) = control.filter(|control| *control != self.node)
                && status.members.is_voter(control)
                && let Err(error) = hosted.group.transfer_leader(control).await
            {
                tracing::debug!(%error, shard = %group_name(key), "hand over a shard; trying again");
            }
        }
    }

    /// Closes everything.
    pub(crate) async fn shutdown(&self) {
        let supervisor = self.supervisor.lock().expect("no panic while held").take();
        if let Some(supervisor) = supervisor
            && let Err(error) = supervisor.await
        {
            tracing::error!(%error, "the supervisor of shards");
        }
        let keys: Vec<Key> = self.slots().keys().copied().collect();
        for key in keys {
            self.close(key).await;
        }
    }

    fn dir_of(&self, (generation, id): Key) -> PathBuf {
        self.dir.join(generation.to_string()).join(id.to_string())
    }
}

/// Keeps the files of a shard while a capture of it is read.
pub(crate) struct Pin {
    pins: Arc<Mutex<HashMap<Key, usize>>>,
    key: Key,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.pins.lock().expect("no panic while held");
        if let Some(count) = pins.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&self.key);
            }
        }
    }
}

/// A shard that this node should hold.
pub(crate) struct Wanted {
    pub(crate) nodes: Vec<u64>,
    pub(crate) image: Option<qdrant::Image>,
    pub(crate) collection: Arc<Described>,
}

fn group_name((generation, id): Key) -> String {
    qdrant::group(generation, id)
}

fn unavailable(id: u32, why: &str) -> Error {
    Error::new(Kind::Unavailable, format!("shard {id} is not available: {why}"))
}

fn open_files(dir: &Path, options: Options) -> Result<(Log, Arc<Shard>)> {
    let new = !dir.exists();
    fs::create_dir_all(dir).map_err(error::io("make the directory of a shard"))?;
    let log = Log::open(&dir.join("log")).map_err(groups::Error::from)?;
    let shard = Shard::open(options)?;
    if new {
        // The shard's directory, its generation's, that of all, and the data directory.
        for made in dir.ancestors().take(4) {
            let synced = File::open(made).and_then(|made| made.sync_all());
            synced.map_err(error::io("sync the directory of a shard"))?;
        }
    }
    Ok((log, shard))
}

async fn configure(hosted: &Hosted, collection: &Described) -> Result<()> {
    let revision = collection.record.revision;
    if *hosted.revision.lock().expect("no panic while held") == revision {
        return Ok(());
    }
    let (shard, config) = (Arc::clone(hosted.shard()), collection.config.to_edge_config());
    blocking(move || Ok(shard.configure(config)?)).await?;
    *hosted.revision.lock().expect("no panic while held") = revision;
    Ok(())
}

fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect()),
    };
    entries.map_err(error::io("list the directories of shards"))
}

/// The shards in the directory of a generation; `None` if its name is none of ours.
fn shards_in(generation: &Path) -> Result<Option<Vec<(Key, PathBuf)>>> {
    let named = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let Some(uuid) = named(generation).and_then(|name| name.parse().ok()) else { return Ok(None) };
    let shard = |path: PathBuf| Some(((uuid, named(&path)?.parse().ok()?), path));
    Ok(Some(list(generation)?.into_iter().filter_map(shard).collect()))
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error::io("remove the directory of a shard")(error))
        }
        _ => Ok(()),
    }
}
