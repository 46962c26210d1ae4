//! Strict mode, both ways (`qdrant/qdrant:lib/api/src/grpc/conversions.rs`).
#![allow(deprecated, reason = "clients still say max_resident_memory_percent")]

use node::points::config::{StrictModeConfig, StrictModeMultivector, StrictModeSparse};
use qdrant_client::qdrant as proto;

/// The limits that a request names.
pub(super) fn read(config: proto::StrictModeConfig) -> StrictModeConfig {
    let small = |number: Option<u32>| number.map(|x| x as usize);
    let large = |number: Option<u64>| number.map(|x| x as usize);
    StrictModeConfig {
        enabled: config.enabled,
        max_query_limit: small(config.max_query_limit),
        max_timeout: small(config.max_timeout),
        unindexed_filtering_retrieve: config.unindexed_filtering_retrieve,
        unindexed_filtering_update: config.unindexed_filtering_update,
        search_max_hnsw_ef: small(config.search_max_hnsw_ef),
        search_allow_exact: config.search_allow_exact,
        search_max_oversampling: config.search_max_oversampling.map(f64::from),
        upsert_max_batchsize: large(config.upsert_max_batchsize),
        search_max_batchsize: large(config.search_max_batchsize),
        max_collection_vector_size_bytes: large(config.max_collection_vector_size_bytes),
        read_rate_limit: small(config.read_rate_limit),
        write_rate_limit: small(config.write_rate_limit),
        max_collection_payload_size_bytes: large(config.max_collection_payload_size_bytes),
        max_points_count: large(config.max_points_count),
        filter_max_conditions: large(config.filter_max_conditions),
        condition_max_size: large(config.condition_max_size),
        multivector_config: config.multivector_config.map(|of| {
            let turn = |of: proto::StrictModeMultivector| StrictModeMultivector {
                max_vectors: large(of.max_vectors),
            };
            of.multivector_config.into_iter().map(|(name, of)| (name, turn(of))).collect()
        }),
        sparse_config: config.sparse_config.map(|of| {
            let turn = |of: proto::StrictModeSparse| StrictModeSparse { max_length: large(of.max_length) };
            of.sparse_config.into_iter().map(|(name, of)| (name, turn(of))).collect()
        }),
        max_payload_index_count: large(config.max_payload_index_count),
        max_resident_memory_percent: small(config.max_resident_memory_percent),
    }
}

/// The limits of a collection.
pub(super) fn write(config: &StrictModeConfig) -> proto::StrictModeConfig {
    let small = |number: Option<usize>| number.map(|x| u32::try_from(x).unwrap_or(u32::MAX));
    let large = |number: Option<usize>| number.map(|x| x as u64);
    proto::StrictModeConfig {
        enabled: config.enabled,
        max_query_limit: small(config.max_query_limit),
        max_timeout: small(config.max_timeout),
        unindexed_filtering_retrieve: config.unindexed_filtering_retrieve,
        unindexed_filtering_update: config.unindexed_filtering_update,
        search_max_hnsw_ef: small(config.search_max_hnsw_ef),
        search_allow_exact: config.search_allow_exact,
        search_max_oversampling: config.search_max_oversampling.map(|x| x as f32),
        upsert_max_batchsize: large(config.upsert_max_batchsize),
        search_max_batchsize: large(config.search_max_batchsize),
        max_collection_vector_size_bytes: large(config.max_collection_vector_size_bytes),
        read_rate_limit: small(config.read_rate_limit),
        write_rate_limit: small(config.write_rate_limit),
        max_collection_payload_size_bytes: large(config.max_collection_payload_size_bytes),
        filter_max_conditions: large(config.filter_max_conditions),
        condition_max_size: large(config.condition_max_size),
        multivector_config: config.multivector_config.as_ref().map(|of| {
            let turn = |of: &StrictModeMultivector| proto::StrictModeMultivector {
                max_vectors: large(of.max_vectors),
            };
            let multivector_config = of.iter().map(|(name, of)| (name.clone(), turn(of))).collect();
            proto::StrictModeMultivectorConfig { multivector_config }
        }),
        sparse_config: config.sparse_config.as_ref().map(|of| {
            let turn = |of: &StrictModeSparse| proto::StrictModeSparse { max_length: large(of.max_length) };
            let sparse_config = of.iter().map(|(name, of)| (name.clone(), turn(of))).collect();
            proto::StrictModeSparseConfig { sparse_config }
        }),
        max_points_count: large(config.max_points_count),
        max_payload_index_count: large(config.max_payload_index_count),
        max_resident_memory_percent: small(config.max_resident_memory_percent),
    }
}
