//! Keys under rules: who may read, list and change which, and what listings leave out.

use std::time::Duration;

use records::Scope;
use records::consul::acl::{self, Command, Reply};
use serde_json::Value;
use tokio::time::timeout;

use super::server::Server;

const RULES: &str = r#"
    key "exact" { policy = "read" }
    key "dir/closed/door" { policy = "read" }
    key_prefix "dir/" { policy = "write" }
    key_prefix "dir/closed/" { policy = "deny" }
    key_prefix "dir/seen/" { policy = "read" }
    key_prefix "listed/" { policy = "list" }
"#;

const KEYS: [&str; 8] = [
    "dir/closed/deep/chest",
    "dir/closed/door",
    "dir/closed/room",
    "dir/open",
    "dir/seen/a",
    "exact",
    "exact/not",
    "listed/a",
];

/// Keys, and whether they may be read and written.
const MATRIX: [(&str, bool, bool); 9] = [
    ("dir/closed/deep/chest", false, false),
    ("dir/closed/door", true, false),
    ("dir/closed/room", false, false),
    ("dir/open", true, true),
    ("dir/seen/a", true, false),
    ("exact", true, false),
    ("exact/not", false, false),
    ("listed/a", true, false),
    ("else", false, false),
];

async fn filled(key_list_policy: bool) -> Server {
    let server = Server::guarded(|access| access.key_list_policy = key_list_policy).await;
    for key in KEYS {
        server.put(key, "v").await;
    }
    server
}

#[tokio::test]
async fn the_exact_rule_decides_else_that_of_the_longest_prefix() {
    let server = filled(false).await;
    let caller = server.ruled(RULES).await;
    for (key, reads, writes) in MATRIX {
        let read = caller.get(&format!("/v1/kv/{key}?raw")).await;
        assert_eq!(read.status != 403, reads, "{key}: {}", read.text());
        for request in
            ["PUT /v1/kv/{}", "PUT /v1/kv/{}?cas=0", "PUT /v1/kv/{}?release=x", "DELETE /v1/kv/{}?cas=1"]
        {
            let before = server.digest();
            let written = caller.send(&request.replace("{}", key), "w").await;
            assert_eq!(written.status != 403, writes, "{request} {key}: {}", written.text());
            assert!(writes || server.digest() == before, "{request} {key}");
        }
    }
}

#[tokio::test]
async fn a_refusal_names_the_token_the_right_and_the_key() {
    let server = filled(false).await;
    let caller = server.ruled(RULES).await;
    let refused = caller.send("PUT /v1/kv/exact", "w").await;
    assert_eq!(refused.status, 403);
    let text = refused.text();
    assert!(text.starts_with("Permission denied: token with AccessorID '"), "{text}");
    assert!(text.ends_with("' lacks permission 'key:write' on \"exact\""), "{text}");
}

#[tokio::test]
async fn a_whole_tree_is_removed_only_if_no_rule_within_forbids_it() {
    let server = filled(false).await;
    let caller = server.ruled(RULES).await;
    let before = server.digest();
    for tree in ["", "dir/", "dir/closed/", "dir/seen/", "d", "exact"] {
        caller.send(&format!("DELETE /v1/kv/{tree}?recurse"), "").await.check_denied();
    }
    assert_eq!(server.digest(), before);
    caller.send("DELETE /v1/kv/dir/open?recurse", "").await.check(200, "true");
    assert_eq!(server.value("dir/open").await, None);
}

