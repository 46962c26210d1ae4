//! Filters from messages are those that REST reads from JSON.

use node::points::engine::Filter;
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::condition::ConditionOneOf;
use qdrant_client::qdrant::r#match::MatchValue;
use serde_json::{Value, json};

use crate::qdrant::grpc::filter::{filter, time};

fn must(condition: ConditionOneOf) -> proto::Filter {
    let condition = proto::Condition { condition_one_of: Some(condition) };
    proto::Filter { must: vec![condition], ..Default::default() }
}

fn field(condition: proto::FieldCondition) -> proto::Filter {
    must(ConditionOneOf::Field(proto::FieldCondition { key: "a.b".into(), ..condition }))
}

fn matches(value: MatchValue) -> proto::Filter {
    let r#match = Some(proto::Match { match_value: Some(value) });
    field(proto::FieldCondition { r#match, ..Default::default() })
}

fn place(lon: f64, lat: f64) -> proto::GeoPoint {
    proto::GeoPoint { lon, lat }
}

fn square(size: f64) -> proto::GeoLineString {
    let corners = [(0.0, 0.0), (0.0, size), (size, size), (size, 0.0), (0.0, 0.0)];
    proto::GeoLineString { points: corners.map(|(lon, lat)| place(lon, lat)).into() }
}

#[track_caller]
fn same(message: proto::Filter, condition: Value) {
    let expected: Filter = serde_json::from_value(json!({ "must": [condition] })).unwrap();
    assert_eq!(filter(message).unwrap(), expected);
}

#[track_caller]
fn refused(message: proto::Filter, text: &str) {
    let status = filter(message).unwrap_err();
    assert_eq!((status.code(), status.message()), (tonic::Code::InvalidArgument, text));
}

#[test]
fn matches_of_every_kind() {
    let strings = || proto::RepeatedStrings { strings: vec!["x".into(), "y".into()] };
    let integers = || proto::RepeatedIntegers { integers: vec![3, -1] };
    let table = [
        (MatchValue::Keyword("x".into()), json!({"value": "x"})),
        (MatchValue::Integer(-7), json!({"value": -7})),
        (MatchValue::Boolean(true), json!({"value": true})),
        (MatchValue::Text("x y".into()), json!({"text": "x y"})),
        (MatchValue::TextAny("x y".into()), json!({"text_any": "x y"})),
        (MatchValue::Phrase("x y".into()), json!({"phrase": "x y"})),
        (MatchValue::Prefix("x".into()), json!({"prefix": "x"})),
        (MatchValue::Substring("x".into()), json!({"substring": "x"})),
        (MatchValue::Keywords(strings()), json!({"any": ["x", "y"]})),
        (MatchValue::Integers(integers()), json!({"any": [3, -1]})),
        (MatchValue::ExceptKeywords(strings()), json!({"except": ["x", "y"]})),
        (MatchValue::ExceptIntegers(integers()), json!({"except": [3, -1]})),
    ];
    for (value, expected) in table {
        same(matches(value), json!({ "key": "a.b", "match": expected }));
    }
}

#[test]
fn conditions_of_a_field() {
    let numbers = proto::Range { lt: Some(2.5), gte: Some(-1.0), ..Default::default() };
    same(
        field(proto::FieldCondition { range: Some(numbers), ..Default::default() }),
        json!({"key": "a.b", "range": {"lt": 2.5, "gte": -1.0}}),
    );
    let mut times = proto::DatetimeRange::default();
    times.gt.get_or_insert_default().seconds = 1_388_534_400;
    times.lte.get_or_insert_default().seconds = -1;
    times.lte.get_or_insert_default().nanos = 500_000_999;
    same(
        field(proto::FieldCondition { datetime_range: Some(times), ..Default::default() }),
        json!({"key": "a.b", "range": {"gt": "2014-01-01T00:00:00Z", "lte": "1969-12-31T23:59:59.5Z"}}),
    );
    same(
        field(proto::FieldCondition {
            geo_bounding_box: Some(proto::GeoBoundingBox {
                top_left: Some(place(1.0, 4.0)),
                bottom_right: Some(place(3.0, 2.0)),
            }),
            ..Default::default()
        }),
        json!({"key": "a.b", "geo_bounding_box":
            {"top_left": {"lon": 1.0, "lat": 4.0}, "bottom_right": {"lon": 3.0, "lat": 2.0}}}),
    );
    let circle = proto::GeoRadius { center: Some(place(13.4, 52.5)), radius: 1000.0 };
    same(
        field(proto::FieldCondition { geo_radius: Some(circle), ..Default::default() }),
        json!({"key": "a.b", "geo_radius": {"center": {"lon": 13.4, "lat": 52.5}, "radius": 1000.0}}),
    );
    let area = proto::GeoPolygon { exterior: Some(square(9.0)), interiors: vec![square(3.0)] };
    let line = |size: f64| {
        json!({"points": [
        {"lon": 0.0, "lat": 0.0}, {"lon": 0.0, "lat": size}, {"lon": size, "lat": size},
        {"lon": size, "lat": 0.0}, {"lon": 0.0, "lat": 0.0}]})
    };
    same(
        field(proto::FieldCondition { geo_polygon: Some(area), ..Default::default() }),
        json!({"key": "a.b", "geo_polygon": {"exterior": line(9.0), "interiors": [line(3.0)]}}),
    );
    let count = proto::ValuesCount { lt: Some(9), gt: Some(1), gte: None, lte: None };
    same(
        field(proto::FieldCondition { values_count: Some(count), ..Default::default() }),
        json!({"key": "a.b", "values_count": {"lt": 9, "gt": 1}}),
    );
    same(
        field(proto::FieldCondition { is_empty: Some(true), is_null: Some(false), ..Default::default() }),
        json!({"key": "a.b", "is_empty": true, "is_null": false}),
    );
}

#[test]
fn conditions_of_a_point() {
    let ids = [
        proto::point_id::PointIdOptions::Num(u64::MAX),
        proto::point_id::PointIdOptions::Uuid("C56A4180-65AA-42EC-A945-5FD21DEC0538".into()),
    ];
    let has_id = ids.map(|id| proto::PointId { point_id_options: Some(id) }).into();
    same(
        must(ConditionOneOf::HasId(proto::HasIdCondition { has_id })),
        json!({"has_id": [u64::MAX, "c56a4180-65aa-42ec-a945-5fd21dec0538"]}),
    );
    same(
        must(ConditionOneOf::HasVector(proto::HasVectorCondition { has_vector: "image".into() })),
        json!({"has_vector": "image"}),
    );
    same(
        must(ConditionOneOf::IsEmpty(proto::IsEmptyCondition { key: "k".into() })),
        json!({"is_empty": {"key": "k"}}),
    );
    same(
        must(ConditionOneOf::IsNull(proto::IsNullCondition { key: "k".into() })),
        json!({"is_null": {"key": "k"}}),
    );
    same(
        must(ConditionOneOf::Slice(proto::SliceCondition { total: 4, index: 3 })),
        json!({"slice": {"total": 4, "index": 3}}),
    );
    let inner = || matches(MatchValue::Integer(1));
    same(must(ConditionOneOf::Filter(inner())), json!({"must": [{"key": "a.b", "match": {"value": 1}}]}));
    same(
        must(ConditionOneOf::Nested(proto::NestedCondition { key: "n".into(), filter: Some(inner()) })),
        json!({"nested": {"key": "n", "filter": {"must": [{"key": "a.b", "match": {"value": 1}}]}}}),
    );
}

#[test]
fn clauses_and_empty_conditions() {
    let condition = |key: &str| proto::Condition {
        condition_one_of: Some(ConditionOneOf::IsNull(proto::IsNullCondition { key: key.into() })),
    };
    let message = proto::Filter {
        should: vec![condition("a"), proto::Condition { condition_one_of: None }],
        must: vec![proto::Condition { condition_one_of: None }],
        must_not: vec![condition("b")],
        min_should: Some(proto::MinShould { conditions: vec![condition("c")], min_count: 1 }),
    };
    let expected = json!({
        "should": [{"is_null": {"key": "a"}}], "must_not": [{"is_null": {"key": "b"}}],
        "min_should": {"conditions": [{"is_null": {"key": "c"}}], "min_count": 1},
    });
    assert_eq!(filter(message).unwrap(), serde_json::from_value(expected).unwrap());
    assert_eq!(filter(proto::Filter::default()).unwrap(), Filter::new());
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let empty = || proto::FieldCondition::default();
    refused(
        field(empty()),
        "Validation error in body: [match: At least one field condition must be specified]",
    );
    refused(
        field(proto::FieldCondition { r#match: Some(proto::Match { match_value: None }), ..empty() }),
        "Malformed Match condition",
    );
    let range = proto::Range { lt: Some(f64::NAN), ..Default::default() };
    refused(
        field(proto::FieldCondition { range: Some(range), ..empty() }),
        "Validation error in body: [range: value NaN invalid, must be a number]",
    );
    let circle = |lon, lat, radius| {
        let geo_radius = Some(proto::GeoRadius { center: Some(place(lon, lat)), radius });
        field(proto::FieldCondition { geo_radius, ..empty() })
    };
    for message in [circle(181.0, 0.0, 1.0), circle(0.0, f64::NAN, 1.0), circle(0.0, 0.0, f32::INFINITY)] {
        filter(message).unwrap_err();
    }
    let polygon = |points: Vec<proto::GeoPoint>| {
        let exterior = Some(proto::GeoLineString { points });
        field(proto::FieldCondition {
            geo_polygon: Some(proto::GeoPolygon { exterior, interiors: Vec::new() }),
            ..empty()
        })
    };
    refused(polygon(vec![]), "Validation error in body: [exterior: value invalid, must not be empty]");
    refused(
        polygon(vec![place(1.0, 1.0); 3]),
        "Validation error in body: [exterior: value invalid, the size must be at least 4, got 3]",
    );
    refused(
        polygon([1.0, 2.0, 3.0, 4.0].map(|x| place(x, x)).into()),
        "Validation error in body: [exterior: value invalid, the first and the last points should be same to form \
         a closed line]",
    );
    refused(
        must(ConditionOneOf::Nested(proto::NestedCondition { key: "n".into(), filter: None })),
        "Nested condition must have a filter",
    );
    for (total, index) in [(0, 0), (2, 2)] {
        filter(must(ConditionOneOf::Slice(proto::SliceCondition { total, index }))).unwrap_err();
    }
    let uuid = proto::point_id::PointIdOptions::Uuid("seven".into());
    let has_id = vec![proto::PointId { point_id_options: Some(uuid) }];
    refused(must(ConditionOneOf::HasId(proto::HasIdCondition { has_id })), "Unable to parse UUID: seven");
}

#[test]
fn times_that_no_message_may_hold_are_refused() {
    for (seconds, nanos) in [(i64::MIN, 0), (i64::MAX, 0), (253_402_300_800, 0), (0, -1), (0, 1_000_000_000)]
    {
        time(seconds, nanos).unwrap_err();
    }
    for seconds in [-62_135_596_800, 253_402_300_799] {
        time(seconds, 999_999_999).unwrap();
    }
}
