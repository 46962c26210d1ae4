//! Archives that genuine servers made: what they hold is served, and saved again record for record.

use archive::consul::{DirEntry, Record, kinds};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::json;

use super::server::{Server, genuine, records_of};

const ARCHIVES: [&str; 3] = ["consul/all.snap", "consul/backup.snap", "consul/backupWithKV.snap"];

fn sorted(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by(|a, b| (a.kind, &a.bytes).cmp(&(b.kind, &b.bytes)));
    records
}

#[tokio::test]
async fn a_genuine_archive_is_saved_again_record_for_record() {
    for name in ARCHIVES {
        let Some(archive) = genuine(name) else { return };
        let server = Server::start().await;
        assert_eq!(server.restore(archive.clone()).await.status, StatusCode::OK, "{name}");

        let saved = records_of(&server.save().await);

        check_order(&saved);
        assert!(sorted(saved) == sorted(records_of(&archive)), "{name}");
    }
}

/// What genuine restores rely on: types in their order, an index after what it counts, chunks at the very end.
#[track_caller]
fn check_order(records: &[Record]) {
    let ranks: Vec<_> = records.iter().map(|record| kinds::rank(record.kind)).collect();
    assert!(ranks.is_sorted());
    assert_eq!(records.last().map(|record| record.kind), Some(kinds::CHUNKING_STATE));
}

#[tokio::test]
async fn keys_of_a_genuine_archive_are_served_as_its_records_say() {
    for name in ARCHIVES {
        let Some(archive) = genuine(name) else { return };
        let server = Server::start().await;
        server.put("unarchived", "goes").await;
        assert_eq!(server.restore(archive.clone()).await.status, StatusCode::OK, "{name}");

        let records = records_of(&archive);
        let keys = records.iter().filter(|record| record.kind == kinds::KVS);
        for entry in keys.map(|record| DirEntry::decode(&record.bytes).unwrap()) {
            check_key(&server, &entry).await;
        }
        assert_eq!(server.value("unarchived").await, None);
    }
}

async fn check_key(server: &Server, entry: &DirEntry) {
    let answer = server.get(&format!("/v1/kv/{}", percent_encode(&entry.key, NON_ALPHANUMERIC))).await;
    let mut expected = json!({
        "LockIndex": entry.lock_index,
        "Key": String::from_utf8_lossy(&entry.key),
        "Flags": entry.flags,
        "Value": entry.value.as_ref().filter(|value| !value.is_empty()).map(|value| STANDARD.encode(value)),
        "CreateIndex": entry.create_index,
        "ModifyIndex": entry.modify_index,
    });
    if !entry.session.is_empty() {
        expected["Session"] = entry.session.clone().into();
    }
    let found: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(found, json!([expected]));
    assert!(answer.index() >= entry.modify_index);
}

#[tokio::test]
async fn a_restored_cluster_goes_on_above_the_archive() {
    let Some(archive) = genuine("consul/backupWithKV.snap") else { return };
    let server = Server::start().await;
    assert_eq!(server.restore(archive).await.status, StatusCode::OK);
    assert!(server.get("/v1/kv/?keys").await.index() > 12_426);
    server.put("new", "v").await;
    assert!(server.get("/v1/kv/new").await.index() > 12_427);
}
