//! What a command is about: a scope of the local server, or a server of another kind by its URL.

use std::fmt;
use std::str::FromStr;

use archive::state::Product;
use client::{Address, AddressError, hashicorp, qdrant};
use percent_encoding::percent_decode_str;

use crate::exit::Failure;

/// What can be snapshotted alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All that clients of Consul or of Nomad put into the server.
    Records(Product),
    /// Points, as clients of Qdrant put them there.
    Points(qdrant::Scope),
}

impl Scope {
    /// Whose API it is changed through.
    pub(crate) fn product(&self) -> &'static str {
        match self {
            Scope::Records(Product::Consul) => "Consul",
            Scope::Records(Product::Nomad) => "Nomad",
            Scope::Points(_) => "Qdrant",
        }
    }

    /// Takes what stands before `://` or alone.
    fn named(name: &str) -> Option<Scope> {
        match name {
            "consul" => Some(Scope::Records(Product::Consul)),
            "nomad" => Some(Scope::Records(Product::Nomad)),
            "qdrant" => Some(Scope::Points(qdrant::Scope::Storage)),
            _ => None,
        }
    }

    /// The scheme of its URLs.
    fn scheme(&self) -> &'static str {
        match self {
            Scope::Records(product) => scheme(*product),
            Scope::Points(_) => "qdrant",
        }
    }
}

fn scheme(product: Product) -> &'static str {
    match product {
        Product::Consul => "consul",
        Product::Nomad => "nomad",
    }
}

impl fmt::Display for Scope {
    /// As the native API calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Records(product) => f.write_str(scheme(*product)),
            Scope::Points(scope) => scope.fmt(f),
        }
    }
}

/// A `SCOPE|URL` as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A scope, through the native API.
    Scope(Scope),
    /// A server of Consul's, Nomad's or Qdrant's, genuine or ours, through the API of these.
    Server(ServerUrl),
}

/// `consul://[host[:port]][?dc=NAME]`, `nomad://[host[:port]][?region=NAME]` or
/// `qdrant://[host[:port]][/COLLECTION[/SHARD]]`, over TLS with `+https` after the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    /// The scope that such a server has.
    pub(crate) scope: Scope,
    /// The server; `None` means what the environment says.
    pub(crate) address: Option<Address>,
    /// The datacenter or the region; `None` means the server's own.
    pub(crate) place: Option<String>,
}

impl Target {
    /// The scope, for a command that only the native API can carry out. `verb` completes "cannot".
    pub(crate) fn native_scope(&self, verb: &str) -> Result<&Scope, Failure> {
        match self {
            Target::Scope(scope) => Ok(scope),
            Target::Server(ServerUrl { scope, .. }) => {
                let product = scope.product();
                Err(Failure::usage(format!("{self}: {product}'s API cannot {verb}")).hint(format!(
                    "for a Stillpoint server name the scope, `{scope}`, and its native address with --native ADDR"
                )))
            }
        }
    }

    /// The scope that it is, or has.
    pub(crate) fn scope(&self) -> &Scope {
        match self {
            Target::Scope(scope) | Target::Server(ServerUrl { scope, .. }) => scope,
        }
    }
}

