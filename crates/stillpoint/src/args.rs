//! The command line as typed. What it means is up to the commands.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use client::{Address, AddressError, native};
use serde::Deserialize;
use uuid::Uuid;

use crate::target::Target;

/// Where data lies unless told otherwise.
pub(crate) const DATA_DIR_DEFAULT: &str = "stillpoint-data";

/// Saves and restores the state of Stillpoint, Consul, Nomad and Qdrant servers, verifies archives, and is itself
/// the server.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Write the result as JSON, one object on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing on stderr but warnings and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Reads the command line, or ends the process with what is wrong with it.
pub(crate) fn parse() -> Args {
    Args::try_parse().unwrap_or_else(|mut error| {
        // A URL in which somebody wrote a password or a token is refused without being shown.
        if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue)
            && value.contains(['@', '?', '#'])
        {
            error.insert(ContextKind::InvalidValue, ContextValue::String("…".to_owned()));
        }
        error.exit()
    })
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 4 archive damaged, 10 not found, \
                          12 denied, 130 interrupted";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Server(ServerArgs),
    /// Save a scope, or a Consul, Nomad or Qdrant server, into a file, and verify it
    Save(SaveArgs),
    /// Replace the state of a scope, or of a Consul, Nomad or Qdrant server, by an archive
    Restore(RestoreArgs),
    /// Bring back what the last restore of a scope replaced
    Undo(UndoArgs),
    /// Show what is in an archive
    Inspect(InspectArgs),
    /// Check an archive completely: container, hashes, every record
    Verify(VerifyArgs),
    /// Show how the server is; fails unless it serves
    Status(StatusArgs),
    /// List, show or cancel the server's tasks
    #[command(subcommand)]
    Task(TaskCommand),
    /// List the snapshots that the server stores
    List(ListArgs),
    /// Save into the server's own store
    Create(CreateArgs),
    /// Fetch a stored snapshot into a file, and verify it
    Download(DownloadArgs),
    /// Put an archive into the server's store
    Upload(UploadArgs),
    /// Remove a stored snapshot
    Delete(DeleteArgs),
    /// Write a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// How to start the server. What is given here wins over the configuration file.
#[derive(Debug, clap::Args)]
pub(crate) struct ServerArgs {
    /// Run alone, with everything on and default settings
    #[arg(long)]
    pub(crate) dev: bool,
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the data lies [default: stillpoint-data]
    #[arg(long, value_name = "DIR", env = "STILLPOINT_DATA_DIR", hide_env_values = true)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address of Consul's API, or `off` [default: 127.0.0.1:8500]
    #[arg(long, value_name = "ADDR|off")]
    pub(crate) consul: Option<Listen>,
    /// Address of Nomad's API, or `off` [default: 127.0.0.1:4646]
    #[arg(long, value_name = "ADDR|off")]
    pub(crate) nomad: Option<Listen>,
    /// Address of the native API, or `off` [default: 127.0.0.1:7400]
    #[arg(long, value_name = "ADDR|off")]
    pub(crate) native: Option<Listen>,
    #[cfg(feature = "qdrant")]
    #[command(flatten)]
    pub(crate) qdrant: QdrantArgs,
    /// Listen beyond this machine even without TLS or access control
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Form of the log lines on stderr [default: text]
    #[arg(long, value_enum)]
    pub(crate) log_format: Option<LogFormat>,
    /// How much is logged [default: info]
    #[arg(long, value_enum)]
    pub(crate) log_level: Option<LogLevel>,
}

/// What holds for Qdrant's API.
#[cfg(feature = "qdrant")]
#[derive(Debug, Default, clap::Args)]
pub(crate) struct QdrantArgs {
    /// Address of Qdrant's REST API, or `off` [default: 127.0.0.1:6333]
    #[arg(long, value_name = "ADDR|off")]
    pub(crate) qdrant: Option<Listen>,
    /// Address of Qdrant's gRPC API, or `off` [default: 127.0.0.1:6334]
    #[arg(long, value_name = "ADDR|off")]
    pub(crate) qdrant_grpc: Option<Listen>,
    /// A Qdrant server's config.yaml: its keys and addresses are taken over
    #[arg(long, value_name = "FILE")]
    pub(crate) qdrant_config: Option<PathBuf>,
    /// Restore a collection before anybody is served; may be given several times
    #[arg(long, value_name = "FILE:COLLECTION", alias = "collection-snapshot")]
    pub(crate) snapshot: Vec<String>,
    /// Restore a full snapshot before anybody is served, and no --snapshot then
    #[arg(long, value_name = "FILE")]
    pub(crate) storage_snapshot: Option<PathBuf>,
    /// Let --snapshot and --storage-snapshot replace collections and aliases that exist
    #[arg(long, short = 'f', alias = "force_snapshot")]
    pub(crate) force_snapshot: bool,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object per line.
    Json,
}

