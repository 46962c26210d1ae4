//! The nouns of a shard's log.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// A place in the log of the shard's group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The term of the leader that wrote the entry.
    pub term: u64,
    /// The entry's number in the log.
    pub index: u64,
}

/// How far a shard has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The last entry applied, of whatever kind.
    pub position: Option<Position>,
    /// The last membership applied, as the group encodes it; empty if there was none.
    pub members: Vec<u8>,
}

/// One committed log entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the log.
    pub position: Position,
    /// The membership it brings into force, if it is about that.
    pub members: Option<Vec<u8>>,
    /// The operation it carries, if any, as [`crate::Operation::encode`] wrote it.
    pub operation: Option<Vec<u8>>,
}

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Every point of it was changed.
    Done,
    /// Points of it were not changed, and this is why the first of them was not. The others were.
    Refused(Error),
}

impl Reply {
    /// The bytes of a reply.
    pub fn encode(&self) -> Vec<u8> {
        rmp_serde::to_vec(self).expect("plain data is written to memory")
    }

    /// Reads a reply. No bytes are the reply to an entry without an operation.
    pub fn decode(bytes: &[u8]) -> Result<Reply> {
        if bytes.is_empty() {
            return Ok(Reply::Done);
        }
        rmp_serde::from_slice(bytes)
            .map_err(|error| Error::new(Kind::Corrupt, format!("a reply does not decode: {error}")))
    }
}
