//! The REST face. Every route stands in one of the tables below, each with the right that it needs.
//!
//! * `GET /`, `/healthz`, `/livez`, `/readyz`, `/metrics`, `/telemetry`, `/cluster` -- what this is, and how it is
//! * `/collections`, `/collections/{name}`, `/aliases`, … -- collections, aliases, payload indexes
//! * `/collections/{name}/points/…`, `/collections/{name}/facet` -- points
//! * `/snapshots`, `/collections/{name}/snapshots`, `/collections/{name}/shards/{shard}/snapshots`, … -- snapshots
//! * every other endpoint of the genuine server -- 501, by name
//!
//! Follows `qdrant/qdrant:src/actix` and `docs/redoc/v1.19.x/openapi.json`.

mod aliases;
mod answer;
mod body;
mod call;
mod collections;
mod compress;
mod failure;
mod indexes;
mod metrics;
mod names;
mod operation;
mod params;
mod points;
mod service;
mod snapshots;
mod table;
mod unserved;
mod validation;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use node::Node;
use uuid::Uuid;

pub use operation::operation;
pub use table::Served;

use super::Setup;
use super::access::Keys;
use crate::http::{Fetcher, Lingering};
use metrics::Responses;
use table::Table;

/// What every handler has at hand.
#[derive(Clone)]
struct App {
    node: Node,
    keys: Arc<Keys>,
    /// Where the native API is, with its scheme.
    native_url: Option<Arc<str>>,
    /// Fetches archives, if that is done at all.
    fetcher: Option<Fetcher>,
    responses: Arc<Responses>,
    /// Tells one run of the server from the next.
    run: Uuid,
    /// When it began.
    began_ms: u64,
}

/// The REST API, for :6333.
pub fn router(node: Node, setup: impl Into<Setup>) -> Router {
    let Setup { keys, native_url, fetcher } = setup.into();
    let (responses, run, began_ms) = (Arc::default(), Uuid::new_v4(), node.now_ms());
    let (keys, native_url) = (Arc::new(keys), native_url.map(Arc::from));
    let app = App { node, keys, native_url, fetcher, responses, run, began_ms };
    // The path is tidied before it is routed, and so outside of the router that does it.
    Router::new()
        .fallback_service(table().into_router(app))
        .layer(from_fn(tidy))
        .layer(from_fn(compress::gzip))
}

/// Every route that has an answer: for tests that must not miss one.
pub fn served() -> Vec<Served> {
    table().into_routes()
}

fn table() -> Table {
    let table = Table::default();
    let tables = [
        service::routes,
        collections::routes,
        aliases::routes,
        indexes::routes,
        points::routes,
        snapshots::routes,
        unserved::routes,
    ];
    tables.iter().fold(table, |table, routes| routes(table))
}

/// Drops what a path has too many slashes of, between its parts and at its end. What a refused request still sends
/// is read away: else its connection would end, while its client believes that it can be used again.
async fn tidy(request: Request, next: Next) -> Response {
    let mut request = request.map(|body| Body::from_stream(Lingering::new(body)));
    let path = request.uri().path();
    if path.len() > 1 && (path.ends_with('/') || path.contains("//")) {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let tidied = format!("/{}{query}", parts.join("/"));
        if let Ok(tidied) = PathAndQuery::try_from(tidied) {
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = Some(tidied);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    next.run(request).await
}
