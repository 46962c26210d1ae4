//! `stillpoint list|create|download|upload|delete`: the snapshots that a server stores.

use std::path::PathBuf;

use anyhow::Context;
use archive::state;
use client::native::{Count, Snapshot};
use client::qdrant;
use indicatif::BinaryBytes;
use serde_json::json;

use super::receive::Destination;
use super::{blocking, points, verify};
use crate::args::{Connection, CreateArgs, DeleteArgs, DownloadArgs, ListArgs, UploadArgs};
use crate::exit::{ExitCode, Failure};
use crate::output::{Output, table};
use crate::remote::{self, Points};
use crate::stage::Source;
use crate::target::{Scope, Target};

/// What the APIs of Consul and Nomad lack.
const STORE: &str = "store snapshots";

/// The client of a Qdrant server, if the target is one. All else is for the native API.
fn qdrant_server(
    target: &Target,
    connection: &Connection,
    output: Output,
) -> anyhow::Result<Option<qdrant::Client>> {
    match (target, target.scope()) {
        (Target::Server(_), Scope::Points(scope)) => match Points::open(scope, target, connection, output)? {
            Points::Server(client) => Ok(Some(client)),
            Points::Native(_) => Ok(None),
        },
        _ => Ok(None),
    }
}

pub(super) async fn list(args: ListArgs, output: Output) -> anyhow::Result<()> {
    if let Some(client) = qdrant_server(&args.target, &args.connection, output)? {
        let snapshots = client.list().await?;
        return output.result(&snapshots, &describe_foreign(&snapshots));
    }
    let scope = args.target.native_scope(STORE)?.to_string();
    let snapshots = remote::native(&args.connection, output)?.snapshots(&scope).await?;
    output.result(&snapshots, &describe(&snapshots))
}

pub(super) async fn create(args: CreateArgs, output: Output) -> anyhow::Result<()> {
    if let Some(client) = qdrant_server(&args.target, &args.connection, output)? {
        if args.name.is_some() {
            return Err(Failure::usage("Qdrant's API chooses the names of snapshots itself")
                .hint("leave NAME out")
                .into());
        }
        let snapshot = client.create().await?;
        output.talk(&format!("Stored {}", args.target));
        return output.result(&snapshot, &table(&[vec![snapshot.name.clone()]]));
    }
    let scope = args.target.native_scope(STORE)?.to_string();
    let snapshot = remote::native(&args.connection, output)?.create(&scope, args.name.as_deref()).await?;
    output.talk(&match snapshot.count {
        Count::Records(_) => format!("Stored {scope} at index {}", snapshot.index),
        Count::Points(_) => format!("Stored {scope}: {}", snapshot.count),
    });
    output.result(&snapshot, &table(&[vec![snapshot.name.clone()]]))
}

pub(super) async fn download(args: DownloadArgs, output: Output) -> anyhow::Result<()> {
    let path = args.file.clone().unwrap_or_else(|| default_name(args.target.scope(), &args.name));
    let (download, destination);
    if let Some(client) = qdrant_server(&args.target, &args.connection, output)? {
        destination = Destination::prepare(&path, args.force, output)?;
        // The list alone knows the checksum.
        let listed = client.list().await?;
        let Some(snapshot) = listed.into_iter().find(|snapshot| snapshot.name == args.name) else {
            let message = format!("there is no snapshot {:?} of {}", args.name, args.target);
            return Err(Failure::new(ExitCode::NotFound, message).into());
        };
        download = client.download(&snapshot).await?;
    } else {
        let scope = args.target.native_scope(STORE)?.to_string();
        let client = remote::native(&args.connection, output)?;
        destination = Destination::prepare(&path, args.force, output)?;
        download = client.download(&scope, &args.name).await?;
    }
    let (scope, target) = (args.target.scope().clone(), format!("{}/{}", args.target, args.name));
    destination.receive(scope, target, download, output).await?.report(output)
}

/// `NAME.snap`; the names of Qdrant's snapshots end as files do.
fn default_name(scope: &Scope, name: &str) -> PathBuf {
    match scope {
        Scope::Records(_) => format!("{name}.snap").into(),
        Scope::Points(_) => points::file_name(name).into(),
    }
}

pub(super) async fn upload(args: UploadArgs, output: Output) -> anyhow::Result<()> {
    let scope = args.target.native_scope("store an archive without restoring it")?.clone();
    let client = remote::native(&args.connection, output)?;
    let name = scope.to_string();
    let source = blocking(move || {
        let source = Source::open(&args.file)?;
        match scope {
            Scope::Records(product) => {
                let bar = output.progress("verify", Some(source.length));
                let archive = bar.wrap_read(source.rewound()?);
                state::verify(archive, Some(product), verify::options(true))
                    .with_context(|| source.name.clone())?;
            }
            Scope::Points(scope) => {
                points::verify_source(&source, &scope, output)?;
            }
        }
        Ok(source)
    })
    .await?;
    let bar = output.progress("upload", Some(source.length));
    let snapshot = client.upload(&name, &args.name, source.upload(&bar)?).await?;
    drop(bar);
    output.talk(&format!("Stored {} as {name}/{}", source.name, snapshot.name));
    output.result(&snapshot, &table(&[vec![snapshot.name.clone()]]))
}

pub(super) async fn delete(args: DeleteArgs, output: Output) -> anyhow::Result<()> {
    match qdrant_server(&args.target, &args.connection, output)? {
        Some(client) => client.delete(&args.name).await?,
        None => {
            let scope = args.target.native_scope(STORE)?.to_string();
            remote::native(&args.connection, output)?.delete(&scope, &args.name).await?;
        }
    }
    output.talk(&format!("Deleted {}/{}", args.target, args.name));
    output.result(&json!({ "scope": args.target.to_string(), "name": args.name, "deleted": true }), "")
}

fn describe(snapshots: &[Snapshot]) -> String {
    let mut rows = vec![["name", "created", "index", "holds", "size", "status"].map(str::to_owned).to_vec()];
    rows.extend(snapshots.iter().map(|snapshot| {
        vec![
            snapshot.name.clone(),
            snapshot.created_at.to_string(),
            snapshot.index.to_string(),
            snapshot.count.to_string(),
            BinaryBytes(snapshot.size).to_string(),
            snapshot.status.clone(),
        ]
    }));
    table(&rows)
}

/// What Qdrant's API tells of them.
fn describe_foreign(snapshots: &[qdrant::Snapshot]) -> String {
    let mut rows = vec![["name", "created", "size", "sha256"].map(str::to_owned).to_vec()];
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    rows.extend(snapshots.iter().map(|snapshot| {
        let size = BinaryBytes(snapshot.size).to_string();
        vec![snapshot.name.clone(), text(&snapshot.creation_time), size, text(&snapshot.checksum)]
    }));
    table(&rows)
}
