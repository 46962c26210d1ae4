//! Stored snapshots: listed, made, removed.

use jiff::Timestamp;
use node::Snapshot;
use serde::Serialize;
use uuid::Uuid;

use super::run::{self, Task};
use super::{Call, place};
use crate::qdrant::rest::answer::{Outcome, result};
use crate::qdrant::rest::failure::Failure;
use crate::qdrant::snapshots;

#[derive(Serialize)]
struct SnapshotDescription {
    name: String,
    /// In UTC, which is not said.
    creation_time: Option<String>,
    size: u64,
    checksum: String,
}

fn describe(snapshot: Snapshot) -> SnapshotDescription {
    let created_s = i64::try_from(snapshot.created_at_ms / 1000).ok();
    let created = created_s.and_then(|seconds| Timestamp::from_second(seconds).ok());
    SnapshotDescription {
        name: snapshot.name,
        creation_time: created.map(|time| time.strftime("%Y-%m-%dT%H:%M:%S").to_string()),
        size: snapshot.size,
        checksum: snapshot.sha256,
    }
}

pub(super) async fn list(call: Call) -> Outcome {
    let found = snapshots::list(&call.app.node, place(&call)?).await?;
    result(&found.into_iter().map(describe).collect::<Vec<_>>())
}

pub(super) async fn create(call: Call) -> Outcome {
    let waits = call.params.wait()?;
    let scope = snapshots::scope(&call.app.node, place(&call)?).await?;
    let task = Task { id: Uuid::now_v7(), waits };
    let node = call.app.node.clone();
    let work = async move {
        let made = node.create_points_snapshot(scope, None, Some(task.id)).await;
        Ok(describe(made.map_err(Failure::from)?))
    };
    run::task(&call, task, None, work).await
}

/// Removed is soon: whoever does not wait is told so all the same.
pub(super) async fn delete(call: Call) -> Outcome {
    let waits = call.params.wait()?;
    let name = call.path("snapshot").unwrap_or_default();
    snapshots::delete(&call.app.node, place(&call)?, name).await?;
    if waits { result(&true) } else { Ok(run::accepted(None)) }
}
