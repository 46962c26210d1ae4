//! The faces of a node: one directory per foreign API, each a translation and nothing more.

pub mod consul;
mod http;
pub mod native;
pub mod nomad;
#[cfg(feature = "qdrant")]
pub mod qdrant;
mod request;

pub use http::Outgoing;
pub use request::{Operation, REQUEST_ID, observed};
