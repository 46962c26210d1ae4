//! Changes to nodes: who may have which name and UUID, and what goes with a node.
//!
//! Follows `hashicorp/consul:agent/consul/state/catalog.go`, `ensureNodeTxn` and `deleteNodeTxn`.

use archive::consul::{Check, Node, Registration, Service};

use super::refusal::{Refusal, quoted};
use super::{Stored, Verb, check, names, ops::NodeOp, parts, service, store, stored};
use crate::consul::layout::{COORDINATE, REGISTER};
use crate::consul::lookups::{self, Tag, fold};
use crate::consul::refusal::Failure;
use crate::consul::{indexes, session};
use crate::{Error, Read, Txn};

/// The check by which a cluster's members vouch for each other.
const SERF_HEALTH: &str = "serfHealth";

/// Carries out an operation of a transaction. Returns the node as it now stands, or nothing after a removal.
pub(in crate::consul) fn apply(txn: &mut Txn<'_>, op: &NodeOp) -> Result<Option<Node>, Failure> {
    let (name, index) = (op.node.node.as_str(), op.node.modify_index);
    match op.verb {
        Verb::Get => return found(txn, &op.node).map(Some),
        Verb::Cas if !is_current(txn, name, index)? => return Err(Refusal::StaleNode(quoted(name)).into()),
        Verb::Set | Verb::Cas => ensure(txn, op.node.clone())?,
        Verb::Delete => return delete(txn, name).map(|()| None),
        Verb::DeleteCas => {
            return match super::node(txn, name)? {
                Some(node) if node.modify_index == index => delete(txn, name).map(|()| None),
                _ => Err(Refusal::StaleNodeDelete(quoted(name)).into()),
            };
        }
    }
    Ok(get(txn, &op.node)?)
}

/// The node that a transaction means.
pub(in crate::consul) fn found(read: &dyn Read, node: &Node) -> Result<Node, Failure> {
    get(read, node)?.ok_or_else(|| Refusal::NoSuchNode(quoted(&node.node)).into())
}

/// By its UUID if it tells one.
fn get(read: &dyn Read, node: &Node) -> Result<Option<Node>, Error> {
    if node.id.is_empty() { super::node(read, &node.node) } else { super::node_with_id(read, &node.id) }
}

fn is_current(txn: &Txn<'_>, name: &str, index: u64) -> Result<bool, Error> {
    let expected = (index != 0).then_some(index);
    Ok(super::node(txn, name)?.map(|node| node.modify_index) == expected)
}

/// Stores a node. One with its UUID and another name is renamed: that node goes, with all it has.
pub(super) fn ensure(txn: &mut Txn<'_>, node: Node) -> Result<(), Failure> {
    let found = match claimed(txn, &node)? {
        Some(found) => Some(found),
        None => super::node(txn, &node.node)?,
    };
    let index = txn.index();
    let (create_index, modify_index) = match &found {
        Some(found) if is_same(found, &node) => return Ok(()),
        Some(found) => (found.create_index, index),
        None => (index, index),
    };
    insert(txn, Node { create_index, modify_index, peer_name: String::new(), ..node })
}

/// The node that has the UUID already, after it has made way for another name.
fn claimed(txn: &mut Txn<'_>, node: &Node) -> Result<Option<Node>, Failure> {
    if node.id.is_empty() {
        return Ok(None);
    }
    let id = || quoted(&node.id);
    let Some(found) = super::node_with_id(txn, &node.id)? else {
        // A node that has none yet may be given one.
        return match reserved(txn, node, true)? {
            Some(cause) => Err(Refusal::Claiming { id: id(), cause: Box::new(cause) }.into()),
            None => Ok(None),
        };
    };
    if fold(&found.node) != fold(&node.node) {
        if let Some(cause) = reserved(txn, node, false)? {
            let address = node.address.clone();
            return Err(Refusal::Renaming { id: id(), address, cause: Box::new(cause) }.into());
        }
        delete(txn, &found.node)?;
    }
    Ok(Some(found))
}

/// Why a node cannot have its name: another one has it and is alive.
fn reserved(txn: &Txn<'_>, node: &Node, may_claim: bool) -> Result<Option<Refusal>, Error> {
    let Some(other) = super::node(txn, &node.node)? else { return Ok(None) };
    if other.id == node.id || other.id.is_empty() && may_claim {
        return Ok(None);
    }
    let health = super::check(txn, &other.node, SERF_HEALTH)?;
    // One without this check is nobody's member, such as an external service's node.
    if health.is_none_or(|check| check.status == check::CRITICAL) {
        return Ok(None);
    }
    let name = node.node.clone();
    Ok(Some(Refusal::Reserved { name, id: other.id, other: other.node, address: other.address }))
}

fn is_same(one: &Node, other: &Node) -> bool {
    fold(&one.node) == fold(&other.node)
        && (&one.id, &one.address, &one.datacenter) == (&other.id, &other.address, &other.datacenter)
        && (&one.tagged_addresses, &one.meta) == (&other.tagged_addresses, &other.meta)
}

/// Stores the node, and what is now known of it with each of its parts.
fn insert(txn: &mut Txn<'_>, node: Node) -> Result<(), Failure> {
    let before = stored(txn, &Node::record_id(&node.node))?;
    put(txn, before.as_ref(), &node)?;
    for part in [Service::record_prefix, Check::record_prefix] {
        for stored in parts(txn, &node.node, part)? {
            let bytes = node.encode_over(&stored.bytes);
            txn.put(REGISTER, &stored.id, bytes.into())?;
        }
    }
    names::touch_nodes(txn)?;
    indexes::touch(txn, &names::of_node(&node.node))?;
    Ok(names::touch_instances(txn, &node.node)?)
}

fn put(txn: &mut Txn<'_>, before: Option<&Stored>, node: &Node) -> Result<(), Failure> {
    store(txn, before, &Registration::of_node(node.clone()))
}

/// Removes a node with its services, checks, coordinates and sessions.
pub(super) fn delete(txn: &mut Txn<'_>, name: &str) -> Result<(), Failure> {
    let Some(node) = super::node(txn, name)? else { return Ok(()) };
    for found in super::services(txn, &node.node)? {
        service::delete(txn, &node.node, &found.id)?;
    }
    for found in super::checks(txn, &node.node)? {
        check::delete(txn, &node.node, &found.check_id)?;
    }
    delete_coordinates(txn, &node.node)?;
    txn.remove(REGISTER, &Node::record_id(&node.node))?;
    names::touch_nodes(txn)?;
    names::forget_node(txn, &node.node)?;
    indexes::touch(txn, names::LAST_NODE_GONE)?;
    let sessions = lookups::from(txn, Tag::SessionOfNode, &[&node.node])?;
    session::end(txn, sessions)
}

fn delete_coordinates(txn: &mut Txn<'_>, node: &str) -> Result<(), Error> {
    let prefix = [fold(node).as_bytes(), b"\0"].concat();
    let ids = txn.scan(COORDINATE, &prefix).map(|entry| Ok(entry?.0)).collect::<Result<Vec<_>, Error>>()?;
    for id in &ids {
        txn.remove(COORDINATE, id)?;
    }
    if ids.is_empty() { Ok(()) } else { indexes::touch(txn, "coordinates") }
}
