//! Nodes, services, checks and sessions under rules.

use serde_json::Value;

use super::server::Server;

const NODE: &str = r#"{"Node":"n1","Address":"10.0.0.1","NodeMeta":{"a":"b"}}"#;

/// Registers two nodes with two services each.
async fn filled() -> Server {
    let server = Server::guarded(|_| {}).await;
    for node in ["n1", "n2"] {
        for service in ["web", "db"] {
            let body = format!(
                r#"{{"Node":"{node}","Address":"10.0.0.1","NodeMeta":{{"a":"b"}},
                    "Service":{{"ID":"{service}-1","Service":"{service}"}},
                    "Checks":[{{"CheckID":"alive","Status":"passing"}},
                              {{"CheckID":"of-{service}","ServiceID":"{service}-1","Status":"passing"}}]}}"#
            );
            server.send("PUT /v1/catalog/register", body).await.check(200, "true");
        }
    }
    server
}

fn names<'a>(list: &'a Value, name: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|item| item[name].as_str().unwrap()).collect()
}

#[tokio::test]
async fn reads_show_what_node_and_service_may_be_read() {
    let server = filled().await;
    let caller = server.ruled(r#"node "n1" { policy = "read" } service "web" { policy = "read" }"#).await;
    let read = async |uri: &str| {
        let (seen, whole) = (caller.get(uri).await, server.get(uri).await);
        assert_eq!(seen.header("x-consul-results-filtered-by-acls"), "true", "{uri}");
        assert_eq!(whole.header("x-consul-results-filtered-by-acls"), "", "{uri}");
        assert_eq!(seen.index(), whole.index(), "{uri}");
        serde_json::from_slice::<Value>(&seen.body).unwrap()
    };
    assert_eq!(names(&read("/v1/catalog/nodes").await, "Node"), ["n1"]);
    assert_eq!(read("/v1/catalog/services").await, serde_json::json!({"web": []}));
    assert_eq!(names(&read("/v1/catalog/service/web").await, "Node"), ["n1"]);
    assert_eq!(read("/v1/catalog/service/db").await, serde_json::json!([]));
    let node = read("/v1/catalog/node/n1").await;
    assert_eq!(node["Services"].as_object().unwrap().keys().collect::<Vec<_>>(), ["web-1"]);
    assert_eq!(read("/v1/catalog/node/n2").await, Value::Null);
    assert_eq!(names(&read("/v1/catalog/node-services/n1").await["Services"], "Service"), ["web"]);
    assert_eq!(names(&read("/v1/health/node/n1").await, "CheckID"), ["alive", "of-web"]);
    assert_eq!(names(&read("/v1/health/checks/web").await, "Node"), ["n1"]);
    assert_eq!(names(&read("/v1/health/state/passing").await, "CheckID"), ["alive", "of-web"]);
    let health = read("/v1/health/service/web?passing").await;
    assert_eq!((health.as_array().unwrap().len(), &health[0]["Node"]["Node"]), (1, &Value::from("n1")));
}

#[tokio::test]
async fn owners_of_a_service_register_it_on_a_node_that_is_there_as_it_is() {
    let server = filled().await;
    let caller = server.ruled(r#"service "api" { policy = "write" }"#).await;
    let with = |more: &str| format!("{},{more}}}", &NODE[..NODE.len() - 1]);
    let register = async |body: String| caller.send("PUT /v1/catalog/register", body).await;
    register(with(r#""Service":{"Service":"api"}"#)).await.check(200, "true");
    register(with(r#""Check":{"CheckID":"c","ServiceID":"api"}"#)).await.check(200, "true");
    let elsewhere = |service: &str| format!(r#"{{"Node":"n1","Address":"else","Service":{service}}}"#);
    register(elsewhere(r#"{"Service":"api"}"#)).await.check_denied();
    register(elsewhere(r#"{"Service":"api"},"SkipNodeUpdate":true"#)).await.check(200, "true");
    register(r#"{"Node":"new","Address":"a","Service":{"Service":"api"}}"#.into()).await.check_denied();
    register(with(r#""Service":{"Service":"web"}"#)).await.check_denied();
    register(with(r#""Check":{"CheckID":"of-node"}"#)).await.check_denied();
    register(with(r#""Check":{"CheckID":"c","ServiceID":"web-1"}"#)).await.check_denied();
    // Another one's service under the same id, which is not named.
    register(with(r#""Service":{"ID":"web-1","Service":"api"}"#)).await.check(403, "Permission denied");
    let proxy = r#""Service":{"Kind":"connect-proxy","Service":"api","Port":1,"Proxy":{"DestinationServiceName":"web"}}"#;
    register(with(proxy)).await.check_denied();
    let unknown = register(with(r#""Check":{"CheckID":"c","ServiceID":"nope"}"#)).await;
    unknown.check(500, "Unknown service ID 'nope' for check ID 'c'");
    let astray = register(with(r#""Check":{"Node":"n2","CheckID":"c"}"#)).await;
    astray.check(500, "Node 'n2' for check 'c' doesn't match register request node 'n1'");
}

#[tokio::test]
async fn who_writes_a_node_removes_what_is_on_it_and_owners_what_is_theirs() {
    let server = filled().await;
    let owner = server.ruled(r#"service "web" { policy = "write" }"#).await;
    let deregister = async |caller: &Server, rest: &str| {
        caller.send("PUT /v1/catalog/deregister", format!(r#"{{"Node":"n1"{rest}}}"#)).await
    };
    deregister(&owner, "").await.check_denied();
    deregister(&owner, r#","ServiceID":"db-1""#).await.check_denied();
    deregister(&owner, r#","CheckID":"alive""#).await.check_denied();
    deregister(&owner, r#","CheckID":"of-db""#).await.check_denied();
    deregister(&owner, r#","ServiceID":"nope""#).await.check(500, "Unknown service ID 'nope'");
    deregister(&owner, r#","CheckID":"nope""#).await.check(500, "Unknown check ID 'nope'");
    deregister(&owner, r#","CheckID":"of-web""#).await.check(200, "true");
    deregister(&owner, r#","ServiceID":"web-1""#).await.check(200, "true");
    let host = server.ruled(r#"node "n1" { policy = "write" }"#).await;
    deregister(&host, r#","ServiceID":"db-1""#).await.check(200, "true");
    deregister(&host, "").await.check(200, "true");
    assert_eq!(server.get("/v1/catalog/node/n1").await.text(), "null");
}

#[tokio::test]
async fn sessions_are_their_nodes() {
    let server = filled().await;
    let begin = async |caller: &Server, node: &str| {
        let body = format!(r#"{{"Node":"{node}","NodeChecks":[],"TTL":"1h"}}"#);
        caller.send("PUT /v1/session/create", body).await
    };
    let caller = server.ruled(r#"session "n1" { policy = "write" } session "n2" { policy = "read" }"#).await;
    let reader = server.ruled(r#"session "n1" { policy = "read" }"#).await;
    let id = |answer: super::server::Answer| {
        let created: Value = serde_json::from_slice(&answer.body).unwrap();
        created["ID"].as_str().unwrap().to_owned()
    };
    let (own, other) = (id(begin(&caller, "n1").await), id(begin(&server, "n2").await));
    begin(&caller, "n2").await.check_denied();
    begin(&caller, "nope").await.check_denied();
    for verb in ["renew", "destroy"] {
        caller.send(&format!("PUT /v1/session/{verb}/{other}"), "").await.check_denied();
        reader.send(&format!("PUT /v1/session/{verb}/{own}"), "").await.check_denied();
    }
    let shown = async |uri: &str| serde_json::from_slice::<Value>(&reader.get(uri).await.body).unwrap();
    assert_eq!(names(&shown("/v1/session/list").await, "Node"), ["n1"]);
    assert_eq!(names(&shown(&format!("/v1/session/info/{own}")).await, "ID"), [own.as_str()]);
    assert_eq!(shown(&format!("/v1/session/info/{other}")).await, serde_json::json!([]));
    assert_eq!(shown("/v1/session/node/n2").await, serde_json::json!([]));
    let listed = reader.get("/v1/session/list").await;
    assert_eq!(listed.header("x-consul-results-filtered-by-acls"), "true");
    assert_eq!(caller.send(&format!("PUT /v1/session/renew/{own}"), "").await.status, 200);
    caller.send(&format!("PUT /v1/session/destroy/{own}"), "").await.check(200, "true");
    caller.send(&format!("PUT /v1/session/destroy/{own}"), "").await.check(200, "true");
}

#[tokio::test]
async fn a_session_of_this_server_needs_no_right_to_its_node() {
    let server = Server::guarded(|_| {}).await;
    let caller = server.ruled(r#"session_prefix "" { policy = "write" }"#).await;
    server.anonymous().send("PUT /v1/session/create", "").await.check_denied();
    assert_eq!(server.get("/v1/catalog/nodes").await.text(), "[]");
    assert_eq!(caller.send("PUT /v1/session/create", "").await.status, 200);
    assert!(server.get("/v1/catalog/nodes").await.text().contains("stillpoint"));
}

#[tokio::test]
async fn who_serves_is_told_to_those_who_may_know() {
    let server = Server::guarded(|_| {}).await;
    let operator = server.ruled(r#"operator = "read""#).await;
    assert_eq!(operator.get("/v1/operator/raft/configuration").await.status, 200);
    operator.get("/v1/agent/self").await.check_denied();
    let agent = server.ruled(r#"agent "stillpoint" { policy = "read" }"#).await;
    assert_eq!(agent.get("/v1/agent/self").await.status, 200);
    agent.get("/v1/operator/raft/configuration").await.check_denied();
}
