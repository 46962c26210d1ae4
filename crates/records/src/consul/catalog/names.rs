//! What the catalog calls the indexes that it moves, and when it moves which.
//!
//! Follows `hashicorp/consul:agent/consul/state/{catalog_ce,schema_ce}.go`: since 1.13 most of them stand
//! under the name of the peer, which for a cluster itself is `~`.

use archive::consul::Service;

use crate::consul::indexes::{forget, touch};
use crate::{Error, Txn};

pub(super) const NODES: &str = "peer.~:nodes";
pub(super) const SERVICES: &str = "peer.~:services";
pub(super) const CHECKS: &str = "peer.~:checks";
pub(super) const LAST_SERVICE_GONE: &str = "peer.~:service_last_extinction";
pub(super) const LAST_NODE_GONE: &str = "peer.~:node_last_extinction";

/// Of one node.
pub(super) fn of_node(node: &str) -> String {
    format!("peer.~:node.{node}")
}

/// Of all instances of a service.
pub(super) fn of_service(name: &str) -> String {
    format!("peer.~:service.{name}")
}

/// What a kind of services is called where it needs a name.
fn normalized(kind: &str) -> &str {
    if kind.is_empty() { "typical" } else { kind }
}

pub(super) fn touch_nodes(txn: &mut Txn<'_>) -> Result<(), Error> {
    touch(txn, "nodes")?;
    touch(txn, NODES)
}

pub(super) fn touch_services(txn: &mut Txn<'_>) -> Result<(), Error> {
    touch(txn, "services")?;
    touch(txn, SERVICES)
}

pub(super) fn touch_checks(txn: &mut Txn<'_>) -> Result<(), Error> {
    touch(txn, "checks")?;
    touch(txn, CHECKS)
}

/// Of services of a kind.
pub(super) fn touch_kind(txn: &mut Txn<'_>, kind: &str) -> Result<(), Error> {
    let name = format!("service_kind.{}", normalized(kind));
    touch(txn, &name)?;
    touch(txn, &format!("peer.~:{name}"))
}

/// Of the names of services of a kind.
pub(super) fn touch_kind_names(txn: &mut Txn<'_>, kind: &str) -> Result<(), Error> {
    touch(txn, &format!("kind_service_names.{}", normalized(kind)))
}

/// Of an instance that queries now show otherwise.
pub(super) fn touch_instance(txn: &mut Txn<'_>, service: &Service) -> Result<(), Error> {
    touch(txn, &of_service(&service.service))?;
    touch_kind(txn, &service.kind)
}

/// Of all services of a node.
pub(super) fn touch_instances(txn: &mut Txn<'_>, node: &str) -> Result<(), Error> {
    super::services(txn, node)?.iter().try_for_each(|service| touch_instance(txn, service))
}

pub(super) fn forget_node(txn: &mut Txn<'_>, node: &str) -> Result<(), Error> {
    forget(txn, &of_node(node))
}

pub(super) fn forget_service(txn: &mut Txn<'_>, name: &str) -> Result<(), Error> {
    forget(txn, &of_service(name))
}
