//! How answers look: the headers of reads and writes, JSON as the genuine server writes it.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use node::Freshness;
use records::nomad::{self, Refusal};
use serde::Serialize;

use crate::http::json::{json_body, render_plain};
use crate::http::{Failure, Query, last_contact_ms};

const INDEX: HeaderName = HeaderName::from_static("x-nomad-index");
const KNOWN_LEADER: HeaderName = HeaderName::from_static("x-nomad-knownleader");
const LAST_CONTACT: HeaderName = HeaderName::from_static("x-nomad-lastcontact");
const NEXT_TOKEN: HeaderName = HeaderName::from_static("x-nomad-nexttoken");

/// The headers of an answer that was read at `index`.
pub(super) fn read_headers(index: u64, freshness: Freshness) -> HeaderMap {
    let known = if freshness.known_leader { "true" } else { "false" };
    HeaderMap::from_iter([
        // A client that waits for an index above 0 would never wait.
        (INDEX, index.max(1).into()),
        (KNOWN_LEADER, HeaderValue::from_static(known)),
        (LAST_CONTACT, last_contact_ms(freshness).into()),
    ])
}

/// The headers of an answer to a change.
pub(super) fn written(index: u64) -> HeaderMap {
    HeaderMap::from_iter([(INDEX, index.into())])
}

/// Names the page that follows.
pub(super) fn continue_at(headers: &mut HeaderMap, token: Option<&str>) {
    if let Some(token) = token.and_then(|token| HeaderValue::from_str(token).ok()) {
        headers.insert(NEXT_TOKEN, token);
    }
}

/// An answer of one JSON value.
pub(super) fn json(query: &Query, value: &impl Serialize) -> Response {
    let is_pretty = query.get("pretty").is_some_and(|value| value != "0");
    let mut body = render_plain(is_pretty, value);
    if is_pretty {
        body.push(b'\n');
    }
    json_body(body)
}

/// The reply to a command of this scope.
pub(super) fn of_nomad(reply: records::Reply) -> Result<nomad::Reply, Failure> {
    match reply {
        records::Reply::Nomad(nomad::Reply::Refused(refusal)) => Err(refusal.into()),
        records::Reply::Nomad(reply) => Ok(reply),
        other => Err(Failure::unexpected(&other)),
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        match refusal {
            Refusal::Invalid(text) => Failure::invalid(text),
            Refusal::NotFound(text) => Failure::not_found(text),
            Refusal::Failed(text) => Failure::genuine(node::Kind::Invalid, text),
        }
    }
}
