//! One node: opens everything in order, proposes changes, gives out views and captures.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
#[cfg(feature = "qdrant")]
use std::time::Duration;

use groups::{Group, Log, Member, Network, NodeId, Setup, Timing};
use records::nomad::variables::HeldLock;
use records::store::{Disk, DiskOptions, Store};
use records::{Command, Op, Position, Records, Reply, View, consul, nomad};
use serde::Serialize;
use tokio::sync::{MutexGuard, Notify, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::blobs::Blobs;
use crate::clock::{Clock, SystemClock};
#[cfg(feature = "qdrant")]
use crate::collections::{Directory, Shards};
use crate::data_dir::{DataDir, Identity};
use crate::digest::Digests;
use crate::error::{self, Error, Kind, Result, blocking};
use crate::known::Known;
use crate::machine::{ControlMachine, Images};
use crate::metrics::Metrics;
use crate::peers::{NoPeers, Peers};
use crate::save::{Capture, Consistency, Freshness};
use crate::scope::Scope;
use crate::settings::Settings;
#[cfg(feature = "qdrant")]
use crate::shelf::Shelf;
use crate::stager::Stager;
use crate::tasks::{Registry, Running};
use crate::timers::Timers;

/// The name of the control group.
const CONTROL: &str = "control";

/// How long a restore waits for others of the same state.
#[cfg(feature = "qdrant")]
const TURN_MAX: Duration = Duration::from_secs(300);

/// A node of a cluster. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    data_dir: DataDir,
    identity: Identity,
    token: String,
    clock: Arc<dyn Clock>,
    blobs: Arc<Blobs>,
    records: Arc<Records>,
    stager: Arc<Stager>,
    machine: Arc<ControlMachine>,
    group: Group<ControlMachine>,
    peers: Arc<dyn Peers>,
    tasks: Registry,
    restoring: Mutex<HashSet<Scope>>,
    /// Told whenever one of them ends.
    restored: Notify,
    names: tokio::sync::Mutex<()>,
    beginnings: tokio::sync::Mutex<()>,
    free_bytes: AtomicU64,
    metrics: Arc<Metrics>,
    session_timers: Timers<String>,
    lock_timers: Timers<HeldLock>,
    digests: Digests,
    known: Known<consul::acl::Authorizer>,
    nomad_known: Known<nomad::acl::Authorizer>,
    #[cfg(feature = "qdrant")]
    shards: Shards,
    #[cfg(feature = "qdrant")]
    shelf: Shelf,
    closing: watch::Sender<bool>,
    /// What runs by itself and holds this node meanwhile.
    upkeep: Mutex<Option<JoinHandle<()>>>,
}

/// What a node does not make itself, so that tests can.
pub struct Parts {
    /// The way to the other replicas.
    pub network: Arc<dyn Network>,
    /// The way to the other nodes' stages and blobs.
    pub peers: Arc<dyn Peers>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where all random choices of replication come from.
    pub seed: u64,
    /// Waits and thresholds of replication.
    pub timing: Timing,
    /// Where records are stored; on disk in the data directory if `None`.
    pub store: Option<Arc<dyn Store>>,
    /// The disk of the Raft log; a file in the data directory if `None`.
    pub log: Option<Log>,
    /// The founding voters; this node alone if `None`.
    pub voters: Option<Vec<Member>>,
    /// Who this node is; as its data directory says if `None`.
    pub identity: Option<Identity>,
}

impl Parts {
    /// The parts of a cluster of one.
    pub fn alone() -> Parts {
        Parts {
            network: Arc::new(NoPeers),
            peers: Arc::new(NoPeers),
            clock: Arc::new(SystemClock),
            seed: Uuid::new_v4().as_u64_pair().0,
            timing: Timing::default(),
            store: None,
            log: None,
            voters: None,
            identity: None,
        }
    }
}

/// A view of a scope and how fresh it is.
pub struct Seen {
    /// The view.
    pub view: View,
    /// How fresh it is.
    pub freshness: Freshness,
}

