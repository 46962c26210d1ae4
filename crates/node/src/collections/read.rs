//! Reading a collection. Every shard is asked after it has confirmed that it is up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::try_join_all;
use points::config::CollectionConfig;
use points::engine::{FacetValueHit, PayloadIndexInfo, Record, ScoredPoint};
use points::query::{Count, Facet, Group, Groups, Others, Page, Query, Retrieve, Scroll, Shards};
use points::{Result as PointsResult, Status};

use super::directory::Described;
use super::lifecycle::Moved;
use super::shards::Key;
use super::{CollectionInfo, CollectionStatus, ShardInfo};
use crate::error::{Result, blocking};
use crate::node::Node;

/// A collection, resolved from its name or an alias, with its settings as they were then: ask for it anew for each
/// request. Cheap to clone.
#[derive(Clone)]
pub struct Collection {
    pub(super) node: Node,
    pub(super) described: Arc<Described>,
}

impl Collection {
    pub(super) fn new(node: Node, described: Arc<Described>) -> Collection {
        Collection { node, described }
    }

    /// Its name, never an alias.
    pub fn name(&self) -> &str {
        &self.described.record.name
    }

    /// The settings.
    pub fn config(&self) -> &CollectionConfig {
        &self.described.config
    }

    /// Looks at it again, by its name.
    pub(super) async fn refresh(&mut self) -> Result<()> {
        self.described = self.node.described(self.name()).await?;
        Ok(())
    }

    pub(super) fn key(&self, id: u32) -> Option<Key> {
        self.described.keys().find(|key| key.1 == id)
    }

    /// How it is. Never fails for a shard that does: then it is red.
    pub async fn info(&self) -> Result<CollectionInfo> {
        let mut collection = self.clone();
        loop {
            match collection.look_at().await {
                // Unless its shards were exchanged meanwhile.
                Ok(info) if collection.described.keys().all(|key| self.node.directory().has(key)) => {
                    return Ok(info);
                }
                Err(error) if error.cause::<Moved>().is_none() => return Err(error),
                _ => collection.refresh().await?,
            }
        }
    }

    async fn look_at(&self) -> Result<CollectionInfo> {
        let mut info = CollectionInfo {
            status: CollectionStatus::Green,
            optimizer_error: None,
            points_count: 0,
            indexed_vectors_count: 0,
            segments_count: 0,
            config: self.described.config.clone(),
            payload_schema: BTreeMap::new(),
        };
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for key in self.described.keys() {
            let hosted = match self.node.ready_shard(key).await {
                Ok(hosted) => hosted,
                Err(error) => {
                    info.status = CollectionStatus::Red;
                    info.optimizer_error.get_or_insert(error.to_string());
                    continue;
                }
            };
            let shard = Arc::clone(hosted.shard());
            let status = match shard.status() {
                Status::Green => CollectionStatus::Green,
                Status::Grey => CollectionStatus::Grey,
                Status::Yellow => CollectionStatus::Yellow,
                Status::Red => CollectionStatus::Red,
            };
            info.status = info.status.max(status);
            if info.optimizer_error.is_none() {
                info.optimizer_error = shard.optimizer_error();
            }
            let found = blocking(move || Ok(shard.live()?.info().map_err(points::Error::from)?)).await;
            let found = match found {
                Ok(found) => found,
                Err(error) if !self.node.shards().is_open(key, &hosted) => return Err(error.because(Moved)),
                Err(error) => {
                    info.status = CollectionStatus::Red;
                    info.optimizer_error.get_or_insert(error.to_string());
                    continue;
                }
            };
            info.points_count += found.points_count as u64;
            info.indexed_vectors_count += found.indexed_vectors_count as u64;
            info.segments_count += found.segments_count as u64;
            for (field, index) in found.payload_schema {
                *counts.entry(field.to_string()).or_default() += index.points;
            }
        }
        let index = |(field, schema): (&String, &points::engine::PayloadFieldSchema)| {
            let points = counts.get(field).copied().unwrap_or_default();
            (field.clone(), PayloadIndexInfo::new(schema.clone(), points))
        };
        info.payload_schema = self.described.schema.iter().map(index).collect();
        Ok(info)
    }

