//! Pinning points: one cut over any number of shards, for which writers are held for moments.
//!
//! Every shard is flushed first, while writers go on. Then whoever changes collections, aliases or indexes is held,
//! then the writers of every shard concerned; what is applied is captured, as links and copies; and before they are
//! let go every shard confirms that it was led here all the time and that nothing was appended. Otherwise, or if
//! that took too long, all is let go and tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use futures_util::{StreamExt, TryStreamExt, stream};
use points::Capture;

use super::super::directory::{Described, Directory};
use super::super::shards::{Hosted, Key, Pin};
use super::no_shard;
use super::stored::file_name;
use crate::error::{Error, Kind, Result, blocking};
use crate::metrics::Hold;
use crate::node::Node;
use crate::scope::PointsScope;

/// A hold ends by itself after so long.
const HOLD_MAX: Duration = Duration::from_secs(2);

/// How often a cut is tried.
const ATTEMPTS: usize = 3;

/// Shards captured at the same time.
const AT_ONCE: usize = 4;

/// Pinned points: later changes don't show in them. What they take on the disk goes when this is dropped.
pub struct PointsCapture {
    pub(super) scope: PointsScope,
    pub(super) collections: Vec<CapturedCollection>,
    pub(super) aliases: BTreeMap<String, String>,
    /// Of whose names archives are made.
    pub(super) peer_id: u64,
    pub(super) taken_at_ms: u64,
    /// The last entry of the control log in it.
    pub(super) index: u64,
    pub(super) hold: Hold,
}

pub(super) struct CapturedCollection {
    /// What its archive is called in one of all collections.
    pub(super) member: String,
    pub(super) described: Arc<Described>,
    pub(super) shards: Vec<CapturedShard>,
}

pub(super) struct CapturedShard {
    pub(super) id: u32,
    pub(super) capture: Capture,
    _pin: Pin,
}

impl PointsCapture {
    /// How many points it holds.
    pub fn points(&self) -> u64 {
        let shards = self.collections.iter().flat_map(|collection| &collection.shards);
        shards.map(|shard| shard.capture.points()).sum()
    }
}

