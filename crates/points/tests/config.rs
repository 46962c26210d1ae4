//! Settings of genuine servers, and requests that make, change and break some.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use points::config::{CollectionConfig, CreateCollection, UpdateCollection, check_name};
use points::{Error, Kind};
use serde_json::{Value, json};
use uuid::Uuid;

fn create(body: Value) -> Result<CollectionConfig, Error> {
    serde_json::from_value::<CreateCollection>(body).unwrap().into_config(Uuid::nil())
}

fn update(config: &mut CollectionConfig, body: Value) -> Result<(), Error> {
    config.update(&serde_json::from_value::<UpdateCollection>(body).unwrap())
}

fn genuine() -> Value {
    json!({
        "params": {
            "vectors": {"size": 8, "distance": "Cosine"},
            "shard_number": 1, "replication_factor": 1, "write_consistency_factor": 1,
            "on_disk_payload": true
        },
        "hnsw_config": {
            "m": 16, "ef_construct": 100, "full_scan_threshold": 10000, "max_indexing_threads": 0,
            "on_disk": false
        },
        "optimizer_config": {
            "deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0,
            "max_segment_size": null, "memmap_threshold": null, "indexing_threshold": 10000,
            "flush_interval_sec": 5, "max_optimization_threads": null, "prevent_unoptimized": null
        },
        "wal_config": {"wal_capacity_mb": 1, "wal_segments_ahead": 0, "wal_retain_closed": 1},
        "quantization_config": null,
        "uuid": null
    })
}

#[test]
fn a_genuine_document_comes_back_as_it_was() {
    let config: CollectionConfig = serde_json::from_value(genuine()).unwrap();
    assert_eq!(serde_json::to_value(&config).unwrap(), genuine());
}

#[test]
fn defaults_are_those_of_a_genuine_server() {
    let body = json!({"vectors": {"size": 8, "distance": "Cosine"}, "wal_config": {"wal_capacity_mb": 1}});
    let mut config = create(body).unwrap();
    config.uuid = None;
    assert_eq!(serde_json::to_value(config).unwrap(), genuine());
}

#[test]
fn what_is_out_of_bounds_is_named() {
    let flaws = |body| {
        let error = create(body).unwrap_err();
        assert_eq!(error.kind, Kind::Unprocessable, "{error}");
        error.text
    };
    assert_eq!(
        flaws(json!({"vectors": {"size": 65537, "distance": "Dot"}, "shard_number": 0})),
        "[vectors.size: value 65537 invalid, must be from 1 to 65536; \
         shard_number: value 0 invalid, must be 1 or larger]"
    );
    assert_eq!(
        flaws(json!({"vectors": {"a": {"size": 4, "distance": "Dot", "hnsw_config": {"ef_construct": 3}}}})),
        "[vectors.?.hnsw_config.ef_construct: value 3 invalid, must be 4 or larger]"
    );
    assert_eq!(
        flaws(json!({"quantization_config": {"scalar": {"type": "int8", "quantile": 0.25}}})),
        "[quantization_config.scalar.quantile: value 0.25 invalid, must be from 0.5 to 1.0]"
    );
}

#[test]
fn what_we_do_not_do_is_refused_by_name() {
    for (body, name) in [
        (json!({"sharding_method": "custom"}), "custom sharding"),
        (json!({"strict_mode_config": {"enabled": true}}), "strict mode"),
        (json!({"optimizers_config": {"prevent_unoptimized": true}}), "prevent_unoptimized"),
        (json!({"shard_number": 65}), "shard_number"),
        (json!({"init_from": {"collection": "a"}}), "init_from"),
    ] {
        let error = create(body).unwrap_err();
        assert_eq!(error.kind, Kind::Unsupported);
        assert!(error.text.contains(name), "{error}");
    }
}

#[test]
fn a_change_keeps_what_it_does_not_name() {
    let mut config = create(json!({
        "vectors": {"a": {"size": 4, "distance": "Dot", "hnsw_config": {"m": 8}}},
        "sparse_vectors": {"s": {"modifier": "idf"}},
        "metadata": {"x": 1, "y": 2}
    }))
    .unwrap();
    let before = config.clone();
    update(
        &mut config,
        json!({
            "vectors": {"a": {"hnsw_config": {"payload_m": 4}, "quantization_config": {"scalar": {"type": "int8"}}}},
            "sparse_vectors": {"s": {"index": {"full_scan_threshold": 7}}},
            "hnsw_config": {"ef_construct": 50},
            "optimizers_config": {"max_optimization_threads": 2},
            "metadata": {"y": null, "z": 3}
        }),
    )
    .unwrap();
    let value = serde_json::to_value(&config).unwrap();
    assert_eq!(value["params"]["vectors"]["a"]["hnsw_config"], json!({"m": 8, "payload_m": 4}));
    assert_eq!(
        value["params"]["sparse_vectors"]["s"],
        json!({"index": {"full_scan_threshold": 7}, "modifier": "idf"})
    );
    assert_eq!(value["hnsw_config"]["m"], 16);
    assert_eq!(value["hnsw_config"]["ef_construct"], 50);
    assert_eq!(value["optimizer_config"]["max_optimization_threads"], 2);
    assert_eq!(value["metadata"], json!({"x": 1, "z": 3}));

    let changed = config.clone();
    let error = update(&mut config, json!({"hnsw_config": {"m": 3}, "vectors": {"b": {}}})).unwrap_err();
    assert_eq!(error.text, "Vector params for b are not specified in config");
    assert_eq!(config, changed, "nothing was changed");

    update(
        &mut config,
        json!({
            "vectors": {"a": {"hnsw_config": {}, "quantization_config": "Disabled"}},
            "optimizers_config": {"max_optimization_threads": "auto"}
        }),
    )
    .unwrap();
    assert_eq!(config.optimizer_config, before.optimizer_config);
    assert_eq!(config.params.vectors.get("a").unwrap().hnsw_config, None);
    assert_eq!(config.params.vectors.get("a").unwrap().quantization_config, None);
}

#[test]
fn the_engine_gets_complete_settings() {
    let config = create(json!({
        "vectors": {"a": {"size": 4, "distance": "Dot", "hnsw_config": {"m": 8}}, "b": {"size": 2, "distance": "Cosine"}},
        "sparse_vectors": {"s": {"index": {"full_scan_threshold": 7, "on_disk": true}, "modifier": "idf"}},
        "hnsw_config": {"ef_construct": 50}
    }))
    .unwrap();
    let edge = config.to_edge_config();
    assert_eq!(edge.wal_enabled, Some(false));
    let a = edge.vectors.get("a").unwrap().hnsw_config.unwrap();
    assert_eq!((a.m, a.ef_construct), (8, 50));
    assert!(edge.vectors.get("b").unwrap().hnsw_config.is_none());
    assert_eq!(edge.sparse_vectors.get("s").unwrap().full_scan_threshold, Some(7));
}

#[test]
fn names_that_could_be_paths_are_refused() {
    for name in ["", ".", "..", "a/b", "a\\b", "a\0", "a?", &"x".repeat(256)] {
        assert_eq!(check_name(name).unwrap_err().kind, Kind::Unprocessable, "{name:?}");
    }
    for name in ["a", "...", ".a", "ä b", &"ü".repeat(255)] {
        check_name(name).unwrap();
    }
}
