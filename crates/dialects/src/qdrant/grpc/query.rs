//! The universal query, from messages (`qdrant/qdrant:src/common/inference/query_requests_grpc.rs`).

use node::points::engine::external::ordered_float::OrderedFloat;
use node::points::engine::{
    AcornSearchParams, DateTimeWrapper, Direction, IdfCorpusParams, IdfParams, IdfScope, OrderBy,
    QuantizationSearchParams, SearchParams, StartFrom,
};
use node::points::query::{
    Fusion, GroupLookup, Groups, Lookup, Query, RecommendStrategy, Scoring, Stage, VectorInput,
};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::feedback_strategy;
use qdrant_client::qdrant::query::Variant;
use qdrant_client::qdrant::start_from::Value as From;

use super::check::{Faults, Result, all, between, fault, invalid, required};
use super::formula::formula;
use super::payload::path;
use super::select::{every_shard, with_payload, with_vectors};
use super::status::unserved;
use super::{filter, point};
use crate::qdrant::unserved::Unserved;

/// How many results there are of a query that does not say.
const LIMIT: usize = 10;
/// How many in each group.
const GROUP_SIZE: usize = 3;
/// What is added to ranks before they are inverted, if the query does not say
/// (`qdrant/qdrant:lib/segment/src/common/reciprocal_rank_fusion.rs`).
const RRF_K: usize = 2;
/// How different results are made, if the query does not say.
const DIVERSITY: f32 = 0.5;
/// Among no more points are different ones chosen.
const CANDIDATES_MAX: u32 = 16_384;

/// One query.
pub(super) fn query(request: proto::QueryPoints) -> Result<Query> {
    Faults::of(&request.collection_name)
        .at_least("limit", request.limit, 1)
        .at_least("timeout", request.timeout, 1)
        .check()?;
    every_shard(request.shard_key_selector.as_ref())?;
    Ok(Query {
        stage: Stage {
            prefetch: all(request.prefetch, prefetch)?,
            scoring: request.query.map(scoring).transpose()?,
            using: request.using.unwrap_or_default(),
            filter: filter::maybe(request.filter)?,
            params: request.params.map(params).transpose()?,
            score_threshold: request.score_threshold,
            limit: request.limit.map_or(LIMIT, |limit| limit as usize),
            lookup_from: lookup(request.lookup_from)?,
        },
        offset: request.offset.unwrap_or_default() as usize,
        with_payload: with_payload(request.with_payload, false)?,
        with_vector: with_vectors(request.with_vectors),
    })
}

/// One query whose results are grouped.
pub(super) fn groups(request: proto::QueryPointGroups) -> Result<Groups> {
    Faults::of(&request.collection_name)
        .filled("group_by", request.group_by.len())
        .at_least("group_size", request.group_size, 1)
        .at_least("limit", request.limit, 1)
        .at_least("timeout", request.timeout, 1)
        .check()?;
    every_shard(request.shard_key_selector.as_ref())?;
    let groups = request.limit.map_or(LIMIT, |limit| limit as usize);
    Ok(Groups {
        query: Query {
            stage: Stage {
                prefetch: all(request.prefetch, prefetch)?,
                scoring: request.query.map(scoring).transpose()?,
                using: request.using.unwrap_or_default(),
                filter: filter::maybe(request.filter)?,
                params: request.params.map(params).transpose()?,
                score_threshold: request.score_threshold,
                limit: groups,
                lookup_from: lookup(request.lookup_from)?,
            },
            offset: 0,
            with_payload: with_payload(request.with_payload, false)?,
            with_vector: with_vectors(request.with_vectors),
        },
        group_by: path(&request.group_by)?,
        groups,
        group_size: request.group_size.map_or(GROUP_SIZE, |size| size as usize),
        with_lookup: group_lookup(request.with_lookup)?,
    })
}

