//! Search, recommend and discover, which came before the universal query and translate to it.
//!
//! Follows `qdrant/qdrant:lib/collection/src/operations/types.rs`.

use node::points::engine::{
    Filter, SearchParams, SparseVector, VectorInternal, WithPayloadInterface, WithVector,
};
use node::points::query::{Query, Scoring, Stage, VectorInput as Input};
use serde::Deserialize;
use validator::{Validate, ValidationErrors};

use super::example::{LookupLocation, VectorInput};
use super::query::{RecommendStrategy, strategy};
use super::select::{ShardKey, no_shard_key};
use crate::qdrant::rest::failure::Failure;
use crate::qdrant::rest::validation::{field, together};

/// A vector, with the name of those it is compared with or without.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::qdrant::rest) enum NamedVectorStruct {
    Default(Vec<f32>),
    Dense { name: String, vector: Vec<f32> },
    Sparse { name: String, vector: SparseVector },
}

/// A search for a vector.
#[derive(Debug, Deserialize, Validate)]
#[serde(transparent)]
pub(in crate::qdrant::rest) struct SearchRequest {
    #[validate(nested)]
    search_request: SearchRequestInternal,
}

#[derive(Debug, Deserialize)]
struct SearchRequestInternal {
    vector: NamedVectorStruct,
    #[serde(flatten)]
    page: Page,
}

/// Several searches.
#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct SearchRequestBatch {
    #[validate(nested)]
    pub(in crate::qdrant::rest) searches: Vec<SearchRequest>,
}

/// A search by examples.
#[derive(Debug, Deserialize, Validate)]
#[serde(transparent)]
pub(in crate::qdrant::rest) struct RecommendRequest {
    #[validate(nested)]
    recommend_request: RecommendRequestInternal,
}

#[derive(Debug, Deserialize)]
struct RecommendRequestInternal {
    #[serde(flatten)]
    examples: RecommendExamples,
    #[serde(flatten)]
    page: Page,
}

/// Several searches by examples.
#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct RecommendRequestBatch {
    #[validate(nested)]
    pub(in crate::qdrant::rest) searches: Vec<RecommendRequest>,
}

/// What results should be like, and what not.
#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct RecommendExamples {
    #[serde(default)]
    #[validate(nested)]
    positive: Vec<VectorInput>,
    #[serde(default)]
    #[validate(nested)]
    negative: Vec<VectorInput>,
    strategy: Option<RecommendStrategy>,
    using: Option<String>,
    lookup_from: Option<LookupLocation>,
}

/// A search on one side of pairs of examples.
#[derive(Debug, Deserialize, Validate)]
#[serde(transparent)]
pub(in crate::qdrant::rest) struct DiscoverRequest {
    #[validate(nested)]
    discover_request: DiscoverRequestInternal,
}

#[derive(Debug, Deserialize)]
struct DiscoverRequestInternal {
    target: Option<VectorInput>,
    context: Option<Vec<ContextExamplePair>>,
    using: Option<String>,
    lookup_from: Option<LookupLocation>,
    #[serde(flatten)]
    page: Page,
}

/// Several searches on one side of pairs of examples.
#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct DiscoverRequestBatch {
    #[validate(nested)]
    pub(in crate::qdrant::rest) searches: Vec<DiscoverRequest>,
}

#[derive(Debug, Deserialize, Validate)]
struct ContextExamplePair {
    #[validate(nested)]
    positive: VectorInput,
    #[validate(nested)]
    negative: VectorInput,
}

/// What narrows a search, and which of its results are answered.
#[derive(Debug, Deserialize, Validate)]
struct Page {
    #[validate(nested)]
    filter: Option<Filter>,
    #[validate(nested)]
    params: Option<SearchParams>,
    #[serde(alias = "top")]
    #[validate(range(min = 1))]
    limit: usize,
    offset: Option<usize>,
    with_payload: Option<WithPayloadInterface>,
    #[serde(alias = "with_vectors")]
    with_vector: Option<WithVector>,
    score_threshold: Option<f32>,
    shard_key: Option<ShardKey>,
}

impl SearchRequest {
    pub(in crate::qdrant::rest) fn query(self) -> Result<Query, Failure> {
        let request = self.search_request;
        request.page.query(request.vector.stage())
    }
}

