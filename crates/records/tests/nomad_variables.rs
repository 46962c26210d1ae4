//! Nomad's variables: what they hold, check-and-set, locks, quotas, and the keys that encrypt them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use archive::nomad::{RootKey, Variable, VariableLock, VariablesQuota, kinds};
use archive::state::{Bytes, Product};
use archive::{hashicorp, state};
use proptest::prelude::*;
use records::nomad::keyring::{self, Cipher, Drawn, Items, Sealed, Unreadable};
use records::nomad::variables::{self, Command, held_locks, variable};
use records::nomad::{self, Refusal, Reply};
use records::store::Memory;
use records::{Entry, Op, Position, Read, Records, Scope, View};

const NOW_MS: u64 = 1_704_067_200_000;
const KEY: &str = "0b0e1bbe-0000-4000-8000-000000000001";

struct Machine {
    records: Arc<Records>,
    log_index: u64,
}

impl Machine {
    fn new() -> Machine {
        let records = Arc::new(Records::open(Arc::new(Memory::default())).unwrap());
        let mut machine = Machine { records, log_index: 0 };
        machine.initialize(1);
        machine
    }

    fn initialize(&mut self, number: u8) {
        let root_key = Box::new(drawn(number).root_key());
        let cluster_id = "c1057e70-0000-4000-8000-000000000001".to_owned();
        let reply = self.run(nomad::Command::Initialize { root_key, cluster_id });
        assert!(matches!(reply, Reply::Done { .. }), "{reply:?}");
    }

    fn run(&mut self, command: nomad::Command) -> Reply {
        self.log_index += 1;
        let command = records::Command::new(NOW_MS, Op::Nomad(command)).encode();
        let position = Position { term: 1, index: self.log_index };
        let entry = Entry { position, members: None, command: Some(command) };
        let replies = self.records.apply(&[entry]).unwrap();
        match records::Reply::decode(&replies[0]).unwrap() {
            records::Reply::Nomad(reply) => reply,
            other => panic!("no answer to a Nomad command: {other:?}"),
        }
    }

    fn change(&mut self, command: Command) -> Reply {
        self.run(nomad::Command::Variable(command))
    }

    fn view(&self) -> View {
        self.records.view(Scope::Nomad).unwrap()
    }

    /// A variable with one item, encrypted, and the lock that the caller claims.
    fn sealed(&self, path: &str, value: &str, lock_id: Option<&str>) -> Box<Variable> {
        let cipher = keyring::active(&self.view()).unwrap().unwrap();
        Box::new(Variable {
            namespace: "default".into(),
            path: path.into(),
            lock: lock_id.map(lock),
            data: Some(Bytes(cipher.seal([7; 12], Some(&items(value))))),
            key_id: cipher.key_id().to_owned(),
            ..Variable::default()
        })
    }

    fn set(&mut self, path: &str, value: &str, lock_id: Option<&str>, cas: Option<u64>) -> Reply {
        let variable = self.sealed(path, value, lock_id);
        self.change(Command::Set { variable, cas })
    }

    fn acquire(&mut self, path: &str, value: &str, lock_id: &str) -> Reply {
        let variable = self.sealed(path, value, Some(lock_id));
        self.change(Command::Acquire(variable))
    }

    fn release(&mut self, path: &str, lock_id: &str) -> Reply {
        let (namespace, path, lock_id) = ("default".into(), path.into(), lock_id.into());
        self.change(Command::Release { namespace, path, lock_id })
    }

    fn delete(&mut self, path: &str, cas: Option<u64>) -> Reply {
        self.change(Command::Delete { namespace: "default".into(), path: path.into(), cas })
    }

    fn get(&self, path: &str) -> Option<Variable> {
        variable(&self.view(), "default", path).unwrap().value
    }

    fn quota(&self) -> VariablesQuota {
        let bytes = self.view().get(kinds::VARIABLES_QUOTA, b"default\0").unwrap().unwrap();
        VariablesQuota::decode(&bytes).unwrap()
    }
}

fn drawn(number: u8) -> Drawn {
    let key_id = format!("{}{number}", &KEY[..35]);
    Drawn { key_id, key: [number; 32], key_encryption_key: [number + 100; 32], nonce: [3; 12] }
}

fn items(value: &str) -> Items {
    BTreeMap::from([("value".to_owned(), value.to_owned())])
}

fn lock(id: &str) -> VariableLock {
    VariableLock { id: id.to_owned(), ttl_ns: 15_000_000_000, lock_delay_ns: 15_000_000_000 }
}