fn prefetch(stage: proto::PrefetchQuery) -> Result<Stage> {
    Faults::default().at_least("prefetch.limit", stage.limit, 1).check()?;
    Ok(Stage {
        prefetch: all(stage.prefetch, prefetch)?,
        scoring: stage.query.map(scoring).transpose()?,
        using: stage.using.unwrap_or_default(),
        filter: filter::maybe(stage.filter)?,
        params: stage.params.map(params).transpose()?,
        score_threshold: stage.score_threshold,
        limit: stage.limit.map_or(LIMIT, |limit| limit as usize),
        lookup_from: lookup(stage.lookup_from)?,
    })
}

/// Where ids are looked up.
fn lookup(location: Option<proto::LookupLocation>) -> Result<Option<Lookup>> {
    let Some(location) = location else { return Ok(None) };
    every_shard(location.shard_key_selector.as_ref())?;
    Ok(Some(Lookup { collection: location.collection_name, vector: location.vector_name }))
}

/// What to answer with each group: payload unless told otherwise.
fn group_lookup(lookup: Option<proto::WithLookup>) -> Result<Option<GroupLookup>> {
    let Some(lookup) = lookup else { return Ok(None) };
    Ok(Some(GroupLookup {
        collection: lookup.collection,
        with_payload: with_payload(lookup.with_payload, true)?,
        with_vector: with_vectors(lookup.with_vectors),
    }))
}

fn scoring(query: proto::Query) -> Result<Scoring> {
    Ok(match required(query.variant, "Query variant is missing")? {
        Variant::Nearest(to) => Scoring::Nearest(point::input(to)?),
        Variant::Recommend(from) => Scoring::Recommend {
            positive: point::inputs(from.positive)?,
            negative: point::inputs(from.negative)?,
            strategy: strategy(from.strategy),
        },
        Variant::Discover(discover) => Scoring::Discover {
            target: point::input(required(discover.target, "DiscoverInput target is missing")?)?,
            context: context(required(discover.context, "DiscoverInput context is missing")?)?,
        },
        Variant::Context(of) => Scoring::Context(context(of)?),
        Variant::OrderBy(by) => Scoring::OrderBy(order_by(by)?),
        Variant::Fusion(number) => match proto::Fusion::try_from(number) {
            Ok(proto::Fusion::Rrf) => Scoring::Fusion(Fusion::Rrf { k: RRF_K, weights: None }),
            Ok(proto::Fusion::Dbsf) => Scoring::Fusion(Fusion::Dbsf),
            Err(error) => return Err(invalid(format!("invalid fusion type value {number}: {error}"))),
        },
        Variant::Rrf(rrf) => {
            Faults::default().at_least("rrf.k", rrf.k, 1).check()?;
            Scoring::Fusion(Fusion::Rrf {
                k: rrf.k.map_or(RRF_K, |k| k as usize),
                weights: Some(rrf.weights).filter(|weights| !weights.is_empty()),
            })
        }
        Variant::Sample(number) => match proto::Sample::try_from(number) {
            Ok(proto::Sample::Random) => Scoring::Sample,
            Err(error) => return Err(invalid(format!("invalid sample type value {number}: {error}"))),
        },
        Variant::Formula(of) => Scoring::Formula(formula(of)?),
        Variant::NearestWithMmr(of) => diverse(of)?,
        Variant::RelevanceFeedback(of) => feedback(of)?,
        Variant::Text(_) => return Err(unserved(Unserved::TextScoring)),
    })
}

fn diverse(of: proto::NearestInputWithMmr) -> Result<Scoring> {
    let mmr = required(of.mmr, "MMR parameters are missing")?;
    between("mmr.diversity", mmr.diversity, 0.0, 1.0)?;
    between("mmr.candidates_limit", mmr.candidates_limit, 0, CANDIDATES_MAX)?;
    Ok(Scoring::Diverse {
        nearest: point::input(required(of.nearest, "nearest vector is missing")?)?,
        diversity: mmr.diversity.unwrap_or(DIVERSITY),
        candidates: mmr.candidates_limit.map(|limit| limit as usize),
    })
}

