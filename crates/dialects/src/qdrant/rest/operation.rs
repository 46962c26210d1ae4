//! What a request of Qdrant's API is counted as.

use axum::http::{Method, Uri};

/// `create`, `download`, `restore` or `save` for what moves snapshots, else `read`, `write` or `other`.
pub fn operation(method: &Method, uri: &Uri) -> &'static str {
    let path = uri.path().trim_end_matches('/');
    if let Some(operation) = of_snapshots(method, path) {
        return operation;
    }
    match *method {
        Method::GET | Method::HEAD => "read",
        Method::POST if reads(path) => "read",
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE => "write",
        _ => "other",
    }
}

/// What is asked by posting, below a collection. What follows a further slash is a form of the same.
const QUESTIONS: &[&str] = &["count", "discover", "query", "recommend", "scroll", "search"];

/// Whether what is posted there is a question.
fn reads(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').skip(3).collect();
    match parts.as_slice() {
        ["facet" | "points"] => true,
        ["points", asked, ..] => QUESTIONS.contains(asked),
        _ => false,
    }
}

/// What moves a snapshot, whosever it is.
fn of_snapshots(method: &Method, path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let own = match parts.as_slice() {
        ["collections", _, "shards", _, own @ ..] | ["collections", _, own @ ..] => own,
        own => own,
    };
    Some(match (method, own) {
        (&Method::POST, ["snapshots"]) => "create",
        (&Method::PUT, ["snapshots", "recover"]) | (&Method::POST, ["snapshots", "upload"]) => "restore",
        (&Method::GET, ["snapshots", _]) => "download",
        (&Method::GET, ["snapshot"]) => "save",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_a_read_whatever_its_method() {
        for (method, uri, expected) in [
            (Method::GET, "/collections", "read"),
            (Method::PUT, "/collections/c/points?wait=true", "write"),
            (Method::POST, "/collections/c/points", "read"),
            (Method::POST, "/collections/c/points/query/batch", "read"),
            (Method::POST, "/collections/c/facet/", "read"),
            (Method::POST, "/collections/c/points/delete", "write"),
            (Method::POST, "/collections/aliases", "write"),
            (Method::DELETE, "/collections/c", "write"),
            (Method::OPTIONS, "/", "other"),
            (Method::GET, "/snapshots", "read"),
            (Method::POST, "/snapshots?wait=false", "create"),
            (Method::POST, "/collections/c/snapshots", "create"),
            (Method::GET, "/collections/c/snapshots/s", "download"),
            (Method::DELETE, "/collections/c/snapshots/s", "write"),
            (Method::POST, "/collections/c/snapshots/upload?priority=replica", "restore"),
            (Method::PUT, "/collections/c/shards/0/snapshots/recover", "restore"),
            (Method::GET, "/collections/c/shards/0/snapshot", "save"),
        ] {
            assert_eq!(operation(&method, &uri.parse().unwrap()), expected, "{method} {uri}");
        }
    }
}
