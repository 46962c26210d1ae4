//! Restoring points on three nodes of one process: one may be away, and has the new points when it comes back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collections_support;
mod points_support;

use collections_support::{count, create, points, upsert};
use node::collections::{PointsRestore, Priority};
use node::testing::{Cluster, eventually};
use node::{Kind, Node, Origin, body_of};
use points_support::{archive_of, restore, scope, settings};

async fn filled(cluster: &Cluster) -> (Node, Vec<u8>) {
    let leader = cluster.leader().await;
    create(&leader, "c", settings(2)).await;
    let c = leader.collection("c").await.unwrap();
    upsert(&c, points(0..40)).await;
    let archive = archive_of(&leader, "qdrant/c").await;
    upsert(&c, points(40..100)).await;
    (leader, archive)
}

async fn size(node: &Node) -> usize {
    count(&node.collection("c").await.unwrap(), None).await
}

/// Makes a node the leader.
async fn led_by(cluster: &Cluster, id: u64) -> Node {
    loop {
        let leader = cluster.leader().await;
        if leader.identity().id == id {
            return leader;
        }
        cluster.move_leader().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_nodes_have_what_was_restored_and_what_was_undone() {
    let cluster = Cluster::start(3).await.unwrap();
    let (leader, archive) = filled(&cluster).await;
    restore(&leader, "qdrant/c", archive).await.unwrap();
    assert_eq!(size(&leader).await, 40);
    let next = cluster.move_leader().await;
    assert_eq!(size(&next).await, 40);
    upsert(&next.collection("c").await.unwrap(), points(200..210)).await;
    next.undo(scope("qdrant/c"), None).await.unwrap();
    assert_eq!(size(&next).await, 100);
    let last = cluster.move_leader().await;
    assert_eq!(size(&last).await, 100);
    last.undo(scope("qdrant/c"), None).await.unwrap();
    assert_eq!(size(&last).await, 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_was_away_fetches_the_archive_and_answers() {
    let cluster = Cluster::start(3).await.unwrap();
    let (leader, archive) = filled(&cluster).await;
    let id = leader.identity().id;
    let away = cluster.nodes().iter().map(|node| node.identity().id).find(|other| *other != id).unwrap();
    cluster.stop(away).await;
    let restored = restore(&leader, "qdrant/c", archive).await.unwrap();
    assert_eq!(restored.records, 40);
    upsert(&leader.collection("c").await.unwrap(), points(200..210)).await;
    drop(leader);
    cluster.open(away).await.unwrap();
    let back = led_by(&cluster, away).await;
    assert_eq!(size(&back).await, 50);
    let dirs = back.settings().data_dir.join("points");
    // Its own former shards and those restored; the marks of images lie beside them.
    eventually("both generations are there", || std::fs::read_dir(&dirs).unwrap().count() == 2)
        .await
        .unwrap();
    back.undo(scope("qdrant/c"), None).await.unwrap();
    assert_eq!(size(&back).await, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn priorities_decide_where_there_are_replicas() {
    let cluster = Cluster::start(3).await.unwrap();
    let (leader, archive) = filled(&cluster).await;
    let with = |priority| PointsRestore { priority, ..PointsRestore::of(scope("qdrant/c")) };
    let origin = || Origin::Body(body_of(archive.clone()));
    let restored = leader.restore_points(with(Priority::Replica), origin()).await.unwrap();
    assert!(restored.warnings[0].contains("not used"), "{restored:?}");
    assert_eq!(size(&leader).await, 100);
    let refused = leader.restore_points(with(Priority::NoSync), origin()).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Unsupported);
    let missing = PointsRestore { priority: Priority::Replica, ..PointsRestore::of(scope("qdrant/new")) };
    leader.restore_points(missing, origin()).await.unwrap();
    assert_eq!(count(&leader.collection("new").await.unwrap(), None).await, 40);
    // Where it cannot be staged on a quorum nothing changes.
    let id = leader.identity().id;
    cluster.isolate(id);
    assert!(leader.restore_points(with(Priority::Snapshot), origin()).await.is_err());
    cluster.heal();
    let leader = cluster.leader().await;
    assert_eq!(size(&leader).await, 100);
}
