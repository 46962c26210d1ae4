//! The catalog of stored snapshots.

use ::archive::gzip::Level;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use node::{Error, Kind, Name, Node, Origin, RestoreRequest, Scope};
use serde::Deserialize;
use serde_json::Value;

use super::archive::{self, RestoreParams};
use super::params::{InScope, Named, invalid, parse};
#[cfg(feature = "qdrant")]
use super::points;
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
    let name = name.map(|name| Name::in_scope(&scope, &name)).transpose()?;
    let snapshot = match scope {
        Scope::Records(scope) => node.create_snapshot(scope, name, STORED_LEVEL).await?,
        #[cfg(feature = "qdrant")]
        Scope::Points(scope) => node.create_points_snapshot(scope, name, None).await?,
    };
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
    let form = match scope {
        Scope::Records(_) => "application/gzip",
        #[cfg(feature = "qdrant")]
        Scope::Points(_) => points::TAR,
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form));
    headers.insert(CONTENT_LENGTH, snapshot.size.into());
    let sha256 = HeaderValue::from_str(&snapshot.sha256);
    headers.insert("stillpoint-sha256", sha256.map_err(|e| Error::new(Kind::Internal, e.to_string()))?);
    Ok(reply)
}

pub(super) async fn restore(State(node): State<Node>, Named(scope, name): Named, uri: Uri) -> Reply {
    let origin = Origin::Stored(node.snapshot(&scope, &name)?.blob()?);
    match scope {
        Scope::Records(scope) => {
            let params: RestoreParams = parse(&uri)?;
            let request = RestoreRequest {
                unknown_records: params.allow_unknown_records,
                missing_keys: params.allow_missing_keys,
                ..RestoreRequest::of(scope)
            };
            archive::run(&node, request, origin, params.dry_run).await
        }
        #[cfg(feature = "qdrant")]
        Scope::Points(scope) => points::restore(&node, scope, None, origin, parse(&uri)?).await,
    }
}
