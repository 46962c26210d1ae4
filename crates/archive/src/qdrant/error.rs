//! Everything that can be wrong with an archive of Qdrant's. Offsets count bytes of the tar being read.

use std::io;

use crate::tar::HeaderFault;

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes could not be had; nothing is known about the archive.
    #[error("read the archive")]
    Io(#[source] io::Error),
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
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        match error {
            Error::Io(error) => error,
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
