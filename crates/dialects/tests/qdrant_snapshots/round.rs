//! What clients do with snapshots, from making one to having it back.

use serde_json::{Value, json};

use crate::server::{Server, sha256};

#[tokio::test]
async fn a_collection_comes_back_from_its_snapshot() {
    let server = Server::start().await;
    server.fill("c", 2).await;
    server
        .ok("PUT /collections/c/index?wait=true", json!({"field_name": "number", "field_schema": "integer"}))
        .await;
    let list = "/collections/c/snapshots";
    assert_eq!(server.read(list).await, json!([]));
    let (made, bytes) = server.snapshot(list).await;
    let name = made["name"].as_str().unwrap();
    assert!(name.starts_with("c-") && name.ends_with(".snapshot"), "{name}");
    assert_eq!(
        made.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["name", "creation_time", "size", "checksum"]
    );
    let created = made["creation_time"].as_str().unwrap();
    assert!(created.len() == 19 && created.as_bytes()[10] == b'T', "{created}");
    assert_eq!(server.read(list).await, json!([made]));
    // An alias is as good as the name.
    let alias = json!({"actions": [{"create_alias": {"collection_name": "c", "alias_name": "a"}}]});
    server.ok("POST /collections/aliases", alias).await;
    assert_eq!(server.read("/collections/a/snapshots").await, json!([made]));
    let through = server.ask(&format!("GET /collections/a/snapshots/{name}")).await;
    assert_eq!(through.body, bytes);
    let location = server.url(&format!("{list}/{name}"));
    let config = server.read("/collections/c").await["config"].clone();

    // It survives its collection, and is seen again with one of that name.
    let file = server.snapshots_dir().join("c").join(name);
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    let sidecar = std::fs::read_to_string(file.with_file_name(format!("{name}.checksum"))).unwrap();
    assert_eq!(sidecar, sha256(&bytes));
    server.ok("DELETE /collections/c", Value::Null).await;
    assert_eq!(server.ask(&format!("GET {list}")).await.status, 404);
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    let from_file = json!({"location": format!("file://{}", file.display()), "checksum": sha256(&bytes)});
    server.ok("PUT /collections/c/snapshots/recover", from_file).await;
    assert_eq!(server.read(list).await, json!([made]));
    assert_eq!(server.count("c").await, 10);
    assert_eq!(server.read("/collections/c").await["config"], config);

    // Under another name; with another checksum not.
    let wrong = json!({"location": location, "checksum": "0".repeat(64)});
    let text = format!(
        "Wrong input: Snapshot checksum mismatch: expected {}, got {}",
        "0".repeat(64),
        sha256(&bytes)
    );
    server.refused("PUT /collections/d/snapshots/recover", wrong, 400, &text).await;
    assert_eq!(server.ask("GET /collections/d").await.status, 404);
    let right = json!({"location": location, "checksum": sha256(&bytes), "priority": "snapshot"});
    assert_eq!(server.ok("PUT /collections/d/snapshots/recover", right).await, json!(true));
    assert_eq!(server.count("d").await, 10);
    assert_eq!(server.read("/collections/d").await["payload_schema"]["number"]["data_type"], "integer");

    assert_eq!(server.ok(&format!("DELETE {list}/{name}"), Value::Null).await, json!(true));
    assert_eq!(server.read(list).await, json!([]));
    assert!(!file.exists());
    server
        .refused(
            &format!("DELETE {list}/{name}"),
            Value::Null,
            404,
            &format!("Not found: Snapshot {name} not found"),
        )
        .await;
}

#[tokio::test]
async fn a_restore_replaces_points_and_keeps_settings() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    let (_, bytes) = server.snapshot("/collections/c/snapshots").await;
    server.ok("POST /collections/c/points/delete?wait=true", json!({"points": [1, 2, 3]})).await;
    let more = json!({"points": [{"id": 77, "vector": [0, 0, 0, 1]}]});
    server.ok("PUT /collections/c/points?wait=true", more).await;
    server.upload("/collections/c/snapshots/upload", &bytes).await;
    assert_eq!(server.count("c").await, 10);
    // What is changed afterwards is changed.
    server
        .ok("POST /collections/c/points/payload?wait=true", json!({"points": [3], "payload": {"later": 1}}))
        .await;
    server
        .ok("PUT /collections/c/points?wait=true", json!({"points": [{"id": 4, "vector": [9, 9, 9, 9]}]}))
        .await;
    server.ok("POST /collections/c/points/delete?wait=true", json!({"points": [5]})).await;
    let found = server.ok("POST /collections/c/points", json!({"ids": [3, 4, 5]})).await;
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
    let (third, fourth) =
        (server.read("/collections/c/points/3").await, server.read("/collections/c/points/4").await);
    assert_eq!(third["payload"], json!({"number": 3, "later": 1}));
    assert_eq!((&fourth["vector"], &fourth["payload"]), (&json!([9.0, 9.0, 9.0, 9.0]), &json!({})));
    // Restored to what it does not fit.
    server.ok("PUT /collections/wide", json!({"vectors": {"size": 5, "distance": "Dot"}})).await;
    server
        .ok("PUT /collections/many", json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 2}))
        .await;
    for (name, what) in [("wide", "Collection vectors: "), ("many", "Collection shard number: ")] {
        let answer =
            server.post(&format!("/collections/{name}/snapshots/upload"), crate::form::archive(&bytes)).await;
        let text = answer.error();
        let begins = format!("Wrong input: Snapshot is not compatible with existing collection: {what}");
        assert!(answer.status == 400 && text.starts_with(&begins), "{text}");
        assert_eq!(server.count(name).await, 0);
    }
}

