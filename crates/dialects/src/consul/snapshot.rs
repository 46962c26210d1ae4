//! Save and restore: `GET` and `PUT /v1/snapshot`.
//!
//! Follows `hashicorp/consul:agent/snapshot_endpoint.go`.

use archive::gzip::Level;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::IntoResponse;
use node::{Consistency, Kind, Origin, RestoreRequest};
use records::Scope;

use super::App;
use super::access::Caller;
use super::params::Query;
use super::reply::{Failure, Reply, read_headers, warn};
use crate::http::{Lingering, Upload};

pub(super) async fn save(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    caller: Caller,
) -> Reply {
    let consistency = if query.has("stale") { Consistency::Stale } else { Consistency::Linearizable };
    if consistency == Consistency::Linearizable {
        // Whether the token is still good is for the leader to say.
        app.node.confirm_leader().await?;
    }
    caller.now().await?.snapshot()?;
    let capture = app.node.capture(Scope::Consul, consistency).await?;
    let mut headers = read_headers(capture.index(), capture.freshness());
    // What Go makes of the first bytes.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-gzip"));
    warn(&mut headers, capture.warnings());
    Ok((headers, Body::from_stream(capture.stream(Level::Fast))).into_response())
}

pub(super) async fn restore(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let body = Lingering::new(body);
    app.node.confirm_leader().await?;
    caller.now().await?.snapshot()?;
    if query.has("stale") {
        return Err(Failure::genuine(Kind::Invalid, "stale not allowed for restore"));
    }
    let upload = Upload::of(&headers)?;
    let request = RestoreRequest {
        unknown_records: query.has("allow-unknown-records"),
        caller: Some(caller.secret()),
        ..RestoreRequest::of(Scope::Consul)
    };
    let outcome = app.node.restore(request, Origin::Body(upload.follow(body))).await;
    let restored = outcome.map_err(|error| upload.refuse(error))?;
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
    warn(&mut headers, &restored.warnings);
    Ok(headers.into_response())
}
