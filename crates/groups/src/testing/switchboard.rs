//! A network between groups in one process, whose lines can be cut.
//!
//! Every message passes through its serialised form, as it would on a wire.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::group::Group;
use crate::machine::StateMachine;
use crate::members::Member;
use crate::network::{Network, Request, Response, Unreachable};
use crate::types::NodeId;

/// The exchange to which all groups are connected. Cheap to clone.
#[derive(Clone, Default)]
pub struct Switchboard {
    exchange: Arc<Mutex<Exchange>>,
}

#[derive(Default)]
struct Exchange {
    plugged: BTreeMap<(NodeId, String), Serve>,
    /// Nodes that find their groups themselves.
    nodes: BTreeMap<NodeId, ServeAny>,
    /// Pairs that cannot talk, the smaller id first.
    cut: BTreeSet<(NodeId, NodeId)>,
    requests: u64,
}

type Serve = Arc<dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync>;
type ServeAny = Arc<dyn Fn(String, Request) -> BoxFuture<'static, Response> + Send + Sync>;

impl Switchboard {
    /// One without connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// The network as one node sees it.
    pub fn line(&self, from: NodeId) -> Arc<dyn Network> {
        Arc::new(Line { from, switchboard: self.clone() })
    }

    /// Lets others reach a node's group. Replaces what was plugged in there.
    pub fn plug<S: StateMachine>(&self, node: NodeId, name: &str, group: &Group<S>) {
        let group = group.clone();
        let serve: Serve = Arc::new(move |request| {
            let group = group.clone();
            async move { group.serve(request).await }.boxed()
        });
        self.exchange().plugged.insert((node, name.to_owned()), serve);
    }

    /// Lets others reach all groups of a node, also those to come: `serve` is told the group's name.
    pub fn plug_node(
        &self,
        node: NodeId,
        serve: impl Fn(String, Request) -> BoxFuture<'static, Response> + Send + Sync + 'static,
    ) {
        self.exchange().nodes.insert(node, Arc::new(serve));
    }

    /// Takes all of a node's groups away, as if its process had ended.
    pub fn unplug(&self, node: NodeId) {
        let mut exchange = self.exchange();
        exchange.plugged.retain(|(plugged, _), _| *plugged != node);
        exchange.nodes.remove(&node);
    }

    /// Cuts the line between two nodes; answers on their way are lost, too.
    pub fn cut(&self, one: NodeId, other: NodeId) {
        self.exchange().cut.insert(ordered(one, other));
    }

    /// Cuts one node off from all these others.
    pub fn isolate(&self, node: NodeId, others: impl IntoIterator<Item = NodeId>) {
        for other in others {
            self.cut(node, other);
        }
    }

    /// Mends all lines.
    pub fn heal(&self) {
        self.exchange().cut.clear();
    }

    /// Whether two nodes can talk.
    pub fn connects(&self, one: NodeId, other: NodeId) -> bool {
        self.check_line(one, other).is_ok()
    }

    /// How many requests were made so far, carried or not.
    pub fn requests(&self) -> u64 {
        self.exchange().requests
    }

    fn exchange(&self) -> MutexGuard<'_, Exchange> {
        self.exchange.lock().expect("no holder of the exchange panics")
    }

    fn check_line(&self, from: NodeId, to: NodeId) -> Result<(), Unreachable> {
        match self.exchange().cut.contains(&ordered(from, to)) {
            true => Err(Unreachable(format!("the line from {from} to {to} is cut"))),
            false => Ok(()),
        }
    }
}

fn ordered(one: NodeId, other: NodeId) -> (NodeId, NodeId) {
    (one.min(other), one.max(other))
}

struct Line {
    from: NodeId,
    switchboard: Switchboard,
}

impl Network for Line {
    fn send<'a>(
        &'a self,
        to: &'a Member,
        group: &'a str,
        request: Request,
    ) -> BoxFuture<'a, Result<Response, Unreachable>> {
        let carry = async move {
            let serve = {
                let mut exchange = self.switchboard.exchange();
                exchange.requests += 1;
                let plugged = exchange.plugged.get(&(to.id, group.to_owned())).cloned();
                plugged.or_else(|| {
                    let serve = exchange.nodes.get(&to.id)?.clone();
                    let group = group.to_owned();
                    Some(Arc::new(move |request| serve(group.clone(), request)) as Serve)
                })
            };
            self.switchboard.check_line(self.from, to.id)?;
            let serve = serve.ok_or_else(|| Unreachable(format!("node {} is not there", to.id)))?;
            let response = serve(over_the_wire(&request)?).await;
            self.switchboard.check_line(self.from, to.id)?;
            over_the_wire(&response)
        };
        carry.boxed()
    }
}

fn over_the_wire<T: Serialize + DeserializeOwned>(message: &T) -> Result<T, Unreachable> {
    let bytes = rmp_serde::to_vec_named(message).map_err(|error| Unreachable(error.to_string()))?;
    rmp_serde::from_slice(&bytes).map_err(|error| Unreachable(error.to_string()))
}
