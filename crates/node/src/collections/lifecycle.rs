//! Collections made, changed and removed: one entry of the control log each, and then the shards follow.

use std::sync::Arc;
use std::time::Duration;

use points::config::{CollectionConfig, CreateCollection, UpdateCollection, check_name};
use records::Op;
use records::qdrant::{Collection as Record, Command, Refusal, Reply, Shard};
use uuid::Uuid;

use super::AliasChange;
use super::directory::Described;
use super::read::Collection;
use super::shards::{Hosted, Key, READY};
use crate::error::{Error, Kind, Result, to_the_end};
use crate::node::Node;

/// How often a change of settings is tried that others overtake.
const ATTEMPTS: usize = 10;

impl Node {
    /// Makes a collection. When this returns it is durable on a quorum and ready for points.
    /// `Conflict` if the name is a collection's, `Invalid` if it is an alias or the settings are none.
    pub async fn create_collection(&self, name: &str, request: CreateCollection) -> Result<()> {
        check_name(name)?;
        if let Some(lack) = points::check_cpu() {
            return Err(Error::new(Kind::Unsupported, lack));
        }
        let uuid = Uuid::new_v4();
        let config = request.into_config(uuid)?;
        self.check_points_disk()?;
        let nodes: Vec<u64> = self.status().members.voters().map(|voter| voter.id.0).collect();
        let shard = |id| Shard { id, generation: uuid, nodes: nodes.clone(), image: None };
        let record = Record {
            name: name.to_owned(),
            uuid,
            config: encode(&config),
            revision: 0,
            shards: (0..config.params.shard_number.get()).map(shard).collect(),
            schema: Default::default(),
        };
        let node = self.clone();
        to_the_end(async move {
            let shards: Vec<_> = record.shards.iter().map(|shard| (shard.generation, shard.id)).collect();
            node.change_collections(Command::Create(record)).await?;
            for shard in shards {
                node.ready_shard(shard).await?;
            }
            Ok(())
        })
        .await
    }

    /// Changes settings. `NotFound` without such a collection.
    pub async fn update_collection(&self, name: &str, request: UpdateCollection) -> Result<()> {
        let node = self.clone();
        let name = name.to_owned();
        to_the_end(async move {
            for _ in 0..ATTEMPTS {
                let described = node.described(&name).await?;
                let mut config = described.config.clone();
                config.update(&request)?;
                let (uuid, revision) = (described.record.uuid, described.record.revision);
                let command = Command::Update { uuid, revision, config: encode(&config) };
                let changing = node.shards().gate.read().await;
                let reply = node.propose_collections(command).await?;
                drop(changing);
                match reply {
                    Reply::Refused(Refusal::Changed) => {}
                    reply => return done(reply).map(drop),
                }
            }
            Err(Error::new(Kind::Unavailable, Refusal::Changed.to_string()))
        })
        .await
    }

    /// Removes a collection and its aliases; whether there was one.
    pub async fn delete_collection(&self, name: &str) -> Result<bool> {
        let (node, name) = (self.clone(), name.to_owned());
        to_the_end(
            async move { Ok(node.change_collections(Command::Delete { name }).await? != Reply::Nothing) },
        )
        .await
    }

    /// The names of all collections, in order.
    pub async fn collections(&self) -> Result<Vec<String>> {
        self.confirm_leader().await?;
        Ok(self.directory().collections.keys().cloned().collect())
    }

    /// The collection called `name`, or whose alias it is. `NotFound` if there is none.
    pub async fn collection(&self, name: &str) -> Result<Collection> {
        Ok(Collection::new(self.clone(), self.described(name).await?))
    }

    /// Applies all of `changes`, or none.
    pub async fn change_aliases(&self, changes: Vec<AliasChange>) -> Result<()> {
        for change in &changes {
            match change {
                AliasChange::Create { alias: name, .. } | AliasChange::Rename { new: name, .. } => {
                    check_name(name)?;
                }
                AliasChange::Delete { .. } => {}
            }
        }
        self.change_collections(Command::ChangeAliases(changes)).await?;
        Ok(())
    }

    /// All aliases and what they name, in order.
    pub async fn aliases(&self) -> Result<Vec<(String, String)>> {
        self.confirm_leader().await?;
        let aliases = self.directory().aliases.clone();
        Ok(aliases.into_iter().collect())
    }

