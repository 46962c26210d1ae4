//! Pages of points, merged over shards.

use std::cmp::Ordering;

use qdrant_edge::{
    Direction, OrderBy, OrderByInterface, PointId, Record, ScrollRequest, WithPayloadInterface, WithVector,
};

use super::request::{Retrieve, Scroll};
use super::shards::{Shards, by_id};
use crate::error::{Error, Result};

/// Some points, and where those after them begin.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The points.
    pub points: Vec<Record>,
    /// Where the next page begins; `None` after the last one, and always when ordered by a field.
    pub next: Option<PointId>,
}

impl Shards {
    /// A page of points. A point with several values in the field that orders stands in it once for each.
    pub fn scroll(&self, request: Scroll) -> Result<Page> {
        if request.limit == 0 {
            return Err(Error::invalid("Limit cannot be 0"));
        }
        if request.order_by.is_some() && request.offset.is_some() {
            return Err(Error::invalid(
                "Cannot use an `offset` when using `order_by`. The alternative for paging is to use \
                 `order_by.start_from` and a filter to exclude the IDs that you've already seen for the \
                 `order_by.start_from` value",
            ));
        }
        if let [shard] = &self.open[..] {
            let (points, next) = shard.scroll(to_engine(request))?;
            return Ok(Page { points, next });
        }
        let Scroll { limit, order_by, with_payload, with_vector, .. } = request.clone();
        let mut bare = to_engine(request);
        bare.with_payload = Some(WithPayloadInterface::Bool(false));
        bare.with_vector = WithVector::Bool(false);
        let mut page = merge(self.each(|shard| shard.scroll(bare.clone()))?, limit, order_by.as_ref());
        if !page.points.is_empty() && (with_payload.is_required() || with_vector.is_enabled()) {
            let ids = page.points.iter().map(|point| point.id).collect();
            let found = by_id(self.retrieve(Retrieve { ids, with_payload, with_vector })?);
            page.points.retain_mut(|point| match found.get(&point.id) {
                Some(record) => {
                    point.payload.clone_from(&record.payload);
                    point.vector.clone_from(&record.vector);
                    true
                }
                None => false,
            });
        }
        Ok(page)
    }
}

fn to_engine(request: Scroll) -> ScrollRequest {
    ScrollRequest {
        offset: request.offset,
        limit: Some(request.limit),
        filter: request.filter,
        with_payload: Some(request.with_payload),
        with_vector: request.with_vector,
        order_by: request.order_by.map(OrderByInterface::Struct),
    }
}

fn merge(pages: Vec<(Vec<Record>, Option<PointId>)>, limit: usize, order_by: Option<&OrderBy>) -> Page {
    // The point after the page is among those that are too many, or is the next one of a shard that gave them all.
    let beyond = pages.iter().filter_map(|(_, next)| *next).min();
    let mut points: Vec<_> = pages.into_iter().flat_map(|(points, _)| points).collect();
    match order_by {
        None => {
            points.sort_by_key(|point| point.id);
            points.dedup_by_key(|point| point.id);
        }
        Some(order_by) => {
            let ascending = |a: &Record, b: &Record| (a.order_value, a.id).cmp(&(b.order_value, b.id));
            points.sort_by(|a, b| match order_by.direction() {
                Direction::Asc => ascending(a, b),
                Direction::Desc => ascending(b, a),
            });
            points.dedup_by(|a, b| ascending(a, b) == Ordering::Equal);
        }
    }
    let rest = points.split_off(limit.min(points.len()));
    let next = match order_by {
        None => rest.first().map(|point| point.id).into_iter().chain(beyond).min(),
        Some(_) => None,
    };
    Page { points, next }
}
