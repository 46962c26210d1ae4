//! A net for panics of handlers.

use std::panic::AssertUnwindSafe;

use axum::response::Response;
use futures_util::FutureExt;
use node::Kind;

use super::Failure;

/// A panic becomes a failure: it may cost its request, never the connection or the node.
pub(crate) async fn caught(answer: impl Future<Output = Response>) -> Result<Response, Failure> {
    let outcome = AssertUnwindSafe(answer).catch_unwind().await;
    outcome.map_err(|_| Failure::genuine(Kind::Internal, "the server made a mistake; its log knows more"))
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::response::IntoResponse;

    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_answer() {
        let response = caught(async { panic!("a bug") }).await.unwrap_or_else(IntoResponse::into_response);
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(caught(async { StatusCode::OK.into_response() }).await.unwrap().status(), StatusCode::OK);
    }
}
