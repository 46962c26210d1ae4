//! One answer for each route, byte for byte, in files under `tests/golden/consul`.
//!
//! `UPDATE_GOLDEN=1 cargo test -p dialects` writes them anew; read the difference before you keep it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use archive::testing::Builder;
use axum::body::Body;
use axum::http::header::CONTENT_LENGTH;
use serde_json::Value;

use super::server::{Answer, MANAGEMENT, Server};

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
    ("txn_node_missing", "PUT /v1/txn", r#"[{"KV":{"Verb":"get","Key":"t"}},{"Node":{"Verb":"get"}}]"#),
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
    ("unserved", "PUT /v1/agent/reload", ""),
    ("unserved_below", "GET /v1/health/ingress/web", ""),
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

/// Nodes, services and their health, on a server of their own.
const CATALOG_STEPS: &[(&str, &str, &str)] = &[
    (
        "catalog_register",
        "PUT /v1/catalog/register",
        r#"{"ID":"40e4a748-2192-161a-0510-9bf59fe950b5","Node":"n1","Address":"10.0.0.1","TaggedAddresses":{"lan":"10.0.0.1"},
            "NodeMeta":{"zone":"a"},"Service":{"ID":"web1","Service":"web","Tags":["v1","blue"],"Address":"10.0.0.9","Port":80,
            "Meta":{"k":"v"},"Weights":{"Passing":10,"Warning":1}},"Checks":[{"CheckID":"alive","Name":"Alive","Status":"passing"},
            {"CheckID":"web1","Name":"Web","Status":"warning","ServiceID":"web1","Definition":{"HTTP":"http://x","Interval":"10s",
            "timeout":1500000000,"TTL":"15s","Zone":1}}]}"#,
    ),
    (
        "catalog_register_proxy",
        "PUT /v1/catalog/register",
        r#"{"node":"n2","address":"10.0.0.2","service":{"kind":"connect-proxy","id":"p1","service":"web-proxy","port":81,
            "proxy":{"destination_service_name":"web","Config":{"a":1,"b":[true,"x"]},"Upstreams":[{"DestinationName":"db",
            "LocalBindPort":9}]}}}"#,
    ),
    ("catalog_register_empty", "PUT /v1/catalog/register", "{}"),
    ("catalog_register_without_address", "PUT /v1/catalog/register", r#"{"Node":"n3"}"#),
    ("catalog_register_bad_id", "PUT /v1/catalog/register", r#"{"Node":"n3","Address":"a","ID":"7"}"#),
    (
        "catalog_register_elsewhere",
        "PUT /v1/catalog/register",
        r#"{"Node":"n","Address":"a","Datacenter":"x"}"#,
    ),
    ("catalog_register_not_json", "PUT /v1/catalog/register", "{"),
    ("catalog_register_unknown_field", "PUT /v1/catalog/register", r#"{"Node":"n","Address":"a","Zone":1}"#),
    ("catalog_register_namespace", "PUT /v1/catalog/register", r#"{"Node":"n","Namespace":"a"}"#),
    ("catalog_register_wrong_type", "PUT /v1/catalog/register", r#"{"Node":"n","Service":{"Port":"80"}}"#),
    ("catalog_register_partition", "PUT /v1/catalog/register?partition=a", "{}"),
    ("catalog_nodes", "GET /v1/catalog/nodes?near=_agent", ""),
    ("catalog_nodes_pretty", "GET /v1/catalog/nodes?pretty&node-meta=zone:a", ""),
    ("catalog_nodes_none", "GET /v1/catalog/nodes?node-meta=zone:a&node-meta=rack:7", ""),
    ("catalog_nodes_filter", "GET /v1/catalog/nodes?filter=Node==n1", ""),
    ("catalog_nodes_namespace", "GET /v1/catalog/nodes?ns=a", ""),
    ("catalog_node", "GET /v1/catalog/node/n1", ""),
    ("catalog_node_missing", "GET /v1/catalog/node/nope", ""),
    ("catalog_node_unnamed", "GET /v1/catalog/node/", ""),
    ("catalog_node_services", "GET /v1/catalog/node-services/n2", ""),
    ("catalog_node_services_missing", "GET /v1/catalog/node-services/nope", ""),
    ("catalog_services", "GET /v1/catalog/services", ""),
    ("catalog_service", "GET /v1/catalog/service/web?tag=V1&tag=blue", ""),
    ("catalog_service_without_tag", "GET /v1/catalog/service/web?tag=green", ""),
    ("catalog_service_unnamed", "GET /v1/catalog/service/", ""),
    ("catalog_connect", "GET /v1/catalog/connect/web", ""),
    ("health_node", "GET /v1/health/node/n1", ""),
    ("health_node_unnamed", "GET /v1/health/node/", ""),
    ("health_checks", "GET /v1/health/checks/web", ""),
    ("health_service", "GET /v1/health/service/web", ""),
    ("health_service_passing", "GET /v1/health/service/web?passing", ""),
    ("health_service_bad_passing", "GET /v1/health/service/web?passing=maybe", ""),
    ("health_service_bad_index", "GET /v1/health/service/web?index=x", ""),
    ("health_state", "GET /v1/health/state/passing", ""),
    ("health_state_any", "GET /v1/health/state/any?node-meta=zone:a", ""),
    ("health_state_unnamed", "GET /v1/health/state/", ""),
    ("health_post", "POST /v1/health/state/any", ""),
    (
        "txn_catalog",
        "PUT /v1/txn",
        r#"[{"Node":{"Verb":"set","Node":{"Node":"n4","Address":"10.0.0.4","Meta":{"Case":"Kept"}}}},
            {"Service":{"Verb":"set","Node":"n4","Service":{"ID":"db","Service":"db","Port":5432}}},
            {"Check":{"Verb":"set","Check":{"Node":"n4","CheckID":"c","Status":"passing","Definition":{"Interval":"1m"}}}},
            {"Service":{"Verb":"delete","Node":"n4","Service":{"ID":"db","Service":"db"}}}]"#,
    ),
    ("txn_catalog_read", "PUT /v1/txn", r#"[{"Check":{"Verb":"get","Check":{"Node":"n4","CheckID":"c"}}}]"#),
    (
        "txn_catalog_stale",
        "PUT /v1/txn",
        r#"[{"Node":{"Verb":"cas","Node":{"Node":"n4","Address":"a","ModifyIndex":1}}}]"#,
    ),
    ("txn_catalog_unknown_verb", "PUT /v1/txn", r#"[{"Check":{"Verb":"burn","Check":{}}}]"#),
    ("catalog_deregister", "PUT /v1/catalog/deregister", r#"{"Node":"n1","ServiceID":"web1"}"#),
    ("catalog_deregister_unnamed", "PUT /v1/catalog/deregister", "{}"),
    ("catalog_deregister_missing", "PUT /v1/catalog/deregister", r#"{"Node":"nope"}"#),
    ("catalog_service_after_deregister", "GET /v1/catalog/service/web", ""),
];

#[tokio::test]
async fn the_catalog_answers_the_golden_bytes() {
    let server = Server::start().await;
    for (name, request, body) in CATALOG_STEPS {
        let answer = server.send(request, *body).await;
        check(name, &rendered(&server, request, &answer));
    }
}

/// Sessions, on a server of their own. `{}` stands for the id of the session that was created last.
const SESSION_STEPS: &[(&str, &str, &str)] = &[
    ("session_create", "PUT /v1/session/create", ""),
    ("session_info", "GET /v1/session/info/{}", ""),
    ("session_create_own_node", "GET /v1/catalog/nodes", ""),
    ("session_create_own_health", "GET /v1/health/state/any", ""),
    ("session_destroy", "PUT /v1/session/destroy/{}", ""),
    ("session_info_missing", "GET /v1/session/info/{}", ""),
    ("session_destroy_missing", "PUT /v1/session/destroy/{}", ""),
    ("session_destroy_unnamed", "PUT /v1/session/destroy/", ""),
    ("session_renew_missing", "PUT /v1/session/renew/nope", ""),
    ("session_renew_unnamed", "PUT /v1/session/renew/", ""),
    ("session_create_bad_ttl", "PUT /v1/session/create", r#"{"TTL":"5s"}"#),
    ("session_create_no_ttl", "PUT /v1/session/create", r#"{"TTL":"soon"}"#),
    ("session_create_bad_behavior", "PUT /v1/session/create", r#"{"Behavior":"burn"}"#),
    ("session_create_no_node", "PUT /v1/session/create", r#"{"Node":"nope"}"#),
    ("session_create_unnamed_node", "PUT /v1/session/create", r#"{"Node":""}"#),
    ("session_create_no_check", "PUT /v1/session/create", r#"{"NodeChecks":["nope"]}"#),
    ("session_create_bad_delay", "PUT /v1/session/create", r#"{"LockDelay":"soon"}"#),
    ("session_create_not_json", "PUT /v1/session/create", "{"),
    ("session_create_namespace", "PUT /v1/session/create?ns=a", ""),
    ("session_create_post", "POST /v1/session/create", ""),
    (
        "session_create_all",
        "PUT /v1/session/create",
        r#"{"lockdelay":5,"name":"s","TTL":"10s","Behavior":"delete","Checks":[],"ServiceChecks":null}"#,
    ),
    ("session_renew", "PUT /v1/session/renew/{}", ""),
    ("session_list", "GET /v1/session/list?pretty", ""),
    ("session_node", "GET /v1/session/node/stillpoint", ""),
    ("session_node_none", "GET /v1/session/node/nope", ""),
    ("session_node_unnamed", "GET /v1/session/node/", ""),
];

#[tokio::test]
async fn sessions_answer_the_golden_bytes() {
    let server = Server::start().await;
    let mut id = String::new();
    for (name, request, body) in SESSION_STEPS {
        let answer = server.send(&request.replace("{}", &id), *body).await;
        if let Ok(serde_json::Value::Object(created)) = serde_json::from_slice(&answer.body) {
            id = created["ID"].as_str().unwrap().to_owned();
        }
        let text = rendered(&server, request, &answer);
        check(name, &if id.is_empty() { text } else { text.replace(&id, "<session>") });
    }
}

/// Access control, on a server that has it. `{}` stands for the id of what was created last; where no token is
/// said it is the management token.
const ACL_STEPS: &[(&str, &str, &str)] = &[
    ("acl_bootstrap_again", "PUT /v1/acl/bootstrap", ""),
    ("acl_bootstrap_not_json", "PUT /v1/acl/bootstrap", "{"),
    ("acl_bootstrap_get", "GET /v1/acl/bootstrap", ""),
    ("acl_replication", "GET /v1/acl/replication", ""),
    ("acl_policies", "GET /v1/acl/policies", ""),
    ("acl_policy_builtin", "GET /v1/acl/policy/00000000-0000-0000-0000-000000000002", ""),
    (
        "acl_policy_create",
        "PUT /v1/acl/policy",
        r#"{"name":"keys","Description":"d & e","Rules":"key_prefix \"app/\" {\n  policy = \"write\"\n}","Datacenters":["dc1"]}"#,
    ),
    ("acl_policy", "GET /v1/acl/policy/{}?pretty", ""),
    ("acl_policy_by_name", "GET /v1/acl/policy/name/keys", ""),
    ("acl_policy_update", "PUT /v1/acl/policy/{}", r#"{"Name":"keys"}"#),
    ("acl_policy_update_other_id", "PUT /v1/acl/policy/{}", r#"{"ID":"x","Name":"keys"}"#),
    ("acl_policy_create_with_id", "PUT /v1/acl/policy", r#"{"ID":"x","Name":"more"}"#),
    ("acl_policy_create_again", "PUT /v1/acl/policy", r#"{"Name":"keys"}"#),
    ("acl_policy_create_unnamed", "PUT /v1/acl/policy", "{}"),
    ("acl_policy_create_bad_name", "PUT /v1/acl/policy", r#"{"Name":"a b"}"#),
    ("acl_policy_create_bad_rules", "PUT /v1/acl/policy", r#"{"Name":"b","Rules":"operator = \"list\""}"#),
    ("acl_policy_create_not_json", "PUT /v1/acl/policy", "{"),
    ("acl_policy_create_empty", "PUT /v1/acl/policy", ""),
    ("acl_policy_create_unknown_field", "PUT /v1/acl/policy", r#"{"Zone":1}"#),
    ("acl_policy_create_namespace", "PUT /v1/acl/policy", r#"{"Namespace":"a"}"#),
    (
        "acl_policy_update_missing",
        "PUT /v1/acl/policy/11111111-1111-1111-1111-111111111111",
        r#"{"Name":"x"}"#,
    ),
    ("acl_policy_missing", "GET /v1/acl/policy/11111111-1111-1111-1111-111111111111", ""),
    ("acl_policy_by_name_missing", "GET /v1/acl/policy/name/nope", ""),
    ("acl_policy_unnamed", "GET /v1/acl/policy/", ""),
    ("acl_policy_by_name_unnamed", "GET /v1/acl/policy/name/", ""),
    ("acl_policy_delete", "DELETE /v1/acl/policy/{}", ""),
    ("acl_policy_delete_missing", "DELETE /v1/acl/policy/{}", ""),
    ("acl_policy_delete_builtin", "DELETE /v1/acl/policy/00000000-0000-0000-0000-000000000001", ""),
    (
        "acl_role_create",
        "PUT /v1/acl/role",
        r#"{"Name":"web","Policies":[{"Name":"builtin/global-read-only"}],"ServiceIdentities":[{"ServiceName":"web"}],
            "NodeIdentities":[{"NodeName":"n1","Datacenter":"dc1"}],
            "TemplatedPolicies":[{"TemplateName":"builtin/service","TemplateVariables":{"name":"api"}}]}"#,
    ),
    ("acl_role", "GET /v1/acl/role/{}", ""),
    ("acl_role_by_name", "GET /v1/acl/role/name/web", ""),
    ("acl_roles", "GET /v1/acl/roles?pretty", ""),
    ("acl_role_update", "PUT /v1/acl/role/{}", r#"{"Name":"web","Description":"less"}"#),
    ("acl_role_create_with_id", "PUT /v1/acl/role", r#"{"ID":"x","Name":"more"}"#),
    ("acl_role_create_no_policy", "PUT /v1/acl/role", r#"{"Name":"b","Policies":[{"Name":"nope"}]}"#),
    ("acl_role_create_not_json", "PUT /v1/acl/role", "{"),
    ("acl_role_missing", "GET /v1/acl/role/11111111-1111-1111-1111-111111111111", ""),
    ("acl_role_unnamed", "DELETE /v1/acl/role/", ""),
    ("acl_role_by_name_unnamed", "GET /v1/acl/role/name/", ""),
    ("acl_role_delete", "DELETE /v1/acl/role/{}", ""),
    ("acl_role_delete_missing", "DELETE /v1/acl/role/{}", ""),
    ("acl_roles_none", "GET /v1/acl/roles", ""),
    (
        "acl_token_create",
        "PUT /v1/acl/token",
        r#"{"AccessorID":"6a1253d2-1785-24fd-91c2-f8e78c745511","SecretID":"45a3bd52-07c7-47a4-52fd-0745e0cfe967",
            "description":"agent","policies":[{"name":"global-management"}],"ExpirationTTL":"1h0m0s"}"#,
    ),
    (
        "acl_token_create_identities",
        "PUT /v1/acl/token",
        r#"{"AccessorID":"7c1253d2-1785-24fd-91c2-f8e78c745522","ServiceIdentities":[{"ServiceName":"web","Datacenters":["dc2","dc1"]}],
            "NodeIdentities":[{"NodeName":"n1","Datacenter":"dc1"}],"TemplatedPolicies":[{"TemplateName":"builtin/dns"}]}"#,
    ),
    ("acl_token", "GET /v1/acl/token/{}?pretty", ""),
    ("acl_tokens", "GET /v1/acl/tokens?servicename=web&pretty", ""),
    ("acl_token_expanded", "GET /v1/acl/token/{}?expanded", ""),
    (
        "acl_token_update",
        "PUT /v1/acl/token/{}",
        r#"{"Description":"changed","CreateTime":"2018-10-24T10:34:20.843397-04:00"}"#,
    ),
    (
        "acl_token_clone",
        "PUT /v1/acl/token/6a1253d2-1785-24fd-91c2-f8e78c745511/clone",
        r#"{"Description":"copy"}"#,
    ),
    ("acl_token_delete", "DELETE /v1/acl/token/{}", ""),
    ("acl_token_delete_missing", "DELETE /v1/acl/token/{}", ""),
    ("acl_token_clone_missing", "PUT /v1/acl/token/11111111-1111-1111-1111-111111111111/clone", "{}"),
    ("acl_token_clone_empty", "PUT /v1/acl/token/6a1253d2-1785-24fd-91c2-f8e78c745511/clone", ""),
    ("acl_token_self", "GET /v1/acl/token/self?token=45a3bd52-07c7-47a4-52fd-0745e0cfe967", ""),
    ("acl_token_self_unknown", "GET /v1/acl/token/self?token=nope", ""),
    ("acl_token_self_put", "PUT /v1/acl/token/self", "{}"),
    ("acl_token_anonymous", "GET /v1/acl/token/00000000-0000-0000-0000-000000000002", ""),
    ("acl_token_missing", "GET /v1/acl/token/11111111-1111-1111-1111-111111111111", ""),
    ("acl_token_unnamed", "GET /v1/acl/token/", ""),
    ("acl_token_update_missing", "PUT /v1/acl/token/11111111-1111-1111-1111-111111111111", "{}"),
    ("acl_token_create_not_json", "PUT /v1/acl/token", "{"),
    ("acl_token_create_unknown_field", "PUT /v1/acl/token", r#"{"Policies":[{"Label":"x"}]}"#),
    ("acl_token_create_wrong_type", "PUT /v1/acl/token", r#"{"Local":"yes"}"#),
    ("acl_token_create_bad_ttl", "PUT /v1/acl/token", r#"{"ExpirationTTL":"soon"}"#),
    ("acl_token_create_bad_time", "PUT /v1/acl/token", r#"{"ExpirationTime":"soon"}"#),
    ("acl_token_create_bad_id", "PUT /v1/acl/token", r#"{"AccessorID":"x"}"#),
    (
        "acl_token_create_reserved_id",
        "PUT /v1/acl/token",
        r#"{"SecretID":"00000000-0000-0000-0000-000000000009"}"#,
    ),
    ("acl_token_create_no_policy", "PUT /v1/acl/token", r#"{"Policies":[{"Name":"nope"}]}"#),
    ("acl_token_create_namespace", "PUT /v1/acl/token?ns=a", "{}"),
    ("acl_token_create_denied", "PUT /v1/acl/token?token=anonymous", "{}"),
    ("acl_tokens_denied", "GET /v1/acl/tokens?token=anonymous", ""),
    ("acl_tokens_none", "GET /v1/acl/tokens?servicename=nope", ""),
    ("acl_token_delete_anonymous", "DELETE /v1/acl/token/00000000-0000-0000-0000-000000000002", ""),
    ("acl_token_delete_bad_id", "DELETE /v1/acl/token/x", ""),
    (
        "acl_authorize",
        "POST /v1/internal/acl/authorize",
        r#"[{"Resource":"key","Segment":"a","Access":"write"},{"Resource":"acl","Access":"Read"}]"#,
    ),
    (
        "acl_authorize_bad_access",
        "POST /v1/internal/acl/authorize",
        r#"[{"Resource":"acl","Access":"list"}]"#,
    ),
    ("acl_auth_methods", "GET /v1/acl/auth-methods", ""),
    ("acl_login", "POST /v1/acl/login", "{}"),
];

#[tokio::test]
async fn access_control_answers_the_golden_bytes() {
    let server = Server::initialized(Some(MANAGEMENT)).await;
    let (mut id, mut drawn) = (String::new(), BTreeSet::new());
    for (name, request, body) in ACL_STEPS {
        let token = if request.contains("token=") { "" } else { MANAGEMENT };
        let answer = server.send_with(&request.replace("{}", &id), &[("x-consul-token", token)], *body).await;
        if let Ok(Value::Object(made)) = serde_json::from_slice(&answer.body) {
            let ids = ["AccessorID", "ID", "SecretID"].map(|id| made.get(id).and_then(Value::as_str));
            id = ids.iter().flatten().next().map_or(id, |first| (*first).to_owned());
            drawn.extend(ids.into_iter().flatten().filter(|id| is_drawn(id)).map(str::to_owned));
        }
        let text =
            drawn.iter().fold(rendered(&server, request, &answer), |text, id| text.replace(id, "<drawn>"));
        check(name, &without_times(&text));
    }
}

/// Whether nobody has chosen an id.
fn is_drawn(id: &str) -> bool {
    id.len() == 36
        && id.as_bytes()[14] == b'4'
        && !ACL_STEPS.iter().any(|(_, _, body)| body.contains(id))
        && id != MANAGEMENT
}

/// Tokens tell when they were created, and when they expire.
fn without_times(text: &str) -> String {
    let field = |line: &str| ["CreateTime", "ExpirationTime"].iter().any(|name| line.contains(name));
    let parts = text.split_inclusive(',').map(|part| match part.split_once("Time\":") {
        Some((before, value)) if field(part) && value.ends_with("\",") => {
            format!("{before}Time\":\"<time>\",")
        }
        _ => part.to_owned(),
    });
    parts.collect()
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
