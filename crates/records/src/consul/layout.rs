//! How Consul's records are stored: their keys, their order, and what is derived from them.
//!
//! Derived keys, by the tag they begin with:
//!
//! | tag | then | tells |
//! |---|---|---|
//! | 1 | session, NUL, key | which keys a session holds |
//! | 2 | `n`, node, NUL, session | which sessions a node has |
//! | 2 | `q`, session, NUL, query | which prepared queries end with a session |
//! | 3 | node, NUL, check, NUL, session | which sessions depend on a check |
//! | 4 | digits of the node's UUID, NUL, record | which node has the UUID |
//! | 5 | service, NUL, record | the instances of a service |
//! | 6 | service, NUL, record | the instances by which a service is part of the mesh |
//! | 7 | `n`, service, NUL, record | the checks of a service |
//! | 7 | `s`, status, NUL, record | the checks in a state |
//! | 8 | type, id in lower case, NUL, id | records whose ids are not in lower case |
//! | 9 | see [`super::session::delay`] | keys that can't be locked yet; told by no record |
//! | 10–13 | see [`super::acl`] | tokens by secret and by expiration, policies and roles by name |

use std::fmt::Display;

use archive::consul::{DirEntry, Id, IndexEntry, Session, identity, kinds};
use archive::msgpack::{self, Cursor};
use bytes::{BufMut, Bytes, BytesMut};

use archive::consul::kinds::rank;
pub(super) use archive::consul::kinds::{
    COORDINATE, INDEX, KVS, PREPARED_QUERY, REGISTER, SESSION, TOMBSTONE,
};

use super::catalog::virtual_ip;
use super::{acl, lookups};
use crate::ID_BYTES_MAX;
use crate::key::{Derived, Key};

/// Derived keys that begin so are told by no record.
pub(crate) const NOTES: &[u8] = &[9];

/// The tag of keys that are derived from entries with a holder.
const HELD_BY: u8 = 1;

/// Sessions are UUIDs of 36 bytes; a derived key must find room for one beside the longest key.
const SESSION_BYTES_MAX: usize = 256;

/// Where a record is stored.
pub(crate) fn key(kind: u8, bytes: &[u8]) -> Result<Key, String> {
    let Id { tenancy, id } = identity(kind, bytes).map_err(text)?;
    if tenancy.contains('\0') {
        return Err("its namespace or partition holds a zero byte".into());
    }
    match tenancy.len() + id.len() {
        0..=ID_BYTES_MAX => Ok(Key::new(rank(kind), kind, &tenancy, &id)),
        found => Err(format!("its id has {found} bytes, at most {ID_BYTES_MAX} can be stored")),
    }
}

/// Where a record that we made is stored. Fails on one that could not be read back from an archive.
pub(super) fn storable(kind: u8, bytes: &[u8]) -> Result<Key, String> {
    let mut cursor = Cursor::new(bytes);
    cursor.skip().map_err(text)?;
    cursor.finish().map_err(text)?;
    derived(kind, bytes)?;
    key(kind, bytes)
}

/// What is derived from a record. Fails on records that queries could not decode later.
pub(crate) fn derived(kind: u8, bytes: &[u8]) -> Result<Derived, String> {
    match kind {
        KVS => entry(bytes),
        TOMBSTONE => {
            let stone = DirEntry::decode(bytes).map_err(text)?;
            Ok(mentions(stone.create_index.max(stone.modify_index)))
        }
        SESSION => {
            let session = Session::decode(bytes).map_err(text)?;
            check_session(&session.id)?;
            let index = session.create_index.max(session.modify_index);
            Ok(Derived { keys: lookups::session(bytes, &session)?, index })
        }
        INDEX => {
            let entry = IndexEntry::decode(bytes).map_err(text)?;
            let keys = lookups::folded(INDEX, entry.key.as_bytes()).into_iter().collect();
            Ok(Derived { keys, index: entry.value })
        }
        REGISTER => lookups::registration(bytes),
        kinds::ACL_TOKEN | kinds::ACL_POLICY | kinds::ACL_ROLE => acl::derived::of(kind, bytes),
        kinds::SERVICE_VIRTUAL_IP | kinds::FREE_VIRTUAL_IP => {
            virtual_ip::distance(bytes)?;
            Ok(mentions(highest_index(kind, bytes).map_err(text)?))
        }
        PREPARED_QUERY => {
            let index = highest_index(kind, bytes).map_err(text)?;
            Ok(Derived { keys: lookups::prepared_query(bytes)?, index })
        }
        _ => Ok(mentions(highest_index(kind, bytes).map_err(text)?)),
    }
}

/// Whether genuine archives hold such a record twice: Consul Enterprise writes the index of some of its
/// tables again, byte for byte. We never change those, so the copies stay equal.
pub(crate) fn may_repeat(kind: u8, id: &[u8]) -> bool {
    kind == kinds::INDEX && id.starts_with(b"partition.")
}

fn entry(bytes: &[u8]) -> Result<Derived, String> {
    let entry = DirEntry::decode(bytes).map_err(text)?;
    let mut derived = mentions(entry.create_index.max(entry.modify_index));
    if entry.session.is_empty() {
        return Ok(derived);
    }
    check_session(&entry.session)?;
    // Only the default tenancy is served; elsewhere a key of the same name is another key.
    if identity(KVS, bytes).map_err(text)?.tenancy.is_empty() {
        derived.keys.push(held_by(&entry.session, &entry.key));
    }
    Ok(derived)
}

/// Refuses what could not be part of a derived key. Sessions themselves are held to it too: any of them may
/// come to hold a key.
fn check_session(id: &str) -> Result<(), String> {
    match id.len() > SESSION_BYTES_MAX || id.contains('\0') {
        true => Err("no session can have such an id".into()),
        false => Ok(()),
    }
}

