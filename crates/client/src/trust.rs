//! What the operator says about TLS: whom a client trusts, and who it is itself.

use std::path::PathBuf;

use tls::{ClientConfig, Identity, Trust};

use crate::{Address, Error};

/// How a server is told from a false one, and how we prove who we are: names of files, which are read when a
/// client is made for an address over TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// A file of CAs to trust instead of the system's. It wins over `ca_path`.
    pub ca_file: Option<PathBuf>,
    /// A directory of such files.
    pub ca_path: Option<PathBuf>,
    /// Our own certificate, for servers that want one.
    pub client_cert: Option<PathBuf>,
    /// Its key.
    pub client_key: Option<PathBuf>,
    /// The name that the server's certificate is for, if it isn't the address's host. It is also the name that
    /// the server is asked for (SNI).
    pub server_name: Option<String>,
    /// Take any certificate.
    pub trust_anyone: bool,
}

/// A variable that is true or false is neither.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{name}={value} is neither true nor false")]
pub struct SwitchError {
    /// The variable.
    pub name: String,
    /// What it holds.
    pub value: String,
}

/// How variables that speak of TLS are called: a prefix, and where products differ what follows it.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// What all of them begin with.
    pub prefix: &'static str,
    /// The switch that has certificates verified unless it is false.
    pub verify: Option<&'static str>,
    /// The switch that leaves certificates unverified if it is true.
    pub skip_verify: Option<&'static str>,
}

impl Names {
    /// As Consul calls them.
    pub const fn of(prefix: &'static str) -> Names {
        Names { prefix, verify: Some("HTTP_SSL_VERIFY"), skip_verify: None }
    }
}

impl Tls {
    /// Reads `PREFIX_CACERT`, `_CAPATH`, `_CLIENT_CERT`, `_CLIENT_KEY`, `_TLS_SERVER_NAME` and the switches, which
    /// mean what they mean to `hashicorp/consul:api/api.go` and `hashicorp/nomad:api/api.go`, through
    /// `variable`, which is `std::env::var` in all but tests.
    pub fn read(names: &Names, variable: impl Fn(&str) -> Option<String>) -> Result<Tls, SwitchError> {
        let prefix = names.prefix;
        let text = |name: &str| variable(&format!("{prefix}_{name}")).filter(|value| !value.is_empty());
        let path = |name: &str| text(name).map(PathBuf::from);
        let is = |name: Option<&str>| match name {
            Some(name) => switch(&format!("{prefix}_{name}"), &variable),
            None => Ok(None),
        };
        let trust_anyone = is(names.verify)? == Some(false) || is(names.skip_verify)? == Some(true);
        Ok(Tls {
            ca_file: path("CACERT"),
            ca_path: path("CAPATH"),
            client_cert: path("CLIENT_CERT"),
            client_key: path("CLIENT_KEY"),
            server_name: text("TLS_SERVER_NAME"),
            trust_anyone,
        })
    }

    /// This, and where it says nothing the other. Certificates go unverified if either says so.
    pub fn or(self, other: Tls) -> Tls {
        Tls {
            ca_file: self.ca_file.or(other.ca_file),
            ca_path: self.ca_path.or(other.ca_path),
            client_cert: self.client_cert.or(other.client_cert),
            client_key: self.client_key.or(other.client_key),
            server_name: self.server_name.or(other.server_name),
            trust_anyone: self.trust_anyone || other.trust_anyone,
        }
    }

    /// The configuration of a client for an address. For a plain one no file is read.
    pub(crate) fn config(&self, address: &Address) -> Result<ClientConfig, Error> {
        if !address.is_tls() {
            return Ok(tls::client_config(&Trust::Nobody, None)?);
        }
        let trust = match self {
            Tls { trust_anyone: true, .. } => Trust::Anyone,
            Tls { ca_file: Some(file), .. } => Trust::File(file.clone()),
            Tls { ca_path: Some(path), .. } => Trust::Directory(path.clone()),
            _ => Trust::System,
        };
        let identity = match (&self.client_cert, &self.client_key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some(Identity { cert: cert.clone(), key: key.clone() }),
            _ => return Err(Error::Identity),
        };
        Ok(tls::client_config(&trust, identity.as_ref())?)
    }

