//! Collections of points: made, changed, filled and read.

mod directory;
mod lifecycle;
mod machine;
mod read;
mod shards;
mod snapshots;
mod supervise;
mod write;

use std::collections::BTreeMap;

use points::config::CollectionConfig;
use points::engine::PayloadIndexInfo;
pub use points::query::{Group, Page};
pub use records::qdrant::AliasChange;

pub use self::read::Collection;
pub use self::snapshots::{
    OtherDigest, Packing, PointsCapture, PointsImage, PointsPart, PointsPlan, PointsRestore, Priority,
};
pub(crate) use self::{directory::Directory, shards::Shards};

/// What became of an accepted change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updated {
    /// Its number; later changes of the same shard have higher ones.
    pub operation_id: u64,
}

/// How a collection is.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectionInfo {
    /// Whether it is optimised, being optimised, waiting for it, or broken.
    pub status: CollectionStatus,
    /// Why optimising failed, if it did.
    pub optimizer_error: Option<String>,
    /// Points, without those that were deleted.
    pub points_count: u64,
    /// Vectors that an index covers.
    pub indexed_vectors_count: u64,
    /// Segments of all shards.
    pub segments_count: u64,
    /// The settings.
    pub config: CollectionConfig,
    /// The payload indexes.
    pub payload_schema: BTreeMap<String, PayloadIndexInfo>,
}

/// The four colours; of several shards the worst counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CollectionStatus {
    /// Nothing to do.
    Green,
    /// Optimising is due and has not begun.
    Grey,
    /// Being optimised.
    Yellow,
    /// A shard failed.
    Red,
}

/// One shard of a collection on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardInfo {
    /// Its number in the collection.
    pub id: u32,
    /// Its points.
    pub points_count: u64,
    /// Whether it answers.
    pub available: bool,
}
