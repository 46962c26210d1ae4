//! A change of one shard as operations on explicit ids: what filters and conditions mean is decided here, once,
//! before the change is logged, so that repeating the log leads to the same state.

use std::collections::HashSet;

use bytes::Bytes;
use qdrant_edge::{
    DeletePayloadOp, EdgeShard, Filter, PayloadOps, PointId, PointInsertOperations, PointOperations,
    PointStructPersisted, PointVectorsPersisted, RetrieveRequest, ScrollRequest, SetPayloadOp, UpdateMode,
    UpdateOperation, UpdateVectorsOp, VectorOperations, WithPayloadInterface, WithVector,
};

use super::{Selector, Update};
use crate::{Operation, Result};

/// No operation concerns more points.
const POINTS_MAX: usize = 10_000;

/// No entry of the log is longer, but for that of a single point.
const ENTRY_BYTES_MAX: usize = 8 << 20;

impl Update {
    /// Whether what it does depends on what is there: nothing else may be changed between
    /// [`resolve`](Self::resolve) and the log.
    pub fn depends_on_state(&self) -> bool {
        match self {
            Update::Upsert { filter, mode, .. } => filter.is_some() || *mode != UpdateMode::Upsert,
            Update::UpdateVectors { filter, .. } => filter.is_some(),
            Update::Delete(of)
            | Update::DeleteVectors { of, .. }
            | Update::SetPayload { of, .. }
            | Update::OverwritePayload { of, .. }
            | Update::DeletePayload { of, .. }
            | Update::ClearPayload(of) => matches!(of, Selector::Filter(_)),
        }
    }

    /// Whether it only ever frees space.
    pub fn only_removes(&self) -> bool {
        match self {
            Update::Delete(_)
            | Update::DeleteVectors { .. }
            | Update::DeletePayload { .. }
            | Update::ClearPayload(_) => true,
            Update::Upsert { .. }
            | Update::UpdateVectors { .. }
            | Update::SetPayload { .. }
            | Update::OverwritePayload { .. } => false,
        }
    }

    /// The log entries that make the change in `shard` as it is now: encoded [`Operation`]s, in order. None if no point
    /// is concerned.
    pub fn resolve(self, shard: &EdgeShard) -> Result<Vec<Bytes>> {
        match self {
            Update::Upsert { points, filter, mode } => upsert(concerned(points, filter, mode, shard)?),
            Update::UpdateVectors { points, filter } => {
                let points = match filter {
                    Some(filter) => {
                        let ids: Vec<_> = points.iter().map(|point| point.id).collect();
                        let matching = matching(shard, filter.with_point_ids(ids))?;
                        points.into_iter().filter(|point| matching.contains(&point.id)).collect()
                    }
                    None => points,
                };
                update_vectors(points)
            }
            Update::Delete(of) => select(of, shard, |ids| {
                UpdateOperation::PointOperation(PointOperations::DeletePoints { ids })
            }),
            Update::DeleteVectors { of, names } => select(of, shard, |ids| {
                let operation = VectorOperations::DeleteVectors(ids.into(), names.clone());
                UpdateOperation::VectorOperation(operation)
            }),
            Update::SetPayload { of, payload, key } => select(of, shard, |ids| {
                let (payload, key) = (payload.clone(), key.clone());
                let operation = SetPayloadOp { payload, points: Some(ids), filter: None, key };
                UpdateOperation::PayloadOperation(PayloadOps::SetPayload(operation))
            }),
            Update::OverwritePayload { of, payload } => select(of, shard, |ids| {
                let payload = payload.clone();
                let operation = SetPayloadOp { payload, points: Some(ids), filter: None, key: None };
                UpdateOperation::PayloadOperation(PayloadOps::OverwritePayload(operation))
            }),
            Update::DeletePayload { of, keys } => select(of, shard, |ids| {
                let operation = DeletePayloadOp { keys: keys.clone(), points: Some(ids), filter: None };
                UpdateOperation::PayloadOperation(PayloadOps::DeletePayload(operation))
            }),
            Update::ClearPayload(of) => select(of, shard, |points| {
                UpdateOperation::PayloadOperation(PayloadOps::ClearPayload { points })
            }),
        }
    }
}

