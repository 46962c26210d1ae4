//! One point in time: what is captured while writers, the optimiser and restores go on is a state that there was.
//!
//! The loss guarded against: an archive whose shards are of different moments. Each capture is restored beside the
//! live state and looked at there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collections_support;
mod points_support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use collections_support::{count, create, ids, open, points, upsert};
use node::collections::AliasChange;
use node::points::engine::PointId;
use node::points::{Selector, Update};
use node::{Kind, Name, Node};
use points_support::{account, archive_of, balances, contents, put, restore, scope, settings};
use serde_json::json;

const ACCOUNTS: u64 = 40;
const EACH: i64 = 1000;
const WRITERS: u64 = 3;

/// Moves 1 from an account of `a` to one of `b`, again and again: the credit only after the debit is acknowledged.
/// Never back, so that moments that differ add up to a wrong sum.
async fn transfer(node: Node, writer: u64, stop: Arc<AtomicBool>, made: Arc<AtomicU64>) {
    let mut round = 0_u64;
    let id = |round: u64| writer + WRITERS * (round % (ACCOUNTS / WRITERS));
    let (mut a, mut b) = (BTreeMap::new(), BTreeMap::new());
    while !stop.load(Ordering::Relaxed) {
        for (name, id, change) in [("a", id(round), -1), ("b", id(round * 7 + 1), 1)] {
            let of = if name == "a" { &mut a } else { &mut b };
            let balance: &mut i64 = of.entry(id).or_insert(EACH);
            *balance += change;
            let balance = *balance;
            let c = node.collection(name).await.unwrap();
            put(&c, vec![account(id, balance)]).await.unwrap();
        }
        round += 1;
        made.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_archive_shows_a_credit_without_its_debit() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (node, other) = (open(dir.path()).await, open(other.path()).await);
    for name in ["a", "b"] {
        create(&node, name, settings(2)).await;
        let c = node.collection(name).await.unwrap();
        put(&c, (0..ACCOUNTS).map(|id| account(id, EACH)).collect()).await.unwrap();
    }
    let sum = 2 * ACCOUNTS as i64 * EACH;
    let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(transfer(node.clone(), writer, stop.clone(), made.clone())))
        .collect();
    // So that shards would be of different moments if nobody held their writers.
    fail::cfg("points::capturing", "50%sleep(150)").unwrap();
    for round in 0..12 {
        let before = made.load(Ordering::Relaxed);
        let archive = archive_of(&node, "qdrant").await;
        restore(&other, "qdrant", archive).await.unwrap();
        let mut found = 0;
        for name in ["a", "b"] {
            let balances = balances(&other.collection(name).await.unwrap()).await;
            assert_eq!(balances.len() as u64, ACCOUNTS);
            found += balances.iter().sum::<i64>();
        }
        assert!((sum - WRITERS as i64..=sum).contains(&found), "round {round}: {found} of {sum}");
        while made.load(Ordering::Relaxed) < before + 20 {
            tokio::task::yield_now().await;
        }
    }
    fail::remove("points::capturing");
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let metrics = node.render_metrics();
    assert!(metrics.contains(r#"stillpoint_writer_hold_seconds_count{scope="qdrant",reason="capture"} "#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn captures_while_optimising_runs_are_what_was_written_until_then() {
    const IDS: u64 = 120;
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    let settings = json!({
        "vectors": {"size": 4, "distance": "Dot"},
        "shard_number": 1,
        "optimizers_config": {"indexing_threshold": 1, "vacuum_min_vector_number": 100, "deleted_threshold": 0.1},
    });
    create(&node, "c", settings).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (node, stop) = (node.clone(), stop.clone());
        tokio::spawn(async move {
            let c = node.collection("c").await.unwrap();
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                put(&c, vec![account(number % IDS, number as i64)]).await.unwrap();
                number += 1;
            }
            number
        })
    };
    let mut last = -1;
    for round in 0..50 {
        let archive = archive_of(&node, "qdrant/c").await;
        restore(&node, "qdrant/seen", archive).await.unwrap();
        let seen = contents(&node, "seen").await;
        let cut = seen.values().map(|(payload, _)| payload["balance"].as_i64().unwrap()).max().unwrap_or(-1);
        assert!(cut >= last, "round {round}: the cut went back from {last} to {cut}");
        last = cut;
        let model: BTreeMap<u64, i64> = (0..=cut).map(|number| (number as u64 % IDS, number)).collect();
        let found: BTreeMap<u64, i64> =
            seen.iter().map(|(id, (payload, _))| (*id, payload["balance"].as_i64().unwrap())).collect();
        assert_eq!(found, model, "round {round}");
        assert!(seen.iter().all(|(id, (_, vector))| vector[0] == *id as f32));
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writer.await.unwrap() > last as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rounds_of_deletes_and_inserts_with_snapshots_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    create(&node, "c", settings(2)).await;
    let c = node.collection("c").await.unwrap();
    let of_c = scope("qdrant/c");
    for round in 0..100_u64 {
        let snapshot = node.create_points_snapshot(of_c.clone(), None, None);
        let write = async {
            upsert(&c, points(round * 10..round * 10 + 10)).await;
            let gone = (0..5).map(|id| PointId::from(round * 10 + id)).collect();
            c.update(Update::Delete(Selector::Ids(gone))).await.unwrap();
        };
        let (snapshot, ()) = tokio::join!(snapshot, write);
        let name = Name::of_file(&snapshot.unwrap().name).unwrap();
        node.delete_snapshot(of_c.clone(), &name).await.unwrap();
        if round % 20 == 19 {
            let all: Vec<u64> = (0..=round).flat_map(|r| r * 10 + 5..r * 10 + 10).collect();
            assert_eq!(
                ids(&c).await.into_iter().collect::<Vec<_>>(),
                all.into_iter().map(PointId::from).collect::<Vec<_>>()
            );
        }
    }
    assert!(node.snapshots(None).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn aliases_that_change_together_are_captured_together() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    for name in ["a", "b"] {
        create(&node, name, settings(1)).await;
    }
    let swap = |to: [&str; 2]| {
        let alias = |(alias, collection): (&str, &str)| AliasChange::Create {
            alias: alias.to_owned(),
            collection: collection.to_owned(),
        };
        ["x", "y"].into_iter().zip(to).map(alias).collect::<Vec<_>>()
    };
    node.change_aliases(swap(["a", "b"])).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (node, stop) = (node.clone(), stop.clone());
        tokio::spawn(async move {
            for round in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let to = if round % 2 == 0 { ["b", "a"] } else { ["a", "b"] };
                node.change_aliases(swap(to)).await.unwrap();
            }
        })
    };
    for _ in 0..10 {
        let archive = archive_of(&node, "qdrant").await;
        let contents = archive::qdrant::verify(&archive[..], Default::default()).unwrap();
        assert_ne!(contents.aliases["x"], contents.aliases["y"]);
    }
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_and_readers_go_on_through_restores() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    create(&node, "c", settings(2)).await;
    upsert(&node.collection("c").await.unwrap(), points(0..50)).await;
    let (whole, one) = (archive_of(&node, "qdrant/c").await, archive_of(&node, "qdrant/c/1").await);
    let all = archive_of(&node, "qdrant").await;
    let stop = Arc::new(AtomicBool::new(false));
    // A handle from before every restore.
    let c = node.collection("c").await.unwrap();
    let mut others = Vec::new();
    for writer in 0..2 {
        let (c, stop) = (c.clone(), stop.clone());
        others.push(tokio::spawn(async move {
            for round in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let id = 1000 + writer + 2 * (round % 50);
                put(&c, vec![account(id, 0), account(id + 200, 0)]).await.unwrap();
                c.update(Update::Delete(Selector::Ids(vec![id.into()]))).await.unwrap();
            }
        }));
    }
    let (reader, stopped) = (c.clone(), stop.clone());
    others.push(tokio::spawn(async move {
        while !stopped.load(Ordering::Relaxed) {
            let found = contents_below(&reader).await;
            assert_eq!(found, 50);
            assert_eq!(reader.info().await.unwrap().optimizer_error, None);
        }
    }));
    for round in 0..5 {
        restore(&node, "qdrant/c", whole.clone()).await.unwrap();
        // Acknowledged after it, so it stays.
        put(&c, vec![account(5000 + round, 1)]).await.unwrap();
        assert_eq!(
            count(
                &c,
                Some(
                    serde_json::from_value(json!({"must": [{"key": "balance", "match": {"value": 1}}]}))
                        .unwrap()
                )
            )
            .await,
            1
        );
        restore(&node, "qdrant/c/1", one.clone()).await.unwrap();
        node.undo(scope("qdrant/c/1"), None).await.unwrap();
        node.undo(scope("qdrant/c"), None).await.unwrap();
        restore(&node, "qdrant", all.clone()).await.unwrap();
        node.undo(scope("qdrant"), None).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    for other in others {
        other.await.unwrap();
    }
}

/// Points that no writer touches.
async fn contents_below(c: &node::collections::Collection) -> usize {
    points_support::contents_of(c).await.range(..1000).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn restores_meet_collections_that_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(dir.path()).await;
    create(&node, "c", settings(1)).await;
    upsert(&node.collection("c").await.unwrap(), points(0..50)).await;
    let archive = archive_of(&node, "qdrant/c").await;
    for _ in 0..8 {
        let change = async {
            node.delete_collection("c").await.unwrap();
            let again = serde_json::from_value(settings(1)).unwrap();
            match node.create_collection("c", again).await {
                Ok(()) => {}
                Err(error) => assert!(matches!(error.kind(), Kind::Conflict | Kind::NotFound), "{error}"),
            }
        };
        let (restored, ()) = tokio::join!(restore(&node, "qdrant/c", archive.clone()), change);
        if let Err(error) = restored {
            assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        }
        let found = contents(&node, "c").await.len();
        assert!(found == 0 || found == 50, "{found} points are of neither");
    }
    restore(&node, "qdrant/c", archive).await.unwrap();
    assert_eq!(contents(&node, "c").await.len(), 50);
}
