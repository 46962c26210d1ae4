//! `qdrant.Snapshots`: stored snapshots of collections and of everything, made, listed and removed.

use node::{PointsScope, Snapshot};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::snapshots_server::Snapshots;
use tonic::{Request, Response};

use super::check::{Faults, Result};
use super::face::{Asked, Face, Reply};
use super::status::failed;
use crate::qdrant::access::Need;
use crate::qdrant::snapshots::{self, Place};

#[tonic::async_trait]
impl Snapshots for Face {
    async fn create(
        &self,
        request: Request<proto::CreateSnapshotRequest>,
    ) -> Reply<proto::CreateSnapshotResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).check()?;
        asked.allow(Need::CollectionWrite(&message.collection_name))?;
        self.create_snapshot(&asked, Place::Collection(&message.collection_name)).await
    }

    async fn list(
        &self,
        request: Request<proto::ListSnapshotsRequest>,
    ) -> Reply<proto::ListSnapshotsResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).check()?;
        asked.allow(Need::CollectionRead(&message.collection_name))?;
        self.list_snapshots(&asked, Place::Collection(&message.collection_name)).await
    }

    async fn delete(
        &self,
        request: Request<proto::DeleteSnapshotRequest>,
    ) -> Reply<proto::DeleteSnapshotResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).filled("snapshot_name", message.snapshot_name.len()).check()?;
        asked.allow(Need::CollectionWrite(&message.collection_name))?;
        let place = Place::Collection(&message.collection_name);
        self.delete_snapshot(&asked, place, &message.snapshot_name).await
    }

    async fn create_full(
        &self,
        request: Request<proto::CreateFullSnapshotRequest>,
    ) -> Reply<proto::CreateSnapshotResponse> {
        let (asked, _) = Asked::open(request)?;
        asked.allow(Need::Manage)?;
        self.create_snapshot(&asked, Place::Storage).await
    }

    async fn list_full(
        &self,
        request: Request<proto::ListFullSnapshotsRequest>,
    ) -> Reply<proto::ListSnapshotsResponse> {
        let (asked, _) = Asked::open(request)?;
        asked.allow(Need::GlobalRead)?;
        self.list_snapshots(&asked, Place::Storage).await
    }

    async fn delete_full(
        &self,
        request: Request<proto::DeleteFullSnapshotRequest>,
    ) -> Reply<proto::DeleteSnapshotResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::default().filled("snapshot_name", message.snapshot_name.len()).check()?;
        asked.allow(Need::Manage)?;
        self.delete_snapshot(&asked, Place::Storage, &message.snapshot_name).await
    }
}

impl Face {
    /// What has begun is made, even if the client leaves.
    async fn create_snapshot(&self, asked: &Asked, place: Place<'_>) -> Reply<proto::CreateSnapshotResponse> {
        let scope: PointsScope = answered(snapshots::scope(&self.node, place).await)?;
        let made = answered(self.node.create_points_snapshot(scope, None, None).await)?;
        let snapshot_description = Some(describe(made));
        Ok(Response::new(proto::CreateSnapshotResponse { snapshot_description, time: asked.time() }))
    }

    async fn list_snapshots(&self, asked: &Asked, place: Place<'_>) -> Reply<proto::ListSnapshotsResponse> {
        let found = answered(snapshots::list(&self.node, place).await)?;
        let snapshot_descriptions = found.into_iter().map(describe).collect();
        Ok(Response::new(proto::ListSnapshotsResponse { snapshot_descriptions, time: asked.time() }))
    }

    async fn delete_snapshot(
        &self,
        asked: &Asked,
        place: Place<'_>,
        name: &str,
    ) -> Reply<proto::DeleteSnapshotResponse> {
        answered(snapshots::delete(&self.node, place, name).await)?;
        Ok(Response::new(proto::DeleteSnapshotResponse { time: asked.time() }))
    }
}

fn answered<T>(result: node::Result<T>) -> Result<T> {
    result.map_err(|error| failed(&error))
}

fn describe(snapshot: Snapshot) -> proto::SnapshotDescription {
    let mut description = proto::SnapshotDescription {
        name: snapshot.name,
        creation_time: None,
        size: i64::try_from(snapshot.size).unwrap_or(i64::MAX),
        checksum: Some(snapshot.sha256),
    };
    // Whole seconds, as over REST.
    let seconds = i64::try_from(snapshot.created_at_ms / 1000).unwrap_or(i64::MAX);
    description.creation_time.get_or_insert_default().seconds = seconds;
    description
}