/// The least important lines that are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// Where an API listens, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    Off,
    At(SocketAddr),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        match text {
            "off" => Ok(Listen::Off),
            _ => text.parse().map(Listen::At).map_err(|_| "expected IP:PORT or `off`".into()),
        }
    }
}

/// Where the native API is, and how to prove who asks.
#[derive(Debug, clap::Args)]
pub(crate) struct Connection {
    /// Address of the native API, with https:// before it for one over TLS
    #[arg(
        long = "native",
        value_name = "ADDR",
        env = "STILLPOINT_ADDR",
        hide_env_values = true,
        default_value = "127.0.0.1:7400",
        value_parser = native_address
    )]
    pub(crate) address: Address,
    /// File with the token; else STILLPOINT_TOKEN, else DIR/token; for a consul:// URL else
    /// CONSUL_HTTP_TOKEN_FILE, else CONSUL_HTTP_TOKEN; for a nomad:// URL else NOMAD_TOKEN; for a qdrant:// URL else
    /// QDRANT_API_KEY
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Where the local server's data lies
    #[arg(long, value_name = "DIR", env = "STILLPOINT_DATA_DIR", hide_env_values = true, default_value = DATA_DIR_DEFAULT)]
    pub(crate) data_dir: PathBuf,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

/// Whom to trust over TLS, and who we are. Where an argument is missing the environment is asked: variables
/// that begin with CONSUL_, NOMAD_ or QDRANT_ for a URL of that scheme, with STILLPOINT_ for the native API.
#[derive(Clone, Debug, clap::Args)]
#[command(
    next_help_heading = "TLS (… is CONSUL, NOMAD or QDRANT for a URL of that scheme, STILLPOINT for the native API)"
)]
pub(crate) struct TlsArgs {
    /// File of CA certificates to trust instead of the system's; else …_CACERT
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Directory of such files; else …_CAPATH
    #[arg(long, value_name = "DIR")]
    pub(crate) ca_path: Option<PathBuf>,
    /// Our own certificate, for servers that ask for one; else …_CLIENT_CERT
    #[arg(long, value_name = "FILE")]
    pub(crate) client_cert: Option<PathBuf>,
    /// The key of our certificate; else …_CLIENT_KEY
    #[arg(long, value_name = "FILE")]
    pub(crate) client_key: Option<PathBuf>,
    /// Name to ask the server for and to find in its certificate; else …_TLS_SERVER_NAME
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_server_name: Option<String>,
}

fn native_address(text: &str) -> Result<Address, AddressError> {
    Address::parse(text, native::DEFAULT_PORT)
}

#[derive(Debug, clap::Args)]
pub(crate) struct SaveArgs {
    /// What to save: `consul`, `nomad` or `qdrant[/COLLECTION[/SHARD]]`, or consul://HOST:PORT[?dc=NAME],
    /// nomad://HOST:PORT[?region=NAME] or qdrant://HOST:PORT[/COLLECTION[/SHARD]], over TLS consul+https://… and so on;
    /// names in a URL are percent-encoded
    #[arg(value_name = "SCOPE|URL")]
    pub(crate) target: Target,
    /// Where to; `-` is stdout [default: SCOPE-UTCTIME.snap, .snapshot for Qdrant]
    #[arg(value_name = "FILE|-")]
    pub(crate) file: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long)]
    pub(crate) force: bool,
    /// Let any server answer, even one that has lost its leader
    #[arg(long)]
    pub(crate) stale: bool,
    /// Compression of a Stillpoint server's archive: 1 is fast, 6 is small; Qdrant's are not compressed [default: 1]
    #[arg(long, value_name = "1|6", value_parser = level)]
    pub(crate) level: Option<u8>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

