//! Every kind of vector and of payload index in one shard after another, read whole as JSON.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use points::engine::{
    CreateIndex, EdgeConfig, EdgeShard, FieldIndexOperations, PointOperations, PointStructPersisted,
    ScrollRequest, UpdateOperation, VectorInternal, VectorStructInternal, WithPayloadInterface, WithVector,
};
use points::engine::{PayloadFieldSchema, PointId, PointInsertOperations};
use points::{Keeper, Operation, Reply, Shard};
use serde_json::{Value, json};

use super::common::{INDEXING_KB, apply, open_with, settle};
use super::history::NEVER;

/// Settings by name: vectors of every storage, index and compression.
pub(crate) fn kinds() -> Vec<(&'static str, EdgeConfig)> {
    let dense = |distance: &str| json!({"size": 16, "distance": distance});
    let with = |mut params: Value, more: Value| {
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    let multi = json!({"multivector_config": {"comparator": "max_sim"}});
    let quantized = |how: Value| with(dense("Cosine"), json!({"quantization_config": how}));
    let kinds = [
        ("plain", json!({"vectors": {"": dense("Cosine")}})),
        (
            "named",
            json!({
                "vectors": {"text": dense("Dot"), "image": with(dense("Euclid"), json!({"memory": "cold"})),
                    "late": with(dense("Manhattan"), multi.clone())},
                "sparse_vectors": {"words": {"modifier": "idf"}, "disk": {"memory": "cold", "datatype": "float16"}},
            }),
        ),
        (
            "quantized",
            json!({
                "vectors": {
                    "scalar": quantized(json!({"scalar": {"type": "int8", "quantile": 0.99}})),
                    "product": quantized(json!({"product": {"compression": "x16"}})),
                    "binary": quantized(json!({"binary": {"always_ram": true}})),
                    "turbo": quantized(json!({"turbo": {}})),
                    "late": with(quantized(json!({"scalar": {"type": "int8"}})), multi.clone()),
                },
            }),
        ),
        (
            "types",
            json!({
                "vectors": {"half": with(dense("Cosine"), json!({"datatype": "float16"})),
                    "byte": with(dense("Dot"), json!({"datatype": "uint8"})),
                    "turbo": with(dense("Dot"), json!({"datatype": "turbo8"})),
                    "late": with(with(dense("Dot"), json!({"datatype": "float16"})), multi)},
            }),
        ),
        (
            "cold",
            json!({
                "vectors": {"": with(dense("Cosine"), json!({"memory": "cold", "hnsw_config":
                    {"m": 4, "ef_construct": 8, "full_scan_threshold": 1, "on_disk": true}}))},
                "id_tracker_memory": "cold", "payload_memory": "cold",
            }),
        ),
        (
            "inline",
            json!({
                "vectors": {"": with(quantized(json!({"binary": {}})), json!({"memory": "cold", "hnsw_config":
                    {"m": 4, "ef_construct": 8, "full_scan_threshold": 1, "inline_storage": true}}))},
                "payload_memory": "cached",
            }),
        ),
    ];
    kinds.into_iter().map(|(name, config)| (name, complete(config))).collect()
}

fn complete(mut config: Value) -> EdgeConfig {
    config["hnsw_config"] = json!({"m": 4, "ef_construct": 8, "full_scan_threshold": 1});
    config["optimizers"] = json!({"deleted_threshold": 0.2, "vacuum_min_vector_number": 20,
        "default_segment_number": 2, "indexing_threshold": INDEXING_KB});
    serde_json::from_value(config).unwrap()
}

/// A payload index of every kind, and some as they are kept on the disk.
fn indexes() -> Vec<(&'static str, Value)> {
    vec![
        ("city", json!("keyword")),
        ("tenant", json!({"type": "keyword", "is_tenant": true, "on_disk": true})),
        ("count", json!("integer")),
        ("rank", json!({"type": "integer", "lookup": true, "range": true, "on_disk": true})),
        ("price", json!("float")),
        ("active", json!("bool")),
        ("at", json!("datetime")),
        ("place", json!("geo")),
        ("text", json!({"type": "text", "tokenizer": "word", "lowercase": true})),
        ("notes", json!({"type": "text", "tokenizer": "prefix", "on_disk": true, "phrase_matching": true})),
        ("uid", json!("uuid")),
        ("nested[].k", json!("integer")),
    ]
}

/// The vector `name` of a point, as its settings want it.
fn vector(config: &EdgeConfig, name: &str, seed: u64) -> Value {
    let number = |place: u64| ((seed * 31 + place * 17) % 23 + 1) as f32 / 4.0;
    if config.sparse_vectors.contains_key(name) {
        let indices: Vec<u64> = (0..4).map(|place| place * 10 + seed % 7).collect();
        let values: Vec<f32> = (0..4).map(number).collect();
        return json!({"indices": indices, "values": values});
    }
    let row = |of: u64| (0..16).map(|place| number(place + of)).collect::<Vec<f32>>();
    match config.vectors[name].multivector_config {
        Some(_) => json!((0..1 + seed % 3).map(row).collect::<Vec<_>>()),
        None => json!(row(0)),
    }
}

/// The point of a number; with another `turn` it has other vectors and another payload.
fn point(config: &EdgeConfig, id: u64, turn: u64) -> PointStructPersisted {
    let seed = id + 1000 * turn;
    let names: Vec<&String> = config.vectors.keys().chain(config.sparse_vectors.keys()).collect();
    let vectors: serde_json::Map<_, _> = names
        .iter()
        // Not every point has every vector, but all have one.
        .filter(|name| names.len() == 1 || !(id + name.len() as u64).is_multiple_of(4))
        .map(|name| ((*name).clone(), vector(config, name, seed)))
        .collect();
    let city = ["Oslo", "Rome", "Lima"][(seed % 3) as usize];
    let payload = json!({
        "city": city, "tenant": format!("t{}", seed % 4),
        "count": seed, "rank": seed % 10, "price": seed as f64 / 7.0, "active": seed.is_multiple_of(2),
        "at": format!("2024-01-{:02}T00:00:00Z", 1 + seed % 28),
        "place": {"lat": (seed % 90) as f64, "lon": -((seed % 180) as f64)},
        "text": format!("the quick fox {seed}"), "notes": format!("lazy dog number {}", seed % 20),
        "uid": format!("00000000-0000-0000-0000-{:012x}", seed),
        "nested": [{"k": seed % 5}, {"k": 7}], "free": {"list": [seed, null, "x"]},
    });
    let id = match id % 5 {
        0 => json!(format!("00000000-0000-0000-0000-{id:012x}")),
        _ => json!(id),
    };
    serde_json::from_value(json!({"id": id, "vector": vectors, "payload": payload})).unwrap()
}

/// A shard that is written to by whole operations.
pub(crate) struct Filled {
    pub(crate) shard: Arc<Shard>,
    pub(crate) config: EdgeConfig,
    index: u64,
}

impl Filled {
    /// Points in segments with and without an index, indexes of all kinds, deleted and changed points.
    pub(crate) fn new(dir: &Path, config: EdgeConfig) -> Filled {
        let mut filled = Filled::empty(dir, config);
        filled.index_all();
        filled.upsert(0..300, 0);
        filled.delete(0..20);
        settle(&filled.shard);
        filled.upsert(250..330, 1);
        filled.delete(40..50);
        filled
    }

    pub(crate) fn empty(dir: &Path, config: EdgeConfig) -> Filled {
        let shard = open_with(dir, &Keeper::new(1), config.clone(), NEVER);
        Filled { shard, config, index: 0 }
    }

    pub(crate) fn of(shard: Arc<Shard>, config: EdgeConfig) -> Filled {
        Filled { shard, config, index: 0 }
    }

    pub(crate) fn index_all(&mut self) {
        for (field, schema) in indexes() {
            let index = CreateIndex {
                field_name: field.parse().unwrap(),
                field_schema: Some(serde_json::from_value::<PayloadFieldSchema>(schema).unwrap()),
            };
            self.apply(UpdateOperation::FieldIndexOperation(FieldIndexOperations::CreateIndex(index)));
        }
    }

    pub(crate) fn upsert(&mut self, ids: std::ops::Range<u64>, turn: u64) {
        let points = ids.map(|id| point(&self.config, id, turn)).collect();
        let upsert = PointOperations::UpsertPoints(PointInsertOperations::PointsList(points));
        self.apply(UpdateOperation::PointOperation(upsert));
    }

    pub(crate) fn delete(&mut self, ids: std::ops::Range<u64>) {
        let ids: Vec<PointId> = ids.map(|id| point(&self.config, id, 0).id).collect();
        self.apply(UpdateOperation::PointOperation(PointOperations::DeletePoints { ids }));
    }

    fn apply(&mut self, update: UpdateOperation) {
        self.index += 1;
        assert_eq!(apply(&self.shard, self.index, &Operation::new(update).unwrap()), Reply::Done);
    }

    pub(crate) fn read(&self) -> BTreeMap<String, Value> {
        read(&self.shard.live().unwrap())
    }
}

/// Everything that a shard holds: points by id, and the counts of some filters, which indexes answer.
pub(crate) fn read(shard: &EdgeShard) -> BTreeMap<String, Value> {
    let request = ScrollRequest {
        limit: Some(1_000_000),
        with_payload: Some(WithPayloadInterface::Bool(true)),
        with_vector: WithVector::Bool(true),
        ..ScrollRequest::new()
    };
    let (records, _) = shard.scroll(request).unwrap();
    let points = records.into_iter().map(|record| {
        let vectors: BTreeMap<String, Value> = match record.vector {
            None => BTreeMap::new(),
            Some(VectorStructInternal::Single(dense)) => BTreeMap::from([(String::new(), json!(dense))]),
            Some(VectorStructInternal::MultiDense(multi)) => {
                BTreeMap::from([(String::new(), json!(VectorInternal::MultiDense(multi)))])
            }
            Some(VectorStructInternal::Named(named)) => {
                named.into_iter().map(|(name, vector)| (name, json!(vector))).collect()
            }
        };
        let payload = record.payload.map(|payload| payload.0).unwrap_or_default();
        (record.id.to_string(), json!({"payload": payload, "vectors": vectors}))
    });
    let mut all: BTreeMap<String, Value> = points.collect();
    for (name, filter) in filters() {
        let request = points::engine::CountRequest {
            filter: Some(serde_json::from_value(filter).unwrap()),
            exact: true,
        };
        all.insert(format!("filter {name}"), json!(shard.count(request).unwrap()));
    }
    all
}

fn filters() -> Vec<(&'static str, Value)> {
    let must = |key: &str, condition: Value| {
        let mut all = json!({"key": key});
        all.as_object_mut().unwrap().extend(condition.as_object().unwrap().clone());
        json!({ "must": [all] })
    };
    vec![
        ("keyword", must("city", json!({"match": {"value": "Oslo"}}))),
        ("tenant", must("tenant", json!({"match": {"value": "t1"}}))),
        ("integer", must("count", json!({"range": {"gte": 50, "lt": 1270}}))),
        ("rank", must("rank", json!({"match": {"any": [1, 5]}}))),
        ("float", must("price", json!({"range": {"gte": 9.5}}))),
        ("bool", must("active", json!({"match": {"value": true}}))),
        ("datetime", must("at", json!({"range": {"lt": "2024-01-09T00:00:00Z"}}))),
        ("geo", must("place", json!({"geo_radius": {"center": {"lat": 10.0, "lon": -10.0}, "radius": 2e6}}))),
        ("text", must("text", json!({"match": {"text": "fox 77"}}))),
        ("phrase", must("notes", json!({"match": {"phrase": "dog number 3"}}))),
        ("uuid", must("uid", json!({"match": {"value": "00000000-0000-0000-0000-00000000004d"}}))),
        ("nested", must("nested[].k", json!({"match": {"value": 3}}))),
        ("empty", json!({"must": [{"is_empty": {"key": "city"}}]})),
    ]
}
