//! Access control: `/v1/acl/…`.
//!
//! * `PUT /v1/acl/bootstrap` -- the first management token
//! * `PUT /v1/acl/token`, `GET|PUT|DELETE /v1/acl/token/{accessor}`, `GET …/self`, `PUT …/{accessor}/clone`,
//!   `GET /v1/acl/tokens` -- tokens
//! * `PUT /v1/acl/policy`, `GET|PUT|DELETE /v1/acl/policy/{id}`, `GET …/name/{name}`, `GET /v1/acl/policies`
//! * `PUT /v1/acl/role`, `GET|PUT|DELETE /v1/acl/role/{id}`, `GET …/name/{name}`, `GET /v1/acl/roles`
//! * `POST /v1/internal/acl/authorize` -- whether the caller may do this or that
//! * `GET /v1/acl/replication` -- there is none
//!
//! Where access is not controlled all of it answers 401.
//!
//! Follows `hashicorp/consul:agent/acl_endpoint.go` and `hashicorp/consul:agent/consul/acl_endpoint.go`.

mod authorize;
mod policies;
mod roles;
mod shapes;
mod tokens;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::routing::{MethodRouter, get, post, put};
use node::Kind;
use records::consul::acl::{self, Authorizer, Command};
use records::consul::{self, Answer};
use records::{Op, View};
use serde::Serialize;

use super::access::{Caller, Sight};
use super::blocking;
use super::kv::{VALUE_HELP, read_body};
use super::params::{Query, ReadOptions};
use super::reply::{Failure, Reply, json};
use super::{App, Routes};
use crate::http::shape::Shape;

/// The routes; `through` gives an endpoint what every endpoint has.
pub(super) fn routes(through: impl Fn(&'static str, MethodRouter<App>) -> MethodRouter<App>) -> Routes<App> {
    let all = "GET,PUT,DELETE";
    let token = || through(all, get(tokens::read).put(tokens::update).delete(tokens::delete));
    let policy = || through(all, get(policies::read).put(policies::update).delete(policies::delete));
    let role = || through(all, get(roles::read).put(roles::update).delete(roles::delete));
    Routes::default()
        .route("/v1/acl/bootstrap", through("PUT", put(tokens::bootstrap)))
        .route("/v1/acl/replication", through("GET", get(replication)))
        .route("/v1/internal/acl/authorize", through("POST", post(authorize::answer)))
        .route("/v1/acl/tokens", through("GET", get(tokens::list)))
        .route("/v1/acl/token", through("PUT", put(tokens::create)))
        .route("/v1/acl/token/self", through("GET", get(tokens::read_own)))
        .below("/v1/acl/token/", token)
        .route("/v1/acl/policies", through("GET", get(policies::list)))
        .route("/v1/acl/policy", through("PUT", put(policies::create)))
        .below("/v1/acl/policy/", policy)
        .below("/v1/acl/policy/name/", || through("GET", get(policies::read_by_name)))
        .route("/v1/acl/roles", through("GET", get(roles::list)))
        .route("/v1/acl/role", through("PUT", put(roles::create)))
        .below("/v1/acl/role/", role)
        .below("/v1/acl/role/name/", || through("GET", get(roles::read_by_name)))
}

/// Lets a request through where access is controlled.
pub(super) async fn if_enabled(State(app): State<App>, request: Request, next: Next) -> Reply {
    if app.node.settings().access.enabled {
        Ok(next.run(request).await)
    } else {
        Err(Failure::unauthorized("ACL support disabled"))
    }
}

/// What a primary datacenter tells of itself: tokens are replicated from it, never to it.
async fn replication(Extension(query): Extension<Query>) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Status {
        enabled: bool,
        running: bool,
        source_datacenter: &'static str,
        replication_type: &'static str,
        replicated_index: u64,
        replicated_role_index: u64,
        replicated_token_index: u64,
        last_success: &'static str,
        last_error: &'static str,
        last_error_message: &'static str,
    }
    const NEVER: &str = "0001-01-01T00:00:00Z";
    ReadOptions::parse(&query)?;
    let status = Status {
        enabled: false,
        running: false,
        source_datacenter: "",
        replication_type: "",
        replicated_index: 0,
        replicated_role_index: 0,
        replicated_token_index: 0,
        last_success: NEVER,
        last_error: NEVER,
        last_error_message: "",
    };
    Ok(json(&query, &status))
}

/// The JSON in a body; a refusal begins with `refusal`.
async fn decode<T: Shape>(app: &App, body: Body, refusal: &str) -> Result<T, Failure> {
    let decoded = decode_if_any(app, body, refusal).await?;
    decoded.ok_or_else(|| Failure::invalid(format!("{refusal}: EOF")))
}

/// The JSON in a body that may be empty.
async fn decode_if_any<T: Shape>(app: &App, body: Body, refusal: &str) -> Result<Option<T>, Failure> {
    let body = read_body(app, body, VALUE_HELP).await?;
    if body.is_empty() {
        return Ok(None);
    }
    let decoded = serde_json::from_slice(&body).map_err(|error| error.to_string()).and_then(T::read);
    decoded.map(Some).map_err(|why| Failure::invalid(format!("{refusal}: {why}")))
}

/// What a read finds once it satisfies the options, for those who may see it, and the headers of the answer.
/// `is_found` tells whether what was asked for is there.
async fn read<T: Send + 'static>(
    caller: &Caller,
    options: ReadOptions,
    find: impl Fn(&View, &Authorizer) -> Result<Answer<T>, Failure> + Clone + Send + 'static,
    is_found: fn(&T) -> bool,
) -> Result<(HeaderMap, T), Failure> {
    let find = move |view: &View, sight: &mut Sight| {
        sight.may.acl_read()?;
        find(view, &sight.may)
    };
    blocking::read(caller, options, find, is_found).await
}

/// Makes a change for those who may make it.
async fn change(app: &App, caller: &Caller, command: Command) -> Result<acl::Reply, Failure> {
    caller.vet(|_, may| Ok(may.acl_write()?)).await?;
    settle(app.node.change(Op::Consul(consul::Command::Acl(command))).await?)
}

/// Deletes something for those who may do it; `what` it is ends the refusal if it is not there.
async fn delete(app: &App, caller: &Caller, query: &Query, command: Command, what: &str) -> Reply {
    caller.vet(|_, may| Ok(may.acl_write()?)).await?;
    // What goes frees space.
    match settle(app.node.change_on_full_disk(Op::Consul(consul::Command::Acl(command))).await?)? {
        acl::Reply::Deleted => Ok(json(query, &true)),
        acl::Reply::NotFound => Err(Failure::not_found(format!("Cannot find {what} to delete"))),
        other => Err(Failure::unexpected(&other)),
    }
}

/// A reply that is no refusal.
fn settle(reply: records::Reply) -> Result<acl::Reply, Failure> {
    match reply {
        records::Reply::Consul(consul::Reply::Acl(reply)) => granted(reply),
        other => Err(Failure::unexpected(&other)),
    }
}

fn granted(reply: acl::Reply) -> Result<acl::Reply, Failure> {
    match reply {
        acl::Reply::Denied(text) => Err(Failure::denied(text)),
        acl::Reply::Failed(text) => Err(Failure::genuine(Kind::Invalid, text)),
        reply => Ok(reply),
    }
}

/// The id of what is to be written: that in the path, which the body may repeat.
fn settle_id(id: &mut String, in_path: String, mismatch: &str) -> Result<(), Failure> {
    if id.is_empty() {
        *id = in_path;
    } else if *id != in_path {
        return Err(Failure::invalid(mismatch));
    }
    Ok(())
}
