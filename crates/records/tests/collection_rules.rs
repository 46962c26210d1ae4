//! Collections and aliases: what is refused, what goes together, what a replica that was away gets.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use records::qdrant::{AliasChange, Collection, Command as Change, Refusal, Reply as Answer, Shard};
use records::store::{Disk, DiskOptions, Memory, Store};
use records::{Command, Entry, Op, Position, Records, Reply};
use uuid::Uuid;

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

    fn apply(&mut self, change: Change) -> Answer {
        self.index += 1;
        let position = Position { term: 1, index: self.index };
        let command = Command::new(self.index, Op::Qdrant(change)).encode();
        let replies =
            self.records.apply(&[Entry { position, members: None, command: Some(command) }]).unwrap();
        match Reply::decode(&replies[0]).unwrap() {
            Reply::Qdrant(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn create(&mut self, name: &str) -> Answer {
        self.apply(Change::Create(collection(name)))
    }

    fn names(&self) -> Vec<String> {
        self.records.collections().unwrap().collections.into_keys().collect()
    }

    fn aliases(&self) -> Vec<(String, String)> {
        self.records.collections().unwrap().aliases.into_iter().collect()
    }
}

fn collection(name: &str) -> Collection {
    let shard = |id| Shard { id, generation: Uuid::from_u128(7), nodes: vec![1], image: None };
    Collection {
        name: name.to_owned(),
        uuid: uuid(name),
        config: "{}".to_owned(),
        revision: 0,
        shards: (0..2).map(shard).collect(),
        schema: Default::default(),
    }
}

fn uuid(name: &str) -> Uuid {
    Uuid::from_u128(name.bytes().fold(1, |all, byte| all * 256 + u128::from(byte)))
}

fn alias(alias: &str, collection: &str) -> AliasChange {
    AliasChange::Create { alias: alias.to_owned(), collection: collection.to_owned() }
}

fn rename(old: &str, new: &str) -> AliasChange {
    AliasChange::Rename { old: old.to_owned(), new: new.to_owned() }
}

#[test]
fn a_name_is_taken_once() {
    let mut log = Log::on(Arc::new(Memory::default()));
    assert_eq!(log.create("a"), Answer::Done);
    assert_eq!(log.create("a"), Answer::Refused(Refusal::Exists("a".into())));
    assert_eq!(log.apply(Change::ChangeAliases(vec![alias("b", "a")])), Answer::Done);
    assert_eq!(log.create("b"), Answer::Refused(Refusal::IsAlias("b".into())));
    assert_eq!(log.names(), ["a"]);
    let all = log.records.collections().unwrap();
    assert_eq!(all.get("b").unwrap().name, "a");
    assert_eq!(all.get("a").unwrap().shards[1].group(), format!("qdrant/{}/1", Uuid::from_u128(7)));
}

#[test]
fn aliases_change_together_or_not_at_all() {
    let mut log = Log::on(Arc::new(Memory::default()));
    log.create("a");
    log.create("b");
    log.apply(Change::ChangeAliases(vec![alias("now", "a"), alias("x", "a")]));
    for (changes, refusal) in [
        (vec![alias("now", "b"), alias("y", "none")], Refusal::NoCollection("none".into())),
        (vec![alias("now", "b"), alias("b", "a")], Refusal::Exists("b".into())),
        (vec![alias("now", "b"), rename("none", "y")], Refusal::NoAlias("none".into())),
        (vec![rename("x", "y"), rename("y", "b")], Refusal::Exists("b".into())),
    ] {
        assert_eq!(log.apply(Change::ChangeAliases(changes)), Answer::Refused(refusal));
        assert_eq!(log.aliases(), [("now".into(), "a".into()), ("x".into(), "a".into())]);
    }
    let delete = |alias: &str| AliasChange::Delete { alias: alias.to_owned() };
    let changes = vec![delete("now"), alias("now", "b"), rename("x", "y"), delete("none")];
    assert_eq!(log.apply(Change::ChangeAliases(changes)), Answer::Done);
    assert_eq!(log.aliases(), [("now".into(), "b".into()), ("y".into(), "a".into())]);
}

#[test]
fn a_collection_takes_its_aliases_along() {
    let mut log = Log::on(Arc::new(Memory::default()));
    log.create("a");
    log.create("b");
    log.apply(Change::ChangeAliases(vec![alias("x", "a"), alias("y", "b")]));
    assert_eq!(log.apply(Change::Delete { name: "x".into() }), Answer::Nothing, "an alias is no collection");
    assert_eq!(log.apply(Change::Delete { name: "a".into() }), Answer::Done);
    assert_eq!(log.apply(Change::Delete { name: "a".into() }), Answer::Nothing);
    assert_eq!((log.names(), log.aliases()), (vec!["b".into()], vec![("y".into(), "b".into())]));
}

#[test]
fn settings_change_from_the_revision_they_were_made_from() {
    let mut log = Log::on(Arc::new(Memory::default()));
    log.create("a");
    let update = |uuid, revision, config: &str| Change::Update { uuid, revision, config: config.into() };
    assert_eq!(log.apply(update(uuid("a"), 0, "1")), Answer::Done);
    assert_eq!(log.apply(update(uuid("a"), 0, "2")), Answer::Refused(Refusal::Changed));
    let gone = log.apply(update(uuid("b"), 0, "2"));
    assert!(matches!(gone, Answer::Refused(Refusal::NoCollection(_))), "{gone:?}");

    let set =
        |field: &str| Change::SetIndex { uuid: uuid("a"), field: field.into(), schema: "\"keyword\"".into() };
    let unset = |field: &str| Change::DropIndex { uuid: uuid("a"), field: field.into() };
    assert_eq!(log.apply(set("city")), Answer::Done);
    assert_eq!(log.apply(set("k")), Answer::Done);
    assert_eq!(log.apply(unset("k")), Answer::Done);
    assert_eq!(log.apply(unset("k")), Answer::Nothing);
    let all = log.records.collections().unwrap();
    let a = all.get("a").unwrap();
    assert_eq!((a.config.as_str(), a.revision), ("1", 4));
    assert_eq!(a.schema.keys().collect::<Vec<_>>(), ["city"]);
}

#[test]
fn collections_survive_a_restart_and_travel_to_other_replicas() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Arc::new(Disk::open(dir.path(), DiskOptions::default()).unwrap());
    let mut log = Log::on(open());
    log.create("a");
    log.apply(Change::ChangeAliases(vec![alias("x", "a")]));
    let before = log.records.collections().unwrap();
    drop(log);
    let log = Log::on(open());
    assert_eq!(log.records.collections().unwrap(), before);

    let mut bytes = Vec::new();
    log.records.transfer().unwrap().write_to(&mut bytes).unwrap();
    let mut other = Log::on(Arc::new(Memory::default()));
    other.create("other");
    let changes = other.records.collection_changes();
    other.records.install(&mut &bytes[..], log.records.applied().unwrap()).unwrap();
    assert_eq!(other.records.collections().unwrap(), before);
    assert!(other.records.collection_changes() > changes);
}
