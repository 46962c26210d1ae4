//! The universal query as clients write it.

use std::collections::HashMap;

use node::points::engine::{Filter, OrderByInterface, SearchParams, WithPayloadInterface, WithVector};
use node::points::query::{Fusion as Fused, Query as Asked, RecommendStrategy as Strategy, Scoring, Stage};
use serde::Deserialize;
use serde_json::Value;
use validator::{Validate, ValidationErrors};

use super::example::{LookupLocation, OneOrMany, VectorInput};
use super::formula::Expression;
use super::select::{ShardKey, no_shard_key};
use crate::qdrant::rest::failure::Failure;
use crate::qdrant::rest::validation::{error_of, field, together};

/// How many results there are unless it is said.
const LIMIT: usize = 10;

/// What is added to ranks unless it is said.
const RRF_K: usize = 2;

/// How different from one another results are to be unless it is said.
const DIVERSITY: f32 = 0.5;

/// A query.
#[derive(Debug, Deserialize, Validate)]
#[serde(transparent)]
pub(in crate::qdrant::rest) struct QueryRequest {
    #[validate(nested)]
    internal: QueryRequestInternal,
}

#[derive(Debug, Deserialize, Validate)]
struct QueryRequestInternal {
    #[validate(nested)]
    prefetch: Option<OneOrMany<Prefetch>>,
    #[validate(nested)]
    query: Option<QueryInterface>,
    using: Option<String>,
    #[validate(nested)]
    filter: Option<Filter>,
    #[validate(nested)]
    params: Option<SearchParams>,
    score_threshold: Option<f32>,
    #[validate(range(min = 1))]
    limit: Option<usize>,
    offset: Option<usize>,
    with_vector: Option<WithVector>,
    with_payload: Option<WithPayloadInterface>,
    lookup_from: Option<LookupLocation>,
    shard_key: Option<ShardKey>,
}

/// Several queries.
#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct QueryRequestBatch {
    #[validate(nested)]
    pub(in crate::qdrant::rest) searches: Vec<QueryRequest>,
}

/// A stage of a query.
#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct Prefetch {
    #[validate(nested)]
    prefetch: Option<OneOrMany<Prefetch>>,
    #[validate(nested)]
    query: Option<QueryInterface>,
    using: Option<String>,
    #[validate(nested)]
    filter: Option<Filter>,
    #[validate(nested)]
    params: Option<SearchParams>,
    score_threshold: Option<f32>,
    #[validate(range(min = 1))]
    limit: Option<usize>,
    lookup_from: Option<LookupLocation>,
}

/// How results are scored: a vector or a point, or something by name.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::qdrant::rest) enum QueryInterface {
    Nearest(VectorInput),
    Query(Query),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::qdrant::rest) enum Query {
    Nearest { nearest: VectorInput, mmr: Option<Mmr> },
    Recommend { recommend: RecommendInput },
    Discover { discover: DiscoverInput },
    Context { context: OneOrMany<ContextPair> },
    OrderBy { order_by: OrderByInterface },
    Fusion { fusion: Fusion },
    Rrf { rrf: Rrf },
    Sample { sample: Sample },
    Formula { formula: Expression, defaults: Option<HashMap<String, Value>> },
    RelevanceFeedback { relevance_feedback: FeedbackInput },
}

#[derive(Debug, Deserialize)]
pub(in crate::qdrant::rest) struct FeedbackInput {
    target: VectorInput,
    feedback: Vec<FeedbackItem>,
    strategy: FeedbackStrategy,
}

#[derive(Debug, Deserialize)]
pub(in crate::qdrant::rest) struct FeedbackItem {
    example: VectorInput,
    score: f32,
}

#[derive(Debug, Deserialize)]
pub(in crate::qdrant::rest) struct FeedbackStrategy {
    naive: NaiveFeedback,
}

#[derive(Debug, Deserialize)]
pub(in crate::qdrant::rest) struct NaiveFeedback {
    a: f32,
    b: f32,
    c: f32,
}

#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct Mmr {
    #[validate(range(min = 0.0, max = 1.0))]
    diversity: Option<f32>,
    #[validate(range(max = 16_384))]
    candidates_limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
