//! What every request goes through: its path, its query, its body.

use axum::body::Body;
use serde_json::json;

use crate::server::Server;

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    let server = Server::with_collection().await;
    let request = "POST /collections/c/points/count";
    for (text, sentence) in [
        ("", "Format error in JSON body: EOF while parsing a value at line 1 column 0"),
        ("{", "Format error in JSON body: EOF while parsing an object at line 1 column 1"),
        (
            "{\"exact\": 1}",
            "Format error in JSON body: invalid type: integer `1`, expected a boolean at line 1 column 11",
        ),
    ] {
        let answer = server.text(request, text).await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, sentence), "{text}");
    }
    for headers in
        [&[][..], &[("content-type", "text/plain")], &[("content-type", "application/x-www-form-urlencoded")]]
    {
        let answer = server.send(request, headers, "{}").await;
        let sentence = "Payload error: Content type error";
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, sentence), "{headers:?}");
    }
    for kind in ["application/json; charset=utf-8", "Application/JSON", "application/vnd.api+json"] {
        assert_eq!(
            server.send(request, &[("content-type", kind)], "{}").await.status.as_u16(),
            200,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_body_may_have_32_megabytes() {
    let server = Server::with_collection().await;
    let request = "POST /collections/c/points/count";
    let padded = |bytes: usize| format!("{{}}{}", " ".repeat(bytes - 2));
    let answer = server.send(request, &[JSON], padded(32 << 20)).await;
    assert_eq!(answer.result(), json!({"count": 0}));
    let answer = server.send(request, &[JSON], padded((32 << 20) + 1)).await;
    let sentence = "Payload error: JSON payload has exceeded limit (33554432 bytes).";
    assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, sentence));
    let length = ((32 << 20) + 1).to_string();
    let answer = server.send(request, &[JSON, ("content-length", &length)], padded((32 << 20) + 1)).await;
    let sentence =
        "Payload error: JSON payload (33554433 bytes) is larger than allowed (limit: 33554432 bytes).";
    assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, sentence));
}

#[tokio::test]
async fn a_deep_body_does_no_harm() {
    let server = Server::with_collection().await;
    let deep = format!("{{\"filter\": {}1{}}}", "{\"must\":".repeat(100_000), "}".repeat(100_000));
    let answer = server.text("POST /collections/c/points/count", &deep).await;
    assert_eq!(answer.status.as_u16(), 400);
    assert!(
        answer.error().starts_with("Format error in JSON body: recursion limit exceeded"),
        "{}",
        answer.error()
    );
}

#[tokio::test]
async fn the_query_is_read_strictly() {
    let server = Server::with_collection().await;
    let (points, count) = ("PUT /collections/c/points", "POST /collections/c/points/count");
    let error = |text: &str| format!("Deserialize error in query parameters: {text}");
    let variants = "expected one of `weak`, `medium`, `strong`";
    for (request, query, sentence) in [
        (points, "wait=yes", error("provided string was not `true` or `false`")),
        (points, "wait=true&wait=true", error("duplicate field `wait`")),
        (points, "ordering=best", error(&format!("unknown variant `best`, {variants}"))),
        (points, "timeout=0", error("invalid value: integer `0`, expected a nonzero u64")),
        (count, "timeout=soon", error("invalid digit found in string")),
        (count, "consistency=0", error("failed to deserialize read consistency query parameter value")),
        (count, "consistency=most", error("failed to deserialize read consistency query parameter value")),
    ] {
        server.refused(&format!("{request}?{query}"), json!({}), 400, &sentence).await;
    }
    let sentence = "Validation error in query parameters: [timeout: value 0 invalid, must be 1 or larger]";
    server.refused("DELETE /collections/c?timeout=0", json!({}), 422, sentence).await;
    for query in ["consistency=all", "consistency=2", "consistency=", "timeout=3&unknown=1"] {
        server.ok(&format!("{count}?{query}"), json!({})).await;
    }
}

