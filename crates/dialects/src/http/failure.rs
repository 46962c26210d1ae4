//! Refusals: a status, and a sentence as plain text.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use node::{Error, Kind};

use crate::request::Failed;

/// What a handler answers.
pub(crate) type Reply = Result<Response, Failure>;

/// A refusal: a status, and a sentence as the whole body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    kind: Kind,
    status: StatusCode,
    text: String,
}

impl Failure {
    /// A request that is wrong: 400.
    pub(crate) fn invalid(text: impl Into<String>) -> Failure {
        Failure { kind: Kind::Invalid, status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    /// What only a token can do is asked where tokens mean nothing: 401.
    pub(crate) fn unauthorized(text: impl Into<String>) -> Failure {
        Failure { kind: Kind::Denied, status: StatusCode::UNAUTHORIZED, text: text.into() }
    }

    /// There is no such thing: 404.
    pub(crate) fn not_found(text: impl Into<String>) -> Failure {
        Failure { kind: Kind::NotFound, status: StatusCode::NOT_FOUND, text: text.into() }
    }

    /// A right is missing: 403.
    pub(crate) fn denied(text: impl Into<String>) -> Failure {
        Failure { kind: Kind::Denied, status: StatusCode::FORBIDDEN, text: text.into() }
    }

    /// More than a limit allows: 413.
    pub(crate) fn too_large(text: impl Into<String>) -> Failure {
        Failure { kind: Kind::TooLarge, status: StatusCode::PAYLOAD_TOO_LARGE, text: text.into() }
    }

    /// A method that the endpoint does not take: 405.
    pub(crate) fn wrong_method(text: impl Into<String>) -> Failure {
        Failure { kind: Kind::Invalid, status: StatusCode::METHOD_NOT_ALLOWED, text: text.into() }
    }

    /// What the genuine server answers with 500, which is nearly everything.
    pub(crate) fn genuine(kind: Kind, text: impl Into<String>) -> Failure {
        Failure { kind, status: StatusCode::INTERNAL_SERVER_ERROR, text: text.into() }
    }

    /// What the genuine server answers with a status of its own.
    pub(crate) fn of(kind: Kind, status: StatusCode, text: impl Into<String>) -> Failure {
        Failure { kind, status, text: text.into() }
    }

    /// What we don't do: 501.
    pub(crate) fn unserved(text: impl Into<String>) -> Failure {
        Failure { kind: Kind::Unsupported, status: StatusCode::NOT_IMPLEMENTED, text: text.into() }
    }

    /// The same refusal, its sentence led in by `context`.
    pub(crate) fn in_context(self, context: &str) -> Failure {
        Failure { text: format!("{context}{}", self.text), ..self }
    }

    /// A reply that the state machine never gives to what was asked: a bug of ours.
    pub(crate) fn unexpected(reply: &impl std::fmt::Debug) -> Failure {
        // Its name alone: what it holds may be a client's secret.
        let name: String =
            format!("{reply:?}").chars().take_while(|c| matches!(c, 'A'..='Z' | 'a'..='z' | '(')).collect();
        tracing::error!(name, "an unexpected reply");
        Failure::genuine(Kind::Internal, "an unexpected reply of the state machine")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let kind = error.kind();
        let status = match kind {
            Kind::Invalid => StatusCode::BAD_REQUEST,
            Kind::Denied => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::NotLeader | Kind::Unavailable | Kind::Corrupt | Kind::Unsupported | Kind::Internal => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        if kind == Kind::Internal {
            tracing::error!(%error, "a request failed");
        }
        let text = match error.advice() {
            _ if lacks_leader(&error) => "No cluster leader".to_owned(),
            Some(advice) => format!("{}; {advice}", error.message()),
            None => error.message().to_owned(),
        };
        Failure { kind, status, text }
    }
}

impl From<records::Error> for Failure {
    fn from(error: records::Error) -> Failure {
        Error::from(error).into()
    }
}

/// Whether nothing was done for want of a leader that a quorum confirms.
fn lacks_leader(error: &Error) -> bool {
    use groups::Error::{NoQuorum, NotLeader};
    matches!(error.cause(), Some(NotLeader { .. } | NoQuorum))
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.text).into_response();
        response.extensions_mut().insert(Failed(self.kind));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_leader_the_genuine_text_is_answered() {
        let failure = |error: groups::Error| Failure::from(Error::from(error));
        for error in [groups::Error::NoQuorum, groups::Error::NotLeader { leader: None }] {
            let failure = failure(error);
            assert_eq!((failure.status.as_u16(), failure.text.as_str()), (500, "No cluster leader"));
        }
        let unknown = failure(groups::Error::OutcomeUnknown { leader: None });
        assert!(unknown.text.contains("unknown"), "{unknown:?}");
    }
}