    /// Its shards.
    pub async fn shards(&self) -> Result<Vec<ShardInfo>> {
        let mut shards = Vec::new();
        for key in self.described.keys() {
            let hosted = self.node.ready_shard(key).await;
            let available = hosted.is_ok();
            let points_count = match hosted {
                Ok(hosted) => {
                    let shard = hosted.shard().live()?;
                    blocking(move || Ok(shard.info().map_err(points::Error::from)?)).await?.points_count
                        as u64
                }
                Err(_) => 0,
            };
            shards.push(ShardInfo { id: key.1, points_count, available });
        }
        Ok(shards)
    }

    /// Points by id.
    pub async fn retrieve(&self, request: Retrieve) -> Result<Vec<Record>> {
        let ids = |collection: &Collection| {
            let ids = request.ids.iter().map(|id| collection.described.ring.shard(*id));
            let ids: BTreeSet<u32> = ids.collect();
            ids.into_iter().filter_map(|id| collection.key(id)).collect()
        };
        let shards = self.open(ids).await?;
        blocking(move || Ok(shards.retrieve(request)?)).await
    }

    /// A page of points.
    pub async fn scroll(&self, request: Scroll) -> Result<Page> {
        self.ask(move |shards| shards.scroll(request)).await
    }

    /// How many points match.
    pub async fn count(&self, request: Count) -> Result<usize> {
        self.ask(move |shards| shards.count(request)).await
    }

    /// Counts by value.
    pub async fn facet(&self, request: Facet) -> Result<Vec<FacetValueHit>> {
        self.ask(move |shards| shards.facet(request)).await
    }

    /// The best points.
    pub async fn query(&self, request: Query) -> Result<Vec<ScoredPoint>> {
        let others = self.others(request.others()).await?;
        self.ask(move |shards| shards.query(request, &others)).await
    }

    /// The best points of each value.
    pub async fn query_groups(&self, request: Groups) -> Result<Vec<Group>> {
        let others = self.others(request.others()).await?;
        self.ask(move |shards| shards.query_groups(request, &others)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(Shards) -> PointsResult<T> + Send + 'static,
    ) -> Result<T> {
        let shards = self.open(all).await?;
        blocking(move || Ok(question(shards)?)).await
    }

    /// Opens the shards of one mapping for reading; again if they are exchanged meanwhile.
    async fn open(&self, keys: impl Fn(&Collection) -> Vec<Key>) -> Result<Shards> {
        let mut collection = self.clone();
        loop {
            let ready = keys(&collection).into_iter().map(|key| self.node.ready_shard(key));
            let open = match try_join_all(ready).await {
                Err(moved) if moved.cause::<Moved>().is_some() => None,
                open => Some(open?),
            };
            let Some(open) = open else {
                collection.refresh().await?;
                continue;
            };
            match open.iter().map(|hosted| hosted.shard().live()).collect::<PointsResult<_>>() {
                Ok(live) => return Ok(Shards::new(self.name(), live)),
                Err(error) => {
                    let (shards, directory) = (self.node.shards(), self.node.directory());
                    let mut asked = keys(&collection).into_iter().zip(&open);
                    // Else it was closed since, by an exchange.
                    if asked.all(|(key, hosted)| directory.has(key) && shards.is_open(key, hosted)) {
                        return Err(error.into());
                    }
                    collection.refresh().await?;
                }
            }
        }
    }

    async fn others(&self, names: impl IntoIterator<Item = &str>) -> Result<Others> {
        let mut others = Others::new();
        for name in names {
            let other = self.node.collection(name).await?;
            let shards = other.open(all).await?;
            others.insert(name.to_owned(), shards);
        }
        Ok(others)
    }
}

fn all(collection: &Collection) -> Vec<Key> {
    collection.described.keys().collect()
}
