//! What is asked of a new collection, or of one that changes, from messages
//! (`qdrant/qdrant:lib/storage/src/content_manager/conversions.rs`).

use std::collections::{BTreeMap, HashMap};
use std::num::{NonZeroU32, NonZeroU64};

use node::points::config::{
    CollectionParamsDiff, CreateCollection, HnswConfigDiff, IdTrackerParams, MaxOptimizationThreads,
    OptimizersConfigDiff, PayloadStorageParams, ShardingMethod, SparseIndexParams, SparseVectorParams,
    UpdateCollection, VectorParams, VectorParamsDiff, VectorsConfig, WalConfigDiff, check_name,
};
use node::points::engine::{Distance, Modifier, MultiVectorComparator, MultiVectorConfig, Payload};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::max_optimization_threads::{Setting, Variant};
use qdrant_client::qdrant::vectors_config::Config;
use qdrant_client::qdrant::vectors_config_diff::Config as Change;

use super::check::{Faults, Result, fault, invalid, required};
use super::compress::{change, datatype, memory, quantization};
use super::{limits, payload};

/// The settings of a new collection, and its name.
#[allow(deprecated, reason = "clients still say on_disk_payload")]
pub(super) fn create(request: proto::CreateCollection) -> Result<(String, CreateCollection)> {
    Faults::default().at_least("timeout", request.timeout, 1).check()?;
    check_name(&request.collection_name).map_err(|error| {
        let flaws = error.text.replacen("[name: ", "[collection_name: ", 1);
        invalid(format!("Validation error in body: {flaws}"))
    })?;
    let sharding_method = match request.sharding_method {
        None => None,
        Some(number) => match proto::ShardingMethod::try_from(number) {
            Ok(proto::ShardingMethod::Auto) => Some(ShardingMethod::Auto),
            Ok(proto::ShardingMethod::Custom) => Some(ShardingMethod::Custom),
            Err(_) => return Err(invalid(format!("Unknown sharding method: {number}"))),
        },
    };
    let settings = CreateCollection {
        vectors: match request.vectors_config.and_then(|vectors| vectors.config) {
            None => VectorsConfig::default(),
            Some(Config::Params(params)) => VectorsConfig::Single(vector(params)?),
            Some(Config::ParamsMap(params)) => VectorsConfig::Multi(by_name(params.map, vector)?),
        },
        shard_number: request.shard_number,
        sharding_method,
        replication_factor: request.replication_factor,
        write_consistency_factor: request.write_consistency_factor,
        on_disk_payload: request.on_disk_payload,
        payload: request.payload.map(payload_storage).transpose()?,
        id_tracker: match request.id_tracker {
            None => None,
            Some(params) => Some(IdTrackerParams { memory: memory(params.memory)? }),
        },
        hnsw_config: request.hnsw_config.map(hnsw).transpose()?,
        wal_config: request.wal_config.map(wal),
        optimizers_config: request.optimizers_config.map(optimizers).transpose()?,
        quantization_config: request.quantization_config.map(quantization).transpose()?,
        sparse_vectors: sparse_vectors(request.sparse_vectors_config)?,
        strict_mode_config: request.strict_mode_config.map(limits::read),
        metadata: metadata(request.metadata)?,
        init_from: None,
    };
    Ok((request.collection_name, settings))
}

/// What changes of a collection, and its name.
pub(super) fn update(request: proto::UpdateCollection) -> Result<(String, UpdateCollection)> {
    Faults::of(&request.collection_name).at_least("timeout", request.timeout, 1).check()?;
    let settings = UpdateCollection {
        vectors: match request.vectors_config.and_then(|vectors| vectors.config) {
            None => None,
            Some(Change::Params(diff)) => Some(BTreeMap::from([(String::new(), vector_diff(diff)?)])),
            Some(Change::ParamsMap(diffs)) => Some(by_name(diffs.map, vector_diff)?),
        },
        optimizers_config: request.optimizers_config.map(optimizers).transpose()?,
        params: request.params.map(params_diff).transpose()?,
        hnsw_config: request.hnsw_config.map(hnsw).transpose()?,
        quantization_config: request.quantization_config.map(change).transpose()?,
        sparse_vectors: sparse_vectors(request.sparse_vectors_config)?,
        strict_mode_config: request.strict_mode_config.map(limits::read),
        metadata: metadata(request.metadata)?,
    };
    Ok((request.collection_name, settings))
}