/// The points that an upsert writes. New ones are written whatever the filter says
/// (`qdrant/qdrant:lib/shard/src/update.rs`).
fn concerned(
    points: Vec<PointStructPersisted>,
    filter: Option<Filter>,
    mode: UpdateMode,
    shard: &EdgeShard,
) -> Result<Vec<PointStructPersisted>> {
    if filter.is_none() && mode == UpdateMode::Upsert {
        return Ok(points);
    }
    let ids: Vec<_> = points.iter().map(|point| point.id).collect();
    let existing = existing(shard, ids.clone())?;
    let matching = match filter {
        Some(filter) if mode != UpdateMode::InsertOnly => matching(shard, filter.with_point_ids(ids))?,
        _ => existing.clone(),
    };
    let written = |id: &PointId| match mode {
        UpdateMode::Upsert => !existing.contains(id) || matching.contains(id),
        UpdateMode::InsertOnly => !existing.contains(id),
        UpdateMode::UpdateOnly => matching.contains(id),
    };
    Ok(points.into_iter().filter(|point| written(&point.id)).collect())
}

fn select(
    of: Selector,
    shard: &EdgeShard,
    operation: impl Fn(Vec<PointId>) -> UpdateOperation,
) -> Result<Vec<Bytes>> {
    let ids = match of {
        Selector::Ids(ids) => ids,
        Selector::Filter(filter) => {
            let mut ids: Vec<_> = matching(shard, filter)?.into_iter().collect();
            ids.sort_unstable();
            ids
        }
    };
    entries(ids, operation)
}

fn upsert(points: Vec<PointStructPersisted>) -> Result<Vec<Bytes>> {
    entries(points, |points| {
        let points = PointInsertOperations::PointsList(points);
        UpdateOperation::PointOperation(PointOperations::UpsertPoints(points))
    })
}

fn update_vectors(points: Vec<PointVectorsPersisted>) -> Result<Vec<Bytes>> {
    entries(points, |points| {
        let operation = UpdateVectorsOp { points, update_filter: None };
        UpdateOperation::VectorOperation(VectorOperations::UpdateVectors(operation))
    })
}

/// Entries with at most [`POINTS_MAX`] points each.
fn entries<T>(mut points: Vec<T>, operation: impl Fn(Vec<T>) -> UpdateOperation) -> Result<Vec<Bytes>> {
    let mut entries = Vec::new();
    while !points.is_empty() {
        let rest = points.split_off(points.len().min(POINTS_MAX));
        fit(operation(points), &mut entries)?;
        points = rest;
    }
    Ok(entries)
}

/// Encodes `operation`, halved as often as it takes. A single point of any size is left to the log to refuse.
fn fit(operation: UpdateOperation, entries: &mut Vec<Bytes>) -> Result<()> {
    let operation = Operation::new(operation)?;
    let entry = operation.encode();
    if entry.len() <= ENTRY_BYTES_MAX {
        entries.push(entry);
        return Ok(());
    }
    match halves(operation.into_update()) {
        Some((first, second)) => {
            fit(first, entries)?;
            fit(second, entries)
        }
        None => {
            entries.push(entry);
            Ok(())
        }
    }
}

fn halves(operation: UpdateOperation) -> Option<(UpdateOperation, UpdateOperation)> {
    match operation {
        UpdateOperation::PointOperation(PointOperations::UpsertPoints(
            PointInsertOperations::PointsList(mut first),
        )) if first.len() > 1 => {
            let second = first.split_off(first.len() / 2);
            let upsert = |points| {
                let points = PointInsertOperations::PointsList(points);
                UpdateOperation::PointOperation(PointOperations::UpsertPoints(points))
            };
            Some((upsert(first), upsert(second)))
        }
        UpdateOperation::VectorOperation(VectorOperations::UpdateVectors(UpdateVectorsOp {
            points: mut first,
            update_filter: None,
        })) if first.len() > 1 => {
            let second = first.split_off(first.len() / 2);
            let update = |points| {
                let operation = UpdateVectorsOp { points, update_filter: None };
                UpdateOperation::VectorOperation(VectorOperations::UpdateVectors(operation))
            };
            Some((update(first), update(second)))
        }
        _ => None,
    }
}

fn existing(shard: &EdgeShard, point_ids: Vec<PointId>) -> Result<HashSet<PointId>> {
    let found = shard.retrieve(RetrieveRequest {
        point_ids,
        with_payload: Some(WithPayloadInterface::Bool(false)),
        with_vector: Some(WithVector::Bool(false)),
    })?;
    Ok(found.into_iter().map(|record| record.id).collect())
}

/// The points that match.
fn matching(shard: &EdgeShard, filter: Filter) -> Result<HashSet<PointId>> {
    let mut ids = HashSet::new();
    let mut offset = None;
    loop {
        let (page, next) = shard.scroll(ScrollRequest {
            offset,
            limit: Some(POINTS_MAX),
            filter: Some(filter.clone()),
            with_payload: Some(WithPayloadInterface::Bool(false)),
            with_vector: WithVector::Bool(false),
            order_by: None,
        })?;
        ids.extend(page.into_iter().map(|record| record.id));
        match next {
            Some(next) => offset = Some(next),
            None => return Ok(ids),
        }
    }
}
