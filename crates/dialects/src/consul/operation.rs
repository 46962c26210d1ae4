//! What a request of the Consul API is counted as.

use axum::http::{Method, Uri};

use super::params::Query;

/// `save`, `restore`, `read`, `watch`, which is a read that may wait for a change, `write` or `other`.
pub fn operation(method: &Method, uri: &Uri) -> &'static str {
    match (uri.path(), method) {
        ("/v1/snapshot", &Method::GET) => "save",
        ("/v1/snapshot", &Method::PUT) => "restore",
        (_, &Method::GET) if waits(uri) => "watch",
        (_, &Method::GET) => "read",
        (_, &Method::PUT | &Method::DELETE) => "write",
        _ => "other",
    }
}

fn waits(uri: &Uri) -> bool {
    uri.query().and_then(Query::parse).is_some_and(|query| query.has("index"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_of_few_operations() {
        for (method, uri, expected) in [
            (Method::GET, "/v1/snapshot?stale", "save"),
            (Method::PUT, "/v1/snapshot", "restore"),
            (Method::GET, "/v1/kv/a?recurse", "read"),
            (Method::GET, "/v1/kv/a?wait=5s&index=7", "watch"),
            (Method::DELETE, "/v1/kv/a", "write"),
            (Method::OPTIONS, "/v1/snapshot", "other"),
        ] {
            assert_eq!(operation(&method, &Uri::from_static(uri)), expected, "{method} {uri}");
        }
    }
}
