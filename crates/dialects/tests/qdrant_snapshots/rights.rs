//! Who may do what with snapshots: the table of `qdrant/qdrant:tests/consensus_tests/auth_tests/test_jwt_access.py`.

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dialects::FetchPolicy;
use dialects::qdrant::Keys;
use serde_json::{Value, json};

use crate::server::Server;

/// A token signed as operators sign them.
fn token(claims: &Value) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let head = json!({"alg": "HS256", "typ": "JWT"}).to_string();
    let signed = format!("{}.{}", part(head.as_bytes()), part(claims.to_string().as_bytes()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"secret");
    format!("{signed}.{}", part(aws_lc_rs::hmac::sign(&key, signed.as_bytes()).as_ref()))
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says() {
    let keys = Keys { api_key: Some("secret".into()), jwt_rbac: true, ..Keys::default() };
    let server = Server::with(keys, Some(FetchPolicy::default())).await;
    let headers = [("content-type", "application/json"), ("api-key", "secret")];
    let body = json!({"vectors": {"size": 4, "distance": "Dot"}}).to_string();
    assert_eq!(server.send("PUT /collections/c", &headers, body).await.status, 200);
    let granted = |access: &str| token(&json!({"access": [{"collection": "c", "access": access}]}));
    let bearers = [
        ("r", token(&json!({"access": "r"}))),
        ("c: r", granted("r")),
        ("c: rw", granted("rw")),
        ("c: prw", granted("prw")),
        ("m", token(&json!({"access": "m"}))),
        ("d: rw", token(&json!({"access": [{"collection": "d", "access": "rw"}]}))),
    ];
    let read = ["r", "c: r", "c: rw", "m"].as_slice();
    let write = ["c: rw", "m"].as_slice();
    let global = ["r", "m"].as_slice();
    let manage = ["m"].as_slice();
    let (c, s) = ("/collections/c/snapshots", "/collections/c/shards/0/snapshots");
    let table = [
        (format!("GET {c}"), read),
        (format!("GET {c}/s"), read),
        (format!("POST {c}"), write),
        (format!("DELETE {c}/s"), write),
        (format!("PUT {c}/recover"), manage),
        (format!("POST {c}/upload"), manage),
        (format!("GET {s}"), read),
        (format!("GET {s}/s"), read),
        (format!("POST {s}"), write),
        (format!("DELETE {s}/s"), write),
        (format!("PUT {s}/recover"), manage),
        (format!("POST {s}/upload"), manage),
        ("GET /collections/c/shards/0/snapshot".to_owned(), write),
        ("GET /collections/c/shards/0/snapshot/partial/manifest".to_owned(), global),
        ("POST /collections/c/shards/0/snapshot/partial/create".to_owned(), write),
        ("POST /collections/c/shards/0/snapshot/partial/recover".to_owned(), manage),
        ("POST /collections/c/shards/0/snapshot/partial/recover_from".to_owned(), manage),
        ("GET /snapshots".to_owned(), global),
        ("GET /snapshots/s".to_owned(), global),
        ("POST /snapshots".to_owned(), manage),
        ("DELETE /snapshots/s".to_owned(), manage),
    ];
    for (request, may) in table {
        for (bearer, key) in &bearers {
            let answer = server.send(&request, &[("api-key", key)], Body::empty()).await;
            if may.contains(bearer) {
                assert!(![401, 403].contains(&answer.status), "{request} by {bearer}: {}", answer.string());
            } else {
                let text = answer.error();
                assert!(
                    answer.status == 403 && text.starts_with("Forbidden: "),
                    "{request} by {bearer}: {text}"
                );
            }
        }
        assert_eq!(server.ask(&request).await.status, 401, "{request}");
    }
    for (key, text) in
        [(&bearers[0].1, "Global manage access is required"), (&bearers[1].1, "Global access is required")]
    {
        let answer = server.send("POST /snapshots", &[("api-key", key)], Body::empty()).await;
        assert_eq!(answer.error(), format!("Forbidden: {text}"));
    }
    let answer = server.send(&format!("POST {c}"), &[("api-key", &bearers[1].1)], Body::empty()).await;
    assert_eq!(answer.error(), "Forbidden: Write access to collection c is required");
    let answer = server.send(&format!("GET {c}"), &[("api-key", &bearers[3].1)], Body::empty()).await;
    assert_eq!(answer.error(), "Forbidden: Only points access is allowed for collection c");
    let answer = server.send(&format!("GET {c}"), &[("api-key", &bearers[5].1)], Body::empty()).await;
    assert_eq!(answer.error(), "Forbidden: Access to collection c is required");
}
