//! Namespaces: `/v1/namespaces` and `/v1/namespace/{name}`.
//!
//! Follows `hashicorp/nomad:command/agent/namespace_endpoint.go` and `nomad/namespace_endpoint.go`.

use archive::nomad::{Capabilities, Choice, Namespace};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::response::IntoResponse;
use records::nomad::{self, Answer, Command};
use records::{Op, View};

use super::App;
use super::access::Caller;
use super::params::{Params, read_json};
use super::reads::read as read_with;
use super::reply::{json, of_nomad, written};
use crate::http::shape::{Shape, Shown, shapes};
use crate::http::{Failure, Query, Reply, below};

shapes! {
    Namespace {
        [lenient]
        "Name": name always,
        "Description": description always,
        "Quota": quota always,
        "Capabilities": capabilities always,
        "NodePoolConfiguration": node_pools always,
        "VaultConfiguration": vault always,
        "ConsulConfiguration": consul always,
        "Meta": meta always,
        "Hash": hash always,
        "CreateIndex": create_index always,
        "ModifyIndex": modify_index always,
    }

    Capabilities {
        [lenient]
        "EnabledTaskDrivers": enabled_task_drivers always,
        "DisabledTaskDrivers": disabled_task_drivers always,
        "EnabledNetworkModes": enabled_network_modes always,
        "DisabledNetworkModes": disabled_network_modes always,
    }

    Choice {
        [lenient]
        "Default": default always,
        "Allowed": allowed always,
        "Denied": denied always,
    }
}

pub(super) async fn list(params: Params, Extension(query): Extension<Query>, caller: Caller) -> Reply {
    let prefix = params.prefix;
    let (headers, found) = read_with(&caller, params.read, move |view, may| {
        let Answer { index, value } = nomad::namespaces(view, &prefix)?;
        let sees = |namespace: &Namespace| may.namespace_any(&namespace.name).is_ok();
        Ok(Answer { index, value: value.into_iter().filter(sees).collect::<Vec<_>>() })
    })
    .await?;
    let shown: Vec<_> = found.iter().map(Shown).collect();
    Ok((headers, json(&query, &shown)).into_response())
}

pub(super) async fn read(
    params: Params,
    Extension(query): Extension<Query>,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let name = name(&uri)?;
    let (headers, found) = read_with(&caller, params.read, move |view, may| {
        may.namespace_any(&name)?;
        Ok(nomad::namespace(view, &name)?)
    })
    .await?;
    match found {
        Some(namespace) => Ok((headers, json(&query, &Shown(&namespace))).into_response()),
        None => Ok((headers, Failure::not_found("Namespace not found")).into_response()),
    }
}

pub(super) async fn create(State(app): State<App>, caller: Caller, body: Body) -> Reply {
    upsert(&app, &caller, decode(body).await?).await
}

pub(super) async fn write(State(app): State<App>, uri: Uri, caller: Caller, body: Body) -> Reply {
    let name = name(&uri)?;
    let namespace = decode(body).await?;
    if namespace.name != name {
        return Err(Failure::invalid("Namespace name does not match request path"));
    }
    upsert(&app, &caller, namespace).await
}

pub(super) async fn delete(State(app): State<App>, uri: Uri, caller: Caller) -> Reply {
    let name = name(&uri)?;
    caller.vet(|_: &View, may| Ok(may.management()?)).await?;
    change(&app, Command::DeleteNamespaces(vec![name])).await
}

async fn upsert(app: &App, caller: &Caller, namespace: Namespace) -> Reply {
    caller.vet(|_: &View, may| Ok(may.management()?)).await?;
    change(app, Command::UpsertNamespaces(vec![namespace])).await
}

async fn change(app: &App, command: Command) -> Reply {
    match of_nomad(app.node.change(Op::Nomad(command)).await?)? {
        nomad::Reply::Done { index } => Ok(written(index).into_response()),
        other => Err(Failure::unexpected(&other)),
    }
}

async fn decode(body: Body) -> Result<Namespace, Failure> {
    Namespace::read(read_json(body).await?).map_err(Failure::invalid)
}

fn name(uri: &Uri) -> Result<String, Failure> {
    let name = below(uri, "/v1/namespace/")?;
    if name.is_empty() { Err(Failure::invalid("Missing Namespace Name")) } else { Ok(name) }
}
