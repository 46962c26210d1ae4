//! The commands: one file each. Here they are started, interrupted and their ends reported.

mod completions;
mod inspect;
mod leftover;
mod native;
mod opened;
mod plan;
mod points;
mod receive;
mod restore;
mod save;
mod snapshots;
mod status;
mod task;
mod undo;
mod verify;

use std::io;

use anyhow::Context;
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Args, Command};
use crate::exit::{ExitCode, Failure};
use crate::output::Output;
use crate::server;

/// Does what the arguments say and tells how it went.
pub(crate) fn run(args: Args) -> ExitCode {
    let output = Output::new(args.json, args.quiet);
    let result = build_runtime().and_then(|runtime| {
        let result = match args.command {
            // The server knows better than to drop everything when a signal comes.
            Command::Server(args) => runtime.block_on(server::run(args)),
            command => runtime.block_on(run_interruptible(command, output)).map(|()| ExitCode::Ok),
        };
        // A thread that waits for stdin or a slow disk must not keep the process.
        runtime.shutdown_background();
        result
    });
    result.unwrap_or_else(|error| output.error(&error))
}

fn build_runtime() -> anyhow::Result<Runtime> {
    runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")
}

/// An interrupted command is dropped where it waits, and what it had begun goes with it.
async fn run_interruptible(command: Command, output: Output) -> anyhow::Result<()> {
    let result = tokio::select! {
        result = run_command(command, output) => result,
        signal = interrupted() => {
            signal.context("wait for signals")?;
            Err(Failure::new(ExitCode::Interrupted, "interrupted").into())
        }
    };
    tokio::select! {
        () = leftover::removed(output) => {}
        // Whoever asks twice means it.
        _ = interrupted() => leftover::warn(output),
    }
    result
}

async fn run_command(command: Command, output: Output) -> anyhow::Result<()> {
    match command {
        Command::Server(_) => unreachable!("the server is not run as a command that can be dropped"),
        Command::Save(args) => save::run(args, output).await,
        Command::Restore(args) => restore::run(args, output).await,
        Command::Undo(args) => undo::run(args, output).await,
        Command::Inspect(args) => inspect::run(args, output).await,
        Command::Verify(args) => verify::run(args, output).await,
        Command::Status(args) => status::run(args, output).await,
        Command::Task(args) => task::run(args, output).await,
        Command::List(args) => snapshots::list(args, output).await,
        Command::Create(args) => snapshots::create(args, output).await,
        Command::Download(args) => snapshots::download(args, output).await,
        Command::Upload(args) => snapshots::upload(args, output).await,
        Command::Delete(args) => snapshots::delete(args, output).await,
        Command::Completions { shell } => completions::run(shell),
    }
}

/// Returns when the terminal, a supervisor or a lost connection wants us to end.
async fn interrupted() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

/// Runs what computes or waits for files on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.context("a worker thread ended early")?
}
