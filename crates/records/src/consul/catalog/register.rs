//! Registrations and deregistrations as clients send them.
//!
//! Follows `hashicorp/consul:agent/consul/state/catalog.go`, `ensureRegistrationTxn`, and
//! `hashicorp/consul:agent/consul/fsm/commands_ce.go`, `applyDeregister`.

use archive::consul::{Check, Node};

use super::ops::{Deregister, Register};
use super::refusal::{Refusal, quoted};
use super::{check, node, service};
use crate::Txn;
use crate::consul::lookups::fold;
use crate::consul::refusal::{self, Failure};

/// Registers a node, its service and its checks. Refused, it may have changed things: the caller takes them
/// back.
pub(in crate::consul) fn register(txn: &mut Txn<'_>, register: Register) -> Result<(), Failure> {
    let Register { node, skip_node_update, service, checks } = register.settle()?;
    let name = node.node.clone();
    match super::node(txn, &name)? {
        Some(found) if skip_node_update || !is_changed(&found, &node) => {}
        _ => node::ensure(txn, node).map_err(inserting("node"))?,
    }
    if let Some(service) = service {
        service::ensure(txn, &name, *service).map_err(inserting("service"))?;
    }
    checks.into_iter().try_for_each(|check| register_check(txn, &name, check))
}

fn register_check(txn: &mut Txn<'_>, node: &str, check: Check) -> Result<(), Failure> {
    if fold(&check.node) != fold(node) {
        return Err(Refusal::OtherNode { check: quoted(&check.node), node: quoted(node) }.into());
    }
    let on = check.node.clone();
    check::ensure(txn, check)
        .map_err(wrapping(|cause| Refusal::InsertingCheck { node: quoted(&on), cause: Box::new(cause) }))
}

/// Whether a registration says something else about the node than what is known.
pub(in crate::consul) fn is_changed(found: &Node, node: &Node) -> bool {
    let known = Node {
        node: node.node.clone(),
        create_index: node.create_index,
        modify_index: node.modify_index,
        ..found.clone()
    };
    known != *node
}

fn inserting(what: &'static str) -> impl FnOnce(Failure) -> Failure {
    wrapping(move |cause| Refusal::Inserting { what, cause: Box::new(cause) })
}

/// Adds to a refusal what was being tried.
fn wrapping(wrap: impl FnOnce(Refusal) -> Refusal) -> impl FnOnce(Failure) -> Failure {
    |failure| match failure {
        Failure::Refused(refusal::Refusal::Catalog(cause)) => wrap(cause).into(),
        other => other,
    }
}

/// Removes a service, a check or a node.
pub(in crate::consul) fn deregister(txn: &mut Txn<'_>, deregister: &Deregister) -> Result<(), Failure> {
    deregister.check()?;
    let Deregister { node: name, service_id, check_id } = deregister;
    if !service_id.is_empty() {
        service::delete(txn, name, service_id)
    } else if !check_id.is_empty() {
        check::delete(txn, name, check_id)
    } else {
        node::delete(txn, name)
    }
}
