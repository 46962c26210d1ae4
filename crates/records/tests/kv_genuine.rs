//! Archives that genuine servers made: restored, served, and held without loss.

mod kv_support;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive::consul::{DirEntry, kinds};
use archive::{consul, hashicorp};
use bytes::Bytes;
use records::consul::{Command, KvOp, KvPair, Reply, kv_get, kv_list};
use records::store::Memory;
use records::{Read, Record};

use kv_support::{Machine, session_record};

/// Where the genuine archives are; tests that need one end quietly without it.
fn fixture(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    let fixtures = std::env::var_os("STILLPOINT_FIXTURES").map_or(beside, PathBuf::from);
    let path = fixtures.join("consul").join(name);
    if !path.exists() {
        eprintln!("skipped: no genuine fixtures");
        return None;
    }
    Some(path)
}

fn records_of(path: &Path) -> Vec<Record> {
    let archive = hashicorp::Reader::new(File::open(path).expect("open the archive"));
    let mut records = consul::Records::new(archive).expect("a header");
    let mut found = Vec::new();
    while let Some(record) = records.next_record().expect("a record") {
        found.push(Record { kind: record.kind, bytes: record.bytes.into() });
    }
    found
}

fn sorted(mut records: Vec<Record>) -> Vec<(u8, Bytes)> {
    let mut pairs: Vec<_> = records.drain(..).map(|record| (record.kind, record.bytes)).collect();
    pairs.sort();
    pairs
}

#[test]
fn every_record_of_a_genuine_archive_is_held_as_it_is() {
    for name in ["all.snap", "backup.snap", "backupWithKV.snap"] {
        let Some(path) = fixture(name) else { return };
        let archived = records_of(&path);
        let mut machine = Machine::on(Arc::new(Memory::default()));
        machine.restore(archived.clone());
        let held = machine.view().records().map(|record| record.unwrap()).collect();
        assert!(sorted(held) == sorted(archived), "{name}");
    }
}

#[test]
fn genuine_keys_are_served_and_can_be_changed() {
    let Some(path) = fixture("backupWithKV.snap") else { return };
    let mut archived = records_of(&path);
    let entries: Vec<DirEntry> = archived
        .iter()
        .filter(|record| record.kind == kinds::KVS)
        .map(|record| DirEntry::decode(&record.bytes).unwrap())
        .collect();
    assert_eq!(entries.len(), 27);
    archived.push(session_record("s"));
    let mut machine = Machine::on(Arc::new(Memory::default()));
    machine.restore(archived);
    let view = machine.view();
    let listed = kv_list(&view, b"").unwrap().value.map(|entry| entry.unwrap().key);
    assert!(listed.eq(entries.iter().map(|entry| entry.key.clone())));

    let old = &entries[0];
    let key = Bytes::from(old.key.clone());
    let pair = KvPair { key: key.clone(), value: Bytes::from_static(b"new"), flags: old.flags };
    let lock = Command::Kv(KvOp::Lock { pair, session: "s".into() });
    assert_eq!(machine.apply_run(vec![lock]), [Reply::Bool(true)]);
    let view = machine.view();
    let new = kv_get(&view, &key).unwrap().value.unwrap();
    assert_eq!((new.create_index, new.lock_index), (old.create_index, old.lock_index + 1));
    assert!(new.modify_index > entries.iter().map(|entry| entry.modify_index).max().unwrap());
    assert_eq!(view.derived(b"\x01s\0").unwrap(), [key]);
}
