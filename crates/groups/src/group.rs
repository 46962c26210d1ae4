//! One Raft group on one node: propose, confirm, change members, serve the peers.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::errors::{InitializeError, LinearizableReadError, RaftError};
use openraft::{ChangeMembers, ReadPolicy};
use tokio::sync::{Mutex, Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{Error, Result};
use crate::log::{Log, Store};
use crate::machine::StateMachine;
use crate::members::Member;
use crate::network::{Network, Request, Response};
use crate::raft::convert::{self, WriteResult};
use crate::raft::log::LogStore;
use crate::raft::machine::{Host, Machine};
use crate::raft::network::Peers;
use crate::raft::serve::Server;
use crate::raft::{Command, Raft, Runtime, config, observe};
use crate::status::Status;
use crate::timing::Timing;
use crate::types::{NodeId, Position};

/// The largest command that is accepted. What is larger belongs into a file of its own, named by the command.
pub const COMMAND_BYTES_MAX: usize = 16 << 20;

/// Commands proposed and not yet answered, together; further proposals wait.
const PROPOSED_BYTES_MAX: usize = 64 << 20;

/// What a proposal costs besides its command.
const PROPOSAL_OVERHEAD_BYTES: usize = 1 << 10;

/// What a group must be told when it opens.
#[derive(Clone, Debug)]
pub struct Setup {
    /// This node's number in the group.
    pub node: NodeId,
    /// The group's name: goes with every request and is written into the log.
    pub name: String,
    /// Waits and thresholds.
    pub timing: Timing,
    /// Where snapshots from other replicas are spooled, in files without a name. Must exist.
    pub spool: PathBuf,
    /// All random choices come from this, the node and the name. A server takes it from the system's randomness;
    /// a test names it.
    pub seed: u64,
}

/// A handle to one group on this node. Cheap to clone.
///
/// The group runs until [`shutdown`](Self::shutdown), not until the last handle is dropped.
pub struct Group<S: StateMachine> {
    inner: Arc<Inner<S>>,
}

struct Inner<S: StateMachine> {
    node: NodeId,
    timing: Timing,
    raft: Raft<S>,
    server: Server<S>,
    log: Arc<Store>,
    status: watch::Receiver<Status>,
    room: Semaphore,
    /// Ends when nothing can touch the machine any more.
    machine_released: Mutex<mpsc::Receiver<()>>,
}

impl<S: StateMachine> Clone for Group<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S: StateMachine> Group<S> {
    /// Opens the group and replays what the machine misses of the committed log.
    ///
    /// The node then follows, stands for election or waits for [`initialize`](Self::initialize), as its log says.
    /// Requests of peers can be served once this has returned. On error the log file is closed again.
    pub async fn open(setup: Setup, log: Log, machine: Arc<S>, network: Arc<dyn Network>) -> Result<Self> {
        let Setup { node, name, timing, spool, seed } = setup;
        let config = Arc::new(config::config(&name, &timing)?);
        let log = {
            let name = name.clone();
            let claimed = tokio::task::spawn_blocking(move || log.claim(node, &name)).await;
            claimed.map_err(|ended| Error::Fatal(ended.to_string()))??
        };
        let host = Arc::new(Host::new(machine, spool.clone()));
        let (alive, machine_released) = mpsc::channel(1);
        let adapter = Machine::new(host.clone(), alive);
        let store = LogStore::new(log.clone(), host.clone());
        let peers = Peers::new(network, &name, timing.clone());

        let started = async {
            check_no_gap(&host, &log).await?;
            let raft = Raft::<S>::build(node, config, peers, store, adapter).await.map_err(convert::fatal)?;
            let applied = host.applied().await.map_err(|error| Error::Fatal(error.to_string()))?;
            raft.run();
            // A round trip: only then does what the library says of itself mean anything.
            raft.with_raft_state(|_| ()).await.map_err(convert::fatal)?;
            if applied.members.voters().map(|voter| voter.id).eq([node]) {
                // Nobody else could lead, so there is no point in waiting for silence first.
                raft.trigger().elect(true).await.map_err(convert::fatal)?;
            }
            Ok(raft)
        };
        let raft = match Runtime::scope(own_seed(seed, node, &name), started).await {
            Ok(raft) => raft,
            Err(error) => {
                log.close().await;
                return Err(error);
            }
        };
        let inner = Inner {
            node,
            timing,
            server: Server::new(raft.clone(), &spool),
            status: observe::follow(&raft),
            raft,
            log,
            room: Semaphore::new(PROPOSED_BYTES_MAX),
            machine_released: Mutex::new(machine_released),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Founds the group with these voters, this node among them. On one node, once; to repeat it is harmless.
    pub async fn initialize(&self, members: Vec<Member>) -> Result<()> {
        let members: BTreeMap<_, _> = members.into_iter().map(convert::contact).collect();
        match self.inner.raft.initialize(members).await {
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(RaftError::APIError(error)) => Err(Error::Invalid(error.to_string())),
            Err(RaftError::Fatal(error)) => Err(convert::fatal(error)),
        }
    }

    /// Appends a command. On return it is synced on a quorum, applied here, and answered by the state machine.
    ///
    /// Look at [`Error::outcome_unknown`] before proposing it again. Dropping the future does not take the
    /// proposal back.
    pub async fn propose(&self, command: impl Into<Bytes>) -> Result<(Position, Vec<u8>)> {
        let command = command.into();
        if command.len() > COMMAND_BYTES_MAX {
            return Err(Error::Invalid(format!(
                "a command of {} bytes is larger than {COMMAND_BYTES_MAX}",
                command.len()
            )));
        }
        let deadline = Instant::now() + self.inner.timing.propose;
        let cost = u32::try_from(command.len() + PROPOSAL_OVERHEAD_BYTES).expect("16 MiB and a little fit");
        let room =
            timeout_at(deadline, self.inner.room.acquire_many(cost)).await.map_err(|_| Error::NoQuorum)?;
        let _room = room.expect("the semaphore is never closed");
        match timeout_at(deadline, self.inner.raft.client_write(Command(command))).await {
            Ok(Ok(response)) => Ok((convert::position(&response.log_id), response.data.0)),
            Ok(Err(error)) => Err(convert::write_error(error)),
            Err(_) => Err(Error::OutcomeUnknown { leader: self.leader() }),
        }
    }

    /// Waits until what is applied here includes everything that was acknowledged, anywhere, before the call.
    ///
    /// On the leader only: a quorum must confirm that it still is. Nothing is written.
    pub async fn confirm(&self) -> Result<Position> {
        self.read_point(ReadPolicy::ReadIndex).await
    }

    /// As [`confirm`](Self::confirm), but trusts that no clock runs so wrong that the leader's lease, granted by a
    /// quorum less than `election_max` ago, has already ended elsewhere. No round trip.
    pub async fn confirm_by_lease(&self) -> Result<Position> {
        self.read_point(ReadPolicy::LeaseRead).await
    }

    async fn read_point(&self, policy: ReadPolicy) -> Result<Position> {
        let confirmed = timeout(self.inner.timing.confirm, self.inner.raft.ensure_linearizable(policy)).await;
        match confirmed.map_err(|_| Error::NoQuorum)? {
            Ok(point) => Ok(convert::position(point.log_id())),
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(elsewhere))) => {
                Err(convert::turned_away(elsewhere))
            }
            Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_))) => Err(Error::NoQuorum),
            Err(RaftError::Fatal(error)) => Err(convert::fatal(error)),
        }
    }

    /// The leader, as far as this node knows. Possibly this node; possibly one that has lost its quorum.
    pub fn leader(&self) -> Option<Member> {
        self.inner.status.borrow().leader.clone()
    }

    /// Whether this node believes that it leads. Good enough to route by, never to read by.
    pub fn is_leader(&self) -> bool {
        self.inner.status.borrow().leader.as_ref().is_some_and(|leader| leader.id == self.inner.node)
    }

    /// The group as this node sees it.
    pub fn status(&self) -> Status {
        self.inner.status.borrow().clone()
    }

    /// The same, followed: each change wakes the receiver. A supervisor watches `running`.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.inner.status.clone()
    }

    /// How long ago a leader last spoke to this node; zero on the leader, `None` if never.
    pub fn since_leader(&self) -> Option<Duration> {
        if self.is_leader() { Some(Duration::ZERO) } else { self.inner.server.since_leader() }
    }

    /// Hands leadership to another voter and waits until this node has heard that it leads.
    pub async fn transfer_leader(&self, to: NodeId) -> Result<()> {
        let status = self.status();
        if !status.members.is_voter(to) {
            return Err(Error::Invalid(format!("node {to} is no voter of the group")));
        }
        let leads = |status: &Status| status.leader.as_ref().is_some_and(|leader| leader.id == to);
        if leads(&status) {
            return Ok(());
        }
        if !self.is_leader() {
            return Err(Error::NotLeader { leader: status.leader });
        }
        self.inner.raft.trigger().transfer_leader(to).await.map_err(convert::fatal)?;
        let mut changes = self.watch();
        let moved = timeout(self.inner.timing.election_max * 2, changes.wait_for(leads)).await;
        match moved {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(self.stopped()),
            Err(_) => Err(Error::Busy(format!("node {to} has not taken over"))),
        }
    }

    /// Adds a member without a vote and waits until it has stored all that was in the log when it was added.
    ///
    /// On the leader. Takes as long as it takes; dropping the future leaves the learner where it is.
    pub async fn add_learner(&self, member: Member) -> Result<()> {
        let (id, contact) = convert::contact(member);
        let goal = self.change(self.inner.raft.add_learner(id, contact, false)).await?;
        let mut metrics = self.inner.raft.metrics();
        loop {
            let now = metrics.borrow_watched().clone();
            let Some(replication) = now.replication else {
                return Err(Error::NotLeader { leader: self.leader() });
            };
            let stored = replication.get(&id).and_then(|stored| stored.as_ref().map(convert::position));
            if stored >= Some(goal) {
                return Ok(());
            }
            metrics.changed().await.map_err(|_| self.stopped())?;
        }
    }

    /// Makes exactly these members the voters. They must be known already, as voters or learners; voters that are
    /// not named leave the group. On the leader.
    pub async fn change_voters(&self, voters: BTreeSet<NodeId>) -> Result<()> {
        let change = self.inner.raft.change_membership(ChangeMembers::ReplaceAllVoters(voters), false);
        self.change(change).await.map(drop)
    }

    /// Removes a member that has no vote. On the leader.
    pub async fn remove_learner(&self, learner: NodeId) -> Result<()> {
        let change = self.inner.raft.change_membership(ChangeMembers::RemoveNodes([learner].into()), false);
        self.change(change).await.map(drop)
    }

    /// Waits for a change of members. It commits in two steps, so a time-out may fall between them.
    async fn change(&self, change: impl Future<Output = WriteResult>) -> Result<Position> {
        match timeout(self.inner.timing.propose, change).await {
            Ok(Ok(response)) => Ok(convert::position(&response.log_id)),
            Ok(Err(error)) => Err(convert::write_error(error)),
            Err(_) => Err(Error::OutcomeUnknown { leader: self.leader() }),
        }
    }

    /// Takes a snapshot point soon: syncs the machine, after which older entries may leave the log.
    pub async fn trigger_snapshot(&self) -> Result<()> {
        self.inner.raft.trigger().snapshot().await.map_err(convert::fatal)
    }

    /// Removes entries up to and including this index from the log soon, as far as a snapshot point covers them,
    /// whatever [`Timing::keep`] says.
    pub async fn purge(&self, upto: u64) -> Result<()> {
        self.inner.raft.trigger().purge_log(upto).await.map_err(convert::fatal)
    }

    /// Answers a request that a peer's [`Network`] carried here.
    pub async fn serve(&self, request: Request) -> Response {
        self.inner.server.serve(request).await
    }

    /// Stops the group on this node. On return nothing touches the machine any more and the log file is closed, so
    /// that both can be opened again. To repeat it is harmless.
    pub async fn shutdown(&self) {
        if let Err(error) = self.inner.raft.shutdown().await {
            tracing::error!(%error, "the group did not end by itself");
        }
        self.inner.server.clear().await;
        // Nothing is ever sent; it ends when the last holder is gone.
        self.inner.machine_released.lock().await.recv().await;
        self.inner.log.close().await;
    }

    fn stopped(&self) -> Error {
        let why = self.inner.status.borrow().running.clone().err();
        Error::Fatal(why.unwrap_or_else(|| "it was shut down".into()))
    }
}

/// The log must reach back to where the machine has come. The library would panic, or worse.
async fn check_no_gap<S: StateMachine>(host: &Arc<Host<S>>, log: &Store) -> Result<()> {
    let applied = host.applied().await.map_err(|error| Error::Fatal(error.to_string()))?.position;
    match log.state().purged {
        Some(purged) if applied < Some(purged) => Err(Error::MachineBehind { applied, purged }),
        _ => Ok(()),
    }
}

/// Members that share a seed must still not stand for election at the same moment.
fn own_seed(seed: u64, node: NodeId, group: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, node, group).hash(&mut hasher);
    hasher.finish()
}
