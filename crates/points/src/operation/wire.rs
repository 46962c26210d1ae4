//! The bytes of a log entry: a byte for the version, then MessagePack of the types below. They are ours, so
//! that what lies in logs does not move with the engine's types. Vectors are little-endian `f32`s.

use std::borrow::Cow;

use bytes::Bytes;
use qdrant_edge::{
    CreateIndex, DeletePayloadOp, FieldIndexOperations, JsonPath, Payload, PayloadFieldSchema, PayloadOps,
    PointId, PointInsertOperations, PointOperations, PointStructPersisted, PointVectorsPersisted,
    SetPayloadOp, SparseVector, UpdateOperation, UpdateVectorsOp, VectorOperations, VectorPersisted,
    VectorStructPersisted,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use uuid::Uuid;

use crate::error::{Error, Kind, Result};

const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
enum Change<'a> {
    Upsert(Vec<Point<'a>>),
    Delete(Vec<Id>),
    UpdateVectors(Vec<(Id, Vectors)>),
    DeleteVectors(Vec<Id>, Vec<String>),
    SetPayload(Vec<Id>, Cow<'a, Payload>, Option<String>),
    OverwritePayload(Vec<Id>, Cow<'a, Payload>),
    DeletePayload(Vec<Id>, Vec<String>),
    ClearPayload(Vec<Id>),
    /// The field and its schema, as JSON.
    CreateIndex(String, String),
    DeleteIndex(String),
}

#[derive(Serialize, Deserialize)]
struct Point<'a>(Id, Vectors, Option<Cow<'a, Payload>>);

#[derive(Serialize, Deserialize)]
enum Id {
    Number(u64),
    Uuid(Uuid),
}

#[derive(Serialize, Deserialize)]
enum Vectors {
    Default(Vector),
    Named(Vec<(String, Vector)>),
}

#[derive(Serialize, Deserialize)]
enum Vector {
    Dense(ByteBuf),
    /// The length of a row, and all rows.
    Multi(u32, ByteBuf),
    /// Indices and values.
    Sparse(Vec<u32>, ByteBuf),
}

pub(super) fn encode(update: &UpdateOperation) -> Bytes {
    let change = from_engine(update).expect("an operation was checked when it was made");
    let mut bytes = vec![VERSION];
    rmp_serde::encode::write(&mut bytes, &change).expect("plain data is written to memory");
    bytes.into()
}

pub(super) fn decode(bytes: &[u8]) -> Result<UpdateOperation> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            let change: Change<'_> = rmp_serde::from_slice(rest).map_err(|error| damaged(&error))?;
            into_engine(change)
        }
        Some((&version, _)) if version > VERSION => Err(Error::new(
            Kind::Unsupported,
            format!("an operation of format {version}; this release knows {VERSION}"),
        )),
        _ => Err(damaged(&"no version")),
    }
}

fn damaged(why: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::Corrupt, format!("an operation does not decode: {why}"))
}

