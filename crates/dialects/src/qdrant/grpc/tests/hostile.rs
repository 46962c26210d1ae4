//! Messages that were damaged on the way, or made so: a refusal or a request, never a panic.

use prost::Message;
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::condition::ConditionOneOf;
use qdrant_client::qdrant::query::Variant;

use crate::qdrant::grpc::{filter, legacy, point, query, settings, update};

/// Damages of each message.
const ROUNDS: u64 = 3_000;

/// Numbers that look like chance and are the same every time (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }
}

/// Gives `message` to `read`, damaged in many ways, as far as it can be decoded at all.
fn damaged<T: Message + Default>(message: &T, mut read: impl FnMut(T)) {
    let whole = message.encode_to_vec();
    let mut chance = Chance(whole.len() as u64);
    let mut decoded = 0;
    for _ in 0..ROUNDS {
        let mut bytes = whole.clone();
        for _ in 0..=chance.below(3) {
            let at = chance.below(bytes.len());
            match chance.below(3) {
                0 => bytes[at] = chance.below(256) as u8,
                1 => bytes[at] ^= 1 << chance.below(8),
                _ => bytes.truncate(at.max(1)),
            }
        }
        if let Ok(message) = T::decode(bytes.as_slice()) {
            decoded += 1;
            read(message);
        }
    }
    assert!(decoded > ROUNDS / 20, "{decoded} were messages");
}

fn id(number: u64) -> proto::PointId {
    number.into()
}

fn dense(data: &[f32]) -> proto::VectorInput {
    let dense = proto::DenseVector { data: data.to_vec() };
    proto::VectorInput { variant: Some(proto::vector_input::Variant::Dense(dense)) }
}

fn rich_filter() -> proto::Filter {
    let at = |lon, lat| Some(proto::GeoPoint { lon, lat });
    let mut datetime_range = proto::DatetimeRange::default();
    datetime_range.lt.get_or_insert_default().seconds = 1_700_000_000;
    let field = proto::FieldCondition {
        key: "a[].b".into(),
        range: Some(proto::Range { lt: Some(1.0), gt: None, gte: Some(0.0), lte: None }),
        datetime_range: Some(datetime_range),
        geo_radius: Some(proto::GeoRadius { center: at(1.0, 2.0), radius: 3.0 }),
        geo_bounding_box: Some(proto::GeoBoundingBox { top_left: at(1.0, 4.0), bottom_right: at(3.0, 2.0) }),
        values_count: Some(proto::ValuesCount { lt: Some(3), ..Default::default() }),
        ..Default::default()
    };
    let condition = |of| proto::Condition { condition_one_of: Some(of) };
    proto::Filter {
        must: vec![
            condition(ConditionOneOf::Field(field)),
            condition(ConditionOneOf::HasId(proto::HasIdCondition { has_id: vec![id(1), id(2)] })),
            condition(ConditionOneOf::Slice(proto::SliceCondition { total: 4, index: 1 })),
        ],
        min_should: Some(proto::MinShould {
            conditions: vec![condition(ConditionOneOf::IsNull(proto::IsNullCondition { key: "k".into() }))],
            min_count: 1,
        }),
        ..Default::default()
    }
}

#[test]
fn filters() {
    damaged(&rich_filter(), |message| drop(filter::filter(message)));
}

#[test]
fn queries() {
    let prefetch = proto::PrefetchQuery {
        query: Some(proto::Query { variant: Some(Variant::Nearest(dense(&[0.5, 1.5]))) }),
        using: Some("v".into()),
        limit: Some(3),
        lookup_from: Some(proto::LookupLocation { collection_name: "other".into(), ..Default::default() }),
        ..Default::default()
    };
    let recommend = proto::RecommendInput {
        positive: vec![dense(&[1.0]), dense(&[2.0])],
        negative: vec![dense(&[3.0])],
        strategy: Some(1),
    };
    let message = |variant| proto::QueryPoints {
        collection_name: "c".into(),
        prefetch: vec![proto::PrefetchQuery { prefetch: vec![prefetch.clone()], ..prefetch.clone() }],
        query: Some(proto::Query { variant: Some(variant) }),
        filter: Some(rich_filter()),
        limit: Some(3),
        ..Default::default()
    };
    for variant in [
        Variant::Fusion(0),
        Variant::Rrf(proto::Rrf { k: Some(7), weights: vec![1.0, 2.0] }),
        Variant::Recommend(recommend),
        Variant::OrderBy(proto::OrderBy { key: "k".into(), ..Default::default() }),
    ] {
        damaged(&message(variant), |message| drop(query::query(message)));
    }
    let search = proto::SearchPoints {
        collection_name: "c".into(),
        vector: vec![1.0, 2.0],
        sparse_indices: Some(proto::SparseIndices { data: vec![3, 4] }),
        limit: 3,
        ..Default::default()
    };
    damaged(&search, |message| drop(query::query(legacy::search(message))));
}

#[test]
fn changes() {
    let payload: std::collections::HashMap<String, proto::Value> = [
        ("list".to_owned(), proto::Value::from(vec![1.5, 2.5])),
        ("text".to_owned(), proto::Value::from("ü")),
    ]
    .into();
    let sparse = proto::Vector::new_sparse(vec![1, 2], vec![0.5, 0.25]);
    let multi = proto::Vector::new_multi(vec![vec![1.0, 2.0], vec![3.0, 4.0]]);
    let named = proto::NamedVectors { vectors: [("s".to_owned(), sparse), ("m".to_owned(), multi)].into() };
    let vectors = proto::Vectors { vectors_options: Some(proto::vectors::VectorsOptions::Vectors(named)) };
    let point = proto::PointStruct { id: Some(id(1)), payload: payload.clone(), vectors: Some(vectors) };
    damaged(&point, |message| drop(point::point(message)));
    let upsert = proto::UpsertPoints {
        collection_name: "c".into(),
        points: vec![point],
        update_filter: Some(rich_filter()),
        ..Default::default()
    };
    damaged(&upsert, |message| drop(update::upsert(message)));
    let set = proto::SetPayloadPoints { collection_name: "c".into(), payload, ..Default::default() };
    damaged(&set, |message| drop(update::set_payload(message)));
}

#[test]
fn new_collections() {
    let vector = proto::VectorParams { size: 4, distance: 1, ..Default::default() };
    let config = proto::vectors_config::Config::Params(vector);
    let message = proto::CreateCollection {
        collection_name: "c".into(),
        vectors_config: Some(proto::VectorsConfig { config: Some(config) }),
        hnsw_config: Some(proto::HnswConfigDiff { m: Some(16), ..Default::default() }),
        optimizers_config: Some(proto::OptimizersConfigDiff {
            deleted_threshold: Some(0.5),
            ..Default::default()
        }),
        shard_number: Some(3),
        ..Default::default()
    };
    damaged(&message, |message| {
        if let Ok((_, create)) = settings::create(message) {
            drop(create.into_config(uuid::Uuid::nil()));
        }
    });
}
