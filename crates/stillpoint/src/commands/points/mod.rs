//! What the commands do with Qdrant's archives, beside what they do with all.

mod archive;
mod restore;

use crate::exit::Failure;

use self::archive::Archive;
pub(super) use self::archive::{verify, verify_source};
pub(super) use self::restore::restore;

/// Fails if one of these arguments was given: they mean nothing here.
pub(super) fn refuse(what: &str, arguments: &[(&str, bool)]) -> Result<(), Failure> {
    match arguments.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => {
            Err(Failure::usage(format!("{name} means nothing for {what}")).hint("leave it out"))
        }
        None => Ok(()),
    }
}

/// The name of something as that of a file in the current directory.
pub(super) fn file_name(name: &str) -> String {
    name.replace(['/', '\\'], "-")
}
