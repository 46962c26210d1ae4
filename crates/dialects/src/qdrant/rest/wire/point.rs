//! Changes of points as clients write them.

use node::points::engine::{
    Filter, JsonPath, Payload, PointId, PointStructPersisted, PointVectorsPersisted, UpdateMode,
};
use node::points::{Selector, Update};
use serde::Deserialize;
use validator::{Validate, ValidationErrors};

use super::select::{PointsSelector, ShardKey, either, no_shard_key};
use super::vector::{BatchVectorStruct, VectorStruct};
use crate::qdrant::rest::failure::Failure;
use crate::qdrant::rest::validation::{error_of, field, together};

/// A point.
#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct PointStruct {
    id: PointId,
    #[serde(alias = "vectors")]
    #[validate(nested)]
    vector: VectorStruct,
    payload: Option<Payload>,
}

/// Points, column by column.
#[derive(Debug, Deserialize)]
pub(in crate::qdrant::rest) struct Batch {
    ids: Vec<PointId>,
    vectors: BatchVectorStruct,
    payloads: Option<Vec<Option<Payload>>>,
}

/// Whole points, in a list or in columns.
#[derive(Debug, Deserialize)]
pub(in crate::qdrant::rest) struct PointInsertOperations {
    points: Option<Vec<PointStruct>>,
    batch: Option<Batch>,
    shard_key: Option<ShardKey>,
    update_filter: Option<Filter>,
    update_mode: Option<UpdateMode>,
}

/// New vectors of a point.
#[derive(Debug, Deserialize)]
pub(in crate::qdrant::rest) struct PointVectors {
    id: PointId,
    #[serde(alias = "vectors")]
    vector: VectorStruct,
}

/// New vectors of points.
#[derive(Debug, Deserialize)]
pub(in crate::qdrant::rest) struct UpdateVectors {
    points: Vec<PointVectors>,
    shard_key: Option<ShardKey>,
    update_filter: Option<Filter>,
}

/// Vectors that points are to lose.
#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct DeleteVectors {
    points: Option<Vec<PointId>>,
    #[validate(nested)]
    filter: Option<Filter>,
    #[serde(alias = "vectors")]
    #[validate(length(min = 1, message = "must specify vector names to delete"))]
    vector: Vec<String>,
    shard_key: Option<ShardKey>,
}

/// Keys and values for payloads.
#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct SetPayload {
    payload: Payload,
    points: Option<Vec<PointId>>,
    #[validate(nested)]
    filter: Option<Filter>,
    shard_key: Option<ShardKey>,
    key: Option<JsonPath>,
}

/// Keys that payloads are to lose.
#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct DeletePayload {
    keys: Vec<JsonPath>,
    points: Option<Vec<PointId>>,
    #[validate(nested)]
    filter: Option<Filter>,
    shard_key: Option<ShardKey>,
}

/// Several changes.
#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct UpdateOperations {
    #[validate(nested)]
    pub(in crate::qdrant::rest) operations: Vec<UpdateOperation>,
}

/// One of several changes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::qdrant::rest) enum UpdateOperation {
    Upsert(PointInsertOperations),
    Delete(PointsSelector),
    SetPayload(SetPayload),
    OverwritePayload(SetPayload),
    DeletePayload(DeletePayload),
    ClearPayload(PointsSelector),
    UpdateVectors(UpdateVectors),
    DeleteVectors(DeleteVectors),
}

impl PointInsertOperations {
    pub(in crate::qdrant::rest) fn update(self) -> Result<Update, Failure> {
        no_shard_key(&self.shard_key)?;
        let points = match (self.batch, self.points) {
            (Some(batch), _) => batch.points()?,
            (None, Some(points)) => points.into_iter().map(PointStruct::stored).collect::<Result<_, _>>()?,
            (None, None) => {
                let text = "Format error in JSON body: Invalid PointInsertOperations format";
                return Err(Failure::bare(text));
            }
        };
        let mode = self.update_mode.unwrap_or_default();
        Ok(Update::Upsert { points, filter: self.update_filter, mode })
    }
}

impl PointStruct {
    fn stored(self) -> Result<PointStructPersisted, Failure> {
        Ok(PointStructPersisted { id: self.id, vector: self.vector.stored()?, payload: self.payload })
    }
}

impl Batch {
    fn points(self) -> Result<Vec<PointStructPersisted>, Failure> {
        let count = self.ids.len();
        let vectors = self.vectors.stored(count)?;
        let payloads = self.payloads.unwrap_or_else(|| vec![None; count]);
        let columns = self.ids.into_iter().zip(vectors).zip(payloads);
        Ok(columns.map(|((id, vector), payload)| PointStructPersisted { id, vector, payload }).collect())
    }
}

