//! Which thing a record is about: the key it is stored under, and how a second record about the same
//! thing is noticed.

use std::fmt;

use sha2::{Digest, Sha256};

use super::Fault;
use crate::msgpack::{self, Cursor};

/// Separates the parts of an id, none of which may hold it.
pub(crate) const SEPARATOR: u8 = 0;

/// What identifies a thing among those of its type.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Consul: `partition/namespace`, or empty where both are the default, as always in the community edition.
    /// Nomad: the namespace, or empty for what is in none.
    pub tenancy: String,
    /// What tells it apart within its tenancy; parts are separated by zero bytes.
    pub id: Vec<u8>,
}

impl fmt::Display for Id {
    fn fmt(&self, text: &mut fmt::Formatter) -> fmt::Result {
        if !self.tenancy.is_empty() {
            write!(text, "{}: ", self.tenancy)?;
        }
        write!(text, "{:?}", String::from_utf8_lossy(&self.id))
    }
}

impl Id {
    /// An id of some parts; a single one may hold any bytes.
    pub(crate) fn of(tenancy: String, parts: &[&[u8]]) -> Result<Id, Fault> {
        if parts.len() > 1 && parts.iter().any(|part| part.contains(&SEPARATOR)) {
            return Err(Fault::ZeroByteInId);
        }
        Ok(Id { tenancy, id: parts.join(&SEPARATOR) })
    }

    /// The id of a record of which nothing is known but its bytes.
    pub(crate) fn by_hash(bytes: &[u8]) -> Id {
        Id { tenancy: String::new(), id: Sha256::digest(bytes).to_vec() }
    }
}

/// A name that can be part of a tenancy.
pub(crate) fn tenancy_part(name: &[u8]) -> Result<&str, Fault> {
    let is_impossible = |byte: &u8| [b'/', SEPARATOR].contains(byte);
    match std::str::from_utf8(name) {
        Ok(text) if !name.iter().any(is_impossible) => Ok(text),
        _ => Err(Fault::Tenancy),
    }
}

/// Reads `bytes` as exactly one value.
pub(crate) fn whole<'a>(
    bytes: &'a [u8],
    read: impl FnOnce(&mut Cursor<'a>) -> Result<(), msgpack::Error>,
) -> Result<(), Fault> {
    let mut cursor = Cursor::new(bytes);
    read(&mut cursor)?;
    Ok(cursor.finish()?)
}

/// Reads `bytes` as exactly one map; `field` sees each of its fields.
pub(crate) fn map<'a>(
    bytes: &'a [u8],
    field: impl FnMut(&'a [u8], &mut Cursor<'a>) -> Result<(), msgpack::Error>,
) -> Result<(), Fault> {
    whole(bytes, |cursor| cursor.fields(field).map(drop))
}
