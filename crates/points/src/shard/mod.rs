//! One shard of a collection as a state machine: applies the entries of a log to a directory of the engine.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use qdrant_edge::{EdgeConfig, EdgeShard};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

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
    /// Points of it were not changed, and this is why the first of them was not.
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
            .map_err(|error| Error::new(crate::Kind::Corrupt, format!("a reply does not decode: {error}")))
    }
}

/// Whether a shard is as its settings want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing to do.
    Green,
    /// Being optimised.
    Yellow,
    /// Optimising is due and has not begun.
    Grey,
    /// It failed, and takes no more changes.
    Red,
}

/// What opening a shard needs.
pub struct Options {
    /// Its directory; made if it is missing. No one else may have it open.
    pub dir: PathBuf,
    /// Its settings. The vectors' names, sizes and distances are those it was made with.
    pub config: EdgeConfig,
    /// How often changes become durable without being asked to.
    pub flush_interval: Duration,
    /// Who flushes and optimises it.
    pub keeper: Keeper,
}

/// Flushes and optimises the shards of a process in the background. Cheap to clone.
#[derive(Clone)]
pub struct Keeper(());

impl Keeper {
    /// A keeper whose optimising uses up to `cpus` processors; 0 chooses.
    pub fn new(_cpus: usize) -> Keeper {
        Keeper(())
    }
}

/// One shard.
pub struct Shard(());

impl Shard {
    /// Opens the shard in `options.dir`, as of its last flush.
    pub fn open(_options: Options) -> Result<Arc<Shard>> {
        Err(not_yet())
    }

    /// The last entry applied.
    pub fn applied(&self) -> Applied {
        Applied::default()
    }

    /// Applies consecutive entries; one reply each.
    pub fn apply(&self, _entries: Vec<Entry>) -> Result<Vec<Vec<u8>>> {
        Err(not_yet())
    }

    /// When this returns, everything applied survives a power cut.
    pub fn sync(&self) -> Result<()> {
        Err(not_yet())
    }

    /// Pins a copy of the present state.
    pub fn capture(&self) -> Result<Capture> {
        Err(not_yet())
    }

    /// Replaces the state by what [`Capture::write_to`] wrote, as of `applied`.
    pub fn install(&self, _applied: Applied, _bytes: &mut dyn Read) -> Result<()> {
        Err(not_yet())
    }

    /// For reading.
    pub fn live(&self) -> Arc<EdgeShard> {
        unreachable!()
    }

    /// Changes settings; what exists is brought in line by optimising.
    pub fn configure(&self, _config: EdgeConfig) -> Result<()> {
        Err(not_yet())
    }

    /// How it is.
    pub fn status(&self) -> Status {
        Status::Green
    }

    /// Why the last optimising failed, if it did.
    pub fn optimizer_error(&self) -> Option<String> {
        None
    }

    /// Makes everything durable and takes no more changes.
    pub fn close(&self) -> Result<()> {
        Err(not_yet())
    }
}

/// A pinned copy of a shard, which later entries do not change. Removed when dropped.
pub struct Capture {
    dir: PathBuf,
    applied: Applied,
}

impl Capture {
    /// The last entry in it.
    pub fn applied(&self) -> &Applied {
        &self.applied
    }

    /// The engine's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes the whole copy.
    pub fn write_to(&self, _out: &mut dyn Write) -> Result<()> {
        Err(not_yet())
    }
}

fn not_yet() -> Error {
    Error::new(crate::Kind::Unsupported, "shards are not there yet")
}
