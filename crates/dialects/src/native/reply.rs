//! How failures look in the native API: one status per kind, one JSON form.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use node::{Error, Kind};
use serde_json::json;

use crate::request::Failed;

/// What a handler answers.
pub(super) type Reply<T = Response> = Result<T, Failure>;

/// A failure on its way out.
pub(super) struct Failure(pub(super) Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure(error)
    }
}

impl From<records::Error> for Failure {
    fn from(error: records::Error) -> Failure {
        Failure(error.into())
    }
}

fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Corrupt => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        Kind::NotLeader | Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Failure(error) = self;
        if error.kind() == Kind::Internal {
            tracing::error!(%error, "a request failed");
        }
        let mut body = json!({"kind": error.kind().name(), "message": error.message()});
        if let Some(hint) = error.advice() {
            body["hint"] = hint.into();
        }
        let mut response = (status(error.kind()), Json(json!({"error": body}))).into_response();
        response.extensions_mut().insert(Failed(error.kind()));
        response
    }
}
