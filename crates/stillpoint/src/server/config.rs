//! The configuration file and the arguments, resolved into settings as they are meant.
//!
//! `packaging/stillpoint.toml` is the commented sample; unknown keys are errors.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use archive::state::Product;
use client::{Address, hashicorp};
#[cfg(feature = "qdrant")]
use dialects::FetchPolicy;
use node::{DefaultPolicy, Settings};
use serde::Deserialize;
use tls::{Files, Identity, Trust};

use super::acl::Acl;
#[cfg(feature = "qdrant")]
use super::qdrant::{Qdrant, QdrantFile};
use crate::args::{DATA_DIR_DEFAULT, Listen, LogFormat, LogLevel, ServerArgs};
use crate::exit::{ExitCode, Failure};

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    data_dir: Option<PathBuf>,
    node_name: Option<String>,
    datacenter: Option<String>,
    region: Option<String>,
    listen: ListenFile,
    datacenters: BTreeMap<String, String>,
    regions: BTreeMap<String, String>,
    tls: Option<TlsFile>,
    acl: Acl,
    nomad: NomadFile,
    #[cfg(feature = "qdrant")]
    qdrant: QdrantFile,
    limits: Limits,
    log: Log,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListenFile {
    consul: Option<String>,
    nomad: Option<String>,
    native: Option<String>,
    #[cfg(feature = "qdrant")]
    pub(super) qdrant: Option<String>,
    #[cfg(feature = "qdrant")]
    pub(super) qdrant_grpc: Option<String>,
}

/// What holds for Nomad's API alone.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NomadFile {
    acl: NomadAcl,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NomadAcl {
    enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFile {
    cert: PathBuf,
    key: PathBuf,
    ca: Option<PathBuf>,
    #[serde(default)]
    verify_incoming: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    kv_max_value_bytes: Option<usize>,
    restore_max_bytes: Option<u64>,
    undo_keep: Option<String>,
    disk_reserve_bytes: Option<u64>,
}

/// What is logged, and how it looks.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) format: LogFormat,
    pub(super) level: LogLevel,
}

/// Everything the server needs to know, resolved.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) consul: Listen,
    pub(super) nomad: Listen,
    pub(super) native: Listen,
    #[cfg(feature = "qdrant")]
    pub(super) qdrant: Qdrant,
    /// The TLS of every listener, if there is any.
    pub(super) tls: Option<Files>,
    pub(super) log: Log,
    settings: Settings,
}

/// A value must fit into one log entry, beside its key.
const KV_MAX_VALUE_BYTES_MAX: usize = 8 << 20;

impl Config {
    /// Reads the file, if one is named, and lets the arguments win over it.
    pub(super) fn resolve(args: &ServerArgs) -> anyhow::Result<Config> {
        let file = match &args.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        let data_dir = args.data_dir.clone().or(file.data_dir).unwrap_or_else(|| DATA_DIR_DEFAULT.into());
        let mut settings = Settings::new(data_dir);
        settings.node_name = file.node_name.unwrap_or_else(host_name);
        set(&mut settings.datacenter, file.datacenter);
        settings.datacenters =
            urls("datacenters", hashicorp::default_port(Product::Consul), file.datacenters)?;
        set(&mut settings.region, file.region);
        settings.regions = urls("regions", hashicorp::default_port(Product::Nomad), file.regions)?;
        set(&mut settings.kv_max_value_bytes, file.limits.kv_max_value_bytes);
        set(&mut settings.restore_max_bytes, file.limits.restore_max_bytes);
        set(&mut settings.disk_reserve_bytes, file.limits.disk_reserve_bytes);
        if let Some(keep) = file.limits.undo_keep {
            settings.undo_keep = duration(&keep).with_context(|| format!("limits.undo_keep = {keep:?}"))?;
        }
        settings.nomad_access = file.nomad.acl.enabled;
        settings.access = file.acl.resolve(|name| std::env::var(name).ok())?;
        let config = Config {
            consul: listen(
                "listen.consul",
                args.consul,
                file.listen.consul.as_deref(),
                at_home(hashicorp::default_port(Product::Consul)),
            )?,
            nomad: listen(
                "listen.nomad",
                args.nomad,
                file.listen.nomad.as_deref(),
                at_home(hashicorp::default_port(Product::Nomad)),
            )?,
            native: listen(
                "listen.native",
                args.native,
                file.listen.native.as_deref(),
                at_home(client::native::DEFAULT_PORT),
            )?,
            #[cfg(feature = "qdrant")]
            qdrant: Qdrant::resolve(&args.qdrant, &file.listen, file.qdrant, std::env::vars_os())?,
            tls: file.tls.map(tls_files),
            log: Log {
                format: args.log_format.unwrap_or(file.log.format),
                level: args.log_level.unwrap_or(file.log.level),
            },
            settings,
        };
        config.check(args.insecure)?;
        Ok(config)
    }

