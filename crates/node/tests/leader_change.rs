//! The leader changes at each step of a restore: afterwards all voters hold wholly the old or wholly the new
//! state, the caller was told which, and the next restore works.
//!
//! One test in a process of its own: fail points are global.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::mpsc;
use std::time::Duration;

use common::{archive_of, grant, may_write, put, restore, value_of};
use node::testing::{Cluster, eventually};
use node::{Consistency, TaskState};
use records::Scope;

const STEPS: [&str; 4] = ["restore::receiving", "restore::received", "stage::ready", "restore::staged"];

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_leader_change_at_any_step_leaves_old_or_new_everywhere() {
    let cluster = Cluster::start(3).await.unwrap();
    for scope in Scope::ALL {
        put(&cluster.leader().await, scope, "kept", "1").await;
        grant(&cluster.leader().await, scope, 1).await;
        let archive = archive_of(&cluster.leader().await, scope, Consistency::Linearizable).await;
        for step in STEPS {
            check(&cluster, scope, step, archive.clone()).await;
        }
    }
}

async fn check(cluster: &Cluster, scope: Scope, step: &'static str, archive: Vec<u8>) {
    let leader = cluster.leader().await;
    put(&leader, scope, "since", step).await;
    let (reached, at_step) = mpsc::channel();
    let (go_on, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(Some((reached, gate)));
    fail::cfg_callback(step, move || {
        // Only the first to come here stops: the other voters pass the steps of staging too.
        if let Some((reached, gate)) = gate.lock().unwrap().take() {
            reached.send(()).unwrap();
            gate.recv().unwrap();
        }
    })
    .unwrap();
    let restoring = tokio::spawn({
        let leader = leader.clone();
        async move { restore(&leader, scope, archive).await }
    });
    tokio::task::spawn_blocking(move || at_step.recv_timeout(Duration::from_secs(30)).unwrap())
        .await
        .unwrap();
    let successor = cluster.move_leader().await;
    go_on.send(()).unwrap();
    let outcome = restoring.await.unwrap();
    fail::remove(step);

    assert!(outcome.is_err(), "{step}: a restore must not outlive its leader's term");
    for node in cluster.nodes() {
        eventually("every voter has the old state", || {
            value_of(&node, scope, "since").as_deref() == Some(step)
        })
        .await
        .unwrap();
    }
    let ended = || successor.tasks().unwrap().iter().all(|task| task.state != TaskState::Running);
    eventually("the new leader ends the task of the old one", ended).await.unwrap();
    let staged = || cluster.nodes().iter().all(|node| node.records().staged_images().unwrap().is_empty());
    eventually("no voter keeps the image", staged).await.unwrap();

    let again = archive_of(&successor, scope, Consistency::Linearizable).await;
    put(&successor, scope, "since", "nothing").await;
    restore(&successor, scope, again).await.unwrap();
    for node in cluster.nodes() {
        eventually("every voter has the new state", || {
            value_of(&node, scope, "since").as_deref() == Some(step)
        })
        .await
        .unwrap();
        assert_eq!(value_of(&node, scope, "kept").as_deref(), Some("1"));
        assert!(may_write(&node, scope, 1));
        assert!(node.records().state(scope).previous.is_some());
    }
}
