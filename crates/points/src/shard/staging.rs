//! A shard that came from elsewhere, on its way to become one of ours: its files are taken in, then the engine
//! opens them once and tells what they hold.
//!
//! Nothing of it is live before [`Staging::finish`] returns, and everything of it is durable then. There is no
//! checksum in the engine's files: what is damaged and still opens is taken for what was sent.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use qdrant_edge::{
    CountRequest, EdgeConfig, EdgeShard, PayloadFieldSchema, PayloadIndexInfo, SEGMENT_STATE_FILE,
    ScrollRequest, SegmentState, WithPayloadInterface, WithVector,
};
use uuid::Uuid;

use super::engine::Engine;
use super::entry::Applied;
use super::files::{self, failed};
use super::generation::{self, Generation, Record};
use super::machine::{FREE_BYTES_MIN, settings};
use super::meter::Meter;
use super::vet::vet_segment;
use crate::error::{Error, Kind, Result};

const PATH_BYTES_MAX: usize = 512;
const DEPTH_MAX: usize = 8;
const FILES_MAX: usize = 1 << 20;
const FILE_BYTES_MAX: u64 = 1 << 44;

const SEGMENTS: &str = "segments";
const WAL: &str = "wal";
const FIRST_INDEX: &str = "first-index";

/// So much of a log file is looked at to see that it is empty.
const LOG_LOOKED_AT: usize = 64 << 10;

/// Written last into a segment: the engine passes over one that lacks it, and its points with it.
const SEGMENT_VERSION: &str = "version.info";

/// The versions of a segment's points, eight bytes each, little-endian; one of the two, by its kind.
const POINT_VERSIONS: [&str; 2] = ["mutable_id_tracker.versions", "id_tracker.versions"];

/// A segment's points may be so far ahead of it: after a crash that took the segment's own version along. The
/// engine counts up to them one by one.
const AHEAD_MAX: u64 = 1 << 24;

/// So many points are read with all they have, to see that their data answers.
const READ_WHOLE: usize = 64;

/// And of so many at a time the ids.
const PAGE: usize = 4096;

/// The directory of a shard-to-be. Removed when dropped unfinished.
pub struct Staging {
    generation: Generation,
    files: AtomicUsize,
    finished: bool,
}

/// What a shard holds that was staged.
#[derive(Clone, Debug)]
pub struct Staged {
    /// How many points.
    pub points: u64,
    /// The payload indexes, by the paths of their fields.
    pub schema: BTreeMap<String, PayloadFieldSchema>,
    /// The first operation number that none of its points has.
    pub first_number: u64,
    /// Bytes it takes on the disk.
    pub allocated: u64,
}

impl Staging {
    /// Begins a shard in `dir`, which is made; what an earlier staging left there goes. `Invalid` if there is a
    /// shard already.
    pub fn begin(dir: &Path) -> Result<Staging> {
        fs::create_dir_all(dir).map_err(failed("create", dir))?;
        if Generation::live(dir)?.is_some() {
            return Err(Error::invalid(format!("{} holds a shard already", dir.display())));
        }
        generation::sweep(dir, None)?;
        let generation = Generation::new(dir);
        let staging = Staging { generation, files: AtomicUsize::new(0), finished: false };
        let segments = staging.dir().join(SEGMENTS);
        fs::create_dir_all(&segments).map_err(failed("create", &segments))?;
        Ok(staging)
    }

    /// A new file of a segment, `length` bytes long and all hole, to write into. Several may be written at once.
    /// `Corrupt` if the path leads elsewhere or was there before.
    pub fn file(&self, segment: Uuid, path: &str, length: u64) -> Result<File> {
        if !is_plain(path) {
            return Err(corrupt(format!("{path:?} is no path of a file in a segment")));
        }
        self.create(&self.segment(segment).join(path), length)
    }

    /// A new file of the log of updates, as [`Staging::file`]: `open-<n>`, `closed-<n>` or `first-index`.
    pub fn wal_file(&self, name: &str, length: u64) -> Result<File> {
        let number = name.strip_prefix("open-").or_else(|| name.strip_prefix("closed-"));
        let is_known = match number {
            Some(number) => {
                number.len() <= 20 && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
            }
            None => name == FIRST_INDEX,
        };
        if !is_known {
            return Err(corrupt(format!("{name:?} is no file of a log of updates")));
        }
        self.create(&self.dir().join(WAL).join(name), length)
    }

