//! `stillpoint`: the server, its operator's tool and the reader of its archives, in one binary.

#[cfg(not(unix))]
compile_error!(
    "Stillpoint does not run on Windows: its guarantees rest on renames and directory syncs as Unix has them. \
     Build it for Linux or macOS, or use WSL."
);

mod args;
mod commands;
mod exit;
mod output;
mod remote;
mod server;
mod stage;
mod target;

fn main() -> std::process::ExitCode {
    commands::run(args::parse()).into()
}