#[track_caller]
fn written(reply: Reply) -> Variable {
    match reply {
        Reply::Variable(variable) => *variable,
        other => panic!("not written: {other:?}"),
    }
}

#[track_caller]
fn conflict(reply: Reply) -> Variable {
    match reply {
        Reply::Conflict(variable) => *variable,
        other => panic!("no conflict: {other:?}"),
    }
}

#[test]
fn a_variable_keeps_its_creation_and_is_read_as_it_was_written() {
    let mut machine = Machine::new();
    let first = written(machine.set("app/db", "one", None, None));
    let second = written(machine.set("app/db", "two", None, None));
    assert_eq!((first.create_index, first.create_time_ns), (second.create_index, second.create_time_ns));
    assert_eq!(second.modify_time_ns, i64::try_from(NOW_MS).unwrap() * 1_000_000);
    assert!(second.modify_index > first.modify_index);
    let view = machine.view();
    let found = variable(&view, "default", "app/db").unwrap();
    assert_eq!(found.index, second.modify_index);
    let found = found.value.unwrap();
    let cipher = keyring::cipher(&view, &found.key_id).unwrap().unwrap();
    assert_eq!(cipher.open(&found.data.unwrap().0).unwrap(), items("two"));
    let missing = variable(&view, "default", "app").unwrap();
    assert_eq!((missing.value, missing.index), (None, second.modify_index));
}

#[test]
fn check_and_set_compares_with_the_last_change() {
    let mut machine = Machine::new();
    assert_eq!(conflict(machine.set("a", "1", None, Some(9))).modify_index, 0);
    let first = written(machine.set("a", "1", None, Some(0)));
    assert_eq!(conflict(machine.set("a", "2", None, Some(0))), first);
    let second = written(machine.set("a", "2", None, Some(first.modify_index)));
    assert_eq!(conflict(machine.delete("a", Some(first.modify_index))), second);
    assert!(matches!(machine.delete("a", Some(second.modify_index)), Reply::Done { .. }));
    assert_eq!(conflict(machine.delete("a", Some(second.modify_index))).key_id, "");
    assert!(matches!(machine.delete("a", Some(0)), Reply::Done { .. }));
    assert!(matches!(machine.delete("a", None), Reply::Done { .. }));
}

#[test]
fn only_the_holder_of_a_lock_changes_a_variable() {
    let mut machine = Machine::new();
    let held = written(machine.acquire("leader", "", "lock-1"));
    assert_eq!(held.lock, Some(lock("lock-1")));
    for reply in [
        machine.set("leader", "x", None, None),
        machine.set("leader", "x", Some("lock-2"), None),
        machine.acquire("leader", "x", "lock-2"),
        machine.release("leader", "lock-2"),
        machine.delete("leader", None),
    ] {
        let shown = conflict(reply);
        assert_eq!((shown.path.as_str(), shown.key_id.as_str(), shown.lock), ("leader", "", None));
    }
    // Whatever times the holder names, the lock stays what it was.
    let mut variable = machine.sealed("leader", "x", Some("lock-1"));
    variable.lock = Some(VariableLock { ttl_ns: 1, ..lock("lock-1") });
    assert_eq!(written(machine.change(Command::Set { variable, cas: None })).lock, Some(lock("lock-1")));
    assert_eq!(held_locks(&machine.view()).unwrap().len(), 1);
    let released = written(machine.release("leader", "lock-1"));
    assert_eq!((released.lock, machine.get("leader").unwrap().lock), (None, None));
    assert!(held_locks(&machine.view()).unwrap().is_empty());
    let refused = machine.release("leader", "lock-1");
    assert_eq!(refused, Reply::Refused(Refusal::Failed("variable doesn't hold a lock".into())));
    // Nobody becomes the holder but by acquiring.
    assert_eq!(written(machine.set("leader", "y", Some("lock-1"), None)).lock, None);
}

#[test]
fn what_could_not_be_read_back_is_refused() {
    let mut machine = Machine::new();
    let mut variable = machine.sealed("a", "1", None);
    variable.key_id = "another".into();
    assert!(matches!(
        machine.change(Command::Set { variable, cas: None }),
        Reply::Refused(Refusal::Failed(_))
    ));
    for path in ["", "a b", "a.b", "nomad", "nomad/other", "nomad/job-templates", "ü", &"a".repeat(129)] {
        let reply = machine.set(path, "1", None, None);
        assert!(matches!(reply, Reply::Refused(Refusal::Invalid(_))), "{path}: {reply:?}");
    }
    for path in
        ["nomad/jobs", "nomad/jobs/a/b", "nomad/job-templates/a", "nomadic", "a~_-/Z9", &"a".repeat(128)]
    {
        written(machine.set(path, "1", None, None));
    }
}

