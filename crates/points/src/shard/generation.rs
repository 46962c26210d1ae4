//! What lies in a shard's directory.
//!
//! * `live` names the generation that is the shard's state; replacing it is the only commit point
//! * `<generation>/` is a directory of the engine, with two files of ours:
//!   * `applied.json`: how far the log was applied when the engine was flushed last
//!   * `reserved`: the engine has used no operation number beyond this
//! * anything else is left over from a crash, and goes when the shard is opened

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entry::Applied;
use super::files::{self, failed};
use super::meter::Meter;
use crate::error::{Error, Kind, Result};

const FORMAT: u32 = 1;
const LIVE: &str = "live";
const APPLIED: &str = "applied.json";
const RESERVED: &str = "reserved";

/// A generation of a shard: one directory of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    path: PathBuf,
    name: Uuid,
}

#[derive(Serialize, Deserialize)]
struct Live {
    format: u32,
    generation: Uuid,
}

/// What is written after each flush.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) applied: Applied,
    /// The last operation number that the engine used.
    pub(super) number: u64,
    pub(super) meter: Meter,
}

impl Generation {
    /// A generation that does not exist yet. Its name is never used again, so that one whose building goes on
    /// after the shard was closed meets no other.
    pub(super) fn new(shard: &Path) -> Generation {
        let name = Uuid::new_v4();
        Generation { path: shard.join(name.simple().to_string()), name }
    }

    /// The live generation of the shard in `dir`, if it has one.
    pub(super) fn live(dir: &Path) -> Result<Option<Generation>> {
        let path = dir.join(LIVE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(other) => return Err(failed("read", &path)(other)),
        };
        let live: Live = serde_json::from_slice(&bytes).map_err(|error| damaged(&path, &error))?;
        if live.format > FORMAT {
            return Err(Error::new(
                Kind::Unsupported,
                format!("{} is of format {}; this release knows {FORMAT}", path.display(), live.format),
            ));
        }
        Ok(Some(Generation { path: dir.join(live.generation.simple().to_string()), name: live.generation }))
    }

    /// Makes this the live generation of its shard, durably. Its own files must be durable already.
    pub(super) fn go_live(&self) -> Result<()> {
        let live = Live { format: FORMAT, generation: self.name };
        let json = serde_json::to_vec(&live).expect("plain data");
        let shard = self.path.parent().expect("a generation lies in a shard's directory");
        files::write_whole(shard, LIVE, &json)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the last flush wrote.
    pub(super) fn record(&self) -> Result<Record> {
        let path = self.path.join(APPLIED);
        let bytes = fs::read(&path).map_err(failed("read", &path))?;
        serde_json::from_slice(&bytes).map_err(|error| damaged(&path, &error))
    }

    /// Notes how far the log was applied. Only after the engine was flushed with that in it.
    pub(super) fn write_record(&self, record: &Record) -> Result<()> {
        write_record(&self.path, record)
    }

    /// A number beyond which the engine has used none; 0 if that was never written.
    pub(super) fn reserved(&self) -> Result<u64> {
        let path = self.path.join(RESERVED);
        match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map_err(|error| damaged(&path, &error)),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(other) => Err(failed("read", &path)(other)),
        }
    }

    /// Allows the engine the numbers up to `number`.
    pub(super) fn reserve(&self, number: u64) -> Result<()> {
        files::write_whole(&self.path, RESERVED, format!("{number}\n").as_bytes())
    }

    pub(super) fn remove(&self) {
        remove(&self.path);
    }
}

/// Notes in a copy of the engine's directory how far the log was applied to it.
pub(super) fn write_record(dir: &Path, record: &Record) -> Result<()> {
    files::write_whole(dir, APPLIED, &serde_json::to_vec(record).expect("plain data"))
}

/// Removes whatever in a shard's directory does not belong to its live generation.
pub(super) fn sweep(dir: &Path, live: Option<&Generation>) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(failed("list", dir))? {
        let path = entry.map_err(failed("list", dir))?.path();
        if live.is_some_and(|live| live.path == path || path == dir.join(LIVE)) {
            continue;
        }
        remove(&path);
    }
    Ok(())
}

/// Removes a file or a tree. What cannot be removed now is swept when the shard is opened again.
pub(super) fn remove(path: &Path) {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    if let Err(error) = removed
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!("remove {}: {error}", path.display());
    }
}

fn damaged(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::Corrupt, format!("{} does not decode: {why}", path.display()))
}
