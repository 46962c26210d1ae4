//! Formulas as clients write them.

use std::collections::HashMap;

use node::points::engine::{Condition, DecayKind, Expression as Engine, Formula, GeoPoint, JsonPath};
use serde::Deserialize;
use serde_json::Value;
use validator::{Validate, ValidationErrors};

/// A term: a number, the name of a variable, a condition, or a function by name.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(in crate::qdrant::rest) enum Expression {
    Constant(f32),
    Variable(String),
    Condition(Box<Condition>),
    GeoDistance { geo_distance: GeoDistance },
    Datetime { datetime: String },
    DatetimeKey { datetime_key: JsonPath },
    Mult { mult: Vec<Expression> },
    Sum { sum: Vec<Expression> },
    Max { max: Vec<Expression> },
    Min { min: Vec<Expression> },
    Neg { neg: Box<Expression> },
    Abs { abs: Box<Expression> },
    Div { div: Div },
    Sqrt { sqrt: Box<Expression> },
    Pow { pow: Pow },
    Exp { exp: Box<Expression> },
    Log10 { log10: Box<Expression> },
    Ln { ln: Box<Expression> },
    Acosh { acosh: Box<Expression> },
    LinDecay { lin_decay: Decay },
    ExpDecay { exp_decay: Decay },
    GaussDecay { gauss_decay: Decay },
}

#[derive(Debug, Deserialize)]
pub(in crate::qdrant::rest) struct GeoDistance {
    origin: GeoPoint,
    to: JsonPath,
}

#[derive(Debug, Deserialize)]
pub(in crate::qdrant::rest) struct Div {
    left: Box<Expression>,
    right: Box<Expression>,
    by_zero_default: Option<f32>,
}

#[derive(Debug, Deserialize)]
pub(in crate::qdrant::rest) struct Pow {
    base: Box<Expression>,
    exponent: Box<Expression>,
}

#[derive(Debug, Deserialize)]
pub(in crate::qdrant::rest) struct Decay {
    x: Box<Expression>,
    target: Option<Box<Expression>>,
    scale: Option<f32>,
    midpoint: Option<f32>,
}

impl Expression {
    pub(super) fn formula(self, defaults: Option<HashMap<String, Value>>) -> Formula {
        Formula { formula: self.engine(), defaults: defaults.unwrap_or_default() }
    }

    fn engine(self) -> Engine {
        let one = |expression: Box<Expression>| Box::new(expression.engine());
        let all = |expressions: Vec<Expression>| expressions.into_iter().map(Expression::engine).collect();
        match self {
            Expression::Constant(value) => Engine::Constant(value),
            Expression::Variable(name) => Engine::Variable(name),
            Expression::Condition(condition) => Engine::Condition(condition),
            Expression::GeoDistance { geo_distance: GeoDistance { origin, to } } => {
                Engine::GeoDistance { origin, to }
            }
            Expression::Datetime { datetime } => Engine::Datetime(datetime),
            Expression::DatetimeKey { datetime_key } => Engine::DatetimeKey(datetime_key),
            Expression::Mult { mult } => Engine::Mult(all(mult)),
            Expression::Sum { sum } => Engine::Sum(all(sum)),
            Expression::Max { max } => Engine::Max(all(max)),
            Expression::Min { min } => Engine::Min(all(min)),
            Expression::Neg { neg } => Engine::Neg(one(neg)),
            Expression::Abs { abs } => Engine::Abs(one(abs)),
            Expression::Div { div: Div { left, right, by_zero_default } } => {
                Engine::Div { left: one(left), right: one(right), by_zero_default }
            }
            Expression::Sqrt { sqrt } => Engine::Sqrt(one(sqrt)),
            Expression::Pow { pow: Pow { base, exponent } } => {
                Engine::Pow { base: one(base), exponent: one(exponent) }
            }
            Expression::Exp { exp } => Engine::Exp(one(exp)),
            Expression::Log10 { log10 } => Engine::Log10(one(log10)),
            Expression::Ln { ln } => Engine::Ln(one(ln)),
            Expression::Acosh { acosh } => Engine::Acosh(one(acosh)),
            Expression::LinDecay { lin_decay } => lin_decay.engine(DecayKind::Lin),
            Expression::ExpDecay { exp_decay } => exp_decay.engine(DecayKind::Exp),
            Expression::GaussDecay { gauss_decay } => gauss_decay.engine(DecayKind::Gauss),
        }
    }

    /// What it is made of.
    fn inner(&self) -> Vec<&Expression> {
        match self {
            Expression::Constant(_)
            | Expression::Variable(_)
            | Expression::Condition(_)
            | Expression::GeoDistance { .. }
            | Expression::Datetime { .. }
            | Expression::DatetimeKey { .. } => Vec::new(),
            Expression::Mult { mult: list }
            | Expression::Sum { sum: list }
            | Expression::Max { max: list }
            | Expression::Min { min: list } => list.iter().collect(),
            Expression::Neg { neg: one }
            | Expression::Abs { abs: one }
            | Expression::Sqrt { sqrt: one }
            | Expression::Exp { exp: one }
            | Expression::Log10 { log10: one }
            | Expression::Ln { ln: one }
            | Expression::Acosh { acosh: one } => vec![one],
            Expression::Div { div } => vec![&div.left, &div.right],
            Expression::Pow { pow } => vec![&pow.base, &pow.exponent],
            Expression::LinDecay { lin_decay: decay }
            | Expression::ExpDecay { exp_decay: decay }
            | Expression::GaussDecay { gauss_decay: decay } => {
                decay.target.as_deref().into_iter().chain([&*decay.x]).collect()
            }
        }
    }
}

impl Decay {
    fn engine(self, kind: DecayKind) -> Engine {
        let Decay { x, target, scale, midpoint } = self;
        let target = target.map(|target| Box::new(target.engine()));
        Engine::Decay { kind, x: Box::new(x.engine()), target, midpoint, scale }
    }
}

impl Validate for Expression {
    fn validate(&self) -> Result<(), ValidationErrors> {
        match self {
            Expression::Condition(condition) => condition.validate(),
            expression => expression.inner().into_iter().try_for_each(Validate::validate),
        }
    }
}
