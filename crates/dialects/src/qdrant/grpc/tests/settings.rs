//! Settings that clients send come back to them as they were.
#![allow(deprecated, reason = "clients still say on_disk")]

use std::collections::BTreeMap;

use node::collections::{CollectionInfo, CollectionStatus};
use node::points::engine::{PayloadFieldSchema, PayloadIndexInfo};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::payload_index_params::IndexParams;
use qdrant_client::qdrant::quantization_config::Quantization;
use qdrant_client::qdrant::vectors_config::Config;
use serde_json::json;
use uuid::Uuid;

use crate::qdrant::grpc::{index, info, settings};

fn vector() -> proto::VectorParams {
    proto::VectorParams {
        size: 4,
        distance: proto::Distance::Dot.into(),
        hnsw_config: Some(hnsw()),
        quantization_config: quantization(Quantization::Scalar(proto::ScalarQuantization {
            r#type: proto::QuantizationType::Int8.into(),
            quantile: Some(0.99),
            always_ram: Some(true),
            memory: None,
        })),
        on_disk: Some(true),
        datatype: Some(proto::Datatype::Float16.into()),
        multivector_config: Some(proto::MultiVectorConfig {
            comparator: proto::MultiVectorComparator::MaxSim.into(),
        }),
        memory: Some(proto::Memory::Cached.into()),
    }
}

fn quantization(of: Quantization) -> Option<proto::QuantizationConfig> {
    Some(proto::QuantizationConfig { quantization: Some(of) })
}

fn hnsw() -> proto::HnswConfigDiff {
    proto::HnswConfigDiff {
        m: Some(8),
        ef_construct: Some(50),
        full_scan_threshold: Some(1000),
        max_indexing_threads: Some(2),
        on_disk: Some(false),
        payload_m: Some(4),
        inline_storage: Some(true),
        memory: Some(proto::Memory::Cold.into()),
    }
}

fn shown(request: proto::CreateCollection) -> proto::CollectionConfig {
    let (name, create) = settings::create(request).unwrap();
    assert_eq!(name, "c");
    let info = CollectionInfo {
        status: CollectionStatus::Green,
        optimizer_error: None,
        points_count: 1,
        indexed_vectors_count: 2,
        segments_count: 3,
        config: create.into_config(Uuid::nil()).unwrap(),
        payload_schema: BTreeMap::new(),
    };
    let info = info::collection(info);
    assert_eq!((info.points_count, info.indexed_vectors_count, info.segments_count), (Some(1), Some(2), 3));
    assert_eq!(info.status, i32::from(proto::CollectionStatus::Green));
    assert!(info.optimizer_status.unwrap().ok);
    info.config.unwrap()
}

#[test]
fn a_collection_shows_what_it_was_made_with() {
    let sparse = proto::SparseVectorParams {
        index: Some(proto::SparseIndexConfig {
            full_scan_threshold: Some(7),
            on_disk: Some(true),
            datatype: Some(proto::Datatype::Uint8.into()),
            memory: None,
        }),
        modifier: Some(proto::Modifier::Idf.into()),
    };
    let vectors = proto::VectorsConfig {
        config: Some(Config::ParamsMap(proto::VectorParamsMap { map: [("v".to_owned(), vector())].into() })),
    };
    let sparse_vectors = proto::SparseVectorConfig { map: [("s".to_owned(), sparse)].into() };
    let optimizers = proto::OptimizersConfigDiff {
        deleted_threshold: Some(0.5),
        vacuum_min_vector_number: Some(200),
        default_segment_number: Some(3),
        max_segment_size: Some(1 << 20),
        memmap_threshold: Some(100),
        indexing_threshold: Some(0),
        flush_interval_sec: Some(9),
        deprecated_max_optimization_threads: None,
        max_optimization_threads: Some(proto::MaxOptimizationThreads {
            variant: Some(proto::max_optimization_threads::Variant::Value(2)),
        }),
        prevent_unoptimized: Some(false),
    };
    let wal = proto::WalConfigDiff {
        wal_capacity_mb: Some(1),
        wal_segments_ahead: Some(2),
        wal_retain_closed: Some(3),
    };
    let strict = proto::StrictModeConfig {
        enabled: Some(false),
        max_query_limit: Some(10),
        search_max_oversampling: Some(2.5),
        multivector_config: Some(proto::StrictModeMultivectorConfig {
            multivector_config: [("v".to_owned(), proto::StrictModeMultivector { max_vectors: Some(5) })]
                .into(),
        }),
        ..Default::default()
    };
    let config = shown(proto::CreateCollection {
        collection_name: "c".into(),
        hnsw_config: Some(hnsw()),
        wal_config: Some(wal),
        optimizers_config: Some(optimizers),
        shard_number: Some(2),
        on_disk_payload: Some(false),
        vectors_config: Some(vectors.clone()),
        replication_factor: Some(1),
        write_consistency_factor: Some(1),
        quantization_config: quantization(Quantization::Product(proto::ProductQuantization {
            compression: proto::CompressionRatio::X16.into(),
            always_ram: None,
            memory: Some(proto::Memory::Pinned.into()),
        })),
        sparse_vectors_config: Some(sparse_vectors.clone()),
        strict_mode_config: Some(strict.clone()),
        metadata: [("who".to_owned(), "me".into())].into(),
        ..Default::default()
    });
    let params = config.params.unwrap();
    assert_eq!((params.shard_number, params.on_disk_payload), (2, false));
    assert_eq!(params.vectors_config, Some(vectors));
    assert_eq!(params.sparse_vectors_config, Some(sparse_vectors));
    assert_eq!(config.hnsw_config, Some(hnsw()));
    assert_eq!(
        config.optimizer_config,
        Some(proto::OptimizersConfigDiff { deprecated_max_optimization_threads: Some(2), ..optimizers })
    );
    assert_eq!(config.wal_config, Some(wal));
    assert_eq!(config.strict_mode_config, Some(strict));
    assert_eq!(config.metadata, [("who".to_owned(), "me".into())].into());
}

