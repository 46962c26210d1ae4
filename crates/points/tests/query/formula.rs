//! Scores by formulas.

use std::collections::HashMap;

use points::Kind;
use points::engine::{Condition, DecayKind, Expression, Filter, Formula};
use points::query::{Others, Query, Scoring, Stage};
use serde_json::{Value, json};

use crate::kinds::{close, nearest};
use crate::world::{Dice, Point, WORLD, collection, dense, filter, stage};

fn constant(value: f32) -> Expression {
    Expression::Constant(value)
}

fn variable(name: &str) -> Expression {
    Expression::Variable(name.to_owned())
}

fn all_points(formula: Expression, defaults: Value) -> Query {
    let defaults: HashMap<String, Value> = serde_json::from_value(defaults).unwrap();
    let mut last = stage(Scoring::Formula(Formula { formula, defaults }), "", 1000);
    last.prefetch = vec![Stage::new(1000)];
    Query::new(last)
}

#[test]
fn from_scores_payloads_and_conditions() {
    let mut dice = Dice(41);
    let (first, second) = (dice.vector(), dice.vector());
    let ulm: Filter = filter(json!({ "must": { "key": "city", "match": { "value": "Ulm" } } })).unwrap();
    let formula = Expression::Sum(vec![
        variable("$score"),
        Expression::Mult(vec![constant(0.5), variable("$score[1]")]),
        Expression::Div {
            left: Box::new(Expression::Abs(Box::new(variable("price")))),
            right: Box::new(variable("rank")),
            by_zero_default: Some(7.0),
        },
        Expression::Neg(Box::new(Expression::Condition(Box::new(Condition::Filter(ulm))))),
    ]);
    let defaults = [("$score[1]".to_owned(), json!(-3.0))].into();
    let mut last = stage(Scoring::Formula(Formula { formula, defaults }), "", 50);
    last.prefetch = vec![
        stage(Scoring::Nearest(dense(first.clone())), "dot", 200),
        stage(Scoring::Nearest(dense(second.clone())), "euclid", 150),
    ];
    let scores = |list: Vec<(u64, f32)>, limit| list.into_iter().take(limit).collect::<HashMap<u64, f32>>();
    let first = scores(nearest("dot", &first, |_| true), 200);
    let second = scores(nearest("euclid", &second, |_| true), 150);
    let score = |point: &Point| {
        let near = first.get(&point.id).copied().unwrap_or(0.0);
        let near = near + 0.5 * second.get(&point.id).copied().unwrap_or(-3.0);
        let price = point.payload["price"].as_f64().unwrap().abs() as f32;
        let rank = point.payload["rank"].as_f64().unwrap() as f32;
        let ulm = match &point.payload["city"] {
            Value::Array(cities) => cities.contains(&json!("Ulm")),
            city => city == "Ulm",
        };
        near + if rank == 0.0 { 7.0 } else { price / rank } - f32::from(u8::from(ulm))
    };
    let known =
        WORLD.points.iter().filter(|point| first.contains_key(&point.id) || second.contains_key(&point.id));
    let mut wanted: Vec<_> = known.map(|point| (point.id, score(point))).collect();
    wanted.sort_by(|a, b| b.1.total_cmp(&a.1));
    close(&WORLD.ask(Query::new(last.clone())), &wanted[..50]);
    last.score_threshold = Some(f32::midpoint(wanted[9].1, wanted[10].1));
    close(&WORLD.ask(Query { offset: 3, ..Query::new(last) }), &wanted[3..10]);
}

#[test]
fn every_function() {
    let boxed = |value: f32| Box::new(constant(value));
    let decay = |kind, midpoint| Expression::Decay {
        kind,
        x: boxed(5.0),
        target: Some(boxed(3.0)),
        midpoint,
        scale: Some(4.0),
    };
    let cases = [
        (Expression::Sqrt(boxed(2.0)), 2_f32.sqrt()),
        (Expression::Pow { base: boxed(2.0), exponent: boxed(-1.5) }, 2_f32.powf(-1.5)),
        (Expression::Exp(boxed(1.5)), 1.5_f32.exp()),
        (Expression::Log10(boxed(50.0)), 50_f32.log10()),
        (Expression::Ln(boxed(50.0)), 50_f32.ln()),
        (Expression::Acosh(boxed(3.0)), 3_f32.acosh()),
        (Expression::Max(vec![constant(1.0), constant(4.0)]), 4.0),
        (Expression::Min(vec![constant(1.0), constant(4.0)]), 1.0),
        (decay(DecayKind::Lin, None), 0.75),
        (decay(DecayKind::Exp, None), 0.5_f32.sqrt()),
        (decay(DecayKind::Gauss, Some(0.25)), 0.25_f32.powf(0.25)),
        (Expression::Datetime("1970-01-02T00:00:30Z".to_owned()), 86_430.0),
        (Expression::DatetimeKey("when".parse().unwrap()), 60.0),
        (
            Expression::GeoDistance {
                origin: serde_json::from_value(json!({ "lon": 0.0, "lat": 0.0 })).unwrap(),
                to: "place".parse().unwrap(),
            },
            78_626.3,
        ),
        (variable("list"), 12.5),
        (variable("none"), 3.0),
    ];
    let mut point = WORLD.points[0].clone();
    point.payload = json!({
        "when": "1970-01-01T00:01:00Z", "place": { "lon": 0.5, "lat": 0.5 }, "list": [12.5], "none": null,
    });
    let (shards, _dirs) = collection("one", &[point], 1);
    for (formula, wanted) in cases {
        let name = format!("{formula:?}");
        let found = shards.query(all_points(formula, json!({ "none": 3.0 })), &Others::new()).unwrap();
        assert!((found[0].score - wanted).abs() < 1e-6 * wanted.abs(), "{name}: {}", found[0].score);
    }
}

#[test]
fn what_cannot_be_computed() {
    let cases = [
        (
            Expression::Ln(Box::new(constant(-1.0))),
            "The expression ln(-1) = NaN produced a non-finite number",
        ),
        (
            Expression::Div {
                left: Box::new(constant(1.0)),
                right: Box::new(constant(0.0)),
                by_zero_default: None,
            },
            "The expression 1/0 = inf produced a non-finite number",
        ),
        (
            Expression::Mult(vec![constant(f32::MAX), constant(2.0)]),
            "The expression 680564693277057700000000000000000000000 as f32 = inf produced a non-finite number",
        ),
        (
            variable("name"),
            "Expected number value for name in the payload and/or in the formula defaults. \
             Error: Value is not a number",
        ),
        (
            variable("nothing"),
            "Expected number value for nothing in the payload and/or in the formula defaults. \
             Error: No value found in a payload nor defaults",
        ),
        (
            variable("$rank"),
            "Validation failed: failed to parse variable ID $rank: Invalid reserved word: $rank",
        ),
        (Expression::Max(Vec::new()), "Validation failed: `max` needs at least one operand"),
    ];
    for (formula, text) in cases {
        for shards in [&WORLD.one, &WORLD.four] {
            let error = shards.query(all_points(formula.clone(), json!({})), &Others::new()).unwrap_err();
            assert_eq!((error.kind, error.text.as_str()), (Kind::Invalid, text));
        }
    }
    let formula = Scoring::Formula(Formula { formula: constant(1.0), defaults: HashMap::new() });
    let error = WORLD.one.query(Query::new(stage(formula, "", 3)), &Others::new()).unwrap_err();
    assert_eq!(error.text, "Validation failed: cannot apply Formula without prefetches");
}
