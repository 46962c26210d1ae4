//! Which members archives have, and what each of them is: a white list.
//!
//! A collection's archive has its settings at the top and one directory per shard; a shard's has the content of
//! such a directory at its top; the full one has an archive per collection and one `config.json`.

use std::fmt;

/// The member that says what the others hash to.
pub(super) const SUMS: &str = "SHA256SUMS";

/// What a member of an archive is, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// `version.info`: the version of the format of a collection.
    VersionInfo,
    /// `config.json`: a collection's settings, or which collections and aliases a full archive has.
    Config,
    /// `shard_key_mapping.json`.
    ShardKeyMapping,
    /// `payload_index.json`: the payload's schema.
    PayloadIndex,
    /// `*.snapshot`: the archive of a collection inside a full one.
    Collection(&'a str),
    /// `SHA256SUMS`: what all other members hash to. Only ours have it.
    Sums,
    /// Something of a shard.
    Shard {
        /// The shard's number; `None` where the archive is of one shard alone.
        id: Option<u32>,
        /// What of it; `None` is its directory.
        part: Option<Part<'a>>,
    },
}

/// Whose files are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardAt<'a> {
    /// The member that is the archive of its collection; `None` where the archive is of one collection or shard.
    pub collection: Option<&'a str>,
    /// Its number; `None` where the archive is of one shard.
    pub shard: Option<u32>,
}

impl fmt::Display for ShardAt<'_> {
    /// What the names of its members begin with, without the last `/`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.collection, self.shard) {
            (Some(collection), Some(shard)) => write!(f, "{collection}/{shard}"),
            (Some(collection), None) => f.write_str(collection),
            (None, Some(shard)) => write!(f, "{shard}"),
            (None, None) => f.write_str("."),
        }
    }
}

/// What a member of a shard is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// `shard_config.json`.
    ShardConfig,
    /// `replica_state.json`.
    ReplicaState,
    /// Clocks and operation numbers, of no use to who takes in a whole shard, and the engine's own settings.
    Bookkeeping,
    /// `segments` or `wal`, the directories.
    Directory,
    /// A file of the log of updates.
    Wal(Wal),
    /// `segments/<uuid>.tar`: all files of a segment.
    PackedSegment(&'a str),
    /// `segments/<uuid>`: its directory.
    SegmentDirectory(&'a str),
    /// `segments/<uuid>/[files/]<path>`: one file of a segment.
    SegmentFile {
        /// The segment.
        segment: &'a str,
        /// The file in it.
        path: &'a str,
    },
}

/// A file of the log of updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wal {
    /// `open-<n>`: the n-th of those that are written to.
    Open(u64),
    /// `closed-<n>`: the one that begins with operation n.
    Closed(u64),
    /// `first-index`.
    FirstIndex,
}

impl fmt::Display for Wal {
    /// Its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wal::Open(n) => write!(f, "open-{n}"),
            Wal::Closed(n) => write!(f, "closed-{n}"),
            Wal::FirstIndex => f.write_str("first-index"),
        }
    }
}

