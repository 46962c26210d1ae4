//! The entries of the tar, one after the other, with their content as a stream. What an entry may be
//! called and hold is the reader's business.

use std::io::{self, Read};

use super::reader::Padding;
use super::{Error, Phase};
use crate::gzip;
use crate::tar::{self, BLOCK_BYTES, Block, Header, HeaderFault, Records};

/// As much as Go reads of an extended header.
const RECORDS_BYTES_MAX: u64 = 1 << 20;
/// Where counting stops what follows the tar, lest an archive of nothing else keep us busy.
const UNREAD_BYTES_MAX: u64 = 64 << 20;

/// An entry whose content is read next.
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) bytes: u64,
    pub(super) kind: u8,
    /// Where its header is.
    pub(super) offset: u64,
}

/// The tar. After an error it must not be used any more.
pub(super) struct Entries<R: Read> {
    source: Source<R>,
    offset: u64,
    /// Of the current entry.
    remaining: u64,
    padding: usize,
}

enum Source<R: Read> {
    Gzip(Box<gzip::Reader<R>>),
    Plain(R),
}

impl<R: Read> Entries<R> {
    pub(super) fn gzipped(archive: R) -> Entries<R> {
        Entries::of(Source::Gzip(Box::new(gzip::Reader::new(archive))))
    }

    pub(super) fn plain(tar: R) -> Entries<R> {
        Entries::of(Source::Plain(tar))
    }

    fn of(source: Source<R>) -> Entries<R> {
        Entries { source, offset: 0, remaining: 0, padding: 0 }
    }

    /// The next entry, or `None` at the end of the tar: two zero blocks, or no more bytes. The content of
    /// the current entry must have been read.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Error> {
        let mut records = Records::default();
        loop {
            if !self.skip_padding()? {
                return Ok(None);
            }
            let offset = self.offset;
            let Some(Header { name, bytes, kind }) = self.read_header()? else { return Ok(None) };
            if kind != tar::PAX {
                let bytes = records.bytes.unwrap_or(bytes);
                self.begin(bytes);
                return Ok(Some(Entry { name: records.name.unwrap_or(name), bytes, kind, offset }));
            }
            let invalid = |fault| Error::Header { offset, fault };
            if bytes > RECORDS_BYTES_MAX {
                return Err(invalid(HeaderFault::RecordsTooLarge(bytes)));
            }
            self.begin(bytes);
            // Of several extended headers in a row the last counts.
            records = tar::parse_records(&self.read_whole(Phase::Entries)?).map_err(invalid)?;
        }
    }

    /// Reads content of the current entry; 0 is its end, or an empty `out`.
    pub(super) fn read(&mut self, out: &mut [u8], phase: Phase) -> Result<usize, Error> {
        let wanted = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(out.len());
        if wanted == 0 {
            return Ok(0);
        }
        match self.read_source(&mut out[..wanted], phase)? {
            0 => Err(Error::Cut { phase, offset: self.offset }),
            found => {
                self.remaining -= found as u64;
                Ok(found)
            }
        }
    }

    /// The whole content of the current entry, whose size the caller has checked.
    pub(super) fn read_whole(&mut self, phase: Phase) -> Result<Vec<u8>, Error> {
        let mut content = Vec::new();
        let mut chunk = [0; 8 << 10];
        loop {
            match self.read(&mut chunk, phase)? {
                0 => return Ok(content),
                found => content.extend_from_slice(&chunk[..found]),
            }
        }
    }

    /// Reads what follows the end of the tar, which must be nothing or what `padding` allows.
    pub(super) fn drain(&mut self, padding: Padding) -> Result<(), Error> {
        let offset = self.offset;
        let mut chunk = [0; 8 << 10];
        let mut bytes = 0;
        let mut all_zero = true;
        loop {
            let found = self.read_source(&mut chunk, Phase::End)?;
            bytes += found as u64;
            all_zero &= chunk[..found].iter().all(|byte| *byte == 0);
            let allowed = bytes == 0 || (padding == Padding::Zeros && all_zero);
            match found {
                0 if allowed => return Ok(()),
                0 => return Err(Error::Unread { bytes, offset }),
                _ if bytes >= UNREAD_BYTES_MAX => return Err(Error::Unread { bytes, offset }),
                _ => {}
            }
        }
    }

    fn begin(&mut self, bytes: u64) {
        self.remaining = bytes;
        self.padding = tar::padding(bytes);
    }

    /// Passes over what fills the last block of an entry, and says whether it was all there. As in Go, a
    /// tar that ends within it is complete.
    fn skip_padding(&mut self) -> Result<bool, Error> {
        let mut block: Block = [0; BLOCK_BYTES];
        let padding = std::mem::take(&mut self.padding);
        Ok(self.fill(&mut block[..padding])? == padding)
    }

    fn read_header(&mut self) -> Result<Option<Header>, Error> {
        let offset = self.offset;
        let mut block: Block = [0; BLOCK_BYTES];
        if !self.read_block(&mut block)? {
            return Ok(None);
        }
        if block != [0; BLOCK_BYTES] {
            return tar::parse(&block).map(Some).map_err(|fault| Error::Header { offset, fault });
        }
        if self.read_block(&mut block)? && block != [0; BLOCK_BYTES] {
            return Err(Error::Header { offset, fault: HeaderFault::LoneZeroBlock });
        }
        Ok(None)
    }

    /// Reads a whole block; false if there is nothing at all.
    fn read_block(&mut self, block: &mut Block) -> Result<bool, Error> {
        match self.fill(block)? {
            0 => Ok(false),
            BLOCK_BYTES => Ok(true),
            _ => Err(Error::Cut { phase: Phase::Entries, offset: self.offset }),
        }
    }

    /// Reads until `out` is full or the tar ends, and says how much there was.
    fn fill(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let mut filled = 0;
        while filled < out.len() {
            match self.read_source(&mut out[filled..], Phase::Entries)? {
                0 => break,
                found => filled += found,
            }
        }
        Ok(filled)
    }

    fn read_source(&mut self, out: &mut [u8], phase: Phase) -> Result<usize, Error> {
        let found = loop {
            let found = match &mut self.source {
                Source::Gzip(gzip) => gzip.read(out),
                Source::Plain(tar) => tar.read(out),
            };
            match found {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(explain(error, phase)),
                Ok(found) => break found,
            }
        };
        self.offset += found as u64;
        Ok(found)
    }
}

fn explain(error: io::Error, phase: Phase) -> Error {
    match error.downcast::<gzip::Error>() {
        Ok(source) => Error::Gzip { phase, source },
        Err(error) => Error::Io(error),
    }
}
