//! Saving and restoring points: shards, collections, all of them.

mod archive;
mod capture;
mod exchange;
mod plan;
mod restore;
mod staging;
mod stored;
mod target;
mod undo;

use uuid::Uuid;

pub use self::capture::PointsCapture;
pub use self::staging::{PointsImage, PointsPart};
pub(crate) use self::staging::{StagingDirs, restage};
use crate::blobs::Digest;
use crate::error::{Error, Kind};
use crate::scope::PointsScope;

/// How segments lie in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// One tar per segment inside the archive: what is stored.
    Regular,
    /// The files of segments as members: what is streamed.
    Streamable,
}

/// Whose points win where replicas hold others than the archive. On a node alone all three replace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// Those of the archive, on all replicas.
    #[default]
    Snapshot,
    /// Those of the replicas, where there are any.
    Replica,
    /// Those of the archive, on this node alone.
    NoSync,
}

/// Which points to restore, and how.
#[derive(Clone, Debug)]
pub struct PointsRestore {
    /// What to replace. A collection that does not exist is made.
    pub scope: PointsScope,
    /// The task's name, if the caller wants to choose it.
    pub task: Option<Uuid>,
    /// What the archive's SHA-256 must be, if the caller knows.
    pub sha256: Option<Digest>,
    /// Whose points win.
    pub priority: Priority,
    /// Of [`PointsScope::Storage`]: whether collections and aliases that the archive lacks stay.
    pub keep_others: bool,
    /// Of a collection that exists: whether it becomes the archive's with settings and indexes, whatever it was.
    pub adopt: bool,
}

impl PointsRestore {
    /// Replaces `scope`, whatever the archive's digest.
    pub fn of(scope: PointsScope) -> PointsRestore {
        let priority = Priority::default();
        PointsRestore { scope, task: None, sha256: None, priority, keep_others: false, adopt: false }
    }
}

/// What restoring points would do.
#[derive(Clone, Debug)]
pub struct PointsPlan {
    /// What would be replaced.
    pub scope: PointsScope,
    /// Points there are in it now.
    pub current_points: u64,
    /// The collections of the archive and their points.
    pub collections: Vec<(String, u64)>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// The archive does not have the digest that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Snapshot checksum mismatch: expected {expected}, got {found}")]
pub struct OtherDigest {
    /// What was expected.
    pub expected: Digest,
    /// What it is.
    pub found: Digest,
}

impl OtherDigest {
    /// Fails with it, unless nothing else was expected.
    fn check(expected: Option<Digest>, found: Digest) -> Result<(), Error> {
        match expected {
            Some(expected) if expected != found => {
                let other = OtherDigest { expected, found };
                Err(Error::new(Kind::Invalid, other.to_string()).because(other))
            }
            _ => Ok(()),
        }
    }
}

/// In the sentence of genuine servers (`qdrant/qdrant:lib/collection/src/operations/types.rs`).
fn no_shard(id: u32) -> Error {
    Error::new(Kind::NotFound, format!("shard {id} not found"))
}
