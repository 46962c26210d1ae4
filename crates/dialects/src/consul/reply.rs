//! The headers of reads.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use node::Freshness;

pub(super) use crate::http::json::{json, json_body, render};
pub(super) use crate::http::{Failure, Reply, last_contact_ms, warn};

const INDEX: HeaderName = HeaderName::from_static("x-consul-index");
const KNOWN_LEADER: HeaderName = HeaderName::from_static("x-consul-knownleader");
const LAST_CONTACT: HeaderName = HeaderName::from_static("x-consul-lastcontact");
const QUERY_BACKEND: HeaderName = HeaderName::from_static("x-consul-query-backend");
const FILTERED: HeaderName = HeaderName::from_static("x-consul-results-filtered-by-acls");

/// The headers of an answer that was read at `index`.
pub(super) fn read_headers(index: u64, freshness: Freshness) -> HeaderMap {
    let mut headers = leader_headers(freshness);
    // A client that waits for an index above 0 would never wait.
    headers.insert(INDEX, index.max(1).into());
    headers.insert(QUERY_BACKEND, HeaderValue::from_static("blocking-query"));
    headers
}

/// The headers that say how fresh an answer is.
pub(super) fn leader_headers(freshness: Freshness) -> HeaderMap {
    let known = if freshness.known_leader { "true" } else { "false" };
    HeaderMap::from_iter([
        (KNOWN_LEADER, HeaderValue::from_static(known)),
        (LAST_CONTACT, last_contact_ms(freshness).into()),
    ])
}

/// Tells that there is more than the caller may see.
pub(super) fn hide(headers: &mut HeaderMap) {
    headers.insert(FILTERED, HeaderValue::from_static("true"));
}
