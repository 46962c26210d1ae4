//! Sessions: `/v1/session/…`.
//!
//! A session belongs to a node. Clients that name none mean the one they ask, which in a genuine cluster is
//! always registered, with a check of its being alive. We register ourselves no earlier than such a client
//! comes, so that a restored catalog stays as it was archived until then.
//!
//! Follows `hashicorp/consul:agent/session_endpoint.go`.

use std::sync::Arc;

use archive::consul::{Check, Node, Session};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use node::{Consistency, Kind};
use records::consul::acl::Authorizer;
use records::consul::{
    self, Answer, Command, Register, check_session, node_checks, session_get, session_list,
    session_list_of_node,
};
use records::{Op, Scope, View};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::App;
use super::access::{Caller, Sight};
use super::blocking::{self, off_thread};
use super::catalog::{answer, collected, name, undecodable};
use super::kv::{VALUE_HELP, read_body};
use super::params::{Query, ReadOptions, refuse_tenancy};
use super::reply::{Failure, Reply, json};
use crate::http::shape::{Members, Nanos, Shown, read_or_null, shapes};

/// The check by which genuine servers tell that a node is alive, and what it says.
const ALIVE: &str = "serfHealth";
const ALIVE_NAME: &str = "Serf Health Status";
const ALIVE_OUTPUT: &str = "Agent alive and reachable";

const LOCK_DELAY_DEFAULT_NS: i64 = 15 * NS_PER_S;

/// Lock delays below are taken for seconds, which is what their senders mean.
const LOCK_DELAY_MIN_NS: i64 = 1_000;

const NS_PER_S: i64 = 1_000_000_000;

shapes! {
    Session {
        [lenient]
        "ID": id always,
        "Name": name always,
        "Node": node always,
        "LockDelay": lock_delay_ns always,
        "Behavior": behavior always,
        "TTL": ttl always,
        "NodeChecks": node_checks always,
        "ServiceChecks": service_checks always,
        "Checks": checks unless_empty,
        "CreateIndex": create_index always,
        "ModifyIndex": modify_index always,
    }
}

#[derive(Serialize)]
struct Created {
    #[serde(rename = "ID")]
    id: String,
}

pub(super) async fn create(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    caller: Caller,
    body: Body,
) -> Reply {
    refuse_tenancy(&query, &headers)?;
    let body = read_body(&app, body, VALUE_HELP).await?;
    let value = match body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&body).map_err(|error| undecodable(&error))?,
    };
    let own_name = &app.node.settings().node_name;
    let mut session = asked(value, own_name).map_err(|why| undecodable(&why))?;
    let node = session.node.clone();
    caller.vet(move |_, may| Ok(may.session_write(&node)?)).await?;
    check_session(&session).map_err(|text| Failure::genuine(Kind::Invalid, text))?;
    if session.node.eq_ignore_ascii_case(own_name) {
        register_ourselves(&app).await?;
    }
    session.id = Uuid::new_v4().to_string();
    let id = session.id.clone();
    match app.node.change(Op::Consul(Command::SessionCreate(session))).await? {
        records::Reply::Consul(consul::Reply::Done) => Ok(json(&query, &Created { id })),
        records::Reply::Consul(consul::Reply::Failed(text)) => {
            Err(Failure::genuine(Kind::Invalid, format!("apply failed: {text}")))
        }
        other => Err(Failure::unexpected(&other)),
    }
}

/// A session as it is asked for; what is left out is that of a session of the node that is asked.
fn asked(value: Value, own_name: &str) -> Result<Session, String> {
    let mut members = Members::of(value)?;
    let checks = members.take_raw("Checks").map(names).transpose()?;
    let node_checks = members.take_raw("NodeChecks").map(names).transpose()?;
    let (checks, node_checks) = settle_checks(checks, node_checks);
    Ok(Session {
        name: members.take("Name")?,
        node: members.take_if_set("Node")?.unwrap_or_else(|| own_name.to_owned()),
        lock_delay_ns: match members.take_if_set::<Nanos>("LockDelay")? {
            None => LOCK_DELAY_DEFAULT_NS,
            Some(Nanos(delay_ns)) if delay_ns < LOCK_DELAY_MIN_NS => delay_ns.saturating_mul(NS_PER_S),
            Some(Nanos(delay_ns)) => delay_ns,
        },
        behavior: members.take("Behavior")?,
        ttl: members.take("TTL")?,
        checks,
        node_checks: Some(node_checks),
        service_checks: members.take("ServiceChecks")?,
        ..Session::default()
    })
}

/// A list of checks. A null is an empty one, which is something else than none at all.
fn names(value: Value) -> Result<Vec<String>, String> {
    read_or_null::<Option<Vec<String>>>(value).map(Option::unwrap_or_default)
}

/// The checks a session depends on, in the older form and in the newer one: that its node is alive, unless
/// either form says something else.
fn settle_checks(
    checks: Option<Vec<String>>,
    node_checks: Option<Vec<String>>,
) -> (Option<Vec<String>>, Vec<String>) {
    let alive = || vec![ALIVE.to_owned()];
    let checks = checks.unwrap_or_else(alive);
    let node_checks = node_checks.unwrap_or_else(alive);
    if checks.is_empty() {
        (Some(checks), Vec::new())
    } else if checks == alive() || node_checks.is_empty() {
        (None, node_checks)
    } else {
        (Some(checks), node_checks)
    }
}

