//! Changes to services: instances of a name, each on a node.
//!
//! Follows `hashicorp/consul:agent/consul/state/catalog.go`, `ensureServiceTxn` and `deleteServiceTxn`.

use archive::consul::{Registration, Service, Upstream, Weights};
use bytes::Bytes;

use super::refusal::{Refusal, quoted};
use super::{Verb, check, names, ops::ServiceOp, store, stored, stored_part, validate, virtual_ip};
use crate::consul::indexes;
use crate::consul::layout::REGISTER;
use crate::consul::lookups::{self, Tag, fold, mesh_name};
use crate::consul::refusal::Failure;
use crate::{Error, Read, Txn};

/// What genuine servers call services that are part of the mesh, where they list names by kind.
const CONNECT_ENABLED: &str = "connect-enabled";

const MESH_TOPOLOGY: &str = "mesh-topology";

const CONNECT_PROXY: &str = "connect-proxy";

/// Carries out an operation of a transaction. Returns the service as it now stands, or nothing after a
/// removal.
pub(in crate::consul) fn apply(txn: &mut Txn<'_>, op: &ServiceOp) -> Result<Option<Service>, Failure> {
    let (name, index) = (op.service.id.as_str(), op.service.modify_index);
    let (id, node) = (quoted(name), quoted(&op.node));
    let found_index = super::service(txn, &op.node, name)?.map(|service| service.modify_index);
    match op.verb {
        Verb::Get => found(txn, op).map(Some),
        Verb::Cas if found_index != (index != 0).then_some(index) => {
            Err(Refusal::StaleService { id, node }.into())
        }
        Verb::Set | Verb::Cas => {
            ensure(txn, &op.node, op.service.clone())?;
            Ok(super::service(txn, &op.node, name)?)
        }
        Verb::DeleteCas if found_index != Some(index) => Err(Refusal::StaleServiceDelete { id, node }.into()),
        Verb::Delete | Verb::DeleteCas => delete(txn, &op.node, name).map(|()| None),
    }
}

/// The service that a transaction means.
pub(in crate::consul) fn found(read: &dyn Read, op: &ServiceOp) -> Result<Service, Failure> {
    let missing = || Refusal::NoSuchService { id: quoted(&op.service.id), node: quoted(&op.node) };
    super::service(read, &op.node, &op.service.id)?.ok_or_else(|| missing().into())
}

/// Stores a service of a node that is there.
pub(super) fn ensure(txn: &mut Txn<'_>, node: &str, service: Service) -> Result<(), Failure> {
    if let Some(reason) = validate::meta_fault(&service) {
        let (node, service) = (node.to_owned(), service.id);
        return Err(Refusal::ServiceMeta { node, service, reason }.into());
    }
    let before = stored_part(txn, node, Service::record_prefix, &service.id)?;
    let found = before.as_ref().and_then(|stored| stored.registration.service.as_ref());
    let mut service = settled(service);
    touch_kind_name(txn, &service.kind, &service.service)?;
    if let Some(name) = mesh_name(&service).map(str::to_owned) {
        touch_topology(txn, found, &service)?;
        touch_mesh_name(txn, &name)?;
        virtual_ip::assign(txn, &mut service, &name)?;
    }
    virtual_ip::assign_linked(txn, &mut service)?;
    let Some(node) = super::node(txn, node)? else { return Err(Refusal::MissingNode.into()) };
    let index = txn.index();
    let create_index = match found {
        Some(found) if is_same(found, &service) => return Ok(()),
        Some(found) => found.create_index,
        None => index,
    };
    let service = Service { create_index, modify_index: index, ..service };
    store(txn, before.as_ref(), &Registration::of_service(node.clone(), service.clone()))?;
    names::touch_services(txn)?;
    names::touch_instance(txn, &service)?;
    names::touch_nodes(txn)?;
    Ok(indexes::touch(txn, &names::of_node(&node.node))?)
}

