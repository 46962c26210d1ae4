//! Points as they are: by id, page by page, counted.
//!
//! Follows `qdrant/qdrant:src/actix/api/{retrieve_api,count_api,facet_api}.rs`.

use node::points::engine::{
    FacetValue, Filter, JsonPath, OrderByInterface, PointId, WithPayloadInterface, WithVector,
};
use node::points::query::{Count, Facet, Retrieve, Scroll};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use validator::Validate;

use crate::qdrant::rest::answer::{Outcome, result};
use crate::qdrant::rest::call::Call;
use crate::qdrant::rest::failure::Failure;
use crate::qdrant::rest::wire::record::{RecordOutput, records};
use crate::qdrant::rest::wire::select::{ShardKey, no_shard_key};

/// Points by id.
#[derive(Debug, Deserialize, Validate)]
struct PointRequest {
    ids: Vec<PointId>,
    with_payload: Option<WithPayloadInterface>,
    #[serde(alias = "with_vectors")]
    with_vector: Option<WithVector>,
    shard_key: Option<ShardKey>,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(transparent)]
struct ScrollRequest {
    #[validate(nested)]
    scroll_request: ScrollRequestInternal,
}

#[derive(Debug, Deserialize, Validate)]
struct ScrollRequestInternal {
    offset: Option<PointId>,
    #[validate(range(min = 1))]
    limit: Option<usize>,
    #[validate(nested)]
    filter: Option<Filter>,
    with_payload: Option<WithPayloadInterface>,
    #[serde(alias = "with_vectors")]
    with_vector: Option<WithVector>,
    order_by: Option<OrderByInterface>,
    shard_key: Option<ShardKey>,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(transparent)]
struct CountRequest {
    #[validate(nested)]
    count_request: CountRequestInternal,
}

#[derive(Debug, Deserialize, Validate)]
struct CountRequestInternal {
    #[validate(nested)]
    filter: Option<Filter>,
    #[serde(default = "exactly")]
    exact: bool,
    shard_key: Option<ShardKey>,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(transparent)]
struct FacetRequest {
    #[validate(nested)]
    facet_request: FacetRequestInternal,
}

#[derive(Debug, Deserialize, Validate)]
struct FacetRequestInternal {
    key: JsonPath,
    #[validate(range(min = 1))]
    limit: Option<usize>,
    #[validate(nested)]
    filter: Option<Filter>,
    exact: Option<bool>,
    shard_key: Option<ShardKey>,
}

fn exactly() -> bool {
    true
}

#[derive(Serialize)]
struct ScrollResult<'a> {
    points: Vec<RecordOutput<'a>>,
    next_page_offset: Option<PointId>,
}

#[derive(Serialize)]
struct CountResult {
    count: usize,
}

#[derive(Serialize)]
struct FacetResponse {
    hits: Vec<FacetValueHit>,
}

#[derive(Serialize)]
struct FacetValueHit {
    value: Value,
    count: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    String(String),
    Integer(i64),
    Bool(bool),
}

pub(super) async fn one(call: Call) -> Outcome {
    call.params.read()?;
    let given = call.path("id").unwrap_or_default();
    let Ok(id) = given.parse::<PointId>() else {
        return Err(Failure::bad_input(&format!("Can not recognize \"{given}\" as point id")));
    };
    let request = Retrieve {
        ids: vec![id],
        with_payload: WithPayloadInterface::Bool(true),
        with_vector: WithVector::Bool(true),
    };
    match call.collection().await?.retrieve(request).await?.first() {
        Some(record) => result(&RecordOutput::from(record)),
        None => Err(Failure::not_found(&format!("Point with id {id} does not exists!"))),
    }
}

pub(super) async fn several(mut call: Call) -> Outcome {
    call.params.read()?;
    let request: PointRequest = call.json().await?;
    no_shard_key(&request.shard_key)?;
    let request = Retrieve {
        ids: request.ids,
        with_payload: request.with_payload.unwrap_or(WithPayloadInterface::Bool(false)),
        with_vector: request.with_vector.unwrap_or(WithVector::Bool(false)),
    };
    result(&records(&call.collection().await?.retrieve(request).await?))
}

pub(super) async fn scroll(mut call: Call) -> Outcome {
    call.params.read()?;
    let request = call.json::<ScrollRequest>().await?.scroll_request;
    no_shard_key(&request.shard_key)?;
    let request = Scroll {
        offset: request.offset,
        limit: request.limit.unwrap_or(10),
        filter: request.filter,
        order_by: request.order_by.map(Into::into),
        with_payload: request.with_payload.unwrap_or(WithPayloadInterface::Bool(true)),
        with_vector: request.with_vector.unwrap_or(WithVector::Bool(false)),
    };
    let page = call.collection().await?.scroll(request).await?;
    result(&ScrollResult { points: records(&page.points), next_page_offset: page.next })
}

pub(super) async fn count(mut call: Call) -> Outcome {
    call.params.read()?;
    let request = call.json::<CountRequest>().await?.count_request;
    no_shard_key(&request.shard_key)?;
    let request = Count { filter: request.filter, exact: request.exact };
    result(&CountResult { count: call.collection().await?.count(request).await? })
}

pub(super) async fn facet(mut call: Call) -> Outcome {
    call.params.read()?;
    let request = call.json::<FacetRequest>().await?.facet_request;
    no_shard_key(&request.shard_key)?;
    let request = Facet {
        key: request.key,
        limit: request.limit.unwrap_or(10),
        filter: request.filter,
        exact: request.exact.unwrap_or(false),
    };
    let hits = call.collection().await?.facet(request).await?;
    let hits = hits.into_iter().map(|hit| FacetValueHit { value: hit.value.into(), count: hit.count });
    result(&FacetResponse { hits: hits.collect() })
}

impl From<FacetValue> for Value {
    fn from(value: FacetValue) -> Value {
        match value {
            FacetValue::Keyword(text) => Value::String(text),
            FacetValue::Int(number) => Value::Integer(number),
            FacetValue::Uuid(uuid) => Value::String(Uuid::from_u128(uuid).to_string()),
            FacetValue::Bool(truth) => Value::Bool(truth),
        }
    }
}
