//! A record as the JSON that genuine servers answer: every field, in order; nil lists and maps are null.

use archive::msgpack::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::schema::{JOB, Kind, MULTIREGION, Shape};

/// A job.
pub(super) struct Job<'a>(pub(super) &'a Value<'a>);

impl Serialize for Job<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        structure(&JOB, self.0, serializer)
    }
}

/// A structure of any shape.
pub(super) struct Structure<'a>(pub(super) &'static Shape, pub(super) &'a Value<'a>);

impl Serialize for Structure<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        structure(self.0, self.1, serializer)
    }
}

/// Where a job runs, if in several regions.
pub(super) struct Multiregion<'a>(pub(super) &'a Value<'a>);

impl Serialize for Multiregion<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        static KIND: Kind = Kind::Struct(&MULTIREGION);
        Shown { kind: Kind::Maybe(&KIND), value: self.0 }.serialize(serializer)
    }
}

/// A value of a known kind.
struct Shown<'a> {
    kind: Kind,
    value: &'a Value<'a>,
}

fn structure<S: Serializer>(shape: &Shape, value: &Value<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for field in shape.fields {
        let value = value.get(field.name).unwrap_or(&Value::Nil);
        if !(shape.is_sparse && is_zero(value)) {
            map.serialize_entry(field.name, &Shown { kind: field.kind, value })?;
        }
    }
    map.end()
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.value;
        match self.kind {
            Kind::Bool => serializer.serialize_bool(value.as_bool().unwrap_or_default()),
            Kind::Text => serializer.serialize_str(&text(value)),
            Kind::Int(_) => serializer.serialize_i64(value.as_i64().unwrap_or_default()),
            Kind::UInt(_) => serializer.serialize_u64(value.as_u64().unwrap_or_default()),
            Kind::Bytes => match value.as_bytes() {
                Some(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
                None => serializer.serialize_unit(),
            },
            Kind::Struct(shape) => structure(shape, value, serializer),
            Kind::Maybe(_) if *value == Value::Nil => serializer.serialize_unit(),
            Kind::Maybe(kind) => Shown { kind: *kind, value }.serialize(serializer),
            Kind::List(kind) => match value.as_array() {
                Some(elements) => list(*kind, elements, serializer),
                None => serializer.serialize_unit(),
            },
            Kind::Map(kind) => match value.as_map() {
                Some(entries) => map(*kind, entries, serializer),
                None => serializer.serialize_unit(),
            },
            Kind::Any => match value {
                Value::Nil | Value::Ext(..) => serializer.serialize_unit(),
                Value::Bool(value) => serializer.serialize_bool(*value),
                Value::UInt(value) => serializer.serialize_u64(*value),
                Value::Int(value) => serializer.serialize_i64(*value),
                Value::Float(value) => serializer.serialize_f64(*value),
                Value::Raw(_) => serializer.serialize_str(&text(value)),
                Value::Array(elements) => list(Kind::Any, elements, serializer),
                Value::Map(entries) => map(Kind::Any, entries, serializer),
            },
        }
    }
}

fn list<S: Serializer>(kind: Kind, elements: &[Value<'_>], serializer: S) -> Result<S::Ok, S::Error> {
    let mut sequence = serializer.serialize_seq(Some(elements.len()))?;
    for value in elements {
        sequence.serialize_element(&Shown { kind, value })?;
    }
    sequence.end()
}

fn map<S: Serializer>(
    kind: Kind,
    entries: &[(Value<'_>, Value<'_>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(entries.len()))?;
    for (name, value) in entries {
        map.serialize_entry(&text(name), &Shown { kind, value })?;
    }
    map.end()
}

fn text(value: &Value<'_>) -> String {
    String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned()
}

fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Nil => true,
        Value::Bool(value) => !value,
        Value::UInt(value) => *value == 0,
        Value::Raw(bytes) => bytes.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        Value::Int(_) | Value::Float(_) | Value::Ext(..) => false,
    }
}
