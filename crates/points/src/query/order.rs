//! Points in the order of a payload field.
//!
//! Shards cut a run of equal values where they like. Here equal values are in the order of their ids, so that an
//! answer, and what is cut from it, does not depend on how points lie in shards.

use std::cmp::Ordering;

use qdrant_edge::external::ordered_float::OrderedFloat;
use qdrant_edge::{
    Condition, DateTimeWrapper, Direction, FieldCondition, Filter, OrderBy, OrderByInterface, OrderValue,
    Range, Record, ScrollRequest, WithPayloadInterface, WithVector,
};

use super::request::Retrieve;
use super::shards::Shards;
use super::values::values;
use crate::error::Result;

/// Integers up to here are exact as floating point numbers, which is what ranges are made of.
const EXACT_MAX: i64 = 1 << 53;

impl Shards {
    /// Up to `limit` points that match, without payloads and vectors. A point with several values is there once for
    /// each. `Invalid` if the field has no index that orders.
    pub(super) fn ordered(&self, by: &OrderBy, filter: Option<&Filter>, limit: usize) -> Result<Vec<Record>> {
        let request = ScrollRequest {
            order_by: Some(OrderByInterface::Struct(by.clone())),
            ..bare(filter.cloned(), limit.saturating_add(1))
        };
        let found = self.each(|shard| shard.scroll(request.clone()))?;
        let whole = found.iter().all(|(points, _)| points.len() <= limit);
        let mut points: Vec<_> = found.into_iter().flat_map(|(points, _)| points).collect();
        points.sort_by(|a, b| compare(by.direction(), a, b));
        let ends = (limit.checked_sub(1).and_then(|last| points.get(last)), points.get(limit));
        if let ((Some(last), Some(next)), false) = (ends, whole)
            && last.order_value == next.order_value
            && let Some(equal) = self.equal(by, next)?
        {
            let value = last.order_value;
            let before = points.iter().take_while(|point| point.order_value != value).count();
            points.truncate(before);
            let filter = Filter::merge_opts(filter.cloned(), Some(Filter::new_must(equal)));
            let run = self.first(filter, limit - before)?;
            points.extend(run.into_iter().map(|point| Record { order_value: value, ..point }));
        }
        points.truncate(limit);
        Ok(points)
    }

    /// The first points that match, in the order of their ids, without payloads and vectors.
    pub(super) fn first(&self, filter: Option<Filter>, limit: usize) -> Result<Vec<Record>> {
        let request = bare(filter, limit);
        let found = self.each(|shard| shard.scroll(request.clone()))?;
        let mut points: Vec<_> = found.into_iter().flat_map(|(points, _)| points).collect();
        points.sort_by_key(|point| point.id);
        points.dedup_by_key(|point| point.id);
        points.truncate(limit);
        Ok(points)
    }

    /// What points with the value of `point` match; `None` if no condition says so exactly.
    fn equal(&self, by: &OrderBy, point: &Record) -> Result<Option<Condition>> {
        let key = by.key.clone();
        let number = |value| {
            let value = Some(OrderedFloat(value));
            let range = Range { gte: value, lte: value, ..Range::default() };
            FieldCondition::new_range(key.clone(), range)
        };
        let condition = match point.order_value {
            Some(OrderValue::Float(value)) => Some(number(value)),
            Some(OrderValue::Int(value)) if self.is_time(by, point)? => {
                DateTimeWrapper::from_timestamp(value).map(|value| {
                    let range = Range { gte: Some(value), lte: Some(value), gt: None, lt: None };
                    FieldCondition::new_datetime_range(key, range)
                })
            }
            Some(OrderValue::Int(value)) => (value.abs() <= EXACT_MAX).then(|| number(value as f64)),
            None => None,
        };
        Ok(condition.map(Condition::Field))
    }

    /// Whether the integers by which a field orders are times: then the field holds them as text.
    fn is_time(&self, by: &OrderBy, point: &Record) -> Result<bool> {
        let found = self.retrieve(Retrieve {
            ids: vec![point.id],
            with_payload: WithPayloadInterface::Fields(vec![by.key.wildcard_indices()]),
            with_vector: WithVector::Bool(false),
        })?;
        let payload = found.first().and_then(|record| record.payload.as_ref());
        Ok(payload.is_some_and(|payload| !values(&by.key, payload).iter().any(|value| value.is_number())))
    }
}

fn compare(direction: Direction, a: &Record, b: &Record) -> Ordering {
    let values = a.order_value.cmp(&b.order_value);
    let values = match direction {
        Direction::Asc => values,
        Direction::Desc => values.reverse(),
    };
    values.then_with(|| a.id.cmp(&b.id))
}

fn bare(filter: Option<Filter>, limit: usize) -> ScrollRequest {
    ScrollRequest {
        limit: Some(limit),
        filter,
        with_payload: Some(WithPayloadInterface::Bool(false)),
        ..ScrollRequest::new()
    }
}
