//! Requests for other regions.

use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::middleware::Next;
use node::Kind;

use super::App;
use super::params::token;
use crate::http::forward::was_forwarded;
use crate::http::{Failure, Query, Reply};

const TOKEN: HeaderName = HeaderName::from_static("x-nomad-token");

/// Answers a request for another region with that one's answer; others go to their handler.
pub(super) async fn pass(State(app): State<App>, request: Request, next: Next) -> Reply {
    let query = request.extensions().get::<Query>().cloned().unwrap_or_default();
    let settings = app.node.settings();
    let region = match query.filled("region") {
        Some(name) if name != settings.region => name,
        _ => return Ok(next.run(request).await),
    };
    let known = settings.regions.get(region);
    let base = known.filter(|_| !was_forwarded(request.headers()));
    let base = base.ok_or_else(|| Failure::genuine(Kind::NotFound, "No path to region"))?;
    let token = token(request.headers()).map(|token| (TOKEN, token.to_owned()));
    app.forwarder.forward(base, token, query, request).await
}
