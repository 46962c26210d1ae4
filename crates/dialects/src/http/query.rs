//! The query and the path of a request, as Go reads them.

use axum::http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Failure;

/// The pairs of a query, decoded, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

/// What `golang/go:src/net/url/url.go`, `QueryEscape` escapes.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Query {
    /// Decodes a query; `None` if an escape in it is invalid, or if pairs are separated by semicolons.
    pub(crate) fn parse(raw: &str) -> Option<Query> {
        pairs(raw).collect::<Option<_>>().map(Query)
    }

    /// Decodes a query without the pairs that can't be decoded.
    pub(crate) fn lenient(raw: &str) -> Query {
        Query(pairs(raw).flatten().collect())
    }

    /// Whether the name is there, with or without a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The first value of a name that is there.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a name, unless it is absent or empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Every value of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The query without one name.
    pub(crate) fn without(mut self, name: &str) -> Query {
        self.0.retain(|(found, _)| found != name);
        self
    }

    /// The query encoded again, sorted by name.
    pub(crate) fn encode(&self) -> String {
        let mut pairs: Vec<_> = self.0.iter().collect();
        pairs.sort_by_key(|(name, _)| name);
        let escape = |text| utf8_percent_encode(text, ESCAPED).to_string().replace("%20", "+");
        let pairs = pairs.into_iter().map(|(name, value)| format!("{}={}", escape(name), escape(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn pairs(raw: &str) -> impl Iterator<Item = Option<(String, String)>> {
    raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| {
            let bytes = unescape(text.replace('+', " ").as_bytes())?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        if pair.contains(';') { None } else { Some((decode(name)?, decode(value)?)) }
    })
}

/// Resolves `%XX`, once; `None` if one is invalid.
pub(crate) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if *byte == b'%' {
            let value = digit(at + 1)? * 16 + digit(at + 2)?;
            bytes.push(u8::try_from(value).expect("two hexadecimal digits"));
            at += 3;
        } else {
            bytes.push(*byte);
            at += 1;
        }
    }
    Some(bytes)
}

/// What follows `prefix` in a path, its escapes resolved once.
pub(crate) fn below(uri: &Uri, prefix: &str) -> Result<String, Failure> {
    let escaped = uri.path().strip_prefix(prefix).unwrap_or_default();
    let name = unescape(escaped.as_bytes()).ok_or_else(|| Failure::invalid("Invalid escape in the path"))?;
    Ok(String::from_utf8_lossy(&name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(raw: &str) -> Query {
        Query::parse(raw).unwrap()
    }

    #[test]
    fn a_query_is_decoded_as_go_decodes_it() {
        let query = query("a=1&b=x+y%2Fz&&stale&a=2&%C3%BC=");
        assert_eq!((query.get("a"), query.get("b")), (Some("1"), Some("x y/z")));
        assert!(query.has("stale") && query.has("ü") && !query.has("c"));
        assert_eq!((query.filled("stale"), query.filled("c")), (None, None));
    }

    #[test]
    fn a_query_with_a_broken_escape_is_none() {
        for raw in ["a=%", "a=%2", "%zz=1", "a=1;b=2"] {
            assert_eq!(Query::parse(raw), None, "{raw}");
        }
        let rest = Query::lenient("a=%&b=1;c=2&d=3");
        assert!(!rest.has("a") && !rest.has("b") && rest.get("d") == Some("3"));
    }

    #[test]
    fn a_query_is_encoded_again_in_the_order_of_its_names() {
        assert_eq!(query("b=1 &a=x/y&b=0~&c").encode(), "a=x%2Fy&b=1+&b=0~&c=");
    }
}