/// `None` for forms that [`super::check`] refuses.
fn from_engine(update: &UpdateOperation) -> Option<Change<'_>> {
    Some(match update {
        UpdateOperation::PointOperation(operation) => match operation {
            PointOperations::UpsertPoints(PointInsertOperations::PointsList(points)) => {
                let points = points.iter().map(|point| {
                    let payload = point.payload.as_ref().map(Cow::Borrowed);
                    Point(id(&point.id), vectors(&point.vector), payload)
                });
                Change::Upsert(points.collect())
            }
            PointOperations::DeletePoints { ids } => Change::Delete(ids.iter().map(id).collect()),
            _ => return None,
        },
        UpdateOperation::VectorOperation(operation) => match operation {
            VectorOperations::UpdateVectors(UpdateVectorsOp { points, .. }) => {
                let points = points.iter().map(|point| (id(&point.id), vectors(&point.vector)));
                Change::UpdateVectors(points.collect())
            }
            VectorOperations::DeleteVectors(of, names) => {
                Change::DeleteVectors(of.points.iter().map(id).collect(), names.clone())
            }
            VectorOperations::DeleteVectorsByFilter(..) => return None,
        },
        UpdateOperation::PayloadOperation(operation) => match operation {
            PayloadOps::SetPayload(SetPayloadOp { payload, points: Some(ids), key, .. }) => {
                let key = key.as_ref().map(JsonPath::to_string);
                Change::SetPayload(ids.iter().map(id).collect(), Cow::Borrowed(payload), key)
            }
            PayloadOps::OverwritePayload(SetPayloadOp { payload, points: Some(ids), .. }) => {
                Change::OverwritePayload(ids.iter().map(id).collect(), Cow::Borrowed(payload))
            }
            PayloadOps::DeletePayload(DeletePayloadOp { keys, points: Some(ids), .. }) => {
                let keys = keys.iter().map(JsonPath::to_string).collect();
                Change::DeletePayload(ids.iter().map(id).collect(), keys)
            }
            PayloadOps::ClearPayload { points } => Change::ClearPayload(points.iter().map(id).collect()),
            _ => return None,
        },
        UpdateOperation::FieldIndexOperation(FieldIndexOperations::CreateIndex(index)) => {
            let schema = serde_json::to_string(index.field_schema.as_ref()?).ok()?;
            Change::CreateIndex(index.field_name.to_string(), schema)
        }
        UpdateOperation::FieldIndexOperation(FieldIndexOperations::DeleteIndex(field)) => {
            Change::DeleteIndex(field.to_string())
        }
        UpdateOperation::VectorNameOperation(_) => return None,
    })
}

fn into_engine(change: Change<'_>) -> Result<UpdateOperation> {
    Ok(match change {
        Change::Upsert(points) => {
            let points = points.into_iter().map(|Point(id, vectors, payload)| {
                Ok(PointStructPersisted {
                    id: id.into(),
                    vector: vectors.into_engine()?,
                    payload: payload.map(Cow::into_owned),
                })
            });
            let points = PointInsertOperations::PointsList(points.collect::<Result<_>>()?);
            UpdateOperation::PointOperation(PointOperations::UpsertPoints(points))
        }
        Change::Delete(of) => UpdateOperation::PointOperation(PointOperations::DeletePoints { ids: ids(of) }),
        Change::UpdateVectors(points) => {
            let points = points.into_iter().map(|(id, vectors)| {
                Ok(PointVectorsPersisted { id: id.into(), vector: vectors.into_engine()? })
            });
            let points = points.collect::<Result<_>>()?;
            UpdateOperation::VectorOperation(VectorOperations::UpdateVectors(UpdateVectorsOp {
                points,
                update_filter: None,
            }))
        }
        Change::DeleteVectors(of, names) => {
            UpdateOperation::VectorOperation(VectorOperations::DeleteVectors(ids(of).into(), names))
        }
        Change::SetPayload(of, payload, key) => {
            let key = key.as_deref().map(path).transpose()?;
            UpdateOperation::PayloadOperation(PayloadOps::SetPayload(SetPayloadOp {
                payload: payload.into_owned(),
                points: Some(ids(of)),
                filter: None,
                key,
            }))
        }
        Change::OverwritePayload(of, payload) => {
            UpdateOperation::PayloadOperation(PayloadOps::OverwritePayload(SetPayloadOp {
                payload: payload.into_owned(),
                points: Some(ids(of)),
                filter: None,
                key: None,
            }))
        }
        Change::DeletePayload(of, keys) => {
            let keys = keys.iter().map(|key| path(key)).collect::<Result<_>>()?;
            UpdateOperation::PayloadOperation(PayloadOps::DeletePayload(DeletePayloadOp {
                keys,
                points: Some(ids(of)),
                filter: None,
            }))
        }
        Change::ClearPayload(of) => {
            UpdateOperation::PayloadOperation(PayloadOps::ClearPayload { points: ids(of) })
        }
        Change::CreateIndex(field, schema) => {
            let schema: PayloadFieldSchema =
                serde_json::from_str(&schema).map_err(|error| damaged(&error))?;
            UpdateOperation::FieldIndexOperation(FieldIndexOperations::CreateIndex(CreateIndex {
                field_name: path(&field)?,
                field_schema: Some(schema),
            }))
        }
        Change::DeleteIndex(field) => {
            UpdateOperation::FieldIndexOperation(FieldIndexOperations::DeleteIndex(path(&field)?))
        }
    })
}

