//! A full round: a collection with named and sparse vectors, made, filled, searched, changed and replaced. Also
//! what `clients/rust` does on a running server.

use std::collections::BTreeSet;

use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::points_selector::PointsSelectorOneOf;
use qdrant_client::qdrant::{self as proto, alias_operations::Action};
use qdrant_client::qdrant::{
    Condition, CountPointsBuilder, CreateAlias, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder,
    DeletePointsBuilder, Distance, FacetCountsBuilder, FieldType, Filter, Fusion, GetPointsBuilder,
    PointsIdsList, PrefetchQueryBuilder, Query, QueryPointGroupsBuilder, QueryPointsBuilder, Range,
    ScoredPoint, ScrollPointsBuilder, SearchParamsBuilder, SearchPointsBuilder, SetPayloadPointsBuilder,
    SparseVectorParamsBuilder, SparseVectorsConfigBuilder, UpsertPointsBuilder, VectorParamsBuilder,
    VectorsConfigBuilder,
};
use qdrant_client::{Payload, Qdrant};
use serde_json::json;

use crate::model::{IMAGE, Sample, TEXT, fused, nearest_text, nearest_words, sample};
use crate::server::Server;

const POINTS: u64 = 10_000;
const BATCH: usize = 500;

fn id(point: &Option<proto::PointId>) -> u64 {
    match point.as_ref().and_then(|id| id.point_id_options.as_ref()) {
        Some(PointIdOptions::Num(id)) => *id,
        other => panic!("{other:?}"),
    }
}

