//! Random commands against a plain model of Consul's key/value store, on both stores, with restarts between.

mod kv_support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use archive::consul::kinds::{INDEX, KVS, SESSION, TOMBSTONE};
use archive::consul::{DirEntry, IndexEntry, Session};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use records::consul::{
    Command, KvOp, KvPair, KvRead, Reply, TxnError, TxnOp, TxnResult, kv_get, kv_keys, kv_list, session_list,
    txn_read,
};
use records::store::{Disk, DiskOptions, Memory, Store};
use records::{Read, Record, Scope, Totals, View};

use kv_support::Machine;

const KEYS: [&[u8]; 8] = [b"a", b"a/b", b"a/b/c", b"a/bc", b"b", b"b/", b"k\xc3\xbcche", b"\xff\0x"];
const PREFIXES: [&[u8]; 7] = [b"", b"a", b"a/", b"a/b", b"b/", b"\xff", b"none"];
const SESSIONS: [&str; 5] = ["first", "second", "third", "unknown", ""];

/// What becomes of the keys of a session, and for how many commands they then can't be locked.
const FATES: [(&str, &str, u64); 3] =
    [("first", "release", 0), ("second", "delete", 3), ("third", "release", 5)];

/// Stands for the index at which the key was last modified, whatever that is when the command is applied.
const CURRENT: u64 = u64::MAX;

