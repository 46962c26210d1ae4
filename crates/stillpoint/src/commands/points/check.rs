//! `stillpoint verify` of Qdrant's archives: all of it is read, and what vouches for it is told.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use archive::qdrant::{self, Limits, Sums};
use client::Hashing;
use serde::Serialize;

use super::kind_name;
use crate::commands::opened::Opened;
use crate::exit::{ExitCode, Failure};
use crate::output::{Output, printable};
use crate::stage::is_dash;

/// What the file beside an archive is called that holds its SHA-256 in hex.
const CHECKSUM: &str = "checksum";

/// What a verified archive is.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct Report {
    file: String,
    product: &'static str,
    kind: &'static str,
    collections: usize,
    shards: usize,
    segments: usize,
    /// `null` if a segment keeps its ids in an unknown way.
    points: Option<u64>,
    /// Of the files of segments, without their holes.
    stored_bytes: u64,
    /// With them.
    apparent_bytes: u64,
    /// Of the archive.
    sha256: String,
    /// What would have told of damage within a file.
    protected_by: Vec<String>,
}

/// Reads the archive to its end and checks all of it, also against the file of its checksum if there is one.
pub(in crate::commands) fn check(opened: Opened, path: &Path, output: Output) -> anyhow::Result<Report> {
    let name = opened.name.clone();
    let bar = output.progress("verify", opened.bytes);
    let mut hashing = Hashing::new(bar.wrap_read(opened));
    let contents = qdrant::verify(&mut hashing, Limits::default()).with_context(|| name.clone())?;
    io::copy(&mut hashing, &mut io::sink()).with_context(|| name.clone())?;
    let sha256 = hashing.sha256();
    let mut protected_by = Vec::new();
    if contents.sums == Sums::Checked {
        protected_by.push("SHA256SUMS".to_owned());
    }
    if let Some((file, expected)) = checksum(path)? {
        if expected != sha256 {
            let message = format!("{name}: its SHA-256 is {sha256}, and {file} says {expected}");
            return Err(Failure::new(ExitCode::Damaged, message).into());
        }
        protected_by.push(file);
    }
    let shards = || contents.collections.iter().flat_map(|collection| &collection.shards);
    Ok(Report {
        file: name,
        product: "Qdrant",
        kind: kind_name(contents.kind),
        collections: contents.collections.len(),
        shards: shards().count(),
        segments: contents.segments().count(),
        points: shards().map(qdrant::ShardContents::points).sum(),
        stored_bytes: contents.segments().map(|segment| segment.stored_bytes).sum(),
        apparent_bytes: contents.segments().map(|segment| segment.apparent_bytes).sum(),
        sha256,
        protected_by,
    })
}

/// What the file of the archive's checksum is called and says, if it is there.
fn checksum(path: &Path) -> anyhow::Result<Option<(String, String)>> {
    if is_dash(path) {
        return Ok(None);
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".");
    beside.push(CHECKSUM);
    let beside = PathBuf::from(beside);
    let name = beside.display().to_string();
    let text = match fs::read_to_string(&beside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("read {name}"))?,
    };
    let digest = text.trim().to_ascii_lowercase();
    if digest.len() != 64 || !digest.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        let failure = Failure::new(ExitCode::Damaged, format!("{name} holds no SHA-256"));
        return Err(failure.hint("without the file, the archive is verified for itself").into());
    }
    Ok(Some((name, digest)))
}

impl Report {
    pub(in crate::commands) fn tell(&self, output: Output) -> anyhow::Result<()> {
        let points = self.points.map_or_else(|| "an unknown number of".into(), |points| points.to_string());
        let protection = match &self.protected_by[..] {
            [] => "unprotected: the archive carries no hashes".into(),
            by => format!("checksummed ({})", printable(&by.join(", "))),
        };
        let text = format!(
            "{}: whole, of Qdrant, {}, {} collections, {} shards, {} segments, {points} points; {protection}\n",
            printable(&self.file),
            self.kind,
            self.collections,
            self.shards,
            self.segments,
        );
        output.result(self, &text)
    }
}