/// Why a text is not a target.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Error {
    #[error(
        "unknown scope, use `consul`, `nomad`, `qdrant`, `qdrant/COLLECTION`, `qdrant/COLLECTION/SHARD`, or a URL such \
         as consul://host:port"
    )]
    Scope,
    #[error(
        "unknown scheme, use consul://, nomad:// or qdrant:// and host:port, over TLS consul+https://, nomad+https:// or \
         qdrant+https://"
    )]
    Scheme,
    #[error("{0}+https:// needs a host")]
    Host(&'static str),
    #[error("unknown parameter `{found}`, known is `{known}`")]
    Parameter { found: String, known: &'static str },
    #[error("a qdrant:// URL has no parameters")]
    NoParameters,
    #[error("`{0}` has no name")]
    Place(&'static str),
    #[error("a path means nothing here")]
    Path,
    #[error("a name in the path is no UTF-8")]
    Encoding,
    #[error(transparent)]
    Points(#[from] qdrant::ScopeError),
    #[error(transparent)]
    Address(AddressError),
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Target, Error> {
        // First, for a collection may be called anything.
        if text.starts_with("qdrant/") {
            return Ok(Target::Scope(Scope::Points(text.parse()?)));
        }
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
        let (text, query) = text.split_once('?').unwrap_or((text, ""));
        let text = text.strip_suffix('/').unwrap_or(text);
        let (authority, path) = match text.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (text, None),
        };
        let scheme = scope.scheme();
        let (port, tls_port) = match &scope {
            Scope::Records(product) => {
                (hashicorp::default_port(*product), hashicorp::default_tls_port(*product))
            }
            Scope::Points(_) => (qdrant::DEFAULT_PORT, qdrant::DEFAULT_PORT),
        };
        let address = match (authority, is_tls) {
            ("", false) => None,
            ("", true) => return Err(Error::Host(scheme)),
            (host, false) => Some(address(host, port)?),
            (host, true) => Some(address(host, tls_port)?.over_tls()),
        };
        match scope {
            Scope::Records(product) if path.is_none() => {
                Ok(ServerUrl { scope, address, place: place(product, query)? })
            }
            Scope::Records(_) => Err(Error::Path),
            Scope::Points(_) if query.is_empty() => {
                Ok(ServerUrl { scope: Scope::Points(points(path)?), address, place: None })
            }
            Scope::Points(_) => Err(Error::NoParameters),
        }
    }
}

fn address(host: &str, default_port: u16) -> Result<Address, Error> {
    Address::parse(host, default_port).map_err(Error::Address)
}

/// The points that the path of a URL names.
fn points(path: Option<&str>) -> Result<qdrant::Scope, Error> {
    let decode = |part| percent_decode_str(part).decode_utf8().map_err(|_| Error::Encoding);
    let parts = path.into_iter().flat_map(|path| path.split('/')).map(decode);
    let parts = parts.collect::<Result<Vec<_>, Error>>()?;
    Ok(qdrant::Scope::of(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>())?)
}

/// The datacenter or region that the query of a URL names.
fn place(product: Product, query: &str) -> Result<Option<String>, Error> {
    let known = parameter(product);
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
    Ok(place)
}

/// What the products call the place of a server.
fn parameter(product: Product) -> &'static str {
    match product {
        Product::Consul => "dc",
        Product::Nomad => "region",
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServerUrl { scope, address, place } = match self {
            Target::Scope(scope) => return scope.fmt(f),
            Target::Server(url) => url,
        };
        let address = address.as_ref().map(Address::to_string).unwrap_or_default();
        let scheme = scope.scheme();
        match address.strip_prefix("https://") {
            Some(host) => write!(f, "{scheme}+https://{host}")?,
            None => write!(f, "{scheme}://{}", address.trim_start_matches("http://"))?,
        }
        match scope {
            Scope::Records(product) => {
                place.iter().try_for_each(|place| write!(f, "?{}={place}", parameter(*product)))
            }
            Scope::Points(qdrant::Scope::Storage) => Ok(()),
            Scope::Points(qdrant::Scope::Collection(name)) => write!(f, "/{name}"),
            Scope::Points(qdrant::Scope::Shard(name, id)) => write!(f, "/{name}/{id}"),
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
        check("qdrant", "qdrant");
        check("qdrant/cities", "qdrant/cities");
        check("qdrant/a 100%25:b/3", "qdrant/a 100%25:b/3");
        check("qdrant://", "qdrant://");
        check("qdrant://10.0.0.1/", "qdrant://10.0.0.1:6333");
        check("qdrant:///cities", "qdrant:///cities");
        check("qdrant://h:1/two%20words%3F/12", "qdrant://h:1/two words?/12");
        check("qdrant+https://h/cities/", "qdrant+https://h:6333/cities");
        check("consul+https://consul.example:8600/?dc=dc2", "consul+https://consul.example:8600?dc=dc2");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let refused = |text: &str| text.parse::<Target>().unwrap_err();
        assert_eq!(refused("consol"), Error::Scope);
        assert_eq!(refused("https://h:8501"), Error::Scheme);
        assert_eq!(refused("vault://h"), Error::Scheme);
        assert_eq!(refused("qdrant://h?x=1"), Error::NoParameters);
        assert_eq!(refused("qdrant://h/%ff"), Error::Encoding);
        for points in [
            "qdrant/",
            "qdrant://h//0",
            "qdrant://h/a%2Fb",
            "qdrant://h/..",
            "qdrant://h/a/b",
            "qdrant/a/0/1",
        ] {
            assert!(matches!(refused(points), Error::Points(_)), "{points}");
        }
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
