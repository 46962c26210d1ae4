//! Scores computed by a formula from the scores before, payloads and conditions:
//! `qdrant/qdrant:lib/segment/src/index/query_optimization/rescore_formula`.
//!
//! Computed here and not in the shards, which know nothing of scores that were merged over them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::str::FromStr;

use qdrant_edge::{
    Condition, DateTimeWrapper, DecayKind, Expression, Filter, Formula, GeoPoint, JsonPath, OperationError,
    OperationResult, PointId, Record, ScoredPoint, ScoringQuery, WithPayloadInterface, WithVector,
};
use serde_json::Value;

use super::request::Retrieve;
use super::shards::{Shards, by_id};
use super::values::values;
use crate::error::{Error, Result};

/// Metres.
const EARTH_RADIUS: f64 = 6_371_008.8;

/// A formula that can be computed.
#[derive(Clone, Debug)]
pub(super) struct Computation {
    root: Term,
    fields: BTreeSet<JsonPath>,
    conditions: Vec<Condition>,
    defaults: HashMap<Variable, Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Variable {
    /// The score of the source with this number.
    Score(usize),
    /// A value in the payload.
    Field(JsonPath),
}

#[derive(Clone, Debug)]
enum Term {
    Constant(f64),
    Variable(Variable),
    /// 1 if the condition of this number is met, 0 otherwise.
    Condition(usize),
    /// Metres.
    Distance(GeoPoint, JsonPath),
    /// Seconds since 1970.
    Time(JsonPath),
    Mult(Vec<Term>),
    Sum(Vec<Term>),
    Max(Vec<Term>),
    Min(Vec<Term>),
    Div(Box<[Term; 2]>, Option<f32>),
    Pow(Box<[Term; 2]>),
    /// A function, how it is written before and after what it is applied to, and that.
    Apply(fn(f64) -> f64, [&'static str; 2], Box<Term>),
    /// From 1 at the target down to 0, by a rate.
    Decay(DecayKind, Box<[Term; 2]>, f64),
}

impl Computation {
    /// `Invalid` if the formula makes no sense.
    pub(super) fn new(formula: Formula) -> Result<Computation> {
        // The engine says in its own words what is wrong with it.
        let _checked = ScoringQuery::Formula(formula.clone().try_into()?);
        let Formula { formula, defaults } = formula;
        let default = |(name, value): (String, Value)| Ok((name.parse()?, value));
        let defaults = defaults.into_iter().map(default).collect::<Result<_>>()?;
        let mut computation = Computation {
            root: Term::Constant(0.0),
            fields: BTreeSet::new(),
            conditions: Vec::new(),
            defaults,
        };
        computation.root = computation.term(formula)?;
        Ok(computation)
    }

    fn term(&mut self, expression: Expression) -> Result<Term> {
        Ok(match expression {
            Expression::Constant(value) => Term::Constant(f64::from(value)),
            Expression::Variable(name) => {
                let variable = name.parse()?;
                if let Variable::Field(field) = &variable {
                    self.fields.insert(field.clone());
                }
                Term::Variable(variable)
            }
            Expression::Condition(condition) => {
                self.conditions.push(*condition);
                Term::Condition(self.conditions.len() - 1)
            }
            Expression::GeoDistance { origin, to } => {
                self.fields.insert(to.clone());
                Term::Distance(origin, to)
            }
            Expression::Datetime(text) => {
                let time = DateTimeWrapper::from_str(&text);
                Term::Constant(seconds(time.map_err(|error| Error::invalid(error.to_string()))?))
            }
            Expression::DatetimeKey(field) => {
                self.fields.insert(field.clone());
                Term::Time(field)
            }
            Expression::Mult(terms) => Term::Mult(self.terms(terms)?),
            Expression::Sum(terms) => Term::Sum(self.terms(terms)?),
            Expression::Max(terms) => Term::Max(self.terms(terms)?),
            Expression::Min(terms) => Term::Min(self.terms(terms)?),
            Expression::Neg(x) => self.apply(|x| -x, ["-", ""], *x)?,
            Expression::Div { left, right, by_zero_default } => {
                Term::Div(Box::new([self.term(*left)?, self.term(*right)?]), by_zero_default)
            }
            Expression::Sqrt(x) => self.apply(f64::sqrt, ["√", ""], *x)?,
            Expression::Pow { base, exponent } => {
                Term::Pow(Box::new([self.term(*base)?, self.term(*exponent)?]))
            }
            Expression::Exp(x) => self.apply(f64::exp, ["exp(", ")"], *x)?,
            Expression::Log10(x) => self.apply(f64::log10, ["log10(", ")"], *x)?,
            Expression::Ln(x) => self.apply(f64::ln, ["ln(", ")"], *x)?,
            Expression::Acosh(x) => self.apply(f64::acosh, ["acosh(", ")"], *x)?,
            Expression::Abs(x) => self.apply(f64::abs, ["abs(", ")"], *x)?,
            Expression::Decay { kind, x, target, midpoint, scale } => {
                let (midpoint, scale) = (f64::from(midpoint.unwrap_or(0.5)), f64::from(scale.unwrap_or(1.0)));
                let rate = match kind {
                    DecayKind::Lin => (1.0 - midpoint) / scale,
                    DecayKind::Exp => midpoint.ln() / scale,
                    DecayKind::Gauss => midpoint.ln() / (scale * scale),
                };
                let target = target.map_or(Ok(Term::Constant(0.0)), |target| self.term(*target))?;
                Term::Decay(kind, Box::new([self.term(*x)?, target]), rate)
            }
        })
    }

    fn apply(&mut self, function: fn(f64) -> f64, written: [&'static str; 2], x: Expression) -> Result<Term> {
        Ok(Term::Apply(function, written, Box::new(self.term(x)?)))
    }

    fn terms(&mut self, expressions: Vec<Expression>) -> Result<Vec<Term>> {
        expressions.into_iter().map(|expression| self.term(expression)).collect()
    }
}

impl FromStr for Variable {
    type Err = Error;

    fn from_str(name: &str) -> Result<Variable> {
        let unknown = || Error::invalid(format!("Validation failed: failed to parse variable ID {name}"));
        match name.strip_prefix("$score") {
            Some("") => Ok(Variable::Score(0)),
            Some(index) => {
                let index = index.strip_prefix('[').and_then(|index| index.strip_suffix(']'));
                index.and_then(|index| index.parse().ok()).map(Variable::Score).ok_or_else(unknown)
            }
            None => name.parse().map(Variable::Field).map_err(|_| unknown()),
        }
    }
}

impl Shards {
    /// The points of all `sources`, each once, with the scores of a formula; the highest first.
    pub(super) fn compute(
        &self,
        computation: &Computation,
        sources: &[Vec<ScoredPoint>],
    ) -> Result<Vec<ScoredPoint>> {
        let mut seen = HashSet::new();
        let mut points: Vec<_> =
            sources.iter().flatten().filter(|point| seen.insert(point.id)).cloned().collect();
        let ids: Vec<_> = points.iter().map(|point| point.id).collect();
        let scores =
            sources.iter().map(|source| source.iter().map(|point| (point.id, point.score)).collect());
        let facts = Facts {
            computation,
            scores: scores.collect(),
            records: by_id(self.fields(&computation.fields, &ids)?),
            met: computation
                .conditions
                .iter()
                .map(|condition| self.meeting(condition, &ids))
                .collect::<Result<_>>()?,
        };
        for point in &mut points {
            let score = facts.value(&computation.root, point.id)?;
            let shown = score as f32;
            point.score = finite(shown.into(), || format!("{score} as f32 = {shown}"))? as f32;
            // The score is all that counts from here on.
            point.order_value = None;
        }
        points.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(points)
    }

    fn fields(&self, fields: &BTreeSet<JsonPath>, ids: &[PointId]) -> Result<Vec<Record>> {
        if fields.is_empty() {
            return Ok(Vec::new());
        }
        let fields = fields.iter().map(JsonPath::wildcard_indices).collect();
        self.retrieve(Retrieve {
            ids: ids.to_vec(),
            with_payload: WithPayloadInterface::Fields(fields),
            with_vector: WithVector::Bool(false),
        })
    }

    fn meeting(&self, condition: &Condition, ids: &[PointId]) -> Result<HashSet<PointId>> {
        let candidates = Condition::HasId(ids.iter().copied().collect());
        let filter = Filter { must: Some(vec![candidates, condition.clone()]), ..Filter::new() };
        let found = self.first(Some(filter), ids.len())?;
        Ok(found.into_iter().map(|point| point.id).collect())
    }
}

/// What a formula is computed from.
struct Facts<'a> {
    computation: &'a Computation,
    scores: Vec<HashMap<PointId, f32>>,
    records: HashMap<PointId, Record>,
    met: Vec<HashSet<PointId>>,
}

impl Facts<'_> {
    fn value(&self, term: &Term, id: PointId) -> OperationResult<f64> {
        let value = |term| self.value(term, id);
        match term {
            Term::Constant(constant) => Ok(*constant),
            Term::Variable(variable @ Variable::Score(source)) => {
                let score = self.scores.get(*source).and_then(|scores| scores.get(&id)).copied();
                let default = || self.computation.defaults.get(variable).and_then(Value::as_f64);
                Ok(score.map(f64::from).or_else(default).unwrap_or(0.0))
            }
            Term::Variable(Variable::Field(field)) => self
                .field(field, id, "number", |value| value.as_f64().ok_or("Value is not a number".to_owned())),
            Term::Condition(number) => {
                Ok(self.met.get(*number).map_or(0.0, |met| f64::from(u8::from(met.contains(&id)))))
            }
            Term::Distance(origin, field) => {
                let place = |value: &Value| {
                    serde_json::from_value::<GeoPoint>(value.clone()).map_err(|error| error.to_string())
                };
                Ok(distance(*origin, self.field(field, id, "geo point", place)?))
            }
            Term::Time(field) => self.field(field, id, "datetime", |value| {
                let text = value.as_str().ok_or("Value is not a string")?;
                DateTimeWrapper::from_str(text).map(seconds).map_err(|error| error.to_string())
            }),
            Term::Mult(terms) => {
                let mut product = 1.0;
                for term in terms {
                    match value(term)? {
                        0.0 => return Ok(0.0),
                        factor => product *= factor,
                    }
                }
                Ok(product)
            }
            Term::Sum(terms) => terms.iter().try_fold(0.0, |sum, term| Ok(sum + value(term)?)),
            Term::Max(terms) => {
                terms.iter().try_fold(f64::NEG_INFINITY, |max, term| Ok(value(term)?.max(max)))
            }
            Term::Min(terms) => terms.iter().try_fold(f64::INFINITY, |min, term| Ok(value(term)?.min(min))),
            Term::Div(terms, by_zero) => {
                let left = value(&terms[0])?;
                if left == 0.0 {
                    return Ok(0.0);
                }
                match (value(&terms[1])?, by_zero) {
                    (0.0, Some(by_zero)) => Ok(f64::from(*by_zero)),
                    (right, _) => finite(left / right, || format!("{left}/{right} = {}", left / right)),
                }
            }
            Term::Pow(terms) => {
                let (base, exponent) = (value(&terms[0])?, value(&terms[1])?);
                let power = base.powf(exponent);
                finite(power, || format!("{base}^{exponent} = {power}"))
            }
            Term::Apply(function, [before, after], term) => {
                let x = value(term)?;
                let result = function(x);
                finite(result, || format!("{before}{x}{after} = {result}"))
            }
            Term::Decay(kind, terms, rate) => {
                let away = (value(&terms[0])? - value(&terms[1])?).abs();
                Ok(match kind {
                    DecayKind::Lin => (1.0 - rate * away).max(0.0),
                    DecayKind::Exp => (rate * away).exp(),
                    DecayKind::Gauss => (rate * away * away).exp(),
                })
            }
        }
    }

    /// The value of a field, or its default, as `read` understands it.
    fn field<T>(
        &self,
        field: &JsonPath,
        id: PointId,
        expected: &str,
        read: impl Fn(&Value) -> Result<T, String>,
    ) -> OperationResult<T> {
        let payload = self.records.get(&id).and_then(|record| record.payload.as_ref());
        let mut found = payload.map(|payload| values(field, payload)).unwrap_or_default();
        found.retain(|value| !value.is_null());
        let wrong = |description: String| OperationError::VariableTypeError {
            field_name: field.clone(),
            expected_type: expected.to_owned(),
            description,
        };
        let default = || self.computation.defaults.get(&Variable::Field(field.clone()));
        let read_value = match &found[..] {
            [] => {
                read(default().ok_or_else(|| wrong("No value found in a payload nor defaults".to_owned()))?)
            }
            [value] => read(value),
            several => read(&Value::Array(several.iter().copied().cloned().collect())),
        };
        read_value.map_err(wrong)
    }
}

fn finite(value: f64, expression: impl Fn() -> String) -> OperationResult<f64> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(OperationError::NonFiniteNumber { expression: expression() })
    }
}

fn seconds(time: DateTimeWrapper) -> f64 {
    time.timestamp() as f64 / 1_000_000.0
}

/// Metres on a sphere.
fn distance(a: GeoPoint, b: GeoPoint) -> f64 {
    let (from, to) = (a.lat.to_radians(), b.lat.to_radians());
    let half = |difference: f64| (difference / 2.0).sin().powi(2);
    let chord = half(to - from) + from.cos() * to.cos() * half((b.lon - a.lon).to_radians());
    2.0 * EARTH_RADIUS * chord.sqrt().asin()
}
