//! Structures as Go reads them from JSON and writes them: names in any case, a null like an absent member,
//! unknown members refused by name, members in the order of the genuine structure, empty ones left out.

mod duration;
mod members;
mod opaque;
mod time;

use std::collections::BTreeMap;

use archive::state::Bytes;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::Value;

pub(crate) use duration::{Nanos, Words, WordsOrNone};
pub(crate) use members::Members;

/// A value that JSON can say. Failures are sentences for the client.
pub(crate) trait Shape: Default {
    /// Reads the value; never given a null.
    fn read(value: Value) -> Result<Self, String>;

    /// Writes the value.
    fn show<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// Whether `omitempty` leaves it out. Go never leaves out a structure.
    fn is_empty(&self) -> bool {
        false
    }
}

/// A value about to be written.
pub(crate) struct Shown<'a, T>(pub(crate) &'a T);

impl<T: Shape> Serialize for Shown<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.show(serializer)
    }
}

/// Reads a value that may be null.
pub(crate) fn read_or_null<T: Shape>(value: Value) -> Result<T, String> {
    if value.is_null() { Ok(T::default()) } else { T::read(value) }
}

/// Why a value is not of the type that was needed.
fn mismatch(value: &Value, expected: &str) -> String {
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) => format!("number {number}"),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    };
    format!("json: cannot unmarshal {found} into Go value of type {expected}")
}

impl Shape for String {
    fn read(value: Value) -> Result<String, String> {
        match value {
            Value::String(text) => Ok(text),
            other => Err(mismatch(&other, "string")),
        }
    }

    fn show<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }

    fn is_empty(&self) -> bool {
        String::is_empty(self)
    }
}

macro_rules! scalar {
    ($type:ty, $go:literal, $from:ident, $to:ident) => {
        impl Shape for $type {
            fn read(value: Value) -> Result<$type, String> {
                value.$from().ok_or_else(|| mismatch(&value, $go))
            }

            fn show<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.$to(*self)
            }

            fn is_empty(&self) -> bool {
                *self == <$type>::default()
            }
        }
    };
}

scalar!(bool, "bool", as_bool, serialize_bool);
scalar!(i64, "int", as_i64, serialize_i64);
scalar!(u64, "uint64", as_u64, serialize_u64);

/// A Go slice: nil is written as null.
impl<T: Shape> Shape for Option<Vec<T>> {
    fn read(value: Value) -> Result<Option<Vec<T>>, String> {
        match value {
            Value::Array(items) => items.into_iter().map(read_or_null).collect::<Result<_, _>>().map(Some),
            other => Err(mismatch(&other, "slice")),
        }
    }

    fn show<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(items) = self else { return serializer.serialize_none() };
        let mut list = serializer.serialize_seq(Some(items.len()))?;
        items.iter().try_for_each(|item| list.serialize_element(&Shown(item)))?;
        list.end()
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_none_or(Vec::is_empty)
    }
}

/// Bytes: written in base64, nil as null. Read are those of the text itself, as genuine servers read a hash.
impl Shape for Option<Vec<u8>> {
    fn read(value: Value) -> Result<Option<Vec<u8>>, String> {
        String::read(value).map(|text| Some(text.into_bytes()))
    }

    fn show<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(bytes) => serializer.serialize_str(&BASE64_STANDARD.encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_none_or(Vec::is_empty)
    }
}

/// The same, of records that tell nil from empty bytes.
impl Shape for Option<Bytes> {
    fn read(value: Value) -> Result<Option<Bytes>, String> {
        Ok(Option::<Vec<u8>>::read(value)?.map(Bytes))
    }

    fn show<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(Bytes(bytes)) => serializer.serialize_str(&BASE64_STANDARD.encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_none_or(|Bytes(bytes)| bytes.is_empty())
    }
}

/// A Go map: nil is written as null.
impl<T: Shape> Shape for Option<BTreeMap<String, T>> {
    fn read(value: Value) -> Result<Option<BTreeMap<String, T>>, String> {
        match value {
            Value::Object(entries) => {
                let entries = entries.into_iter().map(|(name, value)| Ok((name, read_or_null(value)?)));
                entries.collect::<Result<_, String>>().map(Some)
            }
            other => Err(mismatch(&other, "map")),
        }
    }

    fn show<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(entries) = self else { return serializer.serialize_none() };
        let mut map = serializer.serialize_map(Some(entries.len()))?;
        entries.iter().try_for_each(|(name, value)| map.serialize_entry(name, &Shown(value)))?;
        map.end()
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_none_or(BTreeMap::is_empty)
    }
}

/// Declares how structures look: each member's name, field, and whether it is shown `always`, `unless_empty`, as
/// `duration` or `nanos`: a time in words or as a number, unless zero, and read from either; as `words` zero is
/// shown as no words. `[lenient]` passes
/// over unknown members.
macro_rules! shapes {
    ($($(#[$about:meta])* $type:ty { $([$lenient:ident])? $($name:literal: $field:ident $how:ident,)* })*) => {$(
        $(#[$about])*
        impl $crate::http::shape::Shape for $type {
            fn read(value: serde_json::Value) -> Result<$type, String> {
                let mut members = $crate::http::shape::Members::of(value)?;
                let mut read = Self::default();
                $(read.$field = shapes!(@read members, $name, $how);)*
                shapes!(@finish members $($lenient)?);
                Ok(read)
            }

            fn show<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(None)?;
                $(shapes!(@show map, self.$field, $name, $how);)*
                map.end()
            }
        }

        $crate::http::shape::pointer!($type);
    )*};
    (@read $members:ident, $name:literal, duration) => { $members.take::<$crate::http::shape::Words>($name)?.0 };
    (@read $members:ident, $name:literal, nanos) => { $members.take::<$crate::http::shape::Nanos>($name)?.0 };
    (@read $members:ident, $name:literal, words) => { $members.take::<$crate::http::shape::WordsOrNone>($name)?.0 };
    (@read $members:ident, $name:literal, $how:ident) => { $members.take($name)? };
    (@show $map:ident, $value:expr, $name:literal, always) => {
        $map.serialize_entry($name, &$crate::http::shape::Shown(&$value))?;
    };
    (@show $map:ident, $value:expr, $name:literal, words) => {
        shapes!(@show $map, $crate::http::shape::WordsOrNone($value), $name, always);
    };
    (@show $map:ident, $value:expr, $name:literal, unless_empty) => {
        if !$crate::http::shape::Shape::is_empty(&$value) {
            shapes!(@show $map, $value, $name, always);
        }
    };
    (@show $map:ident, $value:expr, $name:literal, duration) => {
        shapes!(@show $map, $crate::http::shape::Words($value), $name, unless_empty);
    };
    (@show $map:ident, $value:expr, $name:literal, nanos) => {
        shapes!(@show $map, $crate::http::shape::Nanos($value), $name, unless_empty);
    };
    (@finish $members:ident) => { $members.finish()? };
    (@finish $members:ident lenient) => { drop($members) };
}

/// A Go pointer to a structure: nil is written as null.
macro_rules! pointer {
    ($type:ty) => {
        impl $crate::http::shape::Shape for Option<$type> {
            fn read(value: serde_json::Value) -> Result<Option<$type>, String> {
                <$type as $crate::http::shape::Shape>::read(value).map(Some)
            }

            fn show<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    Some(value) => $crate::http::shape::Shape::show(value, serializer),
                    None => serializer.serialize_none(),
                }
            }

            fn is_empty(&self) -> bool {
                self.is_none()
            }
        }
    };
}

pub(crate) use {pointer, shapes};
