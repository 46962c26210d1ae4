//! `stillpoint restore`: verify, show, ask, send, and see it through.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context;
use archive::state::{self, Product, Verdict};
use client::native::{self, RestoreOptions, Restored, Task, TaskState};
use client::{Error, Kind, Refusal, Token, Upload, hashicorp};
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::fs::File;
use tokio::time::{Instant, interval};
use uuid::Uuid;

use super::plan::{Plan, holds_token};
use super::{blocking, verify};
use crate::args::RestoreArgs;
use crate::exit::{ExitCode, Failure};
use crate::output::Output;
use crate::remote::Remote;
use crate::stage::Source;
use crate::target::Scope;

/// How often a task is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How long a server may be out of reach before we stop asking how a restore ended.
const LOST_MAX: Duration = Duration::from_secs(60);

/// Consul's servers bring back one token by themselves, their `initial_management`; ours likewise.
const TOKEN_MISSING: &str = "the token in use is not in the archive: once restored, it is no longer valid, \
                             unless the server's configuration names it";

/// What a restore did. What the server doesn't tell is `null`.
#[derive(Debug, Serialize)]
struct Report {
    target: String,
    task: Option<Uuid>,
    index: Option<u64>,
    records: u64,
    bytes: u64,
    image: Option<Uuid>,
    warnings: Vec<String>,
}

pub(super) async fn run(args: RestoreArgs, output: Output) -> anyhow::Result<()> {
    if !args.yes && !args.dry_run && !output.can_ask() {
        let failure = Failure::usage("a restore asks before it replaces, and nobody is there to be asked");
        return Err(failure.hint("--yes restores without asking, --dry-run shows what it would do").into());
    }
    let remote = Remote::open(&args.target, &args.connection, output)?;
    let (allow_unknown_records, allow_missing_keys) = (args.allow_unknown_records, args.allow_missing_keys);
    let options = RestoreOptions { allow_unknown_records, allow_missing_keys };
    let (product, target) = (args.target.product(), args.target.to_string());
    if allow_missing_keys && product != Product::Nomad {
        let message = format!("--allow-missing-keys: archives of {product} hold no keys");
        return Err(Failure::usage(message).hint("leave it out").into());
    }
    let (source, verdict) = blocking(move || open_verified(&args.file, product, options, output)).await?;
    let plan = Plan::of_archive(target.clone(), &verdict);
    match (&remote, args.dry_run) {
        (Remote::Native { client, scope }, true) => {
            let upload = upload(&source, &output.progress("upload", Some(source.length)))?;
            let plan = client.plan(scope.name(), upload, &options).await?;
            show_plan(&Plan::of_server(target, plan), output)
        }
        (Remote::Server { token, .. }, true) => {
            show_plan(&warned_of_token(plan, &source, token.as_ref()).await?, output)
        }
        (Remote::Native { client, scope }, false) => {
            // A server that would not let us restore tells us so before we send it everything.
            let plan = plan.with_current(client.scope(scope.name()).await?);
            confirm(&plan, &remote, args.yes, output).await?;
            let restored = restore_native(client, *scope, &source, options, output).await?;
            report_native(target, restored, output)
        }
        (Remote::Server { client, token }, false) => {
            let mut plan = warned_of_token(plan, &source, token.as_ref()).await?;
            confirm(&plan, &remote, args.yes, output).await?;
            for warning in restore_server(client, &source, allow_missing_keys, output).await? {
                // A server of ours may say what was said before.
                if !plan.warnings.contains(&warning) {
                    output.warn(&warning);
                    plan.warnings.push(warning);
                }
            }
            report_server(plan, output)
        }
    }
}

fn open_verified(
    path: &std::path::Path,
    product: Product,
    options: RestoreOptions,
    output: Output,
) -> anyhow::Result<(Source, Verdict)> {
    let source = Source::open(path)?;
    let bar = output.progress("verify", Some(source.length));
    let archive = bar.wrap_read(source.rewound()?);
    let verdict = state::verify(archive, Some(product), verify::options(options.allow_unknown_records))
        .with_context(|| source.name.clone())?;
    Ok((source, verdict))
}

/// Adds to the plan what becomes of the token in use, which on a Consul or Nomad server is part of the state.
async fn warned_of_token(mut plan: Plan, source: &Source, token: Option<&Token>) -> anyhow::Result<Plan> {
    let Some(token) = token.cloned() else { return Ok(plan) };
    let archive = source.rewound()?;
    let is_kept = blocking(move || holds_token(archive, &token).context("look for the token")).await?;
    if !is_kept {
        plan.warnings.push(TOKEN_MISSING.into());
    }
    Ok(plan)
}

fn show_plan(plan: &Plan, output: Output) -> anyhow::Result<()> {
    plan.warnings.iter().for_each(|warning| output.warn(warning));
    output.result(plan, &plan.table())
}

