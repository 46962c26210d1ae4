//! What every request of a served endpoint passes first: its query, its method, and a net for panics.
//!
//! Follows `hashicorp/nomad:command/agent/http.go`.

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::VARY;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::{Failure, Query, caught};

/// An endpoint's gate.
#[derive(Clone)]
pub(super) struct Gate {
    /// The methods it takes, separated by commas.
    pub(super) allow: &'static str,
    /// What is answered to any other.
    pub(super) wrong_method: fn(&'static str) -> Failure,
}

/// Lets a request through to its handler with its [`Query`] among the extensions, and gives the answer the
/// headers that every answer has.
pub(super) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let mut response = gate.admit(request, next).await.unwrap_or_else(IntoResponse::into_response);
    response.headers_mut().entry(VARY).or_insert(HeaderValue::from_static("Accept-Encoding"));
    response
}

impl Gate {
    async fn admit(&self, mut request: Request, next: Next) -> Result<Response, Failure> {
        if !self.allow.split(',').any(|allowed| allowed == request.method().as_str()) {
            return Err((self.wrong_method)("Invalid method"));
        }
        // What can't be decoded is as if it were not there.
        let query = Query::lenient(request.uri().query().unwrap_or_default());
        request.extensions_mut().insert(query);
        caught(next.run(request)).await
    }
}
