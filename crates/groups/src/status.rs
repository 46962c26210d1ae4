//! What a node can say about one of its groups without asking anyone.

use std::sync::Arc;

use crate::members::{Member, Members};
use crate::types::Position;

/// What this node does in the group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Leads, or believes that it still does.
    Leader,
    /// Votes, and follows a leader if there is one.
    Follower,
    /// Stands for election.
    Candidate,
    /// Receives the log without a vote, or is no member at all.
    #[default]
    Learner,
}

/// A group as this node sees it, at one moment. What others see may differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This node's part.
    pub role: Role,
    /// The term of the last vote or leader.
    pub term: u64,
    /// The leader of that term. A leader that lost its quorum goes on naming itself: before answering a read,
    /// [`confirm`](crate::Group::confirm).
    pub leader: Option<Member>,
    /// The index of the last entry in the log here, committed or not.
    pub last_log: Option<u64>,
    /// The last entry known to be committed.
    pub committed: Option<Position>,
    /// The last entry applied here.
    pub applied: Option<Position>,
    /// Entries up to here are covered by a durable snapshot point, and may leave the log.
    pub snapshot: Option<Position>,
    /// Entries up to here have left the log.
    pub purged: Option<Position>,
    /// Everyone, as of the last entry in the log that says so.
    pub members: Arc<Members>,
    /// Why the group has stopped on this node, if it has; it must then be opened again.
    pub running: Result<(), String>,
}
