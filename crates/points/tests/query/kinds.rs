//! Each kind of query against the same computed here.

use std::collections::BTreeMap;

use points::engine::{Direction, OrderBy, StartFrom};
use points::query::{Fusion, Groups, Others, Query, RecommendStrategy, Scoring, Stage, VectorInput};
use serde_json::{Value, json};

use crate::world::{Dice, Point, WORLD, dense, filter, multi, same, sparse, stage};

/// Similarity as the engine ranks by it: the higher, the closer.
fn similarity(name: &str, a: &[f32], b: &[f32]) -> f32 {
    let pairs = || a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let dot = |pairs: &mut dyn Iterator<Item = (f64, f64)>| pairs.map(|(a, b)| a * b).sum::<f64>();
    let length = |v: &[f32]| v.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    let value = match name {
        "" => dot(&mut pairs()) / length(a) / length(b),
        "dot" => dot(&mut pairs()),
        "euclid" => -pairs().map(|(a, b)| (a - b) * (a - b)).sum::<f64>(),
        "manhattan" => -pairs().map(|(a, b)| (a - b).abs()).sum::<f64>(),
        _ => panic!("{name}"),
    };
    value as f32
}

/// The score that clients see.
fn shown(name: &str, similarity: f32) -> f32 {
    match name {
        "euclid" => (-similarity).sqrt(),
        "manhattan" => -similarity,
        _ => similarity,
    }
}

/// Ids and scores, best first by the first number.
fn ranked(scores: impl IntoIterator<Item = (f32, u64, f32)>) -> Vec<(u64, f32)> {
    let mut scores: Vec<_> = scores.into_iter().collect();
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    scores.into_iter().map(|(_, id, score)| (id, score)).collect()
}

pub(crate) fn close(found: &[(u64, f32)], wanted: &[(u64, f32)]) {
    assert_eq!(found.len(), wanted.len(), "{found:?}\n{wanted:?}");
    for (a, b) in found.iter().zip(wanted) {
        assert!(a.0 == b.0 && (a.1 - b.1).abs() < 1e-5, "{found:?}\n{wanted:?}");
    }
}

fn cities(point: &Point) -> Vec<&str> {
    match &point.payload["city"] {
        Value::Array(cities) => cities.iter().filter_map(Value::as_str).collect(),
        city => city.as_str().into_iter().collect(),
    }
}

pub(crate) fn nearest(name: &str, query: &[f32], keep: impl Fn(&Point) -> bool) -> Vec<(u64, f32)> {
    ranked(WORLD.points.iter().filter(|point| keep(point)).filter_map(|point| {
        let score = similarity(name, query, point.dense.get(name)?);
        Some((score, point.id, shown(name, score)))
    }))
}

#[test]
fn nearest_by_every_distance() {
    let mut dice = Dice(1);
    for name in ["", "dot", "euclid", "manhattan"] {
        let query = dice.vector();
        let wanted = nearest(name, &query, |_| true);
        let mut request = Query::new(stage(Scoring::Nearest(dense(query.clone())), name, 10));
        close(&WORLD.ask(request.clone()), &wanted[..10]);
        request.offset = 35;
        close(&WORLD.ask(request.clone()), &wanted[35..45]);
        request.stage.limit = 1000;
        close(&WORLD.ask(request.clone()), &wanted[35..]);
        request.offset = 5000;
        close(&WORLD.ask(request.clone()), &[]);
        request.offset = 2;
        request.stage.score_threshold = Some(f32::midpoint(wanted[19].1, wanted[20].1));
        close(&WORLD.ask(request.clone()), &wanted[2..20]);
        request.stage.filter = filter(json!({ "must": [{ "key": "city", "match": { "value": "Ulm" } }] }));
        request.stage.score_threshold = None;
        request.offset = 0;
        close(&WORLD.ask(request), &nearest(name, &query, |point| cities(point).contains(&"Ulm")));
    }
}