/// Ids in their order, and scores as near as floats are.
#[track_caller]
fn same(found: &[ScoredPoint], expected: &[(u64, f32)]) {
    let ids: Vec<u64> = found.iter().map(|point| id(&point.id)).collect();
    assert_eq!(ids, expected.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    for (point, (_, score)) in found.iter().zip(expected) {
        assert!((point.score - score).abs() < 1e-5, "{point:?}: {score}");
    }
}

async fn make(client: &Qdrant, name: &str) {
    let mut dense = VectorsConfigBuilder::default();
    dense.add_named_vector_params("text", VectorParamsBuilder::new(TEXT as u64, Distance::Cosine));
    dense.add_named_vector_params(
        "image",
        VectorParamsBuilder::new(IMAGE as u64, Distance::Dot).on_disk(true),
    );
    let mut sparse = SparseVectorsConfigBuilder::default();
    sparse.add_named_vector_params("words", SparseVectorParamsBuilder::default());
    let request = CreateCollectionBuilder::new(name).vectors_config(dense).sparse_vectors_config(sparse);
    assert!(client.create_collection(request.shard_number(2)).await.unwrap().result);
}

async fn fill(client: &Qdrant, name: &str, samples: &[Sample]) {
    for batch in samples.chunks(BATCH) {
        let points: Vec<_> = batch.iter().map(Sample::point).collect();
        let answer = client.upsert_points(UpsertPointsBuilder::new(name, points).wait(true)).await.unwrap();
        assert_eq!(answer.result.unwrap().status(), proto::UpdateStatus::Completed);
    }
}

async fn count(client: &Qdrant, name: &str, filter: Option<Filter>) -> u64 {
    let mut request = CountPointsBuilder::new(name).exact(true);
    if let Some(filter) = filter {
        request = request.filter(filter);
    }
    client.count(request).await.unwrap().result.unwrap().count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_round() {
    let server = Server::start().await;
    let client = server.client();
    let health = client.health_check().await.unwrap();
    assert_eq!((health.title.as_str(), health.version.as_str()), ("qdrant - vector search engine", "1.19.0"));

    make(&client, "c").await;
    assert!(client.collection_exists("c").await.unwrap());
    let samples: Vec<Sample> = (1..=POINTS).map(sample).collect();
    fill(&client, "c", &samples).await;
    for (field, kind) in [("city", FieldType::Keyword), ("rank", FieldType::Integer)] {
        let request = CreateFieldIndexCollectionBuilder::new("c", field, kind).wait(true);
        client.create_field_index(request).await.unwrap();
    }
    shows(&client, &samples).await;
    searches(&client, &samples).await;
    scrolls(&client, &samples).await;
    counts(&client, &samples).await;
    changes(&client, &samples).await;
    switches(&server, &client).await;
    server.stop().await;
}

async fn shows(client: &Qdrant, samples: &[Sample]) {
    let info = client.collection_info("c").await.unwrap().result.unwrap();
    assert_eq!(info.points_count, Some(POINTS));
    assert_eq!(info.payload_schema["city"].data_type(), proto::PayloadSchemaType::Keyword);
    assert_eq!(info.payload_schema["rank"].points, Some(POINTS));
    let params = info.config.unwrap().params.unwrap();
    assert_eq!(params.shard_number, 2);
    let Some(proto::vectors_config::Config::ParamsMap(vectors)) = params.vectors_config.unwrap().config
    else {
        panic!("one vector")
    };
    assert_eq!(vectors.map["text"].size, TEXT as u64);
    assert_eq!(vectors.map["image"].distance(), Distance::Dot);
    let cluster = client.collection_cluster_info("c").await.unwrap();
    assert_eq!(cluster.shard_count, 2);
    assert_eq!(cluster.local_shards.iter().map(|shard| shard.points_count).sum::<u64>(), POINTS);

    let request = GetPointsBuilder::new("c", vec![7.into(), 99_999.into(), 3.into()]);
    let got = client.get_points(request.with_payload(true).with_vectors(true)).await.unwrap().result;
    assert_eq!(got.iter().map(|point| id(&point.id)).collect::<Vec<_>>(), [7, 3]);
    let expected =
        json!({"city": samples[6].city, "rank": samples[6].rank, "nested": {"list": [7, 1.5, null]}});
    assert_eq!(got[0].payload, std::collections::HashMap::from(Payload::try_from(expected).unwrap()));
    let Some(proto::vectors_output::VectorsOptions::Vectors(vectors)) =
        got[0].vectors.clone().unwrap().vectors_options
    else {
        panic!("one vector")
    };
    let Some(proto::vector_output::Vector::Dense(image)) = &vectors.vectors["image"].vector else {
        panic!("{vectors:?}")
    };
    assert_eq!(image.data, samples[6].image);
    let Some(proto::vector_output::Vector::Sparse(words)) = &vectors.vectors["words"].vector else {
        panic!("{vectors:?}")
    };
    assert_eq!(words.indices, samples[6].words.iter().map(|(word, _)| *word).collect::<Vec<_>>());
}

async fn searches(client: &Qdrant, samples: &[Sample]) {
    let to = sample(77_777);
    let exact = || SearchParamsBuilder::default().exact(true);
    let roman = || Filter::must([Condition::matches("city", "Rome".to_owned())]);
    let expected = nearest_text(samples, &to.text, 10, |sample| sample.city == "Rome");
    let search = SearchPointsBuilder::new("c", to.text.clone(), 10).vector_name("text").filter(roman());
    let found = client.search_points(search.params(exact()).with_payload(true)).await.unwrap().result;
    same(&found, &expected);
    assert!(found.iter().all(|point| point.payload["city"] == "Rome".into()));

    let query = QueryPointsBuilder::new("c").query(to.text.clone()).using("text").filter(roman());
    let query = query.params(exact()).limit(5).offset(5);
    same(&client.query(query).await.unwrap().result, &expected[5..]);

    // A point's own vector: that point is left out.
    let by_id = QueryPointsBuilder::new("c").query(Query::new_nearest(7_u64)).using("text").params(exact());
    let expected = nearest_text(samples, &samples[6].text, 3, |sample| sample.id != 7);
    same(&client.query(by_id.limit(3)).await.unwrap().result, &expected);

    let words = || to.words.clone();
    let sparse = QueryPointsBuilder::new("c").query(words()).using("words").limit(10);
    same(&client.query(sparse).await.unwrap().result, &nearest_words(samples, &words(), 10));

    let stage = |query: Query, using: &str| {
        PrefetchQueryBuilder::default().query(query).using(using).params(exact()).limit(20_u64)
    };
    let hybrid = QueryPointsBuilder::new("c")
        .add_prefetch(stage(Query::new_nearest(to.text.clone()), "text"))
        .add_prefetch(stage(words().into(), "words"))
        .query(Fusion::Rrf)
        .limit(10);
    let lists = [nearest_text(samples, &to.text, 20, |_| true), nearest_words(samples, &words(), 20)];
    let found = client.query(hybrid).await.unwrap().result;
    let expected = fused(&lists, 10);
    let scores = |list: &[(u64, f32)]| list.iter().map(|(_, score)| *score).collect::<Vec<_>>();
    let found: Vec<_> = found.iter().map(|point| (id(&point.id), point.score)).collect();
    for (a, b) in scores(&found).iter().zip(scores(&expected)) {
        assert!((a - b).abs() < 1e-5, "{found:?} {expected:?}");
    }

    let groups = QueryPointGroupsBuilder::new("c", "city").query(to.text.clone()).using("text");
    let groups = client.query_groups(groups.params(exact()).limit(4_u64).group_size(2_u64)).await.unwrap();
    let groups = groups.result.unwrap().groups;
    assert_eq!(groups.len(), 4);
    for group in groups {
        let Some(proto::group_id::Kind::StringValue(city)) = group.id.unwrap().kind else {
            panic!("no city")
        };
        same(&group.hits, &nearest_text(samples, &to.text, 2, |sample| sample.city == city));
    }
}

async fn scrolls(client: &Qdrant, samples: &[Sample]) {
    let mut seen = Vec::new();
    let mut offset = None;
    loop {
        let mut request = ScrollPointsBuilder::new("c").limit(777).with_payload(false);
        if let Some(offset) = offset {
            request = request.offset::<proto::PointId>(offset);
        }
        let page = client.scroll(request).await.unwrap();
        seen.extend(page.result.iter().map(|point| id(&point.id)));
        offset = page.next_page_offset;
        if offset.is_none() {
            break;
        }
    }
    assert_eq!(seen, samples.iter().map(|sample| sample.id).collect::<Vec<_>>());

    let by_rank = ScrollPointsBuilder::new("c").limit(20).order_by(proto::OrderByBuilder::new("rank"));
    let found = client.scroll(by_rank).await.unwrap().result;
    let mut ranks: Vec<i64> = samples.iter().map(|sample| sample.rank).collect();
    ranks.sort_unstable();
    let values: Vec<_> = found.iter().map(|point| point.order_value.unwrap().variant.unwrap()).collect();
    let expected = ranks[..20].iter().map(|rank| proto::order_value::Variant::Int(*rank));
    assert_eq!(values, expected.collect::<Vec<_>>());
    assert!(found.iter().all(|point| point.payload.contains_key("city")), "payload, unless told otherwise");
}

async fn counts(client: &Qdrant, samples: &[Sample]) {
    assert_eq!(count(client, "c", None).await, POINTS);
    let high = Filter::must([Condition::range("rank", Range { gte: Some(500.0), ..Default::default() })]);
    let expected = samples.iter().filter(|sample| sample.rank >= 500).count() as u64;
    assert_eq!(count(client, "c", Some(high)).await, expected);

    let facet = client.facet(FacetCountsBuilder::new("c", "city").exact(true)).await.unwrap().hits;
    let cities: BTreeSet<&str> = samples.iter().map(|sample| sample.city).collect();
    assert_eq!(facet.len(), cities.len());
    for hit in facet {
        let Some(proto::facet_value::Variant::StringValue(city)) = hit.value.unwrap().variant else {
            panic!("no city")
        };
        assert_eq!(hit.count, samples.iter().filter(|sample| sample.city == city).count() as u64);
    }
}

async fn payload(client: &Qdrant, point: u64) -> serde_json::Value {
    let request = GetPointsBuilder::new("c", vec![point.into()]).with_payload(true);
    let mut got = client.get_points(request).await.unwrap().result;
    let fields = got.remove(0).payload;
    serde_json::Value::Object(fields.into_iter().map(|(key, value)| (key, plain(value))).collect())
}

fn plain(value: proto::Value) -> serde_json::Value {
    use proto::value::Kind;
    match value.kind.unwrap() {
        Kind::NullValue(_) => json!(null),
        Kind::DoubleValue(number) => json!(number),
        Kind::IntegerValue(number) => json!(number),
        Kind::StringValue(text) => json!(text),
        Kind::BoolValue(flag) => json!(flag),
        Kind::StructValue(inner) => {
            inner.fields.into_iter().map(|(key, value)| (key, plain(value))).collect()
        }
        Kind::ListValue(list) => list.values.into_iter().map(plain).collect(),
    }
}

fn fields(value: serde_json::Value) -> Payload {
    Payload::try_from(value).unwrap()
}

fn ids(list: &[u64]) -> PointsIdsList {
    PointsIdsList { ids: list.iter().map(|id| (*id).into()).collect() }
}

async fn changes(client: &Qdrant, samples: &[Sample]) {
    let set = SetPayloadPointsBuilder::new("c", fields(json!({"new": true}))).points_selector(ids(&[1]));
    client.set_payload(set.wait(true)).await.unwrap();
    let inner = SetPayloadPointsBuilder::new("c", fields(json!({"deep": 1}))).points_selector(ids(&[1]));
    client.set_payload(inner.key("nested").wait(true)).await.unwrap();
    let (city, rank) = (samples[0].city, samples[0].rank);
    let expected =
        json!({"city": city, "rank": rank, "new": true, "nested": {"list": [1, 1.5, null], "deep": 1}});
    assert_eq!(payload(client, 1).await, expected);
    let keys = proto::DeletePayloadPointsBuilder::new("c", vec!["nested.list".into(), "new".into()]);
    client.delete_payload(keys.points_selector(ids(&[1])).wait(true)).await.unwrap();
    assert_eq!(payload(client, 1).await, json!({"city": city, "rank": rank, "nested": {"deep": 1}}));
    let whole = SetPayloadPointsBuilder::new("c", fields(json!({"only": [1]}))).points_selector(ids(&[1]));
    client.overwrite_payload(whole.wait(true)).await.unwrap();
    assert_eq!(payload(client, 1).await, json!({"only": [1]}));
    let clear = proto::ClearPayloadPointsBuilder::new("c").points(ids(&[1])).wait(true);
    client.clear_payload(clear).await.unwrap();
    assert_eq!(payload(client, 1).await, json!({}));

    let norwegian = || Filter::must([Condition::matches("city", "Oslo".to_owned())]);
    let oslo = samples.iter().filter(|sample| sample.city == "Oslo" && sample.id != 1).count() as u64;
    let by_filter =
        SetPayloadPointsBuilder::new("c", fields(json!({"cold": true}))).points_selector(norwegian());
    client.set_payload(by_filter.wait(true)).await.unwrap();
    assert_eq!(count(client, "c", Some(Filter::must([Condition::matches("cold", true)]))).await, oslo);

    let answer =
        client.delete_points(DeletePointsBuilder::new("c").points(ids(&[2, 3, 99_999]))).await.unwrap();
    assert_eq!(answer.result.unwrap().status(), proto::UpdateStatus::Acknowledged);
    let deleted = [2, 3].iter().filter(|id| samples[**id as usize - 1].city == "Oslo").count() as u64;
    assert_eq!(count(client, "c", None).await, POINTS - 2);
    client.delete_points(DeletePointsBuilder::new("c").points(norwegian()).wait(true)).await.unwrap();
    assert_eq!(count(client, "c", None).await, POINTS - 2 - (oslo - deleted));

    use proto::points_update_operation::{ClearPayload, Operation, PointStructList};
    let again = PointStructList { points: vec![samples[1].point()], ..Default::default() };
    let clear = ClearPayload {
        points: Some(PointsSelectorOneOf::Points(ids(&[2])).into()),
        shard_key_selector: None,
    };
    let operations = [Operation::Upsert(again), Operation::ClearPayload(clear)];
    let operations = operations.map(|operation| proto::PointsUpdateOperation { operation: Some(operation) });
    let batch = proto::UpdateBatchPointsBuilder::new("c", operations.to_vec()).wait(true);
    assert_eq!(client.update_points_batch(batch).await.unwrap().result.len(), 2);
    assert_eq!(payload(client, 2).await, json!({}));
}

async fn switches(server: &Server, client: &Qdrant) {
    make(client, "d").await;
    client.create_alias(CreateAlias { alias_name: "now".into(), collection_name: "c".into() }).await.unwrap();
    assert!(count(client, "now", None).await > 0);
    let delete = Action::DeleteAlias(proto::DeleteAlias { alias_name: "now".into() });
    let create = CreateAlias { alias_name: "now".into(), collection_name: "d".into() };
    let actions = [delete, Action::CreateAlias(create)];
    let actions = actions.map(|action| proto::AliasOperations { action: Some(action) }).to_vec();
    let mut collections = server.collections().await;
    collections.update_aliases(proto::ChangeAliases { actions, timeout: None }).await.unwrap();
    assert_eq!(count(client, "now", None).await, 0);
    let aliases = client.list_aliases().await.unwrap().aliases;
    let now = proto::AliasDescription { alias_name: "now".into(), collection_name: "d".into() };
    assert_eq!(aliases, std::slice::from_ref(&now));
    assert_eq!(client.list_collection_aliases("d").await.unwrap().aliases, [now]);
    assert_eq!(client.list_collection_aliases("c").await.unwrap().aliases, []);

    assert!(client.delete_collection("c").await.unwrap().result);
    assert!(!client.delete_collection("c").await.unwrap().result);
    assert!(!client.collection_exists("c").await.unwrap());
    let names = client.list_collections().await.unwrap().collections;
    assert_eq!(names.into_iter().map(|of| of.name).collect::<Vec<_>>(), ["d"]);
}
