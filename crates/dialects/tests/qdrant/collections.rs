//! Collections, their aliases and the indexes of their payloads.

use serde_json::{Value, json};

use crate::server::Server;

fn vectors() -> Value {
    json!({"vectors": {"size": 4, "distance": "Dot"}})
}

#[tokio::test]
async fn a_collection_is_made_described_changed_and_removed() {
    let server = Server::start().await;
    assert_eq!(server.read("/collections/c/exists").await, json!({"exists": false}));
    let missing = "Not found: Collection `c` doesn't exist!";
    server.refused("GET /collections/c", json!({}), 404, missing).await;
    let settings = json!({
        "vectors": {
            "image": {"size": 4, "distance": "Cosine", "on_disk": true, "hnsw_config": {"m": 8}},
            "text": {"size": 2, "distance": "Euclid", "multivector_config": {"comparator": "max_sim"}},
        },
        "sparse_vectors": {"words": {"modifier": "idf"}},
        "shard_number": 2,
        "hnsw_config": {"ef_construct": 50},
        "optimizers_config": {"indexing_threshold": 5000},
        "quantization_config": {"scalar": {"type": "int8", "quantile": 0.99}},
        "metadata": {"owner": "us"},
        "wal_config": null,
    });
    assert_eq!(server.ok("PUT /collections/c?timeout=10", settings.clone()).await, json!(true));
    let taken = "Wrong input: Collection `c` already exists!";
    server.refused("PUT /collections/c", settings, 409, taken).await;
    assert_eq!(server.read("/collections/c/exists").await, json!({"exists": true}));
    assert_eq!(server.read("/collections").await, json!({"collections": [{"name": "c"}]}));

    let answer = server.get("/collections/c").await;
    // A number of 32 bits stays one.
    assert!(answer.string().contains("\"quantile\":0.99,") || answer.string().contains("\"quantile\":0.99}"));
    let info = answer.result();
    assert_eq!((&info["status"], &info["optimizer_status"]), (&json!("green"), &json!("ok")));
    assert_eq!((&info["points_count"], &info["payload_schema"]), (&json!(0), &json!({})));
    let config = &info["config"];
    assert_eq!(
        config["params"]["vectors"]["image"],
        json!({
            "size": 4, "distance": "Cosine", "on_disk": true, "hnsw_config": {"m": 8},
        })
    );
    assert_eq!(config["params"]["sparse_vectors"], json!({"words": {"modifier": "idf"}}));
    assert_eq!(config["params"]["shard_number"], json!(2));
    assert_eq!(
        (&config["hnsw_config"]["m"], &config["hnsw_config"]["ef_construct"]),
        (&json!(16), &json!(50))
    );
    assert_eq!(config["optimizer_config"]["indexing_threshold"], json!(5000));
    assert_eq!(config["metadata"], json!({"owner": "us"}));
    assert!(config.get("uuid").is_none() && config.get("strict_mode_config").is_none());

    let change = json!({"hnsw_config": {"m": 32}, "optimizers_config": {"indexing_threshold": 7000}});
    assert_eq!(server.ok("PATCH /collections/c", change).await, json!(true));
    let config = server.read("/collections/c").await["config"].clone();
    assert_eq!(
        (&config["hnsw_config"]["m"], &config["hnsw_config"]["ef_construct"]),
        (&json!(32), &json!(50))
    );
    assert_eq!(config["optimizer_config"]["indexing_threshold"], json!(7000));

    let cluster = server.read("/collections/c/cluster").await;
    assert_eq!(cluster["shard_count"], json!(2));
    let shards = cluster["local_shards"].as_array().unwrap();
    assert_eq!(shards[0], json!({"shard_id": 0, "points_count": 0, "state": "Active"}));
    assert_eq!((&cluster["remote_shards"], &cluster["shard_transfers"]), (&json!([]), &json!([])));

    assert_eq!(server.ok("DELETE /collections/c", json!({})).await, json!(true));
    assert_eq!(server.ok("DELETE /collections/c", json!({})).await, json!(false));
    assert_eq!(server.read("/collections").await, json!({"collections": []}));
    server.refused("PATCH /collections/c", json!({}), 404, missing).await;
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused() {
    let server = Server::start().await;
    let error = |text: &str| format!("Validation error in JSON body: [{text}]");
    let size = |size: u64| json!({"vectors": {"size": size, "distance": "Dot"}});
    let with = |name: &str, value: Value| {
        let mut body = vectors();
        body[name] = value;
        body
    };
    for (body, sentence) in [
        (size(65_537), error("vectors.size: value 65537 invalid, must be from 1 to 65536")),
        (with("shard_number", json!(0)), error("shard_number: value 0 invalid, must be 1 or larger")),
        (
            with("hnsw_config", json!({"ef_construct": 3})),
            error("hnsw_config.ef_construct: value 3 invalid, must be 4 or larger"),
        ),
    ] {
        server.refused("PUT /collections/c", body, 422, &sentence).await;
    }
    let answer = server.json("PUT /collections/c", json!({"vectors": {"size": 4, "distance": "Near"}})).await;
    assert_eq!(answer.status.as_u16(), 400);
    assert!(answer.error().starts_with("Format error in JSON body: "), "{}", answer.error());
    let answer = server.json("PUT /collections/c", with("sharding_method", json!("custom"))).await;
    assert_eq!(answer.status.as_u16(), 501);
    assert!(answer.error().contains("custom sharding"), "{}", answer.error());
    assert_eq!(server.read("/collections").await, json!({"collections": []}));
}

#[tokio::test]
async fn an_alias_is_another_name() {
    let server = Server::start().await;
    for name in ["c", "d", "aliases"] {
        server.ok(&format!("PUT /collections/{name}"), vectors()).await;
    }
    let actions = |actions: Value| json!({"actions": actions});
    let create = |alias: &str, collection: &str| json!({"create_alias": {"alias_name": alias, "collection_name": collection}});
    server.ok("POST /collections/aliases", actions(json!([create("x", "c"), create("y", "d")]))).await;
    let alias = |alias: &str, collection: &str| json!({"alias_name": alias, "collection_name": collection});
    let all = json!({"aliases": [alias("x", "c"), alias("y", "d")]});
    assert_eq!(server.read("/aliases").await, all);
    assert_eq!(server.read("/collections/c/aliases").await, json!({"aliases": [alias("x", "c")]}));
    assert_eq!(server.read("/collections/aliases/aliases").await, json!({"aliases": []}));
    assert_eq!(server.read("/collections/x/exists").await, json!({"exists": true}));
    let point = json!({"points": [{"id": 1, "vector": [1.0, 0.0, 0.0, 0.0]}]});
    server.ok("PUT /collections/x/points?wait=true", point).await;
    assert_eq!(server.read("/collections/c").await["points_count"], json!(1));

    // All or nothing.
    let missing = "Not found: Collection `e` doesn't exist!";
    let both = actions(json!([create("x", "d"), create("z", "e")]));
    server.refused("POST /collections/aliases", both, 404, missing).await;
    assert_eq!(server.read("/aliases").await, all);

    let switch = actions(json!([
        {"delete_alias": {"alias_name": "x"}},
        create("x", "d"),
        {"rename_alias": {"old_alias_name": "y", "new_alias_name": "z"}},
    ]));
    assert_eq!(server.ok("POST /collections/aliases", switch).await, json!(true));
    assert_eq!(server.read("/aliases").await, json!({"aliases": [alias("x", "d"), alias("z", "d")]}));
    server.ok("DELETE /collections/d", json!({})).await;
    assert_eq!(server.read("/aliases").await, json!({"aliases": []}));
}

#[tokio::test]
async fn a_field_is_indexed() {
    let server = Server::with_collection().await;
    let index = json!({"field_name": "city", "field_schema": "keyword"});
    let answer = server.ok("PUT /collections/c/index?wait=true", index).await;
    assert_eq!(answer["status"], json!("completed"));
    let long =
        json!({"field_name": "a.b", "field_schema": {"type": "integer", "lookup": true, "range": false}});
    server.ok("PUT /collections/c/index?wait=true", long).await;
    let points = json!({"points": [
        {"id": 1, "vector": [1.0, 0.0, 0.0, 0.0], "payload": {"city": "Bern", "a": {"b": 1}}},
        {"id": 2, "vector": [1.0, 0.0, 0.0, 0.0], "payload": {"city": "Rome"}},
    ]});
    server.ok("PUT /collections/c/points?wait=true", points).await;
    let schema = server.read("/collections/c").await["payload_schema"].clone();
    assert_eq!(schema["city"], json!({"data_type": "keyword", "points": 2}));
    assert_eq!(schema["a.b"]["data_type"], json!("integer"));
    assert_eq!(schema["a.b"]["params"]["range"], json!(false));
    let answer = server.ok("DELETE /collections/c/index/a.b", json!({})).await;
    assert_eq!(answer["status"], json!("acknowledged"));
    let schema = server.read("/collections/c").await["payload_schema"].clone();
    assert_eq!(schema.as_object().unwrap().keys().collect::<Vec<_>>(), ["city"]);

    let untold = "Bad request: Can't auto-detect field type, please specify `field_schema` in the request";
    server.refused("PUT /collections/c/index", json!({"field_name": "x"}), 400, untold).await;
    let missing = "Not found: Collection `d` doesn't exist!";
    let index = json!({"field_name": "city", "field_schema": "keyword"});
    server.refused("PUT /collections/d/index", index, 404, missing).await;
}
