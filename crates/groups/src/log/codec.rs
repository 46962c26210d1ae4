//! The values of the log file: entries, votes and positions, each under a checksum that covers its key.
//!
//! An entry is `kind u8 | term u64 | payload`, little-endian; every value ends in a CRC-32C of key and value.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Error;
use crate::members::Members;
use crate::types::{Entry, NodeId, Payload, Position};

const BLANK: u8 = 0;
const MEMBERS: u8 = 1;
const COMMAND: u8 = 2;

const CHECKSUM_BYTES: usize = 4;

/// Who a log belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    pub(super) node: NodeId,
    pub(super) group: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {} in group {}", self.node, self.group)
    }
}

/// The stored bytes of an entry. The index is the key and not repeated.
pub(super) fn encode_entry(entry: &Entry) -> Vec<u8> {
    let (kind, payload) = match &entry.payload {
        Payload::Blank => (BLANK, Bytes::new()),
        Payload::Members(members) => (MEMBERS, members.to_bytes().into()),
        Payload::Command(command) => (COMMAND, command.clone()),
    };
    let mut value = Vec::with_capacity(1 + 8 + payload.len() + CHECKSUM_BYTES);
    value.push(kind);
    value.extend_from_slice(&entry.position.term.to_le_bytes());
    value.extend_from_slice(&payload);
    seal(&entry.position.index.to_be_bytes(), value)
}

/// Reads an entry back, or says what is wrong with it.
pub(super) fn decode_entry(index: u64, value: &[u8]) -> Result<Entry, Error> {
    let damaged = |what: &str| Error::Damaged(format!("entry {index}: {what}"));
    let value = unseal(&index.to_be_bytes(), value).ok_or_else(|| damaged("wrong checksum"))?;
    let (head, payload) = value.split_at_checked(9).ok_or_else(|| damaged("too short"))?;
    let term = u64::from_le_bytes(head[1..].try_into().expect("nine bytes less one are eight"));
    let payload = match head[0] {
        BLANK => Payload::Blank,
        MEMBERS => {
            Payload::Members(Members::from_bytes(payload).map_err(|error| damaged(&error.to_string()))?)
        }
        COMMAND => Payload::Command(Bytes::copy_from_slice(payload)),
        kind => return Err(damaged(&format!("unknown kind {kind}"))),
    };
    Ok(Entry { position: Position { term, index }, payload })
}

/// The stored bytes of a small fact about the log.
pub(super) fn encode_fact<T: Serialize>(key: &str, fact: &T) -> Vec<u8> {
    let value = rmp_serde::to_vec_named(fact).expect("plain data in memory always encodes");
    seal(key.as_bytes(), value)
}

/// Reads such a fact back.
pub(super) fn decode_fact<T: for<'de> Deserialize<'de>>(key: &str, value: &[u8]) -> Result<T, Error> {
    let damaged = |what: &str| Error::Damaged(format!("{key}: {what}"));
    let value = unseal(key.as_bytes(), value).ok_or_else(|| damaged("wrong checksum"))?;
    rmp_serde::from_slice(value).map_err(|error| damaged(&error.to_string()))
}

fn seal(key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let sum = checksum(key, &value);
    value.extend_from_slice(&sum.to_le_bytes());
    value
}

fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Option<&'a [u8]> {
    let (value, sum) = value.split_last_chunk::<CHECKSUM_BYTES>()?;
    (checksum(key, value) == u32::from_le_bytes(*sum)).then_some(value)
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(payload: Payload) -> Entry {
        Entry { position: Position { term: 4, index: 77 }, payload }
    }

    #[test]
    fn entries_survive_their_bytes() {
        for payload in
            [Payload::Blank, Payload::Members(Members::default()), Payload::Command(Bytes::from("x"))]
        {
            let entry = entry(payload);
            assert_eq!(decode_entry(77, &encode_entry(&entry)).unwrap(), entry);
        }
    }

    #[test]
    fn no_flipped_bit_and_no_cut_is_read_as_an_entry() {
        let bytes = encode_entry(&entry(Payload::Command(Bytes::from("command"))));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_entry(77, &damaged).is_err(), "bit {bit} went unnoticed");
        }
        for end in 0..bytes.len() {
            assert!(decode_entry(77, &bytes[..end]).is_err(), "a cut at {end} went unnoticed");
        }
    }

    #[test]
    fn an_entry_under_another_index_is_damage() {
        let bytes = encode_entry(&entry(Payload::Blank));
        assert!(matches!(decode_entry(78, &bytes), Err(Error::Damaged(_))));
    }
}
