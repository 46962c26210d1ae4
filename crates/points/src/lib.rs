//! Points on the qdrant-edge engine: one shard of a collection as a state machine, what may be asked of several
//! shards at once, and the settings of collections.
//!
//! Knows no HTTP, no replication and no other shard's log.

pub mod config;
mod error;
pub mod query;
mod split;
mod update;

pub use error::{Error, Kind, Result};
pub use qdrant_edge as engine;
pub use split::Ring;
pub use update::{Selector, Update};