#[derive(Clone, Debug)]
enum Step {
    Run(Vec<Command>),
    Restart,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn the_memory_store_behaves_as_the_model(steps in steps(30)) {
        let store = Arc::new(Memory::default());
        play(steps, &|| store.clone());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_disk_store_behaves_as_the_model_across_restarts(steps in steps(20)) {
        let directory = tempfile::tempdir().expect("temporary directory");
        let open = || Disk::open(directory.path(), DiskOptions::default()).expect("open the database");
        play(steps, &|| Arc::new(open()));
    }
}

fn play(steps: Vec<Step>, open: &dyn Fn() -> Arc<dyn Store>) {
    let mut machine = Machine::on(open());
    machine.restore(FATES.iter().map(session_record).collect());
    let state = machine.records.state(Scope::Consul);
    let sessions =
        FATES.iter().map(|(id, behavior, delay)| ((*id).to_owned(), (*behavior, *delay))).collect();
    let mut model = Model { index: state.index, floor: state.floor, sessions, ..Model::default() };
    for step in steps {
        match step {
            Step::Restart => {
                drop(machine);
                machine = Machine::on(open());
            }
            Step::Run(mut commands) => {
                let apply = |command: &mut Command| {
                    model.resolve(command);
                    model.apply(command)
                };
                let expected: Vec<Reply> = commands.iter_mut().map(apply).collect();
                assert_eq!(machine.apply_run(commands), expected);
            }
        }
        compare(&machine.view(), &model);
    }
}

/// A command takes a millisecond in these tests.
fn session_record((id, behavior, delay): &(&str, &str, u64)) -> Record {
    let session = Session {
        id: (*id).into(),
        behavior: (*behavior).into(),
        lock_delay_ns: (delay * 1_000_000) as i64,
        ..Session::default()
    };
    Record { kind: SESSION, bytes: session.encode().into() }
}

fn compare(view: &View, model: &Model) {
    assert_eq!(view.index(), model.index);
    let sessions = session_list(view).expect("list").value.map(|session| session.expect("session").id);
    assert!(sessions.eq(model.sessions.keys().cloned()));
    for key in KEYS {
        let answer = kv_get(view, key).expect("get");
        assert_eq!(answer.value.as_ref(), model.keys.get(key));
        assert_eq!(answer.index, model.answer_index(answer.value.map(|entry| entry.modify_index)));
    }
    for prefix in PREFIXES {
        let listed = kv_list(view, prefix).expect("list");
        let index = model.answer_index(model.list_index(prefix));
        assert_eq!(listed.index, index, "list under {prefix:?}");
        let entries: Vec<DirEntry> = listed.value.map(|entry| entry.expect("entry")).collect();
        assert_eq!(entries, model.under(prefix));
        for separator in [&b""[..], b"/", b"/b"] {
            let keys = kv_keys(view, prefix, separator).expect("keys");
            assert_eq!((keys.index, keys.value), (index, model.cut_keys(prefix, separator)));
        }
    }
    let everything = [TxnOp::KvRead(KvRead::GetTree { prefix: Bytes::from_static(b"a") })];
    let expected = Reply::Results(model.under(b"a").into_iter().map(TxnResult::Kv).collect());
    assert_eq!(txn_read(view, &everything).expect("read"), Some(expected));
    compare_tables(view, model);
}

/// Checks what no query shows: tombstones, table indexes, totals and derived keys.
fn compare_tables(view: &View, model: &Model) {
    let stones = view.scan(TOMBSTONE, b"").map(|stone| {
        let stone = DirEntry::decode(&stone.expect("stone").1).expect("stone");
        (stone.key, stone.modify_index)
    });
    assert_eq!(stones.collect::<BTreeMap<_, _>>(), model.stones);
    let tables = view.scan(INDEX, b"").map(|table| {
        let table = IndexEntry::decode(&table.expect("table").1).expect("table");
        (table.key, table.value)
    });
    assert_eq!(tables.collect::<BTreeMap<_, _>>(), model.tables);

    let mut recount = Totals::default();
    for record in view.records() {
        let record = record.expect("record");
        let total = recount.0.entry(record.kind).or_default();
        total.count += 1;
        total.bytes += record.bytes.len() as u64;
    }
    assert_eq!(view.totals().expect("totals"), recount);
    assert_eq!(recount.0.get(&KVS).map_or(0, |total| total.count), model.keys.len() as u64);

    // Tag 9 are lock delays, which the model's locks show; they are no record's.
    let derived: BTreeSet<Vec<u8>> = (1..=u8::MAX)
        .filter(|tag| *tag != 9)
        .flat_map(|tag| {
            let keys = view.derived(&[tag]).expect("derived");
            keys.into_iter().map(move |key| [&[tag], &key[..]].concat())
        })
        .collect();
    let held = model.keys.values().filter(|entry| !entry.session.is_empty());
    let afresh = held.map(|entry| [b"\x01", entry.session.as_bytes(), b"\0", &entry.key].concat());
    assert_eq!(derived, afresh.collect());
}

/// Consul's rules as its documentation tells them, on a map.
#[derive(Clone, Default)]
struct Model {
    keys: BTreeMap<Vec<u8>, DirEntry>,
    stones: BTreeMap<Vec<u8>, u64>,
    tables: BTreeMap<String, u64>,
    sessions: BTreeMap<String, (&'static str, u64)>,
    /// The first command that may lock a key again.
    delays: BTreeMap<Vec<u8>, u64>,
    /// Commands so far, which is also the time.
    commands: u64,
    index: u64,
    floor: u64,
}

/// The text of a failure, and whether the operation alone answers false instead.
type Failed = (String, bool);

impl Model {
    fn apply(&mut self, command: &Command) -> Reply {
        self.index += 1;
        self.commands += 1;
        match command {
            Command::Kv(op) if self.delayed(op).is_some() => Reply::Bool(false),
            Command::Kv(op) => match self.change(op) {
                Ok(_) => Reply::Bool(true),
                Err((_, true)) => Reply::Bool(false),
                Err((what, false)) => Reply::Failed(what),
            },
            Command::Txn(ops) => self.txn(ops),
            Command::ReapTombstones { up_to } => {
                self.stones.retain(|_, index| *index > *up_to);
                Reply::Done
            }
            Command::SessionDestroy { id } => {
                self.destroy(id);
                Reply::Done
            }
            other => unreachable!("not proposed here: {other:?}"),
        }
    }

    /// Why a key can't be locked yet.
    fn delayed(&self, op: &KvOp) -> Option<String> {
        let KvOp::Lock { pair, .. } = op else { return None };
        let is_delayed = self.delays.get(&pair.key[..]).is_some_and(|first| *first > self.commands);
        is_delayed.then(|| format!("failed to lock key {} due to lock delay", quoted(&pair.key)))
    }

    fn destroy(&mut self, id: &str) {
        let Some((behavior, delay)) = self.sessions.remove(id) else { return };
        self.tables.insert("sessions".into(), self.index);
        let held = self.keys.values().filter(|entry| entry.session == id);
        for key in held.map(|entry| entry.key.clone()).collect::<Vec<_>>() {
            if behavior == "delete" {
                self.delete(&key);
            } else {
                let entry = self.keys.get_mut(&key).expect("it is held");
                (entry.session, entry.modify_index) = (String::new(), self.index);
                self.tables.insert("kvs".into(), self.index);
            }
            if delay > 0 {
                self.delays.insert(key, self.commands + delay);
            }
        }
    }

