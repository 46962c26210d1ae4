//! What can be filtered: the structures of genuine servers, as far as their expressions can see them.
//!
//! `nomad.types` and `consul.types` list them, one to a line: its name, then its fields with their types. `[t]` is a
//! list of `t`, `{t}` a map of texts to `t`, `*t` a `t` that may be nil. They were read off the structures of Nomad
//! 1.11.3 (`clients/go-nomad types`) and, in the same way, of Consul 1.22.0; what Consul hides from expressions is not
//! in them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub(super) static NOMAD: LazyLock<Types> = LazyLock::new(|| Types::parse(include_str!("nomad.types")));
pub(super) static CONSUL: LazyLock<Types> = LazyLock::new(|| Types::parse(include_str!("consul.types")));

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Int,
    Uint,
    Float,
    Text,
    Bytes,
    /// Whatever it turns out to be.
    Any,
    /// Nothing that an expression can look at.
    Odd,
    List(Box<Type>),
    Map(Box<Type>),
    Pointer(Box<Type>),
    Struct(&'static str),
}

/// Structures by their names.
pub(super) struct Types(BTreeMap<&'static str, Vec<(&'static str, Type)>>);

impl Types {
    pub(super) fn parse(text: &'static str) -> Types {
        let lines = text.lines().filter_map(|line| {
            let (name, fields) = line.split_once(' ').unwrap_or((line, ""));
            let fields = fields.split_whitespace().filter_map(|field| field.split_once(':'));
            (!name.is_empty()).then(|| (name, fields.map(|(name, kind)| (name, Type::parse(kind))).collect()))
        });
        Types(lines.collect())
    }

    /// The type of a structure's field.
    pub(super) fn field(&self, structure: &str, name: &str) -> Option<&Type> {
        let (_, kind) = self.0.get(structure)?.iter().find(|(field, _)| *field == name)?;
        Some(kind)
    }
}

impl Type {
    fn parse(text: &'static str) -> Type {
        let inside = |open, close| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        match text {
            "bool" => Type::Bool,
            "int" => Type::Int,
            "uint" => Type::Uint,
            "float" => Type::Float,
            "text" => Type::Text,
            "bytes" => Type::Bytes,
            "any" => Type::Any,
            "odd" => Type::Odd,
            _ => {
                if let Some(inner) = inside('[', ']') {
                    Type::List(Box::new(Type::parse(inner)))
                } else if let Some(inner) = inside('{', '}') {
                    Type::Map(Box::new(Type::parse(inner)))
                } else if let Some(inner) = text.strip_prefix('*') {
                    Type::Pointer(Box::new(Type::parse(inner)))
                } else {
                    Type::Struct(text)
                }
            }
        }
    }

    /// The word for it in genuine errors.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Uint => "uint64",
            Type::Float => "float64",
            Type::Text => "string",
            Type::Bytes | Type::List(_) => "slice",
            Type::Map(_) => "map",
            Type::Struct(_) => "struct",
            Type::Any | Type::Odd | Type::Pointer(_) => "invalid",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_structure_that_is_named_is_there() {
        fn check(types: &Types, kind: &Type) {
            match kind {
                Type::List(inner) | Type::Map(inner) | Type::Pointer(inner) => check(types, inner),
                Type::Struct(name) => assert!(types.0.contains_key(name), "{name}"),
                _ => {}
            }
        }
        for types in [&*NOMAD, &*CONSUL] {
            types.0.values().flatten().for_each(|(_, kind)| check(types, kind));
        }
        assert_eq!(CONSUL.field("Node", "Meta"), Some(&Type::Map(Box::new(Type::Text))));
        assert_eq!(NOMAD.field("ACLToken", "Global"), Some(&Type::Bool));
    }
}
