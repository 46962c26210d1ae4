//! Locks that sessions hold: taken, contended, released, lost with their session, kept by a restore.

use std::time::Duration;

use axum::body::Body;
use serde_json::Value;

use super::server::Server;

impl Server {
    /// Begins a session; returns its id.
    async fn session(&self, asked: &'static str) -> String {
        let answer = self.send("PUT /v1/session/create", asked).await;
        let created: Value =
            serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", answer.text()));
        created["ID"].as_str().unwrap().to_owned()
    }

    async fn acquire(&self, key: &str, session: &str) -> bool {
        self.send(&format!("PUT /v1/kv/{key}?acquire={session}"), "held").await.text() == "true"
    }

    async fn destroy(&self, session: &str) {
        self.send(&format!("PUT /v1/session/destroy/{session}"), Body::empty()).await.check(200, "true");
    }

    async fn json(&self, uri: &str) -> Value {
        serde_json::from_slice(&self.get(uri).await.body).unwrap()
    }
}

const NO_DELAY: &str = r#"{"LockDelay": "0s"}"#;

/// How often the clock may be put forward until a session has ended.
const ADVANCES_MAX: usize = 1_000;

#[tokio::test]
async fn a_lock_is_held_by_one_session_until_it_lets_go() {
    let server = Server::start().await;
    let (one, other) = (server.session(NO_DELAY).await, server.session(NO_DELAY).await);
    assert!(server.acquire("lock", &one).await);
    assert!(!server.acquire("lock", &other).await);
    assert_eq!(server.json("/v1/kv/lock").await[0]["Session"], Value::from(one.as_str()));
    server.send(&format!("PUT /v1/kv/lock?release={other}"), "").await.check(200, "false");
    server.send(&format!("PUT /v1/kv/lock?release={one}"), "").await.check(200, "true");
    assert!(server.acquire("lock", &other).await);
    assert_eq!(server.json("/v1/kv/lock").await[0]["LockIndex"], Value::from(2));
}

#[tokio::test]
async fn a_session_that_ends_lets_its_keys_go_or_removes_them() {
    let server = Server::start().await;
    let releases = server.session(NO_DELAY).await;
    let deletes = server.session(r#"{"LockDelay": "0s", "Behavior": "delete"}"#).await;
    assert!(server.acquire("released", &releases).await && server.acquire("deleted", &deletes).await);
    server.destroy(&releases).await;
    server.destroy(&deletes).await;
    assert_eq!(server.json("/v1/kv/released").await[0].get("Session"), None);
    assert_eq!(server.value("deleted").await, None);
}

#[tokio::test]
async fn a_lock_that_was_lost_is_delayed() {
    let server = Server::start().await;
    let (lost, other) = (server.session("").await, server.session("").await);
    assert!(server.acquire("lock", &lost).await);
    server.destroy(&lost).await;
    assert!(!server.acquire("lock", &other).await);
    assert!(server.acquire("another", &other).await);
}

#[tokio::test]
async fn an_unknown_session_takes_no_lock() {
    let server = Server::start().await;
    let answer = server.send("PUT /v1/kv/lock?acquire=nope", "").await;
    answer.check(500, "raft apply failed: invalid session \"nope\"");
}

#[tokio::test]
async fn a_check_that_fails_ends_the_sessions_that_depend_on_it() {
    let server = Server::start().await;
    server
        .send(
            "PUT /v1/catalog/register",
            r#"{"Node":"n","Address":"a","Check":{"CheckID":"c","Status":"passing"}}"#,
        )
        .await
        .check(200, "true");
    let session = server.session(r#"{"Node":"n","NodeChecks":["c"],"LockDelay":"0s"}"#).await;
    assert!(server.acquire("lock", &session).await);
    server
        .send(
            "PUT /v1/catalog/register",
            r#"{"Node":"n","Address":"a","Check":{"CheckID":"c","Status":"critical"}}"#,
        )
        .await
        .check(200, "true");
    server.get(&format!("/v1/session/info/{session}")).await.check(200, "[]");
    assert_eq!(server.json("/v1/kv/lock").await[0].get("Session"), None);
}

#[tokio::test]
async fn a_node_registers_itself_once_and_for_no_other() {
    let server = Server::start().await;
    server
        .send("PUT /v1/session/create", r#"{"Node":"other"}"#)
        .await
        .check(500, "apply failed: Missing node registration");
    server.get("/v1/catalog/nodes").await.check(200, "[]");
    server.session("").await;
    let registered = server.get("/v1/catalog/nodes").await;
    server.session(r#"{"Node":"STILLPOINT"}"#).await;
    assert_eq!(server.get("/v1/catalog/nodes").await.text(), registered.text());
}

#[tokio::test]
async fn a_restore_keeps_a_lock_held() {
    let server = Server::start().await;
    let session = server.session("").await;
    assert!(server.acquire("lock", &session).await);
    let archive = server.save().await;
    server.send(&format!("PUT /v1/kv/lock?release={session}"), "").await.check(200, "true");
    server.destroy(&session).await;
    server.restore(archive).await.check(200, "");
    let other = server.session("").await;
    assert!(!server.acquire("lock", &other).await);
    assert_eq!(server.json("/v1/kv/lock").await[0]["Session"], Value::from(session.as_str()));
    assert!(server.acquire("lock", &session).await);
}

#[tokio::test]
async fn a_session_that_nobody_renews_ends() {
    let server = Server::start().await;
    let session = server.session(r#"{"TTL": "10s", "LockDelay": "0s"}"#).await;
    assert!(server.acquire("lock", &session).await);
    // The leader looks at its sessions now and then: it has to meet this one before it can miss a renewal.
    for _ in 0..ADVANCES_MAX {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(21)).await;
        tokio::time::resume();
        if server.get("/v1/session/list").await.text() == "[]" {
            break;
        }
    }
    server.get("/v1/session/list").await.check(200, "[]");
    assert_eq!(server.json("/v1/kv/lock").await[0].get("Session"), None);
}

#[tokio::test]
async fn a_transaction_can_remove_a_session() {
    let server = Server::start().await;
    let session = server.session("").await;
    let body = format!(r#"[{{"Session":{{"Verb":"delete","Session":{{"ID":"{session}"}}}}}}]"#);
    server.send("PUT /v1/txn", body).await.check(200, r#"{"Results":[],"Errors":null}"#);
    server.get("/v1/session/list").await.check(200, "[]");
}
