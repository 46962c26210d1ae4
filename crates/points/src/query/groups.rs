//! Results grouped by a payload field, found in a few rounds of the query:
//! `qdrant/qdrant:lib/collection/src/grouping/group_by.rs`.

use std::collections::{HashMap, HashSet};

use qdrant_edge::{
    AnyVariants, Condition, FieldCondition, Filter, IsEmptyCondition, JsonPath, Match, PointId, Record,
    ScoredPoint, WithPayloadInterface, WithVector,
};
use serde_json::Value;
use uuid::Uuid;

use super::request::{GroupLookup, Groups, Retrieve};
use super::resolve::{Step, no_collection};
use super::search::Ranking;
use super::shards::{Others, Shards, by_id};
use super::values::values;
use crate::error::Result;

/// How many rounds look for groups, and how many more for the rest of their points.
const ROUNDS: usize = 5;

/// The results of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The value of the field: a string or an integer.
    pub id: Value,
    /// The best results, best first.
    pub hits: Vec<ScoredPoint>,
    /// The point of another collection that the value names.
    pub lookup: Option<Record>,
}

impl Shards {
    /// The best points of each value, the group with the best point first. A point with several values is in the
    /// group of each; one with a value that is neither string nor integer is in none.
    pub fn query_groups(&self, request: Groups, others: &Others) -> Result<Vec<Group>> {
        let Groups { mut query, group_by, groups, group_size, with_lookup } = request;
        query.stage.limit = groups;
        let mut base = self.resolve(query.stage, others)?;
        base.limit = groups.saturating_mul(group_size);
        base.prefetch.iter_mut().for_each(|step| widen(step, group_size));
        let empty = Condition::IsEmpty(IsEmptyCondition::from(group_by.clone()));
        narrow(&mut base, Filter::new_must_not(empty));
        let mut gathered = Gathered {
            ranking: self.ranking(&base.rule)?,
            field: group_by,
            size: group_size,
            count: groups,
            groups: Vec::new(),
            places: HashMap::new(),
            seen: HashSet::new(),
        };
        if base.limit > 0 {
            self.gather(&base, &mut gathered)?;
        }
        let mut groups = gathered.finish();
        self.fill_groups(&mut groups, query.with_payload, query.with_vector)?;
        if let Some(lookup) = with_lookup {
            self.look_up(&mut groups, lookup, others)?;
        }
        Ok(groups)
    }

