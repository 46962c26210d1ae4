//! JSON as clients send it, made tidy: known fields under their genuine names, of the right types, nulls left out.
//!
//! Follows `golang/go:src/encoding/json`: names in any case, unknown ones ignored, null as if nothing had been sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::schema::{Field, Kind, Shape};

/// A structure, tidy.
pub(super) type Tree = Map<String, Value>;

/// Reads a structure. The error is a sentence.
pub(super) fn structure(shape: &Shape, value: Value, path: &str) -> Result<Tree, String> {
    let Value::Object(fields) = value else { return Err(wrong(path, "an object")) };
    let mut tree = Tree::new();
    for (name, value) in fields {
        let Some(field) = field(shape, &name) else { continue };
        if !value.is_null() {
            let path = format!("{path}.{}", field.name);
            tree.insert(field.name.to_owned(), read(field.kind, value, &path)?);
        }
    }
    Ok(tree)
}

fn field<'a>(shape: &'a Shape, name: &str) -> Option<&'a Field> {
    let mut fields = shape.fields.iter().chain(shape.beside);
    fields.find(|field| field.name.eq_ignore_ascii_case(name))
}

fn read(kind: Kind, value: Value, path: &str) -> Result<Value, String> {
    match kind {
        Kind::Bool if value.is_boolean() => Ok(value),
        Kind::Bool => Err(wrong(path, "a boolean")),
        Kind::Text if value.is_string() => Ok(value),
        Kind::Text if value.is_null() => Ok(Value::from("")),
        Kind::Text => Err(wrong(path, "a string")),
        Kind::Int(bits) => match value.as_i64() {
            Some(number) if number >> (bits - 1) == number >> 63 => Ok(value),
            _ => Err(wrong(path, &format!("an integer of {bits} bits"))),
        },
        Kind::UInt(bits) => match value.as_u64() {
            Some(number) if bits == 64 || number >> bits == 0 => Ok(value),
            _ => Err(wrong(path, &format!("an integer of {bits} bits that is not negative"))),
        },
        Kind::Bytes => match value.as_str().map(|text| STANDARD.decode(text)) {
            Some(Ok(_)) => Ok(value),
            _ => Err(wrong(path, "base64")),
        },
        Kind::Any => Ok(value),
        Kind::Struct(shape) => structure(shape, value, path).map(Value::Object),
        Kind::Maybe(kind) => read(*kind, value, path),
        Kind::List(kind) => {
            let Value::Array(elements) = value else { return Err(wrong(path, "an array")) };
            let elements = elements.into_iter().map(|element| read(*kind, element, path));
            elements.collect::<Result<_, _>>().map(Value::Array)
        }
        Kind::Map(kind) => {
            let Value::Object(entries) = value else { return Err(wrong(path, "an object")) };
            let entries = entries.into_iter().filter(|(_, value)| !value.is_null() || !is_maybe(*kind));
            let entries = entries.map(|(name, value)| Ok((name, read(*kind, value, path)?)));
            entries.collect::<Result<_, String>>().map(Value::Object)
        }
    }
}

fn is_maybe(kind: Kind) -> bool {
    matches!(kind, Kind::Maybe(_))
}

fn wrong(path: &str, expected: &str) -> String {
    format!("{path}: expected {expected}")
}