#[test]
fn every_compression_comes_back() {
    use proto::binary_quantization_query_encoding::{Setting, Variant};
    let (scalar4, memory) = (Setting::Scalar4Bits.into(), Some(proto::Memory::Pinned.into()));
    let query_encoding = proto::BinaryQuantizationQueryEncoding { variant: Some(Variant::Setting(scalar4)) };
    let bits = Some(proto::TurboQuantBitSize::Bits15.into());
    for of in [
        Quantization::Binary(proto::BinaryQuantization {
            always_ram: Some(false),
            encoding: Some(proto::BinaryQuantizationEncoding::OneAndHalfBits.into()),
            query_encoding: Some(query_encoding),
            memory: None,
        }),
        Quantization::Turboquant(proto::TurboQuantization { always_ram: None, bits, memory }),
        Quantization::Turboquant(proto::TurboQuantization { always_ram: None, bits: None, memory: None }),
    ] {
        let config = shown(proto::CreateCollection {
            collection_name: "c".into(),
            quantization_config: quantization(of),
            ..Default::default()
        });
        assert_eq!(config.quantization_config, quantization(of));
    }
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let create = |vectors_config: proto::VectorParams| {
        let config = Some(Config::Params(vectors_config));
        settings::create(proto::CreateCollection {
            collection_name: "c".into(),
            vectors_config: Some(proto::VectorsConfig { config }),
            ..Default::default()
        })
        .unwrap_err()
    };
    assert_eq!(
        create(proto::VectorParams { size: 0, ..vector() }).message(),
        "Validation error in body: [vectors_config.size: value 0 invalid, must be from 1 to 65536]"
    );
    assert_eq!(
        create(proto::VectorParams { distance: 0, ..vector() }).message(),
        "Malformed distance parameter: UnknownDistance"
    );
    for broken in [
        proto::VectorParams { distance: 99, ..vector() },
        proto::VectorParams { datatype: Some(-1), ..vector() },
        proto::VectorParams { memory: Some(99), ..vector() },
        proto::VectorParams { quantization_config: Some(Default::default()), ..vector() },
    ] {
        assert_eq!(create(broken).code(), tonic::Code::InvalidArgument);
    }
}

#[test]
fn every_index_comes_back() {
    let text = proto::TextIndexParams {
        tokenizer: proto::TokenizerType::Multilingual.into(),
        lowercase: Some(true),
        min_token_len: Some(2),
        max_token_len: Some(20),
        stopwords: Some(proto::StopwordsSet {
            languages: vec!["english".into()],
            custom: vec!["foo".into()],
        }),
        phrase_matching: Some(true),
        stemmer: Some(proto::StemmingAlgorithm {
            stemming_params: Some(proto::stemming_algorithm::StemmingParams::Snowball(
                proto::SnowballParams { language: "german".into() },
            )),
        }),
        ascii_folding: Some(false),
        ..Default::default()
    };
    let keyword = proto::KeywordIndexParams {
        is_tenant: Some(true),
        prefix: Some(proto::KeywordPrefixParams {}),
        memory: Some(proto::Memory::Cold.into()),
        ..Default::default()
    };
    let integer =
        proto::IntegerIndexParams { lookup: Some(false), on_disk: Some(true), ..Default::default() };
    for (kind, params) in [
        (proto::FieldType::Keyword, IndexParams::KeywordIndexParams(keyword)),
        (proto::FieldType::Integer, IndexParams::IntegerIndexParams(integer)),
        (proto::FieldType::Float, IndexParams::FloatIndexParams(Default::default())),
        (proto::FieldType::Geo, IndexParams::GeoIndexParams(Default::default())),
        (proto::FieldType::Text, IndexParams::TextIndexParams(text)),
        (proto::FieldType::Bool, IndexParams::BoolIndexParams(Default::default())),
        (proto::FieldType::Datetime, IndexParams::DatetimeIndexParams(Default::default())),
        (proto::FieldType::Uuid, IndexParams::UuidIndexParams(Default::default())),
    ] {
        let params = proto::PayloadIndexParams { index_params: Some(params) };
        let schema = index::schema(Some(kind.into()), Some(params.clone())).unwrap();
        let shown = index::info(&PayloadIndexInfo::new(schema, 5));
        // The types of a schema count from one.
        assert_eq!((shown.data_type, shown.params, shown.points), (kind as i32 + 1, Some(params), Some(5)));
    }
}

#[test]
fn an_index_must_be_of_its_type() {
    let keyword = || {
        let params = IndexParams::KeywordIndexParams(Default::default());
        Some(proto::PayloadIndexParams { index_params: Some(params) })
    };
    let plain = index::schema(Some(proto::FieldType::Geo.into()), None).unwrap();
    assert_eq!(plain, serde_json::from_value::<PayloadFieldSchema>(json!("geo")).unwrap());
    let text = |kind, params| index::schema(kind, params).unwrap_err().message().to_owned();
    assert_eq!(
        text(Some(proto::FieldType::Geo.into()), keyword()),
        "field_type (Some(Geo)) and field_index_params do not match"
    );
    assert_eq!(text(None, keyword()), "cannot convert field_type");
    assert_eq!(text(Some(99), None), "cannot convert field_type");
}
