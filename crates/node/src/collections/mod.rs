//! Collections of points: made, changed, filled and read.

use std::collections::BTreeMap;

use points::Update;
use points::config::{CollectionConfig, CreateCollection, UpdateCollection};
use points::engine::{FacetValueHit, PayloadFieldSchema, PayloadIndexInfo, PointId, Record, ScoredPoint};
use points::query::{Count, Facet, Groups, Query, Retrieve, Scroll};

use crate::error::{Error, Kind, Result};
use crate::node::Node;

/// One change of the aliases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AliasChange {
    /// Makes an alias, or moves it.
    Create {
        /// The alias.
        alias: String,
        /// What it names.
        collection: String,
    },
    /// Gives an alias another name.
    Rename {
        /// The old name.
        old: String,
        /// The new name.
        new: String,
    },
    /// Removes an alias.
    Delete {
        /// The alias.
        alias: String,
    },
}

/// What became of an accepted change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updated {
    /// Its number; later changes of the same shard have higher ones.
    pub operation_id: u64,
}

/// How a collection is.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectionInfo {
    /// Whether it is optimised, being optimised, waiting for it, or broken.
    pub status: CollectionStatus,
    /// Why optimising failed, if it did.
    pub optimizer_error: Option<String>,
    /// Points, without those that were deleted.
    pub points_count: u64,
    /// Vectors that an index covers.
    pub indexed_vectors_count: u64,
    /// Segments of all shards.
    pub segments_count: u64,
    /// The settings.
    pub config: CollectionConfig,
    /// The payload indexes.
    pub payload_schema: BTreeMap<String, PayloadIndexInfo>,
}

/// The four colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectionStatus {
    /// Nothing to do.
    Green,
    /// Being optimised.
    Yellow,
    /// Optimising is due and has not begun.
    Grey,
    /// A shard failed.
    Red,
}

/// One shard of a collection on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardInfo {
    /// Its number in the collection.
    pub id: u32,
    /// Its points.
    pub points_count: u64,
}

/// The page after which nothing or another page comes.
#[derive(Clone, Debug)]
pub struct Page {
    /// The points.
    pub points: Vec<Record>,
    /// Where the next page begins.
    pub next: Option<PointId>,
}

/// The results of one group.
#[derive(Clone, Debug)]
pub struct Group {
    /// The value of the field: a string or a number.
    pub id: serde_json::Value,
    /// The best results.
    pub hits: Vec<ScoredPoint>,
    /// The point of another collection that the value names.
    pub lookup: Option<Record>,
}

/// A collection, resolved from its name or an alias. Cheap to clone.
#[derive(Clone)]
pub struct Collection {
    node: Node,
    name: String,
}

impl Node {
    /// Makes a collection. When this returns it is durable on a quorum and ready for points.
    /// `Conflict` if the name is taken, by a collection or an alias.
    pub async fn create_collection(&self, _name: &str, _request: CreateCollection) -> Result<()> {
        Err(not_yet())
    }

    /// Changes settings. `NotFound` without such a collection.
    pub async fn update_collection(&self, _name: &str, _request: UpdateCollection) -> Result<()> {
        Err(not_yet())
    }

    /// Removes a collection and its aliases; whether there was one.
    pub async fn delete_collection(&self, _name: &str) -> Result<bool> {
        Err(not_yet())
    }

    /// The names of all collections, in order.
    pub async fn collections(&self) -> Result<Vec<String>> {
        Err(not_yet())
    }

    /// The collection called `name`, or whose alias it is. `NotFound` if there is none.
    pub async fn collection(&self, _name: &str) -> Result<Collection> {
        Err(not_yet())
    }

    /// Applies all of `changes`, or none.
    pub async fn change_aliases(&self, _changes: Vec<AliasChange>) -> Result<()> {
        Err(not_yet())
    }

    /// All aliases and what they name, in order.
    pub async fn aliases(&self) -> Result<Vec<(String, String)>> {
        Err(not_yet())
    }
}

impl Collection {
    /// Its name, never an alias.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The settings.
    pub fn config(&self) -> &CollectionConfig {
        unreachable!("{}", self.node.now_ms())
    }

    /// How it is.
    pub async fn info(&self) -> Result<CollectionInfo> {
        Err(not_yet())
    }

    /// Its shards.
    pub async fn shards(&self) -> Result<Vec<ShardInfo>> {
        Err(not_yet())
    }

    /// Makes one change. When this returns it is durable on a quorum of every shard concerned, and can be read.
    pub async fn update(&self, _update: Update) -> Result<Updated> {
        Err(not_yet())
    }

    /// Indexes a field of the payload. On return every shard has the index.
    pub async fn create_index(&self, _field: &str, _schema: PayloadFieldSchema) -> Result<Updated> {
        Err(not_yet())
    }

    /// Drops the index of a field; without one, does nothing.
    pub async fn delete_index(&self, _field: &str) -> Result<Updated> {
        Err(not_yet())
    }

    /// Points by id.
    pub async fn retrieve(&self, _request: Retrieve) -> Result<Vec<Record>> {
        Err(not_yet())
    }

    /// A page of points.
    pub async fn scroll(&self, _request: Scroll) -> Result<Page> {
        Err(not_yet())
    }

    /// How many points match.
    pub async fn count(&self, _request: Count) -> Result<usize> {
        Err(not_yet())
    }

    /// Counts by value.
    pub async fn facet(&self, _request: Facet) -> Result<Vec<FacetValueHit>> {
        Err(not_yet())
    }

    /// The best points.
    pub async fn query(&self, _request: Query) -> Result<Vec<ScoredPoint>> {
        Err(not_yet())
    }

    /// The best points of each value.
    pub async fn query_groups(&self, _request: Groups) -> Result<Vec<Group>> {
        Err(not_yet())
    }
}

fn not_yet() -> Error {
    Error::new(Kind::Unsupported, "collections are not there yet")
}
