//! Records whose fields are many and keep growing: read by name, and written over what was there before, so
//! that fields we don't know survive a change to those we do.

use std::collections::BTreeMap;

use super::Product;
use crate::msgpack::{Cursor, Encoder, Error, Time, Value};

/// A value that a field can have.
pub(crate) trait Field: Sized + PartialEq {
    /// Reads the value; nil is its zero, as for the genuine codec.
    fn decode(value: &mut Cursor<'_>) -> Result<Self, Error>;

    /// Writes the value. `before` is what stood in its place.
    fn encode(&self, before: Option<&[u8]>, out: &mut Encoder);
}

/// A field of any type, about to be written.
pub(crate) trait Part {
    /// Writes the field. What means the same as `before` keeps its very bytes.
    fn write(&self, before: Option<&[u8]>, out: &mut Encoder);
}

impl<T: Field> Part for T {
    fn write(&self, before: Option<&[u8]>, out: &mut Encoder) {
        match before {
            Some(bytes) if T::decode(&mut Cursor::new(bytes)).is_ok_and(|value| value == *self) => {
                out.encoded(bytes);
            }
            before => self.encode(before, out),
        }
    }
}

/// The fields of a structure, by their genuine names.
pub(crate) trait Fields: Default + PartialEq {
    /// Whose it is: products write their fields in different ways.
    const PRODUCT: Product;

    /// Takes the value of a field; false if there is no such field.
    fn take(&mut self, name: &[u8], value: &mut Cursor<'_>) -> Result<bool, Error>;

    /// Shows every field, in the order in which it is declared.
    fn each<'a>(&'a self, show: &mut dyn FnMut(&'static str, &'a dyn Part));
}

/// Decodes bytes that are exactly one structure.
pub(crate) fn decode<T: Fields>(bytes: &[u8]) -> Result<T, Error> {
    let mut cursor = Cursor::new(bytes);
    let mut structure = T::default();
    match cursor.fields(|name, value| structure.take(name, value).map(drop))? {
        true => cursor.finish().map(|()| structure),
        false => Err(Error::Type { expected: "a map", found: "nil" }),
    }
}

/// Encodes every field, and beside them the unknown ones of `before`. Consul sorts keys; Nomad's released builds
/// write them as they are declared.
pub(crate) fn encode<T: Fields>(structure: &T, before: Option<&[u8]>) -> Vec<u8> {
    let mut out = match T::PRODUCT {
        Product::Consul => Encoder::new(),
        Product::Nomad => Encoder::with_signed_codes(),
    };
    encode_into(structure, before, &mut out);
    out.into_bytes()
}

fn encode_into<T: Fields>(structure: &T, before: Option<&[u8]>, out: &mut Encoder) {
    // What stood there was decoded when it was stored; if it is no map after all, there is nothing to keep.
    let mut old = before.and_then(|bytes| fields_of(bytes).ok()).unwrap_or_default();
    let mut fields = Vec::new();
    structure.each(&mut |name, part| {
        let mut value = out.another();
        part.write(old.remove(name.as_bytes()), &mut value);
        fields.push((name.as_bytes(), value.into_bytes()));
    });
    fields.extend(old.into_iter().map(|(name, value)| (name, value.to_vec())));
    if T::PRODUCT == Product::Consul {
        fields.sort_unstable_by_key(|(name, _)| *name);
    }
    out.map(fields.len());
    for (name, value) in fields {
        out.raw(name).encoded(&value);
    }
}

fn fields_of(bytes: &[u8]) -> Result<BTreeMap<&[u8], &[u8]>, Error> {
    let mut fields = BTreeMap::new();
    Cursor::new(bytes).fields(|name, value| {
        fields.insert(name, value.skip()?);
        Ok(())
    })?;
    Ok(fields)
}

impl<T: Fields> Field for T {
    fn decode(value: &mut Cursor<'_>) -> Result<T, Error> {
        let mut structure = T::default();
        value.fields(|name, value| structure.take(name, value).map(drop))?;
        Ok(structure)
    }

