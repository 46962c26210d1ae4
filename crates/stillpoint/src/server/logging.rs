//! Log lines go to stderr: one form for people, one for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::config::{Log, LogFormat};

/// Starts logging. `RUST_LOG` wins over the configured level. A second call changes nothing.
pub(super) fn start(log: &Log) {
    // The libraries' own news are for their developers.
    let quiet = "openraft=error,fjall=warn,lsm_tree=warn";
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(format!("{},{quiet}", log.level)))
        .unwrap_or_else(|_| EnvFilter::new(format!("info,{quiet}")));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match log.format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    // Only a test can have started it before.
    drop(started);
}
