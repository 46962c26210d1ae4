//! How answers look: the headers of reads, JSON as Go writes it, failures as plain text.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use node::{Error, Freshness, Kind};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::measure::Failed;
use super::params::Query;

const INDEX: HeaderName = HeaderName::from_static("x-consul-index");
const KNOWN_LEADER: HeaderName = HeaderName::from_static("x-consul-knownleader");
const LAST_CONTACT: HeaderName = HeaderName::from_static("x-consul-lastcontact");
const QUERY_BACKEND: HeaderName = HeaderName::from_static("x-consul-query-backend");
const FILTERED: HeaderName = HeaderName::from_static("x-consul-results-filtered-by-acls");
const WARNING: HeaderName = HeaderName::from_static("x-stillpoint-warning");

/// What a handler answers.
pub(super) type Reply = Result<Response, Failure>;

/// A refusal: a status, and a sentence as the whole body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    kind: Kind,
    status: StatusCode,
    text: String,
}

impl Failure {
    /// A request that is wrong: 400.
    pub(super) fn invalid(text: impl Into<String>) -> Failure {
        Failure { kind: Kind::Invalid, status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    /// What only a token can do is asked where tokens mean nothing: 401.
    pub(super) fn unauthorized(text: impl Into<String>) -> Failure {
        Failure { kind: Kind::Denied, status: StatusCode::UNAUTHORIZED, text: text.into() }
    }

    /// There is no such thing: 404.
    pub(super) fn not_found(text: impl Into<String>) -> Failure {
        Failure { kind: Kind::NotFound, status: StatusCode::NOT_FOUND, text: text.into() }
    }

    /// A right is missing: 403.
    pub(super) fn denied(text: impl Into<String>) -> Failure {
        Failure { kind: Kind::Denied, status: StatusCode::FORBIDDEN, text: text.into() }
    }

    /// More than a limit allows: 413.
    pub(super) fn too_large(text: impl Into<String>) -> Failure {
        Failure { kind: Kind::TooLarge, status: StatusCode::PAYLOAD_TOO_LARGE, text: text.into() }
    }

    /// What the genuine server answers with 500, which is nearly everything.
    pub(super) fn genuine(kind: Kind, text: impl Into<String>) -> Failure {
        Failure { kind, status: StatusCode::INTERNAL_SERVER_ERROR, text: text.into() }
    }

    /// What we don't do: 501.
    pub(super) fn unserved(text: impl Into<String>) -> Failure {
        Failure { kind: Kind::Unsupported, status: StatusCode::NOT_IMPLEMENTED, text: text.into() }
    }

    /// A reply that the state machine never gives to what was asked: a bug of ours.
    pub(super) fn unexpected(reply: &impl std::fmt::Debug) -> Failure {
        tracing::error!(?reply, "an unexpected reply");
        Failure::genuine(Kind::Internal, "an unexpected reply of the state machine")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let kind = error.kind();
        let status = match kind {
            Kind::Invalid => StatusCode::BAD_REQUEST,
            Kind::Denied => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::NotLeader | Kind::Unavailable | Kind::Corrupt | Kind::Unsupported | Kind::Internal => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        if kind == Kind::Internal {
            tracing::error!(%error, "a request failed");
        }
        let text = match error.advice() {
            _ if lacks_leader(&error) => "No cluster leader".to_owned(),
            Some(advice) => format!("{}; {advice}", error.message()),
            None => error.message().to_owned(),
        };
        Failure { kind, status, text }
    }
}

impl From<records::Error> for Failure {
    fn from(error: records::Error) -> Failure {
        Error::from(error).into()
    }
}

/// Whether nothing was done for want of a leader that a quorum confirms.
fn lacks_leader(error: &Error) -> bool {
    use groups::Error::{NoQuorum, NotLeader};
    matches!(error.cause(), Some(NotLeader { .. } | NoQuorum))
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.text).into_response();
        response.extensions_mut().insert(Failed(self.kind));
        response
    }
}

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

pub(super) fn last_contact_ms(freshness: Freshness) -> u64 {
    u64::try_from(freshness.last_contact.as_millis()).unwrap_or(u64::MAX)
}

/// Adds what whoever saves or restores should know.
pub(super) fn warn(headers: &mut HeaderMap, warnings: &[String]) {
    for warning in warnings {
        match HeaderValue::from_str(warning) {
            Ok(value) => drop(headers.append(WARNING, value)),
            Err(_) => tracing::warn!(warning, "this warning does not fit into a header"),
        }
    }
}

/// An answer of one JSON value.
pub(super) fn json(query: &Query, value: &impl Serialize) -> Response {
    let is_pretty = query.has("pretty");
    let mut body = render(is_pretty, value);
    if is_pretty {
        body.push(b'\n');
    }
    json_body(body)
}

/// An answer whose body is JSON already.
pub(super) fn json_body(body: impl Into<Body>) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body.into()).into_response()
}

