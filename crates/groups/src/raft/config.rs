//! The library's configuration, from our timing.

use std::time::Duration;

use openraft::{Config, SnapshotPolicy, StepDownPolicy};

use crate::error::Error;
use crate::timing::Timing;

/// Translates and checks. What is not a matter of timing is decided here, once for all groups.
pub(crate) fn config(group: &str, timing: &Timing) -> Result<Config, Error> {
    let heartbeat_ms = millis(timing.heartbeat);
    let election_max_ms = millis(timing.election_max);
    let config = Config {
        cluster_name: group.to_owned(),
        heartbeat_interval: heartbeat_ms,
        election_timeout_min: millis(timing.election_min),
        election_timeout_max: election_max_ms,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(timing.snapshot_after),
        max_in_snapshot_log_to_keep: timing.keep,
        removed_leader_step_down: StepDownPolicy::After(heartbeat_ms),
        // A leader that reaches some followers but no quorum must not keep them from electing another.
        quorum_loss_probe_interval: Some(2 * election_max_ms),
        // A node that was cut off must not unseat a healthy leader when it returns.
        enable_pre_vote: Some(true),
        // A restarted leader stands for election like everyone else: textbook Raft.
        enable_leader_restore: Some(false),
        backoff: format!(
            "{heartbeat_ms}ms {}ms ...{}ms",
            2 * heartbeat_ms,
            election_max_ms.max(2 * heartbeat_ms + 1)
        ),
        ..Config::default()
    };
    config.validate().map_err(|error| Error::Invalid(format!("timing: {error}")))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4).clamp(1, u64::MAX / 4)
}
