//! What a node does by itself: watch the disk, end what others left, forget what is over.

use std::collections::VecDeque;
use std::time::Duration;

use archive::consul::kinds;
use records::consul;
use records::{Op, Read, Scope};
use tokio::time::{MissedTickBehavior, interval};

use crate::access::AccessMemory;
use crate::blobs::Digest;
use crate::error::Result;
use crate::node::Node;
use crate::root_keys::RekeyMemory;
use crate::tasks::{TaskKind, TaskState};

/// How often upkeep looks around.
const TICK: Duration = Duration::from_secs(1);

/// Tombstones keep list indexes from going back; nobody waits on an index this old
/// (`hashicorp/consul:agent/consul/state/tombstone_gc.go`).
const TOMBSTONE_KEEP_MS: u64 = 15 * 60 * 1000;

/// How often the age of tombstones is looked at.
const TOMBSTONE_STEP_MS: u64 = 60 * 1000;

/// A blob that nothing names yet may still be on its way into the catalog or a commit.
const BLOB_GRACE_MS: u64 = 3600 * 1000;

/// What upkeep remembers between ticks.
#[derive(Default)]
struct Memory {
    /// The term whose leader has resolved the tasks of those before it.
    resolved_term: Option<u64>,
    /// When the state index stood where, oldest first.
    indexes: VecDeque<(u64, u64)>,
    access: AccessMemory,
    rekeying: RekeyMemory,
}

impl Node {
    /// Runs until the node shuts down.
    pub(crate) async fn keep_up(self) {
        let mut closing = self.closing();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut memory = Memory::default();
        loop {
            tokio::select! {
                _ = closing.wait_for(|closing| *closing) => return,
                _ = ticks.tick() => {}
            }
            self.measure_disk();
            if let Err(error) = self.look_around(&mut memory).await {
                tracing::debug!(%error, "upkeep; trying again");
            }
        }
    }

    async fn look_around(&self, memory: &mut Memory) -> Result<()> {
        self.collect_blobs()?;
        #[cfg(feature = "qdrant")]
        {
            let _names = self.hold_names().await;
            self.follow_catalog()?;
        }
        self.drop_leftover_images()?;
        if !self.group().is_leader() {
            *memory = Memory::default();
            return Ok(());
        }
        let term = self.status().term;
        if memory.resolved_term != Some(term) {
            self.confirm_leader().await?;
            self.resolve_tasks().await?;
            memory.resolved_term = Some(term);
            memory.access = AccessMemory::default();
        }
        // That it fails is told, and keeps nothing else from being looked after.
        if let Err(error) = self.keep_access(&mut memory.access).await {
            tracing::warn!(%error, "look after access control; trying again");
        }
        if let Err(error) = self.keep_root_keys(&mut memory.rekeying).await {
            tracing::warn!(%error, "look after root keys; trying again");
        }
        self.end_sessions().await?;
        self.end_locks().await?;
        self.forget_previous().await?;
        self.forget_tasks().await?;
        self.reap_tombstones(memory).await
    }

    /// Gives up previous generations whose time is over, or that stand in the way of a nearly full disk.
    async fn forget_previous(&self) -> Result<()> {
        for scope in Scope::ALL {
            let Some(previous) = self.records().state(scope).previous else { continue };
            let keep_ms = u64::try_from(self.settings().undo_keep.as_millis()).unwrap_or(u64::MAX);
            let over = self.now_ms() >= previous.replaced_at_ms.saturating_add(keep_ms);
            if over || self.check_disk(0).is_err() {
                let image = previous.generation.image;
                tracing::info!(%scope, %image, "the previous generation is given up");
                self.propose(Op::Forget { scope, image }).await?;
            }
        }
        #[cfg(feature = "qdrant")]
        {
            let keep_ms = u64::try_from(self.settings().undo_keep.as_millis()).unwrap_or(u64::MAX);
            let oldest = match self.check_disk(0) {
                Ok(()) => self.now_ms().checked_sub(keep_ms),
                Err(_) => Some(u64::MAX),
            };
            if let Some(oldest) = oldest {
                self.forget_previous_points(oldest).await?;
            }
        }
        Ok(())
    }

    /// Removes tombstones that are older than [`TOMBSTONE_KEEP_MS`].
    async fn reap_tombstones(&self, memory: &mut Memory) -> Result<()> {
        let now = self.now_ms();
        let due = memory.indexes.back().is_none_or(|(at, _)| now >= at + TOMBSTONE_STEP_MS);
        if !due {
            return Ok(());
        }
        let view = self.records().view(Scope::Consul)?;
        memory.indexes.push_back((now, view.index()));
        let mut up_to = None;
        while let Some((at, index)) = memory.indexes.front()
            && at + TOMBSTONE_KEEP_MS <= now
        {
            up_to = Some(*index);
            memory.indexes.pop_front();
        }
        let any = view.scan(kinds::TOMBSTONE, b"").next().is_some();
        if let Some(up_to) = up_to.filter(|_| any) {
            self.propose(Op::Consul(consul::Command::ReapTombstones { up_to })).await?;
        }
        Ok(())
    }

    /// Drops blobs that neither the catalog nor a restore in the log can still need.
    fn collect_blobs(&self) -> Result<()> {
        let mut needed: Vec<Digest> = self.listed_blobs()?;
        #[cfg(feature = "qdrant")]
        for blob in self.directory().image_blobs() {
            needed.push(Digest::try_from(blob)?);
        }
        let purged = self.status().purged.map_or(0, |position| position.index);
        for task in self.tasks()?.iter().filter(|task| task.kind == TaskKind::Restore) {
            // A member that was away replays the commit and then needs its archive.
            let Some(outcome) = &task.outcome else { continue };
            if !matches!(task.scope.parse(), Ok(crate::scope::Scope::Records(_))) {
                continue;
            }
            let log_index = outcome["log_index"].as_u64().unwrap_or(u64::MAX);
            if task.state == TaskState::Succeeded && log_index > purged {
                needed.extend(outcome["sha256"].as_str().and_then(|hex| hex.parse::<Digest>().ok()));
            }
        }
        let oldest = self.now_ms().saturating_sub(BLOB_GRACE_MS);
        self.blobs().collect(|digest, written_at_ms| needed.contains(&digest) || written_at_ms > oldest)?;
        Ok(())
    }
}
