//! What a request of the native API is counted as.

use axum::http::{Method, Uri};

/// `save`, `restore`, `plan`, which is a restore's dry run, `undo`, `create`, `upload`, `download`, `read`,
/// `write` or `other`.
pub fn operation(method: &Method, uri: &Uri) -> &'static str {
    let is_dry = || uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "dry_run=true"));
    let below = uri.path().strip_prefix("/v1/scopes/").unwrap_or_default();
    let segments: Vec<&str> = below.split('/').collect();
    match (method, segments.as_slice()) {
        (&Method::GET, [_, "archive"]) => "save",
        (&Method::PUT, [_, "archive"]) | (&Method::POST, [_, "snapshots", _, "restore"]) => {
            if is_dry() {
                "plan"
            } else {
                "restore"
            }
        }
        (&Method::POST, [_, "undo"]) => "undo",
        (&Method::POST, [_, "snapshots"]) => "create",
        (&Method::PUT, [_, "snapshots", _]) => "upload",
        (&Method::GET, [_, "snapshots", _, "archive"]) => "download",
        (&Method::GET, _) => "read",
        (&Method::PUT | &Method::POST | &Method::DELETE, _) => "write",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_of_few_operations() {
        for (method, uri, expected) in [
            (Method::GET, "/v1/scopes/consul/archive?stale", "save"),
            (Method::PUT, "/v1/scopes/consul/archive?dry_run=false", "restore"),
            (Method::PUT, "/v1/scopes/consul/archive?dry_run=true", "plan"),
            (Method::POST, "/v1/scopes/consul/undo", "undo"),
            (Method::POST, "/v1/scopes/consul/snapshots", "create"),
            (Method::PUT, "/v1/scopes/consul/snapshots/a", "upload"),
            (Method::GET, "/v1/scopes/consul/snapshots/a/archive", "download"),
            (Method::POST, "/v1/scopes/consul/snapshots/a/restore", "restore"),
            (Method::DELETE, "/v1/scopes/consul/snapshots/a", "write"),
            (Method::GET, "/v1/scopes/consul/snapshots", "read"),
            (Method::GET, "/metrics", "read"),
            (Method::HEAD, "/health", "other"),
        ] {
            assert_eq!(operation(&method, &Uri::from_static(uri)), expected, "{method} {uri}");
        }
    }
}
