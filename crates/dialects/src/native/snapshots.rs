//! The catalog of stored snapshots.

use ::archive::gzip::Level;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use node::{Error, Kind, Name, Node, Origin, RestoreRequest};
use serde::Deserialize;
use serde_json::Value;

use super::archive::{self, RestoreParams};
use super::params::{InScope, Named, Params, invalid, of_records};
use super::render;
use super::reply::Reply;

/// Compression of stored snapshots: written once, kept and sent often.
const STORED_LEVEL: Level = Level::Small;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: Option<String>,
}

pub(super) async fn all(State(node): State<Node>) -> Reply {
    let snapshots: Vec<Value> = node.snapshots(None)?.iter().map(render::snapshot).collect();
    Ok(Json(snapshots).into_response())
}

pub(super) async fn list(State(node): State<Node>, InScope(scope): InScope) -> Reply {
    let snapshots: Vec<Value> = node.snapshots(Some(&scope))?.iter().map(render::snapshot).collect();
    Ok(Json(snapshots).into_response())
}

pub(super) async fn create(State(node): State<Node>, InScope(scope): InScope, body: Bytes) -> Reply {
    let name = match body.is_empty() {
        true => None,
        false => serde_json::from_slice::<Create>(&body).map_err(|e| invalid(e.to_string()))?.name,
    };
    let name = name.map(|name| Name::new(&name)).transpose()?;
    let snapshot = node.create_snapshot(of_records(scope)?, name, STORED_LEVEL).await?;
    Ok((StatusCode::CREATED, Json(render::snapshot(&snapshot))).into_response())
}

pub(super) async fn show(State(node): State<Node>, Named(scope, name): Named) -> Reply {
    Ok(Json(render::snapshot(&node.snapshot(&scope, &name)?)).into_response())
}

pub(super) async fn upload(State(node): State<Node>, Named(scope, name): Named, body: Body) -> Reply {
    let snapshot = node.upload_snapshot(scope, name, archive::stream(body)).await?;
    Ok((StatusCode::CREATED, Json(render::snapshot(&snapshot))).into_response())
}

pub(super) async fn delete(State(node): State<Node>, Named(scope, name): Named) -> Reply {
    node.delete_snapshot(scope, &name).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn download(State(node): State<Node>, Named(scope, name): Named) -> Reply {
    let snapshot = node.snapshot(&scope, &name)?;
    let mut reply = Response::new(Body::from_stream(node.read_snapshot(&snapshot)?));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
    headers.insert(CONTENT_LENGTH, snapshot.size.into());
    let sha256 = HeaderValue::from_str(&snapshot.sha256);
    headers.insert("stillpoint-sha256", sha256.map_err(|e| Error::new(Kind::Internal, e.to_string()))?);
    Ok(reply)
}

pub(super) async fn restore(
    State(node): State<Node>,
    Named(scope, name): Named,
    Params(params): Params<RestoreParams>,
) -> Reply {
    let blob = node.snapshot(&scope, &name)?.blob()?;
    let request = RestoreRequest {
        unknown_records: params.allow_unknown_records,
        missing_keys: params.allow_missing_keys,
        ..RestoreRequest::of(of_records(scope)?)
    };
    archive::run(&node, request, Origin::Stored(blob), params.dry_run).await
}
