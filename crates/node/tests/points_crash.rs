//! kill -9 at every step of a restore of points and of an undo, and at any moment of many: after the restart the
//! state is wholly the old or wholly the new one, what was acknowledged in it is there, and nothing is left lying about.
//!
//! The loss guarded against: a collection with one shard of each, an empty shard in place of one that a restore made,
//! and files that the exchange needs, swept as leftovers. A child process (this test binary again) is killed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collections_support;
mod points_support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use collections_support::{create, open, points, upsert};
use node::testing::eventually;
use node::{Node, TaskState};
use points_support::{account, archive_of, contents, put, restore, scope, settings};

const DIR: &str = "STILLPOINT_CRASH_DIR";
const SCOPE: &str = "STILLPOINT_CRASH_SCOPE";
const POINT: &str = "STILLPOINT_CRASH_POINT";
const OPERATION: &str = "STILLPOINT_CRASH_OPERATION";

/// What the state may be after a crash there.
#[derive(Clone, Copy, Debug, PartialEq)]
enum After {
    Old,
    New,
}

use After::{New, Old};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restore_killed_anywhere_is_all_or_nothing() {
    let steps = [
        ("points::receiving", Old),
        ("points::unpacked", Old),
        ("points::staged", Old),
        ("exchange::before", New),
        ("exchange::after", New),
        ("points::committed", New),
        ("points::settled", New),
    ];
    for (point, after) in steps {
        check("qdrant/c", "restore", point, after).await;
    }
    for (point, after) in &steps[2..5] {
        check("qdrant", "restore", point, *after).await;
        check("qdrant/c/1", "restore", point, *after).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_undo_killed_anywhere_is_all_or_nothing() {
    let steps = [
        ("points::undo", Old),
        ("points::staged", Old),
        ("exchange::before", New),
        ("exchange::after", New),
        ("points::committed", New),
    ];
    for (point, after) in steps {
        check("qdrant/c", "undo", point, after).await;
    }
    check("qdrant", "undo", "exchange::after", New).await;
    check("qdrant/c/1", "undo", "exchange::before", New).await;
}

/// Ids in `c`: below 40 before and in the archive, 100 to 110 only before, 200 acknowledged just before the crash.
async fn check(of: &str, operation: &str, point: &str, after: After) {
    let dir = tempfile::tempdir().unwrap();
    let node = open(&dir.path().join("data")).await;
    create(&node, "c", settings(2)).await;
    create(&node, "d", settings(1)).await;
    let c = node.collection("c").await.unwrap();
    upsert(&c, points(0..40)).await;
    std::fs::write(dir.path().join("archive"), archive_of(&node, of).await).unwrap();
    upsert(&c, points(100..110)).await;
    let before = ids(&node).await;
    if operation == "undo" {
        restore(&node, of, std::fs::read(dir.path().join("archive")).unwrap()).await.unwrap();
    }
    let restored = ids(&node).await;
    node.shutdown().await;
    drop((node, c));

    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_that_is_killed", "--nocapture", "--include-ignored"])
        .envs([(SCOPE, of), (POINT, point), (OPERATION, operation)])
        .env(DIR, dir.path())
        .output()
        .unwrap();
    assert!(!status.status.success(), "{operation} at {point}: the child was not killed: {status:?}");

    let what = format!("{operation} of {of} at {point}");
    let node = open(&dir.path().join("data")).await;
    let found = ids(&node).await;
    let acknowledged = 200..210;
    match (operation, after) {
        ("restore", Old) => {
            let expected: BTreeSet<u64> = before.iter().copied().chain(acknowledged).collect();
            assert_eq!(found, expected, "{what}");
        }
        ("undo", Old) => {
            let expected: BTreeSet<u64> = restored.iter().copied().chain(acknowledged).collect();
            assert_eq!(found, expected, "{what}");
        }
        // Of the other shard, what was acknowledged stays.
        ("restore", New) if of == "qdrant/c/1" => {
            assert!(
                found.is_superset(&(0..40).collect()) && found.len() < before.len() + 10,
                "{what}: {found:?}"
            );
        }
        ("restore", New) => assert_eq!(found, (0..40).collect(), "{what}"),
        ("undo", New) if of == "qdrant/c/1" => assert!(found.is_superset(&before), "{what}: {found:?}"),
        _ => assert_eq!(found, before, "{what}"),
    }
    let ended = || node.tasks().unwrap().iter().all(|task| task.state != TaskState::Running);
    eventually("the interrupted task is ended", ended).await.unwrap();
    let task = node.tasks().unwrap().remove(0);
    if operation == "restore" {
        assert_eq!(task.state == TaskState::Succeeded, after == New, "{what}: {task:?}");
    }
    // Live and kept: three shards, and those that an exchange replaced.
    let replaced = match (operation == "restore" && after == Old, of) {
        (true, _) => 0,
        (false, "qdrant") => 3,
        (false, "qdrant/c") => 2,
        (false, _) => 1,
    };
    let dirs = || shard_dirs(&node) == 3 + replaced;
    eventually(&format!("{what}: {} directories, not {}", 3 + replaced, shard_dirs(&node)), dirs)
        .await
        .unwrap();

    restore(&node, of, std::fs::read(dir.path().join("archive")).unwrap()).await.unwrap();
    assert!(ids(&node).await.is_superset(&(0..40).collect()), "{what}");
    put(&node.collection("c").await.unwrap(), vec![account(300, 0)]).await.unwrap();
    assert!(ids(&node).await.contains(&300), "{what}");
    node.shutdown().await;
}

async fn ids(node: &Node) -> BTreeSet<u64> {
    contents(node, "c").await.into_keys().collect()
}

fn shard_dirs(node: &Node) -> usize {
    let list = |dir: &Path| -> Vec<_> {
        let entries = std::fs::read_dir(dir).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
    };
    list(&node.settings().data_dir.join("points")).iter().map(|generation| list(generation).len()).sum()
}

/// Not a test by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "runs in a process of its own"]
async fn the_child_that_is_killed() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let dir = Path::new(&dir);
    let of = std::env::var(SCOPE).unwrap();
    let node = open(&dir.join("data")).await;
    put(&node.collection("c").await.unwrap(), (200..210).map(|id| account(id, 0)).collect()).await.unwrap();
    let point = std::env::var(POINT).unwrap();
    fail::cfg_callback(point.as_str(), || {
        let this = rustix::process::getpid();
        rustix::process::kill_process(this, rustix::process::Signal::KILL).unwrap();
        // The signal is on its way.
        std::thread::park();
    })
    .unwrap();
    match std::env::var(OPERATION).unwrap().as_str() {
        "restore" => drop(restore(&node, &of, std::fs::read(dir.join("archive")).unwrap()).await),
        _ => drop(node.undo(scope(&of), None).await),
    }
}

/// One writer puts one number after the other, while the collection is restored again and again. So in whatever
/// generation a restart finds, there are all numbers from some on, up to the last one acknowledged: a gap would be
/// an acknowledged point that was lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let node = open(&dir.path().join("data")).await;
    create(&node, "c", settings(2)).await;
    upsert(&node.collection("c").await.unwrap(), points(0..40)).await;
    std::fs::write(dir.path().join("archive"), archive_of(&node, "qdrant/c").await).unwrap();
    node.shutdown().await;
    drop(node);
    for round in 0..8 {
        let (acknowledged, restoring) = write_until_killed(dir.path(), 25 + 13 * round);
        let node = open(&dir.path().join("data")).await;
        let found = ids(&node).await;
        assert!(found.is_superset(&(0..40).collect()), "round {round}");
        let written: Vec<u64> = found.range(1000..).copied().collect();
        match (written.first(), written.last()) {
            (Some(first), Some(last)) => {
                assert_eq!(written.len() as u64, last - first + 1, "round {round}: {written:?}");
                assert!(
                    (acknowledged..=acknowledged + 1).contains(last),
                    "round {round}: {last} of {acknowledged}"
                );
            }
            _ => assert!(restoring, "round {round}: {acknowledged} was acknowledged"),
        }
        node.shutdown().await;
    }
}

