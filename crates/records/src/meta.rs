//! The few values that say where everything stands: applied position, live generations, staged images.

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{Error, Scope, error};

/// The format of the database; a newer one is refused.
pub(crate) const FORMAT: u32 = 1;

pub(crate) const KEY_FORMAT: &str = "format";
pub(crate) const KEY_APPLIED: &str = "applied";
pub(crate) const IMAGE_PREFIX: &str = "image/";

pub(crate) fn scope_key(scope: Scope) -> String {
    format!("scope/{scope}")
}

pub(crate) fn image_key(image: Uuid) -> String {
    format!("{IMAGE_PREFIX}{image}")
}

/// The last log entry whose effects are in the database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Its position; `None` before the first.
    pub position: Option<Position>,
    /// When it was proposed, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The membership in force, as the replication layer encodes it.
    #[serde(with = "serde_bytes")]
    pub members: Vec<u8>,
}

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The leader's term.
    pub term: u64,
    /// The entry's index.
    pub index: u64,
}

/// The numbered home of a scope's data. Numbers are this replica's own; images are the cluster's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Names the tables, as `consul@7`.
    pub number: u64,
    /// The image it began as; nil for the state that a scope was born with.
    pub image: Uuid,
}

/// Where a scope stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeState {
    /// What is served.
    pub live: Generation,
    /// What an undo brings back.
    pub previous: Option<Previous>,
    /// Raised by every command of the scope.
    pub index: u64,
    /// Below every index answered since the last exchange of generations.
    pub floor: u64,
    /// The term of the log entry that changed the scope last.
    pub term: u64,
    /// When that entry was proposed, in milliseconds since the Unix epoch.
    pub changed_at_ms: u64,
}

/// The generation that was live before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its home.
    pub generation: Generation,
    /// The state index it stood at.
    pub index: u64,
    /// When it was replaced, in milliseconds since the Unix epoch.
    pub replaced_at_ms: u64,
}

/// An image that is complete and durable on this replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) scope: Scope,
    pub(crate) generation: u64,
    #[serde(with = "serde_bytes")]
    pub(crate) digest: Vec<u8>,
    /// The highest state index that a record of it mentions.
    pub(crate) index: u64,
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Bytes {
    rmp_serde::to_vec_named(value).expect("a Vec takes every write").into()
}

pub(crate) fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, Error> {
    rmp_serde::from_slice(bytes).map_err(|e| error::stored(what, e))
}
