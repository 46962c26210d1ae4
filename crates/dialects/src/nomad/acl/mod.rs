//! Access control: `/v1/acl/…`.
//!
//! * `PUT|POST /v1/acl/bootstrap` -- the first management token
//! * `PUT|POST /v1/acl/token`, `GET|PUT|POST|DELETE /v1/acl/token/{accessor}`, `GET …/self`,
//!   `GET /v1/acl/tokens` -- tokens
//! * `PUT|POST /v1/acl/token/onetime`, `…/onetime/exchange` -- secrets that stand in for a token's own, once
//! * `GET|PUT|POST|DELETE /v1/acl/policy/{name}`, `GET …/self`, `GET /v1/acl/policies` -- policies
//! * `PUT|POST /v1/acl/role`, `GET|PUT|POST|DELETE /v1/acl/role/{id}`, `GET …/name/{name}`,
//!   `GET /v1/acl/roles` -- roles
//!
//! Where access is not controlled all of it, but for `/v1/acl/token/self`, answers 400.
//!
//! Follows `hashicorp/nomad:command/agent/acl_endpoint.go` and `hashicorp/nomad:nomad/acl_endpoint.go`.

mod one_time;
mod policies;
mod roles;
mod rules;
mod shapes;
mod tokens;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, put};
use records::nomad::acl::{self, Command};
use records::{Op, View, nomad};

use super::App;
use super::access::Caller;
use super::params::read_json;
use super::reply::{of_nomad, written};
use crate::http::shape::Shape;
use crate::http::{Failure, Reply, Routes, below};

/// The routes; `through` gives an endpoint what every endpoint has.
pub(super) fn routes(
    app: &App,
    through: impl Fn(&'static str, MethodRouter<App>) -> MethodRouter<App>,
) -> Routes<App> {
    let controlled = |allow, methods: MethodRouter<App>| {
        through(allow, methods.layer(from_fn_with_state(app.clone(), if_enabled)))
    };
    const ALL: &str = "GET,PUT,POST,DELETE";
    let token = || get(tokens::read).put(tokens::update).post(tokens::update).delete(tokens::delete);
    let policy = || get(policies::read).put(policies::upsert).post(policies::upsert).delete(policies::delete);
    let role = || get(roles::read).put(roles::update).post(roles::update).delete(roles::delete);
    Routes::default()
        .route("/v1/acl/bootstrap", controlled("PUT,POST", put(tokens::bootstrap).post(tokens::bootstrap)))
        .route("/v1/acl/tokens", controlled("GET", get(tokens::list)))
        .route("/v1/acl/token", controlled("PUT,POST", put(tokens::create).post(tokens::create)))
        .route("/v1/acl/token/self", through("GET", get(tokens::read_own)))
        .below("/v1/acl/token/", || controlled(ALL, token()))
        .route("/v1/acl/token/onetime", controlled("PUT,POST", put(one_time::create).post(one_time::create)))
        .route(
            "/v1/acl/token/onetime/exchange",
            controlled("PUT,POST", put(one_time::exchange).post(one_time::exchange)),
        )
        .route("/v1/acl/policies", controlled("GET", get(policies::list)))
        .route("/v1/acl/policy/self", controlled("GET", get(policies::list_own)))
        .below("/v1/acl/policy/", || controlled(ALL, policy()))
        .route("/v1/acl/roles", controlled("GET", get(roles::list)))
        .route("/v1/acl/role", controlled("PUT,POST", put(roles::create).post(roles::create)))
        .below("/v1/acl/role/", || controlled(ALL, role()))
}

/// Passes a request on, unless there is nothing to control.
async fn if_enabled(State(app): State<App>, request: Request, next: Next) -> Response {
    match app.node.settings().nomad_access {
        true => next.run(request).await,
        false => Failure::invalid("ACL support disabled").into_response(),
    }
}

/// Makes a change for who may do everything.
async fn change(caller: &Caller, command: Command) -> Result<(HeaderMap, acl::Reply), Failure> {
    let frees_space = matches!(
        command,
        Command::DeleteToken { .. } | Command::DeletePolicy { .. } | Command::DeleteRole { .. }
    );
    caller.vet(|_: &View, may| Ok(may.management()?)).await?;
    let op = Op::Nomad(nomad::Command::Acl(command));
    let node = caller.node();
    let reply = if frees_space { node.change_on_full_disk(op).await? } else { node.change(op).await? };
    settle(of_nomad(reply)?)
}

/// Makes a change that is answered with nothing but its index.
async fn change_silently(caller: &Caller, command: Command) -> Reply {
    match change(caller, command).await? {
        (headers, acl::Reply::Done) => Ok(headers.into_response()),
        (_, other) => Err(Failure::unexpected(&other)),
    }
}

/// The answer of access control, and the headers that tell of its index.
fn settle(reply: nomad::Reply) -> Result<(HeaderMap, acl::Reply), Failure> {
    match reply {
        nomad::Reply::Acl { index, reply } => Ok((written(index), reply)),
        nomad::Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(Failure::unexpected(&other)),
    }
}

async fn decode<T: Shape>(body: Body) -> Result<T, Failure> {
    T::read(read_json(body).await?).map_err(Failure::invalid)
}

/// What a path names below `prefix`; without it the request is refused with `missing`.
fn name(uri: &Uri, prefix: &str, missing: &str) -> Result<String, Failure> {
    let name = below(uri, prefix)?;
    if name.is_empty() { Err(Failure::invalid(missing)) } else { Ok(name) }
}
