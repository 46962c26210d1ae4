//! Nodes of one process that reach each other without sockets: a cluster for tests.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use groups::testing::Switchboard;
use groups::{Member, NodeId, Timing};
use records::Commit;
use tempfile::TempDir;

use crate::access::AccessSettings;
use crate::blobs::Digest;
use crate::clock::SystemClock;
#[cfg(feature = "qdrant")]
use crate::collections::PointsImage;
use crate::data_dir::Identity;
use crate::error::{Error, Kind, Result};
use crate::node::{Node, Parts};
use crate::peers::{Peers, unreachable};
use crate::settings::Settings;

/// Short enough for a test to see elections, long enough for a busy machine.
pub fn timing() -> Timing {
    Timing {
        heartbeat: Duration::from_millis(100),
        election_min: Duration::from_millis(500),
        election_max: Duration::from_millis(1000),
        ..Timing::default()
    }
}

/// Voters in one process.
pub struct Cluster {
    access: AccessSettings,
    dirs: BTreeMap<u64, TempDir>,
    switchboard: Switchboard,
    nodes: Arc<Mutex<BTreeMap<u64, Node>>>,
}

impl Cluster {
    /// Founds a cluster of `voters` and waits for its leader.
    pub async fn start(voters: u64) -> Result<Cluster> {
        Cluster::start_with(voters, AccessSettings::default()).await
    }

    /// The same, with access control.
    pub async fn start_with(voters: u64, access: AccessSettings) -> Result<Cluster> {
        let dir = |id| Ok((id, tempfile::tempdir().map_err(crate::error::io("make a directory"))?));
        let dirs = (1..=voters).map(dir).collect::<Result<_>>()?;
        let cluster = Cluster { access, dirs, switchboard: Switchboard::new(), nodes: Arc::default() };
        // The least id founds, so it comes last: by then the others listen.
        for id in (1..=voters).rev() {
            cluster.open(id).await?;
        }
        cluster.leader().await;
        Ok(cluster)
    }

    /// Opens a node, again if it was stopped.
    pub async fn open(&self, id: u64) -> Result<()> {
        let peers =
            Together { from: id, nodes: Arc::clone(&self.nodes), switchboard: self.switchboard.clone() };
        let parts = Parts {
            network: self.switchboard.line(NodeId(id)),
            peers: Arc::new(peers),
            clock: Arc::new(SystemClock),
            seed: id,
            timing: timing(),
            store: None,
            log: None,
            voters: Some(self.dirs.keys().map(|id| member(*id)).collect()),
            identity: Some(Identity { id, name: format!("node-{id}") }),
        };
        let settings = Settings {
            address: member(id).address,
            access: self.access.clone(),
            ..Settings::new(self.dirs[&id].path())
        };
        let node = Node::open(settings, parts).await?;
        let serving = node.clone();
        self.switchboard.plug_node(NodeId(id), move |group, request| {
            let node = serving.clone();
            async move { node.serve(&group, request).await }.boxed()
        });
        self.nodes.lock().expect("no panic while held").insert(id, node);
        Ok(())
    }

    /// Stops a node in order.
    pub async fn stop(&self, id: u64) {
        self.switchboard.unplug(NodeId(id));
        let node = self.nodes.lock().expect("no panic while held").remove(&id);
        if let Some(node) = node {
            node.shutdown().await;
        }
    }

    /// A running node.
    pub fn node(&self, id: u64) -> Node {
        self.nodes.lock().expect("no panic while held")[&id].clone()
    }

    /// All running nodes.
    pub fn nodes(&self) -> Vec<Node> {
        self.nodes.lock().expect("no panic while held").values().cloned().collect()
    }

    /// Where a node's data lies.
    pub fn dir(&self, id: u64) -> &Path {
        self.dirs[&id].path()
    }

    /// Cuts a node off from all others.
    pub fn isolate(&self, id: u64) {
        self.switchboard
            .isolate(NodeId(id), self.dirs.keys().map(|other| NodeId(*other)).filter(|o| o.0 != id));
    }

    /// Mends all lines.
    pub fn heal(&self) {
        self.switchboard.heal();
    }

    /// Waits until a node leads and a quorum confirms it.
    pub async fn leader(&self) -> Node {
        loop {
            for node in self.nodes() {
                if node.confirm_leader().await.is_ok() {
                    return node;
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// Makes another node the leader and returns it.
    pub async fn move_leader(&self) -> Node {
        let leader = self.leader().await;
        let other =
            self.nodes().into_iter().find(|node| node.id() != leader.id()).expect("more than one voter");
        // A transfer may be refused while the other one lags; then an election is under way or it is tried again.
        while leader.group().transfer_leader(other.id()).await.is_err() && !other.group().is_leader() {
            tokio::task::yield_now().await;
        }
        self.leader().await
    }
}

fn member(id: u64) -> Member {
    Member { id: NodeId(id), address: format!("127.0.0.1:{}", 7400 + id), name: format!("node-{id}") }
}

/// Calls the other nodes directly, over the switchboard's lines.
struct Together {
    from: u64,
    nodes: Arc<Mutex<BTreeMap<u64, Node>>>,
    switchboard: Switchboard,
}

impl Together {
    fn reach(&self, member: &Member) -> Result<Node> {
        let node = self.nodes.lock().expect("no panic while held").get(&member.id.0).cloned();
        match node {
            Some(node) if self.switchboard.connects(NodeId(self.from), member.id) => Ok(node),
            _ => Err(unreachable(member)),
        }
    }
}

impl Peers for Together {
    fn stage<'a>(&'a self, to: &'a Member, commit: Commit) -> BoxFuture<'a, Result<Vec<u8>>> {
        async move { self.reach(to)?.stage_for(commit).await }.boxed()
    }

    #[cfg(feature = "qdrant")]
    fn stage_points<'a>(&'a self, to: &'a Member, image: PointsImage) -> BoxFuture<'a, Result<Vec<u8>>> {
        async move { self.reach(to)?.stage_points_for(image).await }.boxed()
    }

    fn blob(&self, from: &Member, digest: Digest) -> Result<Box<dyn Read + Send>> {
        let file = self.reach(from)?.open_blob(digest)?;
        Ok(Box::new(file))
    }
}

/// Waits until `holds` does; fails after 30 s.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let late = |_| Error::new(Kind::Unavailable, format!("after 30 s still not so: {what}"));
    tokio::time::timeout(Duration::from_secs(30), wait).await.map_err(late)
}

/// Makes a node forget its log up to what it has applied, as a long time would.
pub async fn purge_log(node: &Node) -> Result<()> {
    let applied = node.status().applied.map_or(0, |position| position.index);
    node.group().trigger_snapshot().await?;
    let covered = || node.status().snapshot.is_some_and(|snapshot| snapshot.index >= applied);
    eventually("the snapshot point is taken", covered).await?;
    node.group().purge(applied).await?;
    eventually("the log is purged", || node.status().purged.is_some_and(|purged| purged.index >= applied))
        .await
}
