//! An archive arriving from a server: verified on the way, and not there at all unless it is whole.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::Context;
use archive::state::{self, Product};
use client::native::Count;
use client::{Capture, Download};
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio_util::io::SyncIoBridge;

use super::{blocking, points};
use crate::exit::{ExitCode, Failure};
use crate::output::{Closed, Output, printable};
use crate::stage::{Staged, is_dash};
use crate::target::Scope;

/// How much may lie between the network and the verification.
const PIPE_BYTES: usize = 1 << 20;

/// Where an archive goes.
#[derive(Debug)]
pub(super) enum Destination {
    /// To whoever reads our stdout, while it is being verified.
    Stdout,
    /// Under a name that it gets once it is verified.
    File { path: PathBuf, staged: Staged },
}

/// What arrived.
#[derive(Debug, Serialize)]
pub(super) struct Received {
    /// What was asked for.
    target: String,
    /// The file, `null` for stdout.
    file: Option<PathBuf>,
    /// The index of the state; points have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    /// How many records or points it holds; not every archive of points tells.
    #[serde(flatten)]
    count: Option<Count>,
    /// The archive's length.
    bytes: u64,
    /// The archive's SHA-256 in hex.
    sha256: String,
    /// Whether the server knew a leader, if it said so.
    known_leader: Option<bool>,
    /// How long ago the server had heard of it, if it said so.
    last_contact_ms: Option<u64>,
    /// What the server wants us to know.
    warnings: Vec<String>,
}

impl Destination {
    /// Looks whether the archive can go there, before anybody is asked for it.
    pub(super) fn prepare(path: &Path, force: bool, output: Output) -> anyhow::Result<Destination> {
        if !is_dash(path) {
            return Ok(Destination::File { path: path.into(), staged: Staged::create(path, force)? });
        }
        if output.is_json() {
            let failure = Failure::usage("stdout cannot carry both the archive and --json");
            return Err(failure.hint("save into a file").into());
        }
        Ok(Destination::Stdout)
    }

    /// Takes the archive in. On return it is verified and, if it went to a file, durable under its name. On an
    /// error there is no file; what went to stdout is not an archive.
    pub(super) async fn receive(
        self,
        scope: Scope,
        target: String,
        mut download: Download,
        output: Output,
    ) -> anyhow::Result<Received> {
        let capture = download.capture().clone();
        warn(&capture, output);
        let bar = output.progress("receive", download.length());
        let (whole, file) = match self {
            Destination::Stdout => (verified_copy(&mut download, scope, raw_stdout()?, &bar).await?, None),
            Destination::File { path, staged } => {
                let whole = verified_copy(&mut download, scope, staged.writer()?, &bar).await?;
                bar.set_message("sync");
                staged.publish().await?;
                (whole, Some(path))
            }
        };
        Ok(Received {
            target,
            file,
            index: whole.index.map(|index| capture.index.unwrap_or(index)),
            count: whole.count,
            bytes: download.received(),
            sha256: download.sha256(),
            known_leader: capture.known_leader,
            last_contact_ms: capture.last_contact_ms,
            warnings: capture.warnings,
        })
    }
}

impl Received {
    /// Tells a person, and on stdout whoever wants to go on with the file.
    pub(super) fn report(&self, output: Output) -> anyhow::Result<()> {
        output.talk(&match (self.index, self.count) {
            (Some(index), _) => format!("Saved and verified snapshot to index {index}"),
            (None, Some(count)) => format!("Saved and verified snapshot of {count}"),
            (None, None) => "Saved and verified snapshot".to_owned(),
        });
        match &self.file {
            Some(file) => output.result(self, &format!("{}\n", printable(&file.to_string_lossy()))),
            None => Ok(()),
        }
    }
}

fn warn(capture: &Capture, output: Output) {
    if capture.known_leader == Some(false) {
        output.warn("the server knows no leader: the state may be older than what was last written");
    }
    if let Some(age_ms) = capture.last_contact_ms.filter(|age_ms| *age_ms > 0) {
        output.warn(&format!("the server last heard of its leader {age_ms} ms ago"));
    }
    capture.warnings.iter().for_each(|warning| output.warn(warning));
}

/// Copies a download while verifying it. A stream that was cut is reported as that, not as the damage which
/// the verification then sees.
async fn verified_copy(
    download: &mut Download,
    scope: Scope,
    copy: impl Write + Send + 'static,
    bar: &ProgressBar,
) -> anyhow::Result<Whole> {
    let (feed, pipe) = tokio::io::duplex(PIPE_BYTES);
    let archive = SyncIoBridge::new(pipe);
    let verifying = tokio::spawn(blocking(move || verify_and_copy(archive, &scope, copy)));
    let fed = feed_all(download, feed, bar).await;
    let verified = verifying.await.context("the verification ended early")?;
    fed?;
    verified
}

async fn feed_all(
    download: &mut Download,
    mut feed: DuplexStream,
    bar: &ProgressBar,
) -> Result<(), client::Error> {
    while let Some(chunk) = download.chunk().await? {
        // Nobody reads any more if the verification has ended, and then it says why.
        if feed.write_all(&chunk).await.is_err() {
            break;
        }
        bar.inc(chunk.len() as u64);
    }
    Ok(())
}

/// What an archive that arrived whole is.
struct Whole {
    /// The index of a state of records.
    index: Option<u64>,
    count: Option<Count>,
}

fn verify_and_copy(archive: impl Read, scope: &Scope, copy: impl Write) -> anyhow::Result<Whole> {
    let mut tee = Tee { input: archive, copy, bytes: 0, failed: None };
    let verified = match scope {
        Scope::Records(product) => verify_records(&mut tee, *product),
        Scope::Points(scope) => points::verify(&mut tee, scope).map(|count| Whole { index: None, count }),
    };
    match tee.failed.or_else(|| tee.copy.flush().err()) {
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            let message = format!("{Closed} after {} bytes: the archive was not delivered", tee.bytes);
            return Err(Failure::new(ExitCode::Failed, message).into());
        }
        Some(error) => return Err(error).context("write the archive"),
        None => {}
    }
    verified.context("what the server sent is not a whole archive")
}

fn verify_records(archive: impl Read, product: Product) -> anyhow::Result<Whole> {
    // A restore may be particular about types that it doesn't know, a backup must not be.
    let options = state::Options { allow_unknown_kinds: true, ..state::Options::default() };
    let verdict = state::verify(archive, Some(product), options)?;
    let records = verdict.counts.values().map(|count| count.records).sum();
    Ok(Whole { index: Some(verdict.container.meta.index), count: Some(Count::Records(records)) })
}

/// Stdout without the line buffer that `io::stdout` puts before it: an archive has no lines.
fn raw_stdout() -> anyhow::Result<File> {
    Ok(io::stdout().as_fd().try_clone_to_owned().context("open stdout again")?.into())
}

/// Hands on what it reads.
struct Tee<R, W> {
    input: R,
    copy: W,
    bytes: u64,
    /// Why the copy could not be written, which is none of the archive's faults.
    failed: Option<io::Error>,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let found = self.input.read(out)?;
        if let Err(error) = self.copy.write_all(&out[..found]) {
            self.failed = Some(error);
            return Err(io::Error::other("the copy cannot be written"));
        }
        self.bytes += found as u64;
        Ok(found)
    }
}