    fn gather(&self, base: &Step, gathered: &mut Gathered) -> Result<()> {
        for finding in [true, false] {
            for _ in 0..ROUNDS {
                let mut step = base.clone();
                let values = if finding { gathered.full() } else { gathered.best_not_full() };
                let conditions = matching(&gathered.field, &values, finding);
                if !conditions.is_empty() {
                    narrow(&mut step, Filter { must: Some(conditions), ..Filter::new() });
                }
                if !gathered.seen.is_empty() {
                    let seen = gathered.seen.iter().copied().collect();
                    narrow(&mut step, Filter::new_must_not(Condition::HasId(seen)));
                }
                let payload = WithPayloadInterface::Fields(vec![gathered.field.wildcard_indices()]);
                let points = self.run(step, 0, payload, WithVector::Bool(false))?;
                if points.is_empty() {
                    break;
                }
                points.into_iter().for_each(|point| gathered.add(point));
                if gathered.is_complete() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn fill_groups(
        &self,
        groups: &mut [Group],
        with_payload: WithPayloadInterface,
        with_vector: WithVector,
    ) -> Result<()> {
        let ids: HashSet<_> = groups.iter().flat_map(|group| &group.hits).map(|hit| hit.id).collect();
        let mut records = HashMap::new();
        if with_payload.is_required() || with_vector.is_enabled() {
            let ids = ids.into_iter().collect();
            records = by_id(self.retrieve(Retrieve { ids, with_payload, with_vector })?);
        }
        for hit in groups.iter_mut().flat_map(|group| &mut group.hits) {
            let record = records.get(&hit.id);
            hit.payload = record.and_then(|record| record.payload.clone());
            hit.vector = record.and_then(|record| record.vector.clone());
        }
        Ok(())
    }

    fn look_up(&self, groups: &mut [Group], lookup: GroupLookup, others: &Others) -> Result<()> {
        let GroupLookup { collection, with_payload, with_vector } = lookup;
        let shards = match others.get(&collection) {
            Some(shards) => shards,
            None if collection == self.name => self,
            None => return Err(no_collection(&collection)),
        };
        let ids = groups.iter().filter_map(|group| point_id(&group.id)).collect();
        let records = by_id(shards.retrieve(Retrieve { ids, with_payload, with_vector })?);
        for group in groups {
            group.lookup = point_id(&group.id).and_then(|id| records.get(&id).cloned());
        }
        Ok(())
    }
}

/// The groups as far as they are known, in the order in which they were met.
struct Gathered {
    ranking: Ranking,
    field: JsonPath,
    size: usize,
    count: usize,
    groups: Vec<Group>,
    places: HashMap<Value, usize>,
    seen: HashSet<PointId>,
}

impl Gathered {
    fn add(&mut self, point: ScoredPoint) {
        let Some(values) = groups(&point, &self.field) else { return };
        if values.is_empty() || !self.seen.insert(point.id) {
            return;
        }
        for value in values {
            let place = *self.places.entry(value.clone()).or_insert_with(|| {
                self.groups.push(Group { id: value, hits: Vec::new(), lookup: None });
                self.groups.len() - 1
            });
            self.groups[place].hits.push(point.clone());
        }
    }

    /// The best groups, best first.
    fn best(&self) -> Vec<&Group> {
        let ranking = self.ranking;
        let mut ranked: Vec<_> = self
            .groups
            .iter()
            .map(|group| (group.hits.iter().min_by(|a, b| ranking.compare(a, b)), group))
            .collect();
        ranked.sort_by(|(a, _), (b, _)| match (a, b) {
            (Some(a), Some(b)) => ranking.compare(a, b),
            _ => a.is_none().cmp(&b.is_none()),
        });
        ranked.into_iter().take(self.count).map(|(_, group)| group).collect()
    }

    fn is_full(&self, group: &Group) -> bool {
        group.hits.len() >= self.size
    }

    fn is_complete(&self) -> bool {
        self.best().iter().filter(|group| self.is_full(group)).count() >= self.count
    }

    fn full(&self) -> Vec<&Value> {
        self.groups.iter().filter(|group| self.is_full(group)).map(|group| &group.id).collect()
    }

    fn best_not_full(&self) -> Vec<&Value> {
        self.best().into_iter().filter(|group| !self.is_full(group)).map(|group| &group.id).collect()
    }

    fn finish(self) -> Vec<Group> {
        let mut groups: Vec<_> = self.best().into_iter().cloned().collect();
        for group in &mut groups {
            group.hits.sort_by(|a, b| self.ranking.compare(a, b));
            group.hits.truncate(self.size);
        }
        groups
    }
}

/// The groups of a point; `None` if it has a value that makes no group.
fn groups(point: &ScoredPoint, field: &JsonPath) -> Option<Vec<Value>> {
    let mut groups = Vec::new();
    for value in values(field, point.payload.as_ref()?) {
        if !(value.is_string() || value.is_u64() || value.is_i64()) {
            return None;
        }
        if !groups.contains(value) {
            groups.push(value.clone());
        }
    }
    Some(groups)
}

/// Conditions for points that have any of `values`, or any value but these.
fn matching(field: &JsonPath, values: &[&Value], except: bool) -> Vec<Condition> {
    let integers = values.iter().filter_map(|value| value.as_i64());
    let strings = values.iter().filter_map(|value| value.as_str().map(Into::into));
    let variants = [AnyVariants::Integers(integers.collect()), AnyVariants::Strings(strings.collect())];
    let condition = |variants| {
        let value = if except { Match::new_except(variants) } else { Match::new_any(variants) };
        Condition::Field(FieldCondition::new_match(field.clone(), value))
    };
    variants.into_iter().filter(|variants| !variants.is_empty()).map(condition).collect()
}

fn narrow(step: &mut Step, filter: Filter) {
    step.filter = Filter::merge_opts(step.filter.take(), Some(filter));
}

/// Lets enough candidates through for whole groups.
fn widen(step: &mut Step, factor: usize) {
    step.limit = step.limit.saturating_mul(factor);
    step.prefetch.iter_mut().for_each(|step| widen(step, factor));
}

/// The point that a group's value names.
fn point_id(value: &Value) -> Option<PointId> {
    match value {
        Value::String(text) => Uuid::try_parse(text).ok().map(PointId::Uuid),
        value => value.as_u64().map(PointId::NumId),
    }
}
