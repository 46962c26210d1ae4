//! A secret in memory. It reaches the store and the wire, never a log.

use std::fmt;

use serde::Deserialize;

/// The secret of a token. Its `Debug` form doesn't show it, nor does that of anything that holds it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Secret {
        Secret(secret)
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Secret {
        Secret(secret.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use crate::Settings;

    #[test]
    fn settings_show_no_secret() {
        let mut settings = Settings::new("data");
        settings.access.initial_management = Some("5ec2e7".into());
        let shown = format!("{settings:?}");
        assert!(shown.contains("Secret(..)") && !shown.contains("5ec2e7"), "{shown}");
    }
}
