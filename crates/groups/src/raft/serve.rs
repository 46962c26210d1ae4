//! The way in: what a peer sends is checked, then handed to the library.
//!
//! The library trusts its peers to the point of panicking; what it would panic on is refused here.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::errors::RaftError;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, VoteRequest, VoteResponse,
};
use tokio::time::Instant;

use super::machine::Carried;
use super::transfer::{Inbox, Received, Refusal};
use super::{Raft, Snapshot, Types, convert};
use crate::machine::StateMachine;
use crate::network::{Answer, Append, Ask, Candidacy, Request, Response, Transfer};
use crate::types::{Applied, Ballot, Position};

/// Answers the requests of the other members.
pub(crate) struct Server<S: StateMachine> {
    raft: Raft<S>,
    inbox: Inbox,
    heard_from_leader: Mutex<Option<Instant>>,
}

impl<S: StateMachine> Server<S> {
    pub(crate) fn new(raft: Raft<S>, spool: &Path) -> Self {
        Self { raft, inbox: Inbox::new(spool), heard_from_leader: Mutex::new(None) }
    }

    pub(crate) async fn serve(&self, request: Request) -> Response {
        let answered = match request.0 {
            Ask::Append(append) => self.append(append).await,
            Ask::Vote(candidacy) => self.vote(candidacy).await,
            Ask::PreVote(candidacy) => self.pre_vote(candidacy).await,
            Ask::Transfer(transfer) => self.transfer(transfer).await,
            Ask::SnapshotBegin { leader, transfer, applied } => self.begin(leader, transfer, applied).await,
            Ask::SnapshotChunk { transfer, offset, bytes } => {
                ready(self.inbox.chunk(transfer, offset, bytes).await)
            }
            Ask::SnapshotEnd { transfer, bytes, digest } => {
                match self.inbox.end(transfer, bytes, digest).await {
                    Ok(received) => self.install(received).await,
                    Err(refusal) => Err(refusal.to_string()),
                }
            }
        };
        answered.map_or_else(Response::refused, Response)
    }

    /// How long ago a leader of the present term, or of an earlier one, last spoke to this node.
    pub(crate) fn since_leader(&self) -> Option<Duration> {
        let heard = *self.heard_from_leader.lock().expect("no holder panics while it copies one word");
        heard.map(|heard| heard.elapsed())
    }

    /// Drops a half-received snapshot.
    pub(crate) async fn clear(&self) {
        self.inbox.clear().await;
    }

    async fn append(&self, append: Append) -> Result<Answer, String> {
        check_append(&append)?;
        let Append { leader, previous, entries, committed } = append;
        let rpc = AppendEntriesRequest {
            vote: convert::vote(leader),
            prev_log_id: previous.map(convert::log_id),
            entries: entries.into_iter().map(convert::raft_entry).collect(),
            leader_commit: committed.map(convert::log_id),
        };
        let response = self.raft.append_entries(rpc).await.map_err(stopped)?;
        if !matches!(response, AppendEntriesResponse::HigherVote(_)) {
            self.note_leader();
        }
        Ok(match response {
            AppendEntriesResponse::Success => Answer::Stored,
            AppendEntriesResponse::PartialSuccess(upto) => {
                Answer::StoredUpTo(upto.as_ref().map(convert::position))
            }
            AppendEntriesResponse::Conflict => Answer::Conflict,
            AppendEntriesResponse::HigherVote(vote) => Answer::HigherBallot(convert::ballot(&vote)),
        })
    }

    async fn vote(&self, candidacy: Candidacy) -> Result<Answer, String> {
        let rpc = vote_request(candidacy)?;
        self.raft.vote(rpc).await.map(voted).map_err(stopped)
    }

    async fn pre_vote(&self, candidacy: Candidacy) -> Result<Answer, String> {
        let rpc = vote_request(candidacy)?;
        self.raft.pre_vote(rpc).await.map(voted).map_err(stopped)
    }

