//! Whatever is asked, four shards answer as one does.

use points::engine::{Condition, Direction, Expression, Formula, OrderBy};
use points::query::{
    Facet, Fusion, Groups, Others, Query, RecommendStrategy, Scoring, Scroll, Stage, VectorInput,
};
use proptest::prelude::*;
use serde_json::json;

use crate::world::{Dice, POINTS, WORLD, dense, filter, id, multi, same, sparse, stage};

const NAMES: [&str; 6] = ["", "dot", "euclid", "manhattan", "multi", "sparse"];

/// A vector that `name` is compared with; now and then that of a point.
fn input(name: &str, dice: &mut Dice) -> VectorInput {
    // Points 10, 20, … have them all, or are left out below.
    let point = 1 + dice.below(POINTS);
    let complete = &WORLD.points[point as usize - 1];
    let complete = complete.dense.len() == 4 && complete.multi.is_some() && complete.sparse.is_some();
    match name {
        _ if complete && dice.below(3) == 0 => id(point),
        "multi" => multi(dice.matrix()),
        "sparse" => sparse(dice.sparse()),
        _ => dense(dice.vector()),
    }
}

fn inputs(name: &str, from: u64, dice: &mut Dice) -> Vec<VectorInput> {
    (0..from + dice.below(3)).map(|_| input(name, dice)).collect()
}

/// A scoring by vectors whose scores are hardly ever equal.
fn by_vector(dice: &mut Dice) -> (Scoring, &'static str) {
    let name = NAMES[dice.below(6) as usize];
    let pairs =
        |dice: &mut Dice| (0..1 + dice.below(2)).map(|_| (input(name, dice), input(name, dice))).collect();
    let scoring = match dice.below(8) {
        0 => Scoring::Recommend {
            positive: inputs(name, 1, dice),
            negative: inputs(name, 0, dice),
            // The mean of vectors of several vectors is all of them.
            strategy: RecommendStrategy::AverageVector,
        },
        1 if name != "sparse" => Scoring::Recommend {
            positive: inputs(name, 1, dice),
            negative: inputs(name, 0, dice),
            strategy: RecommendStrategy::BestScore,
        },
        2 if name != "sparse" => Scoring::Recommend {
            positive: inputs(name, 0, dice),
            negative: inputs(name, 1, dice),
            strategy: RecommendStrategy::SumScores,
        },
        4 => Scoring::Diverse {
            nearest: input(name, dice),
            diversity: 0.5,
            candidates: (dice.below(2) == 0).then_some(40),
        },
        5 if name != "sparse" => Scoring::Feedback {
            target: input(name, dice),
            examples: (0..2).map(|_| (input(name, dice), dice.real())).collect(),
            coefficients: [1.0, 0.5, 0.25],
        },
        3 if name != "sparse" => Scoring::Discover { target: input(name, dice), context: pairs(dice) },
        _ => Scoring::Nearest(input(name, dice)),
    };
    (scoring, name)
}

fn any_stage(depth: u64, limit: usize, dice: &mut Dice) -> Stage {
    let fused = depth > 0 && dice.below(2) == 0;
    let computed = depth > 0 && dice.below(4) == 0;
    let mut last = match dice.below(8) {
        _ if computed => stage(Scoring::Formula(formula()), "", limit),
        _ if fused => stage(Scoring::Fusion(fusion(dice)), "", limit),
        0 => {
            let direction = if dice.below(2) == 0 { Direction::Asc } else { Direction::Desc };
            let key = if dice.below(2) == 0 { "rank" } else { "price" };
            let key = key.parse().unwrap();
            stage(Scoring::OrderBy(OrderBy { key, direction: Some(direction), start_from: None }), "", limit)
        }
        1 if depth == 0 => Stage::new(limit),
        _ => {
            let (scoring, name) = by_vector(dice);
            stage(scoring, name, limit)
        }
    };
    if depth > 0 {
        let count = 1 + dice.below(3);
        last.prefetch = (0..count)
            .map(|_| {
                let depth = dice.below(depth);
                let limit = 1 + dice.below(60) as usize;
                any_stage(depth, limit, dice)
            })
            .collect();
        if let Some(Scoring::Fusion(Fusion::Rrf { weights: Some(weights), .. })) = &mut last.scoring {
            *weights = (0..count).map(|_| dice.real() + 1.1).collect();
        }
    }
    last.filter = match dice.below(5) {
        0 => filter(json!({ "must": [{ "key": "city", "match": { "any": ["Ulm", "Trier"] } }] })),
        1 => filter(json!({ "should": [
            { "key": "price", "range": { "gte": 10.0 } }, { "is_empty": { "key": "city" } }
        ] })),
        2 => filter(json!({ "must_not": [{ "has_id": [1, 2, 3, 50, 51, 52] }] })),
        _ => None,
    };
    let scored = !matches!(last.scoring, None | Some(Scoring::OrderBy(_)));
    if scored && dice.below(4) == 0 {
        last.score_threshold = Some(dice.real());
    }
    last
}

