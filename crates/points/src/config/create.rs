//! What a client sends to create a collection, and how it becomes the collection's settings.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use qdrant_edge::{HnswIndexConfig, Memory, Payload, QuantizationConfig};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::valid::Flaws;
use super::{
    CollectionConfig, CollectionParams, IdTrackerParams, OptimizersConfig, PayloadStorageParams,
    SparseVectorParams, StrictModeConfig, VectorsConfig, WalConfig,
};
use crate::{Error, Kind, Result};

/// No collection has more shards: each is a group of its own, with its own log.
pub const SHARDS_MAX: u32 = 64;

/// What a client sends to create a collection
/// (`qdrant/qdrant:lib/storage/src/content_manager/collection_meta_ops.rs`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CreateCollection {
    /// The dense vectors.
    #[serde(default)]
    pub vectors: VectorsConfig,
    /// How many shards; one if `None`.
    #[serde(default)]
    pub shard_number: Option<u32>,
    /// How points find their shard.
    #[serde(default)]
    pub sharding_method: Option<ShardingMethod>,
    /// How many nodes hold each shard; one if `None`.
    #[serde(default)]
    pub replication_factor: Option<u32>,
    /// How many of them must have made a change; one if `None`.
    #[serde(default)]
    pub write_consistency_factor: Option<u32>,
    /// Whether payloads stay on the disk; they do if `None`.
    #[serde(default)]
    pub on_disk_payload: Option<bool>,
    /// Where payloads are held.
    #[serde(default)]
    pub payload: Option<PayloadStorageParams>,
    /// Where ids are held.
    #[serde(default)]
    pub id_tracker: Option<IdTrackerParams>,
    /// How vectors are indexed.
    #[serde(default)]
    pub hnsw_config: Option<HnswConfigDiff>,
    /// Settings of the log.
    #[serde(default)]
    pub wal_config: Option<WalConfigDiff>,
    /// When and how segments are rebuilt.
    #[serde(default, alias = "optimizer_config")]
    pub optimizers_config: Option<OptimizersConfigDiff>,
    /// How vectors are compressed; not at all if `None`.
    #[serde(default, alias = "quantization")]
    pub quantization_config: Option<QuantizationConfig>,
    /// The sparse vectors.
    #[serde(default)]
    pub sparse_vectors: Option<BTreeMap<String, SparseVectorParams>>,
    /// Limits.
    #[serde(default)]
    pub strict_mode_config: Option<StrictModeConfig>,
    /// Whatever the client wants to remember.
    #[serde(default)]
    pub metadata: Option<Payload>,
    /// A collection to copy from, which genuine servers of today refuse, too.
    #[serde(default)]
    pub init_from: Option<serde_json::Value>,
}

/// How points find their shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShardingMethod {
    /// By their id.
    #[default]
    Auto,
    /// By a key that the client names.
    Custom,
}

/// How vectors are indexed, where it is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HnswConfigDiff {
    /// Links per point; 0 is no graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m: Option<usize>,
    /// Candidates looked at while building, at least 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ef_construct: Option<usize>,
    /// Kilobytes of vectors below which all are compared.
    #[serde(default, alias = "full_scan_threshold_kb", skip_serializing_if = "Option::is_none")]
    pub full_scan_threshold: Option<usize>,
    /// Threads that build; 0 is by the number of processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_indexing_threads: Option<usize>,
    /// Whether the graph stays on the disk until it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_disk: Option<bool>,
    /// Links per point within the values of an indexed field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_m: Option<usize>,
    /// Whether vectors lie within the graph's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline_storage: Option<bool>,
    /// Where the graph is held; stronger than `on_disk`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
}

impl HnswConfigDiff {
    /// `base` with what this names.
    #[expect(deprecated, reason = "clients still send on_disk, and it must come back")]
    pub fn over(&self, base: &HnswIndexConfig) -> HnswIndexConfig {
        HnswIndexConfig {
            m: self.m.unwrap_or(base.m),
            ef_construct: self.ef_construct.unwrap_or(base.ef_construct),
            full_scan_threshold: self.full_scan_threshold.unwrap_or(base.full_scan_threshold),
            max_indexing_threads: self.max_indexing_threads.unwrap_or(base.max_indexing_threads),
            on_disk: self.on_disk.or(base.on_disk),
            memory: self.memory.or(base.memory),
            payload_m: self.payload_m.or(base.payload_m),
            inline_storage: self.inline_storage.or(base.inline_storage),
        }
    }

