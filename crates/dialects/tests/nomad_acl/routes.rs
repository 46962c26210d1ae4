//! Whoever bears no token is shown nothing and changes nothing, whatever is asked. A route that is not listed here
//! fails the test.

use axum::body::Body;

use super::server::{Answer, Server};

/// What an answer must be.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// A refusal for want of a right.
    Denied,
    /// A refusal before anyone asks about rights.
    Wrong,
    /// An answer in which nothing is left.
    Nothing,
    /// A refusal that no right averts: status and a part of the body.
    Refused(u16, &'static str),
    /// What everyone may know.
    Open,
}

use Expected::{Denied, Nothing, Open, Refused, Wrong};

const TOKEN: &str = r#"{"Type":"management"}"#;
const POLICY: &str = r#"{"Name":"hidden","Rules":""}"#;
const ROLE: &str = r#"{"Name":"new","Policies":[{"Name":"hidden"}]}"#;
const VARIABLE: &str = r#"{"Path":"hidden","Items":{"hidden":"hidden"}}"#;
const JOB: &str = r#"{"Job":{"ID":"hidden","Name":"hidden","Type":"service","Datacenters":["dc1"],"TaskGroups":[
    {"Name":"g","Tasks":[{"Name":"t","Driver":"raw_exec","Config":{"command":"true"}}]}]}}"#;
const ONE_TIME: &str = r#"{"OneTimeSecretID":"5ec2e700-0000-4000-8000-000000000009"}"#;
const NAMESPACE: &str = r#"{"Name":"hidden"}"#;

