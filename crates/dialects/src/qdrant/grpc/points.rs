//! `qdrant.Points`: points written and asked for.

use futures_util::{StreamExt, TryStreamExt, stream};
use node::collections::{Collection, Updated};
use node::points::engine::ScoredPoint;
use node::points::query::{Count, Facet, Groups, Query, Retrieve, Scroll};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::points_server::Points;
use tonic::{Request, Response};

use super::check::{Faults, Result, all};
use super::face::{Asked, Face, Reply};
use super::select::{every_shard, with_payload, with_vectors};
use super::status::{failed, unserved};
use super::update::Change;
use super::{filter, index, legacy, payload, point, query, reply, update};
use crate::qdrant::access::Need;
use crate::qdrant::unserved::Unserved;

/// How many points a page has whose request does not say.
const PAGE: u32 = 10;
/// How many values a facet has whose request does not say.
const FACET: u64 = 10;
/// How many queries of a batch run at once.
const AT_ONCE: usize = 4;

#[tonic::async_trait]
impl Points for Face {
    async fn upsert(&self, request: Request<proto::UpsertPoints>) -> Reply<proto::PointsOperationResponse> {
        self.change(request, update::upsert).await
    }

    async fn delete(&self, request: Request<proto::DeletePoints>) -> Reply<proto::PointsOperationResponse> {
        self.change(request, update::delete).await
    }

