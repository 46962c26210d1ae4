//! Expressions as Consul evaluates them: checked against the type of what is filtered before anything is read.
//!
//! Follows `hashicorp/go-bexpr:{validate,field_config,evaluate}.go` of 0.1.2.

use serde_json::Value;

use super::compare::{Patterns, coerce, equal, items, length};
use super::grammar::{Expression, Match, Operator};
use super::types::{Type, Types};

/// Whether the expression can be asked of the structure `root` at all.
pub(super) fn check(
    expression: &Expression,
    patterns: &Patterns,
    types: &Types,
    root: &'static str,
) -> Result<(), String> {
    match expression {
        Expression::Not(operand) => check(operand, patterns, types, root),
        Expression::And(operands) | Expression::Or(operands) => {
            operands.iter().try_for_each(|operand| check(operand, patterns, types, root))
        }
        Expression::Match(question) => check_one(question, patterns, types, root),
        Expression::Each(_) => unreachable!("the grammar has none"),
    }
}

fn check_one(question: &Match, patterns: &Patterns, types: &Types, root: &'static str) -> Result<(), String> {
    let Match { selector, operator, is_negated, value } = question;
    let mut kind = Type::Struct(root);
    for (place, part) in selector.path.iter().enumerate() {
        let inner = within(types, &kind, part);
        kind =
            inner.ok_or_else(|| format!("Selector {:?} is not valid", selector.path[..=place].join(".")))?;
    }
    let kind = target(&kind);
    let name = selector.to_string();
    let can = match kind {
        Type::Bool | Type::Int | Type::Uint | Type::Float => matches!(operator, Operator::Equal),
        Type::Text => !matches!(operator, Operator::Empty),
        Type::List(item) if is_primitive(item) => matches!(operator, Operator::In | Operator::Empty),
        Type::List(_) => matches!(operator, Operator::Empty),
        Type::Map(_) => matches!(operator, Operator::In | Operator::Empty),
        _ => false,
    };
    if !can {
        return Err(format!(
            "Invalid match operator {:?} for selector {name:?}",
            word(*operator, *is_negated)
        ));
    }
    if *operator == Operator::Empty {
        return Ok(());
    }
    let compared = if let Type::List(item) = kind { item } else { kind };
    coerce(compared, value)
        .map_err(|why| format!("Failed to coerce value {value:?} for selector {name:?}: {why}"))?;
    if *operator == Operator::Matches {
        let compiled = patterns.compiled(value).as_ref();
        compiled.map_err(|why| format!("Failed to compile regular expression {value:?}: {why}"))?;
    }
    Ok(())
}

/// What a part of a selector leads to. Lists are looked into item by item.
fn within(types: &Types, kind: &Type, part: &str) -> Option<Type> {
    match target(kind) {
        Type::Struct(name) => types.field(name, part).cloned(),
        Type::Map(inner) => Some((**inner).clone()),
        Type::List(item) if !is_primitive(item) => within(types, item, part),
        _ => None,
    }
}

/// What a value of the type is, once it is not nil.
fn target(kind: &Type) -> &Type {
    match kind {
        Type::Pointer(inner) => target(inner),
        kind => kind,
    }
}

fn is_primitive(kind: &Type) -> bool {
    matches!(kind, Type::Bool | Type::Int | Type::Uint | Type::Float | Type::Text)
}

fn word(operator: Operator, is_negated: bool) -> &'static str {
    match (operator, is_negated) {
        (Operator::Equal, false) => "Equal",
        (Operator::Equal, true) => "Not Equal",
        (Operator::In, false) => "In",
        (Operator::In, true) => "Not In",
        (Operator::Empty, false) => "Is Empty",
        (Operator::Empty, true) => "Is Not Empty",
        (Operator::Matches, false) => "Matches",
        (Operator::Matches, true) => "Not Matches",
        (Operator::Nil, _) => "Is Nil",
    }
}

/// Whether a value of the structure `root` is what the expression, which was checked, asks for.
pub(super) fn matches(
    expression: &Expression,
    patterns: &Patterns,
    types: &Types,
    root: &'static str,
    datum: &Value,
) -> Result<bool, String> {
    match expression {
        Expression::Not(operand) => matches(operand, patterns, types, root, datum).map(|is| !is),
        Expression::And(operands) => {
            for operand in operands {
                if !matches(operand, patterns, types, root, datum)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Expression::Or(operands) => {
            for operand in operands {
                if matches(operand, patterns, types, root, datum)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Expression::Match(question) => {
            walk(question, patterns, types, &question.selector.path, &Type::Struct(root), datum)
        }
        Expression::Each(_) => unreachable!("the grammar has none"),
    }
}

fn walk(
    question: &Match,
    patterns: &Patterns,
    types: &Types,
    path: &[String],
    kind: &Type,
    value: &Value,
) -> Result<bool, String> {
    let Some((part, rest)) = path.split_first() else { return ask(question, patterns, kind, value) };
    match target(kind) {
        // What a genuine server leaves out of its JSON is empty.
        Type::Struct(name) => {
            let field = types.field(name, part).ok_or_else(|| format!("no field {part:?}"))?;
            walk(question, patterns, types, rest, field, value.get(part).unwrap_or(&Value::Null))
        }
        Type::List(item) => {
            for value in items(value) {
                if walk(question, patterns, types, path, item, value)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Type::Map(inner) => match value.get(part) {
            Some(value) => walk(question, patterns, types, rest, inner, value),
            // A pattern is taken for found in what is not there, whether it is wanted or not.
            None => Ok(match question.operator {
                Operator::Matches => true,
                Operator::Empty => !question.is_negated,
                _ => question.is_negated,
            }),
        },
        kind => Err(format!("a {} has no fields", kind.kind())),
    }
}

fn ask(question: &Match, patterns: &Patterns, kind: &Type, value: &Value) -> Result<bool, String> {
    let (kind, wanted) = (target(kind), question.value.as_str());
    let is = match (question.operator, kind) {
        (Operator::Equal, kind) => equal(kind, value, wanted).unwrap_or(Ok(false))?,
        (Operator::In, Type::Map(_)) => value.get(wanted).is_some(),
        (Operator::In, Type::List(item)) => {
            items(value).iter().any(|value| equal(item, value, wanted) == Some(Ok(true)))
        }
        (Operator::In, _) => value.as_str().unwrap_or_default().contains(wanted),
        (Operator::Empty, kind) => length(kind, value).unwrap_or_default() == 0,
        (Operator::Matches, _) => patterns.matches(wanted, value.as_str().unwrap_or_default())?,
        (Operator::Nil, _) => value.is_null(),
    };
    Ok(is != question.is_negated)
}
