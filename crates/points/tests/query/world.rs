//! The same points in one shard and in four, and as plain vectors to compute with.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use points::engine::{
    CreateIndex, Distance, EdgeConfig, EdgeShard, EdgeSparseVectorParamsBuilder, EdgeVectorParamsBuilder,
    FieldIndexOperations, Filter, MultiVectorComparator, MultiVectorConfig, PayloadFieldSchema, PointId,
    PointInsertOperations, PointOperations, PointStructPersisted, ScoredPoint, SparseVector,
    TypedMultiDenseVector, UpdateOperation, VectorInternal,
};
use points::query::{Others, Query, Scoring, Shards, Stage, VectorInput};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const SIZE: usize = 8;
/// So many that each shard has each value of every field: if one is missing, a debug assertion of the engine
/// (`except_cardinality`) may fail when values of groups are excluded.
pub(crate) const POINTS: u64 = 500;

/// All points, once in one shard and once in four.
pub(crate) static WORLD: LazyLock<World> = LazyLock::new(World::make);

pub(crate) struct World {
    pub(crate) points: Vec<Point>,
    pub(crate) one: Shards,
    pub(crate) four: Shards,
    _dirs: Vec<TempDir>,
}

#[derive(Clone)]
pub(crate) struct Point {
    pub(crate) id: u64,
    pub(crate) dense: BTreeMap<&'static str, Vec<f32>>,
    pub(crate) multi: Option<Vec<Vec<f32>>>,
    pub(crate) sparse: Option<(Vec<u32>, Vec<f32>)>,
    pub(crate) payload: Value,
}

/// Numbers that are the same in every run (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn real(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub(crate) fn vector(&mut self) -> Vec<f32> {
        (0..SIZE).map(|_| self.real()).collect()
    }

    pub(crate) fn matrix(&mut self) -> Vec<Vec<f32>> {
        (0..1 + self.below(3)).map(|_| self.vector()).collect()
    }

    pub(crate) fn sparse(&mut self) -> (Vec<u32>, Vec<f32>) {
        let mut indices: Vec<_> = (0..5).map(|_| self.below(40) as u32).collect();
        indices.sort_unstable();
        indices.dedup();
        let values = indices.iter().map(|_| self.real() + 1.5).collect();
        (indices, values)
    }
}

impl World {
    fn make() -> World {
        let mut dice = Dice(7);
        let points: Vec<_> = (1..=POINTS).map(|id| Point::roll(id, &mut dice)).collect();
        let (one, mut dirs) = collection("test", &points, 1);
        let (four, more) = collection("test", &points, 4);
        dirs.extend(more);
        World { points, one, four, _dirs: dirs }
    }

    /// Both collections' answer to `query`, which must be the same.
    pub(crate) fn ask(&self, query: Query) -> Vec<(u64, f32)> {
        let one = self.one.query(query.clone(), &Others::new()).unwrap();
        let four = self.four.query(query, &Others::new()).unwrap();
        same(&one, &four);
        one.iter().map(|point| (number(point.id), point.score)).collect()
    }
}

/// A collection of `count` shards. The directories live as long as they are held.
pub(crate) fn collection(name: &str, points: &[Point], count: usize) -> (Shards, Vec<TempDir>) {
    let dirs: Vec<_> = (0..count).map(|_| tempfile::tempdir().unwrap()).collect();
    let shards: Vec<_> =
        dirs.iter().map(|dir| Arc::new(EdgeShard::new(dir.path(), config()).unwrap())).collect();
    for (number, shard) in shards.iter().enumerate() {
        for (field, kind) in [("city", "keyword"), ("price", "float"), ("rank", "integer")] {
            let operation = FieldIndexOperations::CreateIndex(CreateIndex {
                field_name: field.parse().unwrap(),
                field_schema: Some(serde_json::from_value::<PayloadFieldSchema>(json!(kind)).unwrap()),
            });
            shard.update(UpdateOperation::FieldIndexOperation(operation)).unwrap();
        }
        let own =
            points.iter().filter(|point| home(point.id, count) == number).map(Point::to_engine).collect();
        let operation = PointOperations::UpsertPoints(PointInsertOperations::PointsList(own));
        shard.update(UpdateOperation::PointOperation(operation)).unwrap();
    }
    (Shards::new(name, shards), dirs)
}

fn home(id: u64, count: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish() as usize % count
}

