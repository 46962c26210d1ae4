//! Snapshots of a collection and of everything: made, listed, fetched, deleted.

use qdrant_client::qdrant::{
    CreateCollectionBuilder, DeleteSnapshotRequestBuilder, Distance, PointStruct, SnapshotDescription,
    SnapshotDownloadBuilder, UpsertPointsBuilder, VectorParamsBuilder,
};
use qdrant_client::{Payload, Qdrant, QdrantError};

use crate::server::Server;

const NAME: &str = "snapshots";

async fn fill(client: &Qdrant) {
    let vectors = VectorParamsBuilder::new(4, Distance::Cosine);
    client.create_collection(CreateCollectionBuilder::new(NAME).vectors_config(vectors)).await.unwrap();
    let points = (0..1000_u16).map(|id| {
        let vector = [1.0, 2.0, f32::from(id), 0.5].to_vec();
        PointStruct::new(u64::from(id), vector, Payload::new())
    });
    let request = UpsertPointsBuilder::new(NAME, points.collect::<Vec<_>>()).wait(true);
    client.upsert_points(request).await.unwrap();
}

#[track_caller]
fn whole(made: &SnapshotDescription) {
    assert!(made.size > 0, "{made:?}");
    assert!(made.creation_time.is_some_and(|time| time.seconds > 0), "{made:?}");
    let checksum = made.checksum.as_deref().unwrap();
    assert!(checksum.len() == 64 && checksum.bytes().all(|byte| byte.is_ascii_hexdigit()), "{checksum}");
}

async fn delete(client: &Qdrant, name: impl Into<String>) -> Result<(), QdrantError> {
    client.delete_snapshot(DeleteSnapshotRequestBuilder::new(NAME, name)).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_collection() {
    let server = Server::start().await;
    let client = server.client();
    fill(&client).await;
    let list = async || client.list_snapshots(NAME).await.unwrap().snapshot_descriptions;
    for left_by_others in list().await {
        delete(&client, left_by_others.name).await.unwrap();
    }

    let made = client.create_snapshot(NAME).await.unwrap().snapshot_description.unwrap();
    whole(&made);
    assert!(made.name.starts_with("snapshots-") && made.name.ends_with(".snapshot"), "{made:?}");
    let another = client.create_snapshot(NAME).await.unwrap().snapshot_description.unwrap();
    assert_ne!(made.name, another.name);
    let mut names: Vec<_> = list().await.into_iter().map(|snapshot| snapshot.name).collect();
    names.sort();
    let mut expected = vec![made.name.clone(), another.name.clone()];
    expected.sort();
    assert_eq!(names, expected);

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fetched.snapshot");
    let request = SnapshotDownloadBuilder::new(file.as_path(), NAME);
    let request = request.snapshot_name(made.name.clone()).rest_api_uri(server.rest());
    client.download_snapshot(request).await.unwrap();
    let fetched = std::fs::read(&file).unwrap();
    assert_eq!(fetched.len() as i64, made.size);
    assert_eq!(&fetched[257..262], b"ustar");

    delete(&client, another.name).await.unwrap();
    assert_eq!(list().await, std::slice::from_ref(&made));
    assert!(delete(&client, "absent").await.is_err());
    // What was saved outlives the collection, and shows again with one of its name.
    client.delete_collection(NAME).await.unwrap();
    assert!(client.list_snapshots(NAME).await.is_err());
    fill(&client).await;
    assert_eq!(list().await, std::slice::from_ref(&made));
    delete(&client, made.name).await.unwrap();
    assert_eq!(list().await, []);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_everything() {
    let server = Server::start().await;
    let client = server.client();
    fill(&client).await;
    let list = async || client.list_full_snapshots().await.unwrap().snapshot_descriptions;
    let before = list().await;
    let made = client.create_full_snapshot().await.unwrap().snapshot_description.unwrap();
    whole(&made);
    assert!(made.name.starts_with("full-snapshot-"), "{made:?}");
    assert!(list().await.contains(&made));
    client.delete_full_snapshot(&made.name).await.unwrap();
    assert_eq!(list().await, before);
    assert!(client.delete_full_snapshot(&made.name).await.is_err());
    server.stop().await;
}
