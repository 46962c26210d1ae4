//! Reads archives of all sorts in one pass: what belongs to segments goes where the caller says, the rest is
//! understood here, and nothing is accepted that does not fit together.

use std::io::{self, BufReader, Read, Seek, Write};

use super::entries::Ending;
use super::found::{Form, Root, Segment, SegmentState, Shard};
use super::probe::Probe;
use super::sums::Hashing;
use super::{Contents, Document, Entries, Entry, EntryKind, Error, Limits, Part, Place, ShardAt, Wal};

/// All JSON about collections and shards together, and that of all segments, which is kept as it is.
const JSON_BYTES_MAX: u64 = 16 << 20;
const STATE_BYTES_MAX: u64 = 64 << 20;
/// No `segment.json` is larger.
const SEGMENT_STATE_BYTES_MAX: u64 = 1 << 20;
/// No file of hashes, and none of those whose content is passed over, is larger.
const SMALL_BYTES_MAX: u64 = 64 << 20;
/// No version is longer.
const VERSION_BYTES_MAX: u64 = 64;
const BUFFER_BYTES: usize = 128 << 10;
/// How deep the files of a segment may lie in it, and how long the parts of their paths may be.
const DEPTH_MAX: usize = 16;
const PART_BYTES_MAX: usize = 255;

/// Takes in the files of segments and logs of updates. They come in the archive's order, which is any.
pub trait Sink {
    /// An open file.
    type File: Write + Seek;

    /// Makes the file that is `path` in the segment `segment` of a shard, `bytes` long and all zero: only what is
    /// no hole is written. `path` has `/` between its parts, none of which is empty, `.` or `..`.
    fn segment_file(
        &mut self,
        shard: ShardAt<'_>,
        segment: &str,
        path: &str,
        bytes: u64,
    ) -> io::Result<Self::File>;

    /// Makes a file of a shard's log of updates, likewise.
    fn wal_file(&mut self, shard: ShardAt<'_>, wal: Wal, bytes: u64) -> io::Result<Self::File>;
}

/// Reads an archive of any sort to its end, and its files into `sink`. What was put there is only to be used if
/// this returns `Ok`.
pub fn unpack<R: Read, S: Sink>(mut archive: R, limits: Limits, sink: &mut S) -> Result<Contents, Error> {
    let archive: &mut dyn Read = &mut archive;
    let mut entries = Entries::new(BufReader::with_capacity(BUFFER_BYTES, archive), limits);
    let mut root = Root { hashing: Some(Hashing::start()?), ..Root::default() };
    let chunk = vec![0; BUFFER_BYTES];
    Unpacker { sink, chunk, json_left: JSON_BYTES_MAX, states_left: STATE_BYTES_MAX }.members(
        &mut entries,
        &mut root,
        None,
    )?;
    root.finish()
}

/// Reads an archive of any sort to its end and keeps nothing of its files.
pub fn verify<R: Read>(archive: R, limits: Limits) -> Result<Contents, Error> {
    unpack(archive, limits, &mut Nowhere)
}

/// An archive, or one in another one.
type Members<'a> = Entries<BufReader<&'a mut dyn Read>>;

struct Unpacker<'s, S> {
    sink: &'s mut S,
    chunk: Vec<u8>,
    json_left: u64,
    states_left: u64,
}

