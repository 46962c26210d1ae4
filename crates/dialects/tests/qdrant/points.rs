//! Points: put, changed, read, removed.

use serde_json::{Value, json};

use crate::server::Server;

fn point(id: impl Into<Value>, vector: [f64; 4], payload: Value) -> Value {
    json!({"id": id.into(), "vector": vector, "payload": payload})
}

async fn filled() -> Server {
    let server = Server::with_collection().await;
    let points: Vec<_> = (1..=5)
        .map(|id| point(id, [f64::from(id), 0.5, 0.0, 1.0], json!({"n": id, "odd": id % 2 == 1})))
        .collect();
    server.ok("PUT /collections/c/points?wait=true", json!({"points": points})).await;
    server
}

async fn payload(server: &Server, id: u64) -> Value {
    server.read(&format!("/collections/c/points/{id}")).await["payload"].clone()
}

#[tokio::test]
async fn points_are_put_in_lists_and_in_columns() {
    let server = Server::with_collection().await;
    let uuid = "550e8400-e29b-41d4-a716-446655440000";
    let points = json!({"points": [
        point(1, [0.1, 0.2, 0.3, 0.4], json!({"a": 1.0, "b": null, "c": [], "d": {"e": 18_446_744_073_709_551_615_u64}})),
        {"id": u64::MAX, "vector": [1, 2, 3, 4]},
        {"id": "550E8400E29B41D4A716446655440000", "vectors": [1.5, 2.5, 3.5, 1e-3]},
    ]});
    let answer = server.ok("PUT /collections/c/points", points).await;
    assert_eq!(answer["status"], json!("acknowledged"));
    assert!(answer["operation_id"].is_u64());
    // Numbers come back in their shortest form, and those of payloads as they were.
    let text = server.get("/collections/c/points/1").await.string().to_owned();
    for part in
        ["\"vector\":[0.1,0.2,0.3,0.4]", "\"a\":1.0", "\"b\":null", "\"c\":[]", "18446744073709551615"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = server.get(&format!("/collections/c/points/{}", u64::MAX)).await.string().to_owned();
    assert!(text.contains("\"id\":18446744073709551615,"), "{text}");
    let found = server.read(&format!("/collections/c/points/{uuid}")).await;
    assert_eq!(found, json!({"id": uuid, "payload": {}, "vector": [1.5, 2.5, 3.5, 0.001]}));

    let columns = json!({"batch": {
        "ids": [7, 8],
        "vectors": [[1, 0, 0, 0], [0, 1, 0, 0]],
        "payloads": [{"a": 1}, null],
    }});
    let answer = server.ok("PUT /collections/c/points?wait=true&ordering=strong", columns).await;
    assert_eq!(answer["status"], json!("completed"));
    assert_eq!(server.ok("POST /collections/c/points/count", json!({})).await, json!({"count": 5}));
    let several = json!({"ids": [8, 99, 7], "with_vector": true, "with_payload": ["a"]});
    let mut found = server.ok("POST /collections/c/points", several).await;
    found.as_array_mut().unwrap().sort_by_key(|record| record["id"].as_u64());
    assert_eq!(
        found,
        json!([
            {"id": 7, "payload": {"a": 1}, "vector": [1.0, 0.0, 0.0, 0.0]},
            {"id": 8, "payload": {}, "vector": [0.0, 1.0, 0.0, 0.0]},
        ])
    );
    assert_eq!(server.ok("POST /collections/c/points", json!({"ids": [7]})).await, json!([{"id": 7}]));
}

#[tokio::test]
async fn points_that_cannot_be_are_refused() {
    let server = Server::with_collection().await;
    let put = "PUT /collections/c/points?wait=true";
    let dimension = "Wrong input: Vector dimension error: expected dim: 4, got 3";
    server.refused(put, json!({"points": [{"id": 1, "vector": [1, 2, 3]}]}), 400, dimension).await;
    let named = json!({"points": [{"id": 1, "vector": {"x": [1, 2, 3, 4]}}]});
    server.refused(put, named, 400, "Wrong input: Not existing vector name error: x").await;
    let neither = "Format error in JSON body: Invalid PointInsertOperations format";
    server.refused(put, json!({}), 400, neither).await;
    for body in [
        json!({"points": [{"id": -1, "vector": [1, 2, 3, 4]}]}),
        json!({"points": [{"id": "no uuid", "vector": [1, 2, 3, 4]}]}),
        json!({"points": [{"id": 1, "vector": ["a"]}]}),
        json!({"points": [{"vector": [1, 2, 3, 4]}]}),
        json!({"points": {}}),
    ] {
        let answer = server.json(put, body.clone()).await;
        assert_eq!(answer.status.as_u16(), 400, "{body}");
        assert!(answer.error().starts_with("Format error in JSON body: "), "{}", answer.error());
    }
    assert_eq!(server.ok("POST /collections/c/points/count", json!({})).await, json!({"count": 0}));
    let missing = "Not found: Collection `d` doesn't exist!";
    let body = json!({"points": [{"id": 1, "vector": [1, 2, 3, 4]}]});
    server.refused("PUT /collections/d/points", body, 404, missing).await;
    server
        .refused("GET /collections/c/points/7", json!({}), 404, "Not found: Point with id 7 does not exists!")
        .await;
    let odd = "Wrong input: Can not recognize \"seven\" as point id";
    server.refused("GET /collections/c/points/seven", json!({}), 400, odd).await;
}

#[tokio::test]
async fn points_are_removed() {
    let server = filled().await;
    let count = async || server.ok("POST /collections/c/points/count", json!({})).await["count"].clone();
    server.ok("POST /collections/c/points/delete?wait=true", json!({"points": [1, 99]})).await;
    assert_eq!(count().await, json!(4));
    let odd = json!({"filter": {"must": [{"key": "odd", "match": {"value": true}}]}});
    server.ok("POST /collections/c/points/delete?wait=true", odd.clone()).await;
    assert_eq!(count().await, json!(2));
    let even = json!({"filter": {"must_not": {"key": "odd", "match": {"value": true}}}, "exact": true});
    assert_eq!(server.ok("POST /collections/c/points/count", even).await, json!({"count": 2}));
    let answer = server.json("POST /collections/c/points/delete", json!({})).await;
    let sentence =
        "Format error in JSON body: data did not match any variant of untagged enum PointsSelector";
    assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, sentence));
}

