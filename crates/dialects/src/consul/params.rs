//! What a request asks for besides its path: the query as Go reads it, the token, how fresh, how long to wait.

use std::str::FromStr;
use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
use node::{Consistency, Kind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::reply::Failure;

/// The pairs of a query, decoded, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

/// What `golang/go:src/net/url/url.go`, `QueryEscape` escapes.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Query {
    /// Decodes a query; `None` if an escape in it is invalid, or if pairs are separated by semicolons.
    pub(super) fn parse(raw: &str) -> Option<Query> {
        let pairs = raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| {
                let bytes = unescape(text.replace('+', " ").as_bytes())?;
                Some(String::from_utf8_lossy(&bytes).into_owned())
            };
            if pair.contains(';') { None } else { Some((decode(name)?, decode(value)?)) }
        });
        pairs.collect::<Option<_>>().map(Query)
    }

    /// Whether the name is there, with or without a value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The first value of a name that is there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a name, unless it is absent or empty.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Every value of a name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The query without one name.
    pub(super) fn without(mut self, name: &str) -> Query {
        self.0.retain(|(found, _)| found != name);
        self
    }

    /// The query encoded again, sorted by name.
    pub(super) fn encode(&self) -> String {
        let mut pairs: Vec<_> = self.0.iter().collect();
        pairs.sort_by_key(|(name, _)| name);
        let escape = |text| utf8_percent_encode(text, ESCAPED).to_string().replace("%20", "+");
        let pairs = pairs.into_iter().map(|(name, value)| format!("{}={}", escape(name), escape(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

/// Resolves `%XX`, once; `None` if one is invalid.
pub(super) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
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

/// The token of a request, wherever it stands: `?token=`, `X-Consul-Token`, `Authorization: Bearer`.
pub(super) fn token<'a>(query: &'a Query, headers: &'a HeaderMap) -> Option<&'a str> {
    let header = |name| headers.get(name)?.to_str().ok().filter(|value: &&str| !value.is_empty());
    let bearer = || {
        let (scheme, value) = header(AUTHORIZATION.as_str())?.split_once(' ')?;
        let token = value.trim().split(' ').next()?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    };
    query.filled("token").or_else(|| header("x-consul-token")).or_else(bearer)
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

/// What follows `prefix` in a path, its escapes resolved once.
pub(super) fn below(uri: &Uri, prefix: &str) -> Result<String, Failure> {
    let escaped = uri.path().strip_prefix(prefix).unwrap_or_default();
    let name = unescape(escaped.as_bytes()).ok_or_else(|| Failure::invalid("Invalid escape in the path"))?;
    Ok(String::from_utf8_lossy(&name).into_owned())
}

/// How long a blocking query waits if it doesn't say.
const WAIT_DEFAULT: Duration = Duration::from_secs(300);

/// How long a blocking query waits at most, but for the jitter.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// The options of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadOptions {
    /// How fresh it has to be.
    pub(super) consistency: Consistency,
    /// Above 0: wait until the answer's index is higher.
    pub(super) index: u64,
    /// How long to wait at most.
    pub(super) wait: Duration,
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
        let wait = match query.filled("wait").map(duration) {
            None => WAIT_DEFAULT,
            Some(None) => return Err(Failure::invalid("Invalid wait time")),
            Some(Some(wait)) if wait.is_zero() => WAIT_DEFAULT,
            Some(Some(wait)) => wait.min(WAIT_MAX),
        };
        let index = match query.filled("index").map(unsigned) {
            None => 0,
            Some(index) => index.map_err(|_| Failure::invalid("Invalid index"))?,
        };
        let consistency = if stale { Consistency::Stale } else { Consistency::Linearizable };
        Ok(ReadOptions { consistency, index, wait })
    }
}

/// An unsigned number as Go reads one: digits and nothing else. The failure is worded as Go words it.
pub(super) fn unsigned(text: &str) -> Result<u64, Failure> {
    let refuse = |why| Failure::genuine(Kind::Invalid, format!("strconv.ParseUint: parsing {text:?}: {why}"));
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refuse("invalid syntax"));
    }
    u64::from_str(text).map_err(|_| refuse("value out of range"))
}

/// A duration as Go writes one, such as `1m30s` or `1.5h` (`golang/go:src/time/format.go`); nothing negative
/// is told from zero.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let positive = text.strip_prefix(['+', '-']).unwrap_or(text);
    if positive == "0" {
        return Some(Duration::ZERO);
    }
    let (mut total, mut rest) = duration_part(positive)?;
    while !rest.is_empty() {
        let (nanos, after) = duration_part(rest)?;
        total = total.checked_add(nanos)?;
        rest = after;
    }
    // Go counts nanoseconds in an i64.
    i64::try_from(total).ok()?;
    Some(if text.starts_with('-') { Duration::ZERO } else { Duration::from_nanos(total) })
}

/// The first number with its unit, in nanoseconds, and what follows.
fn duration_part(text: &str) -> Option<(u64, &str)> {
    const UNITS: [(&str, u64); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = text.split_at(digits(text));
    let after_point = rest.strip_prefix('.');
    let (fraction, rest) = after_point.map_or(("", rest), |rest| rest.split_at(digits(rest)));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let unit_bytes = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_bytes);
    let (_, unit) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let whole = if whole.is_empty() { 0 } else { u64::from_str(whole).ok()? };
    let mut nanos = whole.checked_mul(unit)?;
    let mut scale = unit;
    for digit in fraction.bytes() {
        scale /= 10;
        nanos = nanos.checked_add(u64::from(digit - b'0') * scale)?;
    }
    Some((nanos, rest))
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
    }

    #[test]
    fn a_query_is_encoded_again_in_the_order_of_its_names() {
        assert_eq!(query("b=1 &a=x/y&b=0~&c").encode(), "a=x%2Fy&b=1+&b=0~&c=");
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

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let ms = |text| duration(text).map(|duration| duration.as_millis());
        assert_eq!(ms("10s"), Some(10_000));
        assert_eq!(ms("1m30s"), Some(90_000));
        assert_eq!(ms("1.5h"), Some(5_400_000));
        assert_eq!(ms(".5s"), Some(500));
        assert_eq!(ms("1.s"), Some(1_000));
        assert_eq!(ms("2ms3µs"), Some(2));
        assert_eq!(ms("0"), Some(0));
        assert_eq!(ms("-5s"), Some(0));
        for text in ["", "10", "s", ".", ".s", "1x", "1s2", "+", "1 s", "99999999h", "99999999999999999999s"]
        {
            assert_eq!(ms(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_digits_and_nothing_else() {
        assert_eq!(unsigned("18446744073709551615").unwrap(), u64::MAX);
        for text in ["", "+1", "-1", "0x1", "1_0", "18446744073709551616"] {
            assert!(unsigned(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_wait_is_bounded_and_never_zero() {
        let wait = |raw| ReadOptions::parse(&query(raw)).unwrap().wait.as_secs();
        assert_eq!(wait("index=1"), 300);
        assert_eq!(wait("index=1&wait="), 300);
        assert_eq!(wait("index=1&wait=0s"), 300);
        assert_eq!(wait("index=1&wait=10s"), 10);
        assert_eq!(wait("index=1&wait=24h"), 600);
    }
}
