//! Filters, from messages to the engine's (`qdrant/qdrant:lib/api/src/grpc/conversions.rs`,
//! `lib/api/src/grpc/validate.rs`).
//!
//! Numbers that JSON cannot say, and places that are not on earth, are refused: the engine never meets them
//! through REST, and does not expect them.

use std::num::NonZeroU32;

use node::points::engine::external::ordered_float::OrderedFloat;
use node::points::engine::{
    Condition, DateTimeWrapper, FieldCondition, Filter, GeoBoundingBox, GeoLineString, GeoPoint, GeoPolygon,
    GeoRadius, HasIdCondition, HasVectorCondition, Match, MatchExcept, MatchPhrase, MatchPrefix,
    MatchSubstring, MatchText, MatchTextAny, MinShould, Nested, NestedCondition, Range, RangeInterface,
    Slice, SliceCondition, ValueVariants, ValuesCount,
};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::condition::ConditionOneOf;
use qdrant_client::qdrant::r#match::MatchValue;

use super::check::{Result, all, fault, invalid, required};
use super::payload::path;
use super::point;

/// The first second of year 1, and the last of 9999: the times that a message may hold.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// A filter; conditions without content are left out of it, as the genuine server does.
pub(super) fn filter(filter: proto::Filter) -> Result<Filter> {
    let min_should = match filter.min_should {
        None => None,
        Some(proto::MinShould { min_count: 0, .. }) => {
            return Err(fault("filter.min_should.min_count", "min_count must be greater than 0"));
        }
        Some(some) => Some(MinShould {
            conditions: conditions(some.conditions)?.unwrap_or_default(),
            min_count: some.min_count as usize,
        }),
    };
    Ok(Filter {
        should: conditions(filter.should)?,
        min_should,
        must: conditions(filter.must)?,
        must_not: conditions(filter.must_not)?,
    })
}

/// The filter of a request that may have one.
pub(super) fn maybe(some: Option<proto::Filter>) -> Result<Option<Filter>> {
    some.map(filter).transpose()
}

fn conditions(list: Vec<proto::Condition>) -> Result<Option<Vec<Condition>>> {
    let there = list.into_iter().filter_map(|condition| condition.condition_one_of);
    let turned: Vec<Condition> = there.map(condition).collect::<Result<_>>()?;
    Ok(Some(turned).filter(|list| !list.is_empty()))
}

/// One condition.
pub(super) fn condition(condition: ConditionOneOf) -> Result<Condition> {
    Ok(match condition {
        ConditionOneOf::Field(condition) => Condition::Field(field(condition)?),
        ConditionOneOf::IsEmpty(of) => Condition::IsEmpty(path(&of.key)?.into()),
        ConditionOneOf::IsNull(of) => Condition::IsNull(path(&of.key)?.into()),
        ConditionOneOf::HasId(ids) => Condition::HasId(
            all::<_, _, Vec<_>>(ids.has_id, point::id)?.into_iter().collect::<HasIdCondition>(),
        ),
        ConditionOneOf::HasVector(of) => Condition::HasVector(HasVectorCondition::from(of.has_vector)),
        ConditionOneOf::Filter(inner) => Condition::Filter(filter(inner)?),
        ConditionOneOf::Nested(nested) => Condition::Nested(NestedCondition::new(Nested {
            key: path(&nested.key)?,
            filter: filter(required(nested.filter, "Nested condition must have a filter")?)?,
        })),
        ConditionOneOf::Slice(slice) => Condition::Slice(self::slice(slice)?),
    })
}

fn slice(slice: proto::SliceCondition) -> Result<SliceCondition> {
    let Some(total) = NonZeroU32::new(slice.total) else {
        return Err(fault("slice.total", "value 0 invalid, must be 1 or larger"));
    };
    if slice.index >= slice.total {
        return Err(fault("slice.index", "Slice index must be less than the total number of slices"));
    }
    Ok(SliceCondition { slice: Slice { total, index: slice.index } })
}

fn field(field: proto::FieldCondition) -> Result<FieldCondition> {
    let range = match (field.range, field.datetime_range) {
        (Some(range), _) => Some(RangeInterface::Float(numbers(range)?)),
        (None, Some(range)) => Some(RangeInterface::DateTime(times(range)?)),
        (None, None) => None,
    };
    let field = FieldCondition {
        key: path(&field.key)?,
        r#match: field.r#match.map(matching).transpose()?,
        range,
        geo_bounding_box: field.geo_bounding_box.map(bounding_box).transpose()?,
        geo_radius: field.geo_radius.map(radius).transpose()?,
        geo_polygon: field.geo_polygon.map(polygon).transpose()?,
        values_count: field.values_count.map(|count| ValuesCount {
            lt: count.lt.map(|x| x as usize),
            gt: count.gt.map(|x| x as usize),
            gte: count.gte.map(|x| x as usize),
            lte: count.lte.map(|x| x as usize),
        }),
        is_empty: field.is_empty,
        is_null: field.is_null,
    };
    match says_something(&field) {
        true => Ok(field),
        false => Err(fault("match", "At least one field condition must be specified")),
    }
}

