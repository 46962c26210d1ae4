//! How the dialects' rules see a scope: records by type and id, through one trait for views and changes alike.

use bytes::Bytes;

use crate::Error;

/// A record's id within its type, and its bytes.
pub(crate) type Entry = (Bytes, Bytes);

/// Entries in ascending order of their ids.
pub type Entries<'a> = Box<dyn Iterator<Item = Result<Entry, Error>> + Send + 'a>;

/// Reads the records of one scope at one instant. Only the default tenancy is seen: records of other
/// namespaces and partitions are carried, not served.
pub trait Read: Sync {
    /// The record of type `kind` called `id`.
    fn get(&self, kind: u8, id: &[u8]) -> Result<Option<Bytes>, Error>;

    /// Every record of type `kind` whose id begins with `prefix`.
    fn scan<'a>(&'a self, kind: u8, prefix: &[u8]) -> Entries<'a>;

    /// The derived keys that begin with `prefix`, which is not part of what is returned.
    fn derived(&self, prefix: &[u8]) -> Result<Vec<Bytes>, Error>;

    /// The state index.
    fn index(&self) -> u64;

    /// No answer's index is below this: it stands above everything that came before the last restore.
    fn floor(&self) -> u64;
}
