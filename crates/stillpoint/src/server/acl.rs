//! The `[acl]` section of the configuration: who may do what through Consul's API.

use std::path::PathBuf;

use node::{AccessSettings, DefaultPolicy, Secret};
use serde::Deserialize;
use uuid::Uuid;

use crate::exit::Failure;

/// The variable that holds the initial management token where the file should not.
const VARIABLE: &str = "STILLPOINT_INITIAL_MANAGEMENT";

/// The section as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Acl {
    enabled: bool,
    default_policy: Policy,
    initial_management: Option<Secret>,
    initial_management_file: Option<PathBuf>,
    enable_key_list_policy: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Policy {
    #[default]
    Allow,
    Deny,
}

impl Acl {
    /// Reads the token from wherever it is: the environment, read through `variable`, wins over the file.
    pub(super) fn resolve(
        self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<AccessSettings, Failure> {
        let default_policy = match self.default_policy {
            Policy::Allow => DefaultPolicy::Allow,
            Policy::Deny => DefaultPolicy::Deny,
        };
        Ok(AccessSettings {
            enabled: self.enabled,
            default_policy,
            key_list_policy: self.enable_key_list_policy,
            initial_management: self.initial_management(variable)?,
        })
    }

    fn initial_management(
        self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Secret>, Failure> {
        let from_environment = variable(VARIABLE).filter(|secret| !secret.is_empty()).map(Secret::from);
        let (place, secret) = match (from_environment, self.initial_management, self.initial_management_file)
        {
            (_, Some(_), Some(_)) => {
                let message = "acl.initial_management and acl.initial_management_file exclude each other";
                return Err(Failure::usage(message));
            }
            (Some(secret), ..) => (VARIABLE.to_owned(), secret),
            (None, Some(secret), None) => ("acl.initial_management".to_owned(), secret),
            (None, None, Some(path)) => {
                let place = format!("acl.initial_management_file = {:?}", path.display().to_string());
                let secret = std::fs::read_to_string(&path)
                    .map_err(|error| Failure::usage(format!("{place}: {error}")))?;
                (place, secret.into())
            }
            (None, None, None) => return Ok(None),
        };
        // Anything else could be guessed, be a word with a meaning of its own, or not fit into a header. Clients
        // send it as it stands here.
        let secret = secret.expose().trim();
        let is_uuid = secret.len() == 36 && Uuid::try_parse(secret).is_ok_and(|uuid| !uuid.is_nil());
        if !is_uuid {
            let hint = "`uuidgen` makes one";
            return Err(Failure::usage(format!("{place}: the token is no UUID")).hint(hint));
        }
        Ok(Some(secret.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "5ec2e700-0000-4000-8000-000000000001";
    const OTHER: &str = "5ec2e700-0000-4000-8000-000000000002";

    fn resolve(text: &str, variable: Option<&str>) -> Result<AccessSettings, String> {
        let acl: Acl = toml::from_str(text).unwrap();
        acl.resolve(|_| variable.map(str::to_owned)).map_err(|failure| failure.to_string())
    }

    fn initial(text: &str, variable: Option<&str>) -> Option<Secret> {
        resolve(text, variable).unwrap().initial_management
    }

    #[test]
    fn nothing_is_controlled_unless_it_is_said() {
        assert_eq!(resolve("", None).unwrap(), AccessSettings::default());
        let settings =
            resolve("enabled = true\ndefault_policy = \"deny\"\nenable_key_list_policy = true", None);
        let expected = AccessSettings {
            enabled: true,
            default_policy: DefaultPolicy::Deny,
            key_list_policy: true,
            initial_management: None,
        };
        assert_eq!(settings.unwrap(), expected);
        assert!(toml::from_str::<Acl>("default_policy = \"manage\"").is_err());
    }

    #[test]
    fn the_management_token_comes_from_one_of_three_places() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, format!("{SECRET}\n")).unwrap();
        let written = format!("initial_management = {SECRET:?}");
        let filed = format!("initial_management_file = {path:?}");
        assert_eq!(initial(&written, None), Some(SECRET.into()));
        assert_eq!(initial(&filed, None), Some(SECRET.into()));
        assert_eq!(initial(&written, Some(OTHER)), Some(OTHER.into()));
        assert_eq!(initial("", Some("")), None);
        assert!(resolve(&format!("{written}\n{filed}"), None).unwrap_err().contains("exclude"));
        assert!(
            resolve("initial_management_file = \"/nonexistent\"", None).unwrap_err().contains("/nonexistent")
        );
    }

    #[test]
    fn a_management_token_that_is_no_uuid_is_refused_and_not_shown() {
        let bare = SECRET.replace('-', "");
        let nil = Uuid::nil().to_string();
        for bad in ["anonymous", "s3cret", &bare, &nil] {
            let error = resolve("", Some(bad)).unwrap_err();
            assert!(error.contains("no UUID") && !error.contains(bad), "{error}");
        }
    }
}
