//! What a command is about: a scope of the local server, or a server of another kind by its URL.

use std::fmt;
use std::str::FromStr;

use archive::state::Product;
use client::{Address, AddressError, hashicorp};
use percent_encoding::percent_decode_str;

use crate::exit::Failure;

/// What can be snapshotted alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All that Consul clients put into the server.
    Consul,
    /// All that Nomad clients put into the server.
    Nomad,
}

impl Scope {
    const ALL: [Scope; 2] = [Scope::Consul, Scope::Nomad];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Scope::Consul => "consul",
            Scope::Nomad => "nomad",
        }
    }

    /// Whose archives it comes and goes in.
    pub(crate) fn product(self) -> Product {
        match self {
            Scope::Consul => Product::Consul,
            Scope::Nomad => Product::Nomad,
        }
    }

    fn named(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// A `SCOPE|URL` as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A scope, through the native API.
    Scope(Scope),
    /// A server of Consul's or Nomad's, genuine or ours, through the API of these.
    Server(ServerUrl),
}

/// `consul://[host[:port]][?dc=NAME]` or `nomad://[host[:port]][?region=NAME]`, over TLS
/// `consul+https://host[:port]…` and `nomad+https://host[:port]…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    /// The scope that such a server has for its whole state.
    pub(crate) scope: Scope,
    /// The server; `None` means what the environment says.
    pub(crate) address: Option<Address>,
    /// The datacenter or the region; `None` means the server's own.
    pub(crate) place: Option<String>,
}

impl Target {
    /// The scope, for a command that only the native API can carry out. `verb` completes "cannot".
    pub(crate) fn native_scope(&self, verb: &str) -> Result<Scope, Failure> {
        match self {
            Target::Scope(scope) => Ok(*scope),
            Target::Server(ServerUrl { scope, .. }) => {
                let (product, name) = (scope.product(), scope.name());
                Err(Failure::usage(format!("{self}: {product}'s API cannot {verb}")).hint(format!(
                    "for a Stillpoint server name the scope, `{name}`, and its native address with --native ADDR"
                )))
            }
        }
    }

    /// Whose archives it takes and gives.
    pub(crate) fn product(&self) -> Product {
        self.scope().product()
    }

    /// The scope that it is, or has for its whole state.
    pub(crate) fn scope(&self) -> Scope {
        match self {
            Target::Scope(scope) | Target::Server(ServerUrl { scope, .. }) => *scope,
        }
    }
}

/// Why a text is not a target.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Error {
    #[error("unknown scope, use `consul`, `nomad`, consul://host:port or nomad://host:port")]
    Scope,
    #[error(
        "unknown scheme, use consul://host:port or nomad://host:port, over TLS consul+https:// or nomad+https://"
    )]
    Scheme,
    #[error("{0}+https:// needs a host")]
    Host(&'static str),
    #[error("unknown parameter `{found}`, known is `{known}`")]
    Parameter { found: String, known: &'static str },
    #[error("`{0}` has no name")]
    Place(&'static str),
    #[error("a path means nothing here")]
    Path,
    #[error(transparent)]
    Address(AddressError),
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Target, Error> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Scope::named(text).map(Target::Scope).ok_or(Error::Scope);
        };
        let (name, is_tls) = match scheme.strip_suffix("+https") {
            Some(name) => (name, true),
            None => (scheme, false),
        };
        let scope = Scope::named(name).ok_or(Error::Scheme)?;
        ServerUrl::parse(scope, is_tls, rest).map(Target::Server)
    }
}

impl ServerUrl {
    /// Takes what follows `://`.
    fn parse(scope: Scope, is_tls: bool, text: &str) -> Result<ServerUrl, Error> {
        let (authority, query) = text.split_once('?').unwrap_or((text, ""));
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains('/') {
            return Err(Error::Path);
        }
        let address = match (authority, is_tls) {
            ("", false) => None,
            ("", true) => return Err(Error::Host(scope.name())),
            (host, false) => Some(address(host, hashicorp::default_port(scope.product()))?),
            (host, true) => Some(address(host, hashicorp::default_tls_port(scope.product()))?.over_tls()),
        };
        let known = parameter(scope);
        let mut place = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if name != known {
                return Err(Error::Parameter { found: name.into(), known });
            }
            let value = percent_decode_str(value).decode_utf8().map_err(|_| Error::Place(known))?;
            if value.is_empty() {
                return Err(Error::Place(known));
            }
            place = Some(value.into_owned());
        }
        Ok(ServerUrl { scope, address, place })
    }
}

fn address(host: &str, default_port: u16) -> Result<Address, Error> {
    Address::parse(host, default_port).map_err(Error::Address)
}

/// What the products call the place of a server.
fn parameter(scope: Scope) -> &'static str {
    match scope {
        Scope::Consul => "dc",
        Scope::Nomad => "region",
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Scope(scope) => f.write_str(scope.name()),
            Target::Server(ServerUrl { scope, address, place }) => {
                let address = address.as_ref().map(Address::to_string).unwrap_or_default();
                let name = scope.name();
                match address.strip_prefix("https://") {
                    Some(host) => write!(f, "{name}+https://{host}")?,
                    None => write!(f, "{name}://{}", address.trim_start_matches("http://"))?,
                }
                place.iter().try_for_each(|place| write!(f, "?{}={place}", parameter(*scope)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str) {
        assert_eq!(text.parse::<Target>().unwrap().to_string(), shown);
    }

    #[test]
    fn scopes_and_urls_are_told_apart() {
        check("consul", "consul");
        check("consul://", "consul://");
        check("consul://10.0.0.1", "consul://10.0.0.1:8500");
        check("consul://consul.example:8600/?dc=dc%202", "consul://consul.example:8600?dc=dc 2");
        check("consul://?dc=dc2", "consul://?dc=dc2");
        check("nomad", "nomad");
        check("nomad://", "nomad://");
        check("nomad://10.0.0.1/?region=eu", "nomad://10.0.0.1:4646?region=eu");
        check("nomad+https://10.0.0.1", "nomad+https://10.0.0.1:4646");
        check("consul+https://10.0.0.1", "consul+https://10.0.0.1:8501");
        check("consul+https://consul.example:8600/?dc=dc2", "consul+https://consul.example:8600?dc=dc2");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let refused = |text: &str| text.parse::<Target>().unwrap_err();
        assert_eq!(refused("consol"), Error::Scope);
        assert_eq!(refused("https://h:8501"), Error::Scheme);
        assert_eq!(refused("vault://h"), Error::Scheme);
        assert_eq!(refused("consul+http://h"), Error::Scheme);
        assert_eq!(refused("consul+https://?dc=dc2"), Error::Host("consul"));
        assert_eq!(refused("consul://h/ui"), Error::Path);
        for (text, known) in [("consul://h?region=eu", "dc"), ("nomad://h?dc=dc2", "region")] {
            assert!(matches!(refused(text), Error::Parameter { known: told, .. } if told == known), "{text}");
        }
        assert_eq!(refused("consul://h?dc="), Error::Place("dc"));
        assert!(matches!(refused("consul://user:secret@h"), Error::Address(AddressError::Extra)));
    }
}
