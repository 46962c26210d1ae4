//! What `GET /metrics` says of requests, tasks and scopes, checked after known requests to both dialects.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use dialects::{REQUEST_ID, consul, native, observed};
use http_body_util::BodyExt;
use node::{Node, Parts, Settings};
use tempfile::TempDir;
use tower::ServiceExt;

struct Server {
    node: Node,
    consul: Router,
    native: Router,
    token: String,
    dir: TempDir,
}

/// Every sample by its name and labels.
type Samples = BTreeMap<String, f64>;

impl Server {
    async fn start() -> Server {
        Server::open(tempfile::tempdir().unwrap()).await
    }

    async fn open(dir: TempDir) -> Server {
        let node = Node::open(Settings::new(dir.path()), Parts::alone()).await.unwrap();
        node.wait_for_leader().await.unwrap();
        let token = std::fs::read_to_string(dir.path().join("token")).unwrap().trim().to_owned();
        let no_tls =
            tokio::sync::watch::Sender::new(tls::client_config(&tls::Trust::Nobody, None).unwrap().into())
                .subscribe();
        let consul = observed(&node, "consul", consul::operation, consul::routes(node.clone(), no_tls));
        let native = observed(&node, "native", native::operation, native::routes(node.clone()));
        Server { node, consul, native, token, dir }
    }

    async fn consul(&self, request: &str, body: impl Into<Body>) -> (StatusCode, Bytes) {
        self.send(&self.consul, request, body).await
    }

    async fn native(&self, request: &str, body: impl Into<Body>) -> (StatusCode, Bytes) {
        self.send(&self.native, request, body).await
    }

    async fn send(&self, routes: &Router, request: &str, body: impl Into<Body>) -> (StatusCode, Bytes) {
        let (method, uri) = request.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(uri);
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let answer = routes.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        assert!(answer.headers().contains_key(REQUEST_ID), "{uri}");
        (answer.status(), answer.into_body().collect().await.unwrap().to_bytes())
    }

    async fn scrape(&self) -> Samples {
        let (status, text) = self.native("GET /metrics", Body::empty()).await;
        assert_eq!(status, StatusCode::OK);
        let text = String::from_utf8(text.to_vec()).unwrap();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        };
        samples.map(sample).collect()
    }
}

fn requests(dialect: &str, operation: &str, outcome: &str) -> String {
    format!("{{dialect=\"{dialect}\",operation=\"{operation}\",outcome=\"{outcome}\"}}")
}

fn tasks(kind: &str, outcome: &str) -> String {
    format!("{{kind=\"{kind}\",scope=\"consul\",outcome=\"{outcome}\"}}")
}

#[tokio::test]
async fn saves_and_restores_are_counted_with_their_bytes_and_durations() {
    let server = Server::start().await;
    server.consul("PUT /v1/kv/a", "value").await;
    let (_, archive) = server.consul("GET /v1/snapshot", Body::empty()).await;
    let (status, _) = server.native("PUT /v1/scopes/consul/archive", archive.clone()).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = server.native("PUT /v1/scopes/consul/archive", archive.slice(1..)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    server.consul("PUT /v1/snapshot", "damaged").await;
    server.native("PUT /v1/scopes/consul/archive?dry_run=true", archive.clone()).await;
    let (status, _) = server.native("POST /v1/scopes/consul/undo", Body::empty()).await;
    assert_eq!(status, StatusCode::OK);

    let samples = server.scrape().await;
    let bytes = archive.len() as f64;
    for (labels, received, sent) in [
        (requests("consul", "save", "ok"), None, Some(bytes)),
        (requests("consul", "write", "ok"), Some(5.0), Some(4.0)),
        (requests("native", "restore", "ok"), Some(bytes), None),
        (requests("native", "restore", "corrupt"), Some(bytes - 1.0), None),
        (requests("consul", "restore", "corrupt"), Some(7.0), None),
        (requests("native", "plan", "ok"), Some(bytes), None),
        (requests("native", "undo", "ok"), None, None),
    ] {
        assert_eq!(samples[&format!("stillpoint_operations_total{labels}")], 1.0, "{labels}");
        assert_eq!(samples[&format!("stillpoint_operation_duration_seconds_count{labels}")], 1.0, "{labels}");
        assert!(samples[&format!("stillpoint_operation_duration_seconds_sum{labels}")] > 0.0, "{labels}");
        let counted = samples.get(&format!("stillpoint_operation_received_bytes_total{labels}")).copied();
        assert_eq!(counted, received, "received by {labels}");
        if sent.is_some() {
            let counted = samples.get(&format!("stillpoint_operation_sent_bytes_total{labels}")).copied();
            assert_eq!(counted, sent, "sent by {labels}");
        }
    }
    for (labels, count, bytes) in [
        (tasks("restore", "ok"), 1.0, Some(bytes)),
        (tasks("restore", "corrupt"), 2.0, None),
        (tasks("undo", "ok"), 1.0, Some(0.0)),
    ] {
        assert_eq!(samples[&format!("stillpoint_task_duration_seconds_count{labels}")], count, "{labels}");
        if bytes.is_some() {
            let counted = samples.get(&format!("stillpoint_task_archive_bytes_total{labels}")).copied();
            assert_eq!(counted, bytes, "{labels}");
        }
    }
    assert_eq!(samples["stillpoint_tasks_running{kind=\"restore\",scope=\"consul\"}"], 0.0);
}

#[tokio::test]
async fn a_capture_counts_as_held_until_its_archive_is_read_or_given_up() {
    let server = Server::start().await;
    for n in 0..40 {
        // Incompressible, and far more than what waits between writer and reader.
        let value: Vec<u8> = (0..16_000).flat_map(|_| uuid::Uuid::new_v4().into_bytes()).collect();
        server.consul(&format!("PUT /v1/kv/{n}"), value).await;
    }
    assert_eq!(server.scrape().await["stillpoint_captures_held{scope=\"consul\"}"], 0.0);
    let request = Request::get("/v1/snapshot").body(Body::empty()).unwrap();
    let mut body = server.consul.clone().oneshot(request).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    let samples = server.scrape().await;
    assert_eq!(samples["stillpoint_captures_held{scope=\"consul\"}"], 1.0);
    assert!(samples["stillpoint_oldest_capture_age_seconds{scope=\"consul\"}"] > 0.0);
    drop(body);
    // The archive's writer notices at its next chunk.
    let held = async {
        while server.scrape().await["stillpoint_captures_held{scope=\"consul\"}"] > 0.0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), held).await.unwrap();
    let samples = server.scrape().await;
    assert_eq!(samples["stillpoint_capture_hold_seconds_count{scope=\"consul\"}"], 1.0);
    let cut = requests("consul", "save", "cut");
    assert_eq!(samples[&format!("stillpoint_operations_total{cut}")], 1.0);
    assert!(
        !samples.contains_key("stillpoint_last_snapshot_age_seconds{scope=\"consul\"}"),
        "none is complete"
    );
}

