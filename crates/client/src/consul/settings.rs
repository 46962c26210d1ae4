//! What the genuine Consul tools take from the environment, taken the same way.

use std::fs;

use crate::{Address, AddressError, Error, Token};

/// Consul's HTTP port.
pub const DEFAULT_PORT: u16 = 8500;

/// Where a Consul server is and how to prove who asks, as far as the environment says.
///
/// `CONSUL_HTTP_ADDR`, `CONSUL_HTTP_TOKEN` and `CONSUL_HTTP_TOKEN_FILE` (which wins) mean what they mean to
/// `hashicorp/consul:api/api.go`; `CONSUL_HTTP_SSL=true` is refused until TLS is built in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's address, by default `127.0.0.1:8500`.
    pub address: Address,
    /// The token, if there is one.
    pub token: Option<Token>,
}

/// Which part of the environment cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The address is not one that can be used.
    #[error("CONSUL_HTTP_ADDR: {0}")]
    Address(#[source] AddressError),
    /// TLS is asked for.
    #[error("CONSUL_HTTP_SSL={0} asks for TLS, which is not built in yet")]
    Tls(String),
    /// The value of `CONSUL_HTTP_SSL` is neither true nor false.
    #[error("CONSUL_HTTP_SSL={0} is neither true nor false")]
    Switch(String),
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
        if let Some(value) = variable("CONSUL_HTTP_SSL") {
            match value.as_str() {
                "0" | "f" | "F" | "false" | "False" | "FALSE" => {}
                "1" | "t" | "T" | "true" | "True" | "TRUE" => return Err(SettingsError::Tls(value)),
                _ => return Err(SettingsError::Switch(value)),
            }
        }
        let address = match address {
            Some(address) => address,
            None => {
                let text =
                    variable("CONSUL_HTTP_ADDR").unwrap_or_else(|| format!("127.0.0.1:{DEFAULT_PORT}"));
                Address::parse(&text, DEFAULT_PORT).map_err(SettingsError::Address)?
            }
        };
        let token = match variable("CONSUL_HTTP_TOKEN_FILE") {
            Some(path) => {
                let text = fs::read_to_string(&path).map_err(|error| {
                    SettingsError::Token(Error::TokenFile { path, cause: error.to_string() })
                })?;
                Token::parse(&text)
            }
            None => Token::parse(&variable("CONSUL_HTTP_TOKEN").unwrap_or_default()),
        };
        Ok(Settings { address, token: token.map_err(SettingsError::Token)? })
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
    fn tls_and_sockets_are_refused_in_words() {
        let text = |variables: &[(&str, &str)]| read(variables).unwrap_err().to_string();
        assert!(text(&[("CONSUL_HTTP_SSL", "true")]).contains("TLS"));
        assert!(text(&[("CONSUL_HTTP_ADDR", "https://h:8501")]).contains("TLS"));
        assert!(text(&[("CONSUL_HTTP_ADDR", "unix:///consul.sock")]).contains("Unix sockets"));
        assert!(read(&[("CONSUL_HTTP_SSL", "false")]).is_ok());
        assert!(matches!(read(&[("CONSUL_HTTP_SSL", "maybe")]), Err(SettingsError::Switch(_))));
    }

    #[test]
    fn a_token_file_that_cannot_be_read_is_not_passed_over() {
        let error = read(&[("CONSUL_HTTP_TOKEN_FILE", "/nonexistent/token"), ("CONSUL_HTTP_TOKEN", "x")]);
        assert!(error.unwrap_err().to_string().contains("/nonexistent/token"));
    }
}
