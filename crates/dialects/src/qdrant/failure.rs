//! The sentences of failures: what REST and gRPC say alike.
//!
//! Follows `qdrant/qdrant:lib/storage/src/content_manager/errors.rs`.

use node::{Error, Kind};

/// The text that clients know for an error: the prefix of its class, and what happened.
pub(super) fn sentence(error: &Error) -> String {
    let prefix = match error.kind() {
        Kind::Invalid | Kind::Conflict | Kind::TooLarge => "Wrong input: ",
        Kind::NotFound => "Not found: ",
        Kind::Denied => "Forbidden: ",
        Kind::NotLeader | Kind::Unavailable => "Shard temporarily unavailable: ",
        Kind::Unsupported => "",
        Kind::Corrupt | Kind::Internal => "Service internal error: ",
    };
    match error.advice() {
        Some(advice) => format!("{prefix}{}; {advice}", error.message()),
        None => format!("{prefix}{}", error.message()),
    }
}
