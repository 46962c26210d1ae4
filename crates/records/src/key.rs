//! Where a record lies: archive rank, type, tenancy, id. One range scan gives the archive's order.

use bytes::{BufMut, Bytes, BytesMut};

/// The engine's limit is 65,535 bytes; ours leaves room for the prefix.
pub const ID_BYTES_MAX: usize = 65_000;

/// The stored key of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) Bytes);

impl Key {
    pub(crate) fn new(rank: u8, kind: u8, tenancy: &str, id: &[u8]) -> Key {
        let mut key = BytesMut::with_capacity(3 + tenancy.len() + id.len());
        key.put_u8(rank);
        key.put_u8(kind);
        key.put_slice(tenancy.as_bytes());
        key.put_u8(0);
        key.put_slice(id);
        Key(key.freeze())
    }
}

/// The type number inside a stored key.
pub(crate) fn kind_of(key: &[u8]) -> u8 {
    key.get(1).copied().unwrap_or_default()
}

/// The id inside a stored key.
pub(crate) fn id_of(key: &[u8]) -> &[u8] {
    let tenancy = key.get(2..).unwrap_or_default();
    let end = tenancy.iter().position(|byte| *byte == 0).map_or(tenancy.len(), |end| end + 1);
    &tenancy[end..]
}

/// The key of the `copy`th repetition of a record: kept and written back, never served. No tenancy looks so,
/// for a tenancy has a slash.
pub(crate) fn repeated(key: &[u8], copy: u64) -> Bytes {
    Key::new(key[0], kind_of(key), &format!("~{copy}"), id_of(key)).0
}

/// Length of the prefix that all ids of the default tenancy share.
pub(crate) const DEFAULT_PREFIX_BYTES: usize = 3;

/// What one record adds to the derived table.
#[derive(Debug, Default)]
pub(crate) struct Derived {
    /// Keys to set (their values are empty: the key is the fact).
    pub(crate) keys: Vec<Bytes>,
    /// The highest state index the record mentions.
    pub(crate) index: u64,
}