#[test]
fn payloads_and_vectors_come_with_the_points() {
    let mut request = Query::new(stage(Scoring::Nearest(dense(Dice(2).vector())), "dot", 30));
    request.with_payload = serde_json::from_value(json!(["name", "city"])).unwrap();
    request.with_vector = serde_json::from_value(json!(["euclid", "sparse"])).unwrap();
    request.offset = 3;
    let found = WORLD.four.query(request.clone(), &Others::new()).unwrap();
    same(&WORLD.one.query(request, &Others::new()).unwrap(), &found);
    let payload = &found[0].payload.as_ref().unwrap().0;
    assert!(payload.contains_key("name") && !payload.contains_key("rank"));
    assert!(found[0].vector.as_ref().unwrap().get("dot").is_none());
}

#[test]
fn nearest_of_several_vectors_and_of_sparse_ones() {
    let mut dice = Dice(3);
    let query = dice.matrix();
    let scores = WORLD.points.iter().filter_map(|point| {
        let own = point.multi.as_ref()?;
        let best = |a: &Vec<f32>| own.iter().map(|b| similarity("", a, b)).fold(f32::MIN, f32::max);
        let score = query.iter().map(best).sum();
        Some((score, point.id, score))
    });
    let wanted = ranked(scores);
    let request = Query::new(stage(Scoring::Nearest(multi(query.clone())), "multi", 20));
    close(&WORLD.ask(request), &wanted[..20]);

    let query = dice.sparse();
    let scores = WORLD.points.iter().filter_map(|point| {
        let (indices, values) = point.sparse.as_ref()?;
        let own: BTreeMap<_, _> = indices.iter().zip(values).collect();
        let shared = query.0.iter().zip(&query.1).filter_map(|(index, value)| Some(*own.get(index)? * value));
        let shared: Vec<_> = shared.collect();
        let score = shared.iter().sum();
        (!shared.is_empty()).then_some((score, point.id, score))
    });
    let wanted = ranked(scores);
    let mut request = Query::new(stage(Scoring::Nearest(sparse(query)), "sparse", 20));
    close(&WORLD.ask(request.clone()), &wanted[..20]);
    request.stage.limit = 1000;
    close(&WORLD.ask(request), &wanted);
}

#[test]
fn recommended_by_each_strategy() {
    let mut dice = Dice(4);
    let vectors = |dice: &mut Dice, count: u64| (0..count).map(|_| dice.vector()).collect::<Vec<_>>();
    let (positive, negative) = (vectors(&mut dice, 3), vectors(&mut dice, 2));
    let inputs = |vectors: &[Vec<f32>]| vectors.iter().cloned().map(dense).collect::<Vec<VectorInput>>();
    let ask = |strategy, name: &str| {
        let scoring =
            Scoring::Recommend { positive: inputs(&positive), negative: inputs(&negative), strategy };
        WORLD.ask(Query::new(stage(scoring, name, 50)))
    };
    for name in ["", "dot", "euclid", "manhattan"] {
        let average = |vectors: &[Vec<f32>], at: usize| {
            vectors.iter().map(|vector| vector[at]).sum::<f32>() / vectors.len() as f32
        };
        let query: Vec<_> = (0..8).map(|at| 2.0 * average(&positive, at) - average(&negative, at)).collect();
        close(&ask(RecommendStrategy::AverageVector, name), &nearest(name, &query, |_| true)[..50]);

        let scored = |score: &dyn Fn(&[f32]) -> f32| {
            let scores = WORLD.points.iter().filter_map(|point| {
                let score = score(point.dense.get(name)?);
                Some((score, point.id, score))
            });
            ranked(scores)[..50].to_vec()
        };
        let sum = |vectors: &[Vec<f32>], own: &[f32]| {
            vectors.iter().map(|vector| similarity(name, vector, own)).sum::<f32>()
        };
        let wanted = scored(&|own| sum(&positive, own) - sum(&negative, own));
        close(&ask(RecommendStrategy::SumScores, name), &wanted);

        let best = |vectors: &[Vec<f32>], own: &[f32]| {
            vectors.iter().map(|vector| similarity(name, vector, own)).fold(f32::MIN, f32::max)
        };
        let sigmoid = |x: f32| 0.5 * (x / (1.0 + x.abs()) + 1.0);
        let wanted = scored(&|own| {
            let (liked, disliked) = (best(&positive, own), best(&negative, own));
            if liked > disliked { sigmoid(liked) } else { -sigmoid(disliked) }
        });
        close(&ask(RecommendStrategy::BestScore, name), &wanted);
    }
}

