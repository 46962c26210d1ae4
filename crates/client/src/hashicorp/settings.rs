//! What the genuine tools take from the environment, taken the same way.

use std::fs;

use archive::state::Product;

use crate::trust::{self, switch};
use crate::{Address, AddressError, Error, SwitchError, Tls, Token};

/// Where a server is and how to prove who asks, as far as the environment says.
///
/// `CONSUL_HTTP_ADDR`, `CONSUL_HTTP_SSL`, `CONSUL_HTTP_TOKEN` and `CONSUL_HTTP_TOKEN_FILE` (which wins over the
/// token) mean what they mean to `hashicorp/consul:api/api.go`; `NOMAD_ADDR`, `NOMAD_TOKEN` and `NOMAD_REGION`
/// what they mean to `hashicorp/nomad:api/api.go`; and so do the variables that [`Tls`] reads.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's address, by default that of an agent on this machine. With `CONSUL_HTTP_SSL` it is one over
    /// TLS, whatever its text said.
    pub address: Address,
    /// Whom to trust, and who we are.
    pub tls: Tls,
    /// The token, if there is one.
    pub token: Option<Token>,
    /// Nomad's region, if it is named.
    pub place: Option<String>,
}

/// Which part of the environment cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The address is not one that can be used.
    #[error("{variable}: {cause}")]
    Address {
        /// Where the address comes from.
        variable: &'static str,
        /// What is wrong with it.
        cause: AddressError,
    },
    /// A variable that is true or false is neither.
    #[error(transparent)]
    Switch(#[from] SwitchError),
    /// The token cannot be read or used.
    #[error(transparent)]
    Token(Error),
}

/// The names of a product's variables. What it has none for is empty.
struct Names {
    address: &'static str,
    ssl: &'static str,
    token: &'static str,
    token_file: &'static str,
    place: &'static str,
    tls: trust::Names,
}

const CONSUL: Names = Names {
    address: "CONSUL_HTTP_ADDR",
    ssl: "CONSUL_HTTP_SSL",
    token: "CONSUL_HTTP_TOKEN",
    token_file: "CONSUL_HTTP_TOKEN_FILE",
    // It has none: CONSUL_DATACENTER is read by no genuine tool.
    place: "",
    tls: trust::Names::of("CONSUL"),
};

const NOMAD: Names = Names {
    address: "NOMAD_ADDR",
    ssl: "",
    token: "NOMAD_TOKEN",
    token_file: "",
    place: "NOMAD_REGION",
    tls: trust::Names { skip_verify: Some("SKIP_VERIFY"), verify: None, ..trust::Names::of("NOMAD") },
};

/// The port of a product's HTTP API.
pub fn default_port(product: Product) -> u16 {
    match product {
        Product::Consul => 8500,
        Product::Nomad => 4646,
    }
}

/// The port that a product's documentation gives to HTTPS; Nomad keeps the one it has. The genuine tools don't
/// assume it.
pub fn default_tls_port(product: Product) -> u16 {
    match product {
        Product::Consul => 8501,
        Product::Nomad => default_port(product),
    }
}

