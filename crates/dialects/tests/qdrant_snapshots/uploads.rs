//! Archives in forms: what of a form counts, and what a broken one leaves behind.

use axum::body::Body;
use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::form::{self, Part, form};
use crate::server::{Server, sha256};

#[tokio::test]
async fn a_form_that_cannot_be_read_is_refused_in_plain_text() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    for place in ["/collections/c/snapshots/upload", "/collections/c/shards/0/snapshots/upload"] {
        let answer = server.post(place, form(&[])).await;
        assert_eq!((answer.status, answer.string()), (400, "Required field is missing: snapshot".to_owned()));
        let answer =
            server.post(place, form(&[Part { name: "file", file: Some("s"), bytes: &[7; 5000] }])).await;
        assert_eq!((answer.status, answer.string()), (400, "Required field is missing: snapshot".to_owned()));
        assert!(answer.header("content-type").starts_with("text/plain"));
        let answer = server.json(&format!("POST {place}"), json!({})).await;
        assert_eq!(answer.status, 415);
        assert_eq!(server.ask(&format!("POST {place}")).await.status, 415);
        let headers = [("content-type", "multipart/form-data")];
        assert_eq!(server.send(&format!("POST {place}"), &headers, "x").await.status, 400);
        // Cut in the head of the part, and within it.
        let whole = form::archive(&[7; 5000]);
        for length in [20, 90, 3000] {
            let answer = server.post(place, whole[..length].to_vec()).await;
            assert_eq!(answer.status, 400, "{length}: {}", answer.string());
            assert!(answer.header("content-type").starts_with("text/plain"), "{length}: {}", answer.string());
        }
        // A head without an end.
        let head = stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'a'; 64 << 10])).take(1000);
        let body = stream::iter([Ok(whole[..60].to_vec())]).chain(head);
        assert_eq!(server.post(place, Body::from_stream(body)).await.status, 400);
    }
    assert_eq!(server.count("c").await, 10);
    assert_eq!(server.blobs(), [] as [std::path::PathBuf; 0]);
}

#[tokio::test]
async fn a_place_that_is_not_there_is_told_even_for_a_text_field() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    let text = || form(&[Part { name: "snapshot", file: None, bytes: b"not a file" }]);
    let answer = server.post("/collections/x/shards/0/snapshots/upload", text()).await;
    assert_eq!((answer.status, answer.error()), (404, "Not found: Collection `x` doesn't exist!".to_owned()));
    let answer = server.post("/collections/c/shards/99/snapshots/upload", text()).await;
    assert_eq!((answer.status, answer.error()), (404, "Not found: shard 99 not found".to_owned()));
}

#[tokio::test]
async fn what_is_no_archive_changes_nothing() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    for bytes in [b"".as_slice(), b"no tar at all", &[0; 10_240], &[255; 3000]] {
        for place in ["c/snapshots", "new/snapshots", "c/shards/0/snapshots"] {
            let answer = server.post(&format!("/collections/{place}/upload"), form::archive(bytes)).await;
            assert!(matches!(answer.status, 400 | 500), "{place}: {}", answer.string());
            let text = answer.error();
            assert!(text.starts_with("Service internal error: ") || text.contains("snapshot"), "{text}");
        }
    }
    assert_eq!(server.count("c").await, 10);
    assert_eq!(server.read("/collections").await, json!({"collections": [{"name": "c"}]}));
}

#[tokio::test]
async fn the_name_of_the_file_is_nobodys_path() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    let (_, bytes) = server.snapshot("/collections/c/snapshots").await;
    for name in ["../../../evil.snapshot", "/tmp/evil.snapshot", "..\\evil", "", "x", "%2e%2e%2fevil"] {
        let other = Part { name: "other", file: None, bytes: b"passed over" };
        let part = Part { name: "snapshot", file: Some(name), bytes: &bytes };
        let answer = server.post("/collections/d/snapshots/upload", form(&[other, part])).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.string());
        assert_eq!(server.count("d").await, 10);
    }
    // What was sent is not kept.
    assert_eq!(server.names("/collections/d/snapshots").await, [] as [String; 0]);
}

#[tokio::test]
async fn an_archive_that_is_another_than_was_meant_is_refused() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    let (_, bytes) = server.snapshot("/collections/c/snapshots").await;
    let (_, shard) = server.snapshot("/collections/c/shards/0/snapshots").await;
    let other = "a".repeat(64);
    for (place, bytes) in [("new/snapshots", &bytes), ("c/shards/0/snapshots", &shard)] {
        let upload = format!("/collections/{place}/upload?checksum={other}");
        let answer = server.post(&upload, form::archive(bytes)).await;
        let text = format!("Checksum mismatch: expected {other}, actual {}", sha256(bytes));
        assert_eq!((answer.status, answer.error()), (400, text));
    }
    assert_eq!(server.ask("GET /collections/new").await.status, 404);
    // Capital letters are letters.
    let right = sha256(&bytes).to_uppercase();
    server
        .upload(&format!("/collections/new/snapshots/upload?checksum={right}&priority=replica"), &bytes)
        .await;
    assert_eq!(server.count("new").await, 10);
}

#[tokio::test]
async fn an_archive_that_breaks_off_changes_nothing() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    let (_, bytes) = server.snapshot("/collections/c/snapshots").await;
    let stored = server.blobs().len();
    let whole = form::archive(&bytes);
    let half = whole[..whole.len() / 2].to_vec();
    // The connection ends, or the client does.
    let cut = stream::iter([Ok(half.clone()), Err(std::io::Error::other("cut"))]);
    assert_eq!(server.post("/collections/d/snapshots/upload", Body::from_stream(cut)).await.status, 400);
    assert_eq!(server.post("/collections/d/snapshots/upload", half).await.status, 400);
    assert_eq!(server.ask("GET /collections/d").await.status, 404);
    assert_eq!(server.blobs().len(), stored);
}