#[test]
fn fused_by_rank_and_by_score() {
    let mut dice = Dice(5);
    let (a, b, c) = (dice.vector(), dice.vector(), dice.vector());
    let city = json!({ "must": [{ "key": "city", "match": { "any": ["Ulm", "Emden"] } }] });
    let prefetch = |query: &[f32], name, limit| stage(Scoring::Nearest(dense(query.to_vec())), name, limit);
    let prefetches = vec![prefetch(&a, "", 40), prefetch(&b, "dot", 30), prefetch(&c, "euclid", 50)];
    let keep = |point: &Point| cities(point).iter().any(|city| ["Ulm", "Emden"].contains(city));
    let mut lists = [nearest("", &a, keep), nearest("dot", &b, keep), nearest("euclid", &c, keep)];
    for (list, limit) in lists.iter_mut().zip([40, 30, 50]) {
        list.truncate(limit);
    }
    let fused = |score: &dyn Fn(usize, usize) -> f32| {
        let mut scores: BTreeMap<u64, f32> = BTreeMap::new();
        for (number, list) in lists.iter().enumerate() {
            for (rank, (id, _)) in list.iter().enumerate() {
                *scores.entry(*id).or_default() += score(number, rank);
            }
        }
        scores
    };
    let ask = |fusion| {
        let mut stage = stage(Scoring::Fusion(fusion), "", 25);
        stage.prefetch.clone_from(&prefetches);
        stage.filter = filter(city.clone());
        let mut query = Query::new(stage);
        query.offset = 5;
        WORLD.ask(query)
    };
    // Points of one rank in several lists have one score: compare the scores, and the points by their scores.
    let check = |found: Vec<(u64, f32)>, wanted: BTreeMap<u64, f32>| {
        let mut scores: Vec<_> = wanted.values().copied().collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        assert_eq!(found.len(), 25);
        for ((id, score), wanted_score) in found.iter().zip(&scores[5..30]) {
            assert!((score - wanted_score).abs() < 1e-5 && (wanted[id] - wanted_score).abs() < 1e-5);
        }
    };
    let rank = |rank: usize, weight: f32, k: f32| 1.0 / ((rank as f32 + 1.0) / weight + k - 1.0);
    check(ask(Fusion::Rrf { k: 2, weights: None }), fused(&|_, at| rank(at, 1.0, 2.0)));
    let weights = [3.0, 1.0, 0.5];
    let fusion = Fusion::Rrf { k: 60, weights: Some(weights.to_vec()) };
    check(ask(fusion), fused(&|number, at| rank(at, weights[number], 60.0)));
    let spread = lists.each_ref().map(|list| {
        let scores: Vec<_> = list.iter().map(|(_, score)| f64::from(*score)).collect();
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        let square = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>();
        (mean, (square / (scores.len() as f64 - 1.0)).sqrt())
    });
    let normal = |number: usize, at: usize| {
        let (mean, deviation) = spread[number];
        let score = f64::from(lists[number][at].1);
        ((score - mean + 3.0 * deviation) / (6.0 * deviation)) as f32
    };
    check(ask(Fusion::Dbsf), fused(&normal));
}

