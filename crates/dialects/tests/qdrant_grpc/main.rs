//! Qdrant's gRPC API as the official client of Rust sees it, over a socket.
#![cfg(feature = "qdrant")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod model;
mod queries;
mod refusals;
mod round;
mod server;
mod snapshots;
