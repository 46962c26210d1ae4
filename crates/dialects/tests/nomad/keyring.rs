//! Root keys: who may rotate them is asked elsewhere (`nomad_acl/routes.rs`).

use records::Scope;
use serde_json::{Value, json};

use crate::server::Server;

async fn keys(server: &Server) -> Vec<Value> {
    let mut keys: Vec<Value> =
        serde_json::from_str(server.get("/v1/operator/keyring/keys").await.text()).unwrap();
    keys.sort_by_key(|key| key["CreateIndex"].as_u64());
    keys
}

async fn states(server: &Server) -> Vec<String> {
    keys(server).await.iter().map(|key| key["State"].as_str().unwrap().to_owned()).collect()
}

async fn rotate(server: &Server, query: &str) -> Value {
    let answer = server.send(&format!("PUT /v1/operator/keyring/rotate{query}"), "").await;
    let rotated: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(rotated["Index"], answer.index());
    rotated["Key"].clone()
}

async fn put(server: &Server, path: &str) {
    let answer = server.send(&format!("PUT /v1/var/{path}"), r#"{"Items":{"kept":"yes"}}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn is_readable(server: &Server, path: &str) -> bool {
    server.get(&format!("/v1/var/{path}")).await.text().contains(r#""Items":{"kept":"yes"}"#)
}

/// Waits until the states of the keys are these, the oldest first.
async fn until(server: &Server, expected: &[&str]) {
    let mut changes = server.node.watch(Scope::Nomad);
    loop {
        changes.mark_unchanged();
        if states(server).await == expected {
            return;
        }
        changes.changed().await.unwrap();
    }
}

#[tokio::test]
async fn what_older_keys_encrypted_stays_readable() {
    let server = Server::start().await;
    let first = keys(&server).await.remove(0);
    assert_eq!((&first["State"], &first["Algorithm"]), (&json!("active"), &json!("aes256-gcm")));
    put(&server, "old").await;
    let second = rotate(&server, "").await;
    assert_eq!((&second["State"], &second["PublishTime"]), (&json!("active"), &json!(0)));
    assert_eq!(states(&server).await, ["inactive", "active"]);
    put(&server, "new").await;
    assert!(is_readable(&server, "old").await && is_readable(&server, "new").await);

    // What is saved is restored into another cluster, with both keys.
    let archive = server.save().await;
    let other = Server::start().await;
    other.restore(archive).await.check(200, "");
    assert_eq!(keys(&other).await, keys(&server).await);
    assert!(is_readable(&other, "old").await && is_readable(&other, "new").await);

    let key = |key: &Value| format!("DELETE /v1/operator/keyring/key/{}", key["KeyID"].as_str().unwrap());
    server.send(&key(&first), "").await.check(500, "root key in use, cannot delete");
    server.send("DELETE /v1/var/old", "").await.check(204, "");
    let gone = server.send(&key(&first), "").await;
    gone.check(200, &format!(r#"{{"Index":{}}}"#, gone.index()));
    server.send(&key(&first), "").await.check(500, "root key not found");
    server.send(&key(&second), "").await.check(500, "active root key cannot be deleted - call rotate first");
    assert_eq!(states(&server).await, ["active"]);
}

#[tokio::test]
async fn a_full_rotation_encrypts_anew() {
    let server = Server::start().await;
    for number in 0..120 {
        put(&server, &format!("v/{number}")).await;
    }
    let lock = r#"{"Lock":{"TTL":"1h"}}"#;
    let held = server.send("PUT /v1/var/held?lock-acquire", lock).await;
    assert_eq!(held.status, 200, "{}", held.text());
    let first = keys(&server).await.remove(0);
    rotate(&server, "?full").await;
    until(&server, &["inactive", "active"]).await;
    let key = format!("DELETE /v1/operator/keyring/key/{}", first["KeyID"].as_str().unwrap());
    assert_eq!(server.send(&key, "").await.status, 200);
    for number in 0..120 {
        assert!(is_readable(&server, &format!("v/{number}")).await, "{number}");
    }
    // Neither the lock nor that there are no items is lost on the way.
    let answer = server.get("/v1/var/held").await;
    assert!(
        answer.text().contains(r#""TTL":"1h0m0s""#) && !answer.text().contains("Items"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn a_prepublished_key_waits_for_its_time() {
    let server = Server::start().await;
    let far = rotate(&server, "?publish_time=9000000000000000000").await;
    assert_eq!(
        (&far["State"], &far["PublishTime"]),
        (&json!("prepublished"), &json!(9_000_000_000_000_000_000_i64))
    );
    assert_eq!(states(&server).await, ["active", "prepublished"]);
    rotate(&server, "?publish_time=1").await;
    until(&server, &["inactive", "prepublished", "active"]).await;
}

#[tokio::test]
async fn what_is_wrong_is_refused() {
    let server = Server::start().await;
    let full = "keyring cannot be prepublished and full rotated at the same time";
    let time = "invalid publish_time: strconv.ParseInt: parsing \"x\": invalid syntax";
    for (request, status, text) in [
        ("PUT /v1/operator/keyring/rotate?full&publish_time=1", 500, full),
        ("PUT /v1/operator/keyring/rotate?publish_time=x", 500, time),
        ("GET /v1/operator/keyring/rotate", 405, "Invalid method"),
        ("PUT /v1/operator/keyring/keys", 405, "Invalid method"),
        ("GET /v1/operator/keyring/key/x", 405, "Invalid method"),
        ("DELETE /v1/operator/keyring/key/x?force=maybe", 422, "invalid force parameter"),
        ("DELETE /v1/operator/keyring/key/x", 500, "root key not found"),
        ("DELETE /v1/operator/keyring/key/", 500, "root key ID is required"),
    ] {
        server.send(request, "").await.check(status, text);
    }
    assert_eq!(states(&server).await, ["active"]);
}
