//! `?filter=`: what an expression lets through of a list.
//!
//! One reader of expressions for both products, and for each the way in which its library asks them. Expressions are
//! bounded in length and depth; patterns are those of crate `regex`, which takes no longer than its input is long.

mod compare;
mod consul;
mod grammar;
mod nomad;
mod quoted;
mod record;
mod types;

#[cfg(test)]
mod tests;

use node::Kind;
use serde::Serialize;
use serde_json::Value;

use super::{Failure, Query};
use compare::Patterns;
use grammar::{Edition, Expression, Operator};
use types::{CONSUL, NOMAD, Types};

/// An expression about the structures of one list.
pub(crate) struct Filter {
    edition: Edition,
    types: &'static Types,
    root: &'static str,
    expression: Expression,
    patterns: Patterns,
}

impl Filter {
    /// What Nomad's servers answer to an expression that can't be read, and else the expression, if there is one.
    /// `root` is what they call the structures of the list.
    pub(crate) fn nomad(query: &Query, root: &'static str) -> Result<Option<Filter>, Failure> {
        let Some(text) = query.filled("filter") else { return Ok(None) };
        let filter = Filter::parse(Edition::Nomad, text, &NOMAD, root).map_err(|why| {
            let context = "failed to create result paginator: failed to read filter expression";
            Failure::invalid(format!("{context}: {why}"))
        })?;
        Ok(Some(filter))
    }

    /// The same for Consul's, which also refuse what can't be asked of the list.
    pub(crate) fn consul(query: &Query, root: &'static str) -> Result<Option<Filter>, Failure> {
        let Some(text) = query.filled("filter") else { return Ok(None) };
        let filter = Filter::parse(Edition::Consul, text, &CONSUL, root);
        let refuse = |why| format!("Failed to create boolean expression evaluator: {why}");
        Ok(Some(filter.map_err(|why| Failure::genuine(Kind::Invalid, refuse(why)))?))
    }

    fn parse(
        edition: Edition,
        text: &str,
        types: &'static Types,
        root: &'static str,
    ) -> Result<Filter, String> {
        let expression = grammar::parse(text, edition)?;
        let mut patterns = Patterns::default();
        collect(&expression, &mut patterns);
        if edition == Edition::Consul {
            consul::check(&expression, &patterns, types, root)?;
        }
        Ok(Filter { edition, types, root, expression, patterns })
    }

    /// Whether it lets a thing through, of which this is the JSON with the genuine names.
    fn ask(&self, datum: &Value) -> Result<bool, String> {
        let Filter { edition, types, root, expression, patterns } = self;
        match edition {
            Edition::Consul => consul::matches(expression, patterns, types, root, datum),
            Edition::Nomad => nomad::matches(expression, patterns, types, root, datum),
        }
    }

    fn passes(&self, datum: &Value) -> Result<bool, Failure> {
        self.ask(datum).map_err(|why| match self.edition {
            Edition::Consul => Failure::genuine(Kind::Invalid, why),
            Edition::Nomad => Failure::invalid(format!("failed to read result page: {why}")),
        })
    }

    /// Whether it lets a thing through that looks so in JSON.
    pub(crate) fn passes_shown(&self, thing: &impl Serialize) -> Result<bool, Failure> {
        self.passes(&serde_json::to_value(thing).unwrap_or_default())
    }

    /// Whether it lets a record through, these being its bytes.
    pub(crate) fn passes_record(&self, bytes: &[u8]) -> Result<bool, Failure> {
        self.passes(&record::json(bytes))
    }

    /// The same of a record whose fields are parted among structures: their names, and what is in each.
    pub(crate) fn passes_parted(&self, bytes: &[u8], parts: &[(&str, &[&str])]) -> Result<bool, Failure> {
        let mut whole = record::json(bytes);
        let mut part = |fields: &[&str]| -> Value {
            fields.iter().map(|name| ((*name).to_owned(), whole[*name].take())).collect()
        };
        let parted: Value = parts.iter().map(|(name, fields)| ((*name).to_owned(), part(fields))).collect();
        self.passes(&parted)
    }
}

/// Leaves out of a list what a filter does not let through.
pub(crate) fn kept<T>(
    filter: Option<&Filter>,
    list: Vec<T>,
    passes: impl Fn(&Filter, &T) -> Result<bool, Failure>,
) -> Result<Vec<T>, Failure> {
    let Some(filter) = filter else { return Ok(list) };
    let mut kept = Vec::with_capacity(list.len());
    for thing in list {
        if passes(filter, &thing)? {
            kept.push(thing);
        }
    }
    Ok(kept)
}

fn collect(expression: &Expression, patterns: &mut Patterns) {
    match expression {
        Expression::Not(operand) => collect(operand, patterns),
        Expression::And(operands) | Expression::Or(operands) => {
            operands.iter().for_each(|operand| collect(operand, patterns));
        }
        Expression::Match(question) if question.operator == Operator::Matches => {
            patterns.add(&question.value)
        }
        Expression::Match(_) => {}
        Expression::Each(each) => collect(&each.inner, patterns),
    }
}
