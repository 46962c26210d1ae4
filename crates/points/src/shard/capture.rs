//! A pinned copy of a shard: fixed files are linked, the others copied.
//!
//! Which are fixed was found by comparing files over all kinds of change: of a segment that takes no more
//! points, vectors, graphs, quantised vectors, pages of payload and the bodies of payload indexes are written
//! once. Everything else may change in place, and is copied.

use std::fs;
use std::path::{Path, PathBuf};

use super::entry::Applied;
use super::files::{self, failed};
use super::generation;
use crate::error::Result;

/// Files below this size are copied, whatever they are: linking them would save nothing.
const LINK_BYTES_MIN: u64 = 64 << 10;

/// What an engine's directory holds, of the engine's.
const SETTINGS: &str = "edge_config.json";
const SEGMENTS: &str = "segments";

/// A pinned copy of a shard, which later entries do not change. Removed when dropped.
pub struct Capture {
    dir: PathBuf,
    applied: Applied,
    /// Bytes that had to be copied.
    copied: u64,
    kept: bool,
}

impl Capture {
    /// Copies the engine's directory `from` to `dir`. The engine must be flushed, and held until this returns.
    pub(super) fn take(from: &Path, dir: PathBuf, applied: Applied) -> Result<Capture> {
        let mut capture = Capture { dir, applied, copied: 0, kept: false };
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