    /// Opens what came with the settings it is to have, reads it, and makes it durable: [`super::Shard::open`]
    /// finds these points and nothing applied. What is still in the log of updates is applied first.
    ///
    /// Costs one opening by the engine, one pass over the ids, and the writing of what is not on the disk yet.
    ///
    /// `Invalid` if the vectors are others than those of `config`; `Corrupt` if the engine cannot open all of it,
    /// or its points don't answer. Nothing is left of it then.
    pub fn finish(mut self, config: EdgeConfig) -> Result<Staged> {
        let config = settings(config);
        let free = files::free(self.dir()).map_err(failed("look at", self.dir()))?;
        if free < FREE_BYTES_MIN {
            return Err(Error::new(Kind::Full, "no room on the disk"));
        }
        let number = self.look_through(&config)?;
        self.drop_empty_log()?;
        let opened = catch_unwind(AssertUnwindSafe(|| self.open(&config, number)))
            .unwrap_or_else(|_| Err(corrupt("the engine panicked over it")));
        // Whoever sent the files knows them by their paths in the shard.
        let here = format!("{}/", self.dir().display());
        let (mut staged, number) =
            opened.map_err(|error| Error::new(error.kind, error.text.replace(&here, "")))?;
        let record = Record { applied: Applied::default(), number, meter: Meter::unknown() };
        generation::write_record(self.dir(), &record)?;
        staged.allocated = files::allocated(self.dir()).map_err(failed("look at", self.dir()))?;
        files::sync_tree(self.dir()).map_err(failed("sync", self.dir()))?;
        self.generation.go_live()?;
        self.finished = true;
        Ok(staged)
    }

    fn dir(&self) -> &Path {
        self.generation.path()
    }

    fn segment(&self, segment: Uuid) -> PathBuf {
        self.dir().join(SEGMENTS).join(segment.hyphenated().to_string())
    }