fn id(id: &PointId) -> Id {
    match id {
        PointId::NumId(number) => Id::Number(*number),
        PointId::Uuid(uuid) => Id::Uuid(*uuid),
    }
}

impl From<Id> for PointId {
    fn from(id: Id) -> PointId {
        match id {
            Id::Number(number) => PointId::NumId(number),
            Id::Uuid(uuid) => PointId::Uuid(uuid),
        }
    }
}

fn ids(ids: Vec<Id>) -> Vec<PointId> {
    ids.into_iter().map(PointId::from).collect()
}

fn path(text: &str) -> Result<JsonPath> {
    text.parse().map_err(|()| damaged(&format!("{text:?} is no path")))
}

fn vectors(vectors: &VectorStructPersisted) -> Vectors {
    match vectors {
        VectorStructPersisted::Single(dense) => Vectors::Default(Vector::Dense(bytes(dense))),
        VectorStructPersisted::MultiDense(rows) => Vectors::Default(multi(rows)),
        VectorStructPersisted::Named(named) => {
            let mut named: Vec<_> = named
                .iter()
                .map(|(name, vector)| {
                    let vector = match vector {
                        VectorPersisted::Dense(dense) => Vector::Dense(bytes(dense)),
                        VectorPersisted::MultiDense(rows) => multi(rows),
                        VectorPersisted::Sparse(sparse) => {
                            Vector::Sparse(sparse.indices.clone(), bytes(&sparse.values))
                        }
                    };
                    (name.clone(), vector)
                })
                .collect();
            named.sort_by(|one, other| one.0.cmp(&other.0));
            Vectors::Named(named)
        }
    }
}

fn multi(rows: &[Vec<f32>]) -> Vector {
    let length = rows.first().map_or(0, Vec::len);
    let bytes = rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    Vector::Multi(u32::try_from(length).unwrap_or(u32::MAX), ByteBuf::from(bytes))
}

fn bytes(values: &[f32]) -> ByteBuf {
    ByteBuf::from(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

fn values(bytes: &[u8]) -> Result<Vec<f32>> {
    let (values, []) = bytes.as_chunks::<4>() else { return Err(damaged(&"half a number")) };
    Ok(values.iter().map(|value| f32::from_le_bytes(*value)).collect())
}

fn rows(length: u32, bytes: &[u8]) -> Result<Vec<Vec<f32>>> {
    let length = length as usize;
    let values = values(bytes)?;
    match length > 0 && values.len() % length == 0 {
        true => Ok(values.chunks_exact(length).map(<[f32]>::to_vec).collect()),
        false => Err(damaged(&"no whole rows")),
    }
}

impl Vectors {
    fn into_engine(self) -> Result<VectorStructPersisted> {
        Ok(match self {
            Vectors::Default(Vector::Dense(bytes)) => VectorStructPersisted::Single(values(&bytes)?),
            Vectors::Default(Vector::Multi(length, bytes)) => {
                VectorStructPersisted::MultiDense(rows(length, &bytes)?)
            }
            Vectors::Default(Vector::Sparse(..)) => return Err(damaged(&"a sparse vector without a name")),
            Vectors::Named(named) => {
                let named = named.into_iter().map(|(name, vector)| {
                    let vector = match vector {
                        Vector::Dense(bytes) => VectorPersisted::Dense(values(&bytes)?),
                        Vector::Multi(length, bytes) => VectorPersisted::MultiDense(rows(length, &bytes)?),
                        Vector::Sparse(indices, bytes) => {
                            VectorPersisted::Sparse(SparseVector { indices, values: values(&bytes)? })
                        }
                    };
                    Ok((name, vector))
                });
                VectorStructPersisted::Named(named.collect::<Result<_>>()?)
            }
        })
    }
}