#[tokio::test]
async fn the_age_of_the_last_snapshot_is_known_once_there_is_one_and_after_a_restart_if_it_is_stored() {
    const AGE: &str = "stillpoint_last_snapshot_age_seconds{scope=\"consul\"}";
    let server = Server::start().await;
    assert!(!server.scrape().await.contains_key(AGE));
    server.consul("GET /v1/snapshot", Body::empty()).await;
    let streamed = server.scrape().await[AGE];
    assert!((0.0..60.0).contains(&streamed), "{streamed}");
    server.native("POST /v1/scopes/consul/snapshots", Body::empty()).await;
    let samples = server.scrape().await;
    assert!((0.0..60.0).contains(&samples[AGE]));
    assert_eq!(samples["stillpoint_stored_snapshots{scope=\"consul\"}"], 1.0);
    assert!(samples["stillpoint_stored_snapshot_bytes{scope=\"consul\"}"] > 0.0);
    let created = tasks("save", "ok");
    assert_eq!(samples[&format!("stillpoint_task_duration_seconds_count{created}")], 1.0);
    assert!(samples[&format!("stillpoint_task_archive_bytes_total{created}")] > 0.0);

    server.node.shutdown().await;
    let Server { dir, node, consul, native, .. } = server;
    drop((node, consul, native));
    let server = Server::open(dir).await;
    assert!((0.0..600.0).contains(&server.scrape().await[AGE]));
}

#[tokio::test]
async fn a_scope_is_measured_as_it_stands() {
    let server = Server::start().await;
    let before = server.scrape().await;
    server.consul("PUT /v1/kv/a", "value").await;
    let (_, archive) = server.consul("GET /v1/snapshot", Body::empty()).await;
    let after = server.scrape().await;
    let of = |samples: &Samples, name: &str| samples[&format!("stillpoint_{name}{{scope=\"consul\"}}")];
    assert_eq!(of(&after, "state_index"), of(&before, "state_index") + 1.0);
    assert!(of(&after, "state_records") > of(&before, "state_records"));
    assert!(of(&after, "state_bytes") > of(&before, "state_bytes"));
    assert!(!after.contains_key("stillpoint_undo_bytes{scope=\"consul\"}"));
    server.consul("PUT /v1/snapshot", archive).await;
    let restored = server.scrape().await;
    assert_eq!(of(&restored, "undo_bytes"), of(&after, "state_bytes"));
    for (name, value) in [("leader", 1.0), ("voters", 1.0)] {
        assert_eq!(restored[&format!("stillpoint_{name}")], value, "{name}");
    }
    assert!(restored["stillpoint_disk_free_bytes"] > restored["stillpoint_disk_reserve_bytes"]);
}

#[tokio::test]
async fn every_metric_is_documented() {
    let server = Server::start().await;
    server.consul("GET /v1/snapshot", Body::empty()).await;
    let (_, text) = server.native("GET /metrics", Body::empty()).await;
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    for (name, kind) in types {
        let name = match kind {
            "counter" => format!("`{name}_total`"),
            "info" => format!("`{name}_info`"),
            _ => format!("`{name}`"),
        };
        assert!(docs.contains(&name), "{name} is not in docs/operations.md");
    }
}

#[tokio::test]
async fn clients_cannot_add_labels() {
    let server = Server::start().await;
    for request in
        ["GET /v1/kv/name-7f3a", "PUT /v1/name-7f3a", "NAME-7f3a /v1/snapshot", "GET /name-7f3a?index=1"]
    {
        server.consul(request, Body::empty()).await;
        server.native(request, Body::empty()).await;
    }
    let samples = server.scrape().await;
    assert!(samples.keys().all(|name| !name.contains("7f3a")), "{samples:?}");
    let operations = samples.keys().filter(|name| name.starts_with("stillpoint_operations_total"));
    assert!(operations.count() >= 6, "{samples:?}");
}
