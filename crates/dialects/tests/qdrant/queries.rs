//! Searches: the universal query, and the endpoints from before it.

use serde_json::{Value, json};

use crate::server::Server;

/// Six points on two axes, in two colours.
async fn filled() -> Server {
    let server = Server::start().await;
    let settings = json!({
        "vectors": {"size": 2, "distance": "Dot"},
        "sparse_vectors": {"words": {}},
        "shard_number": 2,
    });
    server.ok("PUT /collections/c", settings).await;
    let points: Vec<_> = (1..=6)
        .map(|id| {
            let colour = if id % 2 == 1 { "red" } else { "blue" };
            json!({
                "id": id,
                "vector": {"": [id, 10 - id], "words": {"indices": [id], "values": [1.0]}},
                "payload": {"colour": colour, "n": id},
            })
        })
        .collect();
    server.ok("PUT /collections/c/points?wait=true", json!({"points": points})).await;
    for (field, schema) in [("colour", "keyword"), ("n", "integer")] {
        let index = json!({"field_name": field, "field_schema": schema});
        server.ok("PUT /collections/c/index?wait=true", index).await;
    }
    server
}

fn ids(points: &Value) -> Vec<u64> {
    points.as_array().unwrap().iter().map(|point| point["id"].as_u64().unwrap()).collect()
}

async fn query(server: &Server, body: Value) -> Vec<u64> {
    ids(&server.ok("POST /collections/c/points/query", body).await["points"])
}

#[tokio::test]
async fn the_nearest_are_found() {
    let server = filled().await;
    let body = json!({"query": [1.0, 0.0], "limit": 2, "with_payload": ["n"], "with_vector": [""]});
    let found = server.ok("POST /collections/c/points/query", body).await;
    let first = &found["points"][0];
    assert_eq!(
        (&first["id"], &first["score"], &first["payload"]),
        (&json!(6), &json!(6.0), &json!({"n": 6}))
    );
    assert_eq!(first["vector"], json!([6.0, 4.0]));
    assert!(first["version"].is_u64());
    assert_eq!(ids(&found["points"]), [6, 5]);
    for (body, expected) in [
        (json!({"query": {"nearest": [1, 0]}, "limit": 3, "offset": 1}), vec![5, 4, 3]),
        (json!({"query": [1, 0], "score_threshold": 4.5}), vec![6, 5]),
        (
            json!({"query": [1, 0], "filter": {"must": [{"key": "colour", "match": {"value": "red"}}]}}),
            vec![5, 3, 1],
        ),
        (json!({"query": 1, "limit": 2}), vec![2, 3]),
        (json!({"query": {"indices": [3], "values": [2.0]}, "using": "words"}), vec![3]),
        (json!({"query": {"order_by": {"key": "n", "direction": "desc"}}, "limit": 2}), vec![6, 5]),
        (json!({"limit": 2}), vec![1, 2]),
    ] {
        assert_eq!(query(&server, body.clone()).await, expected, "{body}");
    }
    let sample = query(&server, json!({"query": {"sample": "random"}, "limit": 4})).await;
    assert_eq!(sample.len(), 4);
}

#[tokio::test]
async fn stages_feed_one_another() {
    let server = filled().await;
    let red = json!({"must": [{"key": "colour", "match": {"value": "red"}}]});
    let rescored = json!({"prefetch": {"query": [0, 1], "limit": 3}, "query": [1, 0]});
    assert_eq!(query(&server, rescored).await, [3, 2, 1]);
    let stages = json!([{"query": [1, 0], "limit": 2, "filter": red}, {"query": [1, 0], "limit": 3}]);
    for fused in [json!({"fusion": "rrf"}), json!({"rrf": {"k": 2}}), json!({"fusion": "dbsf"})] {
        let body = json!({"prefetch": stages, "query": fused, "limit": 2});
        assert_eq!(query(&server, body).await[0], 5, "{fused}");
    }
}

#[tokio::test]
async fn examples_are_followed() {
    let server = filled().await;
    for (body, expected) in [
        (json!({"query": {"recommend": {"positive": [6]}}, "limit": 2}), vec![5, 4]),
        (json!({"query": {"recommend": {"positive": [[1, 0]], "negative": [1]}}, "limit": 1}), vec![6]),
        (json!({"query": {"recommend": {"positive": [6], "strategy": "best_score"}}, "limit": 1}), vec![5]),
        (json!({"query": {"recommend": {"positive": [6], "strategy": "sum_scores"}}, "limit": 1}), vec![5]),
        (
            json!({"query": {"discover": {"target": [1, 0], "context": {"positive": 6, "negative": 1}}}, "limit": 1}),
            vec![5],
        ),
    ] {
        assert_eq!(query(&server, body.clone()).await, expected, "{body}");
    }
    let context = json!({"query": {"context": [{"positive": 6, "negative": 1}]}, "limit": 4});
    assert_eq!(query(&server, context).await.len(), 4);
    let missing = "Not found: No point with id 99 found";
    let body = json!({"query": {"recommend": {"positive": [99]}}});
    server.refused("POST /collections/c/points/query", body, 404, missing).await;
}

