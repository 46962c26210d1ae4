//! Stored snapshots of points: what they are called, and how they come into the catalog.

use std::sync::Arc;

use uuid::Uuid;

use super::Packing;
use crate::blobs::Blob;
use crate::catalog::{Name, Snapshot, Watched};
use crate::clock;
use crate::error::{Kind, Result, blocking, to_the_end};
use crate::node::Node;
use crate::scope::{PointsScope, Scope};
use crate::tasks::{Running, Step, TaskKind};

/// Of the names of files, `.checksum` after them included.
const NAME_BYTES_MAX: usize = 200;

/// What a snapshot is called by default (`qdrant/qdrant:lib/collection/src/collection/snapshots.rs`,
/// `lib/storage/src/content_manager/snapshots/mod.rs`). The `again`-th of one second has a number before its end.
pub(super) fn file_name(scope: &PointsScope, peer_id: u64, at_ms: u64, again: u32) -> String {
    // `2026-01-02T03:04:05…` becomes `2026-01-02-03-04-05`.
    let time: String = clock::rfc3339(at_ms).chars().take(19).collect();
    let time = time.replace(['T', ':'], "-");
    let end = match again {
        0 => format!("{time}.snapshot"),
        again => format!("{time}-{again}.snapshot"),
    };
    let (name, end) = match scope {
        PointsScope::Storage => ("full-snapshot", format!("-{end}")),
        PointsScope::Collection(name) => (name.as_str(), format!("-{peer_id}-{end}")),
        PointsScope::Shard(name, id) => (name.as_str(), format!("-shard-{id}-{end}")),
    };
    let name = name.trim_start_matches('.').replace(char::is_control, "_");
    let cut = name.floor_char_boundary(NAME_BYTES_MAX.saturating_sub(end.len()));
    format!("{}{end}", &name[..cut])
}

impl Node {
    /// Saves points into the catalog. When this returns, the snapshot is listed, complete and durable.
    ///
    /// Without `name` it gets one that no other has. Once it has begun, it goes on even if this future is dropped.
    pub async fn create_points_snapshot(
        &self,
        scope: PointsScope,
        name: Option<Name>,
        task: Option<Uuid>,
    ) -> Result<Snapshot> {
        self.confirm_leader().await?;
        self.directory().keys_of(&scope)?;
        let node = self.clone();
        to_the_end(async move {
            let of = Scope::from(scope.clone());
            let run = |running| node.clone().write_points(scope, name, running);
            node.run_task(task.unwrap_or_else(Uuid::now_v7), TaskKind::Save, &of, Step::Write, run).await
        })
        .await
    }

    async fn write_points(
        self,
        scope: PointsScope,
        name: Option<Name>,
        running: Arc<Running>,
    ) -> Result<Snapshot> {
        let of = Scope::from(scope.clone());
        if let Some(name) = &name {
            self.check_free(&of, name)?;
        }
        let capture = self.capture_points(scope.clone()).await?;
        let (index, points, at_ms) = (capture.index, capture.points(), capture.taken_at_ms);
        let node = self.clone();
        let blob = blocking(move || {
            let pack = capture.pack(Packing::Regular)?;
            let bytes = pack.bytes();
            node.check_disk(bytes)?;
            running.step(Step::Write, Some(bytes))?;
            let incoming = Watched { incoming: node.blobs().receive()?, running };
            capture.write_pack(&pack, incoming)?.incoming.finish()
        })
        .await?;
        fail::fail_point!("points::written");
        match name {
            Some(name) => self.list(of, name, blob, index, points).await,
            None => self.list_under_free_name(scope, at_ms, blob, index, points).await,
        }
    }

    async fn list_under_free_name(
        &self,
        scope: PointsScope,
        at_ms: u64,
        blob: Blob,
        index: u64,
        points: u64,
    ) -> Result<Snapshot> {
        let of = Scope::from(scope.clone());
        let mut again = 0;
        loop {
            let name = Name::of_file(&file_name(&scope, self.identity().id, at_ms, again))?;
            match self.list(of.clone(), name, blob, index, points).await {
                Err(taken) if taken.kind() == Kind::Conflict => again += 1,
                listed => return listed,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_genuine_servers_and_never_too_long() {
        let at = 1_790_000_000_123;
        let name = |scope: &str, again| match scope.parse().unwrap() {
            Scope::Points(scope) => file_name(&scope, 7, at, again),
            Scope::Records(_) => unreachable!(),
        };
        assert_eq!(name("qdrant", 0), "full-snapshot-2026-09-21-14-13-20.snapshot");
        assert_eq!(name("qdrant/c", 0), "c-7-2026-09-21-14-13-20.snapshot");
        assert_eq!(name("qdrant/c", 2), "c-7-2026-09-21-14-13-20-2.snapshot");
        assert_eq!(name("qdrant/c/3", 0), "c-shard-3-2026-09-21-14-13-20.snapshot");
        let long = name(&format!("qdrant/{}", "ä".repeat(250)), 1);
        assert!(long.len() <= NAME_BYTES_MAX && Name::of_file(&long).is_ok(), "{long}");
        for odd in ["qdrant/.c", "qdrant/a\nb"] {
            assert!(Name::of_file(&name(odd, 0)).is_ok(), "{odd:?}");
        }
    }
}
