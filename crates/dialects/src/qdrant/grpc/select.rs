//! What of the points to answer, and which points are meant.

use node::points::Selector;
use node::points::engine::{
    PayloadSelectorExclude, PayloadSelectorInclude, WithPayloadInterface, WithVector,
};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::points_selector::PointsSelectorOneOf;
use qdrant_client::qdrant::{with_payload_selector, with_vectors_selector};

use super::check::{Result, all, required};
use super::payload::paths;
use super::status::unserved;
use super::{filter, point};
use crate::qdrant::unserved::Unserved;

/// Which payload to answer; `default` if the request does not say.
pub(super) fn with_payload(
    selector: Option<proto::WithPayloadSelector>,
    default: bool,
) -> Result<WithPayloadInterface> {
    use with_payload_selector::SelectorOptions::{Enable, Exclude, Include};
    let Some(selector) = selector else { return Ok(WithPayloadInterface::Bool(default)) };
    Ok(match required(selector.selector_options, "No PayloadSelector")? {
        Enable(all) => WithPayloadInterface::Bool(all),
        Include(keys) => PayloadSelectorInclude::new(paths(&keys.fields)?).into(),
        Exclude(keys) => PayloadSelectorExclude::new(paths(&keys.fields)?).into(),
    })
}

/// Which vectors to answer: none if the request does not say.
pub(super) fn with_vectors(selector: Option<proto::WithVectorsSelector>) -> WithVector {
    use with_vectors_selector::SelectorOptions::{Enable, Include};
    match selector.and_then(|selector| selector.selector_options) {
        None => WithVector::Bool(false),
        Some(Enable(all)) => WithVector::Bool(all),
        Some(Include(vectors)) => WithVector::Selector(vectors.names),
    }
}

/// Which points a change is about. `or` is said if the request does not tell.
pub(super) fn selected(selector: Option<proto::PointsSelector>, or: &str) -> Result<Selector> {
    match required(required(selector, or)?.points_selector_one_of, "Malformed PointsSelector type")? {
        PointsSelectorOneOf::Points(list) => all(list.ids, point::id).map(Selector::Ids),
        PointsSelectorOneOf::Filter(some) => filter::filter(some).map(Selector::Filter),
    }
}

/// Refuses requests to some of the shards: there are no keys for them.
pub(super) fn every_shard(selector: Option<&proto::ShardKeySelector>) -> Result<()> {
    match selector {
        Some(keys) if !keys.shard_keys.is_empty() || keys.fallback.is_some() => {
            Err(unserved(Unserved::ShardKeys))
        }
        _ => Ok(()),
    }
}
