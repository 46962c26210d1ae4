//! The Nomad dialect against a real node, through its routes.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is all it can do")]

mod golden;
mod jobs;
mod keyring;
mod regions;
mod scopes;
mod server;
mod snapshot;
mod vars;
