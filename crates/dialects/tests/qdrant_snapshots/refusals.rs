//! What is refused, in which words, and before what.

use axum::body::Body;
use dialects::FetchPolicy;
use dialects::qdrant::Keys;
use serde_json::{Value, json};

use crate::form;
use crate::server::Server;

/// A body that never ends: only an answer that does not wait for it comes at all.
fn endless() -> Body {
    Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>())
}

#[tokio::test]
async fn what_is_not_there_is_told_in_the_words_of_genuine_servers() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    let no_collection = "Not found: Collection `x` doesn't exist!";
    for request in [
        "GET /collections/x/snapshots",
        "POST /collections/x/snapshots",
        "POST /collections/x/snapshots?wait=false",
        "GET /collections/x/snapshots/s.snapshot",
        "DELETE /collections/x/snapshots/s.snapshot",
        "GET /collections/x/shards/0/snapshots",
        "POST /collections/x/shards/0/snapshots",
        "GET /collections/x/shards/0/snapshots/s.snapshot",
        "DELETE /collections/x/shards/0/snapshots/s.snapshot",
        "GET /collections/x/shards/0/snapshot",
    ] {
        server.refused(request, Value::Null, 404, no_collection).await;
    }
    let recover = json!({"location": "http://127.0.0.1:1/s.snapshot"});
    server
        .refused("PUT /collections/x/shards/0/snapshots/recover", recover.clone(), 404, no_collection)
        .await;
    let no_shard = "Not found: shard 99 not found";
    for request in [
        "GET /collections/c/shards/99/snapshots",
        "POST /collections/c/shards/99/snapshots",
        "GET /collections/c/shards/99/snapshots/s.snapshot",
        "GET /collections/c/shards/99/snapshot",
    ] {
        server.refused(request, Value::Null, 404, no_shard).await;
    }
    server.refused("PUT /collections/c/shards/99/snapshots/recover", recover, 404, no_shard).await;
    let no_snapshot = "Not found: Snapshot s.snapshot not found";
    for request in [
        "GET /snapshots/s.snapshot",
        "DELETE /snapshots/s.snapshot",
        "GET /collections/c/snapshots/s.snapshot",
        "DELETE /collections/c/snapshots/s.snapshot",
        "GET /collections/c/shards/0/snapshots/s.snapshot",
        "DELETE /collections/c/shards/0/snapshots/s.snapshot",
    ] {
        server.refused(request, Value::Null, 404, no_snapshot).await;
    }
    let stored = json!({"location": "s.snapshot"});
    server.refused("PUT /collections/c/shards/0/snapshots/recover", stored, 404, no_snapshot).await;
}

#[tokio::test]
async fn no_name_leaves_its_directory() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    std::fs::create_dir_all(server.snapshots_dir()).unwrap();
    std::fs::write(server.snapshots_dir().join("../secret"), "secret").unwrap();
    let names = [
        "/etc/passwd",
        "../secret",
        "..%2Fsecret",
        "..%252Fsecret",
        "%2e%2e%2fsecret",
        "%252e%252e%252fsecret",
        "..%5Csecret",
        "....//secret",
        ".",
        "..",
        "%2e%2e",
        "%2Fetc%2Fpasswd",
        "%00",
        "a%00.snapshot",
        ".hidden",
        "%2e%2e%c0%afsecret",
        "c%2F..%2F..%2Fsecret",
    ];
    for list in ["/snapshots", "/collections/c/snapshots", "/collections/c/shards/0/snapshots"] {
        for name in names {
            for method in ["GET", "HEAD", "DELETE"] {
                let answer = server.ask(&format!("{method} {list}/{name}")).await;
                assert!(matches!(answer.status, 404 | 422), "{method} {list}/{name}: {}", answer.status);
                assert!(!answer.string().contains("secret\n"));
            }
        }
    }
    // Of collections as well.
    for name in ["..", "%2e%2e", "..%2Fc", "%00"] {
        let answer = server.ask(&format!("GET /collections/{name}/snapshots")).await;
        assert!(matches!(answer.status, 404 | 422), "{name}: {}", answer.status);
    }
    // As the stored snapshot of a shard.
    for name in ["../secret", "..", "/etc/passwd", "a/b.snapshot"] {
        let answer =
            server.json("PUT /collections/c/shards/0/snapshots/recover", json!({"location": name})).await;
        assert_eq!(answer.status, 404, "{name}: {}", answer.string());
    }
    assert_eq!(std::fs::read_to_string(server.snapshots_dir().join("../secret")).unwrap(), "secret");
}

