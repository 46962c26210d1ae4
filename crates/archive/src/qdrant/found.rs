//! What was found in an archive, before it is known whether it fits together, and whether it does.
//!
//! The sentences for what does not fit are those of `qdrant/qdrant:lib/collection/src/collection/snapshots.rs` and
//! `lib/collection/src/shards/replica_set/snapshots.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::probe::Points;
use super::sums::{self, Hashing};
use super::{
    CollectionContents, Contents, Document, Error, Kind, SegmentContents, ShardAt, ShardContents, Sums, Wal,
};

/// What was found so far in an archive, at its top or in one of its collections.
#[derive(Default)]
pub(super) struct Root {
    pub(super) version: Option<String>,
    pub(super) config: Option<Document>,
    pub(super) schema: Option<Document>,
    pub(super) shard_keys: Option<Document>,
    pub(super) shards: BTreeMap<Option<u32>, Shard>,
    /// The archives of collections in a full one, by the names of the members.
    pub(super) collections: BTreeMap<String, Root>,
    pub(super) hashing: Option<Hashing>,
    /// A member that no hash is made of.
    pub(super) unhashed: Option<String>,
    pub(super) sums: Option<Vec<u8>>,
}

#[derive(Default)]
pub(super) struct Shard {
    pub(super) has_config: bool,
    pub(super) state: Option<ReplicaState>,
    pub(super) wal: BTreeSet<Wal>,
    pub(super) segments: BTreeMap<String, Segment>,
}

#[derive(Default)]
pub(super) struct Segment {
    pub(super) contents: SegmentContents,
    pub(super) form: Option<Form>,
    pub(super) has_state: bool,
    pub(super) has_version: bool,
    pub(super) points: Points,
}

/// The ways in which segments were ever packed. One is packed in one way, so that no two members become one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A tar with the files at its top, before 0.11.
    Ancient,
    /// A tar with the files below `snapshot/files`.
    Regular,
    /// Members below `files`.
    Streamable,
    /// Members.
    Flat,
}

/// `replica_state.json`.
#[derive(Deserialize)]
pub(super) struct ReplicaState {
    #[serde(default)]
    pub(super) is_local: bool,
}

/// `segment.json`.
#[derive(Deserialize)]
pub(super) struct SegmentState {
    pub(super) version: Option<u64>,
}

/// `config.json` of a full archive.
#[derive(Deserialize)]
pub(super) struct FullConfig {
    pub(super) collections_mapping: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) collections_aliases: BTreeMap<String, String>,
}

impl Shard {
    /// The segment of this name, the first time an empty one.
    pub(super) fn segment(&mut self, uuid: &str) -> &mut Segment {
        self.segments.entry(uuid.to_owned()).or_insert_with(|| {
            let mut segment = Segment::default();
            segment.contents.uuid = uuid.to_owned();
            segment
        })
    }

    fn finish(self, at: ShardAt<'_>) -> Result<ShardContents, Error> {
        let path = at.to_string();
        if !self.has_config {
            return Err(Error::NoShardConfig(path));
        }
        if !self.state.is_some_and(|state| state.is_local) {
            return Err(Error::NotLocal(path));
        }
        if self.segments.is_empty() && self.wal.is_empty() {
            return Err(Error::Empty);
        }
        let segments = self.segments.into_values().map(|segment| segment.finish(at));
        let segments = segments.collect::<Result<Vec<_>, Error>>()?;
        Ok(ShardContents { id: at.shard, segments, wal: self.wal })
    }
}

impl Segment {
    /// An error that names a file that every segment has, if it is not there.
    pub(super) fn check(&self, at: ShardAt<'_>) -> Result<(), Error> {
        let missing = match (self.has_state, self.has_version) {
            (true, true) => return Ok(()),
            (false, _) => "segment.json",
            (true, false) => "version.info",
        };
        Err(Error::Missing(format!("{at}/segments/{}/{missing}", self.contents.uuid)))
    }

    fn finish(mut self, at: ShardAt<'_>) -> Result<SegmentContents, Error> {
        self.check(at)?;
        self.contents.points = self.points.count();
        Ok(self.contents)
    }
}

impl Root {
    /// The archive as a whole, once it was read to its end.
    pub(super) fn finish(mut self) -> Result<Contents, Error> {
        let sums = self.check_sums()?;
        let is_of_shard = self.shards.contains_key(&None);
        let is_full =
            self.config.as_ref().is_some_and(|config| config.value.get("collections_mapping").is_some());
        let (kind, collections, aliases) = match () {
            () if is_full || !self.collections.is_empty() => {
                let (collections, aliases) = self.full()?;
                (Kind::Full, collections, aliases)
            }
            () if is_of_shard => (Kind::Shard, vec![self.of_shard()?], BTreeMap::new()),
            () => (Kind::Collection, vec![self.collection(None, None)?], BTreeMap::new()),
        };
        Ok(Contents { kind, collections, aliases, sums })
    }