impl<'a> Place<'a> {
    /// What the member called `name` is; `None` if no archive has such a member.
    pub fn of(name: &'a str) -> Option<Place<'a>> {
        match name {
            "version.info" => return Some(Place::VersionInfo),
            "config.json" => return Some(Place::Config),
            "shard_key_mapping.json" => return Some(Place::ShardKeyMapping),
            "payload_index.json" => return Some(Place::PayloadIndex),
            SUMS => return Some(Place::Sums),
            _ => {}
        }
        let (first, rest) = match name.split_once('/') {
            Some((first, rest)) => (first, Some(rest)),
            None => (name, None),
        };
        if let Some(id) = number(first).and_then(|id| u32::try_from(id).ok()) {
            let part = match rest {
                Some(rest) => Some(Part::of(rest)?),
                None => None,
            };
            return Some(Place::Shard { id: Some(id), part });
        }
        if rest.is_none() && name.len() > ".snapshot".len() && name.ends_with(".snapshot") {
            return Some(Place::Collection(name));
        }
        Some(Place::Shard { id: None, part: Some(Part::of(name)?) })
    }
}

impl<'a> Part<'a> {
    fn of(name: &'a str) -> Option<Part<'a>> {
        match name {
            "shard_config.json" => return Some(Part::ShardConfig),
            "replica_state.json" => return Some(Part::ReplicaState),
            "newest_clocks.json"
            | "oldest_clocks.json"
            | "applied_seq.json"
            | "segments_manifest.json"
            | "edge_config.json" => return Some(Part::Bookkeeping),
            "segments" | "wal" => return Some(Part::Directory),
            _ => {}
        }
        let (directory, rest) = name.split_once('/')?;
        match directory {
            "wal" => Wal::of(rest).map(Part::Wal),
            // Written by newer servers; says again what is there.
            "segments" if rest == "manifest.json" => Some(Part::Bookkeeping),
            "segments" => Part::of_segment(rest),
            _ => None,
        }
    }

    fn of_segment(name: &'a str) -> Option<Part<'a>> {
        let Some((segment, path)) = name.split_once('/') else {
            return match name.strip_suffix(".tar") {
                Some(segment) => is_uuid(segment).then_some(Part::PackedSegment(segment)),
                None => is_uuid(name).then_some(Part::SegmentDirectory(name)),
            };
        };
        let path = path.strip_prefix("files/").unwrap_or(path);
        match path {
            _ if !is_uuid(segment) => None,
            "files" => Some(Part::SegmentDirectory(segment)),
            path => Some(Part::SegmentFile { segment, path }),
        }
    }
}

impl Wal {
    fn of(name: &str) -> Option<Wal> {
        match name.split_once('-')? {
            ("open", n) => number(n).map(Wal::Open),
            ("closed", n) => number(n).map(Wal::Closed),
            ("first", "index") => Some(Wal::FirstIndex),
            _ => None,
        }
    }
}

/// Decimal digits as one writes them: no sign, no leading zero.
fn number(digits: &str) -> Option<u64> {
    let is_plain =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|_| is_plain)
}

/// 36 characters, hyphenated, lower case.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: &str = "ee45a339-1cc4-46f4-9cd9-5ac8a06db742";

    #[test]
    fn members_are_known_by_their_names() {
        let shard = |id, part| Some(Place::Shard { id, part: Some(part) });
        assert_eq!(Place::of("config.json"), Some(Place::Config));
        assert_eq!(Place::of("12"), Some(Place::Shard { id: Some(12), part: None }));
        assert_eq!(Place::of("0/shard_config.json"), shard(Some(0), Part::ShardConfig));
        assert_eq!(Place::of("replica_state.json"), shard(None, Part::ReplicaState));
        assert_eq!(Place::of("wal/closed-27"), shard(None, Part::Wal(Wal::Closed(27))));
        let packed = format!("1/segments/{SEGMENT}.tar");
        assert_eq!(Place::of(&packed), shard(Some(1), Part::PackedSegment(SEGMENT)));
        for form in ["files/", ""] {
            let name = format!("segments/{SEGMENT}/{form}payload_index/config.json");
            let file = Part::SegmentFile { segment: SEGMENT, path: "payload_index/config.json" };
            assert_eq!(Place::of(&name), shard(None, file), "{name}");
        }
        assert_eq!(Place::of("a-1-2026.snapshot"), Some(Place::Collection("a-1-2026.snapshot")));
    }

    #[test]
    fn other_names_are_no_members() {
        for name in [
            ".snapshot",
            "a/b.snapshot",
            "01/shard_config.json",
            "4294967296",
            "0/config.json",
            "0/0",
            "wal/.wal",
            "wal/open-x",
            "wal/closed-1/2",
            "segments/x.tar",
            "segments/x/segment.json",
            "segments/EE45A339-1CC4-46F4-9CD9-5AC8A06DB742.tar",
            "evil",
            "0/evil",
        ] {
            assert_eq!(Place::of(name), None, "{name}");
        }
    }
}
