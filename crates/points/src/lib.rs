//! Points on the qdrant-edge engine: one shard of a collection as a state machine, what may be asked of several
//! shards at once, and the settings of collections.
//!
//! Knows no HTTP, no replication and no other shard's log.

pub mod config;
mod cpu;
mod error;
mod operation;
pub mod query;
mod shard;
mod split;
mod update;

pub use cpu::check_cpu;
pub use error::{Error, Kind, Result};
pub use operation::Operation;
pub use qdrant_edge as engine;
pub use shard::{
    Applied, Capture, Entry, FREE_BYTES_MIN, Keeper, Options, Position, Reply, SegmentFile, SegmentFiles,
    Shard, Staged, Staging, Status,
};
pub use split::Ring;
pub use update::{Selector, Update};
