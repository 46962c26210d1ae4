//! `stillpoint list|create|download|upload|delete`: the snapshots that a server stores.

use std::path::PathBuf;

use anyhow::Context;
use archive::state;
use client::Upload;
use client::native::Snapshot;
use indicatif::BinaryBytes;
use serde_json::json;
use tokio::fs::File;

use super::receive::Destination;
use super::{blocking, verify};
use crate::args::{CreateArgs, DeleteArgs, DownloadArgs, ListArgs, UploadArgs};
use crate::output::{Output, table};
use crate::remote;
use crate::stage::Source;

/// What the APIs of other products lack.
const STORE: &str = "store snapshots";

pub(super) async fn list(args: ListArgs, output: Output) -> anyhow::Result<()> {
    let scope = args.target.native_scope(STORE)?.name();
    let snapshots = remote::native(&args.connection, output)?.snapshots(scope).await?;
    output.result(&snapshots, &describe(&snapshots))
}

pub(super) async fn create(args: CreateArgs, output: Output) -> anyhow::Result<()> {
    let scope = args.target.native_scope(STORE)?.name();
    let snapshot = remote::native(&args.connection, output)?.create(scope, args.name.as_deref()).await?;
    output.talk(&format!("Stored {scope} at index {}", snapshot.index));
    output.result(&snapshot, &table(&[vec![snapshot.name.clone()]]))
}

pub(super) async fn download(args: DownloadArgs, output: Output) -> anyhow::Result<()> {
    let scope = args.target.native_scope(STORE)?;
    let (product, scope) = (scope.product(), scope.name());
    let client = remote::native(&args.connection, output)?;
    let path = args.file.unwrap_or_else(|| PathBuf::from(format!("{}.snap", args.name)));
    let destination = Destination::prepare(&path, args.force, output)?;
    let download = client.download(scope, &args.name).await?;
    let received = destination.receive(product, format!("{scope}/{}", args.name), download, output).await?;
    received.report(output)
}

pub(super) async fn upload(args: UploadArgs, output: Output) -> anyhow::Result<()> {
    let scope = args.target.native_scope(STORE)?;
    let (product, scope) = (scope.product(), scope.name());
    let client = remote::native(&args.connection, output)?;
    let source = blocking(move || {
        let source = Source::open(&args.file)?;
        let bar = output.progress("verify", Some(source.length));
        let archive = bar.wrap_read(source.rewound()?);
        state::verify(archive, Some(product), verify::options(true)).with_context(|| source.name.clone())?;
        Ok(source)
    })
    .await?;
    let bar = output.progress("upload", Some(source.length));
    let archive = Upload::new(bar.wrap_async_read(File::from_std(source.rewound()?)), source.length);
    let snapshot = client.upload(scope, &args.name, archive).await?;
    drop(bar);
    output.talk(&format!("Stored {} as {scope}/{}", source.name, snapshot.name));
    output.result(&snapshot, &table(&[vec![snapshot.name.clone()]]))
}

pub(super) async fn delete(args: DeleteArgs, output: Output) -> anyhow::Result<()> {
    let scope = args.target.native_scope(STORE)?.name();
    remote::native(&args.connection, output)?.delete(scope, &args.name).await?;
    output.talk(&format!("Deleted {scope}/{}", args.name));
    output.result(&json!({ "scope": scope, "name": args.name, "deleted": true }), "")
}

fn describe(snapshots: &[Snapshot]) -> String {
    let mut rows =
        vec![["name", "created", "index", "records", "size", "status"].map(str::to_owned).to_vec()];
    rows.extend(snapshots.iter().map(|snapshot| {
        vec![
            snapshot.name.clone(),
            snapshot.created_at.to_string(),
            snapshot.index.to_string(),
            snapshot.records.to_string(),
            BinaryBytes(snapshot.size).to_string(),
            snapshot.status.clone(),
        ]
    }));
    table(&rows)
}
