//! What a request asks for besides its path: the token, how fresh, how long to wait.

use axum::http::HeaderMap;
use node::Consistency;

use super::reply::Failure;
pub(super) use crate::http::blocking::ReadOptions;
pub(super) use crate::http::{Query, below, unescape, unsigned};
use crate::http::{bearer, filled};

/// The token of a request, wherever it stands: `?token=`, `X-Consul-Token`, `Authorization: Bearer`.
pub(super) fn token<'a>(query: &'a Query, headers: &'a HeaderMap) -> Option<&'a str> {
    query.filled("token").or_else(|| filled(headers, "x-consul-token")).or_else(|| bearer(headers))
}

/// Namespaces and partitions are refused: what belongs into one must not end up in the default one
/// (`hashicorp/consul:agent/http_ce.go`).
pub(super) fn refuse_tenancy(query: &Query, headers: &HeaderMap) -> Result<(), Failure> {
    let tenancies =
        [("X-Consul-Namespace", "ns", "Namespaces"), ("X-Consul-Partition", "partition", "Partitions")];
    for (header, parameter, what) in tenancies {
        let refuse = |place, name| {
            Failure::invalid(format!("Invalid {place}: {name:?} - {what} are a Consul Enterprise feature"))
        };
        if headers.get(header).is_some_and(|value| !value.is_empty()) {
            return Err(refuse("header", header));
        }
        if query.filled(parameter).is_some() {
            return Err(refuse("query parameter", parameter));
        }
    }
    Ok(())
}

impl ReadOptions {
    /// Without `stale` every read is linearizable, which is what `consistent` asks for and more than the
    /// default does.
    pub(super) fn parse(query: &Query) -> Result<ReadOptions, Failure> {
        let stale = query.has("stale");
        if stale && query.has("consistent") {
            let text = "Cannot specify ?stale with ?consistent, conflicting semantics.";
            return Err(Failure::invalid(text));
        }
        ReadOptions::of(query, if stale { Consistency::Stale } else { Consistency::Linearizable })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(raw: &str) -> Query {
        Query::parse(raw).unwrap()
    }

    #[track_caller]
    fn check_token(raw: &str, headers: &[(&'static str, &'static str)], expected: Option<&str>) {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), axum::http::HeaderValue::from_static(value)));
        assert_eq!(token(&query(raw), &headers.collect()), expected);
    }

    #[test]
    fn the_token_is_taken_from_the_first_place_that_has_one() {
        let (own, bearer) = (("x-consul-token", "own"), ("authorization", "bEaReR  it rest"));
        check_token("token=url", &[own, bearer], Some("url"));
        check_token("token=", &[own, bearer], Some("own"));
        check_token("", &[("x-consul-token", ""), bearer], Some("it"));
        check_token("", &[("authorization", "Basic it")], None);
        check_token("", &[("authorization", "Bearer")], None);
    }
}
