//! What leaves the node when something fails: a kind that tells the caller what to do, and a sentence.

use std::fmt;

use tracing::{Instrument, Span};

/// What a caller can do about a failure. Each dialect maps kinds to its own statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is wrong and stays wrong.
    Invalid,
    /// There is nothing by that name.
    NotFound,
    /// Something stands in the way, such as another restore.
    Conflict,
    /// Not allowed.
    Denied,
    /// The bytes fail their checks; nothing was changed.
    Corrupt,
    /// Beyond a limit.
    TooLarge,
    /// Another node leads.
    NotLeader,
    /// Not now: the same request may succeed later.
    Unavailable,
    /// We don't do this.
    Unsupported,
    /// A bug of ours, or a broken disk.
    Internal,
}

impl Kind {
    /// The kind's name in the native API.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Invalid => "invalid",
            Kind::NotFound => "not_found",
            Kind::Conflict => "conflict",
            Kind::Denied => "denied",
            Kind::Corrupt => "corrupt",
            Kind::TooLarge => "too_large",
            Kind::NotLeader => "not_leader",
            Kind::Unavailable => "unavailable",
            Kind::Unsupported => "unsupported",
            Kind::Internal => "internal",
        }
    }
}

/// A failure: its kind, what happened, and perhaps what to do.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of most of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of `kind` that `message` describes: what was tried, and what came of it.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), hint: None, source: None }
    }

    /// Adds advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause, for those who know its type.
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do, if there is something to advise.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The cause, if it is a `T`.
    pub fn cause<T: std::error::Error + 'static>(&self) -> Option<&T> {
        self.source.as_ref()?.downcast_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}

impl From<groups::Error> for Error {
    fn from(error: groups::Error) -> Error {
        match &error {
            groups::Error::NotLeader { leader: Some(leader) } => {
                Error::new(Kind::NotLeader, format!("node {} at {} leads", leader.id, leader.address))
            }
            groups::Error::NotLeader { leader: None } => Error::new(Kind::Unavailable, "no leader is known"),
            groups::Error::NoQuorum | groups::Error::Busy(_) | groups::Error::OutcomeUnknown { .. } => {
                Error::new(Kind::Unavailable, error.to_string())
            }
            groups::Error::Invalid(message) => Error::new(Kind::Invalid, message.clone()),
            groups::Error::Fatal(_) | groups::Error::MachineBehind { .. } | groups::Error::Log(_) => {
                Error::new(Kind::Internal, error.to_string())
            }
        }
        .because(error)
    }
}

#[cfg(feature = "qdrant")]
impl From<points::Error> for Error {
    fn from(error: points::Error) -> Error {
        let kind = match error.kind {
            points::Kind::Invalid | points::Kind::Unprocessable => Kind::Invalid,
            points::Kind::NotFound => Kind::NotFound,
            points::Kind::Unsupported => Kind::Unsupported,
            points::Kind::Full => Kind::Unavailable,
            points::Kind::Corrupt | points::Kind::Internal => Kind::Internal,
        };
        Error::new(kind, error.text.clone()).because(error)
    }
}

impl From<records::Error> for Error {
    fn from(error: records::Error) -> Error {
        let kind = match &error {
            records::Error::Record { .. } => Kind::Corrupt,
            records::Error::UnknownKind { .. } => Kind::Unsupported,
            records::Error::Store(records::store::Error::Full) => Kind::Unavailable,
            _ => Kind::Internal,
        };
        let failure = Error::new(kind, error.to_string());
        match error {
            // A source fails with an error of ours, or with one that the archive's reader made.
            records::Error::Source(source) => match source.downcast::<Error>() {
                Ok(ours) => *ours,
                Err(source) => failure.because(source),
            },
            records::Error::UnknownKind { .. } => failure
                .hint("allow_unknown_records keeps such records and writes them back unchanged")
                .because(error),
            error => failure.because(error),
        }
    }
}

/// An I/O failure while doing `what`, such as `open the blob directory`.
pub(crate) fn io(what: &str) -> impl FnOnce(std::io::Error) -> Error + '_ {
    move |error| match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => disk_full(),
        _ => Error::new(Kind::Internal, format!("{what}: {error}")).because(error),
    }
}

pub(crate) fn disk_full() -> Error {
    Error::new(Kind::Unavailable, "the disk that holds the data directory is full: writes are refused")
        .hint("free space there; reads, deletes and saves go on")
}

/// Runs `work` to its end, even if this future is dropped; a panic in it becomes an error.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(result) => result,
        Err(panic) => Err(stopped(panic)),
    }
}

/// Runs `work` off the async threads; a panic in it becomes an error.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let request = Span::current();
    match tokio::task::spawn_blocking(move || request.in_scope(work)).await {
        Ok(result) => result,
        Err(panic) => Err(stopped(panic)),
    }
}

/// What is left of work that panicked. The panic's own words may hold what clients sent: its place is logged.
fn stopped(error: tokio::task::JoinError) -> Error {
    let why =
        if error.is_panic() { "the server made a mistake; its log knows more" } else { "it was cancelled" };
    Error::new(Kind::Internal, format!("a worker stopped: {why}"))
}
