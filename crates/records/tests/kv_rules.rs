//! Consul's rules for keys and transactions, one by one.

mod kv_support;

use std::sync::Arc;

use archive::consul::{DirEntry, IndexEntry, kinds};
use bytes::Bytes;
use records::consul::{
    Command, KvOp, KvPair, KvRead, Reply, TxnError, TxnOp, TxnResult, kv_get, kv_keys, kv_list, txn_read,
};
use records::store::Memory;
use records::{ID_BYTES_MAX, Read, Record};

use kv_support::{Machine, session_record};

impl Machine {
    fn new() -> Machine {
        Machine::on(Arc::new(Memory::default()))
    }

    fn apply(&mut self, command: Command) -> Reply {
        self.apply_run(vec![command]).remove(0)
    }

    fn kv(&mut self, op: KvOp) -> Reply {
        self.apply(Command::Kv(op))
    }
}

/// Two sessions, so that keys can be locked; nothing else.
fn with_sessions() -> Machine {
    let mut machine = Machine::new();
    machine.restore(vec![session_record("s1"), session_record("s2")]);
    machine
}

fn kv_record(entry: &DirEntry) -> Record {
    Record { kind: kinds::KVS, bytes: entry.encode().into() }
}

fn pair(key: &[u8], value: &[u8], flags: u64) -> KvPair {
    KvPair { key: Bytes::copy_from_slice(key), value: Bytes::copy_from_slice(value), flags }
}

fn set(key: &str, value: &str) -> KvOp {
    KvOp::Set(pair(key.as_bytes(), value.as_bytes(), 0))
}

fn set_all(machine: &mut Machine, keys: &[&str], value: &str) {
    for key in keys {
        machine.kv(set(key, value));
    }
}

fn delete(key: &str) -> KvOp {
    KvOp::Delete { key: Bytes::copy_from_slice(key.as_bytes()) }
}

fn delete_tree(prefix: &str) -> KvOp {
    KvOp::DeleteTree { prefix: Bytes::copy_from_slice(prefix.as_bytes()) }
}

fn lock(key: &str, session: &str) -> KvOp {
    KvOp::Lock { pair: pair(key.as_bytes(), b"locked", 0), session: session.into() }
}

fn unlock(key: &str, session: &str) -> KvOp {
    KvOp::Unlock { pair: pair(key.as_bytes(), b"unlocked", 0), session: session.into() }
}

fn cas(key: &str, value: &str, index: u64) -> KvOp {
    KvOp::Cas { pair: pair(key.as_bytes(), value.as_bytes(), 0), index }
}

fn delete_cas(key: &str, index: u64) -> KvOp {
    KvOp::DeleteCas { key: Bytes::copy_from_slice(key.as_bytes()), index }
}

fn write(op: KvOp) -> TxnOp {
    TxnOp::Kv(op)
}

fn read(op: KvRead) -> TxnOp {
    TxnOp::KvRead(op)
}

fn get(key: &str) -> TxnOp {
    read(KvRead::Get { key: Bytes::copy_from_slice(key.as_bytes()) })
}

#[track_caller]
fn entry(machine: &Machine, key: &str) -> DirEntry {
    kv_get(&machine.view(), key.as_bytes()).expect("get").value.expect("the key is there")
}

fn list_index(machine: &Machine, prefix: &str) -> u64 {
    kv_list(&machine.view(), prefix.as_bytes()).expect("list").index
}

fn list(machine: &Machine, prefix: &str) -> Vec<String> {
    let view = machine.view();
    let entries = kv_list(&view, prefix.as_bytes()).expect("list").value;
    entries.map(|entry| text(entry.expect("entry").key)).collect()
}

fn table_index(machine: &Machine, table: &str) -> Option<u64> {
    let found = machine.view().get(kinds::INDEX, table.as_bytes()).expect("get");
    found.map(|bytes| IndexEntry::decode(&bytes).expect("table index").value)
}

fn tombstones(machine: &Machine) -> Vec<(String, u64)> {
    let view = machine.view();
    let stones = view.scan(kinds::TOMBSTONE, b"").map(|stone| {
        let stone = DirEntry::decode(&stone.expect("record").1).expect("tombstone");
        (text(stone.key), stone.modify_index)
    });
    stones.collect()
}

fn text(key: Vec<u8>) -> String {
    String::from_utf8(key).expect("the keys of these tests are text")
}

