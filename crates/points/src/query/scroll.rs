//! Pages of points, merged over shards.

use qdrant_edge::{PointId, Record, ScrollRequest, WithPayloadInterface, WithVector};

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
        let Scroll { offset, limit, filter, order_by, with_payload, with_vector } = request;
        let page = |with_payload, with_vector| ScrollRequest {
            offset,
            limit: Some(limit),
            filter: filter.clone(),
            with_payload: Some(with_payload),
            with_vector,
            order_by: None,
        };
        if let (Some(order_by), filter) = (&order_by, filter.as_ref()) {
            let points = self.ordered(order_by, filter, limit)?;
            return Ok(Page { points: self.fill_records(points, with_payload, with_vector)?, next: None });
        }
        if let [shard] = &self.open[..] {
            let (points, next) = shard.scroll(page(with_payload, with_vector))?;
            return Ok(Page { points, next });
        }
        let bare = page(WithPayloadInterface::Bool(false), WithVector::Bool(false));
        let Page { points, next } = merge(self.each(|shard| shard.scroll(bare.clone()))?, limit);
        Ok(Page { points: self.fill_records(points, with_payload, with_vector)?, next })
    }

    /// Adds payloads and vectors to points that were found without. Those that went meanwhile are left out.
    fn fill_records(
        &self,
        mut points: Vec<Record>,
        with_payload: WithPayloadInterface,
        with_vector: WithVector,
    ) -> Result<Vec<Record>> {
        if points.is_empty() || !(with_payload.is_required() || with_vector.is_enabled()) {
            return Ok(points);
        }
        let ids = points.iter().map(|point| point.id).collect();
        let found = by_id(self.retrieve(Retrieve { ids, with_payload, with_vector })?);
        points.retain_mut(|point| match found.get(&point.id) {
            Some(record) => {
                point.payload.clone_from(&record.payload);
                point.vector.clone_from(&record.vector);
                true
            }
            None => false,
        });
        Ok(points)
    }
}

fn merge(pages: Vec<(Vec<Record>, Option<PointId>)>, limit: usize) -> Page {
    // The point after the page is among those that are too many, or is the next one of a shard that gave them all.
    let beyond = pages.iter().filter_map(|(_, next)| *next).min();
    let mut points: Vec<_> = pages.into_iter().flat_map(|(points, _)| points).collect();
    points.sort_by_key(|point| point.id);
    points.dedup_by_key(|point| point.id);
    let rest = points.split_off(limit.min(points.len()));
    let next = rest.first().map(|point| point.id).into_iter().chain(beyond).min();
    Page { points, next }
}
