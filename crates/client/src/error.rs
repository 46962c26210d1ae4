//! What can go wrong between a caller and a server, and what the server said about it.

use std::time::Duration;

use serde::Deserialize;

/// Why a request has no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection, or it ended before an answer began. What was being changed may have been changed.
    #[error("{address} cannot be reached: {cause}")]
    Unreachable {
        /// Whom we asked.
        address: String,
        /// The innermost reason.
        cause: String,
    },
    /// Whoever answers there has a certificate that isn't good. Nothing was sent.
    #[error("{address} is not trusted: {cause}")]
    Untrusted {
        /// Whom we wanted to ask.
        address: String,
        /// What is wrong with the certificate.
        cause: String,
    },
    /// The server answered, with an error.
    #[error("{0}")]
    Refused(Refusal),
    /// The answer ended before it was complete.
    #[error("the answer was cut off after {received} bytes: {cause}")]
    Cut {
        /// How much had arrived.
        received: u64,
        /// The innermost reason.
        cause: String,
    },
    /// Nothing arrived for so long that nothing is expected any more.
    #[error("the server sent nothing for {} s, after {received} bytes", .waited.as_secs())]
    Stalled {
        /// How much had arrived.
        received: u64,
        /// How long was waited.
        waited: Duration,
    },
    /// All of the archive arrived, and it is another one than the server announced.
    #[error("the archive's {} is {found}, the server promised {promised}", .promised.algorithm())]
    Digest {
        /// What the server said.
        promised: crate::Digest,
        /// What arrived, in hex.
        found: String,
    },
    /// The answer is not one that this API gives; something else may be listening there.
    #[error("{address} gave an answer that is not of this API: {cause}")]
    Foreign {
        /// Whom we asked.
        address: String,
        /// What is wrong with the answer.
        cause: String,
    },
    /// The token holds characters that an HTTP header cannot carry.
    #[error("the token holds characters that a token cannot have")]
    Token,
    /// A file that should hold the token cannot be read.
    #[error("read the token from {path}: {cause}")]
    TokenFile {
        /// The file.
        path: String,
        /// The system's words.
        cause: String,
    },
    /// The address cannot be used.
    #[error(transparent)]
    Address(#[from] crate::AddressError),
    /// The files that TLS needs cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// One of certificate and key was given without the other.
    #[error("both client certificate and client key must be given")]
    Identity,
    /// The name under which the server is to be asked isn't one.
    #[error("{0:?} is not the name of a server: it is what the server's certificate should be for")]
    ServerName(String),
}

/// A server's answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What the caller is told to do; for a genuine server as far as its status tells.
    pub kind: Kind,
    /// The server's own words, passed on.
    pub message: String,
    /// The server's advice, if it gave any.
    pub hint: Option<String>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.message.is_empty() {
            true => write!(f, "the server answered with status {} and no words", self.status),
            false => f.write_str(&self.message),
        }
    }
}

/// The kinds of errors, as `docs/api.md` lists them.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The request is wrong and stays wrong.
    Invalid,
    /// Not allowed.
    Denied,
    /// There is nothing by that name.
    NotFound,
    /// Something stands in the way.
    Conflict,
    /// Beyond a limit.
    TooLarge,
    /// The bytes fail their checks.
    Corrupt,
    /// The server doesn't do this.
    Unsupported,
    /// Another node leads.
    NotLeader,
    /// Not now: the same request may succeed later.
    Unavailable,
    /// A bug or a failure of the server's, or a kind that we don't know yet.
    #[serde(other)]
    Internal,
}

impl Kind {
    /// What a status alone says.
    pub(crate) fn of_status(status: u16) -> Kind {
        match status {
            401 | 403 => Kind::Denied,
            404 => Kind::NotFound,
            409 => Kind::Conflict,
            413 => Kind::TooLarge,
            422 => Kind::Corrupt,
            400..=428 => Kind::Invalid,
            429 | 503 => Kind::Unavailable,
            501 => Kind::Unsupported,
            _ => Kind::Internal,
        }
    }
}

/// The reason at the bottom: what lies above it names our own libraries, not the trouble.
pub(crate) fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "timed out".into();
    }
    if let Some(words) = tls::words(error) {
        return words;
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        if cause.downcast_ref().is_some_and(hyper::Error::is_canceled) {
            return unasked(error).into();
        }
        cause = deeper;
    }
    cause.to_string()
}

/// A connection that ended before anything was asked over it. What the server said last is not known.
fn unasked(error: &reqwest::Error) -> &'static str {
    match error.url().map(reqwest::Url::scheme) {
        Some("https") => {
            "the server ended the connection after the TLS handshake, as one does that wants another client \
             certificate"
        }
        _ => "the server ended the connection before it was asked anything",
    }
}
