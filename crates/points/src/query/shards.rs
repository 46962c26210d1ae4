//! The open shards of a collection, asked together.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::{panic, thread};

use qdrant_edge::{
    CountRequest, EdgeShard, FacetRequest, FacetResponse, FacetValueHit, OperationResult, PointId, Record,
    RetrieveRequest, ScoredPoint, WithPayloadInterface, WithVector,
};

use super::request::{Count, Facet, Retrieve};
use crate::error::Result;

/// How many shards one request asks at the same time.
static LANES: LazyLock<usize> =
    LazyLock::new(|| thread::available_parallelism().map_or(1, |cores| cores.get()));

/// Other collections that a request names, under the names by which it does.
pub type Others = BTreeMap<String, Shards>;

/// The open shards of one collection. Cheap to clone. All methods block.
#[derive(Clone)]
pub struct Shards {
    pub(super) name: String,
    pub(super) open: Vec<Arc<EdgeShard>>,
}

impl Shards {
    /// The shards of the collection `name`; their order does not matter.
    pub fn new(name: impl Into<String>, open: Vec<Arc<EdgeShard>>) -> Shards {
        Shards { name: name.into(), open }
    }

    /// Points by id, in the order of the ids.
    pub fn retrieve(&self, request: Retrieve) -> Result<Vec<Record>> {
        let Retrieve { ids, with_payload, with_vector } = request;
        let request = |point_ids| RetrieveRequest {
            point_ids,
            with_payload: Some(with_payload.clone()),
            with_vector: Some(with_vector.clone()),
        };
        if let [shard] = &self.open[..] {
            return Ok(shard.retrieve(request(ids))?);
        }
        let found = self.each(|shard| shard.retrieve(request(ids.clone())))?;
        let mut found = by_id(found.into_iter().flatten());
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// How many points match.
    pub fn count(&self, request: Count) -> Result<usize> {
        let Count { filter, exact } = request;
        let counts = self.each(|shard| shard.count(CountRequest { filter: filter.clone(), exact }))?;
        Ok(counts.into_iter().sum())
    }

    /// Counts by value: most points first, then by value. Without an index that fits, `Invalid`.
    pub fn facet(&self, request: Facet) -> Result<Vec<FacetValueHit>> {
        let Facet { key, limit, filter, exact } = request;
        // A value that is rare in one shard may be frequent in all of them.
        let shard_limit = if self.open.len() == 1 { limit } else { usize::MAX };
        let answers = self.each(|shard| {
            shard.facet(FacetRequest { key: key.clone(), limit: shard_limit, filter: filter.clone(), exact })
        })?;
        let mut counts = HashMap::new();
        for hit in answers.into_iter().flat_map(|answer| answer.hits) {
            *counts.entry(hit.value).or_insert(0) += hit.count;
        }
        Ok(FacetResponse::top_hits(counts, limit).hits)
    }

    /// Adds payloads and vectors to points that were found without. Those that went meanwhile are left out.
    pub(super) fn fill(
        &self,
        points: Vec<ScoredPoint>,
        with_payload: WithPayloadInterface,
        with_vector: WithVector,
    ) -> Result<Vec<ScoredPoint>> {
        if points.is_empty() || !(with_payload.is_required() || with_vector.is_enabled()) {
            return Ok(points);
        }
        let ids = points.iter().map(|point| point.id).collect();
        let found = by_id(self.retrieve(Retrieve { ids, with_payload, with_vector })?);
        let fill = |mut point: ScoredPoint| {
            let record = found.get(&point.id)?;
            point.payload.clone_from(&record.payload);
            point.vector.clone_from(&record.vector);
            Some(point)
        };
        Ok(points.into_iter().filter_map(fill).collect())
    }

    /// The answer of each shard, in their order.
    pub(super) fn each<T: Send>(
        &self,
        ask: impl Fn(&EdgeShard) -> OperationResult<T> + Sync,
    ) -> Result<Vec<T>> {
        let lanes = self.open.len().min(*LANES);
        if lanes <= 1 {
            return self.open.iter().map(|shard| Ok(ask(shard)?)).collect();
        }
        let next = AtomicUsize::new(0);
        let lane = || {
            let mut answers = Vec::new();
            while let Some((number, shard)) = take(&self.open, &next) {
                answers.push((number, ask(shard)));
            }
            answers
        };
        let mut answers = thread::scope(|scope| {
            // A lane that cannot be opened is no loss: the others do its work.
            let spawn = |_| thread::Builder::new().spawn_scoped(scope, lane).ok();
            let lanes: Vec<_> = (1..lanes).filter_map(spawn).collect();
            let mut answers = lane();
            for lane in lanes {
                answers.extend(lane.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
            }
            answers
        });
        answers.sort_unstable_by_key(|(number, _)| *number);
        answers.into_iter().map(|(_, answer)| Ok(answer?)).collect()
    }
}

fn take<'a>(open: &'a [Arc<EdgeShard>], next: &AtomicUsize) -> Option<(usize, &'a EdgeShard)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    open.get(number).map(|shard| (number, shard.as_ref()))
}

/// Records under their ids.
pub(super) fn by_id(records: impl IntoIterator<Item = Record>) -> HashMap<PointId, Record> {
    records.into_iter().map(|record| (record.id, record)).collect()
}
