//! Whoever bears no token, where nothing is allowed by default, is shown nothing and changes nothing, whatever
//! is asked. A route that is not listed here fails the test.

use axum::body::Body;

use super::server::{Answer, Server};

/// What an answer must be.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// A refusal for want of a right.
    Denied,
    /// A refusal before anyone asks about rights.
    Wrong,
    /// Status and body: an answer in which nothing is left.
    Empty(u16, &'static str),
    /// Status and a part of the body.
    Holds(u16, &'static str),
    /// A refusal that no right averts: status and a part of the body.
    Refused(u16, &'static str),
    /// What everyone may know.
    Open,
}

use Expected::{Denied, Empty, Holds, Open, Refused, Wrong};

const NONE: Expected = Empty(200, "[]");
const GONE: Expected = Empty(404, "");

/// Patterns of paths, requests that they match, their bodies, and what is answered. `{session}` stands for the
/// id of a session.
const CASES: &[(&str, &str, &str, Expected)] = &[
    ("/v1/snapshot", "GET /v1/snapshot", "", Denied),
    ("/v1/snapshot", "GET /v1/snapshot?stale", "", Denied),
    ("/v1/snapshot", "PUT /v1/snapshot", "", Denied),
    ("/v1/kv", "GET /v1/kv", "", Wrong),
    ("/v1/kv", "GET /v1/kv?recurse", "", GONE),
    ("/v1/kv", "GET /v1/kv?keys", "", NONE),
    ("/v1/kv", "PUT /v1/kv", "v", Wrong),
    ("/v1/kv", "DELETE /v1/kv", "", Wrong),
    ("/v1/kv", "DELETE /v1/kv?recurse", "", Denied),
    ("/v1/kv/", "GET /v1/kv/", "", Wrong),
    ("/v1/kv/", "GET /v1/kv/?recurse", "", GONE),
    ("/v1/kv/", "GET /v1/kv/?recurse&stale", "", GONE),
    ("/v1/kv/", "GET /v1/kv/?keys", "", NONE),
    ("/v1/kv/", "GET /v1/kv/?keys&separator=/", "", NONE),
    ("/v1/kv/", "PUT /v1/kv/", "v", Wrong),
    ("/v1/kv/", "DELETE /v1/kv/?recurse", "", Denied),
    ("/v1/kv/{*key}", "GET /v1/kv/hidden/key", "", Denied),
    ("/v1/kv/{*key}", "GET /v1/kv/hidden/key?raw", "", Denied),
    ("/v1/kv/{*key}", "GET /v1/kv/hidden/key?stale&index=1&wait=1ms", "", Denied),
    ("/v1/kv/{*key}", "GET /v1/kv/missing", "", Denied),
    ("/v1/kv/{*key}", "GET /v1/kv/hidden?recurse", "", GONE),
    ("/v1/kv/{*key}", "GET /v1/kv/hidden?keys", "", GONE),
    ("/v1/kv/{*key}", "PUT /v1/kv/hidden/key", "v", Denied),
    ("/v1/kv/{*key}", "PUT /v1/kv/hidden/key?cas=0", "v", Denied),
    ("/v1/kv/{*key}", "PUT /v1/kv/hidden/key?acquire={session}", "v", Denied),
    ("/v1/kv/{*key}", "PUT /v1/kv/hidden/key?release={session}", "v", Denied),
    ("/v1/kv/{*key}", "DELETE /v1/kv/hidden/key", "", Denied),
    ("/v1/kv/{*key}", "DELETE /v1/kv/hidden/key?cas=1", "", Denied),
    ("/v1/kv/{*key}", "DELETE /v1/kv/hidden/?recurse", "", Denied),
    (
        "/v1/txn",
        "PUT /v1/txn",
        r#"[{"KV":{"Verb":"get","Key":"hidden/key"}},{"KV":{"Verb":"get-tree","Key":"hidden"}},
            {"Node":{"Verb":"get","Node":{"Node":"hidden-node"}}},
            {"Service":{"Verb":"get","Node":"hidden-node","Service":{"ID":"hidden-service"}}},
            {"Check":{"Verb":"get","Check":{"Node":"hidden-node","CheckID":"hidden-check"}}}]"#,
        Holds(200, r#""Results":[],"Errors":null"#),
    ),
    (
        "/v1/txn",
        "PUT /v1/txn",
        r#"[{"KV":{"Verb":"set","Key":"hidden/key"}}]"#,
        Holds(409, "Permission denied"),
    ),
    (
        "/v1/txn",
        "PUT /v1/txn",
        r#"[{"KV":{"Verb":"check-index","Key":"k"}}]"#,
        Holds(409, "Permission denied"),
    ),
    (
        "/v1/txn",
        "PUT /v1/txn",
        r#"[{"Session":{"Verb":"delete","Session":{"ID":"{session}"}}}]"#,
        Holds(409, "Permission denied"),
    ),
    ("/v1/status/leader", "GET /v1/status/leader", "", Open),
    ("/v1/status/peers", "GET /v1/status/peers", "", Open),
    ("/v1/operator/raft/configuration", "GET /v1/operator/raft/configuration", "", Denied),
    ("/v1/operator/raft/configuration", "GET /v1/operator/raft/configuration?stale", "", Denied),
    ("/v1/agent/self", "GET /v1/agent/self", "", Denied),
    ("/v1/catalog/datacenters", "GET /v1/catalog/datacenters", "", Open),
    ("/v1/session/create", "PUT /v1/session/create", "", Denied),
    ("/v1/session/create", "PUT /v1/session/create", r#"{"Node":"hidden-node","NodeChecks":[]}"#, Denied),
    ("/v1/session/list", "GET /v1/session/list", "", NONE),
    ("/v1/session/destroy/", "PUT /v1/session/destroy/", "", Wrong),
    ("/v1/session/destroy/{*name}", "PUT /v1/session/destroy/{session}", "", Denied),
    ("/v1/session/renew/", "PUT /v1/session/renew/", "", Wrong),
    ("/v1/session/renew/{*name}", "PUT /v1/session/renew/{session}", "", Denied),
    ("/v1/session/info/", "GET /v1/session/info/", "", Wrong),
    ("/v1/session/info/{*name}", "GET /v1/session/info/{session}", "", NONE),
    ("/v1/session/node/", "GET /v1/session/node/", "", Wrong),
    ("/v1/session/node/{*name}", "GET /v1/session/node/hidden-node", "", NONE),
    ("/v1/catalog/register", "PUT /v1/catalog/register", REGISTRATION, Denied),
    ("/v1/catalog/register", "PUT /v1/catalog/register", r#"{"Node":"new","Address":"a"}"#, Denied),
    ("/v1/catalog/deregister", "PUT /v1/catalog/deregister", r#"{"Node":"hidden-node"}"#, Denied),
    (
        "/v1/catalog/deregister",
        "PUT /v1/catalog/deregister",
        r#"{"Node":"hidden-node","ServiceID":"hidden-service"}"#,
        Denied,
    ),
    ("/v1/catalog/nodes", "GET /v1/catalog/nodes", "", NONE),
    ("/v1/catalog/services", "GET /v1/catalog/services", "", Empty(200, "{}")),
    ("/v1/catalog/node/", "GET /v1/catalog/node/", "", Wrong),
    ("/v1/catalog/node/{*name}", "GET /v1/catalog/node/hidden-node", "", Empty(200, "null")),
    ("/v1/catalog/node-services/", "GET /v1/catalog/node-services/", "", Wrong),
    (
        "/v1/catalog/node-services/{*name}",
        "GET /v1/catalog/node-services/hidden-node",
        "",
        Empty(200, r#"{"Node":null,"Services":null}"#),
    ),
    ("/v1/catalog/service/", "GET /v1/catalog/service/", "", Wrong),
    ("/v1/catalog/service/{*name}", "GET /v1/catalog/service/hidden-service", "", NONE),
    ("/v1/catalog/connect/", "GET /v1/catalog/connect/", "", Wrong),
    ("/v1/catalog/connect/{*name}", "GET /v1/catalog/connect/hidden-service", "", NONE),
    ("/v1/health/node/", "GET /v1/health/node/", "", Wrong),
    ("/v1/health/node/{*name}", "GET /v1/health/node/hidden-node", "", NONE),
    ("/v1/health/checks/", "GET /v1/health/checks/", "", Wrong),
    ("/v1/health/checks/{*name}", "GET /v1/health/checks/hidden-service", "", NONE),
    ("/v1/health/service/", "GET /v1/health/service/", "", Wrong),
    ("/v1/health/service/{*name}", "GET /v1/health/service/hidden-service", "", NONE),
    ("/v1/health/state/", "GET /v1/health/state/", "", Wrong),
    ("/v1/health/state/{*name}", "GET /v1/health/state/any", "", NONE),
    // Who asks for the first management token bears none; here there is one already.
    ("/v1/acl/bootstrap", "PUT /v1/acl/bootstrap", "", Refused(403, "no longer allowed")),
    ("/v1/acl/replication", "GET /v1/acl/replication", "", Open),
    (
        "/v1/internal/acl/authorize",
        "POST /v1/internal/acl/authorize",
        AUTHORIZE,
        Holds(200, r#""Allow":false"#),
    ),
    ("/v1/acl/tokens", "GET /v1/acl/tokens", "", Denied),
    ("/v1/acl/token", "PUT /v1/acl/token", "{}", Denied),
    ("/v1/acl/token/self", "GET /v1/acl/token/self", "", Refused(403, "token does not exist")),
    ("/v1/acl/token/", "GET /v1/acl/token/", "", Wrong),
    ("/v1/acl/token/", "PUT /v1/acl/token/", "{}", Denied),
    ("/v1/acl/token/", "DELETE /v1/acl/token/", "", Wrong),
    ("/v1/acl/token/{*name}", "GET /v1/acl/token/x", "", Denied),
    ("/v1/acl/token/{*name}", "GET /v1/acl/token/x?stale&index=1&wait=1ms", "", Denied),
    ("/v1/acl/token/{*name}", "PUT /v1/acl/token/x", "{}", Denied),
    ("/v1/acl/token/{*name}", "PUT /v1/acl/token/x/clone", "{}", Denied),
    ("/v1/acl/token/{*name}", "DELETE /v1/acl/token/x", "", Denied),
    ("/v1/acl/policies", "GET /v1/acl/policies", "", Denied),
    ("/v1/acl/policy", "PUT /v1/acl/policy", "{}", Denied),
    ("/v1/acl/policy/", "GET /v1/acl/policy/", "", Wrong),
    ("/v1/acl/policy/", "PUT /v1/acl/policy/", "{}", Denied),
    ("/v1/acl/policy/", "DELETE /v1/acl/policy/", "", Wrong),
    ("/v1/acl/policy/{*name}", "GET /v1/acl/policy/x", "", Denied),
    ("/v1/acl/policy/{*name}", "PUT /v1/acl/policy/x", "{}", Denied),
    ("/v1/acl/policy/{*name}", "DELETE /v1/acl/policy/x", "", Denied),
    ("/v1/acl/policy/name/", "GET /v1/acl/policy/name/", "", Wrong),
    ("/v1/acl/policy/name/{*name}", "GET /v1/acl/policy/name/x", "", Denied),
    ("/v1/acl/roles", "GET /v1/acl/roles", "", Denied),
    ("/v1/acl/role", "PUT /v1/acl/role", "{}", Denied),
    ("/v1/acl/role/", "GET /v1/acl/role/", "", Wrong),
    ("/v1/acl/role/", "PUT /v1/acl/role/", "{}", Denied),
    ("/v1/acl/role/", "DELETE /v1/acl/role/", "", Wrong),
    ("/v1/acl/role/{*name}", "GET /v1/acl/role/x", "", Denied),
    ("/v1/acl/role/{*name}", "PUT /v1/acl/role/x", "{}", Denied),
    ("/v1/acl/role/{*name}", "DELETE /v1/acl/role/x", "", Denied),
    ("/v1/acl/role/name/", "GET /v1/acl/role/name/", "", Wrong),
    ("/v1/acl/role/name/{*name}", "GET /v1/acl/role/name/x", "", Denied),
];

const AUTHORIZE: &str = r#"[{"Resource":"key","Segment":"k","Access":"read"}]"#;

const REGISTRATION: &str = r#"{"Node":"hidden-node","Address":"10.0.0.1",
    "Service":{"Service":"hidden-service","Port":80,"Connect":{"Native":true}},
    "Checks":[{"CheckID":"hidden-check"},{"CheckID":"of-service","ServiceID":"hidden-service"}]}"#;

/// A server that has one of everything. Returns the id of its session, too.
async fn filled() -> (Server, String) {
    let server = Server::guarded(|_| {}).await;
    server.put("hidden/key", "hidden-value").await;
    server.send("PUT /v1/catalog/register", REGISTRATION).await.check(200, "true");
    let asked = r#"{"Node":"hidden-node","NodeChecks":[],"TTL":"1h"}"#;
    let created = server.send("PUT /v1/session/create", asked).await;
    let created: serde_json::Value = serde_json::from_slice(&created.body).unwrap();
    (server, created["ID"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn without_a_token_nothing_is_shown_and_nothing_changed() {
    let (server, session) = filled().await;
    let (anonymous, before) = (server.anonymous(), server.digest());
    for (_, request, body, expected) in CASES {
        let fill = |text: &str| text.replace("{session}", &session);
        let answer = anonymous.send(&fill(request), fill(body)).await;
        check(request, &answer, *expected);
        assert_eq!(answer.header("x-consul-default-acl-policy"), "deny", "{request}");
        assert_eq!(answer.header("x-consul-results-filtered-by-acls"), "", "{request}");
    }
    assert_eq!(server.digest(), before);
    // With every right there was something to be shown.
    assert!(server.get("/v1/kv/hidden?recurse").await.text().contains("hidden/key"));
    assert!(server.get("/v1/catalog/connect/hidden-service").await.text().contains("hidden-node"));
}

fn check(request: &str, answer: &Answer, expected: Expected) {
    let (status, text) = (answer.status.as_u16(), answer.text());
    match expected {
        Denied => return answer.check_denied(),
        Wrong => assert_eq!(status, 400, "{request}: {text}"),
        Empty(code, body) => assert_eq!((status, text), (code, body), "{request}"),
        Holds(code, part) | Refused(code, part) => {
            assert_eq!(status, code, "{request}: {text}");
            assert!(text.contains(part), "{request}: {text}");
        }
        Open => assert_eq!(status, 200, "{request}: {text}"),
    }
    // A refusal may name what was asked for.
    assert!(status != 200 || !text.contains("hidden"), "{request}: {text}");
}

#[tokio::test]
async fn a_token_that_nobody_has_is_refused_wherever_rights_are_asked_about() {
    let (server, session) = filled().await;
    let unknown = server.bearing("00000009-0000-4000-8000-000000000009");
    for (_, request, body, expected) in CASES {
        let fill = |text: &str| text.replace("{session}", &session);
        match expected {
            Wrong | Open | Refused(..) => {}
            _ => unknown.send(&fill(request), fill(body)).await.check(403, "ACL not found"),
        }
    }
}

#[tokio::test]
async fn every_route_and_method_is_listed_here() {
    let server = Server::start().await;
    let paths = server.served_paths();
    for path in &paths {
        let asked = path.split('{').next().unwrap().to_owned() + if path.contains('{') { "x" } else { "" };
        let options = server.send(&format!("OPTIONS {asked}"), Body::empty()).await;
        for method in options.header("allow").split(',').filter(|method| *method != "OPTIONS") {
            let is_case = |(pattern, request, ..): &&(&str, &str, &str, Expected)| {
                pattern == path && request.starts_with(&format!("{method} "))
            };
            let is_listed = CASES.iter().any(|case| is_case(&case));
            assert!(is_listed, "{method} {path}: what is answered without a token?");
        }
    }
    for (pattern, ..) in CASES {
        assert!(paths.iter().any(|path| path == pattern), "{pattern} is served no more");
    }
}
