//! One shard of a collection on the qdrant-edge engine.
pub use qdrant_edge;
