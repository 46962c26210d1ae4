//! Files: written whole, copied without their holes, made durable by the tree.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::{Error, Kind, Result};

/// So many files are made durable at once.
const SYNCED_AT_ONCE: usize = 8;

/// Writes `bytes` as `dir/name` so that it is there completely, or not at all, and survives a power cut.
pub(super) fn write_whole(dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let temporary = dir.join(format!("{name}.tmp"));
    let write = || -> io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, dir.join(name))?;
        sync_dir(dir)
    };
    write().map_err(failed("write", &dir.join(name)))
}

/// Makes the names in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes every file below `dir` durable, and `dir` itself. Several at once: a file system that waits for one
/// brings the others along.
pub(super) fn sync_tree(dir: &Path) -> io::Result<()> {
    let (mut files, mut dirs) = (Vec::new(), vec![dir.to_owned()]);
    let mut listed = 0;
    while let Some(dir) = dirs.get(listed) {
        listed += 1;
        for entry in fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()? {
            match entry.file_type()?.is_dir() {
                true => dirs.push(entry.path()),
                false => files.push(entry.path()),
            }
        }
    }
    sync_all(&files)?;
    sync_all(&dirs)
}

fn sync_all(paths: &[PathBuf]) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    let sync = || -> io::Result<()> {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            File::open(path)?.sync_all()?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..SYNCED_AT_ONCE.min(paths.len())).map(|_| scope.spawn(sync)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("syncing does not panic"))
    })
}

/// Bytes that the files below `dir` take on the disk.
pub(super) fn allocated(dir: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => allocated(&entry.path())?,
            false => entry.metadata()?.blocks() * 512,
        };
    }
    Ok(bytes)
}

/// Bytes that may still be written to the disk that holds `dir`.
pub(super) fn free(dir: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(dir)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Copies a file, sharing its blocks where the file system can, and leaving out holes elsewhere. Returns the
/// bytes copied.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<u64> {
    let mut source = File::open(from)?;
    let mut target = File::create_new(to)?;
    let length = source.metadata()?.len();
    if share_blocks(&source, &target) {
        return Ok(0);
    }
    target.set_len(length)?;
    let mut copied = 0;
    let mut offset = 0;
    while let Some((start, end)) = next_extent(&mut source, offset, length)? {
        source.seek(SeekFrom::Start(start))?;
        target.seek(SeekFrom::Start(start))?;
        copied += io::copy(&mut io::Read::take(&source, end - start), &mut target)?;
        offset = end;
    }
    Ok(copied)
}

#[cfg(target_os = "linux")]
fn share_blocks(source: &File, target: &File) -> bool {
    rustix::fs::ioctl_ficlone(target, source).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn share_blocks(_source: &File, _target: &File) -> bool {
    false
}

/// The next stretch of data at or after `offset`; `None` if only a hole follows.
#[cfg(target_os = "linux")]
pub(super) fn next_extent(file: &mut File, offset: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    if offset >= length {
        return Ok(None);
    }
    let start = match rustix::fs::seek(&*file, rustix::fs::SeekFrom::Data(offset)) {
        Ok(start) => start,
        Err(rustix::io::Errno::NXIO) => return Ok(None),
        Err(other) => return Err(other.into()),
    };
    let end = rustix::fs::seek(&*file, rustix::fs::SeekFrom::Hole(start))?.min(length);
    Ok((start < end).then_some((start, end)))
}

/// The next stretch of data at or after `offset`; `None` if only a hole follows.
#[cfg(not(target_os = "linux"))]
pub(super) fn next_extent(_file: &mut File, offset: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    Ok((offset < length).then_some((offset, length)))
}

/// All stretches of data in a file, in order.
pub(super) fn extents(file: &mut File) -> io::Result<Vec<(u64, u64)>> {
    let length = file.metadata()?.len();
    let (mut extents, mut offset) = (Vec::new(), 0);
    while let Some((start, end)) = next_extent(file, offset, length)? {
        extents.push((start, end));
        offset = end;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(extents)
}

/// An error of the file system, with what was tried.
pub(super) fn failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let text = format!("{what} {}", path.display());
    move |error| {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::Full,
            _ => Kind::Internal,
        };
        Error::new(kind, format!("{text}: {error}"))
    }
}