/// A service as a server's state holds it.
fn settled(service: Service) -> Service {
    let is_valid = |weights: &Weights| {
        (1..=65_535).contains(&weights.passing) && (0..=65_535).contains(&weights.warning)
    };
    let weights = service.weights.clone().filter(is_valid).unwrap_or(Weights { passing: 1, warning: 1 });
    Service {
        weights: Some(weights),
        locally_registered_as_sidecar: false,
        peer_name: String::new(),
        ..service
    }
}

/// Whether genuine servers take the two for the same. They look at neither socket nor locality.
fn is_same(found: &Service, service: &Service) -> bool {
    let alike = Service {
        create_index: found.create_index,
        modify_index: found.modify_index,
        socket_path: found.socket_path.clone(),
        locality: found.locality.clone(),
        ..service.clone()
    };
    settled(found.clone()) == alike
}

/// Removes a service with its checks.
pub(super) fn delete(txn: &mut Txn<'_>, node: &str, id: &str) -> Result<(), Failure> {
    let Some(stored) = stored_part(txn, node, Service::record_prefix, id)? else { return Ok(()) };
    let Some(service) = stored.registration.service else { return Ok(()) };
    for found in super::checks(txn, node)? {
        if fold(&found.service_id) == fold(&service.id) {
            check::delete(txn, node, &found.check_id)?;
        }
    }
    names::touch_checks(txn)?;
    txn.remove(REGISTER, &stored.id)?;
    names::touch_services(txn)?;
    names::touch_kind(txn, &service.kind)?;
    names::touch_nodes(txn)?;
    indexes::touch(txn, &names::of_node(&stored.registration.node.node))?;
    if service.kind == CONNECT_PROXY && upstreams(&service).next().is_some() {
        indexes::touch(txn, MESH_TOPOLOGY)?;
    }
    if lookups::from(txn, Tag::Instance, &[&service.service])?.is_empty() {
        names::forget_service(txn, &service.service)?;
        indexes::touch(txn, names::LAST_SERVICE_GONE)?;
        virtual_ip::free(txn, &service.service)?;
        names::touch_kind_names(txn, &service.kind)?;
    } else {
        indexes::touch(txn, &names::of_service(&service.service))?;
    }
    match mesh_name(&service) {
        Some(name) if lookups::from(txn, Tag::MeshInstance, &[name])?.is_empty() => {
            Ok(names::touch_kind_names(txn, CONNECT_ENABLED)?)
        }
        _ => Ok(()),
    }
}

/// Moves the index of the names of a kind, if this one is new among them.
fn touch_kind_name(txn: &mut Txn<'_>, kind: &str, name: &str) -> Result<(), Error> {
    for id in lookups::from(txn, Tag::Instance, &[name])? {
        if is_of_kind(txn, &id, kind)? {
            return Ok(());
        }
    }
    names::touch_kind_names(txn, kind)
}

fn is_of_kind(txn: &Txn<'_>, id: &Bytes, kind: &str) -> Result<bool, Error> {
    let service = stored(txn, id)?.and_then(|stored| stored.registration.service);
    Ok(service.is_some_and(|service| service.kind == kind))
}

fn touch_mesh_name(txn: &mut Txn<'_>, name: &str) -> Result<(), Error> {
    match name.is_empty() || !lookups::from(txn, Tag::MeshInstance, &[name])?.is_empty() {
        true => Ok(()),
        false => names::touch_kind_names(txn, CONNECT_ENABLED),
    }
}

/// Moves the index of who talks to whom. The table itself is in no archive: genuine servers make it anew.
fn touch_topology(txn: &mut Txn<'_>, found: Option<&Service>, service: &Service) -> Result<(), Error> {
    let mut old = found.into_iter().flat_map(|found| found.proxy.upstreams.iter().flatten());
    match upstreams(service).next().is_some() || old.next().is_some() {
        true => indexes::touch(txn, MESH_TOPOLOGY),
        false => Ok(()),
    }
}

/// The services that a proxy gives access to.
fn upstreams(service: &Service) -> impl Iterator<Item = &Upstream> {
    let all = service.proxy.upstreams.iter().flatten();
    all.filter(|upstream| upstream.destination_type != "prepared_query")
}