    /// Takes over what `change` names.
    pub(super) fn change(&mut self, change: &HnswConfigDiff) {
        *self = HnswConfigDiff {
            m: change.m.or(self.m),
            ef_construct: change.ef_construct.or(self.ef_construct),
            full_scan_threshold: change.full_scan_threshold.or(self.full_scan_threshold),
            max_indexing_threads: change.max_indexing_threads.or(self.max_indexing_threads),
            on_disk: change.on_disk.or(self.on_disk),
            payload_m: change.payload_m.or(self.payload_m),
            inline_storage: change.inline_storage.or(self.inline_storage),
            memory: change.memory.or(self.memory),
        };
    }
}

/// Settings of the log, where they are said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalConfigDiff {
    /// Megabytes of one of its files, at least 1.
    #[serde(default)]
    pub wal_capacity_mb: Option<usize>,
    /// Files made ahead.
    #[serde(default)]
    pub wal_segments_ahead: Option<usize>,
    /// Files kept behind.
    #[serde(default)]
    pub wal_retain_closed: Option<usize>,
}

impl WalConfigDiff {
    fn over(&self, base: WalConfig) -> WalConfig {
        WalConfig {
            wal_capacity_mb: self.wal_capacity_mb.unwrap_or(base.wal_capacity_mb),
            wal_segments_ahead: self.wal_segments_ahead.unwrap_or(base.wal_segments_ahead),
            wal_retain_closed: self.wal_retain_closed.unwrap_or(base.wal_retain_closed),
        }
    }
}

/// When and how segments are rebuilt, where it is said; as in [`OptimizersConfig`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the members of OptimizersConfig say what they are")]
pub struct OptimizersConfigDiff {
    #[serde(default)]
    pub deleted_threshold: Option<f64>,
    #[serde(default)]
    pub vacuum_min_vector_number: Option<usize>,
    #[serde(default)]
    pub default_segment_number: Option<usize>,
    #[serde(default, alias = "max_segment_size_kb")]
    pub max_segment_size: Option<usize>,
    #[serde(default, alias = "memmap_threshold_kb")]
    pub memmap_threshold: Option<usize>,
    #[serde(default, alias = "indexing_threshold_kb")]
    pub indexing_threshold: Option<usize>,
    #[serde(default)]
    pub flush_interval_sec: Option<u64>,
    #[serde(default)]
    pub max_optimization_threads: Option<MaxOptimizationThreads>,
    #[serde(default)]
    pub prevent_unoptimized: Option<bool>,
}

/// How many segments may be rebuilt at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MaxOptimizationThreads {
    /// So many.
    Threads(usize),
    /// By the number of processors.
    Setting(Auto),
}

/// The word `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auto {
    /// The word.
    Auto,
}

impl MaxOptimizationThreads {
    /// By the number of processors.
    pub const AUTO: MaxOptimizationThreads = MaxOptimizationThreads::Setting(Auto::Auto);

    fn number(self) -> Option<usize> {
        match self {
            MaxOptimizationThreads::Threads(number) => Some(number),
            MaxOptimizationThreads::Setting(Auto::Auto) => None,
        }
    }
}

impl OptimizersConfigDiff {
    /// `base` with what this names.
    pub(super) fn over(&self, base: &OptimizersConfig) -> OptimizersConfig {
        OptimizersConfig {
            deleted_threshold: self.deleted_threshold.unwrap_or(base.deleted_threshold),
            vacuum_min_vector_number: self.vacuum_min_vector_number.unwrap_or(base.vacuum_min_vector_number),
            default_segment_number: self.default_segment_number.unwrap_or(base.default_segment_number),
            max_segment_size: self.max_segment_size.or(base.max_segment_size),
            memmap_threshold: self.memmap_threshold.or(base.memmap_threshold),
            indexing_threshold: self.indexing_threshold.or(base.indexing_threshold),
            flush_interval_sec: self.flush_interval_sec.unwrap_or(base.flush_interval_sec),
            max_optimization_threads: match self.max_optimization_threads {
                Some(threads) => threads.number(),
                None => base.max_optimization_threads,
            },
            prevent_unoptimized: self.prevent_unoptimized.or(base.prevent_unoptimized),
        }
    }
}

