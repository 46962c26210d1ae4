//! Who serves: leader, peers, the Raft configuration, this agent, the datacenters.
//!
//! Follows `hashicorp/consul:agent/{status,operator,agent,catalog}_endpoint.go`.

use axum::Extension;
use axum::extract::State;
use groups::{Member, Role};
use node::Consistency;
use serde::Serialize;
use serde_json::{Value, json};

use super::App;
use super::access::Caller;
use super::params::{Query, ReadOptions};
use super::reply::{Reply, json as answer};

/// The version of the Raft protocol that clients of the genuine server know as the current one.
const RAFT_PROTOCOL: &str = "3";

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn leader(State(app): State<App>, Extension(query): Extension<Query>) -> Reply {
    ReadOptions::parse(&query)?;
    let leader = app.node.status().leader.map(|leader| leader.address);
    Ok(answer(&query, &leader.unwrap_or_default()))
}

pub(super) async fn peers(State(app): State<App>, Extension(query): Extension<Query>) -> Reply {
    ReadOptions::parse(&query)?;
    let status = app.node.status();
    let addresses: Vec<_> = status.members.voters().map(|member| &member.address).collect();
    Ok(answer(&query, &addresses))
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
    protocol_version: &'static str,
    voter: bool,
    /// The last entry in the server's log; 0 for servers other than this one, whose log we don't see.
    last_index: u64,
}

pub(super) async fn raft_configuration(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    caller: Caller,
) -> Reply {
    if ReadOptions::parse(&query)?.consistency == Consistency::Linearizable {
        app.node.confirm_leader().await?;
    }
    caller.now().await?.operator_read()?;
    let status = app.node.status();
    let leader = status.leader.as_ref().map(|leader| leader.id);
    let server = |member: &Member| {
        let is_here = member.id.0 == app.node.identity().id;
        RaftServer {
            id: member.name.clone(),
            node: if is_here { app.node.settings().node_name.clone() } else { member.name.clone() },
            address: member.address.clone(),
            leader: leader == Some(member.id),
            protocol_version: RAFT_PROTOCOL,
            voter: status.members.is_voter(member.id),
            last_index: status.last_log.filter(|_| is_here).unwrap_or_default(),
        }
    };
    let servers = status.members.everyone().iter().map(server).collect();
    let index = status.members.position().map_or(0, |position| position.index);
    Ok(answer(&query, &RaftConfiguration { servers, index }))
}

pub(super) async fn datacenters(State(app): State<App>, Extension(query): Extension<Query>) -> Reply {
    ReadOptions::parse(&query)?;
    let settings = app.node.settings();
    // The genuine server sorts by distance, and nothing is nearer than its own.
    let others = settings.datacenters.keys().filter(|name| **name != settings.datacenter);
    let names: Vec<_> = std::iter::once(&settings.datacenter).chain(others).collect();
    Ok(answer(&query, &names))
}

pub(super) async fn agent_self(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    caller: Caller,
) -> Reply {
    let (settings, identity) = (app.node.settings(), app.node.identity());
    caller.now().await?.agent_read(&settings.node_name)?;
    Ok(answer(
        &query,
        &json!({
            "Config": {
                "Datacenter": settings.datacenter,
                "PrimaryDatacenter": settings.datacenter,
                "NodeName": settings.node_name,
                "NodeID": identity.name,
                "Revision": "",
                "Server": true,
                "Version": VERSION,
                "BuildDate": "1970-01-01T00:00:00Z",
            },
            "DebugConfig": {},
            "Coord": {},
            "Member": member(&app),
            "Stats": stats(&app),
            "Meta": {"Stillpoint": VERSION},
            "xDS": {},
        }),
    ))
}

/// This server as a member of the genuine server's gossip pool, which we don't have.
fn member(app: &App) -> Value {
    let (settings, identity) = (app.node.settings(), app.node.identity());
    let (address, port) = settings.address.rsplit_once(':').unwrap_or((&settings.address, "0"));
    let port: u16 = port.parse().unwrap_or_default();
    json!({
        "Name": settings.node_name,
        "Addr": address,
        "Port": port,
        "Tags": {
            "build": VERSION,
            "dc": settings.datacenter,
            "id": identity.name,
            "port": port.to_string(),
            "role": "consul",
        },
        // Alive.
        "Status": 1,
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
    let is_here = |leader: &Member| leader.id.0 == app.node.identity().id;
    let leads = status.leader.as_ref().is_some_and(is_here);
    json!({
        "agent": {"check_monitors": "0", "check_ttls": "0", "checks": "0", "services": "0"},
        "build": {"prerelease": "", "revision": "", "version": VERSION},
        "consul": {
            "leader": leads.to_string(),
            "leader_addr": status.leader.map(|leader| leader.address).unwrap_or_default(),
            "server": "true",
        },
        "raft": {
            "applied_index": status.applied.map_or(0, |position| position.index).to_string(),
            "commit_index": status.committed.map_or(0, |position| position.index).to_string(),
            "last_log_index": status.last_log.unwrap_or_default().to_string(),
            "num_peers": status.members.voters().count().saturating_sub(1).to_string(),
            "protocol_version": RAFT_PROTOCOL,
            "state": state,
            "term": status.term.to_string(),
        },
    })
}
