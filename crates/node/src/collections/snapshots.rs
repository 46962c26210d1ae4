//! Saving and restoring points: shards, collections, all of them.

use std::io::{self, Write};

use bytes::Bytes;
use futures_util::Stream;
use uuid::Uuid;

use crate::blobs::{Blob, Digest};
use crate::catalog::{Name, Snapshot};
use crate::error::{Error, Kind, Result};
use crate::node::Node;
use crate::restore::{Origin, Restored, Undone};
use crate::scope::PointsScope;
use crate::tasks::Running;

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
}

impl PointsRestore {
    /// Replaces `scope`, whatever the archive's digest.
    pub fn of(scope: PointsScope) -> PointsRestore {
        PointsRestore { scope, task: None, sha256: None, priority: Priority::default(), keep_others: false }
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

/// Pinned points: later changes don't show in them. What they take on the disk goes when this is dropped.
pub struct PointsCapture {}

impl PointsCapture {
    /// How many points it holds.
    pub fn points(&self) -> u64 {
        0
    }

    /// Bytes of the archive.
    pub fn bytes(&self, _packing: Packing) -> Result<u64> {
        Err(unserved())
    }

    /// Writes the archive. Equal captures give equal bytes. Blocks.
    pub fn write<W: Write + Send>(&self, _out: W, _packing: Packing) -> Result<W> {
        Err(unserved())
    }

    /// Streams the archive. An error in the stream means that the archive was cut.
    pub fn stream(self, _packing: Packing) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        futures_util::stream::empty()
    }
}

impl Node {
    /// Pins points as they are at one moment, over all shards concerned.
    pub async fn capture_points(&self, _scope: PointsScope) -> Result<PointsCapture> {
        Err(unserved())
    }

    /// Saves points into the catalog. When this returns, the snapshot is listed, complete and durable.
    pub async fn create_points_snapshot(
        &self,
        _scope: PointsScope,
        _name: Option<Name>,
        _task: Option<Uuid>,
    ) -> Result<Snapshot> {
        Err(unserved())
    }

    /// Replaces points by those of an archive, all or nothing. When this returns `Ok`, the new ones are live and
    /// durable; on an error the old ones are.
    pub async fn restore_points(&self, _request: PointsRestore, _origin: Origin) -> Result<Restored> {
        Err(unserved())
    }

    /// Verifies an archive and says what restoring it would do. Changes nothing.
    pub async fn plan_points(&self, _request: PointsRestore, _origin: Origin) -> Result<PointsPlan> {
        Err(unserved())
    }

    pub(crate) async fn undo_points(&self, _scope: PointsScope, _image: Option<Uuid>) -> Result<Undone> {
        Err(unserved())
    }

    /// Index and points of an archive that was received.
    pub(crate) async fn verify_points(
        &self,
        _scope: &PointsScope,
        _blob: Blob,
        _running: &Running,
    ) -> Result<(u64, u64)> {
        Err(unserved())
    }
}

fn unserved() -> Error {
    Error::new(Kind::Unsupported, "snapshots of points are not served yet")
}