#[tokio::test]
async fn payloads_are_changed() {
    let server = filled().await;
    let set = "POST /collections/c/points/payload?wait=true";
    server.ok(set, json!({"payload": {"x": 1}, "points": [1, 2]})).await;
    assert_eq!(payload(&server, 1).await, json!({"n": 1, "odd": true, "x": 1}));
    let odd = json!({"must": [{"key": "odd", "match": {"value": true}}]});
    server.ok(set, json!({"payload": {"y": 2}, "filter": odd, "key": "deep.er"})).await;
    assert_eq!(payload(&server, 3).await, json!({"n": 3, "odd": true, "deep": {"er": {"y": 2}}}));
    server
        .ok("PUT /collections/c/points/payload?wait=true", json!({"payload": {"only": 1}, "points": [2]}))
        .await;
    assert_eq!(payload(&server, 2).await, json!({"only": 1}));
    let delete = json!({"keys": ["n", "deep.er.y"], "points": [3]});
    server.ok("POST /collections/c/points/payload/delete?wait=true", delete).await;
    assert_eq!(payload(&server, 3).await, json!({"odd": true, "deep": {"er": {}}}));
    server.ok("POST /collections/c/points/payload/clear?wait=true", json!({"points": [1]})).await;
    assert_eq!(payload(&server, 1).await, json!({}));
    let neither = "Format error in JSON body: Either list of point ids or filter must be provided";
    server.refused(set, json!({"payload": {}}), 400, neither).await;
    server.refused("POST /collections/c/points/payload/delete", json!({"keys": []}), 400, neither).await;
}

#[tokio::test]
async fn vectors_are_changed() {
    let server = Server::start().await;
    let settings = json!({
        "vectors": {"a": {"size": 2, "distance": "Dot"}, "m": {
            "size": 2, "distance": "Dot", "multivector_config": {"comparator": "max_sim"},
        }},
        "sparse_vectors": {"s": {}},
    });
    server.ok("PUT /collections/c", settings).await;
    let points = json!({"points": [
        {"id": 1, "vector": {"a": [1, 2], "m": [[1, 2], [3, 4]], "s": {"indices": [7, 3], "values": [0.7, 0.3]}}},
        {"id": 2, "vector": {"a": [5, 6]}},
        {"id": 3, "vector": {}},
    ]});
    server.ok("PUT /collections/c/points?wait=true", points).await;
    let vector = async |id: u64| server.read(&format!("/collections/c/points/{id}")).await["vector"].clone();
    let text = server.get("/collections/c/points/1").await.string().to_owned();
    let expected =
        r#""vector":{"a":[1.0,2.0],"m":[[1.0,2.0],[3.0,4.0]],"s":{"indices":[3,7],"values":[0.3,0.7]}}"#;
    assert!(text.contains(expected), "{text}");
    assert_eq!(vector(3).await, json!({}));

    let update = json!({"points": [{"id": 2, "vector": {"s": {"indices": [1], "values": [1.0]}}}]});
    server.ok("PUT /collections/c/points/vectors?wait=true", update).await;
    assert_eq!(vector(2).await, json!({"a": [5.0, 6.0], "s": {"indices": [1], "values": [1.0]}}));
    let delete = json!({"points": [1], "vector": ["a", "s"]});
    server.ok("POST /collections/c/points/vectors/delete?wait=true", delete).await;
    assert_eq!(vector(1).await, json!({"m": [[1.0, 2.0], [3.0, 4.0]]}));
    let neither = "Bad request: No filter or points provided";
    server.refused("POST /collections/c/points/vectors/delete", json!({"vector": ["a"]}), 400, neither).await;
    let only = json!({"ids": [2], "with_vector": ["a"]});
    let found = server.ok("POST /collections/c/points", only).await;
    assert_eq!(found, json!([{"id": 2, "vector": {"a": [5.0, 6.0]}}]));
}