    fn forget(&mut self, id: &str) -> Result<(), Failed> {
        match self.sessions.remove(id) {
            Some(_) => {
                self.tables.insert("sessions".into(), self.index);
                Ok(())
            }
            None => Err(("failed to delete session: failed deleting session: not found".into(), false)),
        }
    }

    fn txn(&mut self, ops: &[TxnOp]) -> Reply {
        let before = self.clone();
        let (mut results, mut errors) = (Vec::new(), Vec::new());
        for (op_index, op) in ops.iter().enumerate() {
            let TxnOp::Kv(op) = op else { continue };
            errors.extend(self.delayed(op).map(|what| TxnError { op_index, what }));
        }
        if !errors.is_empty() {
            return Reply::Errors(errors);
        }
        for (op_index, op) in ops.iter().enumerate() {
            let outcome = match op {
                TxnOp::Kv(op) => self.change(op).map(|entry| entry.into_iter().map(bare).collect()),
                TxnOp::KvRead(op) => self.read(op),
                TxnOp::SessionDelete { session } => self.forget(session).map(|()| Vec::new()),
                other => unreachable!("not proposed here: {other:?}"),
            };
            match outcome {
                Ok(entries) => results.extend(entries.into_iter().map(TxnResult::Kv)),
                Err((what, _)) => errors.push(TxnError { op_index, what }),
            }
        }
        if errors.is_empty() {
            return Reply::Results(results);
        }
        *self = before;
        Reply::Errors(errors)
    }

    fn change(&mut self, op: &KvOp) -> Result<Option<DirEntry>, Failed> {
        match op {
            KvOp::Set(pair) => Ok(Some(self.set(pair))),
            KvOp::Cas { pair, index } => match self.keys.get(&pair.key[..]) {
                None if *index == 0 => Ok(Some(self.set(pair))),
                Some(entry) if *index != 0 && entry.modify_index == *index => Ok(Some(self.set(pair))),
                _ => Err((format!("failed to set key {}, index is stale", quoted(&pair.key)), true)),
            },
            KvOp::Lock { pair, session } => self.lock(pair, session).map(Some),
            KvOp::Unlock { session, .. } if session.is_empty() => Err(("missing session".into(), false)),
            KvOp::Unlock { pair, session } => match self.keys.get(&pair.key[..]) {
                Some(entry) if entry.session == *session => {
                    let locks = entry.lock_index;
                    Ok(Some(self.store(pair, "", locks)))
                }
                _ => {
                    let key = quoted(&pair.key);
                    let what = "lock isn't held, or is held by another session";
                    Err((format!("failed to unlock key {key}, {what}"), true))
                }
            },
            KvOp::Delete { key } => {
                self.delete(key);
                Ok(None)
            }
            KvOp::DeleteCas { key, index } => {
                if self.keys.get(&key[..]).is_some_and(|entry| entry.modify_index != *index) {
                    return Err((format!("failed to delete key {}, index is stale", quoted(key)), true));
                }
                self.delete(key);
                Ok(None)
            }
            KvOp::DeleteTree { prefix } => {
                let keys_before = self.keys.len();
                self.keys.retain(|key, _| !key.starts_with(prefix));
                if self.keys.len() < keys_before {
                    self.tables.insert("kvs".into(), self.index);
                    if !prefix.is_empty() {
                        self.bury(prefix);
                    }
                }
                Ok(None)
            }
        }
    }

    fn lock(&mut self, pair: &KvPair, session: &str) -> Result<DirEntry, Failed> {
        match session {
            "" => return Err(("missing session".into(), false)),
            id if !self.sessions.contains_key(id) => {
                return Err((format!("invalid session {id:?}"), false));
            }
            _ => {}
        }
        let locks = match self.keys.get(&pair.key[..]) {
            None => 1,
            Some(entry) if entry.session.is_empty() => entry.lock_index + 1,
            Some(entry) if entry.session == session => entry.lock_index,
            Some(_) => {
                let what = format!("failed to lock key {}, lock is already held", quoted(&pair.key));
                return Err((what, true));
            }
        };
        Ok(self.store(pair, session, locks))
    }

    fn set(&mut self, pair: &KvPair) -> DirEntry {
        let holder = self.keys.get(&pair.key[..]).map(|entry| entry.session.clone()).unwrap_or_default();
        self.store(pair, &holder, 0)
    }

