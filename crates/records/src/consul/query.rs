//! Reads of keys, and the index that each answer carries.
//!
//! Follows `hashicorp/consul:agent/consul/kvs_endpoint.go` and `hashicorp/consul:agent/consul/state/kvs_ce.go`.

use archive::consul::DirEntry;
use archive::msgpack::Cursor;
use bytes::Bytes;

use super::indexes;
use super::layout::{KVS, TOMBSTONE};
use crate::{Error, Read, error};

/// What genuine servers call the tables of keys and of tombstones, in records of type 16.
pub(super) const KVS_TABLE: &str = "kvs";
pub(super) const TOMBSTONES_TABLE: &str = "tombstones";

/// An answer and the state index it belongs to, which is never 0: a client that waits for a later one is
/// woken by every change that could alter the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// The index.
    pub index: u64,
    /// What was asked for.
    pub value: T,
}

/// Entries of the key/value store in ascending order of their keys.
pub type KvEntries<'a> = Box<dyn Iterator<Item = Result<DirEntry, Error>> + Send + 'a>;

/// What may be seen of an answer. Its index is that of the whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Visible<T> {
    /// The answer without what may not be seen.
    pub answer: Answer<T>,
    /// Whether there is anything that may not.
    pub hides: bool,
}

/// Tells which keys may be seen; none at all stands for every key.
pub type Sees<'a> = Option<&'a (dyn Fn(&[u8]) -> bool + Sync)>;

/// The entry under `key`. Its index is when it was last modified; without an entry, when any was.
pub fn kv_get(read: &dyn Read, key: &[u8]) -> Result<Answer<Option<DirEntry>>, Error> {
    let value = entry(read, key)?;
    let index = match &value {
        Some(entry) => entry.modify_index,
        None => table_index(read)?,
    };
    Ok(answer(read, index, value))
}

/// The entries whose keys begin with `prefix`, read as the iterator is. The index is that of the newest
/// change under the prefix, removals that are not yet forgotten included; if there is none to be found, or
/// no prefix, that of the newest change anywhere.
pub fn kv_list<'a>(read: &'a dyn Read, prefix: &[u8]) -> Result<Answer<KvEntries<'a>>, Error> {
    Ok(kv_list_visible(read, prefix, None)?.answer)
}

/// As [`kv_list`], without the entries that may not be seen.
pub fn kv_list_visible<'a>(
    read: &'a dyn Read,
    prefix: &[u8],
    sees: Sees<'a>,
) -> Result<Visible<KvEntries<'a>>, Error> {
    let is_visible = move |key: &[u8]| sees.is_none_or(|sees| sees(key));
    let (mut highest, mut hides) = (0, false);
    // Without a prefix the table's index is the answer's.
    if !prefix.is_empty() || sees.is_some() {
        for entry in read.scan(KVS, prefix) {
            let (key, bytes) = entry?;
            hides = hides || !is_visible(&key);
            match prefix.is_empty() {
                true if hides => break,
                true => {}
                false => highest = highest.max(modify_index(&bytes)?),
            }
        }
    }
    let entries = read.scan(KVS, prefix).filter(move |entry| match entry {
        Ok((key, _)) => is_visible(key),
        Err(_) => true,
    });
    let entries = Box::new(entries.map(|entry| decode(&entry?.1)));
    Ok(Visible { answer: answer(read, list_index(read, prefix, highest)?, entries), hides })
}

/// The keys that begin with `prefix`, each cut off after the first `separator` that follows the prefix (an
/// empty one cuts nothing), each once. The index is that of [`kv_list`].
pub fn kv_keys(read: &dyn Read, prefix: &[u8], separator: &[u8]) -> Result<Answer<Vec<Bytes>>, Error> {
    Ok(kv_keys_visible(read, prefix, separator, None)?.answer)
}

/// As [`kv_keys`], without the keys that may not be seen: what they have in common is a secret, too.
pub fn kv_keys_visible(
    read: &dyn Read,
    prefix: &[u8],
    separator: &[u8],
    sees: Sees<'_>,
) -> Result<Visible<Vec<Bytes>>, Error> {
    let (mut highest, mut hides) = (0, false);
    let mut keys: Vec<Bytes> = Vec::new();
    for entry in read.scan(KVS, prefix) {
        let (key, bytes) = entry?;
        highest = highest.max(modify_index(&bytes)?);
        if sees.is_some_and(|sees| !sees(&key)) {
            hides = true;
            continue;
        }
        let key = cut(key, prefix.len(), separator);
        // Keys that are cut alike are neighbours.
        if keys.last() != Some(&key) {
            keys.push(key);
        }
    }
    Ok(Visible { answer: answer(read, list_index(read, prefix, highest)?, keys), hides })
}

/// The entry under `key`.
pub(super) fn entry(read: &dyn Read, key: &[u8]) -> Result<Option<DirEntry>, Error> {
    read.get(KVS, key)?.map(|bytes| decode(&bytes)).transpose()
}

/// A stored entry or tombstone. An empty value is no value, as genuine servers decode it.
pub(super) fn decode(bytes: &[u8]) -> Result<DirEntry, Error> {
    let mut entry = DirEntry::decode(bytes).map_err(|e| error::stored("KV entry", e))?;
    entry.value = entry.value.filter(|value| !value.is_empty());
    Ok(entry)
}

/// When a stored entry or tombstone was last modified, without a copy of its value.
fn modify_index(bytes: &[u8]) -> Result<u64, Error> {
    let mut index = 0;
    let decoded = Cursor::new(bytes).fields(|field, value| {
        if field == b"ModifyIndex" {
            index = value.uint()?;
        }
        Ok(())
    });
    decoded.map_err(|e| error::stored("KV entry", e))?;
    Ok(index)
}

/// The index of a listing whose newest entry was modified at `highest`.
fn list_index(read: &dyn Read, prefix: &[u8], mut highest: u64) -> Result<u64, Error> {
    if prefix.is_empty() {
        return table_index(read);
    }
    for stone in read.scan(TOMBSTONE, prefix) {
        highest = highest.max(modify_index(&stone?.1)?);
    }
    if highest == 0 { table_index(read) } else { Ok(highest) }
}

/// When any key was last changed.
fn table_index(read: &dyn Read) -> Result<u64, Error> {
    indexes::highest(read, &[KVS_TABLE, TOMBSTONES_TABLE])
}

pub(super) fn answer<T>(read: &dyn Read, index: u64, value: T) -> Answer<T> {
    Answer { index: index.max(read.floor()).max(1), value }
}

fn cut(key: Bytes, prefix_bytes: usize, separator: &[u8]) -> Bytes {
    if separator.is_empty() {
        return key;
    }
    let found = key[prefix_bytes..].windows(separator.len()).position(|part| part == separator);
    match found {
        Some(at) => key.slice(..prefix_bytes + at + separator.len()),
        None => key,
    }
}
