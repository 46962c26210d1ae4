//! Exchanging points: the one entry that commits, writers held from before it until everybody is sent to what it
//! made live.

use std::sync::Arc;
use std::time::Duration;

use records::qdrant::{Command, Content, Refusal, Reply};
use records::{Op, Position};

use super::super::directory::Directory;
use super::super::lifecycle::done;
use super::super::shards::{Hosted, Key};
use super::capture::hold;
use super::target::Proposal;
use crate::error::{Error, Kind, Result};
use crate::node::Node;

/// How often an exchange is tried that changes of settings overtake.
const ATTEMPTS: usize = 10;

/// So long an exchange waits for shards to be opened before it goes on without them.
const OPENED_MAX: Duration = Duration::from_secs(300);

impl Node {
    /// Commits what `propose` makes of collections that nobody can change meanwhile; again if somebody could after
    /// all. When this returns, everybody is sent to what was committed.
    ///
    /// An error says that nothing was changed, unless it says that the outcome is unknown.
    pub(super) async fn exchange_points(
        &self,
        propose: impl Fn(&Directory) -> Result<(Proposal, Command)>,
        mut begin: impl FnMut() -> Result<()>,
    ) -> Result<(Position, Content)> {
        for _ in 0..ATTEMPTS {
            let _changes = self.shards().gate.write().await;
            self.confirm_leader().await?;
            let directory = self.directory();
            let (proposal, command) = propose(&directory)?;
            let replaced = self.replaced(&directory, &proposal.content).await;
            let held = self.metrics().hold_writers("exchange");
            let _gates = hold(&replaced).await;
            fail::fail_point!("points::staged");
            begin()?;
            let (position, reply) = self.propose(Op::Qdrant(command)).await?;
            drop(held);
            match reply {
                records::Reply::Qdrant(Reply::Refused(Refusal::Changed)) => {}
                records::Reply::Qdrant(reply) => {
                    done(reply)?;
                    fail::fail_point!("points::committed");
                    return Ok((position, proposal.content));
                }
                records::Reply::Refused(refusal) => {
                    return Err(Error::new(Kind::Conflict, refusal.to_string()));
                }
                other => return Err(Error::new(Kind::Internal, format!("{other:?} is no such reply"))),
            }
        }
        Err(Error::new(Kind::Unavailable, Refusal::Changed.to_string()))
    }

    /// The shards on this node that `content` replaces. One that is being opened is waited for: whoever waits for it,
    /// too, would change it behind our back.
    async fn replaced(&self, directory: &Directory, content: &Content) -> Vec<Arc<Hosted>> {
        let is_replaced = |name: &str, key: Key| match content {
            Content::Storage { .. } => true,
            Content::Collection { name: own, .. } => own == name,
            Content::Shard { collection, shard } => collection == name && shard.id == key.1,
        };
        let mut replaced = Vec::new();
        for (key, wanted) in directory.wanted(self.id()) {
            if is_replaced(&wanted.collection.record.name, key) {
                self.opened(key).await;
                replaced.extend(self.shards().look(key).ok().flatten());
            }
        }
        replaced
    }

    /// Waits until a shard of this node is open, or has failed to, or is none any more. That a large one takes its time
    /// is no failure.
    async fn opened(&self, key: Key) {
        let opened = async {
            while self.directory().has(key) && matches!(self.shards().look(key), Ok(None)) {
                drop(self.shards().get(key).await);
            }
        };
        drop(tokio::time::timeout(OPENED_MAX, opened).await);
    }

    /// Waits until the shards of a scope on this node are open and have their indexes. What keeps one from it does
    /// not undo the exchange: it is told, and the supervisor tries again.
    pub(super) async fn settle(&self, content: &Content) -> Vec<String> {
        let mut warnings = Vec::new();
        let here = content.shards().filter(|shard| shard.nodes.contains(&self.id().0));
        let keys: Vec<Key> = here.map(|shard| (shard.generation, shard.id)).collect();
        for key in keys {
            let ready = async {
                self.opened(key).await;
                let hosted = self.ready_shard(key).await?;
                self.complete(key, &hosted).await
            };
            if let Err(error) = ready.await {
                tracing::warn!(%error, shard = %key.0, "open an exchanged shard; trying again");
                warnings.push(format!("shard {} is not ready yet: {error}", key.1));
            }
        }
        warnings
    }
}
