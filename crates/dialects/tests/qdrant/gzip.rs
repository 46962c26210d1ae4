//! Answers are compressed for who asks for that.

use std::io::Read;

use axum::body::Body;
use flate2::read::GzDecoder;
use serde_json::json;

use crate::server::{Answer, Server};

async fn scroll(server: &Server, encoding: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("accept-encoding", encoding)];
    let body = json!({"limit": 2000, "with_payload": true}).to_string();
    server.send("POST /collections/c/points/scroll", &headers, body).await
}

#[tokio::test]
async fn as_a_client_asks() {
    let server = Server::with_collection().await;
    // On both sides of what is compressed at once.
    for points in [100, 2000] {
        let points: Vec<_> = (1..=points)
            .map(|id| json!({"id": id, "vector": [id, 1, 2, 3], "payload": {"word": "the same for all of them"}}))
            .collect();
        server.ok("PUT /collections/c/points?wait=true", json!({"points": points})).await;
        let plain = scroll(&server, "identity").await;
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
        let compressed = scroll(&server, "gzip, deflate").await;
        assert_eq!((compressed.header("content-encoding"), compressed.status.as_u16()), ("gzip", 200));
        assert!(compressed.body.len() * 4 < plain.body.len());
        let mut body = Vec::new();
        GzDecoder::new(&compressed.body[..]).read_to_end(&mut body).unwrap();
        let decoded = Answer { body, ..compressed };
        assert_eq!(decoded.result(), plain.result());
        assert_eq!(decoded.result()["points"].as_array().unwrap().len(), points.len());
    }
    let short = server.send("GET /collections/c/exists", &[("accept-encoding", "gzip")], Body::empty()).await;
    assert_eq!(short.header("content-encoding"), "");
    assert_eq!(short.result(), json!({"exists": true}));
}

#[tokio::test]
async fn what_a_client_takes() {
    let server = Server::with_collection().await;
    let points: Vec<_> = (1..=50).map(|id| json!({"id": id, "vector": [id, 1, 2, 3]})).collect();
    server.ok("PUT /collections/c/points?wait=true", json!({"points": points})).await;
    for (header, expected) in [
        ("gzip", "gzip"),
        ("br;q=1.0, GZIP;q=0.1", "gzip"),
        ("deflate, x-gzip", "gzip"),
        ("*", "gzip"),
        ("gzip;q=0, *", ""),
        ("*;q=0", ""),
        ("br, deflate", ""),
        ("gzip;q=x", ""),
        ("", ""),
    ] {
        assert_eq!(scroll(&server, header).await.header("content-encoding"), expected, "{header}");
    }
}
