//! The least that any snapshot of a collection could do: read what its files hold, hash it, and write it to one
//! file that survives a power cut.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::fs::SeekFrom;
use sha2::{Digest, Sha256};

const BUFFER_BYTES: usize = 1 << 20;

/// The files of the segments in the newest generation of shards that `data_dir` holds. The one before may still be
/// there, to be brought back.
pub(crate) fn live_files(data_dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let made = |path: &PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let newest = list(&data_dir.join("points"))?.into_iter().max_by_key(made);
    let mut files = Vec::new();
    collect(&newest.context("no shard in the data directory")?, &mut files)?;
    files.retain(|path| path.iter().any(|name| name == "segments"));
    anyhow::ensure!(!files.is_empty(), "no segment in the data directory");
    Ok(files)
}

/// Copies what `files` hold into one file in `dir`, without their holes.
pub(crate) fn copy(files: &[PathBuf], dir: &Path) -> anyhow::Result<Duration> {
    let dir = tempfile::tempdir_in(dir)?;
    let began = Instant::now();
    let mut target = File::create(dir.path().join("copy"))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    for path in files {
        let mut source = File::open(path)?;
        let mut end = 0;
        while let Some((start, next)) = extent(&source, end)? {
            source.seek(std::io::SeekFrom::Start(start))?;
            let mut left = (next - start) as usize;
            while left > 0 {
                let part = &mut buffer[..left.min(BUFFER_BYTES)];
                source.read_exact(part)?;
                hash.update(&part);
                target.write_all(part)?;
                left -= part.len();
            }
            end = next;
        }
    }
    target.sync_all()?;
    let took = began.elapsed();
    black_box(hash.finalize());
    Ok(took)
}

/// The next stretch of a file that is no hole.
fn extent(file: &File, from: u64) -> anyhow::Result<Option<(u64, u64)>> {
    match rustix::fs::seek(file, SeekFrom::Data(from)) {
        Ok(start) => Ok(Some((start, rustix::fs::seek(file, SeekFrom::Hole(start))?))),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for path in list(dir)? {
        match path.is_dir() {
            true => collect(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

/// What is in a directory; nothing, if there is none.
fn list(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    match dir.is_dir() {
        true => Ok(fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?),
        false => Ok(Vec::new()),
    }
}
