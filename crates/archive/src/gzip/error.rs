//! What can be wrong with a gzip stream, told apart the way Go's `compress/gzip` does, because genuine
//! servers put its words on the wire.

use std::io;

/// What is wrong with a gzip stream. Offsets count compressed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is not a single byte.
    #[error("the archive is empty")]
    Empty,
    /// The stream ends within the header of its first member.
    #[error("the archive ends within its gzip header")]
    ShortHeader,
    /// The stream does not begin with a gzip header.
    #[error("not a gzip stream")]
    NotGzip,
    /// The deflate data of a member is invalid.
    #[error("invalid compressed data near byte {offset}")]
    Corrupt {
        /// Where decompression stopped.
        offset: u64,
    },
    /// The contents of a member do not fit its checksum or length.
    #[error("gzip checksum mismatch in the member that ends at byte {offset}")]
    Checksum {
        /// Where the member ends.
        offset: u64,
    },
    /// The stream ends within the deflate data of a member.
    #[error("the archive is cut off at byte {offset}, within compressed data")]
    Cut {
        /// The length of what there is.
        offset: u64,
    },
    /// The stream ends within the 8 bytes that close a member.
    #[error("the archive is cut off at byte {offset}, within a gzip trailer")]
    CutTrailer {
        /// The length of what there is.
        offset: u64,
    },
    /// The stream ends within the header of a member other than the first.
    #[error("the archive is cut off at byte {offset}, within the gzip header of a later member")]
    CutHeader {
        /// The length of what there is.
        offset: u64,
    },
    /// What follows a member is not another member.
    #[error("foreign bytes follow the gzip stream from byte {offset}")]
    Trailing {
        /// Where the last complete member ends.
        offset: u64,
        /// Whether there are fewer bytes than a header has: Go then reports a cut instead.
        short: bool,
    },
    /// The reader was used again after its source had failed.
    #[error("reading this gzip stream has failed before")]
    Poisoned,
}

impl Error {
    /// What Go's `compress/gzip` says in this case.
    pub fn genuine_text(&self) -> String {
        match self {
            Error::Empty => "EOF".into(),
            Error::NotGzip | Error::Trailing { short: false, .. } => "gzip: invalid header".into(),
            Error::Corrupt { offset } => format!("flate: corrupt input before offset {offset}"),
            Error::Checksum { .. } => "gzip: invalid checksum".into(),
            Error::Poisoned => self.to_string(),
            Error::ShortHeader
            | Error::Cut { .. }
            | Error::CutTrailer { .. }
            | Error::CutHeader { .. }
            | Error::Trailing { short: true, .. } => "unexpected EOF".into(),
        }
    }

    /// Whether the stream failed before its first member had begun.
    pub fn is_opening(&self) -> bool {
        matches!(self, Error::Empty | Error::ShortHeader | Error::NotGzip)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match error {
            Error::Empty
            | Error::ShortHeader
            | Error::Cut { .. }
            | Error::CutTrailer { .. }
            | Error::CutHeader { .. } => io::ErrorKind::UnexpectedEof,
            Error::NotGzip | Error::Corrupt { .. } | Error::Checksum { .. } | Error::Trailing { .. } => {
                io::ErrorKind::InvalidData
            }
            Error::Poisoned => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
