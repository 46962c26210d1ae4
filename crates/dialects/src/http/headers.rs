//! What stands in headers whatever the dialect.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use node::Freshness;

const WARNING: HeaderName = HeaderName::from_static("x-stillpoint-warning");

/// A header that is text and not empty.
pub(crate) fn filled<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().filter(|value| !value.is_empty())
}

/// The token of an `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, value) = filled(headers, AUTHORIZATION.as_str())?.split_once(' ')?;
    let token = value.trim().split(' ').next()?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// How long ago the leader was heard of, as headers have it.
pub(crate) fn last_contact_ms(freshness: Freshness) -> u64 {
    u64::try_from(freshness.last_contact.as_millis()).unwrap_or(u64::MAX)
}

/// Adds what whoever saves or restores should know.
pub(crate) fn warn(headers: &mut HeaderMap, warnings: &[String]) {
    for warning in warnings {
        match HeaderValue::from_str(warning) {
            Ok(value) => drop(headers.append(WARNING, value)),
            Err(_) => tracing::warn!(warning, "this warning does not fit into a header"),
        }
    }
}