#[test]
fn candidates_are_scored_again() {
    let mut dice = Dice(6);
    let (first, second) = (dice.vector(), dice.vector());
    let mut last = stage(Scoring::Nearest(dense(second.clone())), "euclid", 12);
    last.prefetch = vec![stage(Scoring::Nearest(dense(first.clone())), "dot", 60)];
    last.filter = filter(json!({ "must_not": [{ "key": "rank", "range": { "lt": 5 } }] }));
    let keep = |point: &Point| point.payload["rank"].as_u64().unwrap() >= 5;
    let ids: Vec<_> = nearest("dot", &first, keep).into_iter().take(60).map(|(id, _)| id).collect();
    let wanted = nearest("euclid", &second, |point| ids.contains(&point.id));
    close(&WORLD.ask(Query::new(last)), &wanted[..12]);
}

#[test]
fn ordered_by_a_field() {
    let order = |direction, start_from| {
        let key = "rank".parse().unwrap();
        Scoring::OrderBy(OrderBy { key, direction: Some(direction), start_from })
    };
    let mut ranks: Vec<_> =
        WORLD.points.iter().map(|p| (p.payload["rank"].as_u64().unwrap(), p.id)).collect();
    ranks.sort_unstable();
    let ids = |ranks: &[(u64, u64)]| ranks.iter().map(|(_, id)| (*id, 1.0)).collect::<Vec<_>>();
    let mut query = Query::new(stage(order(Direction::Asc, None), "", 30));
    query.offset = 7;
    close(&WORLD.ask(query), &ids(&ranks[7..37]));
    let from = StartFrom::Integer(7);
    // Equal values are in the order of their ids either way.
    let down = |(rank, id): &(u64, u64)| (u64::MAX - rank, *id);
    let mut later: Vec<_> = ranks.iter().filter(|(rank, _)| *rank <= 7).copied().collect();
    later.sort_by_key(down);
    close(&WORLD.ask(Query::new(stage(order(Direction::Desc, Some(from)), "", 100))), &ids(&later[..100]));
    // Of candidates.
    let vector = Dice(8).vector();
    let mut last = stage(order(Direction::Desc, None), "", 10);
    last.prefetch = vec![stage(Scoring::Nearest(dense(vector.clone())), "", 50)];
    let near: Vec<_> = nearest("", &vector, |_| true).into_iter().take(50).map(|(id, _)| id).collect();
    let mut wanted: Vec<_> = ranks.iter().filter(|(_, id)| near.contains(id)).copied().collect();
    wanted.sort_by_key(down);
    close(&WORLD.ask(Query::new(last)), &ids(&wanted[..10]));
}

#[test]
fn moved_by_how_well_others_fit() {
    let mut dice = Dice(11);
    let (target, good, bad) = (dice.vector(), dice.vector(), dice.vector());
    let scoring = Scoring::Feedback {
        target: dense(target.clone()),
        examples: vec![(dense(bad.clone()), 0.2), (dense(good.clone()), 0.7)],
        coefficients: [0.8, 1.5, 0.4],
    };
    let found = WORLD.ask(Query::new(stage(scoring, "dot", 30)));
    let scores = WORLD.points.iter().filter_map(|point| {
        let own = point.dense.get("dot")?;
        let toward = similarity("dot", &good, own) - similarity("dot", &bad, own);
        let score = 0.8 * similarity("dot", &target, own) + 0.5_f32.powf(1.5) * 0.4 * toward;
        Some((score, point.id, score))
    });
    close(&found, &ranked(scores)[..30]);
}

#[test]
fn different_from_one_another() {
    let query = Dice(10).vector();
    for name in ["", "dot", "euclid", "manhattan"] {
        let ask = |diversity, candidates| {
            let nearest = dense(query.clone());
            WORLD.ask(Query::new(stage(Scoring::Diverse { nearest, diversity, candidates }, name, 10)))
        };
        let near = nearest(name, &query, |_| true);
        close(&ask(0.0, Some(50)), &near[..10]);
        let vector = |id: u64| &WORLD.points[id as usize - 1].dense[name];
        let (mut left, mut wanted) = (near[..50].to_vec(), Vec::new());
        while wanted.len() < 10 {
            let worth = |(id, _): &(u64, f32)| {
                let alike = wanted.iter().map(|(other, _)| similarity(name, vector(*id), vector(*other)));
                let near = similarity(name, &query, vector(*id));
                alike.max_by(f32::total_cmp).map_or(near, |alike| 0.3 * near - 0.7 * alike)
            };
            let best = left.iter().map(worth).enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0;
            wanted.push(left.remove(best));
        }
        close(&ask(0.7, Some(50)), &wanted);
        // Of ten candidates all are chosen.
        let sorted = |mut found: Vec<(u64, f32)>| {
            found.sort_by_key(|(id, _)| *id);
            found
        };
        close(&sorted(ask(0.7, None)), &sorted(near[..10].to_vec()));
    }
}

