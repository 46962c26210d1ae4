//! What this server is, and how it is.
//!
//! Follows `qdrant/qdrant:src/actix/api/{service,cluster}_api.rs`.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use groups::{Member, Role};
use serde_json::{Value, json};

use super::answer::{Answer, Outcome, result};
use super::call::Call;
use super::failure::Failure;
use super::snapshots::{self, Series};
use super::table::{Right, Table};
use crate::http::json::json_body;
use crate::qdrant::{TITLE, VERSION};

pub(super) fn routes(table: Table) -> Table {
    table
        .get("/", Right::Open, root)
        .get("/healthz", Right::Open, health)
        .get("/livez", Right::Open, health)
        .get("/readyz", Right::Open, ready)
        .get("/metrics", Right::GlobalRead, super::metrics::metrics)
        .get("/telemetry", Right::Key, telemetry)
        .get("/cluster", Right::GlobalRead, cluster)
        .post("/cluster/recover", Right::Manage, standalone)
        .delete("/cluster/peer/{peer_id}", Right::Manage, standalone)
}

async fn root(_: Call) -> Outcome {
    let body = json!({"title": TITLE, "version": VERSION}).to_string();
    Ok(Answer::Whole(json_body(body)))
}

async fn health(_: Call) -> Outcome {
    Ok(text(StatusCode::OK, "healthz check passed"))
}

/// Whether collections can be read and written: whether somebody leads who knows of them.
async fn ready(call: Call) -> Outcome {
    let status = call.app.node.status();
    Ok(if status.leader.is_some() && status.running.is_ok() {
        text(StatusCode::OK, "all shards are ready")
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, "some shards are not ready")
    })
}

fn text(status: StatusCode, text: &'static str) -> Answer {
    Answer::Whole((status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

async fn telemetry(call: Call) -> Outcome {
    let details = call.params.number("details_level")?.unwrap_or(0);
    let names = call.app.node.collections().await?;
    let names: Vec<_> = names.into_iter().filter(|name| call.access.sees(name)).collect();
    let mut collections = json!({"number_of_collections": names.len()});
    if details > 0 {
        let series = snapshots::series(&call.app.node, &names, call.app.began_ms)?;
        let describe = |(name, one): (String, Series)| {
            json!({
                "id": name,
                "running_snapshots": one.creations,
                "running_snapshot_recovery": one.recoveries,
                "total_snapshot_creations": one.created,
            })
        };
        collections["snapshots"] = series.into_iter().map(describe).collect();
        let mut known = Vec::with_capacity(names.len());
        for name in names {
            let collection = call.app.node.collection(&name).await?;
            let (shards, info) = (collection.shards().await?, collection.info().await?);
            let shards = shards.iter().map(|shard| json!({"id": shard.id, "points": shard.points_count}));
            let shards: Vec<Value> = shards.collect();
            known.push(json!({"id": name, "points_count": info.points_count, "shards": shards}));
        }
        collections["collections"] = known.into();
    }
    result(&json!({
        "id": call.app.run,
        "app": {
            "name": "qdrant",
            "version": VERSION,
            "features": {
                "debug": cfg!(debug_assertions),
                "service_debug_feature": false,
                "recovery_mode": false,
                "gpu": false,
                "rocksdb": false,
                "staging": false,
            },
            "startup": node::rfc3339(call.app.began_ms),
        },
        "collections": collections,
    }))
}

/// One node alone is no cluster to clients.
async fn cluster(call: Call) -> Outcome {
    let status = call.app.node.status();
    let members = status.members.everyone();
    if members.len() < 2 {
        return result(&json!({"status": "disabled"}));
    }
    let peer = |member: &Member| (member.id.0.to_string(), json!({"uri": member.address}));
    let peers: serde_json::Map<String, Value> = members.iter().map(peer).collect();
    let here = call.app.node.identity().id;
    let role = match status.role {
        Role::Leader => "Leader",
        Role::Candidate => "Candidate",
        _ => "Follower",
    };
    result(&json!({
        "status": "enabled",
        "peer_id": here,
        "peers": peers,
        "raft_info": {
            "term": status.term,
            "commit": status.committed.map_or(0, |position| position.index),
            "pending_operations": 0,
            "leader": status.leader.as_ref().map(|leader| leader.id.0),
            "role": role,
            "is_voter": members.iter().any(|member| member.id.0 == here && status.members.is_voter(member.id)),
        },
        "consensus_thread_status": {"consensus_thread_status": "working", "last_update": node::rfc3339(call.app.node.now_ms())},
        "message_send_failures": {},
    }))
}

async fn standalone(_: Call) -> Outcome {
    Err(Failure::standalone())
}
