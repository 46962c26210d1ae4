//! From an archive to staged shards: one pass that verifies and unpacks, then the engine opens each; the same for a
//! restore, on other voters, and on a node that comes to lack a shard's files.
//!
//! Staged shards lie where they will live, `points/<generation>/<shard>`, with a file `image` beside them that names
//! the restore they are for. Nothing names them before the exchange; what is not named after it is swept.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use ::archive::qdrant::{self as format, Contents, Limits, ShardAt, Sink, Wal};
use points::engine::EdgeConfig;
use points::{Staged, Staging};
use records::qdrant::{Image, Shard};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::super::shards::Key;
use crate::blobs::Digest;
use crate::error::{self, Error, Kind, Result};
use crate::stager::Stager;

const IMAGE: &str = "image";

/// Staged shards opened in the engine at the same time.
const OPENED_AT_ONCE: usize = 4;

/// Bytes read from an archive at a time.
const READ_BYTES: usize = 256 << 10;

/// Whose files they are, in an archive: the member of an archive of several collections, and the shard's number.
pub(super) type Place = (Option<String>, u32);

/// What another voter is to stage.
#[derive(Clone, Debug)]
pub struct PointsImage {
    /// The image, called after its restore's task.
    pub image: Uuid,
    /// The archive.
    pub blob: Digest,
    /// Its shards.
    pub parts: Vec<PointsPart>,
}

/// One shard of an image.
#[derive(Clone, Debug)]
pub struct PointsPart {
    /// The member that is its collection's archive, in an archive of several.
    pub member: Option<String>,
    /// What it becomes.
    pub shard: Shard,
    /// The settings of its collection, as [`records::qdrant::Collection::config`].
    pub config: String,
}

/// An archive whose every byte was read and whose files lie where they will live. Dropping it removes them.
pub(super) struct Unpacked {
    pub(super) contents: Contents,
    pub(super) sha256: Digest,
    pub(super) bytes: u64,
    stagings: BTreeMap<Place, Staging>,
    dirs: Dirs,
}

/// Shards that the engine has opened, durable. Dropping this removes them unless they were kept.
pub(super) struct StagedShards {
    pub(super) shards: BTreeMap<Place, Staged>,
    dirs: Dirs,
}

/// The generation that holds the shards of `member` in an image: the same on every node.
pub(super) fn generation_of(image: Uuid, member: Option<&str>) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(image.as_bytes());
    hash.update(member.unwrap_or_default().as_bytes());
    let hash: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Reads an archive to its end and unpacks the shards that `wants` names. The archive of a shard alone is that of
/// shard `of_shard`. Files of nothing else are made. An archive that was expected to have another digest fails with
/// that, whatever else is wrong with it.
pub(super) fn unpack(
    archive: impl Read,
    points: &Path,
    image: Uuid,
    of_shard: u32,
    expected: Option<Digest>,
    dirs: &StagingDirs,
    wants: impl Fn(&Place) -> bool,
) -> Result<Unpacked> {
    let mut source = Hashing { inner: archive, hash: Sha256::new(), bytes: 0 };
    let mut into = Into {
        points,
        image,
        of_shard,
        stagings: BTreeMap::new(),
        dirs: Dirs { points: points.to_owned(), made: Vec::new(), of: dirs.clone(), kept: false },
        wants,
    };
    let unpacked = format::unpack(&mut source, Limits::default(), &mut into).map_err(damaged);
    // What is wrong with other bytes than those that were meant is of no interest.
    if expected.is_some() && !matches!(&unpacked, Err(error) if error.kind() != Kind::Corrupt) {
        io::copy(&mut source, &mut io::sink()).map_err(|error| damaged(error.into()))?;
        super::OtherDigest::check(expected, source.digest())?;
    }
    let contents = unpacked?;
    let (sha256, bytes) = (source.digest(), source.bytes);
    let Into { stagings, dirs, .. } = into;
    Ok(Unpacked { contents, sha256, bytes, stagings, dirs })
}

