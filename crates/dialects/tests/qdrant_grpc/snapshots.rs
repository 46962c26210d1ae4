//! Snapshots by the official client: made, listed, removed.

use std::slice;

use dialects::qdrant::Keys;
use node::Secret;
use qdrant_client::Qdrant;
use qdrant_client::qdrant::{
    CreateCollectionBuilder, DeleteFullSnapshotRequest, DeleteSnapshotRequest, Distance, VectorParamsBuilder,
};
use tonic::Code;

use crate::server::{Server, refusal};

async fn make(client: &Qdrant) {
    let settings =
        CreateCollectionBuilder::new("c").vectors_config(VectorParamsBuilder::new(4, Distance::Dot));
    client.create_collection(settings).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_made_listed_and_removed() {
    let server = Server::start().await;
    let client = server.client();
    make(&client).await;
    assert_eq!(client.list_snapshots("c").await.unwrap().snapshot_descriptions, []);
    let made = client.create_snapshot("c").await.unwrap().snapshot_description.unwrap();
    assert!(made.name.starts_with("c-") && made.name.ends_with(".snapshot"), "{}", made.name);
    assert_eq!(made.checksum.as_deref().unwrap().len(), 64);
    assert!(made.size > 0 && made.creation_time.unwrap().seconds > 0);
    assert_eq!(client.list_snapshots("c").await.unwrap().snapshot_descriptions, slice::from_ref(&made));
    client
        .delete_snapshot(DeleteSnapshotRequest {
            collection_name: "c".into(),
            snapshot_name: made.name.clone(),
        })
        .await
        .unwrap();
    assert_eq!(client.list_snapshots("c").await.unwrap().snapshot_descriptions, []);

    let full = client.create_full_snapshot().await.unwrap().snapshot_description.unwrap();
    assert!(full.name.starts_with("full-snapshot-"), "{}", full.name);
    assert_eq!(client.list_full_snapshots().await.unwrap().snapshot_descriptions, slice::from_ref(&full));
    client.delete_full_snapshot(DeleteFullSnapshotRequest { snapshot_name: full.name }).await.unwrap();
    assert_eq!(client.list_full_snapshots().await.unwrap().snapshot_descriptions, []);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_not_allowed_says_so() {
    let keys = Keys {
        api_key: Some(Secret::from("all")),
        read_only_api_key: Some(Secret::from("read")),
        ..Keys::default()
    };
    let server = Server::with(keys).await;
    let (all, reader) = (server.client_with("all"), server.client_with("read"));
    let no_collection = (Code::NotFound, "Not found: Collection `x` doesn't exist!".to_owned());
    assert_eq!(refusal(all.create_snapshot("x").await), no_collection);
    assert_eq!(refusal(all.list_snapshots("x").await), no_collection);
    make(&all).await;
    for name in ["s.snapshot", "../c", "/etc/passwd", "..%2Fc"] {
        let delete = DeleteSnapshotRequest { collection_name: "c".into(), snapshot_name: name.into() };
        let missing = (Code::NotFound, format!("Not found: Snapshot {name} not found"));
        assert_eq!(refusal(all.delete_snapshot(delete).await), missing);
        let delete = DeleteFullSnapshotRequest { snapshot_name: name.into() };
        assert_eq!(refusal(all.delete_full_snapshot(delete).await), missing);
    }
    let denied = (Code::PermissionDenied, "Forbidden: Global manage access is required".to_owned());
    assert_eq!(refusal(reader.create_snapshot("c").await), denied);
    assert_eq!(refusal(reader.create_full_snapshot().await), denied);
    assert_eq!(refusal(reader.delete_full_snapshot("s").await), denied);
    assert_eq!(reader.list_snapshots("c").await.unwrap().snapshot_descriptions, []);
    assert_eq!(reader.list_full_snapshots().await.unwrap().snapshot_descriptions, []);
    server.stop().await;
}
