//! Tasks and the catalog: progress, cancel, conflicts, and what a failure leaves behind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use archive::gzip::Level;
use archive::testing::Builder;
use common::{archive_of, put, restore, value_of};
use futures_util::{FutureExt, StreamExt, stream};
use node::testing::{eventually, timing};
use node::{Body, Consistency, Kind, Name, Node, Origin, Parts, RestoreRequest, Settings, Step, TaskState};
use records::Scope;
use uuid::Uuid;

async fn open(settings: Settings) -> Node {
    let node = Node::open(settings, Parts { timing: timing(), ..Parts::alone() }).await.unwrap();
    node.wait_for_leader().await.unwrap();
    node.confirm_leader().await.unwrap();
    node
}

/// An upload that sends these bytes and then hangs.
fn hanging(bytes: Vec<u8>) -> Body {
    Box::pin(stream::iter([Ok(bytes.into())]).chain(futures_util::future::pending().into_stream()))
}

fn request(task: Uuid) -> RestoreRequest {
    RestoreRequest { task: Some(task), ..RestoreRequest::of(Scope::Consul) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_restore_of_a_scope_is_refused_while_one_runs_and_a_cancel_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(Settings::new(dir.path())).await;
    put(&node, Scope::Consul, "a", "1").await;
    let archive = archive_of(&node, Scope::Consul, Consistency::Linearizable).await;
    let task = Uuid::now_v7();
    let first = tokio::spawn({
        let (node, half) = (node.clone(), archive[..archive.len() / 2].to_vec());
        async move { node.restore(request(task), Origin::Body(hanging(half))).await }
    });
    let half_done = || node.task(task).is_ok_and(|task| task.done > 0);
    eventually("half of the upload has arrived", half_done).await.unwrap();
    assert_eq!(node.task(task).unwrap().step, Step::Receive);

    let error = restore(&node, Scope::Consul, archive.clone()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    let error = node.undo(Scope::Consul, None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);

    // A hanging upload is only noticed at its next byte, so the client has to go as well.
    node.cancel_task(task).unwrap();
    assert!(!first.is_finished());
    first.abort();
    put(&node, Scope::Consul, "b", "2").await;
    assert_eq!(value_of(&node, Scope::Consul, "b").as_deref(), Some("2"));
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_restore_changes_nothing_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(Settings::new(dir.path())).await;
    put(&node, Scope::Consul, "a", "1").await;
    let archive = archive_of(&node, Scope::Consul, Consistency::Linearizable).await;
    put(&node, Scope::Consul, "b", "2").await;
    let task = Uuid::now_v7();
    let (next, chunks) = tokio::sync::mpsc::unbounded_channel();
    let body: Body = Box::pin(stream::unfold(chunks, |mut chunks| async {
        let chunk: Option<Vec<u8>> = chunks.recv().await;
        chunk.map(|chunk| (Ok(chunk.into()), chunks))
    }));
    let restoring = tokio::spawn({
        let node = node.clone();
        async move { node.restore(request(task), Origin::Body(body)).await }
    });
    next.send(archive[..10].to_vec()).unwrap();
    eventually("the upload has begun", || node.task(task).is_ok_and(|task| task.done == 10)).await.unwrap();
    node.cancel_task(task).unwrap();
    next.send(archive[10..].to_vec()).unwrap();
    drop(next);
    assert_eq!(restoring.await.unwrap().unwrap_err().kind(), Kind::Conflict);
    let ended = node.task(task).unwrap();
    assert_eq!(ended.state, TaskState::Cancelled);
    assert_eq!(value_of(&node, Scope::Consul, "b").as_deref(), Some("2"));
    assert_eq!(node.cancel_task(task).unwrap_err().kind(), Kind::Conflict);
    restore(&node, Scope::Consul, archive).await.unwrap();
    assert_eq!(value_of(&node, Scope::Consul, "b"), None);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_upload_and_a_too_large_one_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(Settings { restore_max_bytes: 600, ..Settings::new(dir.path()) }).await;
    put(&node, Scope::Consul, "a", "1").await;
    let archive = archive_of(&node, Scope::Consul, Consistency::Linearizable).await;
    put(&node, Scope::Consul, "b", "2").await;
    let cut: Body =
        Box::pin(stream::iter([Ok(archive[..50].to_vec().into()), Err("connection reset".into())]));
    let error = node.restore(request(Uuid::now_v7()), Origin::Body(cut)).await.unwrap_err();
    assert!(error.message().contains("after 50 bytes"), "{error}");
    let error = restore(&node, Scope::Consul, vec![0; 601]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    let error = restore(&node, Scope::Consul, archive[..archive.len() - 1].to_vec()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert_eq!(value_of(&node, Scope::Consul, "b").as_deref(), Some("2"));
    assert_eq!(std::fs::read_dir(dir.path().join("blobs/incoming")).unwrap().count(), 0);
    assert_eq!(node.tasks().unwrap().iter().filter(|task| task.state == TaskState::Failed).count(), 3);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_of_nomad_is_no_restore_of_consul() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(Settings::new(dir.path())).await;
    put(&node, Scope::Consul, "a", "1").await;
    let error = restore(&node, Scope::Consul, Builder::of_nomad(7).archive()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert_eq!(error.message(), "this is a snapshot of Nomad, not of Consul");
    assert_eq!(value_of(&node, Scope::Consul, "a").as_deref(), Some("1"));
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_and_keeps_reads_deletes_and_saves() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(Settings::new(dir.path())).await;
    put(&node, Scope::Consul, "a", "1").await;
    let archive = archive_of(&node, Scope::Consul, Consistency::Linearizable).await;
    node.shutdown().await;
    drop(node);
    // As if the disk had less than the reserve.
    let node = open(Settings { disk_reserve_bytes: u64::MAX, ..Settings::new(dir.path()) }).await;
    use records::Op;
    use records::consul::{Command, KvOp, KvPair};
    let pair = KvPair { key: "b".into(), value: "2".into(), flags: 0 };
    let refused = node.change(Op::Consul(Command::Kv(KvOp::Set(pair)))).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Unavailable);
    assert!(refused.message().contains("full"), "{refused}");
    assert_eq!(restore(&node, Scope::Consul, archive.clone()).await.unwrap_err().kind(), Kind::Unavailable);
    let refused = node.create_snapshot(Scope::Consul, None, Level::Fast).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Unavailable);
    assert_eq!(value_of(&node, Scope::Consul, "a").as_deref(), Some("1"));
    assert_eq!(archive_of(&node, Scope::Consul, Consistency::Linearizable).await, archive);
    let delete = Op::Consul(Command::Kv(KvOp::Delete { key: "a".into() }));
    node.change_on_full_disk(delete).await.unwrap();
    assert_eq!(value_of(&node, Scope::Consul, "a"), None);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_snapshot_is_listed_restored_and_deleted_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(Settings::new(dir.path())).await;
    put(&node, Scope::Consul, "a", "1").await;
    let name = Name::new("before-upgrade").unwrap();
    let stored = node.create_snapshot(Scope::Consul, Some(name.clone()), Level::Small).await.unwrap();
    let again = node.create_snapshot(Scope::Consul, Some(name.clone()), Level::Small).await.unwrap_err();
    assert_eq!(again.kind(), Kind::Conflict);
    put(&node, Scope::Consul, "b", "2").await;
    node.shutdown().await;
    drop(node);

    let node = open(Settings::new(dir.path())).await;
    assert_eq!(node.snapshots(None).unwrap(), std::slice::from_ref(&stored));
    let mut bytes = Vec::new();
    let mut read = Box::pin(node.read_snapshot(&stored).unwrap());
    while let Some(chunk) = tokio::time::timeout(Duration::from_secs(5), read.next()).await.unwrap() {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    assert_eq!(bytes.len() as u64, stored.size);
    node.restore(request(Uuid::now_v7()), Origin::Stored(stored.blob().unwrap())).await.unwrap();
    assert_eq!(value_of(&node, Scope::Consul, "b"), None);
    let uploaded = node
        .upload_snapshot(Scope::Consul, Name::new("uploaded").unwrap(), node::body_of(bytes.clone()))
        .await
        .unwrap();
    assert_eq!((uploaded.sha256, uploaded.records), (stored.sha256, stored.records));
    let damaged = node::body_of(bytes[1..].to_vec());
    let refused = node.upload_snapshot(Scope::Consul, Name::new("bad").unwrap(), damaged).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Corrupt);
    node.delete_snapshot(Scope::Consul, &name).await.unwrap();
    assert_eq!(node.delete_snapshot(Scope::Consul, &name).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(node.snapshots(None).unwrap().len(), 1);
    node.shutdown().await;
}

#[test]
fn names_that_could_be_paths_are_refused() {
    for name in ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "ä", &"x".repeat(129)] {
        assert!(Name::new(name).is_err(), "{name:?}");
    }
    assert!(Name::new("consul-20260102T030405.678Z").is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_client_leaves_ends_and_is_not_listed_as_running() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(Settings::new(dir.path())).await;
    let (next, chunks) = tokio::sync::mpsc::unbounded_channel::<Vec<u8>>();
    let body: Body = Box::pin(stream::unfold(chunks, |mut chunks| async {
        let chunk = chunks.recv().await.map(|chunk| Ok(chunk.into())).unwrap_or(Err("gone".into()));
        Some((chunk, chunks))
    }));
    let uploading = tokio::spawn({
        let node = node.clone();
        async move { node.upload_snapshot(Scope::Consul, Name::new("a").unwrap(), body).await }
    });
    next.send(vec![0; 10]).unwrap();
    let begun = || node.tasks().is_ok_and(|tasks| tasks.first().is_some_and(|task| task.done == 10));
    eventually("the upload has begun", begun).await.unwrap();
    uploading.abort();
    drop(next);
    let failed = || node.tasks().is_ok_and(|tasks| tasks[0].state == TaskState::Failed);
    eventually("its task has ended", failed).await.unwrap();
    node.shutdown().await;
}
