//! Qdrant's REST API over a node in this process.
#![cfg(feature = "qdrant")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod collections;
mod gzip;
mod points;
mod queries;
mod requests;
mod server;
mod service;
mod unserved;
