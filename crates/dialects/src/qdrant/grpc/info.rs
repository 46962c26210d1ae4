//! Collections as they are, in messages (`qdrant/qdrant:lib/collection/src/operations/conversions.rs`).

use std::collections::HashMap;

use node::collections::{CollectionInfo, CollectionStatus};
use node::points::config::{
    CollectionConfig, CollectionParams, HnswConfigDiff, OptimizersConfig, ShardingMethod, SparseVectorParams,
    VectorParams, VectorsConfig,
};
use node::points::engine::{Distance, HnswIndexConfig, Modifier, MultiVectorComparator};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::max_optimization_threads::{Setting, Variant};
use qdrant_client::qdrant::vectors_config::Config;

use super::compress::{datatype_out, memory_out, quantization_out};
use super::{index, limits, payload};

/// What there is to know of a collection.
pub(super) fn collection(info: CollectionInfo) -> proto::CollectionInfo {
    let status = match info.status {
        CollectionStatus::Green => proto::CollectionStatus::Green,
        CollectionStatus::Yellow => proto::CollectionStatus::Yellow,
        CollectionStatus::Grey => proto::CollectionStatus::Grey,
        CollectionStatus::Red => proto::CollectionStatus::Red,
    };
    proto::CollectionInfo {
        status: status.into(),
        optimizer_status: Some(proto::OptimizerStatus {
            ok: info.optimizer_error.is_none(),
            error: info.optimizer_error.unwrap_or_default(),
        }),
        segments_count: info.segments_count,
        config: Some(config(info.config)),
        payload_schema: info
            .payload_schema
            .into_iter()
            .map(|(field, schema)| (field, index::info(&schema)))
            .collect(),
        points_count: Some(info.points_count),
        indexed_vectors_count: Some(info.indexed_vectors_count),
        warnings: Vec::new(),
        update_queue: Some(proto::UpdateQueueInfo { length: 0, deferred_points: None }),
        created_at: None,
    }
}

fn config(config: CollectionConfig) -> proto::CollectionConfig {
    let wal = config.wal_config;
    proto::CollectionConfig {
        params: Some(params(config.params)),
        hnsw_config: Some(hnsw(&whole(config.hnsw_config))),
        optimizer_config: Some(optimizers(&config.optimizer_config)),
        wal_config: Some(proto::WalConfigDiff {
            wal_capacity_mb: Some(wal.wal_capacity_mb as u64),
            wal_segments_ahead: Some(wal.wal_segments_ahead as u64),
            wal_retain_closed: Some(wal.wal_retain_closed as u64),
        }),
        quantization_config: config.quantization_config.as_ref().map(quantization_out),
        strict_mode_config: config.strict_mode_config.as_ref().map(limits::write),
        metadata: config.metadata.map(|metadata| payload::fields(metadata.0)).unwrap_or_default(),
    }
}

#[allow(deprecated, reason = "older clients read on_disk_payload")]
fn params(params: CollectionParams) -> proto::CollectionParams {
    proto::CollectionParams {
        shard_number: params.shard_number.get(),
        on_disk_payload: params.on_disk_payload,
        vectors_config: vectors(&params.vectors),
        replication_factor: Some(params.replication_factor.get()),
        write_consistency_factor: Some(params.write_consistency_factor.get()),
        read_fan_out_factor: params.read_fan_out_factor,
        sharding_method: params.sharding_method.map(|method| match method {
            ShardingMethod::Auto => proto::ShardingMethod::Auto.into(),
            ShardingMethod::Custom => proto::ShardingMethod::Custom.into(),
        }),
        sparse_vectors_config: params.sparse_vectors.map(|sparse| proto::SparseVectorConfig {
            map: sparse.iter().map(|(name, params)| (name.clone(), sparse_vector(params))).collect(),
        }),
        read_fan_out_delay_ms: params.read_fan_out_delay_ms,
        payload: params.payload.map(|of| proto::PayloadStorageParams { memory: of.memory.map(memory_out) }),
        id_tracker: params.id_tracker.map(|of| proto::IdTrackerParams { memory: of.memory.map(memory_out) }),
    }
}