impl Unpacked {
    /// Opens every shard in the engine with the settings that `config` tells, and makes all of it durable.
    pub(super) fn finish(self, config: impl Fn(&Place) -> Result<EdgeConfig> + Sync) -> Result<StagedShards> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.min(OPENED_AT_ONCE).min(self.stagings.len());
        let (waiting, shards) = (Mutex::new(self.stagings.into_iter()), Mutex::new(BTreeMap::new()));
        let work = || -> Result<()> {
            let next = || waiting.lock().expect("no panic while held").next();
            while let Some((place, staging)) = next() {
                let staged = staging.finish(config(&place)?).map_err(unfit)?;
                shards.lock().expect("no panic while held").insert(place, staged);
            }
            Ok(())
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let stopped = |_| Err(Error::new(Kind::Internal, "a thread that opened shards stopped"));
            let others = others.into_iter().map(|other| other.join().unwrap_or_else(stopped));
            let ended: Vec<Result<()>> = std::iter::once(work()).chain(others).collect();
            ended.into_iter().collect::<Result<()>>()
        })?;
        let shards = shards.into_inner().expect("no panic while held");
        self.dirs.sync().map_err(error::io("sync what is staged"))?;
        Ok(StagedShards { shards, dirs: self.dirs })
    }
}

impl StagedShards {
    /// How many points they hold.
    pub(super) fn points(&self) -> u64 {
        self.shards.values().map(|staged| staged.points).sum()
    }

    /// What all nodes must agree on.
    pub(super) fn digest(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        for ((member, shard), staged) in &self.shards {
            let schema = serde_json::to_string(&staged.schema).expect("a schema is plain data");
            hash.update(format!("{member:?} {shard} {} {schema}\n", staged.points));
        }
        hash.finalize().to_vec()
    }

    /// Leaves them to the sweep, which knows when nothing can name them any more.
    pub(super) fn keep(&mut self) {
        self.dirs.kept = true;
    }
}

impl Stager {
    /// Stages the shards of another node's restore.
    pub(super) fn stage_parts(
        &self,
        points: &Path,
        dirs: &StagingDirs,
        image: &PointsImage,
    ) -> Result<Vec<u8>> {
        self.obtain(image.blob)?;
        let (file, _) = self.blobs.open_blob(image.blob)?;
        let find = |place: &Place| {
            image
                .parts
                .iter()
                .find(|part| (part.member.as_ref(), part.shard.id) == (place.0.as_ref(), place.1))
        };
        let of_shard = image.parts.first().map_or(0, |part| part.shard.id);
        let expected = Some(image.blob);
        let unpacked =
            unpack(file, points, image.image, of_shard, expected, dirs, |place| find(place).is_some())?;
        let lacks = image
            .parts
            .iter()
            .find(|part| !unpacked.stagings.contains_key(&(part.member.clone(), part.shard.id)));
        if let Some(lacks) = lacks {
            return Err(Error::new(Kind::Corrupt, format!("the archive lacks shard {}", lacks.shard.id)));
        }
        let mut staged = unpacked.finish(|place| {
            let config = find(place).map(|part| part.config.as_str()).unwrap_or_default();
            let config: points::config::CollectionConfig = serde_json::from_str(config)
                .map_err(|error| Error::new(Kind::Internal, format!("settings do not decode: {error}")))?;
            Ok(config.to_edge_config())
        })?;
        staged.keep();
        Ok(staged.digest())
    }
}

