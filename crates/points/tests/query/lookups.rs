//! Points that a query names, and what is refused.

use points::engine::{Direction, OrderBy, PointId};
use points::query::{Fusion, GroupLookup, Groups, Lookup, Others, Query, RecommendStrategy, Scoring, Stage};
use points::{Kind, Result};
use serde_json::json;

use crate::world::{Dice, POINTS, WORLD, collection, dense, filter, id, number, stage};

fn refused(query: Query, kind: Kind, text: &str) {
    for shards in [&WORLD.one, &WORLD.four] {
        let error = shards.query(query.clone(), &Others::new()).unwrap_err();
        assert_eq!((error.kind, error.text.as_str()), (kind, text));
    }
}

#[test]
fn a_point_named_is_its_vector_and_no_result() {
    let point = &WORLD.points[41];
    let by_vector = Query::new(stage(Scoring::Nearest(dense(point.dense["dot"].clone())), "dot", 20));
    let mut wanted = WORLD.ask(by_vector);
    wanted.retain(|(id, _)| *id != 42);
    let found = WORLD.ask(Query::new(stage(Scoring::Nearest(id(42)), "dot", 19)));
    assert_eq!(found, wanted[..19]);

    // Nor one that an earlier stage names.
    let positive = vec![id(3), id(4)];
    let strategy = RecommendStrategy::SumScores;
    let mut last = stage(Scoring::Nearest(id(42)), "", 1000);
    last.prefetch =
        vec![stage(Scoring::Recommend { positive, negative: vec![id(5)], strategy }, "euclid", 1000)];
    let found = WORLD.ask(Query::new(last));
    assert!(!found.is_empty() && found.iter().all(|(id, _)| ![3, 4, 5, 42].contains(id)));
}

#[test]
fn vectors_of_another_collection() {
    let mut dice = Dice(21);
    let mut points = WORLD.points[..3].to_vec();
    points.iter_mut().for_each(|point| drop(point.dense.insert("dot", dice.vector())));
    let (other, _dirs) = collection("other", &points, 2);
    let others = Others::from([("other".to_owned(), other)]);
    let mut by_id = stage(Scoring::Nearest(id(2)), "euclid", 1000);
    by_id.lookup_from = Some(Lookup { collection: "other".to_owned(), vector: Some("dot".to_owned()) });
    assert_eq!(by_id.others().into_iter().collect::<Vec<_>>(), ["other"]);
    let query = points[1].dense["dot"].clone();
    let wanted = WORLD.ask(Query::new(stage(Scoring::Nearest(dense(query)), "euclid", 1000)));
    let named = |points: Vec<points::engine::ScoredPoint>| {
        points.into_iter().map(|point| (number(point.id), point.score)).collect::<Vec<_>>()
    };
    for shards in [&WORLD.one, &WORLD.four] {
        // The point of that id here is another one, and a result like others.
        assert_eq!(named(shards.query(Query::new(by_id.clone()), &others).unwrap()), wanted);
    }
    refused(Query::new(by_id.clone()), Kind::NotFound, "Collection other not found");

    by_id.lookup_from = Some(Lookup { collection: "test".to_owned(), vector: None });
    assert!(WORLD.ask(Query::new(by_id)).iter().all(|(id, _)| *id != 2));

    let mut request = Groups {
        query: Query::new(stage(Scoring::Nearest(dense(dice.vector())), "", 0)),
        group_by: "rank".parse().unwrap(),
        groups: 12,
        group_size: 2,
        with_lookup: Some(GroupLookup {
            collection: "other".to_owned(),
            with_payload: true.into(),
            with_vector: false.into(),
        }),
    };
    assert_eq!(request.others().into_iter().collect::<Vec<_>>(), ["other"]);
    let groups = WORLD.four.query_groups(request.clone(), &others).unwrap();
    assert!(groups.len() > 10);
    for group in groups {
        let wanted = group.id.as_u64().filter(|id| (1..=3).contains(id)).map(PointId::NumId);
        assert_eq!(group.lookup.map(|point| point.id), wanted);
    }
    request.with_lookup.as_mut().unwrap().collection = "third".to_owned();
    let error = WORLD.four.query_groups(request, &others).unwrap_err();
    assert_eq!(error.text, "Collection third not found");
}