/// A collection without dense vectors has an empty map of them.
fn vectors(vectors: &VectorsConfig) -> Option<proto::VectorsConfig> {
    let config = match vectors {
        VectorsConfig::Single(params) => Config::Params(vector(params)),
        VectorsConfig::Multi(params) => {
            let map: HashMap<_, _> =
                params.iter().map(|(name, params)| (name.clone(), vector(params))).collect();
            Config::ParamsMap(proto::VectorParamsMap { map })
        }
    };
    Some(proto::VectorsConfig { config: Some(config) })
}

#[allow(deprecated, reason = "what was said of on_disk must come back")]
fn vector(params: &VectorParams) -> proto::VectorParams {
    let distance = match params.distance {
        Distance::Cosine => proto::Distance::Cosine,
        Distance::Euclid => proto::Distance::Euclid,
        Distance::Dot => proto::Distance::Dot,
        Distance::Manhattan => proto::Distance::Manhattan,
    };
    proto::VectorParams {
        size: params.size.get(),
        distance: distance.into(),
        hnsw_config: params.hnsw_config.as_ref().map(hnsw),
        quantization_config: params.quantization_config.as_ref().map(quantization_out),
        on_disk: params.on_disk,
        datatype: params.datatype.map(datatype_out),
        multivector_config: params.multivector_config.map(|config| match config.comparator {
            MultiVectorComparator::MaxSim => {
                proto::MultiVectorConfig { comparator: proto::MultiVectorComparator::MaxSim.into() }
            }
        }),
        memory: params.memory.map(memory_out),
    }
}

#[allow(deprecated, reason = "what was said of on_disk must come back")]
fn sparse_vector(params: &SparseVectorParams) -> proto::SparseVectorParams {
    proto::SparseVectorParams {
        index: params.index.map(|index| proto::SparseIndexConfig {
            full_scan_threshold: index.full_scan_threshold.map(|x| x as u64),
            on_disk: index.on_disk,
            datatype: index.datatype.map(datatype_out),
            memory: index.memory.map(memory_out),
        }),
        modifier: params.modifier.map(|modifier| match modifier {
            Modifier::None => proto::Modifier::None.into(),
            Modifier::Idf => proto::Modifier::Idf.into(),
        }),
    }
}

#[allow(deprecated, reason = "what was said of on_disk must come back")]
fn whole(config: HnswIndexConfig) -> HnswConfigDiff {
    HnswConfigDiff {
        m: Some(config.m),
        ef_construct: Some(config.ef_construct),
        full_scan_threshold: Some(config.full_scan_threshold),
        max_indexing_threads: Some(config.max_indexing_threads),
        on_disk: config.on_disk,
        payload_m: config.payload_m,
        inline_storage: config.inline_storage,
        memory: config.memory,
    }
}

#[allow(deprecated, reason = "what was said of on_disk must come back")]
fn hnsw(config: &HnswConfigDiff) -> proto::HnswConfigDiff {
    proto::HnswConfigDiff {
        m: config.m.map(|x| x as u64),
        ef_construct: config.ef_construct.map(|x| x as u64),
        full_scan_threshold: config.full_scan_threshold.map(|x| x as u64),
        max_indexing_threads: config.max_indexing_threads.map(|x| x as u64),
        on_disk: config.on_disk,
        payload_m: config.payload_m.map(|x| x as u64),
        inline_storage: config.inline_storage,
        memory: config.memory.map(memory_out),
    }
}

fn optimizers(config: &OptimizersConfig) -> proto::OptimizersConfigDiff {
    let threads = config.max_optimization_threads.map(|x| x as u64);
    let variant = threads.map_or(Variant::Setting(Setting::Auto.into()), Variant::Value);
    proto::OptimizersConfigDiff {
        deleted_threshold: Some(config.deleted_threshold),
        vacuum_min_vector_number: Some(config.vacuum_min_vector_number as u64),
        default_segment_number: Some(config.default_segment_number as u64),
        max_segment_size: config.max_segment_size.map(|x| x as u64),
        memmap_threshold: config.memmap_threshold.map(|x| x as u64),
        indexing_threshold: config.indexing_threshold.map(|x| x as u64),
        flush_interval_sec: Some(config.flush_interval_sec),
        deprecated_max_optimization_threads: threads,
        max_optimization_threads: Some(proto::MaxOptimizationThreads { variant: Some(variant) }),
        prevent_unoptimized: config.prevent_unoptimized,
    }
}
