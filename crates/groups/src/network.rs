//! What passes between the members of a group, and what carries it: a trait, so that tests can be the network.

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::members::Member;
use crate::types::{Applied, Ballot, Entry, NodeId, Position};

/// Carries requests to other nodes.
///
/// May lose, delay and repeat requests, but not alter them, and must hand them only to the node they are meant
/// for: check a cluster's identity when connecting. A future that is dropped is cancelled.
pub trait Network: Send + Sync + 'static {
    /// Sends one request to one member's [`Group::serve`](crate::Group::serve) and waits for its answer.
    ///
    /// Time-outs are the caller's business. The three [lanes](Request::lane) must not wait for one another.
    fn send<'a>(
        &'a self,
        to: &'a Member,
        group: &'a str,
        request: Request,
    ) -> BoxFuture<'a, Result<Response, Unreachable>>;
}

/// The answer did not come: the peer, or the way to it, is down. Whether the request arrived is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unreachable: {0}")]
pub struct Unreachable(pub String);

/// Which requests may share a connection without holding one another up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Votes and heartbeats: small, and late is as bad as lost.
    Pulse,
    /// Entries, a few MiB at most.
    Entries,
    /// Snapshots, of any size.
    Bulk,
}

/// A request from one member of a group to another. Opaque; serialise it with named fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Request(pub(crate) Ask);

/// The answer to a [`Request`]. Opaque; serialise it with named fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Response(pub(crate) Answer);

impl Request {
    /// Which connection to use, where a transport has several.
    pub fn lane(&self) -> Lane {
        match &self.0 {
            Ask::Append(append) if !append.entries.is_empty() => Lane::Entries,
            Ask::Append(_) | Ask::Vote(_) | Ask::PreVote(_) | Ask::Transfer(_) => Lane::Pulse,
            Ask::SnapshotBegin { .. } | Ask::SnapshotChunk { .. } | Ask::SnapshotEnd { .. } => Lane::Bulk,
        }
    }
}

impl Response {
    /// The answer of a node that does not have the group, or will not serve it now.
    pub fn refused(why: impl Into<String>) -> Self {
        Self(Answer::Refused(why.into()))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    Append(Append),
    Vote(Candidacy),
    PreVote(Candidacy),
    Transfer(Transfer),
    /// Opens a transfer; an earlier one to this node is dropped.
    SnapshotBegin {
        leader: Ballot,
        transfer: u64,
        applied: Applied,
    },
    /// The next bytes, at this offset.
    SnapshotChunk {
        transfer: u64,
        offset: u64,
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// That was all: so many bytes with this SHA-256.
    SnapshotEnd {
        transfer: u64,
        bytes: u64,
        #[serde(with = "serde_bytes")]
        digest: [u8; 32],
    },
}

/// Entries behind `previous`; none in a heartbeat.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Append {
    pub(crate) leader: Ballot,
    pub(crate) previous: Option<Position>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) committed: Option<Position>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Candidacy {
    pub(crate) ballot: Ballot,
    pub(crate) last: Option<Position>,
    /// The old leader wants it so: do not insist on its lease.
    pub(crate) by_transfer: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) leader: Ballot,
    pub(crate) to: NodeId,
    pub(crate) last: Option<Position>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// All entries are stored, durably.
    Stored,
    /// Only those up to here are.
    StoredUpTo(Option<Position>),
    /// The log differs at `previous`.
    Conflict,
    /// The sender's term is over.
    HigherBallot(Ballot),
    Voted {
        ballot: Ballot,
        granted: bool,
        last: Option<Position>,
    },
    /// The transfer of leadership is under way.
    Transferring,
    /// Go on with the snapshot.
    SnapshotReady,
    /// The snapshot is installed, or was not needed.
    SnapshotInstalled(Ballot),
    /// No, and here is why: the group has stopped, is not here, or the request makes no sense.
    Refused(String),
}
