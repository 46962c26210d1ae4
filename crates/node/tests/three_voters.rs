//! Three voters in one process: one voter hides every mistake in the walls between replication and state.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{archive_of, put, restore, value_of};
use node::testing::{Cluster, eventually};
use node::{Consistency, Kind, Node};
use records::Scope;

/// Waits until every node shows the same records, and returns their digest.
async fn converged(cluster: &Cluster) -> [u8; 32] {
    let digests = |nodes: &[Node]| -> Vec<_> {
        nodes.iter().map(|node| node.records().view(Scope::Consul).unwrap().digest().unwrap()).collect()
    };
    let leader = cluster.leader().await;
    let applied = leader.records().applied().unwrap().position;
    let nodes = cluster.nodes();
    let caught_up = || nodes.iter().all(|node| node.records().applied().unwrap().position >= applied);
    eventually("all nodes applied what the leader had", caught_up).await.unwrap();
    let seen = digests(&nodes);
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "nodes differ after the same log entry");
    seen[0]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_voter_gives_the_same_archive() {
    let cluster = Cluster::start(3).await.unwrap();
    let leader = cluster.leader().await;
    for i in 0..50 {
        put(&leader, Scope::Consul, &format!("key/{i}"), "value").await;
    }
    converged(&cluster).await;
    let mut archives = Vec::new();
    for node in cluster.nodes() {
        archives.push(archive_of(&node, Scope::Consul, Consistency::Stale).await);
    }
    assert!(archives.windows(2).all(|pair| pair[0] == pair[1]), "equal state must give equal bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restore_reaches_every_voter_and_can_be_undone() {
    let cluster = Cluster::start(3).await.unwrap();
    let leader = cluster.leader().await;
    let archive = archive_of_old(&leader).await;
    let old = converged(&cluster).await;
    put(&leader, Scope::Consul, "new", "2").await;
    let new = converged(&cluster).await;

    let restored = restore(&leader, Scope::Consul, archive).await.unwrap();
    assert_eq!(converged(&cluster).await, old);
    for node in cluster.nodes() {
        assert_eq!(value_of(&node, Scope::Consul, "new"), None);
        assert_eq!(node.records().state(Scope::Consul).index, restored.index);
    }

    let undone = leader.undo(Scope::Consul, None).await.unwrap();
    assert!(undone.index > restored.index);
    assert_eq!(converged(&cluster).await, new);
    let redone = leader.undo(Scope::Consul, None).await.unwrap();
    assert!(redone.index > undone.index);
    assert_eq!(converged(&cluster).await, old);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_voter_that_was_away_fetches_the_image_before_it_goes_on() {
    let cluster = Cluster::start(3).await.unwrap();
    let leader = cluster.leader().await;
    let archive = archive_of_old(&leader).await;
    let old = converged(&cluster).await;
    put(&leader, Scope::Consul, "new", "2").await;
    let away = follower(&cluster, &leader);
    cluster.isolate(away);
    restore(&leader, Scope::Consul, archive).await.unwrap();
    put(&leader, Scope::Consul, "after", "3").await;
    cluster.heal();
    let digest = converged(&cluster).await;
    assert_ne!(digest, old);
    assert_eq!(value_of(&cluster.node(away), Scope::Consul, "after").as_deref(), Some("3"));
    assert_eq!(value_of(&cluster.node(away), Scope::Consul, "new"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_quorum_nothing_is_restored_but_a_stale_save_works() {
    let cluster = Cluster::start(3).await.unwrap();
    let leader = cluster.leader().await;
    let archive = archive_of_old(&leader).await;
    let before = converged(&cluster).await;
    for id in 1..=3 {
        cluster.isolate(id);
    }
    let error = restore(&leader, Scope::Consul, archive.clone()).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Unavailable | Kind::NotLeader), "{error:?}");
    assert!(leader.capture(Scope::Consul, Consistency::Linearizable).await.is_err());
    let stale = archive_of(&leader, Scope::Consul, Consistency::Stale).await;
    assert_eq!(stale, archive);
    cluster.heal();
    assert_eq!(converged(&cluster).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_voter_far_behind_gets_state_and_previous_generation_by_transfer() {
    let cluster = Cluster::start(3).await.unwrap();
    let leader = cluster.leader().await;
    let archive = archive_of_old(&leader).await;
    put(&leader, Scope::Consul, "new", "2").await;
    let away = follower(&cluster, &leader);
    cluster.stop(away).await;
    restore(&leader, Scope::Consul, archive).await.unwrap();
    node::testing::purge_log(&leader).await.unwrap();
    cluster.open(away).await.unwrap();
    converged(&cluster).await;
    let undone = cluster.leader().await.undo(Scope::Consul, None).await.unwrap();
    converged(&cluster).await;
    let returned = cluster.node(away);
    assert_eq!(returned.records().state(Scope::Consul).index, undone.index);
    assert_eq!(value_of(&returned, Scope::Consul, "new").as_deref(), Some("2"));
}

/// Puts `old` and saves.
async fn archive_of_old(leader: &Node) -> Vec<u8> {
    put(leader, Scope::Consul, "old", "1").await;
    archive_of(leader, Scope::Consul, Consistency::Linearizable).await
}

fn follower(cluster: &Cluster, leader: &Node) -> u64 {
    let others = cluster.nodes().into_iter().map(|node| node.identity().id);
    others.into_iter().find(|id| *id != leader.identity().id).unwrap()
}