    async fn get(&self, request: Request<proto::GetPoints>) -> Reply<proto::GetResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).at_least("timeout", message.timeout, 1).check()?;
        every_shard(message.shard_key_selector.as_ref())?;
        let retrieve = Retrieve {
            ids: all(message.ids, point::id)?,
            with_payload: with_payload(message.with_payload, false)?,
            with_vector: with_vectors(message.with_vectors),
        };
        let collection = self.collection(&asked, Need::PointsRead(&message.collection_name)).await?;
        let records = collection.retrieve(retrieve).await.map_err(|error| failed(&error))?;
        let result = reply::records(records);
        Ok(Response::new(proto::GetResponse { result, time: asked.time(), usage: None }))
    }

    async fn update_vectors(
        &self,
        request: Request<proto::UpdatePointVectors>,
    ) -> Reply<proto::PointsOperationResponse> {
        self.change(request, update::update_vectors).await
    }

    async fn delete_vectors(
        &self,
        request: Request<proto::DeletePointVectors>,
    ) -> Reply<proto::PointsOperationResponse> {
        self.change(request, update::delete_vectors).await
    }

    async fn set_payload(
        &self,
        request: Request<proto::SetPayloadPoints>,
    ) -> Reply<proto::PointsOperationResponse> {
        self.change(request, update::set_payload).await
    }

    async fn overwrite_payload(
        &self,
        request: Request<proto::SetPayloadPoints>,
    ) -> Reply<proto::PointsOperationResponse> {
        self.change(request, update::overwrite_payload).await
    }

    async fn delete_payload(
        &self,
        request: Request<proto::DeletePayloadPoints>,
    ) -> Reply<proto::PointsOperationResponse> {
        self.change(request, update::delete_payload).await
    }

    async fn clear_payload(
        &self,
        request: Request<proto::ClearPayloadPoints>,
    ) -> Reply<proto::PointsOperationResponse> {
        self.change(request, update::clear_payload).await
    }

    async fn create_field_index(
        &self,
        request: Request<proto::CreateFieldIndexCollection>,
    ) -> Reply<proto::PointsOperationResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).filled("field_name", message.field_name.len()).check()?;
        let field = payload::path(&message.field_name)?.to_string();
        let schema = index::schema(message.field_type, message.field_index_params)?;
        let collection = self.collection(&asked, Need::CollectionWrite(&message.collection_name)).await?;
        let updated = collection.create_index(&field, schema).await.map_err(|error| failed(&error))?;
        Ok(changed(&asked, updated, message.wait.unwrap_or_default()))
    }

    async fn delete_field_index(
        &self,
        request: Request<proto::DeleteFieldIndexCollection>,
    ) -> Reply<proto::PointsOperationResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).filled("field_name", message.field_name.len()).check()?;
        let field = payload::path(&message.field_name)?.to_string();
        let collection = self.collection(&asked, Need::CollectionWrite(&message.collection_name)).await?;
        let updated = collection.delete_index(&field).await.map_err(|error| failed(&error))?;
        Ok(changed(&asked, updated, message.wait.unwrap_or_default()))
    }

    async fn create_vector_name(
        &self,
        request: Request<proto::CreateVectorNameRequest>,
    ) -> Reply<proto::PointsOperationResponse> {
        let (asked, message) = Asked::open(request)?;
        asked.allow(Need::CollectionWrite(&message.collection_name))?;
        Err(unserved(Unserved::VectorNames))
    }

    async fn delete_vector_name(
        &self,
        request: Request<proto::DeleteVectorNameRequest>,
    ) -> Reply<proto::PointsOperationResponse> {
        let (asked, message) = Asked::open(request)?;
        asked.allow(Need::CollectionWrite(&message.collection_name))?;
        Err(unserved(Unserved::VectorNames))
    }

    async fn search(&self, request: Request<proto::SearchPoints>) -> Reply<proto::SearchResponse> {
        let (asked, message) = Asked::open(request)?;
        let result = self.ask(&asked, legacy::search(message)).await?;
        Ok(Response::new(proto::SearchResponse { result, time: asked.time(), usage: None }))
    }

    async fn search_batch(
        &self,
        request: Request<proto::SearchBatchPoints>,
    ) -> Reply<proto::SearchBatchResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).at_least("timeout", message.timeout, 1).check()?;
        let queries = message.search_points.into_iter().map(legacy::search).collect();
        let result = self.ask_all(&asked, &message.collection_name, queries).await?;
        Ok(Response::new(proto::SearchBatchResponse { result, time: asked.time(), usage: None }))
    }

    async fn search_groups(
        &self,
        request: Request<proto::SearchPointGroups>,
    ) -> Reply<proto::SearchGroupsResponse> {
        let (asked, message) = Asked::open(request)?;
        let result = Some(self.ask_groups(&asked, legacy::search_groups(message)).await?);
        Ok(Response::new(proto::SearchGroupsResponse { result, time: asked.time(), usage: None }))
    }

    async fn scroll(&self, request: Request<proto::ScrollPoints>) -> Reply<proto::ScrollResponse> {
        let (asked, message) = Asked::open(request)?;
        let limit = message.limit.unwrap_or(PAGE);
        Faults::of(&message.collection_name)
            .at_least("limit", limit, 1)
            .at_least("timeout", message.timeout, 1)
            .check()?;
        every_shard(message.shard_key_selector.as_ref())?;
        let scroll = Scroll {
            offset: message.offset.map(point::id).transpose()?,
            limit: limit as usize,
            filter: filter::maybe(message.filter)?,
            order_by: message.order_by.map(query::order_by).transpose()?,
            with_payload: with_payload(message.with_payload, true)?,
            with_vector: with_vectors(message.with_vectors),
        };
        let collection = self.collection(&asked, Need::PointsRead(&message.collection_name)).await?;
        let page = collection.scroll(scroll).await.map_err(|error| failed(&error))?;
        Ok(Response::new(proto::ScrollResponse {
            next_page_offset: page.next.map(point::id_out),
            result: reply::records(page.points),
            time: asked.time(),
            usage: None,
        }))
    }

    async fn recommend(&self, request: Request<proto::RecommendPoints>) -> Reply<proto::RecommendResponse> {
        let (asked, message) = Asked::open(request)?;
        let result = self.ask(&asked, legacy::recommend(message)?).await?;
        Ok(Response::new(proto::RecommendResponse { result, time: asked.time(), usage: None }))
    }

    async fn recommend_batch(
        &self,
        request: Request<proto::RecommendBatchPoints>,
    ) -> Reply<proto::RecommendBatchResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).at_least("timeout", message.timeout, 1).check()?;
        let queries = all(message.recommend_points, legacy::recommend)?;
        let result = self.ask_all(&asked, &message.collection_name, queries).await?;
        Ok(Response::new(proto::RecommendBatchResponse { result, time: asked.time(), usage: None }))
    }

    async fn recommend_groups(
        &self,
        request: Request<proto::RecommendPointGroups>,
    ) -> Reply<proto::RecommendGroupsResponse> {
        let (asked, message) = Asked::open(request)?;
        let result = Some(self.ask_groups(&asked, legacy::recommend_groups(message)?).await?);
        Ok(Response::new(proto::RecommendGroupsResponse { result, time: asked.time(), usage: None }))
    }

    async fn discover(&self, request: Request<proto::DiscoverPoints>) -> Reply<proto::DiscoverResponse> {
        let (asked, message) = Asked::open(request)?;
        let result = self.ask(&asked, legacy::discover(message)?).await?;
        Ok(Response::new(proto::DiscoverResponse { result, time: asked.time(), usage: None }))
    }

    async fn discover_batch(
        &self,
        request: Request<proto::DiscoverBatchPoints>,
    ) -> Reply<proto::DiscoverBatchResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).at_least("timeout", message.timeout, 1).check()?;
        let queries = all(message.discover_points, legacy::discover)?;
        let result = self.ask_all(&asked, &message.collection_name, queries).await?;
        Ok(Response::new(proto::DiscoverBatchResponse { result, time: asked.time(), usage: None }))
    }

    async fn count(&self, request: Request<proto::CountPoints>) -> Reply<proto::CountResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).at_least("timeout", message.timeout, 1).check()?;
        every_shard(message.shard_key_selector.as_ref())?;
        let count = Count { filter: filter::maybe(message.filter)?, exact: message.exact.unwrap_or(true) };
        let collection = self.collection(&asked, Need::PointsRead(&message.collection_name)).await?;
        let count = collection.count(count).await.map_err(|error| failed(&error))? as u64;
        let result = Some(proto::CountResult { count });
        Ok(Response::new(proto::CountResponse { result, time: asked.time(), usage: None }))
    }

    async fn update_batch(
        &self,
        request: Request<proto::UpdateBatchPoints>,
    ) -> Reply<proto::UpdateBatchResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).filled("operations", message.operations.len()).check()?;
        let wait = message.wait.unwrap_or_default();
        let updates: Vec<_> = all(message.operations, update::operation)?;
        let collection = self.collection(&asked, Need::PointsWrite(&message.collection_name)).await?;
        let mut result = Vec::with_capacity(updates.len());
        // In their order, and none after one that failed.
        for update in updates {
            let updated = collection.update(update).await.map_err(|error| failed(&error))?;
            result.push(update_result(updated, wait));
        }
        Ok(Response::new(proto::UpdateBatchResponse { result, time: asked.time(), usage: None }))
    }

    async fn query(&self, request: Request<proto::QueryPoints>) -> Reply<proto::QueryResponse> {
        let (asked, message) = Asked::open(request)?;
        let result = self.ask(&asked, message).await?;
        Ok(Response::new(proto::QueryResponse { result, time: asked.time(), usage: None }))
    }

    async fn query_batch(
        &self,
        request: Request<proto::QueryBatchPoints>,
    ) -> Reply<proto::QueryBatchResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).at_least("timeout", message.timeout, 1).check()?;
        let result = self.ask_all(&asked, &message.collection_name, message.query_points).await?;
        Ok(Response::new(proto::QueryBatchResponse { result, time: asked.time(), usage: None }))
    }

    async fn query_groups(
        &self,
        request: Request<proto::QueryPointGroups>,
    ) -> Reply<proto::QueryGroupsResponse> {
        let (asked, message) = Asked::open(request)?;
        let result = Some(self.ask_groups(&asked, message).await?);
        Ok(Response::new(proto::QueryGroupsResponse { result, time: asked.time(), usage: None }))
    }

    async fn facet(&self, request: Request<proto::FacetCounts>) -> Reply<proto::FacetResponse> {
        let (asked, message) = Asked::open(request)?;
        let limit = message.limit.unwrap_or(FACET);
        Faults::of(&message.collection_name)
            .filled("key", message.key.len())
            .at_least("limit", limit, 1)
            .at_least("timeout", message.timeout, 1)
            .check()?;
        every_shard(message.shard_key_selector.as_ref())?;
        let facet = Facet {
            key: payload::path(&message.key)?,
            limit: limit as usize,
            filter: filter::maybe(message.filter)?,
            exact: message.exact.unwrap_or_default(),
        };
        let collection = self.collection(&asked, Need::PointsRead(&message.collection_name)).await?;
        let hits = collection.facet(facet).await.map_err(|error| failed(&error))?;
        let hits = hits.into_iter().map(reply::facet).collect();
        Ok(Response::new(proto::FacetResponse { hits, time: asked.time(), usage: None }))
    }

    async fn search_matrix_pairs(
        &self,
        request: Request<proto::SearchMatrixPoints>,
    ) -> Reply<proto::SearchMatrixPairsResponse> {
        let (asked, message) = Asked::open(request)?;
        asked.allow(Need::PointsRead(&message.collection_name))?;
        Err(unserved(Unserved::Matrix))
    }

    async fn search_matrix_offsets(
        &self,
        request: Request<proto::SearchMatrixPoints>,
    ) -> Reply<proto::SearchMatrixOffsetsResponse> {
        let (asked, message) = Asked::open(request)?;
        asked.allow(Need::PointsRead(&message.collection_name))?;
        Err(unserved(Unserved::Matrix))
    }
}

