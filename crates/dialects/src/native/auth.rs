//! Who may use the native API: whoever has the operator's token.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use node::{Error, Kind, Node};

use super::reply::Failure;

/// Lets a request through if it carries the token; its body is not read before.
pub(super) async fn check(State(node): State<Node>, request: Request, next: Next) -> Response {
    match bearer(request.headers()) {
        Some(token) if node.authorizes(token) => next.run(request).await,
        _ => {
            let denied = Error::new(Kind::Denied, "a valid token is needed")
                .hint("send `Authorization: Bearer TOKEN`; the token lies in the server's data directory");
            let mut reply = Failure(denied).into_response();
            *reply.status_mut() = StatusCode::UNAUTHORIZED;
            reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            reply
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