    fn encode(&self, before: Option<&[u8]>, out: &mut Encoder) {
        encode_into(self, before, out);
    }
}

/// Text. Outputs of checks may hold any bytes, so what is not UTF-8 is shown with replacement characters;
/// unchanged, it keeps its bytes all the same.
impl Field for String {
    fn decode(value: &mut Cursor<'_>) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(value.raw()?).into_owned())
    }

    fn encode(&self, _: Option<&[u8]>, out: &mut Encoder) {
        out.raw(self);
    }
}

impl Field for bool {
    fn decode(value: &mut Cursor<'_>) -> Result<bool, Error> {
        value.bool()
    }

    fn encode(&self, _: Option<&[u8]>, out: &mut Encoder) {
        out.bool(*self);
    }
}

impl Field for u64 {
    fn decode(value: &mut Cursor<'_>) -> Result<u64, Error> {
        value.uint()
    }

    fn encode(&self, _: Option<&[u8]>, out: &mut Encoder) {
        out.uint(*self);
    }
}

impl Field for i64 {
    fn decode(value: &mut Cursor<'_>) -> Result<i64, Error> {
        value.int()
    }

    fn encode(&self, _: Option<&[u8]>, out: &mut Encoder) {
        out.int(*self);
    }
}

impl Field for Time {
    fn decode(value: &mut Cursor<'_>) -> Result<Time, Error> {
        Ok(value.time()?.unwrap_or_default())
    }

    fn encode(&self, _: Option<&[u8]>, out: &mut Encoder) {
        out.time(*self);
    }
}

/// A byte string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Field for Bytes {
    fn decode(value: &mut Cursor<'_>) -> Result<Bytes, Error> {
        Ok(Bytes(value.raw()?.to_vec()))
    }

    fn encode(&self, _: Option<&[u8]>, out: &mut Encoder) {
        out.raw(&self.0);
    }
}

/// A Go pointer, slice or map: nil is something else than empty.
impl<T: Field> Field for Option<T>
where
    T: Nilable,
{
    fn decode(value: &mut Cursor<'_>) -> Result<Option<T>, Error> {
        if value.take_nil()? { Ok(None) } else { T::decode(value).map(Some) }
    }

    fn encode(&self, before: Option<&[u8]>, out: &mut Encoder) {
        match self {
            Some(value) => value.encode(before, out),
            None => {
                out.nil();
            }
        }
    }
}

/// What Go can leave out by nil.
pub(crate) trait Nilable {}

impl Nilable for Time {}
impl Nilable for i64 {}
impl Nilable for String {}
impl Nilable for Bytes {}
impl<T: Fields> Nilable for T {}
impl<T> Nilable for Vec<T> {}
impl<T> Nilable for BTreeMap<String, T> {}

impl<T: Field> Field for Vec<T> {
    fn decode(value: &mut Cursor<'_>) -> Result<Vec<T>, Error> {
        let mut list = Vec::new();
        value.elements(|element| {
            list.push(T::decode(element)?);
            Ok(())
        })?;
        Ok(list)
    }

    fn encode(&self, _: Option<&[u8]>, out: &mut Encoder) {
        out.array(self.len());
        self.iter().for_each(|element| element.encode(None, out));
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    fn decode(value: &mut Cursor<'_>) -> Result<BTreeMap<String, T>, Error> {
        let mut map = BTreeMap::new();
        value.fields(|name, value| {
            map.insert(String::from_utf8_lossy(name).into_owned(), T::decode(value)?);
            Ok(())
        })?;
        Ok(map)
    }

    fn encode(&self, _: Option<&[u8]>, out: &mut Encoder) {
        out.map(self.len());
        for (name, value) in self {
            out.raw(name);
            value.encode(None, out);
        }
    }
}

/// Any msgpack value, kept as it is. Two are equal if they mean the same, whatever the order of their keys.
#[derive(Clone, Debug)]
pub struct Opaque(Vec<u8>);

impl Opaque {
    /// Takes exactly one value.
    pub fn new(bytes: Vec<u8>) -> Result<Opaque, Error> {
        let mut cursor = Cursor::new(&bytes);
        cursor.skip()?;
        cursor.finish()?;
        Ok(Opaque(bytes))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value.
    pub fn value(&self) -> Value<'_> {
        Value::decode(&self.0).expect("checked when it was made")
    }

