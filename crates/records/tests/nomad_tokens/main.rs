//! Nomad's access control, through the state machine: what commands do, and whose tokens are whose.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod policies;
mod setup;
mod support;
mod tokens;
