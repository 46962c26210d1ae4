//! The way out: the library's requests become ours, and no peer's answer is believed before it is checked.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use openraft::OptionalSend;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};

use super::machine::Carried;
use super::{Contact, Snapshot, Types, Vote, convert, transfer};
use crate::machine::StateMachine;
use crate::members::Member;
use crate::network::{Answer, Append, Ask, Candidacy, Network, Request, Response, Transfer};
use crate::timing::Timing;
use crate::types::NodeId;

/// Makes a [`Peer`] for each member, all over one network.
pub(crate) struct Peers<S> {
    network: Arc<dyn Network>,
    group: Arc<str>,
    timing: Timing,
    machine: PhantomData<fn() -> S>,
}

impl<S> Peers<S> {
    pub(crate) fn new(network: Arc<dyn Network>, group: &str, timing: Timing) -> Self {
        Self { network, group: group.into(), timing, machine: PhantomData }
    }
}

impl<S: StateMachine> RaftNetworkFactory<Types> for Peers<S> {
    type Network = Peer<S>;

    async fn new_client(&mut self, id: NodeId, contact: &Contact) -> Peer<S> {
        let Self { network, group, timing, machine } = self;
        let (network, group, timing, machine) = (network.clone(), group.clone(), timing.clone(), *machine);
        Peer { network, group, timing, member: convert::member(id, contact.clone()), machine }
    }
}

/// One member, as seen from another.
pub(crate) struct Peer<S> {
    network: Arc<dyn Network>,
    group: Arc<str>,
    pub(super) timing: Timing,
    member: Member,
    machine: PhantomData<fn() -> S>,
}

impl<S: StateMachine> Peer<S> {
    /// Sends one request. A refusal is an error: whoever refuses once will do so again, so back off.
    pub(super) async fn ask(&self, patience: Duration, ask: Ask) -> Result<Answer, RPCError<Types>> {
        let sent = self.network.send(&self.member, &self.group, Request(ask));
        match tokio::time::timeout(patience, sent).await {
            Err(_) => Err(NetworkError::from_string(format!("no answer within {patience:?}")).into()),
            Ok(Err(unreachable)) => Err(Unreachable::from_string(unreachable).into()),
            Ok(Ok(Response(Answer::Refused(why)))) => Err(Unreachable::from_string(why).into()),
            Ok(Ok(Response(answer))) => Ok(answer),
        }
    }

    async fn ask_for_vote(&self, rpc: VoteRequest<Types>, ask: fn(Candidacy) -> Ask) -> VoteResult {
        let candidacy = Candidacy {
            ballot: convert::ballot(&rpc.vote),
            last: rpc.last_log_id.as_ref().map(convert::position),
            by_transfer: rpc.leadership_transfer,
        };
        match self.ask(self.timing.election_min, ask(candidacy)).await? {
            Answer::Voted { ballot, granted, last } => {
                Ok(VoteResponse::new(convert::vote(ballot), last.map(convert::log_id), granted))
            }
            answer => Err(nonsense(&answer)),
        }
    }
}

type VoteResult = Result<VoteResponse<Types>, RPCError<Types>>;

/// An answer that no correct peer gives to this request.
pub(super) fn nonsense(answer: &Answer) -> RPCError<Types> {
    Unreachable::from_string(format!("an answer that does not fit the request: {answer:?}")).into()
}

impl<S: StateMachine> RaftNetworkV2<Types> for Peer<S> {
    type SnapshotData = Carried<S>;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        let previous = rpc.prev_log_id.as_ref().map(convert::position);
        let entries = rpc.entries.into_iter().map(convert::entry).collect::<Result<Vec<_>, _>>();
        let entries = entries.map_err(|error| RPCError::from(Unreachable::new(&error)))?;
        let last = entries.last().map(|entry| entry.position).or(previous);
        let leader = convert::ballot(&rpc.vote);
        let committed = rpc.leader_commit.as_ref().map(convert::position);
        let append = Append { leader, previous, entries, committed };

        match self.ask(self.timing.reply, Ask::Append(append)).await? {
            Answer::Stored => Ok(AppendEntriesResponse::Success),
            Answer::StoredUpTo(upto) if previous <= upto && upto <= last => {
                Ok(AppendEntriesResponse::PartialSuccess(upto.map(convert::log_id)))
            }
            // The library panics on a conflict with nothing.
            Answer::Conflict if previous.is_some() => Ok(AppendEntriesResponse::Conflict),
            Answer::HigherBallot(ballot) if convert::vote(ballot) > rpc.vote => {
                Ok(AppendEntriesResponse::HigherVote(convert::vote(ballot)))
            }
            answer => Err(nonsense(&answer)),
        }
    }

    async fn vote(&mut self, rpc: VoteRequest<Types>, _option: RPCOption) -> VoteResult {
        self.ask_for_vote(rpc, Ask::Vote).await
    }

    async fn pre_vote(&mut self, rpc: VoteRequest<Types>, _option: RPCOption) -> VoteResult {
        self.ask_for_vote(rpc, Ask::PreVote).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<S>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        tokio::select! {
            closed = cancel => Err(closed.into()),
            sent = transfer::send(self, convert::ballot(&vote), snapshot) => {
                Ok(SnapshotResponse::new(convert::vote(sent?)))
            }
        }
    }

    async fn transfer_leader(
        &mut self,
        rpc: TransferLeaderRequest<Types>,
        _option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        let transfer = Transfer {
            leader: convert::ballot(rpc.from_leader()),
            to: *rpc.to_node_id(),
            last: rpc.last_log_id().map(convert::position),
        };
        match self.ask(self.timing.election_max, Ask::Transfer(transfer)).await? {
            Answer::Transferring => Ok(Ok(())),
            answer => Err(nonsense(&answer)),
        }
    }
}
