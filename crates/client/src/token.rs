//! A secret that proves who asks. It reaches the wire and nothing else.

use std::fmt;

use reqwest::header::HeaderValue;

use crate::Error;

/// An access token. Neither its `Debug` form nor any error shows it.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// Takes a token as typed or as read from a file: surrounding white space is not part of it. `None` if
    /// nothing is left, [`Error::Token`] if it holds what an HTTP header cannot carry.
    pub fn parse(text: &str) -> Result<Option<Token>, Error> {
        match text.trim() {
            "" => Ok(None),
            token => Ok(Some(Token(secret(token)?))),
        }
    }

    /// Whether this is the token of that text, such as one found in an archive.
    pub fn is(&self, text: &[u8]) -> bool {
        self.0.as_bytes() == text
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    pub(crate) fn bearer(&self) -> Result<HeaderValue, Error> {
        secret(&format!("Bearer {}", self.0.to_str().map_err(|_| Error::Token)?))
    }
}

fn secret(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Error::Token)?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::parse(" 7f3a \n").unwrap().unwrap();
        assert_eq!(token.header().to_str().unwrap(), "7f3a");
        assert!(!format!("{token:?} {:?}", token.bearer()).contains("7f3a"));
    }

    #[test]
    fn an_empty_file_holds_no_token_and_a_torn_one_is_refused() {
        assert!(Token::parse("\n").unwrap().is_none());
        assert!(matches!(Token::parse("a\nb"), Err(Error::Token)));
    }
}