/// Registers this node with a check of its being alive, unless it is.
async fn register_ourselves(app: &App) -> Result<(), Failure> {
    let (settings, identity) = (app.node.settings(), app.node.identity());
    let view = app.node.view(Scope::Consul, Consistency::Linearizable).await?.view;
    let own_name = settings.node_name.clone();
    let checks = off_thread(move || node_checks(&view, &own_name)).await?.value;
    if checks.iter().any(|check| check.check_id == ALIVE) {
        return Ok(());
    }
    let address = settings.address.rsplit_once(':').map_or(settings.address.as_str(), |(host, _)| host);
    let node = Node {
        // What is no UUID would be refused as an id.
        id: Uuid::parse_str(&identity.name).map(|id| id.to_string()).unwrap_or_default(),
        node: settings.node_name.clone(),
        address: address.to_owned(),
        datacenter: settings.datacenter.clone(),
        ..Node::default()
    };
    let alive = Check {
        node: settings.node_name.clone(),
        check_id: ALIVE.to_owned(),
        name: ALIVE_NAME.to_owned(),
        status: "passing".to_owned(),
        output: ALIVE_OUTPUT.to_owned(),
        ..Check::default()
    };
    // Who registered a node of our name knows it better.
    let register = Register { node, skip_node_update: true, service: None, checks: vec![alive] };
    match app.node.change(Op::Consul(Command::Register(register))).await? {
        records::Reply::Consul(consul::Reply::Done) => Ok(()),
        records::Reply::Consul(consul::Reply::Failed(text)) => {
            Err(Failure::genuine(Kind::Conflict, format!("register this node: {text}")))
        }
        other => Err(Failure::unexpected(&other)),
    }
}

pub(super) async fn destroy(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
) -> Reply {
    refuse_tenancy(&query, &headers)?;
    let id = name(&uri, "/v1/session/destroy/", "Missing session")?;
    vet_change(&caller, &id).await?;
    match app.node.change_on_full_disk(Op::Consul(Command::SessionDestroy { id })).await? {
        records::Reply::Consul(consul::Reply::Done) => Ok(json(&query, &true)),
        records::Reply::Consul(consul::Reply::Failed(text)) => {
            Err(Failure::genuine(Kind::Invalid, format!("apply failed: {text}")))
        }
        other => Err(Failure::unexpected(&other)),
    }
}

pub(super) async fn renew(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
) -> Reply {
    ReadOptions::parse(&query)?;
    refuse_tenancy(&query, &headers)?;
    let id = name(&uri, "/v1/session/renew/", "Missing session")?;
    vet_change(&caller, &id).await?;
    match app.node.renew_session(&id).await? {
        Some(session) => Ok(json(&query, &[Shown(&session)])),
        None => Ok((StatusCode::NOT_FOUND, format!("Session id '{id}' not found")).into_response()),
    }
}

/// Whether the caller may destroy or renew a session, which anyone may if there is none.
async fn vet_change(caller: &Caller, id: &str) -> Result<(), Failure> {
    let id = id.to_owned();
    let vet = move |view: &View, may: &Arc<Authorizer>| match session_get(view, &id)?.value {
        Some(session) => Ok(may.session_write(&session.node)?),
        None => Ok(()),
    };
    caller.vet(vet).await
}

pub(super) async fn info(
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let options = ReadOptions::parse(&query)?;
    refuse_tenancy(&query, &headers)?;
    let id = name(&uri, "/v1/session/info/", "Missing session")?;
    let find = move |view: &View, sight: &mut Sight| {
        let Answer { index, value } = session_get(view, &id)?;
        let is_there = value.is_some();
        let mut found = Vec::from_iter(value);
        sight.keep(&mut found, sees);
        Ok(Answer { index, value: (is_there, found) })
    };
    let (headers, (_, found)) =
        blocking::read(&caller, options, find, |(is_there, _): &(bool, _)| *is_there).await?;
    Ok((headers, show(&query, &found)).into_response())
}

/// A session is its node's.
fn sees(may: &Authorizer, session: &Session) -> bool {
    may.session_read(&session.node).is_ok()
}

pub(super) async fn list(Extension(query): Extension<Query>, headers: HeaderMap, caller: Caller) -> Reply {
    let options = ReadOptions::parse(&query)?;
    refuse_tenancy(&query, &headers)?;
    let find = |view: &View, sight: &mut Sight| collected(session_list(view)?, sight, sees);
    answer(&caller, &query, options, find, |query, sessions| Ok(show(query, sessions))).await
}

pub(super) async fn list_of_node(
    Extension(query): Extension<Query>,
    headers: HeaderMap,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let options = ReadOptions::parse(&query)?;
    refuse_tenancy(&query, &headers)?;
    let name = name(&uri, "/v1/session/node/", "Missing node name")?;
    let find =
        move |view: &View, sight: &mut Sight| collected(session_list_of_node(view, &name)?, sight, sees);
    answer(&caller, &query, options, find, |query, sessions| Ok(show(query, sessions))).await
}

fn show(query: &Query, sessions: &[Session]) -> Response {
    json(query, &sessions.iter().map(Shown).collect::<Vec<_>>())
}