impl Face {
    /// Makes the one change that a message asks for.
    async fn change<T: Send>(
        &self,
        request: Request<T>,
        read: impl FnOnce(T) -> Result<Change> + Send,
    ) -> Reply<proto::PointsOperationResponse> {
        let (asked, message) = Asked::open(request)?;
        let Change { collection, update, wait } = read(message)?;
        let collection = self.collection(&asked, Need::PointsWrite(&collection)).await?;
        let updated = collection.update(update).await.map_err(|error| failed(&error))?;
        Ok(changed(&asked, updated, wait))
    }

    async fn ask(&self, asked: &Asked, message: proto::QueryPoints) -> Result<Vec<proto::ScoredPoint>> {
        let name = message.collection_name.clone();
        let query = query::query(message)?;
        let collection = self.asked_collection(asked, &name, &query).await?;
        run(&collection, query).await.map(reply::scored)
    }

    /// Several queries of one collection, which may not name another as theirs.
    async fn ask_all(
        &self,
        asked: &Asked,
        name: &str,
        messages: Vec<proto::QueryPoints>,
    ) -> Result<Vec<proto::BatchResult>> {
        let queries: Vec<Query> = all(messages, query::query)?;
        for query in &queries {
            may_look_up(asked, query.others())?;
        }
        let collection = self.collection(asked, Need::PointsRead(name)).await?;
        let running = stream::iter(queries.into_iter().map(|query| run(&collection, query)));
        let lists: Vec<Vec<ScoredPoint>> = running.buffered(AT_ONCE).try_collect().await?;
        Ok(reply::batch(lists))
    }

