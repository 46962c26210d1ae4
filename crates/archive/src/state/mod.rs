//! What is inside `state.bin`, whoever's it is: a header, then typed records, each one msgpack value.
//!
//! Products differ in their header, in the types they have and in what tells two records of a type apart
//! ([`Product`]). The records themselves are kept as the bytes they are, and only as much of them is understood
//! as a use here asks for.

mod product;

mod records;

pub(crate) mod id;
pub(crate) mod order;

pub(crate) mod structure;

mod verify;

pub mod inspect;

use std::io;

pub use id::Id;
pub use product::Product;
pub use records::{Record, Records, write_record};
pub use structure::{Bytes, Opaque};
pub use verify::{Checker, Count, Options, Seen, Verdict, verify};

use crate::{hashicorp, msgpack};

/// Why a state is refused. Offsets count bytes of `state.bin`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The archive around the state is damaged, whatever the state looks like.
    #[error(transparent)]
    Archive(hashicorp::Error),
    /// The bytes could not be had; nothing is known about the state.
    #[error("read the state")]
    Io(#[source] io::Error),
    /// The header is not a map as a product writes it.
    #[error("decode the state's header")]
    Header(#[source] msgpack::Error),
    /// The header is a map that no product writes.
    #[error("the state's header is neither Consul's nor Nomad's")]
    UnknownProduct,
    /// The state of another product than the one that was wanted.
    #[error("this is a snapshot of {found}, not of {wanted}")]
    WrongProduct {
        /// Whose state was wanted.
        wanted: Product,
        /// Whose state it is.
        found: Product,
    },
    /// A record is damaged, or not what its type says.
    #[error("decode the {} record at byte {offset}", product.kind_name(*.kind))]
    Record {
        /// Whose record it is.
        product: Product,
        /// The record's type.
        kind: u8,
        /// Where the record begins.
        offset: u64,
        /// What is wrong with it.
        source: Fault,
    },
    /// A record of a type that we don't know, or that no snapshot holds.
    #[error("record type {kind} at byte {offset} is not known")]
    UnknownKind {
        /// The type.
        kind: u8,
        /// Where the record begins.
        offset: u64,
    },
    /// A second record about the same thing.
    #[error("a second {} record at byte {offset}{}", product.kind_name(*.kind), about(*.product, *.kind, id))]
    Duplicate {
        /// Whose records they are.
        product: Product,
        /// The type of both.
        kind: u8,
        /// Where the second begins.
        offset: u64,
        /// What both are about.
        id: Id,
    },
}

/// What a message says of a record's id.
fn about(product: Product, kind: u8, id: &Id) -> String {
    if product.id_may_be_secret(kind) { String::new() } else { format!(" for {id}") }
}

impl From<hashicorp::Error> for Error {
    /// Tells a damaged archive from a source that failed.
    fn from(error: hashicorp::Error) -> Error {
        match error {
            hashicorp::Error::Io(error) => Error::Io(error),
            archive => Error::Archive(archive),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        hashicorp::Error::from_io(error).into()
    }
}

/// What is wrong with one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not the msgpack value it should be.
    #[error(transparent)]
    Msgpack(#[from] msgpack::Error),
    /// The protobuf message in it is damaged.
    #[error("invalid protobuf at byte {0} of the message")]
    Protobuf(usize),
    /// A part of its id holds a zero byte, which separates the parts.
    #[error("a zero byte in the record's id")]
    ZeroByteInId,
    /// A field that is part of its id is missing or empty.
    #[error("no {0}, which tells records of this type apart")]
    NoId(&'static str),
    /// Its namespace or partition could not be part of an id.
    #[error("an impossible namespace or partition")]
    Tenancy,
    /// Another number of coordinates than the one that snapshots hold.
    #[error("{0} coordinates in one record")]
    Coordinates(usize),
}
