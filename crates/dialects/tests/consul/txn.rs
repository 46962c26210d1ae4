//! Transactions: what the golden answers don't show.

use axum::body::Body;
use serde_json::{Value, json};

use super::server::{Answer, Server};

async fn txn(server: &Server, ops: Value) -> Answer {
    server.send("PUT /v1/txn", ops.to_string()).await
}

fn kv(verb: &str, key: &str) -> Value {
    json!({"KV": {"Verb": verb, "Key": key, "Value": "dg=="}})
}

#[tokio::test]
async fn a_transaction_that_fails_changes_nothing_and_names_every_failure() {
    let server = Server::start().await;
    server.put("there", "v").await;
    let answer =
        txn(&server, json!([kv("set", "new"), kv("check-not-exists", "there"), kv("get", "nope")])).await;
    answer.check(
        409,
        "{\"Results\":null,\"Errors\":[{\"OpIndex\":1,\"What\":\"key \\\"there\\\" exists\"},\
         {\"OpIndex\":2,\"What\":\"key \\\"nope\\\" doesn't exist\"}]}",
    );
    assert_eq!(server.value("new").await, None);
}

#[tokio::test]
async fn every_verb_does_what_it_says() {
    let server = Server::start().await;
    let answer =
        txn(&server, json!([kv("set", "a/1"), kv("set", "a/2"), kv("set", "b"), kv("get-or-empty", "c")]))
            .await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let index = server.get("/v1/kv/b").await.index();
    let at = |verb: &str, key: &str, index: u64| json!({"KV": {"Verb": verb, "Key": key, "Value": "dw==", "Index": index}});
    let ops = json!([
        at("check-index", "b", index),
        {"KV": {"Verb": "check-session", "Key": "b", "Session": ""}},
        at("cas", "b", index),
        at("delete-cas", "a/1", index),
        kv("delete", "a/nope"),
        kv("get-tree", "a/"),
        kv("delete-tree", "a/"),
        kv("check-not-exists", "a/2"),
    ]);
    let answer = txn(&server, ops).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let results: Value = serde_json::from_slice(&answer.body).unwrap();
    let keys: Vec<_> =
        results["Results"].as_array().unwrap().iter().map(|one| one["KV"]["Key"].as_str()).collect();
    assert_eq!(keys, [Some("b"), Some("b"), Some("b"), Some("a/2")]);
    assert_eq!(server.value("b").await.as_deref(), Some("w"));
    assert_eq!(server.get("/v1/kv/a/?recurse").await.status.as_u16(), 404);

    let answer =
        txn(&server, json!([{"KV": {"Verb": "lock", "Key": "b", "Session": "s"}}, kv("fly", "b")])).await;
    answer
        .check(409, "{\"Results\":null,\"Errors\":[{\"OpIndex\":1,\"What\":\"unknown KV operation: fly\"}]}");
    let answer = txn(&server, json!([{"KV": {"Verb": "lock", "Key": "b", "Session": "s"}}])).await;
    answer
        .check(409, "{\"Results\":null,\"Errors\":[{\"OpIndex\":0,\"What\":\"invalid session \\\"s\\\"\"}]}");
}

#[tokio::test]
async fn names_match_whatever_their_case_and_nulls_are_nothing() {
    let server = Server::start().await;
    let ops = r#"[{"kv":{"VERB":"set","key":"k","vaLue":"dg==","Flags":null},"Node":null,"Extra":1}]"#;
    assert_eq!(server.send("PUT /v1/txn", ops).await.status.as_u16(), 200);
    assert_eq!(server.value("k").await.as_deref(), Some("v"));
}

#[tokio::test]
async fn limits_are_refused_with_the_genuine_texts() {
    let server = Server::start().await;
    let many = |count| Value::from_iter((0..count).map(|n| kv("set", &format!("k{n}"))));
    assert_eq!(txn(&server, many(128)).await.status.as_u16(), 200);
    txn(&server, many(129)).await.check(413, "Transaction contains too many operations (129 > 128)");

    let help = "See https://developer.hashicorp.com/docs/agent/config/config-files#txn_max_req_len.";
    let answer = server.send("PUT /v1/txn", " ".repeat((512 << 10) + 1)).await;
    answer.check(413, &format!("Request body(524289 bytes) too large, max size: 524288 bytes. {help}"));
}

#[tokio::test]
async fn what_is_no_transaction_is_refused() {
    let server = Server::start().await;
    let deep = "[".repeat(400 << 10);
    for body in
        ["", "1", "{}", "[1]", "[{\"KV\":1}]", "[{\"KV\":{\"Flags\":-1}}]", "[{\"KV\":{\"Key\":1}}]", &deep]
    {
        let answer = server.send("PUT /v1/txn", body.to_owned()).await;
        assert_eq!(answer.status.as_u16(), 400, "{body:.20}");
        assert!(answer.text().starts_with("Failed to parse body: "), "{}", answer.text());
    }
    let answer = server.send("PUT /v1/txn", r#"[{"KV":{"Verb":"set","Key":"k","Value":"?"}}]"#).await;
    assert_eq!(answer.status.as_u16(), 409);
    assert!(answer.text().contains("failed to decode value"), "{}", answer.text());
}

#[tokio::test]
async fn an_empty_transaction_is_a_read() {
    let server = Server::start().await;
    for body in ["[]", "null"] {
        let answer = server.send("PUT /v1/txn", Body::from(body)).await;
        assert!(answer.text().starts_with("{\"Results\":[],\"Errors\":null,"), "{}", answer.text());
        assert_eq!(answer.header("x-consul-knownleader"), "true");
    }
}
