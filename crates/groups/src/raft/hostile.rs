//! What a broken or hostile peer may send and answer, and that a group survives it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use openraft::network::{RPCOption, RaftNetworkFactory as _, RaftNetworkV2 as _};
use openraft::raft::AppendEntriesRequest;
use sha2::{Digest as _, Sha256};

use super::network::Peers;
use super::{Contact, convert};
use crate::members::Members;
use crate::network::{Answer, Append, Ask, Candidacy, Request, Response, Transfer};
use crate::testing::{Disk, Ledger, Switchboard};
use crate::types::{Applied, Ballot, Entry, Payload};
use crate::{Group, Log, Member, Network, NodeId, Position, Setup, Timing, Unreachable};

const ME: NodeId = NodeId(1);

fn member(id: NodeId) -> Member {
    Member { id, address: String::new(), name: String::new() }
}

/// A group of two that this node leads not: node 2 is the leader of term 5, and the test speaks for it.
async fn follower() -> Group<Ledger> {
    let setup = Setup {
        node: ME,
        name: "group".into(),
        timing: Timing {
            election_min: Duration::from_secs(600),
            election_max: Duration::from_secs(900),
            ..Timing::default()
        },
        spool: std::env::temp_dir(),
        seed: 1,
    };
    let log = Log::with_backend(Disk::new().handle()).unwrap();
    let group = Group::open(setup, log, Ledger::new(), Switchboard::new().line(ME)).await.unwrap();
    assert!(matches!(serve(&group, founding()).await, Answer::Stored));
    group
}

async fn serve(group: &Group<Ledger>, ask: Ask) -> Answer {
    group.serve(Request(ask)).await.0
}

fn at(term: u64, index: u64) -> Position {
    Position { term, index }
}

fn leader() -> Ballot {
    Ballot { term: 5, node: NodeId(2), granted: true }
}

fn members() -> Members {
    Members::new(Some(at(1, 0)), vec![BTreeSet::from([ME, NodeId(2)])], vec![member(ME), member(NodeId(2))])
        .unwrap()
}

fn append(previous: Option<Position>, entries: impl IntoIterator<Item = (Position, Payload)>) -> Append {
    let entries = entries.into_iter().map(|(position, payload)| Entry { position, payload }).collect();
    Append { leader: leader(), previous, entries, committed: None }
}

/// The first four entries: committed up to the third.
fn founding() -> Ask {
    let entries = [
        (at(1, 0), Payload::Members(members())),
        (at(5, 1), Payload::Blank),
        (at(5, 2), Payload::Command("a".into())),
        (at(5, 3), Payload::Command("b".into())),
    ];
    Ask::Append(Append { committed: Some(at(5, 2)), ..append(None, entries) })
}

fn applied(position: Position) -> Applied {
    Applied { position: Some(position), members: members() }
}

fn begin(transfer: u64, position: Position) -> Ask {
    Ask::SnapshotBegin { leader: leader(), transfer, applied: applied(position) }
}

fn chunk(transfer: u64, offset: u64, bytes: &[u8]) -> Ask {
    Ask::SnapshotChunk { transfer, offset, bytes: bytes.to_vec() }
}

fn end(transfer: u64, bytes: &[u8]) -> Ask {
    Ask::SnapshotEnd { transfer, bytes: bytes.len() as u64, digest: Sha256::digest(bytes).into() }
}

