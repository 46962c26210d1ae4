//! The native API, described in docs/api.md. Translates; decides nothing.
//!
//! * `GET /health`, `GET /metrics` -- open to all who reach the address
//! * `GET /v1/status`, `/v1/scopes[/{scope}]` -- where everything stands
//! * `GET|PUT /v1/scopes/{scope}/archive` -- save and restore; `POST …/undo`
//! * `/v1/snapshots`, `/v1/scopes/{scope}/snapshots…` -- the catalog
//! * `GET|DELETE /v1/tasks[/{id}]` -- long operations

mod archive;
mod auth;
mod operation;
mod params;
#[cfg(feature = "qdrant")]
mod points;
mod render;
mod reply;
mod snapshots;
mod status;
mod tasks;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use node::{Error, Kind, Node};

pub use operation::operation;
use reply::Failure;

/// The routes of the native API.
pub fn routes(node: Node) -> Router {
    let private = Router::new()
        .route("/v1/status", get(status::status))
        .route("/v1/scopes", get(status::scopes))
        .route("/v1/scopes/{scope}", get(status::scope))
        .route("/v1/scopes/{scope}/archive", get(archive::save).put(archive::restore))
        .route("/v1/scopes/{scope}/undo", post(archive::undo))
        .route("/v1/snapshots", get(snapshots::all))
        .route("/v1/scopes/{scope}/snapshots", get(snapshots::list).post(snapshots::create))
        .route(
            "/v1/scopes/{scope}/snapshots/{name}",
            get(snapshots::show).put(snapshots::upload).delete(snapshots::delete),
        )
        .route("/v1/scopes/{scope}/snapshots/{name}/archive", get(snapshots::download))
        .route("/v1/scopes/{scope}/snapshots/{name}/restore", post(snapshots::restore))
        .route("/v1/tasks", get(tasks::list))
        .route("/v1/tasks/{id}", get(tasks::show).delete(tasks::cancel))
        .fallback(|| async { Failure(Error::new(Kind::NotFound, "there is no such endpoint")) })
        .layer(middleware::from_fn_with_state(node.clone(), auth::check));
    Router::new()
        .route("/health", get(status::health))
        .route("/metrics", get(status::metrics))
        .merge(private)
        .method_not_allowed_fallback(|| async {
            Failure(Error::new(Kind::Invalid, "this endpoint does not take that method"))
        })
        .with_state(node)
}
