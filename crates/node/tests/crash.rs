//! kill -9 at every step of a restore and of an undo: after the restart the state is wholly the old or wholly
//! the new one, nothing acknowledged is lost, nothing is left lying about, and the node works.
//!
//! The loss guarded against: a state between two states. A child process (this test binary again) is killed by
//! itself at a fail point; the parent opens the same data directory and looks.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{archive_of, grant, may_write, put, restore, value_of};
use node::testing::{eventually, timing};
use node::{Consistency, Node, Parts, Settings, TaskState};
use records::Scope;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_anywhere_is_all_or_nothing() {
    for (point, after) in [
        ("restore::receiving", After::Old),
        ("restore::received", After::Old),
        ("stage::loaded", After::Old),
        ("stage::ready", After::Old),
        ("restore::staged", After::Old),
        ("exchange::before", After::New),
        ("exchange::after", After::New),
        ("restore::committed", After::New),
    ] {
        for scope in Scope::ALL {
            check(scope, "restore", point, after).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_killed_anywhere_is_all_or_nothing() {
    for (point, after) in
        [("undo::begun", After::Old), ("exchange::before", After::New), ("exchange::after", After::New)]
    {
        for scope in Scope::ALL {
            check(scope, "undo", point, after).await;
        }
    }
}

/// Numbers of tokens, which are part of the state as the things of these names are.
const KEPT: u32 = 1;
const SINCE: u32 = 2;
const ACKNOWLEDGED: u32 = 3;

/// Before: `kept` is there, and `since`; restoring takes `since` away, undoing that brings it back.
async fn check(scope: Scope, operation: &str, point: &str, after: After) {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("archive");
    let node = open(dir.path()).await;
    put(&node, scope, "kept", "1").await;
    grant(&node, scope, KEPT).await;
    std::fs::write(&archive, archive_of(&node, scope, Consistency::Linearizable).await).unwrap();
    put(&node, scope, "since", "2").await;
    grant(&node, scope, SINCE).await;
    if operation == "undo" {
        restore(&node, scope, std::fs::read(&archive).unwrap()).await.unwrap();
    }
    let index = node.records().state(scope).index;
    node.shutdown().await;
    drop(node);

    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_that_is_killed", "--nocapture"])
        .env(DIR, dir.path())
        .env(SCOPE, scope.name())
        .env(POINT, point)
        .env(OPERATION, operation)
        .output()
        .unwrap();
    assert!(!status.status.success(), "{operation} at {point}: the child was not killed: {status:?}");

    let node = open(dir.path()).await;
    let since = value_of(&node, scope, "since").is_some();
    let expected = (operation == "restore") == (after == After::Old);
    assert_eq!(since, expected, "{scope}: {operation} killed at {point} must leave the {after:?} state");
    assert_eq!(value_of(&node, scope, "kept").as_deref(), Some("1"));
    assert!(
        may_write(&node, scope, KEPT) && may_write(&node, scope, SINCE) == since,
        "{operation} at {point}"
    );
    assert_eq!(may_write(&node, scope, ACKNOWLEDGED), after == After::Old);
    // Acknowledged just before, in the generation that the exchange replaces.
    assert_eq!(value_of(&node, scope, "acknowledged").is_some(), after == After::Old);
    assert!(node.records().state(scope).index >= index);
    let ended = || node.tasks().unwrap().iter().all(|task| task.state != TaskState::Running);
    eventually("the interrupted task is ended", ended).await.unwrap();
    let task = node.tasks().unwrap().remove(0);
    let expected = if after == After::New { TaskState::Succeeded } else { TaskState::Failed };
    if operation == "restore" {
        assert_eq!(task.state, expected, "{operation} at {point}");
        let dropped = || node.records().staged_images().unwrap().is_empty();
        eventually(&format!("no image is left after {point}"), dropped).await.unwrap();
    }
    assert_eq!(std::fs::read_dir(dir.path().join("data/blobs/incoming")).unwrap().count(), 0);

    put(&node, scope, "more", "3").await;
    restore(&node, scope, std::fs::read(&archive).unwrap()).await.unwrap();
    assert_eq!(value_of(&node, scope, "more"), None);
    assert_eq!(value_of(&node, scope, "since"), None);
    assert!(may_write(&node, scope, KEPT) && !may_write(&node, scope, SINCE));
    node.shutdown().await;
}

async fn open(dir: &Path) -> Node {
    let node =
        Node::open(Settings::new(dir.join("data")), Parts { timing: timing(), ..Parts::alone() }).await;
    let node = node.unwrap();
    node.wait_for_leader().await.unwrap();
    // What the log holds is applied once the leader of the new term has confirmed itself.
    node.confirm_leader().await.unwrap();
    node
}

/// Not a test by itself: it passes at once unless a test above runs it as its child.
#[tokio::test(flavor = "multi_thread")]
async fn the_child_that_is_killed() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let dir = Path::new(&dir);
    let scope = Scope::named(&std::env::var(SCOPE).unwrap()).unwrap();
    let node = open(dir).await;
    put(&node, scope, "acknowledged", "1").await;
    grant(&node, scope, ACKNOWLEDGED).await;
    let point = std::env::var(POINT).unwrap();
    fail::cfg_callback(point.as_str(), || {
        let this = rustix::process::getpid();
        rustix::process::kill_process(this, rustix::process::Signal::KILL).unwrap();
        // The signal is on its way.
        std::thread::park();
    })
    .unwrap();
    match std::env::var(OPERATION).unwrap().as_str() {
        "restore" => drop(restore(&node, scope, std::fs::read(dir.join("archive")).unwrap()).await),
        _ => drop(node.undo(scope, None).await),
    }
}