#[tokio::test]
async fn names_are_vetted() {
    let server = Server::start().await;
    let error = |text: &str| format!("Validation error in path parameters: [name: {text}]");
    let slash = error("collection name cannot contain \"/\" char");
    for request in ["GET /collections/a%2Fb", "GET /collections/..%2F..%2Fetc%2Fpasswd/exists"] {
        server.refused(request, json!({}), 422, &slash).await;
    }
    let body = json!({"vectors": {"size": 4, "distance": "Dot"}});
    for (name, char) in [("a:b", ":"), ("a%3Fb", "?"), ("a%5Cb", "\\")] {
        let sentence = error(&format!("collection name cannot contain \"{char}\" char"));
        server.refused(&format!("PUT /collections/{name}"), body.clone(), 422, &sentence).await;
    }
    let long = "a".repeat(256);
    let sentence = error(&format!("value \"{long}\" invalid, must be from 1 to 255 characters"));
    server.refused(&format!("GET /collections/{long}"), json!({}), 422, &sentence).await;
    server.refused(&format!("PUT /collections/{long}"), body.clone(), 422, &sentence).await;
    for name in ["..", "%2e%2e", "."] {
        let answer = server.send(&format!("GET /collections/{name}"), &[], Body::empty()).await;
        assert_eq!(answer.status.as_u16(), 422, "{name}");
    }
    let name = "%C3%BC%20%F0%9F%A6%80";
    server.ok(&format!("PUT /collections/{name}"), body).await;
    assert_eq!(server.read("/collections").await, json!({"collections": [{"name": "ü 🦀"}]}));
    assert_eq!(server.read(&format!("/collections/{name}/exists")).await, json!({"exists": true}));
}

#[tokio::test]
async fn a_broken_rule_is_told_with_its_path() {
    let server = Server::with_collection().await;
    let error = |text: &str| format!("Validation error in JSON body: [{text}]");
    let zero = "value 0 invalid, must be 1 or larger";
    let vector = [1.0, 2.0, 3.0, 4.0];
    let repeated = json!({"indices": [1, 1], "values": [0.5, 0.5]});
    for (request, body, sentence) in [
        ("scroll", json!({"limit": 0}), format!("scroll_request.limit: {zero}")),
        ("query", json!({"limit": 0}), format!("internal.limit: {zero}")),
        ("query", json!({"prefetch": {"limit": 0}}), format!("internal.prefetch[0].limit: {zero}")),
        ("query/batch", json!({"searches": [{}, {"limit": 0}]}), format!("searches[1].internal.limit: {zero}")),
        (
            "query/groups",
            json!({"group_by": "a", "group_size": 0}),
            format!("search_group_request.group_request.group_size: {zero}"),
        ),
        (
            "search",
            json!({"vector": vector, "limit": 1, "params": {"hnsw_ef": 0}}),
            format!("search_request.params.hnsw_ef: {zero}"),
        ),
        (
            "query",
            json!({"query": repeated}),
            "internal.query.indices: Validation error: must be unique [{}]".to_owned(),
        ),
        (
            "query",
            json!({"query": {"recommend": {}}}),
            "internal.query.positives, negatives: Validation error: At least one positive or negative vector/id \
             must be provided [{}]"
                .to_owned(),
        ),
        (
            "count",
            json!({"filter": {"min_should": {"conditions": [], "min_count": 0}}}),
            "count_request.filter.min_should.min_count: min_count must be greater than 0".to_owned(),
        ),
    ] {
        server.refused(&format!("POST /collections/c/points/{request}"), body, 422, &error(&sentence)).await;
    }
    for (body, sentence) in [
        (
            json!({"batch": {"ids": [1, 2], "vectors": [vector]}}),
            "batch.batch: number of ids and vectors must be equal (2 != 1)",
        ),
        (
            json!({"batch": {"ids": [1], "vectors": [vector], "payloads": []}}),
            "batch.batch: number of ids and payloads must be equal (1 != 0)",
        ),
        (
            json!({"points": [{"id": 1, "vector": vector}, {"id": 2, "vector": [[1.0], [1.0, 2.0]]}]}),
            "points[1].vector.data: all vectors must have the same dimension, found vector with dimension 2",
        ),
        (
            json!({"points": [{"id": 1, "vector": {"s": repeated}}]}),
            "points[0].vector.?.indices: Validation error: must be unique [{}]",
        ),
    ] {
        server.refused("PUT /collections/c/points", body, 422, &error(sentence)).await;
    }
    let sentence = error("points: must specify points to update");
    server.refused("PUT /collections/c/points/vectors", json!({"points": []}), 422, &sentence).await;
}
