//! The deprecated ways to ask (search, recommend, discover), each as the message of the query that it is
//! (`qdrant/qdrant:lib/collection/src/operations/conversions.rs`).

use node::points::engine::{SparseVector, VectorPersisted};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::query::Variant;
use qdrant_client::qdrant::target_vector::Target;
use qdrant_client::qdrant::vector_example::Example;
use qdrant_client::qdrant::vector_input::Variant as Input;

use super::check::{Result, all, invalid, required};
use super::point;

/// Nearest to a vector.
pub(super) fn search(request: proto::SearchPoints) -> proto::QueryPoints {
    proto::QueryPoints {
        collection_name: request.collection_name,
        query: nearest(request.vector, request.sparse_indices),
        using: request.vector_name,
        filter: request.filter,
        params: request.params,
        score_threshold: request.score_threshold,
        limit: Some(request.limit),
        offset: request.offset,
        with_vectors: request.with_vectors,
        with_payload: request.with_payload,
        read_consistency: request.read_consistency,
        shard_key_selector: request.shard_key_selector,
        timeout: request.timeout,
        prefetch: Vec::new(),
        lookup_from: None,
    }
}

/// Nearest to a vector, in groups.
pub(super) fn search_groups(request: proto::SearchPointGroups) -> proto::QueryPointGroups {
    proto::QueryPointGroups {
        collection_name: request.collection_name,
        query: nearest(request.vector, request.sparse_indices),
        using: request.vector_name,
        filter: request.filter,
        params: request.params,
        score_threshold: request.score_threshold,
        with_payload: request.with_payload,
        with_vectors: request.with_vectors,
        limit: Some(request.limit.into()),
        group_size: Some(request.group_size.into()),
        group_by: request.group_by,
        read_consistency: request.read_consistency,
        with_lookup: request.with_lookup,
        timeout: request.timeout,
        shard_key_selector: request.shard_key_selector,
        prefetch: Vec::new(),
        lookup_from: None,
    }
}

/// Like these, unlike those.
pub(super) fn recommend(request: proto::RecommendPoints) -> Result<proto::QueryPoints> {
    Ok(proto::QueryPoints {
        collection_name: request.collection_name,
        query: query(Variant::Recommend(proto::RecommendInput {
            positive: examples(request.positive, request.positive_vectors)?,
            negative: examples(request.negative, request.negative_vectors)?,
            strategy: request.strategy,
        })),
        using: request.using,
        filter: request.filter,
        params: request.params,
        score_threshold: request.score_threshold,
        limit: Some(request.limit),
        offset: request.offset,
        with_vectors: request.with_vectors,
        with_payload: request.with_payload,
        read_consistency: request.read_consistency,
        shard_key_selector: request.shard_key_selector,
        lookup_from: request.lookup_from,
        timeout: request.timeout,
        prefetch: Vec::new(),
    })
}

/// Like these, unlike those, in groups.
pub(super) fn recommend_groups(request: proto::RecommendPointGroups) -> Result<proto::QueryPointGroups> {
    Ok(proto::QueryPointGroups {
        collection_name: request.collection_name,
        query: query(Variant::Recommend(proto::RecommendInput {
            positive: examples(request.positive, request.positive_vectors)?,
            negative: examples(request.negative, request.negative_vectors)?,
            strategy: request.strategy,
        })),
        using: request.using,
        filter: request.filter,
        params: request.params,
        score_threshold: request.score_threshold,
        with_payload: request.with_payload,
        with_vectors: request.with_vectors,
        lookup_from: request.lookup_from,
        limit: Some(request.limit.into()),
        group_size: Some(request.group_size.into()),
        group_by: request.group_by,
        read_consistency: request.read_consistency,
        with_lookup: request.with_lookup,
        timeout: request.timeout,
        shard_key_selector: request.shard_key_selector,
        prefetch: Vec::new(),
    })
}

/// On the right side of pairs, and near a target if there is one.
pub(super) fn discover(request: proto::DiscoverPoints) -> Result<proto::QueryPoints> {
    let context = proto::ContextInput { pairs: all(request.context, pair)? };
    let variant = match request.target.and_then(|target| target.target) {
        Some(Target::Single(target)) => {
            Variant::Discover(proto::DiscoverInput { target: Some(example(target)?), context: Some(context) })
        }
        None => Variant::Context(context),
    };
    Ok(proto::QueryPoints {
        collection_name: request.collection_name,
        query: query(variant),
        using: request.using,
        filter: request.filter,
        params: request.params,
        limit: Some(request.limit),
        offset: request.offset,
        with_vectors: request.with_vectors,
        with_payload: request.with_payload,
        read_consistency: request.read_consistency,
        shard_key_selector: request.shard_key_selector,
        lookup_from: request.lookup_from,
        timeout: request.timeout,
        score_threshold: None,
        prefetch: Vec::new(),
    })
}

fn query(variant: Variant) -> Option<proto::Query> {
    Some(proto::Query { variant: Some(variant) })
}

/// Sparse if there are indices.
fn nearest(values: Vec<f32>, indices: Option<proto::SparseIndices>) -> Option<proto::Query> {
    query(Variant::Nearest(input(match indices {
        Some(indices) => Input::Sparse(proto::SparseVector { values, indices: indices.data }),
        None => Input::Dense(proto::DenseVector { data: values }),
    })))
}

fn input(variant: Input) -> proto::VectorInput {
    proto::VectorInput { variant: Some(variant) }
}

fn examples(ids: Vec<proto::PointId>, vectors: Vec<proto::Vector>) -> Result<Vec<proto::VectorInput>> {
    ids.into_iter().map(|id| Ok(input(Input::Id(id)))).chain(vectors.into_iter().map(vector)).collect()
}

fn pair(pair: proto::ContextExamplePair) -> Result<proto::ContextInputPair> {
    const INCOMPLETE: &str = "Both positive and negative are required in a context pair";
    Ok(proto::ContextInputPair {
        positive: Some(example(required(pair.positive, INCOMPLETE)?)?),
        negative: Some(example(required(pair.negative, INCOMPLETE)?)?),
    })
}

fn example(example: proto::VectorExample) -> Result<proto::VectorInput> {
    match example.example {
        Some(Example::Id(id)) => Ok(input(Input::Id(id))),
        Some(Example::Vector(given)) => vector(given),
        None => Err(invalid("No example provided")),
    }
}

fn vector(given: proto::Vector) -> Result<proto::VectorInput> {
    Ok(input(match point::vector(given)? {
        VectorPersisted::Dense(data) => Input::Dense(proto::DenseVector { data }),
        VectorPersisted::Sparse(SparseVector { indices, values }) => {
            Input::Sparse(proto::SparseVector { values, indices })
        }
        VectorPersisted::MultiDense(rows) => Input::MultiDense(proto::MultiDenseVector {
            vectors: rows.into_iter().map(|data| proto::DenseVector { data }).collect(),
        }),
    }))
}
