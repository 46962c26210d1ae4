//! The native API as docs/api.md promises it, through its routes, on a real node.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use node::{AccessSettings, DefaultPolicy, Node, Parts, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

struct Server {
    node: Node,
    routes: Router,
    token: String,
    dir: TempDir,
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn kind(&self) -> String {
        self.json()["error"]["kind"].as_str().unwrap_or_default().to_owned()
    }
}

impl Server {
    async fn start() -> Server {
        Server::with(AccessSettings::default()).await
    }

    async fn with(access: AccessSettings) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings { access, ..Settings::new(dir.path()) };
        let node = Node::open(settings, Parts::alone()).await.unwrap();
        node.wait_for_leader().await.unwrap();
        let token = std::fs::read_to_string(dir.path().join("token")).unwrap().trim().to_owned();
        let routes = dialects::native::routes(node.clone());
        Server { node, routes, token, dir }
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {}", self.token));
        self.ask(request.body(body.into()).unwrap()).await
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        let reply = self.routes.clone().oneshot(request).await.unwrap();
        let (status, headers) = (reply.status(), reply.headers().clone());
        Answer { status, headers, body: reply.into_body().collect().await.unwrap().to_bytes() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty()).await
    }

    async fn put_key(&self, key: &str) {
        let no_tls = tls::client_config(&tls::Trust::Nobody, None).unwrap();
        let outgoing = tokio::sync::watch::Sender::new(no_tls.into()).subscribe();
        let routes = dialects::consul::routes(self.node.clone(), outgoing);
        let request = Request::put(format!("/v1/kv/{key}")).body(Body::from("value")).unwrap();
        assert_eq!(routes.oneshot(request).await.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn without_the_token_nothing_but_health_and_metrics_is_answered() {
    let server = Server::start().await;
    for path in ["/v1/status", "/v1/scopes", "/v1/scopes/consul/archive", "/v1/tasks", "/v1/nowhere"] {
        for token in [None, Some("Bearer wrong"), Some("Basic x"), Some("Bearer ")] {
            let mut request = Request::get(path);
            if let Some(token) = token {
                request = request.header("authorization", token);
            }
            let answer = server.ask(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} with {token:?}");
            assert_eq!(answer.kind(), "denied");
        }
    }
    let health = server.ask(Request::get("/health").body(Body::empty()).unwrap()).await;
    assert_eq!((health.status, health.json()), (StatusCode::OK, json!({"status": "ok"})));
    let metrics = server.ask(Request::get("/metrics").body(Body::empty()).unwrap()).await;
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    assert!(metrics.contains("stillpoint_state_index{scope=\"consul\"} 1"), "{metrics}");
}

#[tokio::test]
async fn consuls_acl_holds_elsewhere_but_the_plan_tells_of_its_tokens() {
    let root = "5ec2e700-0000-4000-8000-000000000001";
    let access = AccessSettings {
        enabled: true,
        default_policy: DefaultPolicy::Deny,
        initial_management: Some(root.into()),
        ..AccessSettings::default()
    };
    let server = Server::with(access).await;
    server.node.initialize().await.unwrap();
    let archive = server.get("/v1/scopes/consul/archive").await.body;
    let warnings = async |query: &str, secret: &str| {
        let request = Request::put(format!("/v1/scopes/consul/archive{query}"))
            .header("authorization", format!("Bearer {}", server.token))
            .header("x-consul-token", secret);
        let answer = server.ask(request.body(archive.clone().into()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        answer.json()["warnings"].clone()
    };
    let lost = "the token in use is not in the archive: once restored, it is no longer valid";
    for query in ["?dry_run=true", ""] {
        assert_eq!(warnings(query, "unknown").await, json!([lost]));
        assert_eq!(warnings(query, root).await, json!([]));
    }
    // It grants nothing here.
    let request = Request::get("/v1/status").header("x-consul-token", root).body(Body::empty()).unwrap();
    assert_eq!(server.ask(request).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_token_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start().await;
    let mode =
        |name: &str| std::fs::metadata(server.dir.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("token"), 0o600);
}

#[tokio::test]
async fn save_restore_undo_and_their_tasks() {
    let server = Server::start().await;
    server.put_key("a").await;
    let saved = server.get("/v1/scopes/consul/archive").await;
    assert_eq!(saved.status, StatusCode::OK);
    assert_eq!(saved.headers["stillpoint-index"], "2");
    assert_eq!(saved.headers["stillpoint-known-leader"], "true");
    assert_eq!(saved.headers["stillpoint-last-contact-ms"], "0");
    server.put_key("b").await;

    let plan = server.send(Method::PUT, "/v1/scopes/consul/archive?dry_run=true", saved.body.clone()).await;
    assert_eq!(plan.status, StatusCode::OK);
    assert_eq!(plan.json()["current"]["records"], 3);
    assert_eq!(plan.json()["archive"]["records"], 2);
    assert_eq!(plan.json()["archive"]["types"]["KVS"]["count"], 1);
    assert_eq!(server.get("/v1/scopes/consul").await.json()["records"], 3, "a dry run changes nothing");

    let task = "018f0000-0000-7000-8000-000000000001";
    let request = Request::put("/v1/scopes/consul/archive")
        .header("authorization", format!("Bearer {}", server.token))
        .header("stillpoint-task", task)
        .body(Body::from(saved.body.clone()))
        .unwrap();
    let restored = server.ask(request).await;
    assert_eq!(restored.status, StatusCode::OK);
    assert_eq!(restored.json()["task"], task);
    assert_eq!(restored.json()["records"], 2);
    let scope = server.get("/v1/scopes/consul").await.json();
    assert_eq!((&scope["image"], &scope["index"]), (&json!(task), &restored.json()["index"]));
    assert!(scope["previous"]["bytes"].as_u64().unwrap() > 0);

    let shown = server.get(&format!("/v1/tasks/{task}")).await.json();
    assert_eq!(
        (&shown["state"], &shown["kind"], &shown["step"]),
        (&json!("succeeded"), &json!("restore"), &json!("done"))
    );
    assert_eq!(shown["progress"]["done"], saved.body.len());
    let cancelled = server.send(Method::DELETE, &format!("/v1/tasks/{task}"), Body::empty()).await;
    assert_eq!((cancelled.status, cancelled.kind()), (StatusCode::CONFLICT, "conflict".to_owned()));

    let other = "/v1/scopes/consul/undo?image=018f0000-0000-7000-8000-000000000002";
    assert_eq!(server.send(Method::POST, other, Body::empty()).await.status, StatusCode::CONFLICT);
    let undone = server.send(Method::POST, "/v1/scopes/consul/undo", Body::empty()).await;
    assert_eq!(undone.status, StatusCode::OK);
    assert_eq!(server.get("/v1/scopes/consul").await.json()["records"], 3);
    assert_eq!(server.get("/v1/tasks").await.json().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_catalog_from_creation_to_deletion() {
    let server = Server::start().await;
    server.put_key("a").await;
    let create = |name: &str| {
        server.send(Method::POST, "/v1/scopes/consul/snapshots", json!({"name": name}).to_string())
    };
    let created = create("first").await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.json()["status"], "ready");
    assert_eq!(create("first").await.status, StatusCode::CONFLICT);
    assert_eq!(create("../x").await.status, StatusCode::BAD_REQUEST);
    let bytes = server.get("/v1/scopes/consul/snapshots/first/archive").await;
    assert_eq!(bytes.headers["content-length"], bytes.body.len().to_string());
    assert_eq!(bytes.headers["stillpoint-sha256"].to_str().unwrap(), created.json()["sha256"]);
    let uploaded = server.send(Method::PUT, "/v1/scopes/consul/snapshots/second", bytes.body.clone()).await;
    assert_eq!(uploaded.status, StatusCode::CREATED);
    let damaged = server.send(Method::PUT, "/v1/scopes/consul/snapshots/third", bytes.body.slice(1..)).await;
    assert_eq!((damaged.status, damaged.kind()), (StatusCode::UNPROCESSABLE_ENTITY, "corrupt".to_owned()));
    assert_eq!(server.get("/v1/snapshots").await.json().as_array().unwrap().len(), 2);
    server.put_key("b").await;
    let restored =
        server.send(Method::POST, "/v1/scopes/consul/snapshots/first/restore", Body::empty()).await;
    assert_eq!(restored.status, StatusCode::OK);
    let deleted = server.send(Method::DELETE, "/v1/scopes/consul/snapshots/first", Body::empty()).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(server.get("/v1/scopes/consul/snapshots/first").await.kind(), "not_found");
}

#[tokio::test]
async fn what_is_misspelt_is_refused() {
    let server = Server::start().await;
    for (method, path, status) in [
        (Method::PUT, "/v1/scopes/consul/archive?dry_rum=true", 400),
        (Method::PUT, "/v1/scopes/consul/archive?dry_run=maybe", 400),
        (Method::GET, "/v1/scopes/consul/archive?level=9", 400),
        (Method::GET, "/v1/scopes/consol", 404),
        (Method::GET, "/v1/tasks/not-a-uuid", 400),
        (Method::GET, "/v1/tasks/018f0000-0000-7000-8000-000000000009", 404),
        (Method::GET, "/v1/nowhere", 404),
        (Method::POST, "/v1/status", 400),
        (Method::POST, "/v1/scopes/consul/undo", 409),
    ] {
        let answer = server.send(method.clone(), path, Body::empty()).await;
        assert_eq!(answer.status, status, "{method} {path}: {:?}", answer.body);
        assert!(answer.json()["error"]["message"].is_string());
    }
}
