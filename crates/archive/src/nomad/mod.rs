//! Nomad's records: their types and what each is about (`hashicorp/nomad:nomad/fsm.go`). Framing and checks are
//! [`crate::state`]'s; the format is described in `docs/formats/nomad.md`.

pub mod kinds;

mod identity;

use std::io::Read;

pub use identity::identity;

use crate::state::{self, Error, Fault, Id, Options, Product, Verdict};

/// Reads an archive of Nomad's to its end, see [`state::verify`].
pub fn verify(archive: impl Read, options: Options) -> Result<Verdict, Error> {
    state::verify(archive, Some(Product::Nomad), options)
}

/// Decodes the record as far as its structure is known and says what it is about.
pub(crate) fn decode(kind: u8, bytes: &[u8]) -> Result<Id, Fault> {
    identity(kind, bytes)
}
