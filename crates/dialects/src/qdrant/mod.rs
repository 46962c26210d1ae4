//! Qdrant's API: REST and gRPC faces of the collections. Translate; decide nothing.

mod access;
mod failure;
pub mod grpc;
mod rest;
mod unserved;

pub use access::Keys;
pub use rest::{Served, operation, router, served};
pub use unserved::Unserved;

/// What the genuine server calls itself.
const TITLE: &str = "qdrant - vector search engine";

/// The version whose API is spoken. Clients compare it with their own and warn if the two are far apart.
const VERSION: &str = "1.19.0";
