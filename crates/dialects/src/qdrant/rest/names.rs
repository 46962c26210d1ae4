//! How collections may be called.
//!
//! Follows `qdrant/qdrant:src/actix/api/mod.rs` and `lib/common/common/src/validation.rs`.

use node::points::config::check_name;

use super::failure::Failure;

const LENGTH_MAX: usize = 255;

/// Vets the name of a collection in a path, if there is one. Of old ones little is asked.
pub(super) fn check_path(name: Option<&str>) -> Result<(), Failure> {
    let Some(name) = name else { return Ok(()) };
    let broken = if !(1..=LENGTH_MAX).contains(&name.chars().count()) {
        format!("value {name:?} invalid, must be from 1 to {LENGTH_MAX} characters")
    } else if let Some(found) = name.chars().find(|char| matches!(char, '/' | '\0')) {
        format!("collection name cannot contain \"{found}\" char")
    } else if matches!(name, "." | "..") {
        format!("collection name cannot be {name:?}, it is used as a directory name on disk")
    } else {
        return Ok(());
    };
    Err(refuse(&format!("[name: {broken}]")))
}

/// Vets the name that a new collection is to have.
pub(super) fn check_new(name: &str) -> Result<(), Failure> {
    check_name(name).map_err(|error| refuse(&error.text))
}

fn refuse(broken: &str) -> Failure {
    Failure::unprocessable(format!("Validation error in path parameters: {broken}"))
}
