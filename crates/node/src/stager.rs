//! From a blob to a staged image: read, verify, unpack; the same on the leader, on voters, and on replay.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use archive::{hashicorp, state};
use records::{Commit, Record, Records, Scope, Staged, View};

use crate::ahead::Ahead;
use crate::blobs::{Blob, Blobs, Digest};
use crate::error::{self, Error, Kind, Result};
use crate::machine::{self, Images};
use crate::peers::{Peers, unreachable};
use crate::restore::Verified;
use crate::tasks::Running;

/// Turns blobs into staged images.
pub(crate) struct Stager {
    pub(crate) id: u64,
    pub(crate) records: Arc<Records>,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) stopping: AtomicBool,
}

impl Stager {
    /// Makes the image of `commit` ready here, and says what it is. When this returns, the image is durable.
    /// Doing it again is free, but says less.
    pub(crate) fn stage(&self, commit: &Commit, progress: Option<&Running>) -> Result<StagedImage> {
        if let Some((digest, index)) = self.records.staged(commit.image)? {
            return Ok(StagedImage { digest, index, fresh: None });
        }
        let blob = Digest::try_from(&commit.blob[..])?;
        self.obtain(blob)?;
        let (archive, staged) = self.unpack(commit.scope, blob, commit.unknown_records, progress)?;
        let digest = staged.digest().to_vec();
        let index = staged.index().max(archive.index);
        let view = staged.view()?;
        staged.ready(commit.image)?;
        Ok(StagedImage { digest, index, fresh: Some((archive, view)) })
    }

    /// Reads an archive to its end, checks all of it, and unpacks it beside the live state. Dropping what is
    /// staged leaves nothing behind.
    pub(crate) fn unpack(
        &self,
        scope: Scope,
        blob: Digest,
        unknown_records: bool,
        progress: Option<&Running>,
    ) -> Result<(Verified, Staged)> {
        let product = scope.product();
        let (file, _) = self.blobs.open_blob(blob)?;
        let file = BufReader::with_capacity(READ_BYTES, Counted { file, progress });
        std::thread::scope(|threads| {
            let state = Ahead::start(threads, hashicorp::Reader::new(file));
            let mut records =
                state::Records::new(state).and_then(|records| records.expect(product)).map_err(damaged)?;
            let last_index = records.last_index();
            let mut source = records.by_ref().map(|record| match record {
                Ok(record) => Ok(Record { kind: record.kind, bytes: record.bytes.into() }),
                Err(error) => Err(damaged(error).into()),
            });
            let staged = match self.records.stage(scope, &mut source, unknown_records) {
                Ok(staged) => staged,
                Err(error) => return Err(explain(error.into(), records.into_inner())),
            };
            let container = finish(records.into_inner()).map_err(damaged)?;
            let archive = Verified::new(product, container.meta, last_index, staged.totals())?;
            Ok((archive, staged))
        })
    }

    /// Makes sure that the blob is here, fetching it from whoever has it.
    pub(crate) fn obtain(&self, digest: Digest) -> Result<()> {
        if self.blobs.contains(digest) {
            return Ok(());
        }
        let members = machine::members(&self.records.applied()?).map_err(error::io("read the membership"))?;
        let mut last = Error::new(Kind::NotFound, format!("no member has blob {digest}"));
        for member in members.everyone().iter().filter(|member| member.id.0 != self.id) {
            match self.fetch(member, digest) {
                Ok(_) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn fetch(&self, from: &groups::Member, digest: Digest) -> Result<Blob> {
        let mut bytes = self.peers.blob(from, digest)?;
        let mut incoming = self.blobs.receive()?;
        io::copy(&mut bytes, &mut incoming).map_err(|_| unreachable(from))?;
        incoming.flush().map_err(error::io("write a blob"))?;
        let blob = incoming.finish()?;
        if blob.digest == digest {
            Ok(blob)
        } else {
            Err(Error::new(Kind::Corrupt, format!("a peer sent {} for {digest}", blob.digest)))
        }
    }
}

/// What staging showed.
pub(crate) struct StagedImage {
    pub(crate) digest: Vec<u8>,
    /// The highest state index that the archive or a record of it mentions.
    pub(crate) index: u64,
    /// What the archive is, and its records; `None` if it had been staged before.
    pub(crate) fresh: Option<(Verified, View)>,
}

/// Bytes read from an archive at a time.
const READ_BYTES: usize = 256 << 10;

/// How often a replica that lacks a committed image asks its peers for it.
const RETRY: Duration = Duration::from_secs(1);

impl Images for Stager {
    /// The cluster has committed this image: there is no way on without it, so this asks until it is there.
    fn stage(&self, commit: &Commit) -> Result<()> {
        loop {
            match Stager::stage(self, commit, None) {
                Ok(_) => return Ok(()),
                Err(error) if self.stopping.load(Ordering::Relaxed) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, image = %commit.image, "stage a committed image; trying again")
                }
            }
            std::thread::sleep(RETRY);
        }
    }
}

/// Where a record is wrong because the container is damaged, the container's error says more.
fn explain(error: Error, container: Ahead<'_, hashicorp::Reader<impl Read + Send>>) -> Error {
    let is_about_a_record = matches!(error.kind(), Kind::Corrupt | Kind::Unsupported)
        && !matches!(error.cause(), Some(state::Error::Archive(_)));
    match is_about_a_record.then(|| finish(container)) {
        Some(Err(damage)) => damaged(damage),
        _ => error,
    }
}

/// Reads the container to its end, and says what is now certain.
fn finish(
    container: Ahead<'_, hashicorp::Reader<impl Read + Send>>,
) -> Result<hashicorp::Verified, state::Error> {
    Ok(container.finish()?.finish()?)
}

/// The failure of an archive that cannot be read completely, or of its reading.
fn damaged(error: state::Error) -> Error {
    match error {
        state::Error::Io(error) => match error.downcast::<Error>() {
            // Such as a cancel.
            Ok(ours) => ours,
            Err(error) => error::io("read the archive")(error),
        },
        damage => Error::new(Kind::Corrupt, damage.to_string()).because(damage),
    }
}

/// A file whose reading counts as progress and stops when its task is cancelled.
pub(crate) struct Counted<P> {
    pub(crate) file: File,
    pub(crate) progress: Option<P>,
}

impl<P: std::ops::Deref<Target = Running>> Read for Counted<P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if let Some(progress) = &self.progress {
            progress.advance(read as u64).map_err(io::Error::other)?;
        }
        Ok(read)
    }
}
