//! The shelf: stored snapshots of points as files, where genuine servers have theirs, for people and for restores
//! by `file://`.
//!
//! * `<dir>/<collection>/<name>`, `<dir>/<collection>/shards/<id>/<name>`, and `<dir>/<name>` for all collections
//! * `<name>.checksum` beside each: its SHA-256 in hex
//!
//! The catalog is the truth. Files follow it, as links of its blobs: they come after the entry and go before it, and
//! what is missing is made again, so that a crash leaves none astray. What people put there is theirs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use futures_util::stream;
use tokio::io::AsyncReadExt;

use crate::blobs::Digest;
use crate::catalog::Snapshot;
use crate::error::{self, Error, Kind, Result, blocking};
use crate::node::Node;
use crate::restore::Origin;
use crate::scope::{PointsScope, Scope};

const CHECKSUM: &str = ".checksum";
const TEMPORARY: &str = ".tmp";

/// Bytes read from a file at a time.
const READ_BYTES: usize = 256 << 10;

/// Where stored snapshots lie as files.
pub(crate) struct Shelf {
    dir: PathBuf,
    /// What was put there by this node, since it began.
    known: Mutex<BTreeMap<PathBuf, Digest>>,
}

/// Why a file is not taken in, in the sentences of genuine servers
/// (`qdrant/qdrant:lib/storage/src/content_manager/snapshots/download.rs`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileRefusal {
    /// There is no such file.
    #[error("Snapshot file {0:?} does not exist")]
    Missing(PathBuf),
    /// It is not below the directory of snapshots.
    #[error("Snapshot file path must be inside the snapshots directory {0:?}")]
    Outside(PathBuf),
    /// Where it is cannot be told, or it is no file.
    #[error("Failed to resolve snapshot path {0:?}: {1}")]
    Unresolved(PathBuf, String),
}

impl From<FileRefusal> for Error {
    fn from(refusal: FileRefusal) -> Error {
        let kind = match &refusal {
            FileRefusal::Outside(_) => Kind::Denied,
            FileRefusal::Missing(_) | FileRefusal::Unresolved(..) => Kind::Invalid,
        };
        Error::new(kind, refusal.to_string()).because(refusal)
    }
}

impl Shelf {
    /// The shelf in `dir`, which is made.
    pub(crate) fn open(dir: PathBuf) -> Result<Shelf> {
        fs::create_dir_all(&dir).map_err(|error| {
            let message = format!("create the snapshots directory {}: {error}", dir.display());
            Error::new(Kind::Denied, message)
        })?;
        Ok(Shelf { dir, known: Mutex::default() })
    }

    /// Where a snapshot lies; `None` for those of other products, and for collections with names that lead elsewhere.
    fn place(&self, scope: &Scope, name: &str) -> Option<PathBuf> {
        let Scope::Points(scope) = scope else { return None };
        let is_plain = |name: &str| !matches!(name, "." | "..") && !name.contains('/');
        let dir = match scope {
            PointsScope::Storage => self.dir.clone(),
            PointsScope::Collection(name) => self.dir.join(name),
            PointsScope::Shard(name, id) => self.dir.join(name).join("shards").join(id.to_string()),
        };
        (scope.collection().is_none_or(is_plain) && is_plain(name)).then(|| dir.join(name))
    }

    /// Puts one snapshot there, unless it is.
    pub(crate) fn put(&self, snapshot: &Snapshot, blob: &Path) -> Result<()> {
        let (Some(place), digest) = (self.place(&snapshot.scope, &snapshot.name), snapshot.blob()?.digest)
        else {
            return Ok(());
        };
        if !place.exists() {
            link(blob, digest, &place).map_err(error::io("put a snapshot into the snapshots directory"))?;
        } else if !is_copy(&place, blob, digest) {
            // Somebody else's file has the name, and keeps it.
            return Ok(());
        }
        self.known.lock().expect("no panic while held").insert(place, digest);
        Ok(())
    }

    /// Takes one away.
    pub(crate) fn remove(&self, snapshot: &Snapshot, blob: &Path) -> Result<()> {
        let Some(place) = self.place(&snapshot.scope, &snapshot.name) else { return Ok(()) };
        let was_put = self.known.lock().expect("no panic while held").remove(&place).is_some();
        if !was_put && !is_copy(&place, blob, snapshot.blob()?.digest) {
            return Ok(());
        }
        unlink(&place).map_err(error::io("remove a snapshot from the snapshots directory"))
    }

    /// Makes what is missing of `snapshots`, and takes away what this node had put there and is listed no more.
    pub(crate) fn follow(&self, snapshots: &[Snapshot], blob: impl Fn(Digest) -> PathBuf) {
        let place = |snapshot: &Snapshot| self.place(&snapshot.scope, &snapshot.name);
        for snapshot in snapshots {
            let put = snapshot.blob().and_then(|found| {
                let blob = blob(found.digest);
                // Another node may hold it.
                if blob.exists() { self.put(snapshot, &blob) } else { Ok(()) }
            });
            if let Err(error) = put {
                tracing::warn!(%error, name = snapshot.name, "put a snapshot on the shelf; trying again");
            }
        }
        let listed: Vec<PathBuf> = snapshots.iter().filter_map(place).collect();
        let gone = |known: &BTreeMap<PathBuf, Digest>| -> Vec<PathBuf> {
            known.keys().filter(|place| !listed.contains(place)).cloned().collect()
        };
        let gone = gone(&self.known.lock().expect("no panic while held"));
        for place in gone {
            match unlink(&place) {
                Ok(()) => drop(self.known.lock().expect("no panic while held").remove(&place)),
                Err(error) => {
                    tracing::warn!(%error, place = %place.display(), "remove a snapshot; trying again")
                }
            }
        }
    }

