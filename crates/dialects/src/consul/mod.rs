//! The Consul dialect. Translates; decides nothing.
//!
//! * `GET|PUT /v1/snapshot` -- save and restore; `?stale` lets any node save
//! * `GET|PUT|DELETE /v1/kv/{key}` -- keys, with blocking queries; `PUT /v1/txn` -- several at once
//! * `PUT /v1/session/{create,destroy,renew}`, `GET /v1/session/{info,list,node}` -- sessions, which hold locks
//! * `PUT /v1/catalog/{register,deregister}`,
//!   `GET /v1/catalog/{nodes,node,node-services,services,service,connect}` -- nodes and services
//! * `GET /v1/health/{node,checks,service,state}` -- their health
//! * `GET /v1/status/{leader,peers}`, `/v1/operator/raft/configuration`, `/v1/agent/self`,
//!   `/v1/catalog/datacenters` -- who serves
//! * `/v1/acl/…` -- tokens, policies and roles
//! * every other endpoint of the genuine server -- 501, by name

mod access;
mod acl;
mod blocking;
mod catalog;
mod elsewhere;
mod entries;
mod guard;
mod health;
mod kv;
mod operation;
mod params;
mod reply;
mod session;
mod snapshot;
mod status;
mod txn;
mod unserved;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, put};
use node::Node;

pub use operation::operation;

use crate::http::forward::Forwarder;
use crate::http::{Outgoing, Routes};
use guard::Gate;

/// What every handler has at hand.
#[derive(Clone)]
struct App {
    node: Node,
    forwarder: Forwarder,
}

/// The routes of the Consul API. `outgoing` is for the connections to other datacenters.
pub fn routes(node: Node, outgoing: Outgoing) -> Router {
    let app = App { node, forwarder: Forwarder::new(outgoing) };
    served(&app).router.fallback(unserved::answer).with_state(app)
}

/// The paths that have a handler, as patterns: for tests that must not miss one.
pub fn served_paths(node: Node, outgoing: Outgoing) -> Vec<String> {
    served(&App { node, forwarder: Forwarder::new(outgoing) }).paths
}

fn served(app: &App) -> Routes<App> {
    // The outer layer comes last: what it refuses never reaches another datacenter.
    let here = |allow, methods: MethodRouter<App>| {
        methods.layer(from_fn_with_state(Gate { app: app.clone(), allow }, guard::pass))
    };
    let anywhere = |allow, methods: MethodRouter<App>| {
        here(allow, methods.layer(from_fn_with_state(app.clone(), elsewhere::pass)))
    };
    let controlled = |allow, methods: MethodRouter<App>| {
        anywhere(allow, methods.layer(from_fn_with_state(app.clone(), acl::if_enabled)))
    };
    let kv = || anywhere("GET,PUT,DELETE", get(kv::read).put(kv::write).delete(kv::delete));
    Routes::default()
        .route("/v1/snapshot", anywhere("GET,PUT", get(snapshot::save).put(snapshot::restore)))
        .route("/v1/kv", kv())
        .route("/v1/kv/", kv())
        .route("/v1/kv/{*key}", kv())
        .route("/v1/txn", anywhere("PUT", put(txn::run)))
        .route("/v1/status/leader", anywhere("GET", get(status::leader)))
        .route("/v1/status/peers", anywhere("GET", get(status::peers)))
        .route("/v1/operator/raft/configuration", anywhere("GET", get(status::raft_configuration)))
        .route("/v1/agent/self", here("GET", get(status::agent_self)))
        .route("/v1/catalog/datacenters", here("GET", get(status::datacenters)))
        .merge(sessions(anywhere))
        .merge(catalog(anywhere))
        .merge(health(anywhere))
        .merge(acl::routes(controlled))
}

fn sessions(through: impl Fn(&'static str, MethodRouter<App>) -> MethodRouter<App>) -> Routes<App> {
    Routes::default()
        .route("/v1/session/create", through("PUT", put(session::create)))
        .route("/v1/session/list", through("GET", get(session::list)))
        .below("/v1/session/destroy/", || through("PUT", put(session::destroy)))
        .below("/v1/session/renew/", || through("PUT", put(session::renew)))
        .below("/v1/session/info/", || through("GET", get(session::info)))
        .below("/v1/session/node/", || through("GET", get(session::list_of_node)))
}

fn catalog(through: impl Fn(&'static str, MethodRouter<App>) -> MethodRouter<App>) -> Routes<App> {
    Routes::default()
        .route("/v1/catalog/register", through("PUT", put(catalog::register)))
        .route("/v1/catalog/deregister", through("PUT", put(catalog::deregister)))
        .route("/v1/catalog/nodes", through("GET", get(catalog::nodes)))
        .route("/v1/catalog/services", through("GET", get(catalog::services)))
        .below("/v1/catalog/node/", || through("GET", get(catalog::node)))
        .below("/v1/catalog/node-services/", || through("GET", get(catalog::node_services)))
        .below("/v1/catalog/service/", || through("GET", get(catalog::service)))
        .below("/v1/catalog/connect/", || through("GET", get(catalog::connect)))
}

fn health(through: impl Fn(&'static str, MethodRouter<App>) -> MethodRouter<App>) -> Routes<App> {
    Routes::default()
        .below("/v1/health/node/", || through("GET", get(health::node)))
        .below("/v1/health/checks/", || through("GET", get(health::checks)))
        .below("/v1/health/service/", || through("GET", get(health::service)))
        .below("/v1/health/state/", || through("GET", get(health::state)))
}
