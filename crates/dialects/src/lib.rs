//! The faces of a node: one directory per foreign API, each a translation and nothing more.

// Futures of handlers hold those of the node, and these those of its groups: deeper than 128 of them.
#![recursion_limit = "256"]

pub mod consul;
mod http;
pub mod native;
pub mod nomad;
#[cfg(feature = "qdrant")]
pub mod qdrant;
mod request;

pub use http::Outgoing;
pub use request::{Operation, REQUEST_ID, observed};
