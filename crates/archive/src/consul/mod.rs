//! What is inside Consul's `state.bin`: a header, then typed records, each one msgpack value.
//!
//! `hashicorp/consul:agent/consul/fsm/snapshot.go` is what the framing matches; the records themselves
//! are kept as the bytes they are, and only as much of them is understood as a use here asks for.

mod records;

pub mod kinds;

mod structure;

mod entries;
mod registration;
mod service;

mod acl;

mod identity;
mod protobuf;

mod verify;

pub mod inspect;

use std::io;

pub use acl::{
    AclPolicy, AclRole, AclToken, Link, NodeIdentity, ServiceIdentity, TemplateVariables, TemplatedPolicy,
};
pub use entries::{DirEntry, IndexEntry, ServiceCheck, Session};
pub use identity::{Id, identity};
pub use records::{Record, Records, write_header, write_record};
pub use registration::{Check, Definition, Node, Registration};
pub use service::{
    AccessLogs, Connect, Expose, ExposePath, Locality, MeshGateway, Proxy, Service, ServiceAddress,
    TransparentProxy, Upstream, Weights,
};
pub use structure::Opaque;
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
    /// The header is not a map that may hold `LastIndex`.
    #[error("decode the state's header")]
    Header(#[source] msgpack::Error),
    /// A record is damaged, or not what its type says.
    #[error("decode the {} record at byte {offset}", kinds::name(*.kind))]
    Record {
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
    #[error("a second {} record at byte {offset}{}", kinds::name(*.kind), about(*.kind, id))]
    Duplicate {
        /// The type of both.
        kind: u8,
        /// Where the second begins.
        offset: u64,
        /// What both are about.
        id: Id,
    },
}

/// What a message says of a record's id. A token without accessor has its secret for one.
fn about(kind: u8, id: &Id) -> String {
    if kind == kinds::ACL_TOKEN { String::new() } else { format!(" for {id}") }
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
    /// Its namespace or partition could not be part of an id.
    #[error("an impossible namespace or partition")]
    Tenancy,
    /// Another number of coordinates than the one that snapshots hold.
    #[error("{0} coordinates in one record")]
    Coordinates(usize),
}
