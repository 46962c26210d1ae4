//! The members of an archive, one after the other, with their content as a stream.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use super::{Error, Extents, header};
use crate::tar::{self, BLOCK_BYTES, Block, HeaderFault};

/// No path is longer than this on any system we know, and no header of a name is either.
const NAME_BYTES_MAX: u64 = 4096;
/// Zeros that may follow the end; GNU tar fills up its records with them.
const PADDING_BYTES_MAX: u64 = 1 << 20;
/// Bytes copied at a time.
const COPY_BYTES: usize = 128 << 10;

/// What an archive may hold, so that a small one cannot become a large one.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Members.
    pub members: u64,
    /// Stretches of data in one sparse member.
    pub stretches: usize,
    /// Bytes of one file, holes included.
    pub file_bytes: u64,
    /// Bytes of all files together, holes included.
    pub total_bytes: u64,
}

impl Default for Limits {
    /// More than any engine writes: four million members, files of 4 TiB, 64 TiB in all.
    fn default() -> Limits {
        Limits { members: 1 << 22, stretches: 1 << 20, file_bytes: 4 << 40, total_bytes: 64 << 40 }
    }
}

/// A member whose content is read next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name: relative, without `.` and `..`, with `/` between its parts and none at its end.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Where its data lies in the file it becomes.
    pub extents: Extents,
}

/// What a member can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file, sparse or not.
    File,
    /// A directory.
    Directory,
}

/// How an archive has to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With two blocks of zeros, so that a cut is noticed.
    Marked,
    /// With these, or with its last member.
    MarkedOrBare,
}

/// The members of one archive. After an error it must not be used any more.
pub struct Entries<R: Read> {
    source: R,
    limits: Limits,
    ending: Ending,
    offset: u64,
    /// Of the current entry.
    remaining: u64,
    padding: usize,
    names: Names,
    total_bytes: u64,
}

impl<R: Read> Entries<R> {
    /// Reads the archive in `source`, which should be buffered.
    pub fn new(source: R, limits: Limits) -> Entries<R> {
        Entries::with_ending(source, limits, Ending::Marked)
    }

    /// Reads an archive that is a member of another one, which knows its length: genuine servers leave out the
    /// mark at its end.
    pub fn nested(source: R, limits: Limits) -> Entries<R> {
        Entries::with_ending(source, limits, Ending::MarkedOrBare)
    }

    pub(super) fn with_ending(source: R, limits: Limits, ending: Ending) -> Entries<R> {
        let names = Names::default();
        Entries { source, limits, ending, offset: 0, remaining: 0, padding: 0, names, total_bytes: 0 }
    }

