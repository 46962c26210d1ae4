//! What was acknowledged survives: power cuts at any moment, disks that fail, machines that forget, kill -9.

use std::sync::Arc;

use groups::log;
use groups::testing::{Disk, Ledger, Switchboard};
use groups::{Error, Group, Log, NodeId, Result, Setup, Timing};

use super::common::{Cluster, GROUP, commands, leader_of, member, wait};

const NODE: NodeId = NodeId(1);

fn setup() -> Setup {
    Setup { node: NODE, name: GROUP.into(), timing: Timing::default(), spool: std::env::temp_dir(), seed: 5 }
}

async fn open(log: Log, ledger: Arc<Ledger>) -> Result<Group<Ledger>> {
    Group::open(setup(), log, ledger, Switchboard::new().line(NODE)).await
}

/// Guards against: a missing or misplaced sync, a file that a torn write makes unreadable.
#[tokio::test(start_paused = true)]
async fn a_power_cut_at_any_moment_loses_nothing_acknowledged() {
    let disk = Disk::new();
    let log = Log::with_backend(disk.handle()).unwrap();
    let created = disk.operations();
    let group = open(log, Ledger::new()).await.unwrap();
    group.initialize(vec![member(NODE)]).await.unwrap();
    wait(&group, |status| leader_of(status).is_some()).await;
    let mut proposed = Vec::new();
    let mut acknowledged = Vec::new();
    for number in 0..12 {
        proposed.push(number.to_string());
        group.propose(proposed[number].clone()).await.unwrap();
        acknowledged.push(disk.operations());
    }
    group.shutdown().await;

    for cut in created..=disk.operations() {
        let safe = acknowledged.iter().filter(|by| **by <= cut).count();
        for survivors in [None, Some(cut as u64 + 1)] {
            let found = recovered_commands(&disk.after_power_cut(cut, survivors)).await;
            assert!(found.len() >= safe, "cut after {cut}: {} of {safe} acknowledged commands", found.len());
            assert!(proposed.starts_with(&found), "cut after {cut}: {found:?}");
        }
    }
}

/// What a node finds that has only this disk. Empty if it does not even find that it was in a group.
async fn recovered_commands(disk: &Disk) -> Vec<String> {
    let ledger = Ledger::new();
    let log = Log::with_backend(disk.handle()).expect("a power cut damages nothing that was synced");
    let group = open(log, ledger.clone()).await.unwrap();
    if !group.status().members.is_empty() {
        wait(&group, |status| leader_of(status).is_some()).await;
        group.confirm().await.unwrap();
    }
    group.shutdown().await;
    commands(&ledger)
}

