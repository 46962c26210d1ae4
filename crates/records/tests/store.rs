//! One suite for every store: what the state machine relies on, on disk and in memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use records::store::{Batch, Disk, DiskOptions, Durability, Error, Memory, Pair, Store, Table, View};

/// Runs `check` on a fresh store of each kind.
fn on_each(check: impl Fn(&dyn Store)) {
    check(&Memory::default());
    let dir = tempfile::tempdir().unwrap();
    check(&Disk::open(dir.path(), DiskOptions::default()).unwrap());
}

fn pair(key: &str, value: &str) -> Pair {
    (Bytes::copy_from_slice(key.as_bytes()), Bytes::copy_from_slice(value.as_bytes()))
}

fn put(store: &dyn Store, table: Table, key: &str, value: &str) {
    let mut batch = Batch::default();
    let (key, value) = pair(key, value);
    batch.put(table, key, value);
    store.write(batch, Durability::Process).unwrap();
}

fn all(view: &dyn View, table: Table, prefix: &str) -> Vec<Pair> {
    view.scan(table, prefix.as_bytes()).collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_view_stays_as_it_was() {
    on_each(|store| {
        let table = store.table("t").unwrap();
        put(store, table, "a", "1");
        let view = store.view(&[table]).unwrap();
        put(store, table, "a", "2");
        put(store, table, "b", "3");
        assert_eq!(all(&*view, table, ""), [pair("a", "1")]);
        assert_eq!(view.get(table, b"b").unwrap(), None);
        let now = store.view(&[table]).unwrap();
        assert_eq!(all(&*now, table, ""), [pair("a", "2"), pair("b", "3")]);
    });
}

#[test]
fn a_batch_over_several_tables_is_seen_whole_or_not_at_all() {
    on_each(|store| {
        let (one, two) = (store.table("one").unwrap(), store.table("two").unwrap());
        put(store, one, "gone", "1");
        let mut batch = Batch::default();
        batch.put(one, "a", "1");
        batch.remove(one, "gone");
        batch.put(two, "b", "2");
        let before = store.view(&[one, two]).unwrap();
        store.write(batch, Durability::Disk).unwrap();
        assert_eq!(all(&*before, one, ""), [pair("gone", "1")]);
        assert_eq!(all(&*before, two, ""), []);
        let after = store.view(&[one, two]).unwrap();
        assert_eq!(all(&*after, one, ""), [pair("a", "1")]);
        assert_eq!(all(&*after, two, ""), [pair("b", "2")]);
    });
}

#[test]
fn a_batch_into_a_table_that_is_gone_changes_nothing() {
    on_each(|store| {
        let (one, two) = (store.table("one").unwrap(), store.table("two").unwrap());
        store.drop_table(two).unwrap();
        let mut batch = Batch::default();
        batch.put(one, "a", "1");
        batch.put(two, "b", "2");
        assert!(matches!(store.write(batch, Durability::Process), Err(Error::NoTable(_))));
        assert_eq!(all(&*store.view(&[one]).unwrap(), one, ""), []);
    });
}

#[test]
fn a_dropped_table_is_read_to_the_end_by_who_holds_it() {
    on_each(|store| {
        let table = store.table("t").unwrap();
        put(store, table, "a", "1");
        let view = store.view(&[table]).unwrap();
        store.drop_table(table).unwrap();
        assert!(store.tables().is_empty());
        assert!(matches!(store.view(&[table]), Err(Error::NoTable(_))));
        assert_eq!(all(&*view, table, ""), [pair("a", "1")]);
        // The name can be used again, for another table.
        let again = store.table("t").unwrap();
        assert_ne!(again, table);
        assert_eq!(all(&*store.view(&[again]).unwrap(), again, ""), []);
    });
}

#[test]
fn a_load_becomes_visible_at_its_end() {
    on_each(|store| {
        let table = store.table("t").unwrap();
        let mut seen = Vec::new();
        let mut pairs = vec![pair("a", "1"), pair("b", "2")].into_iter().inspect(|_| {
            seen.push(all(&*store.view(&[table]).unwrap(), table, "").len());
        });
        store.load(table, &mut pairs).unwrap();
        assert_eq!(seen, [0, 0]);
        store.load(table, &mut vec![pair("aa", "3")].into_iter()).unwrap();
        let view = store.view(&[table]).unwrap();
        assert_eq!(all(&*view, table, ""), [pair("a", "1"), pair("aa", "3"), pair("b", "2")]);
    });
}

#[test]
fn a_load_that_does_not_ascend_leaves_nothing() {
    for keys in [["b", "a"], ["a", "a"]] {
        on_each(|store| {
            let table = store.table("t").unwrap();
            let mut pairs = keys.iter().map(|key| pair(key, "1"));
            assert!(matches!(store.load(table, &mut pairs), Err(Error::Unsorted)));
            assert_eq!(all(&*store.view(&[table]).unwrap(), table, ""), []);
        });
    }
}

#[test]
fn what_was_written_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::open(dir.path(), DiskOptions::default()).unwrap();
    let (table, loaded) = (disk.table("t").unwrap(), disk.table("loaded").unwrap());
    put(&disk, table, "a", "1");
    disk.load(loaded, &mut vec![pair("b", "2")].into_iter()).unwrap();
    drop(disk);
    let disk = Disk::open(dir.path(), DiskOptions::default()).unwrap();
    let (table, loaded) = (disk.table("t").unwrap(), disk.table("loaded").unwrap());
    let view = disk.view(&[table, loaded]).unwrap();
    assert_eq!(all(&*view, table, ""), [pair("a", "1")]);
    assert_eq!(all(&*view, loaded, ""), [pair("b", "2")]);
}