#[tokio::test(start_paused = true)]
async fn requests_that_no_correct_peer_makes_are_refused() {
    let group = follower().await;
    let one = |position| [(position, Payload::Blank)];
    let elected = leader();
    let candidate = Ballot { granted: false, ..elected };
    let impossible = [
        ("a gap", Ask::Append(append(Some(at(5, 3)), one(at(5, 5))))),
        ("a first entry that is none", Ask::Append(append(None, one(at(5, 7))))),
        ("a term that goes back", Ask::Append(append(Some(at(5, 3)), one(at(4, 4))))),
        ("a term beyond the leader's", Ask::Append(append(Some(at(5, 3)), one(at(6, 4))))),
        ("an index at the end of numbers", Ask::Append(append(Some(at(5, u64::MAX)), one(at(5, 0))))),
        ("no leader", Ask::Append(Append { leader: candidate, ..append(None, []) })),
        ("a vote for one elected", Ask::Vote(Candidacy { ballot: elected, last: None, by_transfer: false })),
        (
            "a pre-vote for one elected",
            Ask::PreVote(Candidacy { ballot: elected, last: None, by_transfer: false }),
        ),
        ("a transfer by nobody", Ask::Transfer(Transfer { leader: candidate, to: ME, last: None })),
        ("a snapshot from the future", begin(1, at(6, 100))),
        ("a snapshot against what is committed", begin(1, at(5, 1))),
        ("a chunk of nothing", chunk(7, 0, b"x")),
        ("an end of nothing", end(7, b"x")),
    ];
    for (what, ask) in impossible {
        let answer = serve(&group, ask).await;
        let harmless = matches!(answer, Answer::Refused(_)) || what == "a snapshot against what is committed";
        assert!(harmless, "{what}: {answer:?}");
    }
    assert_eq!(group.status().running, Ok(()));
    assert_eq!(group.status().last_log, Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_not_what_was_announced_is_not_installed() {
    let group = follower().await;
    let bytes = 0u64.to_le_bytes();
    let whole = begin(1, at(5, 9));

    let attempts = [
        ("an altered one", vec![whole.clone(), chunk(1, 0, &[1; 8]), end(1, &bytes)]),
        ("a short one", vec![whole.clone(), chunk(1, 0, &bytes[..7]), end(1, &bytes)]),
        ("one with a hole", vec![whole.clone(), chunk(1, 1, &bytes)]),
        ("one of another transfer", vec![whole.clone(), chunk(2, 0, &bytes)]),
        ("a chunk too large", vec![whole.clone(), chunk(1, 0, &vec![0; 9 << 20])]),
        ("one that ended", vec![whole.clone(), chunk(1, 0, &[1; 8]), end(1, &bytes), end(1, &bytes)]),
    ];
    for (what, asks) in attempts {
        let mut last = None;
        for ask in asks {
            last = Some(serve(&group, ask).await);
        }
        assert!(matches!(last, Some(Answer::Refused(_))), "{what}: {last:?}");
    }
    assert_eq!(group.status().running, Ok(()));

    // The same, as it should be; a chunk that comes twice does no harm.
    for ask in [whole, chunk(1, 0, &bytes[..5]), chunk(1, 0, &bytes[..5]), chunk(1, 5, &bytes[5..])] {
        assert!(matches!(serve(&group, ask).await, Answer::SnapshotReady));
    }
    assert!(matches!(serve(&group, end(1, &bytes)).await, Answer::SnapshotInstalled(_)));
    group.watch().wait_for(|status| status.applied == Some(at(5, 9))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn no_single_flipped_bit_in_a_request_stops_a_group() {
    let heartbeat = Ask::Append(Append { committed: Some(at(5, 3)), ..append(Some(at(5, 3)), []) });
    let more = Ask::Append(append(Some(at(5, 3)), [(at(5, 4), Payload::Command("c".into()))]));
    let vote =
        Ask::Vote(Candidacy { ballot: Ballot { granted: false, ..leader() }, last: None, by_transfer: true });
    for ask in [founding(), heartbeat, more, vote, begin(1, at(5, 9)), chunk(1, 0, b"xyz"), end(1, b"xyz")] {
        let bytes = rmp_serde::to_vec_named(&Request(ask)).unwrap();
        let mut group = follower().await;
        for bit in 0..bytes.len() * 8 {
            if group.status().term != leader().term {
                // It would turn everything else away, and nothing would be tested.
                group.shutdown().await;
                group = follower().await;
            }
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(request) = rmp_serde::from_slice::<Request>(&flipped) {
                let shown = format!("{request:?}");
                group.serve(request).await;
                assert_eq!(group.status().running, Ok(()), "after {shown}");
            }
        }
        let answer = serve(&group, Ask::Append(append(None, []))).await;
        assert!(!matches!(answer, Answer::Refused(_)), "{answer:?}");
        group.shutdown().await;
    }
}

/// A peer with one answer to everything.
struct Parrot(Answer);

impl Network for Parrot {
    fn send<'a>(
        &'a self,
        _: &'a Member,
        _: &'a str,
        _: Request,
    ) -> BoxFuture<'a, Result<Response, Unreachable>> {
        async { Ok(Response(self.0.clone())) }.boxed()
    }
}

#[tokio::test]
async fn answers_that_do_not_fit_are_errors() {
    let lower = Ballot { term: 1, ..leader() };
    let misfits = [
        Answer::Conflict,
        Answer::StoredUpTo(Some(at(5, 9))),
        Answer::HigherBallot(lower),
        Answer::SnapshotReady,
        Answer::Refused("no".into()),
    ];
    for answer in misfits {
        let mut peers = Peers::<Ledger>::new(Arc::new(Parrot(answer.clone())), "group", Timing::default());
        let mut peer = peers.new_client(NodeId(2), &Contact::default()).await;
        let heartbeat = AppendEntriesRequest {
            vote: convert::vote(leader()),
            prev_log_id: None,
            entries: vec![],
            leader_commit: None,
        };
        let answered = peer.append_entries(heartbeat, RPCOption::new(Duration::from_secs(1))).await;
        assert!(answered.is_err(), "{answer:?} was taken for an answer");
    }
}