    pub(super) async fn described(&self, name: &str) -> Result<Arc<Described>> {
        if let Some(found) = self.directory().get(name) {
            return Ok(Arc::clone(found));
        }
        // After a start, what this node has applied may lag behind its log.
        self.confirm_leader().await?;
        let found = self.directory().get(name).cloned();
        found.ok_or_else(|| Error::new(Kind::NotFound, Refusal::NoCollection(name.to_owned()).to_string()))
    }

    async fn change_collections(&self, command: Command) -> Result<Reply> {
        let _changing = self.shards().gate.read().await;
        done(self.propose_collections(command).await?)
    }

    /// The caller holds [`Shards::gate`](super::Shards::gate).
    pub(super) async fn propose_collections(&self, command: Command) -> Result<Reply> {
        match self.propose(Op::Qdrant(command)).await?.1 {
            records::Reply::Qdrant(reply) => Ok(reply),
            records::Reply::Refused(refusal) => Err(Error::new(Kind::Conflict, refusal.to_string())),
            other => Err(Error::new(Kind::Internal, format!("{other:?} is no reply about collections"))),
        }
    }

    /// Fails with a full disk as the engine would say it.
    pub(super) fn check_points_disk(&self) -> Result<()> {
        self.check_disk(0).map_err(|error| {
            Error::new(Kind::Unavailable, error.message())
                .because(points::Error::new(points::Kind::Full, error.message()))
        })
    }

    /// A shard that is open here, led here and has applied all that was acknowledged; waits for it.
    pub(super) async fn ready_shard(&self, key: Key) -> Result<Arc<Hosted>> {
        // Where another node may lead by now, what is applied here may name shards that are replaced.
        if self.status().members.voters().count() > 1 {
            self.confirm_leader().await?;
        }
        let mut directory = self.watch_directory();
        let ready = async {
            loop {
                let hosted = self.shards().get(key).await?;
                match self.led_here(&hosted).await {
                    // Closed meanwhile; it may have come back, and is opened anew then.
                    Err(_) if !self.shards().is_open(key, &hosted) => {}
                    led => return led.map(|()| hosted),
                }
            }
        };
        let moved = || Error::new(Kind::NotFound, "the collection was removed").because(Moved);
        tokio::select! {
            biased;
            // Whatever fails because it is being closed fails for that reason.
            ready = ready => ready.map_err(|error| if self.directory().has(key) { error } else { moved() }),
            Ok(_) = async { directory.wait_for(|directory| !directory.has(key)).await.map(drop) } => Err(moved()),
        }
    }

    /// Waits until a shard is led here: its leadership follows that of the control group.
    async fn led_here(&self, hosted: &Hosted) -> Result<()> {
        match hosted.group.confirm().await {
            Ok(_) => Ok(()),
            Err(error) if self.group().is_leader() => {
                let mut status = hosted.group.watch();
                let led = status.wait_for(|_| hosted.group.is_leader());
                match tokio::time::timeout(READY, led).await {
                    Ok(Ok(_)) => {}
                    _ => return Err(error.into()),
                }
                hosted.group.confirm().await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until this node's shards are open, or have failed to; gives up after `limit`.
    pub async fn wait_for_shards(&self, limit: Duration) -> Result<()> {
        let wait = async {
            for key in self.directory().wanted(self.id()).into_keys() {
                // That one cannot be opened is no reason to wait for it.
                if let Err(error) = self.ready_shard(key).await {
                    tracing::warn!(%error, "a shard is not ready");
                }
            }
        };
        let late = |_| Error::new(Kind::Unavailable, "some shards are not ready");
        tokio::time::timeout(limit, wait).await.map_err(late)
    }
}

/// Marks the failure of a request that met a shard which is its collection's no more: that was removed, or its
/// points were exchanged.
#[derive(Debug, thiserror::Error)]
#[error("the shard is its collection's no more")]
pub(super) struct Moved;

pub(super) fn encode(config: &CollectionConfig) -> String {
    serde_json::to_string(config).expect("settings are plain data")
}

pub(super) fn done(reply: Reply) -> Result<Reply> {
    match reply {
        Reply::Refused(refusal) => {
            let kind = match &refusal {
                Refusal::Exists(_) | Refusal::NothingToUndo => Kind::Conflict,
                Refusal::IsAlias(_) => Kind::Invalid,
                Refusal::NoCollection(_) | Refusal::NoAlias(_) => Kind::NotFound,
                Refusal::Changed => Kind::Unavailable,
            };
            Err(Error::new(kind, refusal.to_string()))
        }
        reply => Ok(reply),
    }
}
