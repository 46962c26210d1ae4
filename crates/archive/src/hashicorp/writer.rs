//! Writes an archive as a stream: constant memory, and equal input gives equal bytes.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::{Error, META, Meta, STATE, SUMS, sums};
use crate::{gzip, tar};

/// What becomes of the tar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// It stays plain. Genuine servers don't take that; hashing it is a cheap first pass.
    None,
    /// It is gzipped in members, see [`gzip::Writer`]. The bytes don't depend on `workers`.
    Gzip {
        /// How hard.
        level: gzip::Level,
        /// Threads; with 0 or 1 the calling thread compresses.
        workers: usize,
    },
}

impl Default for Compression {
    fn default() -> Compression {
        Compression::Gzip { level: gzip::Level::Fast, workers: 1 }
    }
}

/// Takes the content of `state.bin` through its [`Write`], exactly `meta.size` bytes of it.
///
/// The archive is complete, and accepted by readers, only after [`Writer::finish`].
pub struct Writer<W: Write> {
    out: Sink<W>,
    mtime_s: u64,
    meta_sha256: [u8; 32],
    state_hash: Sha256,
    state_bytes: u64,
    written: u64,
}

impl<W: Write> Writer<W> {
    /// Writes everything that precedes the content of `state.bin`. `mtime_s`, in seconds since 1970, is
    /// the time that all three entries carry; it should come from the state so that equal states give
    /// equal archives.
    pub fn new(out: W, meta: &Meta, mtime_s: u64, compression: Compression) -> io::Result<Writer<W>> {
        let invalid = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text);
        let state_bytes = u64::try_from(meta.size).map_err(|_| invalid("negative snapshot size"))?;
        if mtime_s > tar::MTIME_S_MAX {
            return Err(invalid("snapshot time beyond the year 2242"));
        }
        let json = meta.to_json();
        let mut out = match compression {
            Compression::None => Sink::Plain(out),
            Compression::Gzip { level, workers } => Sink::Gzip(gzip::Writer::new(out, level, workers)),
        };
        write_file(&mut out, META, json.as_bytes(), mtime_s)?;
        out.write_all(&tar::file_header(STATE, state_bytes, mtime_s))?;
        Ok(Writer {
            out,
            mtime_s,
            meta_sha256: Sha256::digest(json.as_bytes()).into(),
            state_hash: Sha256::new(),
            state_bytes,
            written: 0,
        })
    }

    /// Writes the hashes and the end of the tar and returns the inner writer, unflushed.
    ///
    /// Fails with [`Error::StateSize`] if fewer bytes were written than `meta.size` promised.
    pub fn finish(mut self) -> io::Result<W> {
        if self.written != self.state_bytes {
            return Err(self.wrong_size(self.written));
        }
        self.out.write_all(&[0; tar::BLOCK_BYTES][..tar::padding(self.state_bytes)])?;
        let sums = sums::render(&self.meta_sha256, &self.state_hash.finalize().into());
        write_file(&mut self.out, SUMS, sums.as_bytes(), self.mtime_s)?;
        self.out.write_all(&[0; 2 * tar::BLOCK_BYTES])?;
        match self.out {
            Sink::Plain(out) => Ok(out),
            Sink::Gzip(gzip) => gzip.finish(),
        }
    }

    /// The inner writer. What it has received so far is no archive yet.
    pub fn get_ref(&self) -> &W {
        match &self.out {
            Sink::Plain(out) => out,
            Sink::Gzip(gzip) => gzip.get_ref(),
        }
    }

    fn wrong_size(&self, found: u64) -> io::Error {
        // The size came from an `i64`.
        Error::StateSize { promised: self.state_bytes as i64, found }.into()
    }
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let after = self.written.saturating_add(bytes.len() as u64);
        if after > self.state_bytes {
            return Err(self.wrong_size(after));
        }
        let taken = self.out.write(bytes)?;
        self.state_hash.update(&bytes[..taken]);
        self.written += taken as u64;
        Ok(taken)
    }

    /// Passes on what is compressed already; see [`gzip::Writer`].
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn write_file(out: &mut impl Write, name: &str, content: &[u8], mtime_s: u64) -> io::Result<()> {
    let bytes = content.len() as u64;
    out.write_all(&tar::file_header(name, bytes, mtime_s))?;
    out.write_all(content)?;
    out.write_all(&[0; tar::BLOCK_BYTES][..tar::padding(bytes)])
}

enum Sink<W: Write> {
    Plain(W),
    Gzip(gzip::Writer<W>),
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Plain(out) => out.write(bytes),
            Sink::Gzip(gzip) => gzip.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Plain(out) => out.flush(),
            Sink::Gzip(gzip) => gzip.flush(),
        }
    }
}
