//! Which points: these, or those that match.

use node::points::Selector;
use node::points::engine::{Filter, PointId};
use serde::Deserialize;
use serde_json::Value;
use validator::{Validate, ValidationErrors};

use crate::qdrant::rest::failure::Failure;
use crate::qdrant::unserved::Unserved;

/// Points, or a filter.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::qdrant::rest) enum PointsSelector {
    Ids { points: Vec<PointId>, shard_key: Option<ShardKey> },
    Filter { filter: Filter, shard_key: Option<ShardKey> },
}

/// The name of a shard; nobody can have one here.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(in crate::qdrant::rest) struct ShardKey(#[expect(dead_code, reason = "refused, whatever it is")] Value);

/// Refuses the name of a shard.
pub(in crate::qdrant::rest) fn no_shard_key(key: &Option<ShardKey>) -> Result<(), Failure> {
    key.as_ref().map_or(Ok(()), |_| Err(Unserved::ShardKeys.into()))
}

impl PointsSelector {
    pub(in crate::qdrant::rest) fn selector(self) -> Result<Selector, Failure> {
        let (selector, shard_key) = match self {
            PointsSelector::Ids { points, shard_key } => (Selector::Ids(points), shard_key),
            PointsSelector::Filter { filter, shard_key } => (Selector::Filter(filter), shard_key),
        };
        no_shard_key(&shard_key)?;
        Ok(selector)
    }
}

impl Validate for PointsSelector {
    fn validate(&self) -> Result<(), ValidationErrors> {
        match self {
            PointsSelector::Ids { .. } => Ok(()),
            PointsSelector::Filter { filter, .. } => filter.validate(),
        }
    }
}

/// The points if they are given, else those that match.
pub(in crate::qdrant::rest) fn either(
    points: Option<Vec<PointId>>,
    filter: Option<Filter>,
) -> Result<Selector, Failure> {
    match (points, filter) {
        (Some(points), _) => Ok(Selector::Ids(points)),
        (None, Some(filter)) => Ok(Selector::Filter(filter)),
        (None, None) => Err(Failure::bare(format!("Format error in JSON body: {NEITHER}"))),
    }
}

const NEITHER: &str = "Either list of point ids or filter must be provided";