#[tokio::test]
async fn listings_leave_out_what_may_not_be_read_and_say_so() {
    let server = filled(false).await;
    let caller = server.ruled(RULES).await;
    for (uri, expected) in [
        ("/v1/kv/?keys", r#"["dir/closed/door","dir/open","dir/seen/a","exact","listed/a"]"#),
        ("/v1/kv/?keys&separator=/", r#"["dir/","exact","listed/"]"#),
        ("/v1/kv/dir/closed/?keys&separator=/", r#"["dir/closed/door"]"#),
        ("/v1/kv/exact?keys", r#"["exact"]"#),
    ] {
        let (seen, whole) = (caller.get(uri).await, server.get(uri).await);
        seen.check(200, expected);
        assert_eq!(seen.header("x-consul-results-filtered-by-acls"), "true", "{uri}");
        assert_eq!(whole.header("x-consul-results-filtered-by-acls"), "", "{uri}");
        assert_eq!(seen.index(), whole.index(), "{uri}");
    }
    for uri in ["/v1/kv/?recurse", "/v1/kv/dir?recurse&pretty", "/v1/kv/dir/closed/?recurse"] {
        let (seen, whole) = (caller.get(uri).await, server.get(uri).await);
        let entries: Vec<Value> = serde_json::from_slice(&seen.body).unwrap();
        let keys: Vec<_> = entries.iter().map(|entry| entry["Key"].as_str().unwrap()).collect();
        let may_read = |key: &str| MATRIX.iter().any(|(known, reads, _)| *known == key && *reads);
        assert!(!keys.is_empty() && keys.iter().all(|key| may_read(key)), "{uri}: {keys:?}");
        assert_eq!(seen.header("x-consul-results-filtered-by-acls"), "true", "{uri}");
        assert_eq!(seen.index(), whole.index(), "{uri}");
    }
    let untouched = caller.get("/v1/kv/dir/seen?recurse").await;
    assert_eq!(untouched.header("x-consul-results-filtered-by-acls"), "");
    caller.get("/v1/kv/dir/closed/deep?recurse").await.check(404, "");
    caller.get("/v1/kv/dir/closed/deep?keys").await.check(404, "");
}

#[tokio::test]
async fn listing_can_be_a_right_of_its_own() {
    let server = filled(true).await;
    let caller = server.ruled(RULES).await;
    for prefix in ["", "exact", "dir/seen/", "dir/closed/"] {
        for what in ["keys", "recurse"] {
            let refused = caller.get(&format!("/v1/kv/{prefix}?{what}")).await;
            refused.check_denied();
            assert!(refused.text().contains("'key:list'"), "{}", refused.text());
        }
    }
    caller.get("/v1/kv/listed/?keys").await.check(200, r#"["listed/a"]"#);
    // To write a tree is to list it; what is forbidden within stays hidden.
    caller.get("/v1/kv/dir/?keys").await.check(200, r#"["dir/closed/door","dir/open","dir/seen/a"]"#);
}

#[tokio::test]
async fn what_waits_is_asked_again_when_it_is_answered() {
    let server = filled(false).await;
    let index = server.get("/v1/kv/exact").await.index();
    for uri in ["/v1/kv/exact", "/v1/kv/exact?recurse", "/v1/kv/exact?keys"] {
        let caller = server.ruled(RULES).await;
        let own: Value = {
            let found = server.node.records().view(Scope::Consul).unwrap();
            let token = acl::token_by_secret(&found, caller.secret(), 0).unwrap().value;
            Value::from(token.unwrap().accessor_id)
        };
        let separator = if uri.contains('?') { '&' } else { '?' };
        let at = server.get(uri).await.index().max(index);
        let waiting = format!("{uri}{separator}index={at}&wait=60s");
        let wait = caller.get(&waiting);
        let change = async {
            let accessor = own.as_str().unwrap().to_owned();
            let reply = server.acl(Command::DeleteToken { accessor, by: String::new() }).await;
            assert_eq!(reply, Reply::Deleted);
            server.put("exact", "for others").await;
        };
        let waited = timeout(Duration::from_secs(30), async { tokio::join!(wait, change) }).await;
        waited.expect("the change ends the wait").0.check(403, "ACL not found");
    }
}

#[tokio::test]
async fn rules_that_change_hold_at_once() {
    let server = filled(false).await;
    let caller = server.ruled(RULES).await;
    let archive = server.save().await;
    caller.get("/v1/kv/exact?raw").await.check(200, "v");
    let view = server.node.records().view(Scope::Consul).unwrap();
    let mut policy =
        acl::policies(&view).unwrap().value.into_iter().find(|policy| policy.rules == RULES).unwrap();
    policy.rules = r#"key "exact" { policy = "deny" }"#.into();
    let reply = server.acl(Command::UpdatePolicy(Box::new(policy))).await;
    assert!(matches!(reply, Reply::Policy(_)), "{reply:?}");
    caller.get("/v1/kv/exact").await.check_denied();
    server.restore(archive).await.check(200, "");
    caller.get("/v1/kv/exact?raw").await.check(200, "v");
    server.node.undo(Scope::Consul, None).await.unwrap();
    caller.get("/v1/kv/exact").await.check_denied();
}

#[tokio::test]
async fn what_may_not_be_read_is_not_waited_for() {
    let server = filled(false).await;
    let caller = server.ruled(RULES).await;
    let index = server.get("/v1/kv/exact/not").await.index();
    let asked = format!("/v1/kv/exact/not?index={index}&wait=60s");
    let refused = timeout(Duration::from_secs(30), caller.get(&asked)).await;
    refused.expect("nobody is made to wait for a refusal").check_denied();
}

#[tokio::test]
async fn a_restore_brings_back_who_may_do_what() {
    let server = filled(false).await;
    let before = server.ruled(RULES).await;
    let archive = server.save().await;
    let after = server.ruled(RULES).await;
    after.get("/v1/kv/exact?raw").await.check(200, "v");
    server.restore(archive).await.check(200, "");
    before.get("/v1/kv/exact?raw").await.check(200, "v");
    before.get("/v1/kv/exact/not").await.check_denied();
    after.get("/v1/kv/exact").await.check(403, "ACL not found");
}

#[tokio::test]
async fn where_all_is_allowed_by_default_rules_still_forbid() {
    let server = filled(false).await;
    let open = Server::guarded(|access| access.default_policy = Default::default()).await;
    open.put("secret/a", "v").await;
    open.put("b", "v").await;
    let caller = open.ruled(r#"key_prefix "secret/" { policy = "deny" }"#).await;
    caller.get("/v1/kv/secret/a").await.check_denied();
    caller.get("/v1/kv/?keys").await.check(200, r#"["b"]"#);
    caller.put("b", "w").await;
    open.anonymous().get("/v1/kv/secret/a?raw").await.check(200, "v");
    open.anonymous().get("/v1/snapshot").await.check_denied();
    let policy = |server: Server| async move {
        server.get("/v1/kv/b").await.header("x-consul-default-acl-policy").to_owned()
    };
    assert_eq!((policy(open).await, policy(server).await), ("allow".to_owned(), "deny".to_owned()));
}
