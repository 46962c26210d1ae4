//! What a restore would do, and whether an archive is one: the same pass, dropped at its end.

use std::sync::Arc;

use uuid::Uuid;

use super::super::directory::Directory;
use super::target::targets;
use super::{PointsPlan, PointsRestore};
use crate::blobs::Blob;
use crate::error::Result;
use crate::node::Node;
use crate::restore::Origin;
use crate::scope::PointsScope;
use crate::tasks::Running;

impl Node {
    /// Verifies an archive and says what restoring it would do. Changes nothing.
    pub async fn plan_points(&self, request: PointsRestore, origin: Origin) -> Result<PointsPlan> {
        self.confirm_leader().await?;
        self.check_restore(&request)?;
        let running = Running::unregistered(request.task.unwrap_or_else(Uuid::now_v7));
        let received = self.receive_points(&request, origin, Uuid::new_v4(), &running).await?;
        let directory = self.directory();
        let targets = targets(&request, &received.contents, &directory)?;
        let mut collections: Vec<(String, u64)> = targets
            .iter()
            .map(|target| {
                let own = received.staged.shards.iter().filter(|((member, _), _)| *member == target.member);
                (target.name.clone(), own.map(|(_, staged)| staged.points).sum())
            })
            .collect();
        collections.sort();
        let warnings = self.warnings(&request, &directory, &collections);
        let current_points = self.points_in(&directory, &request.scope).await;
        Ok(PointsPlan { scope: request.scope, current_points, collections, warnings })
    }

    fn warnings(
        &self,
        request: &PointsRestore,
        directory: &Directory,
        collections: &[(String, u64)],
    ) -> Vec<String> {
        let mut warnings = Vec::new();
        if request.scope == PointsScope::Storage && !request.keep_others {
            let goes = directory.collections.keys();
            let goes = goes.filter(|name| !collections.iter().any(|(other, _)| other == *name));
            warnings.extend(goes.map(|name| format!("collection {name:?} is not in the archive and goes")));
        }
        warnings
    }

    /// Points there are in a scope, as far as its shards answer.
    async fn points_in(&self, directory: &Directory, scope: &PointsScope) -> u64 {
        let mut points = 0;
        for key in directory.keys_of(scope).unwrap_or_default() {
            if let Ok(Some(hosted)) = self.shards().look(key) {
                let info = hosted.shard().live().and_then(|live| Ok(live.info()?));
                points += info.map_or(0, |info| info.points_count as u64);
            }
        }
        points
    }

    /// Index and points of an archive that was received.
    pub(crate) async fn verify_points(
        &self,
        scope: &PointsScope,
        blob: Blob,
        running: &Arc<Running>,
    ) -> Result<(u64, u64)> {
        let request = PointsRestore::of(scope.clone());
        let received = self.receive_points(&request, Origin::Stored(blob), Uuid::new_v4(), running).await?;
        Ok((self.status().applied.map_or(0, |applied| applied.index), received.staged.points()))
    }
}