    /// Tells what was said that has no effect. Not before there is a log.
    pub(super) fn tell(&self) {
        #[cfg(feature = "qdrant")]
        if !self.qdrant.ignored.is_empty() {
            let keys = self.qdrant.ignored.join(", ");
            tracing::warn!(keys, "Qdrant servers are told what does not concern this one: it is ignored");
        }
    }

    /// The node's settings, once it is known where the node can be reached.
    pub(super) fn settings(&self, address: Option<SocketAddr>) -> Settings {
        let mut settings = self.settings.clone();
        set(&mut settings.address, address.map(|address| address.to_string()));
        #[cfg(feature = "qdrant")]
        {
            settings.snapshots_dir.clone_from(&self.qdrant.snapshots_dir);
            settings.temp_dir.clone_from(&self.qdrant.temp_dir);
        }
        settings
    }

    fn check(&self, insecure: bool) -> anyhow::Result<()> {
        if self.settings.kv_max_value_bytes > KV_MAX_VALUE_BYTES_MAX {
            let message = format!("limits.kv_max_value_bytes is at most {KV_MAX_VALUE_BYTES_MAX}");
            return Err(Failure::usage(message).into());
        }
        if let Some((section, name, _)) = self.others().find(|(_, _, url)| url.contains('@')) {
            // The URL is left out: it may hold a password.
            let message = format!("{section}.{name}: the URL is to have no user name");
            return Err(Failure::usage(message)
                .hint("tokens come with the requests that are passed on")
                .into());
        }
        #[cfg(feature = "qdrant")]
        self.check_qdrant()?;
        for (what, listen) in self.addresses() {
            let (has_control, control, configure) = self.control(what);
            let lacks = self.lacks(has_control, control, configure);
            if let (Listen::At(address), Some(lacks), false) = (listen, lacks, insecure)
                && !address.ip().is_loopback()
            {
                let Lacks { what: lack, configure } = lacks;
                let message =
                    format!("{what} would listen on {address}, beyond this machine, without {lack}");
                let hint = format!("configure {configure}, listen on 127.0.0.1, or pass --insecure");
                return Err(Failure::usage(message).hint(hint).into());
            }
        }
        Ok(())
    }

    /// Every listener by the name of its argument, and where it listens.
    pub(super) fn addresses(&self) -> Vec<(&'static str, Listen)> {
        vec![
            ("consul", self.consul),
            ("nomad", self.nomad),
            #[cfg(feature = "qdrant")]
            ("qdrant", self.qdrant.rest),
            #[cfg(feature = "qdrant")]
            ("qdrant-grpc", self.qdrant.grpc),
            ("native", self.native),
        ]
    }

    /// Whether a listener keeps strangers out, what that takes, and how it is configured.
    fn control(&self, listener: &str) -> (bool, &'static str, &'static str) {
        const ACL: &str = "an ACL that denies by default";
        match listener {
            "consul" => (self.denies_strangers(), ACL, "[acl] with default_policy = \"deny\""),
            "nomad" => (self.settings.nomad_access, ACL, "[nomad.acl] with enabled = true"),
            #[cfg(feature = "qdrant")]
            "qdrant" | "qdrant-grpc" => {
                (self.qdrant.keys.are_set(), "an API key", "service.api_key in the file of --qdrant-config")
            }
            // It has an access control of its own: the operator's token.
            _ => (true, "", ""),
        }
    }

    fn lacks(&self, has_control: bool, control: &str, configure: &str) -> Option<Lacks> {
        let (what, configure) = match (self.tls.is_some(), has_control) {
            (true, true) => return None,
            (false, true) => ("TLS".to_owned(), "[tls]".to_owned()),
            (true, false) => (control.to_owned(), configure.to_owned()),
            (false, false) => (format!("TLS and {control}"), format!("[tls], and {configure}")),
        };
        Some(Lacks { what, configure })
    }

