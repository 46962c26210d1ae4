//! Writes an archive as a stream: constant memory, and equal members give equal bytes.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::{Extents, header};
use crate::tar::{BLOCK_BYTES, padding};

/// What ends an archive, in bytes.
pub const END_BYTES: u64 = 2 * BLOCK_BYTES as u64;

/// How many bytes of the archive a file takes, so that the size of an archive is known before it is written.
pub fn member_bytes(name: &str, extents: &Extents) -> u64 {
    let stored = extents.stored_bytes();
    header::file(name, extents).len() as u64 + stored + padding(stored) as u64
}

/// Writes members one after the other. Names are relative, with `/` between their parts; times and owners are
/// zero. The archive is complete, and accepted by readers, only after [`Writer::finish`].
pub struct Writer<W: Write> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Begins an archive.
    pub fn new(out: W) -> Writer<W> {
        Writer { out }
    }

    /// A directory.
    pub fn directory(&mut self, name: &str) -> io::Result<()> {
        self.out.write_all(&header::directory(name))
    }

    /// A file without holes, from memory.
    pub fn bytes(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        self.file(name, &Extents::dense(content.len() as u64), content)
    }

    /// A file. `data` gives the bytes of its extents, one after the other, and is not read further. Fails with
    /// `UnexpectedEof` if it gives less, which leaves the archive unusable.
    pub fn file(&mut self, name: &str, extents: &Extents, data: impl Read) -> io::Result<()> {
        let stored = extents.stored_bytes();
        self.out.write_all(&header::file(name, extents))?;
        if io::copy(&mut data.take(stored), &mut self.out)? != stored {
            let text = format!("{name} is shorter than announced");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        self.out.write_all(&[0; BLOCK_BYTES][..padding(stored)])
    }

    /// A file, of whose stretches of data a copy is made by way of `chunk`. Fails with `UnexpectedEof` if it ends
    /// before them.
    pub(super) fn copy(
        &mut self,
        name: &str,
        extents: &Extents,
        file: &mut (impl Read + Seek),
        chunk: &mut [u8],
    ) -> io::Result<()> {
        self.out.write_all(&header::file(name, extents))?;
        for stretch in extents.data() {
            file.seek(SeekFrom::Start(stretch.start))?;
            let mut left = stretch.end - stretch.start;
            while left > 0 {
                let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
                file.read_exact(&mut chunk[..wanted])?;
                self.out.write_all(&chunk[..wanted])?;
                left -= wanted as u64;
            }
        }
        self.out.write_all(&[0; BLOCK_BYTES][..padding(extents.stored_bytes())])
    }

    /// A file of `bytes` bytes without holes, which `write` writes. Fails with `InvalidData` if it writes more or
    /// less, which leaves the archive unusable.
    pub(super) fn file_by(
        &mut self,
        name: &str,
        bytes: u64,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        self.out.write_all(&header::file(name, &Extents::dense(bytes)))?;
        let mut counted = Counted { out: &mut self.out, bytes: 0 };
        write(&mut counted)?;
        if counted.bytes != bytes {
            let text = format!("{name} has {} bytes, announced were {bytes}", counted.bytes);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        self.out.write_all(&[0; BLOCK_BYTES][..padding(bytes)])
    }

    /// Writes the end and returns the inner writer, unflushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; END_BYTES as usize])?;
        Ok(self.out)
    }
}

struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
