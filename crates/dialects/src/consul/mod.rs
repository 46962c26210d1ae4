//! The Consul dialect. Translates; decides nothing.
//!
//! * `GET|PUT /v1/snapshot` -- save and restore; `?stale` lets any node save
//! * `GET|PUT|DELETE /v1/kv/{key}` -- keys, with blocking queries; `PUT /v1/txn` -- several at once
//! * `GET /v1/status/{leader,peers}`, `/v1/operator/raft/configuration`, `/v1/agent/self`,
//!   `/v1/catalog/datacenters` -- who serves
//! * every other endpoint of the genuine server -- 501, by name

mod blocking;
mod entries;
mod forward;
mod guard;
mod kv;
mod measure;
mod params;
mod reply;
mod snapshot;
mod status;
mod txn;
mod unserved;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, put};
use node::Node;

use forward::Forwarder;
use guard::Gate;

/// What every handler has at hand.
#[derive(Clone)]
struct App {
    node: Node,
    forwarder: Forwarder,
}

/// The routes of the Consul API.
pub fn routes(node: Node) -> Router {
    let app = App { node, forwarder: Forwarder::new() };
    // The outer layer comes last: what it refuses never reaches another datacenter.
    let here = |allow, methods: MethodRouter<App>| {
        methods.layer(from_fn_with_state(Gate { app: app.clone(), allow }, guard::pass))
    };
    let anywhere = |allow, methods: MethodRouter<App>| {
        here(allow, methods.layer(from_fn_with_state(app.clone(), forward::elsewhere)))
    };
    let kv = || anywhere("GET,PUT,DELETE", get(kv::read).put(kv::write).delete(kv::delete));
    Router::new()
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
        .fallback(unserved::answer)
        .with_state(app.clone())
}
