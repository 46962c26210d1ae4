//! Save and restore: `GET`, `PUT` and `POST /v1/operator/snapshot`.
//!
//! Follows `hashicorp/nomad:command/agent/operator_endpoint.go` and `nomad/operator_endpoint.go`.

use archive::gzip::Level;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::IntoResponse;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use node::{Consistency, Kind, Origin, RestoreRequest};
use records::Scope;

use super::App;
use super::access::Caller;
use super::params::Params;
use crate::http::{Lingering, Query, Reply, Upload, warn};

const DIGEST: HeaderName = HeaderName::from_static("digest");

pub(super) async fn save(State(app): State<App>, params: Params, caller: Caller) -> Reply {
    let consistency = params.read.consistency;
    if consistency == Consistency::Linearizable {
        // Whether the token is still good is for the leader to say.
        app.node.confirm_leader().await?;
    }
    caller.now().await?.snapshot_save()?;
    let capture = app.node.capture(Scope::Nomad, consistency).await?;
    let (capture, digest) = app.node.digest(capture, Level::Fast).await?;
    let digest = format!("sha-256={}", BASE64_STANDARD.encode(digest.0));
    let mut headers = HeaderMap::from_iter([
        (DIGEST, HeaderValue::try_from(digest).expect("base64 is plain text")),
        // What Go makes of the first bytes.
        (CONTENT_TYPE, HeaderValue::from_static("application/x-gzip")),
    ]);
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
    caller.now().await?.snapshot_restore()?;
    let upload = Upload::of(&headers)?;
    let request = RestoreRequest {
        unknown_records: query.has("allow-unknown-records"),
        missing_keys: query.has("allow-missing-keys"),
        caller: Some(caller.secret()),
        ..RestoreRequest::of(Scope::Nomad)
    };
    let restored = app.node.restore(request, Origin::Body(upload.follow(body))).await.map_err(|error| {
        let is_about_the_archive =
            matches!(error.kind(), Kind::Corrupt | Kind::Unsupported | Kind::Invalid | Kind::TooLarge);
        let failure = upload.refuse(error);
        if is_about_the_archive { failure.in_context("failed to restore from snapshot: ") } else { failure }
    })?;
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
    warn(&mut headers, &restored.warnings);
    Ok(headers.into_response())
}
