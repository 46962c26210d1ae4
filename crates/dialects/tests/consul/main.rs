//! The Consul dialect against a real node, through its routes.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is all it can do")]

mod acl;
mod acl_catalog;
mod acl_cost;
mod acl_keys;
mod acl_routes;
mod acl_txn;
mod blocking;
mod catalog;
mod damage;
mod datacenters;
mod filter;
mod genuine;
mod golden;
mod kv;
mod server;
mod sessions;
mod snapshot;
mod txn;