impl UpdateVectors {
    pub(in crate::qdrant::rest) fn update(self) -> Result<Update, Failure> {
        no_shard_key(&self.shard_key)?;
        let point =
            |point: PointVectors| Ok(PointVectorsPersisted { id: point.id, vector: point.vector.stored()? });
        let points = self.points.into_iter().map(point).collect::<Result<_, Failure>>()?;
        Ok(Update::UpdateVectors { points, filter: self.update_filter })
    }
}

impl DeleteVectors {
    /// One change for those that match and one for those that are named.
    pub(in crate::qdrant::rest) fn updates(self) -> Result<Vec<Update>, Failure> {
        no_shard_key(&self.shard_key)?;
        let selectors = [self.filter.map(Selector::Filter), self.points.map(Selector::Ids)];
        let delete = |of| Update::DeleteVectors { of, names: self.vector.clone() };
        let updates: Vec<Update> = selectors.into_iter().flatten().map(delete).collect();
        if updates.is_empty() {
            return Err(Failure::bad_request("No filter or points provided"));
        }
        Ok(updates)
    }
}

impl SetPayload {
    pub(in crate::qdrant::rest) fn set(self) -> Result<Update, Failure> {
        no_shard_key(&self.shard_key)?;
        let of = either(self.points, self.filter)?;
        Ok(Update::SetPayload { of, payload: self.payload, key: self.key })
    }

    pub(in crate::qdrant::rest) fn overwrite(self) -> Result<Update, Failure> {
        no_shard_key(&self.shard_key)?;
        // It is always the whole payload, whatever the key.
        Ok(Update::OverwritePayload { of: either(self.points, self.filter)?, payload: self.payload })
    }
}

impl DeletePayload {
    pub(in crate::qdrant::rest) fn update(self) -> Result<Update, Failure> {
        no_shard_key(&self.shard_key)?;
        Ok(Update::DeletePayload { of: either(self.points, self.filter)?, keys: self.keys })
    }
}

impl UpdateOperation {
    pub(in crate::qdrant::rest) fn updates(self) -> Result<Vec<Update>, Failure> {
        let update = match self {
            UpdateOperation::Upsert(points) => points.update()?,
            UpdateOperation::Delete(points) => Update::Delete(points.selector()?),
            UpdateOperation::SetPayload(payload) => payload.set()?,
            UpdateOperation::OverwritePayload(payload) => payload.overwrite()?,
            UpdateOperation::DeletePayload(keys) => keys.update()?,
            UpdateOperation::ClearPayload(points) => Update::ClearPayload(points.selector()?),
            UpdateOperation::UpdateVectors(vectors) => vectors.update()?,
            UpdateOperation::DeleteVectors(vectors) => return vectors.updates(),
        };
        Ok(vec![update])
    }
}

impl Validate for PointInsertOperations {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let points = match (&self.batch, &self.points) {
            (Some(batch), _) => field("batch", batch.validate()),
            (None, Some(points)) => field("points", points.validate()),
            (None, None) => Ok(()),
        };
        let filter = self.update_filter.as_ref().map_or(Ok(()), Validate::validate);
        together([points, field("update_filter", filter)])
    }
}

impl Validate for Batch {
    fn validate(&self) -> Result<(), ValidationErrors> {
        self.vectors.validate()?;
        let ids = self.ids.len();
        let unequal = |what: &str, found: usize| {
            Err(error_of("batch", format!("number of ids and {what} must be equal ({ids} != {found})")))
        };
        match (self.vectors.len(ids), self.payloads.as_ref().map(Vec::len)) {
            (vectors, _) if vectors != ids => unequal("vectors", vectors),
            (_, Some(payloads)) if payloads != ids => unequal("payloads", payloads),
            _ => Ok(()),
        }
    }
}

impl Validate for UpdateVectors {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let points = match self.points.as_slice() {
            [] => Err(error_of("points", "must specify points to update")),
            points => field("points", points.validate()),
        };
        let filter = self.update_filter.as_ref().map_or(Ok(()), Validate::validate);
        together([points, field("update_filter", filter)])
    }
}

impl Validate for PointVectors {
    fn validate(&self) -> Result<(), ValidationErrors> {
        match self.vector.is_empty() {
            true => Err(error_of("vector", "must specify vectors to update for point")),
            false => self.vector.validate(),
        }
    }
}

impl Validate for UpdateOperation {
    fn validate(&self) -> Result<(), ValidationErrors> {
        match self {
            UpdateOperation::Upsert(points) => points.validate(),
            UpdateOperation::Delete(points) | UpdateOperation::ClearPayload(points) => points.validate(),
            UpdateOperation::SetPayload(payload) | UpdateOperation::OverwritePayload(payload) => {
                payload.validate()
            }
            UpdateOperation::DeletePayload(keys) => keys.validate(),
            UpdateOperation::UpdateVectors(vectors) => vectors.validate(),
            UpdateOperation::DeleteVectors(vectors) => vectors.validate(),
        }
    }
}
