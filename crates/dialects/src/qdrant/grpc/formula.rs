//! Formulas that score, from messages (`qdrant/qdrant:lib/collection/src/operations/universal_query/formula.rs`).

use node::points::engine::{DecayKind, Expression, Formula};
use qdrant_client::qdrant as proto;
use qdrant_client::qdrant::expression::Variant;

use super::check::{Result, all, fault, required};
use super::filter::{condition, place};
use super::payload::{object, path};

/// A formula, and the values of what a payload lacks.
pub(super) fn formula(formula: proto::Formula) -> Result<Formula> {
    Ok(Formula {
        formula: expression(required(formula.expression, "missing field: expression")?)?,
        defaults: object(formula.defaults)?.into_iter().collect(),
    })
}

fn expression(expression: proto::Expression) -> Result<Expression> {
    Ok(match required(expression.variant, "missing field: variant")? {
        Variant::Constant(number) if number.is_nan() => {
            return Err(fault("constant", "value NaN invalid, must be a number"));
        }
        Variant::Constant(number) => Expression::Constant(number),
        Variant::Variable(name) => Expression::Variable(name),
        Variant::Condition(of) => {
            let of = required(of.condition_one_of, "missing field: condition")?;
            Expression::Condition(Box::new(condition(of)?))
        }
        Variant::GeoDistance(distance) => Expression::GeoDistance {
            origin: place(required(distance.origin, "missing field: origin")?)?,
            to: path(&distance.to)?,
        },
        Variant::Datetime(text) => Expression::Datetime(text),
        Variant::DatetimeKey(key) => Expression::DatetimeKey(path(&key)?),
        Variant::Mult(of) => Expression::Mult(all(of.mult, self::expression)?),
        Variant::Sum(of) => Expression::Sum(all(of.sum, self::expression)?),
        Variant::Max(of) => Expression::Max(all(of.max, self::expression)?),
        Variant::Min(of) => Expression::Min(all(of.min, self::expression)?),
        Variant::Div(of) => Expression::Div {
            left: inner(of.left, "missing field: left")?,
            right: inner(of.right, "missing field: right")?,
            by_zero_default: of.by_zero_default,
        },
        Variant::Pow(of) => Expression::Pow {
            base: inner(of.base, "missing field: base")?,
            exponent: inner(of.exponent, "missing field: exponent")?,
        },
        Variant::Neg(of) => Expression::Neg(boxed(*of)?),
        Variant::Abs(of) => Expression::Abs(boxed(*of)?),
        Variant::Sqrt(of) => Expression::Sqrt(boxed(*of)?),
        Variant::Exp(of) => Expression::Exp(boxed(*of)?),
        Variant::Log10(of) => Expression::Log10(boxed(*of)?),
        Variant::Ln(of) => Expression::Ln(boxed(*of)?),
        Variant::Acosh(of) => Expression::Acosh(boxed(*of)?),
        Variant::ExpDecay(of) => decay(DecayKind::Exp, *of)?,
        Variant::GaussDecay(of) => decay(DecayKind::Gauss, *of)?,
        Variant::LinDecay(of) => decay(DecayKind::Lin, *of)?,
    })
}

fn boxed(of: proto::Expression) -> Result<Box<Expression>> {
    expression(of).map(Box::new)
}

fn inner(of: Option<Box<proto::Expression>>, or: &str) -> Result<Box<Expression>> {
    boxed(*required(of, or)?)
}

fn decay(kind: DecayKind, params: proto::DecayParamsExpression) -> Result<Expression> {
    Ok(Expression::Decay {
        kind,
        x: inner(params.x, "missing field: x")?,
        target: params.target.map(|target| boxed(*target)).transpose()?,
        midpoint: params.midpoint,
        scale: params.scale,
    })
}
