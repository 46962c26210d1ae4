//! `stillpoint restore` of points: verify, show, ask, send.

use std::path::Path;

use client::native::{CollectionState, PointsState, RestoreOptions};
use client::{Error, qdrant};
use serde::Serialize;

use super::super::restore::{Report, confirm, report_native};
use super::super::{blocking, native};
use super::{Archive, refuse, verify_source};
use crate::args::RestoreArgs;
use crate::exit::Failure;
use crate::output::{Output, table};
use crate::remote::Points;
use crate::stage::Source;

/// What would be replaced by what.
#[derive(Debug, Serialize)]
struct Plan {
    /// What would be replaced.
    target: String,
    /// What is there now; without points where there is nothing, or nothing that we may see.
    current: PointsState,
    /// What would be there.
    archive: PointsState,
    /// What to know before.
    warnings: Vec<String>,
}

pub(in crate::commands) async fn restore(
    scope: qdrant::Scope,
    args: RestoreArgs,
    output: Output,
) -> anyhow::Result<()> {
    let of_records = [
        ("--allow-unknown-records", args.allow_unknown_records),
        ("--allow-missing-keys", args.allow_missing_keys),
    ];
    refuse("a restore of points", &of_records)?;
    if scope != qdrant::Scope::Storage {
        refuse("a restore of one collection or shard", &[("--keep-others", args.keep_others)])?;
    }
    let remote = Points::open(&scope, &args.target, &args.connection, output)?;
    if let (Points::Server(_), qdrant::Scope::Storage) = (&remote, &scope) {
        let message = "Qdrant's API cannot restore a full snapshot: a genuine server takes one only at its start, with \
                       --storage-snapshot FILE";
        let hint = "a Stillpoint server takes it while it runs: `stillpoint restore FILE qdrant`";
        return Err(Failure::usage(message).hint(hint).into());
    }
    let (file, named) = (args.file, scope.clone());
    let (source, archive) = blocking(move || open_verified(&file, &named, output)).await?;
    let options = RestoreOptions {
        keep_others: args.keep_others,
        sha256: Some(archive.sha256.clone()),
        ..RestoreOptions::default()
    };
    let (target, name) = (args.target.to_string(), scope.to_string());
    if let (Points::Native(client), true) = (&remote, args.dry_run) {
        let upload = source.upload(&output.progress("upload", Some(source.length)))?;
        let planned = client.plan_points(&name, upload, &options).await?;
        let (current, warnings) = (planned.current, planned.warnings);
        return show(&Plan { target, current, archive: planned.archive, warnings }, output);
    }
    // A server that doesn't know us tells us so before we send it everything.
    let current = match &remote {
        Points::Native(client) => {
            unless_absent(client.scope(&name).await.map(|now| Some(now.count.number())))?
        }
        Points::Server(client) => unless_absent(client.points().await)?,
    };
    let current = PointsState { points: current, collections: Vec::new() };
    let plan = Plan { target, current, archive: archive.state(), warnings: archive.warnings() };
    if args.dry_run {
        return show(&plan, output);
    }
    confirm(&plan.table(), &plan.warnings, &remote.place(&scope), args.yes, output).await?;
    match &remote {
        Points::Native(client) => {
            let restored = native::restore(client, &name, &source, &options, output).await?;
            report_native(plan.target, restored, output)
        }
        Points::Server(client) => {
            let bar = output.progress("restore", Some(source.length));
            client.restore(source.upload(&bar)?, &archive.sha256).await?;
            drop(bar);
            let count = archive.count();
            let told = count.map_or_else(String::new, |count| format!(": {count}"));
            output.talk(&format!("Restored {}{told}", plan.target));
            let Plan { target, warnings, .. } = plan;
            let (bytes, index) = (source.length, None);
            output.result(&Report { target, task: None, index, count, bytes, image: None, warnings }, "")
        }
    }
}

fn open_verified(path: &Path, scope: &qdrant::Scope, output: Output) -> anyhow::Result<(Source, Archive)> {
    let source = Source::open(path)?;
    let archive = verify_source(&source, scope, output)?;
    Ok((source, archive))
}

/// What is there now. What isn't there yet is made by the restore.
fn unless_absent(found: Result<Option<u64>, Error>) -> Result<Option<u64>, Error> {
    match found {
        Err(Error::Refused(refusal)) if refusal.kind == client::Kind::NotFound => Ok(None),
        found => found,
    }
}

fn show(plan: &Plan, output: Output) -> anyhow::Result<()> {
    plan.warnings.iter().for_each(|warning| output.warn(warning));
    output.result(plan, &plan.table())
}

impl Plan {
    /// As a table: live on the left, the archive on the right, then the archive's collections.
    fn table(&self) -> String {
        let figure = |points: Option<u64>| points.map_or_else(|| "none".into(), |points| points.to_string());
        let mut rows = vec![
            vec![self.target.clone(), "now".into(), "archive".into()],
            vec!["points".into(), figure(self.current.points), figure(self.archive.points)],
        ];
        rows.extend(self.archive.collections.iter().map(|CollectionState { name, points }| {
            let now = self.current.collections.iter().find(|now| now.name == *name);
            let now = now.map_or_else(String::new, |now| now.points.to_string());
            vec![format!("  {name}"), now, points.to_string()]
        }));
        table(&rows)
    }
}
