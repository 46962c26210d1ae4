//! What the tests of collections share: a node, collections from JSON, points with a city, and what is there.
#![allow(dead_code, reason = "no test uses all of it")]

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use node::collections::{Collection, Updated};
use node::points::Update;
use node::points::engine::{
    Filter, PointId, PointStructPersisted, UpdateMode, WithPayloadInterface, WithVector,
};
use node::points::query::{Count, Scroll};
use node::{Kind, Node, Parts, Settings};
use serde_json::{Value, json};

/// A node alone, open and leading. Waits for one before it to let the directory go.
pub(crate) async fn open(dir: &Path) -> Node {
    let node = loop {
        match Node::open(Settings::new(dir), Parts::alone()).await {
            Err(error) if error.kind() == Kind::Conflict => tokio::task::yield_now().await,
            node => break node.unwrap(),
        }
    };
    node.wait_for_leader().await.unwrap();
    node
}

pub(crate) async fn create(node: &Node, name: &str, settings: Value) {
    node.create_collection(name, serde_json::from_value(settings).unwrap()).await.unwrap();
}

/// Points with these ids, vectors of four numbers that differ, and one of seven cities.
pub(crate) fn points(ids: Range<u64>) -> Vec<PointStructPersisted> {
    let point = |id: u64| {
        let angle = id as f32;
        let vector = [angle.sin(), angle.cos(), (angle * 0.37).sin(), (angle * 1.7).cos()];
        json!({"id": id, "vector": vector, "payload": {"city": format!("c{}", id % 10), "n": id}})
    };
    serde_json::from_value(ids.map(point).collect()).unwrap()
}

pub(crate) async fn upsert(c: &Collection, points: Vec<PointStructPersisted>) -> Updated {
    c.update(Update::Upsert { points, filter: None, mode: UpdateMode::Upsert }).await.unwrap()
}

pub(crate) fn city(name: &str) -> Filter {
    serde_json::from_value(json!({"must": [{"key": "city", "match": {"value": name}}]})).unwrap()
}

pub(crate) async fn count(c: &Collection, filter: Option<Filter>) -> usize {
    c.count(Count { filter, exact: true }).await.unwrap()
}

/// All ids, found page by page.
pub(crate) async fn ids(c: &Collection) -> BTreeSet<PointId> {
    let mut ids = BTreeSet::new();
    let mut offset = None;
    loop {
        let page = c
            .scroll(Scroll {
                offset,
                limit: 64,
                filter: None,
                order_by: None,
                with_payload: WithPayloadInterface::Bool(false),
                with_vector: WithVector::Bool(false),
            })
            .await
            .unwrap();
        ids.extend(page.points.into_iter().map(|record| record.id));
        match page.next {
            Some(next) => offset = Some(next),
            None => return ids,
        }
    }
}
