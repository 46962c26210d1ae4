//! Who serves: leader, peers, the Raft configuration, the regions.
//!
//! Follows `hashicorp/nomad:command/agent/{status,operator,region}_endpoint.go`.

use std::collections::BTreeSet;

use axum::Extension;
use axum::extract::State;
use groups::Member;
use node::Consistency;
use serde::Serialize;

use super::App;
use super::access::Caller;
use super::params::Params;
use super::reply::json;
use crate::http::{Query, Reply};

/// The version of the Raft protocol that clients of the genuine server know as the current one.
pub(super) const RAFT_PROTOCOL: &str = "3";

pub(super) async fn leader(State(app): State<App>, _: Params, Extension(query): Extension<Query>) -> Reply {
    let leader = app.node.status().leader.map(|leader| leader.address);
    Ok(json(&query, &leader.unwrap_or_default()))
}

pub(super) async fn peers(State(app): State<App>, _: Params, Extension(query): Extension<Query>) -> Reply {
    let status = app.node.status();
    let addresses: Vec<_> = status.members.everyone().iter().map(|member| &member.address).collect();
    Ok(json(&query, &addresses))
}

/// This region and those that requests are passed on to.
pub(super) async fn regions(State(app): State<App>, _: Params, Extension(query): Extension<Query>) -> Reply {
    let settings = app.node.settings();
    let names: BTreeSet<_> = settings.regions.keys().chain([&settings.region]).collect();
    Ok(json(&query, &names))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RaftConfiguration {
    servers: Vec<RaftServer>,
    index: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RaftServer {
    #[serde(rename = "ID")]
    id: String,
    node: String,
    address: String,
    leader: bool,
    voter: bool,
    raft_protocol: &'static str,
}

pub(super) async fn raft_configuration(
    State(app): State<App>,
    params: Params,
    Extension(query): Extension<Query>,
    caller: Caller,
) -> Reply {
    if params.read.consistency == Consistency::Linearizable {
        app.node.confirm_leader().await?;
    }
    caller.now().await?.management()?;
    let status = app.node.status();
    let leader = status.leader.as_ref().map(|leader| leader.id);
    let server = |member: &Member| RaftServer {
        id: member.name.clone(),
        node: name(&app, member),
        address: member.address.clone(),
        leader: leader == Some(member.id),
        voter: status.members.is_voter(member.id),
        raft_protocol: RAFT_PROTOCOL,
    };
    let servers = status.members.everyone().iter().map(server).collect();
    // Our log begins at 0, the genuine one at 1.
    let index = status.members.position().map_or(1, |position| position.index.max(1));
    Ok(json(&query, &RaftConfiguration { servers, index }))
}

/// A server's name as genuine gossip has it. Of others we know no name but their id.
pub(super) fn name(app: &App, member: &Member) -> String {
    let settings = app.node.settings();
    let is_here = member.id.0 == app.node.identity().id;
    let name = if is_here { &settings.node_name } else { &member.name };
    format!("{name}.{}", settings.region)
}
