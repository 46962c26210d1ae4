//! Collections on one node: made, filled, restarted, removed; and the same answers from one shard and from four.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collections_support;

use std::time::Duration;

use collections_support::{city, count, create, ids, open, points, upsert};
use node::collections::{AliasChange, CollectionStatus};
use node::points::engine::{PayloadFieldSchema, PointId, UpdateMode, WithPayloadInterface, WithVector};
use node::points::query::{Query, Retrieve, Scoring, Scroll, Stage, VectorInput};
use node::points::{Selector, Update};
use node::{Kind, Node};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_collection_is_filled_and_found_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    create(&node, "c", json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 3})).await;
    let error = node.create_collection("c", Default::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Conflict, "Collection `c` already exists!"));
    let c = node.collection("c").await.unwrap();
    let first = upsert(&c, points(0..100)).await;
    assert!(upsert(&c, points(50..150)).await.operation_id > first.operation_id);
    c.create_index("city", schema("keyword")).await.unwrap();
    c.update(Update::Delete(Selector::Filter(city("c3")))).await.unwrap();
    assert_eq!((count(&c, None).await, count(&c, Some(city("c3"))).await), (135, 0));
    let before = ids(&c).await;
    // A handle shows the settings as they were when it was asked for.
    drop(c);
    let c = node.collection("c").await.unwrap();
    let info = c.info().await.unwrap();
    assert_eq!(info.points_count, 135);
    assert_eq!(info.payload_schema["city"].points, 135);
    assert_ne!(info.status, CollectionStatus::Red);
    node.shutdown().await;
    drop((c, node));

    let node = open(dir.path()).await;
    node.wait_for_shards(Duration::from_secs(20)).await.unwrap();
    let c = node.collection("c").await.unwrap();
    assert_eq!(ids(&c).await, before);
    assert_eq!(c.info().await.unwrap().payload_schema["city"].points, 135);
    assert_eq!(c.shards().await.unwrap().len(), 3);
    node.shutdown().await;
}