#[test]
fn a_key_that_cannot_be_used_gives_way_to_one_that_can() {
    let mut machine = Machine::new();
    machine.initialize(2);
    assert_eq!(keyring::active(&machine.view()).unwrap().unwrap().key_id(), drawn(1).key_id);
    assert!(nomad::is_initialized(&machine.view()).unwrap());

    let foreign = RootKey { wrapped_keys: None, ..drawn(3).root_key() };
    let records = Arc::new(Records::open(Arc::new(Memory::default())).unwrap());
    let mut machine = Machine { records, log_index: 0 };
    let cluster_id = String::new();
    machine.run(nomad::Command::Initialize { root_key: Box::new(foreign), cluster_id });
    assert!(!nomad::is_initialized(&machine.view()).unwrap());
    machine.initialize(2);
    let view = machine.view();
    assert_eq!(keyring::active(&view).unwrap().unwrap().key_id(), drawn(2).key_id);
    let states =
        view.scan(kinds::ROOT_KEY, b"").map(|entry| RootKey::decode(&entry.unwrap().1).unwrap().state);
    assert_eq!(states.collect::<Vec<_>>(), ["active", "inactive"]);
}

#[test]
fn a_wrong_key_and_damage_are_told_and_nothing_else_happens() {
    let cipher = Cipher::unwrap(&drawn(1).root_key()).unwrap();
    let data = cipher.seal([9; 12], Some(&items("<&>\u{2028}")));
    assert_eq!(cipher.open(&data).unwrap(), items("<&>\u{2028}"));
    assert_eq!(cipher.open(&cipher.seal([9; 12], None)).unwrap(), Items::new());
    // Another key, and the same key under another name.
    assert_eq!(Cipher::unwrap(&drawn(2).root_key()).unwrap().open(&data), Err(Sealed::Authentication));
    let renamed = RootKey { key_id: "other".into(), ..drawn(1).root_key() };
    assert_eq!(Cipher::unwrap(&renamed).unwrap().open(&data), Err(Sealed::Authentication));
    for length in 0..data.len() {
        assert_eq!(cipher.open(&data[..length]), Err(Sealed::Authentication));
    }
    let key = |change: fn(&mut RootKey)| {
        let mut root_key = drawn(1).root_key();
        change(&mut root_key);
        Cipher::unwrap(&root_key)
    };
    let wrapped = |root_key: &mut RootKey| root_key.wrapped_keys.as_mut().unwrap()[0].clone();
    assert!(key(|root_key| root_key.algorithm = "rot13".into()).is_none());
    assert!(key(|root_key| root_key.wrapped_keys = None).is_none());
    assert!(key(|root_key| root_key.wrapped_keys.as_mut().unwrap()[0].provider = "awskms".into()).is_none());
    assert!(key(|root_key| root_key.wrapped_keys.as_mut().unwrap()[0].key_encryption_key = None).is_none());
    let mut short = drawn(1).root_key();
    let mut one = wrapped(&mut short);
    one.key_encryption_key = Some(Bytes(vec![1; 31]));
    short.wrapped_keys = Some(vec![one]);
    assert!(Cipher::unwrap(&short).is_none());
}

fn archive_of(bytes: &[u8]) -> Vec<records::Record> {
    let records = state::Records::new(hashicorp::Reader::new(bytes)).unwrap();
    let records = records.expect(Product::Nomad).unwrap();
    records
        .map(|record| record.unwrap())
        .map(|record| records::Record { kind: record.kind, bytes: record.bytes.into() })
        .collect()
}

fn staged(records: Vec<records::Record>) -> View {
    let machine = Arc::new(Records::open(Arc::new(Memory::default())).unwrap());
    let staged = machine.stage(Scope::Nomad, &mut records.into_iter().map(Ok), false).unwrap();
    staged.view().unwrap()
}