impl<S: Sink> Unpacker<'_, S> {
    fn members(
        &mut self,
        entries: &mut Members<'_>,
        root: &mut Root,
        collection: Option<&str>,
    ) -> Result<(), Error> {
        while let Some(entry) = entries.next()? {
            let unknown = || Error::Unknown(entry.name.clone());
            let place = Place::of(&entry.name).ok_or_else(unknown)?;
            if entry.kind == EntryKind::Directory {
                match place {
                    Place::Shard { id, part } if is_directory(part.as_ref()) => {
                        root.shards.entry(id).or_default();
                    }
                    _ => return Err(unknown()),
                }
                continue;
            }
            let is_hashed = entry.extents.is_dense()
                && !matches!(place, Place::Sums | Place::Shard { part: Some(Part::SegmentFile { .. }), .. });
            match &mut root.hashing {
                Some(hashing) if is_hashed => hashing.begin(&entry.name),
                Some(_) if place != Place::Sums => root.unhashed = Some(entry.name.clone()),
                _ => {}
            }
            let hashing = root.hashing.as_mut().filter(|_| is_hashed);
            let mut member = Member { entries, entry: &entry, hashing };
            match place {
                Place::VersionInfo => root.version = Some(member.version()?),
                Place::Config => root.config = Some(member.document(&mut self.json_left)?),
                Place::ShardKeyMapping => root.shard_keys = Some(member.document(&mut self.json_left)?),
                Place::PayloadIndex => root.schema = Some(member.document(&mut self.json_left)?),
                Place::Sums => root.sums = Some(member.small(SMALL_BYTES_MAX)?),
                Place::Collection(_) if collection.is_some() => return Err(unknown()),
                Place::Collection(name) => {
                    let found = root.collections.entry(name.to_owned()).or_default();
                    member.nested(Ending::Marked, |entries| self.members(entries, found, Some(name)))?;
                }
                Place::Shard { id, part } => {
                    let at = ShardAt { collection, shard: id };
                    let shard = root.shards.entry(id).or_default();
                    self.of_shard(member, part, at, shard)?;
                }
            }
        }
        Ok(())
    }

    fn of_shard(
        &mut self,
        mut member: Member<'_, '_>,
        part: Option<Part<'_>>,
        at: ShardAt<'_>,
        shard: &mut Shard,
    ) -> Result<(), Error> {
        match part {
            Some(Part::ShardConfig) => {
                member.document(&mut self.json_left)?;
                shard.has_config = true;
            }
            Some(Part::ReplicaState) => {
                let state = member.document(&mut self.json_left)?.value;
                shard.state = Some(serde_json::from_value(state).map_err(|error| member.fault(&error))?);
            }
            Some(Part::Bookkeeping) => {
                member.small(SMALL_BYTES_MAX)?;
            }
            Some(Part::Wal(wal)) => {
                let bytes = member.entry.extents.size();
                let mut file = self.sink.wal_file(at, wal, bytes).map_err(Error::Write)?;
                member.store(&mut file, &mut self.chunk)?;
                shard.wal.insert(wal);
            }
            Some(Part::PackedSegment(uuid)) => {
                if shard.segments.contains_key(uuid) {
                    return Err(Error::Twice(member.entry.name.clone()));
                }
                let segment = shard.segment(uuid);
                member.nested(Ending::MarkedOrBare, |entries| self.segment(entries, at, segment))?;
                segment.check(at)?;
            }
            Some(Part::SegmentFile { segment, path }) => {
                let is_flat = !member.entry.name.ends_with(&format!("{segment}/files/{path}"));
                let form = if is_flat { Form::Flat } else { Form::Streamable };
                self.segment_file(member, at, shard.segment(segment), form, path)?;
            }
            None | Some(Part::Directory | Part::SegmentDirectory(_)) => {
                return Err(Error::Unknown(member.entry.name.clone()));
            }
        }
        Ok(())
    }

    /// A segment packed into a tar of its own.
    fn segment(
        &mut self,
        entries: &mut Members<'_>,
        at: ShardAt<'_>,
        segment: &mut Segment,
    ) -> Result<(), Error> {
        while let Some(entry) = entries.next()? {
            let (form, path) = match entry.name.strip_prefix("snapshot/") {
                _ if entry.kind == EntryKind::Directory => continue,
                None => (Form::Ancient, entry.name.as_str()),
                Some(path) => (Form::Regular, path),
            };
            let path = match path.strip_prefix("files/") {
                Some(path) if form == Form::Regular => path,
                None if form == Form::Regular && !is_rocksdb(path) => return Err(Error::Unknown(entry.name)),
                _ => path,
            };
            let member = Member { entries, entry: &entry, hashing: None };
            self.segment_file(member, at, segment, form, path)?;
        }
        Ok(())
    }

    fn segment_file(
        &mut self,
        mut member: Member<'_, '_>,
        at: ShardAt<'_>,
        segment: &mut Segment,
        form: Form,
        path: &str,
    ) -> Result<(), Error> {
        let uuid = &segment.contents.uuid;
        if path.split('/').count() > DEPTH_MAX || path.split('/').any(|part| part.len() > PART_BYTES_MAX) {
            return Err(Error::Name(member.entry.name.clone()));
        }
        if is_rocksdb(path) {
            return Err(Error::RocksDb(uuid.clone()));
        }
        if *segment.form.get_or_insert(form) != form {
            return Err(member.fault(&"the other files of its segment are packed in another way"));
        }
        if path == "segment_manifest.json" {
            return Err(Error::Partial(uuid.clone()));
        }
        let (bytes, stored) = (member.entry.extents.size(), member.entry.extents.stored_bytes());
        let mut file = self.sink.segment_file(at, uuid, path, bytes).map_err(Error::Write)?;
        match path {
            "segment.json" => {
                let bytes = member.small(SEGMENT_STATE_BYTES_MAX.min(self.states_left))?;
                self.states_left -= bytes.len() as u64;
                let state: SegmentState =
                    serde_json::from_slice(&bytes).map_err(|error| member.fault(&error))?;
                file.write_all(&bytes).map_err(Error::Write)?;
                segment.contents.last_operation = state.version;
                segment.contents.state = bytes;
                segment.has_state = true;
            }
            "version.info" => {
                segment.contents.version = member.version()?;
                segment.has_version = true;
                file.write_all(segment.contents.version.as_bytes()).map_err(Error::Write)?;
            }
            _ => {
                let mut probed = Probed { file, probe: Probe::of(path) };
                member.store(&mut probed, &mut self.chunk)?;
                segment.points.add(path, probed.probe.as_ref());
            }
        }
        segment.contents.files += 1;
        segment.contents.apparent_bytes += bytes;
        segment.contents.stored_bytes += stored;
        Ok(())
    }
}

