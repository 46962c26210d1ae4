//! Archives that a genuine server made: restored they answer what that server answered, and saved again and restored
//! again they still do.

use node::collections::PointsRestore;
use node::{Origin, PointsScope, body_of};
use serde_json::{Value, json};

use crate::server::{Server, genuine, serve_file, sha256};

fn expected() -> Option<Value> {
    Some(serde_json::from_slice(&genuine("expected.json")?).unwrap())
}

/// What was sent as nothing is nothing.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        other => other.clone(),
    }
}

/// The same but for rounding.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            (one - other).abs() <= 1e-5 * one.abs().max(1.0)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| alike(value, other)))
        }
        _ => one == other,
    }
}

#[track_caller]
fn assert_alike(found: &Value, expected: &Value, what: &str) {
    assert!(alike(found, expected), "{what}\nfound    {found}\nexpected {expected}");
}

/// Asks what the genuine server was asked.
async fn check(server: &Server, name: &str, expected: &Value) {
    let place = format!("/collections/{name}");
    assert_eq!(server.count(name).await, expected["points_count"].as_u64().unwrap(), "{name}");
    let info = server.read(&place).await;
    assert_eq!(info["points_count"], expected["points_count"]);
    let (ours, theirs) = (without_nulls(&info["config"]), without_nulls(&expected["config"]));
    for (section, value) in theirs.as_object().unwrap() {
        for (member, value) in value.as_object().unwrap() {
            assert_alike(&ours[section][member], value, &format!("{name}: {section}.{member}"));
        }
    }
    for (field, schema) in expected["payload_schema"].as_object().unwrap() {
        let found = &info["payload_schema"][field];
        assert_eq!(
            (&found["data_type"], &found["points"]),
            (&schema["data_type"], &schema["points"]),
            "{name}: {field}"
        );
    }
    for point in expected["points"].as_array().unwrap() {
        let found =
            server.read(&format!("{place}/points/{}", point["id"].to_string().trim_matches('"'))).await;
        assert_alike(&found, point, &format!("{name}: a point"));
    }
    for asked in expected["counts_by_filter"].as_array().unwrap() {
        let body = json!({"exact": true, "filter": asked["filter"]});
        let found = server.ok(&format!("POST {place}/points/count"), body).await;
        assert_eq!(found["count"], asked["count"], "{name}: {}", asked["filter"]);
    }
    for asked in expected["queries"].as_array().unwrap() {
        let found = server.ok(&format!("POST {place}/points/query"), asked["request"].clone()).await;
        let without_version = |points: &Value| -> Value {
            let points = points.as_array().unwrap().iter().cloned().map(|mut point| {
                point.as_object_mut().unwrap().remove("version");
                point
            });
            points.collect()
        };
        let (found, theirs) = (without_version(&found["points"]), without_version(&asked["result"]));
        assert_alike(&found, &theirs, &format!("{name}: {}", asked["request"]));
    }
}

/// Changes points here and there; all of it takes effect.
async fn change(server: &Server, name: &str, expected: &Value) {
    let place = format!("/collections/{name}/points");
    for point in expected["points"].as_array().unwrap() {
        let one = json!([point["id"]]);
        server
            .ok(
                &format!("POST {place}/payload?wait=true"),
                json!({"points": one, "payload": {"later": true}}),
            )
            .await;
        let found = server.ok(&format!("POST {place}"), json!({"ids": one, "with_payload": true})).await;
        assert_eq!(found[0]["payload"]["later"], true, "{name}: {found}");
        server.ok(&format!("POST {place}/delete?wait=true"), json!({"points": one})).await;
        assert_eq!(server.ok(&format!("POST {place}"), json!({"ids": one})).await, json!([]), "{name}");
    }
    let left =
        expected["points_count"].as_u64().unwrap() - expected["points"].as_array().unwrap().len() as u64;
    assert_eq!(server.count(name).await, left, "{name}");
}

/// How an archive comes in.
enum Way {
    Form,
    Url,
    File,
}

