//! A snapshot is one point in time: writers keep invariants over several records in single changes, and every one of
//! a hundred archives saved meanwhile over HTTP satisfies them. One suite for all products.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is all it can do")]

mod consul;
mod nomad;
mod suite;

#[allow(dead_code, reason = "other suites use the rest")]
#[path = "../consul/server.rs"]
mod consul_server;
#[allow(dead_code, reason = "other suites use the rest")]
#[path = "../nomad/server.rs"]
mod nomad_server;