/// Stages a shard whose exchange has happened already, from its archive.
pub(crate) fn restage(
    stager: &Stager,
    points: &Path,
    (generation, id): Key,
    image: &Image,
    config: EdgeConfig,
) -> Result<()> {
    let lost = || Error::new(Kind::Internal, "the files that a restore made are gone, and so is its archive");
    let blob = Digest::try_from(image.blob.as_deref().ok_or_else(lost)?)?;
    stager.obtain(blob)?;
    let (file, _) = stager.blobs.open_blob(blob)?;
    tracing::info!(%generation, shard = id, image = %image.name, "stage a shard that is not here");
    let wanted = (image.member.clone(), id);
    // Those who open it hold the directory.
    let dirs = StagingDirs::default();
    let unpacked = unpack(file, points, image.name, id, Some(blob), &dirs, |place| *place == wanted)?;
    let mut staged = unpacked.finish(|_| Ok(config.clone()))?;
    staged.keep();
    match staged.shards.contains_key(&wanted) {
        true => Ok(()),
        false => Err(Error::new(Kind::Corrupt, format!("archive {blob} lacks shard {id}"))),
    }
}

/// Takes in the files of an archive.
struct Into<'a, W> {
    points: &'a Path,
    image: Uuid,
    of_shard: u32,
    stagings: BTreeMap<Place, Staging>,
    dirs: Dirs,
    wants: W,
}

impl<W: Fn(&Place) -> bool> Into<'_, W> {
    fn staging(&mut self, at: ShardAt<'_>) -> io::Result<Option<&Staging>> {
        let place = (at.collection.map(str::to_owned), at.shard.unwrap_or(self.of_shard));
        if !(self.wants)(&place) {
            return Ok(None);
        }
        if !self.stagings.contains_key(&place) {
            let generation = generation_of(self.image, at.collection);
            let dir = self.dirs.make(generation, place.1, self.image)?;
            debug_assert!(dir.starts_with(self.points), "shards lie in their generations");
            let staging = Staging::begin(&dir).map_err(|error| io::Error::other(Error::from(error)))?;
            self.stagings.insert(place.clone(), staging);
        }
        Ok(self.stagings.get(&place))
    }
}

impl<W: Fn(&Place) -> bool> Sink for Into<'_, W> {
    type File = Target;

    fn segment_file(&mut self, at: ShardAt<'_>, segment: &str, path: &str, bytes: u64) -> io::Result<Target> {
        let Some(staging) = self.staging(at)? else { return Ok(Target(None)) };
        let segment = Uuid::try_parse(segment).map_err(io::Error::other)?;
        let file = staging.file(segment, path, bytes).map_err(|error| io::Error::other(unfit(error)))?;
        Ok(Target(Some(file)))
    }

    fn wal_file(&mut self, at: ShardAt<'_>, wal: Wal, bytes: u64) -> io::Result<Target> {
        let Some(staging) = self.staging(at)? else { return Ok(Target(None)) };
        let name = match wal {
            Wal::Open(n) => format!("open-{n}"),
            Wal::Closed(n) => format!("closed-{n}"),
            Wal::FirstIndex => "first-index".to_owned(),
        };
        let file = staging.wal_file(&name, bytes).map_err(|error| io::Error::other(unfit(error)))?;
        Ok(Target(Some(file)))
    }
}

/// A file, or nothing where nobody wants it.
struct Target(Option<File>);

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(bytes.len()), |file| file.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), File::flush)
    }
}

impl Seek for Target {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.as_mut().map_or(Ok(0), |file| file.seek(to))
    }
}

/// The directories made for one image on this node.
struct Dirs {
    points: PathBuf,
    made: Vec<(PathBuf, StagingDir)>,
    of: StagingDirs,
    kept: bool,
}

impl Dirs {
    /// Makes the directory of a shard, and notes what it is for.
    fn make(&mut self, generation: Uuid, id: u32, image: Uuid) -> io::Result<PathBuf> {
        let dir = self.points.join(generation.to_string());
        let guard = self.of.add([generation]);
        fs::create_dir_all(&dir)?;
        fs::write(dir.join(IMAGE), image.to_string())?;
        let shard = dir.join(id.to_string());
        self.made.push((shard.clone(), guard));
        Ok(shard.join("shard"))
    }

