//! Log lines go to stderr: one form for people, one for machines. docs/operations.md describes both.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;
use std::panic::{self, PanicHookInfo};

use tracing_subscriber::EnvFilter;

use super::config::Log;
use crate::args::{LogFormat, LogLevel};
use crate::exit::{ExitCode, Meaning};
use crate::output::with_causes;

/// What the level is about. The libraries' own news are for their developers, and nobody has seen to it that
/// they keep clients' secrets.
const OURS: [&str; 8] = ["archive", "client", "dialects", "groups", "node", "records", "stillpoint", "tls"];

/// Starts logging. `RUST_LOG` wins over the level. A second call changes nothing.
pub(super) fn start(log: Log) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(directives(log.level)));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match log.format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    // Only a test can have started it before.
    drop(started);
    panic::set_hook(Box::new(tell_panic));
}

/// Logs what ended the server, for a log whose every line is an object.
pub(super) fn end(error: &anyhow::Error) -> ExitCode {
    let Meaning { code, hint } = Meaning::of(error);
    tracing::error!(error = with_causes(error), hint, "the server has stopped");
    code
}

fn directives(level: LogLevel) -> String {
    let name = |level| match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let ours = OURS.map(|krate| format!("{krate}={}", name(level))).join(",");
    // What openraft warns of is part of its daily life.
    format!("{},openraft=error,{ours}", name(level.min(LogLevel::Warn)))
}

/// Where a panic was, and its words if they are the program's own: words put together at run time may quote
/// what a client sent.
fn tell_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let words = panic.payload().downcast_ref::<&'static str>();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(place, words, backtrace, "a bug: the program panicked");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_makes_a_filter() {
        for level in [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace] {
            EnvFilter::try_new(directives(level)).unwrap();
        }
        assert!(directives(LogLevel::Error).starts_with("error,openraft=error,archive=error,"));
        assert!(directives(LogLevel::Debug).starts_with("warn,"));
    }
}