#[test]
fn what_a_genuine_server_encrypted_is_read() {
    let archive = archive_of(include_bytes!("../../archive/tests/fixtures/nomad/server.snap"));
    let view = staged(archive.clone());
    assert!(nomad::is_initialized(&view).unwrap());
    assert_eq!(keyring::unreadable(&view).unwrap(), Unreadable::default());
    let all = variables::variables(&view, None, "").unwrap().value;
    let opened = all.iter().map(|found| {
        let cipher = keyring::cipher(&view, &found.key_id).unwrap().unwrap();
        (
            (found.namespace.as_str(), found.path.as_str()),
            cipher.open(&found.data.as_ref().unwrap().0).unwrap(),
        )
    });
    let opened: BTreeMap<_, _> = opened.collect();
    assert_eq!(opened[&("default", "app/config")]["host"], "db.example");
    assert_eq!(held_locks(&view).unwrap().len(), all.iter().filter(|found| found.lock.is_some()).count());

    // Without its keys the same archive is lost.
    let keyless = archive.into_iter().filter(|record| record.kind != kinds::ROOT_KEY);
    let unreadable = keyring::unreadable(&staged(keyless.collect())).unwrap();
    assert_eq!(unreadable.count, all.len() as u64);
    assert_eq!(unreadable.first[0], (all[0].namespace.clone(), all[0].path.clone()));
}

/// What a model of one variable allows.
#[derive(Clone, Copy, Debug)]
enum Step {
    Set { lock: Option<u8>, cas: Option<u64> },
    Acquire { lock: u8 },
    Release { lock: u8 },
    Delete { cas: Option<u64> },
}

fn step() -> impl Strategy<Value = Step> {
    let cas = || prop_oneof![3 => Just(None), 1 => (0u64..6).prop_map(Some)];
    prop_oneof![
        (proptest::option::of(0u8..2), cas()).prop_map(|(lock, cas)| Step::Set { lock, cas }),
        (0u8..2).prop_map(|lock| Step::Acquire { lock }),
        (0u8..2).prop_map(|lock| Step::Release { lock }),
        cas().prop_map(|cas| Step::Delete { cas }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_variable_behaves_like_its_model(steps in proptest::collection::vec((step(), 0usize..40), 1..40)) {
        let mut machine = Machine::new();
        // What is there: the index of its last change, who holds it, the bytes of its value.
        let mut model: Option<(u64, Option<u8>, usize)> = None;
        let base = machine.view().index();
        for (step, length) in steps {
            let value = "v".repeat(length);
            let name = |lock: u8| format!("lock-{lock}");
            let held = model.and_then(|(_, lock, _)| lock);
            let index = machine.view().index() + 1;
            // Small numbers stand for the changes made first.
            let cas_of = |cas: Option<u64>| cas.map(|cas| if cas == 0 { 0 } else { base + cas });
            let allows = |cas: Option<u64>| cas.is_none_or(|cas| cas == model.map_or(0, |(index, ..)| index));
            match step {
                Step::Set { lock, cas } => {
                    let cas = cas_of(cas);
                    let reply = machine.set("a", &value, lock.map(name).as_deref(), cas);
                    if allows(cas) && (held.is_none() || held == lock) {
                        prop_assert_eq!(written(reply).modify_index, index);
                        model = Some((index, held, length));
                    } else {
                        conflict(reply);
                    }
                }
                Step::Acquire { lock } => {
                    let reply = machine.acquire("a", &value, &name(lock));
                    if held.is_none() || held == Some(lock) {
                        prop_assert_eq!(written(reply).lock.unwrap().id, name(lock));
                        model = Some((index, Some(lock), length));
                    } else {
                        conflict(reply);
                    }
                }
                Step::Release { lock } => {
                    let reply = machine.release("a", &name(lock));
                    match (model, held) {
                        (Some((_, _, length)), Some(holder)) if holder == lock => {
                            prop_assert_eq!(written(reply).modify_index, index);
                            model = Some((index, None, length));
                        }
                        (_, Some(_)) => drop(conflict(reply)),
                        _ => prop_assert!(matches!(reply, Reply::Refused(_))),
                    }
                }
                Step::Delete { cas } => {
                    let cas = cas_of(cas);
                    let reply = machine.delete("a", cas);
                    if allows(cas) && held.is_none() {
                        let is_done = matches!(reply, Reply::Done { .. });
                        prop_assert!(is_done);
                        model = None;
                    } else {
                        conflict(reply);
                    }
                }
            }
            let found = machine.get("a");
            prop_assert_eq!(found.is_some(), model.is_some());
            let bytes = found.and_then(|found| found.data).map_or(0, |data| data.0.len());
            if let Some((_, _, length)) = model {
                prop_assert_eq!(bytes, 12 + r#"{"value":""}"#.len() + length + 16);
                prop_assert_eq!(machine.quota().size_bytes, i64::try_from(bytes).unwrap());
            }
        }
    }
}
