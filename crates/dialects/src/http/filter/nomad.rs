//! Expressions as Nomad evaluates them: whatever is wrong with one shows when it meets a value.
//!
//! Follows `hashicorp/go-bexpr:evaluate.go` of 0.1.16 and `mitchellh/pointerstructure:get.go`.

use serde_json::Value;

use super::compare::{Patterns, equal, items, length};
use super::grammar::{Each, Expression, Match, Names, Operator};
use super::types::{Type, Types};

/// Whether a value of the structure `root` is what the expression asks for.
pub(super) fn matches(
    expression: &Expression,
    patterns: &Patterns,
    types: &Types,
    root: &'static str,
    datum: &Value,
) -> Result<bool, String> {
    Evaluation { patterns, types, root, datum }.evaluate(expression, &mut Vec::new())
}

struct Evaluation<'a> {
    patterns: &'a Patterns,
    types: &'a Types,
    root: &'static str,
    datum: &'a Value,
}

/// What an expression calls a thing in a list or map.
struct Local<'e> {
    name: &'e str,
    is: Named,
}

enum Named {
    /// The thing at this path.
    At(Vec<String>),
    /// A key.
    Key(String),
    /// A place.
    Place(usize),
}

/// A value with its type.
struct Found<'a> {
    kind: Type,
    value: std::borrow::Cow<'a, Value>,
}

static NULL: Value = Value::Null;