    /// Whether it is nil.
    pub fn is_nil(&self) -> bool {
        self.0 == [0xc0]
    }
}

impl Default for Opaque {
    /// Nil.
    fn default() -> Opaque {
        Opaque(vec![0xc0])
    }
}

impl PartialEq for Opaque {
    fn eq(&self, other: &Opaque) -> bool {
        self.0 == other.0 || same(&self.value(), &other.value())
    }
}

/// Whether two values mean the same. Values nest no deeper than their limits allow.
fn same(one: &Value<'_>, other: &Value<'_>) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Map(one), Value::Map(other)) => {
            let (one, other) = (by_name(one), by_name(other));
            one.len() == other.len()
                && one.iter().zip(&other).all(|(one, other)| one.0 == other.0 && same(one.1, other.1))
        }
        (one, other) => one == other,
    }
}

/// Entries in the order of their keys; of repeated keys the last, as the genuine codec does.
fn by_name<'a, 'v>(entries: &'a [(Value<'v>, Value<'v>)]) -> BTreeMap<Vec<u8>, &'a Value<'v>> {
    let key = |key: &Value<'v>| match key {
        Value::Raw(bytes) => bytes.to_vec(),
        other => format!("{other:?}").into_bytes(),
    };
    entries.iter().map(|(name, value)| (key(name), value)).collect()
}

impl Field for Opaque {
    fn decode(value: &mut Cursor<'_>) -> Result<Opaque, Error> {
        Ok(Opaque(value.skip()?.to_vec()))
    }

    fn encode(&self, _: Option<&[u8]>, out: &mut Encoder) {
        out.encoded(&self.0);
    }
}

/// Declares structures of a product whose fields have genuine names.
macro_rules! structure {
    ($product:ident: $($(#[$about:meta])* pub struct $structure:ident {
        $($(#[$field_about:meta])* pub $field:ident: $type:ty = $name:literal,)*
    })*) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $structure {
            $($(#[$field_about])* pub $field: $type,)*
        }

        impl $crate::state::structure::Fields for $structure {
            const PRODUCT: $crate::state::Product = $crate::state::Product::$product;

            fn take(
                &mut self,
                name: &[u8],
                value: &mut $crate::msgpack::Cursor<'_>,
            ) -> Result<bool, $crate::msgpack::Error> {
                $(if name == $name.as_bytes() {
                    self.$field = $crate::state::structure::Field::decode(value)?;
                    return Ok(true);
                })*
                Ok(false)
            }

            fn each<'a>(
                &'a self,
                show: &mut dyn FnMut(&'static str, &'a dyn $crate::state::structure::Part),
            ) {
                $(show($name, &self.$field);)*
            }
        }

        impl $structure {
            /// Decodes bytes that are exactly one such structure.
            pub fn decode(bytes: &[u8]) -> Result<$structure, $crate::msgpack::Error> {
                $crate::state::structure::decode(bytes)
            }

            /// Encodes it as the community edition does.
            pub fn encode(&self) -> Vec<u8> {
                $crate::state::structure::encode(self, None)
            }

            /// Encodes it in place of an older one: what means the same keeps its bytes, and fields we don't know
            /// stay.
            pub fn encode_over(&self, before: &[u8]) -> Vec<u8> {
                $crate::state::structure::encode(self, Some(before))
            }
        }
    )*};
}

pub(crate) use structure;