/// Patterns of paths, requests that they match, their bodies, and what is answered. `{token}` and `{role}` stand
/// for ids.
const CASES: &[(&str, &str, &str, Expected)] = &[
    ("/v1/operator/snapshot", "GET /v1/operator/snapshot", "", Denied),
    ("/v1/operator/snapshot", "GET /v1/operator/snapshot?stale", "", Denied),
    ("/v1/operator/snapshot", "PUT /v1/operator/snapshot", "x", Denied),
    ("/v1/operator/snapshot", "POST /v1/operator/snapshot", "x", Denied),
    ("/v1/operator/raft/configuration", "GET /v1/operator/raft/configuration", "", Denied),
    ("/v1/operator/raft/configuration", "GET /v1/operator/raft/configuration?stale", "", Denied),
    ("/v1/operator/keyring/keys", "GET /v1/operator/keyring/keys", "", Denied),
    ("/v1/operator/keyring/rotate", "PUT /v1/operator/keyring/rotate", "", Denied),
    ("/v1/operator/keyring/rotate", "PUT /v1/operator/keyring/rotate?full", "", Denied),
    ("/v1/operator/keyring/rotate", "POST /v1/operator/keyring/rotate", "", Denied),
    ("/v1/operator/keyring/key/", "DELETE /v1/operator/keyring/key/", "", Denied),
    ("/v1/operator/keyring/key/{*name}", "DELETE /v1/operator/keyring/key/x?force=true", "", Denied),
    ("/v1/status/leader", "GET /v1/status/leader", "", Open),
    ("/v1/status/peers", "GET /v1/status/peers", "", Open),
    ("/v1/regions", "GET /v1/regions", "", Open),
    ("/v1/agent/self", "GET /v1/agent/self", "", Denied),
    ("/v1/agent/members", "GET /v1/agent/members", "", Denied),
    ("/v1/agent/health", "GET /v1/agent/health", "", Open),
    ("/v1/namespaces", "GET /v1/namespaces", "", Nothing),
    ("/v1/namespace", "PUT /v1/namespace", NAMESPACE, Denied),
    ("/v1/namespace", "POST /v1/namespace", NAMESPACE, Denied),
    ("/v1/namespace/", "GET /v1/namespace/", "", Wrong),
    ("/v1/namespace/", "PUT /v1/namespace/", NAMESPACE, Wrong),
    ("/v1/namespace/", "POST /v1/namespace/", NAMESPACE, Wrong),
    ("/v1/namespace/", "DELETE /v1/namespace/", "", Wrong),
    ("/v1/namespace/{*name}", "GET /v1/namespace/hidden", "", Denied),
    ("/v1/namespace/{*name}", "GET /v1/namespace/hidden?stale&index=1&wait=1ms", "", Denied),
    ("/v1/namespace/{*name}", "PUT /v1/namespace/hidden", NAMESPACE, Denied),
    ("/v1/namespace/{*name}", "POST /v1/namespace/hidden", NAMESPACE, Denied),
    ("/v1/namespace/{*name}", "DELETE /v1/namespace/hidden", "", Denied),
    ("/v1/vars", "GET /v1/vars", "", Nothing),
    ("/v1/vars", "GET /v1/vars?namespace=*", "", Nothing),
    ("/v1/var/", "GET /v1/var/", "", Wrong),
    ("/v1/var/", "PUT /v1/var/", VARIABLE, Wrong),
    ("/v1/var/", "POST /v1/var/", VARIABLE, Wrong),
    ("/v1/var/", "DELETE /v1/var/", "", Wrong),
    ("/v1/var/{*name}", "GET /v1/var/hidden", "", Denied),
    ("/v1/var/{*name}", "GET /v1/var/missing", "", Denied),
    ("/v1/var/{*name}", "PUT /v1/var/hidden", VARIABLE, Denied),
    ("/v1/var/{*name}", "PUT /v1/var/hidden?cas=1", VARIABLE, Denied),
    ("/v1/var/{*name}", "PUT /v1/var/hidden?lock-acquire", VARIABLE, Denied),
    ("/v1/var/{*name}", "POST /v1/var/hidden", VARIABLE, Denied),
    ("/v1/var/{*name}", "DELETE /v1/var/hidden", "", Denied),
    ("/v1/jobs", "GET /v1/jobs", "", Denied),
    ("/v1/jobs", "GET /v1/jobs?namespace=*", "", Denied),
    ("/v1/jobs", "PUT /v1/jobs", JOB, Denied),
    ("/v1/jobs", "POST /v1/jobs", JOB, Denied),
    ("/v1/job/", "GET /v1/job/", "", Denied),
    ("/v1/job/", "PUT /v1/job/", JOB, Wrong),
    ("/v1/job/", "POST /v1/job/", JOB, Wrong),
    ("/v1/job/", "DELETE /v1/job/", "", Refused(500, "missing job ID")),
    ("/v1/job/{*name}", "GET /v1/job/hidden", "", Denied),
    ("/v1/job/{*name}", "GET /v1/job/hidden/versions", "", Denied),
    ("/v1/job/{*name}", "GET /v1/job/hidden/summary", "", Denied),
    ("/v1/job/{*name}", "GET /v1/job/hidden/submission?version=0", "", Denied),
    ("/v1/job/{*name}", "GET /v1/job/hidden/allocations", "", Denied),
    ("/v1/job/{*name}", "GET /v1/job/hidden/scale", "", Denied),
    ("/v1/job/{*name}", "GET /v1/job/hidden/actions", "", Denied),
    ("/v1/job/{*name}", "GET /v1/job/hidden/services", "", Denied),
    ("/v1/job/{*name}", "PUT /v1/job/hidden/revert", r#"{"JobID":"hidden","JobVersion":0}"#, Denied),
    ("/v1/job/{*name}", "PUT /v1/job/hidden/stable", r#"{"JobID":"hidden","JobVersion":0}"#, Denied),
    ("/v1/job/{*name}", "PUT /v1/job/hidden/scale", r#"{"Target":{"Group":"g"},"Count":3}"#, Denied),
    ("/v1/job/{*name}", "PUT /v1/job/hidden/dispatch", "{}", Denied),
    ("/v1/job/{*name}", "PUT /v1/job/hidden/dispatch/payload", "x", Denied),
    ("/v1/job/{*name}", "PUT /v1/job/hidden/periodic/force", "", Denied),
    ("/v1/job/{*name}", "PUT /v1/job/hidden/versions/x/tag", r#"{"Version":0}"#, Denied),
    ("/v1/job/{*name}", "DELETE /v1/job/hidden/versions/x/tag", "", Denied),
    ("/v1/job/{*name}", "PUT /v1/job/hidden", JOB, Denied),
    ("/v1/job/{*name}", "POST /v1/job/hidden", JOB, Denied),
    ("/v1/job/{*name}", "DELETE /v1/job/hidden?purge=true", "", Denied),
    ("/v1/validate/job", "PUT /v1/validate/job", JOB, Denied),
    ("/v1/validate/job", "POST /v1/validate/job", JOB, Denied),
    ("/v1/scaling/policies", "GET /v1/scaling/policies", "", Denied),
    ("/v1/scaling/policies", "GET /v1/scaling/policies?namespace=*", "", Nothing),
    ("/v1/scaling/policy/", "GET /v1/scaling/policy/", "", Denied),
    ("/v1/scaling/policy/{*name}", "GET /v1/scaling/policy/missing", "", Denied),
    // Who asks for the first management token bears none; here there is one already.
    ("/v1/acl/bootstrap", "PUT /v1/acl/bootstrap", "", Refused(400, "already done")),
    ("/v1/acl/bootstrap", "POST /v1/acl/bootstrap", "", Refused(400, "already done")),
    ("/v1/acl/tokens", "GET /v1/acl/tokens", "", Denied),
    ("/v1/acl/token", "PUT /v1/acl/token", TOKEN, Denied),
    ("/v1/acl/token", "POST /v1/acl/token", TOKEN, Denied),
    ("/v1/acl/token/self", "GET /v1/acl/token/self", "", Open),
    ("/v1/acl/token/onetime", "PUT /v1/acl/token/onetime", "", Denied),
    ("/v1/acl/token/onetime", "POST /v1/acl/token/onetime", "", Denied),
    ("/v1/acl/token/onetime/exchange", "PUT /v1/acl/token/onetime/exchange", ONE_TIME, Denied),
    ("/v1/acl/token/onetime/exchange", "POST /v1/acl/token/onetime/exchange", ONE_TIME, Denied),
    ("/v1/acl/token/", "GET /v1/acl/token/", "", Wrong),
    ("/v1/acl/token/", "PUT /v1/acl/token/", TOKEN, Wrong),
    ("/v1/acl/token/", "POST /v1/acl/token/", TOKEN, Wrong),
    ("/v1/acl/token/", "DELETE /v1/acl/token/", "", Wrong),
    ("/v1/acl/token/{*name}", "GET /v1/acl/token/{token}", "", Denied),
    ("/v1/acl/token/{*name}", "GET /v1/acl/token/missing", "", Denied),
    ("/v1/acl/token/{*name}", "PUT /v1/acl/token/{token}", r#"{"AccessorID":"{token}"}"#, Denied),
    ("/v1/acl/token/{*name}", "POST /v1/acl/token/{token}", r#"{"AccessorID":"{token}"}"#, Denied),
    ("/v1/acl/token/{*name}", "DELETE /v1/acl/token/{token}", "", Denied),
    ("/v1/acl/policies", "GET /v1/acl/policies", "", Nothing),
    ("/v1/acl/policy/self", "GET /v1/acl/policy/self", "", Denied),
    ("/v1/acl/policy/", "GET /v1/acl/policy/", "", Wrong),
    ("/v1/acl/policy/", "PUT /v1/acl/policy/", POLICY, Wrong),
    ("/v1/acl/policy/", "POST /v1/acl/policy/", POLICY, Wrong),
    ("/v1/acl/policy/", "DELETE /v1/acl/policy/", "", Wrong),
    ("/v1/acl/policy/{*name}", "GET /v1/acl/policy/hidden", "", Denied),
    ("/v1/acl/policy/{*name}", "PUT /v1/acl/policy/hidden", POLICY, Denied),
    ("/v1/acl/policy/{*name}", "POST /v1/acl/policy/hidden", POLICY, Denied),
    ("/v1/acl/policy/{*name}", "DELETE /v1/acl/policy/hidden", "", Denied),
    ("/v1/acl/roles", "GET /v1/acl/roles", "", Nothing),
    ("/v1/acl/role", "PUT /v1/acl/role", ROLE, Denied),
    ("/v1/acl/role", "POST /v1/acl/role", ROLE, Denied),
    ("/v1/acl/role/", "GET /v1/acl/role/", "", Wrong),
    ("/v1/acl/role/", "PUT /v1/acl/role/", ROLE, Wrong),
    ("/v1/acl/role/", "POST /v1/acl/role/", ROLE, Wrong),
    ("/v1/acl/role/", "DELETE /v1/acl/role/", "", Wrong),
    ("/v1/acl/role/{*name}", "GET /v1/acl/role/{role}", "", Denied),
    ("/v1/acl/role/{*name}", "GET /v1/acl/role/name/hidden", "", Denied),
    ("/v1/acl/role/{*name}", "PUT /v1/acl/role/{role}", r#"{"ID":"{role}"}"#, Denied),
    ("/v1/acl/role/{*name}", "POST /v1/acl/role/{role}", r#"{"ID":"{role}"}"#, Denied),
    ("/v1/acl/role/{*name}", "DELETE /v1/acl/role/{role}", "", Denied),
];

/// A server that holds something of everything, and the ids of a token and a role in it.
async fn filled() -> (Server, [String; 2]) {
    let server = Server::guarded().await;
    server.node.initialize().await.unwrap();
    server.send("PUT /v1/namespace", NAMESPACE).await.check(200, "");
    server.send("PUT /v1/acl/policy/hidden", POLICY).await.check(200, "");
    server.send("PUT /v1/var/hidden", VARIABLE).await.check(200, "hidden");
    server.send("PUT /v1/jobs", JOB).await.check(200, "EvalID");
    let role =
        server.send("PUT /v1/acl/role", r#"{"Name":"hidden","Policies":[{"Name":"hidden"}]}"#).await.json();
    let token = server.get("/v1/acl/token/self").await.json();
    (server, [token["AccessorID"].as_str().unwrap().into(), role["ID"].as_str().unwrap().into()])
}

fn fill(text: &str, [token, role]: &[String; 2]) -> String {
    text.replace("{token}", token).replace("{role}", role)
}

#[tokio::test]
async fn without_a_token_nothing_is_shown_and_nothing_changed() {
    let (server, ids) = filled().await;
    let (anonymous, before) = (server.anonymous(), server.digest());
    for (_, request, body, expected) in CASES {
        let answer = anonymous.send(&fill(request, &ids), fill(body, &ids)).await;
        check(request, &answer, *expected);
    }
    assert_eq!(server.digest(), before);
    // With every right there was something to be shown.
    for path in ["/v1/namespaces", "/v1/vars", "/v1/jobs", "/v1/acl/policies", "/v1/acl/roles"] {
        server.get(path).await.check(200, "hidden");
    }
}

fn check(request: &str, answer: &Answer, expected: Expected) {
    let (status, text) = (answer.status.as_u16(), answer.text());
    match expected {
        Denied => assert_eq!((status, text.as_str()), (403, "Permission denied"), "{request}"),
        Wrong => assert_eq!(status, 400, "{request}: {text}"),
        Nothing => assert_eq!((status, text.as_str()), (200, "[]"), "{request}"),
        Refused(code, part) => {
            assert_eq!(status, code, "{request}: {text}");
            assert!(text.contains(part), "{request}: {text}");
        }
        Open => assert_eq!(status, 200, "{request}: {text}"),
    }
    assert!(status != 200 || !text.contains("hidden"), "{request}: {text}");
}

#[tokio::test]
async fn a_token_that_nobody_has_is_refused_wherever_rights_are_asked_about() {
    let (server, ids) = filled().await;
    for secret in ["00000009-0000-4000-8000-000000000009", "hidden"] {
        let unknown = server.bearing(secret);
        for (_, request, body, expected) in CASES {
            if let Denied | Nothing = expected {
                unknown.send(&fill(request, &ids), fill(body, &ids)).await.refuses(403, "Permission denied");
            }
        }
        unknown.get("/v1/acl/token/self").await.refuses(403, "Permission denied");
    }
}

#[tokio::test]
async fn without_access_control_there_is_none() {
    let server = Server::with(false).await;
    for (pattern, request, body, expected) in CASES {
        let answer = server.send(request, *body).await;
        match pattern.strip_prefix("/v1/acl/") {
            Some("token/self") => answer.check(200, "acls-disabled"),
            Some(_) => answer.refuses(400, "ACL support disabled"),
            None if matches!(expected, Denied) => assert_ne!(answer.status, 403, "{request}"),
            None => {}
        }
    }
}

#[tokio::test]
async fn every_route_and_method_is_listed_here() {
    let server = Server::with(true).await;
    let paths = server.served_paths();
    for path in &paths {
        let asked = path.split('{').next().unwrap().to_owned() + if path.contains('{') { "x" } else { "" };
        for method in ["GET", "PUT", "POST", "DELETE"] {
            let is_case = |(pattern, request, ..): &&(&str, &str, &str, Expected)| {
                pattern == path && request.starts_with(&format!("{method} "))
            };
            let is_served = server.send(&format!("{method} {asked}"), Body::empty()).await.status != 405;
            let is_listed = CASES.iter().any(|case| is_case(&case));
            assert_eq!(is_listed, is_served, "{method} {path}: what is answered without a token?");
        }
    }
    for (pattern, ..) in CASES {
        assert!(paths.iter().any(|path| path == pattern), "{pattern} is served no more");
    }
}
