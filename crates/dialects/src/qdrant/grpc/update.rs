//! Changes of points, from messages (`qdrant/qdrant:src/tonic/api/update_common.rs`).

use node::points::Update;
use node::points::engine::{Filter, UpdateMode};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::points_update_operation::Operation;

use super::check::{Faults, Result, all, fault, required};
use super::select::{every_shard, selected};
use super::{filter, payload, point};

const NO_SELECTOR: &str = "points_selector is expected";
const NO_POINTS: &str = "PointSelector is missing";

/// A change of one collection.
pub(super) struct Change {
    /// The collection, or an alias of it.
    pub(super) collection: String,
    /// What to change.
    pub(super) update: Update,
    /// Whether the answer says that the change can be read; it always can.
    pub(super) wait: bool,
}

impl Change {
    fn new(
        collection: String,
        wait: Option<bool>,
        shard_keys: Option<proto::ShardKeySelector>,
        update: impl FnOnce() -> Result<Update>,
    ) -> Result<Change> {
        Faults::of(&collection).check()?;
        every_shard(shard_keys.as_ref())?;
        Ok(Change { collection, update: update()?, wait: wait.unwrap_or_default() })
    }
}

pub(super) fn upsert(request: proto::UpsertPoints) -> Result<Change> {
    Change::new(request.collection_name, request.wait, request.shard_key_selector, || {
        upserted(request.points, request.update_filter, request.update_mode)
    })
}

pub(super) fn delete(request: proto::DeletePoints) -> Result<Change> {
    Change::new(request.collection_name, request.wait, request.shard_key_selector, || {
        selected(request.points, NO_POINTS).map(Update::Delete)
    })
}

pub(super) fn update_vectors(request: proto::UpdatePointVectors) -> Result<Change> {
    Change::new(request.collection_name, request.wait, request.shard_key_selector, || {
        updated_vectors(request.points, request.update_filter)
    })
}

pub(super) fn delete_vectors(request: proto::DeletePointVectors) -> Result<Change> {
    Change::new(request.collection_name, request.wait, request.shard_key_selector, || {
        deleted_vectors(request.points_selector, request.vectors)
    })
}

pub(super) fn set_payload(request: proto::SetPayloadPoints) -> Result<Change> {
    Change::new(request.collection_name, request.wait, request.shard_key_selector, || {
        Ok(Update::SetPayload {
            of: selected(request.points_selector, NO_SELECTOR)?,
            payload: payload::read(request.payload)?,
            key: request.key.as_deref().map(payload::path).transpose()?,
        })
    })
}

/// The key, if there is one, does not count: whole payloads are replaced.
pub(super) fn overwrite_payload(request: proto::SetPayloadPoints) -> Result<Change> {
    Change::new(request.collection_name, request.wait, request.shard_key_selector, || {
        Ok(Update::OverwritePayload {
            of: selected(request.points_selector, NO_SELECTOR)?,
            payload: payload::read(request.payload)?,
        })
    })
}

pub(super) fn delete_payload(request: proto::DeletePayloadPoints) -> Result<Change> {
    Change::new(request.collection_name, request.wait, request.shard_key_selector, || {
        Ok(Update::DeletePayload {
            of: selected(request.points_selector, NO_SELECTOR)?,
            keys: payload::paths(&request.keys)?,
        })
    })
}

pub(super) fn clear_payload(request: proto::ClearPayloadPoints) -> Result<Change> {
    Change::new(request.collection_name, request.wait, request.shard_key_selector, || {
        selected(request.points, NO_POINTS).map(Update::ClearPayload)
    })
}

/// One change of a batch.
#[allow(deprecated, reason = "older clients send the deprecated forms")]
pub(super) fn operation(operation: proto::PointsUpdateOperation) -> Result<Update> {
    let whole = |keys: Option<proto::ShardKeySelector>| every_shard(keys.as_ref());
    match required(operation.operation, "Operation is missing")? {
        Operation::Upsert(of) => {
            whole(of.shard_key_selector)?;
            upserted(of.points, of.update_filter, of.update_mode)
        }
        Operation::DeletePoints(of) => {
            whole(of.shard_key_selector)?;
            selected(of.points, NO_POINTS).map(Update::Delete)
        }
        Operation::DeleteDeprecated(of) => selected(Some(of), NO_POINTS).map(Update::Delete),
        Operation::SetPayload(of) => {
            whole(of.shard_key_selector)?;
            Ok(Update::SetPayload {
                of: selected(of.points_selector, NO_SELECTOR)?,
                payload: payload::read(of.payload)?,
                key: of.key.as_deref().map(payload::path).transpose()?,
            })
        }
        Operation::OverwritePayload(of) => {
            whole(of.shard_key_selector)?;
            Ok(Update::OverwritePayload {
                of: selected(of.points_selector, NO_SELECTOR)?,
                payload: payload::read(of.payload)?,
            })
        }
        Operation::DeletePayload(of) => {
            whole(of.shard_key_selector)?;
            Ok(Update::DeletePayload {
                of: selected(of.points_selector, NO_SELECTOR)?,
                keys: payload::paths(&of.keys)?,
            })
        }
        Operation::ClearPayload(of) => {
            whole(of.shard_key_selector)?;
            selected(of.points, NO_POINTS).map(Update::ClearPayload)
        }
        Operation::ClearPayloadDeprecated(of) => selected(Some(of), NO_POINTS).map(Update::ClearPayload),
        Operation::UpdateVectors(of) => {
            whole(of.shard_key_selector)?;
            updated_vectors(of.points, of.update_filter)
        }
        Operation::DeleteVectors(of) => {
            whole(of.shard_key_selector)?;
            deleted_vectors(of.points_selector, of.vectors)
        }
    }
}

fn upserted(
    points: Vec<proto::PointStruct>,
    only: Option<proto::Filter>,
    mode: Option<i32>,
) -> Result<Update> {
    let mode = match mode.and_then(|number| proto::UpdateMode::try_from(number).ok()) {
        Some(proto::UpdateMode::InsertOnly) => UpdateMode::InsertOnly,
        Some(proto::UpdateMode::UpdateOnly) => UpdateMode::UpdateOnly,
        Some(proto::UpdateMode::Upsert) | None => UpdateMode::Upsert,
    };
    let filter: Option<Filter> = filter::maybe(only)?;
    Ok(Update::Upsert { points: all(points, point::point)?, filter, mode })
}

fn updated_vectors(points: Vec<proto::PointVectors>, only: Option<proto::Filter>) -> Result<Update> {
    Ok(Update::UpdateVectors { points: all(points, point::point_vectors)?, filter: filter::maybe(only)? })
}

fn deleted_vectors(
    of: Option<proto::PointsSelector>,
    vectors: Option<proto::VectorsSelector>,
) -> Result<Update> {
    let of = selected(of, NO_SELECTOR)?;
    let names = required(vectors, "vectors is expected")?.names;
    match names.is_empty() {
        true => Err(fault("vector_names", "must specify vector names to delete")),
        false => Ok(Update::DeleteVectors { of, names }),
    }
}
