//! What an operation takes at its worst: anonymous memory of a process, and room on the disk.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::anyhow;

use crate::memory;

const SAMPLE_EVERY: Duration = Duration::from_millis(2);

/// The most over what there was before.
#[derive(Clone, Copy)]
pub(crate) struct Peak {
    pub(crate) anonymous_kib: u64,
    pub(crate) disk_bytes: u64,
}

/// Runs `operation` and looks again and again at `process` and its directory. That costs time: what is so watched
/// is not timed.
pub(crate) fn watch(
    process: u32,
    dir: &Path,
    operation: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Peak> {
    let look = || anyhow::Ok((memory::kib(process, "RssAnon")?, allocated(dir)?));
    let before = look()?;
    let running = AtomicBool::new(true);
    let highest = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut highest = before;
            while running.load(Ordering::Relaxed) {
                let (anonymous, disk) = look()?;
                highest = (highest.0.max(anonymous), highest.1.max(disk));
                thread::sleep(SAMPLE_EVERY);
            }
            anyhow::Ok(highest)
        });
        let ended = operation();
        running.store(false, Ordering::Relaxed);
        let highest = watcher.join().map_err(|_| anyhow!("watching panicked"))?;
        ended.and(highest)
    })?;
    let end = look()?;
    Ok(Peak { anonymous_kib: highest.0.max(end.0) - before.0, disk_bytes: highest.1.max(end.1) - before.1 })
}

/// Bytes that the files below `dir` take on the disk; what has several names counts once.
pub(crate) fn allocated(dir: &Path) -> anyhow::Result<u64> {
    let mut seen = HashSet::new();
    let mut bytes = 0;
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        // Files come and go meanwhile.
        let Some(entries) = unless_gone(fs::read_dir(&dir))? else { continue };
        for entry in entries {
            let Some(entry) = unless_gone(entry)? else { continue };
            let Some(metadata) = unless_gone(entry.metadata())? else { continue };
            if metadata.is_dir() {
                dirs.push(entry.path());
            } else if seen.insert((metadata.dev(), metadata.ino())) {
                bytes += metadata.blocks() * 512;
            }
        }
    }
    Ok(bytes)
}

fn unless_gone<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_count_once_and_holes_do_not() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        let file = dir.path().join("sub/file");
        fs::write(&file, [1; 8192]).unwrap();
        fs::File::open(&file).unwrap().sync_all().unwrap();
        let alone = allocated(dir.path()).unwrap();
        fs::hard_link(&file, dir.path().join("link")).unwrap();
        fs::File::create(dir.path().join("hole")).unwrap().set_len(1 << 30).unwrap();
        assert_eq!(allocated(dir.path()).unwrap(), alone);
    }
}
