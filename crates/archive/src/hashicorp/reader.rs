//! Reads an archive as a stream and checks everything that can be checked about it on the way.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::entries::{Entries, Entry};
use super::{Error, META, Meta, Phase, STATE, SUMS, sums};
use crate::tar;

const META_BYTES_MAX: u64 = 1 << 20;
const SUMS_BYTES_MAX: u64 = 64 << 10;
const VERSION_MAX: i64 = 1;

/// What is accepted beyond what genuine readers accept, and what is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What may follow the two zero blocks that end a tar.
    pub padding: Padding,
    /// The largest `state.bin` that will be read.
    pub state_bytes_max: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { padding: Padding::Refused, state_bytes_max: u64::MAX }
    }
}

/// What may follow the end of a tar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Nothing, as genuine readers have it. They refuse what GNU tar pads to 10 240 bytes.
    Refused,
    /// Zeros.
    Zeros,
}

/// An archive that passed every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What the archive says about itself.
    pub meta: Meta,
    /// The length of `state.bin`.
    pub state_bytes: u64,
    /// The hash of `state.bin`.
    pub state_sha256: [u8; 32],
}

/// Yields the content of `state.bin` through its [`Read`].
///
/// The bytes are tentative until a read returns 0: then the container, its hashes and the promises of
/// `meta.json` have all been checked. An error of the archive is an [`Error`] inside the [`io::Error`];
/// [`Error::from_io`] takes it out. Memory is constant.
pub struct Reader<R: Read> {
    entries: Entries<R>,
    options: Options,
    progress: Progress,
    meta: Option<Meta>,
    meta_bytes: u64,
    meta_hash: Sha256,
    /// `None` before the first such entry.
    state_bytes: Option<u64>,
    state_hash: Sha256,
    sums: Vec<u8>,
}

enum Progress {
    BetweenFiles,
    InState,
    Done(Box<Verified>),
    Failed,
}

impl<R: Read> Reader<R> {
    /// Reads a gzipped archive as genuine servers do.
    pub fn new(archive: R) -> Reader<R> {
        Reader::with_options(archive, Options::default())
    }

    /// Reads a gzipped archive.
    pub fn with_options(archive: R, options: Options) -> Reader<R> {
        Reader::of(Entries::gzipped(archive), options)
    }

    /// Reads an archive that is not compressed.
    pub fn plain(tar: R, options: Options) -> Reader<R> {
        Reader::of(Entries::plain(tar), options)
    }

    fn of(entries: Entries<R>, options: Options) -> Reader<R> {
        Reader {
            entries,
            options,
            progress: Progress::BetweenFiles,
            meta: None,
            meta_bytes: 0,
            meta_hash: Sha256::new(),
            state_bytes: None,
            state_hash: Sha256::new(),
            sums: Vec::new(),
        }
    }

    /// Reads up to the first byte of `state.bin`, or to the end if there is none, and returns what
    /// `meta.json` says if it came before; genuine servers write it first. Unverified until reading has
    /// ended.
    pub fn read_meta(&mut self) -> Result<Option<&Meta>, Error> {
        while matches!(self.progress, Progress::BetweenFiles) {
            self.guarded(Reader::begin_file)?;
        }
        match self.progress {
            Progress::Failed => Err(Error::Poisoned),
            _ => Ok(self.meta.as_ref()),
        }
    }

    /// Reads what is left, if anything, and returns what is now certain.
    pub fn finish(mut self) -> Result<Verified, Error> {
        let mut scratch = vec![0; 64 << 10];
        while self.read_state(&mut scratch)? > 0 {}
        match self.progress {
            Progress::Done(verified) => Ok(*verified),
            _ => Err(Error::Poisoned),
        }
    }

