//! What a client sends to change a collection, and how it changes the collection's settings.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use qdrant_edge::{Memory, Payload, QuantizationConfig};
use serde::{Deserialize, Serialize};

use super::valid::Flaws;
use super::{
    CollectionConfig, CollectionParams, HnswConfigDiff, OptimizersConfigDiff, PayloadStorageParams,
    SparseVectorParams, StrictModeConfig,
};
use crate::{Error, Result};

/// What a client sends to change a collection; what it does not name stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UpdateCollection {
    /// Dense vectors by name; the default vector's is empty.
    #[serde(default)]
    pub vectors: Option<BTreeMap<String, VectorParamsDiff>>,
    /// When and how segments are rebuilt.
    #[serde(default, alias = "optimizer_config")]
    pub optimizers_config: Option<OptimizersConfigDiff>,
    /// What concerns the collection as a whole.
    #[serde(default)]
    pub params: Option<CollectionParamsDiff>,
    /// How vectors are indexed.
    #[serde(default)]
    pub hnsw_config: Option<HnswConfigDiff>,
    /// How vectors are compressed.
    #[serde(default, alias = "quantization")]
    pub quantization_config: Option<QuantizationConfigDiff>,
    /// Sparse vectors by name.
    #[serde(default)]
    pub sparse_vectors: Option<BTreeMap<String, SparseVectorParams>>,
    /// Limits.
    #[serde(default)]
    pub strict_mode_config: Option<StrictModeConfig>,
    /// Keys to remember besides those that are; `null` forgets one.
    #[serde(default)]
    pub metadata: Option<Payload>,
}

/// Changes of a dense vector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VectorParamsDiff {
    /// How it is indexed; an empty object goes back to the collection's.
    #[serde(default)]
    pub hnsw_config: Option<HnswConfigDiff>,
    /// How it is compressed.
    #[serde(default)]
    pub quantization_config: Option<QuantizationConfigDiff>,
    /// Whether it stays on the disk until it is read.
    #[serde(default)]
    pub on_disk: Option<bool>,
    /// Where it is held.
    #[serde(default)]
    pub memory: Option<Memory>,
}

/// Changes of what concerns the collection as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CollectionParamsDiff {
    /// How many nodes hold each shard.
    #[serde(default)]
    pub replication_factor: Option<NonZeroU32>,
    /// How many of them must have made a change.
    #[serde(default)]
    pub write_consistency_factor: Option<NonZeroU32>,
    /// How many more nodes are asked at once.
    #[serde(default)]
    pub read_fan_out_factor: Option<u32>,
    /// After how many milliseconds.
    #[serde(default)]
    pub read_fan_out_delay_ms: Option<u64>,
    /// Whether payloads stay on the disk.
    #[serde(default)]
    pub on_disk_payload: Option<bool>,
    /// Where payloads are held.
    #[serde(default)]
    pub payload: Option<PayloadStorageParams>,
}

/// How vectors are to be compressed, or the word `Disabled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum QuantizationConfigDiff {
    /// So.
    Config(QuantizationConfig),
    /// Not at all.
    Disabled(Disabled),
}

/// The word `Disabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disabled {
    /// The word.
    Disabled,
}

impl QuantizationConfigDiff {
    fn config(&self) -> Option<&QuantizationConfig> {
        match self {
            QuantizationConfigDiff::Config(config) => Some(config),
            QuantizationConfigDiff::Disabled(Disabled::Disabled) => None,
        }
    }
}

