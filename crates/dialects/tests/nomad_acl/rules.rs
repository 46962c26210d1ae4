//! How the rules of a policy are shown: `nomad-rules.json` is what Nomad 1.11.3 makes of `nomad-rules.hcl`.

use serde_json::json;

use super::server::Server;

const RULES: &str = include_str!("../fixtures/nomad-rules.hcl");
const SPELLED: &str = include_str!("../fixtures/nomad-rules.json");

#[tokio::test]
async fn a_policy_comes_with_its_rules_spelled_out() {
    let server = Server::guarded().await;
    let policy = json!({ "Name": "p", "Rules": RULES }).to_string();
    server.send("PUT /v1/acl/policy/p", policy).await.check(200, "");
    let text = server.get("/v1/acl/policy/p").await.text();
    let (_, rest) = text.split_once("\"RulesJSON\":").unwrap();
    let (spelled, _) = rest.split_once(",\"JobACL\":").unwrap();
    assert_eq!(spelled, SPELLED.trim_end());
}