    fn check_sums(&mut self) -> Result<Sums, Error> {
        let (Some(hashing), Some(sums)) = (self.hashing.take(), &self.sums) else { return Ok(Sums::Absent) };
        if let Some(name) = self.unhashed.take() {
            return Err(Error::Sums { name, fault: "cannot cover a member with holes or of a segment" });
        }
        sums::check(sums, &hashing.finish()?)?;
        Ok(Sums::Checked)
    }

    fn full(mut self) -> Result<(Vec<CollectionContents>, BTreeMap<String, String>), Error> {
        let config = self.config.take().ok_or_else(|| Error::Missing("config.json".into()))?;
        let fault = |fault: String| Error::Content { name: "config.json".into(), fault };
        let config: FullConfig =
            serde_json::from_value(config.value).map_err(|error| fault(error.to_string()))?;
        let has_more = self.version.is_some() || self.schema.is_some() || self.shard_keys.is_some();
        if has_more || !self.shards.is_empty() {
            return Err(fault("it is of a full archive, and the archive is of a collection".into()));
        }
        let mut collections = Vec::new();
        for (name, member) in config.collections_mapping {
            let found = self.collections.remove(&member).ok_or_else(|| Error::Missing(member.clone()))?;
            collections.push(found.collection(Some(name), Some(member))?);
        }
        match self.collections.into_keys().next() {
            Some(member) => Err(fault(format!("it does not mention {member:?}"))),
            None => Ok((collections, config.collections_aliases)),
        }
    }

    fn of_shard(self) -> Result<CollectionContents, Error> {
        let odd = match () {
            () if self.config.is_some() => Some("config.json"),
            () if self.shard_keys.is_some() => Some("shard_key_mapping.json"),
            () if self.schema.is_some() => Some("payload_index.json"),
            () if self.version.is_some() => Some("version.info"),
            () => None,
        };
        if let Some(name) = odd {
            return Err(Error::Unknown(name.into()));
        }
        let mut shards = Vec::new();
        for (id, shard) in self.shards {
            match id {
                None => shards.push(shard.finish(ShardAt { collection: None, shard: None })?),
                Some(id) => return Err(Error::Unknown(id.to_string())),
            }
        }
        Ok(CollectionContents { shards, ..CollectionContents::default() })
    }

    fn collection(
        mut self,
        name: Option<String>,
        member: Option<String>,
    ) -> Result<CollectionContents, Error> {
        let named = |file: &str| match &member {
            Some(member) => format!("{member}/{file}"),
            None => file.to_owned(),
        };
        if let Some(member) = self.collections.into_keys().next() {
            return Err(Error::Unknown(named(&member)));
        }
        let config = self.config.ok_or_else(|| Error::Missing(named("config.json")))?;
        let keys = self.shard_keys.map(|keys| shard_keys(&keys.value)).unwrap_or_default();
        if !keys.is_empty() {
            return Err(Error::ShardKeys(keys.join(", ")));
        }
        let count = match config.value.pointer("/params/shard_number") {
            None => 1,
            Some(number) => {
                number.as_u64().and_then(|number| u32::try_from(number).ok()).ok_or_else(|| {
                    Error::Content { name: named("config.json"), fault: "its shard_number is none".into() }
                })?
            }
        };
        let mut shards = Vec::new();
        for id in 0..count {
            let at = ShardAt { collection: member.as_deref(), shard: Some(id) };
            let shard = self.shards.remove(&at.shard);
            let shard = shard.ok_or_else(|| Error::NoShard { shard: id, path: at.to_string() })?;
            shards.push(shard.finish(at)?);
        }
        if let Some(id) = self.shards.into_keys().next() {
            return Err(Error::Unknown(named(
                &id.map_or_else(|| "shard_config.json".into(), |id| id.to_string()),
            )));
        }
        let (version, schema) = (self.version, self.schema);
        Ok(CollectionContents { name, member, version, config: Some(config), schema, shards })
    }
}

/// The keys of `shard_key_mapping.json`, which is a list of pairs, or a map in older archives.
fn shard_keys(mapping: &Value) -> Vec<String> {
    match mapping {
        Value::Array(pairs) => pairs.iter().map(|pair| pair.get("key").unwrap_or(pair).to_string()).collect(),
        Value::Object(keys) => keys.keys().map(|key| format!("{key:?}")).collect(),
        Value::Null => Vec::new(),
        other => vec![other.to_string()],
    }
}
