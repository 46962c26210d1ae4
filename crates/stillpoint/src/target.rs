//! What a command is about: a scope of the local server, or a server of another kind by its URL.

use std::fmt;
use std::str::FromStr;

use client::{Address, AddressError, consul};
use percent_encoding::percent_decode_str;

use crate::exit::Failure;

/// What can be snapshotted alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All that Consul clients put into the server.
    Consul,
}

impl Scope {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Scope::Consul => "consul",
        }
    }
}

/// A `SCOPE|URL` as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A scope, through the native API.
    Scope(Scope),
    /// A Consul server, genuine or ours, through Consul's API.
    Consul(ConsulUrl),
}

/// `consul://[host[:port]][?dc=NAME]`, or `consul+https://host[:port][?dc=NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsulUrl {
    /// The server; `None` means what the environment says.
    pub(crate) address: Option<Address>,
    /// The datacenter; `None` means the server's own.
    pub(crate) datacenter: Option<String>,
}

impl Target {
    /// The scope, for a command that only the native API can carry out. `verb` completes "cannot".
    pub(crate) fn native_scope(&self, verb: &str) -> Result<Scope, Failure> {
        match self {
            Target::Scope(scope) => Ok(*scope),
            Target::Consul(_) => Err(Failure::usage(format!("{self}: Consul's API cannot {verb}")).hint(
                "for a Stillpoint server name the scope, `consul`, and its native address with --native ADDR",
            )),
        }
    }
}

/// Why a text is not a target.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Error {
    #[error("unknown scope, use `consul` or consul://host:port")]
    Scope,
    #[error("unknown scheme, use consul://host:port or consul+https://host:port")]
    Scheme,
    #[error("consul+https:// needs a host")]
    Host,
    #[error("unknown parameter `{0}`, known is `dc`")]
    Parameter(String),
    #[error("`dc` has no name")]
    Datacenter,
    #[error("a path means nothing here")]
    Path,
    #[error(transparent)]
    Address(AddressError),
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Target, Error> {
        match text.split_once("://") {
            None if text == Scope::Consul.name() => Ok(Target::Scope(Scope::Consul)),
            None => Err(Error::Scope),
            Some(("consul", rest)) => ConsulUrl::parse(rest, consul::DEFAULT_PORT).map(Target::Consul),
            Some(("consul+https", rest)) => {
                let ConsulUrl { address, datacenter } = ConsulUrl::parse(rest, consul::DEFAULT_TLS_PORT)?;
                let address = address.ok_or(Error::Host)?.over_tls();
                Ok(Target::Consul(ConsulUrl { address: Some(address), datacenter }))
            }
            Some(_) => Err(Error::Scheme),
        }
    }
}

impl ConsulUrl {
    /// Takes what follows `://`.
    fn parse(text: &str, default_port: u16) -> Result<ConsulUrl, Error> {
        let (authority, query) = text.split_once('?').unwrap_or((text, ""));
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains('/') {
            return Err(Error::Path);
        }
        let address = match authority {
            "" => None,
            host => Some(Address::parse(host, default_port).map_err(Error::Address)?),
        };
        let mut datacenter = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if name != "dc" {
                return Err(Error::Parameter(name.into()));
            }
            let value = percent_decode_str(value).decode_utf8().map_err(|_| Error::Datacenter)?;
            datacenter = Some(value.into_owned()).filter(|value| !value.is_empty());
            if datacenter.is_none() {
                return Err(Error::Datacenter);
            }
        }
        Ok(ConsulUrl { address, datacenter })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Scope(scope) => f.write_str(scope.name()),
            Target::Consul(ConsulUrl { address, datacenter }) => {
                let address = address.as_ref().map(Address::to_string).unwrap_or_default();
                match address.strip_prefix("https://") {
                    Some(host) => write!(f, "consul+https://{host}")?,
                    None => write!(f, "consul://{}", address.trim_start_matches("http://"))?,
                }
                datacenter.iter().try_for_each(|name| write!(f, "?dc={name}"))
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
        check("consul+https://10.0.0.1", "consul+https://10.0.0.1:8501");
        check("consul+https://consul.example:8600/?dc=dc2", "consul+https://consul.example:8600?dc=dc2");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let refused = |text: &str| text.parse::<Target>().unwrap_err();
        assert_eq!(refused("consol"), Error::Scope);
        assert_eq!(refused("https://h:8501"), Error::Scheme);
        assert_eq!(refused("consul+https://?dc=dc2"), Error::Host);
        assert_eq!(refused("consul://h/ui"), Error::Path);
        assert_eq!(refused("consul://h?cd=dc2"), Error::Parameter("cd".into()));
        assert_eq!(refused("consul://h?dc="), Error::Datacenter);
        assert!(matches!(refused("consul://user:secret@h"), Error::Address(AddressError::Extra)));
    }
}