    fn sync(&self) -> io::Result<()> {
        let sync = |dir: &Path| File::open(dir)?.sync_all();
        for (shard, _) in &self.made {
            sync(shard)?;
            let generation = shard.parent().expect("a shard lies in its generation");
            sync(&generation.join(IMAGE))?;
            sync(generation)?;
        }
        sync(&self.points)?;
        self.points.parent().map_or(Ok(()), sync)
    }
}

impl Drop for Dirs {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        for (shard, _) in &self.made {
            let generation = shard.parent().expect("a shard lies in its generation");
            // What cannot be removed now is swept later.
            if fs::remove_dir_all(shard).is_ok() || !shard.exists() {
                let only_image = fs::read_dir(generation).is_ok_and(|left| left.count() == 1);
                if only_image {
                    drop(fs::remove_dir_all(generation));
                }
            }
        }
    }
}

/// Generations that are being staged on this node.
#[derive(Clone, Default)]
pub(crate) struct StagingDirs(Arc<Mutex<HashMap<Uuid, usize>>>);

/// Keeps generations from being swept.
pub(crate) struct StagingDir {
    of: StagingDirs,
    generations: Vec<Uuid>,
}

impl StagingDirs {
    pub(crate) fn add(&self, generations: impl IntoIterator<Item = Uuid>) -> StagingDir {
        let generations: Vec<Uuid> = generations.into_iter().collect();
        let mut staging = self.0.lock().expect("no panic while held");
        for generation in &generations {
            *staging.entry(*generation).or_default() += 1;
        }
        StagingDir { of: self.clone(), generations }
    }

    /// Whether the generation in `dir` is being staged, or was for an image that `may_happen` yet.
    pub(crate) fn holds(&self, dir: &Path, may_happen: &impl Fn(Uuid) -> bool) -> bool {
        let name = dir.file_name().and_then(|name| name.to_str()?.parse().ok());
        let is_staged =
            name.is_some_and(|name: Uuid| self.0.lock().expect("no panic while held").contains_key(&name));
        is_staged || image_in(dir).is_some_and(may_happen)
    }
}

impl Drop for StagingDir {
    fn drop(&mut self) {
        let mut staging = self.of.0.lock().expect("no panic while held");
        for generation in &self.generations {
            if let Some(count) = staging.get_mut(generation) {
                *count -= 1;
                if *count == 0 {
                    staging.remove(generation);
                }
            }
        }
    }
}

/// For which image a generation was staged.
fn image_in(dir: &Path) -> Option<Uuid> {
    fs::read_to_string(dir.join(IMAGE)).ok()?.trim().parse().ok()
}

/// A reader that hashes.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
    bytes: u64,
}

impl<R> Hashing<R> {
    fn digest(&self) -> Digest {
        Digest(self.hash.clone().finalize().into())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(READ_BYTES);
        let read = self.inner.read(&mut buffer[..length])?;
        self.hash.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// The failure of an archive that cannot be read completely, or of its reading.
fn damaged(error: format::Error) -> Error {
    match error {
        format::Error::Io(error) | format::Error::Write(error) => match error.downcast::<Error>() {
            // Such as a cancel, or a file that cannot be made.
            Ok(ours) => ours,
            Err(error) => error::io("unpack the archive")(error),
        },
        damage => {
            let kind = match &damage {
                format::Error::TooLarge { .. } => Kind::TooLarge,
                damage if damage.is_unsupported() => Kind::Unsupported,
                _ => Kind::Corrupt,
            };
            Error::new(kind, damage.to_string()).because(damage)
        }
    }
}

/// What the engine says of a shard that came from elsewhere.
fn unfit(error: points::Error) -> Error {
    match error.kind {
        points::Kind::Corrupt => Error::new(Kind::Corrupt, error.text.clone()).because(error),
        _ => error.into(),
    }
}
