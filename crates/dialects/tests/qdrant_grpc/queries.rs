//! Queries beyond the nearest, and the calls from before the universal query: the same answers as over REST.

use qdrant_client::qdrant::group_id::Kind;
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::target_vector::Target;
use qdrant_client::qdrant::vector_example::Example;
use qdrant_client::qdrant::{
    Condition, ContextExamplePair, ContextExamplePairBuilder, ContextInputBuilder, CreateCollectionBuilder,
    DecayParamsExpressionBuilder, DiscoverBatchPointsBuilder, DiscoverInputBuilder, DiscoverPointsBuilder,
    Distance, Expression, FeedbackItemBuilder, FeedbackStrategyBuilder, Formula, FormulaBuilder, MmrBuilder,
    PointId, PointStruct, PrefetchQueryBuilder, Query, QueryPointsBuilder, RecommendBatchPointsBuilder,
    RecommendInputBuilder, RecommendPointGroupsBuilder, RecommendPointsBuilder, RecommendStrategy,
    RelevanceFeedbackInputBuilder, ScoredPoint, SearchBatchPointsBuilder, SearchPointGroupsBuilder,
    SearchPointsBuilder, UpsertPointsBuilder, VectorExample, VectorParamsBuilder,
};
use qdrant_client::{Payload, Qdrant};
use serde_json::json;
use tonic::Code;

use crate::server::{Server, refusal};

/// Six points on two axes, in two colours.
async fn filled() -> (Server, Qdrant) {
    let server = Server::start().await;
    let client = server.client();
    let vectors = VectorParamsBuilder::new(2, Distance::Dot);
    let settings = CreateCollectionBuilder::new("c").vectors_config(vectors).shard_number(2);
    client.create_collection(settings).await.unwrap();
    let points = (1..=6_u8).map(|id| {
        let colour = if id % 2 == 1 { "red" } else { "blue" };
        let payload = Payload::try_from(json!({"colour": colour, "n": id})).unwrap();
        PointStruct::new(u64::from(id), vec![f32::from(id), f32::from(10 - id)], payload)
    });
    let points: Vec<_> = points.collect();
    client.upsert_points(UpsertPointsBuilder::new("c", points).wait(true)).await.unwrap();
    (server, client)
}

fn ids(points: &[ScoredPoint]) -> Vec<u64> {
    let id = |id: &PointId| match id.point_id_options {
        Some(PointIdOptions::Num(id)) => id,
        _ => panic!("{id:?}"),
    };
    points.iter().map(|point| id(point.id.as_ref().unwrap())).collect()
}

fn query(query: Query, limit: u64) -> QueryPointsBuilder {
    QueryPointsBuilder::new("c").query(query).limit(limit)
}

async fn found(client: &Qdrant, asked: Query, limit: u64) -> Vec<u64> {
    ids(&client.query(query(asked, limit)).await.unwrap().result)
}

