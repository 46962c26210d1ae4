//! The settings of a collection, in the members that `config.json` of an archive and the answers about a
//! collection have (`qdrant/qdrant:lib/collection/src/config.rs`).

mod change;
mod create;
mod edge;
mod params;
mod strict;
mod valid;

use qdrant_edge::{HnswIndexConfig, Payload, QuantizationConfig};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use change::{
    CollectionParamsDiff, Disabled, QuantizationConfigDiff, UpdateCollection, VectorParamsDiff,
};
pub use create::{
    CreateCollection, HnswConfigDiff, MaxOptimizationThreads, OptimizersConfigDiff, SHARDS_MAX,
    ShardingMethod, WalConfigDiff,
};
pub use params::{
    CollectionParams, IdTrackerParams, PayloadStorageParams, SparseIndexParams, SparseVectorParams,
    VectorParams, VectorsConfig,
};
pub use strict::{StrictModeConfig, StrictModeMultivector, StrictModeSparse};
pub(crate) use valid::Flaws;
pub use valid::check_name;

/// The settings of a collection, complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CollectionConfig {
    /// What its points are, and where they are.
    pub params: CollectionParams,
    /// How vectors are indexed, unless a vector says otherwise.
    pub hnsw_config: HnswIndexConfig,
    /// When and how segments are rebuilt.
    pub optimizer_config: OptimizersConfig,
    /// Settings of a log that we don't have; kept and shown.
    pub wal_config: WalConfig,
    /// How vectors are compressed, unless a vector says otherwise.
    #[serde(default)]
    pub quantization_config: Option<QuantizationConfig>,
    /// Limits on what requests may ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict_mode_config: Option<StrictModeConfig>,
    /// Tells this collection from others that had its name. Not part of answers.
    #[serde(default)]
    pub uuid: Option<Uuid>,
    /// Whatever the client wants to remember.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Payload>,
}

/// When and how segments are rebuilt. Sizes are kilobytes of vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimizersConfig {
    /// The fraction of deleted points at which a segment is rebuilt without them.
    #[serde(default = "deleted_threshold")]
    pub deleted_threshold: f64,
    /// Segments with fewer vectors are not rebuilt for their deleted ones.
    #[serde(default = "vacuum_min_vector_number")]
    pub vacuum_min_vector_number: usize,
    /// How many segments to aim at; 0 is by the number of processors.
    pub default_segment_number: usize,
    /// Segments are not merged beyond this.
    #[serde(default)]
    pub max_segment_size: Option<usize>,
    /// Segments beyond this are read from the disk. Without effect: all are.
    #[serde(default)]
    pub memmap_threshold: Option<usize>,
    /// Segments beyond this get an index; 0 is none ever.
    #[serde(default)]
    pub indexing_threshold: Option<usize>,
    /// Seconds between flushes.
    pub flush_interval_sec: u64,
    /// How many segments may be rebuilt at once; 0 switches rebuilding off.
    #[serde(default)]
    pub max_optimization_threads: Option<usize>,
    /// Hides new points until they are indexed.
    #[serde(default)]
    pub prevent_unoptimized: Option<bool>,
}

fn deleted_threshold() -> f64 {
    0.2
}

fn vacuum_min_vector_number() -> usize {
    1000
}

impl Default for OptimizersConfig {
    fn default() -> OptimizersConfig {
        OptimizersConfig {
            deleted_threshold: deleted_threshold(),
            vacuum_min_vector_number: vacuum_min_vector_number(),
            default_segment_number: 0,
            max_segment_size: None,
            memmap_threshold: None,
            indexing_threshold: Some(10_000),
            flush_interval_sec: 5,
            max_optimization_threads: None,
            prevent_unoptimized: None,
        }
    }
}

/// Settings of a genuine server's log. Ours is the replicated one, so they change nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalConfig {
    /// Megabytes of one of its files.
    pub wal_capacity_mb: usize,
    /// Files made ahead.
    pub wal_segments_ahead: usize,
    /// Files kept behind.
    #[serde(default = "one")]
    pub wal_retain_closed: usize,
}

fn one() -> usize {
    1
}

impl Default for WalConfig {
    fn default() -> WalConfig {
        WalConfig { wal_capacity_mb: 32, wal_segments_ahead: 0, wal_retain_closed: 1 }
    }
}
