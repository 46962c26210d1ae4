//! Searches: the universal query, and the older endpoints that translate to it.
//!
//! Follows `qdrant/qdrant:src/actix/api/{query,search,recommend,discover}_api.rs`.

use node::points::engine::ScoredPoint;
use node::points::query::{Groups, Query};
use serde::Serialize;

use crate::qdrant::rest::answer::{Outcome, result};
use crate::qdrant::rest::call::Call;
use crate::qdrant::rest::failure::Failure;
use crate::qdrant::rest::wire::groups::{QueryGroupsRequest, RecommendGroupsRequest, SearchGroupsRequest};
use crate::qdrant::rest::wire::legacy::{
    DiscoverRequest, DiscoverRequestBatch, RecommendRequest, RecommendRequestBatch, SearchRequest,
    SearchRequestBatch,
};
use crate::qdrant::rest::wire::query::{QueryRequest, QueryRequestBatch};
use crate::qdrant::rest::wire::record::{GroupOutput, ScoredPointOutput, scored};

#[derive(Serialize)]
struct QueryResponse<'a> {
    points: Vec<ScoredPointOutput<'a>>,
}

#[derive(Serialize)]
struct GroupsResult<'a> {
    groups: Vec<GroupOutput<'a>>,
}

pub(super) async fn query(mut call: Call) -> Outcome {
    call.params.read()?;
    let request: QueryRequest = call.json().await?;
    let query = request.query()?;
    call.check_others(query.others())?;
    let points = call.collection().await?.query(query).await?;
    result(&QueryResponse { points: scored(&points) })
}

pub(super) async fn query_batch(mut call: Call) -> Outcome {
    call.params.read()?;
    let batch: QueryRequestBatch = call.json().await?;
    let queries = batch.searches.into_iter().map(QueryRequest::query).collect();
    let results = all(&call, queries).await?;
    let responses = results.iter().map(|points| QueryResponse { points: scored(points) });
    result(&responses.collect::<Vec<_>>())
}

pub(super) async fn query_groups(mut call: Call) -> Outcome {
    call.params.read()?;
    let request: QueryGroupsRequest = call.json().await?;
    grouped(&call, request.groups()?).await
}

pub(super) async fn search(mut call: Call) -> Outcome {
    call.params.read()?;
    let request: SearchRequest = call.json().await?;
    found(&call, request.query()?).await
}

pub(super) async fn search_batch(mut call: Call) -> Outcome {
    call.params.read()?;
    let batch: SearchRequestBatch = call.json().await?;
    found_all(&call, batch.searches.into_iter().map(SearchRequest::query).collect()).await
}

pub(super) async fn search_groups(mut call: Call) -> Outcome {
    call.params.read()?;
    let request: SearchGroupsRequest = call.json().await?;
    grouped(&call, request.groups()?).await
}

pub(super) async fn recommend(mut call: Call) -> Outcome {
    call.params.read()?;
    let request: RecommendRequest = call.json().await?;
    found(&call, request.query()?).await
}

pub(super) async fn recommend_batch(mut call: Call) -> Outcome {
    call.params.read()?;
    let batch: RecommendRequestBatch = call.json().await?;
    let queries = batch.searches.into_iter().map(RecommendRequest::query).collect();
    found_all(&call, queries).await
}

pub(super) async fn recommend_groups(mut call: Call) -> Outcome {
    call.params.read()?;
    let request: RecommendGroupsRequest = call.json().await?;
    grouped(&call, request.groups()?).await
}

pub(super) async fn discover(mut call: Call) -> Outcome {
    call.params.read()?;
    let request: DiscoverRequest = call.json().await?;
    found(&call, request.query()?).await
}

pub(super) async fn discover_batch(mut call: Call) -> Outcome {
    call.params.read()?;
    let batch: DiscoverRequestBatch = call.json().await?;
    let queries = batch.searches.into_iter().map(DiscoverRequest::query).collect();
    found_all(&call, queries).await
}

async fn found(call: &Call, query: Query) -> Outcome {
    call.check_others(query.others())?;
    let points = call.collection().await?.query(query).await?;
    result(&scored(&points))
}

async fn found_all(call: &Call, queries: Result<Vec<Query>, Failure>) -> Outcome {
    let results = all(call, queries).await?;
    result(&results.iter().map(|points| scored(points)).collect::<Vec<_>>())
}

async fn all(call: &Call, queries: Result<Vec<Query>, Failure>) -> Result<Vec<Vec<ScoredPoint>>, Failure> {
    let queries = queries?;
    call.check_others(queries.iter().flat_map(Query::others).collect())?;
    let collection = call.collection().await?;
    let mut results = Vec::with_capacity(queries.len());
    for query in queries {
        results.push(collection.query(query).await?);
    }
    Ok(results)
}

async fn grouped(call: &Call, groups: Groups) -> Outcome {
    call.check_others(groups.others())?;
    let groups = call.collection().await?.query_groups(groups).await?;
    result(&GroupsResult { groups: groups.iter().map(GroupOutput::from).collect() })
}
