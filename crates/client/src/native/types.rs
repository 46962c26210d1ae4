//! The objects of the native API. Keys that we don't know are passed over: a newer server may send more.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Kind;

/// Whether a node can serve.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Health {
    /// `ok` or `unavailable`.
    pub status: String,
    /// Why not, if it can't.
    #[serde(default)]
    pub reason: Option<String>,
}

impl Health {
    /// Whether the node serves reads and writes.
    pub fn is_ok(&self) -> bool {
        self.status == "ok"
    }
}

/// A node, its group and its scopes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The server's version.
    pub version: String,
    /// The node that answers.
    pub node: Node,
    /// Its datacenter.
    pub datacenter: String,
    /// `leader`, `follower`, `candidate` or `learner`.
    pub role: String,
    /// The Raft term.
    pub term: u64,
    /// The log index up to which the state is, once there is one.
    pub applied_index: Option<u64>,
    /// The last entry of the log, if it has any.
    pub last_log_index: Option<u64>,
    /// Who leads, if that is known.
    pub leader: Option<Member>,
    /// Who votes.
    pub voters: Vec<Member>,
    /// Where the node's data lies.
    pub data_dir: String,
    /// What is left on that disk, in bytes, if it can be told.
    pub disk_free_bytes: Option<u64>,
    /// All scopes.
    pub scopes: Vec<Scope>,
}

/// A node's names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    /// Its number in the Raft group.
    pub id: u64,
    /// Its name.
    pub name: String,
}

/// A member of a Raft group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Its number in the Raft group.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Where its native API answers.
    pub address: String,
}

/// How many records of a type there are, and how large they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeTotals {
    /// How many.
    pub count: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

/// Per type, by the type's name.
pub type Totals = BTreeMap<String, TypeTotals>;

/// How many there are of what a scope holds. In JSON it is one key, `records` or `points`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// Records of the control state.
    Records(u64),
    /// Points of collections.
    Points(u64),
}

impl Count {
    /// How many.
    pub fn number(self) -> u64 {
        match self {
            Count::Records(number) | Count::Points(number) => number,
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Count::Records(number) => write!(f, "{number} records"),
            Count::Points(number) => write!(f, "{number} points"),
        }
    }
}

/// What a scope holds. What a scope of points does not have is `None`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scope {
    /// Its name.
    pub scope: String,
    /// What clients see as index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Below this no index is shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<u64>,
    /// The restore that made the live generation, all zeros for the state the scope was born with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Uuid>,
    /// How many records or points.
    #[serde(flatten)]
    pub count: Count,
    /// Their size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Both per type of record.
    #[serde(default, skip_serializing_if = "Totals::is_empty")]
    pub types: Totals,
    /// What an undo brings back.
    pub previous: Option<Previous>,
    /// When a snapshot was last taken.
    pub last_snapshot_at: Option<Timestamp>,
}

/// The generation that was live before the last restore.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Previous {
    /// The restore that had made it; of points the one that replaced it.
    pub image: Uuid,
    /// Its index when it was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// When it was replaced.
    pub replaced_at: Timestamp,
    /// Until when it is kept.
    pub expires_at: Timestamp,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What a restore would do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The scope it would replace.
    pub scope: String,
    /// What is live now.
    pub current: LiveState,
    /// What would be.
    pub archive: ArchiveState,
    /// What the operator should know before.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The live side of a plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LiveState {
    /// The scope's index.
    pub index: u64,
    /// How many records.
    pub records: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Both per type.
    #[serde(default)]
    pub types: Totals,
}

/// The archive's side of a plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ArchiveState {
    /// The archive's own name for itself.
    pub id: String,
    /// Its index.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// The version of its format.
    pub version: u64,
    /// How many records.
    pub records: u64,
    /// The size of its state in bytes.
    pub bytes: u64,
    /// Both per type.
    #[serde(default)]
    pub types: Totals,
}

/// What a restore of points would do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PointsPlan {
    /// What it would replace.
    pub scope: String,
    /// What is live now.
    pub current: PointsState,
    /// What would be.
    pub archive: PointsState,
    /// What the operator should know before.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// One side of a plan for points.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointsState {
    /// How many points; `None` if that is not known.
    #[serde(default)]
    pub points: Option<u64>,
    /// Per collection, as far as that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collections: Vec<CollectionState>,
}

/// A collection in a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionState {
    /// Its name.
    pub name: String,
    /// How many points it has.
    pub points: u64,
}

/// What a restore did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Restored {
    /// The task that did it.
    pub task: Uuid,
    /// The scope it replaced.
    pub scope: String,
    /// The scope's index now.
    pub index: u64,
    /// How many records or points it holds.
    #[serde(flatten)]
    pub count: Count,
    /// Their size in bytes.
    pub bytes: u64,
    /// The name of the generation that is live now; a task's result may leave it out.
    #[serde(default)]
    pub image: Option<Uuid>,
    /// What the operator should know.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// What an undo did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Undone {
    /// The scope it replaced.
    pub scope: String,
    /// The scope's index now.
    pub index: u64,
    /// The name of the generation that is live now.
    pub image: Uuid,
}

/// A stored snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its scope.
    pub scope: String,
    /// Its name within the scope.
    pub name: String,
    /// When it was taken or uploaded.
    pub created_at: Timestamp,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
    /// The index of its state.
    pub index: u64,
    /// How many records or points it holds.
    #[serde(flatten)]
    pub count: Count,
    /// `ready`.
    pub status: String,
}

/// A long operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: Uuid,
    /// `save`, `restore`, `undo` or `upload`.
    pub kind: String,
    /// The scope it works on.
    pub scope: String,
    /// How it stands.
    pub state: TaskState,
    /// What it is doing.
    pub step: String,
    /// How far it is.
    pub progress: Progress,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last said something.
    pub updated_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Problem>,
    /// What it did: the form depends on its kind.
    pub result: Option<serde_json::Value>,
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// It is under way.
    Running,
    /// It did what it was to do.
    Succeeded,
    /// It ended without effect; the error says why.
    Failed,
    /// It was cancelled, without effect.
    Cancelled,
}

/// How far a task is, in bytes of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How much is done.
    pub done: u64,
    /// How much there is, once that is known.
    pub total: Option<u64>,
}

/// What went wrong, in the server's words.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// One of the kinds of `docs/api.md`.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// The kind, as far as we know it.
    pub fn kind(&self) -> Kind {
        serde_json::from_value(self.kind.clone().into()).unwrap_or(Kind::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_one_key_among_the_others() {
        for key in ["records", "points"] {
            let text = format!(
                r#"{{"scope":"s","name":"n","created_at":"2026-01-02T03:04:05Z","size":1,"sha256":"","new":{{}},"index":7,"{key}":9,"status":"ready"}}"#
            );
            let snapshot: Snapshot = serde_json::from_str(&text).unwrap();
            assert_eq!(snapshot.count.number(), 9);
            assert_eq!(snapshot.count.to_string(), format!("9 {key}"));
            assert_eq!(serde_json::to_value(&snapshot).unwrap()[key], 9);
        }
    }
}
