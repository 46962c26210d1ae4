//! What callers of a group can be told: each variant asks for a different reaction.

use crate::log;
use crate::members::Member;
use crate::types::Position;

/// The result of most of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a group did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another node leads, or nobody is known to. Nothing was done: ask the leader, or wait for one.
    #[error("this node does not lead the group")]
    NotLeader {
        /// The leader, where it is known.
        leader: Option<Member>,
    },
    /// No quorum of voters answered in time. Nothing was done: the same request may succeed later.
    #[error("no quorum of the group answered in time")]
    NoQuorum,
    /// A proposal was accepted and then lost sight of, through a time-out or a change of leaders. It may have
    /// been committed, may yet be, or may never be. Only the state can tell.
    #[error("the outcome of the proposal is unknown: it may or may not take effect")]
    OutcomeUnknown {
        /// The leader to ask, where it is known.
        leader: Option<Member>,
    },
    /// Not now: something else is under way, or did not come about in time. Nothing was done.
    #[error("not now: {0}")]
    Busy(String),
    /// The request is wrong and stays wrong. Nothing was done.
    #[error("{0}")]
    Invalid(String),
    /// The group has stopped on this node and must be opened again: its disk failed, its state machine did, or
    /// it was shut down. What becomes of a proposal that meets this is unknown.
    #[error("the group has stopped: {0}")]
    Fatal(String),
    /// The state machine lacks entries that the log no longer holds: its files were lost, or are of another time.
    /// The node must rejoin the group under a new id.
    #[error("the state machine lacks entries that have left the log, which begins after {purged}")]
    MachineBehind {
        /// What the machine has applied.
        applied: Option<Position>,
        /// What has left the log.
        purged: Position,
    },
    /// The log could not be opened.
    #[error(transparent)]
    Log(#[from] log::Error),
}

impl Error {
    /// Whether a proposal that failed so may take effect all the same.
    pub fn outcome_unknown(&self) -> bool {
        matches!(self, Self::OutcomeUnknown { .. } | Self::Fatal(_))
    }
}
