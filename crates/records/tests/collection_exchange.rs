//! Exchanging what a scope of points holds: what is kept for undo, what is refused, what goes with it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use records::qdrant::{
    AliasChange, Collection, Collections, Command as Change, Content, Expected, Image, Refusal,
    Reply as Answer, Shard,
};
use records::store::{Memory, Store};
use records::{Command, Entry, Op, Position, Records, Reply};
use uuid::Uuid;

const TERM: u64 = 3;

struct Log {
    records: Arc<Records>,
    index: u64,
}

impl Log {
    fn new() -> Log {
        let store: Arc<dyn Store> = Arc::new(Memory::default());
        Log { records: Arc::new(Records::open(store).unwrap()), index: 0 }
    }

    fn reply(&mut self, change: Change) -> Reply {
        self.index += 1;
        let position = Position { term: TERM, index: self.index };
        let command = Command::new(1000 + self.index, Op::Qdrant(change)).encode();
        let replies =
            self.records.apply(&[Entry { position, members: None, command: Some(command) }]).unwrap();
        Reply::decode(&replies[0]).unwrap()
    }

    fn apply(&mut self, change: Change) -> Answer {
        match self.reply(change) {
            Reply::Qdrant(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    fn all(&self) -> Collections {
        self.records.collections().unwrap()
    }

    /// Each collection with the generations of its shards.
    fn shards(&self) -> Vec<(String, Vec<u128>)> {
        let generations = |c: &Collection| c.shards.iter().map(|s| s.generation.as_u128()).collect();
        self.all().collections.into_iter().map(|(name, c)| (name, generations(&c))).collect()
    }

    fn exchange(&mut self, image: u128, content: Content, expected: Expected) -> Answer {
        self.apply(Change::Exchange { image: Uuid::from_u128(image), term: TERM, content, expected })
    }

    fn undo(&mut self, scope: &str, image: u128) -> Answer {
        self.apply(Change::UndoExchange { scope: scope.into(), image: Uuid::from_u128(image) })
    }

    fn revision(&self, name: &str) -> Expected {
        let all = self.all();
        let found = &all.collections[name];
        Expected::Revision { uuid: found.uuid, revision: found.revision }
    }

    fn alias(&mut self, alias: &str, collection: &str) -> Answer {
        let (alias, collection) = (alias.to_owned(), collection.to_owned());
        self.apply(Change::ChangeAliases(vec![AliasChange::Create { alias, collection }]))
    }
}

/// Its two shards are of this generation.
fn collection(name: &str, generation: u128) -> Collection {
    let shard = |id| shard(id, generation);
    Collection {
        name: name.to_owned(),
        uuid: Uuid::from_u128(name.bytes().fold(1, |all, byte| all * 256 + u128::from(byte))),
        config: "{}".to_owned(),
        revision: 0,
        shards: (0..2).map(shard).collect(),
        schema: Default::default(),
    }
}

fn shard(id: u32, generation: u128) -> Shard {
    let image = Image { name: Uuid::from_u128(generation), blob: Some(vec![7; 32]), member: None };
    Shard { id, generation: Uuid::from_u128(generation), nodes: vec![1], image: Some(image) }
}

fn whole(name: &str, generation: u128) -> Content {
    let collection = Some(collection(name, generation));
    Content::Collection { name: name.into(), collection, aliases: Vec::new() }
}

fn storage(collections: &[(&str, u128)], aliases: &[(&str, &str)]) -> Content {
    Content::Storage {
        collections: collections.iter().map(|(name, generation)| collection(name, *generation)).collect(),
        aliases: aliases.iter().map(|(a, c)| ((*a).to_owned(), (*c).to_owned())).collect(),
    }
}

fn of(name: &str, generations: [u128; 2]) -> (String, Vec<u128>) {
    (name.to_owned(), generations.to_vec())
}

#[test]
fn a_collection_is_exchanged_undone_and_redone() {
    let mut log = Log::new();
    log.apply(Change::Create(collection("a", 1)));
    log.alias("x", "a");
    let expected = log.revision("a");
    assert_eq!(log.exchange(2, whole("a", 2), expected.clone()), Answer::Done);
    assert_eq!(log.shards(), [of("a", [2, 2])]);
    let kept = &log.all().previous["qdrant/a"];
    let generations: Vec<_> = kept.content.shards().map(|shard| shard.generation.as_u128()).collect();
    assert_eq!(
        (generations, kept.image, kept.live, kept.replaced_at_ms),
        (vec![1, 1], Uuid::nil(), Uuid::from_u128(2), 1003)
    );
    assert_eq!(log.exchange(3, whole("a", 3), expected), Answer::Refused(Refusal::Changed));

    let revision = log.all().collections["a"].revision;
    assert_eq!(log.undo("qdrant/a", 9), Answer::Refused(Refusal::NothingToUndo));
    assert_eq!(log.undo("qdrant/a", 0), Answer::Done);
    assert_eq!(log.shards(), [of("a", [1, 1])]);
    assert_eq!(log.all().previous["qdrant/a"].image, Uuid::from_u128(2));
    assert_eq!(log.undo("qdrant/a", 2), Answer::Done);
    assert_eq!(log.shards(), [of("a", [2, 2])]);
    assert!(log.all().collections["a"].revision > revision, "no revision comes twice");
    assert_eq!(log.all().aliases["x"], "a");

    let next = log.revision("a");
    assert_eq!(log.exchange(4, whole("a", 4), next), Answer::Done);
    assert_eq!(log.all().previous["qdrant/a"].image, Uuid::from_u128(2));
}

#[test]
fn what_a_restore_made_goes_with_its_aliases_and_comes_back_with_them() {
    let mut log = Log::new();
    assert_eq!(log.exchange(2, whole("a", 2), Expected::Absent), Answer::Done);
    log.alias("x", "a");
    log.alias("y", "a");
    assert_eq!(log.undo("qdrant/a", 0), Answer::Done);
    assert_eq!((log.shards(), log.all().aliases.len()), (vec![], 0));
    log.apply(Change::Create(collection("x", 5)));
    assert_eq!(log.undo("qdrant/a", 2), Answer::Done);
    assert_eq!(log.shards(), [of("a", [2, 2]), of("x", [5, 5])]);
    assert_eq!(log.all().aliases.into_keys().collect::<Vec<_>>(), ["y"], "the other name is taken");
    assert_eq!(log.exchange(3, whole("a", 3), Expected::Absent), Answer::Refused(Refusal::Changed));
}

#[test]
fn a_name_that_became_an_alias_is_refused() {
    let mut log = Log::new();
    log.apply(Change::Create(collection("a", 1)));
    log.alias("b", "a");
    let refused = log.exchange(2, whole("b", 2), Expected::Absent);
    assert_eq!(refused, Answer::Refused(Refusal::IsAlias("b".into())));
    assert!(log.all().previous.is_empty());
}

#[test]
fn one_shard_is_exchanged_alone() {
    let mut log = Log::new();
    log.apply(Change::Create(collection("a", 1)));
    let content = || Content::Shard { collection: "a".into(), shard: shard(1, 2) };
    let expected = |generation| Expected::Generation(Uuid::from_u128(generation));
    assert_eq!(log.exchange(2, content(), expected(3)), Answer::Refused(Refusal::Changed));
    // Other changes of the collection are no obstacle.
    log.alias("x", "a");
    let set = Change::SetIndex { uuid: collection("a", 1).uuid, field: "f".into(), schema: "1".into() };
    log.apply(set);
    assert_eq!(log.exchange(2, content(), expected(1)), Answer::Done);
    assert_eq!(log.shards(), [of("a", [1, 2])]);
    assert_eq!(log.undo("qdrant/a/1", 0), Answer::Done);
    assert_eq!(log.shards(), [of("a", [1, 1])]);
    assert!(log.all().collections["a"].schema.contains_key("f"), "settings are no part of a shard");

    // Exchanging the whole leaves nothing of its parts to be undone.
    let next = log.revision("a");
    assert_eq!(log.exchange(4, whole("a", 4), next), Answer::Done);
    assert_eq!(log.all().previous.into_keys().collect::<Vec<_>>(), ["qdrant/a"]);
    assert_eq!(log.undo("qdrant/a/1", 2), Answer::Refused(Refusal::NothingToUndo));
}

#[test]
fn everything_is_exchanged_together() {
    let mut log = Log::new();
    log.apply(Change::Create(collection("a", 1)));
    log.apply(Change::Create(collection("b", 1)));
    log.alias("x", "b");
    let expected = log.revision("a");
    log.exchange(2, whole("a", 2), expected);
    let everything = storage(&[("a", 3), ("c", 4)], &[("y", "c")]);
    assert_eq!(log.exchange(5, everything, Expected::Anything), Answer::Done);
    assert_eq!(log.shards(), [of("a", [3, 3]), of("c", [4, 4])]);
    assert_eq!(log.all().aliases, [("y".into(), "c".into())].into());
    assert_eq!(log.all().previous.into_keys().collect::<Vec<_>>(), ["qdrant"]);
    // What is deleted since is part of neither.
    log.apply(Change::Delete { name: "c".into() });
    assert_eq!(log.undo("qdrant", 0), Answer::Done);
    assert_eq!(log.shards(), [of("a", [2, 2]), of("b", [1, 1])]);
    assert_eq!(log.all().aliases, [("x".into(), "b".into())].into());
    assert_eq!(log.undo("qdrant", 5), Answer::Done);
    assert_eq!((log.shards(), log.all().aliases.len()), (vec![of("a", [3, 3])], 0));

    for (aliases, refusal) in
        [(("z", "none"), Refusal::NoCollection("none".into())), (("a", "a"), Refusal::Exists("a".into()))]
    {
        let answer = log.exchange(6, storage(&[("a", 9)], &[aliases]), Expected::Anything);
        assert_eq!(answer, Answer::Refused(refusal));
        assert_eq!(log.shards(), [of("a", [3, 3])]);
    }
}

#[test]
fn a_deleted_collection_cannot_be_undone() {
    let mut log = Log::new();
    log.apply(Change::Create(collection("a", 1)));
    let expected = log.revision("a");
    log.exchange(2, whole("a", 2), expected);
    log.exchange(
        3,
        Content::Shard { collection: "a".into(), shard: shard(0, 3) },
        Expected::Generation(Uuid::from_u128(2)),
    );
    log.apply(Change::Delete { name: "a".into() });
    assert!(log.all().previous.is_empty());
    assert_eq!(log.undo("qdrant/a", 0), Answer::Refused(Refusal::NothingToUndo));
}

#[test]
fn an_exchange_of_another_term_is_refused_and_a_slot_can_be_given_up() {
    let mut log = Log::new();
    let (image, expected) = (Uuid::from_u128(2), Expected::Absent);
    let old = Change::Exchange { image, term: TERM - 1, content: whole("a", 2), expected };
    assert_eq!(log.reply(old), Reply::Refused(records::Refusal::TermChanged));
    log.exchange(2, whole("a", 2), Expected::Absent);
    let forget = |image| Change::ForgetExchange { scope: "qdrant/a".into(), image: Uuid::from_u128(image) };
    assert_eq!(log.apply(forget(2)), Answer::Refused(Refusal::NothingToUndo));
    assert_eq!(log.apply(forget(0)), Answer::Done);
    assert!(log.all().previous.is_empty());

    // Slots travel, too.
    let next = log.revision("a");
    log.exchange(3, whole("a", 3), next);
    let mut bytes = Vec::new();
    log.records.transfer().unwrap().write_to(&mut bytes).unwrap();
    let other = Log::new();
    other.records.install(&mut &bytes[..], log.records.applied().unwrap()).unwrap();
    assert_eq!(other.all(), log.all());
    assert_eq!(other.all().previous.len(), 1);
}
