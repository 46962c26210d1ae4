//! Restores and captures of points that something comes between: another leader, a slow disk, a full one, a cancel.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collections_support;
mod points_support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use collections_support::{count, create, open, points, upsert};
use futures_util::StreamExt;
use node::collections::PointsRestore;
use node::testing::{Cluster, eventually};
use node::{Body, Kind, Node, Origin, Parts, Settings, TaskState};
use points_support::{archive_of, contents, restore, scope, settings};
use tokio::sync::Mutex;

/// Fail points are of the whole process: one test at a time.
static ONE: Mutex<()> = Mutex::const_new(());

async fn filled(node: &Node) -> Vec<u8> {
    create(node, "c", settings(2)).await;
    let c = node.collection("c").await.unwrap();
    upsert(&c, points(0..40)).await;
    let archive = archive_of(node, "qdrant/c").await;
    upsert(&c, points(40..100)).await;
    archive
}

async fn size(node: &Node) -> usize {
    count(&node.collection("c").await.unwrap(), None).await
}

fn dirs(node: &Node) -> usize {
    std::fs::read_dir(node.settings().data_dir.join("points")).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_restore_over_which_the_leader_changes_changes_nothing() {
    let _one = ONE.lock().await;
    let cluster = Cluster::start(3).await.unwrap();
    let leader = cluster.leader().await;
    let archive = filled(&leader).await;
    for there_and_back in [false, true] {
        let leader = cluster.leader().await;
        fail::cfg("points::unpacked", "pause").unwrap();
        let (restoring, bytes) = (leader.clone(), archive.clone());
        let restored = tokio::spawn(async move { restore(&restoring, "qdrant/c", bytes).await });
        let begun = || leader.tasks().unwrap().iter().any(|task| task.state == TaskState::Running);
        eventually("the restore has begun", begun).await.unwrap();
        cluster.move_leader().await;
        while there_and_back && cluster.leader().await.identity().id != leader.identity().id {
            cluster.move_leader().await;
        }
        fail::remove("points::unpacked");
        let error = restored.await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), Kind::NotLeader | Kind::Unavailable | Kind::Conflict), "{error}");
        let now = cluster.leader().await;
        assert_eq!(size(&now).await, 100);
        assert_eq!(now.undo(scope("qdrant/c"), None).await.unwrap_err().kind(), Kind::Conflict);
        for node in cluster.nodes() {
            eventually("what was staged is swept", || dirs(&node) == 1).await.unwrap();
        }
    }
    let now = cluster.leader().await;
    restore(&now, "qdrant/c", archive).await.unwrap();
    assert_eq!(size(&now).await, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_hold_ends_by_itself_and_the_cut_is_tried_again() {
    let _one = ONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    filled(&node).await;
    fail::cfg("points::held", "1*sleep(2200)->off").unwrap();
    let began = Instant::now();
    let capture = node.capture_points(scope("qdrant/c")).await.unwrap();
    assert!(began.elapsed() > Duration::from_millis(2200));
    assert_eq!(capture.points(), 100);
    fail::cfg("points::held", "sleep(2200)").unwrap();
    let capturing = tokio::spawn({
        let node = node.clone();
        async move { node.capture_points(scope("qdrant/c")).await.map(drop) }
    });
    // Writers wait for a hold, and go on after it.
    upsert(&node.collection("c").await.unwrap(), points(200..210)).await;
    let error = capturing.await.unwrap().unwrap_err();
    fail::remove("points::held");
    assert!(error.kind() == Kind::Unavailable && error.message().contains("longer than 2 s"), "{error}");
    assert_eq!(size(&node).await, 110);
    assert_eq!(node.capture_points(scope("qdrant/c")).await.unwrap().points(), 110);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancelled_or_broken_upload_changes_nothing() {
    let _one = ONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let archive = filled(&node).await;
    let before = contents(&node, "c").await;
    let chunks: Vec<Bytes> = archive.chunks(8 << 10).map(Bytes::copy_from_slice).collect();
    let task = uuid::Uuid::new_v4();
    let canceller = node.clone();
    let half = chunks.len() / 2;
    let slow = futures_util::stream::iter(chunks.clone()).enumerate().then(move |(at, chunk)| {
        let node = canceller.clone();
        async move {
            if at == half {
                node.cancel_task(task).unwrap();
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(chunk)
        }
    });
    let request = PointsRestore { task: Some(task), ..PointsRestore::of(scope("qdrant/c")) };
    let body: Body = Box::pin(slow);
    let error = node.restore_points(request, Origin::Body(body)).await.unwrap_err();
    assert!(error.message().contains("cancelled"), "{error}");
    assert_eq!(node.task(task).unwrap().state, TaskState::Cancelled);

    let broken =
        futures_util::stream::iter(chunks.into_iter().take(half).map(Ok).chain([Err("gone".into())]));
    let request = PointsRestore::of(scope("qdrant/c"));
    let body: Body = Box::pin(broken);
    let error = node.restore_points(request, Origin::Body(body)).await.unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.message().contains("broke off"), "{error}");
    assert_eq!(contents(&node, "c").await, before);
    assert_eq!(dirs(&node), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_disk_refuses_restores_and_stored_snapshots_and_serves_the_rest() {
    let _one = ONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let archive = filled(&node).await;
    node.shutdown().await;
    drop(node);
    let settings = Settings { disk_reserve_bytes: u64::MAX, ..Settings::new(dir.path()) };
    let node = Node::open(settings, Parts::alone()).await.unwrap();
    node.wait_for_leader().await.unwrap();
    let refused = [
        restore(&node, "qdrant/c", archive.clone()).await.unwrap_err(),
        restore(&node, "qdrant/new", archive).await.unwrap_err(),
        node.create_points_snapshot(scope("qdrant/c"), None, None).await.unwrap_err(),
    ];
    for error in refused {
        assert!(error.kind() == Kind::Unavailable && error.message().contains("full"), "{error}");
    }
    assert_eq!(size(&node).await, 100);
    // What is streamed to a client takes no room.
    assert_eq!(node.capture_points(scope("qdrant")).await.unwrap().points(), 100);
    assert_eq!(dirs(&node), 1);
    assert!(node.snapshots(None).unwrap().is_empty());
    assert!(node.delete_collection("c").await.unwrap());
}
