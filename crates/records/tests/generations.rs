//! Images, commits and undo on one replica: what is seen, what is counted, what is left behind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use archive::consul::{DirEntry, kinds};
use bytes::Bytes;
use records::consul::{self, KvOp, KvPair};
use records::store::{Disk, DiskOptions, Memory, Store};
use records::{Command, Commit, Entry, Error, Op, Position, Record, Records, Refusal, Reply, Scope, View};
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Applies commands as a log would.
struct Log {
    records: Arc<Records>,
    index: u64,
}

impl Log {
    fn on(store: Arc<dyn Store>) -> Log {
        let records = Arc::new(Records::open(store).unwrap());
        let index = records.applied().unwrap().position.map_or(0, |position| position.index);
        Log { records, index }
    }

    fn apply(&mut self, op: Op) -> Result<Reply, Error> {
        self.apply_with(op, None)
    }

    fn apply_with(&mut self, op: Op, then: Option<Op>) -> Result<Reply, Error> {
        let position = Position { term: 1, index: self.index + 1 };
        let command = Command { then: then.map(Box::new), ..Command::new(position.index, op) }.encode();
        let replies = self.records.apply(&[Entry { position, members: None, command: Some(command) }])?;
        self.index += 1;
        Reply::decode(&replies[0])
    }

    fn put(&mut self, key: &str) {
        self.apply(Op::Consul(set(key))).unwrap();
    }

    /// Stages keys in this order as an image and commits it.
    fn restore(&mut self, keys: &[&str]) -> (Uuid, Reply) {
        let image = Uuid::new_v4();
        let staged = self.records.stage(Scope::Consul, &mut source(keys), false).unwrap();
        let commit = commit(image, staged.digest(), staged.index());
        staged.ready(image).unwrap();
        (image, self.apply(Op::Commit(commit)).unwrap())
    }

    fn keys(&self) -> Vec<String> {
        keys_of(&self.records.view(Scope::Consul).unwrap())
    }
}

fn keys_of(view: &View) -> Vec<String> {
    let keys = consul::kv_keys(view, b"", b"").unwrap().value;
    keys.iter().map(|key| String::from_utf8(key.to_vec()).unwrap()).collect()
}

fn set(key: &str) -> consul::Command {
    let pair = KvPair { key: key.to_owned().into(), value: "v".into(), flags: 0 };
    consul::Command::Kv(KvOp::Set(pair))
}

fn commit(image: Uuid, digest: &[u8], index: u64) -> Commit {
    let (scope, digest) = (Scope::Consul, digest.to_vec());
    Commit { scope, image, digest, index, blob: vec![0; 32], term: 1, unknown_records: false }
}

fn record(key: &str) -> Record {
    let entry =
        DirEntry { key: key.into(), value: Some(b"v".to_vec()), modify_index: 77, ..DirEntry::default() };
    Record { kind: kinds::KVS, bytes: entry.encode().into() }
}

fn source<'a>(keys: &'a [&str]) -> impl Iterator<Item = Result<Record, Failure>> + 'a {
    keys.iter().map(|key| Ok(record(key)))
}

fn on_each(check: impl Fn(Log)) {
    check(Log::on(Arc::new(Memory::default())));
    let dir = tempfile::tempdir().unwrap();
    check(Log::on(Arc::new(Disk::open(dir.path(), DiskOptions::default()).unwrap())));
}

#[test]
fn a_staged_image_is_invisible_until_its_commit() {
    on_each(|mut log| {
        log.put("old");
        let image = Uuid::new_v4();
        let staged = log.records.stage(Scope::Consul, &mut source(&["a", "b"]), false).unwrap();
        let commit = commit(image, staged.digest(), staged.index());
        assert_eq!(log.keys(), ["old"]);
        staged.ready(image).unwrap();
        assert_eq!(log.keys(), ["old"]);
        let before = log.records.state(Scope::Consul).index;
        let reply = log.apply(Op::Commit(commit)).unwrap();
        assert_eq!(log.keys(), ["a", "b"]);
        let state = log.records.state(Scope::Consul);
        assert_eq!(reply, Reply::Exchanged { index: state.index });
        assert!(state.index > before && state.index > 77, "above the live and the archived index");
        assert_eq!(state.floor, state.index);
    });
}

