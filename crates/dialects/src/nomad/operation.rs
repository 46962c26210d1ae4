//! What a request of the Nomad API is counted as.

use axum::http::{Method, Uri};

use crate::http::Query;

/// `save`, `restore`, `read`, `watch`, which is a read that may wait for a change, `write` or `other`.
pub fn operation(method: &Method, uri: &Uri) -> &'static str {
    match (uri.path(), method) {
        ("/v1/operator/snapshot", &Method::GET) => "save",
        ("/v1/operator/snapshot", &Method::PUT | &Method::POST) => "restore",
        (_, &Method::GET) if Query::lenient(uri.query().unwrap_or_default()).has("index") => "watch",
        (_, &Method::GET) => "read",
        (_, &Method::PUT | &Method::POST | &Method::DELETE) => "write",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_of_few_operations() {
        for (method, uri, expected) in [
            (Method::GET, "/v1/operator/snapshot?stale", "save"),
            (Method::POST, "/v1/operator/snapshot", "restore"),
            (Method::GET, "/v1/namespaces", "read"),
            (Method::GET, "/v1/namespaces?wait=5s&index=7", "watch"),
            (Method::POST, "/v1/namespace", "write"),
            (Method::OPTIONS, "/v1/namespaces", "other"),
        ] {
            assert_eq!(operation(&method, &Uri::from_static(uri)), expected, "{method} {uri}");
        }
    }
}
