//! What holds for Qdrant's API: its addresses and its keys, also as a Qdrant server is told them.
//!
//! An address comes from the command line, else from our own configuration file, else from the environment, else
//! from the file of `--qdrant-config`. The last two are read as genuine servers read theirs
//! (`qdrant/qdrant:src/settings.rs`): `QDRANT__SERVICE__API_KEY` is `service.api_key`, whatever the case. What they
//! hold beyond what concerns us is ignored, and told once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use dialects::qdrant::Keys;
use dialects::{Allowed, FetchPolicy};
use serde::Deserialize;
use serde_json::Value;

use super::config::{ListenFile, at_home, listen};
use crate::args::{Listen, QdrantArgs};
use crate::exit::{ExitCode, Failure};

const REST_PORT: u16 = 6333;
const GRPC_PORT: u16 = 6334;

/// What our own configuration file says of Qdrant's API alone.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QdrantFile {
    snapshots_dir: Option<PathBuf>,
    url_recovery: Option<bool>,
    url_recovery_allow: Vec<String>,
    url_recovery_only_allowed: bool,
}

/// What holds, resolved.
#[derive(Debug)]
pub(super) struct Qdrant {
    pub(super) rest: Listen,
    pub(super) grpc: Listen,
    pub(super) keys: Keys,
    /// Where people find stored snapshots; `None` is below the data directory.
    pub(super) snapshots_dir: Option<PathBuf>,
    /// Where archives are received; `None` is below the data directory.
    pub(super) temp_dir: Option<PathBuf>,
    /// Where archives are fetched from, if clients may name them by URL at all.
    pub(super) fetch: Option<FetchPolicy>,
    /// A Qdrant server is told to serve over TLS alone.
    pub(super) wants_tls: bool,
    /// A Qdrant server is told to ask for certificates.
    pub(super) wants_certificates: bool,
    /// What a Qdrant server is told that does not concern us, by key.
    pub(super) ignored: Vec<String>,
}