impl Node {
    /// Pins points as they are at one moment, over all shards concerned. `NotFound` without such a collection or
    /// shard; `Unavailable` if writers could not be held still.
    pub async fn capture_points(&self, scope: PointsScope) -> Result<PointsCapture> {
        self.confirm_leader().await?;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let hosts = self.hosts(&self.directory(), &scope).await?;
            let flushed = hosts.values().map(|hosted| {
                let shard = Arc::clone(hosted.shard());
                blocking(move || Ok(shard.sync()?))
            });
            try_join_all(flushed).await?;
            match self.capture_held(&scope).await? {
                Ok(capture) => return Ok(capture),
                Err(disturbed) => last = Some(disturbed),
            }
        }
        let why = last.unwrap_or_default();
        Err(Error::new(Kind::Unavailable, format!("the writers of {scope} could not be held still: {why}")))
    }

    /// The captured points, or what came in between.
    async fn capture_held(&self, scope: &PointsScope) -> Result<Result<PointsCapture, &'static str>> {
        let _changes = self.shards().gate.write().await;
        self.confirm_leader().await?;
        let directory = self.directory();
        let hosts = self.hosts(&directory, scope).await?;
        let held = self.metrics().hold_writers("capture");
        let cut = async {
            let _gates = hold(hosts.values()).await;
            fail::fail_point!("points::held");
            let before = confirm(&hosts).await?;
            let captures = hosts.iter().map(|(key, hosted)| {
                let (key, shard) = (*key, Arc::clone(hosted.shard()));
                blocking(move || {
                    fail::fail_point!("points::capturing");
                    Ok((key, shard.capture()?))
                })
            });
            let captures: Vec<_> = captures.collect();
            let shards: Vec<(Key, Capture)> = stream::iter(captures).buffered(AT_ONCE).try_collect().await?;
            let after = confirm(&hosts).await?;
            let is_cut = before == after
                && shards.iter().all(|(key, capture)| {
                    capture.applied().position.map(|position| position.index) == before[key].1
                });
            Ok(is_cut.then_some(shards))
        };
        let cut = tokio::time::timeout(HOLD_MAX, cut).await;
        drop(held);
        match cut {
            Err(_) => Ok(Err("it took longer than 2 s")),
            Ok(Err(error)) => Err(error),
            Ok(Ok(None)) => Ok(Err("something was appended meanwhile")),
            Ok(Ok(Some(shards))) => Ok(Ok(self.captured(scope, &directory, shards))),
        }
    }

    fn captured(
        &self,
        scope: &PointsScope,
        directory: &Directory,
        shards: Vec<(Key, Capture)>,
    ) -> PointsCapture {
        let mut captures: BTreeMap<Key, Capture> = shards.into_iter().collect();
        let described = directory.collections.values();
        let described = described.filter(|described| match scope.collection() {
            Some(name) => described.record.name == name,
            None => true,
        });
        let (peer_id, taken_at_ms) = (self.identity().id, self.now_ms());
        let mut members = BTreeSet::new();
        let collections = described.map(|described| {
            // Names that differ only in what a file's cannot have, or beyond its length, are told apart.
            let named = |again| {
                let scope = PointsScope::Collection(described.record.name.clone());
                file_name(&scope, peer_id, taken_at_ms, again)
            };
            let member =
                (0..).map(named).find(|member| members.insert(member.clone())).expect("numbers don't end");
            let shards = described.keys().filter_map(|key| {
                let capture = captures.remove(&key)?;
                Some(CapturedShard { id: key.1, capture, _pin: self.shards().pin(key) })
            });
            CapturedCollection { member, shards: shards.collect(), described: Arc::clone(described) }
        });
        PointsCapture {
            scope: scope.clone(),
            collections: collections.collect(),
            aliases: directory.aliases.clone(),
            peer_id,
            taken_at_ms,
            index: self.status().applied.map_or(0, |applied| applied.index),
            hold: self.metrics().hold("qdrant"),
        }
    }

    /// The shards of a scope, open, and led here.
    pub(super) async fn hosts(
        &self,
        directory: &Directory,
        scope: &PointsScope,
    ) -> Result<BTreeMap<Key, Arc<Hosted>>> {
        let keys = directory.keys_of(scope)?;
        let ready = try_join_all(keys.iter().map(|key| self.ready_shard(*key))).await?;
        Ok(keys.into_iter().zip(ready).collect())
    }
}

impl Directory {
    /// The shards of a scope. `NotFound` without such a collection or shard.
    pub(super) fn keys_of(&self, scope: &PointsScope) -> Result<Vec<Key>> {
        let collection = |name: &String| {
            self.collections.get(name).ok_or_else(|| {
                let refusal = records::qdrant::Refusal::NoCollection(name.clone());
                Error::new(Kind::NotFound, refusal.to_string())
            })
        };
        Ok(match scope {
            PointsScope::Storage => self.collections.values().flat_map(|found| found.keys()).collect(),
            PointsScope::Collection(name) => collection(name)?.keys().collect(),
            PointsScope::Shard(name, id) => {
                vec![collection(name)?.keys().find(|key| key.1 == *id).ok_or_else(|| no_shard(*id))?]
            }
        })
    }
}

/// Holds all changes of these shards until what is returned is dropped.
pub(super) async fn hold(
    hosts: impl IntoIterator<Item = &Arc<Hosted>>,
) -> Vec<tokio::sync::OwnedRwLockWriteGuard<()>> {
    join_all(hosts.into_iter().map(|hosted| Arc::clone(&hosted.gate).write_owned())).await
}

/// The term and the end of each shard's log, whose every entry is applied.
async fn confirm(hosts: &BTreeMap<Key, Arc<Hosted>>) -> Result<BTreeMap<Key, (u64, Option<u64>)>> {
    try_join_all(hosts.values().map(|hosted| hosted.group.confirm())).await?;
    let end = |(key, hosted): (&Key, &Arc<Hosted>)| {
        let status = hosted.group.status();
        (*key, (status.term, status.last_log))
    };
    Ok(hosts.iter().map(end).collect())
}
