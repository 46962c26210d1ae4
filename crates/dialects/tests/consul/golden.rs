//! One answer for each route, byte for byte, in files under `tests/golden/consul`.
//!
//! `UPDATE_GOLDEN=1 cargo test -p dialects` writes them anew; read the difference before you keep it.

use std::fmt::Write as _;
use std::path::PathBuf;

use archive::testing::Builder;
use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;

use super::server::{Answer, Server};

/// Requests in the order in which they are sent to one server: a file's name, what is asked, the body.
const STEPS: &[(&str, &str, &str)] = &[
    ("kv_put", "PUT /v1/kv/app/name?flags=42", "still & <point>"),
    ("kv_put_cas_refused", "PUT /v1/kv/app/name?cas=99", "other"),
    ("kv_put_empty", "PUT /v1/kv/app/empty", ""),
    ("kv_put_conflict", "PUT /v1/kv/app/name?release=x%20y&cas=1", "other"),
    ("kv_put_without_session", "PUT /v1/kv/app/name?acquire=65c90c0a", "other"),
    ("kv_put_bad_flags", "PUT /v1/kv/app/name?flags=-1", "other"),
    ("kv_put_without_key", "PUT /v1/kv/", "other"),
    ("kv_get", "GET /v1/kv/app/name", ""),
    ("kv_get_pretty", "GET /v1/kv/app/name?pretty", ""),
    ("kv_get_raw", "GET /v1/kv/app/name?raw", ""),
    ("kv_get_missing", "GET /v1/kv/nope", ""),
    ("kv_get_recurse", "GET /v1/kv/app/?recurse", ""),
    ("kv_get_recurse_pretty", "GET /v1/kv/?recurse&pretty", ""),
    ("kv_get_recurse_missing", "GET /v1/kv/nope/?recurse", ""),
    ("kv_get_keys", "GET /v1/kv/?keys&separator=/", ""),
    ("kv_get_keys_misspelt", "GET /v1/kv/?keys&seperator=/", ""),
    ("kv_get_keys_pretty", "GET /v1/kv/app/?keys&pretty", ""),
    ("kv_get_keys_missing", "GET /v1/kv/nope?keys", ""),
    ("kv_get_without_key", "GET /v1/kv/", ""),
    ("kv_get_namespace", "GET /v1/kv/a?ns=team", ""),
    ("kv_get_stale_and_consistent", "GET /v1/kv/a?stale&consistent", ""),
    ("kv_get_bad_wait", "GET /v1/kv/a?wait=10", ""),
    ("kv_get_bad_index", "GET /v1/kv/a?index=x", ""),
    ("kv_post", "POST /v1/kv/a", ""),
    ("kv_delete_cas_refused", "DELETE /v1/kv/app/name?cas=99", ""),
    ("kv_delete_conflict", "DELETE /v1/kv/app?recurse&cas=1", ""),
    ("kv_delete", "DELETE /v1/kv/app/empty", ""),
    ("kv_delete_recurse", "DELETE /v1/kv/nope/?recurse", ""),
    ("kv_get_keys_after_delete", "GET /v1/kv/app/?keys", ""),
    (
        "txn_write",
        "PUT /v1/txn",
        r#"[{"KV":{"Verb":"set","Key":"t","Value":"dA=="}},{"KV":{"Verb":"get","Key":"t"}}]"#,
    ),
    ("txn_read", "PUT /v1/txn", r#"[{"KV":{"Verb":"get","Key":"t"}}]"#),
    ("txn_read_pretty", "PUT /v1/txn?pretty", r#"[{"KV":{"Verb":"get","Key":"t"}}]"#),
    ("txn_conflict", "PUT /v1/txn", r#"[{"KV":{"Verb":"cas","Key":"t","Value":"dQ==","Index":1}}]"#),
    ("txn_unserved", "PUT /v1/txn", r#"[{"KV":{"Verb":"get","Key":"t"}},{"Node":{"Verb":"get"}}]"#),
    ("txn_not_json", "PUT /v1/txn", "{"),
    ("txn_get", "GET /v1/txn", ""),
    ("status_leader", "GET /v1/status/leader", ""),
    ("status_peers", "GET /v1/status/peers", ""),
    ("agent_self", "GET /v1/agent/self?pretty", ""),
    ("catalog_datacenters", "GET /v1/catalog/datacenters", ""),
    ("operator_raft_configuration", "GET /v1/operator/raft/configuration", ""),
    ("operator_raft_configuration_bad_escape", "GET /v1/operator/raft/configuration?dc=%zz", ""),
    ("snapshot_get", "GET /v1/snapshot", ""),
    ("snapshot_get_stale", "GET /v1/snapshot?stale=false", ""),
    ("snapshot_get_elsewhere", "GET /v1/snapshot?datacenter=nope&dc=dc1", ""),
    ("snapshot_put_stale", "PUT /v1/snapshot?stale", ""),
    ("snapshot_put_damaged", "PUT /v1/snapshot", "this is no archive"),
    ("snapshot_options", "OPTIONS /v1/snapshot", ""),
    ("snapshot_post", "POST /v1/snapshot", ""),
    ("snapshot_head", "HEAD /v1/snapshot", ""),
    ("unserved", "PUT /v1/session/create", ""),
    ("unserved_below", "GET /v1/health/service/web", ""),
    ("unknown", "GET /v1/nope", ""),
    ("unknown_version", "GET /v2/kv/a", ""),
];

#[tokio::test]
async fn every_route_answers_the_golden_bytes() {
    let server = Server::start().await;
    for (name, request, body) in STEPS {
        let answer = server.send(request, *body).await;
        check(name, &rendered(&server, request, &answer));
    }
}

#[tokio::test]
async fn a_restore_answers_the_golden_bytes() {
    let server = Server::start().await;
    let answer = server.restore(Builder::new(9).key("a", b"1", 9).archive()).await;
    check("snapshot_put", &rendered(&server, "PUT /v1/snapshot", &answer));
    let answer = server.send("GET /v1/kv/a", Body::empty()).await;
    check("snapshot_put_then_kv_get", &rendered(&server, "GET /v1/kv/a", &answer));
}

#[track_caller]
fn check(name: &str, found: &str) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/consul").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{}", path.display());
}

/// An answer as text, with names for what is another at each run.
fn rendered(server: &Server, request: &str, answer: &Answer) -> String {
    let mut text = format!("{request}\n\n{}\n", answer.status);
    // The length is that of numbers which are another at each run, too.
    let mut headers: Vec<_> = answer.headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH).collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
    }
    let body = match std::str::from_utf8(&answer.body) {
        Ok(body) => body.replace(&server.node.identity().name, "<node id>"),
        Err(_) => "<an archive>".to_owned(),
    };
    text + "\n" + &without_positions(&body)
}

/// How far the log has come depends on what the node does by itself.
fn without_positions(body: &str) -> String {
    let names = ["LastIndex", "applied_index", "commit_index", "last_log_index"];
    let mut text = String::new();
    for part in body.split_inclusive([',', '\n', '}']) {
        match names.iter().find(|name| part.contains(&format!("\"{name}\":"))) {
            Some(_) => {
                let mut number = part.split(|c: char| c.is_ascii_digit());
                text.push_str(number.next().unwrap_or_default());
                text.push('#');
                text.push_str(number.next_back().unwrap_or_default());
            }
            None => text.push_str(part),
        }
    }
    text
}
