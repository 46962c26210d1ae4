//! The catalog: stored snapshots, listed only once their bytes are complete and durable.

use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;

use archive::gzip::Level;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use records::{Document, Op};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use crate::blobs::{Blob, Digest, Incoming};
use crate::clock;
use crate::error::{self, Error, Kind, Result, blocking, to_the_end};
use crate::node::Node;
use crate::restore::Body;
use crate::save::Consistency;
use crate::scope::Scope;
use crate::tasks::{Running, Step, TaskKind};

pub(crate) const PREFIX: &str = "catalog/";

/// Bytes read from a stored snapshot at a time.
const READ_BYTES: usize = 256 << 10;

/// A stored snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What it is a snapshot of.
    pub scope: Scope,
    /// Its name, unique in the scope.
    pub name: String,
    /// When it was taken or uploaded, in milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    /// Bytes of the archive.
    pub size: u64,
    /// SHA-256 of the archive, in hex.
    pub sha256: String,
    /// The state index it stands for.
    pub index: u64,
    /// Records in it.
    pub records: u64,
}

impl Snapshot {
    /// The blob that holds its bytes.
    pub fn blob(&self) -> Result<Blob> {
        Ok(Blob { digest: self.sha256.parse()?, bytes: self.size })
    }
}

/// A name that can stand in a URL and in a file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Accepts 1 to 128 of `A-Z a-z 0-9 . _ -`, not beginning with a dot.
    pub fn new(name: &str) -> Result<Name> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=128).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('.') {
            return Ok(Name(name.to_owned()));
        }
        let message = format!("{name:?} is no name: 1 to 128 of A-Z a-z 0-9 . _ -, not beginning with a dot");
        Err(Error::new(Kind::Invalid, message))
    }

    /// Accepts what can be the name of a file: 1 to 200 bytes without `/` and control characters, not beginning
    /// with a dot. Snapshots of points are called after their collections.
    #[cfg(feature = "qdrant")]
    pub fn of_file(name: &str) -> Result<Name> {
        let fits = |character: char| character != '/' && character != '\\' && !character.is_control();
        if (1..=200).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('.') {
            return Ok(Name(name.to_owned()));
        }
        Err(Error::new(Kind::Invalid, format!("{name:?} is no name of a file")))
    }

    /// What a snapshot of `scope` may be called.
    pub fn in_scope(scope: &Scope, name: &str) -> Result<Name> {
        match scope {
            Scope::Records(_) => Name::new(name),
            #[cfg(feature = "qdrant")]
            Scope::Points(_) => Name::of_file(name),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn key(scope: &Scope, name: &str) -> String {
    format!("{PREFIX}{scope}/{name}")
}

impl Node {
    /// The stored snapshots of one scope, or of all, by name.
    pub fn snapshots(&self, scope: Option<&Scope>) -> Result<Vec<Snapshot>> {
        let prefix = scope.map_or_else(|| PREFIX.to_owned(), |scope| key(scope, ""));
        let documents = self.records().documents(&prefix)?;
        let found = documents.iter().map(|(_, bytes)| decode(bytes));
        // Below `qdrant/` lie those of every collection, too.
        found
            .filter(|found| {
                found.as_ref().map_or(true, |found| scope.is_none_or(|scope| found.scope == *scope))
            })
            .collect()
    }

    /// One stored snapshot.
    pub fn snapshot(&self, scope: &Scope, name: &Name) -> Result<Snapshot> {
        let key = key(scope, &name.0);
        let documents = self.records().documents(&key)?;
        match documents.iter().find(|(found, _)| *found == key) {
            Some((_, bytes)) => decode(bytes),
            None => Err(Error::new(Kind::NotFound, format!("there is no snapshot {:?} of {scope}", name.0))),
        }
    }

    /// Saves `scope` into the catalog. When this returns, the snapshot is listed, complete and durable.
    pub async fn create_snapshot(
        &self,
        scope: records::Scope,
        name: Option<Name>,
        level: Level,
    ) -> Result<Snapshot> {
        self.confirm_leader().await?;
        let name = name.unwrap_or_else(|| self.default_name(scope));
        let node = self.clone();
        to_the_end(async move {
            let run = |running| node.clone().write_snapshot(scope, name, level, running);
            node.run_task(Uuid::now_v7(), TaskKind::Save, &scope.into(), Step::Write, run).await
        })
        .await
    }

    /// Puts an archive into the catalog, after verifying all of it.
    pub async fn upload_snapshot(&self, scope: impl Into<Scope>, name: Name, body: Body) -> Result<Snapshot> {
        self.confirm_leader().await?;
        let (node, scope) = (self.clone(), scope.into());
        // A task that was dropped in the middle would be listed as running for ever.
        to_the_end(async move {
            let run = |running| node.clone().take_snapshot_in(scope.clone(), name, body, running);
            node.run_task(Uuid::now_v7(), TaskKind::Upload, &scope, Step::Receive, run).await
        })
        .await
    }

    /// Removes a snapshot from the catalog; its bytes go once nobody reads them.
    pub async fn delete_snapshot(&self, scope: impl Into<Scope>, name: &Name) -> Result<()> {
        self.confirm_leader().await?;
        let scope = scope.into();
        // Else its file could be made again before the entry is gone.
        let _names = self.hold_names().await;
        let snapshot = self.snapshot(&scope, name)?;
        self.unshelve(&snapshot)?;
        self.propose(Op::Documents(vec![Document { key: key(&scope, &name.0), value: None }])).await?;
        Ok(())
    }

    /// Without points there are no files to follow the catalog.
    #[cfg(not(feature = "qdrant"))]
    fn shelve(&self, _: &Snapshot) {}

    #[cfg(not(feature = "qdrant"))]
    fn unshelve(&self, _: &Snapshot) -> Result<()> {
        Ok(())
    }

    async fn write_snapshot(
        self,
        scope: records::Scope,
        name: Name,
        level: Level,
        running: Arc<Running>,
    ) -> Result<Snapshot> {
        self.check_free(&scope.into(), &name)?;
        let capture = self.capture(scope, Consistency::Linearizable).await?;
        self.check_disk(0)?;
        running.step(Step::Write, None)?;
        let (index, records) = (capture.index(), capture.records()?);
        let incoming = Watched { incoming: self.blobs().receive()?, running: Arc::clone(&running) };
        let blob = blocking(move || capture.write(incoming, level)?.incoming.finish()).await?;
        self.list(scope.into(), name, blob, index, records).await
    }

    async fn take_snapshot_in(
        self,
        scope: Scope,
        name: Name,
        body: Body,
        running: Arc<Running>,
    ) -> Result<Snapshot> {
        self.check_free(&scope, &name)?;
        let blob = self.receive(body, &running).await?;
        let (index, records) = match &scope {
            Scope::Records(scope) => {
                let verified = self.verify(*scope, blob, true, &running).await?;
                (verified.index, verified.totals.count())
            }
            #[cfg(feature = "qdrant")]
            Scope::Points(scope) => self.verify_points(scope, blob, &running).await?,
        };
        self.list(scope, name, blob, index, records).await
    }

    pub(crate) async fn list(
        &self,
        scope: Scope,
        name: Name,
        blob: Blob,
        index: u64,
        records: u64,
    ) -> Result<Snapshot> {
        let _names = self.hold_names().await;
        self.check_free(&scope, &name)?;
        let snapshot = Snapshot {
            scope,
            name: name.0,
            created_at_ms: self.now_ms(),
            size: blob.bytes,
            sha256: blob.digest.to_string(),
            index,
            records,
        };
        let document = Document { key: key(&snapshot.scope, &snapshot.name), value: Some(encode(&snapshot)) };
        self.propose(Op::Documents(vec![document])).await?;
        fail::fail_point!("catalog::listed");
        self.shelve(&snapshot);
        Ok(snapshot)
    }

    pub(crate) fn check_free(&self, scope: &Scope, name: &Name) -> Result<()> {
        match self.snapshot(scope, name) {
            Err(error) if error.kind() == Kind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(Error::new(Kind::Conflict, format!("there is a snapshot {:?} of {scope}", name.0))),
        }
    }

    /// `consul-20260102T030405.678Z`.
    fn default_name(&self, scope: records::Scope) -> Name {
        let time: String = clock::rfc3339(self.now_ms()).chars().filter(|c| !"-:".contains(*c)).collect();
        Name(format!("{scope}-{time}"))
    }

    /// Streams the bytes of a stored snapshot.
    pub fn read_snapshot(
        &self,
        snapshot: &Snapshot,
    ) -> Result<impl Stream<Item = std::io::Result<Bytes>> + Send + 'static> {
        self.read_snapshot_part(snapshot, 0, snapshot.size)
    }

    /// Streams `bytes` bytes of a stored snapshot, from the one numbered `from` on, or as many as there are.
    pub fn read_snapshot_part(
        &self,
        snapshot: &Snapshot,
        from: u64,
        bytes: u64,
    ) -> Result<impl Stream<Item = std::io::Result<Bytes>> + Send + 'static> {
        let (mut file, _) = self.blobs().open_blob(snapshot.blob()?.digest)?;
        file.seek(SeekFrom::Start(from)).map_err(error::io("read a blob"))?;
        let read = |mut part: tokio::io::Take<tokio::fs::File>| async move {
            let mut chunk = BytesMut::with_capacity(READ_BYTES);
            let read = part.read_buf(&mut chunk).await?;
            Ok((read > 0).then(|| (chunk.freeze(), part)))
        };
        Ok(stream::try_unfold(tokio::fs::File::from_std(file).take(bytes), read))
    }

    /// The digests that the catalog needs.
    pub(crate) fn listed_blobs(&self) -> Result<Vec<Digest>> {
        self.snapshots(None)?.iter().map(|snapshot| snapshot.sha256.parse()).collect()
    }
}

fn encode(snapshot: &Snapshot) -> Vec<u8> {
    serde_json::to_vec(snapshot).expect("plain data")
}

fn decode(bytes: &Bytes) -> Result<Snapshot> {
    serde_json::from_slice(bytes)
        .map_err(|e| Error::new(Kind::Internal, format!("a catalog entry does not decode: {e}")))
}

/// A blob being written whose bytes count as progress.
pub(crate) struct Watched {
    pub(crate) incoming: Incoming,
    pub(crate) running: Arc<Running>,
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.running.advance(bytes.len() as u64)?;
        self.incoming.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.incoming.flush()
    }
}
