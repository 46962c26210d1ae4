//! Stored snapshots on their way out, whole and in parts.

use axum::body::Body;

use crate::server::{Server, sha256};

#[tokio::test]
async fn a_download_says_what_it_is() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    for list in ["/snapshots", "/collections/c/snapshots", "/collections/c/shards/0/snapshots"] {
        let (made, bytes) = server.snapshot(list).await;
        assert_eq!(made["size"], bytes.len());
        assert_eq!(made["checksum"], sha256(&bytes));
        let name = made["name"].as_str().unwrap();
        let uri = format!("{list}/{name}");
        let answer = server.ask(&format!("GET {uri}")).await;
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        assert_eq!(answer.header("content-length"), bytes.len().to_string());
        assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{name}\""));
        assert_eq!(answer.header("accept-ranges"), "bytes");
        assert_eq!(answer.header("etag"), format!("\"{}\"", sha256(&bytes)));
        assert!(answer.header("last-modified").ends_with(" GMT"));
        let head = server.ask(&format!("HEAD {uri}")).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), bytes.len().to_string());
    }
}

#[tokio::test]
async fn a_part_is_a_part() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    let (made, bytes) = server.snapshot("/collections/c/snapshots").await;
    let uri = format!("GET /collections/c/snapshots/{}", made["name"].as_str().unwrap());
    let whole = server.ask(&uri).await;
    let (tag, time) = (whole.header("etag").to_owned(), whole.header("last-modified").to_owned());
    let ask = async |headers: &[(&str, &str)]| server.send(&uri, headers, Body::empty()).await;
    let size = bytes.len();
    for (range, from, end) in [
        ("bytes=0-99".to_owned(), 0, 100),
        (format!("bytes={}-", size - 10), size - 10, size),
        ("bytes=-512".to_owned(), size - 512, size),
        (format!("bytes=600-{}", size * 2), 600, size),
    ] {
        let answer = ask(&[("range", &range), ("if-range", &tag)]).await;
        assert_eq!((answer.status, answer.body.as_slice()), (206, &bytes[from..end]), "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {from}-{}/{size}", end - 1));
        assert_eq!(answer.header("content-length"), (end - from).to_string());
    }
    let beyond = ask(&[("range", &format!("bytes={size}-"))]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, format!("bytes */{size}").as_str()));
    let other = ask(&[("range", "bytes=0-9"), ("if-range", "\"another\"")]).await;
    assert_eq!((other.status, other.body.len()), (200, size));
    for (name, value, status) in [
        ("if-none-match", tag.as_str(), 304),
        ("if-modified-since", &time, 304),
        ("if-match", "\"another\"", 412),
        ("if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT", 412),
        ("if-match", &tag, 200),
        ("if-unmodified-since", &time, 200),
    ] {
        let answer = ask(&[(name, value)]).await;
        assert_eq!((answer.status, answer.body.is_empty()), (status, status != 200), "{name}: {value}");
    }
}

#[tokio::test]
async fn a_shard_streams_as_it_is_now() {
    let server = Server::start().await;
    server.fill("c", 2).await;
    for shard in 0..2 {
        let answer = server.ask(&format!("GET /collections/c/shards/{shard}/snapshot")).await;
        assert_eq!(answer.status, 200, "{}", answer.string());
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        let name = answer.header("content-disposition");
        assert!(name.starts_with(&format!("attachment; filename=\"c-shard-{shard}-2")), "{name}");
        assert!(name.ends_with(".snapshot\""), "{name}");
        server.ok("POST /collections/c/points/delete?wait=true", serde_json::json!({"filter": {}})).await;
        server.upload(&format!("/collections/c/shards/{shard}/snapshots/upload"), &answer.body).await;
        assert!(server.count("c").await > 0);
        assert_eq!(
            server.names(&format!("/collections/c/shards/{shard}/snapshots")).await,
            [] as [String; 0]
        );
        server.fill_again("c").await;
    }
}