/// The derived key that leads from a session to a key it holds; with no key, where these begin.
pub(super) fn held_by(session: &str, key: &[u8]) -> Bytes {
    let mut derived = BytesMut::with_capacity(2 + session.len() + key.len());
    derived.put_u8(HELD_BY);
    derived.put_slice(session.as_bytes());
    derived.put_u8(0);
    derived.put_slice(key);
    derived.freeze()
}

fn mentions(index: u64) -> Derived {
    Derived { keys: Vec::new(), index }
}

/// The highest index among the fields that carry one; 0 for records that are no map.
fn highest_index(kind: u8, bytes: &[u8]) -> Result<u64, msgpack::Error> {
    // Parts with indexes of their own. Elsewhere fields of these names hold other things, even free text.
    let parts: &[&[u8]] = match kind {
        kinds::FEDERATION_STATE => &[b"State"],
        kinds::PREPARED_QUERY
        | kinds::AUTOPILOT
        | kinds::INTENTION
        | kinds::CONNECT_CA
        | kinds::CONNECT_CA_PROVIDER_STATE
        | kinds::CONNECT_CA_CONFIG
        | kinds::ACL_BINDING_RULE
        | kinds::ACL_AUTH_METHOD
        | kinds::SYSTEM_METADATA
        | kinds::SERVICE_VIRTUAL_IP
        | kinds::FREE_VIRTUAL_IP => &[],
        _ => return Ok(0),
    };
    let mut highest = 0;
    let mut cursor = Cursor::new(bytes);
    cursor.fields(|field, value| {
        if parts.contains(&field) {
            value.fields(|field, value| raise(&mut highest, field, value)).map(drop)
        } else {
            raise(&mut highest, field, value)
        }
    })?;
    cursor.finish()?;
    Ok(highest)
}

fn raise(highest: &mut u64, field: &[u8], value: &mut Cursor<'_>) -> Result<(), msgpack::Error> {
    if let b"CreateIndex" | b"ModifyIndex" = field {
        *highest = value.uint()?.max(*highest);
    }
    Ok(())
}

fn text(error: impl Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use archive::msgpack::Encoder;

    use super::*;

    fn held(session: &str, key: &[u8]) -> DirEntry {
        DirEntry { key: key.to_vec(), session: session.into(), modify_index: 7, ..DirEntry::default() }
    }

    #[test]
    fn a_held_key_is_found_by_its_session() {
        let derived = derived(KVS, &held("s", b"a\xff").encode()).unwrap();
        assert_eq!((derived.keys, derived.index), (vec![Bytes::from_static(b"\x01s\0a\xff")], 7));
    }

    #[test]
    fn a_free_key_derives_nothing_but_its_index() {
        let derived = derived(KVS, &held("", b"a").encode()).unwrap();
        assert_eq!((derived.keys, derived.index), (vec![], 7));
    }

    #[test]
    fn keys_of_other_tenancies_are_not_found_by_session() {
        let mut bytes = Encoder::new();
        bytes.map(3).raw("Key").raw("a").raw("Session").raw("s").raw("Namespace").raw("team");
        assert!(derived(KVS, &bytes.into_bytes()).unwrap().keys.is_empty());
    }

    #[test]
    fn sessions_that_could_not_be_part_of_a_derived_key_are_refused() {
        for id in ["a\0b", &"s".repeat(257)] {
            assert!(derived(KVS, &held(id, b"k").encode()).is_err());
            let session = Session { id: id.into(), ..Session::default() };
            assert!(derived(SESSION, &session.encode()).is_err());
        }
    }

    #[test]
    fn the_longest_key_can_be_held_and_a_longer_one_is_refused() {
        let longest = held(&"s".repeat(SESSION_BYTES_MAX), &vec![b'k'; ID_BYTES_MAX]).encode();
        assert!(key(KVS, &longest).is_ok());
        assert!(derived(KVS, &longest).unwrap().keys[0].len() <= usize::from(u16::MAX));
        let longer = held("", &vec![b'k'; ID_BYTES_MAX + 1]).encode();
        let refused = key(KVS, &longer).unwrap_err();
        assert_eq!(refused, "its id has 65001 bytes, at most 65000 can be stored");
    }

    #[test]
    fn damaged_records_are_refused() {
        for kind in [kinds::REGISTER, KVS, SESSION, TOMBSTONE, INDEX, kinds::ACL_TOKEN] {
            assert!(derived(kind, b"\x81\xa3Key").is_err(), "type {kind}");
        }
    }

    #[test]
    fn a_registration_mentions_the_indexes_of_all_its_parts() {
        let mut bytes = Encoder::new();
        bytes.map(3).raw("ModifyIndex").uint(5);
        bytes.raw("Service").map(1).raw("CreateIndex").uint(9);
        bytes.raw("Check").nil();
        assert_eq!(derived(kinds::REGISTER, &bytes.into_bytes()).unwrap().index, 9);
    }

    #[test]
    fn free_text_that_looks_like_an_index_is_none() {
        let mut bytes = Encoder::new();
        bytes.map(2).raw("CreateIndex").uint(3);
        bytes.raw("State").map(1).raw("ModifyIndex").raw("soon");
        assert_eq!(derived(kinds::CONNECT_CA_CONFIG, &bytes.into_bytes()).unwrap().index, 3);
    }

    #[test]
    fn a_table_index_counts_and_opaque_records_do_not() {
        let table = IndexEntry { key: "kvs".into(), value: 12 };
        assert_eq!(derived(INDEX, &table.encode()).unwrap().index, 12);
        assert_eq!(derived(kinds::PEERING, b"\xa3abc").unwrap().index, 0);
    }
}