/// Kills the child some lines after it began; the last number acknowledged, and whether a restore was going on or
/// nothing was acknowledged since the last one.
fn write_until_killed(dir: &Path, lines: usize) -> (u64, bool) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_that_writes", "--nocapture", "--include-ignored"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut last, mut restoring, mut seen) = (0, false, 0);
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(number) = line.strip_prefix("acknowledged ") {
            last = number.parse().unwrap();
        } else if line == "restoring" {
            restoring = true;
        } else if line == "restored" {
            restoring = false;
        } else {
            continue;
        }
        seen += 1;
        if seen == lines {
            // What it says after this is still read: it may get further before it dies.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    (last, restoring)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "runs in a process of its own"]
async fn the_child_that_writes() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let dir = Path::new(&dir);
    let archive = std::fs::read(dir.join("archive")).unwrap();
    let node = open(&dir.join("data")).await;
    let say = |line: String| {
        let mut out = std::io::stdout();
        out.write_all(line.as_bytes()).unwrap();
        out.flush().unwrap();
    };
    let number = ids(&node).await.into_iter().next_back().map_or(1000, |last| last.max(1000) + 1);
    let writer = async {
        for number in number.. {
            let c = node.collection("c").await.unwrap();
            put(&c, vec![account(number, 0)]).await.unwrap();
            say(format!("acknowledged {number}\n"));
        }
    };
    let restorer = async {
        loop {
            say("restoring\n".into());
            restore(&node, "qdrant/c", archive.clone()).await.unwrap();
            say("restored\n".into());
        }
    };
    futures_util::future::join(writer, restorer).await;
}