impl Settings {
    /// Reads a product's settings through `variable`, which is `std::env::var` in all but tests. An `address`
    /// given by the caller wins over the environment's, which then isn't even looked at.
    pub fn read(
        product: Product,
        address: Option<Address>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Settings, SettingsError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let names = match product {
            Product::Consul => CONSUL,
            Product::Nomad => NOMAD,
        };
        let port = default_port(product);
        let address = match address {
            Some(address) => address,
            None => {
                let text = variable(names.address).unwrap_or_else(|| format!("127.0.0.1:{port}"));
                Address::parse(&text, port)
                    .map_err(|cause| SettingsError::Address { variable: names.address, cause })?
            }
        };
        let address = match switch(names.ssl, variable)? {
            Some(true) => address.over_tls(),
            // A scheme that asks for TLS isn't overruled.
            Some(false) | None => address,
        };
        let tls = Tls::read(&names.tls, variable)?;
        let token = match variable(names.token_file) {
            Some(path) => {
                let text = fs::read_to_string(&path).map_err(|error| {
                    SettingsError::Token(Error::TokenFile { path, cause: error.to_string() })
                })?;
                Token::parse(&text)
            }
            None => Token::parse(&variable(names.token).unwrap_or_default()),
        };
        let token = token.map_err(SettingsError::Token)?;
        Ok(Settings { address, tls, token, place: variable(names.place) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(product: Product, variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let lookup =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::read(product, None, lookup)
    }

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        read_of(Product::Consul, variables)
    }

    #[test]
    fn an_empty_environment_means_the_local_agent() {
        for (product, address) in
            [(Product::Consul, "http://127.0.0.1:8500"), (Product::Nomad, "http://127.0.0.1:4646")]
        {
            let settings = read_of(product, &[]).unwrap();
            assert_eq!(settings.address.to_string(), address);
            assert!(settings.token.is_none() && settings.place.is_none());
            assert_eq!(settings.tls, Tls::default());
        }
    }

    #[test]
    fn the_address_comes_in_both_of_its_forms() {
        for text in ["consul.example:8600", "http://consul.example:8600"] {
            let settings = read(&[("CONSUL_HTTP_ADDR", text)]).unwrap();
            assert_eq!(settings.address.to_string(), "http://consul.example:8600");
        }
    }

    #[test]
    fn tls_is_switched_on_but_never_off() {
        let table = [
            ("h:8501", "true", "https://h:8501"),
            ("http://h:8501", "1", "https://h:8501"),
            ("h:8501", "false", "http://h:8501"),
            ("https://h:8501", "false", "https://h:8501"),
            ("https://h:8501", "", "https://h:8501"),
        ];
        for (address, ssl, expected) in table {
            let settings = read(&[("CONSUL_HTTP_ADDR", address), ("CONSUL_HTTP_SSL", ssl)]).unwrap();
            assert_eq!(settings.address.to_string(), expected);
        }
        let error = read(&[("CONSUL_HTTP_SSL", "maybe")]).unwrap_err();
        assert_eq!(error.to_string(), "CONSUL_HTTP_SSL=maybe is neither true nor false");
    }

    #[test]
    fn sockets_are_refused_in_words() {
        for (product, name) in [(Product::Consul, "CONSUL_HTTP_ADDR"), (Product::Nomad, "NOMAD_ADDR")] {
            let error = read_of(product, &[(name, "unix:///agent.sock")]).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name}: ")) && error.contains("Unix sockets"), "{error}");
        }
    }

    #[test]
    fn a_token_file_that_cannot_be_read_is_not_passed_over() {
        let error = read(&[("CONSUL_HTTP_TOKEN_FILE", "/nonexistent/token"), ("CONSUL_HTTP_TOKEN", "x")]);
        assert!(error.unwrap_err().to_string().contains("/nonexistent/token"));
    }

    #[test]
    fn nomad_has_names_of_its_own() {
        let variables = [
            ("NOMAD_ADDR", "https://nomad.example:4646"),
            ("NOMAD_TOKEN", "s3cret"),
            ("NOMAD_REGION", "europe"),
            ("NOMAD_CACERT", "ca.pem"),
            ("NOMAD_TLS_SERVER_NAME", "server.global.nomad"),
            ("NOMAD_SKIP_VERIFY", "true"),
            ("CONSUL_HTTP_TOKEN", "of the other"),
        ];
        let settings = read_of(Product::Nomad, &variables).unwrap();
        assert_eq!(settings.address.to_string(), "https://nomad.example:4646");
        assert!(settings.token.unwrap().is(b"s3cret"));
        assert_eq!(settings.place.as_deref(), Some("europe"));
        let expected = Tls {
            ca_file: Some("ca.pem".into()),
            server_name: Some("server.global.nomad".into()),
            trust_anyone: true,
            ..Tls::default()
        };
        assert_eq!(settings.tls, expected);
        assert!(read_of(Product::Nomad, &[("NOMAD_SKIP_VERIFY", "perhaps")]).is_err());
    }
}
