//! A captured shard as a stream of bytes, for a replica that is too far behind for the log.
//!
//! After the magic, one frame per file: the byte 1, the length of its path (`u16`), its path with `/` between
//! names, its length (`u64`), then its data as extents in order: offset (`u64`), length (`u32`), bytes. What lies
//! between extents is a hole. An extent with the offset `u64::MAX` and no length ends the file. The byte 0
//! ends the stream, and the SHA-256 of everything before follows. Numbers are little-endian.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::capture::Capture;
use super::engine::Engine;
use super::entry::Applied;
use super::files::{self, failed};
use super::generation::{self, Generation, Record};
use super::machine::{Shard, lock};
use crate::error::{Error, Kind, Result};

const MAGIC: &[u8; 8] = b"stlpshd1";
const FILE: u8 = 1;
const END: u8 = 0;
const NO_OFFSET: u64 = u64::MAX;
/// The longest extent.
const EXTENT_BYTES_MAX: usize = 1 << 20;
const PATH_BYTES_MAX: usize = 512;
const DEPTH_MAX: usize = 8;
const FILES_MAX: usize = 1 << 20;
const FILE_BYTES_MAX: u64 = 1 << 44;
/// What may lie at the top; below `segments` the engine names its files.
const TOP: [&str; 3] = ["applied.json", "edge_config.json", "segments"];

impl Capture {
    /// Writes the whole copy, for [`Shard::install`] on another replica.
    pub fn write_to(&self, out: &mut dyn Write) -> Result<()> {
        let mut out = Hashed { inner: out, hash: Sha256::new() };
        let mut write = || -> io::Result<()> {
            out.write_all(MAGIC)?;
            for path in files_below(self.dir())? {
                write_file(&mut out, self.dir(), &path)?;
            }
            out.write_all(&[END])?;
            let digest = out.hash.clone().finalize();
            out.inner.write_all(&digest)?;
            out.inner.flush()
        };
        write().map_err(failed("send", self.dir()))
    }
}

impl Shard {
    /// Replaces the state by what [`Capture::write_to`] wrote, as of `applied`. Whatever happens in between,
    /// afterwards the shard holds the old state or the new one, and the new one is durable on return. Bytes that
    /// are not complete and unchanged are `Corrupt`.
    pub fn install(&self, applied: Applied, bytes: &mut dyn Read) -> Result<()> {
        let generation = Generation::new(&self.dir);
        let unfinished = Unfinished(generation.path().to_owned());
        receive(bytes, generation.path())?;
        let record = Record { applied: applied.clone(), ..generation.record()? };
        let config = lock(&self.plan).config.clone();
        let engine = Engine::open(generation.clone(), &config, record.number)?;
        engine.flush()?;
        generation.write_record(&record)?;
        files::sync_tree(generation.path()).map_err(failed("sync", generation.path()))?;

        let _work = lock(&self.work);
        let mut writer = lock(&self.writer);
        writer.check()?;
        std::mem::forget(unfinished);
        self.go_live(&mut writer, engine)?;
        writer.applied = applied;
        lock(&self.plan).meter = record.meter;
        Ok(())
    }
}

/// A directory that goes unless it was finished.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        generation::remove(&self.0);
    }
}

/// The files below `dir`, by their paths in it, in order.
fn files_below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut dirs) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(within) = dirs.pop() {
        for entry in fs::read_dir(dir.join(&within))? {
            let entry = entry?;
            let path = within.join(entry.file_name());
            match entry.file_type()?.is_dir() {
                true => dirs.push(path),
                false => files.push(path),
            }
        }
    }
    files.sort();
    Ok(files)
}

