//! Answers in the envelope: `{"result": …, "status": "ok", "time": …}`.

use axum::body::Bytes;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::failure::Failure;
use crate::http::json::json_body;

/// What a handler answers.
pub(super) type Outcome = Result<Answer, Failure>;

/// An answer that waits for its envelope, or needs none.
pub(super) enum Answer {
    /// The JSON of the member `result`.
    Result(Vec<u8>),
    /// What was asked is being done. Where to see how it stands, if that can be seen.
    Accepted(Option<HeaderValue>),
    /// The whole answer.
    Whole(Response),
}

/// Puts a value into the envelope.
///
/// Numbers of 32 bits are written as such, with the fewest digits that tell them apart; no value of JSON comes
/// between, for that would widen them.
pub(super) fn result(value: &impl Serialize) -> Outcome {
    let json = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "write an answer");
        Failure::bug()
    })?;
    Ok(Answer::Result(json))
}

impl Answer {
    /// The answer, `time_s` after the request.
    pub(super) fn into_response(self, time_s: f64) -> Response {
        let json = match self {
            Answer::Result(json) => json,
            Answer::Accepted(place) => {
                let body = json_body(format!(r#"{{"status":"accepted","time":{time_s:?}}}"#));
                let mut response = (StatusCode::ACCEPTED, body).into_response();
                if let Some(place) = place {
                    response.headers_mut().insert(LOCATION, place);
                }
                return response;
            }
            Answer::Whole(response) => return response,
        };
        let end = format!(r#","status":"ok","time":{time_s:?}}}"#);
        let mut body = Vec::with_capacity(json.len() + end.len() + 10);
        body.extend_from_slice(br#"{"result":"#);
        body.extend_from_slice(&json);
        body.extend_from_slice(end.as_bytes());
        json_body(Bytes::from(body))
    }
}