/// Guards against: acknowledging what a failed sync may have lost, and writing on after one.
#[tokio::test(start_paused = true)]
async fn a_failed_sync_acknowledges_nothing_and_ends_all_writing() {
    let cluster = Cluster::found(1, Timing::default()).await;
    cluster.propose("safe").await;
    let disk = &cluster.nodes[&NODE].disk;
    disk.fail_syncs();

    let group = cluster.group(NODE);
    let fate = group.propose("lost").await.unwrap_err();
    assert!(fate.outcome_unknown(), "{fate:?}");
    wait(group, |status| status.running.is_err()).await;
    let operations = disk.operations();
    assert!(matches!(group.propose("later").await, Err(Error::Fatal(_))));
    assert!(matches!(group.confirm().await, Err(Error::Fatal(_))));
    assert_eq!(disk.operations(), operations, "something was written after the failure");
    group.shutdown().await;

    let found = recovered_commands(&disk.after_power_cut(disk.operations(), None)).await;
    assert_eq!(found, ["safe"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_acknowledges_nothing_and_keeps_what_was() {
    let cluster = Cluster::found(1, Timing::default()).await;
    cluster.propose("safe").await;
    let disk = &cluster.nodes[&NODE].disk;
    disk.fill_up();

    let group = cluster.group(NODE);
    assert!(group.propose("lost").await.is_err());
    let status = wait(group, |status| status.running.is_err()).await;
    assert!(!status.running.unwrap_err().is_empty());
    group.shutdown().await;
    assert_eq!(recovered_commands(&disk.after_power_cut(disk.operations(), None)).await, ["safe"]);
}

#[tokio::test(start_paused = true)]
async fn a_follower_with_a_failing_disk_stops_alone() {
    let cluster = Cluster::found(3, Timing::default()).await;
    let leader = cluster.leader().await;
    let failing = *cluster.nodes.keys().find(|id| **id != leader).unwrap();
    cluster.nodes[&failing].disk.fail_syncs();

    let last = cluster.propose_from(leader, 0..10).await;

    wait(cluster.group(failing), |status| status.running.is_err()).await;
    let third = *cluster.nodes.keys().find(|id| **id != leader && **id != failing).unwrap();
    cluster.applied(third, last).await;
    assert!(cluster.group(leader).status().running.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_lost_everything_is_replayed_from_the_log() {
    let mut cluster = Cluster::found(1, Timing::default()).await;
    let last = cluster.propose_from(NODE, 0..300).await;
    cluster.stop(NODE).await;
    cluster.nodes.get_mut(&NODE).unwrap().ledger = Ledger::new();
    cluster.restart(NODE).await.unwrap();

    cluster.applied(NODE, last).await;
    assert_eq!(commands(cluster.ledger(NODE)), (0..300).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(cluster.ledger(NODE).members().voters().cloned().collect::<Vec<_>>(), [member(NODE)]);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_lost_what_the_log_forgot_is_refused() {
    let timing = Timing { snapshot_after: 20, keep: 0, ..Timing::default() };
    let mut cluster = Cluster::found(1, timing).await;
    cluster.propose_from(NODE, 0..30).await;
    wait(cluster.group(NODE), |status| status.purged.is_some()).await;
    cluster.stop(NODE).await;
    let kept = std::mem::replace(&mut cluster.nodes.get_mut(&NODE).unwrap().ledger, Ledger::new());

    let refused = cluster.restart(NODE).await;
    assert!(matches!(refused, Err(Error::MachineBehind { applied: None, .. })), "{refused:?}");

    // It was not made worse by the attempt.
    cluster.nodes.get_mut(&NODE).unwrap().ledger = kept;
    cluster.restart(NODE).await.unwrap();
    cluster.propose("after").await;
    assert_eq!(cluster.ledger(NODE).commands().len(), 31);
}

#[tokio::test(start_paused = true)]
async fn proposals_that_arrive_together_share_their_syncs() {
    const PROPOSALS: usize = 200;
    let cluster = Cluster::found(1, Timing::default()).await;
    let before = cluster.nodes[&NODE].disk.syncs();
    let proposals = (0..PROPOSALS).map(|number| {
        let group = cluster.group(NODE).clone();
        tokio::spawn(async move { group.propose(number.to_string()).await.unwrap() })
    });
    for proposal in proposals.collect::<Vec<_>>() {
        proposal.await.unwrap();
    }
    let syncs = cluster.nodes[&NODE].disk.syncs() - before;
    assert!(syncs < PROPOSALS / 2, "{syncs} syncs");
    assert_eq!(cluster.ledger(NODE).commands().len(), PROPOSALS);
}

#[tokio::test]
async fn a_log_file_is_free_again_as_soon_as_its_group_is_shut_down() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    for round in 0..5 {
        let ledger = Ledger::new();
        let group = open(Log::open(&path).unwrap(), ledger.clone()).await.unwrap();
        group.initialize(vec![member(NODE)]).await.unwrap();
        wait(&group, |status| leader_of(status).is_some()).await;
        group.propose(round.to_string()).await.unwrap();
        assert_eq!(ledger.commands().len(), round + 1);
        let in_use = Log::open(&path).unwrap_err();
        assert_eq!(in_use.to_string(), format!("log {} is in use by another process", path.display()));

        group.shutdown().await;
        group.shutdown().await;
    }
}

#[tokio::test]
async fn a_log_of_another_node_or_group_is_refused_by_name() {
    let disk = Disk::new();
    open(Log::with_backend(disk.handle()).unwrap(), Ledger::new()).await.unwrap().shutdown().await;
    for (node, name) in [(NodeId(2), GROUP), (NODE, "shard-1")] {
        let foreign = Setup { node, name: name.into(), ..setup() };
        let log = Log::with_backend(disk.handle()).unwrap();
        let refused = Group::open(foreign, log, Ledger::new(), Switchboard::new().line(node)).await.map(drop);
        let Err(Error::Log(log::Error::Foreign { found, wanted })) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(found, "node 1 in group control");
        assert_eq!(wanted, format!("node {node} in group {name}"));
    }
}
