//! What a request of Qdrant's gRPC API is counted as.

use axum::http::{Method, Uri};

/// What changes something; all else reads.
const WRITES: &[&str] = &[
    "/qdrant.Collections/Create",
    "/qdrant.Collections/CreateShardKey",
    "/qdrant.Collections/Delete",
    "/qdrant.Collections/DeleteShardKey",
    "/qdrant.Collections/Update",
    "/qdrant.Collections/UpdateAliases",
    "/qdrant.Collections/UpdateCollectionClusterSetup",
    "/qdrant.Points/ClearPayload",
    "/qdrant.Points/CreateFieldIndex",
    "/qdrant.Points/CreateVectorName",
    "/qdrant.Points/Delete",
    "/qdrant.Points/DeleteFieldIndex",
    "/qdrant.Points/DeletePayload",
    "/qdrant.Points/DeleteVectorName",
    "/qdrant.Points/DeleteVectors",
    "/qdrant.Points/OverwritePayload",
    "/qdrant.Points/SetPayload",
    "/qdrant.Points/UpdateBatch",
    "/qdrant.Points/UpdateVectors",
    "/qdrant.Points/Upsert",
    "/qdrant.Snapshots/Delete",
    "/qdrant.Snapshots/DeleteFull",
];

/// What makes a snapshot.
const CREATES: &[&str] = &["/qdrant.Snapshots/Create", "/qdrant.Snapshots/CreateFull"];

/// `create` for a snapshot, else `read`, `write` or `other`.
pub fn operation(method: &Method, uri: &Uri) -> &'static str {
    match (method, uri.path()) {
        (&Method::POST, path) if CREATES.contains(&path) => "create",
        (&Method::POST, path) if WRITES.contains(&path) => "write",
        (&Method::POST, path) if path.starts_with("/qdrant.") => "read",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_of_few_operations() {
        for (method, path, expected) in [
            (Method::POST, "/qdrant.Points/Upsert", "write"),
            (Method::POST, "/qdrant.Points/Query", "read"),
            (Method::POST, "/qdrant.Snapshots/Create", "create"),
            (Method::POST, "/qdrant.Snapshots/List", "read"),
            (Method::POST, "/grpc.health.v1.Health/Check", "other"),
            (Method::GET, "/qdrant.Points/Upsert", "other"),
        ] {
            assert_eq!(operation(&method, &Uri::from_static(path)), expected, "{method} {path}");
        }
        assert!(WRITES.is_sorted());
    }
}
