//! The JSON of the native API. No inner type is serialised for its sake.

use node::{Node, Plan, Restored, Snapshot, Task, Undone, rfc3339};
use records::{Scope, Totals};
use serde_json::{Value, json};

use super::reply::Reply;

pub(super) fn member(member: &groups::Member) -> Value {
    json!({"id": member.id.0, "name": member.name, "address": member.address})
}

pub(super) fn role(role: groups::Role) -> &'static str {
    match role {
        groups::Role::Leader => "leader",
        groups::Role::Follower => "follower",
        groups::Role::Candidate => "candidate",
        groups::Role::Learner => "learner",
    }
}

pub(super) fn scope(node: &Node, scope: Scope) -> Reply<Value> {
    let view = node.records().view(scope)?;
    let state = view.state();
    let totals = view.totals()?;
    let keep_ms = u64::try_from(node.settings().undo_keep.as_millis()).unwrap_or(u64::MAX);
    let previous_bytes = match node.records().previous_view(scope)? {
        Some(view) => view.totals()?.bytes(),
        None => 0,
    };
    let previous = state.previous.map(|previous| {
        json!({
            "image": previous.generation.image,
            "index": previous.index,
            "replaced_at": rfc3339(previous.replaced_at_ms),
            "expires_at": rfc3339(previous.replaced_at_ms.saturating_add(keep_ms)),
            "bytes": previous_bytes,
        })
    });
    let last = node.snapshots(Some(&scope.into()))?.iter().map(|snapshot| snapshot.created_at_ms).max();
    Ok(json!({
        "scope": scope.name(),
        "index": state.index,
        "floor": state.floor,
        "image": state.live.image,
        "records": totals.count(),
        "bytes": totals.bytes(),
        "types": types(&totals),
        "previous": previous,
        "last_snapshot_at": last.map(rfc3339),
    }))
}

fn types(totals: &Totals) -> Value {
    let entry = |(kind, total): (&u8, &records::Total)| {
        let name = archive::consul::kinds::name(*kind).into_owned();
        (name, json!({"count": total.count, "bytes": total.bytes}))
    };
    Value::Object(totals.0.iter().map(entry).collect())
}

pub(super) fn restored(restored: &Restored) -> Value {
    let mut value = json!({
        "task": restored.task,
        "scope": restored.scope,
        "index": restored.index,
        "bytes": restored.bytes,
        "image": restored.task,
        "warnings": restored.warnings,
    });
    value[holds(&restored.scope)] = restored.records.into();
    value
}

/// What a scope holds, as the key of their number.
fn holds(scope: &node::Scope) -> &'static str {
    match scope {
        node::Scope::Records(_) => "records",
        #[cfg(feature = "qdrant")]
        node::Scope::Points(_) => "points",
    }
}

pub(super) fn plan(plan: &Plan) -> Value {
    let archive = &plan.archive;
    json!({
        "scope": plan.scope.name(),
        "current": {
            "index": plan.current_index,
            "records": plan.current.count(),
            "bytes": plan.current.bytes(),
            "types": types(&plan.current),
        },
        "archive": {
            "id": archive.meta.id,
            "index": archive.meta.index,
            "term": archive.meta.term,
            "version": archive.meta.version,
            "records": archive.totals.count(),
            "bytes": archive.meta.size,
            "types": types(&archive.totals),
        },
        "warnings": archive.warnings,
    })
}

pub(super) fn undone(undone: &Undone) -> Value {
    json!({"scope": undone.scope, "index": undone.index, "image": undone.image})
}

pub(super) fn snapshot(snapshot: &Snapshot) -> Value {
    let mut value = json!({
        "scope": snapshot.scope,
        "name": snapshot.name,
        "created_at": rfc3339(snapshot.created_at_ms),
        "size": snapshot.size,
        "sha256": snapshot.sha256,
        "index": snapshot.index,
        "status": "ready",
    });
    value[holds(&snapshot.scope)] = snapshot.records.into();
    value
}

pub(super) fn task(task: &Task) -> Value {
    let failure = task.failure.as_ref();
    let mut outcome = task.outcome.clone();
    // An outcome counts what it restored or saved under one name, whatever it was.
    if let Some(Value::Object(outcome)) = &mut outcome
        && let Some(number) = outcome.remove("records")
    {
        let key = task.scope.parse().map_or("records", |scope| holds(&scope));
        outcome.insert(key.to_owned(), number);
    }
    json!({
        "id": task.id,
        "kind": task.kind,
        "scope": task.scope,
        "state": task.state,
        "step": task.step,
        "progress": {"done": task.done, "total": task.total},
        "created_at": rfc3339(task.created_at_ms),
        "updated_at": rfc3339(task.updated_at_ms),
        "ended_at": task.ended_at_ms.map(rfc3339),
        "error": failure.map(|failure| json!({"kind": failure.kind, "message": failure.message})),
        "result": outcome,
    })
}
