//! All collections as this node has applied them, ready for requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use groups::NodeId;
use points::Ring;
use points::config::CollectionConfig;
use points::engine::PayloadFieldSchema;
use records::Records;
use records::qdrant::{Collection, Previous};
use uuid::Uuid;

use super::shards::{Key, Wanted};
use crate::error::{Error, Kind, Result};

/// A collection, its settings read.
pub(crate) struct Described {
    pub(crate) record: Arc<Collection>,
    pub(crate) config: CollectionConfig,
    pub(crate) schema: BTreeMap<String, PayloadFieldSchema>,
    pub(crate) ring: Ring,
}

/// All collections and aliases.
#[derive(Default)]
pub(crate) struct Directory {
    pub(crate) collections: BTreeMap<String, Arc<Described>>,
    pub(crate) aliases: BTreeMap<String, String>,
    /// What an undo brings back, by scope.
    pub(crate) previous: BTreeMap<String, Previous>,
}

impl Directory {
    /// Reads what is applied; what did not change since `before` is not read again.
    pub(crate) fn read(records: &Records, before: &Directory) -> Result<Directory> {
        let all = records.collections()?;
        let describe = |(name, record): (String, Arc<Collection>)| {
            let known = before.collections.get(&name).filter(|known| known.record == record);
            let described = match known {
                Some(known) => Arc::clone(known),
                None => Arc::new(Described::new(record)?),
            };
            Ok((name, described))
        };
        let collections = all.collections.into_iter().map(describe).collect::<Result<_>>()?;
        Ok(Directory { collections, aliases: all.aliases, previous: all.previous })
    }

    /// The collection called `name`, or whose alias it is.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Described>> {
        let name = self.aliases.get(name).map_or(name, String::as_str);
        self.collections.get(name)
    }
}

impl Directory {
    /// Whether a shard is one of a collection.
    pub(crate) fn has(&self, key: Key) -> bool {
        self.collections.values().any(|described| described.keys().any(|other| other == key))
    }

    /// The shards that are kept for an undo.
    pub(crate) fn kept(&self) -> BTreeSet<Key> {
        let shards = self.previous.values().flat_map(|previous| previous.content.shards());
        shards.map(|shard| (shard.generation, shard.id)).collect()
    }

    /// The archives that nodes may still have to fetch, as SHA-256.
    pub(crate) fn image_blobs(&self) -> impl Iterator<Item = &[u8]> {
        let live = self.collections.values().flat_map(|collection| &collection.record.shards);
        let kept = self.previous.values().flat_map(|previous| previous.content.shards());
        live.chain(kept).filter_map(|shard| shard.image.as_ref()?.blob.as_deref())
    }

    /// Whether the content of this image is live somewhere, or kept for an undo.
    pub(crate) fn has_image(&self, image: Uuid) -> bool {
        let live = self.collections.values().flat_map(|collection| &collection.record.shards);
        let mut named = live.filter_map(|shard| shard.image.as_ref());
        named.any(|found| found.name == image)
            || self.previous.values().any(|previous| previous.live == image || previous.image == image)
    }

    /// The shards that `node` should hold.
    pub(crate) fn wanted(&self, node: NodeId) -> BTreeMap<Key, Wanted> {
        let shards = self.collections.values().flat_map(|collection| {
            let here = collection.record.shards.iter().filter(move |shard| shard.nodes.contains(&node.0));
            here.map(move |shard| {
                let (nodes, image) = (shard.nodes.clone(), shard.image.clone());
                let wanted = Wanted { nodes, image, collection: Arc::clone(collection) };
                ((shard.generation, shard.id), wanted)
            })
        });
        shards.collect()
    }
}

impl Described {
    /// Its shards.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.record.shards.iter().map(|shard| (shard.generation, shard.id))
    }

    fn new(record: Arc<Collection>) -> Result<Described> {
        let decode = |error: serde_json::Error| {
            Error::new(Kind::Internal, format!("stored collection {} does not decode: {error}", record.name))
        };
        let config = serde_json::from_str(&record.config).map_err(decode)?;
        let schema = record
            .schema
            .iter()
            .map(|(field, schema)| Ok((field.clone(), serde_json::from_str(schema).map_err(decode)?)));
        let schema = schema.collect::<Result<_>>()?;
        let ring = Ring::new(record.shards.iter().map(|shard| shard.id));
        Ok(Described { config, schema, ring, record: Arc::clone(&record) })
    }
}