    fn store(&mut self, pair: &KvPair, session: &str, lock_index: u64) -> DirEntry {
        let existing = self.keys.get(&pair.key[..]);
        let mut entry = DirEntry {
            key: pair.key.to_vec(),
            value: (!pair.value.is_empty()).then(|| pair.value.to_vec()),
            flags: pair.flags,
            session: session.into(),
            lock_index,
            create_index: existing.map_or(self.index, |existing| existing.create_index),
            modify_index: existing.map_or(0, |existing| existing.modify_index),
            ..DirEntry::default()
        };
        if existing != Some(&entry) {
            entry.modify_index = self.index;
            self.keys.insert(entry.key.clone(), entry.clone());
            self.tables.insert("kvs".into(), self.index);
        }
        entry
    }

    fn delete(&mut self, key: &[u8]) {
        if self.keys.remove(key).is_some() {
            self.tables.insert("kvs".into(), self.index);
            self.bury(key);
        }
    }

    fn bury(&mut self, key: &[u8]) {
        self.stones.insert(key.to_vec(), self.index);
        self.tables.insert("tombstones".into(), self.index);
    }

    fn read(&self, op: &KvRead) -> Result<Vec<DirEntry>, Failed> {
        let entry = |key: &Bytes| self.keys.get(&key[..]).cloned();
        let outcome = match op {
            KvRead::Get { key } => {
                entry(key).map(|entry| vec![entry]).ok_or(format!("key {} doesn't exist", quoted(key)))
            }
            KvRead::GetOrEmpty { key } => {
                let empty = DirEntry { key: key.to_vec(), ..DirEntry::default() };
                Ok(vec![entry(key).unwrap_or(empty)])
            }
            KvRead::GetTree { prefix } => Ok(self.under(prefix)),
            KvRead::CheckIndex { key, index } => match (quoted(key), entry(key)) {
                (key, None) => Err(format!("failed to check index, key {key} doesn't exist")),
                (_, Some(entry)) if entry.modify_index == *index => Ok(vec![bare(entry)]),
                (key, Some(entry)) => Err(format!(
                    "failed index check for key {key}, current modify index {} != {index}",
                    entry.modify_index
                )),
            },
            KvRead::CheckSession { key, session } => match (quoted(key), entry(key)) {
                (key, None) => Err(format!("failed to check session, key {key} doesn't exist")),
                (_, Some(entry)) if entry.session == *session => Ok(vec![bare(entry)]),
                (key, Some(entry)) => Err(format!(
                    "failed session check for key {key}, current session {:?} != {session:?}",
                    entry.session
                )),
            },
            KvRead::CheckNotExists { key } => match entry(key) {
                None => Ok(Vec::new()),
                Some(_) => Err(format!("key {} exists", quoted(key))),
            },
        };
        outcome.map_err(|what| (what, false))
    }

    fn under(&self, prefix: &[u8]) -> Vec<DirEntry> {
        self.keys.values().filter(|entry| entry.key.starts_with(prefix)).cloned().collect()
    }

    fn cut_keys(&self, prefix: &[u8], separator: &[u8]) -> Vec<Bytes> {
        let cut = |entry: DirEntry| {
            let rest = &entry.key[prefix.len()..];
            let at = (0..rest.len()).find(|at| !separator.is_empty() && rest[*at..].starts_with(separator));
            at.map_or(entry.key.clone(), |at| entry.key[..prefix.len() + at + separator.len()].to_vec())
        };
        let keys: BTreeSet<Vec<u8>> = self.under(prefix).into_iter().map(cut).collect();
        keys.into_iter().map(Bytes::from).collect()
    }

    /// The newest change under a prefix, if any is known.
    fn list_index(&self, prefix: &[u8]) -> Option<u64> {
        if prefix.is_empty() {
            return None;
        }
        let stones = self.stones.iter().filter(|(key, _)| key.starts_with(prefix)).map(|(_, index)| *index);
        stones.chain(self.under(prefix).iter().map(|entry| entry.modify_index)).max()
    }

    fn answer_index(&self, own: Option<u64>) -> u64 {
        let of_keys = ["kvs", "tombstones"];
        let table = || of_keys.iter().filter_map(|table| self.tables.get(*table)).copied().max().unwrap_or(0);
        own.unwrap_or_else(table).max(self.floor).max(1)
    }