#[tokio::test]
async fn scores_are_computed_by_formulas() {
    let server = filled().await;
    let prefetch = json!({"query": [1, 0], "limit": 6});
    let ask = |formula: Value| json!({"prefetch": prefetch, "query": {"formula": formula, "defaults": {"none": 100}}, "limit": 2});
    let red = json!({"key": "colour", "match": {"value": "red"}});
    for (formula, expected, score) in [
        (json!({"neg": "$score"}), vec![1, 2], -1.0),
        (json!({"sum": ["$score", {"mult": [10, red]}]}), vec![5, 3], 15.0),
        (json!({"sum": ["none", {"div": {"left": "n", "right": {"sqrt": 4}}}]}), vec![6, 5], 103.0),
        (json!({"lin_decay": {"x": "n", "target": 3, "scale": 4, "midpoint": 0.5}}), vec![3, 4], 1.0),
    ] {
        let body = ask(formula);
        let found = server.ok("POST /collections/c/points/query", body.clone()).await;
        assert_eq!(ids(&found["points"]), expected, "{body}");
        assert_eq!(found["points"][0]["score"], json!(score), "{body}");
    }
    let unknown =
        "Wrong input: Validation failed: failed to parse variable ID $rank: Invalid reserved word: $rank";
    server.refused("POST /collections/c/points/query", ask(json!("$rank")), 400, unknown).await;
    let feedback = json!({
        "target": [1, 0],
        "feedback": [{"example": 6, "score": 0.1}, {"example": 1, "score": 0.9}],
        "strategy": {"naive": {"a": 0.1, "b": 1, "c": 1}},
    });
    let found = query(&server, json!({"query": {"relevance_feedback": feedback}, "limit": 1})).await;
    assert_eq!(found, [2]);
}

#[tokio::test]
async fn several_are_asked_at_once() {
    let server = filled().await;
    let body = json!({"searches": [{"query": [1, 0], "limit": 1}, {"query": [0, 1], "limit": 2}]});
    let found = server.ok("POST /collections/c/points/query/batch", body).await;
    let found: Vec<_> = found.as_array().unwrap().iter().map(|response| ids(&response["points"])).collect();
    assert_eq!(found, [vec![6], vec![1, 2]]);
    let one = |id: u64| json!({"vector": [id, 0], "limit": 1});
    let found =
        server.ok("POST /collections/c/points/search/batch", json!({"searches": [one(1), one(2)]})).await;
    assert_eq!(found.as_array().unwrap().iter().map(ids).collect::<Vec<_>>(), [vec![6], vec![6]]);
}

#[tokio::test]
async fn results_are_grouped() {
    let server = filled().await;
    let lookup = json!({"vectors": {}});
    server.ok("PUT /collections/colours", lookup).await;
    let body = json!({"query": [1, 0], "group_by": "colour", "group_size": 2, "limit": 5});
    let found = server.ok("POST /collections/c/points/query/groups", body).await;
    let groups = found["groups"].as_array().unwrap();
    let groups: Vec<_> = groups.iter().map(|group| (group["id"].clone(), ids(&group["hits"]))).collect();
    assert_eq!(groups, [(json!("blue"), vec![6, 4]), (json!("red"), vec![5, 3])]);
    let body = json!({"vector": [1, 0], "group_by": "n", "group_size": 1, "limit": 2});
    let found = server.ok("POST /collections/c/points/search/groups", body).await;
    let groups = found["groups"].as_array().unwrap();
    assert_eq!(groups.iter().map(|group| group["id"].clone()).collect::<Vec<_>>(), [json!(6), json!(5)]);
    let body = json!({"positive": [6], "group_by": "colour", "group_size": 1, "limit": 2});
    let found = server.ok("POST /collections/c/points/recommend/groups", body).await;
    assert_eq!(found["groups"][0]["id"], json!("red"));
}

#[tokio::test]
async fn the_older_endpoints_find_the_same() {
    let server = filled().await;
    for (endpoint, body, expected) in [
        ("search", json!({"vector": [1, 0], "limit": 2}), vec![6, 5]),
        ("search", json!({"vector": {"name": "", "vector": [1, 0]}, "top": 1}), vec![6]),
        (
            "search",
            json!({"vector": {"name": "words", "vector": {"indices": [2], "values": [1.0]}}, "limit": 5}),
            vec![2],
        ),
        ("search", json!({"vector": [1, 0], "limit": 2, "offset": 2}), vec![4, 3]),
        ("recommend", json!({"positive": [6], "negative": [], "limit": 2}), vec![5, 4]),
        ("recommend", json!({"positive": [[1, 0]], "limit": 1, "strategy": "best_score"}), vec![6]),
        (
            "discover",
            json!({"target": [1, 0], "context": [{"positive": 6, "negative": 1}], "limit": 1}),
            vec![5],
        ),
    ] {
        let found = server.ok(&format!("POST /collections/c/points/{endpoint}"), body.clone()).await;
        assert_eq!(ids(&found), expected, "{endpoint}: {body}");
    }
    let found = server.ok("POST /collections/c/points/search", json!({"vector": [1, 0], "limit": 1})).await;
    assert_eq!(found[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["id", "version", "score"]);
    let dimension = "Wrong input: Vector dimension error: expected dim: 2, got 3";
    let body = json!({"vector": [1, 0, 0], "limit": 1});
    server.refused("POST /collections/c/points/search", body, 400, dimension).await;
    let unnamed = "Wrong input: Not existing vector name error: x";
    let body = json!({"query": [1, 0], "using": "x"});
    server.refused("POST /collections/c/points/query", body, 400, unnamed).await;
}