impl Qdrant {
    /// Reads the file of `--qdrant-config`, if one is named, and lets everything else win over it.
    pub(super) fn resolve(
        args: &QdrantArgs,
        file: &ListenFile,
        ours: QdrantFile,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> anyhow::Result<Qdrant> {
        let mut told = Told::default();
        if let Some(path) = &args.qdrant_config {
            told.read(path)?;
        }
        told.hear(environment);
        let host = told.parse::<IpAddr>("service.host", "an IP address")?;
        let port = |told: &mut Told, key, default| -> anyhow::Result<Listen> {
            let is_off = told.is_null(key);
            let port = told.parse(key, "a port")?;
            Ok(match (is_off, host) {
                (true, _) => Listen::Off,
                (false, Some(host)) => Listen::At((host, port.unwrap_or(default)).into()),
                (false, None) => at_home(port.unwrap_or(default)),
            })
        };
        let (rest, grpc) = (
            port(&mut told, "service.http_port", REST_PORT)?,
            port(&mut told, "service.grpc_port", GRPC_PORT)?,
        );
        let keys = Keys {
            api_key: told.text("service.api_key")?.map(Into::into),
            alt_api_key: told.text("service.alt_api_key")?.map(Into::into),
            read_only_api_key: told.text("service.read_only_api_key")?.map(Into::into),
            jwt_rbac: told.flag("service.jwt_rbac")?.unwrap_or(false),
        };
        told.refuse_s3()?;
        let snapshots_dir = told.text("storage.snapshots_path")?.map(PathBuf::from);
        let temp_dir = told.text("storage.temp_path")?.map(PathBuf::from);
        let fetches = told.flag("service.enable_snapshot_url_recovery")?.unwrap_or(true);
        let fetch = match ours.url_recovery.unwrap_or(fetches) {
            true => Some(FetchPolicy {
                allowed: allowed(&ours.url_recovery_allow)?,
                only_allowed: ours.url_recovery_only_allowed,
                ..FetchPolicy::default()
            }),
            false => None,
        };
        Ok(Qdrant {
            rest: listen("listen.qdrant", args.qdrant, file.qdrant.as_deref(), rest)?,
            grpc: listen("listen.qdrant_grpc", args.qdrant_grpc, file.qdrant_grpc.as_deref(), grpc)?,
            keys,
            snapshots_dir: ours.snapshots_dir.or(snapshots_dir),
            temp_dir,
            fetch,
            wants_tls: told.flag("service.enable_tls")?.unwrap_or(false),
            wants_certificates: told.flag("service.verify_https_client_certificate")?.unwrap_or(false),
            ignored: told.rest(),
        })
    }

    /// Fails if it is to be served by a processor that cannot.
    pub(super) fn check_cpu(&self) -> Result<(), Failure> {
        if self.rest == Listen::Off && self.grpc == Listen::Off {
            return Ok(());
        }
        node::points::check_cpu().map_or(Ok(()), |sentence| {
            let hint = "pass --qdrant off --qdrant-grpc off to serve everything else";
            Err(Failure::new(ExitCode::Failed, sentence).hint(hint))
        })
    }
}

fn allowed(texts: &[String]) -> Result<Vec<Allowed>, Failure> {
    let parse = |text: &String| {
        text.parse().map_err(|why: String| Failure::usage(format!("qdrant.url_recovery_allow: {why}")))
    };
    texts.iter().map(parse).collect()
}

/// What a Qdrant server is told: values by the dotted path of their key, together with where they stand.
#[derive(Default)]
struct Told(BTreeMap<String, Value>);

impl Told {
    fn read(&mut self, path: &Path) -> Result<(), Failure> {
        let fail = |why: String| Failure::usage(format!("the file {} cannot be used: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        match serde_saphyr::from_str(&text) {
            Ok(value @ (Value::Object(_) | Value::Null)) => self.flatten(String::new(), value),
            Ok(_) => return Err(fail("it has no sections".to_owned())),
            // Where, but not what stands there: it may be a key.
            Err(error) => {
                let line = error.location().map(|location| format!("line {}: ", location.line()));
                return Err(fail(format!("{}it is no YAML", line.unwrap_or_default())));
            }
        }
        Ok(())
    }

    fn flatten(&mut self, path: String, value: Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let path = if path.is_empty() { name } else { format!("{path}.{name}") };
                    self.flatten(path, value);
                }
            }
            Value::Null if path.is_empty() => {}
            value => {
                self.0.insert(path, value);
            }
        }
    }

    fn hear(&mut self, environment: impl Iterator<Item = (OsString, OsString)>) {
        for (name, value) in environment {
            // What is no text is nothing that concerns us.
            let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) else { continue };
            let name = name.to_ascii_lowercase();
            if let Some(path) = name.strip_prefix("qdrant__") {
                self.0.insert(path.replace("__", "."), Value::String(value));
            }
        }
    }

    fn is_null(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(Value::is_null)
    }

    /// Takes a value as text; an empty one is none.
    fn text(&mut self, key: &str) -> Result<Option<String>, Failure> {
        match self.0.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
            Some(_) => Err(expected(key, "one value")),
        }
    }

    fn parse<T: FromStr>(&mut self, key: &str, what: &str) -> Result<Option<T>, Failure> {
        let parse = |text: String| text.parse().map_err(|_| expected(key, what));
        self.text(key)?.map(parse).transpose()
    }

    /// Takes one of the words that mean yes or no to genuine servers.
    fn flag(&mut self, key: &str) -> Result<Option<bool>, Failure> {
        match self.text(key)?.map(|text| text.to_ascii_lowercase()).as_deref() {
            None => Ok(None),
            Some("false" | "0" | "off" | "no") => Ok(Some(false)),
            Some("true" | "1" | "on" | "yes") => Ok(Some(true)),
            Some(_) => Err(expected(key, "true or false")),
        }
    }

    /// Fails if snapshots are to be kept in an object store: whoever relies on that must not be left with a disk.
    fn refuse_s3(&mut self) -> Result<(), Failure> {
        let key = "storage.snapshots_config.snapshots_storage";
        match self.text(key)?.map(|text| text.to_ascii_lowercase()).as_deref() {
            None | Some("local") => Ok(()),
            Some("s3") => {
                let message = format!("{key} is s3, and snapshots are kept on local disks alone here");
                Err(Failure::usage(message).hint("set it to local, and copy the snapshots from there"))
            }
            Some(_) => Err(expected(key, "local")),
        }
    }

    /// The keys that nobody took, but for those that say nothing.
    fn rest(self) -> Vec<String> {
        self.0.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key).collect()
    }
}

