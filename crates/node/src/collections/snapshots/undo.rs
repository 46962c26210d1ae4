//! Undoing restores of points, and giving up what an undo would bring back.

use records::Op;
use records::qdrant::{Command, Expected, Previous};
use uuid::Uuid;

use super::target::Proposal;
use crate::error::{Error, Kind, Result, to_the_end};
use crate::node::Node;
use crate::restore::Undone;
use crate::scope::{PointsScope, Scope};
use crate::tasks::{Step, TaskKind};

impl Node {
    pub(crate) async fn undo_points(&self, scope: PointsScope, image: Option<Uuid>) -> Result<Undone> {
        self.confirm_leader().await?;
        let node = self.clone();
        to_the_end(async move {
            let of = Scope::from(scope.clone());
            let _only = node.only_restore(&of)?;
            let previous = node.previous_points(&scope)?.image;
            if image.is_some_and(|image| image != previous) {
                let message = format!("the previous generation of {scope} is {previous}, not the one named");
                return Err(Error::new(Kind::Conflict, message));
            }
            let run = |_| node.clone().run_points_undo(scope, previous);
            node.run_task(Uuid::now_v7(), TaskKind::Undo, &of, Step::Commit, run).await
        })
        .await
    }

    async fn run_points_undo(self, scope: PointsScope, image: Uuid) -> Result<Undone> {
        fail::fail_point!("points::undo");
        let exchanged = self.exchange_points(
            |_| {
                let content = self.previous_points(&scope)?.content;
                let proposal = Proposal { content, expected: Expected::Anything };
                Ok((proposal, Command::UndoExchange { scope: scope.to_string(), image }))
            },
            || Ok(()),
        );
        let (position, content) = exchanged.await?;
        self.settle(&content).await;
        Ok(Undone { scope: scope.into(), index: position.index, image })
    }

    /// What undoing the last restore of `scope` would bring back.
    pub fn previous_points(&self, scope: &PointsScope) -> Result<Previous> {
        let found = self.directory().previous.get(&scope.to_string()).cloned();
        found.ok_or_else(|| Error::new(Kind::Conflict, format!("there is nothing to undo in scope {scope}")))
    }

    /// Gives up what has been kept for an undo since before `oldest_ms`.
    pub(crate) async fn forget_previous_points(&self, oldest_ms: u64) -> Result<()> {
        for (scope, previous) in &self.directory().previous {
            if previous.replaced_at_ms <= oldest_ms {
                let (scope, image) = (scope.clone(), previous.image);
                tracing::info!(scope, %image, "the previous points are given up");
                self.propose(Op::Qdrant(Command::ForgetExchange { scope, image })).await?;
            }
        }
        Ok(())
    }
}
