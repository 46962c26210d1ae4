//! Groups of results as clients ask for them.

use node::points::engine::{Filter, JsonPath, SearchParams, WithPayloadInterface, WithVector};
use node::points::query::{GroupLookup, Groups, Query, Stage};
use serde::Deserialize;
use validator::{Validate, ValidationErrors};

use super::example::{LookupLocation, OneOrMany};
use super::legacy::{NamedVectorStruct, RecommendExamples};
use super::query::{Prefetch, QueryInterface};
use super::select::{ShardKey, no_shard_key};
use crate::qdrant::rest::failure::Failure;
use crate::qdrant::rest::validation::{field, together};

/// A query whose results are grouped.
#[derive(Debug, Deserialize, Validate)]
#[serde(transparent)]
pub(in crate::qdrant::rest) struct QueryGroupsRequest {
    #[validate(nested)]
    search_group_request: QueryGroupsRequestInternal,
}

#[derive(Debug, Deserialize)]
struct QueryGroupsRequestInternal {
    prefetch: Option<OneOrMany<Prefetch>>,
    query: Option<QueryInterface>,
    using: Option<String>,
    lookup_from: Option<LookupLocation>,
    #[serde(flatten)]
    narrowed: Narrowed,
    #[serde(flatten)]
    group_request: QueryBaseGroupRequest,
    shard_key: Option<ShardKey>,
}

/// The older form of the same, for a vector.
#[derive(Debug, Deserialize, Validate)]
#[serde(transparent)]
pub(in crate::qdrant::rest) struct SearchGroupsRequest {
    #[validate(nested)]
    search_group_request: SearchGroupsRequestInternal,
}

#[derive(Debug, Deserialize)]
struct SearchGroupsRequestInternal {
    vector: NamedVectorStruct,
    #[serde(flatten)]
    narrowed: Narrowed,
    #[serde(flatten)]
    group_request: BaseGroupRequest,
    shard_key: Option<ShardKey>,
}

/// The older form of the same, for examples.
#[derive(Debug, Deserialize, Validate)]
#[serde(transparent)]
pub(in crate::qdrant::rest) struct RecommendGroupsRequest {
    #[validate(nested)]
    recommend_group_request: RecommendGroupsRequestInternal,
}

#[derive(Debug, Deserialize)]
struct RecommendGroupsRequestInternal {
    #[serde(flatten)]
    examples: RecommendExamples,
    #[serde(flatten)]
    narrowed: Narrowed,
    #[serde(flatten)]
    group_request: BaseGroupRequest,
    shard_key: Option<ShardKey>,
}

/// What narrows a search, and what is answered of each result.
#[derive(Debug, Deserialize, Validate)]
struct Narrowed {
    #[validate(nested)]
    filter: Option<Filter>,
    #[validate(nested)]
    params: Option<SearchParams>,
    score_threshold: Option<f32>,
    #[serde(alias = "with_vectors")]
    with_vector: Option<WithVector>,
    with_payload: Option<WithPayloadInterface>,
}

#[derive(Debug, Deserialize, Validate)]
struct QueryBaseGroupRequest {
    group_by: JsonPath,
    #[validate(range(min = 1))]
    group_size: Option<usize>,
    #[validate(range(min = 1))]
    limit: Option<usize>,
    with_lookup: Option<WithLookupInterface>,
}

#[derive(Debug, Deserialize, Validate)]
struct BaseGroupRequest {
    group_by: JsonPath,
    #[validate(range(min = 1))]
    group_size: u32,
    #[validate(range(min = 1))]
    limit: u32,
    with_lookup: Option<WithLookupInterface>,
}

/// Where points are looked up that the groups' values name.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum WithLookupInterface {
    Collection(String),
    WithLookup(WithLookup),
}

#[derive(Debug, Deserialize)]
struct WithLookup {
    collection: String,
    #[serde(default = "all_of_it")]
    with_payload: Option<WithPayloadInterface>,
    #[serde(alias = "with_vector")]
    with_vectors: Option<WithVector>,
}

fn all_of_it() -> Option<WithPayloadInterface> {
    Some(WithPayloadInterface::Bool(true))
}

impl QueryGroupsRequest {
    pub(in crate::qdrant::rest) fn groups(self) -> Result<Groups, Failure> {
        let request = self.search_group_request;
        no_shard_key(&request.shard_key)?;
        let stage = Prefetch::new(request.prefetch, request.query, request.using, request.lookup_from);
        let base = request.group_request;
        let (groups, group_size) = (base.limit.unwrap_or(10), base.group_size.unwrap_or(3));
        Ok(Groups {
            query: request.narrowed.query(stage.stage()?),
            group_by: base.group_by,
            groups,
            group_size,
            with_lookup: base.with_lookup.map(WithLookupInterface::lookup),
        })
    }
}

impl SearchGroupsRequest {
    pub(in crate::qdrant::rest) fn groups(self) -> Result<Groups, Failure> {
        let request = self.search_group_request;
        no_shard_key(&request.shard_key)?;
        Ok(request.group_request.groups(request.narrowed.query(request.vector.stage())))
    }
}

impl RecommendGroupsRequest {
    pub(in crate::qdrant::rest) fn groups(self) -> Result<Groups, Failure> {
        let request = self.recommend_group_request;
        no_shard_key(&request.shard_key)?;
        Ok(request.group_request.groups(request.narrowed.query(request.examples.stage()?)))
    }
}

impl Narrowed {
    fn query(self, stage: Stage) -> Query {
        let Narrowed { filter, params, score_threshold, with_vector, with_payload } = self;
        Query {
            stage: Stage { filter, params, score_threshold, ..stage },
            offset: 0,
            with_payload: with_payload.unwrap_or(WithPayloadInterface::Bool(false)),
            with_vector: with_vector.unwrap_or(WithVector::Bool(false)),
        }
    }
}

impl BaseGroupRequest {
    fn groups(self, query: Query) -> Groups {
        Groups {
            query,
            group_by: self.group_by,
            groups: self.limit as usize,
            group_size: self.group_size as usize,
            with_lookup: self.with_lookup.map(WithLookupInterface::lookup),
        }
    }
}

impl WithLookupInterface {
    fn lookup(self) -> GroupLookup {
        let WithLookup { collection, with_payload, with_vectors } = match self {
            WithLookupInterface::Collection(collection) => {
                WithLookup { collection, with_payload: all_of_it(), with_vectors: None }
            }
            WithLookupInterface::WithLookup(lookup) => lookup,
        };
        GroupLookup {
            collection,
            with_payload: with_payload.unwrap_or(WithPayloadInterface::Bool(false)),
            with_vector: with_vectors.unwrap_or(WithVector::Bool(false)),
        }
    }
}

// What several requests share stands in structs of their own, which the paths of broken rules do not show.

impl Validate for QueryGroupsRequestInternal {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let prefetch = self.prefetch.as_ref().map_or(Ok(()), Validate::validate);
        let query = self.query.as_ref().map_or(Ok(()), Validate::validate);
        let group = field("group_request", self.group_request.validate());
        together([field("prefetch", prefetch), field("query", query), self.narrowed.validate(), group])
    }
}

impl Validate for SearchGroupsRequestInternal {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let group = field("group_request", self.group_request.validate());
        together([field("vector", self.vector.validate()), self.narrowed.validate(), group])
    }
}

impl Validate for RecommendGroupsRequestInternal {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let group = field("group_request", self.group_request.validate());
        together([self.examples.validate(), self.narrowed.validate(), group])
    }
}
