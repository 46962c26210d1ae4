//! Points as clients read them.

use node::collections::Group;
use node::points::engine::{
    OrderValue, Payload, PointId, Record, ScoredPoint, VectorInternal, VectorStructInternal,
};
use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// A point.
#[derive(Serialize)]
pub(in crate::qdrant::rest) struct RecordOutput<'a> {
    id: &'a PointId,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a Payload>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vector: Option<VectorStructOutput<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_value: Option<&'a OrderValue>,
}

/// A point that was found.
#[derive(Serialize)]
pub(in crate::qdrant::rest) struct ScoredPointOutput<'a> {
    id: &'a PointId,
    version: u64,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a Payload>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vector: Option<VectorStructOutput<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_value: Option<&'a OrderValue>,
}

/// Points that share a value.
#[derive(Serialize)]
pub(in crate::qdrant::rest) struct GroupOutput<'a> {
    hits: Vec<ScoredPointOutput<'a>>,
    id: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    lookup: Option<RecordOutput<'a>>,
}

/// The vectors of a point: one without a name, or a map, which is in the order of the names.
pub(in crate::qdrant::rest) struct VectorStructOutput<'a>(&'a VectorStructInternal);

struct VectorOutput<'a>(&'a VectorInternal);

impl<'a> From<&'a Record> for RecordOutput<'a> {
    fn from(record: &'a Record) -> RecordOutput<'a> {
        RecordOutput {
            id: &record.id,
            payload: record.payload.as_ref(),
            vector: record.vector.as_ref().map(VectorStructOutput),
            order_value: record.order_value.as_ref(),
        }
    }
}

impl<'a> From<&'a ScoredPoint> for ScoredPointOutput<'a> {
    fn from(point: &'a ScoredPoint) -> ScoredPointOutput<'a> {
        ScoredPointOutput {
            id: &point.id,
            version: point.version,
            score: point.score,
            payload: point.payload.as_ref(),
            vector: point.vector.as_ref().map(VectorStructOutput),
            order_value: point.order_value.as_ref(),
        }
    }
}

impl<'a> From<&'a Group> for GroupOutput<'a> {
    fn from(group: &'a Group) -> GroupOutput<'a> {
        GroupOutput {
            hits: scored(&group.hits),
            id: &group.id,
            lookup: group.lookup.as_ref().map(RecordOutput::from),
        }
    }
}

/// Points as they are written.
pub(in crate::qdrant::rest) fn records(records: &[Record]) -> Vec<RecordOutput<'_>> {
    records.iter().map(RecordOutput::from).collect()
}

/// Points that were found, as they are written.
pub(in crate::qdrant::rest) fn scored(points: &[ScoredPoint]) -> Vec<ScoredPointOutput<'_>> {
    points.iter().map(ScoredPointOutput::from).collect()
}

impl Serialize for VectorStructOutput<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            VectorStructInternal::Single(vector) => vector.serialize(serializer),
            VectorStructInternal::MultiDense(vectors) => serializer.collect_seq(vectors.multi_vectors()),
            VectorStructInternal::Named(named) => {
                let mut named: Vec<_> = named.iter().collect();
                named.sort_by_key(|(name, _)| *name);
                let mut map = serializer.serialize_map(Some(named.len()))?;
                for (name, vector) in named {
                    map.serialize_entry(name, &VectorOutput(vector))?;
                }
                map.end()
            }
        }
    }
}

impl Serialize for VectorOutput<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            VectorInternal::Dense(vector) => vector.serialize(serializer),
            VectorInternal::MultiDense(vectors) => serializer.collect_seq(vectors.multi_vectors()),
            VectorInternal::Sparse(vector) => {
                let mut pair = serializer.serialize_struct("SparseVector", 2)?;
                pair.serialize_field("indices", &vector.indices)?;
                pair.serialize_field("values", &vector.values)?;
                pair.end()
            }
        }
    }
}