#[tokio::test]
async fn a_malformed_checksum_is_refused_before_the_body() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    let (name, kind) = form::kind();
    for place in
        ["/collections/c/snapshots", "/collections/c/shards/0/snapshots", "/collections/x/shards/9/snapshots"]
    {
        for checksum in ["abc", &"g".repeat(64), &"a".repeat(63), &"é".repeat(32)] {
            let query: String = checksum.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let request = format!("POST {place}/upload?checksum={query}");
            let answer = server.send(&request, &[(name, &kind)], endless()).await;
            assert_eq!(answer.status, 422, "{request}");
            let text = answer.error();
            assert!(text.starts_with("Validation error in query parameters: [checksum: "), "{text}");
            assert!(text.contains("invalid_sha256_hash"), "{text}");
        }
        let body = json!({"location": "http://127.0.0.1:1/", "checksum": "abc"});
        let answer = server.json(&format!("PUT {place}/recover"), body).await;
        assert_eq!(answer.status, 422);
        let text = answer.error();
        assert!(text.starts_with("Validation error in JSON body: [checksum: "), "{text}");
        assert!(text.contains("invalid_sha256_hash"), "{text}");
    }
}

#[tokio::test]
async fn what_a_query_or_a_body_says_wrong_is_told() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    let query = "Deserialize error in query parameters: ";
    let upload = "POST /collections/c/snapshots/upload?priority=best";
    let variants = "unknown variant `best`, expected one of `no_sync`, `snapshot`, `replica`";
    server.refused(upload, Value::Null, 400, &format!("{query}{variants}")).await;
    let bad_wait = format!("{query}provided string was not `true` or `false`");
    for request in
        ["POST /collections/c/snapshots?wait=1", "DELETE /snapshots/s?wait=yes", "POST /snapshots?wait="]
    {
        server.refused(request, Value::Null, 400, &bad_wait).await;
    }
    for place in ["/collections/c/snapshots/recover", "/collections/c/shards/0/snapshots/recover"] {
        for body in
            [json!({}), json!({"location": 1}), json!({"location": "s", "priority": "best"}), json!(null)]
        {
            let answer = server.json(&format!("PUT {place}"), body.clone()).await;
            let text = answer.error();
            assert!(
                answer.status == 400 && text.starts_with("Format error in JSON body: "),
                "{body}: {text}"
            );
        }
    }
    let answer = server.json("PUT /collections/c/snapshots/recover", json!({"location": "s.snapshot"})).await;
    let text = answer.error();
    assert!(answer.status == 400 && text.starts_with("Format error in JSON body: "), "{text}");
}

#[tokio::test]
async fn a_name_that_nothing_may_have_is_not_restored_to() {
    let server = Server::start().await;
    for name in ["a%3Cb", "a:b", "a%22b", "a%5Cb", "a%7Cb", "a%3Fb", "a*b"] {
        let body = json!({"location": server.url("/nothing")});
        let answer = server.json(&format!("PUT /collections/{name}/snapshots/recover"), body).await;
        assert_eq!(answer.status, 422, "{name}: {}", answer.string());
        let answer = server.post(&format!("/collections/{name}/snapshots/upload"), form::archive(b"x")).await;
        assert_eq!(answer.status, 422, "{name}: {}", answer.string());
    }
}

#[tokio::test]
async fn nothing_is_read_or_stored_for_whoever_may_not_restore() {
    let keys =
        Keys { api_key: Some("secret".into()), read_only_api_key: Some("reader".into()), ..Keys::default() };
    let server = Server::with(keys, Some(FetchPolicy::default())).await;
    let (name, kind) = form::kind();
    for place in ["/collections/c/snapshots", "/collections/c/shards/0/snapshots"] {
        for (key, status) in [("reader", 403), ("wrong", 401), ("", 401)] {
            // Not even the checksum is looked at.
            let request = format!("POST {place}/upload?checksum=abc");
            let headers = [(name, kind.as_str()), ("api-key", key)];
            assert_eq!(server.send(&request, &headers, endless()).await.status, status, "{request} {key}");
            let headers = [("content-type", "application/json"), ("api-key", key)];
            let request = format!("PUT {place}/recover");
            assert_eq!(server.send(&request, &headers, endless()).await.status, status, "{request} {key}");
        }
    }
    assert_eq!(server.blobs(), [] as [std::path::PathBuf; 0]);
}
