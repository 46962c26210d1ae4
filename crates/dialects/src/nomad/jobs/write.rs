//! A tidy structure as the bytes of its record: every field, in order, in the codes of `docs/formats/nomad.md`.

use archive::msgpack::Encoder;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::read::Tree;
use super::schema::{Kind, Shape};

/// The bytes of a structure.
pub(super) fn record(shape: &Shape, tree: &Tree) -> Vec<u8> {
    let mut out = Encoder::with_signed_codes();
    structure(shape, tree, &mut out);
    out.into_bytes()
}

/// The bytes of what has no type; of nothing, nil.
pub(super) fn untyped(value: Option<&Value>) -> Vec<u8> {
    let mut out = Encoder::with_signed_codes();
    write(Kind::Any, value, &mut out);
    out.into_bytes()
}

fn structure(shape: &Shape, tree: &Tree, out: &mut Encoder) {
    let written = |name: &str| !shape.is_sparse || tree.get(name).is_some_and(|value| !is_zero(value));
    out.map(shape.fields.iter().filter(|field| written(field.name)).count());
    for field in shape.fields.iter().filter(|field| written(field.name)) {
        out.raw(field.name);
        write(field.kind, tree.get(field.name), out);
    }
}

fn write(kind: Kind, value: Option<&Value>, out: &mut Encoder) {
    match (kind, value) {
        (Kind::Bool, value) => {
            out.bool(value.and_then(Value::as_bool).unwrap_or_default());
        }
        (Kind::Text, value) => {
            out.raw(value.and_then(Value::as_str).unwrap_or_default());
        }
        (Kind::Int(_), value) => {
            out.int(value.and_then(Value::as_i64).unwrap_or_default());
        }
        (Kind::UInt(_), value) => {
            out.uint(value.and_then(Value::as_u64).unwrap_or_default());
        }
        (Kind::Bytes, value) => {
            out.raw_or_nil(value.and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok()));
        }
        (Kind::Struct(shape), Some(Value::Object(tree))) => structure(shape, tree, out),
        (Kind::Struct(shape), _) => structure(shape, &Tree::new(), out),
        (Kind::Maybe(kind), Some(value)) if !value.is_null() => write(*kind, Some(value), out),
        (Kind::List(kind), Some(Value::Array(elements))) => {
            out.array(elements.len());
            elements.iter().for_each(|element| write(*kind, Some(element), out));
        }
        (Kind::Map(kind), Some(Value::Object(entries))) => {
            out.map(entries.len());
            for (name, value) in entries {
                out.raw(name);
                write(*kind, Some(value), out);
            }
        }
        (Kind::Any, Some(value)) => anything(value, out),
        (Kind::Any | Kind::Maybe(_) | Kind::List(_) | Kind::Map(_), _) => {
            out.nil();
        }
    }
}

/// What has no type: numbers are doubles, as Go reads them.
fn anything(value: &Value, out: &mut Encoder) {
    match value {
        Value::Null => {
            out.nil();
        }
        Value::Bool(value) => {
            out.bool(*value);
        }
        Value::Number(number) => {
            out.float(number.as_f64().unwrap_or_default());
        }
        Value::String(text) => {
            out.raw(text);
        }
        Value::Array(elements) => {
            out.array(elements.len());
            elements.iter().for_each(|element| anything(element, out));
        }
        Value::Object(entries) => {
            out.map(entries.len());
            for (name, value) in entries {
                out.raw(name);
                anything(value, out);
            }
        }
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(entries) => entries.is_empty(),
    }
}