fn by_name<A, B>(map: HashMap<String, A>, turn: impl Fn(A) -> Result<B>) -> Result<BTreeMap<String, B>> {
    map.into_iter().map(|(name, value)| Ok((name, turn(value)?))).collect()
}

fn metadata(fields: HashMap<String, proto::Value>) -> Result<Option<Payload>> {
    match fields.is_empty() {
        true => Ok(None),
        false => payload::read(fields).map(Some),
    }
}

#[allow(deprecated, reason = "clients still say on_disk")]
fn vector(params: proto::VectorParams) -> Result<VectorParams> {
    let size = NonZeroU64::new(params.size)
        .ok_or_else(|| fault("vectors_config.size", "value 0 invalid, must be from 1 to 65536"))?;
    Ok(VectorParams {
        size,
        distance: distance(params.distance)?,
        hnsw_config: params.hnsw_config.map(hnsw).transpose()?,
        quantization_config: params.quantization_config.map(quantization).transpose()?,
        on_disk: params.on_disk,
        datatype: datatype(params.datatype)?,
        multivector_config: params.multivector_config.map(multivector).transpose()?,
        memory: memory(params.memory)?,
    })
}

fn distance(number: i32) -> Result<Distance> {
    match proto::Distance::try_from(number) {
        Ok(proto::Distance::Cosine) => Ok(Distance::Cosine),
        Ok(proto::Distance::Euclid) => Ok(Distance::Euclid),
        Ok(proto::Distance::Dot) => Ok(Distance::Dot),
        Ok(proto::Distance::Manhattan) => Ok(Distance::Manhattan),
        Ok(proto::Distance::UnknownDistance) => Err(invalid("Malformed distance parameter: UnknownDistance")),
        Err(_) => Err(invalid(format!("Bad value of distance field! value: {number}"))),
    }
}

fn multivector(config: proto::MultiVectorConfig) -> Result<MultiVectorConfig> {
    match proto::MultiVectorComparator::try_from(config.comparator) {
        Ok(proto::MultiVectorComparator::MaxSim) => {
            Ok(MultiVectorConfig { comparator: MultiVectorComparator::MaxSim })
        }
        Err(_) => Err(invalid("Unknown multi vector comparator")),
    }
}

#[allow(deprecated, reason = "clients still say on_disk")]
fn vector_diff(diff: proto::VectorParamsDiff) -> Result<VectorParamsDiff> {
    Ok(VectorParamsDiff {
        hnsw_config: diff.hnsw_config.map(hnsw).transpose()?,
        quantization_config: diff.quantization_config.map(change).transpose()?,
        on_disk: diff.on_disk,
        memory: memory(diff.memory)?,
    })
}

#[allow(deprecated, reason = "clients still say on_disk_payload")]
fn params_diff(diff: proto::CollectionParamsDiff) -> Result<CollectionParamsDiff> {
    if diff.id_tracker.is_some() {
        return Err(tonic::Status::unimplemented("The placement of ids is fixed when a collection is made"));
    }
    Ok(CollectionParamsDiff {
        replication_factor: factor("params.replication_factor", diff.replication_factor)?,
        write_consistency_factor: factor("params.write_consistency_factor", diff.write_consistency_factor)?,
        read_fan_out_factor: diff.read_fan_out_factor,
        read_fan_out_delay_ms: diff.read_fan_out_delay_ms,
        on_disk_payload: diff.on_disk_payload,
        payload: diff.payload.map(payload_storage).transpose()?,
    })
}

