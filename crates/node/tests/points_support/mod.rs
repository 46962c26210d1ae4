//! What the tests of points' snapshots share: archives of a scope, restores, and all that a collection holds.
#![allow(dead_code, reason = "no test uses all of it")]

use std::collections::BTreeMap;

use node::collections::{Collection, Packing, PointsRestore};
use node::points::Update;
use node::points::engine::{
    PointId, PointStructPersisted, UpdateMode, VectorStructInternal, WithPayloadInterface, WithVector,
};
use node::points::query::Scroll;
use node::{Node, Origin, PointsScope, Restored, Scope, body_of};
use serde_json::{Value, json};

pub(crate) fn scope(text: &str) -> PointsScope {
    match text.parse().unwrap() {
        Scope::Points(scope) => scope,
        Scope::Records(_) => panic!("{text} is no scope of points"),
    }
}

/// The archive of a scope.
pub(crate) async fn archive_of(node: &Node, text: &str) -> Vec<u8> {
    let capture = node.capture_points(scope(text)).await.unwrap();
    let write = move || {
        let archive = capture.write(Vec::new(), Packing::Regular).unwrap();
        assert_eq!(archive.len() as u64, capture.bytes(Packing::Regular).unwrap());
        archive
    };
    tokio::task::spawn_blocking(write).await.unwrap()
}

pub(crate) async fn restore(node: &Node, text: &str, archive: Vec<u8>) -> node::Result<Restored> {
    node.restore_points(PointsRestore::of(scope(text)), Origin::Body(body_of(archive))).await
}

/// All that a collection holds: payloads and vectors by id.
pub(crate) async fn contents(node: &Node, name: &str) -> BTreeMap<u64, (Value, Vec<f32>)> {
    contents_of(&node.collection(name).await.unwrap()).await
}

pub(crate) async fn contents_of(c: &Collection) -> BTreeMap<u64, (Value, Vec<f32>)> {
    let scroll = Scroll {
        offset: None,
        limit: 100_000,
        filter: None,
        order_by: None,
        with_payload: WithPayloadInterface::Bool(true),
        with_vector: WithVector::Bool(true),
    };
    let page = c.scroll(scroll).await.unwrap();
    let point = |record: node::points::engine::Record| {
        let PointId::NumId(id) = record.id else { panic!("no point has such an id") };
        let Some(VectorStructInternal::Single(vector)) = record.vector else { panic!("one plain vector") };
        (id, (serde_json::to_value(record.payload).unwrap(), vector))
    };
    page.points.into_iter().map(point).collect()
}

/// One point with a balance.
pub(crate) fn account(id: u64, balance: i64) -> PointStructPersisted {
    let vector = [id as f32, 1.0, 0.0, 0.5];
    serde_json::from_value(json!({"id": id, "vector": vector, "payload": {"balance": balance}})).unwrap()
}

pub(crate) async fn put(c: &Collection, points: Vec<PointStructPersisted>) -> node::Result<()> {
    c.update(Update::Upsert { points, filter: None, mode: UpdateMode::Upsert }).await.map(drop)
}

pub(crate) async fn balances(c: &Collection) -> Vec<i64> {
    let all = contents_of(c).await;
    all.values().map(|(payload, _)| payload["balance"].as_i64().unwrap()).collect()
}

pub(crate) fn settings(shards: u32) -> Value {
    json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": shards})
}
