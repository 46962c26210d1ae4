//! The operations applied since a generation began to be built, in the order in which they were. They lie in a
//! file that is never synced: after a crash the log has them, and the building begins anew.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::generation;

/// Where operations go in.
pub(super) struct Spool {
    path: PathBuf,
    file: BufWriter<File>,
    written: u64,
    /// Why it lacks operations: whoever reads it must give up.
    failed: Option<io::Error>,
}

/// Where they come out.
pub(super) struct SpoolReader {
    file: BufReader<File>,
    read: u64,
}

impl Spool {
    pub(super) fn create(path: PathBuf) -> io::Result<Spool> {
        let file = BufWriter::new(File::create_new(&path)?);
        Ok(Spool { path, file, written: 0, failed: None })
    }

    pub(super) fn reader(&self) -> io::Result<SpoolReader> {
        Ok(SpoolReader { file: BufReader::new(File::open(self.path())?), read: 0 })
    }

    fn path(&self) -> &Path {
        &self.path
    }

    /// Adds an operation. A failure is kept for the reader: it is no reason not to apply the operation.
    pub(super) fn push(&mut self, operation: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        let length = (operation.len() as u64).to_le_bytes();
        match self.file.write_all(&length).and_then(|()| self.file.write_all(operation)) {
            Ok(()) => self.written += 8 + operation.len() as u64,
            Err(error) => self.failed = Some(error),
        }
    }

    /// How many bytes a reader may read now.
    pub(super) fn ready(&mut self) -> io::Result<u64> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.file.flush().map(|()| self.written),
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        generation::remove(&self.path);
    }
}

impl SpoolReader {
    /// The next operation before the byte `end`.
    pub(super) fn next(&mut self, end: u64) -> io::Result<Option<Vec<u8>>> {
        if self.read >= end {
            return Ok(None);
        }
        let mut length = [0; 8];
        self.file.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        // Our own file, not a stranger's: the length is one that was in memory before.
        let mut operation = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact(&mut operation)?;
        self.read += 8 + length;
        Ok(Some(operation))
    }

    /// Bytes read so far.
    pub(super) fn read(&self) -> u64 {
        self.read
    }
}
