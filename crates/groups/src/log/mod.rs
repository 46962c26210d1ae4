//! The log of one group: entries, vote and purge point in one redb file, strictly recovered.
//!
//! Knows nothing of the Raft library. What is acknowledged has been synced; after a failed sync nothing more is
//! written. `queue` gathers what arrives meanwhile into one transaction, `disk` is the file, `codec` its
//! values, `tail` the newest entries in memory.

mod codec;
mod disk;
mod queue;
mod tail;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use self::queue::Store;
use crate::types::NodeId;

/// The log of one group, open and checked, to be handed to [`Group::open`](crate::Group::open).
///
/// Dropping it unused closes the file.
#[derive(Debug)]
pub struct Log {
    disk: disk::Disk,
    recovered: disk::Recovered,
}

impl Log {
    /// Opens the log file, or creates it. The directory must exist.
    ///
    /// Blocks, for as long as it takes to read and check every entry. A log that a process left behind without
    /// closing it is repaired to its last synced state; one that misses or garbles an entry is refused. A file
    /// that is mostly empty space is compacted.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (disk, recovered) = disk::Disk::open(path)?;
        Ok(Self { disk, recovered })
    }

    /// Opens a log on storage of the caller's, such as a simulated disk.
    pub fn with_backend(backend: impl redb::StorageBackend) -> Result<Self, Error> {
        let (disk, recovered) = disk::Disk::with_backend(backend)?;
        Ok(Self { disk, recovered })
    }

    /// Claims the log for one node in one group, or checks that it was claimed for that one. Blocks.
    pub(crate) fn claim(self, node: NodeId, group: &str) -> Result<Arc<Store>, Error> {
        self.disk.claim(node, group)?;
        Ok(Arc::new(Store::new(self.disk, self.recovered)))
    }
}

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process, or another handle in this one, has it open.
    #[error("log {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// A later release wrote it.
    #[error("log format {found} is newer than the {known} that this release knows")]
    Newer {
        /// The version found.
        found: u32,
        /// The newest version we read.
        known: u32,
    },
    /// It belongs to another node or another group.
    #[error("the log belongs to {found}, not to {wanted}")]
    Foreign {
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: String,
    },
    /// What it holds is not what was written. The node must rejoin the group under a new id.
    #[error("the log is damaged: {0}")]
    Damaged(String),
    /// The disk refused.
    #[error("log: {0}")]
    Io(#[from] io::Error),
}

impl From<redb::Error> for Error {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => Self::Io(error),
            redb::Error::Corrupted(what) => Self::Damaged(what),
            error @ (redb::Error::TableTypeMismatch { .. } | redb::Error::TableIsMultimap(_)) => {
                Self::Damaged(error.to_string())
            }
            error => Self::Io(io::Error::other(error)),
        }
    }
}
