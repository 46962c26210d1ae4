//! The data directory: its format, its lock, who this node is, and the operator's token.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{self, Error, Kind, Result};

const FORMAT: &str = "stillpoint data directory, format 1\n";

/// A locked data directory. The lock is held until this is dropped, or the process dies.
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
    identity: Identity,
}

/// Who this node is, for the life of its data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The number by which groups know it.
    pub id: u64,
    /// Its unique name, a UUID.
    pub name: String,
}

impl DataDir {
    /// Opens `path`, creating it with mode 0700 if it is missing; `Conflict` if another process has it.
    pub(crate) fn open(path: &Path) -> Result<DataDir> {
        create_dir(path)?;
        let lock = lock(path)?;
        check_format(path)?;
        let identity = identity(path)?;
        Ok(DataDir { path: path.to_owned(), _lock: lock, identity })
    }

    /// Who this node is.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where the directory lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The Raft log of the control group.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("control.log")
    }

    /// The records' database.
    pub(crate) fn records(&self) -> PathBuf {
        self.path.join("records")
    }

    /// The blob store.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// The operator's token, made at the first start (mode 0600).
    pub(crate) fn token(&self) -> Result<String> {
        let path = self.path.join("token");
        match fs::read_to_string(&path) {
            Ok(token) => Ok(token.trim().to_owned()),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                // Two random UUIDs: 244 bits from the system's generator.
                let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
                write_whole(&path, format!("{token}\n").as_bytes())?;
                Ok(token)
            }
            Err(other) => Err(error::io("read the token")(other)),
        }
    }

    /// Free bytes on the disk that holds the directory.
    pub(crate) fn free_bytes(&self) -> Result<u64> {
        let stat = rustix::fs::statvfs(&self.path).map_err(|e| error::io("look at the disk")(e.into()))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

fn create_dir(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| {
        let message = format!("create the data directory {}: {error}", path.display());
        Error::new(Kind::Denied, message)
            .hint("pass --data-dir DIR with a directory that this user may write")
    })
}

fn lock(path: &Path) -> Result<File> {
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path.join("LOCK"));
    let file = file.map_err(|error| {
        Error::new(Kind::Denied, format!("the data directory {} cannot be written: {error}", path.display()))
            .hint("give it to this user, or pass --data-dir DIR")
    })?;
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => Ok(file),
        Err(_) => Err(Error::new(
            Kind::Conflict,
            format!("the data directory {} is in use by another stillpoint server", path.display()),
        )
        .hint("stop that server, or pass --data-dir DIR")),
    }
}

fn check_format(path: &Path) -> Result<()> {
    let file = path.join("FORMAT");
    match fs::read_to_string(&file) {
        Ok(format) if format == FORMAT => Ok(()),
        Ok(other) => Err(Error::new(
            Kind::Unsupported,
            format!("{} says {:?}; this release knows {:?}", file.display(), other.trim(), FORMAT.trim()),
        )
        .hint("use the release that wrote it, or a newer one")),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => write_whole(&file, FORMAT.as_bytes()),
        Err(other) => Err(error::io("read FORMAT")(other)),
    }
}

fn identity(path: &Path) -> Result<Identity> {
    let file = path.join("node.json");
    match fs::read(&file) {
        Ok(json) => serde_json::from_slice(&json)
            .map_err(|e| Error::new(Kind::Internal, format!("{} does not decode: {e}", file.display()))),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            let identity = Identity { id: 1, name: Uuid::new_v4().to_string() };
            write_whole(&file, &serde_json::to_vec(&identity).expect("plain data"))?;
            Ok(identity)
        }
        Err(other) => Err(error::io("read node.json")(other)),
    }
}

/// Writes a file so that it is there completely, or not at all, whatever happens.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let what = || format!("write {}", path.display());
    let dir = path.parent().expect("a file in the data directory");
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|e| e.error)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(error::io(&what()))
}
