//! Nomad's access control over HTTP: tokens, policies and roles, and what is answered to whom.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod endpoints;
mod jobs;
mod restore;
mod routes;
mod rules;
mod server;
