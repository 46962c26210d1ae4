//! The faces of a node: one directory per foreign API, each a translation and nothing more.

// What a query awaits, down to the log, is nested deeper than the compiler looks by itself.
#![recursion_limit = "256"]

pub mod consul;
mod http;
pub mod native;
pub mod nomad;
#[cfg(feature = "qdrant")]
pub mod qdrant;
mod request;

pub use http::{Allowed, FetchPolicy, Fetcher, Outgoing, Resolve};
pub use request::{Operation, REQUEST_ID, observed};