impl CollectionConfig {
    /// Makes the changes, all or none. `Unprocessable` if a value is out of bounds, `Invalid` for a vector
    /// that the collection does not have, `Unsupported` if we don't do it.
    pub fn update(&mut self, change: &UpdateCollection) -> Result<()> {
        change.check_bounds()?;
        let mut new = self.clone();
        for (name, diff) in change.vectors.iter().flatten() {
            new.params.update_vector(name, diff)?;
        }
        for (name, diff) in change.sparse_vectors.iter().flatten() {
            new.params.update_sparse(name, diff)?;
        }
        if let Some(diff) = &change.params {
            new.params.update(diff);
        }
        if let Some(diff) = &change.hnsw_config {
            new.hnsw_config = diff.over(&new.hnsw_config);
        }
        if let Some(diff) = &change.optimizers_config {
            new.optimizer_config = diff.over(&new.optimizer_config);
        }
        if let Some(diff) = &change.quantization_config {
            new.quantization_config = diff.config().cloned();
        }
        if let Some(diff) = &change.strict_mode_config {
            new.strict_mode_config.get_or_insert_default().change(diff);
        }
        if let Some(metadata) = &change.metadata {
            let kept = new.metadata.get_or_insert_default();
            kept.0.extend(metadata.0.clone());
            kept.0.retain(|_, value| !value.is_null());
            new.metadata = new.metadata.filter(|kept| !kept.0.is_empty());
        }
        new.check_supported()?;
        *self = new;
        Ok(())
    }
}

impl CollectionParams {
    fn update(&mut self, diff: &CollectionParamsDiff) {
        self.replication_factor = diff.replication_factor.unwrap_or(self.replication_factor);
        self.write_consistency_factor =
            diff.write_consistency_factor.unwrap_or(self.write_consistency_factor);
        self.read_fan_out_factor = diff.read_fan_out_factor.or(self.read_fan_out_factor);
        self.read_fan_out_delay_ms = diff.read_fan_out_delay_ms.or(self.read_fan_out_delay_ms);
        self.on_disk_payload = diff.on_disk_payload.unwrap_or(self.on_disk_payload);
        self.payload = diff.payload.or(self.payload);
    }

    fn update_vector(&mut self, name: &str, diff: &VectorParamsDiff) -> Result<()> {
        let params = self.vectors.get_mut(name).ok_or_else(|| not_specified(name))?;
        if let Some(diff) = &diff.hnsw_config {
            if *diff == HnswConfigDiff::default() {
                params.hnsw_config = None;
            } else {
                params.hnsw_config.get_or_insert_default().change(diff);
            }
        }
        if let Some(diff) = &diff.quantization_config {
            params.quantization_config = diff.config().cloned();
        }
        params.on_disk = diff.on_disk.or(params.on_disk);
        params.memory = diff.memory.or(params.memory);
        Ok(())
    }

    fn update_sparse(&mut self, name: &str, diff: &SparseVectorParams) -> Result<()> {
        let params = self.sparse_vectors.as_mut().and_then(|sparse| sparse.get_mut(name));
        let params = params.ok_or_else(|| not_specified(name))?;
        params.modifier = diff.modifier.or(params.modifier);
        if let Some(diff) = diff.index {
            let index = params.index.get_or_insert_default();
            index.full_scan_threshold = diff.full_scan_threshold.or(index.full_scan_threshold);
            index.on_disk = diff.on_disk.or(index.on_disk);
            index.datatype = diff.datatype.or(index.datatype);
            index.memory = diff.memory.or(index.memory);
        }
        Ok(())
    }
}

impl UpdateCollection {
    fn check_bounds(&self) -> Result<()> {
        let mut flaws = Flaws::default();
        for diff in self.vectors.iter().flat_map(BTreeMap::values) {
            flaws.hnsw("vectors.?.hnsw_config", diff.hnsw_config.as_ref());
            let config = diff.quantization_config.as_ref().and_then(QuantizationConfigDiff::config);
            flaws.quantization("vectors.?.quantization_config", config);
        }
        flaws.hnsw("hnsw_config", self.hnsw_config.as_ref());
        flaws.optimizers("optimizers_config", self.optimizers_config.as_ref());
        let config = self.quantization_config.as_ref().and_then(QuantizationConfigDiff::config);
        flaws.quantization("quantization_config", config);
        flaws.end()
    }
}

fn not_specified(name: &str) -> Error {
    Error::invalid(match name {
        "" => "Default vector params are not specified in config".to_owned(),
        name => format!("Vector params for {name} are not specified in config"),
    })
}
