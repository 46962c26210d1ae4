//! Tests of the conversions, without a node.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod filters;
mod hostile;
mod settings;
mod vectors;
