//! A value of unknown shape as a tree that borrows its strings.

use super::token::Token;
use super::{Cursor, Error, Limits};

/// Any msgpack value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Nil,
    /// True or false.
    Bool(bool),
    /// An integer that is not negative, whatever code it was written with.
    UInt(u64),
    /// A negative integer.
    Int(i64),
    /// A float of either width.
    Float(f64),
    /// A string or byte string of either family.
    Raw(&'a [u8]),
    /// An extension: type and bytes.
    Ext(i8, &'a [u8]),
    /// An array.
    Array(Vec<Value<'a>>),
    /// A map, in the order it was written, repeated keys included.
    Map(Vec<(Value<'a>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// Decodes `bytes`, which must be exactly one value within [`Limits::default`].
    pub fn decode(bytes: &'a [u8]) -> Result<Value<'a>, Error> {
        Value::decode_within(bytes, Limits::default())
    }

    /// Decodes `bytes`, which must be exactly one value within `limits`.
    pub fn decode_within(bytes: &'a [u8], limits: Limits) -> Result<Value<'a>, Error> {
        let mut cursor = Cursor::new(bytes);
        cursor.skip_within(limits)?;
        cursor.finish()?;
        // From here on the value is known to be whole, so lengths can be trusted and levels are few.
        build(&mut Cursor::new(bytes))
    }

    /// The value under `key` in a map; of repeated keys the last, as the genuine codec does.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        let Value::Map(entries) = self else { return None };
        let found = entries.iter().rev().find(|(name, _)| name.as_bytes() == Some(key.as_bytes()));
        found.map(|(_, value)| value)
    }

    /// The bytes of a string.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match self {
            Value::Raw(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text of a string that is UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// An integer that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::UInt(value) => Some(*value),
            _ => None,
        }
    }

    /// An integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::UInt(value) => i64::try_from(*value).ok(),
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// A boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The elements of an array.
    pub fn as_array(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The entries of a map.
    pub fn as_map(&self) -> Option<&[(Value<'a>, Value<'a>)]> {
        match self {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }
}

fn build<'a>(cursor: &mut Cursor<'a>) -> Result<Value<'a>, Error> {
    Ok(match cursor.head()? {
        Token::Nil => Value::Nil,
        Token::Bool(value) => Value::Bool(value),
        Token::UInt(value) => Value::UInt(value),
        Token::Int(value) => Value::Int(value),
        Token::Float(value) => Value::Float(value),
        Token::Raw(bytes) => Value::Raw(cursor.take(bytes)?),
        Token::Ext(kind, bytes) => Value::Ext(kind, cursor.take(bytes)?),
        Token::Array(length) => {
            Value::Array((0..length).map(|_| build(cursor)).collect::<Result<_, Error>>()?)
        }
        Token::Map(length) => Value::Map(
            (0..length).map(|_| Ok((build(cursor)?, build(cursor)?))).collect::<Result<_, Error>>()?,
        ),
    })
}
