//! Stored snapshots by the names that Qdrant's clients know: what REST and gRPC do alike.
//!
//! Follows `qdrant/qdrant:lib/storage/src/content_manager/snapshots` and `src/common/snapshots.rs`.

use node::{Error, Kind, Name, Node, PointsScope, Result, Scope, Snapshot};

/// Whose snapshots they are. Collections may be named by an alias.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    Storage,
    Collection(&'a str),
    Shard(&'a str, u32),
}

/// What can be snapshotted there: it exists.
pub(super) async fn scope(node: &Node, place: Place<'_>) -> Result<PointsScope> {
    let (name, shard) = match place {
        Place::Storage => return Ok(PointsScope::Storage),
        Place::Collection(name) => (name, None),
        Place::Shard(name, shard) => (name, Some(shard)),
    };
    let collection = node.collection(name).await?;
    let name = collection.name().to_owned();
    match shard {
        None => Ok(PointsScope::Collection(name)),
        Some(shard) if shard < collection.config().params.shard_number.get() => {
            Ok(PointsScope::Shard(name, shard))
        }
        Some(shard) => Err(Error::new(Kind::NotFound, format!("shard {shard} not found"))),
    }
}

/// The stored snapshots there.
pub(super) async fn list(node: &Node, place: Place<'_>) -> Result<Vec<Snapshot>> {
    node.snapshots(Some(&Scope::Points(scope(node, place).await?)))
}

/// One of them. What cannot be a name is none.
pub(super) async fn find(node: &Node, place: Place<'_>, name: &str) -> Result<Snapshot> {
    find_in(node, scope(node, place).await?, name)
}

/// One of a scope.
pub(super) fn find_in(node: &Node, scope: PointsScope, name: &str) -> Result<Snapshot> {
    let missing = || Error::new(Kind::NotFound, format!("Snapshot {name} not found"));
    let known = Name::of_file(name).map_err(|_| missing())?;
    node.snapshot(&scope.into(), &known).map_err(|error| match error.kind() {
        Kind::NotFound => missing(),
        _ => error,
    })
}

/// Removes one of them.
pub(super) async fn delete(node: &Node, place: Place<'_>, name: &str) -> Result<()> {
    let found = find(node, place, name).await?;
    node.delete_snapshot(found.scope, &Name::of_file(&found.name)?).await
}
