//! Consul's records: their types, what each is about, and the fields of those that are served
//! (`hashicorp/consul:agent/consul/fsm/snapshot.go`). Framing and checks are [`crate::state`]'s.

pub mod kinds;

mod entries;
mod registration;
mod service;

mod acl;

mod identity;
mod protobuf;

use std::io::{self, Read, Write};

pub use acl::{
    AclPolicy, AclRole, AclToken, Link, NodeIdentity, ServiceIdentity, TemplateVariables, TemplatedPolicy,
};
pub use entries::{DirEntry, IndexEntry, ServiceCheck, Session};
pub use identity::identity;
pub use registration::{Check, Definition, Node, Registration};
pub use service::{
    AccessLogs, Connect, Expose, ExposePath, Locality, MeshGateway, Proxy, Service, ServiceAddress,
    TransparentProxy, Upstream, Weights,
};

pub use crate::state::{
    Checker, Count, Error, Fault, Id, Opaque, Options, Record, Records, Seen, Verdict, inspect, write_record,
};

use crate::state::{self, Product};

/// Reads an archive of Consul's to its end, see [`state::verify`].
pub fn verify(archive: impl Read, options: Options) -> Result<Verdict, Error> {
    state::verify(archive, Some(Product::Consul), options)
}

/// Writes the header of a state whose last change had index `last_index`.
pub fn write_header(out: &mut impl Write, last_index: u64) -> io::Result<()> {
    Product::Consul.write_header(out, last_index)
}

/// Decodes the record as far as its structure is known and says what it is about.
pub(crate) fn decode(kind: u8, bytes: &[u8]) -> Result<Id, Fault> {
    match kind {
        kinds::KVS | kinds::TOMBSTONE => DirEntry::decode(bytes).map(drop)?,
        kinds::SESSION => Session::decode(bytes).map(drop)?,
        kinds::INDEX => IndexEntry::decode(bytes).map(drop)?,
        kinds::REGISTER => Registration::decode(bytes).map(drop)?,
        kinds::ACL_TOKEN => AclToken::decode(bytes).map(drop)?,
        kinds::ACL_POLICY => AclPolicy::decode(bytes).map(drop)?,
        kinds::ACL_ROLE => AclRole::decode(bytes).map(drop)?,
        _ => {}
    }
    identity(kind, bytes)
}