    /// The address under the name that the server is to prove.
    pub(crate) fn name(&self, address: &Address) -> Result<Address, Error> {
        match &self.server_name {
            Some(name) if address.is_tls() => {
                // The genuine tools let a port stand there and leave it out.
                let host = name.split_once(':').map_or(name.as_str(), |(host, _)| host);
                address.at(host).ok_or_else(|| Error::ServerName(name.clone()))
            }
            _ => Ok(address.clone()),
        }
    }
}

/// A variable that is true or false in one of the forms that Go's `strconv.ParseBool` knows.
pub(crate) fn switch(
    name: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<bool>, SwitchError> {
    let Some(value) = variable(name).filter(|value| !value.is_empty()) else { return Ok(None) };
    match value.as_str() {
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(Some(false)),
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(Some(true)),
        _ => Err(SwitchError { name: name.to_owned(), value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Tls, SwitchError> {
        let lookup =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Tls::read(&Names::of("CONSUL"), lookup)
    }

    #[test]
    fn the_environment_names_everything() {
        let variables = [
            ("CONSUL_CACERT", "ca.pem"),
            ("CONSUL_CAPATH", "cas"),
            ("CONSUL_CLIENT_CERT", "cert.pem"),
            ("CONSUL_CLIENT_KEY", "key.pem"),
            ("CONSUL_TLS_SERVER_NAME", "server.dc1.consul"),
            ("CONSUL_HTTP_SSL_VERIFY", "false"),
        ];
        let expected = Tls {
            ca_file: Some("ca.pem".into()),
            ca_path: Some("cas".into()),
            client_cert: Some("cert.pem".into()),
            client_key: Some("key.pem".into()),
            server_name: Some("server.dc1.consul".into()),
            trust_anyone: true,
        };
        assert_eq!(read(&variables), Ok(expected));
        assert_eq!(read(&[("CONSUL_HTTP_SSL_VERIFY", "1"), ("CONSUL_CACERT", "")]), Ok(Tls::default()));
        assert!(read(&[("CONSUL_HTTP_SSL_VERIFY", "no")]).is_err());
    }

    #[test]
    fn what_is_said_first_wins() {
        let flags = Tls { ca_file: Some("flag".into()), ..Tls::default() };
        let variables = read(&[("CONSUL_CACERT", "variable"), ("CONSUL_CAPATH", "cas")]).unwrap();
        let both = flags.or(variables);
        assert_eq!((both.ca_file, both.ca_path), (Some("flag".into()), Some("cas".into())));
    }

    #[test]
    fn a_server_goes_by_another_name_over_tls_alone() {
        let name = |address: &str, name: &str| {
            let tls = Tls { server_name: Some(name.into()), ..Tls::default() };
            tls.name(&Address::parse(address, 1).unwrap()).map(|address| address.to_string()).ok()
        };
        assert_eq!(name("https://127.0.0.1:8501", "still-1").unwrap(), "https://still-1:8501");
        assert_eq!(name("https://127.0.0.1:8501", "still-1:8500").unwrap(), "https://still-1:8501");
        assert_eq!(name("http://127.0.0.1:8501", "still-1").unwrap(), "http://127.0.0.1:8501");
        assert_eq!(name("https://127.0.0.1:8501", "10.0.0.1"), None);
    }

    #[test]
    fn half_an_identity_is_refused_and_plain_addresses_need_none() {
        let tls = Tls { client_cert: Some("cert.pem".into()), trust_anyone: true, ..Tls::default() };
        let config = |address: &str| tls.config(&Address::parse(address, 1).unwrap());
        assert!(matches!(config("https://h"), Err(Error::Identity)));
        assert!(config("http://h").is_ok());
    }
}