fn level(text: &str) -> Result<u8, &'static str> {
    match text {
        "1" => Ok(1),
        "6" => Ok(6),
        _ => Err("expected 1 or 6"),
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// The archive; `-` is stdin
    #[arg(value_name = "FILE|-")]
    pub(crate) file: PathBuf,
    /// What to replace: `consul`, `nomad` or `qdrant[/COLLECTION[/SHARD]]`, or consul://HOST:PORT[?dc=NAME],
    /// nomad://HOST:PORT[?region=NAME] or qdrant://HOST:PORT[/COLLECTION[/SHARD]], over TLS consul+https://… and so on;
    /// names in a URL are percent-encoded
    #[arg(value_name = "SCOPE|URL")]
    pub(crate) target: Target,
    /// Show what would be replaced by what, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Don't ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Keep records of types that are not known, instead of refusing the archive
    #[arg(long)]
    pub(crate) allow_unknown_records: bool,
    /// Take an archive of Nomad's without the keys of its variables, which nobody can read again then
    #[arg(long)]
    pub(crate) allow_missing_keys: bool,
    /// Of `qdrant`: keep collections and aliases that the archive lacks
    #[arg(long)]
    pub(crate) keep_others: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, clap::Args)]
pub(crate) struct UndoArgs {
    /// The scope: `consul`, `nomad` or `qdrant[/COLLECTION[/SHARD]]`
    #[arg(value_name = "SCOPE")]
    pub(crate) target: Target,
    /// Only if this is what would come back [default: whatever the server shows now]
    #[arg(long, value_name = "UUID")]
    pub(crate) image: Option<Uuid>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// The archive, or a raw state.bin with its meta.json beside it; `-` is stdin
    #[arg(value_name = "FILE|-")]
    pub(crate) file: PathBuf,
    /// Show how keys and their sizes are distributed
    #[arg(long, alias = "kvdetails")]
    pub(crate) kv_details: bool,
    /// How many components of a key count as its prefix
    #[arg(long, alias = "kvdepth", value_name = "N", default_value = "2", requires = "kv_details")]
    pub(crate) kv_depth: NonZeroUsize,
    /// Only keys that begin so
    #[arg(long, alias = "kvfilter", value_name = "PREFIX", default_value = "", requires = "kv_details")]
    pub(crate) kv_filter: String,
    /// Form of the result; --json means json
    #[arg(long, value_enum, default_value_t = InspectFormat::Pretty)]
    pub(crate) format: InspectFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InspectFormat {
    Pretty,
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// The archive; `-` is stdin
    #[arg(value_name = "FILE|-")]
    pub(crate) file: PathBuf,
    /// Accept records of types that are not known
    #[arg(long)]
    pub(crate) allow_unknown_records: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// List the tasks that the server remembers
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one task
    Show {
        /// Its id
        id: Uuid,
        #[command(flatten)]
        connection: Connection,
    },
    /// Cancel a task that has not begun to commit
    Cancel {
        /// Its id
        id: Uuid,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// The scope: `consul`, `nomad` or `qdrant[/COLLECTION[/SHARD]]`, or qdrant://HOST:PORT[/COLLECTION[/SHARD]]
    #[arg(value_name = "SCOPE|URL")]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    /// The scope: `consul`, `nomad` or `qdrant[/COLLECTION[/SHARD]]`, or qdrant://HOST:PORT[/COLLECTION[/SHARD]]
    #[arg(value_name = "SCOPE|URL")]
    pub(crate) target: Target,
    /// The snapshot's name [default: the server chooses]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DownloadArgs {
    /// The scope: `consul`, `nomad` or `qdrant[/COLLECTION[/SHARD]]`, or qdrant://HOST:PORT[/COLLECTION[/SHARD]]
    #[arg(value_name = "SCOPE|URL")]
    pub(crate) target: Target,
    /// The snapshot's name
    pub(crate) name: String,
    /// Where to; `-` is stdout [default: NAME.snap, for Qdrant NAME]
    #[arg(value_name = "FILE|-")]
    pub(crate) file: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, clap::Args)]
pub(crate) struct UploadArgs {
    /// The scope: `consul`, `nomad` or `qdrant[/COLLECTION[/SHARD]]`
    #[arg(value_name = "SCOPE")]
    pub(crate) target: Target,
    /// The snapshot's name
    pub(crate) name: String,
    /// The archive; `-` is stdin
    #[arg(value_name = "FILE|-")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    /// The scope: `consul`, `nomad` or `qdrant[/COLLECTION[/SHARD]]`, or qdrant://HOST:PORT[/COLLECTION[/SHARD]]
    #[arg(value_name = "SCOPE|URL")]
    pub(crate) target: Target,
    /// The snapshot's name
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_face_is_off_or_at_an_address() {
        assert_eq!("off".parse(), Ok(Listen::Off));
        assert_eq!("[::1]:8500".parse(), Ok(Listen::At("[::1]:8500".parse().unwrap())));
        assert!("8500".parse::<Listen>().is_err());
    }
}