async fn confirm(plan: &Plan, remote: &Remote, yes: bool, output: Output) -> anyhow::Result<()> {
    plan.warnings.iter().for_each(|warning| output.warn(warning));
    if yes {
        return Ok(());
    }
    output.show(&plan.table());
    let question = format!("Replace {}?", remote.place());
    match blocking(move || output.ask(&question).context("ask")).await? {
        true => Ok(()),
        false => Err(Failure::new(ExitCode::Failed, "not restored").into()),
    }
}

fn upload(source: &Source, bar: &ProgressBar) -> anyhow::Result<Upload> {
    let archive = File::from_std(source.rewound()?);
    Ok(Upload::new(bar.wrap_async_read(archive), source.length))
}

async fn restore_server(
    client: &hashicorp::Client,
    source: &Source,
    allow_missing_keys: bool,
    output: Output,
) -> anyhow::Result<Vec<String>> {
    let bar = output.progress("restore", Some(source.length));
    let options = hashicorp::RestoreOptions { allow_missing_keys };
    Ok(client.restore(upload(source, &bar)?, options).await?)
}

async fn restore_native(
    client: &native::Client,
    scope: Scope,
    source: &Source,
    options: RestoreOptions,
    output: Output,
) -> anyhow::Result<Restored> {
    let task = Uuid::now_v7();
    output.talk(&format!("Restoring as task {task}"));
    let bar = output.progress("upload", Some(source.length));
    let restoring = client.restore(scope.name(), upload(source, &bar)?, &options, task);
    let answer = tokio::select! {
        answer = restoring => answer,
        never = watch(client, task, &bar) => match never {},
    };
    match answer {
        Err(error) if leaves_outcome_open(&error) => {
            bar.finish_and_clear();
            output.warn(&format!("{error}; asking the server how the restore ended"));
            Ok(follow(client, task, error).await?)
        }
        answer => Ok(answer?),
    }
}

/// Shows the task's steps once all is sent, until the caller has an answer and drops this.
async fn watch(client: &native::Client, task: Uuid, bar: &ProgressBar) -> Infallible {
    let mut ticks = interval(LOOK_INTERVAL);
    loop {
        ticks.tick().await;
        if bar.is_hidden() || bar.length() != Some(bar.position()) {
            continue;
        }
        // It is only for show: whatever goes wrong here, the restore's own answer tells.
        if let Ok(task) = client.task(task).await {
            bar.set_message(task.step);
        }
    }
}

/// Whether the restore may have been done, or may still be, in spite of the error.
fn leaves_outcome_open(error: &Error) -> bool {
    match error {
        Error::Refused(refusal) => refusal.kind == Kind::Unavailable,
        Error::Unreachable { .. } | Error::Cut { .. } | Error::Stalled { .. } | Error::Foreign { .. } => true,
        Error::Untrusted { .. }
        | Error::Token
        | Error::TokenFile { .. }
        | Error::Address(_)
        | Error::Tls(_)
        | Error::Identity
        | Error::ServerName(_)
        | Error::Digest { .. } => false,
    }
}

/// Asks the task how the restore ended, as long as there is a server that answers.
async fn follow(client: &native::Client, id: Uuid, lost: Error) -> Result<Restored, Error> {
    let mut ticks = interval(LOOK_INTERVAL);
    let mut heard_at = Instant::now();
    loop {
        ticks.tick().await;
        match client.task(id).await {
            Ok(task) if task.state == TaskState::Running => heard_at = Instant::now(),
            Ok(task) => return outcome(task, lost),
            // The server never began, or was told not to.
            Err(Error::Refused(refusal)) if refusal.kind != Kind::Unavailable => return Err(lost),
            Err(_) if heard_at.elapsed() > LOST_MAX => return Err(lost),
            Err(_) => {}
        }
    }
}

fn outcome(task: Task, lost: Error) -> Result<Restored, Error> {
    match (task.state, task.result, task.error) {
        (TaskState::Succeeded, Some(result), _) => serde_json::from_value(result).map_err(|_| lost),
        (_, _, Some(problem)) => Err(Error::Refused(Refusal {
            status: 0,
            kind: problem.kind(),
            message: problem.message,
            hint: problem.hint,
        })),
        _ => Err(lost),
    }
}

fn report_native(target: String, restored: Restored, output: Output) -> anyhow::Result<()> {
    let Restored { task, index, records, bytes, image, warnings, .. } = restored;
    warnings.iter().for_each(|warning| output.warn(warning));
    output.talk(&format!("Restored {target}: now at index {index}, {records} records"));
    output.talk(&format!("`stillpoint undo {target}` brings back what was there before"));
    // A restore's image has the name of the task that made it.
    let image = image.or(Some(task));
    let report = Report { target, task: Some(task), index: Some(index), records, bytes, image, warnings };
    output.result(&report, "")
}

fn report_server(plan: Plan, output: Output) -> anyhow::Result<()> {
    let Plan { target, archive, warnings, .. } = plan;
    output.talk(&format!("Restored {target}: {} records", archive.records));
    let (records, bytes) = (archive.records, archive.bytes);
    output.result(&Report { target, task: None, index: None, records, bytes, image: None, warnings }, "")
}
