//! Refusals in the envelope, and the few that are plain text.
//!
//! Follows `qdrant/qdrant:src/actix/{helpers,mod}.rs`.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use node::{Error, Kind, points};
use serde_json::json;

use crate::http::json::json_body;
use crate::qdrant::access::Refused;
use crate::qdrant::failure::sentence;
use crate::qdrant::unserved::Unserved;
use crate::request::Failed;

/// A refusal: a status, and a sentence.
#[derive(Debug)]
pub(super) struct Failure {
    kind: Kind,
    status: StatusCode,
    text: String,
    /// Whether the sentence is the whole body.
    is_plain: bool,
}

impl Failure {
    fn new(kind: Kind, status: StatusCode, text: impl Into<String>) -> Failure {
        Failure { kind, status, text: text.into(), is_plain: false }
    }

    /// What was asked makes no sense: 400.
    pub(super) fn bad_input(text: &str) -> Failure {
        Failure::bare(format!("Wrong input: {text}"))
    }

    /// The request lacks something: 400.
    pub(super) fn bad_request(text: &str) -> Failure {
        Failure::bare(format!("Bad request: {text}"))
    }

    /// 400 with nothing before the sentence.
    pub(super) fn bare(text: impl Into<String>) -> Failure {
        Failure::new(Kind::Invalid, StatusCode::BAD_REQUEST, text)
    }

    /// What was read breaks a rule: 422.
    pub(super) fn unprocessable(text: impl Into<String>) -> Failure {
        Failure::new(Kind::Invalid, StatusCode::UNPROCESSABLE_ENTITY, text)
    }

    /// There is no such thing: 404.
    pub(super) fn not_found(text: &str) -> Failure {
        Failure::new(Kind::NotFound, StatusCode::NOT_FOUND, format!("Not found: {text}"))
    }

    /// What only several nodes can do is asked of one: 405.
    pub(super) fn standalone() -> Failure {
        let text = "Qdrant is running in standalone mode";
        Failure::new(Kind::Unsupported, StatusCode::METHOD_NOT_ALLOWED, text)
    }

    /// What was asked could not be done: 500.
    pub(super) fn service(text: &str) -> Failure {
        let text = format!("Service internal error: {text}");
        Failure::new(Kind::Internal, StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    /// Not allowed, whoever asks: 403.
    pub(super) fn forbidden(text: &str) -> Failure {
        Failure::new(Kind::Denied, StatusCode::FORBIDDEN, format!("Forbidden: {text}"))
    }

    /// A form that cannot be read: the sentence is the whole body.
    pub(super) fn form(status: StatusCode, text: impl Into<String>) -> Failure {
        Failure { is_plain: true, ..Failure::new(Kind::Invalid, status, text) }
    }

    /// What happened.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// A bug of ours: 500.
    pub(super) fn bug() -> Failure {
        let text = "Service internal error: the server made a mistake; its log knows more";
        Failure::new(Kind::Internal, StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    /// The answer, `time_s` after the request.
    pub(super) fn into_response(self, time_s: f64) -> Response {
        let mut response = if self.is_plain {
            (self.status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], self.text).into_response()
        } else {
            let body = json!({"status": {"error": self.text}, "time": time_s}).to_string();
            (self.status, json_body(body)).into_response()
        };
        response.extensions_mut().insert(Failed(self.kind));
        response
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error.cause::<points::Error>().map(|cause| cause.kind) {
            Some(points::Kind::Unprocessable) => {
                return Failure::unprocessable(format!("Validation error in JSON body: {}", error.message()));
            }
            Some(points::Kind::Full) => {
                let text = format!("Insufficient storage: {}", error.message());
                return Failure::new(error.kind(), StatusCode::INSUFFICIENT_STORAGE, text);
            }
            _ => {}
        }
        let status = match error.kind() {
            Kind::Invalid | Kind::TooLarge => StatusCode::BAD_REQUEST,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Denied => StatusCode::FORBIDDEN,
            Kind::NotLeader | Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
            Kind::Corrupt | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(%error, "a request failed");
        }
        Failure::new(error.kind(), status, sentence(&error))
    }
}

impl From<Unserved> for Failure {
    fn from(unserved: Unserved) -> Failure {
        Failure::new(Kind::Unsupported, StatusCode::NOT_IMPLEMENTED, unserved.sentence())
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Failure {
        let plain = |status, text: &str| Failure {
            is_plain: true,
            ..Failure::new(Kind::Denied, status, text.to_owned())
        };
        match refused {
            Refused::Unauthorized(text) => plain(StatusCode::UNAUTHORIZED, text),
            Refused::Forbidden(text) => plain(StatusCode::FORBIDDEN, text),
            Refused::Failed(error) => error.into(),
        }
    }
}
