//! Running a query: each of its steps over all shards, merged before the next one.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use qdrant_edge::{
    Condition, Direction, Filter, NamedQuery, QueryEnum, QueryRequest, Record, Sample, ScoredPoint,
    ScoringQuery, WithPayloadInterface, WithVector,
};

use super::fusion::fuse;
use super::mmr::choose;
use super::request::Query;
use super::resolve::{Diverse, Rule, Step};
use super::shards::{Others, Shards};
use crate::error::Result;

/// Which score comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ranking {
    /// The highest.
    Descending,
    /// The lowest.
    Ascending,
    /// None: any order is right.
    Random,
}

impl Ranking {
    /// Equal scores are told apart by the id, in the same direction, as
    /// `qdrant/qdrant:lib/segment/src/utils/scored_point_ties.rs` does.
    pub(super) fn compare(self, a: &ScoredPoint, b: &ScoredPoint) -> Ordering {
        let ids = a.id.cmp(&b.id);
        match self {
            // Except by a field: see `order`.
            Ranking::Descending if a.order_value.is_some() => b.cmp(a).then(ids),
            Ranking::Descending => b.cmp(a).then(ids.reverse()),
            Ranking::Ascending => a.cmp(b).then(ids),
            Ranking::Random => Ordering::Equal,
        }
    }
}

impl Shards {
    /// The best points. `others` holds the collections that [`Query::others`] names.
    pub fn query(&self, request: Query, others: &Others) -> Result<Vec<ScoredPoint>> {
        let Query { stage, offset, with_payload, with_vector } = request;
        if stage.limit == 0 {
            return Ok(Vec::new());
        }
        let step = self.resolve(stage, others)?;
        self.run(step, offset, with_payload, with_vector)
    }

    /// The results of the last step, `offset` of them left out.
    pub(super) fn run(
        &self,
        mut step: Step,
        offset: usize,
        with_payload: WithPayloadInterface,
        with_vector: WithVector,
    ) -> Result<Vec<ScoredPoint>> {
        // A random order has no beginning to leave out.
        let drawn = matches!(step.rule, Rule::Sample) && step.prefetch.is_empty();
        let offset = if drawn { 0 } else { offset };
        let plain = step.prefetch.is_empty() && !matches!(step.rule, Rule::Diverse(_) | Rule::OrderBy(_));
        if let ([shard], true) = (&self.open[..], plain) {
            let ranking = self.ranking(&step.rule)?;
            let mut leaf = Leaf::new(step);
            leaf.request.offset = offset;
            leaf.request.with_payload = with_payload;
            leaf.request.with_vector = with_vector;
            let mut points = shard.query(leaf.request)?;
            points.sort_by(|a, b| ranking.compare(a, b));
            cut_scores(&mut points, leaf.score_above);
            return Ok(points);
        }
        let limit = step.limit;
        step.limit = limit.saturating_add(offset);
        let mut points = self.step(step, None)?;
        points.drain(..offset.min(points.len()));
        self.fill(points, with_payload, with_vector)
    }

    /// The results of a step. All points that it or those before it find match `above`.
    fn step(&self, step: Step, above: Option<&Filter>) -> Result<Vec<ScoredPoint>> {
        let Step { prefetch, rule, filter, params, score_threshold, limit } = step;
        let filter = Filter::merge_opts(above.cloned(), filter);
        let sources: Vec<_> =
            prefetch.into_iter().map(|step| self.step(step, filter.as_ref())).collect::<Result<_>>()?;
        // Sources match the filter already.
        let found = sources.iter().flatten().map(|point| point.id);
        let among = (!sources.is_empty()).then(|| Filter::new_must(Condition::HasId(found.collect())));
        let filter = among.or(filter);
        let leaf = |rule, filter, limit| {
            self.leaf(Step { prefetch: Vec::new(), rule, filter, params, score_threshold, limit })
        };
        match rule {
            Rule::Fusion(fusion) => Ok(best(fuse(sources, &fusion), score_threshold, limit)),
            Rule::Formula(computation) => {
                Ok(best(self.compute(&computation, &sources)?, score_threshold, limit))
            }
            Rule::Diverse(diverse) => {
                let nearest = NamedQuery::new(diverse.vector.clone(), diverse.using.as_str());
                let points = leaf(Rule::Vector(QueryEnum::Nearest(nearest)), filter, diverse.candidates)?;
                self.diversify(points, &diverse, limit)
            }
            Rule::OrderBy(order_by) => {
                let points = self.ordered(&order_by, filter.as_ref(), limit)?;
                Ok(points.into_iter().map(unscored).collect())
            }
            rule => leaf(rule, filter, limit),
        }
    }