impl Node {
    /// Opens the data directory, replays the log, and founds a cluster if there was none.
    ///
    /// On return the node takes part in its group; on an error everything is closed again.
    pub async fn open(settings: Settings, parts: Parts) -> Result<Node> {
        let path = settings.data_dir.clone();
        let data_dir = blocking(move || DataDir::open(&path)).await?;
        let identity = parts.identity.unwrap_or_else(|| data_dir.identity().clone());
        let token = data_dir.token()?;
        let blobs = Arc::new(Blobs::open(&data_dir.blobs(), settings.temp_dir.as_deref())?);
        #[cfg(feature = "qdrant")]
        let shelf = {
            let dir = settings.snapshots_dir.clone();
            Shelf::open(dir.unwrap_or_else(|| data_dir.path().join("snapshots")))?
        };
        let store = match parts.store {
            Some(store) => store,
            None => open_disk(&data_dir).await?,
        };
        let records = Arc::new(blocking(move || Ok(Records::open(store)?)).await?);
        let stager = Arc::new(Stager {
            id: identity.id,
            records: Arc::clone(&records),
            blobs: Arc::clone(&blobs),
            peers: Arc::clone(&parts.peers),
            stopping: AtomicBool::new(false),
        });
        let images: Arc<dyn Images> = Arc::clone(&stager) as _;
        let machine = Arc::new(ControlMachine::new(Arc::clone(&records), images)?);
        let log = match parts.log {
            Some(log) => log,
            None => {
                let path = data_dir.log();
                blocking(move || Log::open(&path).map_err(|e| groups::Error::from(e).into())).await?
            }
        };
        #[cfg(feature = "qdrant")]
        let shards = {
            let network = Arc::clone(&parts.network);
            let (id, stager) = (NodeId(identity.id), Arc::clone(&stager));
            Shards::new(data_dir.path(), id, parts.seed, &parts.timing, network, stager)
        };
        let setup = Setup {
            node: NodeId(identity.id),
            name: CONTROL.to_owned(),
            timing: parts.timing,
            spool: data_dir.path().to_owned(),
            seed: parts.seed,
        };
        let group = Group::open(setup, log, Arc::clone(&machine), parts.network).await?;
        let me = || Member {
            id: NodeId(identity.id),
            address: settings.address.clone(),
            name: identity.name.clone(),
        };
        let voters = parts.voters.unwrap_or_else(|| vec![me()]);
        // Every node may be told the founders; the one with the least number founds.
        if group.status().members.is_empty() && voters.iter().all(|voter| voter.id.0 >= identity.id) {
            group.initialize(voters).await?;
        }
        let free_bytes = AtomicU64::new(data_dir.free_bytes()?);
        let node = Node {
            inner: Arc::new(Inner {
                settings,
                data_dir,
                identity,
                token,
                clock: parts.clock,
                blobs,
                records,
                stager,
                machine,
                group,
                peers: parts.peers,
                tasks: Registry::default(),
                restoring: Mutex::default(),
                restored: Notify::new(),
                names: tokio::sync::Mutex::default(),
                beginnings: tokio::sync::Mutex::default(),
                free_bytes,
                metrics: Arc::default(),
                session_timers: Timers::default(),
                lock_timers: Timers::default(),
                digests: Digests::default(),
                known: Known::default(),
                #[cfg(feature = "qdrant")]
                shards,
                #[cfg(feature = "qdrant")]
                shelf,
                nomad_known: Known::default(),
                closing: watch::Sender::new(false),
                upkeep: Mutex::default(),
            }),
        };
        *node.inner.upkeep.lock().expect("no panic while held") = Some(tokio::spawn(node.clone().keep_up()));
        #[cfg(feature = "qdrant")]
        node.inner.shards.start(tokio::spawn(node.clone().supervise_shards()));
        Ok(node)
    }

    /// Ends what only waits, such as blocking queries, so that open requests can be answered before
    /// [`shutdown`](Self::shutdown). Reads and writes go on.
    pub fn begin_shutdown(&self) {
        self.inner.closing.send_replace(true);
    }

    /// Stops taking part, syncs and closes everything. To repeat it is harmless.
    pub async fn shutdown(&self) {
        self.begin_shutdown();
        self.inner.stager.stopping.store(true, Ordering::Relaxed);
        #[cfg(feature = "qdrant")]
        self.inner.shards.shutdown().await;
        self.inner.group.shutdown().await;
        let upkeep = self.inner.upkeep.lock().expect("no panic while held").take();
        if let Some(upkeep) = upkeep
            && let Err(error) = upkeep.await
        {
            tracing::error!(%error, "end the upkeep at shutdown");
        }
        let records = Arc::clone(&self.inner.records);
        if let Err(error) = blocking(move || Ok(records.sync()?)).await {
            tracing::error!(%error, "sync the records at shutdown");
        }
    }

