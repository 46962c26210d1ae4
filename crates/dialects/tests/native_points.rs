//! The native API's scopes of points as docs/api.md promises them, through its routes, on a real node.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(feature = "qdrant")]

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use dialects::qdrant::Keys;
use http_body_util::BodyExt;
use node::{Node, Parts, Settings};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tower::ServiceExt;

/// A node in a directory of its own, and two of its faces.
struct Server {
    native: Router,
    qdrant: Router,
    token: String,
    _dir: TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    fn kind(&self) -> String {
        self.json()["error"]["kind"].as_str().unwrap_or_default().to_owned()
    }
}

impl Server {
    /// With the collection `a b` of three points in two shards.
    async fn start() -> Server {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::open(Settings::new(dir.path()), Parts::alone()).await.unwrap();
        node.wait_for_leader().await.unwrap();
        let token = std::fs::read_to_string(dir.path().join("token")).unwrap().trim().to_owned();
        let (native, qdrant) =
            (dialects::native::routes(node.clone()), dialects::qdrant::router(node, Keys::default()));
        let server = Server { native, qdrant, token, _dir: dir };
        let settings = json!({"vectors": {"size": 2, "distance": "Dot"}, "shard_number": 2});
        server.qdrant("PUT /collections/a%20b", settings).await;
        for id in 1..=3 {
            server.put(id).await;
        }
        server
    }

    async fn put(&self, id: u64) {
        let points = json!({"points": [{"id": id, "vector": [1.0, id as f32]}]});
        self.qdrant("PUT /collections/a%20b/points?wait=true", points).await;
    }

    async fn qdrant(&self, request: &str, body: Value) -> Value {
        let (method, uri) = request.split_once(' ').unwrap();
        let request = Request::builder().method(method.parse::<Method>().unwrap()).uri(uri);
        let request = request.header("content-type", "application/json");
        let reply = self.qdrant.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await;
        let reply = reply.unwrap();
        let status = reply.status();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(status, StatusCode::OK, "{body:?}");
        serde_json::from_slice::<Value>(&body).unwrap()["result"].clone()
    }

    async fn send(&self, request: &str, body: impl Into<Body>) -> Answer {
        self.send_with(request, &[], body).await
    }

    async fn send_with(&self, request: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let (method, uri) = request.split_once(' ').unwrap();
        let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(uri);
        request = request.header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = self.native.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (status, headers) = (reply.status(), reply.headers().clone());
        Answer { status, headers, body: reply.into_body().collect().await.unwrap().to_bytes() }
    }

    async fn points(&self, scope: &str) -> Value {
        self.send(&format!("GET /v1/scopes/{scope}"), "").await.json()["points"].clone()
    }
}

const COLLECTION: &str = "/v1/scopes/qdrant%2Fa%20b";

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn save_restore_undo_and_their_tasks() {
    let server = Server::start().await;
    let saved = server.send(&format!("GET {COLLECTION}/archive"), "").await;
    assert_eq!(saved.status, StatusCode::OK, "{:?}", saved.body);
    assert_eq!(saved.headers["content-type"], "application/x-tar");
    assert_eq!(saved.headers["content-length"], saved.body.len().to_string());
    server.put(4).await;

    let plan = server.send(&format!("PUT {COLLECTION}/archive?dry_run=true"), saved.body.clone()).await;
    let expected = json!({
        "scope": "qdrant/a b",
        "current": {"points": 4},
        "archive": {"points": 3, "collections": [{"name": "a b", "points": 3}]},
        "warnings": [],
    });
    assert_eq!((plan.status, plan.json()), (StatusCode::OK, expected));
    assert_eq!(server.points("qdrant%2Fa%20b").await, 4, "a dry run changes nothing");

    let task = "018f0000-0000-7000-8000-000000000001";
    let request = format!("PUT {COLLECTION}/archive?priority=snapshot&sha256={}", sha256(&saved.body));
    let restored = server.send_with(&request, &[("stillpoint-task", task)], saved.body.clone()).await;
    assert_eq!(restored.status, StatusCode::OK, "{:?}", restored.body);
    assert_eq!((&restored.json()["points"], &restored.json()["task"]), (&json!(3), &json!(task)));
    assert_eq!(restored.json()["records"], json!(null));
    let shown = server.send(&format!("GET /v1/tasks/{task}"), "").await.json();
    assert_eq!((&shown["state"], &shown["result"]["points"]), (&json!("succeeded"), &json!(3)));

    let scope = server.send(&format!("GET {COLLECTION}"), "").await.json();
    assert_eq!((&scope["image"], &scope["points"]), (&json!(task), &json!(3)));
    let previous = scope["previous"]["image"].as_str().unwrap();
    assert!(scope["previous"]["expires_at"].is_string(), "{scope}");
    let other = format!("POST {COLLECTION}/undo?image={task}");
    assert_eq!(server.send(&other, "").await.status, StatusCode::CONFLICT);
    let undone = server.send(&format!("POST {COLLECTION}/undo?image={previous}"), "").await;
    assert_eq!(undone.status, StatusCode::OK, "{:?}", undone.body);
    assert_eq!(server.points("qdrant%2Fa%20b").await, 4);
    assert_eq!(server.points("qdrant").await, 4);
}

