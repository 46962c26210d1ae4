//! Requests for other datacenters.

use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::middleware::Next;
use node::Kind;

use super::App;
use super::params::{Query, token};
use super::reply::{Failure, Reply};
use crate::http::forward::was_forwarded;

const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");

/// Answers a request for another datacenter with that one's answer; others go to their handler.
pub(super) async fn pass(State(app): State<App>, request: Request, next: Next) -> Reply {
    let query = request.extensions().get::<Query>().cloned().unwrap_or_default();
    let settings = app.node.settings();
    let datacenter = match query.filled("datacenter").or(query.filled("dc")) {
        Some(name) if name != settings.datacenter => name,
        _ => return Ok(next.run(request).await),
    };
    let known = settings.datacenters.get(datacenter);
    let base = known.filter(|_| !was_forwarded(request.headers()));
    let base = base.ok_or_else(|| Failure::genuine(Kind::NotFound, "No path to datacenter"))?;
    let token = token(&query, request.headers()).map(|token| (TOKEN, token.to_owned()));
    app.forwarder.forward(base, token, query, request).await
}