    /// Waits until a leader is known.
    pub async fn wait_for_leader(&self) -> Result<()> {
        let mut status = self.inner.group.watch();
        let known = status.wait_for(|status| status.leader.is_some() || status.running.is_err()).await;
        match known.map(|status| status.running.clone()) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(stopped)) => Err(Error::new(Kind::Internal, stopped)),
            Err(_) => Err(Error::new(Kind::Unavailable, "the node is shutting down")),
        }
    }

    /// Makes one change of the control state. On return it is durable on a quorum and can be read here.
    pub async fn change(&self, op: Op) -> Result<Reply> {
        self.check_disk(0)?;
        Ok(self.propose(op).await?.1)
    }

    /// As [`change`](Self::change), for what frees space: goes on when the disk is full.
    pub async fn change_on_full_disk(&self, op: Op) -> Result<Reply> {
        Ok(self.propose(op).await?.1)
    }

    pub(crate) async fn propose(&self, op: Op) -> Result<(Position, Reply)> {
        self.propose_with(op, None).await
    }

    /// Proposes `op`, followed by `then` in the same entry if it makes another generation live.
    pub(crate) async fn propose_with(&self, op: Op, then: Option<Op>) -> Result<(Position, Reply)> {
        let command = Command { then: then.map(Box::new), ..Command::new(self.now_ms(), op) };
        let (position, reply) = self.inner.group.propose(command.encode()).await?;
        Ok((Position { term: position.term, index: position.index }, Reply::decode(&reply)?))
    }

    /// A view of the live generation of `scope`.
    pub async fn view(&self, scope: records::Scope, consistency: Consistency) -> Result<Seen> {
        if consistency == Consistency::Linearizable {
            self.confirm_leader().await?;
        }
        Ok(Seen { view: self.inner.records.view(scope)?, freshness: self.freshness() })
    }

    /// Pins `scope` for an archive. No log write: a server with a full disk can still be saved.
    pub async fn capture(&self, scope: records::Scope, consistency: Consistency) -> Result<Capture> {
        let seen = self.view(scope, consistency).await?;
        Capture::new(seen.view, seen.freshness, self.metrics().hold(scope.name()))
    }

    /// Follows the state index of `scope`, to wait for a change.
    pub fn watch(&self, scope: records::Scope) -> watch::Receiver<u64> {
        self.inner.machine.watch(scope)
    }

    /// How fresh a read on this node is right now.
    pub fn freshness(&self) -> Freshness {
        Freshness {
            known_leader: self.inner.group.leader().is_some(),
            last_contact: self.inner.group.since_leader().unwrap_or_default(),
        }
    }

    /// Fails unless this node leads and a quorum has just confirmed it.
    pub async fn confirm_leader(&self) -> Result<()> {
        self.inner.group.confirm().await?;
        Ok(())
    }

    /// Fails if writing `bytes` more would eat into the reserve of the disk.
    pub fn check_disk(&self, bytes: u64) -> Result<()> {
        let reserve = self.inner.settings.disk_reserve_bytes;
        if self.free_bytes() < reserve.saturating_add(bytes) { Err(error::disk_full()) } else { Ok(()) }
    }

    /// Whether this is the operator's token; takes the same time for every wrong one.
    pub fn authorizes(&self, token: &str) -> bool {
        use subtle::ConstantTimeEq;
        self.inner.token.as_bytes().ct_eq(token.as_bytes()).into()
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Who this node is.
    pub fn identity(&self) -> &Identity {
        &self.inner.identity
    }

    /// This node as its group sees it.
    pub fn status(&self) -> groups::Status {
        self.inner.group.status()
    }

    /// The same, followed: a supervisor watches `running`.
    pub fn follow(&self) -> watch::Receiver<groups::Status> {
        self.inner.group.watch()
    }

    /// Whether the node is about to shut down, to be followed by whatever waits.
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.inner.closing.subscribe()
    }

    /// What is counted and measured.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.inner.metrics
    }

    /// Free bytes on the disk of the data directory, as of the last second.
    pub fn free_bytes(&self) -> u64 {
        self.inner.free_bytes.load(Ordering::Relaxed)
    }

    /// The time, in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        self.inner.clock.now_ms()
    }

    /// The control state, for reading.
    pub fn records(&self) -> &Arc<Records> {
        &self.inner.records
    }

    pub(crate) fn id(&self) -> NodeId {
        NodeId(self.inner.identity.id)
    }

    pub(crate) fn group(&self) -> &Group<ControlMachine> {
        &self.inner.group
    }

    /// Answers what another replica asks of a group of this node.
    pub async fn serve(&self, group: &str, request: groups::Request) -> groups::Response {
        if group == CONTROL {
            return self.inner.group.serve(request).await;
        }
        #[cfg(feature = "qdrant")]
        if let Some(hosted) = self.inner.shards.of_group(group) {
            return hosted.group.serve(request).await;
        }
        groups::Response::refused(format!("group {group} is not here"))
    }

    #[cfg(feature = "qdrant")]
    pub(crate) fn shards(&self) -> &Shards {
        &self.inner.shards
    }

    #[cfg(feature = "qdrant")]
    pub(crate) fn shelf(&self) -> &Shelf {
        &self.inner.shelf
    }

    /// Collections and aliases, as this node has applied them.
    #[cfg(feature = "qdrant")]
    pub(crate) fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.inner.machine.directory().borrow())
    }

    #[cfg(feature = "qdrant")]
    pub(crate) fn watch_directory(&self) -> watch::Receiver<Arc<Directory>> {
        self.inner.machine.directory().subscribe()
    }

    pub(crate) fn blobs(&self) -> &Arc<Blobs> {
        &self.inner.blobs
    }

    pub(crate) fn stager(&self) -> Arc<Stager> {
        Arc::clone(&self.inner.stager)
    }

    pub(crate) fn peers(&self) -> &dyn Peers {
        &*self.inner.peers
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.inner.tasks
    }

    pub(crate) fn session_timers(&self) -> &Timers<String> {
        &self.inner.session_timers
    }

    pub(crate) fn lock_timers(&self) -> &Timers<HeldLock> {
        &self.inner.lock_timers
    }

    pub(crate) fn digests(&self) -> &Digests {
        &self.inner.digests
    }

    pub(crate) fn known(&self) -> &Known<consul::acl::Authorizer> {
        &self.inner.known
    }

    pub(crate) fn nomad_known(&self) -> &Known<nomad::acl::Authorizer> {
        &self.inner.nomad_known
    }

    pub(crate) fn measure_disk(&self) {
        match self.inner.data_dir.free_bytes() {
            Ok(free) => self.inner.free_bytes.store(free, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "measure the disk"),
        }
    }

    /// Two snapshots of one name must not be listed at once.
    pub(crate) async fn hold_names(&self) -> MutexGuard<'_, ()> {
        self.inner.names.lock().await
    }

    /// What a scope begins with must not be added twice.
    pub(crate) async fn hold_beginnings(&self) -> MutexGuard<'_, ()> {
        self.inner.beginnings.lock().await
    }

    /// One restore or undo of the same state at a time: held until the guard is dropped.
    pub(crate) fn only_restore(&self, scope: &Scope) -> Result<OnlyRestore> {
        let mut restoring = self.inner.restoring.lock().expect("no panic while held");
        if let Some(other) = restoring.iter().find(|other| other.overlaps(scope)) {
            return Err(Error::new(Kind::Conflict, format!("another restore of {other} is running")));
        }
        restoring.insert(scope.clone());
        Ok(OnlyRestore { node: self.clone(), scope: scope.clone() })
    }

    /// The same in turn: waits for those that run, as clients of Qdrant's expect it, but not for ever.
    #[cfg(feature = "qdrant")]
    pub(crate) async fn restore_in_turn(&self, scope: &Scope) -> Result<OnlyRestore> {
        let turn = async {
            loop {
                // Asked for before it is looked, so that no end is missed.
                let ended = self.inner.restored.notified();
                match self.only_restore(scope) {
                    Err(_) => ended.await,
                    Ok(turn) => return turn,
                }
            }
        };
        match tokio::time::timeout(TURN_MAX, turn).await {
            Ok(turn) => Ok(turn),
            Err(_) => self.only_restore(scope),
        }
    }

    /// Runs `work` as a task: listed, replicated, with progress. Its end is recorded whatever it is.
    pub(crate) async fn run_task<T: Serialize, F: Future<Output = Result<T>>>(
        &self,
        id: Uuid,
        kind: crate::tasks::TaskKind,
        scope: &Scope,
        first: crate::tasks::Step,
        work: impl FnOnce(Arc<Running>) -> F,
    ) -> Result<T> {
        let running = self.inner.tasks.start(id, first)?;
        let ended = self.clone().record_task(id, kind, scope, running, work).await;
        self.inner.tasks.end(id);
        ended
    }
}

/// Keeps other restores of a scope out.
pub(crate) struct OnlyRestore {
    node: Node,
    scope: Scope,
}

impl Drop for OnlyRestore {
    fn drop(&mut self) {
        self.node.inner.restoring.lock().expect("no panic while held").remove(&self.scope);
        self.node.inner.restored.notify_waiters();
    }
}

async fn open_disk(data_dir: &DataDir) -> Result<Arc<dyn Store>> {
    let path = data_dir.records();
    blocking(move || {
        let disk = Disk::open(&path, DiskOptions::default()).map_err(records::Error::from)?;
        Ok(Arc::new(disk) as Arc<dyn Store>)
    })
    .await
}

impl Network for NoPeers {
    fn send<'a>(
        &'a self,
        to: &'a Member,
        _: &'a str,
        _: groups::Request,
    ) -> futures_util::future::BoxFuture<'a, Result<groups::Response, groups::Unreachable>> {
        Box::pin(std::future::ready(Err(groups::Unreachable(to.address.clone()))))
    }
}
