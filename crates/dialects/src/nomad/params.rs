//! What a request asks for besides its path: the token, how fresh, how long to wait, the namespace, the page.
//!
//! Follows `hashicorp/nomad:command/agent/http.go`.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use node::Consistency;
use records::nomad::DEFAULT_NAMESPACE;
use serde_json::Value;

use super::App;
use crate::http::blocking::ReadOptions;
use crate::http::{Failure, Query, bearer, filled, read_up_to};

/// How long a blocking query waits at most, but for the jitter.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// The largest JSON that is taken in. It must fit into one log entry.
const JSON_BYTES_MAX: usize = 4 << 20;

/// The token of a request, wherever it stands: `X-Nomad-Token`, `Authorization: Bearer`.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    filled(headers, "x-nomad-token").map(str::trim).or_else(|| bearer(headers))
}

/// What a read may say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Params {
    /// How fresh, and how long to wait.
    pub(super) read: ReadOptions,
    /// Where to look; `*` stands for everywhere.
    pub(super) namespace: String,
    /// What names begin with.
    pub(super) prefix: String,
    /// At most so many; 0 for all.
    pub(super) per_page: usize,
    /// What the page begins with; empty for the first one.
    pub(super) next_token: String,
    /// Whether the last ones come first, in lists that can be turned round.
    pub(super) is_reverse: bool,
}

impl Params {
    /// The checks come in the genuine order.
    pub(super) fn parse(query: &Query) -> Result<Params, Failure> {
        let consistency = consistency(query)?;
        let per_page = match query.filled("per_page").map(str::parse::<i32>) {
            None => 0,
            // The genuine server takes what is negative for all.
            Some(Ok(count)) => usize::try_from(count).unwrap_or_default(),
            Some(Err(_)) => {
                return Err(Failure::invalid("Expect a number for `per_page` query string parameter"));
            }
        };
        let read = ReadOptions::of(query, consistency)?;
        let text = |name| query.get(name).unwrap_or_default().to_owned();
        Ok(Params {
            read: ReadOptions { wait: read.wait.min(WAIT_MAX), ..read },
            namespace: namespace(query).to_owned(),
            prefix: text("prefix"),
            per_page,
            next_token: text("next_token"),
            is_reverse: query.get("reverse") == Some("true"),
        })
    }

    /// The same for a list that genuine servers never turn round.
    pub(super) fn forwards(self) -> Params {
        Params { is_reverse: false, ..self }
    }

    /// Cuts a page out of what is sorted by `token`, which tells every item from the others, and names the
    /// first item of the next one.
    pub(super) fn page<T>(
        &self,
        mut items: Vec<T>,
        token: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        if self.is_reverse {
            items.reverse();
        }
        let is_reached = |item: &T| match self.is_reverse {
            _ if self.next_token.is_empty() => true,
            true => token(item) <= self.next_token,
            false => token(item) >= self.next_token,
        };
        let mut rest = items.into_iter().filter(is_reached).peekable();
        if self.per_page == 0 {
            return (rest.collect(), None);
        }
        let page = rest.by_ref().take(self.per_page).collect();
        let next = rest.next().map(|item| token(&item));
        (page, next)
    }
}

impl FromRequestParts<App> for Params {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Params, Failure> {
        Params::parse(&parts.extensions.get::<Query>().cloned().unwrap_or_default())
    }
}

/// The namespace of a request, for writes as for reads.
pub(super) fn namespace(query: &Query) -> &str {
    query.filled("namespace").unwrap_or(DEFAULT_NAMESPACE)
}

fn consistency(query: &Query) -> Result<Consistency, Failure> {
    match query.get("stale").map(|text| if text.is_empty() { Some(true) } else { boolean(text) }) {
        Some(Some(true)) => Ok(Consistency::Stale),
        None | Some(Some(false)) => Ok(Consistency::Linearizable),
        Some(None) => Err(Failure::invalid("Expect `true` or `false` for `stale` query string parameter")),
    }
}

/// Reads a flag as `golang/go:src/strconv/atob.go` does.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The JSON of a request's body.
pub(super) async fn read_json(body: Body) -> Result<Value, Failure> {
    if body.size_hint().exact() == Some(0) {
        return Err(Failure::invalid("Request body is empty"));
    }
    let bytes = read_up_to(JSON_BYTES_MAX, body).await?;
    let too_large =
        || Failure::too_large(format!("Request body too large, max size: {JSON_BYTES_MAX} bytes"));
    serde_json::from_slice(&bytes.ok_or_else(too_large)?).map_err(|error| Failure::invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> Result<Params, Failure> {
        Params::parse(&Query::lenient(raw))
    }

    #[track_caller]
    fn check_token(headers: &[(&'static str, &'static str)], expected: Option<&str>) {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), axum::http::HeaderValue::from_static(value)));
        assert_eq!(token(&headers.collect()), expected);
    }

    #[test]
    fn the_token_is_taken_from_the_first_header_that_has_one() {
        let (own, bearer) = (("x-nomad-token", " own "), ("authorization", "bEaReR  it rest"));
        check_token(&[own, bearer], Some("own"));
        check_token(&[("x-nomad-token", ""), bearer], Some("it"));
        check_token(&[("authorization", "Basic it")], None);
    }

    #[test]
    fn stale_is_a_bool_or_bare() {
        for (raw, expected) in [
            ("", Consistency::Linearizable),
            ("stale", Consistency::Stale),
            ("stale=", Consistency::Stale),
            ("stale=true", Consistency::Stale),
            ("stale=1", Consistency::Stale),
            ("stale=False", Consistency::Linearizable),
        ] {
            assert_eq!(parse(raw).unwrap().read.consistency, expected, "{raw}");
        }
        assert!(parse("stale=yes").is_err());
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let params = parse("").unwrap();
        assert_eq!((params.namespace.as_str(), params.per_page, params.read.index), ("default", 0, 0));
        assert_eq!(parse("namespace=*&wait=24h").unwrap().namespace, "*");
        assert_eq!(parse("wait=24h").unwrap().read.wait, WAIT_MAX);
        assert!(parse("per_page=x").is_err() && parse("index=-1").is_err() && parse("wait=1").is_err());
    }

    #[test]
    fn pages_follow_each_other() {
        let items = || ["a", "b", "c"].map(str::to_owned).to_vec();
        let page = |raw: &str| parse(raw).unwrap().page(items(), Clone::clone);
        assert_eq!(page(""), (items(), None));
        assert_eq!(page("per_page=2"), (items()[..2].to_vec(), Some("c".to_owned())));
        assert_eq!(page("per_page=2&next_token=c"), (items()[2..].to_vec(), None));
        let turned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(page("per_page=2&reverse=true"), (turned(&["c", "b"]), Some("a".to_owned())));
        assert_eq!(page("per_page=2&reverse=true&next_token=a"), (turned(&["a"]), None));
    }
}
