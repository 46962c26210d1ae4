//! Three nodes under cut lines, power cuts, restarts and transfers, drawn from a seed.
//!
//! One client writes numbers, each once, to whoever leads. Guards against: an acknowledged write that is lost, an
//! order that differs between nodes, a confirmed read that misses what was acknowledged before it.

use std::collections::BTreeSet;
use std::time::Duration;

use groups::testing::Ledger;
use groups::{Error, NodeId, Timing};

use super::common::{Cluster, commands, ids, let_time_pass};

const SEEDS: u64 = 8;
const STEPS: usize = 30;

struct Chaos {
    cluster: Cluster,
    random: u64,
    next: u64,
    acknowledged: Vec<u64>,
}

#[tokio::test(start_paused = true)]
async fn no_acknowledged_write_is_lost_whatever_fails() {
    let mut acknowledged = 0;
    for seed in 1..=SEEDS {
        let timing =
            Timing { propose: Duration::from_secs(3), confirm: Duration::from_secs(3), ..Timing::default() };
        let cluster = Cluster::found(3, timing).await;
        let mut chaos = Chaos {
            cluster,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            next: 0,
            acknowledged: vec![],
        };
        for _ in 0..STEPS {
            chaos.step().await;
        }
        chaos.check(seed).await;
        chaos.cluster.stop_all().await;
        acknowledged += chaos.acknowledged.len();
    }
    assert!(acknowledged > STEPS * SEEDS as usize, "{acknowledged} writes are too few to show anything");
}

impl Chaos {
    async fn step(&mut self) {
        let node = NodeId(1 + self.draw(3));
        match self.draw(8) {
            0 => self.cluster.switchboard.isolate(node, ids(1..=3)),
            1 => self.cluster.switchboard.cut(node, NodeId(1 + node.0 % 3)),
            2 | 3 => self.cluster.switchboard.heal(),
            4 => self.crash(node).await,
            5 => drop(self.cluster.group(node).transfer_leader(NodeId(1 + node.0 % 3)).await),
            _ => {
                let pause = Duration::from_millis(self.draw(3000));
                let_time_pass(pause).await;
            }
        }
        for _ in 0..3 {
            self.write().await;
        }
        self.read().await;
    }

    /// The power fails while a write is under way. Nothing that the node does afterwards counts.
    async fn crash(&mut self, node: NodeId) {
        let write = self.start_write(node);
        let pause = Duration::from_micros(self.draw(2000));
        let_time_pass(pause).await;
        self.cluster.switchboard.unplug(node);
        let survivors = 1 + self.draw(1 << 40);
        let disk = &self.cluster.nodes[&node].disk;
        let after = disk.after_power_cut(disk.operations(), Some(survivors));
        if write.is_finished() {
            let outcome = write.await.unwrap();
            self.note(outcome);
        } else {
            write.abort();
        }
        self.cluster.stop(node).await;
        let crashed = self.cluster.nodes.get_mut(&node).unwrap();
        crashed.disk = after;
        crashed.ledger = Ledger::new();
        self.cluster.restart(node).await.unwrap();
    }

    /// Asks every node that believes to lead; an old leader may be among them.
    async fn write(&mut self) {
        for node in ids(1..=3) {
            if self.cluster.group(node).is_leader() {
                let outcome = self.start_write(node).await.unwrap();
                self.note(outcome);
            }
        }
    }

    fn start_write(&mut self, node: NodeId) -> tokio::task::JoinHandle<Result<u64, Error>> {
        let number = self.next;
        self.next += 1;
        let group = self.cluster.group(node).clone();
        tokio::spawn(async move { group.propose(number.to_string()).await.map(|_| number) })
    }

    fn note(&mut self, outcome: Result<u64, Error>) {
        match outcome {
            Ok(number) => self.acknowledged.push(number),
            Err(Error::NotLeader { .. } | Error::NoQuorum | Error::OutcomeUnknown { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    async fn read(&self) {
        for node in ids(1..=3) {
            if self.cluster.group(node).confirm().await.is_ok() {
                self.check_complete(node, "a confirmed read");
            }
        }
    }

    async fn check(&self, seed: u64) {
        self.cluster.switchboard.heal();
        let last = self.cluster.propose("the end").await;
        for node in ids(1..=3) {
            self.cluster.applied(node, last).await;
            self.check_complete(node, "the end");
            let one = self.cluster.ledger(NodeId(1));
            assert_eq!(
                commands(self.cluster.ledger(node)),
                commands(one),
                "node {node} differs, seed {seed}"
            );
        }
    }

    fn check_complete(&self, node: NodeId, when: &str) {
        let found = commands(self.cluster.ledger(node));
        let known: BTreeSet<_> = found.iter().cloned().collect();
        let lost: Vec<_> =
            self.acknowledged.iter().filter(|number| !known.contains(&number.to_string())).collect();
        assert!(lost.is_empty(), "{when} on node {node} misses {lost:?}");
        assert_eq!(known.len(), found.len(), "{when} on node {node} finds something twice");
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }
}