fn factor(field: &str, number: Option<u32>) -> Result<Option<NonZeroU32>> {
    let zero = || fault(field, "value 0 invalid, must be 1 or larger");
    number.map(|number| NonZeroU32::new(number).ok_or_else(zero)).transpose()
}

fn payload_storage(params: proto::PayloadStorageParams) -> Result<PayloadStorageParams> {
    Ok(PayloadStorageParams { memory: memory(params.memory)? })
}

fn sparse_vectors(
    config: Option<proto::SparseVectorConfig>,
) -> Result<Option<BTreeMap<String, SparseVectorParams>>> {
    config.map(|config| by_name(config.map, sparse_vector)).transpose()
}

#[allow(deprecated, reason = "clients still say on_disk")]
fn sparse_vector(params: proto::SparseVectorParams) -> Result<SparseVectorParams> {
    Ok(SparseVectorParams {
        index: match params.index {
            None => None,
            Some(index) => Some(SparseIndexParams {
                full_scan_threshold: index.full_scan_threshold.map(|x| x as usize),
                on_disk: index.on_disk,
                datatype: datatype(index.datatype)?,
                memory: memory(index.memory)?,
            }),
        },
        modifier: match params.modifier {
            None => None,
            Some(number) => Some(match proto::Modifier::try_from(number) {
                Ok(proto::Modifier::None) => Modifier::None,
                Ok(proto::Modifier::Idf) => Modifier::Idf,
                Err(_) => return Err(invalid(format!("Unknown modifier: {number}"))),
            }),
        },
    })
}

#[allow(deprecated, reason = "clients still say on_disk")]
fn hnsw(diff: proto::HnswConfigDiff) -> Result<HnswConfigDiff> {
    Ok(HnswConfigDiff {
        m: diff.m.map(|x| x as usize),
        ef_construct: diff.ef_construct.map(|x| x as usize),
        full_scan_threshold: diff.full_scan_threshold.map(|x| x as usize),
        max_indexing_threads: diff.max_indexing_threads.map(|x| x as usize),
        on_disk: diff.on_disk,
        payload_m: diff.payload_m.map(|x| x as usize),
        inline_storage: diff.inline_storage,
        memory: memory(diff.memory)?,
    })
}

fn wal(diff: proto::WalConfigDiff) -> WalConfigDiff {
    WalConfigDiff {
        wal_capacity_mb: diff.wal_capacity_mb.map(|x| x as usize),
        wal_segments_ahead: diff.wal_segments_ahead.map(|x| x as usize),
        wal_retain_closed: diff.wal_retain_closed.map(|x| x as usize),
    }
}

fn optimizers(diff: proto::OptimizersConfigDiff) -> Result<OptimizersConfigDiff> {
    let threads = match diff.max_optimization_threads {
        Some(threads) => match required(threads.variant, "Malformed MaxOptimizationThreads")? {
            Variant::Value(number) => Some(MaxOptimizationThreads::Threads(number as usize)),
            Variant::Setting(number) => match Setting::try_from(number) {
                Ok(Setting::Auto) => Some(MaxOptimizationThreads::AUTO),
                Err(error) => {
                    return Err(invalid(format!("Invalid MaxOptimizationThreads setting: {error}")));
                }
            },
        },
        None => diff
            .deprecated_max_optimization_threads
            .map(|number| MaxOptimizationThreads::Threads(number as usize)),
    };
    Ok(OptimizersConfigDiff {
        deleted_threshold: diff.deleted_threshold,
        vacuum_min_vector_number: diff.vacuum_min_vector_number.map(|x| x as usize),
        default_segment_number: diff.default_segment_number.map(|x| x as usize),
        max_segment_size: diff.max_segment_size.map(|x| x as usize),
        memmap_threshold: diff.memmap_threshold.map(|x| x as usize),
        indexing_threshold: diff.indexing_threshold.map(|x| x as usize),
        flush_interval_sec: diff.flush_interval_sec,
        max_optimization_threads: threads,
        prevent_unoptimized: diff.prevent_unoptimized,
    })
}