impl RecommendRequest {
    pub(in crate::qdrant::rest) fn query(self) -> Result<Query, Failure> {
        let request = self.recommend_request;
        request.page.query(request.examples.stage()?)
    }
}

impl DiscoverRequest {
    pub(in crate::qdrant::rest) fn query(self) -> Result<Query, Failure> {
        let request = self.discover_request;
        let pair = |pair: ContextExamplePair| Ok((pair.positive.input()?, pair.negative.input()?));
        let pairs = request.context.unwrap_or_default().into_iter().map(pair);
        let context = pairs.collect::<Result<Vec<_>, Failure>>()?;
        let scoring = match request.target {
            Some(target) => Scoring::Discover { target: target.input()?, context },
            None if context.is_empty() => {
                return Err(Failure::bad_input("target and/or context must be specified"));
            }
            None => Scoring::Context(context),
        };
        let lookup_from = request.lookup_from.map(LookupLocation::lookup).transpose()?;
        request.page.query(Stage { lookup_from, ..stage(scoring, request.using) })
    }
}

impl RecommendExamples {
    pub(super) fn stage(self) -> Result<Stage, Failure> {
        let inputs = |inputs: Vec<VectorInput>| {
            inputs.into_iter().map(VectorInput::input).collect::<Result<Vec<_>, _>>()
        };
        let scoring = Scoring::Recommend {
            positive: inputs(self.positive)?,
            negative: inputs(self.negative)?,
            strategy: strategy(self.strategy),
        };
        let lookup_from = self.lookup_from.map(LookupLocation::lookup).transpose()?;
        Ok(Stage { lookup_from, ..stage(scoring, self.using) })
    }
}

impl NamedVectorStruct {
    pub(super) fn stage(self) -> Stage {
        let (using, vector) = match self {
            NamedVectorStruct::Default(vector) => (None, VectorInternal::Dense(vector)),
            NamedVectorStruct::Dense { name, vector } => (Some(name), VectorInternal::Dense(vector)),
            NamedVectorStruct::Sparse { name, vector } => (Some(name), VectorInternal::Sparse(vector)),
        };
        stage(Scoring::Nearest(Input::Vector(vector)), using)
    }
}

impl Page {
    fn query(self, stage: Stage) -> Result<Query, Failure> {
        no_shard_key(&self.shard_key)?;
        let Page { filter, params, limit, score_threshold, .. } = self;
        Ok(Query {
            stage: Stage { filter, params, limit, score_threshold, ..stage },
            offset: self.offset.unwrap_or(0),
            with_payload: self.with_payload.unwrap_or(WithPayloadInterface::Bool(false)),
            with_vector: self.with_vector.unwrap_or(WithVector::Bool(false)),
        })
    }
}

/// A stage that nothing narrows yet.
fn stage(scoring: Scoring, using: Option<String>) -> Stage {
    Stage {
        prefetch: Vec::new(),
        scoring: Some(scoring),
        using: using.unwrap_or_default(),
        filter: None,
        params: None,
        score_threshold: None,
        limit: 0,
        lookup_from: None,
    }
}

// What several requests share stands in structs of their own, which the paths of broken rules do not show.

impl Validate for SearchRequestInternal {
    fn validate(&self) -> Result<(), ValidationErrors> {
        together([field("vector", self.vector.validate()), self.page.validate()])
    }
}

impl Validate for RecommendRequestInternal {
    fn validate(&self) -> Result<(), ValidationErrors> {
        together([self.examples.validate(), self.page.validate()])
    }
}

impl Validate for DiscoverRequestInternal {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let target = self.target.as_ref().map_or(Ok(()), Validate::validate);
        let context = self.context.as_ref().map_or(Ok(()), Validate::validate);
        together([field("target", target), field("context", context), self.page.validate()])
    }
}

impl Validate for NamedVectorStruct {
    fn validate(&self) -> Result<(), ValidationErrors> {
        match self {
            NamedVectorStruct::Default(_) | NamedVectorStruct::Dense { .. } => Ok(()),
            NamedVectorStruct::Sparse { vector, .. } => vector.validate(),
        }
    }
}