/// Restores an archive, and asks; saves, restores the result elsewhere, and asks; changes points, and restores again.
async fn round(name: &str, way: Way) {
    let Some(all) = expected() else { return };
    let server = Server::start().await;
    let file = format!("{name}.snapshot");
    let expected = &all[&file];
    let bytes = genuine(&file).unwrap();
    let recover = format!("PUT /collections/{name}/snapshots/recover");
    match way {
        Way::Form => server.upload(&format!("/collections/{name}/snapshots/upload"), &bytes).await,
        Way::Url => {
            let location = format!("http://{}/{file}", serve_file(bytes).await);
            let body = json!({"location": location, "checksum": expected["sha256"]});
            assert_eq!(server.ok(&recover, body).await, json!(true));
        }
        Way::File => {
            std::fs::create_dir_all(server.snapshots_dir()).unwrap();
            let path = server.snapshots_dir().join(&file);
            std::fs::write(&path, &bytes).unwrap();
            let body = json!({"location": format!("file://{}", path.display())});
            assert_eq!(server.ok(&recover, body).await, json!(true));
        }
    }
    check(&server, name, expected).await;
    let (_, saved) = server.snapshot(&format!("/collections/{name}/snapshots")).await;
    let other = Server::start().await;
    other.upload(&format!("/collections/{name}/snapshots/upload"), &saved).await;
    check(&other, name, expected).await;
    let (_, again) = other.snapshot(&format!("/collections/{name}/snapshots")).await;
    other.upload("/collections/clone/snapshots/upload", &again).await;
    check(&other, "clone", expected).await;
    change(&other, "clone", expected).await;
    check(&other, name, expected).await;
    change(&server, name, expected).await;
    server.upload(&format!("/collections/{name}/snapshots/upload"), &saved).await;
    check(&server, name, expected).await;
}

#[tokio::test]
async fn payloads_of_many_types_come_back() {
    round("plain8", Way::Form).await;
}

#[tokio::test]
async fn named_and_multi_vectors_come_back() {
    round("named", Way::Url).await;
}

#[tokio::test]
async fn sparse_vectors_come_back() {
    round("sparse", Way::File).await;
}

#[tokio::test]
async fn two_shards_come_back() {
    round("two_shards", Way::Form).await;
}

#[tokio::test]
async fn what_is_indexed_and_quantized_comes_back() {
    round("indexed8", Way::Url).await;
}

#[tokio::test]
async fn a_shard_of_a_genuine_server_comes_back() {
    let Some(all) = expected() else { return };
    let server = Server::start().await;
    server.upload("/collections/plain8/snapshots/upload", &genuine("plain8.snapshot").unwrap()).await;
    server.ok("POST /collections/plain8/points/delete?wait=true", json!({"filter": {}})).await;
    let shard = genuine("plain8-shard0.snapshot").unwrap();
    let upload = format!("/collections/plain8/shards/0/snapshots/upload?checksum={}", sha256(&shard));
    server.upload(&upload, &shard).await;
    check(&server, "plain8", &all["plain8-shard0.snapshot"]).await;
    // Stored by us, and back.
    let (made, _) = server.snapshot("/collections/plain8/shards/0/snapshots").await;
    change(&server, "plain8", &all["plain8-shard0.snapshot"]).await;
    let body = json!({"location": made["name"], "checksum": made["checksum"]});
    assert_eq!(server.ok("PUT /collections/plain8/shards/0/snapshots/recover", body).await, json!(true));
    check(&server, "plain8", &all["plain8-shard0.snapshot"]).await;
}

#[tokio::test]
async fn all_of_a_genuine_server_comes_back_while_we_run() {
    let Some(all) = expected() else { return };
    let expected = &all["full-storage.snapshot"];
    let server = Server::start().await;
    server.fill("goes", 1).await;
    let mut archive = genuine("full-storage.snapshot").unwrap();
    // Theirs, then ours of it.
    for _ in 0..2 {
        let request = PointsRestore::of(PointsScope::Storage);
        server.node.restore_points(request, Origin::Body(body_of(archive))).await.unwrap();
        for (name, expected) in expected["collections"].as_object().unwrap() {
            check(&server, name, expected).await;
        }
        assert_eq!(server.read("/aliases").await["aliases"], expected["aliases"]);
        assert_eq!(server.ask("GET /collections/goes").await.status, 404);
        let (_, saved) = server.snapshot("/snapshots").await;
        for (name, expected) in expected["collections"].as_object().unwrap() {
            change(&server, name, expected).await;
        }
        archive = saved;
    }
}
