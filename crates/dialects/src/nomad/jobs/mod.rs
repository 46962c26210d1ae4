//! Jobs: `/v1/jobs` and `/v1/job/{id}`, as state. They are registered, listed, shown, stopped and purged; nothing
//! runs them, and every answer to a registration says so.
//!
//! * `GET|PUT|POST /v1/jobs`, `GET|PUT|POST|DELETE /v1/job/{id}`, `PUT|POST /v1/validate/job`
//! * `GET /v1/job/{id}/{versions,summary,submission,scale,actions}`
//! * `PUT|POST /v1/job/{id}/{revert,stable,scale,dispatch,dispatch/payload,periodic/force}`,
//!   `PUT|POST|DELETE /v1/job/{id}/versions/{name}/tag`
//! * `GET /v1/scaling/policies`, `GET /v1/scaling/policy/{id}`
//! * `GET /v1/job/{id}/{evaluations,allocations,deployments,deployment,services}` -- none, for want of a scheduler;
//!   501 where a restored archive has some
//! * whatever else stands behind a job's id -- 501
//!
//! Follows `hashicorp/nomad:command/agent/job_endpoint.go`.

mod connect;
mod constraints;
mod defaults;
mod dispatch;
mod expose;
mod list;
mod read;
mod register;
mod rights;
mod scale;
mod schema;
mod services;
mod show;
mod tasks;
mod tree;
mod validate;
mod variables;
mod versions;
mod views;
mod write;

#[cfg(test)]
mod tests;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::{MethodRouter, get, put};

use super::App;
use super::access::Caller;
use super::params::Params;
use crate::http::{Failure, Query, Reply, Routes, below};

/// What stands behind a job's id and is not served. Ids may hold slashes, so that these are told by how a path ends.
const UNSERVED: [&str; 3] = ["/evaluate", "/plan", "/action"];

/// What changes a job otherwise than by a new registration.
#[derive(Clone, Copy, Debug)]
enum Change {
    Revert,
    Stable,
    Scale,
    Dispatch,
    Payload,
    Force,
    Tag,
}

/// How the paths of changes end.
const CHANGES: [(&str, Change); 7] = [
    ("/revert", Change::Revert),
    ("/stable", Change::Stable),
    ("/scale", Change::Scale),
    ("/dispatch", Change::Dispatch),
    ("/dispatch/payload", Change::Payload),
    ("/periodic/force", Change::Force),
    ("/tag", Change::Tag),
];

pub(super) fn routes(through: impl Fn(&'static str, MethodRouter<App>) -> MethodRouter<App>) -> Routes<App> {
    let all = || get(list::list).put(register::create).post(register::create);
    let one = || get(show).put(write).post(write).delete(delete);
    let check = || put(versions::validate).post(versions::validate);
    Routes::default()
        .route("/v1/jobs", through("GET,PUT,POST", all()))
        .below("/v1/job/", || through("GET,PUT,POST,DELETE", one()))
        .route("/v1/validate/job", through("PUT,POST", check()))
        .route("/v1/scaling/policies", through("GET", get(scale::policies)))
        .below("/v1/scaling/policy/", || through("GET", get(scale::policy)))
}

async fn show(params: Params, Extension(query): Extension<Query>, uri: Uri, caller: Caller) -> Reply {
    let path = path(&uri)?;
    match (ending(views::VIEWS, &path), ending(&CHANGES, &path)) {
        (Some((id, view)), _) => views::show(view, params, query, id, caller).await,
        (None, Some(_)) => Err(wrong_method()),
        (None, None) => views::show(views::View::Job, params, query, path, caller).await,
    }
}

async fn write(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    uri: Uri,
    caller: Caller,
    body: Body,
) -> Reply {
    let path = path(&uri)?;
    let Some((id, change)) = ending(&CHANGES, &path) else {
        return match ending(views::VIEWS, &path) {
            Some(_) => Err(wrong_method()),
            None => register::register(&app, &query, &caller, Some(path), body).await,
        };
    };
    match change {
        Change::Revert => versions::revert(&app, &query, &caller, id, body).await,
        Change::Stable => versions::stable(&app, &query, &caller, id, body).await,
        Change::Scale => scale::scale(&app, &query, &caller, id, body).await,
        Change::Dispatch => dispatch::dispatch(&app, &query, &caller, id, body).await,
        Change::Payload => dispatch::payload(&app, &query, &caller, id, body).await,
        Change::Force => dispatch::force(&app, &query, &caller, id).await,
        Change::Tag => versions::tag(&app, &query, &caller, &path, Some(body)).await,
    }
}

async fn delete(
    State(app): State<App>,
    Extension(query): Extension<Query>,
    uri: Uri,
    caller: Caller,
) -> Reply {
    let path = path(&uri)?;
    match (ending(&CHANGES, &path), ending(views::VIEWS, &path)) {
        (Some((_, Change::Tag)), _) => versions::tag(&app, &query, &caller, &path, None).await,
        (None, None) => register::deregister(&app, &query, &caller, path).await,
        _ => Err(wrong_method()),
    }
}

fn wrong_method() -> Failure {
    Failure::wrong_method("Invalid method")
}

/// What a path ends with, and what stands before.
fn ending<T: Copy>(endings: &[(&str, T)], path: &str) -> Option<(String, T)> {
    endings.iter().find_map(|(ending, meant)| Some((path.strip_suffix(ending)?.to_owned(), *meant)))
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
