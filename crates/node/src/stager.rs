//! From a blob to a staged image: read, verify, unpack; the same on the leader, on voters, and on replay.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use archive::{consul, hashicorp};
use records::{Commit, Record, Records, Scope};

use crate::blobs::{Blob, Blobs, Digest};
use crate::error::{self, Error, Kind, Result};
use crate::machine::{self, Images};
use crate::peers::{Peers, unreachable};
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
    /// Stages the image of `commit` and returns the digest of its records. When this returns, the image is
    /// ready and durable. Doing it again is free.
    pub(crate) fn stage(&self, commit: &Commit, progress: Option<&Running>) -> Result<StagedImage> {
        if let Some((digest, index)) = self.records.staged(commit.image)? {
            return Ok(StagedImage { digest, index });
        }
        let blob = Digest::try_from(&commit.blob[..])?;
        self.obtain(blob)?;
        let (file, _) = self.blobs.open_blob(blob)?;
        let mut source = source(commit.scope, Counted { file, progress })?;
        let staged = self.records.stage(commit.scope, &mut source, commit.unknown_records)?;
        let image = StagedImage { digest: staged.digest().to_vec(), index: staged.index() };
        staged.ready(commit.image)?;
        Ok(image)
    }

    /// Makes sure that the blob is here, fetching it from whoever has it.
    fn obtain(&self, digest: Digest) -> Result<()> {
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
    /// The highest state index that a record mentions.
    pub(crate) index: u64,
}

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

/// The records of an archive of `scope`. Its end means that the archive was verified to its last byte.
fn source<'a>(
    scope: Scope,
    file: Counted<'a>,
) -> Result<impl Iterator<Item = Result<Record, Box<dyn std::error::Error + Send + Sync>>> + 'a> {
    match scope {
        Scope::Consul => {
            let reader = hashicorp::Reader::new(BufReader::with_capacity(256 << 10, file));
            let records = consul::Records::new(reader).map_err(damaged)?;
            Ok(records.map(|record| match record {
                Ok(record) => Ok(Record { kind: record.kind, bytes: record.bytes.into() }),
                Err(error) => Err(damaged(error).into()),
            }))
        }
    }
}

/// The failure of an archive that cannot be read completely.
pub(crate) fn damaged(error: consul::Error) -> Error {
    Error::new(Kind::Corrupt, error.to_string()).because(error)
}

/// A file whose reading counts as progress and stops when its task is cancelled.
pub(crate) struct Counted<'a> {
    pub(crate) file: File,
    pub(crate) progress: Option<&'a Running>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if let Some(progress) = self.progress {
            progress.advance(read as u64).map_err(io::Error::other)?;
        }
        Ok(read)
    }
}
