//! Codes and sentences of what is refused.

use dialects::qdrant::{Keys, Unserved};
use node::Secret;
use qdrant_client::qdrant::{
    self as proto, CollectionExistsRequest, CountPointsBuilder, CreateCollectionBuilder,
    CreateFieldIndexCollectionBuilder, Distance, Document, FieldType, PointStruct, Query, QueryPointsBuilder,
    ScrollPointsBuilder, UpsertPointsBuilder, VectorParamsBuilder,
};
use qdrant_client::{Payload, Qdrant};
use tonic::Code;

use crate::server::{Server, refusal};

async fn make(client: &Qdrant) {
    let vectors = VectorParamsBuilder::new(4, Distance::Dot);
    client.create_collection(CreateCollectionBuilder::new("c").vectors_config(vectors)).await.unwrap();
}

fn point(id: u64, vector: Vec<f32>) -> PointStruct {
    PointStruct::new(id, vector, Payload::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_cannot_be_meant() {
    let server = Server::start().await;
    let client = server.client();
    make(&client).await;
    let vectors = VectorParamsBuilder::new(4, Distance::Dot);
    let again = client.create_collection(CreateCollectionBuilder::new("c").vectors_config(vectors)).await;
    assert_eq!(
        refusal(again),
        (Code::AlreadyExists, "Wrong input: Collection `c` already exists!".to_owned())
    );
    let absent = client.count(CountPointsBuilder::new("x")).await;
    assert_eq!(refusal(absent), (Code::NotFound, "Not found: Collection `x` doesn't exist!".to_owned()));
    let short = client.upsert_points(UpsertPointsBuilder::new("c", vec![point(1, vec![1.0; 3])])).await;
    assert_eq!(
        refusal(short),
        (Code::InvalidArgument, "Wrong input: Vector dimension error: expected dim: 4, got 3".to_owned())
    );
    let unknown = QueryPointsBuilder::new("c").query(vec![1.0; 4]).using("other").limit(1);
    assert_eq!(
        refusal(client.query(unknown).await),
        (Code::InvalidArgument, "Wrong input: Not existing vector name error: other".to_owned())
    );
    let none = client.scroll(ScrollPointsBuilder::new("c").limit(0)).await;
    assert_eq!(
        refusal(none),
        (
            Code::InvalidArgument,
            "Validation error in body: [limit: value 0 invalid, must be 1 or larger]".to_owned()
        )
    );
    let (code, text) = refusal(client.count(CountPointsBuilder::new("")).await);
    assert_eq!(code, Code::InvalidArgument);
    assert!(text.starts_with("Validation error in body: [collection_name: value \"\" invalid"), "{text}");
    let bad_name =
        CreateCollectionBuilder::new("a/b").vectors_config(VectorParamsBuilder::new(4, Distance::Dot));
    let (code, text) = refusal(client.create_collection(bad_name).await);
    assert_eq!(code, Code::InvalidArgument);
    assert!(text.starts_with("Validation error in body: ["), "{text}");

    // The most that a number can say is no reason to ask the machine for that much memory.
    client.upsert_points(UpsertPointsBuilder::new("c", vec![point(1, vec![1.0; 4])])).await.unwrap();
    let most = QueryPointsBuilder::new("c").query(vec![1.0; 4]).limit(u64::MAX).offset(u64::MAX);
    assert_eq!(client.query(most).await.unwrap().result, []);
    let most = QueryPointsBuilder::new("c").query(vec![1.0; 4]).limit(u64::MAX);
    assert_eq!(client.query(most).await.unwrap().result.len(), 1);
    assert_eq!(client.scroll(ScrollPointsBuilder::new("c").limit(u32::MAX)).await.unwrap().result.len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_says_so() {
    let server = Server::start().await;
    let client = server.client();
    make(&client).await;
    let says = |what: Unserved| (Code::Unimplemented, what.sentence().to_owned());
    let matrix = proto::SearchMatrixPointsBuilder::new("c");
    assert_eq!(refusal(client.search_matrix_pairs(matrix.clone()).await), says(Unserved::Matrix));
    assert_eq!(refusal(client.search_matrix_offsets(matrix).await), says(Unserved::Matrix));
    let document = Document::new("what", "a model");
    let inference = QueryPointsBuilder::new("c").query(Query::new_nearest(document));
    assert_eq!(refusal(client.query(inference).await), says(Unserved::Inference));
    let keyed =
        UpsertPointsBuilder::new("c", vec![point(1, vec![1.0; 4])]).shard_key_selector("berlin".to_owned());
    assert_eq!(refusal(client.upsert_points(keyed).await), says(Unserved::ShardKeys));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_open_services() {
    let keys = Keys {
        api_key: Some(Secret::from("all")),
        read_only_api_key: Some(Secret::from("read")),
        ..Keys::default()
    };
    let server = Server::with(keys).await;
    let (nobody, all, reader) = (server.client(), server.client_with("all"), server.client_with("read"));
    nobody.health_check().await.unwrap();
    let must = "Must provide an API key or an Authorization bearer token";
    assert_eq!(refusal(nobody.list_collections().await), (Code::Unauthenticated, must.to_owned()));
    assert_eq!(
        refusal(server.client_with("other").list_collections().await),
        (Code::Unauthenticated, "Invalid API key or JWT".to_owned())
    );
    make(&all).await;
    assert_eq!(reader.list_collections().await.unwrap().collections.len(), 1);
    assert_eq!(reader.count(CountPointsBuilder::new("c")).await.unwrap().result.unwrap().count, 0);
    let denied = (Code::PermissionDenied, "Forbidden: Global manage access is required".to_owned());
    assert_eq!(refusal(reader.delete_collection("c").await), denied);
    let write = UpsertPointsBuilder::new("c", vec![point(1, vec![1.0; 4])]);
    assert_eq!(refusal(reader.upsert_points(write).await), denied);
    let index = CreateFieldIndexCollectionBuilder::new("c", "f", FieldType::Keyword);
    assert_eq!(refusal(reader.create_field_index(index).await), denied);
    assert_eq!(refusal(reader.create_snapshot("c").await), denied);
    assert!(reader.collection_exists(CollectionExistsRequest { collection_name: "c".into() }).await.unwrap());
    server.stop().await;
}
