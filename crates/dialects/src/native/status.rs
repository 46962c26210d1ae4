//! Where everything stands: health, metrics, status, scopes.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use node::{Node, Scope};
use serde_json::{Value, json};

use super::params::InScope;
#[cfg(feature = "qdrant")]
use super::points;
use super::render;
use super::reply::Reply;

pub(super) async fn health(State(node): State<Node>) -> Response {
    let confirmed = match node.check_disk(0) {
        Ok(()) => node.confirm_leader().await,
        Err(full) => Err(full),
    };
    match confirmed {
        Ok(()) => Json(json!({"status": "ok"})).into_response(),
        Err(error) => {
            let body = json!({"status": "unavailable", "reason": error.message()});
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}

pub(super) async fn metrics(State(node): State<Node>) -> Response {
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, form)], node.render_metrics()).into_response()
}

pub(super) async fn status(State(node): State<Node>) -> Reply {
    let status = node.status();
    let scopes = all(&node).await?;
    let body = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "node": {"id": node.identity().id, "name": node.identity().name},
        "datacenter": node.settings().datacenter,
        "role": render::role(status.role),
        "term": status.term,
        "applied_index": status.applied.map(|position| position.index),
        "last_log_index": status.last_log,
        "leader": status.leader.as_ref().map(render::member),
        "voters": status.members.voters().map(render::member).collect::<Vec<_>>(),
        "data_dir": node.settings().data_dir.display().to_string(),
        "disk_free_bytes": node.free_bytes(),
        "scopes": scopes,
    });
    Ok(Json(body).into_response())
}

pub(super) async fn scopes(State(node): State<Node>) -> Reply {
    Ok(Json(all(&node).await?).into_response())
}

pub(super) async fn scope(State(node): State<Node>, InScope(scope): InScope) -> Reply {
    let body = match scope {
        Scope::Records(scope) => render::scope(&node, scope)?,
        #[cfg(feature = "qdrant")]
        Scope::Points(scope) => points::scope(&node, scope).await?,
    };
    Ok(Json(body).into_response())
}

/// Every scope that is not a part of another one.
async fn all(node: &Node) -> Reply<Vec<Value>> {
    let scopes = records::Scope::ALL.into_iter().map(|scope| render::scope(node, scope));
    #[cfg_attr(not(feature = "qdrant"), expect(unused_mut, reason = "nothing comes after these"))]
    let mut scopes = scopes.collect::<Reply<Vec<_>>>()?;
    #[cfg(feature = "qdrant")]
    scopes.push(points::scope(node, node::PointsScope::Storage).await?);
    Ok(scopes)
}