#[tokio::test]
async fn a_shard_comes_back_from_its_snapshot() {
    let server = Server::start().await;
    server.fill("c", 2).await;
    let list = "/collections/c/shards/1/snapshots";
    assert_eq!(server.read(list).await, json!([]));
    let (made, bytes) = server.snapshot(list).await;
    let name = made["name"].as_str().unwrap();
    assert!(name.starts_with("c-shard-1-") && name.ends_with(".snapshot"), "{name}");
    assert!(server.snapshots_dir().join("c/shards/1").join(name).exists());
    // Of one shard, and of no other.
    assert_eq!(server.names("/collections/c/shards/0/snapshots").await, [] as [String; 0]);
    assert_eq!(server.names("/collections/c/snapshots").await, [] as [String; 0]);

    let gone = || server.ok("POST /collections/c/points/delete?wait=true", json!({"filter": {}}));
    gone().await;
    assert_eq!(server.count("c").await, 0);
    let recover = "PUT /collections/c/shards/1/snapshots/recover";
    let wrong = json!({"location": server.url(&format!("{list}/{name}")), "checksum": "0".repeat(64)});
    let text = format!(
        "Wrong input: Snapshot checksum mismatch: expected {}, got {}",
        "0".repeat(64),
        sha256(&bytes)
    );
    server.refused(recover, wrong, 400, &text).await;
    assert_eq!(server.count("c").await, 0);
    // By its URL, by its name, in a form.
    let mut counts = Vec::new();
    for location in [server.url(&format!("{list}/{name}")), name.to_owned()] {
        let right = json!({"location": location, "checksum": made["checksum"]});
        assert_eq!(server.ok(recover, right).await, json!(true));
        counts.push(server.count("c").await);
        gone().await;
    }
    server.upload("/collections/c/shards/1/snapshots/upload", &bytes).await;
    counts.push(server.count("c").await);
    assert!((1..10).contains(&counts[0]) && counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    server.ok(&format!("DELETE {list}/{name}"), Value::Null).await;
    assert_eq!(server.read(list).await, json!([]));
}

#[tokio::test]
async fn everything_is_saved_at_once() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    server.fill("d", 2).await;
    assert_eq!(server.read("/snapshots").await, json!([]));
    let (made, bytes) = server.snapshot("/snapshots").await;
    let name = made["name"].as_str().unwrap();
    assert!(name.starts_with("full-snapshot-") && name.ends_with(".snapshot"), "{name}");
    assert_eq!(made["checksum"], sha256(&bytes));
    assert_eq!(server.read("/snapshots").await, json!([made]));
    assert!(server.snapshots_dir().join(name).exists());
    // What is within it is listed nowhere else.
    assert_eq!(server.names("/collections/c/snapshots").await, [] as [String; 0]);
    server.ok(&format!("DELETE /snapshots/{name}"), Value::Null).await;
    assert_eq!(server.read("/snapshots").await, json!([]));
}

#[tokio::test]
async fn two_within_a_second_are_two() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    for list in ["/snapshots", "/collections/c/snapshots", "/collections/c/shards/0/snapshots"] {
        for _ in 0..3 {
            server.ok(&format!("POST {list}"), Value::Null).await;
        }
        let mut names = server.names(list).await;
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(names.iter().all(|name| name.ends_with(".snapshot")), "{names:?}");
    }
}

#[tokio::test]
async fn metrics_and_telemetry_tell_of_snapshots() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    server.ok("POST /collections/c/snapshots", Value::Null).await;
    let text = server.ask("GET /metrics").await.string();
    for line in [
        "# TYPE snapshot_creation_running gauge",
        "snapshot_creation_running{id=\"c\"} 0",
        "snapshot_recovery_running{id=\"c\"} 0",
        "# TYPE snapshot_created_total counter",
        "snapshot_created_total{id=\"c\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let telemetry = server.read("/telemetry?details_level=1").await;
    let expected = json!([{"id": "c", "running_snapshots": 0, "running_snapshot_recovery": 0, "total_snapshot_creations": 1}]);
    assert_eq!(telemetry["collections"]["snapshots"], expected);
}

#[tokio::test]
async fn restores_of_the_same_take_turns() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    let (made, bytes) = server.snapshot("/collections/c/shards/0/snapshots").await;
    let (_, whole) = server.snapshot("/collections/c/snapshots").await;
    let recover = || {
        let body = json!({"location": made["name"], "priority": "replica"});
        server.ok("PUT /collections/c/shards/0/snapshots/recover", body)
    };
    let shard = || server.upload("/collections/c/shards/0/snapshots/upload?priority=replica", &bytes);
    let collection = || server.upload("/collections/c/snapshots/upload", &whole);
    tokio::join!(recover(), recover(), shard(), shard(), collection(), collection());
    assert_eq!(server.count("c").await, 10);
    let lists =
        ["POST /collections/c/shards/0/snapshots", "POST /collections/c/snapshots", "POST /snapshots"];
    futures_util::future::join_all(lists.iter().cycle().take(9).map(|list| server.ok(list, Value::Null)))
        .await;
    assert_eq!(server.names("/snapshots").await.len(), 3);
    assert_eq!(server.names("/collections/c/snapshots").await.len(), 4);
}