fn says_something(field: &FieldCondition) -> bool {
    field.r#match.is_some()
        || field.range.is_some()
        || field.geo_bounding_box.is_some()
        || field.geo_radius.is_some()
        || field.geo_polygon.is_some()
        || field.values_count.is_some()
        || field.is_empty.is_some()
        || field.is_null.is_some()
}

fn matching(condition: proto::Match) -> Result<Match> {
    Ok(match required(condition.match_value, "Malformed Match condition")? {
        MatchValue::Keyword(text) => Match::new_value(ValueVariants::String(text)),
        MatchValue::Integer(number) => Match::new_value(ValueVariants::Integer(number)),
        MatchValue::Boolean(flag) => Match::new_value(ValueVariants::Bool(flag)),
        MatchValue::Text(text) => Match::Text(MatchText { text }),
        MatchValue::TextAny(text_any) => Match::TextAny(MatchTextAny { text_any }),
        MatchValue::Phrase(phrase) => Match::Phrase(MatchPhrase { phrase }),
        MatchValue::Prefix(prefix) => Match::Prefix(MatchPrefix { prefix }),
        MatchValue::Substring(substring) => Match::Substring(MatchSubstring { substring }),
        MatchValue::Keywords(list) => Match::from(list.strings),
        MatchValue::Integers(list) => Match::from(list.integers),
        MatchValue::ExceptKeywords(list) => Match::Except(MatchExcept::from(list.strings)),
        MatchValue::ExceptIntegers(list) => Match::Except(MatchExcept::from(list.integers)),
    })
}

fn numbers(range: proto::Range) -> Result<Range<OrderedFloat<f64>>> {
    let proto::Range { lt, gt, gte, lte } = range;
    if [lt, gt, gte, lte].into_iter().flatten().any(f64::is_nan) {
        return Err(fault("range", "value NaN invalid, must be a number"));
    }
    Ok(Range { lt, gt, gte, lte }.map(OrderedFloat))
}

fn times(range: proto::DatetimeRange) -> Result<Range<DateTimeWrapper>> {
    Ok(Range {
        lt: range.lt.map(|t| time(t.seconds, t.nanos)).transpose()?,
        gt: range.gt.map(|t| time(t.seconds, t.nanos)).transpose()?,
        gte: range.gte.map(|t| time(t.seconds, t.nanos)).transpose()?,
        lte: range.lte.map(|t| time(t.seconds, t.nanos)).transpose()?,
    })
}

/// A point in time, to the microsecond.
pub(super) fn time(seconds: i64, nanos: i32) -> Result<DateTimeWrapper> {
    if !SECONDS.contains(&seconds) || !(0..1_000_000_000).contains(&nanos) {
        return Err(fault("timestamp", "value invalid, must be from year 1 to 9999"));
    }
    DateTimeWrapper::from_timestamp(seconds * 1_000_000 + i64::from(nanos / 1_000))
        .ok_or_else(|| invalid("Unable to parse timestamp"))
}

/// A place on earth.
pub(super) fn place(at: proto::GeoPoint) -> Result<GeoPoint> {
    GeoPoint::new(at.lon, at.lat).map_err(|error| invalid(error.to_string()))
}

fn bounding_box(bounds: proto::GeoBoundingBox) -> Result<GeoBoundingBox> {
    const MALFORMED: &str = "Malformed GeoBoundingBox type";
    Ok(GeoBoundingBox {
        top_left: place(required(bounds.top_left, MALFORMED)?)?,
        bottom_right: place(required(bounds.bottom_right, MALFORMED)?)?,
    })
}

fn radius(circle: proto::GeoRadius) -> Result<GeoRadius> {
    let center = place(required(circle.center, "Malformed GeoRadius type")?)?;
    match circle.radius.is_finite() {
        true => Ok(GeoRadius { center, radius: OrderedFloat(f64::from(circle.radius)) }),
        false => Err(fault("geo_radius.radius", "value invalid, must be a finite number")),
    }
}

fn polygon(polygon: proto::GeoPolygon) -> Result<GeoPolygon> {
    const MALFORMED: &str = "Malformed GeoPolygon type - field `exterior` is required";
    Ok(GeoPolygon {
        exterior: line("exterior", required(polygon.exterior, MALFORMED)?)?,
        interiors: Some(all(polygon.interiors, |inner| line("interiors", inner))?),
    })
}

/// A line that ends where it begins.
fn line(field: &str, line: proto::GeoLineString) -> Result<GeoLineString> {
    let count = line.points.len();
    if count == 0 {
        return Err(fault(field, "value invalid, must not be empty"));
    }
    if count < 4 {
        return Err(fault(field, format_args!("value invalid, the size must be at least 4, got {count}")));
    }
    if line.points.first() != line.points.last() {
        return Err(fault(
            field,
            "value invalid, the first and the last points should be same to form a closed line",
        ));
    }
    Ok(GeoLineString { points: all(line.points, place)? })
}
