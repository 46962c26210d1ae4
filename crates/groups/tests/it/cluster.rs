//! Several nodes in one process, on a paused clock: elections, partitions, catching up, changes of members.

use std::collections::BTreeMap;
use std::time::Duration;

use super::common::{Cluster, commands, ids, leader_of, let_time_pass, member, wait};
use groups::testing::Ledger;
use groups::{Error, NodeId, Role, Timing};

/// Short logs, so that a node that was away needs a snapshot.
fn forgetful() -> Timing {
    Timing { snapshot_after: 20, keep: 0, ..Timing::default() }
}

fn others(of: NodeId) -> Vec<NodeId> {
    ids((1..=3).filter(|id| *id != of.0))
}

#[tokio::test(start_paused = true)]
async fn what_a_leader_acknowledges_reaches_every_voter() {
    let cluster = Cluster::found(3, Timing::default()).await;
    let leader = cluster.leader().await;

    let (first, reply) = cluster.group(leader).propose("a").await.unwrap();
    let (second, _) = cluster.group(leader).propose("b").await.unwrap();

    assert_eq!(reply, 1u64.to_le_bytes());
    assert!(second > first);
    for id in ids(1..=3) {
        cluster.applied(id, second).await;
        assert_eq!(commands(cluster.ledger(id)), ["a", "b"]);
        assert_eq!(cluster.ledger(id).members().voters().count(), 3);
    }
}

/// The one test here on several threads and a running clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_the_same_time_each_get_their_own_answer() {
    const WRITERS: u64 = 8;
    const WRITES: u64 = 25;
    let cluster = Cluster::found(3, Timing::default()).await;
    let leader = cluster.leader().await;
    let writers = (0..WRITERS).map(|writer| {
        let group = cluster.group(leader).clone();
        tokio::spawn(async move {
            let mut answers = Vec::new();
            for write in 0..WRITES {
                let (position, answer) = group.propose(format!("{writer}.{write}")).await.unwrap();
                assert!(group.confirm().await.unwrap() >= position);
                answers.push((position, answer));
            }
            assert!(answers.is_sorted());
            answers
        })
    });
    let mut answers = BTreeMap::new();
    for writer in writers.collect::<Vec<_>>() {
        answers.extend(writer.await.unwrap());
    }

    assert_eq!(answers.len() as u64, WRITERS * WRITES);
    assert!(answers.into_values().eq((1..=WRITERS * WRITES).map(|count| count.to_le_bytes().to_vec())));
}

