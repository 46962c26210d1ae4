//! The nouns of replication: positions in the log, nodes, entries.
//!
//! Own types throughout, so that neither stored bytes nor callers depend on the Raft library.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::members::Members;

/// A place in a group's log. Ordered by term, then index; indexes start at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The term of the leader that wrote the entry.
    pub term: u64,
    /// The entry's number in the log.
    pub index: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.term, self.index)
    }
}

/// The number by which a group knows a node. Unique for ever: a node that lost its log needs a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u64> for NodeId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

/// How far a state machine has come: the last entry it applied and the membership as of then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The last entry applied, of whatever kind; `None` on a machine that saw none.
    pub position: Option<Position>,
    /// The last membership among the entries applied.
    pub members: Members,
}

/// What an entry carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// Nothing: a new leader's first entry.
    Blank,
    /// A change of membership.
    Members(Members),
    /// A command of the state machine.
    Command(Bytes),
}

/// One entry of the log, committed by the time a state machine sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place.
    pub position: Position,
    /// What it carries.
    pub payload: Payload,
}

/// Who a node stands behind in a term: its vote, or the leader it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ballot {
    pub(crate) term: u64,
    pub(crate) node: NodeId,
    /// Whether a quorum granted it: the node leads that term.
    pub(crate) granted: bool,
}
