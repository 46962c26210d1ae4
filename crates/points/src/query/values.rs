//! The values of a field of a payload.

use qdrant_edge::{JsonPath, Payload};
use serde_json::Value;

/// All of them; those in an array one by one.
pub(super) fn values<'a>(field: &JsonPath, payload: &'a Payload) -> Vec<&'a Value> {
    let mut values = Vec::new();
    for found in field.value_get(&payload.0) {
        match found {
            Value::Array(array) => values.extend(array),
            value => values.push(value),
        }
    }
    values
}
