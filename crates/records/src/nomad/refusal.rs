//! Why a change is refused, in the words that clients of genuine servers match on.

use serde::{Deserialize, Serialize};

use crate::Error;

/// A rule stands against a change. Texts are the genuine ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The request is wrong and stays wrong; a genuine server says so with a code of its own.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Anything else, for which a genuine server has no code.
    #[error("{0}")]
    Failed(String),
}

/// What ends a change early.
#[derive(Debug)]
pub(super) enum Failure {
    /// A rule: the caller's affair.
    Refused(Refusal),
    /// The store, or damage in it: ours.
    Broken(Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Refused(refusal)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Broken(error)
    }
}
