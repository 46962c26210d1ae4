//! Where a server answers: parsed once, so that the clients only ever see addresses they can use.

use std::fmt;
use std::net::IpAddr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;

/// All that a path segment cannot carry as it is, and for plainness' sake a little more.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A server's address: `http` or `https`, host, port and perhaps a path that everything lies under.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

/// Why a text is not an address that can be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    /// The address is a Unix socket.
    #[error("{0}: Unix sockets are not supported, use host:port")]
    Unix(String),
    /// The address has a scheme that is not HTTP.
    #[error("{0}: unknown scheme, use host:port, http://host:port or https://host:port")]
    Scheme(String),
    /// The address holds a user name, a query or a fragment. The text is left out: it may be a secret.
    #[error("an address is host:port, http://host:port or https://host:port, without user name, `?` or `#`")]
    Extra,
    /// The text is no address at all.
    #[error("{0:?} is not an address: {1}")]
    Malformed(String, String),
}

impl Address {
    /// Reads `host`, `host:port` or `http[s]://host[:port][/path]`. A bare `host` gets `default_port`; behind
    /// `http://` a missing port is 80, behind `https://` 443, as in any URL.
    pub fn parse(text: &str, default_port: u16) -> Result<Address, AddressError> {
        let text = text.trim();
        // First, so that nothing else quotes the text.
        if text.contains(['@', '?', '#']) {
            return Err(AddressError::Extra);
        }
        let (url, bare) = match text.split_once("://") {
            None => (format!("http://{text}"), true),
            Some(("http" | "https", _)) => (text.to_owned(), false),
            Some(("unix", _)) => return Err(AddressError::Unix(text.into())),
            Some(_) => return Err(AddressError::Scheme(text.into())),
        };
        let malformed = |cause: &str| AddressError::Malformed(text.into(), cause.into());
        let mut url = Url::parse(&url).map_err(|error| malformed(&error.to_string()))?;
        if bare && !has_port(text) {
            url.set_port(Some(default_port)).map_err(|()| malformed("it cannot have a port"))?;
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Address(url))
    }

    /// The same host and port, asked over TLS.
    pub fn over_tls(&self) -> Address {
        let mut url = self.0.clone();
        let port = url.port_or_known_default();
        url.set_scheme("https").and_then(|()| url.set_port(port)).expect("http becomes https, and has ports");
        Address(url)
    }

    /// Whether the server is asked over TLS.
    pub fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The same port and path at another host, or `None` if that isn't the name of one.
    pub(crate) fn at(&self, host: &str) -> Option<Address> {
        let mut url = self.0.clone();
        url.set_host(Some(host)).ok()?;
        url.domain().is_some().then_some(Address(url))
    }

    /// The host, as one that looks for its addresses wants it: without brackets.
    pub(crate) fn host(&self) -> &str {
        let host = self.0.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether the server is on this machine, going by the address alone.
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The URL of a resource. Segments may hold any text: they are escaped. Pairs without a value are flags.
    pub(crate) fn url(&self, segments: &[&str], query: &[(&str, Option<&str>)]) -> Url {
        let escape = |text: &str| utf8_percent_encode(text, SEGMENT).to_string();
        let segments: Vec<String> = segments.iter().map(|segment| escape(segment)).collect();
        let pairs: Vec<String> = query
            .iter()
            .map(|(name, value)| match value {
                Some(value) => format!("{name}={}", escape(value)),
                None => (*name).to_owned(),
            })
            .collect();
        let mut url = self.0.clone();
        url.set_path(&format!("{}{}", self.0.path(), segments.join("/")));
        url.set_query((!pairs.is_empty()).then(|| pairs.join("&")).as_deref());
        url
    }
}

/// Whether the authority at the start of a text without a scheme names a port.
fn has_port(text: &str) -> bool {
    let authority = text.split('/').next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) => {
            port.bytes().all(|byte| byte.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']'))
        }
        None => false,
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(Address::parse(text, 8500).unwrap().to_string(), expected);
    }

    #[test]
    fn a_bare_host_gets_the_default_port() {
        check("consul.example", "http://consul.example:8500");
        check("10.0.0.1", "http://10.0.0.1:8500");
        check("[::1]", "http://[::1]:8500");
    }

    #[test]
    fn a_given_port_is_kept_even_where_urls_leave_it_out() {
        check("consul.example:80", "http://consul.example");
        check("[::1]:8501", "http://[::1]:8501");
        check("http://consul.example", "http://consul.example");
        check("http://consul.example:8500/proxied", "http://consul.example:8500/proxied");
        check("https://consul.example:8501", "https://consul.example:8501");
        check("https://consul.example", "https://consul.example");
    }

    #[test]
    fn over_tls_host_port_and_path_stay() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Address::parse(text, 8500).unwrap().over_tls().to_string(), expected);
        };
        check("consul.example", "https://consul.example:8500");
        check("http://[::1]:8501/proxied", "https://[::1]:8501/proxied");
        check("consul.example:80", "https://consul.example:80");
        check("https://consul.example", "https://consul.example");
    }

    #[test]
    fn only_a_name_stands_for_a_host() {
        let address = Address::parse("https://127.0.0.1:8501/base", 0).unwrap();
        assert_eq!(
            address.at("server.dc1.consul").unwrap().to_string(),
            "https://server.dc1.consul:8501/base"
        );
        assert!(["", "127.0.0.1", "[::1]", "a b", "a/b"].iter().all(|host| address.at(host).is_none()));
    }

    #[test]
    fn what_cannot_be_used_is_refused_in_words() {
        let refused = |text: &str| Address::parse(text, 8500).unwrap_err();
        assert!(matches!(refused("unix:///run/consul.sock"), AddressError::Unix(_)));
        assert!(matches!(refused("ftp://h"), AddressError::Scheme(_)));
        assert!(matches!(refused("http://"), AddressError::Malformed(..)));
        assert!(matches!(refused("host:notaport"), AddressError::Malformed(..)));
        for secret in ["user:secret@host", "ftp://user:secret@host", "unix://secret@/", "h:x?token=secret"] {
            assert_eq!(refused(secret), AddressError::Extra);
        }
    }

    #[test]
    fn segments_cannot_leave_their_place_in_the_path() {
        let address = Address::parse("h:1/base", 0).unwrap();
        let url = address.url(&["v1", "a/b?c", "é"], &[("stale", None), ("dc", Some("x&y"))]);
        assert_eq!(url.as_str(), "http://h:1/base/v1/a%2Fb%3Fc/%C3%A9?stale&dc=x%26y");
    }
}
