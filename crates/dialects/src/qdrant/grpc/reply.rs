//! Results, as clients read them (`qdrant/qdrant:lib/api/src/grpc/conversions.rs`).

use node::collections::Group;
use node::points::engine::external::uuid::Uuid;
use node::points::engine::{FacetValue, FacetValueHit, OrderValue, Payload, Record, ScoredPoint};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::facet_value::Variant as Facet;
use qdrant_client::qdrant::group_id::Kind;
use qdrant_client::qdrant::order_value::Variant as Order;
use tonic::Status;

use super::check::Result;
use super::payload::fields;
use super::point::{id_out, vectors_out};

pub(super) fn record(record: Record) -> proto::RetrievedPoint {
    proto::RetrievedPoint {
        id: Some(id_out(record.id)),
        payload: payload(record.payload),
        vectors: record.vector.map(vectors_out),
        shard_key: None,
        order_value: record.order_value.map(order_value),
    }
}

pub(super) fn records(list: Vec<Record>) -> Vec<proto::RetrievedPoint> {
    list.into_iter().map(record).collect()
}

fn scored_point(point: ScoredPoint) -> proto::ScoredPoint {
    proto::ScoredPoint {
        id: Some(id_out(point.id)),
        payload: payload(point.payload),
        score: point.score,
        version: point.version,
        vectors: point.vector.map(vectors_out),
        shard_key: None,
        order_value: point.order_value.map(order_value),
    }
}

pub(super) fn scored(list: Vec<ScoredPoint>) -> Vec<proto::ScoredPoint> {
    list.into_iter().map(scored_point).collect()
}

pub(super) fn batch(lists: Vec<Vec<ScoredPoint>>) -> Vec<proto::BatchResult> {
    lists.into_iter().map(|list| proto::BatchResult { result: scored(list) }).collect()
}

pub(super) fn groups(groups: Vec<Group>) -> Result<proto::GroupsResult> {
    let groups = groups.into_iter().map(|group| {
        Ok(proto::PointGroup {
            id: Some(group_id(&group.id)?),
            hits: scored(group.hits),
            lookup: group.lookup.map(record),
        })
    });
    Ok(proto::GroupsResult { groups: groups.collect::<Result<_>>()? })
}

fn group_id(id: &serde_json::Value) -> Result<proto::GroupId> {
    let kind = match (id.as_u64(), id.as_i64(), id.as_str()) {
        (Some(number), _, _) => Kind::UnsignedValue(number),
        (None, Some(number), _) => Kind::IntegerValue(number),
        (None, None, Some(text)) => Kind::StringValue(text.to_owned()),
        (None, None, None) => return Err(Status::internal("a group is called by what is no text or number")),
    };
    Ok(proto::GroupId { kind: Some(kind) })
}

pub(super) fn facet(hit: FacetValueHit) -> proto::FacetHit {
    let variant = match hit.value {
        FacetValue::Keyword(text) => Facet::StringValue(text),
        FacetValue::Int(number) => Facet::IntegerValue(number),
        FacetValue::Uuid(number) => Facet::StringValue(Uuid::from_u128(number).to_string()),
        FacetValue::Bool(flag) => Facet::BoolValue(flag),
    };
    proto::FacetHit { value: Some(proto::FacetValue { variant: Some(variant) }), count: hit.count as u64 }
}

fn payload(payload: Option<Payload>) -> std::collections::HashMap<String, proto::Value> {
    payload.map(|payload| fields(payload.0)).unwrap_or_default()
}

fn order_value(value: OrderValue) -> proto::OrderValue {
    let variant = match value {
        OrderValue::Int(number) => Order::Int(number),
        OrderValue::Float(number) => Order::Float(number),
    };
    proto::OrderValue { variant: Some(variant) }
}
