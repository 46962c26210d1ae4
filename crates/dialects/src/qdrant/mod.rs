//! Qdrant's API: REST and gRPC faces of the collections.

mod access;

pub use access::Keys;