#[test]
fn an_empty_store_answers_index_1() {
    let machine = Machine::new();
    let view = machine.view();
    assert_eq!(kv_get(&view, b"a").unwrap().index, 1);
    assert_eq!(kv_list(&view, b"").unwrap().index, 1);
    assert_eq!(kv_keys(&view, b"a", b"/").unwrap().index, 1);
}

#[test]
fn a_set_replaces_everything_but_the_creation_index() {
    let mut machine = Machine::new();
    assert_eq!(machine.kv(KvOp::Set(pair(b"a", b"one", 42))), Reply::Bool(true));
    assert_eq!(machine.kv(set("a", "two")), Reply::Bool(true));
    let expected = DirEntry {
        key: b"a".to_vec(),
        value: Some(b"two".to_vec()),
        create_index: 2,
        modify_index: 3,
        ..DirEntry::default()
    };
    assert_eq!(entry(&machine, "a"), expected);
    assert_eq!(table_index(&machine, "kvs"), Some(3));
}

#[test]
fn to_set_what_is_there_already_moves_no_index() {
    let mut machine = Machine::new();
    machine.kv(set("a", "one"));
    assert_eq!(machine.kv(set("a", "one")), Reply::Bool(true));
    assert_eq!(entry(&machine, "a").modify_index, 2);
    assert_eq!(table_index(&machine, "kvs"), Some(2));
    machine.kv(KvOp::Set(pair(b"a", b"one", 1)));
    assert_eq!(entry(&machine, "a").modify_index, 4);
}

#[test]
fn an_empty_value_is_no_value() {
    let mut machine = Machine::new();
    machine.kv(set("a", ""));
    machine.kv(set("a", ""));
    assert_eq!((entry(&machine, "a").value, entry(&machine, "a").modify_index), (None, 2));
    let archived = DirEntry { key: b"b".to_vec(), value: Some(Vec::new()), ..DirEntry::default() };
    machine.restore(vec![kv_record(&archived)]);
    assert_eq!(entry(&machine, "b").value, None);
}

#[test]
fn cas_at_0_only_creates() {
    let mut machine = Machine::new();
    assert_eq!(machine.kv(cas("a", "one", 0)), Reply::Bool(true));
    assert_eq!(machine.kv(cas("a", "two", 0)), Reply::Bool(false));
    assert_eq!(entry(&machine, "a").value.as_deref(), Some(&b"one"[..]));
}

#[test]
fn cas_needs_the_index_of_the_last_change() {
    let mut machine = Machine::new();
    assert_eq!(machine.kv(cas("a", "one", 1)), Reply::Bool(false), "there is no such key");
    machine.kv(set("a", "one"));
    assert_eq!(machine.kv(cas("a", "two", 2)), Reply::Bool(false));
    assert_eq!(machine.kv(cas("a", "two", 3)), Reply::Bool(true));
    assert_eq!((entry(&machine, "a").create_index, entry(&machine, "a").modify_index), (3, 5));
}