#[test]
fn without_a_rule_by_id() {
    let mut last = Stage::new(5);
    last.filter = filter(json!({ "must": [{ "key": "rank", "match": { "value": 3 } }] }));
    let ids = WORLD.points.iter().filter(|point| point.payload["rank"] == 3).map(|point| (point.id, 1.0));
    close(&WORLD.ask(Query::new(last)), &ids.take(5).collect::<Vec<_>>());
}

#[test]
fn samples_are_drawn_from_all_that_match() {
    let mut last = stage(Scoring::Sample, "", 40);
    last.filter = filter(json!({ "must": [{ "key": "rank", "range": { "lt": 10 } }] }));
    let matching: Vec<_> =
        WORLD.points.iter().filter(|point| point.payload["rank"].as_u64().unwrap() < 10).collect();
    for shards in [&WORLD.one, &WORLD.four] {
        let draw = |query: Query| {
            let found = shards.query(query, &Others::new()).unwrap();
            let mut ids: Vec<_> = found.iter().map(|point| crate::world::number(point.id)).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let drawn = draw(Query::new(last.clone()));
        assert_eq!(drawn.len(), 40);
        assert!(drawn.iter().all(|id| matching.iter().any(|point| point.id == *id)));
        let mut all = last.clone();
        all.limit = 1000;
        assert_eq!(draw(Query { offset: 10, ..Query::new(all) }).len(), matching.len());
    }
}

#[test]
fn groups_hold_the_best_of_each_value() {
    let vector = Dice(9).vector();
    let base = Query::new(stage(Scoring::Nearest(dense(vector.clone())), "dot", 0));
    let ask = |groups, group_size| {
        let group_by = "city".parse().unwrap();
        let request = Groups { query: base.clone(), group_by, groups, group_size, with_lookup: None };
        let one = WORLD.one.query_groups(request.clone(), &Others::new()).unwrap();
        let four = WORLD.four.query_groups(request, &Others::new()).unwrap();
        assert_eq!(one.len(), four.len());
        for (a, b) in one.iter().zip(&four) {
            assert_eq!(a.id, b.id);
            same(&a.hits, &b.hits);
        }
        one
    };
    let all = nearest("dot", &vector, |_| true);
    for (count, size) in [(4, 3), (2, 10), (10, 6), (1, 1)] {
        let found = ask(count, size);
        let mut wanted: Vec<(&str, Vec<(u64, f32)>)> = Vec::new();
        for (id, score) in &all {
            for city in cities(&WORLD.points[*id as usize - 1]) {
                match wanted.iter_mut().find(|(known, _)| *known == city) {
                    Some((_, hits)) if hits.iter().any(|(known, _)| known == id) => {}
                    Some((_, hits)) => hits.push((*id, *score)),
                    None => wanted.push((city, vec![(*id, *score)])),
                }
            }
        }
        assert_eq!(found.len(), count.min(4));
        for (group, (city, hits)) in found.iter().zip(&wanted) {
            assert_eq!(group.id, json!(city));
            let found: Vec<_> = group.hits.iter().map(|p| (crate::world::number(p.id), p.score)).collect();
            close(&found, &hits[..size.min(hits.len())]);
            assert!(group.hits.iter().all(|hit| hit.payload.is_none() && hit.vector.is_none()));
        }
    }
    assert!(ask(0, 3).is_empty() && ask(3, 0).is_empty());
}