#[tokio::test]
async fn what_does_not_arrive_as_it_was_sent_changes_nothing() {
    let server = Server::start().await;
    let saved = server.send(&format!("GET {COLLECTION}/archive"), "").await.body;
    server.put(4).await;
    let other = format!("PUT {COLLECTION}/archive?sha256={}", "0".repeat(64));
    let refused = server.send(&other, saved.clone()).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let told = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(told.starts_with("Snapshot checksum mismatch: expected 000"), "{told}");
    let cut = server.send(&format!("PUT {COLLECTION}/archive"), saved.slice(..saved.len() / 2)).await;
    assert_eq!((cut.status, cut.kind()), (StatusCode::UNPROCESSABLE_ENTITY, "corrupt".to_owned()));
    let mut flipped = saved.to_vec();
    let at = saved.windows(4).position(|bytes| bytes == b"Cosi" || bytes == b"\"Dot").unwrap();
    flipped[at + 1] ^= 1;
    let flipped = server.send(&format!("PUT {COLLECTION}/archive"), flipped).await;
    assert_eq!((flipped.status, flipped.kind()), (StatusCode::UNPROCESSABLE_ENTITY, "corrupt".to_owned()));
    assert_eq!(server.points("qdrant%2Fa%20b").await, 4);
}

#[tokio::test]
async fn the_catalog_from_creation_to_deletion() {
    let server = Server::start().await;
    let created = server.send(&format!("POST {COLLECTION}/snapshots"), "").await;
    assert_eq!(created.status, StatusCode::CREATED, "{:?}", created.body);
    let entry = created.json();
    let name = entry["name"].as_str().unwrap().replace(' ', "%20");
    assert_eq!((&entry["points"], &entry["scope"]), (&json!(3), &json!("qdrant/a b")));
    let own = json!({"name": "mine.snapshot"}).to_string();
    let own = server.send(&format!("POST {COLLECTION}/snapshots"), own).await;
    assert_eq!(own.status, StatusCode::CREATED);
    let again = json!({"name": "mine.snapshot"}).to_string();
    let again = server.send(&format!("POST {COLLECTION}/snapshots"), again).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{:?}", again.body);

    let bytes = server.send(&format!("GET {COLLECTION}/snapshots/{name}/archive"), "").await;
    assert_eq!(bytes.headers["content-type"], "application/x-tar");
    assert_eq!(bytes.headers["stillpoint-sha256"].to_str().unwrap(), sha256(&bytes.body));
    let upload = format!("PUT {COLLECTION}/snapshots/second.snapshot");
    assert_eq!(server.send(&upload, bytes.body.clone()).await.status, StatusCode::CREATED);
    let damaged = bytes.body.slice(..1000);
    let damaged = server.send(&format!("PUT {COLLECTION}/snapshots/third.snapshot"), damaged).await;
    assert_eq!((damaged.status, damaged.kind()), (StatusCode::UNPROCESSABLE_ENTITY, "corrupt".to_owned()));
    assert_eq!(server.send("GET /v1/snapshots", "").await.json().as_array().unwrap().len(), 3);
    let of_all = server.send("GET /v1/scopes/qdrant/snapshots", "").await.json();
    assert_eq!(of_all, json!([]), "those of a collection are not those of all");

    server.put(4).await;
    let restored = server.send(&format!("POST {COLLECTION}/snapshots/second.snapshot/restore"), "").await;
    assert_eq!(restored.status, StatusCode::OK, "{:?}", restored.body);
    assert_eq!(server.points("qdrant%2Fa%20b").await, 3);
    let deleted = server.send(&format!("DELETE {COLLECTION}/snapshots/{name}"), "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(server.send(&format!("GET {COLLECTION}/snapshots/{name}"), "").await.kind(), "not_found");
}

#[tokio::test]
async fn all_of_it_and_one_shard() {
    let server = Server::start().await;
    let all = server.send("GET /v1/scopes/qdrant/archive", "").await;
    assert_eq!(
        (all.status, &all.headers["content-type"]),
        (StatusCode::OK, &"application/x-tar".parse().unwrap())
    );
    let shard = server.send(&format!("GET {COLLECTION}%2F0/archive"), "").await;
    let in_shard = server.points("qdrant%2Fa%20b%2F0").await;
    for id in 1..=3 {
        let delete = json!({"points": [id]});
        server.qdrant("POST /collections/a%20b/points/delete?wait=true", delete).await;
    }
    let restored = server.send(&format!("PUT {COLLECTION}%2F0/archive"), shard.body.clone()).await;
    assert_eq!(restored.status, StatusCode::OK, "{:?}", restored.body);
    assert_eq!((&restored.json()["points"], server.points("qdrant").await), (&in_shard, in_shard.clone()));
    server.qdrant("PUT /collections/other", json!({"vectors": {"size": 2, "distance": "Dot"}})).await;
    let kept = server.send("PUT /v1/scopes/qdrant/archive?keep_others=true", all.body.clone()).await;
    assert_eq!(kept.status, StatusCode::OK, "{:?}", kept.body);
    assert_eq!(server.send("GET /v1/scopes/qdrant%2Fother", "").await.status, StatusCode::OK);
    let replaced = server.send("PUT /v1/scopes/qdrant/archive", all.body.clone()).await;
    assert_eq!((replaced.status, server.points("qdrant").await), (StatusCode::OK, json!(3)));
    assert_eq!(server.send("GET /v1/scopes/qdrant%2Fother", "").await.status, StatusCode::NOT_FOUND);
    let scopes = server.send("GET /v1/scopes", "").await.json();
    let names: Vec<&str> =
        scopes.as_array().unwrap().iter().map(|scope| scope["scope"].as_str().unwrap()).collect();
    assert_eq!(names, ["consul", "nomad", "qdrant"]);
}

#[tokio::test]
async fn what_is_misspelt_or_missing_is_refused() {
    let server = Server::start().await;
    for (request, status) in [
        ("GET /v1/scopes/qdrant%2Fa%20b/archive?stale", 400),
        ("GET /v1/scopes/qdrant%2Fa%20b/archive?level=1", 400),
        ("GET /v1/scopes/qdrant%2Fnone/archive", 404),
        ("GET /v1/scopes/qdrant%2Fnone", 404),
        ("GET /v1/scopes/qdrant%2Fa%20b%2F9", 404),
        ("GET /v1/scopes/qdrant%2Fa%20b%2F9/archive", 404),
        ("GET /v1/scopes/qdrant%2Fa%20b%2Fx", 404),
        ("PUT /v1/scopes/qdrant%2Fa%20b/archive?dry_rum=true", 400),
        ("PUT /v1/scopes/qdrant%2Fa%20b/archive?allow_unknown_records=true", 400),
        ("PUT /v1/scopes/qdrant%2Fa%20b/archive?keep_others=true", 400),
        ("PUT /v1/scopes/qdrant%2Fa%20b/archive?priority=mine", 400),
        ("PUT /v1/scopes/qdrant%2Fa%20b/archive?sha256=abc", 400),
        ("PUT /v1/scopes/consul/archive?priority=snapshot", 400),
        ("PUT /v1/scopes/qdrant%2Fa%20b/snapshots/..%2Fx", 400),
        ("POST /v1/scopes/qdrant%2Fa%20b/undo", 409),
    ] {
        let answer = server.send(request, "").await;
        assert_eq!(answer.status.as_u16(), status, "{request}: {:?}", answer.body);
        assert!(answer.json()["error"]["message"].is_string());
    }
    assert_eq!(server.points("qdrant").await, 3);
}