/// Different for all points.
fn formula() -> Formula {
    let variable = |name: &str| Expression::Variable(name.to_owned());
    let dear = filter(json!({ "must": { "key": "price", "range": { "gt": 20.0 } } })).unwrap();
    let formula = Expression::Sum(vec![
        variable("$score"),
        Expression::Mult(vec![variable("$score[1]"), Expression::Constant(0.5)]),
        Expression::Mult(vec![variable("price"), Expression::Constant(0.01)]),
        Expression::Condition(Box::new(Condition::Filter(dear))),
    ]);
    Formula { formula, defaults: [("$score[1]".to_owned(), json!(0.25))].into() }
}

fn fusion(dice: &mut Dice) -> Fusion {
    match dice.below(3) {
        0 => Fusion::Dbsf,
        1 => Fusion::Rrf { k: 2, weights: None },
        _ => Fusion::Rrf { k: 1 + dice.below(60) as usize, weights: Some(Vec::new()) },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_query(seed: u64, depth in 0_u64..4, limit in 1_usize..80, offset in 0_usize..30) {
        let mut query = Query::new(any_stage(depth, limit, &mut Dice(seed)));
        query.offset = offset;
        query.with_payload = (seed % 3 == 0).into();
        query.with_vector = (seed % 5 == 0).into();
        WORLD.ask(query);
    }

    #[test]
    fn any_groups(seed: u64, depth in 0_u64..3, groups in 1_usize..8, group_size in 1_usize..6) {
        let query = Query::new(any_stage(depth, 1, &mut Dice(seed)));
        let group_by = if seed % 2 == 0 { "city" } else { "rank" }.parse().unwrap();
        let request = Groups { query, group_by, groups, group_size, with_lookup: None };
        let one = WORLD.one.query_groups(request.clone(), &Others::new()).unwrap();
        let four = WORLD.four.query_groups(request, &Others::new()).unwrap();
        prop_assert_eq!(one.len(), four.len());
        for (a, b) in one.iter().zip(&four) {
            prop_assert_eq!(&a.id, &b.id);
            same(&a.hits, &b.hits);
        }
    }
}

#[test]
fn a_context_leaves_many_points_alike() {
    // Most points are on the right side of a pair, and then all alike: ask for them all.
    let mut dice = Dice(31);
    for name in ["", "dot", "euclid", "manhattan"] {
        let context = vec![(input(name, &mut dice), input(name, &mut dice))];
        let found = WORLD.ask(Query::new(stage(Scoring::Context(context), name, 1000)));
        assert!(found.len() > 300 && found.windows(2).all(|pair| pair[0].1 >= pair[1].1));
    }
}

#[test]
fn no_number_is_too_large() {
    let mut dice = Dice(32);
    for kind in 0..6 {
        let scoring = match kind {
            0 => None,
            1 => Some(Scoring::OrderBy(OrderBy {
                key: "rank".parse().unwrap(),
                direction: None,
                start_from: None,
            })),
            2 => Some(Scoring::Nearest(dense(dice.vector()))),
            3 => Some(Scoring::Fusion(Fusion::Dbsf)),
            4 => Some(Scoring::Diverse { nearest: id(3), diversity: 0.5, candidates: Some(usize::MAX) }),
            _ => Some(Scoring::Nearest(sparse(dice.sparse()))),
        };
        let mut last = Stage { scoring, limit: usize::MAX, ..Stage::new(1) };
        last.using = if kind == 5 { "sparse" } else { "" }.to_owned();
        if kind == 3 {
            last.prefetch = vec![stage(Scoring::Nearest(id(7)), "", usize::MAX)];
        }
        let query = Query::new(last);
        assert!(WORLD.ask(query.clone()).len() > 10);
        assert_eq!(WORLD.ask(Query { offset: usize::MAX, ..query.clone() }), []);
        let group_by = "city".parse().unwrap();
        let (groups, group_size) = (usize::MAX, usize::MAX);
        let request = Groups { query, group_by, groups, group_size, with_lookup: None };
        assert_eq!(WORLD.four.query_groups(request, &Others::new()).unwrap().len(), 4);
    }
    for shards in [&WORLD.one, &WORLD.four] {
        let (with_payload, with_vector) = (false.into(), false.into());
        let request = Scroll {
            offset: None,
            limit: usize::MAX,
            filter: None,
            order_by: None,
            with_payload,
            with_vector,
        };
        assert_eq!(shards.scroll(request).unwrap().points.len(), POINTS as usize);
        let request = Facet { key: "rank".parse().unwrap(), limit: usize::MAX, filter: None, exact: false };
        assert_eq!(shards.facet(request).unwrap().len(), 12);
    }
}