pub(in crate::qdrant::rest) struct RecommendInput {
    positive: Option<Vec<VectorInput>>,
    negative: Option<Vec<VectorInput>>,
    strategy: Option<RecommendStrategy>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::qdrant::rest) enum RecommendStrategy {
    AverageVector,
    BestScore,
    SumScores,
}

#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct DiscoverInput {
    #[validate(nested)]
    target: VectorInput,
    #[validate(nested)]
    context: Option<OneOrMany<ContextPair>>,
}

#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct ContextPair {
    #[validate(nested)]
    positive: VectorInput,
    #[validate(nested)]
    negative: VectorInput,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::qdrant::rest) enum Fusion {
    Rrf,
    Dbsf,
}

#[derive(Debug, Deserialize, Validate)]
pub(in crate::qdrant::rest) struct Rrf {
    #[validate(range(min = 1))]
    k: Option<usize>,
    weights: Option<Vec<f32>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::qdrant::rest) enum Sample {
    Random,
}

impl QueryRequest {
    pub(in crate::qdrant::rest) fn query(self) -> Result<Asked, Failure> {
        let QueryRequestInternal {
            prefetch,
            query,
            using,
            filter,
            params,
            score_threshold,
            limit,
            offset,
            with_vector,
            with_payload,
            lookup_from,
            shard_key,
        } = self.internal;
        no_shard_key(&shard_key)?;
        let stage = Prefetch { prefetch, query, using, filter, params, score_threshold, limit, lookup_from };
        Ok(Asked {
            stage: stage.stage()?,
            offset: offset.unwrap_or(0),
            with_payload: with_payload.unwrap_or(WithPayloadInterface::Bool(false)),
            with_vector: with_vector.unwrap_or(WithVector::Bool(false)),
        })
    }
}

impl Prefetch {
    pub(super) fn new(
        prefetch: Option<OneOrMany<Prefetch>>,
        query: Option<QueryInterface>,
        using: Option<String>,
        lookup_from: Option<LookupLocation>,
    ) -> Prefetch {
        let (filter, params, score_threshold, limit) = (None, None, None, None);
        Prefetch { prefetch, query, using, filter, params, score_threshold, limit, lookup_from }
    }

    pub(super) fn stage(self) -> Result<Stage, Failure> {
        let prefetch = self.prefetch.map(OneOrMany::into_vec).unwrap_or_default();
        Ok(Stage {
            prefetch: prefetch.into_iter().map(Prefetch::stage).collect::<Result<_, _>>()?,
            scoring: self.query.map(QueryInterface::scoring).transpose()?,
            using: self.using.unwrap_or_default(),
            filter: self.filter,
            params: self.params,
            score_threshold: self.score_threshold,
            limit: self.limit.unwrap_or(LIMIT),
            lookup_from: self.lookup_from.map(LookupLocation::lookup).transpose()?,
        })
    }
}

impl QueryInterface {
    pub(super) fn scoring(self) -> Result<Scoring, Failure> {
        let query = match self {
            QueryInterface::Nearest(vector) => return Ok(Scoring::Nearest(vector.input()?)),
            QueryInterface::Query(query) => query,
        };
        match query {
            Query::Nearest { nearest, mmr: Some(mmr) } => Ok(Scoring::Diverse {
                nearest: nearest.input()?,
                diversity: mmr.diversity.unwrap_or(DIVERSITY),
                candidates: mmr.candidates_limit,
            }),
            Query::Nearest { nearest, mmr: None } => Ok(Scoring::Nearest(nearest.input()?)),
            Query::Recommend { recommend } => recommend.scoring(),
            Query::Discover { discover } => {
                Ok(Scoring::Discover { target: discover.target.input()?, context: pairs(discover.context)? })
            }
            Query::Context { context } => Ok(Scoring::Context(pairs(Some(context))?)),
            Query::OrderBy { order_by } => Ok(Scoring::OrderBy(order_by.into())),
            Query::Fusion { fusion: Fusion::Rrf } => {
                Ok(Scoring::Fusion(Fused::Rrf { k: RRF_K, weights: None }))
            }
            Query::Fusion { fusion: Fusion::Dbsf } => Ok(Scoring::Fusion(Fused::Dbsf)),
            Query::Rrf { rrf } => {
                Ok(Scoring::Fusion(Fused::Rrf { k: rrf.k.unwrap_or(RRF_K), weights: rrf.weights }))
            }
            Query::Sample { sample: Sample::Random } => Ok(Scoring::Sample),
            Query::Formula { formula, defaults } => Ok(Scoring::Formula(formula.formula(defaults))),
            Query::RelevanceFeedback { relevance_feedback } => relevance_feedback.scoring(),
        }
    }
}

