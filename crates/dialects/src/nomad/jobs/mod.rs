//! Jobs: `/v1/jobs` and `/v1/job/{id}`, as state. They are registered, listed, shown, stopped and purged; nothing
//! runs them, and every answer to a registration says so.
//!
//! * `GET|PUT|POST /v1/jobs`, `GET|PUT|POST|DELETE /v1/job/{id}`
//! * `GET /v1/job/{id}/{versions,summary,submission}`
//! * `GET /v1/job/{id}/{evaluations,allocations,deployments,deployment}` -- none, for want of a scheduler; 501
//!   where a restored archive has some
//! * whatever else stands behind a job's id -- 501
//!
//! Follows `hashicorp/nomad:command/agent/job_endpoint.go`.

mod constraints;
mod defaults;
mod list;
mod read;
mod register;
mod schema;
mod services;
mod show;
mod validate;
mod views;
mod write;

#[cfg(test)]
mod tests;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::{MethodRouter, get};

use super::App;
use super::access::Caller;
use super::params::Params;
use crate::http::{Failure, Query, Reply, Routes, below};

/// What stands behind a job's id and is not served. Ids may hold slashes, so that these are told by how a path ends.
const UNSERVED: [&str; 14] = [
    "/evaluate",
    "/periodic/force",
    "/plan",
    "/dispatch",
    "/dispatch/payload",
    "/revert",
    "/stable",
    "/scale",
    "/services",
    "/actions",
    "/action",
    "/tag",
    "/diff",
    "/statuses",
];

pub(super) fn routes(through: impl Fn(&'static str, MethodRouter<App>) -> MethodRouter<App>) -> Routes<App> {
    let all = || get(list::list).put(register::create).post(register::create);
    let one = || get(show).put(write).post(write).delete(delete);
    Routes::default()
        .route("/v1/jobs", through("GET,PUT,POST", all()))
        .below("/v1/job/", || through("GET,PUT,POST,DELETE", one()))
}

async fn show(params: Params, Extension(query): Extension<Query>, uri: Uri, caller: Caller) -> Reply {
    let path = path(&uri)?;
    for (suffix, view) in views::VIEWS {
        if let Some(id) = path.strip_suffix(suffix) {
            return views::show(*view, params, query, id.to_owned(), caller).await;
        }
    }
    views::show(views::View::Job, params, query, path, caller).await
}

async fn write(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    uri: Uri,
    caller: Caller,
    body: Body,
) -> Reply {
    register::register(&app, &query, &caller, Some(path(&uri)?), body).await
}

async fn delete(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    uri: Uri,
    caller: Caller,
) -> Reply {
    register::deregister(&app, &query, &caller, path(&uri)?).await
}

/// What follows `/v1/job/`, unless it is something that is not served.
fn path(uri: &Uri) -> Result<String, Failure> {
    let path = below(uri, "/v1/job/")?;
    match UNSERVED.iter().find(|suffix| path.ends_with(**suffix)) {
        Some(suffix) => Err(Failure::unserved(format!("Stillpoint does not serve /v1/job/:id{suffix}"))),
        None => Ok(path),
    }
}

/// A flag of a query, as `golang/go:src/strconv/atob.go` reads it.
fn flag(query: &Query, name: &str) -> Result<bool, Failure> {
    match query.get(name).unwrap_or_default() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        other => Err(Failure::genuine(
            node::Kind::Invalid,
            format!(
                "Failed to parse value of {name:?} ({other}) as a bool: strconv.ParseBool: parsing {other:?}: invalid syntax"
            ),
        )),
    }
}
