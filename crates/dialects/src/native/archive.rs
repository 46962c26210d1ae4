//! Save, restore and undo of a scope.

use archive::gzip::Level;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::http::{HeaderName, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use node::{Consistency, Error, Kind, Node, Origin, RestoreRequest, Scope};
use serde::Deserialize;
use uuid::Uuid;

use super::params::{InScope, Params, invalid, parse, task_id};
#[cfg(feature = "qdrant")]
use super::points;
use super::render;
use super::reply::{Failure, Reply};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaveParams {
    /// Present or absent, whatever its value.
    stale: Option<String>,
    level: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RestoreParams {
    #[serde(default)]
    pub(super) dry_run: bool,
    #[serde(default)]
    pub(super) allow_unknown_records: bool,
    #[serde(default)]
    pub(super) allow_missing_keys: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UndoParams {
    image: Option<Uuid>,
}

pub(super) async fn save(State(node): State<Node>, InScope(scope): InScope, uri: Uri) -> Reply {
    match scope {
        Scope::Records(scope) => save_records(&node, scope, parse(&uri)?).await,
        #[cfg(feature = "qdrant")]
        Scope::Points(scope) => points::save(&node, scope, parse(&uri)?).await,
    }
}

async fn save_records(node: &Node, scope: records::Scope, params: SaveParams) -> Reply {
    let level = match params.level {
        None | Some(1) => Level::Fast,
        Some(6) => Level::Small,
        Some(_) => return Err(invalid("level is 1 or 6")),
    };
    let consistency = match params.stale {
        Some(_) => Consistency::Stale,
        None => Consistency::Linearizable,
    };
    let capture = node.capture(scope, consistency).await?;
    let mut reply = Response::new(Body::empty());
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
    headers.insert("stillpoint-index", capture.index().into());
    let freshness = capture.freshness();
    let contact_ms = u64::try_from(freshness.last_contact.as_millis()).unwrap_or(u64::MAX);
    headers.insert("stillpoint-last-contact-ms", contact_ms.into());
    let known = if freshness.known_leader { "true" } else { "false" };
    headers.insert("stillpoint-known-leader", HeaderValue::from_static(known));
    for warning in capture.warnings() {
        let value = HeaderValue::from_str(warning).map_err(|e| Error::new(Kind::Internal, e.to_string()))?;
        headers.append(HeaderName::from_static("stillpoint-warning"), value);
    }
    *reply.body_mut() = Body::from_stream(capture.stream(level));
    Ok(reply)
}

pub(super) async fn restore(
    State(node): State<Node>,
    InScope(scope): InScope,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    let task = match headers.get("stillpoint-task") {
        Some(id) => Some(task_id(id.to_str().unwrap_or_default())?),
        None => None,
    };
    let origin = Origin::Body(stream(body));
    match scope {
        Scope::Records(scope) => {
            let params: RestoreParams = parse(&uri)?;
            let request = RestoreRequest {
                task,
                unknown_records: params.allow_unknown_records,
                missing_keys: params.allow_missing_keys,
                caller: caller(scope, &headers)?,
                ..RestoreRequest::of(scope)
            };
            run(&node, request, origin, params.dry_run).await
        }
        #[cfg(feature = "qdrant")]
        Scope::Points(scope) => points::restore(&node, scope, task, origin, parse(&uri)?).await,
    }
}

/// The secret of the scope's own token, if one came along.
fn caller(scope: records::Scope, headers: &HeaderMap) -> Result<Option<node::Secret>, Failure> {
    let header = match scope {
        records::Scope::Consul => "X-Consul-Token",
        records::Scope::Nomad => "X-Nomad-Token",
    };
    match headers.get(header) {
        Some(secret) => {
            Ok(Some(secret.to_str().map_err(|_| invalid(format!("{header} is no text")))?.into()))
        }
        None => Ok(None),
    }
}

/// Restores, or says what a restore would do.
pub(super) async fn run(node: &Node, request: RestoreRequest, origin: Origin, dry_run: bool) -> Reply {
    if dry_run {
        let plan = node.plan_restore(request, origin).await?;
        return Ok(Json(render::plan(&plan)).into_response());
    }
    Ok(Json(render::restored(&node.restore(request, origin).await?)).into_response())
}

pub(super) async fn undo(
    State(node): State<Node>,
    InScope(scope): InScope,
    Params(params): Params<UndoParams>,
) -> Reply {
    Ok(Json(render::undone(&node.undo(scope, params.image).await?)).into_response())
}

/// A request's body as the node takes it in.
pub(super) fn stream(body: Body) -> node::Body {
    use futures_util::TryStreamExt;
    Box::pin(body.into_data_stream().map_err(Into::into))
}