    /// What a Qdrant server is told about TLS must hold, and ours is told in a section of its own.
    #[cfg(feature = "qdrant")]
    fn check_qdrant(&self) -> anyhow::Result<()> {
        let asks = self.tls.as_ref().is_some_and(|files| files.verify_incoming);
        let unmet = match &self.qdrant {
            Qdrant { wants_tls: true, .. } if self.tls.is_none() => "service.enable_tls",
            Qdrant { wants_certificates: true, .. } if !asks => "service.verify_https_client_certificate",
            _ => return Ok(()),
        };
        let message = format!("{unmet} asks for TLS, which every API here has from [tls] alone");
        let hint = "write cert, key, ca and verify_incoming into [tls] of the file of --config";
        Err(Failure::usage(message).hint(hint).into())
    }

    /// Whether Consul's API gives nothing to whoever has no token.
    fn denies_strangers(&self) -> bool {
        let access = &self.settings.access;
        access.enabled && access.default_policy == DefaultPolicy::Deny
    }

    /// The URLs that requests are passed on to, and where they are configured.
    fn others(&self) -> impl Iterator<Item = (&'static str, &String, &String)> {
        let datacenters = self.settings.datacenters.iter().map(|(name, url)| ("datacenters", name, url));
        datacenters.chain(self.settings.regions.iter().map(|(name, url)| ("regions", name, url)))
    }

    /// Whether every listener is for this machine's own users.
    #[cfg(feature = "qdrant")]
    fn is_at_home(&self) -> bool {
        self.addresses().iter().all(|(_, listen)| match listen {
            Listen::Off => true,
            Listen::At(address) => address.ip().is_loopback(),
        })
    }

    /// Where archives are fetched from on behalf of Qdrant's clients, if they are.
    #[cfg(feature = "qdrant")]
    pub(super) fn fetch_policy(&self) -> Option<FetchPolicy> {
        let policy = self.qdrant.fetch.clone().filter(|_| self.qdrant.rest != Listen::Off)?;
        Some(FetchPolicy {
            loopback: self.is_at_home(),
            bytes_max: self.settings.restore_max_bytes,
            ..policy
        })
    }

    /// Whether archives are fetched over TLS, if this system knows anybody to trust.
    fn fetches_over_tls(&self) -> bool {
        #[cfg(feature = "qdrant")]
        return self.fetch_policy().is_some() && tls::client_config(&Trust::System, None).is_ok();
        #[cfg(not(feature = "qdrant"))]
        false
    }

    /// Whose word to take for who answers in another datacenter or region, or sends an archive.
    pub(super) fn trust(&self) -> Trust {
        let over_tls = self.others().any(|(_, _, url)| url.starts_with("https://"));
        let ca = self.tls.as_ref().and_then(|files| files.ca.clone());
        match (over_tls || self.fetches_over_tls(), ca) {
            (false, _) => Trust::Nobody,
            (true, None) => Trust::System,
            (true, Some(ca)) => Trust::SystemAnd(ca),
        }
    }
}

/// What is missing before others than this machine's own users may reach a listener.
struct Lacks {
    what: String,
    configure: String,
}

/// Addresses of other APIs as URLs. What could never be asked is found here and not by the first request.
fn urls(
    section: &str,
    port: u16,
    file: BTreeMap<String, String>,
) -> anyhow::Result<BTreeMap<String, String>> {
    let url = |(name, text): (String, String)| match Address::parse(&text, port) {
        Ok(address) => Ok((name, address.to_string())),
        Err(error) => Err(Failure::usage(format!("{section}.{name}: {error}")).into()),
    };
    file.into_iter().map(url).collect()
}

fn tls_files(file: TlsFile) -> Files {
    let TlsFile { cert, key, ca, verify_incoming } = file;
    Files { identity: Identity { cert, key }, ca, verify_incoming }
}

fn set<T>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

fn read(path: &Path) -> anyhow::Result<File> {
    let fail = |why: String| {
        let message = format!("the configuration {} cannot be used: {why}", path.display());
        Failure::new(ExitCode::Usage, message).hint("packaging/stillpoint.toml is a commented sample")
    };
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    Ok(toml::from_str(&text).map_err(|error| fail(without_values(&text, &error)))?)
}

