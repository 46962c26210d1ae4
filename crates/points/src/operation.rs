//! One entry of a shard's log: a change of points that are named by their ids, so that repeating a suffix of
//! the log leads to the same state.

mod wire;

use std::collections::HashSet;

use bytes::Bytes;
use qdrant_edge::{
    DeletePayloadOp, FieldIndexOperations, PayloadOps, PointId, PointInsertOperations, PointOperations,
    PointStructPersisted, SetPayloadOp, UpdateOperation, UpdateVectorsOp, VectorOperations, VectorPersisted,
    VectorStructPersisted,
};

use crate::error::{Error, Kind, Result};

/// A change of one shard, checked: it selects by id alone, and holds no vector that the engine would choke on.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation(UpdateOperation);

impl Operation {
    /// Takes what replaying may repeat. Filters and conditions are `Invalid` here: whoever proposes a change
    /// resolves them to ids first. `Unsupported` is what no log entry may carry yet.
    pub fn new(update: UpdateOperation) -> Result<Operation> {
        check(&update)?;
        Ok(Operation(update))
    }

    /// As the engine takes it.
    pub fn update(&self) -> &UpdateOperation {
        &self.0
    }

    /// The bytes of a log entry.
    pub fn encode(&self) -> Bytes {
        wire::encode(&self.0)
    }

    /// Reads a log entry. A form that is newer than this release knows is `Unsupported`, damage is `Corrupt`.
    pub fn decode(bytes: &[u8]) -> Result<Operation> {
        let update = wire::decode(bytes)?;
        check(&update).map_err(|error| Error::new(Kind::Corrupt, error.text))?;
        Ok(Operation(update))
    }

    /// The same change, point by point, in order: what is tried when one of them failed.
    pub(crate) fn into_single(self) -> Vec<Operation> {
        each(self.0).into_iter().map(Operation).collect()
    }

    pub(crate) fn into_update(self) -> UpdateOperation {
        self.0
    }
}

fn check(update: &UpdateOperation) -> Result<()> {
    match update {
        UpdateOperation::PointOperation(operation) => match operation {
            PointOperations::UpsertPoints(PointInsertOperations::PointsList(points)) => {
                points.iter().try_for_each(|point| check_vectors(&point.vector))
            }
            PointOperations::DeletePoints { .. } => Ok(()),
            PointOperations::UpsertPointsConditional(_) | PointOperations::DeletePointsByFilter(_) => {
                Err(unresolved())
            }
            _ => Err(unsupported()),
        },
        UpdateOperation::VectorOperation(operation) => match operation {
            VectorOperations::UpdateVectors(UpdateVectorsOp { points, update_filter: None }) => {
                points.iter().try_for_each(|point| check_vectors(&point.vector))
            }
            VectorOperations::DeleteVectors(..) => Ok(()),
            VectorOperations::UpdateVectors(_) | VectorOperations::DeleteVectorsByFilter(..) => {
                Err(unresolved())
            }
        },
        UpdateOperation::PayloadOperation(operation) => match operation {
            PayloadOps::SetPayload(SetPayloadOp { points: Some(_), filter: None, .. })
            | PayloadOps::OverwritePayload(SetPayloadOp {
                points: Some(_), filter: None, key: None, ..
            })
            | PayloadOps::DeletePayload(DeletePayloadOp { points: Some(_), filter: None, .. })
            | PayloadOps::ClearPayload { .. } => Ok(()),
            _ => Err(unresolved()),
        },
        UpdateOperation::FieldIndexOperation(FieldIndexOperations::CreateIndex(index)) => {
            match index.field_schema {
                Some(_) => Ok(()),
                None => Err(Error::invalid(format!(
                    "Unable to infer type for the field '{}'. Please specify `field_type`",
                    index.field_name
                ))),
            }
        }
        UpdateOperation::FieldIndexOperation(FieldIndexOperations::DeleteIndex(_)) => Ok(()),
        UpdateOperation::VectorNameOperation(_) => Err(unsupported()),
    }
}

fn unresolved() -> Error {
    Error::invalid("a log entry names its points by id")
}

fn unsupported() -> Error {
    Error::new(Kind::Unsupported, "this change is not supported")
}