#[test]
fn a_lock_needs_a_session_that_exists() {
    let mut machine = with_sessions();
    assert_eq!(machine.kv(lock("a", "")), Reply::Failed("missing session".into()));
    assert_eq!(machine.kv(lock("a", "x\"y")), Reply::Failed(r#"invalid session "x\"y""#.into()));
    let long = "s".repeat(70_000);
    assert_eq!(machine.kv(lock("a", &long)), Reply::Failed(format!("invalid session \"{long}\"")));
    assert_eq!(machine.kv(unlock("a", "")), Reply::Failed("missing session".into()));
    assert_eq!(list(&machine, ""), [""; 0]);
}

#[test]
fn only_new_locks_are_counted() {
    let mut machine = with_sessions();
    let state = |machine: &Machine| {
        let entry = entry(machine, "a");
        (entry.session, entry.lock_index, entry.modify_index)
    };
    machine.kv(lock("a", "s1"));
    assert_eq!(state(&machine), ("s1".into(), 1, 3));
    machine.kv(lock("a", "s1"));
    assert_eq!(state(&machine), ("s1".into(), 1, 3), "locking again changes nothing");
    machine.kv(KvOp::Lock { pair: pair(b"a", b"new", 0), session: "s1".into() });
    assert_eq!(state(&machine), ("s1".into(), 1, 5), "the holder sets a value");
    machine.kv(unlock("a", "s1"));
    assert_eq!(state(&machine), (String::new(), 1, 6));
    machine.kv(lock("a", "s2"));
    assert_eq!(state(&machine), ("s2".into(), 2, 7));
}

#[test]
fn a_held_key_can_be_locked_and_unlocked_by_its_holder_alone() {
    let mut machine = with_sessions();
    machine.kv(lock("a", "s1"));
    let before = entry(&machine, "a");
    assert_eq!(machine.kv(lock("a", "s2")), Reply::Bool(false));
    assert_eq!(machine.kv(unlock("a", "s2")), Reply::Bool(false));
    assert_eq!(machine.kv(unlock("b", "s1")), Reply::Bool(false), "there is no such key");
    assert_eq!(entry(&machine, "a"), before);
    assert_eq!(machine.kv(unlock("a", "s1")), Reply::Bool(true));
}

#[test]
fn locks_are_advisory_a_set_keeps_the_holder_and_forgets_the_count() {
    let mut machine = with_sessions();
    machine.kv(lock("a", "s1"));
    machine.kv(set("a", "anyone's"));
    let entry = entry(&machine, "a");
    assert_eq!((entry.session.as_str(), entry.lock_index), ("s1", 0));
    assert_eq!(machine.view().derived(b"\x01s1\0").unwrap(), ["a"]);
}

#[test]
fn a_delete_leaves_a_tombstone() {
    let mut machine = Machine::new();
    machine.kv(set("a", "one"));
    assert_eq!(machine.kv(delete("a")), Reply::Bool(true));
    assert_eq!(kv_get(&machine.view(), b"a").unwrap().value, None);
    assert_eq!(kv_get(&machine.view(), b"a").unwrap().index, 3);
    assert_eq!(tombstones(&machine), [("a".into(), 3)]);
    assert_eq!((table_index(&machine, "kvs"), table_index(&machine, "tombstones")), (Some(3), Some(3)));
}

#[test]
fn to_delete_what_is_not_there_succeeds_and_changes_nothing() {
    let mut machine = Machine::new();
    assert_eq!(machine.kv(delete("a")), Reply::Bool(true));
    assert_eq!(machine.kv(delete_cas("a", 9)), Reply::Bool(true));
    assert_eq!(machine.kv(delete_tree("a")), Reply::Bool(true));
    assert_eq!(machine.view().totals().unwrap().count(), 0);
}

#[test]
fn delete_cas_needs_the_index_of_the_last_change() {
    let mut machine = Machine::new();
    machine.kv(set("a", "one"));
    assert_eq!(machine.kv(delete_cas("a", 1)), Reply::Bool(false));
    assert_eq!(machine.kv(delete_cas("a", 0)), Reply::Bool(false));
    assert_eq!(machine.kv(delete_cas("a", 2)), Reply::Bool(true));
    assert_eq!(list(&machine, ""), [""; 0]);
}

#[test]
fn deleting_a_tree_leaves_one_tombstone_for_its_prefix() {
    let mut machine = Machine::new();
    set_all(&mut machine, &["foo/bar", "foo/bar/baz", "foo/zip"], "x");
    assert_eq!(machine.kv(delete_tree("foo/ba")), Reply::Bool(true));
    assert_eq!(list(&machine, ""), ["foo/zip"]);
    assert_eq!(tombstones(&machine), [("foo/ba".into(), 5)]);
    assert_eq!(list_index(&machine, "foo"), 5);
}

#[test]
fn deleting_everything_leaves_no_tombstone_but_moves_the_index() {
    let mut machine = Machine::new();
    machine.kv(set("a", "x"));
    machine.kv(delete_tree(""));
    assert_eq!(tombstones(&machine), []);
    assert_eq!((table_index(&machine, "kvs"), table_index(&machine, "tombstones")), (Some(3), None));
    assert_eq!(list_index(&machine, "a"), 3);
}

/// The course of `hashicorp/consul:agent/consul/state/kvs_test.go`, `TestStateStore_KVSList`.
#[test]
fn a_listing_has_the_index_of_the_newest_change_under_its_prefix() {
    let mut machine = Machine::new();
    set_all(&mut machine, &["foo", "foo/bar", "foo/bar/zip", "foo/bar/zip/zorp", "foo/bar/baz"], "x");
    assert_eq!(list_index(&machine, ""), 6);
    assert_eq!(list_index(&machine, "foo/bar/zip"), 5);
    machine.kv(delete("foo/bar/baz"));
    assert_eq!(list_index(&machine, "foo/bar/baz"), 7);
    machine.kv(set("some/other/key", ""));
    assert_eq!(list_index(&machine, "foo/bar/baz"), 7, "another key is of no concern");
    assert_eq!(machine.apply(Command::ReapTombstones { up_to: 7 }), Reply::Done);
    assert_eq!(list_index(&machine, "foo/bar/baz"), 8, "nothing is known any more but the table's index");
    assert_eq!(list_index(&machine, ""), 8);
}

#[test]
fn reaping_spares_younger_tombstones_and_the_table_index() {
    let mut machine = Machine::new();
    set_all(&mut machine, &["a", "b"], "x");
    machine.kv(delete("a"));
    machine.kv(delete("b"));
    machine.apply(Command::ReapTombstones { up_to: 4 });
    assert_eq!(tombstones(&machine), [("b".into(), 5)]);
    assert_eq!(table_index(&machine, "tombstones"), Some(5));
}

#[test]
fn keys_are_cut_after_the_first_separator_and_told_once() {
    let mut machine = Machine::new();
    set_all(&mut machine, &["foo/bar/baz", "foo/bar/zip", "foo/bar/zip/zam", "foo/bar/zip/zorp", "some"], "");
    let keys = |prefix: &str, separator: &str| {
        let keys = kv_keys(&machine.view(), prefix.as_bytes(), separator.as_bytes()).unwrap();
        keys.value.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(keys("foo/bar/", "/"), ["foo/bar/baz", "foo/bar/zip", "foo/bar/zip/"]);
    assert_eq!(keys("", "/"), ["foo/", "some"]);
    assert_eq!(keys("foo/bar/zip", ""), ["foo/bar/zip", "foo/bar/zip/zam", "foo/bar/zip/zorp"]);
    assert_eq!(keys("foo/bar/zip", "/z"), ["foo/bar/zip", "foo/bar/zip/z"]);
}

#[test]
fn after_a_restore_no_answer_has_an_index_seen_before() {
    let mut machine = Machine::new();
    for value in ["one", "two", "three", "four"] {
        machine.kv(set("a", value));
    }
    let before = kv_get(&machine.view(), b"a").unwrap().index;
    let old = DirEntry { key: b"a".to_vec(), create_index: 2, modify_index: 2, ..DirEntry::default() };
    machine.restore(vec![kv_record(&old)]);
    let answer = kv_get(&machine.view(), b"a").unwrap();
    assert!(answer.index > before);
    assert_eq!(answer.value, Some(old));
    for prefix in ["", "a", "b"] {
        assert_eq!(list_index(&machine, prefix), answer.index);
    }
}

#[test]
fn keys_that_are_no_text_survive() {
    let mut machine = Machine::new();
    machine.kv(KvOp::Set(pair(b"\xff\0\xfe", b"x", 0)));
    let keys = kv_keys(&machine.view(), b"\xff", b"").unwrap();
    assert_eq!(keys.value, [&b"\xff\0\xfe"[..]]);
    let lost = TxnOp::KvRead(KvRead::Get { key: Bytes::from_static(b"\xff") });
    let error = TxnError { op_index: 0, what: r#"key "\xff" doesn't exist"#.into() };
    assert_eq!(txn_read(&machine.view(), &[lost]).unwrap(), Some(Reply::Errors(vec![error])));
}

#[test]
fn keys_that_cannot_be_stored_are_refused_and_found_nowhere() {
    let mut machine = Machine::new();
    assert_eq!(machine.kv(set("", "x")), Reply::Failed("Must provide key".into()));
    let longest = "k".repeat(ID_BYTES_MAX);
    assert_eq!(machine.kv(set(&longest, "x")), Reply::Bool(true));
    let longer = "k".repeat(ID_BYTES_MAX + 1);
    let refused = "key is too long (65001 bytes), the maximum is 65000";
    for op in [set(&longer, "x"), delete(&longer), delete_tree(&longer)] {
        assert_eq!(machine.kv(op), Reply::Failed(refused.into()));
    }
    let view = machine.view();
    assert_eq!(kv_get(&view, longer.as_bytes()).unwrap().value, None);
    assert_eq!(kv_list(&view, longer.as_bytes()).unwrap().value.count(), 0);
}

/// The course of `hashicorp/consul:agent/consul/state/txn_test.go`, `TestStateStore_Txn_KVS`.
#[test]
fn a_transaction_sees_its_own_changes_and_tells_each_result() {
    let mut machine = with_sessions();
    set_all(&mut machine, &["foo/delete", "foo/bar/baz", "foo/bar/zip", "foo/zorp", "foo/update"], "old");
    let key = |key: &'static str| Bytes::from_static(key.as_bytes());
    let session = |session: &str| KvRead::CheckSession { key: key("foo/lock"), session: session.into() };
    let reply = machine.apply(Command::Txn(vec![
        read(KvRead::GetTree { prefix: key("foo/bar") }),
        write(set("foo/new", "one")),
        write(delete("foo/zorp")),
        write(delete_cas("foo/delete", 3)),
        write(delete_tree("foo/bar")),
        get("foo/update"),
        read(KvRead::CheckIndex { key: key("foo/update"), index: 7 }),
        write(cas("foo/update", "new", 7)),
        get("foo/update"),
        read(KvRead::CheckIndex { key: key("foo/update"), index: 8 }),
        write(lock("foo/lock", "s1")),
        read(session("s1")),
        write(unlock("foo/lock", "s1")),
        read(session("")),
        read(KvRead::GetOrEmpty { key: key("foo/not-exists") }),
        read(KvRead::CheckNotExists { key: key("foo/not-exists") }),
    ]));
    let result = |key: &str, value: &str, created, modified, lock_index, session: &str| {
        TxnResult::Kv(DirEntry {
            key: key.into(),
            value: (!value.is_empty()).then(|| value.into()),
            create_index: created,
            modify_index: modified,
            lock_index,
            session: session.into(),
            ..DirEntry::default()
        })
    };
    let expected = vec![
        result("foo/bar/baz", "old", 4, 4, 0, ""),
        result("foo/bar/zip", "old", 5, 5, 0, ""),
        result("foo/new", "", 8, 8, 0, ""),
        result("foo/update", "old", 7, 7, 0, ""),
        result("foo/update", "", 7, 7, 0, ""),
        result("foo/update", "", 7, 8, 0, ""),
        result("foo/update", "new", 7, 8, 0, ""),
        result("foo/update", "", 7, 8, 0, ""),
        result("foo/lock", "", 8, 8, 1, "s1"),
        result("foo/lock", "", 8, 8, 1, "s1"),
        result("foo/lock", "", 8, 8, 1, ""),
        result("foo/lock", "", 8, 8, 1, ""),
        result("foo/not-exists", "", 0, 0, 0, ""),
    ];
    assert_eq!(reply, Reply::Results(expected));
    assert_eq!(list(&machine, ""), ["foo/lock", "foo/new", "foo/update"]);
}

#[test]
fn a_transaction_that_fails_tells_every_error_and_leaves_nothing() {
    let mut machine = with_sessions();
    machine.kv(set("foo/update", "stale"));
    machine.kv(lock("foo/lock", "s1"));
    let before: Vec<_> = machine.view().records().map(|record| record.unwrap()).collect();
    let totals = machine.view().totals().unwrap();
    let key = |key: &'static str| Bytes::from_static(key.as_bytes());
    let session = |key, session: &str| read(KvRead::CheckSession { key, session: session.into() });
    let ops = vec![
        write(set("foo/lost", "x")),
        write(delete_tree("foo/")),
        write(lock("foo/lock", "s2")),
        write(set("foo/update", "new")),
        write(cas("foo/update", "newer", 1)),
        write(delete_cas("foo/update", 1)),
        write(lock("foo/lock", "s1")),
        write(unlock("foo/lock", "s1")),
        write(lock("foo/lock", "s3")),
        write(lock("foo/lock", "")),
        session(key("foo/lock"), "s2"),
        session(key("nope"), "s2"),
        get("nope"),
        read(KvRead::CheckIndex { key: key("foo/lock"), index: 6 }),
        read(KvRead::CheckIndex { key: key("nope"), index: 6 }),
        read(KvRead::CheckNotExists { key: key("foo/lock") }),
    ];
    let Reply::Errors(errors) = machine.apply(Command::Txn(ops)) else { panic!("the transaction must fail") };
    let told: Vec<_> = errors.iter().map(|error| (error.op_index, error.what.as_str())).collect();
    let expected = [
        (4, r#"failed to set key "foo/update", index is stale"#),
        (5, r#"failed to delete key "foo/update", index is stale"#),
        (6, r#"failed to lock key "foo/lock", lock is already held"#),
        (7, r#"failed to unlock key "foo/lock", lock isn't held, or is held by another session"#),
        (8, r#"invalid session "s3""#),
        (9, "missing session"),
        (11, r#"failed to check session, key "nope" doesn't exist"#),
        (12, r#"key "nope" doesn't exist"#),
        (13, r#"failed index check for key "foo/lock", current modify index 5 != 6"#),
        (14, r#"failed to check index, key "nope" doesn't exist"#),
        (15, r#"key "foo/lock" exists"#),
    ];
    assert_eq!(told, expected);
    let after: Vec<_> = machine.view().records().map(|record| record.unwrap()).collect();
    assert_eq!(after, before);
    assert_eq!(machine.view().totals().unwrap(), totals);
    assert_eq!(machine.view().derived(b"\x01").unwrap(), [&b"s1\0foo/lock"[..]]);
}

#[test]
fn a_session_check_tells_both_sessions() {
    let mut machine = with_sessions();
    machine.kv(lock("a", "s1"));
    let check = read(KvRead::CheckSession { key: Bytes::from_static(b"a"), session: "s2".into() });
    let what = r#"failed session check for key "a", current session "s1" != "s2""#.into();
    let expected = Reply::Errors(vec![TxnError { op_index: 0, what }]);
    assert_eq!(txn_read(&machine.view(), &[check]).unwrap(), Some(expected));
}

#[test]
fn operations_without_a_key_are_told_before_anything_is_done() {
    let mut machine = Machine::new();
    let tree = read(KvRead::GetTree { prefix: Bytes::new() });
    let ops = vec![write(set("", "x")), get("nope"), write(delete_tree("")), tree, get("")];
    let error = |op_index| TxnError { op_index, what: "Must provide key".into() };
    assert_eq!(machine.apply(Command::Txn(ops)), Reply::Errors(vec![error(0), error(3), error(4)]));
}

#[test]
fn reading_transactions_need_no_log_entry_and_changing_ones_do() {
    let mut machine = Machine::new();
    machine.kv(set("a", "x"));
    let reads = vec![get("a"), read(KvRead::CheckNotExists { key: Bytes::from_static(b"b") })];
    let answer = txn_read(&machine.view(), &reads).unwrap();
    assert_eq!(answer, Some(machine.apply(Command::Txn(reads))));
    assert_eq!(txn_read(&machine.view(), &[get("a"), write(set("a", "y"))]).unwrap(), None);
    assert_eq!(txn_read(&machine.view(), &[]).unwrap(), Some(Reply::Results(vec![])));
}

#[test]
fn results_beyond_the_bound_are_refused() {
    let mut machine = Machine::new();
    let value = vec![b'v'; 1 << 20];
    machine.kv(KvOp::Set(pair(b"big", &value, 0)));
    let tree = || read(KvRead::GetTree { prefix: Bytes::from_static(b"b") });
    let Some(Reply::Results(results)) = txn_read(&machine.view(), &vec![tree(); 63]).unwrap() else {
        panic!("63 MiB are within bounds")
    };
    assert_eq!(results.len(), 63);
    for op in [tree(), get("big")] {
        let reply = txn_read(&machine.view(), &vec![op; 64]).unwrap();
        let what = "transaction results are larger than 67108864 bytes".into();
        assert_eq!(reply, Some(Reply::Errors(vec![TxnError { op_index: 63, what }])));
    }
}

#[test]
fn an_entry_that_queries_could_not_read_is_refused_with_its_archive() {
    let machine = Machine::new();
    let bytes = Bytes::from_static(b"\x82\xa3Key\xa1a\xa5Flags\xa1x");
    let broken = Record { kind: kinds::KVS, bytes };
    let refused = machine.records.stage(records::Scope::Consul, &mut [Ok(broken)].into_iter(), true);
    assert!(matches!(refused, Err(records::Error::Record { position: 1, kind: kinds::KVS, .. })));
}
