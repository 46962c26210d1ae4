//! Saving and restoring points over all scopes: what is replaced, what stays, what an undo brings back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collections_support;
mod points_support;

use std::path::{Path, PathBuf};

use collections_support::{city, count, create, ids, open, points, upsert};
use node::collections::{AliasChange, OtherDigest, Packing, PointsRestore, Priority};
use node::points::engine::PayloadSchemaType;
use node::points::{Selector, Update};
use node::testing::eventually;
use node::{FileRefusal, Kind, Name, Node, Origin, Parts, Scope, Settings, body_of};
use points_support::{archive_of, contents, restore, scope, settings};

async fn filled(dir: &Path) -> Node {
    let node = open(dir).await;
    create(&node, "a", settings(2)).await;
    create(&node, "b", settings(1)).await;
    for name in ["a", "b"] {
        let c = node.collection(name).await.unwrap();
        upsert(&c, points(0..50)).await;
        c.create_index("city", PayloadSchemaType::Keyword.into()).await.unwrap();
    }
    alias(&node, "now", "a").await;
    node
}

async fn alias(node: &Node, alias: &str, collection: &str) {
    let (alias, collection) = (alias.to_owned(), collection.to_owned());
    node.change_aliases(vec![AliasChange::Create { alias, collection }]).await.unwrap();
}

async fn size(node: &Node, name: &str) -> usize {
    count(&node.collection(name).await.unwrap(), None).await
}

