//! Records as JSON: their fields have the genuine names. Moments and other extensions are nothing that an expression
//! can look into, and bytes that are no text are shown as well as can be.

use archive::msgpack::Value as Packed;
use serde_json::Value;

/// A record; null if it can't be read.
pub(super) fn json(bytes: &[u8]) -> Value {
    Packed::decode(bytes).map_or(Value::Null, |value| shown(&value))
}

fn shown(value: &Packed<'_>) -> Value {
    match value {
        Packed::Nil | Packed::Ext(..) => Value::Null,
        Packed::Bool(is) => (*is).into(),
        Packed::UInt(number) => (*number).into(),
        Packed::Int(number) => (*number).into(),
        Packed::Float(number) => (*number).into(),
        Packed::Raw(bytes) => text(bytes).into(),
        Packed::Array(items) => items.iter().map(shown).collect(),
        Packed::Map(entries) => entries.iter().map(|(key, value)| (name(key), shown(value))).collect(),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn name(key: &Packed<'_>) -> String {
    key.as_bytes().map(text).unwrap_or_default()
}