impl CreateCollection {
    /// The settings of the new collection. `Unprocessable` if a value is out of bounds, `Unsupported` if we
    /// don't do it.
    pub fn into_config(self, uuid: Uuid) -> Result<CollectionConfig> {
        self.check_bounds()?;
        if self.sharding_method == Some(ShardingMethod::Custom) {
            return Err(unsupported("custom sharding"));
        }
        if self.init_from.is_some() {
            return Err(unsupported("init_from"));
        }
        let shard_number = number(self.shard_number);
        if shard_number.get() > SHARDS_MAX {
            return Err(unsupported(&format!("a shard_number above {SHARDS_MAX}")));
        }
        let config = CollectionConfig {
            params: CollectionParams {
                vectors: self.vectors,
                shard_number,
                sharding_method: self.sharding_method,
                replication_factor: number(self.replication_factor),
                write_consistency_factor: number(self.write_consistency_factor),
                read_fan_out_factor: None,
                read_fan_out_delay_ms: None,
                on_disk_payload: self.on_disk_payload.unwrap_or(true),
                payload: self.payload,
                id_tracker: self.id_tracker,
                sparse_vectors: self.sparse_vectors,
            },
            hnsw_config: self.hnsw_config.unwrap_or_default().over(&HnswIndexConfig::default()),
            optimizer_config: self.optimizers_config.unwrap_or_default().over(&OptimizersConfig::default()),
            wal_config: self.wal_config.unwrap_or_default().over(WalConfig::default()),
            quantization_config: self.quantization_config,
            strict_mode_config: self.strict_mode_config,
            uuid: Some(uuid),
            metadata: self.metadata.filter(|metadata| !metadata.0.is_empty()),
        };
        config.check_supported()?;
        Ok(config)
    }

    fn check_bounds(&self) -> Result<()> {
        let mut flaws = Flaws::default();
        flaws.vectors("vectors", &self.vectors);
        for name in self.sparse_vectors.iter().flat_map(BTreeMap::keys) {
            flaws.vector_name("sparse_vectors", name);
        }
        for (name, value) in [
            ("shard_number", self.shard_number),
            ("replication_factor", self.replication_factor),
            ("write_consistency_factor", self.write_consistency_factor),
        ] {
            flaws.at_least(name, value, 1);
        }
        flaws.hnsw("hnsw_config", self.hnsw_config.as_ref());
        flaws.wal("wal_config", self.wal_config.as_ref());
        flaws.optimizers("optimizers_config", self.optimizers_config.as_ref());
        flaws.quantization("quantization_config", self.quantization_config.as_ref());
        flaws.end()
    }
}

impl CollectionConfig {
    /// Refuses settings that a genuine server keeps and we could only pretend to.
    pub(super) fn check_supported(&self) -> Result<()> {
        if self.strict_mode_config.as_ref().is_some_and(|strict| strict.enabled == Some(true)) {
            return Err(unsupported("strict mode"));
        }
        if self.optimizer_config.prevent_unoptimized == Some(true) {
            return Err(unsupported("prevent_unoptimized"));
        }
        let dense = &self.params.vectors;
        for name in self.params.sparse_vectors.iter().flat_map(|sparse| sparse.keys()) {
            if dense.get(name).is_some() {
                return Err(Error::invalid(format!("Vector name {name} is used for both dense and sparse")));
            }
        }
        Ok(())
    }
}

fn number(given: Option<u32>) -> NonZeroU32 {
    given.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}

fn unsupported(what: &str) -> Error {
    Error::new(Kind::Unsupported, format!("{what} is not supported"))
}