/// Where and what, but not what stands there: it may be a secret.
fn without_values(text: &str, error: &toml::de::Error) -> String {
    let message = match (error.message().split_once('"'), error.message().rsplit_once('"')) {
        (Some((before, _)), Some((_, after))) => format!("{before}\"…\"{after}"),
        _ => error.message().to_owned(),
    };
    match error.span() {
        Some(span) => format!("line {}: {message}", text[..span.start].matches('\n').count() + 1),
        None => message,
    }
}

pub(super) fn listen(
    key: &str,
    arg: Option<Listen>,
    file: Option<&str>,
    default: Listen,
) -> anyhow::Result<Listen> {
    match (arg, file) {
        (Some(listen), _) => Ok(listen),
        (None, Some(text)) => {
            text.parse().map_err(|e| Failure::usage(format!("{key} = {text:?}: {e}")).into())
        }
        (None, None) => Ok(default),
    }
}

/// An address for this machine's own users.
pub(super) fn at_home(port: u16) -> Listen {
    Listen::At((Ipv4Addr::LOCALHOST, port).into())
}

/// A number and a unit: `90s`, `30m`, `24h`, `7d`.
fn duration(text: &str) -> anyhow::Result<Duration> {
    let (number, unit_s) = match text.char_indices().last() {
        Some((end, 's')) => (&text[..end], 1),
        Some((end, 'm')) => (&text[..end], 60),
        Some((end, 'h')) => (&text[..end], 3600),
        Some((end, 'd')) => (&text[..end], 24 * 3600),
        _ => ("", 0),
    };
    let number: u64 = number.parse().context("a number and one of s, m, h, d, such as 24h")?;
    Ok(Duration::from_secs(number.saturating_mul(unit_s)))
}

fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "stillpoint".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/stillpoint.toml")
    }

    #[test]
    fn the_sample_configuration_is_read() {
        read(&sample()).unwrap();
    }

    #[test]
    fn every_setting_that_the_sample_shows_can_be_switched_on() {
        let text = std::fs::read_to_string(sample()).unwrap();
        let shown: Vec<&str> = text
            .lines()
            .map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line))
            .collect();
        let file: File = toml::from_str(&shown.join("\n")).unwrap();
        assert!(file.data_dir.is_some() && file.limits.undo_keep.is_some() && file.tls.is_some());
        assert!(file.acl.resolve(|_| None).is_err(), "it shows two places for one token");
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = toml::from_str::<File>("[limits]\nundo_kep = \"1h\"").unwrap_err();
        assert!(error.to_string().contains("undo_kep"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_told_without_what_stands_there() {
        let told = |text: &str| without_values(text, &toml::from_str::<File>(text).unwrap_err());
        assert!(told("\n[log]\nlevl = \"s3cret\"").starts_with("line 3: unknown field `levl`"));
        for text in ["node_name = \"s3cret", "[tls]\nverify_incoming = \"s3\\\"cret\"", "data_dir = s3cret"] {
            assert!(!told(text).contains("cret"), "{}", told(text));
        }
    }

    #[test]
    fn tls_needs_certificate_and_key() {
        let error = toml::from_str::<File>("[tls]\nkey = \"key.pem\"").unwrap_err();
        assert!(error.to_string().contains("cert"), "{error}");
    }

    #[test]
    fn addresses_of_datacenters_become_urls() {
        let resolve = |text: &str| {
            urls(
                "datacenters",
                hashicorp::default_port(Product::Consul),
                [("dc2".to_owned(), text.to_owned())].into(),
            )
        };
        let table = [
            ("10.2.0.1", "http://10.2.0.1:8500"),
            ("consul.dc2:8600", "http://consul.dc2:8600"),
            ("https://10.2.0.1:8501/", "https://10.2.0.1:8501"),
        ];
        for (text, url) in table {
            assert_eq!(resolve(text).unwrap()["dc2"], url);
        }
        for bad in ["", "ftp://10.2.0.1", "https://user:secret@10.2.0.1", "http://10.2.0.1?dc=dc3"] {
            let error = resolve(bad).unwrap_err().to_string();
            assert!(error.starts_with("datacenters.dc2: ") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("24h").unwrap(), Duration::from_secs(86_400));
        assert_eq!(duration("7d").unwrap(), Duration::from_secs(7 * 86_400));
        for bad in ["", "24", "h", "-1h", "1 h", "1w"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }
}
