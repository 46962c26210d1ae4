//! This agent: what it is, whom it knows, whether it is well.
//!
//! Follows `hashicorp/nomad:command/agent/agent_endpoint.go`.

use axum::Extension;
use axum::extract::State;
use groups::{Member, Role};
use node::Kind;
use serde_json::{Value, json};

use super::App;
use super::access::Caller;
use super::params::Params;
use super::reply::json as answer;
use super::status::{RAFT_PROTOCOL, name};
use crate::http::{Failure, Query, Reply};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of the API that genuine servers tell of in gossip.
const API_VERSION: &str = "1";

pub(super) async fn this(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    caller: Caller,
) -> Reply {
    caller.now().await?.agent_read()?;
    let settings = app.node.settings();
    let me = app.node.status().members.everyone().iter().find(|member| is_here(&app, member)).cloned();
    let value = json!({
        "config": {
            "Region": settings.region,
            "Datacenter": settings.datacenter,
            "NodeName": settings.node_name,
            "Server": {"Enabled": true},
            "Client": {"Enabled": false},
            "Version": {
                "Revision": "",
                "Version": VERSION,
                "VersionPrerelease": "",
                "VersionMetadata": "stillpoint",
            },
        },
        "member": me.map(|me| member(&app, &me)),
        "stats": stats(&app),
    });
    Ok(answer(&query, &value))
}

pub(super) async fn members(
    State(app): State<App>,
    _: Params,
    Extension(query): Extension<Query>,
    caller: Caller,
) -> Reply {
    caller.now().await?.node_read()?;
    let settings = app.node.settings();
    let everyone = app.node.status().members;
    let members: Vec<_> = everyone.everyone().iter().map(|one| member(&app, one)).collect();
    let value = json!({
        "ServerName": settings.node_name,
        "ServerRegion": settings.region,
        "ServerDC": settings.datacenter,
        "Members": members,
    });
    Ok(answer(&query, &value))
}

/// Well is who knows a leader. We are never a client, which runs jobs.
pub(super) async fn health(State(app): State<App>, _: Params, Extension(query): Extension<Query>) -> Reply {
    let mut health = serde_json::Map::new();
    let types: Vec<&str> = query.all("type").collect();
    if types.contains(&"client") {
        health.insert("client".into(), json!({"ok": false, "message": "client not enabled"}));
    }
    if types.is_empty() && !query.has("type") || types.contains(&"server") {
        let server = match app.node.status().leader {
            Some(_) => json!({"ok": true, "message": "ok"}),
            None => json!({"ok": false, "message": "no leader"}),
        };
        health.insert("server".into(), server);
    }
    let is_well = health.values().all(|one| one["ok"] == json!(true));
    let health = Value::Object(health);
    if is_well {
        Ok(answer(&query, &health))
    } else {
        Err(Failure::genuine(Kind::Unavailable, health.to_string()))
    }
}

fn is_here(app: &App, member: &Member) -> bool {
    member.id.0 == app.node.identity().id
}

/// A server as a member of the genuine server's gossip pool, which we don't have.
fn member(app: &App, member: &Member) -> Value {
    let settings = app.node.settings();
    let (address, port) = member.address.rsplit_once(':').unwrap_or((&member.address, "0"));
    let port: u16 = port.parse().unwrap_or_default();
    json!({
        "Name": name(app, member),
        "Addr": address,
        "Port": port,
        "Tags": {
            "build": VERSION,
            "dc": settings.datacenter,
            "id": member.name,
            "port": port.to_string(),
            "raft_vsn": RAFT_PROTOCOL,
            "region": settings.region,
            "role": "nomad",
            "rpc_addr": address,
            "vsn": API_VERSION,
        },
        "Status": "alive",
        "ProtocolMin": 1,
        "ProtocolMax": 5,
        "ProtocolCur": 2,
        "DelegateMin": 2,
        "DelegateMax": 5,
        "DelegateCur": 4,
    })
}

/// Numbers as text, as the genuine server gives them.
fn stats(app: &App) -> Value {
    let status = app.node.status();
    let state = match status.role {
        Role::Leader => "Leader",
        Role::Candidate => "Candidate",
        Role::Follower | Role::Learner => "Follower",
    };
    let leads = status.leader.as_ref().is_some_and(|leader| is_here(app, leader));
    let voters = status.members.voters().count();
    json!({
        "nomad": {
            "bootstrap": (voters == 1).to_string(),
            "known_regions": (1 + app.node.settings().regions.len()).to_string(),
            "leader": leads.to_string(),
            "leader_addr": status.leader.map(|leader| leader.address).unwrap_or_default(),
            "server": "true",
        },
        "raft": {
            "applied_index": status.applied.map_or(0, |position| position.index).to_string(),
            "commit_index": status.committed.map_or(0, |position| position.index).to_string(),
            "last_log_index": status.last_log.unwrap_or_default().to_string(),
            "num_peers": voters.saturating_sub(1).to_string(),
            "protocol_version": RAFT_PROTOCOL,
            "state": state,
            "term": status.term.to_string(),
        },
    })
}