    /// The next member; content of the current one that was not read is passed over. `None` at the end, of
    /// which nothing is missing and after which nothing comes.
    #[allow(
        clippy::should_implement_trait,
        reason = "what is returned borrows nothing, but its content does"
    )]
    pub fn next(&mut self) -> Result<Option<Entry>, Error> {
        let mut long_name = None;
        loop {
            self.pass_over()?;
            let offset = self.offset;
            let fault = |fault| Error::Header { offset, fault };
            let mut block: Block = [0; BLOCK_BYTES];
            let found = self.read_some(&mut block)?;
            if found == 0 && self.ending == Ending::MarkedOrBare && long_name.is_none() {
                return Ok(None);
            }
            self.fill(&mut block[found..])?;
            if block == [0; BLOCK_BYTES] {
                self.end()?;
                return Ok(None);
            }
            let found = tar::parse(&block).map_err(fault)?;
            self.begin(found.bytes);
            if matches!(found.kind, header::LONG_NAME | tar::PAX) {
                if found.bytes > 2 * NAME_BYTES_MAX {
                    return Err(fault(HeaderFault::RecordsTooLarge(found.bytes)));
                }
                let mut content = vec![0; found.bytes as usize];
                self.read_data_exact(&mut content)?;
                long_name = match found.kind {
                    tar::PAX => tar::parse_records(&content).map_err(fault)?.name.or(long_name),
                    _ => Some(tar::text(&content).to_vec()),
                };
                continue;
            }
            let raw = long_name.take().unwrap_or(found.name);
            if (found.kind, found.bytes) == (header::DIRECTORY, 0) && matches!(&raw[..], b"." | b"./") {
                // Where archives begin that `tar` made of a directory, as did servers up to 1.11.
                continue;
            }
            let name = clean(&raw)?;
            let (kind, extents) = match found.kind {
                tar::REGULAR | tar::REGULAR_OLD => (EntryKind::File, Extents::dense(found.bytes)),
                header::SPARSE => (EntryKind::File, self.read_extents(&name, &block, found.bytes)?),
                header::DIRECTORY if found.bytes == 0 => (EntryKind::Directory, Extents::dense(0)),
                kind => return Err(Error::Forbidden { name, kind: kind_name(kind) }),
            };
            self.account(&name, kind, &extents)?;
            return Ok(Some(Entry { name, kind, extents }));
        }
    }

    /// The content of the current member, holes as zeros.
    pub fn content<'a>(&'a mut self, entry: &Entry) -> Content<'a, R> {
        let stretches = entry.extents.data().to_vec().into_iter().rev().collect();
        Content { entries: self, stretches, at: 0, size: entry.extents.size() }
    }

    /// Writes the content of the current member into an empty file: data where it belongs, holes as holes, the
    /// size by `set_size`, which may be called with a file that is shorter or longer.
    pub fn write_to<F: Write + Seek>(
        &mut self,
        entry: &Entry,
        file: &mut F,
        set_size: impl FnOnce(&mut F, u64) -> io::Result<()>,
    ) -> Result<(), Error> {
        set_size(file, entry.extents.size()).map_err(Error::Write)?;
        let stored = usize::try_from(entry.extents.stored_bytes()).unwrap_or(usize::MAX);
        let mut chunk = vec![0; stored.min(COPY_BYTES)];
        for stretch in entry.extents.data() {
            file.seek(SeekFrom::Start(stretch.start)).map_err(Error::Write)?;
            let mut left = stretch.end - stretch.start;
            while left > 0 {
                let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
                self.read_data_exact(&mut chunk[..wanted])?;
                file.write_all(&chunk[..wanted]).map_err(Error::Write)?;
                left -= wanted as u64;
            }
        }
        Ok(())
    }

    /// What is left of the limits.
    pub(super) fn left(&self) -> Limits {
        Limits {
            members: self.limits.members.saturating_sub(self.names.seen.len() as u64),
            total_bytes: self.limits.total_bytes.saturating_sub(self.total_bytes),
            ..self.limits
        }
    }

    /// Counts what was read out of an archive inside this one as if it were in here.
    pub(super) fn spend(&mut self, left: Limits) {
        self.limits.members = left.members.saturating_add(self.names.seen.len() as u64);
        self.limits.total_bytes = left.total_bytes.saturating_add(self.total_bytes);
    }

    /// The inner reader, which stands where the archive ended if [`next`](Self::next) has said so.
    pub fn into_inner(self) -> R {
        self.source
    }

    fn read_extents(&mut self, name: &str, block: &Block, stored: u64) -> Result<Extents, Error> {
        let sparse = |fault| Error::Sparse { name: name.to_owned(), fault };
        let (mut stretches, size, mut goes_on) =
            header::stretches(block).ok_or_else(|| sparse("a number is none"))?;
        while goes_on {
            let mut more: Block = [0; BLOCK_BYTES];
            self.fill(&mut more)?;
            let (further, again) = header::more_stretches(&more).ok_or_else(|| sparse("a number is none"))?;
            stretches.extend(further);
            if stretches.len() > self.limits.stretches {
                return Err(Error::TooLarge { of: "stretches of data", limit: self.limits.stretches as u64 });
            }
            goes_on = again;
        }
        let extents = Extents::read(size, &stretches).map_err(sparse)?;
        if extents.stored_bytes() != stored {
            return Err(sparse("they don't add up to the data that is there"));
        }
        Ok(extents)
    }

    fn account(&mut self, name: &str, kind: EntryKind, extents: &Extents) -> Result<(), Error> {
        let too_large = |of, limit| Err(Error::TooLarge { of, limit });
        if extents.size() > self.limits.file_bytes {
            return too_large("bytes in one file", self.limits.file_bytes);
        }
        self.total_bytes = self.total_bytes.saturating_add(extents.size());
        if self.total_bytes > self.limits.total_bytes {
            return too_large("bytes", self.limits.total_bytes);
        }
        if self.names.seen.len() as u64 >= self.limits.members {
            return too_large("members", self.limits.members);
        }
        match self.names.insert(name) || kind == EntryKind::Directory {
            true => Ok(()),
            false => Err(Error::Twice(name.to_owned())),
        }
    }

    fn begin(&mut self, bytes: u64) {
        self.remaining = bytes;
        self.padding = tar::padding(bytes);
    }

    fn pass_over(&mut self) -> Result<(), Error> {
        let mut chunk = [0; 8 << 10];
        while self.remaining > 0 {
            let wanted = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(chunk.len());
            self.read_data_exact(&mut chunk[..wanted])?;
        }
        let padding = std::mem::take(&mut self.padding);
        self.fill(&mut chunk[..padding])
    }

    /// The second zero block, and nothing but zeros behind it.
    fn end(&mut self) -> Result<(), Error> {
        let mut chunk = [0; 8 << 10];
        let offset = self.offset;
        self.fill(&mut chunk[..BLOCK_BYTES])?;
        let mut found = BLOCK_BYTES;
        while found > 0 {
            if self.offset - offset > PADDING_BYTES_MAX || chunk[..found].iter().any(|byte| *byte != 0) {
                return Err(Error::Trailing(self.offset - found as u64));
            }
            found = self.read_some(&mut chunk)?;
        }
        Ok(())
    }

    fn read_data_exact(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.fill(out)?;
        self.remaining -= out.len() as u64;
        Ok(())
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        let mut filled = 0;
        while filled < out.len() {
            match self.read_some(&mut out[filled..])? {
                0 => return Err(Error::Cut(self.offset)),
                found => filled += found,
            }
        }
        Ok(())
    }

    fn read_some(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        loop {
            match self.source.read(out) {
                Ok(found) => {
                    self.offset += found as u64;
                    return Ok(found);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Names that were there already. Kept as hashes with keys that nobody knows, so that archives of millions of long
/// names don't fill the memory; two names of one hash are not to be expected in the age of the universe.
#[derive(Default)]
struct Names {
    keys: [RandomState; 2],
    seen: HashSet<[u64; 2]>,
}

impl Names {
    /// Whether it is new.
    fn insert(&mut self, name: &str) -> bool {
        let [first, second] = &self.keys;
        self.seen.insert([first.hash_one(name), second.hash_one(name)])
    }
}

/// The content of a member as a file has it. Errors are [`Error`]s in disguise.
pub struct Content<'a, R: Read> {
    entries: &'a mut Entries<R>,
    /// Those to come, the next one last.
    stretches: Vec<Range<u64>>,
    at: u64,
    size: u64,
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let up_to = |end: u64, at: u64| usize::try_from(end - at).unwrap_or(usize::MAX).min(out.len());
        let found = match self.stretches.last_mut() {
            Some(stretch) if stretch.start == self.at => {
                let found = up_to(stretch.end, self.at);
                self.entries.read_data_exact(&mut out[..found])?;
                stretch.start += found as u64;
                if stretch.start == stretch.end {
                    self.stretches.pop();
                }
                found
            }
            hole => {
                let found = up_to(hole.map_or(self.size, |next| next.start), self.at);
                out[..found].fill(0);
                found
            }
        };
        self.at += found as u64;
        Ok(found)
    }
}

/// A name that stays inside, without what adds nothing to it.
pub(super) fn clean(raw: &[u8]) -> Result<String, Error> {
    let refused = || Error::Name(String::from_utf8_lossy(raw).into_owned());
    let name = std::str::from_utf8(raw).map_err(|_| refused())?;
    let is_odd = |part: &str| part == ".." || part.chars().any(|c| c.is_control() || c == '\\');
    if name.starts_with('/') || name.len() as u64 > NAME_BYTES_MAX || name.split('/').any(is_odd) {
        return Err(refused());
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    match parts.is_empty() {
        true => Err(refused()),
        false => Ok(parts.join("/")),
    }
}

/// What genuine servers call a type that they refuse.
fn kind_name(kind: u8) -> &'static str {
    match kind {
        b'1' => "Link",
        b'2' => "Symlink",
        b'3' => "Char",
        b'4' => "Block",
        b'5' => "Directory",
        b'6' => "Fifo",
        b'7' => "Continuous",
        b'g' => "XGlobalHeader",
        _ => "Other",
    }
}
