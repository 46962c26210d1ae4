//! What is wrong with a request as such, in the words of the genuine server
//! (`qdrant/qdrant:src/tonic/api/mod.rs`, `lib/collection/src/operations/validation.rs`).

use std::fmt::Debug;

use tonic::Status;

/// The result of everything that turns messages into requests: errors are `INVALID_ARGUMENT`.
pub(super) type Result<T> = std::result::Result<T, Status>;

/// The longest name of a collection, in characters.
const NAME_CHARS_MAX: usize = 255;

/// Collects the faults of one request, so that its client hears of all of them.
#[derive(Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    /// Begins with the one field that nearly all requests have: the name of an existing collection.
    pub(super) fn of(collection: &str) -> Faults {
        Faults::default().name("collection_name", collection)
    }

    /// A name of something that exists; what may be created is stricter, and not this layer's to know.
    fn name(mut self, field: &str, name: &str) -> Faults {
        if !(1..=NAME_CHARS_MAX).contains(&name.chars().count()) {
            self.add(field, format!("value {name:?} invalid, must be from 1 to {NAME_CHARS_MAX} characters"));
        }
        if let Some(bad) = name.chars().find(|c| ['/', '\0'].contains(c)) {
            self.add(field, format!("collection name cannot contain \"{bad}\" char"));
        }
        self
    }

    /// A number that is `min` or more, if it is there at all.
    pub(super) fn at_least<T: PartialOrd + Debug>(
        mut self,
        field: &str,
        value: impl Into<Option<T>>,
        min: T,
    ) -> Faults {
        if let Some(value) = value.into().filter(|value| *value < min) {
            self.add(field, format!("value {value:?} invalid, must be {min:?} or larger"));
        }
        self
    }

    /// A text or a list that is not empty.
    pub(super) fn filled(mut self, field: &str, length: usize) -> Faults {
        if length == 0 {
            self.add(field, "must be at least 1 characters".to_owned());
        }
        self
    }

    fn add(&mut self, field: &str, text: String) {
        self.0.push(format!("{field}: {text}"));
    }

    /// The refusal, if there was a fault.
    pub(super) fn check(self) -> Result<()> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(validation(&self.0.join("; "))),
        }
    }
}

/// The refusal of one field.
pub(super) fn fault(field: &str, text: impl std::fmt::Display) -> Status {
    validation(&format!("{field}: {text}"))
}

/// A number within bounds, if it is there at all; no number is within any.
pub(super) fn between<T: PartialOrd + Debug + Copy>(
    field: &str,
    value: Option<T>,
    min: T,
    max: T,
) -> Result<()> {
    match value {
        Some(value) if !(min <= value && value <= max) => {
            Err(fault(field, format!("value {value:?} invalid, must be from {min:?} to {max:?}")))
        }
        _ => Ok(()),
    }
}

/// A request that cannot be meant so, in a sentence of its own.
pub(super) fn invalid(text: impl Into<String>) -> Status {
    Status::invalid_argument(text)
}

/// What a message must have.
pub(super) fn required<T>(value: Option<T>, or: &str) -> Result<T> {
    value.ok_or_else(|| invalid(or))
}

/// Lists of messages, each turned by `turn`.
pub(super) fn all<A, B, C: FromIterator<B>>(list: Vec<A>, turn: impl FnMut(A) -> Result<B>) -> Result<C> {
    list.into_iter().map(turn).collect()
}

fn validation(faults: &str) -> Status {
    invalid(format!("Validation error in body: [{faults}]"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn every_fault_is_told() {
        let faults = Faults::of("").at_least("limit", 0, 1).at_least("timeout", Some(0u64), 1);
        assert_eq!(
            faults.check().unwrap_err().message(),
            "Validation error in body: [collection_name: value \"\" invalid, must be from 1 to 255 characters; \
             limit: value 0 invalid, must be 1 or larger; timeout: value 0 invalid, must be 1 or larger]",
        );
        assert!(Faults::of("a b").at_least("timeout", None::<u64>, 1).check().is_ok());
        assert!(Faults::of("a/b").check().is_err());
    }

    #[test]
    fn what_is_no_number_is_not_between() {
        assert!(between("x", Some(f64::NAN), 0.0, 1.0).is_err());
        assert!(between("x", None::<f64>, 0.0, 1.0).is_ok());
        let error = between("quantile", Some(0.25_f32), 0.5, 1.0).unwrap_err();
        assert_eq!(
            error.message(),
            "Validation error in body: [quantile: value 0.25 invalid, must be from 0.5 to 1.0]"
        );
    }
}
