//! Scopes of points: the same requests, other words.

use axum::Json;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use node::collections::{Packing, PointsPlan, PointsRestore, Priority};
use node::{Error, Kind, Node, Origin, PointsScope, Scope, rfc3339};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::render;
use super::reply::Reply;

/// The form of the archives.
pub(super) const TAR: &str = "application/x-tar";

/// A save of points has no parameters: all replicas agree, and nothing is compressed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SaveParams {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RestoreParams {
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    keep_others: bool,
    sha256: Option<String>,
    priority: Option<Wins>,
}

/// Whose points win, in Qdrant's words.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wins {
    Snapshot,
    Replica,
    NoSync,
}

impl From<Wins> for Priority {
    fn from(wins: Wins) -> Priority {
        match wins {
            Wins::Snapshot => Priority::Snapshot,
            Wins::Replica => Priority::Replica,
            Wins::NoSync => Priority::NoSync,
        }
    }
}

/// Streams an archive in the form in which it would be stored.
pub(super) async fn save(node: &Node, scope: PointsScope, _: SaveParams) -> Reply {
    let capture = node.capture_points(scope).await?;
    let mut reply = Response::new(Body::empty());
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(TAR));
    headers.insert(CONTENT_LENGTH, capture.bytes(Packing::Regular)?.into());
    *reply.body_mut() = Body::from_stream(capture.stream(Packing::Regular));
    Ok(reply)
}

/// Restores, or says what a restore would do.
pub(super) async fn restore(
    node: &Node,
    scope: PointsScope,
    task: Option<Uuid>,
    origin: Origin,
    params: RestoreParams,
) -> Reply {
    if params.keep_others && scope != PointsScope::Storage {
        let message = "keep_others means something for all collections alone, the scope qdrant";
        return Err(Error::new(Kind::Invalid, message).into());
    }
    let sha256 = params.sha256.map(|hex| hex.parse()).transpose()?;
    let priority = params.priority.map_or_else(Priority::default, Into::into);
    let keep_others = params.keep_others;
    let request = PointsRestore { task, sha256, priority, keep_others, ..PointsRestore::of(scope) };
    if params.dry_run {
        return Ok(Json(plan(&node.plan_points(request, origin).await?)).into_response());
    }
    Ok(Json(render::restored(&node.restore_points(request, origin).await?)).into_response())
}

fn plan(plan: &PointsPlan) -> Value {
    let points: u64 = plan.collections.iter().map(|(_, points)| points).sum();
    let collections = plan.collections.iter().map(|(name, points)| json!({"name": name, "points": points}));
    json!({
        "scope": plan.scope.to_string(),
        "current": {"points": plan.current_points},
        "archive": {"points": points, "collections": collections.collect::<Vec<_>>()},
        "warnings": plan.warnings,
    })
}

/// How many points a scope holds, and what an undo of it brings back.
pub(super) async fn scope(node: &Node, scope: PointsScope) -> Reply<Value> {
    let previous = node.previous_points(&scope).ok();
    let points = match points(node, &scope).await {
        // An undo may bring back what is not there.
        Err(error) if error.kind() == Kind::NotFound && previous.is_some() => 0,
        points => points?,
    };
    let keep_ms = u64::try_from(node.settings().undo_keep.as_millis()).unwrap_or(u64::MAX);
    let image = previous.as_ref().map_or_else(Uuid::nil, |previous| previous.live);
    let previous = previous.map(|previous| {
        json!({
            "image": previous.image,
            "replaced_at": rfc3339(previous.replaced_at_ms),
            "expires_at": rfc3339(previous.replaced_at_ms.saturating_add(keep_ms)),
        })
    });
    let scope = Scope::from(scope);
    let last = node.snapshots(Some(&scope))?.iter().map(|snapshot| snapshot.created_at_ms).max();
    Ok(json!({
        "scope": scope,
        "image": image,
        "points": points,
        "previous": previous,
        "last_snapshot_at": last.map(rfc3339),
    }))
}

async fn points(node: &Node, scope: &PointsScope) -> node::Result<u64> {
    match scope {
        PointsScope::Storage => {
            let mut points = 0;
            for name in node.collections().await? {
                match node.collection(&name).await {
                    Ok(collection) => points += collection.info().await?.points_count,
                    // It went in the meantime.
                    Err(error) if error.kind() == Kind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(points)
        }
        PointsScope::Collection(name) => Ok(node.collection(name).await?.info().await?.points_count),
        PointsScope::Shard(name, id) => {
            let shards = node.collection(name).await?.shards().await?;
            let missing = || Error::new(Kind::NotFound, format!("shard {id} not found"));
            Ok(shards.iter().find(|shard| shard.id == *id).ok_or_else(missing)?.points_count)
        }
    }
}
