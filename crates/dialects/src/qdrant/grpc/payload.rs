//! Payloads: messages from and to JSON (`qdrant/qdrant:lib/api/src/conversions/json.rs`).
//!
//! Integers beyond an `i64` go out as doubles, for the message has nothing wider. What nests too deeply for a
//! stack never gets here: the decoder refuses it.

use std::collections::HashMap;

use node::points::engine::{JsonPath, Payload};
use qdrant_client::qdrant::value::Kind;
use qdrant_client::qdrant::{ListValue, Struct, Value};
use serde_json::{Map, Number, Value as Json};

use super::check::{Result, invalid};

/// The payload in these fields.
pub(super) fn read(fields: HashMap<String, Value>) -> Result<Payload> {
    object(fields).map(Payload)
}

/// The object with these fields.
pub(super) fn object(fields: HashMap<String, Value>) -> Result<Map<String, Json>> {
    fields.into_iter().map(|(key, value)| Ok((key, json(value)?))).collect()
}

/// A value without a kind is null, as in JSON.
fn json(value: Value) -> Result<Json> {
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(flag)) => Json::Bool(flag),
        Some(Kind::IntegerValue(number)) => Json::Number(number.into()),
        Some(Kind::DoubleValue(number)) => {
            Json::Number(Number::from_f64(number).ok_or_else(|| invalid("cannot convert to json number"))?)
        }
        Some(Kind::StringValue(text)) => Json::String(text),
        Some(Kind::ListValue(list)) => Json::Array(list.values.into_iter().map(json).collect::<Result<_>>()?),
        Some(Kind::StructValue(inner)) => Json::Object(object(inner.fields)?),
    })
}

/// The fields of this object.
pub(super) fn fields(object: Map<String, Json>) -> HashMap<String, Value> {
    object.into_iter().map(|(key, json)| (key, value(json))).collect()
}

fn value(json: Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(flag) => Kind::BoolValue(flag),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Kind::IntegerValue(number),
            None => Kind::DoubleValue(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Kind::StringValue(text),
        Json::Array(list) => Kind::ListValue(ListValue { values: list.into_iter().map(value).collect() }),
        Json::Object(object) => Kind::StructValue(Struct { fields: fields(object) }),
    };
    Value { kind: Some(kind) }
}

/// The path to a key of a payload.
pub(super) fn path(text: &str) -> Result<JsonPath> {
    text.parse().map_err(|()| invalid(format!("Invalid json path: '{text}'")))
}

/// The paths to several.
pub(super) fn paths(texts: &[String]) -> Result<Vec<JsonPath>> {
    texts.iter().map(|text| path(text)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    #[test]
    fn what_json_holds_comes_back() {
        let payload = json!({
            "null": null, "flag": true, "whole": -7, "largest": i64::MAX, "float": 1.0, "text": "ü",
            "list": [1, [2.5], {}], "object": { "": { "deep": [] } },
        });
        let Json::Object(payload) = payload else { unreachable!() };
        assert_eq!(read(fields(payload.clone())).unwrap().0, payload);
    }

    #[test]
    fn what_json_lacks_is_refused_or_null() {
        let double = |number| Value { kind: Some(Kind::DoubleValue(number)) };
        for number in [f64::NAN, f64::INFINITY] {
            let nested = ListValue { values: vec![double(number)] };
            let refused = json(Value { kind: Some(Kind::ListValue(nested)) }).unwrap_err();
            assert_eq!(refused.message(), "cannot convert to json number");
        }
        assert_eq!(json(Value { kind: None }).unwrap(), Json::Null);
        assert_eq!(value(json!(u64::MAX)), double(u64::MAX as f64));
    }

    #[test]
    fn paths_are_parsed() {
        assert_eq!(path("a.b[].c").unwrap().to_string(), "a.b[].c");
        assert_eq!(path("a[").unwrap_err().message(), "Invalid json path: 'a['");
        assert!(path("").is_err());
    }
}
