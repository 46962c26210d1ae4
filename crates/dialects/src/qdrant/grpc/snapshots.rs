//! `qdrant.Snapshots`: not served yet; who lacks the right hears of that first.

use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::snapshots_server::Snapshots;
use tonic::Request;

use super::check::Faults;
use super::face::{Asked, Face, Reply};
use super::status::unserved;
use crate::qdrant::access::Need;
use crate::qdrant::unserved::Unserved;

#[tonic::async_trait]
impl Snapshots for Face {
    async fn create(
        &self,
        request: Request<proto::CreateSnapshotRequest>,
    ) -> Reply<proto::CreateSnapshotResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).check()?;
        asked.allow(Need::CollectionWrite(&message.collection_name))?;
        Err(unserved(Unserved::Snapshots))
    }

    async fn list(
        &self,
        request: Request<proto::ListSnapshotsRequest>,
    ) -> Reply<proto::ListSnapshotsResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).check()?;
        asked.allow(Need::CollectionRead(&message.collection_name))?;
        Err(unserved(Unserved::Snapshots))
    }

    async fn delete(
        &self,
        request: Request<proto::DeleteSnapshotRequest>,
    ) -> Reply<proto::DeleteSnapshotResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::of(&message.collection_name).filled("snapshot_name", message.snapshot_name.len()).check()?;
        asked.allow(Need::CollectionWrite(&message.collection_name))?;
        Err(unserved(Unserved::Snapshots))
    }

    async fn create_full(
        &self,
        request: Request<proto::CreateFullSnapshotRequest>,
    ) -> Reply<proto::CreateSnapshotResponse> {
        let (asked, _) = Asked::open(request)?;
        asked.allow(Need::Manage)?;
        Err(unserved(Unserved::Snapshots))
    }

    async fn list_full(
        &self,
        request: Request<proto::ListFullSnapshotsRequest>,
    ) -> Reply<proto::ListSnapshotsResponse> {
        let (asked, _) = Asked::open(request)?;
        asked.allow(Need::GlobalRead)?;
        Err(unserved(Unserved::Snapshots))
    }

    async fn delete_full(
        &self,
        request: Request<proto::DeleteFullSnapshotRequest>,
    ) -> Reply<proto::DeleteSnapshotResponse> {
        let (asked, message) = Asked::open(request)?;
        Faults::default().filled("snapshot_name", message.snapshot_name.len()).check()?;
        asked.allow(Need::Manage)?;
        Err(unserved(Unserved::Snapshots))
    }
}
