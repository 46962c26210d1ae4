//! A cluster in one process: each node a group on a simulated disk, connected by a switchboard.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use groups::testing::{Disk, Ledger, Switchboard};
use groups::{Error, Group, Log, Member, NodeId, Position, Result, Setup, Status, Timing};

/// The name of every group here.
pub(crate) const GROUP: &str = "control";

/// Longer than anything here should take, on the clock of the test.
const PATIENCE: Duration = Duration::from_secs(60);

/// The nodes of one group.
pub(crate) struct Cluster {
    pub(crate) switchboard: Switchboard,
    pub(crate) timing: Timing,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    seed: u64,
}

/// One of them, running or not.
pub(crate) struct Node {
    pub(crate) disk: Disk,
    pub(crate) ledger: Arc<Ledger>,
    group: Option<Group<Ledger>>,
}

pub(crate) fn member(id: NodeId) -> Member {
    Member { id, address: format!("10.0.0.{id}:7400"), name: format!("node-{id}") }
}

pub(crate) fn ids(numbers: impl IntoIterator<Item = u64>) -> Vec<NodeId> {
    numbers.into_iter().map(NodeId).collect()
}

impl Cluster {
    /// Nodes 1 to `count`, running, none of them in a group yet.
    pub(crate) async fn start(count: u64, timing: Timing) -> Self {
        let mut cluster = Self { switchboard: Switchboard::new(), timing, nodes: BTreeMap::new(), seed: 1 };
        for id in 1..=count {
            cluster.add(NodeId(id)).await;
        }
        cluster
    }

    /// The same, as voters of a group that has a leader.
    pub(crate) async fn found(count: u64, timing: Timing) -> Self {
        let cluster = Self::start(count, timing).await;
        let members = ids(1..=count).into_iter().map(member).collect();
        cluster.group(NodeId(1)).initialize(members).await.unwrap();
        cluster.leader().await;
        cluster
    }

    /// A new node with an empty disk.
    pub(crate) async fn add(&mut self, id: NodeId) {
        self.nodes.insert(id, Node { disk: Disk::new(), ledger: Ledger::new(), group: None });
        self.restart(id).await.unwrap();
    }

    /// Starts a node that was stopped.
    pub(crate) async fn restart(&mut self, id: NodeId) -> Result<()> {
        self.seed += 1;
        let setup = Setup {
            node: id,
            name: GROUP.into(),
            timing: self.timing.clone(),
            spool: std::env::temp_dir(),
            seed: self.seed,
        };
        let line = self.switchboard.line(id);
        let node = self.nodes.get_mut(&id).unwrap();
        let log = Log::with_backend(node.disk.handle())?;
        let group = Group::open(setup, log, node.ledger.clone(), line).await?;
        self.switchboard.plug(id, GROUP, &group);
        node.group = Some(group);
        Ok(())
    }

    pub(crate) async fn stop(&mut self, id: NodeId) {
        self.switchboard.unplug(id);
        if let Some(group) = self.nodes.get_mut(&id).unwrap().group.take() {
            group.shutdown().await;
        }
    }

    pub(crate) async fn stop_all(&mut self) {
        for id in self.nodes.keys().copied().collect::<Vec<_>>() {
            self.stop(id).await;
        }
    }

    pub(crate) fn group(&self, id: NodeId) -> &Group<Ledger> {
        self.nodes[&id].group.as_ref().expect("the node is running")
    }

    pub(crate) fn ledger(&self, id: NodeId) -> &Ledger {
        &self.nodes[&id].ledger
    }

    /// Waits until every running node names the same leader, and gives it.
    pub(crate) async fn leader(&self) -> NodeId {
        let running: Vec<_> =
            self.nodes.iter().filter(|(_, node)| node.group.is_some()).map(|(id, _)| *id).collect();
        self.leader_among(&running).await
    }

    /// The same for some of the nodes. The leader is one of them.
    pub(crate) async fn leader_among(&self, some: &[NodeId]) -> NodeId {
        loop {
            let mut named = Vec::new();
            for id in some {
                let known = |status: &Status| leader_of(status).is_some_and(|leader| some.contains(&leader));
                named.extend(leader_of(&wait(self.group(*id), known).await));
            }
            let unanimous = named.iter().all(|leader| *leader == named[0]);
            if unanimous && self.group(named[0]).confirm().await.is_ok() {
                return named[0];
            }
            // A paused clock stands still while someone spins.
            let_time_pass(self.timing.heartbeat).await;
        }
    }

    /// Proposes on whoever leads, again and again until it is done. Only for commands that may be done twice.
    pub(crate) async fn propose(&self, command: &str) -> Position {
        loop {
            let leader = self.leader().await;
            match self.group(leader).propose(command.to_owned()).await {
                Ok((position, _)) => return position,
                Err(Error::NotLeader { .. } | Error::NoQuorum | Error::OutcomeUnknown { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Proposes numbers on this node, which leads, and gives the position of the last.
    pub(crate) async fn propose_from(&self, leader: NodeId, numbers: std::ops::Range<u64>) -> Position {
        let mut last = Position::default();
        for number in numbers {
            last = self.group(leader).propose(number.to_string()).await.unwrap().0;
        }
        last
    }

    /// Waits until a node has applied this entry.
    pub(crate) async fn applied(&self, id: NodeId, position: Position) {
        wait(self.group(id), |status| status.applied >= Some(position)).await;
    }
}

pub(crate) fn leader_of(status: &Status) -> Option<NodeId> {
    status.leader.as_ref().map(|leader| leader.id)
}

/// Waits for a condition, and gives the status that met it.
pub(crate) async fn wait(group: &Group<Ledger>, condition: impl FnMut(&Status) -> bool) -> Status {
    let mut changes = group.watch();
    let met = tokio::time::timeout(PATIENCE, changes.wait_for(condition))
        .await
        .map(|met| met.map(|met| met.clone()));
    match met {
        Ok(met) => met.expect("the group runs"),
        Err(_) => panic!("waited in vain: {:?}", group.status()),
    }
}

/// Turns the paused clock on, past every timer in between. Takes no time at all.
pub(crate) async fn let_time_pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}

pub(crate) fn commands(ledger: &Ledger) -> Vec<String> {
    ledger.commands().into_iter().map(|command| String::from_utf8(command).unwrap()).collect()
}
