//! Keys: what the golden answers don't show.

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use serde_json::Value;

use super::server::{Answer, Server};

fn stream(chunks: usize, chunk_bytes: usize) -> Body {
    let chunks = (0..chunks).map(move |_| Ok::<_, std::io::Error>(Bytes::from(vec![b'v'; chunk_bytes])));
    Body::from_stream(futures_util::stream::iter(chunks))
}

fn keys(answer: &Answer) -> Vec<String> {
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn keys_may_be_any_bytes() {
    let server = Server::start().await;
    for key in ["a%20b", "a%2Fb/c", "%2F/double//slash", "gr%C3%BCn", "100%25", "q%3F%23", "a+b"] {
        server.put(key, key).await;
    }
    let found = keys(&server.get("/v1/kv/?keys").await);
    assert_eq!(found, ["//double//slash", "100%", "a b", "a+b", "a/b/c", "grün", "q?#"]);
    assert_eq!(server.value("a/b%2fc").await.as_deref(), Some("a%2Fb/c"));
    assert_eq!(server.get("/v1/kv?keys").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_value_of_512_kib_fits_and_one_byte_more_does_not() {
    let server = Server::start().await;
    let limit = 512 << 10;
    server.put("k", &"v".repeat(limit)).await;

    let help = "See https://developer.hashicorp.com/docs/agent/config/config-files#kv_max_value_size.";
    let answer = server.send("PUT /v1/kv/k", vec![b'w'; limit + 1]).await;
    answer.check(413, &format!("Request body(524289 bytes) too large, max size: 524288 bytes. {help}"));
    // Without a length the body is read as far as the limit.
    let answer = server.send("PUT /v1/kv/k", stream(9, 64 << 10)).await;
    answer.check(413, &format!("Request body too large, max size: 524288 bytes. {help}"));

    assert_eq!(server.value("k").await.unwrap().len(), limit);
    assert_eq!(server.send("PUT /v1/kv/k", stream(8, 64 << 10)).await.text(), "true");
}

#[tokio::test]
async fn a_key_that_could_not_be_stored_is_refused() {
    let server = Server::start().await;
    let answer = server.send(&format!("PUT /v1/kv/{}", "k".repeat(65_001)), "v").await;
    answer.check(400, "Key too long (65001 bytes), max size: 65000 bytes");
}

#[tokio::test]
async fn a_large_listing_is_whole() {
    let server = Server::start().await;
    let value = "v".repeat(100 << 10);
    for n in 0..12 {
        server.put(&format!("big/{n:02}"), &value).await;
    }
    for uri in ["/v1/kv/big/?recurse", "/v1/kv/big/?recurse&pretty"] {
        let listed: Value = serde_json::from_slice(&server.get(uri).await.body).unwrap();
        assert_eq!(listed.as_array().unwrap().len(), 12);
        assert!(
            listed.as_array().unwrap().iter().all(|entry| entry["Value"].as_str().unwrap().len() > 100 << 10)
        );
    }
}

#[tokio::test]
async fn a_set_that_changes_nothing_keeps_the_index() {
    let server = Server::start().await;
    server.put("k", "v").await;
    let before = server.get("/v1/kv/k").await;
    server.put("k", "v").await;
    assert_eq!(server.get("/v1/kv/k").await.body, before.body);
}

#[tokio::test]
async fn cas_with_zero_creates_and_only_creates() {
    let server = Server::start().await;
    assert_eq!(server.send("PUT /v1/kv/k?cas=0", "1").await.text(), "true");
    assert_eq!(server.send("PUT /v1/kv/k?cas=0", "2").await.text(), "false");
    let index = server.get("/v1/kv/k").await.index();
    assert_eq!(server.send(&format!("PUT /v1/kv/k?cas={index}"), "3").await.text(), "true");
    assert_eq!(server.send(&format!("DELETE /v1/kv/k?cas={index}"), "").await.text(), "false");
    assert_eq!(server.value("k").await.as_deref(), Some("3"));
}

#[tokio::test]
async fn a_stale_read_says_how_old_it_may_be() {
    let server = Server::start().await;
    let answer = server.get("/v1/kv/k?stale").await;
    assert_eq!((answer.header("x-consul-knownleader"), answer.header("x-consul-lastcontact")), ("true", "0"));
}

#[tokio::test]
async fn a_node_that_has_stopped_fails_in_words() {
    let server = Server::start().await;
    server.put("k", "v").await;
    server.node.shutdown().await;
    let answer = server.get("/v1/kv/k").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.text().is_empty());
}

#[tokio::test]
async fn tenancies_are_refused_wherever_they_are_named() {
    let server = Server::start().await;
    let cases = [
        ("PUT /v1/kv/k?partition=p", &[][..], "Invalid query parameter: \"partition\" - Partitions"),
        (
            "DELETE /v1/kv/k",
            &[("X-Consul-Namespace", "n")][..],
            "Invalid header: \"X-Consul-Namespace\" - Namespaces",
        ),
    ];
    for (request, headers, start) in cases {
        let answer = server.send_with(request, headers, "v").await;
        answer.check(400, &format!("{start} are a Consul Enterprise feature"));
    }
}

#[tokio::test]
async fn the_largest_value_is_a_setting() {
    let server = Server::with(|settings| settings.kv_max_value_bytes = 10).await;
    assert_eq!(server.send("PUT /v1/kv/k", "0123456789").await.status, StatusCode::OK);
    let refused = server.send("PUT /v1/kv/k", "0123456789+").await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(
        refused.text().starts_with("Request body(11 bytes) too large, max size: 10 bytes."),
        "{}",
        refused.text()
    );
    assert_eq!(server.value("k").await.as_deref(), Some("0123456789"));
}