fn check_vectors(vectors: &VectorStructPersisted) -> Result<()> {
    match vectors {
        VectorStructPersisted::Single(_) => Ok(()),
        VectorStructPersisted::MultiDense(rows) => check_rows(rows),
        VectorStructPersisted::Named(named) => named.values().try_for_each(|vector| match vector {
            VectorPersisted::Dense(_) => Ok(()),
            VectorPersisted::MultiDense(rows) => check_rows(rows),
            VectorPersisted::Sparse(sparse) => {
                if sparse.indices.len() != sparse.values.len() {
                    return Err(Error::invalid("must be the same length as indices"));
                }
                let mut seen = HashSet::with_capacity(sparse.indices.len());
                match sparse.indices.iter().all(|index| seen.insert(index)) {
                    true => Ok(()),
                    false => Err(Error::invalid("must be unique")),
                }
            }
        }),
    }
}

/// A multivector is a matrix: at least one row, all of the same length.
fn check_rows(rows: &[Vec<f32>]) -> Result<()> {
    let Some(first) = rows.first() else { return Err(Error::invalid("multivector must not be empty")) };
    if first.is_empty() {
        return Err(Error::invalid("all vectors must be non-empty"));
    }
    match rows.iter().all(|row| row.len() == first.len()) {
        true => Ok(()),
        false => Err(Error::invalid("all vectors must have the same dimension")),
    }
}

fn each(update: UpdateOperation) -> Vec<UpdateOperation> {
    use UpdateOperation::{PayloadOperation, PointOperation, VectorOperation};
    match update {
        PointOperation(PointOperations::UpsertPoints(PointInsertOperations::PointsList(points))) => {
            points.into_iter().map(upsert_one).collect()
        }
        PointOperation(PointOperations::DeletePoints { ids }) => ids
            .into_iter()
            .map(|id| PointOperation(PointOperations::DeletePoints { ids: vec![id] }))
            .collect(),
        VectorOperation(VectorOperations::UpdateVectors(UpdateVectorsOp { points, update_filter: None })) => {
            points
                .into_iter()
                .map(|point| UpdateVectorsOp { points: vec![point], update_filter: None })
                .map(|one| VectorOperation(VectorOperations::UpdateVectors(one)))
                .collect()
        }
        VectorOperation(VectorOperations::DeleteVectors(of, names)) => of
            .points
            .into_iter()
            .map(|id| VectorOperation(VectorOperations::DeleteVectors(vec![id].into(), names.clone())))
            .collect(),
        PayloadOperation(operation) => each_payload(operation).into_iter().map(PayloadOperation).collect(),
        other => vec![other],
    }
}

fn upsert_one(point: PointStructPersisted) -> UpdateOperation {
    let points = PointInsertOperations::PointsList(vec![point]);
    UpdateOperation::PointOperation(PointOperations::UpsertPoints(points))
}

fn each_payload(operation: PayloadOps) -> Vec<PayloadOps> {
    fn one_by_one(points: &[PointId], make: impl Fn(Vec<PointId>) -> PayloadOps) -> Vec<PayloadOps> {
        points.iter().map(|id| make(vec![*id])).collect()
    }
    match operation {
        PayloadOps::SetPayload(SetPayloadOp { payload, points: Some(points), filter: None, key }) => {
            one_by_one(&points, |ids| {
                PayloadOps::SetPayload(SetPayloadOp {
                    payload: payload.clone(),
                    points: Some(ids),
                    filter: None,
                    key: key.clone(),
                })
            })
        }
        PayloadOps::OverwritePayload(SetPayloadOp { payload, points: Some(points), filter: None, key }) => {
            one_by_one(&points, |ids| {
                PayloadOps::OverwritePayload(SetPayloadOp {
                    payload: payload.clone(),
                    points: Some(ids),
                    filter: None,
                    key: key.clone(),
                })
            })
        }
        PayloadOps::DeletePayload(DeletePayloadOp { keys, points: Some(points), filter: None }) => {
            one_by_one(&points, |ids| {
                PayloadOps::DeletePayload(DeletePayloadOp {
                    keys: keys.clone(),
                    points: Some(ids),
                    filter: None,
                })
            })
        }
        PayloadOps::ClearPayload { points } => {
            one_by_one(&points, |ids| PayloadOps::ClearPayload { points: ids })
        }
        other => vec![other],
    }
}