impl<'a> Evaluation<'a> {
    fn evaluate<'e>(&self, expression: &'e Expression, locals: &mut Vec<Local<'e>>) -> Result<bool, String> {
        match expression {
            Expression::Not(operand) => self.evaluate(operand, locals).map(|is| !is),
            Expression::And(operands) => {
                for operand in operands {
                    if !self.evaluate(operand, locals)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Expression::Or(operands) => {
                for operand in operands {
                    if self.evaluate(operand, locals)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Expression::Match(question) => self.one(question, locals),
            Expression::Each(question) => self.each(question, locals),
        }
    }

    fn one(&self, question: &Match, locals: &[Local<'_>]) -> Result<bool, String> {
        let is = match self.find(&question.selector.path, locals)? {
            // Nothing is in what is not there, and nothing is equal to it.
            None => matches!(question.operator, Operator::Empty | Operator::Nil),
            Some(Found { kind, value }) => self.ask(question, &kind, &value)?,
        };
        Ok(is != question.is_negated)
    }

    fn ask(&self, question: &Match, kind: &Type, value: &Value) -> Result<bool, String> {
        let Match { selector, operator, value: wanted, .. } = question;
        let selector = selector.to_string();
        let impossible = |what: &str| {
            format!("cannot perform {what} operations on type {} for selector: {selector:?}", kind.kind())
        };
        let coerced = |is: Result<bool, String>| {
            is.map_err(|why| format!("error getting match value in expression: {why}"))
        };
        match operator {
            Operator::Equal => {
                let compared = equal(kind, value, wanted);
                coerced(compared.ok_or("unable to find suitable primitive comparison function for matching")?)
            }
            Operator::In => match kind {
                Type::Map(_) => Ok(value.as_object().is_some_and(|map| map.contains_key(wanted))),
                Type::Text => Ok(value.as_str().unwrap_or_default().contains(wanted.as_str())),
                Type::List(item) => is_among(item, items(value), wanted),
                _ => {
                    equal(kind, value, wanted).map_or(Ok(false), coerced)?;
                    Err(impossible("in/contains"))
                }
            },
            Operator::Empty => Ok(length(kind, value).ok_or_else(|| impossible("is-empty"))? == 0),
            Operator::Matches => match kind {
                Type::Text | Type::Bytes => {
                    let matched = self.patterns.matches(wanted, value.as_str().unwrap_or_default());
                    matched.map_err(|why| format!("failed to compile regular expression {wanted:?}: {why}"))
                }
                _ => Err(format!("value of type {} is not convertible to []byte", kind.kind())),
            },
            Operator::Nil => match kind {
                Type::List(_) | Type::Map(_) | Type::Bytes | Type::Odd => Ok(value.is_null()),
                Type::Struct(_) => Ok(false),
                _ => Err(impossible("is-nil")),
            },
        }
    }

    fn each<'e>(&self, question: &'e Each, locals: &mut Vec<Local<'e>>) -> Result<bool, String> {
        let Each { is_all, selector, names, inner } = question;
        let Some(found) = self.find_raw(&selector.path, locals)? else { return Ok(*is_all) };
        let path = |last: String| {
            let mut path = selector.path.clone();
            path.push(last);
            path
        };
        let kind = if found.kind == Type::Any { dynamic(&found.value) } else { found.kind.clone() };
        let things: Vec<(String, Option<usize>)> = match kind {
            Type::List(_) => {
                (0..items(&found.value).len()).map(|place| (place.to_string(), Some(place))).collect()
            }
            Type::Map(_) => {
                found.value.as_object().into_iter().flatten().map(|(key, _)| (key.clone(), None)).collect()
            }
            _ => return Err(format!("{selector} is not a list or a map")),
        };
        for (last, place) in things {
            let known = locals.len();
            let index = || match place {
                Some(place) => Named::Place(place),
                None => Named::Key(last.clone()),
            };
            match names {
                Names::Default(name) if place.is_some() => {
                    locals.push(Local { name, is: Named::At(path(last.clone())) });
                }
                Names::Default(name) | Names::Index(name) => locals.push(Local { name, is: index() }),
                Names::Value(name) => locals.push(Local { name, is: Named::At(path(last.clone())) }),
                Names::Both { index, value } if index == value => {
                    return Err(format!(
                        "{index:?} cannot be used as a placeholder for both the index and the value"
                    ));
                }
                Names::Both { index: name, value } => {
                    locals.push(Local { name, is: index() });
                    locals.push(Local { name: value, is: Named::At(path(last.clone())) });
                }
            }
            let is = self.evaluate(inner, locals);
            locals.truncate(known);
            match is? {
                is if is != *is_all => return Ok(is),
                _ => {}
            }
        }
        Ok(*is_all)
    }

    /// The value at a path, whatever points to it; `None` where a map lacks the last key.
    fn find(&self, path: &[String], locals: &[Local<'_>]) -> Result<Option<Found<'a>>, String> {
        let Some(found) = self.find_raw(path, locals)? else { return Ok(None) };
        Ok(Some(match found.kind {
            Type::Pointer(_) if found.value.is_null() => Found { kind: Type::Odd, ..found },
            Type::Pointer(inner) => Found { kind: *inner, ..found },
            Type::Any => Found { kind: dynamic(&found.value), ..found },
            _ => found,
        }))
    }

    fn find_raw(&self, path: &[String], locals: &[Local<'_>]) -> Result<Option<Found<'a>>, String> {
        let mut path = path.to_vec();
        for local in locals.iter().rev() {
            if path[0] != local.name {
                continue;
            }
            let (kind, value, said) = match &local.is {
                Named::At(prefix) => {
                    path.splice(..1, prefix.iter().cloned());
                    continue;
                }
                Named::Key(key) => (Type::Text, Value::from(key.as_str()), "string"),
                Named::Place(place) => (Type::Int, Value::from(*place), "int"),
            };
            if path.len() > 1 {
                return Err(format!("/{} references a {said} so {} is invalid", local.name, shown(&path)));
            }
            return Ok(Some(Found { kind, value: std::borrow::Cow::Owned(value) }));
        }
        self.walk(&path).map_err(|why| format!("error finding value in datum: {why}"))
    }

    fn walk(&self, path: &[String]) -> Result<Option<Found<'a>>, String> {
        let (mut kind, mut value) = (Type::Struct(self.root), self.datum);
        for (place, part) in path.iter().enumerate() {
            loop {
                kind = match kind {
                    Type::Pointer(_) if value.is_null() => Type::Odd,
                    Type::Pointer(inner) => *inner,
                    Type::Any => dynamic(value),
                    _ => break,
                };
            }
            let wrong = |why: String| format!("{} at part {place}: {why}", shown(path));
            (kind, value) = match kind {
                Type::Struct(name) => {
                    let missing = || wrong(format!("couldn't find key: struct field with name {part:?}"));
                    (
                        self.types.field(name, part).ok_or_else(missing)?.clone(),
                        value.get(part).unwrap_or(&NULL),
                    )
                }
                Type::Map(inner) => match value.get(part) {
                    Some(value) => (*inner, value),
                    None if place + 1 == path.len() => return Ok(None),
                    None => return Err(wrong(format!("couldn't find key {part:?}"))),
                },
                Type::List(inner) => {
                    let index: usize = part
                        .parse()
                        .map_err(|_| wrong(format!("couldn't convert value {part:?} to type int")))?;
                    let length = items(value).len();
                    let outside = || wrong(format!("index {index} is out of range (length = {length})"));
                    (*inner, items(value).get(index).ok_or_else(outside)?)
                }
                other => {
                    let kind = other.kind();
                    return Err(format!("{}: at part {place}, invalid value kind: {kind}", shown(path)));
                }
            };
        }
        Ok(Some(Found { kind, value: std::borrow::Cow::Borrowed(value) }))
    }
}

/// Whether a list has an item that a text says.
fn is_among(kind: &Type, items: &[Value], wanted: &str) -> Result<bool, String> {
    let kind = match kind {
        Type::Pointer(inner) => inner,
        kind => kind,
    };
    if !matches!(kind, Type::Any) {
        // Even for an empty list the text has to be of the right type.
        is_said(kind, &NULL, wanted)?
            .map_err(|why| format!("error getting match value in expression: {why}"))?;
    }
    for item in items {
        let is = match kind {
            // Of a list of anything the rest may be of another type.
            Type::Any => is_said(&dynamic(item), item, wanted)?.unwrap_or(false),
            kind => is_said(kind, item, wanted)? == Ok(true),
        };
        if is {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_said(kind: &Type, item: &Value, wanted: &str) -> Result<Result<bool, String>, &'static str> {
    equal(kind, item, wanted)
        .ok_or("unable to find suitable primitive comparison function for \"in\" comparison")
}

/// The type of what could be anything.
fn dynamic(value: &Value) -> Type {
    match value {
        Value::Null => Type::Odd,
        Value::Bool(_) => Type::Bool,
        Value::Number(number) if number.is_i64() => Type::Int,
        Value::Number(number) if number.is_u64() => Type::Uint,
        Value::Number(_) => Type::Float,
        Value::String(_) => Type::Text,
        Value::Array(_) => Type::List(Box::new(Type::Any)),
        Value::Object(_) => Type::Map(Box::new(Type::Any)),
    }
}

/// A path as genuine errors show it.
fn shown(path: &[String]) -> String {
    path.iter().map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1"))).collect()
}
