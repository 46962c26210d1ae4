//! A pinned copy of a shard: fixed files are linked, the others copied. What of it belongs into an archive is noted
//! when it is taken, for only an open engine knows.
//!
//! Which are fixed was found by comparing files over all kinds of change: of a segment that takes no more
//! points, vectors, graphs, quantised vectors, pages of payload and the bodies of payload indexes are written
//! once. Everything else may change in place, and is copied.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use qdrant_edge::{EdgeShard, SEGMENT_STATE_FILE};
use uuid::Uuid;

use super::entry::Applied;
use super::files::{self, failed};
use super::generation;
use crate::error::{Error, Kind, Result};

/// Files below this size are copied, whatever they are: linking them would save nothing.
const LINK_BYTES_MIN: u64 = 64 << 10;

/// What an engine's directory holds, of the engine's.
const SETTINGS: &str = "edge_config.json";
const SEGMENTS: &str = "segments";

/// A file of each segment that its manifest does not name, beside its state.
const SEGMENT_VERSION: &str = "version.info";

/// A pinned copy of a shard, which later entries do not change. Removed when dropped.
pub struct Capture {
    dir: PathBuf,
    applied: Applied,
    contents: Contents,
    /// Bytes that had to be copied.
    copied: u64,
    kept: bool,
}

/// What the engine knew of a shard when it was captured.
pub(super) struct Contents {
    points: u64,
    /// The last operation number used.
    number: u64,
    /// The files of each segment that make it up.
    segments: BTreeMap<Uuid, Vec<String>>,
}

/// What of a segment belongs into an archive.
#[derive(Clone, Debug)]
pub struct SegmentFiles {
    /// The segment's name.
    pub uuid: Uuid,
    /// Its files, by path.
    pub files: Vec<SegmentFile>,
}

/// A file of a segment.
#[derive(Clone, Debug)]
pub struct SegmentFile {
    /// Where it lies in the segment, with `/` between names.
    pub path: String,
    /// Its length in bytes, holes among them.
    pub length: u64,
    /// Bytes it takes on the disk.
    pub allocated: u64,
}

impl Contents {
    /// Asks the engine, which has used no number beyond `number`. Nothing may change it before its files are
    /// copied.
    pub(super) fn of(shard: &EdgeShard, number: u64) -> Result<Contents> {
        let manifest = shard.snapshot_manifest()?;
        let mut segments = BTreeMap::new();
        for (name, _) in manifest.iter() {
            let strange = || Error::new(Kind::Internal, format!("a segment is called {name:?}"));
            let uuid = Uuid::try_parse(name).map_err(|_| strange())?;
            let segment = manifest.get(name).ok_or_else(strange)?;
            let named = segment.file_versions().map(|(path, _)| path.to_str().map(str::to_owned));
            let own = [SEGMENT_STATE_FILE, SEGMENT_VERSION].map(|name| Some(name.to_owned()));
            let mut files: Vec<String> = named.chain(own).collect::<Option<_>>().ok_or_else(strange)?;
            files.sort_unstable();
            files.dedup();
            segments.insert(uuid, files);
        }
        Ok(Contents { points: shard.info()?.points_count as u64, number, segments })
    }
}

impl Capture {
    /// Copies the engine's directory `from` to `dir`. The engine must be flushed, and held until this returns.
    pub(super) fn take(from: &Path, dir: PathBuf, applied: Applied, contents: Contents) -> Result<Capture> {
        let mut capture = Capture { dir, applied, contents, copied: 0, kept: false };
        fs::create_dir(&capture.dir).map_err(failed("create", &capture.dir))?;
        let (settings, target) = (from.join(SETTINGS), capture.dir.join(SETTINGS));
        files::copy(&settings, &target).map_err(failed("copy", &settings))?;
        let (segments, target) = (from.join(SEGMENTS), capture.dir.join(SEGMENTS));
        fs::create_dir(&target).map_err(failed("create", &target))?;
        for segment in fs::read_dir(&segments).map_err(failed("list", &segments))? {
            let segment = segment.map_err(failed("list", &segments))?;
            if segment.path().is_dir() {
                capture.copied += copy_segment(&segment.path(), &target.join(segment.file_name()))?;
            }
        }
        Ok(capture)
    }

    /// The last entry in it.
    pub fn applied(&self) -> &Applied {
        &self.applied
    }

    /// How many points it holds.
    pub fn points(&self) -> u64 {
        self.contents.points
    }

    /// The first operation number that nothing in it has: where the log of an archive of it begins. A genuine
    /// server ignores an update whose number is not above that of the point.
    pub fn first_number(&self) -> u64 {
        self.contents.number + 1
    }