#[test]
fn what_is_missing_is_named() {
    refused(
        Query::new(stage(Scoring::Nearest(id(POINTS + 1)), "", 3)),
        Kind::NotFound,
        &format!("No point with id {} found", POINTS + 1),
    );
    // Point 9 has no such vector.
    refused(
        Query::new(stage(Scoring::Nearest(id(9)), "multi", 3)),
        Kind::NotFound,
        "Vector with name \"multi\" for point not found",
    );
    refused(
        Query::new(stage(Scoring::Nearest(dense(vec![0.5; 8])), "none", 3)),
        Kind::Invalid,
        "Not existing vector name error: none",
    );
    refused(
        Query::new(stage(Scoring::Nearest(dense(vec![0.5; 7])), "dot", 3)),
        Kind::Invalid,
        "Vector dimension error: expected dim: 8, got 7",
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let fusion = |weights| Scoring::Fusion(Fusion::Rrf { k: 2, weights });
    let order = || {
        Scoring::OrderBy(OrderBy {
            key: "rank".parse().unwrap(),
            direction: Some(Direction::Asc),
            start_from: None,
        })
    };
    let merged = |mut last: Stage| {
        last.prefetch = vec![Stage::new(3)];
        Query::new(last)
    };
    refused(
        merged(Stage::new(3)),
        Kind::Invalid,
        "A query is needed to merge the prefetches. Can't have prefetches without defining a query.",
    );
    refused(
        Query::new(stage(fusion(None), "", 3)),
        Kind::Invalid,
        "Validation failed: cannot apply Fusion without prefetches",
    );
    refused(
        merged(stage(fusion(None), "dot", 3)),
        Kind::Invalid,
        "Fusion queries cannot be combined with the 'using' field.",
    );
    refused(
        merged(stage(fusion(Some(vec![1.0, 2.0])), "", 3)),
        Kind::Invalid,
        "Validation failed: RRF weights length (2) does not match number of prefetches (1)",
    );
    let with_threshold = |mut last: Stage| {
        last.score_threshold = Some(0.5);
        Query::new(last)
    };
    refused(
        with_threshold(stage(order(), "", 3)),
        Kind::Invalid,
        "Can't use score_threshold with an order_by query.",
    );
    refused(
        with_threshold(Stage::new(3)),
        Kind::Invalid,
        "A query is needed to use the score_threshold. Can't have score_threshold without defining a query.",
    );
    let (positive, negative) = (Vec::new(), Vec::new());
    refused(
        Query::new(stage(
            Scoring::Recommend { positive, negative, strategy: RecommendStrategy::BestScore },
            "",
            3,
        )),
        Kind::Invalid,
        "At least one positive or negative example is needed",
    );
    let mut deep = stage(order(), "", 3);
    for _ in 0..65 {
        deep = Stage { prefetch: vec![deep], ..stage(order(), "", 3) };
    }
    refused(Query::new(deep), Kind::Invalid, "Validation failed: prefetches depth 65 exceeds max depth 64");
}

#[test]
fn an_order_needs_an_index() -> Result<()> {
    let order = OrderBy { key: "name".parse().unwrap(), direction: None, start_from: None };
    for shards in [&WORLD.one, &WORLD.four] {
        let error = shards
            .query(Query::new(stage(Scoring::OrderBy(order.clone()), "", 3)), &Others::new())
            .unwrap_err();
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.text.starts_with("No range index for `order_by` key: `name`"), "{error}");
    }
    // A filter needs none.
    let mut last = Stage::new(3);
    last.filter = filter(json!({ "must": [{ "key": "name", "match": { "value": "p7" } }] }));
    assert_eq!(WORLD.ask(Query::new(last)), [(7, 1.0)]);
    Ok(())
}
