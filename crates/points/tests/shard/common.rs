//! Shards to test with: opened, read whole, settled.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use points::engine::{
    Distance, EdgeConfig, EdgeOptimizersConfig, EdgeShard, EdgeShardRead, EdgeVectorParams, Filter,
    HnswIndexConfig, PointId, ScrollRequest, VectorInternal, VectorStructInternal, WithPayloadInterface,
    WithVector,
};
use points::{Entry, Keeper, Operation, Options, Position, Reply, Shard, Status};

use super::model::{DIM, DIM_B, Model, Point};

/// Vectors of so many bytes make an index due.
pub(crate) const INDEXING_KB: usize = 4;

pub(crate) fn config() -> EdgeConfig {
    let optimizers = EdgeOptimizersConfig {
        deleted_threshold: Some(0.2),
        vacuum_min_vector_number: Some(20),
        default_segment_number: Some(2),
        max_segment_size: None,
        indexing_threshold: Some(INDEXING_KB),
        prevent_unoptimized: None,
    };
    // What is tested stands around the index: building it should take little.
    let hnsw = HnswIndexConfig { m: 4, ef_construct: 8, max_indexing_threads: 1, ..Default::default() };
    EdgeConfig::builder()
        .vector("", EdgeVectorParams::builder(DIM, Distance::Dot).build())
        .vector("b", EdgeVectorParams::builder(DIM_B, Distance::Dot).build())
        .hnsw_config(hnsw)
        .optimizers(optimizers)
        .build()
}

pub(crate) fn open(dir: &Path, keeper: &Keeper) -> Arc<Shard> {
    open_with(dir, keeper, config(), Duration::from_millis(20))
}

pub(crate) fn open_with(
    dir: &Path,
    keeper: &Keeper,
    config: EdgeConfig,
    flush_interval: Duration,
) -> Arc<Shard> {
    Shard::open(Options { dir: dir.to_owned(), config, flush_interval, keeper: keeper.clone() }).unwrap()
}

pub(crate) fn entry(index: u64, operation: &Operation) -> Entry {
    let position = Position { term: 1, index };
    Entry { position, members: None, operation: Some(operation.encode().to_vec()) }
}

/// Applies one operation.
pub(crate) fn apply(shard: &Shard, index: u64, operation: &Operation) -> Reply {
    let replies = shard.apply(vec![entry(index, operation)]).unwrap();
    Reply::decode(&replies[0]).unwrap()
}

/// Everything that a shard holds.
pub(crate) fn read(shard: &EdgeShard) -> Model {
    let request = ScrollRequest {
        limit: Some(1_000_000),
        with_payload: Some(WithPayloadInterface::Bool(true)),
        with_vector: WithVector::Bool(true),
        ..ScrollRequest::new()
    };
    let (records, _) = shard.scroll(request).unwrap();
    let points = records.into_iter().map(|record| {
        let PointId::NumId(id) = record.id else { panic!("a UUID") };
        let vectors = match record.vector {
            None => BTreeMap::new(),
            Some(VectorStructInternal::Single(dense)) => BTreeMap::from([(String::new(), dense)]),
            Some(VectorStructInternal::Named(named)) => named
                .into_iter()
                .map(|(name, vector)| match vector {
                    VectorInternal::Dense(dense) => (name, dense),
                    other => panic!("{other:?}"),
                })
                .collect(),
            Some(other) => panic!("{other:?}"),
        };
        let payload = record.payload.map(|payload| payload.0).unwrap_or_default();
        (id, Point { vectors, payload })
    });
    points.collect()
}

/// How many points have `city` in their payload, as the engine's filter finds them.
pub(crate) fn count_city(shard: &EdgeShard, city: &str) -> usize {
    let filter: Filter =
        serde_json::from_value(serde_json::json!({"must": [{"key": "city", "match": {"value": city}}]}))
            .unwrap();
    let request = points::engine::CountRequest { filter: Some(filter), exact: true };
    shard.count(request).unwrap()
}

/// Asserts that the shard holds what the model does, also where an index answers.
pub(crate) fn agrees(shard: &EdgeShard, model: &Model) {
    let found = read(shard);
    for (id, point) in model {
        assert_eq!(found.get(id), Some(point), "point {id}");
    }
    assert_eq!(found.keys().collect::<Vec<_>>(), model.keys().collect::<Vec<_>>());
    for city in ["Oslo", "Rome"] {
        let expected = model.values().filter(|point| point.payload.get("city").is_some_and(|c| c == city));
        assert_eq!(count_city(shard, city), expected.count(), "points in {city}");
    }
}

/// Waits until the shard has nothing to optimise.
pub(crate) fn settle(shard: &Shard) {
    wait(|| {
        assert_eq!(shard.optimizer_error(), None);
        shard.status() == Status::Green
    });
}

pub(crate) fn wait(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether some segment of the live generation has an index.
pub(crate) fn is_indexed(shard: &Shard) -> bool {
    shard.live().unwrap().info().unwrap().indexed_vectors_count > 0
}
