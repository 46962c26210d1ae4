//! Snapshots of a collection, through REST, beside a plain copy of its files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::copy;
use super::data::Size;
use super::peak::{self, Peak};
use super::served::{Collection, DIALECTS, absolute, mean_hold};
use crate::Options;
use crate::measure::{TURNS, tell};
use crate::server::Server;
use crate::writers::Latencies;

const NAME: &str = "snapshots";

/// Everything that was measured of one collection.
pub(crate) struct Snapshots {
    pub(crate) size: Size,
    pub(crate) indexed: bool,
    /// Bytes that its files take on the disk.
    pub(crate) allocated: u64,
    pub(crate) runs: Vec<Run>,
    pub(crate) creating: Peak,
    pub(crate) recovering: Peak,
    pub(crate) upserts_idle: Latencies,
    pub(crate) upserts_creating: Latencies,
    /// How long writers were held on average for a snapshot, and for a restore.
    pub(crate) hold_creating: Option<Duration>,
    pub(crate) hold_recovering: Option<Duration>,
}

/// One snapshot's times.
pub(crate) struct Run {
    pub(crate) copy: Duration,
    pub(crate) create: Duration,
    pub(crate) verify: Duration,
    /// Until the collection is live and green.
    pub(crate) recover: Duration,
}

/// A collection and the server that holds it.
struct Place<'a> {
    options: &'a Options,
    server: Server,
    data_dir: &'a Path,
    collection: Collection,
}

/// Measures.
pub(crate) fn measure(options: &Options, dir: &Path, size: Size) -> anyhow::Result<Snapshots> {
    tell(&format!("snapshots of {size}: making the collection"));
    let data_dir = tempfile::tempdir_in(dir)?;
    let data_dir = data_dir.path();
    let server = Server::start(&options.server, data_dir, &DIALECTS)?;
    let mut collection = Collection::create(&server, NAME, size, !options.unindexed)?;
    collection.ingest(&server)?;
    collection.wait_until_green()?;
    let mut place = Place { options, server, data_dir, collection };

    tell("memory and disk");
    let process = place.server.id();
    let mut name = String::new();
    let creating = peak::watch(process, data_dir, || {
        name = place.create()?;
        Ok(())
    })?;
    let recovering = peak::watch(process, data_dir, || place.recover(&name))?;
    place.delete(&name)?;

    let allocated = files_bytes(&copy::live_files(data_dir)?)?;
    let mut runs = Vec::new();
    for run in 1..=options.runs {
        tell(&format!("run {run}: create, verify, recover"));
        runs.push(place.run(dir)?);
    }
    tell("upserts while a snapshot is created");
    let (mut upserts_idle, mut upserts_creating) = (Latencies::default(), Latencies::default());
    let mut write = Collection::writer(&place.server, NAME, size)?;
    let turn = options.seconds / 2;
    for _ in 0..TURNS {
        upserts_idle.add_idle(turn, &mut write)?;
        upserts_creating.add_during(turn, &mut write, || {
            let name = place.create()?;
            place.delete(&name)
        })?;
    }
    let hold_creating = mean_hold(&place.server, "capture")?;
    let hold_recovering = mean_hold(&place.server, "exchange")?;
    place.server.stop()?;
    let indexed = !options.unindexed;
    Ok(Snapshots {
        size,
        indexed,
        allocated,
        runs,
        creating,
        recovering,
        upserts_idle,
        upserts_creating,
        hold_creating,
        hold_recovering,
    })
}

impl Place<'_> {
    fn run(&mut self, dir: &Path) -> anyhow::Result<Run> {
        let copy = copy::copy(&copy::live_files(self.data_dir)?, dir)?;
        let began = Instant::now();
        let name = self.create()?;
        let create = began.elapsed();
        let verify = self.verify(&name)?;
        let began = Instant::now();
        self.recover(&name)?;
        let recover = began.elapsed();
        ensure!(
            self.collection.count()? == self.collection.size.points,
            "points are missing after a restore"
        );
        self.delete(&name)?;
        Ok(Run { copy, create, verify, recover })
    }

    fn create(&mut self) -> anyhow::Result<String> {
        let made = self.collection.ask("POST", "/snapshots?wait=true", &Value::Null)?;
        Ok(made["name"].as_str().context("the name of a snapshot")?.to_owned())
    }

    fn delete(&mut self, name: &str) -> anyhow::Result<()> {
        self.collection.ask("DELETE", &format!("/snapshots/{name}?wait=true"), &Value::Null).map(drop)
    }

    /// As an operator does who has the file.
    fn verify(&self, name: &str) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let verified = Command::new(&self.options.server)
            .arg("verify")
            .arg(self.file(name))
            .stdout(Stdio::null())
            .status()
            .context("run stillpoint verify")?;
        ensure!(verified.success(), "stillpoint verify ended with {verified}");
        Ok(began.elapsed())
    }

    fn recover(&mut self, name: &str) -> anyhow::Result<()> {
        let location = format!("file://{}", absolute(&self.file(name))?);
        self.collection.ask("PUT", "/snapshots/recover?wait=true", &json!({"location": location}))?;
        self.collection.wait_until_green()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.data_dir.join("snapshots").join(NAME).join(name)
    }
}

fn files_bytes(files: &[PathBuf]) -> anyhow::Result<u64> {
    let bytes = files.iter().map(|path| Ok(fs::metadata(path)?.blocks() * 512));
    bytes.sum()
}
