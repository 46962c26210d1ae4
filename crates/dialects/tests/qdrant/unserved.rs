//! What the genuine server does and we don't: told by name, and listed in the documentation.

use axum::body::Body;
use dialects::qdrant::Unserved;
use serde_json::json;

use crate::server::Server;

/// What needs no collection to be refused, and what it is refused as.
const ENDPOINTS: &[(&str, Unserved)] = &[
    ("POST /collections/c/points/search/matrix/pairs", Unserved::Matrix),
    ("POST /collections/c/points/search/matrix/offsets", Unserved::Matrix),
    ("PUT /collections/c/shards", Unserved::ShardKeys),
    ("POST /collections/c/shards/delete", Unserved::ShardKeys),
    ("PUT /collections/c/vectors/v", Unserved::VectorNames),
    ("DELETE /collections/c/vectors/v", Unserved::VectorNames),
    ("GET /collections/c/optimizations", Unserved::Optimizations),
    ("GET /issues", Unserved::Issues),
    ("GET /cluster/telemetry", Unserved::ClusterTelemetry),
    ("GET /locks", Unserved::Process),
    ("POST /logger", Unserved::Process),
    ("GET /stacktrace", Unserved::Process),
    ("GET /collections/c/shards/0/snapshot/partial/manifest", Unserved::PartialSnapshots),
    ("POST /collections/c/shards/0/snapshot/partial/create", Unserved::PartialSnapshots),
    ("POST /collections/c/shards/0/snapshot/partial/recover", Unserved::PartialSnapshots),
    ("POST /collections/c/shards/0/snapshot/partial/recover_from", Unserved::PartialSnapshots),
];

#[tokio::test]
async fn an_endpoint_that_is_not_there_says_so() {
    let server = Server::start().await;
    for (request, what) in ENDPOINTS {
        let answer = server.send(request, &[], Body::empty()).await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (501, what.sentence()), "{request}");
    }
}

#[tokio::test]
async fn a_member_that_is_not_understood_says_so() {
    let server = Server::with_collection().await;
    let nearest = [1.0, 0.0, 0.0, 0.0];
    let document = json!({"text": "hello", "model": "a model"});
    let query = |query: serde_json::Value| ("POST /collections/c/points/query", json!({"query": query}));
    for ((request, body), what) in [
        (query(document.clone()), Unserved::Inference),
        (
            query(json!({"nearest": {"image": "https://example.com/i.png", "model": "m"}})),
            Unserved::Inference,
        ),
        (
            ("POST /collections/c/points/query", json!({"query": nearest, "shard_key": "a"})),
            Unserved::ShardKeys,
        ),
        (
            ("PUT /collections/c/points", json!({"points": [{"id": 1, "vector": document}]})),
            Unserved::Inference,
        ),
        (
            ("PUT /collections/c/points", json!({"points": [{"id": 1, "vector": {"": document}}]})),
            Unserved::Inference,
        ),
        (
            ("PUT /collections/c/points", json!({"batch": {"ids": [1], "vectors": [document]}})),
            Unserved::Inference,
        ),
        (
            ("POST /collections/c/points/delete", json!({"points": [1], "shard_key": "a"})),
            Unserved::ShardKeys,
        ),
        (("POST /collections/c/points/count", json!({"shard_key": ["a", 2]})), Unserved::ShardKeys),
    ] {
        server.refused(request, body, 501, what.sentence()).await;
    }
    // No key is no key.
    server.ok("POST /collections/c/points/count", json!({"shard_key": null})).await;
}

#[test]
fn the_documentation_lists_all_of_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats/qdrant.md");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    for what in Unserved::ALL {
        assert!(text.contains(what.sentence()), "{what:?}: {}", what.sentence());
    }
}
