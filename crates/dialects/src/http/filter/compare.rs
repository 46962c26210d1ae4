//! What both editions have in common: comparing a value with that of an expression.

use std::collections::HashMap;
use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::quoted;
use super::types::Type;

/// A pattern may not take more memory than this.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// The patterns of an expression, compiled once.
#[derive(Default)]
pub(super) struct Patterns(HashMap<String, OnceLock<Result<Regex, String>>>);

impl Patterns {
    /// Makes room for a pattern.
    pub(super) fn add(&mut self, pattern: &str) {
        self.0.entry(pattern.to_owned()).or_default();
    }

    /// Whether the pattern, which was added, is found in a text.
    pub(super) fn matches(&self, pattern: &str, text: &str) -> Result<bool, String> {
        let regex = self.compiled(pattern).as_ref().map_err(Clone::clone)?;
        Ok(regex.is_match(text))
    }

    pub(super) fn compiled(&self, pattern: &str) -> &Result<Regex, String> {
        self.0[pattern].get_or_init(|| {
            let built = RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build();
            // The other library's sentence spreads over several lines; its last one says what is wrong.
            built.map_err(|error| {
                let text = error.to_string();
                text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
            })
        })
    }
}

/// Whether a value of a type is the one that a text says; `None` for types that are not compared.
pub(super) fn equal(kind: &Type, value: &Value, text: &str) -> Option<Result<bool, String>> {
    Some(match kind {
        Type::Bool => quoted::boolean(text).map(|wanted| value.as_bool().unwrap_or_default() == wanted),
        Type::Int => quoted::signed(text).map(|wanted| value.as_i64().unwrap_or_default() == wanted),
        Type::Uint => quoted::unsigned(text).map(|wanted| value.as_u64().unwrap_or_default() == wanted),
        #[expect(clippy::float_cmp, reason = "equal is what was asked")]
        Type::Float => quoted::float(text).map(|wanted| value.as_f64().unwrap_or_default() == wanted),
        Type::Text => Ok(value.as_str().unwrap_or_default() == text),
        _ => return None,
    })
}

/// Whether a text says a value of that type at all.
pub(super) fn coerce(kind: &Type, text: &str) -> Result<(), String> {
    equal(kind, &Value::Null, text).map_or(Ok(()), |compared| compared.map(drop))
}

/// How much is in a value; nothing in what is nil. `None` for types in which nothing can be.
pub(super) fn length(kind: &Type, value: &Value) -> Option<usize> {
    match kind {
        Type::List(_) => Some(value.as_array().map_or(0, Vec::len)),
        Type::Map(_) => Some(value.as_object().map_or(0, serde_json::Map::len)),
        Type::Text | Type::Bytes => Some(value.as_str().map_or(0, str::len)),
        _ => None,
    }
}

/// The items of a list.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