#[test]
fn what_follows_an_exchange_is_done_with_it_or_not_at_all() {
    on_each(|mut log| {
        log.put("old");
        let image = Uuid::new_v4();
        let staged = log.records.stage(Scope::Consul, &mut source(&["a"]), false).unwrap();
        assert_eq!(keys_of(&staged.view().unwrap()), ["a"]);
        let commit = commit(image, staged.digest(), staged.index());
        staged.ready(image).unwrap();

        let late = Op::Commit(Commit { term: 0, ..commit.clone() });
        let refused = log.apply_with(late, Some(Op::Consul(set("b")))).unwrap();
        assert_eq!((refused, log.keys()), (Reply::Refused(Refusal::TermChanged), vec!["old".to_owned()]));

        let reply = log.apply_with(Op::Commit(commit), Some(Op::Consul(set("b")))).unwrap();
        assert!(matches!(reply, Reply::Exchanged { .. }));
        assert_eq!(log.keys(), ["a", "b"]);
        let undo = Op::Undo { scope: Scope::Consul, image: Uuid::nil() };
        log.apply_with(undo, Some(Op::Consul(set("c")))).unwrap();
        assert_eq!(log.keys(), ["c", "old"]);
        assert_eq!(keys_of(&log.records.previous_view(Scope::Consul).unwrap().unwrap()), ["a", "b"]);
    });
}

#[test]
fn undo_brings_back_the_previous_generation_and_undoing_that_is_redo() {
    on_each(|mut log| {
        log.put("old");
        let (image, _) = log.restore(&["new"]);
        log.put("newer");
        let mut index = log.records.state(Scope::Consul).index;
        for (previous, keys) in
            [(Uuid::nil(), vec!["old"]), (image, vec!["new", "newer"]), (Uuid::nil(), vec!["old"])]
        {
            let reply = log.apply(Op::Undo { scope: Scope::Consul, image: previous }).unwrap();
            assert_eq!(log.keys(), keys);
            let now = log.records.state(Scope::Consul).index;
            assert_eq!(reply, Reply::Exchanged { index: now });
            assert!(now > index);
            index = now;
        }
    });
}

#[test]
fn undo_of_another_generation_than_the_one_meant_is_refused() {
    on_each(|mut log| {
        let nothing = Reply::Refused(Refusal::NothingToUndo);
        let undo = |image| Op::Undo { scope: Scope::Consul, image };
        assert_eq!(log.apply(undo(Uuid::nil())).unwrap(), nothing);
        log.restore(&["a"]);
        assert_eq!(log.apply(undo(Uuid::new_v4())).unwrap(), nothing);
        log.apply(Op::Forget { scope: Scope::Consul, image: Uuid::nil() }).unwrap();
        assert_eq!(log.apply(undo(Uuid::nil())).unwrap(), nothing);
        assert_eq!(log.keys(), ["a"]);
    });
}

#[test]
fn records_in_any_order_are_staged_in_archive_order() {
    on_each(|mut log| {
        log.restore(&["m", "c", "z", "a", "zz", "b"]);
        assert_eq!(log.keys(), ["a", "b", "c", "m", "z", "zz"]);
        let view = log.records.view(Scope::Consul).unwrap();
        assert_eq!(view.totals().unwrap().count(), 6);
        let bytes: usize = view.records().map(|record| record.unwrap().bytes.len()).sum();
        assert_eq!(view.totals().unwrap().bytes(), bytes as u64);
    });
}

#[test]
fn a_bad_source_leaves_nothing_behind() {
    let cases: [(Vec<Result<Record, Failure>>, &str); 5] = [
        (vec![Ok(record("a")), Err("cut".into())], "cut"),
        (vec![Ok(record("a")), Ok(record("a"))], "another one"),
        (vec![Ok(record("b")), Ok(record("a")), Ok(record("b"))], "another one"),
        (vec![Ok(Record { kind: kinds::KVS, bytes: Bytes::from_static(b"\xc1") })], "(KVS)"),
        (vec![Ok(Record { kind: 63, bytes: Bytes::from_static(b"\x80") })], "type 63"),
    ];
    for (records, expected) in cases {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        let mut log = Log::on(Arc::clone(&store));
        log.put("old");
        let tables = store.tables().len();
        let error =
            log.records.stage(Scope::Consul, &mut records.into_iter(), false).err().unwrap().to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
        assert_eq!(store.tables().len(), tables, "{expected}");
        assert_eq!(log.keys(), ["old"]);
    }
}

#[test]
fn a_staged_image_that_is_dropped_leaves_nothing_behind() {
    let store: Arc<dyn Store> = Arc::new(Memory::default());
    let log = Log::on(Arc::clone(&store));
    let tables = store.tables().len();
    drop(log.records.stage(Scope::Consul, &mut source(&["a"]), false).unwrap());
    assert_eq!(store.tables().len(), tables);
    let image = Uuid::new_v4();
    log.records.stage(Scope::Consul, &mut source(&["a"]), false).unwrap().ready(image).unwrap();
    assert_eq!(store.tables().len(), tables + 2);
    assert_eq!(log.records.staged_images().unwrap(), [(Scope::Consul, image)]);
    log.records.drop_staged(image).unwrap();
    assert_eq!(store.tables().len(), tables);
}

