//! Nomad's access control: what rules say, and what they let a token do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod authorizer;
mod genuine;
mod hostile;
mod properties;
mod rules;
