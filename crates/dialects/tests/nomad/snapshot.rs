//! Save and restore: `/v1/operator/snapshot`.

use archive::hashicorp::{Compression, Reader, Writer};
use archive::nomad::kinds;
use axum::body::Body;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use node::Digest;
use sha2::{Digest as _, Sha256};

use super::server::{Answer, Server, fixture, records_of};

#[track_caller]
fn check_digest(answer: &Answer) {
    let digest = Digest(Sha256::digest(&answer.body).into());
    let expected = format!("sha-256={}", BASE64_STANDARD.encode(digest.0));
    assert_eq!(answer.header("digest"), expected);
}

#[tokio::test]
async fn an_archive_comes_with_its_digest_and_no_index() {
    let server = Server::start().await;
    server.put("one", "first").await;
    for uri in ["/v1/operator/snapshot", "/v1/operator/snapshot?stale", "/v1/operator/snapshot?stale=true"] {
        let answer = server.get(uri).await;
        assert_eq!(answer.status.as_u16(), 200);
        check_digest(&answer);
        assert_eq!(answer.header("content-type"), "application/x-gzip");
        assert_eq!(answer.header("x-nomad-index"), "");
        assert!(!records_of(&answer.body).is_empty());
    }
}

#[tokio::test]
async fn a_digest_is_remembered_only_while_the_state_stays() {
    let server = Server::start().await;
    let mut seen = Vec::new();
    for description in ["a", "a", "b", "a"] {
        server.put("one", description).await;
        let answer = server.get("/v1/operator/snapshot").await;
        check_digest(&answer);
        check_digest(&server.get("/v1/operator/snapshot").await);
        seen.push(answer.body);
    }
    let archive = seen.swap_remove(0);
    server.restore(archive).await.check(200, "");
    check_digest(&server.get("/v1/operator/snapshot").await);
}

#[tokio::test]
async fn genuine_archives_come_back_record_by_record() {
    for name in ["server.snap", "every-kind.snap", "every-kind-reflection.snap"] {
        let genuine = fixture(name);
        let server = Server::start().await;
        let answer = server.send("POST /v1/operator/snapshot?allow-missing-keys", genuine.clone()).await;
        answer.check(200, "");
        assert_eq!(answer.header("content-type"), "text/plain");
        assert_eq!(answer.header("x-nomad-index"), "");
        // Of these two no root key can be used: one is added, with what belongs to it.
        let changes = |kind| matches!(kind, kinds::ROOT_KEY | kinds::INDEX | kinds::NAMESPACE);
        let sorted = |archive: &[u8]| {
            let mut records: Vec<_> = records_of(archive)
                .into_iter()
                .filter(|record| name == "server.snap" || !changes(record.kind))
                .map(|record| (record.kind, record.bytes))
                .collect();
            records.sort();
            records
        };
        assert!(sorted(&server.save().await) == sorted(&genuine), "{name}");
    }
}

#[tokio::test]
async fn what_was_there_is_gone_and_what_the_archive_holds_is_there() {
    let server = Server::start().await;
    server.put("kept", "as it was").await;
    let archive = server.save().await;
    server.put("kept", "changed").await;
    let before = server.put("later", "gone soon").await.index();
    server.restore(archive).await.check(200, "");
    let kept = server.get("/v1/namespace/kept").await;
    assert!(kept.text().contains("as it was"), "{}", kept.text());
    server.get("/v1/namespace/later").await.check(404, "Namespace not found");
    assert!(server.get("/v1/namespaces").await.index() > before);
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_genuine_words() {
    let server = Server::start().await;
    server.put("one", "first").await;
    let archive = server.save().await;
    let stale = "Expect `true` or `false` for `stale` query string parameter";
    server.get("/v1/operator/snapshot?stale=yes").await.check(400, stale);
    server.send("DELETE /v1/operator/snapshot", Body::empty()).await.check(405, "Invalid method");
    server.get("/v1/operator/snapshot?region=nope").await.check(500, "No path to region");
    let digest = server.node.records().view(records::Scope::Nomad).unwrap().digest().unwrap();
    for (body, text) in [
        (Vec::new(), "failed to decompress snapshot: EOF"),
        (b"nope nope nope".to_vec(), "failed to decompress snapshot: gzip: invalid header"),
        (archive[..archive.len() - 1].to_vec(), "unexpected EOF"),
    ] {
        let text = format!("failed to restore from snapshot: {text}");
        server.restore(body).await.check(500, &text);
    }
    assert_eq!(server.node.records().view(records::Scope::Nomad).unwrap().digest().unwrap(), digest);
}

#[tokio::test]
async fn an_archive_of_the_other_product_is_refused_by_both_names() {
    let server = Server::start().await;
    server.put("one", "first").await;
    server.send_consul("PUT /v1/kv/a", "1").await.check(200, "true");
    let nomad = server.save().await;
    let consul = server.send_consul("GET /v1/snapshot", Body::empty()).await.body;
    let digests =
        || records::Scope::ALL.map(|scope| server.node.records().view(scope).unwrap().digest().unwrap());
    let before = digests();
    for answer in [server.restore(consul).await, server.send_consul("PUT /v1/snapshot", nomad).await] {
        assert_eq!(answer.status.as_u16(), 500, "{}", answer.text());
        assert!(answer.text().contains("Consul") && answer.text().contains("Nomad"), "{}", answer.text());
    }
    assert_eq!(digests(), before);
}

#[tokio::test]
async fn an_unknown_record_type_is_refused_by_number_unless_it_is_allowed() {
    let server = Server::start().await;
    server.put("one", "first").await;
    let saved = server.save().await;
    let mut reader = Reader::new(&saved[..]);
    let mut state = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut state).unwrap();
    let mut meta = reader.finish().unwrap().meta;
    state.extend_from_slice(&[199, 0x80]);
    meta.size = i64::try_from(state.len()).unwrap();
    let compression = Compression::Gzip { level: archive::gzip::Level::Fast, workers: 1 };
    let mut archive = Writer::new(Vec::new(), &meta, 0, compression).unwrap();
    std::io::Write::write_all(&mut archive, &state).unwrap();
    let archive = archive.finish().unwrap();
    let answer = server.restore(archive.clone()).await;
    assert_eq!(answer.status.as_u16(), 500);
    assert!(answer.text().starts_with("failed to restore from snapshot: "), "{}", answer.text());
    assert!(answer.text().contains("199"), "{}", answer.text());
    server.send("PUT /v1/operator/snapshot?allow-unknown-records", archive).await.check(200, "");
}