#[test]
fn a_second_opening_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _disk = Disk::open(dir.path(), DiskOptions::default()).unwrap();
    assert!(matches!(Disk::open(dir.path(), DiskOptions::default()), Err(Error::Locked)));
}

/// A view pinned while keys are overwritten, removed and compacted must not lose the versions it shows
/// (the danger named in an open issue of the engine).
#[test]
fn pinned_views_survive_overwrites_and_other_views_coming_and_going() {
    let dir = tempfile::tempdir().unwrap();
    let small = DiskOptions { table_buffer_bytes: 64 << 10, ..DiskOptions::default() };
    let disk = Disk::open(dir.path(), small).unwrap();
    let table = disk.table("t").unwrap();
    let write = |round: usize| {
        let mut batch = Batch::default();
        for key in 0..2000 {
            let key = format!("key/{key:05}");
            match (key.len() + round) % 7 {
                0 => batch.remove(table, key),
                _ => batch.put(table, key, vec![round as u8; 100]),
            }
        }
        disk.write(batch, Durability::Process).unwrap();
    };
    write(1);
    let pinned: Vec<(Arc<dyn View>, Vec<Pair>)> = (2..6)
        .map(|round| {
            write(round);
            let view = disk.view(&[table]).unwrap();
            let content = all(&*view, table, "");
            (view, content)
        })
        .collect();
    for round in 6..30 {
        write(round);
        for _ in 0..200 {
            drop(disk.view(&[table]).unwrap());
        }
    }
    disk.sync().unwrap();
    for (view, content) in pinned {
        assert_eq!(all(&*view, table, ""), content);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<(u8, Option<u8>)>),
    Load(Vec<u8>),
    Pin,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        prop::collection::vec((any::<u8>(), any::<Option<u8>>()), 1..8).prop_map(Step::Write),
        prop::collection::btree_set(any::<u8>(), 1..8)
            .prop_map(|keys| Step::Load(keys.into_iter().collect())),
        Just(Step::Pin),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn both_stores_agree(steps in prop::collection::vec(step(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let stores: [Box<dyn Store>; 2] =
            [Box::new(Memory::default()), Box::new(Disk::open(dir.path(), DiskOptions::default()).unwrap())];
        let shown: Vec<Vec<Vec<Pair>>> = stores.iter().map(|store| run(&**store, &steps)).collect();
        prop_assert_eq!(&shown[0], &shown[1]);
    }
}

/// What every pinned view shows, and the state at the end.
fn run(store: &dyn Store, steps: &[Step]) -> Vec<Vec<Pair>> {
    let table = store.table("t").unwrap();
    let mut views = Vec::new();
    for step in steps {
        match step {
            Step::Write(changes) => {
                let mut batch = Batch::default();
                for (key, value) in changes {
                    match value {
                        Some(value) => batch.put(table, vec![*key], vec![*value]),
                        None => batch.remove(table, vec![*key]),
                    }
                }
                store.write(batch, Durability::Process).unwrap();
            }
            Step::Load(keys) => {
                let pairs = keys.iter().map(|key| (Bytes::from(vec![*key]), Bytes::from(vec![*key])));
                store.load(table, &mut pairs.collect::<Vec<_>>().into_iter()).unwrap();
            }
            Step::Pin => views.push(store.view(&[table]).unwrap()),
        }
    }
    views.push(store.view(&[table]).unwrap());
    views.iter().map(|view| all(&**view, table, "")).collect()
}