    /// The snapshot of the catalog that a file is, if it is one.
    fn digest_of(&self, file: &Path, blob: impl Fn(Digest) -> PathBuf) -> Option<Digest> {
        let known = self.known.lock().expect("no panic while held");
        let found = known.iter().find(|(place, _)| place.canonicalize().is_ok_and(|place| place == file));
        let digest = *found?.1;
        // Somebody may have replaced it.
        is_copy(file, &blob(digest), digest).then_some(digest)
    }
}

/// Makes `place` a link of a blob, or a copy on another file system, with its checksum beside it.
fn link(blob: &Path, digest: Digest, place: &Path) -> io::Result<()> {
    let dir = place.parent().expect("a snapshot lies in a directory");
    fs::create_dir_all(dir)?;
    // After a crash the same names are written again.
    let temporary = beside(place, TEMPORARY);
    let mut checksum = File::create(&temporary)?;
    checksum.write_all(digest.to_string().as_bytes())?;
    checksum.sync_all()?;
    fs::rename(&temporary, beside(place, CHECKSUM))?;
    match fs::hard_link(blob, place) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let mut copy = File::create(&temporary)?;
            io::copy(&mut File::open(blob)?, &mut copy)?;
            copy.sync_all()?;
            fs::rename(&temporary, place)?;
        }
        linked => linked?,
    }
    File::open(dir)?.sync_all()
}

/// Whether the file is a link of the blob, or says that it is a copy.
fn is_copy(place: &Path, blob: &Path, digest: Digest) -> bool {
    let says = || fs::read_to_string(beside(place, CHECKSUM)).is_ok_and(|says| says == digest.to_string());
    let (Ok(one), Ok(other)) = (fs::symlink_metadata(place), fs::metadata(blob)) else { return false };
    let is_link = (one.dev(), one.ino()) == (other.dev(), other.ino());
    is_link || (one.is_file() && one.len() == other.len() && one.dev() != other.dev() && says())
}

fn unlink(place: &Path) -> io::Result<()> {
    for path in [place.to_owned(), beside(place, CHECKSUM), beside(place, TEMPORARY)] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn beside(place: &Path, end: &str) -> PathBuf {
    let mut path = place.as_os_str().to_owned();
    path.push(end);
    path.into()
}

impl Node {
    /// The archive in a file below the directory of snapshots, to be restored. What is a link of a stored snapshot
    /// is not read into another blob. The error's cause is a [`FileRefusal`] where the file is refused.
    pub async fn snapshot_file(&self, path: &Path) -> Result<Origin> {
        let (node, path) = (self.clone(), path.to_owned());
        let opened = blocking(move || {
            if !path.exists() {
                return Err(FileRefusal::Missing(path).into());
            }
            let unresolved = |error: io::Error| FileRefusal::Unresolved(path.clone(), error.to_string());
            let file = path.canonicalize().map_err(unresolved)?;
            let dir = node.snapshots_dir();
            if !file.starts_with(dir.canonicalize().map_err(unresolved)?) {
                return Err(FileRefusal::Outside(dir).into());
            }
            let metadata = fs::metadata(&file).map_err(unresolved)?;
            if !metadata.is_file() {
                return Err(unresolved(io::Error::other("it is no file")).into());
            }
            let blob = |digest| node.blobs().path(digest);
            if let Some(digest) = node.shelf().digest_of(&file, blob) {
                return Ok(Err(crate::blobs::Blob { digest, bytes: metadata.len() }));
            }
            Ok(Ok(File::open(&file).map_err(unresolved)?))
        })
        .await?;
        Ok(match opened {
            Err(blob) => Origin::Stored(blob),
            Ok(file) => {
                let read = |mut file: tokio::fs::File| async move {
                    let mut chunk = bytes::BytesMut::with_capacity(READ_BYTES);
                    let read = file.read_buf(&mut chunk).await?;
                    Ok((read > 0).then(|| (chunk.freeze(), file)))
                };
                Origin::Body(Box::pin(stream::try_unfold(tokio::fs::File::from_std(file), read)))
            }
        })
    }

    /// Where stored snapshots of points lie as files.
    pub fn snapshots_dir(&self) -> PathBuf {
        self.shelf().dir.clone()
    }

    /// Makes the files follow the catalog.
    pub(crate) fn follow_catalog(&self) -> Result<()> {
        let snapshots = self.snapshots(None)?;
        self.shelf().follow(&snapshots, |digest| self.blobs().path(digest));
        Ok(())
    }

    /// Takes away a snapshot that is about to be listed no more.
    pub(crate) fn unshelve(&self, snapshot: &Snapshot) -> Result<()> {
        self.shelf().remove(snapshot, &self.blobs().path(snapshot.blob()?.digest))
    }

    /// Puts a snapshot that was just listed there. That it fails makes the snapshot no less complete.
    pub(crate) fn shelve(&self, snapshot: &Snapshot) {
        let put =
            snapshot.blob().and_then(|blob| self.shelf().put(snapshot, &self.blobs().path(blob.digest)));
        if let Err(error) = put {
            tracing::warn!(%error, name = snapshot.name, "put a snapshot on the shelf; trying again");
        }
    }
}
