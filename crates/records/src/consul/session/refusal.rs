//! Why the rules of sessions refuse an operation, in the words that clients of genuine servers match on.

/// A rule stands against the operation. Texts as in `hashicorp/consul:agent/consul/session_endpoint.go` and
/// `hashicorp/consul:agent/consul/state/{session,session_ce,state_store,txn}.go`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::consul) enum Refusal {
    #[error("Must provide Node")]
    NoNode,
    #[error("Invalid Behavior setting '{0}'")]
    Behavior(String),
    #[error("Session TTL '{ttl}' invalid: {cause}")]
    BadTtl { ttl: String, cause: String },
    #[error("Invalid Session TTL '{0}', must be between [10s=24h0m0s]")]
    TtlOutOfRange(i64),
    #[error("Missing session ID")]
    NoId,
    /// Ours: genuine leaders draw ids until one is new.
    #[error("session '{0}' exists")]
    Exists(String),
    #[error("Missing node registration")]
    MissingNode,
    #[error("Missing check '{0}' registration")]
    MissingCheck(String),
    #[error("Check '{id}' is in {status} state")]
    CriticalCheck { id: String, status: String },
    /// Ours: genuine servers keep everything in memory, whatever its size.
    #[error("the session can't be stored: {0}")]
    Unstorable(String),
    #[error("failed to delete session: failed deleting session: not found")]
    NotFound,
}
