//! Files named by their SHA-256: received archives and stored snapshots.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::UNIX_EPOCH;

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::error::{self, Error, Kind, Result};

/// A SHA-256, which is also a blob's name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

/// A complete, durable blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its name.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
}

/// The store of blobs under one directory.
pub(crate) struct Blobs {
    dir: PathBuf,
    incoming: PathBuf,
}

impl Blobs {
    /// Opens the store, dropping what was being received when the process last stopped. What comes in lies in
    /// `temp` meanwhile, if that is on the same file system.
    pub(crate) fn open(dir: &Path, temp: Option<&Path>) -> Result<Blobs> {
        fs::create_dir_all(dir).map_err(error::io("create the blob directory"))?;
        let incoming = match temp {
            Some(temp) if is_beside(dir, temp).map_err(error::io("look at the temporary directory"))? => {
                temp.join("stillpoint-incoming")
            }
            Some(temp) => {
                let temp = temp.display();
                tracing::warn!(%temp, "not used: it is not on the file system of the data directory");
                dir.join("incoming")
            }
            None => dir.join("incoming"),
        };
        if incoming.exists() {
            fs::remove_dir_all(&incoming).map_err(error::io("drop partial blobs"))?;
        }
        fs::create_dir_all(&incoming).map_err(error::io("create the blob directory"))?;
        Ok(Blobs { dir: dir.to_owned(), incoming })
    }

    /// Starts a blob. Dropped before [`Incoming::finish`], it leaves nothing behind.
    pub(crate) fn receive(&self) -> Result<Incoming> {
        let file =
            NamedTempFile::with_suffix_in(".part", &self.incoming).map_err(error::io("create a blob"))?;
        Ok(Incoming { file, hash: Sha256::new(), bytes: 0, dir: self.dir.clone() })
    }

    /// Opens a blob for reading, with its size.
    pub(crate) fn open_blob(&self, digest: Digest) -> Result<(File, u64)> {
        let file = match File::open(self.path(digest)) {
            Ok(file) => file,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                return Err(Error::new(Kind::NotFound, format!("blob {digest} is not on this node")));
            }
            Err(other) => return Err(error::io("open a blob")(other)),
        };
        let bytes = file.metadata().map_err(error::io("open a blob"))?.len();
        Ok((file, bytes))
    }

    /// Whether the blob is here.
    pub(crate) fn contains(&self, digest: Digest) -> bool {
        self.path(digest).exists()
    }

    /// Drops every blob that `keep` declines, told its name and when it was written (milliseconds since the
    /// Unix epoch). Whoever reads one now reads on.
    pub(crate) fn collect(&self, keep: impl Fn(Digest, u64) -> bool) -> Result<u64> {
        let mut dropped = 0;
        for entry in fs::read_dir(&self.dir).map_err(error::io("list blobs"))? {
            let entry = entry.map_err(error::io("list blobs"))?;
            let name = entry.file_name();
            let Some(digest) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            let written =
                entry.metadata().and_then(|meta| meta.modified()).map_err(error::io("look at a blob"))?;
            let written_ms = written.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            if !keep(digest, u64::try_from(written_ms).unwrap_or(u64::MAX)) {
                fs::remove_file(entry.path()).map_err(error::io("drop a blob"))?;
                dropped += 1;
            }
        }
        Ok(dropped)
    }

    /// Where a blob lies.
    pub(crate) fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(digest.to_string())
    }
}

/// Whether what lies in `temp`, which is made, can be moved to `dir`.
fn is_beside(dir: &Path, temp: &Path) -> io::Result<bool> {
    fs::create_dir_all(temp)?;
    Ok(fs::metadata(temp)?.dev() == fs::metadata(dir)?.dev())
}

/// A blob being written.
pub(crate) struct Incoming {
    file: NamedTempFile,
    hash: Sha256,
    bytes: u64,
    dir: PathBuf,
}

impl Incoming {
    /// Makes the blob complete. When this returns, it survives a power cut.
    pub(crate) fn finish(self) -> Result<Blob> {
        let digest = Digest(self.hash.finalize().into());
        self.file.as_file().sync_all().map_err(error::io("sync a blob"))?;
        let path = self.dir.join(digest.to_string());
        self.file.persist(path).map_err(|e| error::io("name a blob")(e.error))?;
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(error::io("sync the blob directory"))?;
        Ok(Blob { digest, bytes: self.bytes })
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(hex: &str) -> Result<Digest> {
        let refuse = || Error::new(Kind::Invalid, format!("{hex:?} is not a SHA-256 in hex"));
        if hex.len() != 64 || !hex.is_ascii() {
            return Err(refuse());
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| refuse())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| refuse())?;
        }
        Ok(Digest(digest))
    }
}

impl TryFrom<&[u8]> for Digest {
    type Error = Error;

    fn try_from(bytes: &[u8]) -> Result<Digest> {
        let digest = bytes.try_into().map_err(|_| Error::new(Kind::Internal, "a digest has 32 bytes"))?;
        Ok(Digest(digest))
    }
}