/// The value is left out: it may be a secret under a key of another sort.
fn expected(key: &str, what: &str) -> Failure {
    Failure::usage(format!("{key}, as Qdrant servers are told it, is to be {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(
        mut args: QdrantArgs,
        ours: &str,
        yaml: Option<&str>,
        environment: &[(&str, &str)],
    ) -> Result<Qdrant, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.yaml");
        if let Some(yaml) = yaml {
            std::fs::write(&path, yaml).unwrap();
            args.qdrant_config = Some(path);
        }
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        let file: ListenFile = toml::from_str(ours).unwrap();
        let ours = QdrantFile::default();
        Qdrant::resolve(&args, &file, ours, environment).map_err(|failure| failure.to_string())
    }

    fn told(yaml: &str, environment: &[(&str, &str)]) -> Result<Qdrant, String> {
        resolve(QdrantArgs::default(), "", Some(yaml), environment)
    }

    fn at(address: &str) -> Listen {
        address.parse().unwrap()
    }

    #[test]
    fn untold_it_listens_at_home_and_has_no_keys() {
        let qdrant = resolve(QdrantArgs::default(), "", None, &[("QDRANT_URI", "x"), ("PATH", "y")]).unwrap();
        assert_eq!((qdrant.rest, qdrant.grpc), (at("127.0.0.1:6333"), at("127.0.0.1:6334")));
        assert!(!qdrant.keys.are_set() && !qdrant.wants_tls && qdrant.ignored.is_empty());
        assert_eq!(told("# nothing\n", &[]).unwrap().rest, at("127.0.0.1:6333"));
    }

    #[test]
    fn what_is_said_more_closely_wins() {
        let yaml = "service: {host: 0.0.0.0, http_port: 1, grpc_port: 2}";
        let environment = [("QDRANT__SERVICE__HTTP_PORT", "3")];
        let grpc = Listen::Off;
        let qdrant = told(yaml, &environment).unwrap();
        assert_eq!((qdrant.rest, qdrant.grpc), (at("0.0.0.0:3"), at("0.0.0.0:2")));
        let ours = "qdrant = \"127.0.0.1:4\"\nqdrant_grpc = \"127.0.0.1:5\"";
        let args = QdrantArgs { qdrant_grpc: Some(grpc), ..QdrantArgs::default() };
        let qdrant = resolve(args, ours, Some(yaml), &environment).unwrap();
        assert_eq!((qdrant.rest, qdrant.grpc), (at("127.0.0.1:4"), grpc));
        assert_eq!(told("service: {grpc_port: null}", &[]).unwrap().grpc, Listen::Off);
    }

    #[test]
    fn keys_come_from_the_file_and_from_the_environment() {
        let yaml = "service:\n  api_key: first\n  read_only_api_key: 1234\n  alt_api_key: \"\"\n";
        let environment = [("qdrant__service__API_KEY", "second"), ("QDRANT__SERVICE__JWT_RBAC", "True")];
        let keys = told(yaml, &environment).unwrap().keys;
        let expected = Keys {
            api_key: Some("second".into()),
            alt_api_key: None,
            read_only_api_key: Some("1234".into()),
            jwt_rbac: true,
        };
        assert_eq!(keys, expected);
    }

    #[test]
    fn what_does_not_concern_us_is_named() {
        let yaml = "log_level: INFO\nstorage:\n  performance:\n    max_search_threads: 0\n  \
                    temp_path: null\nservice:\n  enable_tls: true\n  host: 127.0.0.1\n";
        let qdrant = told(yaml, &[("QDRANT__CLUSTER__ENABLED", "true")]).unwrap();
        assert_eq!(
            qdrant.ignored,
            ["cluster.enabled", "log_level", "storage.performance.max_search_threads"]
        );
        assert!(qdrant.wants_tls && !qdrant.wants_certificates);
    }

    #[test]
    fn snapshots_lie_on_local_disks() {
        let snapshots = "storage: {snapshots_path: ./snaps, temp_path: ./temp, \
                         snapshots_config: {snapshots_storage: local}}";
        let qdrant = told(snapshots, &[("QDRANT__SERVICE__ENABLE_SNAPSHOT_URL_RECOVERY", "false")]).unwrap();
        assert_eq!(qdrant.snapshots_dir.as_deref(), Some(Path::new("./snaps")));
        assert_eq!(qdrant.temp_dir.as_deref(), Some(Path::new("./temp")));
        assert!(qdrant.fetch.is_none() && qdrant.ignored.is_empty());
        assert_eq!(told("", &[]).unwrap().fetch, Some(FetchPolicy::default()));
        let error = told("storage: {snapshots_config: {snapshots_storage: s3}}", &[]).unwrap_err();
        assert!(error.contains("local disks alone"), "{error}");
    }

    #[test]
    fn our_own_file_says_where_archives_may_be_fetched_from() {
        let resolve = |ours: &str| {
            let (args, file) = (QdrantArgs::default(), ListenFile::default());
            Qdrant::resolve(&args, &file, toml::from_str(ours).unwrap(), std::iter::empty())
                .map(|qdrant| qdrant.fetch)
                .map_err(|failure| failure.to_string())
        };
        let some = resolve("url_recovery_allow = [\"backups.internal\", \"10.0.0.0/8\"]").unwrap().unwrap();
        assert_eq!(some.allowed.len(), 2);
        assert_eq!(resolve("url_recovery = false").unwrap(), None);
        let error = resolve("url_recovery_allow = [\"a b\"]").unwrap_err();
        assert!(error.starts_with("qdrant.url_recovery_allow: "), "{error}");
    }

    #[test]
    fn what_is_wrong_is_told_without_what_stands_there() {
        let table = [
            ("service: {api_key: s3cret", "line "),
            ("service: {api_key: [s3cret]}", "service.api_key"),
            ("service: {jwt_rbac: s3cret}", "service.jwt_rbac"),
            ("service: {http_port: s3cret}", "service.http_port"),
            ("service: {api_key: a, api_key: s3cret}", "line "),
            ("- s3cret", "no sections"),
            ("s3cret", "no sections"),
        ];
        for (yaml, where_) in table {
            let error = told(yaml, &[]).unwrap_err();
            assert!(error.contains(where_) && !error.contains("s3cret"), "{yaml}: {error}");
        }
    }
}