    async fn ask_groups(
        &self,
        asked: &Asked,
        message: proto::QueryPointGroups,
    ) -> Result<proto::GroupsResult> {
        let name = message.collection_name.clone();
        let groups: Groups = query::groups(message)?;
        may_look_up(asked, groups.others())?;
        let collection = self.collection(asked, Need::PointsRead(&name)).await?;
        let groups = collection.query_groups(groups).await.map_err(|error| failed(&error))?;
        reply::groups(groups)
    }

    async fn asked_collection(&self, asked: &Asked, name: &str, query: &Query) -> Result<Collection> {
        may_look_up(asked, query.others())?;
        self.collection(asked, Need::PointsRead(name)).await
    }
}

/// Refuses queries that look up in collections which whoever asks may not read.
fn may_look_up<'a>(asked: &Asked, others: impl IntoIterator<Item = &'a str>) -> Result<()> {
    others.into_iter().try_for_each(|name| asked.allow(Need::PointsRead(name)))
}

async fn run(collection: &Collection, query: Query) -> Result<Vec<ScoredPoint>> {
    collection.query(query).await.map_err(|error| failed(&error))
}

fn changed(asked: &Asked, updated: Updated, wait: bool) -> Response<proto::PointsOperationResponse> {
    let result = Some(update_result(updated, wait));
    Response::new(proto::PointsOperationResponse { result, time: asked.time(), usage: None })
}

/// Every change is made before it is answered; who did not wait hears what genuine servers say to them.
fn update_result(updated: Updated, wait: bool) -> proto::UpdateResult {
    let status = if wait { proto::UpdateStatus::Completed } else { proto::UpdateStatus::Acknowledged };
    proto::UpdateResult { operation_id: Some(updated.operation_id), status: status.into() }
}
