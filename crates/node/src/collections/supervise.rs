//! Keeps this node's shards as the control state wants them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use points::engine::{FieldIndexOperations, PayloadFieldSchema, UpdateOperation};
use points::{Operation, Reply};
use tokio::time::{MissedTickBehavior, interval};

use super::directory::Directory;
use super::shards::{Hosted, Key};
use super::write::create_index;
use crate::error::{Result, blocking};
use crate::node::Node;
use crate::tasks::TaskState;

/// How often shards are looked after.
const TICK: Duration = Duration::from_millis(500);

/// After so many ticks what could not be opened is tried again.
const TICKS_UNTIL_AGAIN: u64 = 20;

impl Node {
    /// Runs until the node shuts down.
    pub(crate) async fn supervise_shards(self) {
        let mut closing = self.closing();
        let mut directory = self.watch_directory();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let log_at_start = self.status().last_log;
        let (mut sweep_at, mut tick) = (0, 0);
        loop {
            let seen: Arc<Directory> = Arc::clone(&directory.borrow_and_update());
            let wanted = seen.wanted(self.id());
            let members = self.status().members.everyone().to_vec();
            let again = tick % TICKS_UNTIL_AGAIN == 0;
            let is_live = |key| self.directory().has(key);
            self.shards().reconcile(&wanted, &seen.kept(), &members, again, is_live).await;
            if tick >= sweep_at && self.status().applied.map(|applied| applied.index) >= log_at_start {
                if let Err(error) = self.remove_leftover_shards().await {
                    tracing::warn!(%error, "remove what is left of shards; trying again");
                }
                sweep_at = tick + TICKS_UNTIL_AGAIN;
            }
            self.compare_indexes(&seen).await;
            tokio::select! {
                _ = closing.wait_for(|closing| *closing) => return,
                _ = directory.changed() => continue,
                _ = ticks.tick() => tick += 1,
            }
            let control = self.group().leader().map(|leader| leader.id);
            self.shards().look_after(control).await;
        }
    }

    /// Removes shards that nothing names: dropped ones, and those of restores that did not happen.
    async fn remove_leftover_shards(&self) -> Result<()> {
        // What is applied by now may already be more than what the caller saw.
        let node = self.clone();
        let named = move || {
            let directory = node.directory();
            let mut named = directory.kept();
            named.extend(directory.wanted(node.id()).into_keys());
            named
        };
        let node = self.clone();
        let may_happen = move |image| node.task(image).map_or(true, |task| task.state == TaskState::Running);
        self.shards().remove_leftovers(named, may_happen).await
    }

    /// Gives shards that this node came to lead the indexes that their collection has and they don't, and takes
    /// from them what it has no more: whoever was about to may have died in between.
    async fn compare_indexes(&self, directory: &Directory) {
        for key in directory.collections.values().flat_map(|collection| collection.keys()) {
            let Ok(Some(hosted)) = self.shards().look(key) else { continue };
            if !hosted.group.is_leader() || hosted.compared.load(Ordering::Relaxed) {
                continue;
            }
            match self.complete(key, &hosted).await {
                Ok(()) => hosted.compared.store(true, Ordering::Relaxed),
                Err(error) => tracing::debug!(%error, "compare the indexes of a shard; trying again"),
            }
        }
    }

    /// Whoever makes an index changes the collection first and the shard then, through its gate. So with the gate
    /// closed, what a shard has more than its collection is left over, never on its way.
    pub(super) async fn complete(&self, key: Key, hosted: &Hosted) -> Result<()> {
        let _gate = hosted.gate.write().await;
        self.confirm_leader().await?;
        hosted.group.confirm().await?;
        let directory = self.directory();
        let owner = directory.collections.values().find(|collection| collection.keys().any(|own| own == key));
        let Some(collection) = owner else { return Ok(()) };
        let shard = hosted.shard().live()?;
        let info = blocking(move || Ok(shard.info().map_err(points::Error::from)?)).await?;
        for (field, schema) in &collection.schema {
            let has = info.payload_schema.iter().find(|(key, _)| key.to_string() == *field);
            if has.is_none_or(|(_, has)| !is_of(has, schema)) {
                propose(hosted, create_index(field, schema)?).await?;
            }
        }
        for field in info.payload_schema.into_keys() {
            if !collection.schema.contains_key(&field.to_string()) {
                propose(hosted, FieldIndexOperations::DeleteIndex(field)).await?;
            }
        }
        Ok(())
    }
}

fn is_of(has: &points::engine::PayloadIndexInfo, schema: &PayloadFieldSchema) -> bool {
    let schema = points::engine::PayloadIndexInfo::new(schema.clone(), has.points);
    schema.data_type == has.data_type && (schema.params.is_none() || schema.params == has.params)
}

async fn propose(hosted: &Hosted, operation: FieldIndexOperations) -> Result<()> {
    let entry = Operation::new(UpdateOperation::FieldIndexOperation(operation))?.encode();
    let (_, reply) = hosted.group.propose(entry).await?;
    match Reply::decode(&reply)? {
        Reply::Done => Ok(()),
        Reply::Refused(error) => Err(error.into()),
    }
}
