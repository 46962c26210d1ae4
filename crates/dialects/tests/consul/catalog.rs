//! Nodes, services and their health: waited for, saved and restored, read from genuine archives.

use std::time::Duration;

use serde_json::Value;

use super::server::{Server, genuine};

const WEB: &str = r#"{"Node":"n","Address":"10.0.0.1","Service":{"Service":"web","Port":80}}"#;

async fn json(server: &Server, uri: &str) -> Value {
    let answer = server.get(uri).await;
    assert_eq!(answer.status, 200, "{uri}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn a_wait_for_the_health_of_a_service_ends_with_a_change_of_it() {
    let server = Server::start().await;
    server.send("PUT /v1/catalog/register", WEB).await.check(200, "true");
    let index = server.get("/v1/health/service/web").await.index();
    let uri = format!("/v1/health/service/web?passing&index={index}&wait=60s");
    let wait = server.get(&uri);
    let change = async {
        server.put("unrelated", "1").await;
        let failing = r#"{"Node":"n","Address":"10.0.0.1","Check":{"CheckID":"c","ServiceID":"web","Status":"critical"}}"#;
        server.send("PUT /v1/catalog/register", failing).await.check(200, "true");
    };
    let (answer, ()) = tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(wait, change) })
        .await
        .expect("the change ends the wait");
    answer.check(200, "[]");
    assert!(answer.index() > index);
}

#[tokio::test]
async fn a_restore_brings_back_what_was_registered() {
    let server = Server::start().await;
    server.send("PUT /v1/catalog/register", WEB).await.check(200, "true");
    let before = server.get("/v1/health/service/web").await;
    let archive = server.save().await;
    server.send("PUT /v1/catalog/deregister", r#"{"Node":"n"}"#).await.check(200, "true");
    server.get("/v1/health/service/web").await.check(200, "[]");
    server.restore(archive).await.check(200, "");
    assert_eq!(server.get("/v1/health/service/web").await.text(), before.text());
}

#[tokio::test]
async fn genuine_catalogs_are_served() {
    for name in ["consul/all.snap", "consul/backup.snap", "consul/backupWithKV.snap"] {
        let Some(archive) = genuine(name) else { return };
        let server = Server::start().await;
        server.restore(archive).await.check(200, "");
        check_instances(&server).await;
        check_nodes(&server).await;
        json(&server, "/v1/session/list").await;
        json(&server, "/v1/health/state/any").await;
    }
}

/// Every service that is listed has instances, and as many with their health.
async fn check_instances(server: &Server) {
    let services = json(server, "/v1/catalog/services").await;
    for name in services.as_object().unwrap().keys() {
        let instances = json(server, &format!("/v1/catalog/service/{name}")).await;
        let healths = json(server, &format!("/v1/health/service/{name}")).await;
        assert_eq!(instances.as_array().unwrap().len(), healths.as_array().unwrap().len());
        assert!(!instances.as_array().unwrap().is_empty());
    }
}

/// Every node that is listed is found by its name.
async fn check_nodes(server: &Server) {
    let nodes = json(server, "/v1/catalog/nodes").await;
    assert!(!nodes.as_array().unwrap().is_empty());
    for node in nodes.as_array().unwrap() {
        let name = node["Node"].as_str().unwrap();
        assert_eq!(json(server, &format!("/v1/catalog/node/{name}")).await["Node"], *node);
        json(server, &format!("/v1/health/node/{name}")).await;
    }
}