    fn read_state(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.progress {
                Progress::BetweenFiles => self.guarded(Reader::begin_file)?,
                Progress::InState => {
                    let found = self.guarded(|reader| reader.read_content(out))?;
                    if found > 0 {
                        return Ok(found);
                    }
                }
                Progress::Done(_) => return Ok(0),
                Progress::Failed => return Err(Error::Poisoned),
            }
        }
    }

    /// Takes a step after whose failure no other is possible.
    fn guarded<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        step(self).inspect_err(|_| self.progress = Progress::Failed)
    }

    /// Reads the next file, or up to its content if it is `state.bin`.
    fn begin_file(&mut self) -> Result<(), Error> {
        let Some(entry) = self.entries.next()? else { return self.end() };
        let known = [META, STATE, SUMS].into_iter().find(|known| known.as_bytes() == entry.name);
        let Some(name) = known else {
            return Err(Error::UnexpectedFile { name: entry.name, offset: entry.offset });
        };
        if ![tar::REGULAR, tar::REGULAR_OLD].contains(&entry.kind) {
            return Err(Error::NotRegular { name, kind: entry.kind, offset: entry.offset });
        }
        match name {
            META => self.read_meta_file(&entry),
            SUMS => self.read_sums_file(&entry),
            _ => self.begin_state(&entry),
        }
    }

    fn read_meta_file(&mut self, entry: &Entry) -> Result<(), Error> {
        self.meta_bytes = limited(META, self.meta_bytes, entry, META_BYTES_MAX)?;
        let json = self.entries.read_whole(Phase::Meta)?;
        // Trailing spaces count, though the JSON ends before them.
        self.meta_hash.update(&json);
        self.meta.get_or_insert_default().merge_json(&json).map_err(Error::Meta)
    }

    fn read_sums_file(&mut self, entry: &Entry) -> Result<(), Error> {
        limited(SUMS, self.sums.len() as u64, entry, SUMS_BYTES_MAX)?;
        self.sums.extend(self.entries.read_whole(Phase::Sums)?);
        Ok(())
    }

    fn begin_state(&mut self, entry: &Entry) -> Result<(), Error> {
        let before = *self.state_bytes.get_or_insert(0);
        limited(STATE, before, entry, self.options.state_bytes_max)?;
        self.progress = Progress::InState;
        Ok(())
    }

    fn read_content(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let found = self.entries.read(out, Phase::State)?;
        self.state_hash.update(&out[..found]);
        self.state_bytes = self.state_bytes.map(|before| before + found as u64);
        if found == 0 {
            self.progress = Progress::BetweenFiles;
        }
        Ok(found)
    }

    /// The tar is over: everything is compared, in the order in which genuine servers do.
    fn end(&mut self) -> Result<(), Error> {
        let meta_sha256 = self.meta_hash.clone().finalize().into();
        let state_sha256: [u8; 32] = self.state_hash.clone().finalize().into();
        match sums::check(&self.sums, &meta_sha256, &state_sha256) {
            // A file that isn't there hashes like an empty one: say what is really the matter.
            Err(Error::HashMismatch { name }) if self.is_absent(name) => return Err(Error::Absent { name }),
            checked => checked?,
        }
        // Genuine servers fall for sums that were made of nothing.
        let state_bytes = self.state_bytes.ok_or(Error::Absent { name: STATE })?;
        let meta = self.meta.clone().ok_or(Error::Absent { name: META })?;
        self.entries.drain(self.options.padding)?;
        if !(0..=VERSION_MAX).contains(&meta.version) {
            return Err(Error::Version(meta.version));
        }
        if u64::try_from(meta.size) != Ok(state_bytes) {
            return Err(Error::StateSize { promised: meta.size, found: state_bytes });
        }
        self.progress = Progress::Done(Box::new(Verified { meta, state_bytes, state_sha256 }));
        Ok(())
    }

    fn is_absent(&self, name: &str) -> bool {
        match name {
            META => self.meta.is_none(),
            _ => self.state_bytes.is_none(),
        }
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match out.is_empty() {
            true => Ok(0),
            false => Ok(self.read_state(out)?),
        }
    }
}

/// The size of a file together with its repetitions so far, if it is not too much.
fn limited(name: &'static str, before: u64, entry: &Entry, bytes_max: u64) -> Result<u64, Error> {
    let bytes = before.saturating_add(entry.bytes);
    match bytes > bytes_max {
        true => Err(Error::TooLarge { name, bytes, bytes_max, offset: entry.offset }),
        false => Ok(bytes),
    }
}
