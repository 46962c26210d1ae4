//! Tokens, policies and roles: what the golden answers don't show.

use std::path::PathBuf;

use archive::consul::{AclToken, kinds};
use archive::msgpack::Time;
use archive::testing::Builder;
use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::server::{Answer, MANAGEMENT, Server};

const BOOTSTRAP: &str = "PUT /v1/acl/bootstrap";
const OWN: &str = "4a0b1c5e-7a3f-4c1f-9c59-0b2b0f0d8a11";

impl Server {
    /// Sends a request as the bearer of a secret.
    async fn send_as(&self, secret: &str, request: &str, body: impl Into<Body>) -> Answer {
        self.bearing(secret).send(request, body).await
    }

    /// What was created.
    #[track_caller]
    fn made(answer: &Answer) -> Value {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    async fn token(&self, asked: Value) -> Value {
        Server::made(&self.send("PUT /v1/acl/token", asked.to_string()).await)
    }

    async fn policy(&self, name: &str, rules: &str) -> Value {
        let asked = json!({"Name": name, "Rules": rules});
        Server::made(&self.send("PUT /v1/acl/policy", asked.to_string()).await)
    }

    fn reset_file(&self) -> PathBuf {
        self.node.settings().data_dir.join("acl-bootstrap-reset")
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} of {value}")).to_owned()
}

/// The accessors in a list of tokens.
fn accessors(answer: &Answer) -> Vec<String> {
    Server::made(answer).as_array().unwrap().iter().map(|token| text(token, "AccessorID")).collect()
}

/// The index that a refused bootstrap asks for.
fn reset_index(refused: &Answer) -> String {
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let prefix = "Permission denied: ACL bootstrap no longer allowed (reset index: ";
    let index = refused.text().strip_prefix(prefix).and_then(|rest| rest.strip_suffix(')'));
    index.unwrap_or_else(|| panic!("{}", refused.text())).to_owned()
}

#[tokio::test]
async fn without_access_control_every_endpoint_says_so() {
    let server = Server::start().await;
    for request in [
        BOOTSTRAP,
        "GET /v1/acl/tokens",
        "PUT /v1/acl/token",
        "GET /v1/acl/token/self",
        "DELETE /v1/acl/policy/x",
        "GET /v1/acl/role/name/x",
        "GET /v1/acl/replication",
        "POST /v1/internal/acl/authorize",
    ] {
        server.send(request, "{").await.check(401, "ACL support disabled");
    }
}

#[tokio::test]
async fn a_cluster_is_bootstrapped_once() {
    let server = Server::unbootstrapped().await;
    let token = Server::made(&server.send(BOOTSTRAP, "").await);
    assert_eq!(token["ID"], token["SecretID"]);
    assert_eq!(token["Policies"][0]["Name"], "global-management");
    let secret = text(&token, "SecretID");
    assert_eq!(server.send_as(&secret, "GET /v1/acl/tokens", "").await.status, StatusCode::OK);
    reset_index(&server.send(BOOTSTRAP, "").await);
    let asked = json!({"BootstrapSecret": OWN}).to_string();
    reset_index(&server.send(BOOTSTRAP, asked).await);
}

#[tokio::test]
async fn a_bootstrap_takes_a_secret_that_is_a_uuid() {
    let server = Server::unbootstrapped().await;
    let asked = |secret: &str| json!({"bootstrapsecret": secret}).to_string();
    server.send(BOOTSTRAP, asked("root")).await.check(500, "uuid string is wrong length");
    let token = Server::made(&server.send(BOOTSTRAP, asked(OWN)).await);
    assert_eq!(token["SecretID"], OWN);
}

#[tokio::test]
async fn the_operators_file_reopens_the_bootstrap_once() {
    let server = Server::unbootstrapped().await;
    let lost = Server::made(&server.send(BOOTSTRAP, "").await);
    let index = reset_index(&server.send(BOOTSTRAP, "").await);

    std::fs::write(server.reset_file(), "1").unwrap();
    let wrong = format!("Invalid bootstrap reset index (specified 1, reset index: {index})");
    server.send(BOOTSTRAP, "").await.check(500, &wrong);
    for rubbish in ["many", "", "\u{fffd}"] {
        std::fs::write(server.reset_file(), rubbish).unwrap();
        assert_eq!(reset_index(&server.send(BOOTSTRAP, "").await), index);
    }

    std::fs::write(server.reset_file(), format!("{index}\n")).unwrap();
    let found = Server::made(&server.send(BOOTSTRAP, "").await);
    assert!(!server.reset_file().exists());
    for token in [&lost, &found] {
        let secret = text(token, "SecretID");
        assert_eq!(server.send_as(&secret, "GET /v1/acl/tokens", "").await.status, StatusCode::OK);
    }
    assert_ne!(reset_index(&server.send(BOOTSTRAP, "").await), index);
}

#[tokio::test]
async fn a_file_that_was_not_needed_is_gone_after_the_first_bootstrap() {
    let server = Server::unbootstrapped().await;
    std::fs::write(server.reset_file(), "7").unwrap();
    Server::made(&server.send(BOOTSTRAP, "").await);
    assert!(!server.reset_file().exists());
}

#[tokio::test]
async fn a_restore_brings_back_whether_the_cluster_was_bootstrapped() {
    let (source, target) = (Server::unbootstrapped().await, Server::guarded(|_| {}).await);
    let secret = text(&Server::made(&source.send(BOOTSTRAP, "").await), "SecretID");
    let archive = source.send_as(&secret, "GET /v1/snapshot", "").await.body;
    let index = reset_index(&source.send(BOOTSTRAP, "").await);
    target.send("PUT /v1/snapshot", archive).await.check(200, "");
    assert_eq!(reset_index(&target.send(BOOTSTRAP, "").await), index);
    assert_eq!(target.send_as(&secret, "GET /v1/acl/token/self", "").await.status, StatusCode::OK);

    // An archive of a cluster without tokens reopens it.
    target.send_as(&secret, "PUT /v1/snapshot", Builder::new(5).archive()).await.check(200, "");
    target.send_as(&secret, "GET /v1/acl/tokens", "").await.check(403, "ACL not found");
}

#[tokio::test]
async fn a_token_can_be_given_its_ids() {
    let server = Server::guarded(|_| {}).await;
    let accessor = "9d0b1c5e-7a3f-4c1f-9c59-0b2b0f0d8a22";
    let asked = json!({"AccessorID": accessor, "SecretID": OWN, "Description": "d"});
    let token = server.token(asked.clone()).await;
    assert_eq!((text(&token, "AccessorID"), text(&token, "SecretID")), (accessor.into(), OWN.into()));
    let again = server.send("PUT /v1/acl/token", asked.to_string()).await;
    again.check(500, "Invalid Token: AccessorID is already in use");
    let read = server.send_as(OWN, "GET /v1/acl/token/self", "").await;
    assert_eq!(Server::made(&read), token);
    assert_eq!(read.index(), token["ModifyIndex"].as_u64().unwrap());
}

#[tokio::test]
async fn a_clone_has_the_rights_of_its_source() {
    let server = Server::guarded(|_| {}).await;
    let policy = server.policy("p", "key_prefix \"\" { policy = \"write\" }").await;
    let source =
        server.token(json!({"Policies": [{"Name": "p"}], "Description": "one", "Local": true})).await;
    let path = format!("PUT /v1/acl/token/{}/clone", text(&source, "AccessorID"));
    let copy = Server::made(&server.send(&path, r#"{"description": "other"}"#).await);
    assert_eq!(copy["Policies"], json!([{"ID": policy["ID"], "Name": "p"}]));
    assert_eq!((&copy["Description"], &copy["Local"]), (&json!("other"), &json!(true)));
    assert_ne!(copy["SecretID"], source["SecretID"]);
    let copy = Server::made(&server.send(&path, "{}").await);
    assert_eq!(copy["Description"], "one");
}

#[tokio::test]
async fn an_update_keeps_the_secret_and_changes_the_rest() {
    let server = Server::guarded(|_| {}).await;
    server.policy("p", "").await;
    let token = server.token(json!({"Description": "one"})).await;
    let path = format!("PUT /v1/acl/token/{}", text(&token, "AccessorID"));
    let asked = json!({"Description": "two", "Policies": [{"Name": "p"}]}).to_string();
    let updated = Server::made(&server.send(&path, asked).await);
    assert_eq!((&updated["SecretID"], &updated["Description"]), (&token["SecretID"], &json!("two")));
    assert_eq!(
        (&updated["CreateTime"], &updated["CreateIndex"]),
        (&token["CreateTime"], &token["CreateIndex"])
    );
    let other = json!({"SecretID": OWN}).to_string();
    server.send(&path, other).await.check(500, "Changing a token's SecretID is not permitted");
    let mismatch = json!({"AccessorID": OWN}).to_string();
    let answer = server.send(&path, mismatch).await;
    answer.check(400, "Token Accessor ID in URL and payload do not match");
}

#[tokio::test]
async fn a_token_that_expires_says_when() {
    let server = Server::guarded(|_| {}).await;
    let token = server.token(json!({"expirationTTL": "90s"})).await;
    assert_eq!(token.get("ExpirationTTL"), None);
    let instant = |field| text(&token, field).parse::<jiff::Timestamp>().unwrap();
    let life = instant("ExpirationTime").duration_since(instant("CreateTime"));
    assert_eq!(life.as_millis(), 90_000);
    let soon = server.send("PUT /v1/acl/token", r#"{"ExpirationTTL": 1000000000}"#).await;
    soon.check(500, "ExpirationTime cannot be less than 1m0s in the future (was 1s)");
}

#[tokio::test]
async fn an_expired_token_is_none() {
    let server = Server::guarded(|_| {}).await;
    let archive = Server::made(&server.send("GET /v1/acl/token/self", "").await);
    assert_eq!(archive["SecretID"], MANAGEMENT);
    let root = |accessor: &str, secret: &str, expires: Option<Time>| AclToken {
        accessor_id: accessor.into(),
        secret_id: secret.into(),
        service_identities: None,
        templated_policies: Some(vec![archive::consul::TemplatedPolicy {
            template_name: "builtin/nomad-server".into(),
            ..Default::default()
        }]),
        expiration_time: expires,
        ..AclToken::default()
    };
    let (living, expired) = ("11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222");
    let archive = Builder::new(9)
        .record(kinds::ACL_TOKEN, root(living, MANAGEMENT, None).encode())
        .record(kinds::ACL_TOKEN, root(expired, OWN, Some(Time::from_unix(1_700_000_000, 5))).encode())
        .archive();
    server.send("PUT /v1/snapshot", archive).await.check(200, "");
    let gone = "token has expired: ACL not found";
    server.send(&format!("GET /v1/acl/token/{expired}"), "").await.check(403, gone);
    server.send_as(OWN, "GET /v1/acl/token/self", "").await.check(403, gone);
    server.send_as(OWN, "GET /v1/acl/tokens", "").await.check(403, "ACL not found");
    assert!(!accessors(&server.send("GET /v1/acl/tokens", "").await).contains(&expired.to_owned()));
}

#[tokio::test]
async fn a_token_cannot_delete_itself() {
    let server = Server::guarded(|_| {}).await;
    let token = server.token(json!({"Policies": [{"Name": "global-management"}]})).await;
    let path = format!("DELETE /v1/acl/token/{}", text(&token, "AccessorID"));
    let own = server.send_as(&text(&token, "SecretID"), &path, "").await;
    own.check(500, "Deletion of the request's authorization token is not permitted");
    server.send(&path, "").await.check(200, "true");
    server.send(&path, "").await.check(404, "Cannot find token to delete");
}

#[tokio::test]
async fn rules_that_are_none_are_refused() {
    let server = Server::guarded(|_| {}).await;
    let asked = json!({"Name": "p", "Rules": "key_prefix \"\" { policy = \"dance\" }"}).to_string();
    let refused = server.send("PUT /v1/acl/policy", asked).await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(refused.text().starts_with("Invalid key_prefix policy: "), "{}", refused.text());
    let asked = json!({"Name": "p", "Rules": "key \"a\" {"}).to_string();
    let refused = server.send("PUT /v1/acl/policy", asked).await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(refused.text().starts_with("Failed to parse ACL rules: "), "{}", refused.text());
    server
        .send("GET /v1/acl/policy/name/p", "")
        .await
        .check(404, "Requested policy does not exist: ACL not found");
}

#[tokio::test]
async fn a_policy_gives_its_rights_until_it_is_deleted() {
    let server = Server::guarded(|_| {}).await;
    let policy = server.policy("keys", "key_prefix \"\" { policy = \"write\" }").await;
    let secret = text(&server.token(json!({"Policies": [{"ID": policy["ID"]}]})).await, "SecretID");
    let question = r#"[{"Resource": "key", "Segment": "a", "Access": "write"}]"#;
    let authorize = "POST /v1/internal/acl/authorize";
    let allowed = |allow| json!([{"Resource": "key", "Segment": "a", "Access": "write", "Allow": allow}]);
    assert_eq!(Server::made(&server.send_as(&secret, authorize, question).await), allowed(true));
    let path = format!("DELETE /v1/acl/policy/{}", text(&policy, "ID"));
    server.send(&path, "").await.check(200, "true");
    assert_eq!(Server::made(&server.send_as(&secret, authorize, question).await), allowed(false));
    assert_eq!(
        Server::made(&server.send_as(&secret, "GET /v1/acl/token/self", "").await).get("Policies"),
        None
    );
    server.send(&path, "").await.check(404, "Cannot find policy to delete");
}

#[tokio::test]
async fn links_bear_the_names_that_things_have_now() {
    let server = Server::guarded(|_| {}).await;
    let policy = server.policy("old", "").await;
    let asked = json!({"Name": "r", "Policies": [{"Name": "old"}]}).to_string();
    let role = Server::made(&server.send("PUT /v1/acl/role", asked).await);
    let token = server.token(json!({"Policies": [{"Name": "old"}], "Roles": [{"Name": "r"}]})).await;
    let path = format!("PUT /v1/acl/policy/{}", text(&policy, "ID"));
    Server::made(&server.send(&path, r#"{"Name": "new"}"#).await);
    let path = format!("PUT /v1/acl/role/{}", text(&role, "ID"));
    let asked = json!({"ID": role["ID"], "Name": "q", "Policies": role["Policies"]}).to_string();
    let role = Server::made(&server.send(&path, asked).await);
    assert_eq!(role["Policies"], json!([{"ID": policy["ID"], "Name": "new"}]));
    let path = format!("GET /v1/acl/token/{}", text(&token, "AccessorID"));
    let token = Server::made(&server.send(&path, "").await);
    assert_eq!(token["Policies"], json!([{"ID": policy["ID"], "Name": "new"}]));
    assert_eq!(token["Roles"], json!([{"ID": role["ID"], "Name": "q"}]));
}

#[tokio::test]
async fn tokens_are_listed_by_what_they_link_to() {
    let server = Server::guarded(|_| {}).await;
    let policy = text(&server.policy("p", "").await, "ID");
    let asked = json!({"Name": "r", "Policies": [{"ID": policy}]}).to_string();
    let role = text(&Server::made(&server.send("PUT /v1/acl/role", asked).await), "ID");
    let of_policy = text(&server.token(json!({"Policies": [{"ID": policy}]})).await, "AccessorID");
    let of_role = text(&server.token(json!({"Roles": [{"ID": role}]})).await, "AccessorID");
    let of_service =
        text(&server.token(json!({"ServiceIdentities": [{"ServiceName": "web"}]})).await, "AccessorID");
    for (filter, expected) in [
        (format!("policy={policy}"), vec![of_policy]),
        (format!("role={role}"), vec![of_role]),
        ("servicename=web".to_owned(), vec![of_service]),
        ("authmethod=k8s".to_owned(), vec![]),
    ] {
        let listed = server.send(&format!("GET /v1/acl/tokens?{filter}"), "").await;
        assert_eq!(accessors(&listed), expected, "{filter}");
    }
    let both = server.send("GET /v1/acl/tokens?policy=a&role=b", "").await;
    both.check(500, "can only filter by one of policy, role, serviceName, or methodName at a time");
    let roles = Server::made(&server.send(&format!("GET /v1/acl/roles?policy={policy}"), "").await);
    assert_eq!(roles[0]["ID"], role);
    server.send(&format!("GET /v1/acl/roles?policy={OWN}"), "").await.check(200, "[]");
}

#[tokio::test]
async fn who_may_only_read_sees_no_secrets_and_changes_nothing() {
    let server = Server::guarded(|_| {}).await;
    server.policy("reader", "acl = \"read\"").await;
    let token = server.token(json!({"Policies": [{"Name": "reader"}]})).await;
    let (accessor, secret) = (text(&token, "AccessorID"), text(&token, "SecretID"));
    let path = format!("GET /v1/acl/token/{accessor}");
    assert_eq!(Server::made(&server.send_as(&secret, &path, "").await)["SecretID"], "<hidden>");
    let listed = Server::made(&server.send_as(&secret, "GET /v1/acl/tokens", "").await);
    assert!(listed.as_array().unwrap().iter().all(|token| token["SecretID"] == "<hidden>"), "{listed}");
    let own = Server::made(&server.send_as(&secret, "GET /v1/acl/token/self", "").await);
    assert_eq!(own["SecretID"], secret);
    let refused =
        format!("Permission denied: token with AccessorID '{accessor}' lacks permission 'acl:write'");
    for (request, body) in [
        ("PUT /v1/acl/token", "{}"),
        ("PUT /v1/acl/token/x", "{}"),
        ("PUT /v1/acl/token/x/clone", "{}"),
        ("DELETE /v1/acl/token/x", ""),
        ("PUT /v1/acl/policy", "{}"),
        ("PUT /v1/acl/policy/x", "{}"),
        ("DELETE /v1/acl/policy/x", ""),
        ("PUT /v1/acl/role", "{}"),
        ("PUT /v1/acl/role/x", "{}"),
        ("DELETE /v1/acl/role/x", ""),
    ] {
        server.send_as(&secret, request, body).await.check(403, &refused);
    }
}

#[tokio::test]
async fn whoever_has_no_token_sees_nothing() {
    let server = Server::guarded(|_| {}).await;
    let refused = "Permission denied: anonymous token lacks permission 'acl:read'. The anonymous token is used \
                   implicitly when a request does not specify a token.";
    for path in
        ["tokens", "token/x", "policies", "policy/x", "policy/name/x", "roles", "role/x", "role/name/x"]
    {
        let stranger = server.anonymous();
        stranger.get(&format!("/v1/acl/{path}")).await.check(403, refused);
        // Not even after a wait.
        stranger.get(&format!("/v1/acl/{path}?index=1000000")).await.check(403, refused);
        server.send_as(OWN, &format!("GET /v1/acl/{path}"), "").await.check(403, "ACL not found");
    }
    for secret in ["", OWN] {
        let own = server.send_as(secret, "GET /v1/acl/token/self", "").await;
        own.check(403, "token does not exist: ACL not found");
    }
}

#[tokio::test]
async fn a_list_waits_for_the_next_change() {
    let server = Server::guarded(|_| {}).await;
    let index = server.send("GET /v1/acl/tokens", "").await.index();
    let waiting = format!("GET /v1/acl/tokens?index={index}&wait=1m");
    let (listed, made) = tokio::join!(server.send(&waiting, ""), server.token(json!({"Description": "new"})));
    assert!(accessors(&listed).contains(&text(&made, "AccessorID")));
    assert!(listed.index() > index);
}

#[tokio::test]
async fn only_questions_that_can_be_answered_are() {
    let server = Server::guarded(|_| {}).await;
    let authorize = "POST /v1/internal/acl/authorize";
    server.send(authorize, "[]").await.check(200, "[]");
    let answer = server.send(authorize, r#"[{"Resource":"cat","Access":"read"}]"#).await;
    answer.check(400, r#"Invalid ACL resource requested: "cat""#);
    let answer = server.send(authorize, r#"[{"Resource":"acl","Access":"list"}]"#).await;
    answer.check(400, "Invalid access level for acl resource: list");
    let many = format!("[{}]", vec![r#"{"Resource":"acl","Access":"read"}"#; 65].join(","));
    let answer = server.send(authorize, many).await;
    answer.check(400, "Refusing to process more than 64 authorizations at once");
    server.send(authorize, "").await.check(400, "Failed to decode request body: EOF");
}