#[tokio::test(start_paused = true)]
async fn a_follower_names_the_leader_instead_of_writing_or_confirming() {
    let cluster = Cluster::found(3, Timing::default()).await;
    let leader = cluster.leader().await;
    let follower = cluster.group(others(leader)[0]);

    for refused in [follower.propose("a").await.map(drop), follower.confirm().await.map(drop)] {
        match refused {
            Err(Error::NotLeader { leader: Some(named) }) => assert_eq!(named, member(leader)),
            other => panic!("{other:?}"),
        }
    }
    assert!(follower.since_leader().unwrap() < Duration::from_secs(2));
    assert_eq!(cluster.group(leader).since_leader(), Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_read_sees_every_acknowledged_write() {
    let cluster = Cluster::found(3, Timing::default()).await;
    let leader = cluster.leader().await;
    for number in 0..20 {
        let (written, _) = cluster.group(leader).propose(number.to_string()).await.unwrap();
        assert!(cluster.group(leader).confirm().await.unwrap() >= written);
        assert!(cluster.group(leader).confirm_by_lease().await.unwrap() >= written);
        assert_eq!(cluster.ledger(leader).commands().len(), number + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn confirming_writes_nothing() {
    let cluster = Cluster::found(1, Timing::default()).await;
    cluster.propose("a").await;
    let (operations, last) =
        (cluster.nodes[&NodeId(1)].disk.operations(), cluster.group(NodeId(1)).status().last_log);
    for _ in 0..10 {
        cluster.group(NodeId(1)).confirm().await.unwrap();
    }
    assert_eq!(cluster.nodes[&NodeId(1)].disk.operations(), operations);
    assert_eq!(cluster.group(NodeId(1)).status().last_log, last);
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_was_away_catches_up_by_log() {
    let cluster = Cluster::found(3, Timing::default()).await;
    let leader = cluster.leader().await;
    let away = others(leader)[0];
    cluster.switchboard.isolate(away, others(away));

    let mut last = cluster.propose_from(leader, 0..50).await;
    cluster.switchboard.heal();
    last = last.max(cluster.propose_from(leader, 50..51).await);

    cluster.applied(away, last).await;
    assert_eq!(commands(cluster.ledger(away)), commands(cluster.ledger(leader)));
    assert_eq!(cluster.ledger(away).installs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_follower_whose_log_is_gone_catches_up_by_snapshot() {
    let mut cluster = Cluster::found(3, forgetful()).await;
    let leader = cluster.leader().await;
    let away = others(leader)[0];
    cluster.stop(away).await;

    // Larger than one chunk of a transfer, and not a multiple of it.
    let large = "x".repeat(100_000);
    for _ in 0..30 {
        cluster.group(leader).propose(large.clone()).await.unwrap();
    }
    cluster.group(leader).trigger_snapshot().await.unwrap();
    wait(cluster.group(leader), |status| status.purged.is_some_and(|purged| purged.index > 20)).await;
    cluster.restart(away).await.unwrap();
    let last = cluster.propose_from(leader, 0..5).await;

    cluster.applied(away, last).await;
    assert!(cluster.ledger(away).installs() > 0, "it was to come by snapshot");
    assert_eq!(commands(cluster.ledger(away)), commands(cluster.ledger(leader)));
    // What came by snapshot is as good as what came by log: the node can start from it.
    cluster.stop(away).await;
    cluster.restart(away).await.unwrap();
    let last = cluster.propose("after").await;
    cluster.applied(away, last).await;
    assert_eq!(commands(cluster.ledger(away)), commands(cluster.ledger(leader)));
}

#[tokio::test(start_paused = true)]
async fn the_log_forgets_nothing_that_the_machine_has_not_synced() {
    let cluster = Cluster::found(1, forgetful()).await;
    cluster.propose_from(NodeId(1), 0..25).await;
    wait(cluster.group(NodeId(1)), |status| status.purged.is_some()).await;
    assert!(cluster.ledger(NodeId(1)).syncs() > 0);
}

#[tokio::test(start_paused = true)]
async fn a_leader_cut_off_can_neither_confirm_nor_write_and_the_others_go_on() {
    let cluster = Cluster::found(3, Timing::default()).await;
    let old = cluster.leader().await;
    cluster.propose("before").await;
    cluster.switchboard.isolate(old, others(old));

    // In flight when the line went down: nobody can know what becomes of it.
    let in_flight = cluster.group(old).propose("in flight").await;
    assert!(matches!(in_flight, Err(Error::OutcomeUnknown { .. })), "{in_flight:?}");
    assert!(in_flight.unwrap_err().outcome_unknown());
    // Afterwards it knows that it has no quorum, and does not even begin.
    let confirmed = cluster.group(old).confirm().await;
    assert!(matches!(confirmed, Err(Error::NoQuorum)), "{confirmed:?}");
    let leased = cluster.group(old).confirm_by_lease().await;
    assert!(leased.is_err(), "{leased:?}");
    let refused = cluster.group(old).propose("refused").await.unwrap_err();
    assert!(!refused.outcome_unknown(), "{refused:?}");

    let new = cluster.leader_among(&others(old)).await;
    cluster.group(new).propose("meanwhile").await.unwrap();

    cluster.switchboard.heal();
    let last = cluster.propose("after").await;
    cluster.applied(old, last).await;
    assert_eq!(commands(cluster.ledger(old)), commands(cluster.ledger(new)));
    assert!(!commands(cluster.ledger(new)).contains(&"refused".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_cut_off_does_not_unseat_the_leader_when_it_returns() {
    let cluster = Cluster::found(3, Timing::default()).await;
    let leader = cluster.leader().await;
    let term = cluster.group(leader).status().term;
    let away = others(leader)[0];
    cluster.switchboard.isolate(away, others(away));
    // Long enough for many elections, had it stood for them.
    for number in 0..20 {
        cluster.group(leader).propose(number.to_string()).await.unwrap();
        let_time_pass(cluster.timing.election_max).await;
    }
    cluster.switchboard.heal();

    let last = cluster.propose_from(leader, 0..3).await;
    cluster.applied(away, last).await;
    assert_eq!(cluster.group(leader).status().term, term);
    assert_eq!(cluster.leader().await, leader);
}

#[tokio::test(start_paused = true)]
async fn leadership_moves_to_the_voter_that_is_named() {
    let cluster = Cluster::found(3, Timing::default()).await;
    let old = cluster.leader().await;
    cluster.propose("before").await;
    let next = others(old)[1];

    cluster.group(old).transfer_leader(next).await.unwrap();

    assert_eq!(cluster.leader().await, next);
    assert_eq!(cluster.group(old).status().role, Role::Follower);
    cluster.group(next).propose("after").await.unwrap();
    let nobody = cluster.group(next).transfer_leader(NodeId(9)).await;
    assert!(matches!(nobody, Err(Error::Invalid(_))), "{nobody:?}");
}

#[tokio::test(start_paused = true)]
async fn another_voter_leads_while_the_leader_restarts() {
    let mut cluster = Cluster::found(3, Timing::default()).await;
    let old = cluster.leader().await;
    cluster.propose("before").await;
    cluster.stop(old).await;

    let new = cluster.leader().await;
    assert_ne!(new, old);
    cluster.propose("meanwhile").await;
    cluster.restart(old).await.unwrap();
    let last = cluster.propose("after").await;

    cluster.applied(old, last).await;
    assert_eq!(commands(cluster.ledger(old)), ["before", "meanwhile", "after"]);
}

#[tokio::test(start_paused = true)]
async fn a_minority_that_lost_its_memory_is_given_everything_again() {
    let mut cluster = Cluster::found(3, Timing::default()).await;
    let leader = cluster.leader().await;
    let last = cluster.propose_from(leader, 0..30).await;
    let forgetful = others(leader)[0];
    cluster.applied(forgetful, last).await;
    cluster.stop(forgetful).await;
    // Its log is still there; its machine begins anew.
    cluster.nodes.get_mut(&forgetful).unwrap().ledger = Ledger::new();
    cluster.restart(forgetful).await.unwrap();

    cluster.applied(forgetful, last).await;
    assert_eq!(commands(cluster.ledger(forgetful)), commands(cluster.ledger(leader)));
}

#[tokio::test(start_paused = true)]
async fn a_new_node_learns_everything_before_it_votes() {
    let mut cluster = Cluster::found(1, forgetful()).await;
    let founder = NodeId(1);
    cluster.propose_from(founder, 0..50).await;
    wait(cluster.group(founder), |status| status.purged.is_some()).await;
    for id in ids(2..=3) {
        cluster.add(id).await;
        cluster.group(founder).add_learner(member(id)).await.unwrap();
        wait(cluster.group(id), |status| status.role == Role::Learner && !status.members.is_empty()).await;
    }
    let known = cluster.group(founder).status().last_log;
    assert!(cluster.group(NodeId(3)).status().last_log >= known, "it was to hold all when it was added");

    cluster.group(founder).change_voters(ids(1..=3).into_iter().collect()).await.unwrap();

    let last = cluster.propose("with three").await;
    for id in ids(2..=3) {
        cluster.applied(id, last).await;
        assert_eq!(commands(cluster.ledger(id)), commands(cluster.ledger(founder)));
        assert_eq!(cluster.group(id).status().role, Role::Follower);
    }
}

#[tokio::test(start_paused = true)]
async fn a_voter_that_is_not_named_leaves_and_a_leader_may_be_that_voter() {
    let cluster = Cluster::found(3, Timing::default()).await;
    let old = cluster.leader().await;
    cluster.group(old).change_voters(others(old).into_iter().collect()).await.unwrap();

    let new = cluster.leader_among(&others(old)).await;
    let last = cluster.group(new).propose("without").await.unwrap().0;
    cluster.applied(others(old)[0], last).await;
    let members = cluster.group(new).status().members;
    assert_eq!(members.voters().map(|voter| voter.id).collect::<Vec<_>>(), others(old));
    assert_eq!(members.learners().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_learner_comes_and_goes_without_ever_voting() {
    let mut cluster = Cluster::found(1, Timing::default()).await;
    let (founder, learner) = (NodeId(1), NodeId(2));
    cluster.propose("before").await;
    cluster.add(learner).await;
    cluster.group(founder).add_learner(member(learner)).await.unwrap();
    assert_eq!(
        cluster.group(founder).status().members.learners().cloned().collect::<Vec<_>>(),
        [member(learner)]
    );
    assert_eq!(commands(cluster.ledger(learner)), ["before"]);

    cluster.group(founder).remove_learner(learner).await.unwrap();
    assert_eq!(cluster.group(founder).status().members.learners().count(), 0);
    let stranger = cluster.group(founder).change_voters([founder, NodeId(9)].into()).await;
    assert!(matches!(stranger, Err(Error::Invalid(_))), "{stranger:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sole_voter_leads_again_without_waiting_for_silence() {
    let mut cluster = Cluster::found(1, Timing::default()).await;
    cluster.stop(NodeId(1)).await;
    let stopped = tokio::time::Instant::now();
    cluster.restart(NodeId(1)).await.unwrap();
    cluster.leader().await;
    assert!(stopped.elapsed() < cluster.timing.election_min, "{:?}", stopped.elapsed());
}

#[tokio::test(start_paused = true)]
async fn founding_twice_is_harmless_and_founding_without_oneself_is_refused() {
    let cluster = Cluster::start(2, Timing::default()).await;
    let stranger = cluster.group(NodeId(1)).initialize(vec![member(NodeId(2))]).await;
    assert!(matches!(stranger, Err(Error::Invalid(_))), "{stranger:?}");

    let members = vec![member(NodeId(1)), member(NodeId(2))];
    cluster.group(NodeId(1)).initialize(members.clone()).await.unwrap();
    cluster.leader().await;
    cluster.group(NodeId(1)).initialize(members.clone()).await.unwrap();
    cluster.group(NodeId(2)).initialize(members).await.unwrap();
    assert_eq!(cluster.group(NodeId(1)).status().members.voters().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_panics_or_fails_stops_its_group_and_says_so() {
    for poison in [Ledger::PANIC, Ledger::FAIL] {
        let cluster = Cluster::found(1, Timing::default()).await;
        let group = cluster.group(NodeId(1));
        let fate = group.propose(poison).await.unwrap_err();
        assert!(fate.outcome_unknown(), "{fate:?}");
        let status = wait(group, |status| status.running.is_err()).await;
        assert!(status.running.unwrap_err().contains("apply entries"));
        assert!(matches!(group.propose("more").await, Err(Error::Fatal(_))));
        group.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_too_large_is_refused_before_it_is_written() {
    let cluster = Cluster::found(1, Timing::default()).await;
    let last = cluster.group(NodeId(1)).status().last_log;
    let refused = cluster.group(NodeId(1)).propose(vec![0; groups::COMMAND_BYTES_MAX + 1]).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert_eq!(cluster.group(NodeId(1)).status().last_log, last);
    assert_eq!(leader_of(&cluster.group(NodeId(1)).status()), Some(NodeId(1)));
}
