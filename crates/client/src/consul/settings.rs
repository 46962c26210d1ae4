//! What the genuine Consul tools take from the environment, taken the same way.

use std::fs;

use crate::trust::switch;
use crate::{Address, AddressError, Error, SwitchError, Tls, Token};

/// Consul's HTTP port.
pub const DEFAULT_PORT: u16 = 8500;

/// The port that Consul's documentation gives to HTTPS. The genuine tools don't assume it.
pub const DEFAULT_TLS_PORT: u16 = 8501;

/// Where a Consul server is and how to prove who asks, as far as the environment says.
///
/// `CONSUL_HTTP_ADDR`, `CONSUL_HTTP_SSL`, `CONSUL_HTTP_TOKEN` and `CONSUL_HTTP_TOKEN_FILE` (which wins over the
/// token) mean what they mean to `hashicorp/consul:api/api.go`, and so do the variables that [`Tls`] reads.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's address, by default `127.0.0.1:8500`. With `CONSUL_HTTP_SSL` it is one over TLS, whatever
    /// its text said.
    pub address: Address,
    /// Whom to trust, and who we are.
    pub tls: Tls,
    /// The token, if there is one.
    pub token: Option<Token>,
}

/// Which part of the environment cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The address is not one that can be used.
    #[error("CONSUL_HTTP_ADDR: {0}")]
    Address(#[source] AddressError),
    /// A variable that is true or false is neither.
    #[error(transparent)]
    Switch(#[from] SwitchError),
    /// The token cannot be read or used.
    #[error(transparent)]
    Token(Error),
}

impl Settings {
    /// Reads the settings through `variable`, which is `std::env::var` in all but tests. An `address` given by
    /// the caller wins over the environment's, which then isn't even looked at.
    pub fn read(
        address: Option<Address>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Settings, SettingsError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let address = match address {
            Some(address) => address,
            None => {
                let text =
                    variable("CONSUL_HTTP_ADDR").unwrap_or_else(|| format!("127.0.0.1:{DEFAULT_PORT}"));
                Address::parse(&text, DEFAULT_PORT).map_err(SettingsError::Address)?
            }
        };
        let address = match switch("CONSUL_HTTP_SSL", variable)? {
            Some(true) => address.over_tls(),
            // A scheme that asks for TLS isn't overruled.
            Some(false) | None => address,
        };
        let tls = Tls::read("CONSUL", variable)?;
        let token = match variable("CONSUL_HTTP_TOKEN_FILE") {
            Some(path) => {
                let text = fs::read_to_string(&path).map_err(|error| {
                    SettingsError::Token(Error::TokenFile { path, cause: error.to_string() })
                })?;
                Token::parse(&text)
            }
            None => Token::parse(&variable("CONSUL_HTTP_TOKEN").unwrap_or_default()),
        };
        Ok(Settings { address, tls, token: token.map_err(SettingsError::Token)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let lookup =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::read(None, lookup)
    }

    #[test]
    fn an_empty_environment_means_the_local_agent() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.address.to_string(), "http://127.0.0.1:8500");
        assert!(settings.token.is_none());
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
        let error = read(&[("CONSUL_HTTP_ADDR", "unix:///consul.sock")]).unwrap_err();
        assert!(error.to_string().contains("Unix sockets"));
    }

    #[test]
    fn a_token_file_that_cannot_be_read_is_not_passed_over() {
        let error = read(&[("CONSUL_HTTP_TOKEN_FILE", "/nonexistent/token"), ("CONSUL_HTTP_TOKEN", "x")]);
        assert!(error.unwrap_err().to_string().contains("/nonexistent/token"));
    }
}
