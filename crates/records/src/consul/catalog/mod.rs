//! The catalog: nodes, their services and checks. What is there, and how it is stored.
//!
//! Follows `hashicorp/consul:agent/consul/state/{catalog,catalog_ce}.go`. A node, each of its services and each
//! of its checks is a record; all of them repeat what is known of the node.

pub(super) mod check;
pub(super) mod names;
pub(super) mod node;
pub(super) mod ops;
pub(super) mod query;
pub(super) mod refusal;
pub(super) mod register;
pub(super) mod service;
mod validate;
pub(super) mod virtual_ip;

use archive::consul::{Check, Node, Registration, Service};
use bytes::Bytes;

use super::layout::{self, REGISTER};
use super::lookups::{self, Tag, is_plain};
use super::refusal::Failure;
use crate::key::id_of;
use crate::{Error, Read, Txn, error};
use ops::Verb;
use refusal::Refusal;

/// A record of the catalog as it is stored.
pub(super) struct Stored {
    id: Bytes,
    bytes: Bytes,
    registration: Registration,
}

/// The node called `name`.
pub(super) fn node(read: &dyn Read, name: &str) -> Result<Option<Node>, Error> {
    if !is_plain(name) {
        return Ok(None);
    }
    let id = Node::record_id(name);
    let bytes = match read.get(REGISTER, &id)? {
        Some(bytes) => Some(bytes),
        // An archive may hold a node's parts without the node itself: they tell of it, too.
        None => {
            let part = read.scan(REGISTER, &[&id[..], b"\0"].concat()).next().transpose()?;
            part.map(|(_, bytes)| bytes)
        }
    };
    bytes.map(|bytes| Node::decode(&bytes).map_err(damaged)).transpose()
}

/// The node with this UUID.
pub(super) fn node_with_id(read: &dyn Read, uuid: &str) -> Result<Option<Node>, Error> {
    match lookups::from(read, Tag::NodeWithId, &[&lookups::uuid_digits(uuid)])?.first() {
        Some(id) => Ok(stored(read, id)?.map(|stored| stored.registration.node)),
        None => Ok(None),
    }
}

/// The service `id` of a node.
pub(super) fn service(read: &dyn Read, node: &str, id: &str) -> Result<Option<Service>, Error> {
    Ok(stored_part(read, node, Service::record_prefix, id)?.and_then(|stored| stored.registration.service))
}

/// The check `id` of a node.
pub(super) fn check(read: &dyn Read, node: &str, id: &str) -> Result<Option<Check>, Error> {
    Ok(stored_part(read, node, Check::record_prefix, id)?.and_then(|stored| stored.registration.check))
}

/// Every service of a node.
pub(super) fn services(read: &dyn Read, node: &str) -> Result<Vec<Service>, Error> {
    let registrations = parts(read, node, Service::record_prefix)?.into_iter();
    Ok(registrations.filter_map(|stored| stored.registration.service).collect())
}

/// Every check of a node.
pub(super) fn checks(read: &dyn Read, node: &str) -> Result<Vec<Check>, Error> {
    let registrations = parts(read, node, Check::record_prefix)?.into_iter();
    Ok(registrations.filter_map(|stored| stored.registration.check).collect())
}

/// Which of a node's parts: services or checks.
type Part = fn(&str) -> Vec<u8>;

fn parts(read: &dyn Read, node: &str, part: Part) -> Result<Vec<Stored>, Error> {
    if !is_plain(node) {
        return Ok(Vec::new());
    }
    let prefix = part(node);
    let decode = |entry: Result<(Bytes, Bytes), Error>| {
        let (id, bytes) = entry?;
        Stored::decode([&prefix[..], &id[prefix.len()..]].concat().into(), bytes)
    };
    read.scan(REGISTER, &prefix).map(decode).collect()
}

fn stored_part(read: &dyn Read, node: &str, part: Part, id: &str) -> Result<Option<Stored>, Error> {
    if !is_plain(node) || id.contains('\0') {
        return Ok(None);
    }
    stored(read, &[&part(node)[..], id.as_bytes()].concat())
}

fn stored(read: &dyn Read, id: &[u8]) -> Result<Option<Stored>, Error> {
    match lookups::named(read, REGISTER, id)? {
        Some((id, bytes)) => Stored::decode(id, bytes).map(Some),
        None => Ok(None),
    }
}

impl Stored {
    fn decode(id: Bytes, bytes: Bytes) -> Result<Stored, Error> {
        let registration = Registration::decode(&bytes).map_err(damaged)?;
        Ok(Stored { id, bytes, registration })
    }
}

/// Stores a registration, in place of `before` if there is one: what did not change keeps its bytes, and
/// fields we don't know stay.
fn store(txn: &mut Txn<'_>, before: Option<&Stored>, registration: &Registration) -> Result<(), Failure> {
    let bytes = match before {
        Some(before) => registration.encode_over(&before.bytes),
        None => registration.encode(),
    };
    let key = layout::storable(REGISTER, &bytes).map_err(Refusal::Unstorable)?;
    let id = id_of(&key.0);
    if let Some(before) = before
        && before.id != id
    {
        txn.remove(REGISTER, &before.id)?;
    }
    Ok(txn.put(REGISTER, id, bytes.into())?)
}

fn damaged(error: impl ToString) -> Error {
    error::stored("registration", error)
}
