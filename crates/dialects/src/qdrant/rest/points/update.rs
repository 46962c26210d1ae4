//! Changes of points. They are made before they are answered, whatever `wait` says: it decides the word.
//!
//! Follows `qdrant/qdrant:src/actix/api/update_api.rs` and `src/common/update.rs`.

use node::collections::Updated;
use node::points::Update;
use serde::Serialize;

use crate::qdrant::rest::answer::{Outcome, result};
use crate::qdrant::rest::call::Call;
use crate::qdrant::rest::failure::Failure;
use crate::qdrant::rest::wire::point::{
    DeletePayload, DeleteVectors, PointInsertOperations, SetPayload, UpdateOperations, UpdateVectors,
};
use crate::qdrant::rest::wire::select::PointsSelector;

/// What became of a change.
#[derive(Serialize)]
pub(in crate::qdrant::rest) struct UpdateResult {
    operation_id: u64,
    status: &'static str,
}

impl UpdateResult {
    pub(in crate::qdrant::rest) fn new(updated: Updated, wait: bool) -> UpdateResult {
        let status = if wait { "completed" } else { "acknowledged" };
        UpdateResult { operation_id: updated.operation_id, status }
    }
}

pub(super) async fn upsert(mut call: Call) -> Outcome {
    let wait = call.params.update()?;
    let points: PointInsertOperations = call.json().await?;
    one(&call, wait, points.update()?).await
}

pub(super) async fn delete(mut call: Call) -> Outcome {
    let wait = call.params.update()?;
    let points: PointsSelector = call.json().await?;
    one(&call, wait, Update::Delete(points.selector()?)).await
}

pub(super) async fn update_vectors(mut call: Call) -> Outcome {
    let wait = call.params.update()?;
    let vectors: UpdateVectors = call.json().await?;
    one(&call, wait, vectors.update()?).await
}

pub(super) async fn delete_vectors(mut call: Call) -> Outcome {
    let wait = call.params.update()?;
    let vectors: DeleteVectors = call.json().await?;
    let updated = several(&call, wait, vectors.updates()?).await?;
    result(&updated.last())
}

pub(super) async fn set_payload(mut call: Call) -> Outcome {
    let wait = call.params.update()?;
    let payload: SetPayload = call.json().await?;
    one(&call, wait, payload.set()?).await
}

pub(super) async fn overwrite_payload(mut call: Call) -> Outcome {
    let wait = call.params.update()?;
    let payload: SetPayload = call.json().await?;
    one(&call, wait, payload.overwrite()?).await
}

pub(super) async fn delete_payload(mut call: Call) -> Outcome {
    let wait = call.params.update()?;
    let keys: DeletePayload = call.json().await?;
    one(&call, wait, keys.update()?).await
}

pub(super) async fn clear_payload(mut call: Call) -> Outcome {
    let wait = call.params.update()?;
    let points: PointsSelector = call.json().await?;
    one(&call, wait, Update::ClearPayload(points.selector()?)).await
}

/// Makes changes one after the other. The first that fails ends it; those before it stay made.
pub(super) async fn batch(mut call: Call) -> Outcome {
    let wait = call.params.update()?;
    let batch: UpdateOperations = call.json().await?;
    // All of them are understood before the first is made.
    let operations: Vec<_> = batch.operations.into_iter().map(|operation| operation.updates()).collect();
    let operations = operations.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut results = Vec::with_capacity(operations.len());
    for updates in operations {
        results.extend(several(&call, wait, updates).await?.pop());
    }
    result(&results)
}

async fn one(call: &Call, wait: bool, update: Update) -> Outcome {
    let updated = call.collection().await?.update(update).await?;
    result(&UpdateResult::new(updated, wait))
}

async fn several(call: &Call, wait: bool, updates: Vec<Update>) -> Result<Vec<UpdateResult>, Failure> {
    let mut results = Vec::with_capacity(updates.len());
    for update in updates {
        let updated = call.collection().await?.update(update).await?;
        results.push(UpdateResult::new(updated, wait));
    }
    Ok(results)
}