#[test]
fn a_commit_without_its_image_changes_nothing() {
    on_each(|mut log| {
        log.put("old");
        let missing = Op::Commit(commit(Uuid::new_v4(), &[0; 32], 1));
        assert!(matches!(log.apply(missing), Err(Error::MissingImage(..))));
        let image = Uuid::new_v4();
        log.records.stage(Scope::Consul, &mut source(&["a"]), false).unwrap().ready(image).unwrap();
        assert!(matches!(log.apply(Op::Commit(commit(image, &[9; 32], 1))), Err(Error::OtherImage { .. })));
        let late = Commit { term: 0, ..commit(image, &[9; 32], 1) };
        assert_eq!(log.apply(Op::Commit(late)).unwrap(), Reply::Refused(Refusal::TermChanged));
        assert_eq!(log.keys(), ["old"]);
    });
}

#[test]
fn a_view_outlives_the_generation_it_shows() {
    on_each(|mut log| {
        log.put("first");
        let view = log.records.view(Scope::Consul).unwrap();
        let digest = view.digest().unwrap();
        for round in 0..5 {
            log.restore(&[&format!("key {round}")]);
        }
        assert_eq!(view.digest().unwrap(), digest);
        assert_ne!(log.records.view(Scope::Consul).unwrap().digest().unwrap(), digest);
    });
}

#[test]
fn many_generations_leave_only_the_live_and_the_previous_one() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Arc::new(Disk::open(dir.path(), DiskOptions::default()).unwrap());
    let store = open();
    let mut log = Log::on(store.clone() as Arc<dyn Store>);
    let mut held = std::collections::VecDeque::new();
    for round in 0..60 {
        let keys: Vec<String> = (0..20).map(|key| format!("{round}/{key:03}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        log.restore(&keys);
        let view = log.records.view(Scope::Consul).unwrap();
        held.push_back((view.digest().unwrap(), view));
        if held.len() > 10 {
            held.pop_front();
        }
        let (digest, view) = &held[0];
        assert_eq!(view.digest().unwrap(), *digest);
    }
    // meta, documents, collections, and two tables for each live generation and for the previous one.
    let tables = 3 + 2 * (Scope::ALL.len() + 1);
    assert_eq!(store.tables().len(), tables);
    held.clear();
    drop((log, store));
    let directories = std::fs::read_dir(dir.path().join("keyspaces")).unwrap().count();
    // The engine keeps one directory for itself.
    assert!(directories <= tables + 1, "{directories} directories are left");
    let log = Log::on(open());
    assert_eq!(log.keys().len(), 20);
    assert_eq!(log.keys()[0], "59/000");
}

#[test]
fn a_transfer_replaces_everything_or_nothing() {
    on_each(|mut log| {
        log.put("old");
        log.restore(&["new"]);
        log.apply(Op::Documents(vec![records::Document { key: "task/1".into(), value: Some(vec![1]) }]))
            .unwrap();
        let mut bytes = Vec::new();
        log.records.transfer().unwrap().write_to(&mut bytes).unwrap();

        for cut in [0, 7, 20, bytes.len() / 2, bytes.len() - 1] {
            let mut other = Log::on(Arc::new(Memory::default()));
            other.put("other");
            let applied = records::Applied::default();
            assert!(other.records.install(&mut &bytes[..cut], applied).is_err(), "{cut} bytes");
            assert_eq!(other.keys(), ["other"]);
        }
        for flipped in (0..bytes.len()).step_by(3) {
            let mut damaged = bytes.clone();
            damaged[flipped] ^= 1;
            let other = Log::on(Arc::new(Memory::default()));
            let applied = records::Applied::default();
            assert!(other.records.install(&mut &damaged[..], applied).is_err(), "byte {flipped}");
        }

        let mut other = Log::on(Arc::new(Memory::default()));
        let applied = log.records.applied().unwrap();
        other.records.install(&mut &bytes[..], applied.clone()).unwrap();
        assert_eq!(other.keys(), ["new"]);
        assert_eq!(other.records.applied().unwrap(), applied);
        assert_eq!(other.records.documents("task/").unwrap().len(), 1);
        other.index = log.index;
        other.apply(Op::Undo { scope: Scope::Consul, image: Uuid::nil() }).unwrap();
        assert_eq!(other.keys(), ["old"]);
    });
}
