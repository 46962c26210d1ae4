//! What was found in an archive.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Wal;

/// What sort of archive it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of a collection.
    Collection,
    /// Of one shard.
    Shard,
    /// Of all collections, and their aliases.
    Full,
}

/// An archive that was read to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// What sort of archive it is.
    pub kind: Kind,
    /// The collections, by their names in a full archive. That of a shard has one, with one shard.
    pub collections: Vec<CollectionContents>,
    /// Which collection an alias stands for.
    pub aliases: BTreeMap<String, String>,
    /// Whether all of it was checked against hashes in the archive.
    pub sums: Sums,
}

/// Hashes inside an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sums {
    /// There are some, of every member, and they are right.
    Checked,
    /// There are none, as in every genuine archive: what is damaged within a file was not noticed.
    Absent,
}

/// A collection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CollectionContents {
    /// Its name, which only a full archive tells.
    pub name: Option<String>,
    /// The member of a full archive that holds it.
    pub member: Option<String>,
    /// Of the format of collections.
    pub version: Option<String>,
    /// Its settings; `None` in the archive of a shard.
    pub config: Option<Document>,
    /// Its payload's schema, `{"schema": {…}}`; `None` in the archive of a shard, and where it is left out.
    pub schema: Option<Document>,
    /// Its shards, by their numbers.
    pub shards: Vec<ShardContents>,
}

/// A member that is JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// As it is in the archive.
    pub bytes: Vec<u8>,
    /// What it says.
    pub value: Value,
}

/// A shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardContents {
    /// Its number; `None` in the archive of a shard, which does not tell.
    pub id: Option<u32>,
    /// Its segments, by their names.
    pub segments: Vec<SegmentContents>,
    /// The files of its log of updates.
    pub wal: BTreeSet<Wal>,
}

/// A segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentContents {
    /// Its name.
    pub uuid: String,
    /// How many files it has.
    pub files: u64,
    /// Bytes of its files with their holes.
    pub apparent_bytes: u64,
    /// Bytes of its files without their holes.
    pub stored_bytes: u64,
    /// The format of the segment, of `version.info`.
    pub version: String,
    /// The number of the last operation that changed it; `None` if none has.
    pub last_operation: Option<u64>,
    /// `segment.json`: what vectors it has and how they are indexed.
    pub state: Vec<u8>,
    /// Points in it, if its ids are kept in one of the known ways.
    pub points: Option<u64>,
}

impl Contents {
    /// All segments of all shards.
    pub fn segments(&self) -> impl Iterator<Item = &SegmentContents> {
        self.collections.iter().flat_map(CollectionContents::segments)
    }
}

impl CollectionContents {
    /// All segments of its shards.
    pub fn segments(&self) -> impl Iterator<Item = &SegmentContents> {
        self.shards.iter().flat_map(|shard| &shard.segments)
    }
}

impl ShardContents {
    /// The smallest number that no operation in it has: above those of its segments, and where its log begins.
    pub fn first_operation(&self) -> u64 {
        let of_segments = self.segments.iter().filter_map(|segment| segment.last_operation);
        let of_log = self.wal.iter().filter_map(|file| match file {
            Wal::Closed(n) => Some(*n),
            _ => None,
        });
        of_segments.map(|last| last.saturating_add(1)).chain(of_log).max().unwrap_or(0)
    }

    /// Points in its segments, if all of them tell.
    pub fn points(&self) -> Option<u64> {
        self.segments.iter().map(|segment| segment.points).sum()
    }
}
