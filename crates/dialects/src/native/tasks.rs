//! Long operations: list, show, cancel.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use node::Node;
use serde_json::Value;

use super::params::task_id;
use super::render;
use super::reply::Reply;

pub(super) async fn list(State(node): State<Node>) -> Reply {
    let tasks: Vec<Value> = node.tasks()?.iter().map(render::task).collect();
    Ok(Json(tasks).into_response())
}

pub(super) async fn show(State(node): State<Node>, Path(id): Path<String>) -> Reply {
    Ok(Json(render::task(&node.task(task_id(&id)?)?)).into_response())
}

pub(super) async fn cancel(State(node): State<Node>, Path(id): Path<String>) -> Reply {
    node.cancel_task(task_id(&id)?)?;
    Ok(StatusCode::ACCEPTED.into_response())
}
