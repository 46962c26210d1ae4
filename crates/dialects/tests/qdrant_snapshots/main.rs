//! Qdrant's snapshots over REST, against a node in this process.
#![cfg(feature = "qdrant")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod downloads;
mod form;
mod genuine;
mod locations;
mod refusals;
mod rights;
mod round;
mod server;
mod uploads;
mod waiting;