/// The bytes that `golang/go:src/encoding/json` gives the value.
pub(super) fn render(is_pretty: bool, value: &impl Serialize) -> Vec<u8> {
    let mut json = Vec::new();
    let written = if is_pretty {
        let formatter = PrettyFormatter::with_indent(b"    ");
        value.serialize(&mut Serializer::with_formatter(&mut json, formatter))
    } else {
        value.serialize(&mut Serializer::new(&mut json))
    };
    written.expect("plain data, written to memory");
    escape_html(json)
}

/// Go escapes what would mean something inside HTML. All of it can only stand within strings.
fn escape_html(json: Vec<u8>) -> Vec<u8> {
    // U+2028 and U+2029 end a line in JavaScript; both begin with this byte.
    const SEPARATORS: u8 = 0xe2;
    if !json.iter().any(|byte| matches!(byte, b'<' | b'>' | b'&' | &SEPARATORS)) {
        return json;
    }
    let mut escaped = Vec::with_capacity(json.len() + json.len() / 8);
    let mut rest = json.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let (replaced, taken): (&[u8], usize) = match rest {
            [b'<', ..] => (b"\\u003c", 1),
            [b'>', ..] => (b"\\u003e", 1),
            [b'&', ..] => (b"\\u0026", 1),
            [SEPARATORS, 0x80, 0xa8, ..] => (b"\\u2028", 3),
            [SEPARATORS, 0x80, 0xa9, ..] => (b"\\u2029", 3),
            _ => {
                escaped.push(*first);
                rest = after;
                continue;
            }
        };
        escaped.extend_from_slice(replaced);
        rest = &rest[taken..];
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_what_go_writes() {
        let text = "<a> & b\u{2028}\u{2029}\u{2030} é\u{1}";
        assert_eq!(
            String::from_utf8(render(false, &text)).unwrap(),
            "\"\\u003ca\\u003e \\u0026 b\\u2028\\u2029\u{2030} é\\u0001\""
        );
    }

    #[test]
    fn pretty_json_is_indented_by_four() {
        let value = serde_json::json!([{"a": 1, "b": []}]);
        let expected = "[\n    {\n        \"a\": 1,\n        \"b\": []\n    }\n]";
        assert_eq!(String::from_utf8(render(true, &value)).unwrap(), expected);
    }

    #[test]
    fn without_a_leader_the_genuine_text_is_answered() {
        let failure = |error: groups::Error| Failure::from(Error::from(error));
        for error in [groups::Error::NoQuorum, groups::Error::NotLeader { leader: None }] {
            let failure = failure(error);
            assert_eq!((failure.status.as_u16(), failure.text.as_str()), (500, "No cluster leader"));
        }
        let unknown = failure(groups::Error::OutcomeUnknown { leader: None });
        assert!(unknown.text.contains("unknown"), "{unknown:?}");
    }
}