fn write_file(out: &mut impl Write, dir: &Path, path: &Path) -> io::Result<()> {
    let name = path.to_str().ok_or_else(|| io::Error::other("a name that is no text"))?;
    let mut file = File::open(dir.join(path))?;
    let length = file.metadata()?.len();
    out.write_all(&[FILE])?;
    out.write_all(&u16::try_from(name.len()).map_err(io::Error::other)?.to_le_bytes())?;
    out.write_all(name.as_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    let mut buffer = vec![0; EXTENT_BYTES_MAX];
    let mut offset = 0;
    while let Some((start, end)) = files::next_extent(&mut file, offset, length)? {
        file.seek(SeekFrom::Start(start))?;
        offset = start;
        while offset < end {
            let take =
                usize::try_from(end - offset).map_or(EXTENT_BYTES_MAX, |left| left.min(EXTENT_BYTES_MAX));
            file.read_exact(&mut buffer[..take])?;
            out.write_all(&offset.to_le_bytes())?;
            out.write_all(&(take as u32).to_le_bytes())?;
            out.write_all(&buffer[..take])?;
            offset += take as u64;
        }
    }
    out.write_all(&NO_OFFSET.to_le_bytes())?;
    out.write_all(&0_u32.to_le_bytes())
}

/// Writes a received stream to `dir`, and checks it to its end.
fn receive(bytes: &mut dyn Read, dir: &Path) -> Result<()> {
    let mut input = Hashing { inner: bytes, hash: Sha256::new() };
    let magic: [u8; 8] = input.array()?;
    if &magic != MAGIC {
        return Err(damaged("it is no shard"));
    }
    fs::create_dir(dir).map_err(failed("create", dir))?;
    let mut seen = HashSet::new();
    loop {
        match input.array::<1>()? {
            [END] => break,
            [FILE] if seen.len() < FILES_MAX => {}
            _ => return Err(damaged("a frame is of no known kind")),
        }
        let length = usize::from(u16::from_le_bytes(input.array()?));
        if length > PATH_BYTES_MAX {
            return Err(damaged("a path is too long"));
        }
        let mut name = vec![0; length];
        input.fill(&mut name)?;
        let name = String::from_utf8(name).map_err(|_| damaged("a path is no text"))?;
        check_path(&name)?;
        receive_file(&mut input, &dir.join(&name))?;
        if !seen.insert(name) {
            return Err(damaged("a file comes twice"));
        }
    }
    let digest = input.hash.clone().finalize();
    let mut expected = [0; 32];
    input.inner.read_exact(&mut expected).map_err(cut)?;
    match digest[..] == expected {
        true => Ok(()),
        false => Err(damaged("its checksum is another")),
    }
}

fn receive_file(input: &mut Hashing<'_>, path: &Path) -> Result<()> {
    let parent = path.parent().expect("a file lies in a directory");
    fs::create_dir_all(parent).map_err(failed("create", parent))?;
    let file = File::create_new(path).map_err(failed("create", path))?;
    let length = u64::from_le_bytes(input.array()?);
    if length > FILE_BYTES_MAX {
        return Err(damaged("a file is too long"));
    }
    file.set_len(length).map_err(failed("write", path))?;
    let mut file = BufWriter::new(file);
    let mut buffer = vec![0; EXTENT_BYTES_MAX];
    let mut end = 0;
    loop {
        let offset = u64::from_le_bytes(input.array()?);
        let take = u32::from_le_bytes(input.array()?) as usize;
        if offset == NO_OFFSET && take == 0 {
            return file.flush().map_err(failed("write", path));
        }
        let after = offset.checked_add(take as u64);
        if offset < end || take == 0 || take > EXTENT_BYTES_MAX || after.is_none_or(|after| after > length) {
            return Err(damaged("an extent is out of place"));
        }
        input.fill(&mut buffer[..take])?;
        let mut write = || {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&buffer[..take])
        };
        write().map_err(failed("write", path))?;
        end = offset + take as u64;
    }
}

fn check_path(name: &str) -> Result<()> {
    let mut parts = name.split('/');
    let top = parts.next().unwrap_or_default();
    let below = parts.clone().count();
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\0', '\\']);
    let fits = TOP.contains(&top) && (top == "segments") == (below > 0) && below < DEPTH_MAX;
    match fits && parts.all(plain) {
        true => Ok(()),
        false => Err(damaged("a path leads elsewhere")),
    }
}

fn damaged(why: &str) -> Error {
    Error::new(Kind::Corrupt, format!("a received shard is damaged: {why}"))
}

fn cut(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("it ends too early"),
        _ => Error::new(Kind::Internal, format!("receive a shard: {error}")),
    }
}

struct Hashed<'a> {
    inner: &'a mut dyn Write,
    hash: Sha256,
}

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

struct Hashing<'a> {
    inner: &'a mut dyn Read,
    hash: Sha256,
}

impl Hashing<'_> {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.inner.read_exact(buffer).map_err(cut)?;
        self.hash.update(buffer);
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        self.fill(&mut array)?;
        Ok(array)
    }
}