    fn diversify(&self, points: Vec<ScoredPoint>, by: &Diverse, limit: usize) -> Result<Vec<ScoredPoint>> {
        let Some(shard) = self.open.first() else { return Ok(points) };
        let distance = shard.config().get_distance(&by.using)?;
        let with_vector = WithVector::Selector(vec![by.using.clone()]);
        let points = self.fill(points, WithPayloadInterface::Bool(false), with_vector)?;
        let candidates = points.into_iter().filter_map(|mut point| {
            let vector = point.vector.take()?.get(&by.using)?.to_owned();
            Some((point, vector))
        });
        Ok(choose(candidates.collect(), &by.vector, distance, by.relevance, limit))
    }

    /// The results of a step that asks the shards.
    fn leaf(&self, step: Step) -> Result<Vec<ScoredPoint>> {
        let ranking = self.ranking(&step.rule)?;
        let limit = step.limit;
        let Leaf { request, score_above } = Leaf::new(step);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let found = self.each(|shard| shard.query(request.clone()))?;
        let mut points: Vec<_> = found.into_iter().flatten().collect();
        match ranking {
            // Each shard drew its own; draw from them all alike.
            Ranking::Random if self.open.len() > 1 => {
                let draw = RandomState::new();
                points.sort_by_cached_key(|point| draw.hash_one(point.id));
            }
            _ => points.sort_by(|a, b| ranking.compare(a, b)),
        }
        if self.open.len() > 1 {
            let mut seen = HashSet::new();
            points.retain(|point| seen.insert(point.id));
        }
        cut_scores(&mut points, score_above);
        points.truncate(limit);
        Ok(points)
    }

    pub(super) fn ranking(&self, rule: &Rule) -> Result<Ranking> {
        Ok(match rule {
            Rule::ById => Ranking::Ascending,
            Rule::Sample => Ranking::Random,
            Rule::Fusion(_) | Rule::Formula(_) => Ranking::Descending,
            Rule::OrderBy(order_by) => match order_by.direction() {
                Direction::Asc => Ranking::Ascending,
                Direction::Desc => Ranking::Descending,
            },
            Rule::Vector(query) if !query.is_distance_scored() => Ranking::Descending,
            Rule::Vector(query) => self.nearest_first(query.get_vector_name())?,
            Rule::Diverse(diverse) => self.nearest_first(&diverse.using)?,
        })
    }

    fn nearest_first(&self, vector: &str) -> Result<Ranking> {
        let Some(shard) = self.open.first() else { return Ok(Ranking::Descending) };
        let similarity = shard.config().get_distance(vector)?.is_ordered(1.0, 0.0);
        Ok(if similarity { Ranking::Descending } else { Ranking::Ascending })
    }
}

/// A step without others before it, as the engine takes it.
struct Leaf {
    request: QueryRequest,
    /// The engine compares thresholds as distances, whatever the score is. This one is no distance.
    score_above: Option<f32>,
}

impl Leaf {
    fn new(step: Step) -> Leaf {
        let Step { prefetch: _, rule, filter, params, score_threshold, limit } = step;
        let (score_threshold, score_above) = match &rule {
            Rule::Vector(query) if query.is_distance_scored() => (score_threshold, None),
            Rule::Vector(_) => (None, score_threshold),
            _ => (None, None),
        };
        let query = match rule {
            Rule::Vector(query) => Some(ScoringQuery::Vector(query)),
            Rule::Sample => Some(ScoringQuery::Sample(Sample::Random)),
            _ => None,
        };
        let request = QueryRequest { query, filter, params, score_threshold, ..QueryRequest::new(limit) };
        Leaf { request, score_above }
    }
}

fn unscored(record: Record) -> ScoredPoint {
    let Record { id, payload, vector, shard_key, order_value } = record;
    ScoredPoint { id, version: 0, score: 1.0, payload, vector, shard_key, order_value, location: None }
}

/// The first of points whose scores are in order.
fn best(mut points: Vec<ScoredPoint>, score_threshold: Option<f32>, limit: usize) -> Vec<ScoredPoint> {
    if let Some(threshold) = score_threshold {
        points.retain(|point| point.score >= threshold);
    }
    points.truncate(limit);
    points
}

fn cut_scores(points: &mut Vec<ScoredPoint>, above: Option<f32>) {
    if let Some(above) = above {
        points.retain(|point| point.score > above);
    }
}
