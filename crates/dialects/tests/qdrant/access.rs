//! Keys and rights, before anything else of a request is looked at.

use axum::body::Body;
use axum::http::StatusCode;
use dialects::qdrant::{Keys, served};
use serde_json::json;

use crate::server::Server;

async fn guarded() -> Server {
    Server::with(Keys {
        api_key: Some("secret".into()),
        read_only_api_key: Some("reader".into()),
        ..Keys::default()
    })
    .await
}

/// A route's path, with something for each of its variables.
fn concrete(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn without_a_key_nothing_is_told_but_that_one_is_needed() {
    let server = guarded().await;
    let mut open = Vec::new();
    for route in served() {
        let request = format!("{} {}", route.method, concrete(route.path));
        let answer = server.send(&request, &[], Body::empty()).await;
        if answer.status == StatusCode::OK {
            open.push(request);
            assert!(route.is_open, "{route:?}");
            continue;
        }
        let sentence = "Must provide an API key or an Authorization bearer token";
        assert_eq!((answer.status.as_u16(), answer.string()), (401, sentence), "{request}");
        let answer = server.send(&request, &[("api-key", "wrong")], Body::empty()).await;
        assert_eq!((answer.status.as_u16(), answer.string()), (401, "Invalid API key or JWT"), "{request}");
    }
    assert_eq!(open, ["GET /", "GET /healthz", "GET /livez", "GET /readyz"]);
    for request in ["GET /nothing", "PATCH /", "DELETE /collections"] {
        assert_eq!(server.send(request, &[], Body::empty()).await.status.as_u16(), 401, "{request}");
    }
}

#[tokio::test]
async fn a_key_that_reads_changes_nothing() {
    let server = guarded().await;
    let reads = ["scroll", "count", "query", "search", "recommend", "discover"];
    for route in served() {
        let request = format!("{} {}", route.method, concrete(route.path));
        // What is asked for by the key is looked at before the body, which is missing here.
        let answer = server.send(&request, &[("api-key", "reader")], Body::empty()).await;
        let asks = |path: &str| {
            let parts: Vec<&str> = path.split('/').collect();
            matches!(parts.as_slice(), ["", "collections", "{name}", "points" | "facet"])
                || parts.get(4).is_some_and(|part| reads.contains(part))
        };
        let changes = route.method != "GET" && !(route.method == "POST" && asks(route.path))
            || matches!(route.path, "/stacktrace" | "/collections/{name}/shards/{shard}/snapshot");
        if changes {
            let sentence = "Forbidden: Global manage access is required";
            assert_eq!((answer.status.as_u16(), answer.error().as_str()), (403, sentence), "{request}");
        } else {
            assert!(![401, 403].contains(&answer.status.as_u16()), "{request}: {}", answer.string());
        }
    }
}

#[tokio::test]
async fn a_body_is_not_read_for_whoever_may_not_send_it() {
    let server = guarded().await;
    // A body that never ends: only an answer that does not wait for it comes at all.
    let endless = || Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let headers = [("content-type", "application/json"), ("api-key", "reader")];
    let answer = server.send("PUT /collections/c/points", &headers, endless()).await;
    assert_eq!(answer.status.as_u16(), 403);
    let answer = server.send("POST /collections/c/snapshots/upload", &headers[..1], endless()).await;
    assert_eq!(answer.status.as_u16(), 401);
}

#[tokio::test]
async fn a_key_opens_what_it_is_for() {
    let server = guarded().await;
    let (json, key, bearer) =
        (("content-type", "application/json"), ("api-key", "secret"), ("authorization", "Bearer secret"));
    let body = json!({"vectors": {"size": 2, "distance": "Dot"}}).to_string();
    let answer = server.send("PUT /collections/c", &[json, key], body).await;
    assert_eq!(answer.result(), json!(true));
    let answer = server.send("GET /collections", &[bearer], Body::empty()).await;
    assert_eq!(answer.result(), json!({"collections": [{"name": "c"}]}));
}
