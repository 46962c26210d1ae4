//! What the commands do with Qdrant's archives, beside what they do with all.

mod archive;
mod check;
mod inspect;
mod restore;

use ::archive::qdrant::Kind;

use crate::exit::Failure;

use self::archive::Archive;
pub(super) use self::archive::{verify, verify_source};
pub(super) use self::check::{Report as Checked, check};
pub(super) use self::inspect::{json, pretty};
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

/// What to call an archive of a sort.
fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Full => "full snapshot",
        Kind::Collection => "snapshot of a collection",
        Kind::Shard => "snapshot of a shard",
    }
}

/// The name of something as that of a file in the current directory.
pub(super) fn file_name(name: &str) -> String {
    name.replace(['/', '\\'], "-")
}
