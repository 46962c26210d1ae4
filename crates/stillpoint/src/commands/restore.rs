//! `stillpoint restore`: verify, show, ask, send, and see it through.

use anyhow::Context;
use archive::state::{self, Product, Verdict};
use client::native::{Count, RestoreOptions, Restored};
use client::{Token, hashicorp};
use serde::Serialize;
use uuid::Uuid;

use super::plan::{Plan, holds_token};
use super::{blocking, native, points, verify};
use crate::args::RestoreArgs;
use crate::exit::{ExitCode, Failure};
use crate::output::Output;
use crate::remote::{self, Remote};
use crate::stage::Source;
use crate::target::Scope;

/// Consul's servers bring back one token by themselves, their `initial_management`; ours likewise.
const TOKEN_MISSING: &str = "the token in use is not in the archive: once restored, it is no longer valid, \
                             unless the server's configuration names it";

/// What a restore did. What the server doesn't tell is `null`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) target: String,
    pub(super) task: Option<Uuid>,
    pub(super) index: Option<u64>,
    #[serde(flatten)]
    pub(super) count: Option<Count>,
    pub(super) bytes: u64,
    pub(super) image: Option<Uuid>,
    pub(super) warnings: Vec<String>,
}

pub(super) async fn run(args: RestoreArgs, output: Output) -> anyhow::Result<()> {
    if !args.yes && !args.dry_run && !output.can_ask() {
        let failure = Failure::usage("a restore asks before it replaces, and nobody is there to be asked");
        return Err(failure.hint("--yes restores without asking, --dry-run shows what it would do").into());
    }
    match args.target.scope().clone() {
        Scope::Records(product) => restore_records(product, args, output).await,
        Scope::Points(scope) => points::restore(scope, args, output).await,
    }
}

async fn restore_records(product: Product, args: RestoreArgs, output: Output) -> anyhow::Result<()> {
    points::refuse("a restore of records", &[("--keep-others", args.keep_others)])?;
    let remote = Remote::open(product, &args.target, &args.connection, output)?;
    let (allow_unknown_records, allow_missing_keys) = (args.allow_unknown_records, args.allow_missing_keys);
    let options = RestoreOptions { allow_unknown_records, allow_missing_keys, ..RestoreOptions::default() };
    let target = args.target.to_string();
    if allow_missing_keys && product != Product::Nomad {
        let message = format!("--allow-missing-keys: archives of {product} hold no keys");
        return Err(Failure::usage(message).hint("leave it out").into());
    }
    let (source, verdict) =
        blocking(move || open_verified(&args.file, product, allow_unknown_records, output)).await?;
    let plan = Plan::of_archive(target.clone(), &verdict);
    match (&remote, args.dry_run) {
        (Remote::Native { client, scope }, true) => {
            let upload = source.upload(&output.progress("upload", Some(source.length)))?;
            let plan = client.plan(remote::name(*scope), upload, &options).await?;
            show_plan(&Plan::of_server(target, plan), output)
        }
        (Remote::Server { token, .. }, true) => {
            show_plan(&warned_of_token(plan, &source, token.as_ref()).await?, output)
        }
        (Remote::Native { client, scope }, false) => {
            let scope = remote::name(*scope);
            // A server that would not let us restore tells us so before we send it everything.
            let plan = plan.with_current(client.scope(scope).await?);
            confirm(&plan.table(), &plan.warnings, &remote.place(), args.yes, output).await?;
            let restored = native::restore(client, scope, &source, &options, output).await?;
            report_native(target, restored, output)
        }
        (Remote::Server { client, token }, false) => {
            let mut plan = warned_of_token(plan, &source, token.as_ref()).await?;
            confirm(&plan.table(), &plan.warnings, &remote.place(), args.yes, output).await?;
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
    allow_unknown_records: bool,
    output: Output,
) -> anyhow::Result<(Source, Verdict)> {
    let source = Source::open(path)?;
    let bar = output.progress("verify", Some(source.length));
    let archive = bar.wrap_read(source.rewound()?);
    let verdict = state::verify(archive, Some(product), verify::options(allow_unknown_records))
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

/// Tells of the warnings and, unless `yes`, shows the plan and asks.
pub(super) async fn confirm(
    plan: &str,
    warnings: &[String],
    place: &str,
    yes: bool,
    output: Output,
) -> anyhow::Result<()> {
    warnings.iter().for_each(|warning| output.warn(warning));
    if yes {
        return Ok(());
    }
    output.show(plan);
    let question = format!("Replace {place}?");
    match blocking(move || output.ask(&question).context("ask")).await? {
        true => Ok(()),
        false => Err(Failure::new(ExitCode::Failed, "not restored").into()),
    }
}

async fn restore_server(
    client: &hashicorp::Client,
    source: &Source,
    allow_missing_keys: bool,
    output: Output,
) -> anyhow::Result<Vec<String>> {
    let bar = output.progress("restore", Some(source.length));
    let options = hashicorp::RestoreOptions { allow_missing_keys };
    Ok(client.restore(source.upload(&bar)?, options).await?)
}

pub(super) fn report_native(target: String, restored: Restored, output: Output) -> anyhow::Result<()> {
    let Restored { task, index, count, bytes, image, warnings, .. } = restored;
    warnings.iter().for_each(|warning| output.warn(warning));
    output.talk(&match count {
        Count::Records(_) => format!("Restored {target}: now at index {index}, {count}"),
        Count::Points(_) => format!("Restored {target}: {count}"),
    });
    output.talk(&format!("`stillpoint undo {target}` brings back what was there before"));
    // A restore's image has the name of the task that made it.
    let image = image.or(Some(task));
    let report =
        Report { target, task: Some(task), index: Some(index), count: Some(count), bytes, image, warnings };
    output.result(&report, "")
}

fn report_server(plan: Plan, output: Output) -> anyhow::Result<()> {
    let Plan { target, archive, warnings, .. } = plan;
    output.talk(&format!("Restored {target}: {} records", archive.records));
    let (count, bytes) = (Some(Count::Records(archive.records)), archive.bytes);
    output.result(&Report { target, task: None, index: None, count, bytes, image: None, warnings }, "")
}
