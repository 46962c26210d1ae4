//! kill -9 while points are written: what was acknowledged is there after the restart, and can be found.
//!
//! The loss guarded against: a shard that answers before its log is replayed, and a collection whose shards are gone
//! because the control state came back older. A child process (this test binary again) writes until it is killed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collections_support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use collections_support::{city, count, create, ids, open, points, upsert};
use node::points::engine::PointId;
use node::points::{Selector, Update};
use serde_json::json;

const DIR: &str = "STILLPOINT_CRASH_DIR";

/// Points in one acknowledged batch.
const BATCH: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..4 {
        let upto = acknowledged + 5 + round;
        acknowledged = write_until_killed(dir.path(), upto);
        assert!(acknowledged >= upto);
        let node = open(dir.path()).await;
        let c = node.collection("c").await.unwrap();
        let found = ids(&c).await;
        let all: BTreeSet<_> =
            (0..acknowledged * BATCH).filter(|id| id % 10 != 4).map(PointId::from).collect();
        assert!(found.is_superset(&all), "round {round}: {:?}", all.difference(&found).collect::<Vec<_>>());
        // The batch after the last one acknowledged may be there, and its filter may not have been applied.
        let more = found.difference(&all).count() as u64;
        assert!(more <= BATCH, "{more} points that nobody wrote");
        assert_eq!(count(&c, Some(city("c5"))).await, found.iter().filter(|id| is_of(**id, 5)).count());
        assert_eq!(c.config().params.shard_number.get(), 2);
        node.shutdown().await;
    }
}

fn is_of(id: PointId, city: u64) -> bool {
    matches!(id, PointId::NumId(number) if number % 10 == city)
}

/// Runs the child, kills it once `upto` batches are acknowledged, and returns how many were.
fn write_until_killed(dir: &Path, upto: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_that_is_killed", "--nocapture", "--include-ignored"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut last = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        if let Some(batches) = line.unwrap().strip_prefix("acknowledged ") {
            last = batches.parse().unwrap();
            if last == upto {
                // What it says after this is still read: it may get further before it dies.
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "runs in a process of its own"]
async fn the_child_that_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let node = open(Path::new(&dir)).await;
    if node.collections().await.unwrap().is_empty() {
        create(&node, "c", json!({"vectors": {"size": 4, "distance": "Dot"}, "shard_number": 2})).await;
    }
    let c = node.collection("c").await.unwrap();
    let mut batch = ids(&c).await.into_iter().last().map_or(0, |last| match last {
        PointId::NumId(last) => last / BATCH,
        PointId::Uuid(_) => unreachable!("no point has such an id"),
    });
    loop {
        upsert(&c, points(batch * BATCH..(batch + 1) * BATCH)).await;
        c.update(Update::Delete(Selector::Filter(city("c4")))).await.unwrap();
        batch += 1;
        println!("acknowledged {batch}");
        std::io::stdout().flush().unwrap();
    }
}