/// The member that is read.
struct Member<'m, 'r> {
    entries: &'m mut Members<'r>,
    entry: &'m Entry,
    hashing: Option<&'m mut Hashing>,
}

impl<'r> Member<'_, 'r> {
    /// All of it, which is not much.
    fn small(&mut self, limit: u64) -> Result<Vec<u8>, Error> {
        if self.entry.extents.size() > limit {
            return Err(self.fault(&"it is too large"));
        }
        let mut bytes = Vec::new();
        let content = self.entries.content(self.entry);
        Hashed { content, hashing: self.hashing.as_deref_mut() }.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// All of it as JSON, of which so much is left to be had.
    fn document(&mut self, left: &mut u64) -> Result<Document, Error> {
        let bytes = self.small(*left)?;
        *left -= bytes.len() as u64;
        let value = serde_json::from_slice(&bytes).map_err(|error| self.fault(&error))?;
        Ok(Document { bytes, value })
    }

    fn version(&mut self) -> Result<String, Error> {
        let bytes = self.small(VERSION_BYTES_MAX)?;
        let is_plain = bytes.iter().all(u8::is_ascii_graphic) && !bytes.is_empty();
        String::from_utf8(bytes).ok().filter(|_| is_plain).ok_or_else(|| self.fault(&"it is no version"))
    }

    /// Copies it into a file that has its size and is empty.
    fn store(&mut self, file: &mut (impl Write + Seek), chunk: &mut [u8]) -> Result<(), Error> {
        if self.hashing.is_none() {
            return self.entries.write_to(self.entry, file, |_, _| Ok(()));
        }
        let content = self.entries.content(self.entry);
        let mut content = Hashed { content, hashing: self.hashing.as_deref_mut() };
        loop {
            match content.read(chunk)? {
                0 => return Ok(()),
                found => file.write_all(&chunk[..found]).map_err(Error::Write)?,
            }
        }
    }

    /// Reads it as an archive, which is held to what the limits have left.
    fn nested(
        &mut self,
        ending: Ending,
        read: impl FnOnce(&mut Members<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let stored = self.entry.extents.stored_bytes();
        if self.entry.extents.size() / 2 > stored {
            // Its holes could be read as large files, which nobody has sent.
            return Err(self.fault(&"it is an archive and mostly holes"));
        }
        let limits = self.entries.left();
        let content = self.entries.content(self.entry);
        let mut hashed = Hashed { content, hashing: self.hashing.as_deref_mut() };
        let content: &mut dyn Read = &mut hashed;
        let content = BufReader::with_capacity(BUFFER_BYTES, content);
        let mut nested = Entries::with_ending(content, limits, ending);
        read(&mut nested)?;
        let left = nested.left();
        self.entries.spend(left);
        Ok(())
    }

    fn fault(&self, fault: &impl ToString) -> Error {
        Error::Content { name: self.entry.name.clone(), fault: fault.to_string() }
    }
}

/// A directory of a shard: its own, or one in it.
fn is_directory(part: Option<&Part<'_>>) -> bool {
    match part {
        None | Some(Part::Directory | Part::SegmentDirectory(_) | Part::SegmentFile { .. }) => true,
        Some(_) => false,
    }
}

/// Where servers before 1.18 put what RocksDB held.
fn is_rocksdb(path: &str) -> bool {
    matches!(path.split('/').next(), Some("db_backup" | "payload_index_db_backup"))
}

/// Reads, and has what was read hashed.
struct Hashed<'a, C> {
    content: C,
    hashing: Option<&'a mut Hashing>,
}

impl<C: Read> Read for Hashed<'_, C> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let found = self.content.read(out)?;
        if let Some(hashing) = &mut self.hashing {
            hashing.feed(&out[..found]);
        }
        Ok(found)
    }
}

/// A file, and what it tells while it is written.
struct Probed<F> {
    file: F,
    probe: Option<Probe>,
}

impl<F: Write> Write for Probed<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        if let Some(probe) = &mut self.probe {
            probe.feed(&bytes[..written]);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl<F: Seek> Seek for Probed<F> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    type File = Nowhere;

    fn segment_file(&mut self, _: ShardAt<'_>, _: &str, _: &str, _: u64) -> io::Result<Nowhere> {
        Ok(Nowhere)
    }

    fn wal_file(&mut self, _: ShardAt<'_>, _: Wal, _: u64) -> io::Result<Nowhere> {
        Ok(Nowhere)
    }
}

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Nowhere {
    fn seek(&mut self, _: io::SeekFrom) -> io::Result<u64> {
        Ok(0)
    }
}