    fn resolve(&self, command: &mut Command) {
        match command {
            Command::Kv(op) => self.resolve_change(op),
            Command::Txn(ops) => ops.iter_mut().for_each(|op| match op {
                TxnOp::Kv(op) => self.resolve_change(op),
                TxnOp::KvRead(KvRead::CheckIndex { key, index }) => self.resolve_index(key, index),
                _ => {}
            }),
            Command::ReapTombstones { up_to } => *up_to = self.index.saturating_sub(*up_to),
            _ => {}
        }
    }

    fn resolve_change(&self, op: &mut KvOp) {
        match op {
            KvOp::Cas { pair, index } => self.resolve_index(&pair.key, index),
            KvOp::DeleteCas { key, index } => self.resolve_index(key, index),
            _ => {}
        }
    }

    fn resolve_index(&self, key: &[u8], index: &mut u64) {
        if *index == CURRENT {
            *index = self.keys.get(key).map_or(7, |entry| entry.modify_index);
        }
    }
}

fn bare(entry: DirEntry) -> DirEntry {
    DirEntry { value: None, ..entry }
}

/// As Go quotes the few keys of this test.
fn quoted(key: &[u8]) -> String {
    if key == b"\xff\0x" { r#""\xff\x00x""#.into() } else { format!("{:?}", String::from_utf8_lossy(key)) }
}

fn steps(steps_max: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![8 => vec(command(), 1..5).prop_map(Step::Run), 1 => Just(Step::Restart)];
    vec(step, 1..steps_max)
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        10 => change().prop_map(Command::Kv),
        5 => vec(txn_op(), 0..6).prop_map(Command::Txn),
        1 => (0..6u64).prop_map(|up_to| Command::ReapTombstones { up_to }),
        1 => session().prop_map(|id| Command::SessionDestroy { id }),
    ]
}

fn change() -> impl Strategy<Value = KvOp> {
    prop_oneof![
        4 => pair().prop_map(KvOp::Set),
        3 => (pair(), index()).prop_map(|(pair, index)| KvOp::Cas { pair, index }),
        4 => (pair(), session()).prop_map(|(pair, session)| KvOp::Lock { pair, session }),
        3 => (pair(), session()).prop_map(|(pair, session)| KvOp::Unlock { pair, session }),
        2 => key().prop_map(|key| KvOp::Delete { key }),
        2 => (key(), index()).prop_map(|(key, index)| KvOp::DeleteCas { key, index }),
        1 => prefix().prop_map(|prefix| KvOp::DeleteTree { prefix }),
    ]
}

fn txn_op() -> impl Strategy<Value = TxnOp> {
    let session = || prop_oneof![session(), Just(String::new())];
    // A tree of nothing is refused before anything is done; the rules' own tests have that case.
    let prefix = prefix().prop_filter("named", |prefix| !prefix.is_empty());
    let read = prop_oneof![
        key().prop_map(|key| KvRead::Get { key }),
        key().prop_map(|key| KvRead::GetOrEmpty { key }),
        prefix.prop_map(|prefix| KvRead::GetTree { prefix }),
        (key(), index()).prop_map(|(key, index)| KvRead::CheckIndex { key, index }),
        (key(), session()).prop_map(|(key, session)| KvRead::CheckSession { key, session }),
        key().prop_map(|key| KvRead::CheckNotExists { key }),
    ];
    let forget = session().prop_map(|session| TxnOp::SessionDelete { session });
    prop_oneof![20 => change().prop_map(TxnOp::Kv), 10 => read.prop_map(TxnOp::KvRead), 1 => forget]
}

fn pair() -> impl Strategy<Value = KvPair> {
    let value =
        prop_oneof![Just(Bytes::new()), Just(Bytes::from_static(b"x")), Just(Bytes::from_static(b"\0\xff"))];
    (key(), value, 0..2u64).prop_map(|(key, value, flags)| KvPair { key, value, flags })
}

fn key() -> impl Strategy<Value = Bytes> {
    proptest::sample::select(KEYS.to_vec()).prop_map(Bytes::from_static)
}

fn prefix() -> impl Strategy<Value = Bytes> {
    proptest::sample::select(PREFIXES.to_vec()).prop_map(Bytes::from_static)
}

fn session() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just("first"), 4 => Just("second"), 4 => Just("third"), 1 => proptest::sample::select(SESSIONS.to_vec())]
        .prop_map(str::to_owned)
}

fn index() -> impl Strategy<Value = u64> {
    prop_oneof![2 => Just(0), 5 => Just(CURRENT), 1 => 1..30u64]
}
