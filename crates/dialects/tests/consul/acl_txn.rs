//! Transactions under rules: what is refused is told per operation, what is hidden is left out.

use serde_json::{Value, json};

use super::server::Server;

const RULES: &str = r#"
    key "read" { policy = "read" }
    key "write" { policy = "write" }
    node "n1" { policy = "write" }
    service "web" { policy = "write" }
    session "n1" { policy = "write" }
"#;

async fn filled() -> Server {
    let server = Server::guarded(|_| {}).await;
    for key in ["read", "write", "hidden"] {
        server.put(key, "v").await;
    }
    for node in ["n1", "n2"] {
        for service in ["web", "db"] {
            let body = json!({"Node": node, "Address": "a",
                "Service": {"ID": format!("{service}-1"), "Service": service},
                "Checks": [{"CheckID": "alive"}, {"CheckID": format!("of-{service}"), "ServiceID": format!("{service}-1")}]});
            server.send("PUT /v1/catalog/register", body.to_string()).await.check(200, "true");
        }
    }
    server
}

fn kv(verb: &str, key: &str) -> Value {
    json!({"KV": {"Verb": verb, "Key": key}})
}

fn node(verb: &str, name: &str) -> Value {
    json!({"Node": {"Verb": verb, "Node": {"Node": name, "Address": "a"}}})
}

fn service(verb: &str, on: &str, id: &str, name: &str) -> Value {
    json!({"Service": {"Verb": verb, "Node": on, "Service": {"ID": id, "Service": name}}})
}

fn check(verb: &str, on: &str, id: &str, service_id: &str, service: &str) -> Value {
    json!({"Check": {"Verb": verb, "Check": {"Node": on, "CheckID": id, "ServiceID": service_id, "ServiceName": service}}})
}

/// The operations that are refused, by their places.
async fn refused(caller: &Server, ops: &[Value]) -> Vec<u64> {
    let answer = caller.send("PUT /v1/txn", Value::from(ops.to_vec()).to_string()).await;
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let Some(errors) = body["Errors"].as_array() else {
        assert_eq!(answer.status, 200);
        return Vec::new();
    };
    assert_eq!((answer.status.as_u16(), &body["Results"]), (409, &Value::Null));
    for error in errors {
        assert!(error["What"].as_str().unwrap().starts_with("Permission denied: "), "{error}");
    }
    errors.iter().map(|error| error["OpIndex"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn every_operation_without_a_right_is_told_and_nothing_is_done() {
    let server = filled().await;
    let caller = server.ruled(RULES).await;
    let before = server.digest();
    let ops = [
        kv("set", "write"),
        kv("set", "read"),
        kv("delete", "hidden"),
        kv("delete-tree", "wr"),
        kv("check-index", "hidden"),
        kv("check-session", "hidden"),
        kv("check-not-exists", "read"),
        kv("get", "hidden"),
        kv("get-tree", "hidden"),
        node("set", "n2"),
        node("delete", "n2"),
        service("set", "n1", "db-1", "db"),
        // What has another name now.
        service("set", "n1", "db-1", "web"),
        service("delete", "n1", "db-1", "web"),
        check("set", "n1", "of-db", "db-1", "web"),
        check("delete", "n1", "of-db", "", ""),
        check("set", "n2", "new", "", ""),
        check("set", "n1", "new", "db-1", "web"),
    ];
    assert_eq!(refused(&caller, &ops).await, [1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16, 17]);
    assert_eq!(server.digest(), before);
}

#[tokio::test]
async fn operations_with_a_right_are_done() {
    let server = filled().await;
    let caller = server.ruled(RULES).await;
    let ops = [
        kv("set", "write"),
        kv("check-not-exists", "write/none"),
        node("set", "n1"),
        service("set", "n2", "web-1", "web"),
        check("set", "n2", "of-web", "web-1", ""),
        check("delete", "n1", "alive", "", ""),
        service("set", "n1", "web-2", "web"),
        check("set", "n1", "of-web-2", "web-2", "web"),
    ];
    assert_eq!(refused(&caller, &ops).await, [1]);
    assert_eq!(refused(&caller, &[&ops[..1], &ops[2..]].concat()).await, [] as [u64; 0]);
    assert!(server.get("/v1/health/node/n1").await.text().contains("of-web-2"));
}

#[tokio::test]
async fn what_may_not_be_seen_is_left_out_of_the_results() {
    let server = filled().await;
    let caller = server.ruled(RULES).await;
    let reads = [
        kv("get", "read"),
        kv("get", "hidden"),
        kv("get-or-empty", "hidden"),
        node("get", "n2"),
        service("get", "n1", "db-1", ""),
        service("get", "n1", "web-1", ""),
        check("get", "n1", "of-db", "", ""),
        check("get", "n1", "alive", "", ""),
    ];
    for (by, ops) in [(&caller, reads.to_vec()), (&caller, [&reads[..], &[kv("set", "write")]].concat())] {
        let is_read = ops.len() == reads.len();
        let answer = by.send("PUT /v1/txn", Value::from(ops).to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!answer.text().contains("hidden") && !answer.text().contains("db"), "{}", answer.text());
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["Results"].as_array().unwrap().len(), if is_read { 3 } else { 4 });
        // Genuine servers tell it of reads alone.
        assert_eq!(body.get("ResultsFilteredByACLs"), is_read.then_some(&Value::from(true)));
    }
    let anonymous = server.anonymous().send("PUT /v1/txn", Value::from(reads.to_vec()).to_string()).await;
    let body: Value = serde_json::from_slice(&anonymous.body).unwrap();
    assert_eq!((&body["Results"], &body["ResultsFilteredByACLs"]), (&json!([]), &Value::from(false)));
}

#[tokio::test]
async fn a_session_is_removed_by_those_who_may_write_it() {
    let server = filled().await;
    let caller = server.ruled(RULES).await;
    for (node, places) in [("n1", vec![]), ("n2", vec![0])] {
        let created =
            server.send("PUT /v1/session/create", format!(r#"{{"Node":"{node}","NodeChecks":[]}}"#)).await;
        let created: Value = serde_json::from_slice(&created.body).unwrap();
        let op = json!({"Session": {"Verb": "delete", "Session": {"ID": created["ID"]}}});
        assert_eq!(refused(&caller, &[op]).await, places, "{node}");
    }
}
