//! `stillpoint status`: how the node, its group and its scopes are. Fails unless the node serves.

use std::fmt::Display;

use client::native::{Health, Scope, Status};
use indicatif::BinaryBytes;
use serde::Serialize;

use crate::args::StatusArgs;
use crate::exit::{ExitCode, Failure};
use crate::output::{Output, table};
use crate::remote;

#[derive(Serialize)]
struct Report {
    health: Health,
    #[serde(flatten)]
    status: Status,
}

pub(super) async fn run(args: StatusArgs, output: Output) -> anyhow::Result<()> {
    let client = remote::native(&args.connection, output)?;
    let health = client.health().await?;
    let report = Report { health, status: client.status().await? };
    output.result(&report, &describe(&report.status))?;
    match report.health.is_ok() {
        true => Ok(()),
        false => {
            let reason = report.health.reason.unwrap_or_else(|| "it doesn't say why".into());
            Err(Failure::new(ExitCode::Failed, format!("the node does not serve: {reason}")).into())
        }
    }
}

fn describe(status: &Status) -> String {
    let leader = match &status.leader {
        Some(leader) => format!("{} ({}) at {}", leader.id, leader.name, leader.address),
        None => "none".into(),
    };
    let voters: Vec<String> =
        status.voters.iter().map(|voter| format!("{} at {}", voter.id, voter.address)).collect();
    let rows = [
        ("node", format!("{} ({})", status.node.id, status.node.name)),
        ("version", status.version.clone()),
        ("datacenter", status.datacenter.clone()),
        ("role", format!("{}, term {}", status.role, status.term)),
        ("leader", leader),
        ("voters", voters.join(", ")),
        ("applied", format!("{} of {}", known(status.applied_index), known(status.last_log_index))),
        ("data", format!("{}, {} free", status.data_dir, known(status.disk_free_bytes.map(BinaryBytes)))),
    ];
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.into(), value]).collect();
    let mut scopes = vec![["scope", "index", "holds", "size", "undo"].map(str::to_owned).to_vec()];
    scopes.extend(status.scopes.iter().map(describe_scope));
    format!("{}\n{}", table(&rows), table(&scopes))
}

fn known(figure: Option<impl Display>) -> String {
    figure.map_or_else(|| "unknown".into(), |figure| figure.to_string())
}

fn describe_scope(scope: &Scope) -> Vec<String> {
    let size = |bytes: Option<u64>| bytes.map_or_else(|| "-".into(), |bytes| BinaryBytes(bytes).to_string());
    let undo = match &scope.previous {
        Some(previous) => {
            let index = previous.index.map(|index| format!("to index {index}, ")).unwrap_or_default();
            let bytes = previous.bytes.map(|bytes| format!("{}, ", BinaryBytes(bytes))).unwrap_or_default();
            format!("{index}{bytes}until {}", previous.expires_at)
        }
        None => "-".into(),
    };
    let index = scope.index.map_or_else(|| "-".into(), |index| index.to_string());
    vec![scope.scope.clone(), index, scope.count.to_string(), size(scope.bytes), undo]
}
