//! What a shard should hold, as simply as can be: points in a map, changed as the documentation says.

use std::collections::{BTreeMap, HashMap};

use points::Operation;
use points::engine::{
    DeletePayloadOp, Payload, PayloadOps, PointId, PointInsertOperations, PointOperations,
    PointStructPersisted, PointVectorsPersisted, SetPayloadOp, UpdateOperation, UpdateVectorsOp,
    VectorOperations, VectorPersisted, VectorStructPersisted,
};
use serde_json::{Map, Value};

/// The length of the default vector, and of the one called `b`.
pub(crate) const DIM: usize = 8;
pub(crate) const DIM_B: usize = 2;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Point {
    pub(crate) vectors: BTreeMap<String, Vec<f32>>,
    pub(crate) payload: Map<String, Value>,
}

pub(crate) type Model = BTreeMap<u64, Point>;

/// A change, small enough to be drawn at random.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Whole points: the default vector's seed, whether `b` comes with it, a payload.
    Upsert(Vec<(u64, f32, bool, Map<String, Value>)>),
    /// Points of which every second one has a vector that is too long.
    UpsertHalfWrong(Vec<u64>, f32),
    Delete(Vec<u64>),
    UpdateB(Vec<u64>, f32),
    DeleteB(Vec<u64>),
    Set(Vec<u64>, Map<String, Value>),
    SetNested(Vec<u64>, Map<String, Value>),
    Overwrite(Vec<u64>, Map<String, Value>),
    DeleteKeys(Vec<u64>, Vec<&'static str>),
    Clear(Vec<u64>),
}

/// The default vector that comes of a seed.
pub(crate) fn vector(seed: f32) -> Vec<f32> {
    (0..DIM).map(|place| seed + place as f32).collect()
}

fn vector_b(seed: f32) -> Vec<f32> {
    (0..DIM_B).map(|place| seed - place as f32).collect()
}

impl Change {
    pub(crate) fn operation(&self) -> Operation {
        let update = match self {
            Change::Upsert(points) => upsert(points.iter().map(|(id, seed, with_b, payload)| {
                let mut named = HashMap::from([(String::new(), VectorPersisted::Dense(vector(*seed)))]);
                if *with_b {
                    named.insert("b".into(), VectorPersisted::Dense(vector_b(*seed)));
                }
                PointStructPersisted {
                    id: PointId::NumId(*id),
                    vector: VectorStructPersisted::Named(named),
                    payload: Some(Payload(payload.clone())),
                }
            })),
            Change::UpsertHalfWrong(ids, seed) => upsert(ids.iter().enumerate().map(|(place, id)| {
                let mut dense = vector(*seed);
                dense.extend(std::iter::repeat_n(0.0, place % 2));
                PointStructPersisted {
                    id: PointId::NumId(*id),
                    vector: VectorStructPersisted::Single(dense),
                    payload: None,
                }
            })),
            Change::Delete(ids) => {
                UpdateOperation::PointOperation(PointOperations::DeletePoints { ids: points(ids) })
            }
            Change::UpdateB(ids, seed) => {
                let points = ids.iter().map(|id| PointVectorsPersisted {
                    id: PointId::NumId(*id),
                    vector: VectorStructPersisted::Named(HashMap::from([(
                        "b".into(),
                        VectorPersisted::Dense(vector_b(*seed)),
                    )])),
                });
                UpdateOperation::VectorOperation(VectorOperations::UpdateVectors(UpdateVectorsOp {
                    points: points.collect(),
                    update_filter: None,
                }))
            }
            Change::DeleteB(ids) => UpdateOperation::VectorOperation(VectorOperations::DeleteVectors(
                points(ids).into(),
                vec!["b".into()],
            )),
            Change::Set(ids, payload) => {
                UpdateOperation::PayloadOperation(PayloadOps::SetPayload(set(ids, payload, None)))
            }
            Change::SetNested(ids, payload) => {
                UpdateOperation::PayloadOperation(PayloadOps::SetPayload(set(ids, payload, Some("nested"))))
            }
            Change::Overwrite(ids, payload) => {
                UpdateOperation::PayloadOperation(PayloadOps::OverwritePayload(set(ids, payload, None)))
            }
            Change::DeleteKeys(ids, keys) => {
                UpdateOperation::PayloadOperation(PayloadOps::DeletePayload(DeletePayloadOp {
                    keys: keys.iter().map(|key| key.parse().unwrap()).collect(),
                    points: Some(points(ids)),
                    filter: None,
                }))
            }
            Change::Clear(ids) => {
                UpdateOperation::PayloadOperation(PayloadOps::ClearPayload { points: points(ids) })
            }
        };
        Operation::new(update).unwrap()
    }

    pub(crate) fn apply(&self, model: &mut Model) {
        let each = |model: &mut Model, ids: &[u64], change: &dyn Fn(&mut Point)| {
            for id in ids {
                if let Some(point) = model.get_mut(id) {
                    change(point);
                }
            }
        };
        match self {
            Change::Upsert(points) => {
                for (id, seed, with_b, payload) in points {
                    let mut vectors = BTreeMap::from([(String::new(), vector(*seed))]);
                    if *with_b {
                        vectors.insert("b".into(), vector_b(*seed));
                    }
                    model.insert(*id, Point { vectors, payload: payload.clone() });
                }
            }
            Change::UpsertHalfWrong(ids, seed) => {
                for id in ids.iter().step_by(2) {
                    let vectors = BTreeMap::from([(String::new(), vector(*seed))]);
                    model.insert(*id, Point { vectors, payload: Map::new() });
                }
            }
            Change::Delete(ids) => model.retain(|id, _| !ids.contains(id)),
            Change::UpdateB(ids, seed) => each(model, ids, &|point| {
                point.vectors.insert("b".into(), vector_b(*seed));
            }),
            Change::DeleteB(ids) => each(model, ids, &|point| {
                point.vectors.remove("b");
            }),
            Change::Set(ids, payload) => each(model, ids, &|point| {
                point.payload.extend(payload.clone());
            }),
            Change::SetNested(ids, payload) => each(model, ids, &|point| {
                let nested = point.payload.entry("nested").or_insert_with(|| Value::Object(Map::new()));
                match nested {
                    Value::Object(nested) => nested.extend(payload.clone()),
                    other => *other = Value::Object(payload.clone()),
                }
            }),
            Change::Overwrite(ids, payload) => each(model, ids, &|point| point.payload = payload.clone()),
            Change::DeleteKeys(ids, keys) => each(model, ids, &|point| {
                point.payload.retain(|key, _| !keys.contains(&key.as_str()));
            }),
            Change::Clear(ids) => each(model, ids, &|point| point.payload.clear()),
        }
    }
}

fn upsert(points: impl Iterator<Item = PointStructPersisted>) -> UpdateOperation {
    let points = PointInsertOperations::PointsList(points.collect());
    UpdateOperation::PointOperation(PointOperations::UpsertPoints(points))
}

fn points(ids: &[u64]) -> Vec<PointId> {
    ids.iter().map(|id| PointId::NumId(*id)).collect()
}

fn set(ids: &[u64], payload: &Map<String, Value>, key: Option<&str>) -> SetPayloadOp {
    SetPayloadOp {
        payload: Payload(payload.clone()),
        points: Some(points(ids)),
        filter: None,
        key: key.map(|key| key.parse().unwrap()),
    }
}
