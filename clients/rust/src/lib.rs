//! Qdrant's API by the official client of Rust. `clients/run rust` starts a server and runs this.
//!
//! The full round is the one that the project's own tests make on a server inside their process.
#![cfg(test)]

#[path = "../../../crates/dialects/tests/qdrant_grpc/model.rs"]
mod model;
#[path = "../../../crates/dialects/tests/qdrant_grpc/round.rs"]
mod round;
mod server;
mod snapshots;