/// The directories of shards on the disk.
fn shard_dirs(node: &Node) -> usize {
    let list = |dir: &Path| -> Vec<_> {
        let entries = std::fs::read_dir(dir).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
    };
    list(&node.settings().data_dir.join("points")).iter().map(|generation| list(generation).len()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_collection_is_replaced_and_the_rest_stays() {
    let dir = tempfile::tempdir().unwrap();
    let node = filled(dir.path()).await;
    let before = contents(&node, "a").await;
    let archive = archive_of(&node, "qdrant/a").await;
    let a = node.collection("a").await.unwrap();
    upsert(&a, points(25..80)).await;
    a.update(Update::Delete(Selector::Filter(city("c3")))).await.unwrap();
    a.delete_index("city").await.unwrap();
    upsert(&node.collection("b").await.unwrap(), points(50..60)).await;
    let later = contents(&node, "a").await;

    let restored = restore(&node, "qdrant/a", archive.clone()).await.unwrap();
    assert_eq!((restored.records, restored.warnings.as_slice()), (50, [].as_slice()));
    assert_eq!(contents(&node, "a").await, before);
    assert_eq!(size(&node, "b").await, 60);
    assert_eq!(size(&node, "now").await, 50);
    // An existing collection keeps its indexes, here that it has none.
    let restored_a = node.collection("a").await.unwrap();
    assert!(restored_a.info().await.unwrap().payload_schema.is_empty());
    // What was restored can be changed: even a handle from before goes to what is live.
    upsert(&a, points(100..110)).await;
    restored_a.update(Update::Delete(Selector::Filter(city("c5")))).await.unwrap();
    assert_eq!(count(&restored_a, None).await, 54);
    assert_eq!(ids(&a).await.len(), 54);

    node.undo(scope("qdrant/a"), None).await.unwrap();
    assert_eq!(contents(&node, "a").await, later);
    node.undo(scope("qdrant/a"), Some(restored.task)).await.unwrap();
    assert_eq!(size(&node, "a").await, 54);
    node.shutdown().await;
    drop((node, a, restored_a));

    let node = open(dir.path()).await;
    assert_eq!(size(&node, "a").await, 54);
    node.undo(scope("qdrant/a"), None).await.unwrap();
    assert_eq!(contents(&node, "a").await, later);
    // Of three collections' worth of shards one is kept; the next restore takes its place.
    restore(&node, "qdrant/a", archive.clone()).await.unwrap();
    restore(&node, "qdrant/a", archive).await.unwrap();
    eventually("only live and kept shards are there", || shard_dirs(&node) == 5).await.unwrap();
    assert!(node.delete_collection("a").await.unwrap());
    eventually("nothing is kept of what was deleted", || shard_dirs(&node) == 1).await.unwrap();
    let nothing = node.undo(scope("qdrant/a"), None).await.unwrap_err();
    assert_eq!(nothing.kind(), Kind::Conflict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_missing_collection_is_made_with_its_settings_and_indexes() {
    let dir = tempfile::tempdir().unwrap();
    let node = filled(dir.path()).await;
    let before = contents(&node, "a").await;
    let config = node.collection("a").await.unwrap().config().clone();
    let archive = archive_of(&node, "qdrant/a").await;
    node.delete_collection("a").await.unwrap();
    restore(&node, "qdrant/a", archive.clone()).await.unwrap();
    restore(&node, "qdrant/copy", archive).await.unwrap();
    for name in ["a", "copy"] {
        assert_eq!(contents(&node, name).await, before);
        let c = node.collection(name).await.unwrap();
        assert_eq!(c.config().params, config.params);
        assert_eq!(c.info().await.unwrap().payload_schema["city"].points, 50);
        assert_eq!(count(&c, Some(city("c3"))).await, 5);
    }
    upsert(&node.collection("copy").await.unwrap(), points(50..60)).await;
    assert_eq!((size(&node, "copy").await, size(&node, "a").await), (60, 50));
    // Undone, it is gone.
    node.undo(scope("qdrant/copy"), None).await.unwrap();
    assert_eq!(node.collections().await.unwrap(), ["a", "b"]);
    node.undo(scope("qdrant/copy"), None).await.unwrap();
    assert_eq!(size(&node, "copy").await, 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_shard_is_replaced_alone() {
    let dir = tempfile::tempdir().unwrap();
    let node = filled(dir.path()).await;
    let before = contents(&node, "a").await;
    let shards = node.collection("a").await.unwrap().shards().await.unwrap();
    let archive = archive_of(&node, "qdrant/a/1").await;
    let a = node.collection("a").await.unwrap();
    a.update(Update::Delete(Selector::Ids((0..50).map(Into::into).collect()))).await.unwrap();
    let restored = restore(&node, "qdrant/a/1", archive.clone()).await.unwrap();
    assert_eq!(restored.records, shards[1].points_count);
    let found = contents(&node, "a").await;
    assert_eq!(found.len() as u64, shards[1].points_count);
    assert!(found.iter().all(|(id, point)| before[id] == *point));
    node.undo(scope("qdrant/a/1"), None).await.unwrap();
    assert_eq!(size(&node, "a").await, 0);

    for (text, kind) in [("qdrant/a/7", Kind::NotFound), ("qdrant/none/0", Kind::NotFound)] {
        assert_eq!(restore(&node, text, archive.clone()).await.unwrap_err().kind(), kind, "{text}");
    }
    assert_eq!(restore(&node, "qdrant/a", archive).await.unwrap_err().kind(), Kind::Invalid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_is_replaced_or_joined() {
    let dir = tempfile::tempdir().unwrap();
    let node = filled(dir.path()).await;
    let (a, b) = (contents(&node, "a").await, contents(&node, "b").await);
    let archive = archive_of(&node, "qdrant").await;
    node.delete_collection("b").await.unwrap();
    create(&node, "c", settings(1)).await;
    upsert(&node.collection("a").await.unwrap(), points(0..99)).await;
    alias(&node, "now", "c").await;
    alias(&node, "later", "c").await;

    let mut request = PointsRestore::of(scope("qdrant"));
    request.keep_others = true;
    let plan = node.plan_points(request.clone(), Origin::Body(body_of(archive.clone()))).await.unwrap();
    assert_eq!(plan.collections, [("a".to_owned(), 50), ("b".to_owned(), 50)]);
    assert_eq!((plan.current_points, plan.warnings.len()), (99, 0));
    node.restore_points(request, Origin::Body(body_of(archive.clone()))).await.unwrap();
    assert_eq!(node.collections().await.unwrap(), ["a", "b", "c"]);
    let aliases = [("later", "c"), ("now", "a")].map(|(a, c)| (a.to_owned(), c.to_owned()));
    assert_eq!(node.aliases().await.unwrap(), aliases);
    assert_eq!((contents(&node, "a").await, contents(&node, "b").await), (a.clone(), b.clone()));
    assert_eq!(size(&node, "c").await, 0);
    node.undo(scope("qdrant"), None).await.unwrap();
    assert_eq!(node.collections().await.unwrap(), ["a", "c"]);
    assert_eq!(size(&node, "a").await, 99);

    restore(&node, "qdrant", archive).await.unwrap();
    assert_eq!(node.collections().await.unwrap(), ["a", "b"]);
    assert_eq!(node.aliases().await.unwrap(), [("now".to_owned(), "a".to_owned())]);
    assert_eq!((contents(&node, "a").await, contents(&node, "b").await), (a, b));
    node.undo(scope("qdrant"), None).await.unwrap();
    assert_eq!(node.collections().await.unwrap(), ["a", "c"]);
    assert_eq!(node.aliases().await.unwrap().len(), 2);
    assert_eq!(size(&node, "now").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_does_not_fit_or_is_damaged_changes_nothing_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let node = filled(dir.path()).await;
    let archive = archive_of(&node, "qdrant/a").await;
    let all = archive_of(&node, "qdrant").await;
    let before = contents(&node, "a").await;
    let other = serde_json::json!({"vectors": {"size": 3, "distance": "Dot"}, "shard_number": 2});
    create(&node, "other", other).await;
    let dirs = shard_dirs(&node);

    let refusals = [
        ("qdrant/other", archive.clone(), Kind::Invalid, "Collection vectors: "),
        ("qdrant/b", archive.clone(), Kind::Invalid, "Collection shard number: 1 Snapshot shard number: 2"),
        ("qdrant/now", archive.clone(), Kind::Invalid, "Alias with the same name already exists"),
        ("qdrant/a", all.clone(), Kind::Invalid, "the archive is of all collections, not of a collection"),
        ("qdrant", archive.clone(), Kind::Invalid, "the archive is of a collection, not of all"),
        ("qdrant/a", archive[..archive.len() - 700].to_vec(), Kind::Corrupt, ""),
        ("qdrant/new", archive[..archive.len() / 2].to_vec(), Kind::Corrupt, ""),
        ("qdrant/a", b"no archive".to_vec(), Kind::Corrupt, ""),
    ];
    for (text, archive, kind, says) in refusals {
        let error = restore(&node, text, archive).await.unwrap_err();
        assert!(error.kind() == kind && error.message().contains(says), "{text}: {error}");
    }
    let mut flipped = archive.clone();
    let at = flipped.len() / 3;
    flipped[at] ^= 1;
    assert_eq!(restore(&node, "qdrant/a", flipped.clone()).await.unwrap_err().kind(), Kind::Corrupt);
    // Bytes that were not meant are told as such, whatever else is wrong with them.
    let sha256 = node.upload_snapshot(scope("qdrant/a"), Name::new("x").unwrap(), body_of(archive.clone()));
    let sha256 = sha256.await.unwrap().blob().unwrap().digest;
    let request = PointsRestore { sha256: Some(sha256), ..PointsRestore::of(scope("qdrant/a")) };
    for wrong in [flipped, all.clone()] {
        let error = node.restore_points(request.clone(), Origin::Body(body_of(wrong))).await.unwrap_err();
        assert_eq!(error.cause::<OtherDigest>().unwrap().expected, sha256);
    }
    assert_eq!(contents(&node, "a").await, before);
    assert_eq!(shard_dirs(&node), dirs, "failed restores leave nothing");
    assert!(node.plan_points(request.clone(), Origin::Body(body_of(archive.clone()))).await.is_ok());
    assert_eq!(shard_dirs(&node), dirs, "a plan leaves nothing");
    node.restore_points(request, Origin::Body(body_of(archive))).await.unwrap();
    assert_eq!(contents(&node, "a").await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn snapshots_are_stored_listed_and_survive_their_collection() {
    let dir = tempfile::tempdir().unwrap();
    let node = filled(dir.path()).await;
    let before = contents(&node, "a").await;
    let create = |text: &str| node.create_points_snapshot(scope(text), None, None);
    let (one, two) = tokio::join!(create("qdrant/a"), create("qdrant/a"));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.name, two.name);
    assert_eq!(one.records, 50);
    let full = create("qdrant").await.unwrap();
    let shard = create("qdrant/a/0").await.unwrap();
    assert!(
        full.name.starts_with("full-snapshot-") && shard.name.starts_with("a-shard-0-"),
        "{full:?} {shard:?}"
    );
    assert_eq!(create("qdrant/none").await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(create("qdrant/a/2").await.unwrap_err().kind(), Kind::NotFound);
    node.delete_collection("a").await.unwrap();
    let list = |text: &str| node.snapshots(Some(&Scope::from(scope(text)))).unwrap().len();
    assert_eq!((list("qdrant"), list("qdrant/a"), list("qdrant/a/0"), list("qdrant/b")), (1, 2, 1, 0));

    let request = PointsRestore { priority: Priority::NoSync, ..PointsRestore::of(scope("qdrant/a")) };
    node.restore_points(request, Origin::Stored(one.blob().unwrap())).await.unwrap();
    assert_eq!(contents(&node, "a").await, before);
    let request = PointsRestore::of(scope("qdrant/a/0"));
    node.restore_points(request, Origin::Stored(shard.blob().unwrap())).await.unwrap();
    let request = PointsRestore::of(scope("qdrant"));
    node.restore_points(request, Origin::Stored(full.blob().unwrap())).await.unwrap();
    assert_eq!(contents(&node, "a").await, before);
    let name = Name::of_file(&one.name).unwrap();
    node.delete_snapshot(scope("qdrant/a"), &name).await.unwrap();
    assert_eq!(list("qdrant/a"), 1);
    assert_eq!(node.delete_snapshot(scope("qdrant/a"), &name).await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_streamed_shard_can_be_restored_and_a_stream_outlives_its_collection() {
    use futures_util::TryStreamExt;
    let dir = tempfile::tempdir().unwrap();
    let node = filled(dir.path()).await;
    let before = contents(&node, "b").await;
    let capture = node.capture_points(scope("qdrant/b/0")).await.unwrap();
    assert_eq!(capture.points(), 50);
    node.collection("b").await.unwrap().update(Update::Delete(Selector::Filter(city("c1")))).await.unwrap();
    node.delete_collection("b").await.unwrap();
    let stream = capture.stream(Packing::Streamable);
    let chunks: Vec<bytes::Bytes> = stream.try_collect().await.unwrap();
    let archive = chunks.concat();
    create(&node, "b", settings(1)).await;
    restore(&node, "qdrant/b/0", archive.clone()).await.unwrap();
    assert_eq!(contents(&node, "b").await, before);
    let cut = archive[..archive.len() - 1024].to_vec();
    assert_eq!(restore(&node, "qdrant/b/0", cut).await.unwrap_err().kind(), Kind::Corrupt);
    eventually("nothing is left of the deleted one", || shard_dirs(&node) == 4).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stored_snapshots_are_files_that_follow_the_catalog() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = dir.path().join("snapshots");
    let open = async || {
        let settings =
            Settings { snapshots_dir: Some(shelf.clone()), ..Settings::new(dir.path().join("data")) };
        let node = Node::open(settings, Parts::alone()).await.unwrap();
        node.wait_for_leader().await.unwrap();
        node
    };
    let node = open().await;
    create(&node, "a", settings(1)).await;
    upsert(&node.collection("a").await.unwrap(), points(0..20)).await;
    let of_a = node.create_points_snapshot(scope("qdrant/a"), None, None).await.unwrap();
    let of_shard = node.create_points_snapshot(scope("qdrant/a/0"), None, None).await.unwrap();
    let of_all = node.create_points_snapshot(scope("qdrant"), None, None).await.unwrap();
    let places = [
        (shelf.join("a").join(&of_a.name), &of_a),
        (shelf.join("a/shards/0").join(&of_shard.name), &of_shard),
        (shelf.join(&of_all.name), &of_all),
    ];
    let checksum = |place: &Path| PathBuf::from(format!("{}.checksum", place.display()));
    for (place, snapshot) in &places {
        assert_eq!(std::fs::metadata(place).unwrap().len(), snapshot.size);
        assert_eq!(std::fs::read_to_string(checksum(place)).unwrap(), snapshot.sha256);
    }
    // A stored one is not read into another blob; a stranger's file is.
    assert!(matches!(node.snapshot_file(&places[0].0).await.unwrap(), Origin::Stored(_)));
    let own = shelf.join("a/own.snapshot");
    std::fs::copy(&places[0].0, &own).unwrap();
    let origin = node.snapshot_file(&own).await.unwrap();
    assert!(matches!(origin, Origin::Body(_)));
    node.restore_points(PointsRestore::of(scope("qdrant/new")), origin).await.unwrap();
    assert_eq!(size(&node, "new").await, 20);

    let outside = dir.path().join("outside.snapshot");
    std::fs::copy(&places[0].0, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, shelf.join("link.snapshot")).unwrap();
    let refused = async |path: &Path| {
        let error = node.snapshot_file(path).await.err().unwrap();
        (error.kind(), error.cause::<FileRefusal>().cloned().unwrap())
    };
    let (kind, refusal) = refused(Path::new("/whatever.snapshot")).await;
    assert_eq!(
        (kind, refusal.to_string().as_str()),
        (Kind::Invalid, "Snapshot file \"/whatever.snapshot\" does not exist")
    );
    for path in [outside.as_path(), &shelf.join("link.snapshot"), &shelf.join("../outside.snapshot")] {
        let (kind, refusal) = refused(path).await;
        assert_eq!((kind, refusal), (Kind::Denied, FileRefusal::Outside(shelf.clone())), "{path:?}");
    }
    assert!(matches!(refused(&shelf.join("a")).await.1, FileRefusal::Unresolved(..)));

    let name = Name::of_file(&of_a.name).unwrap();
    node.delete_snapshot(scope("qdrant/a"), &name).await.unwrap();
    assert!(!places[0].0.exists() && !checksum(&places[0].0).exists());
    assert!(own.exists() && places[1].0.exists());
    // What goes missing comes back, now and at the next start.
    std::fs::remove_file(&places[1].0).unwrap();
    eventually("the link is there again", || places[1].0.exists()).await.unwrap();
    node.shutdown().await;
    drop(node);
    std::fs::remove_file(&places[2].0).unwrap();
    std::fs::remove_file(checksum(&places[2].0)).unwrap();
    let node = open().await;
    eventually("the link is there again", || places[2].0.exists() && checksum(&places[2].0).exists())
        .await
        .unwrap();
    // Somebody's own file keeps its name and its place.
    node.upload_snapshot(
        scope("qdrant/a"),
        Name::of_file("own.snapshot").unwrap(),
        body_of(std::fs::read(&outside).unwrap()),
    )
    .await
    .unwrap();
    let own_name = Name::of_file("own.snapshot").unwrap();
    node.delete_snapshot(scope("qdrant/a"), &own_name).await.unwrap();
    assert!(own.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn collections_whose_names_make_one_name_of_a_file_are_saved_together() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let long = "x".repeat(254);
    let names = [".a".to_owned(), "a".to_owned(), format!("{long}1"), format!("{long}2"), "a\nb".to_owned()];
    for (name, size) in names.iter().zip(1..) {
        create(&node, name, settings(1)).await;
        upsert(&node.collection(name).await.unwrap(), points(0..size)).await;
    }
    let archive = archive_of(&node, "qdrant").await;
    for name in &names {
        node.delete_collection(name).await.unwrap();
    }
    restore(&node, "qdrant", archive).await.unwrap();
    for (name, expected) in names.iter().zip(1..) {
        assert_eq!(size(&node, name).await, expected, "{name:?}");
    }
}
