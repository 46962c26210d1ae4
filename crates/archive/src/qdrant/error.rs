//! Everything that can be wrong with an archive of Qdrant's. Offsets count bytes of the tar being read.

use std::io;

use crate::tar::HeaderFault;

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes could not be had; nothing is known about the archive.
    #[error("read the archive")]
    Io(#[source] io::Error),
    /// What is in it could not be put where it belongs; nothing is known about the archive.
    #[error("write what the archive holds")]
    Write(#[source] io::Error),
    /// It ends in the middle.
    #[error("the archive is cut off at byte {0}")]
    Cut(u64),
    /// A header makes no sense.
    #[error("the tar header at byte {offset} is damaged: {fault}")]
    Header {
        /// Where it is.
        offset: u64,
        /// What is wrong with it.
        fault: HeaderFault,
    },
    /// The holes of a sparse member don't fit together.
    #[error("the holes of {name:?} are described wrongly: {fault}")]
    Sparse {
        /// The member.
        name: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// A link, a device, or the like.
    #[error("Forbidden entry type in tar archive: {kind}")]
    Forbidden {
        /// The member.
        name: String,
        /// Its type, as genuine servers call it.
        kind: &'static str,
    },
    /// A name that leads out of the archive, or that no system could take.
    #[error("the archive has a member with an unusable name: {0:?}")]
    Name(String),
    /// Two members of one name.
    #[error("the archive has two members called {0:?}")]
    Twice(String),
    /// More than the [`Limits`](super::Limits) allow.
    #[error("the archive has more than {limit} {of}")]
    TooLarge {
        /// Of what.
        of: &'static str,
        /// The limit.
        limit: u64,
    },
    /// Something comes after the end of the tar.
    #[error("the archive goes on after its end, at byte {0}")]
    Trailing(u64),
    /// A member that none of the archives we know has at this place.
    #[error("the archive has an unknown member {0:?}")]
    Unknown(String),
    /// A member that every such archive has.
    #[error("the archive lacks {0:?}")]
    Missing(String),
    /// A member that says what cannot be.
    #[error("{name:?} in the archive is damaged: {fault}")]
    Content {
        /// The member.
        name: String,
        /// What is wrong with it.
        fault: String,
    },
    /// What `SHA256SUMS` says is not so.
    #[error("SHA256SUMS {fault}: {name:?}")]
    Sums {
        /// The member concerned.
        name: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// A shard that the settings count is not there.
    #[error("No shard found: {shard} at {path}")]
    NoShard {
        /// Its number.
        shard: u32,
        /// Where it should be.
        path: String,
    },
    /// A shard that does not say what it is.
    #[error("Can't read shard config at {0}")]
    NoShardConfig(String),
    /// A shard whose points were on another node.
    #[error("Can't restore snapshot in local mode with missing data at shard: {0}")]
    NotLocal(String),
    /// A shard without anything in it.
    #[error("Invalid snapshot")]
    Empty,
    /// Made to bring another shard up to date, not to restore one.
    #[error(
        "invalid shard snapshot: segment {0} contains segment manifest; ensure you are not recovering partial snapshot on shard snapshot endpoint"
    )]
    Partial(String),
    /// Sharded by keys that clients give.
    #[error("Stillpoint does not shard by keys of clients, and the archive has the shard keys {0}")]
    ShardKeys(String),
    /// Data in a form that newer servers can't read either.
    #[error(
        "segment {0} holds RocksDB data, which newer servers don't read either: restore the archive on Qdrant 1.16, which converts it, and save it again there"
    )]
    RocksDb(String),
}

impl Error {
    /// Whether the archive may be whole, but is of a sort that is not served.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Error::ShardKeys(_) | Error::RocksDb(_))
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        match error {
            Error::Io(error) | Error::Write(error) => error,
            Error::Cut(_) => io::Error::new(io::ErrorKind::UnexpectedEof, error),
            error => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}

impl From<io::Error> for Error {
    /// Gives back what [`From<Error>`] wrapped, as happens when one archive is read out of another.
    fn from(error: io::Error) -> Error {
        error.downcast::<Error>().unwrap_or_else(Error::Io)
    }
}