/// Whoever looks after the shards must not take an index that is being made for one that was left over.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_index_that_is_made_at_once_stays() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let names: Vec<_> = (0..10).map(|n| format!("c{n}")).collect();
    for name in &names {
        create(&node, name, json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 2})).await;
        let c = node.collection(name).await.unwrap();
        upsert(&c, points(0..20)).await;
        c.create_index("n", schema("integer")).await.unwrap();
    }
    for name in &names {
        let c = node.collection(name).await.unwrap();
        let by_number = Scroll {
            offset: None,
            limit: 5,
            filter: None,
            order_by: Some(serde_json::from_value(json!({"key": "n"})).unwrap()),
            with_payload: WithPayloadInterface::Bool(false),
            with_vector: WithVector::Bool(false),
        };
        let page = c.scroll(by_number).await.unwrap();
        let found: Vec<_> = page.points.into_iter().map(|record| record.id).collect();
        assert_eq!(found, (0..5).map(PointId::NumId).collect::<Vec<_>>(), "{name}");
    }
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_that_does_not_fit_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    create(
        &node,
        "c",
        json!({
            "vectors": {"a": {"size": 4, "distance": "Dot"}, "m": {"size": 2, "distance": "Dot", "multivector_config": {"comparator": "max_sim"}}},
            "sparse_vectors": {"s": {}}
        }),
    )
    .await;
    let c = node.collection("c").await.unwrap();
    for (vector, sentence) in [
        (json!({"a": [1.0, 2.0, 3.0]}), "Vector dimension error: expected dim: 4, got 3"),
        (json!([1.0, 2.0, 3.0, 4.0]), "Not existing vector name error: "),
        (json!({"b": [1.0]}), "Not existing vector name error: b"),
        (json!({"s": [1.0]}), "Wrong usage of sparse vectors"),
        (json!({"a": {"indices": [1], "values": [1.0]}}), "Wrong usage of sparse vectors"),
        (json!({"a": [[1.0, 2.0, 3.0, 4.0]]}), "Wrong usage of multi vectors"),
        (
            json!({"s": {"indices": [1, 1], "values": [1.0, 2.0]}}),
            "[points[1].vector.?.indices: must be unique]",
        ),
        (
            json!({"m": [[1.0, 2.0], [1.0]]}),
            "[points[1].vector.?.data: all vectors must have the same dimension, found vector with dimension 1]",
        ),
    ] {
        let fine = json!({"id": 1, "vector": {"a": [1.0, 2.0, 3.0, 4.0], "m": [[1.0, 2.0]], "s": {"indices": [7], "values": [1.0]}}});
        let batch = json!([fine, {"id": 2, "vector": vector}]);
        let update = Update::Upsert {
            points: serde_json::from_value(batch).unwrap(),
            filter: None,
            mode: UpdateMode::Upsert,
        };
        let error = c.update(update).await.unwrap_err();
        assert_eq!(error.message(), sentence);
        assert_eq!(error.kind(), Kind::Invalid);
        assert_eq!(count(&c, None).await, 0, "{sentence}");
    }
    let missing = Update::SetPayload {
        of: Selector::Ids(vec![PointId::from(1), PointId::from(7)]),
        payload: serde_json::from_value(json!({"x": 1})).unwrap(),
        key: None,
    };
    let error = c.update(missing).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn upserts_can_be_conditional() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    create(&node, "c", json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 2})).await;
    let c = node.collection("c").await.unwrap();
    upsert(&c, points(0..10)).await;
    let write = |ids: std::ops::Range<u64>, filter, mode| {
        let mut points = points(ids);
        for point in &mut points {
            point.payload = Some(serde_json::from_value(json!({"city": "new"})).unwrap());
        }
        Update::Upsert { points, filter, mode }
    };
    c.update(write(8..12, None, UpdateMode::InsertOnly)).await.unwrap();
    assert_eq!(count(&c, Some(city("new"))).await, 2);
    c.update(write(10..20, None, UpdateMode::UpdateOnly)).await.unwrap();
    assert_eq!((count(&c, None).await, count(&c, Some(city("new"))).await), (12, 2));
    c.update(write(0..20, Some(city("c1")), UpdateMode::UpdateOnly)).await.unwrap();
    assert_eq!((count(&c, None).await, count(&c, Some(city("new"))).await), (12, 3));
    c.update(write(0..20, Some(city("c2")), UpdateMode::Upsert)).await.unwrap();
    assert_eq!((count(&c, None).await, count(&c, Some(city("new"))).await), (20, 12));
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn aliases_lead_to_collections_and_are_no_collections() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    for name in ["a", "b"] {
        create(&node, name, json!({"vectors": {"size": 4, "distance": "Dot"}})).await;
    }
    let alias = |alias: &str, to: &str| AliasChange::Create { alias: alias.into(), collection: to.into() };
    node.change_aliases(vec![alias("now", "a")]).await.unwrap();
    upsert(&node.collection("now").await.unwrap(), points(0..5)).await;
    assert_eq!(count(&node.collection("a").await.unwrap(), None).await, 5);
    let error = node.change_aliases(vec![alias("now", "b"), alias("x", "none")]).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::NotFound, "Collection `none` doesn't exist!"));
    assert_eq!(node.aliases().await.unwrap(), [("now".into(), "a".into())]);
    node.change_aliases(vec![alias("now", "b")]).await.unwrap();
    assert_eq!(node.collection("now").await.unwrap().name(), "b");
    assert!(!node.delete_collection("now").await.unwrap());
    assert!(node.delete_collection("b").await.unwrap());
    assert!(node.aliases().await.unwrap().is_empty());
    let error = node.collection("now").await.err().unwrap();
    assert_eq!((error.kind(), error.message()), (Kind::NotFound, "Collection `now` doesn't exist!"));
    assert_eq!(node.collections().await.unwrap(), ["a"]);
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_removed_collection_leaves_no_files() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let settings = json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 2});
    create(&node, "c", settings.clone()).await;
    let c = node.collection("c").await.unwrap();
    upsert(&c, points(0..50)).await;
    assert!(node.delete_collection("c").await.unwrap());
    let error = c.update(Update::Delete(Selector::Ids(vec![PointId::from(1)]))).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::NotFound | Kind::Unavailable | Kind::Internal), "{error:?}");
    let left = || std::fs::read_dir(dir.path().join("points")).unwrap().count();
    node::testing::eventually("its files are gone", || left() == 0).await.unwrap();
    create(&node, "c", settings).await;
    assert_eq!(count(&node.collection("c").await.unwrap(), None).await, 0);
    node.shutdown().await;
    drop((c, node));

    // What a crash left in the middle of removing, too.
    let leftover = dir.path().join("points/00000000-0000-0000-0000-000000000007/0/shard");
    std::fs::create_dir_all(&leftover).unwrap();
    let node = open(dir.path()).await;
    node::testing::eventually("what was left is gone", || !leftover.exists()).await.unwrap();
    node::testing::eventually("but for the collection's", || left() == 1).await.unwrap();
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shard_that_cannot_be_opened_makes_its_collection_red_alone() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    for name in ["broken", "fine"] {
        create(&node, name, json!({"vectors": {"size": 4, "distance": "Dot"}})).await;
        upsert(&node.collection(name).await.unwrap(), points(0..5)).await;
    }
    let uuid = node.collection("broken").await.unwrap().config().uuid.unwrap();
    node.shutdown().await;
    drop(node);
    std::fs::write(dir.path().join(format!("points/{uuid}/0/log")), b"no log at all").unwrap();

    let node = open(dir.path()).await;
    assert_eq!(count(&node.collection("fine").await.unwrap(), None).await, 5);
    let broken = node.collection("broken").await.unwrap();
    let info = broken.info().await.unwrap();
    assert_eq!(info.status, CollectionStatus::Red);
    assert!(info.optimizer_error.is_some());
    let error = broken.update(Update::Delete(Selector::Ids(vec![PointId::from(1)]))).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(node.delete_collection("broken").await.unwrap());
    node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_shards_answer_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let mut answers = Vec::new();
    for (name, shards) in [("one", 1), ("four", 4)] {
        create(&node, name, json!({"vectors": {"size": 4, "distance": "Cosine"}, "shard_number": shards}))
            .await;
        let c = node.collection(name).await.unwrap();
        upsert(&c, points(0..300)).await;
        c.update(Update::Delete(Selector::Filter(city("c4")))).await.unwrap();
        answers.push((ids(&c).await, nearest(&c, 20).await, retrieved(&node, name).await));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].1.len(), 20);
    node.shutdown().await;
}

async fn nearest(c: &node::collections::Collection, limit: usize) -> Vec<(PointId, f32)> {
    let vector = vec![0.3, -0.2, 0.9, 0.1].into();
    let stage = Stage { scoring: Some(Scoring::Nearest(VectorInput::Vector(vector))), ..Stage::new(limit) };
    let found = c.query(Query::new(stage)).await.unwrap();
    found.into_iter().map(|point| (point.id, point.score)).collect()
}

async fn retrieved(node: &Node, name: &str) -> Vec<PointId> {
    let ids: Vec<_> = [7, 9999, 3, 150, 12].map(PointId::from).to_vec();
    let request =
        Retrieve { ids, with_payload: WithPayloadInterface::Bool(true), with_vector: WithVector::Bool(true) };
    let found = node.collection(name).await.unwrap().retrieve(request).await.unwrap();
    found.into_iter().map(|record| record.id).collect()
}

fn schema(kind: &str) -> PayloadFieldSchema {
    serde_json::from_value(json!(kind)).unwrap()
}
