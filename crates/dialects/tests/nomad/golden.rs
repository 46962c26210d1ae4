//! Answers to the byte, where bytes are promised, and to the field where they hold what differs.

use std::time::Duration;

use axum::body::Body;
use serde_json::{Value, json};

use super::server::Server;

#[tokio::test]
async fn namespaces() {
    let server = Server::start().await;
    let created = server.put("web", "a <b> & c").await;
    let index = created.index();
    let read = server.get("/v1/namespace/web").await;
    let mut shown: Value = serde_json::from_slice(&read.body).unwrap();
    assert_eq!(shown["Hash"].take().as_str().unwrap().len(), 44);
    let expected = json!({
        "Name": "web", "Description": "a <b> & c", "Quota": "", "Capabilities": null,
        "NodePoolConfiguration": null, "VaultConfiguration": null, "ConsulConfiguration": null, "Meta": null,
        "Hash": null, "CreateIndex": index, "ModifyIndex": index,
    });
    assert_eq!(shown, expected);
    // Nothing in it is escaped for HTML's sake.
    assert!(read.text().contains("a <b> & c"), "{}", read.text());
    assert_eq!(read.index(), index);
    assert_eq!(read.header("x-nomad-knownleader"), "true");
    assert_eq!(read.header("x-nomad-lastcontact"), "0");
    assert_eq!(read.header("content-type"), "application/json");

    let body =
        r#"{"name":"web","Meta":{"team":"a"},"Capabilities":{"EnabledTaskDrivers":["docker"]},"Extra":1}"#;
    server.send("POST /v1/namespace/web", body).await.check(200, "");
    let changed: Value = serde_json::from_slice(&server.get("/v1/namespace/web").await.body).unwrap();
    assert_eq!(changed["Meta"], json!({"team": "a"}));
    assert_eq!(changed["Capabilities"]["EnabledTaskDrivers"], json!(["docker"]));
    assert_eq!((&changed["CreateIndex"], &changed["ModifyIndex"]), (&json!(index), &json!(index + 1)));

    server.put("web-two", "").await;
    let listed: Value = serde_json::from_slice(&server.get("/v1/namespaces?prefix=web").await.body).unwrap();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["web", "web-two"]);
    server.get("/v1/namespaces?prefix=none").await.check(200, "[]");
    let pretty = server.get("/v1/namespaces?prefix=none&pretty").await;
    pretty.check(200, "[]\n");
    let deleted = server.send("DELETE /v1/namespace/web", Body::empty()).await;
    deleted.check(200, "");
    assert!(deleted.index() > index);
    server.get("/v1/namespace/web").await.check(404, "Namespace not found");
}

#[tokio::test]
async fn refusals() {
    let server = Server::start().await;
    for (request, body, status, text) in [
        ("GET /v1/namespace/none", "", 404, "Namespace not found"),
        ("GET /v1/namespace/", "", 400, "Missing Namespace Name"),
        ("PUT /v1/namespace", "", 400, "Request body is empty"),
        ("PUT /v1/namespace/a", r#"{"Name":"b"}"#, 400, "Namespace name does not match request path"),
        ("DELETE /v1/namespace/default", "", 500, "can not delete default namespace"),
        ("GET /v1/namespace", "", 405, "Invalid method"),
        ("OPTIONS /v1/namespaces", "", 405, "Invalid method"),
        ("GET /v1/namespaces?index=x", "", 400, "Invalid index"),
        ("GET /v1/namespaces?wait=5", "", 400, "Invalid wait time"),
        ("GET /v1/namespaces?per_page=x", "", 400, "Expect a number for `per_page` query string parameter"),
        ("PUT /v1/status/leader", "", 405, "Invalid method"),
        ("PATCH /v1/var/a", "", 400, "Invalid method"),
        ("GET /v1/nodes", "", 501, "Stillpoint does not serve /v1/nodes"),
        ("PUT /v1/system/gc", "", 501, "Stillpoint does not serve /v1/system/gc"),
        ("GET /v1/nothing", "", 404, ""),
        ("GET /nothing", "", 404, ""),
    ] {
        let answer = server.send(request, body).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (status, text), "{request}");
        let kind = answer.header("content-type");
        assert!(text.is_empty() || kind.starts_with("text/plain"), "{request}: {kind}");
    }
    let answer = server.send("PUT /v1/namespace", r#"{"Name":"a b"}"#).await;
    assert_eq!(answer.status.as_u16(), 500);
    assert!(answer.text().starts_with("invalid name \"a b\""), "{}", answer.text());
    assert_eq!(server.send("PUT /v1/namespace", "{").await.status.as_u16(), 400);
    let endless = vec![b' '; (4 << 20) + 1];
    assert_eq!(server.send("PUT /v1/namespace", endless).await.status.as_u16(), 413);
}

#[tokio::test]
async fn who_serves() {
    let server = Server::with(|settings| settings.node_name = "still-1".to_owned()).await;
    server.get("/v1/status/leader").await.check(200, r#""127.0.0.1:7400""#);
    server.get("/v1/status/peers").await.check(200, r#"["127.0.0.1:7400"]"#);
    server.get("/v1/regions").await.check(200, r#"["global"]"#);
    server.get("/v1/agent/health").await.check(200, r#"{"server":{"ok":true,"message":"ok"}}"#);
    let client = r#"{"client":{"ok":false,"message":"client not enabled"}}"#;
    server.get("/v1/agent/health?type=client").await.check(500, client);

    let json = |answer: super::server::Answer| serde_json::from_slice::<Value>(&answer.body).unwrap();
    let raft = json(server.get("/v1/operator/raft/configuration").await);
    let id = raft["Servers"][0]["ID"].clone();
    let expected = json!({
        "Servers": [{
            "ID": id, "Node": "still-1.global", "Address": "127.0.0.1:7400", "Leader": true, "Voter": true,
            "RaftProtocol": "3",
        }],
        "Index": 1,
    });
    assert_eq!(raft, expected);
    let this = json(server.get("/v1/agent/self").await);
    assert_eq!(this["config"]["Region"], json!("global"));
    assert_eq!(this["member"]["Name"], json!("still-1.global"));
    assert_eq!(this["stats"]["nomad"]["leader"], json!("true"));
    let members = json(server.get("/v1/agent/members").await);
    assert_eq!(
        (&members["ServerName"], &members["Members"][0]["Status"]),
        (&json!("still-1"), &json!("alive"))
    );
}

#[tokio::test]
async fn a_read_waits_until_something_changes() {
    let server = Server::start().await;
    let index = server.put("one", "").await.index();
    let waiting = {
        let server = server.clone();
        tokio::spawn(async move { server.get(&format!("/v1/namespaces?index={index}&wait=60s")).await })
    };
    let soon = server.get(&format!("/v1/namespaces?index={index}&wait=1ms")).await;
    assert_eq!(soon.index(), index);
    assert!(!waiting.is_finished());
    let changed = server.put("two", "").await.index();
    let woken = tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap().unwrap();
    assert_eq!(woken.index(), changed);
    assert!(woken.text().contains("two"));
}
