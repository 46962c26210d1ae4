//! What breaks a rule, in the words of genuine servers.
//!
//! Follows `qdrant/qdrant:lib/collection/src/operations/validation.rs` and `src/actix/mod.rs`.

use serde_json::Value;
use validator::{Validate, ValidationError, ValidationErrors, ValidationErrorsKind};

use super::failure::Failure;

/// Refuses what breaks a rule; `place` is `JSON body`, `query parameters` or `path parameters`.
pub(super) fn check(place: &str, value: &impl Validate) -> Result<(), Failure> {
    value.validate().map_err(|errors| refuse(place, &errors))
}

/// The refusal of broken rules.
pub(super) fn refuse(place: &str, errors: &ValidationErrors) -> Failure {
    Failure::unprocessable(format!("Validation error in {place}: [{}]", list(errors)))
}

/// One broken rule of one field.
pub(super) fn error_of(field: &'static str, message: impl Into<String>) -> ValidationErrors {
    let mut errors = ValidationErrors::new();
    errors.add(field, ValidationError::new("rule").with_message(message.into().into()));
    errors
}

/// The broken rules of a field's value.
pub(super) fn field(name: &'static str, value: Result<(), ValidationErrors>) -> Result<(), ValidationErrors> {
    let mut errors = ValidationErrors::new();
    errors.merge_self(name, value);
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// All broken rules of things whose fields stand side by side.
pub(super) fn together(
    parts: impl IntoIterator<Item = Result<(), ValidationErrors>>,
) -> Result<(), ValidationErrors> {
    let mut all = ValidationErrors::new();
    for errors in parts.into_iter().filter_map(Result::err) {
        all.errors_mut().extend(errors.into_errors());
    }
    if all.is_empty() { Ok(()) } else { Err(all) }
}

/// All broken rules, each after the path of its field, in the order of the paths.
fn list(errors: &ValidationErrors) -> String {
    let mut found = Vec::new();
    walk(errors, "", &mut found);
    found.sort();
    let lines = found.into_iter().map(|(path, message)| format!("{path}: {message}"));
    lines.collect::<Vec<_>>().join("; ")
}

fn walk(errors: &ValidationErrors, above: &str, found: &mut Vec<(String, String)>) {
    for (field, kind) in errors.errors() {
        let path = if above.is_empty() { field.to_string() } else { format!("{above}.{field}") };
        match kind {
            ValidationErrorsKind::Field(errors) => {
                found.extend(errors.iter().map(|error| (path.clone(), describe(error))));
            }
            ValidationErrorsKind::Struct(errors) => walk(errors, &path, found),
            ValidationErrorsKind::List(items) => {
                for (index, errors) in items {
                    walk(errors, &format!("{path}[{index}]"), found);
                }
            }
        }
    }
}

fn describe(error: &ValidationError) -> String {
    if let Some(message) = &error.message {
        return message.to_string();
    }
    let param = |name| error.params.get(name);
    if let Some(Value::String(message)) = param("message") {
        return message.clone();
    }
    let rule = match error.code.as_ref() {
        "range" => match (param("min"), param("max")) {
            (Some(min), None) => Some(format!("must be {min} or larger")),
            (Some(min), Some(max)) => Some(format!("must be from {min} to {max}")),
            (None, Some(max)) => Some(format!("must be {max} or smaller")),
            (None, None) => None,
        },
        "length" => match (param("equal"), param("min"), param("max")) {
            (Some(equal), _, _) => Some(format!("must be exactly {equal} characters")),
            (None, Some(min), None) => Some(format!("must be at least {min} characters")),
            (None, Some(min), Some(max)) => Some(format!("must be from {min} to {max} characters")),
            (None, None, Some(max)) => Some(format!("must be at most {max} characters")),
            (None, None, None) => None,
        },
        "not_empty" => return "value invalid, must not be empty".to_owned(),
        "closed_line" | "closed_polygon" => {
            let rule = "the first and the last points should be same to form a closed line";
            return format!("value invalid, {rule}");
        }
        "min_line_length" | "min_polygon_length" => match (param("min_length"), param("length")) {
            (Some(min), Some(length)) => {
                return format!("value invalid, the size must be at least {min}, got {length}");
            }
            _ => None,
        },
        _ => None,
    };
    match (rule, param("value")) {
        (Some(rule), Some(value)) => format!("value {value} invalid, {rule}"),
        (Some(rule), None) => rule,
        (None, _) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Validate)]
    struct Item {
        #[validate(range(min = 1))]
        count: usize,
        #[validate(length(min = 1, max = 3))]
        name: String,
    }

    #[derive(Validate)]
    struct Outer {
        #[validate(nested)]
        items: Vec<Item>,
    }

    #[test]
    fn every_broken_rule_is_told_with_its_path() {
        let item = |count, name: &str| Item { count, name: name.into() };
        let outer = Outer { items: vec![item(1, "a"), item(0, "b"), item(2, "long")] };
        assert_eq!(
            list(&outer.validate().unwrap_err()),
            "items[1].count: value 0 invalid, must be 1 or larger; \
             items[2].name: value \"long\" invalid, must be from 1 to 3 characters"
        );
    }
}
