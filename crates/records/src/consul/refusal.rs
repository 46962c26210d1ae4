//! Why Consul's rules refuse an operation, in the words that clients of genuine servers match on.

use crate::Error;
use crate::consul::{catalog, session};
use crate::quote::Quoted;

/// A rule stands against the operation. Texts as in `hashicorp/consul:agent/consul/state/{kvs,txn}.go`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Must provide key")]
    NoKey,
    /// Ours: the engine's keys are bounded.
    #[error("key is too long ({0} bytes), the maximum is {max}", max = crate::ID_BYTES_MAX)]
    LongKey(usize),
    #[error("missing session")]
    NoSession,
    #[error("invalid session {0}")]
    UnknownSession(Quoted),
    #[error("failed to set key {0}, index is stale")]
    StaleSet(Quoted),
    #[error("failed to delete key {0}, index is stale")]
    StaleDelete(Quoted),
    #[error("failed to lock key {0}, lock is already held")]
    Held(Quoted),
    #[error("failed to lock key {0} due to lock delay")]
    Delayed(Quoted),
    #[error("failed to unlock key {0}, lock isn't held, or is held by another session")]
    NotHolder(Quoted),
    #[error("key {0} doesn't exist")]
    Missing(Quoted),
    #[error("key {0} exists")]
    Exists(Quoted),
    #[error("failed to check session, key {0} doesn't exist")]
    SessionOfMissing(Quoted),
    #[error("failed session check for key {key}, current session {found} != {expected}")]
    OtherSession { key: Quoted, found: Quoted, expected: Quoted },
    #[error("failed to check index, key {0} doesn't exist")]
    IndexOfMissing(Quoted),
    #[error("failed index check for key {key}, current modify index {found} != {expected}")]
    OtherIndex { key: Quoted, found: u64, expected: u64 },
    /// Ours: genuine servers collect results without end.
    #[error("transaction results are larger than {0} bytes")]
    ManyResults(usize),
    /// One of the catalog's.
    #[error(transparent)]
    Catalog(#[from] catalog::refusal::Refusal),
    /// One of the sessions'.
    #[error(transparent)]
    Session(#[from] session::refusal::Refusal),
}

impl Refusal {
    /// Whether the operation, asked for alone, answers false instead of failing.
    pub(super) fn is_an_answer(&self) -> bool {
        use Refusal::{Delayed, Held, NotHolder, StaleDelete, StaleSet};
        matches!(self, StaleSet(_) | StaleDelete(_) | Held(_) | Delayed(_) | NotHolder(_))
    }
}

/// What ends an operation early.
#[derive(Debug)]
pub(super) enum Failure {
    /// A rule: the caller's affair.
    Refused(Refusal),
    /// The store, or damage in it: ours.
    Broken(Error),
}

impl<R: Into<Refusal>> From<R> for Failure {
    fn from(refusal: R) -> Failure {
        Failure::Refused(refusal.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Broken(error)
    }
}