    fn create(&self, path: &Path, length: u64) -> Result<File> {
        if length > FILE_BYTES_MAX {
            return Err(corrupt(format!("a file of {length} bytes")));
        }
        if self.files.fetch_add(1, Ordering::Relaxed) >= FILES_MAX {
            return Err(corrupt("too many files"));
        }
        let create = || File::options().read(true).write(true).create_new(true).open(path);
        let created = match create() {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                let parent = path.parent().expect("a file lies in a directory");
                fs::create_dir_all(parent).and_then(|()| create())
            }
            other => other,
        };
        let file = created.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
                corrupt(format!("{} comes twice", self.named(path)))
            }
            io::ErrorKind::InvalidFilename => corrupt(format!("{} is too long a name", self.named(path))),
            _ => failed("create", path)(error),
        })?;
        file.set_len(length).map_err(failed("write", path))?;
        Ok(file)
    }

    /// A file as whoever sent it knows it.
    fn named(&self, path: &Path) -> String {
        path.strip_prefix(self.dir()).unwrap_or(path).display().to_string()
    }

    /// What the engine would not tell, or would tell less clearly: every segment is complete and of the wanted
    /// vectors. Returns the highest version of a point.
    fn look_through(&self, config: &EdgeConfig) -> Result<u64> {
        let segments = self.dir().join(SEGMENTS);
        let (mut number, mut reached) = (0, 0);
        let mut empty = !self.dir().join(WAL).exists();
        for entry in fs::read_dir(&segments).map_err(failed("list", &segments))? {
            let segment = entry.map_err(failed("list", &segments))?.path();
            empty = false;
            let name = self.named(&segment);
            for needed in [SEGMENT_VERSION, SEGMENT_STATE_FILE] {
                if !segment.join(needed).is_file() {
                    return Err(corrupt(format!("{name} has no {needed}")));
                }
            }
            let state = segment.join(SEGMENT_STATE_FILE);
            let state = fs::read(&state).map_err(failed("read", &state))?;
            // Older segments have another form, which the engine brings up to date.
            if let Ok(state) = serde_json::from_slice::<SegmentState>(&state) {
                reached = reached.max(state.version.unwrap_or(0));
                config
                    .check_compatible_with_segment_config(&state.config)
                    .map_err(|why| Error::invalid(format!("the points do not fit these settings: {why}")))?;
            }
            vet_segment(&segment)?;
            for file in POINT_VERSIONS {
                number = number.max(highest(&segment.join(file))?);
            }
        }
        if empty {
            return Err(corrupt("it has neither a segment nor a log of updates"));
        }
        if number.saturating_sub(reached) > AHEAD_MAX {
            return Err(corrupt(format!("its segments are at operation {reached}, its points at {number}")));
        }
        Ok(number)
    }

    /// Opens the engine on it, asks for everything, and closes it. Returns also the last number used.
    fn open(&self, config: &EdgeConfig, number: u64) -> Result<(Staged, u64)> {
        let engine = Engine::open(self.generation.clone(), config, number).map_err(blame)?;
        let live = engine.shard();
        // Operations of the log may have changed it.
        let found = live.config().plain_segment_config();
        config
            .check_compatible_with_segment_config(&found)
            .map_err(|why| Error::invalid(format!("the points do not fit these settings: {why}")))?;
        let points = read_through(live)?;
        let schema = live.info().map_err(|error| blame(error.into()))?.payload_schema;
        let staged = Staged {
            points,
            schema: schema.into_iter().map(|(field, index)| (field.to_string(), schema_of(index))).collect(),
            first_number: engine.number() + 1,
            allocated: 0,
        };
        // Dropping flushes. If that fails, the files are as after a crash right now, from which opening leads here.
        Ok((staged, engine.number()))
    }

    /// Removes a log in which nothing stands but where it begins, as archives of shards have it: the engine would
    /// make files of many megabytes and flush everything to find that out.
    fn drop_empty_log(&self) -> Result<()> {
        let wal = self.dir().join(WAL);
        let is_empty = || -> io::Result<bool> {
            for entry in fs::read_dir(&wal)? {
                let entry = entry?;
                if entry.file_name() != FIRST_INDEX && !is_empty_log(&entry.path())? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match is_empty() {
            Ok(true) => fs::remove_dir_all(&wal).map_err(failed("remove", &wal)),
            Ok(false) => Ok(()),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(other) => Err(failed("read", &wal)(other)),
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.finished {
            self.generation.remove();
            // Goes only if nothing else is in it.
            let _others = self.dir().parent().map(fs::remove_dir);
        }
    }
}

/// Asks for all ids, and for all that the first points have. Returns how many points there are.
fn read_through(shard: &EdgeShard) -> Result<u64> {
    let failed = |error: qdrant_edge::OperationError| blame(error.into());
    let points = shard.count(CountRequest { filter: None, exact: true }).map_err(failed)?;
    let ids = ScrollRequest {
        limit: Some(PAGE),
        with_payload: Some(WithPayloadInterface::Bool(false)),
        with_vector: WithVector::Bool(false),
        ..ScrollRequest::new()
    };
    let (mut found, mut offset) = (0, None);
    // However many there are, no more than a page of them is held; damage could let the pages go round.
    while found <= points {
        let page = ScrollRequest { offset, ..ids.clone() };
        let (records, next) = shard.scroll(page).map_err(failed)?;
        found += records.len();
        offset = next;
        if offset.is_none() || records.is_empty() {
            break;
        }
    }
    if found != points {
        return Err(corrupt(format!("it counts {points} points and shows {found}")));
    }
    let whole = ScrollRequest {
        limit: Some(READ_WHOLE),
        with_payload: Some(WithPayloadInterface::Bool(true)),
        with_vector: WithVector::Bool(true),
        ..ids
    };
    shard.scroll(whole).map_err(failed)?;
    Ok(points as u64)
}

/// Whether nothing follows a log file's header: eight bytes, the last four of which are any.
fn is_empty_log(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut header = [0; 8];
    if file.metadata()?.len() < header.len() as u64 {
        return Ok(false);
    }
    file.read_exact(&mut header)?;
    if header[..4] != *b"wal\0" {
        return Ok(false);
    }
    for (start, end) in files::extents(&mut file)? {
        // More data than the first block is for the engine to look at.
        let Ok(length @ ..=LOG_LOOKED_AT) = usize::try_from(end - start) else { return Ok(false) };
        let mut bytes = vec![0; length];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut bytes)?;
        let skipped = if start == 0 { header.len() } else { 0 };
        if bytes[skipped..].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn schema_of(index: PayloadIndexInfo) -> PayloadFieldSchema {
    match index.params {
        Some(params) => PayloadFieldSchema::FieldParams(params),
        None => PayloadFieldSchema::FieldType(index.data_type),
    }
}

/// The highest of the numbers in a file; 0 if there is no such file.
fn highest(path: &Path) -> Result<u64> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(other) => return Err(failed("read", path)(other)),
    };
    let mut read = || -> io::Result<u64> {
        let length = file.metadata()?.len() & !7;
        let (mut highest, mut offset) = (0, 0);
        let mut buffer = vec![0; 64 << 10];
        while let Some((start, end)) = files::next_extent(&mut file, offset, length)? {
            // Extents begin and end at blocks, and the length is a whole number of numbers.
            file.seek(SeekFrom::Start(start & !7))?;
            offset = start & !7;
            while offset < end {
                let take = usize::try_from(end - offset).map_or(buffer.len(), |left| left.min(buffer.len()));
                file.read_exact(&mut buffer[..take])?;
                let (numbers, _) = buffer[..take].as_chunks();
                highest = numbers.iter().map(|number| u64::from_le_bytes(*number)).fold(highest, u64::max);
                offset += take as u64;
            }
        }
        Ok(highest)
    };
    read().map_err(failed("read", path))
}

/// Whether a path names a file below a segment's directory, and nothing else.
fn is_plain(path: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\0', '\\']);
    path.len() <= PATH_BYTES_MAX && path.split('/').count() <= DEPTH_MAX && path.split('/').all(plain)
}

/// What the engine says of files that came from elsewhere is said of the files.
fn blame(error: Error) -> Error {
    match error.kind {
        Kind::Full => error,
        _ => corrupt(error.text),
    }
}

fn corrupt(why: impl Into<String>) -> Error {
    Error::new(Kind::Corrupt, why)
}
