//! Files on their way: one that is not there until it is whole, and one that is about to be sent.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Seek};
use std::path::{Path, PathBuf};

use anyhow::Context;
use client::Upload;
use indicatif::ProgressBar;
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

use crate::exit::{ExitCode, Failure};

/// A file being written beside where it shall be. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Staged {
    file: NamedTempFile,
    target: PathBuf,
    overwrite: bool,
}

impl Staged {
    /// Begins `target` as `TARGET.<random>.partial` in the same directory, for this user alone. Refuses a
    /// target that exists unless `overwrite`, and one that is no file at all in any case.
    pub(crate) fn create(target: &Path, overwrite: bool) -> anyhow::Result<Staged> {
        let refused = |what| Failure::new(ExitCode::Failed, format!("{} {what}", target.display()));
        match fs::metadata(target) {
            Ok(found) if !found.is_file() => return Err(refused("exists and is not a file").into()),
            Ok(_) if !overwrite => return Err(refused("exists").hint("--force replaces it").into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("look at {}", target.display())),
        }
        let name = target.file_name().ok_or_else(|| Failure::usage(format!("{target:?} names no file")))?;
        let prefix: OsString = [name, OsStr::new(".")].into_iter().collect();
        let directory = directory_of(target);
        // Without further words this makes a file of mode 0600 that was not there before.
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".partial")
            .tempfile_in(directory)
            .with_context(|| format!("create a file in {}", directory.display()))?;
        Ok(Staged { file, target: target.into(), overwrite })
    }

    /// Another handle to write through.
    pub(crate) fn writer(&self) -> anyhow::Result<File> {
        self.file.as_file().try_clone().context("open the new file again")
    }

    /// Gives the file its name. Once this returns, it survives a power cut; dropped before, there is no file.
    pub(crate) async fn publish(self) -> anyhow::Result<()> {
        // The handle goes to the other thread, the duty to remove the file stays here.
        let written = self.writer()?;
        spawn_blocking(move || written.sync_all()).await?.context("sync the new file")?;
        let renamed = match self.overwrite {
            true => self.file.persist(&self.target),
            false => self.file.persist_noclobber(&self.target),
        };
        renamed
            .map_err(|error| error.error)
            .with_context(|| format!("rename to {}", self.target.display()))?;
        let directory = directory_of(&self.target);
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.with_context(|| format!("sync the directory {}", directory.display()))
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// An archive of ours that can be read more than once.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    /// Its length in bytes when it was opened.
    pub(crate) length: u64,
    /// How to speak of it.
    pub(crate) name: String,
}

impl Source {
    /// Opens a file, or takes all of stdin for `-`, which goes into a temporary file that nobody else sees.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Source> {
        let (file, name) = match is_dash(path) {
            true => (spool_stdin()?, "stdin".to_owned()),
            false => {
                let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
                (file, path.display().to_string())
            }
        };
        let found = file.metadata().with_context(|| format!("look at {name}"))?;
        match found.is_file() {
            true => Ok(Source { file, length: found.len(), name }),
            false => Err(Failure::usage(format!("{name} is not a file")).hint("`-` reads stdin").into()),
        }
    }

    /// A handle at the first byte. All handles share one position: use one after the other.
    pub(crate) fn rewound(&self) -> anyhow::Result<File> {
        let mut file = self.file.try_clone().context("open the archive again")?;
        file.rewind().with_context(|| format!("go back to the start of {}", self.name))?;
        Ok(file)
    }

    /// All of it, to be sent, while a bar shows how far it is.
    pub(crate) fn upload(&self, bar: &ProgressBar) -> anyhow::Result<Upload> {
        let archive = tokio::fs::File::from_std(self.rewound()?);
        Ok(Upload::new(bar.wrap_async_read(archive), self.length))
    }
}

fn spool_stdin() -> anyhow::Result<File> {
    let mut file = tempfile::tempfile().context("create a temporary file")?;
    io::copy(&mut io::stdin().lock(), &mut file).context("read stdin into a temporary file")?;
    Ok(file)
}

/// Whether a path stands for stdin or stdout.
pub(crate) fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_staged_file_has_its_name_only_once_it_is_published() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("a.snap");
        let staged = Staged::create(&target, false).unwrap();
        staged.writer().unwrap().write_all(b"whole").unwrap();
        let partial = names(directory.path());
        assert!(partial[0].starts_with("a.snap.") && partial[0].ends_with(".partial"), "{partial:?}");
        staged.publish().await.unwrap();
        assert_eq!(names(directory.path()), ["a.snap"]);
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_dropped_file_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        drop(Staged::create(&directory.path().join("a.snap"), false).unwrap());
        assert!(names(directory.path()).is_empty());
    }

    #[tokio::test]
    async fn an_existing_file_is_replaced_only_if_told_so() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("a.snap");
        let late = Staged::create(&target, false).unwrap();
        fs::write(&target, b"old").unwrap();
        assert!(Staged::create(&target, false).is_err());
        // Not even when it came while we were writing.
        assert!(late.publish().await.is_err());
        assert_eq!(fs::read(&target).unwrap(), b"old");
        Staged::create(&target, true).unwrap().publish().await.unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"");
        assert_eq!(names(directory.path()), ["a.snap"]);
    }

    #[test]
    fn a_device_or_directory_is_never_replaced() {
        assert!(Staged::create(Path::new("/dev/null"), true).is_err());
        let directory = tempfile::tempdir().unwrap();
        assert!(Staged::create(directory.path(), true).is_err());
    }
}
