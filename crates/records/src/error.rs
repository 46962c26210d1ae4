//! What can go wrong below the node. A refusal of a command is not an error: it is a reply.

use crate::{Scope, store};

/// Why the state machine could not do as asked. Live state is as it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A stored value does not decode: damage below us, or a bug of ours.
    #[error("stored {what} does not decode: {reason}")]
    Stored {
        /// What was read.
        what: &'static str,
        /// Why it does not decode.
        reason: String,
    },
    /// A log entry written by a newer release.
    #[error(
        "log entry {index} has command format {version}; this release reads up to {known}: upgrade this node"
    )]
    NewerCommand {
        /// The entry's log index.
        index: u64,
        /// Its format.
        version: u8,
        /// The newest format known here.
        known: u8,
    },
    /// A commit names an image that this replica has not staged. Stage it, then apply again.
    #[error("image {0} of scope {1} is not staged here")]
    MissingImage(uuid::Uuid, Scope),
    /// An image staged here differs from the one the commit names.
    #[error("image {image} staged here decodes to {found}, the cluster committed {expected}")]
    OtherImage {
        /// The image.
        image: uuid::Uuid,
        /// The digest found here, in hex.
        found: String,
        /// The digest in the log entry, in hex.
        expected: String,
    },
    /// The record cannot be stored.
    #[error("record {position} ({}): {reason}", scope.product().kind_name(*kind))]
    Record {
        /// Whose record it is.
        scope: Scope,
        /// Its place in the stream, from 1.
        position: u64,
        /// Its type number.
        kind: u8,
        /// What is wrong with it.
        reason: String,
    },
    /// The record's type is not one this release knows; the operator may allow it.
    #[error("record {position} has type {kind}, which is unknown to {scope} archives of this release")]
    UnknownKind {
        /// Its place in the stream, from 1.
        position: u64,
        /// Its type number.
        kind: u8,
        /// What the archive is for.
        scope: Scope,
    },
    /// The source of a load failed.
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    /// The database belongs to a newer release.
    #[error("the database has format {found}; this release reads up to {known}: use a newer one")]
    NewerFormat {
        /// The format found.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
}

pub(crate) fn stored(what: &'static str, reason: impl ToString) -> Error {
    Error::Stored { what, reason: reason.to_string() }
}
