//! Qdrant's API: REST and gRPC faces of the collections.
