//! Save and restore: what the golden answers don't show.

use std::io;

use archive::consul::kinds;
use archive::testing::Builder;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures_util::stream;
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use super::server::{Answer, Server, records_of};

/// A body whose chunks the test hands out one by one.
fn fed() -> (mpsc::Sender<io::Result<Bytes>>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    let chunks = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    (sender, Body::from_stream(chunks))
}

#[tokio::test]
async fn a_restore_replaces_everything() {
    let server = Server::start().await;
    server.put("a", "before").await;
    server.put("b", "before").await;
    let archive = server.save().await;
    server.put("a", "after").await;
    server.put("c", "after").await;
    let index = server.get("/v1/kv/?keys").await.index();

    assert_eq!(server.restore(archive).await.status, StatusCode::OK);

    let keys = server.get("/v1/kv/?keys").await;
    assert_eq!(keys.text(), r#"["a","b"]"#);
    assert!(keys.index() > index);
    assert_eq!(server.value("a").await.as_deref(), Some("before"));
    server.put("c", "again").await;
    assert!(server.get("/v1/kv/c").await.index() > keys.index());
}

#[tokio::test]
async fn records_of_every_type_come_back_as_they_were() {
    let server = Server::start().await;
    let archive = Builder::with_every_kind().archive();
    assert_eq!(server.restore(archive.clone()).await.status, StatusCode::OK);
    let (mut expected, mut found) = (records_of(&archive), records_of(&server.save().await));
    for records in [&mut expected, &mut found] {
        records.sort_by(|a, b| (a.kind, &a.bytes).cmp(&(b.kind, &b.bytes)));
    }
    assert_eq!(found, expected);
}

#[tokio::test]
async fn equal_states_give_equal_bytes() {
    let server = Server::start().await;
    server.put("a", "1").await;
    assert_eq!(server.save().await, server.save().await);
}

#[tokio::test]
async fn unknown_record_types_need_the_operators_leave() {
    let server = Server::start().await;
    let archive = Builder::new(5).key("k", b"v", 5).record(99, vec![0xc0]).archive();
    let refused = server.restore(archive.clone()).await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(refused.text().contains("type 99"), "{}", refused.text());
    assert!(refused.text().contains("?allow-unknown-records"), "{}", refused.text());
    assert_eq!(server.value("k").await, None);

    let allowed = server.send("PUT /v1/snapshot?allow-unknown-records", archive).await;
    assert_eq!(allowed.status, StatusCode::OK, "{}", allowed.text());
    assert!(records_of(&server.save().await).iter().any(|record| record.kind == 99));
}

#[tokio::test]
async fn enterprise_records_are_carried_with_a_warning() {
    let server = Server::start().await;
    let restored = server.restore(Builder::with_every_kind().archive()).await;
    assert!(restored.header("x-stillpoint-warning").contains("Enterprise"));
    let saved = server.get("/v1/snapshot").await;
    assert!(saved.header("x-stillpoint-warning").contains("Enterprise"));
}

#[tokio::test]
async fn a_second_restore_is_refused_while_one_is_running() {
    let server = Server::start().await;
    let archive = Bytes::from(Builder::new(5).key("k", b"first", 5).archive());
    let (feed, body) = fed();
    let first = server.send("PUT /v1/snapshot", body);
    let others = async {
        // Two chunks can only be sent when the first was taken in.
        feed.send(Ok(archive.slice(..10))).await.unwrap();
        feed.send(Ok(archive.slice(10..20))).await.unwrap();
        let second = server.restore(Builder::new(5).key("k", b"second", 5).archive()).await;
        assert_eq!(second.status, StatusCode::CONFLICT);
        assert!(second.text().contains("another restore"), "{}", second.text());
        feed.send(Ok(archive.slice(20..))).await.unwrap();
        drop(feed);
    };
    let (first, ()) = tokio::join!(first, others);
    assert_eq!(first.status, StatusCode::OK, "{}", first.text());
    assert_eq!(server.value("k").await.as_deref(), Some("first"));
}

#[tokio::test]
async fn an_upload_that_breaks_off_changes_nothing() {
    let server = Server::start().await;
    server.put("k", "before").await;
    let archive = Bytes::from(Builder::new(5).key("k", b"archived", 5).archive());
    let cut = [Ok(archive.slice(..archive.len() - 1)), Err(io::Error::other("the client left"))];
    let answer = server.send("PUT /v1/snapshot", Body::from_stream(stream::iter(cut))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(server.value("k").await.as_deref(), Some("before"));
    // It is over: another one may begin.
    assert_eq!(server.restore(archive.to_vec()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_save_shows_the_instant_it_began() {
    let server = Server::start().await;
    server.put("k", "before").await;
    let head = server.ask("GET /v1/snapshot", Body::empty()).await;
    server.put("k", "after").await;
    server.restore(Builder::new(900).archive()).await;
    let saved = Answer::of(head).await;
    let records = records_of(&saved.body);
    let keys: Vec<_> = records.iter().filter(|record| record.kind == kinds::KVS).collect();
    assert_eq!(keys.len(), 1);
    assert!(keys[0].bytes.windows(6).any(|part| part == b"before"));
}

#[tokio::test]
async fn a_large_archive_is_not_held_back_until_it_is_complete() {
    let server = Server::start().await;
    // What no compressor makes smaller, and more than the stages on the way hold together.
    let mut random = 1_u64;
    for n in 0..24 {
        let value: Vec<u8> = std::iter::repeat_with(|| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as u8
        })
        .take(512 << 10)
        .collect();
        assert_eq!(server.send(&format!("PUT /v1/kv/{n}"), value).await.text(), "true");
    }
    let mut body = server.ask("GET /v1/snapshot", Body::empty()).await.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first[..3], [0x1f, 0x8b, 8]);
    assert!(first.len() < 4 << 20);
    let rest = body.collect().await.unwrap().to_bytes();
    assert_eq!(records_of(&[&first[..], &rest].concat()).len(), 24 + 1);
}

#[tokio::test]
async fn forms_are_told_from_archives() {
    let server = Server::start().await;
    let archive = Builder::new(5).key("k", b"v", 5).archive();
    let multipart = [("content-type", "multipart/form-data; boundary=x")];
    let answer = server.send_with("PUT /v1/snapshot", &multipart, archive.clone()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("curl --data-binary @file"), "{}", answer.text());

    // `curl -d` and `curl --data-binary` name the body alike; only the first one changes it.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let stripped: Vec<u8> =
        archive.iter().copied().filter(|byte| !matches!(byte, 0 | b'\r' | b'\n')).collect();
    let answer = server.send_with("PUT /v1/snapshot", &form, stripped).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("curl --data-binary @file"), "{}", answer.text());
    assert_eq!(server.send_with("PUT /v1/snapshot", &form, archive).await.status, StatusCode::OK);
}