fn config() -> EdgeConfig {
    let dense = |distance| EdgeVectorParamsBuilder::new(SIZE, distance);
    let multi = MultiVectorConfig { comparator: MultiVectorComparator::MaxSim };
    EdgeConfig::builder()
        .vector("", dense(Distance::Cosine).build())
        .vector("dot", dense(Distance::Dot).build())
        .vector("euclid", dense(Distance::Euclid).build())
        .vector("manhattan", dense(Distance::Manhattan).build())
        .vector("multi", dense(Distance::Cosine).multivector_config(multi).build())
        .sparse_vector("sparse", EdgeSparseVectorParamsBuilder::new().build())
        .wal_enabled(false)
        .build()
}

impl Point {
    fn roll(id: u64, dice: &mut Dice) -> Point {
        let mut dense = BTreeMap::new();
        for name in ["", "dot", "euclid", "manhattan"] {
            let vector = dice.vector();
            // Not every point has every vector.
            if name.is_empty() || dice.below(10) > 0 {
                dense.insert(name, vector);
            }
        }
        let (multi, sparse) = (dice.matrix(), dice.sparse());
        let cities = ["Ulm", "Trier", "Emden", "Passau"];
        let at = dice.below(4) as usize;
        let city = match id % 7 {
            // Never the same twice: the engine's debug assertions don't expect it.
            0 => json!([cities[at], cities[(at + 1) % 4]]),
            1 => Value::Null,
            _ => json!(cities[at]),
        };
        let payload = json!({
            "city": city, "price": dice.real() * 100.0, "rank": dice.below(12), "name": format!("p{id}"),
        });
        Point {
            id,
            dense,
            multi: (!id.is_multiple_of(9)).then_some(multi),
            sparse: (!id.is_multiple_of(8)).then_some(sparse),
            payload,
        }
    }

    fn to_engine(&self) -> PointStructPersisted {
        let mut vectors = serde_json::Map::new();
        for (name, vector) in &self.dense {
            vectors.insert((*name).to_owned(), json!(vector));
        }
        if let Some(multi) = &self.multi {
            vectors.insert("multi".to_owned(), json!(multi));
        }
        if let Some((indices, values)) = &self.sparse {
            vectors.insert("sparse".to_owned(), json!({ "indices": indices, "values": values }));
        }
        serde_json::from_value(json!({ "id": self.id, "vector": vectors, "payload": self.payload })).unwrap()
    }
}

pub(crate) fn number(id: PointId) -> u64 {
    match id {
        PointId::NumId(number) => number,
        PointId::Uuid(uuid) => panic!("{uuid}"),
    }
}

/// Panics unless both are the same points in the same order with the same scores, payloads and vectors.
pub(crate) fn same(one: &[ScoredPoint], four: &[ScoredPoint]) {
    let ids = |points: &[ScoredPoint]| points.iter().map(|point| (point.id, point.score)).collect::<Vec<_>>();
    assert_eq!(one.len(), four.len(), "{:?}\n{:?}", ids(one), ids(four));
    for (a, b) in one.iter().zip(four) {
        assert!(a.id == b.id && (a.score - b.score).abs() < 1e-5, "{:?}\n{:?}", ids(one), ids(four));
        assert_eq!((&a.payload, a.order_value), (&b.payload, b.order_value));
        assert_eq!(a.vector, b.vector);
    }
}

pub(crate) fn filter(json: Value) -> Option<Filter> {
    Some(serde_json::from_value(json).unwrap())
}

pub(crate) fn dense(vector: Vec<f32>) -> VectorInput {
    VectorInput::Vector(VectorInternal::Dense(vector))
}

pub(crate) fn multi(matrix: Vec<Vec<f32>>) -> VectorInput {
    VectorInput::Vector(VectorInternal::MultiDense(TypedMultiDenseVector::try_from_matrix(matrix).unwrap()))
}

pub(crate) fn sparse((indices, values): (Vec<u32>, Vec<f32>)) -> VectorInput {
    VectorInput::Vector(VectorInternal::Sparse(SparseVector::new(indices, values).unwrap()))
}

pub(crate) fn id(number: u64) -> VectorInput {
    VectorInput::Id(PointId::NumId(number))
}

/// A stage that scores by the vector `using`.
pub(crate) fn stage(scoring: Scoring, using: &str, limit: usize) -> Stage {
    Stage { scoring: Some(scoring), using: using.to_owned(), ..Stage::new(limit) }
}
