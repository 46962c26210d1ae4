//! The archive that a command reads without any server: a file or stdin, of whichever product.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use anyhow::Context;

use crate::stage::is_dash;

/// How many bytes tell archives from one another: the first header of a tar.
const HEAD_BYTES: u64 = 512;

/// An archive that is about to be read.
pub(super) struct Opened {
    /// What to call it.
    pub(super) name: String,
    /// How long it is, if that is known.
    pub(super) bytes: Option<u64>,
    /// Whether it is one of Qdrant's: a plain tar, where Consul's and Nomad's are compressed.
    pub(super) is_of_points: bool,
    archive: Box<dyn Read>,
}

impl Opened {
    /// Opens a file, or stdin for `-`.
    pub(super) fn open(path: &Path) -> anyhow::Result<Opened> {
        if is_dash(path) {
            return Opened::new("stdin".into(), None, io::stdin().lock());
        }
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("open {name}"))?;
        let bytes = file.metadata().ok().map(|found| found.len());
        Opened::new(name, bytes, file)
    }

    fn new(name: String, bytes: Option<u64>, mut archive: impl Read + 'static) -> anyhow::Result<Opened> {
        let mut head = Vec::new();
        archive.by_ref().take(HEAD_BYTES).read_to_end(&mut head).with_context(|| format!("read {name}"))?;
        let is_of_points = head.get(257..262) == Some(b"ustar");
        Ok(Opened { name, bytes, is_of_points, archive: Box::new(Cursor::new(head).chain(archive)) })
    }
}

impl Read for Opened {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.archive.read(out)
    }
}
