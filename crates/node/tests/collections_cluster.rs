//! Collections on three nodes of one process: a minority may go, and whoever comes back catches up.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collections_support;

use collections_support::{city, count, create, points, upsert};
use node::Node;
use node::points::{Selector, Update};
use node::testing::Cluster;
use serde_json::json;

async fn filled(cluster: &Cluster) -> Node {
    let leader = cluster.leader().await;
    create(&leader, "c", json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 2})).await;
    upsert(&leader.collection("c").await.unwrap(), points(0..100)).await;
    leader
}

/// The collection, asked of whoever leads by now.
async fn counted(cluster: &Cluster) -> usize {
    let leader = cluster.leader().await;
    count(&leader.collection("c").await.unwrap(), None).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn losing_a_minority_loses_nothing() {
    let cluster = Cluster::start(3).await.unwrap();
    let leader = filled(&cluster).await;
    cluster.stop(leader.identity().id).await;
    drop(leader);
    assert_eq!(counted(&cluster).await, 100);
    let leader = cluster.leader().await;
    let c = leader.collection("c").await.unwrap();
    c.update(Update::Delete(Selector::Filter(city("c1")))).await.unwrap();
    assert_eq!(counted(&cluster).await, 90);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_was_away_gets_the_shards_and_may_lead_them() {
    let cluster = Cluster::start(3).await.unwrap();
    let leader = cluster.leader().await;
    let away = cluster.nodes().iter().map(|node| node.identity().id).find(|id| *id != leader.identity().id);
    let away = away.unwrap();
    cluster.stop(away).await;
    drop(leader);
    let leader = filled(&cluster).await;
    cluster.open(away).await.unwrap();
    let back = cluster.node(away);
    drop(leader);
    // Leadership moves until the one that was away has it.
    while cluster.move_leader().await.identity().id != away {}
    assert_eq!(count(&back.collection("c").await.unwrap(), None).await, 100);
    assert!(back.delete_collection("c").await.unwrap());
    let dirs: Vec<_> = cluster.nodes().iter().map(|node| node.settings().data_dir.join("points")).collect();
    let empty = || dirs.iter().all(|dir| std::fs::read_dir(dir).map_or(0, Iterator::count) == 0);
    node::testing::eventually("no node has files of it", empty).await.unwrap();
}
