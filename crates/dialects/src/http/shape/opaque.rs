//! Settings that only their owners understand, between JSON and the msgpack in which they are stored.

use archive::consul::Opaque;
use archive::msgpack::{self, Encoder};
use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

use super::Shape;

impl Shape for Opaque {
    fn read(value: Value) -> Result<Opaque, String> {
        let mut out = Encoder::new();
        encode(&value, &mut out);
        Opaque::new(out.into_bytes()).map_err(|error| error.to_string())
    }

    fn show<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        decode(&self.value()).serialize(serializer)
    }

    fn is_empty(&self) -> bool {
        match self.value() {
            msgpack::Value::Nil => true,
            msgpack::Value::Map(entries) => entries.is_empty(),
            msgpack::Value::Array(items) => items.is_empty(),
            _ => false,
        }
    }
}

/// No deeper than the JSON parser went.
fn encode(value: &Value, out: &mut Encoder) {
    match value {
        Value::Null => drop(out.nil()),
        Value::Bool(value) => drop(out.bool(*value)),
        // Without a type to go by Go reads every number as a float.
        Value::Number(number) => drop(out.float(number.as_f64().unwrap_or_default())),
        Value::String(text) => drop(out.raw(text)),
        Value::Array(items) => {
            out.array(items.len());
            items.iter().for_each(|item| encode(item, out));
        }
        Value::Object(entries) => {
            out.map(entries.len());
            for (name, value) in entries {
                out.raw(name);
                encode(value, out);
            }
        }
    }
}

/// No deeper than the limits of msgpack values.
fn decode(value: &msgpack::Value<'_>) -> Value {
    match value {
        msgpack::Value::Nil => Value::Null,
        msgpack::Value::Bool(value) => Value::Bool(*value),
        msgpack::Value::UInt(number) => Value::from(*number),
        msgpack::Value::Int(number) => Value::from(*number),
        msgpack::Value::Float(number) => float(*number),
        msgpack::Value::Raw(bytes) | msgpack::Value::Ext(_, bytes) => text(bytes).into(),
        msgpack::Value::Array(items) => items.iter().map(decode).collect(),
        msgpack::Value::Map(entries) => {
            entries.iter().map(|(name, value)| (name_of(name), decode(value))).collect()
        }
    }
}

fn name_of(value: &msgpack::Value<'_>) -> String {
    match value {
        msgpack::Value::Raw(bytes) => text(bytes),
        other => decode(other).to_string(),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Go writes a float that is a whole number without a fraction. JSON knows no infinity.
fn float(number: f64) -> Value {
    const WHOLE_MAX: f64 = 9e15;
    if number.fract() == 0.0 && number.abs() <= WHOLE_MAX {
        #[allow(clippy::cast_possible_truncation, reason = "whole, and within the bound")]
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::shape::Shown;

    #[test]
    fn settings_come_back_as_they_were() {
        let settings = json!({"a": 1, "b": [true, null, "x"], "c": {"d": 1.5}});
        let opaque = Opaque::read(settings.clone()).unwrap();
        assert_eq!(serde_json::to_value(Shown(&opaque)).unwrap(), settings);
    }

    #[test]
    fn nothing_and_no_settings_are_left_out() {
        assert!(Opaque::default().is_empty());
        assert!(Opaque::read(json!({})).unwrap().is_empty());
        assert!(!Opaque::read(json!({"a": 0})).unwrap().is_empty());
    }
}
