//! What can go wrong with points, by kind, so that a dialect finds its status without reading sentences.

use qdrant_edge::OperationError;

/// A failure of this crate.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    /// Whose fault it is.
    pub kind: Kind,
    /// The sentence, without the prefix that a dialect puts before it.
    pub text: String,
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    /// The request cannot be meant so.
    Invalid,
    /// Values are out of their bounds: the text lists them in brackets, each with the path of its member.
    Unprocessable,
    /// A point, vector or field that is named does not exist.
    NotFound,
    /// We don't do that.
    Unsupported,
    /// No room on the disk, or in memory.
    Full,
    /// Stored bytes are not what was written.
    Corrupt,
    /// Ours, or the disk's.
    Internal,
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of `kind` with a sentence.
    pub fn new(kind: Kind, text: impl Into<String>) -> Error {
        Error { kind, text: text.into() }
    }

    /// A request that cannot be meant so.
    pub fn invalid(text: impl Into<String>) -> Error {
        Error::new(Kind::Invalid, text)
    }
}

impl From<OperationError> for Error {
    fn from(error: OperationError) -> Error {
        let kind = match &error {
            OperationError::PointIdError { .. } => Kind::NotFound,
            OperationError::OutOfMemory { .. } => Kind::Full,
            OperationError::InconsistentStorage { .. } | OperationError::FileNotFound { .. } => Kind::Corrupt,
            OperationError::ServiceError { .. }
            | OperationError::OutOfAppendableCapacity { .. }
            | OperationError::Timeout { .. }
            | OperationError::Cancelled { .. } => Kind::Internal,
            _ => Kind::Invalid,
        };
        Error::new(kind, error.to_string())
    }
}