    async fn transfer(&self, transfer: Transfer) -> Result<Answer, String> {
        check_leader(transfer.leader)?;
        let leader = convert::vote(transfer.leader);
        let rpc = TransferLeaderRequest::new(leader, transfer.to, transfer.last.map(convert::log_id));
        let answered = self.raft.handle_transfer_leader(rpc).await.map_err(|fatal| fatal.to_string())?;
        answered.map(|()| Answer::Transferring).map_err(|error| error.to_string())
    }

    async fn begin(&self, leader: Ballot, transfer: u64, applied: Applied) -> Result<Answer, String> {
        let mine = self.raft.metrics().borrow_watched().vote;
        if mine > convert::vote(leader) {
            return Ok(Answer::HigherBallot(convert::ballot(&mine)));
        }
        self.check_snapshot(leader, applied.position, applied.members.position())?;
        ready(self.inbox.begin(leader, transfer, applied).await)
    }

    async fn install(&self, received: Received) -> Result<Answer, String> {
        let Received { leader, applied, file } = received;
        self.check_snapshot(leader, applied.position, applied.members.position())?;
        let snapshot =
            Snapshot::<S> { meta: convert::snapshot_meta(&applied), snapshot: Carried::Received(file) };
        let installed = self.raft.install_full_snapshot(convert::vote(leader), snapshot).await;
        let response = installed.map_err(|fatal| fatal.to_string())?;
        self.note_leader();
        Ok(Answer::SnapshotInstalled(convert::ballot(&response.vote)))
    }

    /// Refuses a snapshot of another cluster or another life of this one, as far as that shows.
    fn check_snapshot(
        &self,
        leader: Ballot,
        position: Option<Position>,
        members_position: Option<Position>,
    ) -> Result<(), String> {
        check_leader(leader)?;
        let position = position.ok_or("a snapshot of nothing")?;
        if position.term > leader.term || members_position > Some(position) {
            return Err("a snapshot from the future".into());
        }
        let committed = self.raft.metrics().borrow_watched().local_committed.as_ref().map(convert::position);
        match committed {
            Some(committed) if position > committed && position.index <= committed.index => Err(format!(
                "a snapshot at {position} contradicts entry {committed}, which is committed here"
            )),
            _ => Ok(()),
        }
    }

    fn note_leader(&self) {
        *self.heard_from_leader.lock().expect("no holder panics while it copies one word") =
            Some(Instant::now());
    }
}

/// The entries must follow `previous` and one another, in terms that the leader can know.
fn check_append(append: &Append) -> Result<(), String> {
    check_leader(append.leader)?;
    let mut before = append.previous;
    for entry in &append.entries {
        let follows = before.map_or(entry.position.index == 0, |before| {
            before.index.checked_add(1) == Some(entry.position.index) && before.term <= entry.position.term
        });
        if !follows {
            return Err(format!("entry {} does not follow its predecessor", entry.position));
        }
        before = Some(entry.position);
    }
    match before {
        Some(last) if last.term > append.leader.term => Err(format!("entry {last} is newer than its leader")),
        _ => Ok(()),
    }
}

fn check_leader(leader: Ballot) -> Result<(), String> {
    if leader.granted { Ok(()) } else { Err("only an elected leader may ask for that".into()) }
}

fn vote_request(candidacy: Candidacy) -> Result<VoteRequest<Types>, String> {
    if candidacy.ballot.granted {
        return Err("who is elected need not ask for votes".into());
    }
    let mut rpc = VoteRequest::new(convert::vote(candidacy.ballot), candidacy.last.map(convert::log_id));
    rpc.leadership_transfer = candidacy.by_transfer;
    Ok(rpc)
}

fn voted(response: VoteResponse<Types>) -> Answer {
    let VoteResponse { vote, vote_granted: granted, last_log_id } = response;
    Answer::Voted {
        ballot: convert::ballot(&vote),
        granted,
        last: last_log_id.as_ref().map(convert::position),
    }
}

fn ready(taken: Result<(), Refusal>) -> Result<Answer, String> {
    taken.map(|()| Answer::SnapshotReady).map_err(|refusal| refusal.to_string())
}

fn stopped(error: RaftError<Types>) -> String {
    error.to_string()
}
