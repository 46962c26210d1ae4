//! What a request of Qdrant's API is counted as.

use axum::http::{Method, Uri};

/// `read`, `write` or `other`.
pub fn operation(method: &Method, uri: &Uri) -> &'static str {
    let path = uri.path().trim_end_matches('/');
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
        ] {
            assert_eq!(operation(&method, &uri.parse().unwrap()), expected, "{method} {uri}");
        }
    }
}