    /// What of it belongs into an archive, in order: what the engine's manifest names, and the state and the
    /// version of each segment (`qdrant/qdrant:lib/segment/src/segment/snapshot.rs`).
    pub fn segments(&self) -> Result<Vec<SegmentFiles>> {
        let segments = self.contents.segments.iter().map(|(uuid, files)| {
            let files = files.iter().map(|path| {
                let at = self.segment(*uuid).join(path);
                let metadata = fs::metadata(&at).map_err(failed("look at", &at))?;
                let allocated = metadata.blocks() * 512;
                Ok(SegmentFile { path: path.clone(), length: metadata.len(), allocated })
            });
            Ok(SegmentFiles { uuid: *uuid, files: files.collect::<Result<_>>()? })
        });
        segments.collect()
    }

    /// Opens a file of a segment, and tells where in it there is data, as `start..end` in order; the rest is hole.
    pub fn open(&self, segment: Uuid, path: &str) -> Result<(File, Vec<(u64, u64)>)> {
        let known = self.contents.segments.get(&segment).is_some_and(|files| files.iter().any(|f| f == path));
        if !known {
            return Err(Error::new(Kind::NotFound, format!("segment {segment} has no {path}")));
        }
        let at = self.segment(segment).join(path);
        let mut file = File::open(&at).map_err(failed("open", &at))?;
        let extents = files::extents(&mut file).map_err(failed("read", &at))?;
        Ok((file, extents))
    }

    fn segment(&self, segment: Uuid) -> PathBuf {
        self.dir.join(SEGMENTS).join(segment.hyphenated().to_string())
    }

    /// The engine's directory: segments and settings.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn copied(&self) -> u64 {
        self.copied
    }

    /// Leaves the directory to someone else.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if !self.kept {
            generation::remove(&self.dir);
        }
    }
}

/// Copies the directory of one segment.
fn copy_segment(from: &Path, to: &Path) -> Result<u64> {
    // Only a segment with this file takes no more points.
    let fixed = from.join("id_tracker.mappings").exists();
    copy_dir(from, to, Path::new(""), fixed)
}

/// Copies the directory `from`, which in its segment is `within`.
fn copy_dir(from: &Path, to: &Path, within: &Path, fixed: bool) -> Result<u64> {
    fs::create_dir(to).map_err(failed("create", to))?;
    let mut copied = 0;
    for entry in fs::read_dir(from).map_err(failed("list", from))? {
        let entry = entry.map_err(failed("list", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let within = within.join(entry.file_name());
        let metadata = entry.metadata().map_err(failed("look at", &source))?;
        if metadata.is_dir() {
            copied += copy_dir(&source, &target, &within, fixed)?;
        } else if fixed && metadata.len() >= LINK_BYTES_MIN && never_changes(&within) {
            fs::hard_link(&source, &target).map_err(failed("link", &source))?;
        } else {
            copied += files::copy(&source, &target).map_err(failed("copy", &source))?;
        }
    }
    Ok(copied)
}

/// Whether a file of a segment that takes no more points is written once, by its path in the segment.
fn never_changes(path: &Path) -> bool {
    let mut names = path.iter().map(|name| name.to_str().unwrap_or_default());
    let (first, rest): (_, Vec<_>) = (names.next().unwrap_or_default(), names.collect());
    let Some(&name) = rest.last() else { return first == "id_tracker.mappings" };
    if first.starts_with("vector_storage") {
        return matches!(name, "matrix.dat" | "tq_vectors.dat" | "quantized.data");
    }
    if first.starts_with("vector_index") {
        return matches!(
            name,
            "graph.bin" | "links.bin" | "links_compressed.bin" | "links_comp_vec.bin" | "inverted_index.dat"
        );
    }
    match first {
        "payload_storage" => name.starts_with("page_"),
        "payload_index" => matches!(
            name,
            "point_to_values.bin" | "values_to_points.bin" | "data.bin" | "postings.dat" | "vocab.dat"
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_change_in_place_is_never_linked() {
        let fixed =
            ["id_tracker.mappings", "vector_storage/matrix.dat", "vector_storage-text/quantized.data"];
        for path in fixed {
            assert!(never_changes(Path::new(path)), "{path}");
        }
        let changing = [
            "id_tracker.deleted",
            "id_tracker.versions",
            "vector_storage/deleted.dat",
            "vector_storage/vectors/chunk_0.mmap",
            "payload_storage/tracker.dat",
            "payload_index/city-map/deleted.bin",
            "payload_index/city-null/flags_a.dat",
            "segment.json",
        ];
        for path in changing {
            assert!(!never_changes(Path::new(path)), "{path}");
        }
    }
}