#[tokio::test(flavor = "multi_thread")]
async fn examples_are_followed() {
    let (server, client) = filled().await;
    let liked = || RecommendInputBuilder::default().add_positive(6_u64);
    assert_eq!(found(&client, Query::new_recommend(liked().build()), 2).await, [5, 4]);
    let unlike = RecommendInputBuilder::default().add_positive(vec![1.0, 0.0]).add_negative(1_u64);
    assert_eq!(found(&client, Query::new_recommend(unlike.build()), 1).await, [6]);
    for strategy in [RecommendStrategy::BestScore, RecommendStrategy::SumScores] {
        assert_eq!(found(&client, Query::new_recommend(liked().strategy(strategy).build()), 1).await, [5]);
    }
    let context = ContextInputBuilder::default().add_pair(6_u64, 1_u64).build();
    let discover = DiscoverInputBuilder::new(vec![1.0, 0.0], context.clone()).build();
    assert_eq!(found(&client, Query::new_discover(discover), 1).await, [5]);
    assert_eq!(found(&client, Query::new_context(context), 4).await.len(), 4);
    let missing = RecommendInputBuilder::default().add_positive(99_u64).build();
    assert_eq!(
        refusal(client.query(query(Query::new_recommend(missing), 1)).await),
        (Code::NotFound, "Not found: No point with id 99 found".to_owned())
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_differ() {
    let (server, client) = filled().await;
    let diverse = |mmr: MmrBuilder| Query::new_nearest_with_mmr(vec![1.0, 0.0], mmr.build());
    assert_eq!(found(&client, diverse(MmrBuilder::with_params(0.0, 6)), 2).await, [6, 5]);
    assert_eq!(found(&client, diverse(MmrBuilder::with_params(1.0, 6)), 2).await, [6, 1]);
    // Unless told otherwise as many are chosen from as there are results.
    assert_eq!(found(&client, diverse(MmrBuilder::new().diversity(1.0)), 2).await, [6, 5]);
    let (code, text) = refusal(client.query(query(diverse(MmrBuilder::new().diversity(1.5)), 2)).await);
    assert_eq!(code, Code::InvalidArgument);
    assert!(text.starts_with("Validation error in body: [mmr.diversity: value 1.5 invalid"), "{text}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_are_computed_by_formulas() {
    let (server, client) = filled().await;
    let ask = |formula: Formula| {
        let prefetch = PrefetchQueryBuilder::default().query(vec![1.0, 0.0]).limit(6_u64);
        query(Query::new_formula(formula), 2).add_prefetch(prefetch)
    };
    let red = || Expression::condition(Condition::matches("colour", "red".to_owned()));
    let decay = DecayParamsExpressionBuilder::new(Expression::variable("n"))
        .target(Expression::constant(3.0))
        .scale(4.0)
        .midpoint(0.5);
    let half = Expression::div_with(Expression::variable("n"), Expression::sqrt(4.0), None);
    for (formula, expected, score) in [
        (Expression::neg(Expression::score()), [1, 2], -1.0),
        (
            Expression::sum_with([Expression::score(), Expression::mult_with([10.0.into(), red()])]),
            [5, 3],
            15.0,
        ),
        (Expression::sum_with([Expression::variable("none"), half]), [6, 5], 103.0),
        (Expression::lin_decay(decay.build()), [3, 4], 1.0),
    ] {
        let formula = FormulaBuilder::new(formula).add_default("none", 100.0).build();
        let best = client.query(ask(formula.clone())).await.unwrap().result;
        assert_eq!((ids(&best).as_slice(), best[0].score), (&expected[..], score), "{formula:?}");
    }
    let reserved = FormulaBuilder::new(Expression::variable("$rank")).build();
    assert_eq!(
        refusal(client.query(ask(reserved)).await),
        (
            Code::InvalidArgument,
            "Wrong input: Validation failed: failed to parse variable ID $rank: Invalid reserved word: $rank"
                .to_owned()
        )
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_moves_results() {
    let (server, client) = filled().await;
    let input = |b: f32| {
        RelevanceFeedbackInputBuilder::new(vec![1.0, 0.0])
            .add_feedback(FeedbackItemBuilder::new(6_u64, 0.1).build())
            .add_feedback(FeedbackItemBuilder::new(1_u64, 0.9).build())
            .strategy(FeedbackStrategyBuilder::naive(0.1, b, 1.0).build())
            .build()
    };
    assert_eq!(found(&client, Query::new_relevance_feedback(input(1.0)), 1).await, [2]);
    let (code, text) = refusal(client.query(query(Query::new_relevance_feedback(input(-1.0)), 1)).await);
    assert_eq!(code, Code::InvalidArgument);
    assert!(text.starts_with("Validation error in body: [strategy.naive.b: value -1.0 invalid"), "{text}");
    server.stop().await;
}

fn pair() -> ContextExamplePair {
    let example = |id: u64| Example::Id(id.into());
    ContextExamplePairBuilder::default().positive(example(6)).negative(example(1)).build()
}

fn discover(limit: u64) -> DiscoverPointsBuilder {
    let target = VectorExample { example: Some(Example::Vector(vec![1.0, 0.0].into())) };
    DiscoverPointsBuilder::new("c", [pair()], limit).target(Target::Single(target))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_calls_find_the_same() {
    let (server, client) = filled().await;
    let liked = |limit| RecommendPointsBuilder::new("c", limit).add_positive(6_u64);
    assert_eq!(ids(&client.recommend(liked(2)).await.unwrap().result), [5, 4]);
    let by_vector = RecommendPointsBuilder::new("c", 1).add_positive(vec![1.0, 0.0]).add_negative(1_u64);
    let by_vector = by_vector.strategy(RecommendStrategy::BestScore);
    assert_eq!(ids(&client.recommend(by_vector).await.unwrap().result), [6]);
    let batch = RecommendBatchPointsBuilder::new("c", [liked(1).build(), liked(3).offset(1_u64).build()]);
    let found = client.recommend_batch(batch).await.unwrap().result;
    assert_eq!(found.iter().map(|one| ids(&one.result)).collect::<Vec<_>>(), [vec![5], vec![4, 3, 2]]);

    assert_eq!(ids(&client.discover(discover(1)).await.unwrap().result), [5]);
    let context = client.discover(DiscoverPointsBuilder::new("c", [pair()], 4)).await.unwrap().result;
    assert_eq!(context.len(), 4);
    let batch = DiscoverBatchPointsBuilder::new("c", [discover(1).build(), discover(2).build()]);
    let found = client.discover_batch(&batch.build()).await.unwrap().result;
    assert_eq!(found.iter().map(|one| one.result.len()).collect::<Vec<_>>(), [1, 2]);

    let near = |limit| SearchPointsBuilder::new("c", vec![1.0, 0.0], limit);
    let batch = SearchBatchPointsBuilder::new("c", [near(1).build(), near(2).offset(1).build()]);
    let found = client.search_batch_points(batch).await.unwrap().result;
    assert_eq!(found.iter().map(|one| ids(&one.result)).collect::<Vec<_>>(), [vec![6], vec![5, 4]]);
    let incomplete = ContextExamplePair { negative: None, ..pair() };
    let (code, text) = refusal(client.discover(DiscoverPointsBuilder::new("c", [incomplete], 1)).await);
    assert_eq!(code, Code::InvalidArgument);
    assert!(text.ends_with("Both positive and negative are required in a context pair"), "{text}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_calls_group() {
    let (server, client) = filled().await;
    let searched = SearchPointGroupsBuilder::new("c", vec![1.0, 0.0], 2, "colour", 2);
    let searched = client.search_groups(searched).await.unwrap().result.unwrap().groups;
    let liked = RecommendPointGroupsBuilder::new("c", "colour", 2, 2).add_positive(6_u64);
    let liked = client.recommend_groups(liked).await.unwrap().result.unwrap().groups;
    let named = |groups: Vec<qdrant_client::qdrant::PointGroup>| {
        let group = |group: qdrant_client::qdrant::PointGroup| match group.id.unwrap().kind {
            Some(Kind::StringValue(name)) => (name, ids(&group.hits)),
            other => panic!("{other:?}"),
        };
        groups.into_iter().map(group).collect::<Vec<_>>()
    };
    assert_eq!(named(searched), [("blue".to_owned(), vec![6, 4]), ("red".to_owned(), vec![5, 3])]);
    assert_eq!(named(liked), [("red".to_owned(), vec![5, 3]), ("blue".to_owned(), vec![4, 2])]);
    server.stop().await;
}