fn pairs(
    pairs: Option<OneOrMany<ContextPair>>,
) -> Result<Vec<(node::points::query::VectorInput, node::points::query::VectorInput)>, Failure> {
    let pairs = pairs.map(OneOrMany::into_vec).unwrap_or_default();
    pairs.into_iter().map(|pair| Ok((pair.positive.input()?, pair.negative.input()?))).collect()
}

impl FeedbackInput {
    fn scoring(self) -> Result<Scoring, Failure> {
        let example = |item: FeedbackItem| Ok((item.example.input()?, item.score));
        let NaiveFeedback { a, b, c } = self.strategy.naive;
        Ok(Scoring::Feedback {
            target: self.target.input()?,
            examples: self.feedback.into_iter().map(example).collect::<Result<_, Failure>>()?,
            coefficients: [a, b, c],
        })
    }
}

impl RecommendInput {
    fn scoring(self) -> Result<Scoring, Failure> {
        let inputs = |inputs: Option<Vec<VectorInput>>| {
            inputs.unwrap_or_default().into_iter().map(VectorInput::input).collect::<Result<Vec<_>, _>>()
        };
        Ok(Scoring::Recommend {
            positive: inputs(self.positive)?,
            negative: inputs(self.negative)?,
            strategy: strategy(self.strategy),
        })
    }
}

/// How examples become a score, unless it is said by their average.
pub(super) fn strategy(strategy: Option<RecommendStrategy>) -> Strategy {
    match strategy {
        None | Some(RecommendStrategy::AverageVector) => Strategy::AverageVector,
        Some(RecommendStrategy::BestScore) => Strategy::BestScore,
        Some(RecommendStrategy::SumScores) => Strategy::SumScores,
    }
}

impl Validate for QueryInterface {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let query = match self {
            QueryInterface::Nearest(vector) => return vector.validate(),
            QueryInterface::Query(query) => query,
        };
        match query {
            Query::Nearest { nearest, mmr } => {
                together([nearest.validate(), field("mmr", mmr.as_ref().map_or(Ok(()), Validate::validate))])
            }
            Query::Recommend { recommend } => recommend.validate(),
            Query::Discover { discover } => discover.validate(),
            Query::Context { context } => {
                let pairs = context.as_slice();
                pairs
                    .iter()
                    .flat_map(|pair| [&pair.positive, &pair.negative])
                    .try_for_each(Validate::validate)
            }
            Query::OrderBy { order_by } => order_by.validate(),
            Query::Rrf { rrf } => rrf.validate(),
            Query::Formula { formula, defaults: _ } => formula.validate(),
            Query::RelevanceFeedback {
                relevance_feedback: FeedbackInput { target, feedback, strategy: _ },
            } => {
                let examples = feedback.iter().map(|item| &item.example);
                examples.chain([target]).try_for_each(Validate::validate)
            }
            Query::Fusion { .. } | Query::Sample { .. } => Ok(()),
        }
    }
}

impl Validate for RecommendInput {
    fn validate(&self) -> Result<(), ValidationErrors> {
        let mut examples = self.positive.iter().chain(&self.negative).flatten().peekable();
        if examples.peek().is_none() {
            let rule = "At least one positive or negative vector/id must be provided";
            return Err(error_of("positives, negatives", format!("Validation error: {rule} [{{}}]")));
        }
        examples.try_for_each(Validate::validate)
    }
}
