//! The Nomad dialect. Translates; decides nothing.
//!
//! * `GET|PUT|POST /v1/operator/snapshot` -- save and restore; `?stale` lets any node save
//! * `GET /v1/namespaces`, `GET|PUT|POST|DELETE /v1/namespace/{name}`, `PUT|POST /v1/namespace` -- namespaces
//! * `GET /v1/vars`, `GET|PUT|POST|DELETE /v1/var/{path}` -- variables and their locks
//! * `GET /v1/status/{leader,peers}`, `/v1/operator/raft/configuration`, `/v1/regions`,
//!   `/v1/agent/{self,members,health}` -- who serves
//! * `/v1/operator/keyring/…` -- root keys
//! * `/v1/acl/…` -- tokens, policies and roles
//! * `GET|PUT|POST /v1/jobs`, `/v1/job/{id}`, `/v1/validate/job`, `/v1/scaling/…` -- jobs, as state
//! * every other endpoint of the genuine server -- 501, by name
//!
//! Nothing is scheduled here: what clients put is kept, saved and restored.

mod access;
mod acl;
mod agent;
mod elsewhere;
mod guard;
mod jobs;
mod keyring;
mod namespaces;
mod operation;
mod params;
mod reads;
mod reply;
mod snapshot;
mod status;
mod unserved;
mod vars;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, put};
use node::Node;

pub use operation::operation;

use crate::http::forward::Forwarder;
use crate::http::{Failure, Outgoing, Routes};
use guard::Gate;

/// What every handler has at hand.
#[derive(Clone)]
struct App {
    node: Node,
    forwarder: Forwarder,
}

/// The routes of the Nomad API. `outgoing` is for the connections to other regions.
pub fn routes(node: Node, outgoing: Outgoing) -> Router {
    let app = App { node, forwarder: Forwarder::new(outgoing) };
    served(&app).router.fallback(unserved::answer).with_state(app)
}

/// The paths that have a handler, as patterns: for tests that must not miss one.
pub fn served_paths(node: Node, outgoing: Outgoing) -> Vec<String> {
    served(&App { node, forwarder: Forwarder::new(outgoing) }).paths
}

fn served(app: &App) -> Routes<App> {
    // The outer layer comes last: what it refuses never reaches another region.
    let gate = |gate: Gate, methods: MethodRouter<App>| methods.layer(from_fn_with_state(gate, guard::pass));
    let here = |allow, methods| gate(Gate { allow, wrong_method: Failure::wrong_method }, methods);
    let elsewhere =
        |methods: MethodRouter<App>| methods.layer(from_fn_with_state(app.clone(), elsewhere::pass));
    let anywhere = |allow, methods| here(allow, elsewhere(methods));
    // Of a single variable the genuine server takes a wrong method for a wrong request.
    let variable = |allow, methods| gate(Gate { allow, wrong_method: Failure::invalid }, elsewhere(methods));
    let snapshot = get(snapshot::save).put(snapshot::restore).post(snapshot::restore);
    Routes::default()
        .route("/v1/operator/snapshot", anywhere("GET,PUT,POST", snapshot))
        .route("/v1/operator/raft/configuration", anywhere("GET", get(status::raft_configuration)))
        .route("/v1/status/leader", anywhere("GET", get(status::leader)))
        .route("/v1/status/peers", anywhere("GET", get(status::peers)))
        .route("/v1/regions", anywhere("GET", get(status::regions)))
        .route("/v1/agent/self", here("GET", get(agent::this)))
        .route("/v1/agent/members", here("GET", get(agent::members)))
        .route("/v1/agent/health", here("GET", get(agent::health)))
        .merge(namespaces(anywhere))
        .merge(acl::routes(app, anywhere))
        .route("/v1/vars", anywhere("GET", get(vars::list)))
        .merge(variables(variable))
        .merge(keyring::routes(anywhere))
        .merge(jobs::routes(anywhere))
}

fn namespaces(through: impl Fn(&'static str, MethodRouter<App>) -> MethodRouter<App>) -> Routes<App> {
    let one =
        || get(namespaces::read).put(namespaces::write).post(namespaces::write).delete(namespaces::delete);
    Routes::default()
        .route("/v1/namespaces", through("GET", get(namespaces::list)))
        .route("/v1/namespace", through("PUT,POST", put(namespaces::create).post(namespaces::create)))
        .below("/v1/namespace/", || through("GET,PUT,POST,DELETE", one()))
}

fn variables(through: impl Fn(&'static str, MethodRouter<App>) -> MethodRouter<App>) -> Routes<App> {
    let one = || get(vars::read).put(vars::write).post(vars::write).delete(vars::delete);
    Routes::default().below("/v1/var/", || through("GET,PUT,POST,DELETE", one()))
}