#[tokio::test]
async fn changes_are_made_one_after_the_other() {
    let server = filled().await;
    let operations = json!({"operations": [
        {"upsert": {"points": [point(9, [1.0, 1.0, 1.0, 1.0], json!({"n": 9}))]}},
        {"upsert": {"batch": {"ids": [10], "vectors": [[1, 1, 1, 1]]}}},
        {"set_payload": {"payload": {"m": 1}, "points": [9, 10]}},
        {"overwrite_payload": {"payload": {"m": 2}, "points": [10]}},
        {"delete_payload": {"keys": ["n"], "points": [9]}},
        {"clear_payload": {"filter": {"must": {"key": "n", "match": {"value": 1}}}}},
        {"update_vectors": {"points": [{"id": 10, "vector": [2, 2, 2, 2]}]}},
        {"delete": {"points": [2]}},
    ]});
    let results = server.ok("POST /collections/c/points/batch?wait=true", operations).await;
    let results = results.as_array().unwrap();
    assert_eq!(results.len(), 8);
    assert!(results.iter().all(|result| result["status"] == "completed"));
    assert_eq!(payload(&server, 9).await, json!({"m": 1}));
    assert_eq!(payload(&server, 1).await, json!({}));
    let found = server.read("/collections/c/points/10").await;
    assert_eq!(found, json!({"id": 10, "payload": {"m": 2}, "vector": [2.0, 2.0, 2.0, 2.0]}));
    assert_eq!(server.ok("POST /collections/c/points/count", json!({})).await, json!({"count": 6}));
}

#[tokio::test]
async fn an_upsert_can_ask_for_more() {
    let server = filled().await;
    let put = "PUT /collections/c/points?wait=true";
    let points =
        json!([point(1, [9.0, 9.0, 9.0, 9.0], json!({"n": 0})), point(6, [9.0, 9.0, 9.0, 9.0], json!({}))]);
    server.ok(put, json!({"points": points, "update_mode": "insert_only"})).await;
    assert_eq!(payload(&server, 1).await["n"], json!(1));
    server.ok("POST /collections/c/points/delete?wait=true", json!({"points": [6]})).await;
    server.ok(put, json!({"points": points, "update_mode": "update_only"})).await;
    assert_eq!(payload(&server, 1).await["n"], json!(0));
    assert_eq!(server.ok("POST /collections/c/points/count", json!({})).await, json!({"count": 5}));
    let points = json!([point(2, [9.0; 4], json!({"n": 20})), point(3, [9.0; 4], json!({"n": 30}))]);
    let filter = json!({"must": {"key": "n", "match": {"value": 2}}});
    server.ok(put, json!({"points": points, "update_filter": filter})).await;
    assert_eq!(
        (payload(&server, 2).await["n"].clone(), payload(&server, 3).await["n"].clone()),
        (json!(20), json!(3))
    );
}

#[tokio::test]
async fn points_are_read_page_by_page() {
    let server = filled().await;
    let scroll = "POST /collections/c/points/scroll";
    let page = server.ok(scroll, json!({"limit": 2, "with_payload": false})).await;
    assert_eq!(page, json!({"points": [{"id": 1}, {"id": 2}], "next_page_offset": 3}));
    let page = server
        .ok(scroll, json!({"offset": 3, "with_payload": {"exclude": ["odd"]}, "with_vector": true}))
        .await;
    assert_eq!(page["points"][0], json!({"id": 3, "payload": {"n": 3}, "vector": [3.0, 0.5, 0.0, 1.0]}));
    assert_eq!(page["next_page_offset"], json!(null));
    assert!(page.as_object().unwrap().contains_key("next_page_offset"));

    let index = json!({"field_name": "n", "field_schema": "integer"});
    server.ok("PUT /collections/c/index?wait=true", index).await;
    let order = json!({"order_by": {"key": "n", "direction": "desc", "start_from": 4}, "limit": 2});
    let page = server.ok(scroll, order).await;
    let ids: Vec<_> = page["points"].as_array().unwrap().iter().map(|point| point["id"].clone()).collect();
    assert_eq!(ids, [json!(4), json!(3)]);
    assert_eq!(page["points"][0]["order_value"], json!(4));
    let answer = server.json(scroll, json!({"order_by": "odd"})).await;
    assert_eq!(answer.status.as_u16(), 400, "{}", answer.string());

    let index = json!({"field_name": "odd", "field_schema": "bool"});
    server.ok("PUT /collections/c/index?wait=true", index).await;
    let facet = server.ok("POST /collections/c/facet", json!({"key": "odd", "exact": true})).await;
    assert_eq!(facet, json!({"hits": [{"value": true, "count": 3}, {"value": false, "count": 2}]}));
}
