//! What the points of a collection are: their vectors, their shards, where their payload lies.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};

use qdrant_edge::{Distance, Memory, Modifier, MultiVectorConfig, QuantizationConfig, VectorStorageDatatype};
use serde::{Deserialize, Serialize};

use super::{HnswConfigDiff, ShardingMethod};

const ONE: NonZeroU32 = NonZeroU32::MIN;

fn one() -> NonZeroU32 {
    ONE
}

fn yes() -> bool {
    true
}

/// What the points of a collection are, and where they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CollectionParams {
    /// The dense vectors of a point.
    #[serde(default)]
    pub vectors: VectorsConfig,
    /// How many shards.
    #[serde(default = "one")]
    pub shard_number: NonZeroU32,
    /// How points find their shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharding_method: Option<ShardingMethod>,
    /// How many nodes hold each shard.
    #[serde(default = "one")]
    pub replication_factor: NonZeroU32,
    /// How many nodes of a genuine cluster must have made a change. Here it is always a quorum.
    #[serde(default = "one")]
    pub write_consistency_factor: NonZeroU32,
    /// How many more nodes a genuine cluster asks at once. Kept and shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_fan_out_factor: Option<u32>,
    /// After how many milliseconds it does. Kept and shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_fan_out_delay_ms: Option<u64>,
    /// Whether payloads stay on the disk until they are read.
    #[serde(default = "yes")]
    pub on_disk_payload: bool,
    /// Where payloads are held; stronger than `on_disk_payload`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<PayloadStorageParams>,
    /// Where the ids of indexed segments are held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_tracker: Option<IdTrackerParams>,
    /// The sparse vectors of a point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sparse_vectors: Option<BTreeMap<String, SparseVectorParams>>,
}

/// Where payloads are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadStorageParams {
    /// The place; `pinned` is not to be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
}

/// Where ids are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdTrackerParams {
    /// The place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
}

/// The dense vectors of a point: one without a name, or several with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum VectorsConfig {
    /// The default vector, whose name is empty.
    Single(VectorParams),
    /// Vectors by name.
    Multi(BTreeMap<String, VectorParams>),
}

impl Default for VectorsConfig {
    fn default() -> VectorsConfig {
        VectorsConfig::Multi(BTreeMap::new())
    }
}

impl VectorsConfig {
    /// Every vector with its name; the default vector's is empty.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &VectorParams)> {
        let (single, multi) = match self {
            VectorsConfig::Single(params) => (Some(("", params)), None),
            VectorsConfig::Multi(params) => (None, Some(params)),
        };
        let multi = multi.into_iter().flatten().map(|(name, params)| (name.as_str(), params));
        single.into_iter().chain(multi)
    }

    /// The vector called `name`.
    pub fn get(&self, name: &str) -> Option<&VectorParams> {
        match self {
            VectorsConfig::Single(params) => name.is_empty().then_some(params),
            VectorsConfig::Multi(params) => params.get(name),
        }
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut VectorParams> {
        match self {
            VectorsConfig::Single(params) => name.is_empty().then_some(params),
            VectorsConfig::Multi(params) => params.get_mut(name),
        }
    }
}

/// One dense vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VectorParams {
    /// How many numbers.
    pub size: NonZeroU64,
    /// How two are compared.
    pub distance: Distance,
    /// How it is indexed, where that differs from the collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hnsw_config: Option<HnswConfigDiff>,
    /// How it is compressed, if that differs from the collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization_config: Option<QuantizationConfig>,
    /// Whether it stays on the disk until it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_disk: Option<bool>,
    /// What its numbers are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datatype: Option<VectorStorageDatatype>,
    /// Several vectors under this name, and how they are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multivector_config: Option<MultiVectorConfig>,
    /// Where it is held; stronger than `on_disk`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
}

impl VectorParams {
    /// A vector with nothing but defaults.
    pub fn new(size: NonZeroU64, distance: Distance) -> VectorParams {
        VectorParams {
            size,
            distance,
            hnsw_config: None,
            quantization_config: None,
            on_disk: None,
            datatype: None,
            multivector_config: None,
            memory: None,
        }
    }
}

/// One sparse vector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SparseVectorParams {
    /// How it is indexed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<SparseIndexParams>,
    /// What its values are multiplied by when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modifier: Option<Modifier>,
}

/// How a sparse vector is indexed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SparseIndexParams {
    /// With fewer vectors than this, all are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_scan_threshold: Option<usize>,
    /// Whether the index stays on the disk until it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_disk: Option<bool>,
    /// What its numbers are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datatype: Option<VectorStorageDatatype>,
    /// Where it is held; stronger than `on_disk`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
}