fn feedback(of: proto::RelevanceFeedbackInput) -> Result<Scoring> {
    let strategy = required(of.strategy.and_then(|strategy| strategy.variant), "strategy is missing")?;
    let feedback_strategy::Variant::Naive(proto::NaiveFeedbackStrategy { a, b, c }) = strategy;
    if b.is_nan() || b < 0.0 {
        return Err(fault("strategy.naive.b", format_args!("value {b:?} invalid, must be 0.0 or larger")));
    }
    Ok(Scoring::Feedback {
        target: point::input(required(of.target, "target is missing")?)?,
        examples: all(of.feedback, |item| {
            Ok((point::input(required(item.example, "example is missing")?)?, item.score))
        })?,
        coefficients: [a, b, c],
    })
}

/// How examples become a score; what is unknown is the default, as with the genuine server.
fn strategy(number: Option<i32>) -> RecommendStrategy {
    match number.and_then(|number| proto::RecommendStrategy::try_from(number).ok()) {
        None | Some(proto::RecommendStrategy::AverageVector) => RecommendStrategy::AverageVector,
        Some(proto::RecommendStrategy::BestScore) => RecommendStrategy::BestScore,
        Some(proto::RecommendStrategy::SumScores) => RecommendStrategy::SumScores,
    }
}

fn context(context: proto::ContextInput) -> Result<Vec<(VectorInput, VectorInput)>> {
    all(context.pairs, |pair| {
        Ok((
            point::input(required(pair.positive, "ContextPair positive is missing")?)?,
            point::input(required(pair.negative, "ContextPair negative is missing")?)?,
        ))
    })
}

/// The order of a scroll, or of a query's results.
pub(super) fn order_by(by: proto::OrderBy) -> Result<OrderBy> {
    let direction = by.direction.and_then(|number| proto::Direction::try_from(number).ok());
    let start_from = match by.start_from.and_then(|start| start.value) {
        None => None,
        Some(From::Integer(number)) => Some(StartFrom::Integer(number)),
        Some(From::Float(number)) if number.is_nan() => {
            return Err(fault("order_by.start_from", "value NaN invalid, must be a number"));
        }
        Some(From::Float(number)) => Some(StartFrom::Float(number)),
        Some(From::Timestamp(at)) => Some(StartFrom::Datetime(filter::time(at.seconds, at.nanos)?)),
        Some(From::Datetime(text)) => match text.parse::<DateTimeWrapper>() {
            Ok(at) => Some(StartFrom::Datetime(at)),
            Err(error) => return Err(invalid(format!("Malformed datetime: {error}"))),
        },
    };
    Ok(OrderBy {
        key: path(&by.key)?,
        direction: direction.map(|direction| match direction {
            proto::Direction::Asc => Direction::Asc,
            proto::Direction::Desc => Direction::Desc,
        }),
        start_from,
    })
}

/// How to search.
fn params(params: proto::SearchParams) -> Result<SearchParams> {
    Ok(SearchParams {
        hnsw_ef: params.hnsw_ef.map(|ef| ef as usize),
        exact: params.exact.unwrap_or_default(),
        quantization: params.quantization.map(quantization).transpose()?,
        indexed_only: params.indexed_only.unwrap_or_default(),
        acorn: params.acorn.map(acorn).transpose()?,
        idf: params.idf.map(idf).transpose()?,
    })
}

fn quantization(params: proto::QuantizationSearchParams) -> Result<QuantizationSearchParams> {
    if let Some(factor) = params.oversampling.filter(|factor| factor.is_nan() || *factor < 1.0) {
        return Err(fault("oversampling", format_args!("value {factor:?} invalid, must be 1.0 or larger")));
    }
    Ok(QuantizationSearchParams {
        ignore: params.ignore.unwrap_or_default(),
        rescore: params.rescore,
        oversampling: params.oversampling,
    })
}

fn acorn(params: proto::AcornSearchParams) -> Result<AcornSearchParams> {
    between("max_selectivity", params.max_selectivity, 0.0, 1.0)?;
    Ok(AcornSearchParams {
        enable: params.enable.unwrap_or_default(),
        max_selectivity: params.max_selectivity.map(OrderedFloat),
    })
}

fn idf(params: proto::IdfParams) -> Result<IdfParams> {
    Ok(match filter::maybe(params.corpus)? {
        Some(corpus) => IdfParams::Corpus(IdfCorpusParams { corpus }),
        None => IdfParams::Scope(IdfScope::Global),
    })
}
