//! Between our nouns and the Raft library's.

use std::collections::BTreeMap;

use openraft::alias::{CommittedLeaderIdOf, LeaderIdOf};
use openraft::errors::{
    ChangeMembershipError, ClientWriteError, Fatal, ForwardReason, ForwardToLeader, RaftError,
};
use openraft::raft::ClientWriteResponse;
use openraft::vote::RaftLeaderId as _;
use openraft::{EntryPayload, Membership};

use super::{Command, Contact, LogId, RaftEntry, SnapshotMeta, StoredMembership, Types, Vote};
use crate::error::Error;
use crate::members::{self, Member, Members};
use crate::types::{Applied, Ballot, Entry, NodeId, Payload, Position};

pub(crate) fn position(id: &LogId) -> Position {
    Position { term: id.leader_id.term, index: id.index }
}

pub(crate) fn log_id(position: Position) -> LogId {
    LogId::new(CommittedLeaderIdOf::<Types>::new(position.term), position.index)
}

pub(crate) fn ballot(vote: &Vote) -> Ballot {
    Ballot { term: vote.leader_id.term(), node: *vote.leader_id.node_id(), granted: vote.committed }
}

pub(crate) fn vote(ballot: Ballot) -> Vote {
    Vote { leader_id: LeaderIdOf::<Types>::new(ballot.term, ballot.node), committed: ballot.granted }
}

pub(crate) fn member(id: NodeId, contact: Contact) -> Member {
    let Contact { address, name } = contact;
    Member { id, address, name }
}

pub(crate) fn contact(member: Member) -> (NodeId, Contact) {
    let Member { id, address, name } = member;
    (id, Contact { address, name })
}

/// The leader to turn to, if the library names one completely.
fn leader(elsewhere: ForwardToLeader<Types>) -> Option<Member> {
    Some(member(elsewhere.leader_id?, elsewhere.leader_node?))
}

pub(crate) fn members(stored: &StoredMembership) -> Result<Members, members::Error> {
    members_at(stored.log_id().as_ref().map(position), stored.membership())
}

fn members_at(
    at: Option<Position>,
    membership: &Membership<NodeId, Contact>,
) -> Result<Members, members::Error> {
    let everyone = membership.nodes().map(|(id, contact)| member(*id, contact.clone())).collect();
    Members::new(at, membership.get_joint_config().clone(), everyone)
}

pub(crate) fn stored_membership(members: &Members) -> StoredMembership {
    StoredMembership::new(members.position().map(log_id), membership(members))
}

fn membership(members: &Members) -> Membership<NodeId, Contact> {
    let nodes: BTreeMap<_, _> = members.everyone().iter().cloned().map(contact).collect();
    Membership::new(members.voter_sets().to_vec(), nodes)
        .expect("members are checked by the same rules when made")
}

pub(crate) fn entry(entry: RaftEntry) -> Result<Entry, members::Error> {
    let position = position(&entry.log_id);
    let payload = match entry.payload {
        EntryPayload::Blank => Payload::Blank,
        EntryPayload::Normal(Command(command)) => Payload::Command(command),
        EntryPayload::Membership(membership) => Payload::Members(members_at(Some(position), &membership)?),
    };
    Ok(Entry { position, payload })
}

pub(crate) fn raft_entry(entry: Entry) -> RaftEntry {
    let payload = match entry.payload {
        Payload::Blank => EntryPayload::Blank,
        Payload::Command(command) => EntryPayload::Normal(Command(command)),
        Payload::Members(members) => EntryPayload::Membership(membership(&members)),
    };
    RaftEntry { log_id: log_id(entry.position), payload }
}

pub(crate) fn snapshot_meta(applied: &Applied) -> SnapshotMeta {
    SnapshotMeta {
        last_log_id: applied.position.map(log_id),
        last_membership: stored_membership(&applied.members),
    }
}

pub(crate) fn applied(meta: &SnapshotMeta) -> Result<Applied, members::Error> {
    Ok(Applied {
        position: meta.last_log_id.as_ref().map(position),
        members: members(&meta.last_membership)?,
    })
}

/// What comes of a write, in the library's words.
pub(crate) type WriteResult = Result<ClientWriteResponse<Types>, RaftError<Types, ClientWriteError<Types>>>;

/// Tells a write that was turned away from one that was lost sight of.
pub(crate) fn write_error(error: RaftError<Types, ClientWriteError<Types>>) -> Error {
    let error = match error {
        RaftError::Fatal(error) => return fatal(error),
        RaftError::APIError(error) => error,
    };
    match error {
        ClientWriteError::ForwardToLeader(elsewhere) => turned_away(elsewhere),
        ClientWriteError::LogEntryDiscarded(elsewhere) => Error::OutcomeUnknown { leader: leader(elsewhere) },
        ClientWriteError::ChangeMembershipError(
            error @ (ChangeMembershipError::InProgress(_) | ChangeMembershipError::UncommittedLeaderLog(_)),
        ) => Error::Busy(error.to_string()),
        ClientWriteError::ChangeMembershipError(error) => Error::Invalid(error.to_string()),
        ClientWriteError::PreconditionFailed(error) => Error::Busy(error.to_string()),
    }
}

/// What a request meets that was never begun.
pub(crate) fn turned_away(elsewhere: ForwardToLeader<Types>) -> Error {
    match elsewhere.reason {
        ForwardReason::LeaseExpired => Error::NoQuorum,
        ForwardReason::NotLeader | ForwardReason::LeadershipTransfer => {
            Error::NotLeader { leader: leader(elsewhere) }
        }
    }
}

pub(crate) fn fatal(error: Fatal<Types>) -> Error {
    Error::Fatal(error.to_string())
}
