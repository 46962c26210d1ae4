//! How long a group waits for what, and how much log it keeps.

use std::time::Duration;

/// Waits and thresholds of a group. All members should use the same.
///
/// A group checks them when it opens: an election must be longer than a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often a leader speaks up, and how long it waits for the answer: longer than a round trip.
    pub heartbeat: Duration,
    /// The shortest silence after which a follower stands for election.
    pub election_min: Duration,
    /// The longest such silence, and the time for which a quorum's word is good (the leader's lease).
    pub election_max: Duration,
    /// How long [`propose`](crate::Group::propose) waits before the outcome is unknown.
    pub propose: Duration,
    /// How long [`confirm`](crate::Group::confirm) waits for a quorum and for the state to catch up.
    pub confirm: Duration,
    /// How long a peer may take to store entries, a vote or a chunk of a snapshot.
    pub reply: Duration,
    /// How long a peer may take to install a snapshot that it has received.
    pub install: Duration,
    /// A snapshot point is taken, and older log may go, after this many entries.
    pub snapshot_after: u64,
    /// This many entries that a snapshot covers are kept for followers that come back: they catch up by log.
    pub keep: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(150),
            election_min: Duration::from_millis(600),
            election_max: Duration::from_millis(1200),
            propose: Duration::from_secs(10),
            confirm: Duration::from_secs(5),
            reply: Duration::from_secs(5),
            install: Duration::from_secs(600),
            snapshot_after: 20_000,
            keep: 20_000,
        }
    }
}
