//! Archives that a genuine server made: restored, changed, saved again by us, and restored again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collections_support;
mod points_support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use collections_support::{count, create, open};
use node::Node;
use node::points::engine::{
    Filter, PointId, PointStructPersisted, VectorStructInternal, WithPayloadInterface, WithVector,
};
use node::points::query::{Retrieve, Scroll};
use points_support::{archive_of, put, restore};
use serde_json::{Value, json};

const OF_COLLECTIONS: [&str; 5] = ["plain8", "named", "sparse", "two_shards", "indexed8"];

fn fixture(name: &str) -> Option<Vec<u8>> {
    let directory = std::env::var_os("STILLPOINT_FIXTURES").map(PathBuf::from).or_else(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Some(workspace.join("../shared/fixtures")).filter(|directory| directory.exists())
    });
    match directory {
        Some(directory) => Some(std::fs::read(directory.join("qdrant").join(name)).unwrap()),
        None => {
            eprintln!("skipped: no genuine fixtures");
            None
        }
    }
}

fn expected() -> Option<Value> {
    Some(serde_json::from_slice(&fixture("expected.json")?).unwrap())
}

/// Everything in a collection, as text.
async fn everything(node: &Node, name: &str) -> Vec<String> {
    let scroll = Scroll {
        offset: None,
        limit: 10_000,
        filter: None,
        order_by: None,
        with_payload: WithPayloadInterface::Bool(true),
        with_vector: WithVector::Bool(true),
    };
    let page = node.collection(name).await.unwrap().scroll(scroll).await.unwrap();
    let text = |point: &node::points::engine::Record| {
        let vectors = match point.vector.as_ref().unwrap() {
            VectorStructInternal::Named(named) => {
                let named: BTreeMap<_, _> = named.iter().collect();
                format!("{named:?}")
            }
            plain => format!("{plain:?}"),
        };
        format!("{:?} {:?} {vectors}", point.id, point.payload)
    };
    page.points.iter().map(text).collect()
}

async fn check(node: &Node, name: &str, expected: &Value) {
    let c = node.collection(name).await.unwrap();
    assert_eq!(json!(count(&c, None).await), expected["points_count"], "{name}");
    for counted in expected["counts_by_filter"].as_array().into_iter().flatten() {
        let filter: Filter = serde_json::from_value(counted["filter"].clone()).unwrap();
        assert_eq!(json!(count(&c, Some(filter)).await), counted["count"], "{name}: {counted}");
    }
    for point in expected["points"].as_array().into_iter().flatten() {
        let id: PointId = serde_json::from_value(point["id"].clone()).unwrap();
        let (with_payload, with_vector) = (WithPayloadInterface::Bool(true), WithVector::Bool(false));
        let found = c.retrieve(Retrieve { ids: vec![id], with_payload, with_vector }).await.unwrap();
        assert_eq!(serde_json::to_value(&found[0].payload).unwrap(), point["payload"], "{name}: {id}");
    }
    let schema = c.info().await.unwrap().payload_schema;
    let fields = expected["payload_schema"].as_object().unwrap();
    assert_eq!(schema.keys().collect::<Vec<_>>(), {
        let mut fields: Vec<_> = fields.keys().collect();
        fields.sort();
        fields
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn collections_come_back_as_they_were_and_go_on() {
    let Some(expected) = expected() else { return };
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    for name in OF_COLLECTIONS {
        let file = format!("{name}.snapshot");
        restore(&node, &format!("qdrant/{name}"), fixture(&file).unwrap()).await.unwrap();
        check(&node, name, &expected[&file]).await;
        let all = everything(&node, name).await;
        // Ours holds the same, also where the collection exists, and as a part of all.
        let ours = archive_of(&node, &format!("qdrant/{name}")).await;
        restore(&node, &format!("qdrant/{name}-again"), ours.clone()).await.unwrap();
        restore(&node, &format!("qdrant/{name}"), ours).await.unwrap();
        for copy in [name, &format!("{name}-again")] {
            check(&node, copy, &expected[&file]).await;
            assert!(everything(&node, copy).await == all, "{copy}");
        }
    }
    let all = archive_of(&node, "qdrant").await;
    restore(&node, "qdrant", all).await.unwrap();
    for name in OF_COLLECTIONS {
        check(&node, name, &expected[format!("{name}.snapshot")]).await;
    }
    // Later updates take effect, though the points have high versions.
    for name in ["plain8", "two_shards", "indexed8"] {
        let c = node.collection(name).await.unwrap();
        let id = expected[format!("{name}.snapshot")]["points"][0]["id"].clone();
        let point = json!({"id": id, "vector": [1, 0, 0, 0, 0, 0, 0, 0], "payload": {"changed": true}});
        let point: PointStructPersisted = serde_json::from_value(point).unwrap();
        put(&c, vec![point.clone()]).await.unwrap();
        let (with_payload, with_vector) = (WithPayloadInterface::Bool(true), WithVector::Bool(false));
        let found = c.retrieve(Retrieve { ids: vec![point.id], with_payload, with_vector }).await.unwrap();
        assert_eq!(serde_json::to_value(&found[0].payload).unwrap(), json!({"changed": true}), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shard_and_everything_come_back() {
    let Some(expected) = expected() else { return };
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    create(&node, "plain8", json!({"vectors": {"size": 8, "distance": "Cosine"}})).await;
    restore(&node, "qdrant/plain8/0", fixture("plain8-shard0.snapshot").unwrap()).await.unwrap();
    let of_shard = &expected["plain8-shard0.snapshot"];
    let c = node.collection("plain8").await.unwrap();
    assert_eq!(json!(count(&c, None).await), of_shard["points_count"]);
    create(&node, "other", json!({"vectors": {"size": 4, "distance": "Cosine"}})).await;
    let wrong = restore(&node, "qdrant/other/0", fixture("plain8-shard0.snapshot").unwrap()).await;
    assert_eq!(wrong.unwrap_err().kind(), node::Kind::Invalid);

    restore(&node, "qdrant", fixture("full-storage.snapshot").unwrap()).await.unwrap();
    assert_eq!(node.collections().await.unwrap(), ["tiny", "two_shards"]);
    let aliases = [("current", "tiny"), ("prod-alias", "two_shards")];
    assert_eq!(node.aliases().await.unwrap(), aliases.map(|(a, c)| (a.to_owned(), c.to_owned())));
    for name in ["tiny", "two_shards"] {
        check(&node, name, &expected["full-storage.snapshot"]["collections"][name]).await;
    }
}
