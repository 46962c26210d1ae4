//! Reads of nodes, services and their health, and the index that each answer carries.
//!
//! Follows `hashicorp/consul:agent/consul/state/catalog.go`, `hashicorp/consul:agent/consul/catalog_endpoint.go` and
//! `hashicorp/consul:agent/consul/health_endpoint.go`.

use std::collections::{BTreeMap, BTreeSet};

use archive::consul::{Check, Node, Service};
use bytes::Bytes;

use super::check::{CRITICAL, PASSING};
use super::{damaged, names, stored};
use crate::consul::indexes;
use crate::consul::layout::REGISTER;
use crate::consul::lookups::{self, Tag, fold};
use crate::consul::query::{Answer, answer};
use crate::{Error, Read};

/// What is found, read as the iterator is.
pub type Found<'a, T> = Box<dyn Iterator<Item = Result<T, Error>> + Send + 'a>;

/// Pairs that the meta data of a node must hold.
pub type NodeMeta = BTreeMap<String, String>;

/// A node and everything on it.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeServices {
    /// The node.
    pub node: Node,
    /// Its services, in ascending order of their ids.
    pub services: Vec<Service>,
}

/// A service on its node.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// The node.
    pub node: Node,
    /// The service.
    pub service: Service,
}

/// A service on its node, and the checks that tell of its health.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceHealth {
    /// The node.
    pub node: Node,
    /// The service.
    pub service: Service,
    /// The checks of the node, then those of the service.
    pub checks: Vec<Check>,
}

/// Which instances of a service are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceFilter {
    /// Tags that each must have, whatever their case.
    pub tags: Vec<String>,
    /// What its node's meta data must hold.
    pub node_meta: NodeMeta,
    /// Whether instances are meant that make the service part of the mesh: proxies for it, and those that
    /// speak the mesh's protocol themselves.
    pub in_mesh: bool,
}

/// Which health of instances is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Any.
    #[default]
    Any,
    /// No check is critical.
    NotCritical,
    /// Every check passes.
    Passing,
}

/// Which checks are meant by their state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckState {
    /// All of them.
    Any,
    /// Those in this state.
    Is(String),
}

/// Every node with this meta data, in ascending order of their names.
pub fn nodes<'a>(read: &'a dyn Read, meta: &'a NodeMeta) -> Result<Answer<Found<'a, Node>>, Error> {
    let index = indexes::highest(read, &[names::NODES])?;
    let nodes = read.scan(REGISTER, b"\0").filter_map(|entry| node_alone(entry).transpose());
    let nodes = nodes.filter(|node| node.as_ref().map_or(true, |node| has_meta(node, meta)));
    Ok(answer(read, index, Box::new(nodes)))
}

/// The node, if the record is about nothing else.
fn node_alone(entry: Result<(Bytes, Bytes), Error>) -> Result<Option<Node>, Error> {
    let (id, bytes) = entry?;
    match id[1..].contains(&0) {
        true => Ok(None),
        false => Node::decode(&bytes).map(Some).map_err(damaged),
    }
}

fn has_meta(node: &Node, meta: &NodeMeta) -> bool {
    let found = node.meta.as_ref();
    meta.iter().all(|(key, value)| found.is_some_and(|found| found.get(key) == Some(value)))
}

/// A node by its name, or by the beginning of its UUID, and its services. `None` if there is none, or if
/// more than one has such a UUID.
pub fn node_services(read: &dyn Read, name_or_id: &str) -> Result<Answer<Option<NodeServices>>, Error> {
    let node = match super::node(read, name_or_id)? {
        Some(node) => Some(node),
        None => node_with_id_prefix(read, name_or_id)?,
    };
    let Some(node) = node else {
        return Ok(answer(read, indexes::highest(read, &[names::LAST_NODE_GONE])?, None));
    };
    let index = indexes::highest(read, &[&names::of_node(&node.node)])?;
    let services = super::services(read, &node.node)?;
    Ok(answer(read, index, Some(NodeServices { node, services })))
}

fn node_with_id_prefix(read: &dyn Read, uuid: &str) -> Result<Option<Node>, Error> {
    let mut digits = fold(&lookups::uuid_digits(uuid));
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(None);
    }
    // Genuine servers compare whole bytes, of which there must be one.
    digits.truncate(digits.len() & !1);
    if digits.is_empty() {
        return Ok(None);
    }
    let prefix = [&lookups::prefix(Tag::NodeWithId, &[])[..], digits.as_bytes()].concat();
    let [found] = &read.derived(&prefix)?[..] else { return Ok(None) };
    let Some(end) = found.iter().position(|byte| *byte == 0) else { return Ok(None) };
    Ok(stored(read, &found[end + 1..])?.map(|stored| stored.registration.node))
}

/// The names of all services on nodes with this meta data, each with the tags of all its instances.
pub fn services(
    read: &dyn Read,
    meta: &NodeMeta,
) -> Result<Answer<BTreeMap<String, BTreeSet<String>>>, Error> {
    let tables: &[&str] = if meta.is_empty() { &[names::SERVICES] } else { &[names::SERVICES, names::NODES] };
    let index = indexes::highest(read, tables)?;
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for id in read.derived(&lookups::prefix(Tag::Instance, &[]))? {
        let Some(end) = id.iter().position(|byte| *byte == 0) else { continue };
        let Some(Instance { service, .. }) = instance(read, &id[end + 1..], meta)? else { continue };
        found.entry(service.service).or_default().extend(service.tags.into_iter().flatten());
    }
    Ok(answer(read, index, found))
}

/// The instances of a service, in ascending order of their nodes' names.
pub fn service_instances<'a>(
    read: &'a dyn Read,
    name: &str,
    filter: &'a InstanceFilter,
) -> Result<Answer<Found<'a, Instance>>, Error> {
    let ids = instance_ids(read, name, filter)?;
    let index = instances_index(read, name, &ids, filter, false)?;
    Ok(answer(read, index, Box::new(instances(read, ids, filter))))
}

/// The instances of a service with their health.
pub fn service_health<'a>(
    read: &'a dyn Read,
    name: &str,
    filter: &'a InstanceFilter,
    health: Health,
) -> Result<Answer<Found<'a, InstanceHealth>>, Error> {
    let ids = instance_ids(read, name, filter)?;
    let index = instances_index(read, name, &ids, filter, true)?;
    let found = instances(read, ids, filter).map(|instance| with_health(read, instance?));
    let found = found.filter(move |found| found.as_ref().map_or(true, |found| health.admits(&found.checks)));
    Ok(answer(read, index, Box::new(found)))
}

impl Health {
    fn admits(self, checks: &[Check]) -> bool {
        checks.iter().all(|check| match self {
            Health::Any => true,
            Health::NotCritical => check.status != CRITICAL,
            Health::Passing => check.status == PASSING,
        })
    }
}

fn instance_ids(read: &dyn Read, name: &str, filter: &InstanceFilter) -> Result<Vec<Bytes>, Error> {
    lookups::from(read, if filter.in_mesh { Tag::MeshInstance } else { Tag::Instance }, &[name])
}

fn instances<'a>(
    read: &'a dyn Read,
    ids: Vec<Bytes>,
    filter: &'a InstanceFilter,
) -> impl Iterator<Item = Result<Instance, Error>> + Send + 'a {
    let found = ids.into_iter().filter_map(move |id| instance(read, &id, &filter.node_meta).transpose());
    found.filter(move |found| found.as_ref().map_or(true, |found| has_tags(&found.service, &filter.tags)))
}

/// The instance that is stored under `id`, if its node has the meta data.
fn instance(read: &dyn Read, id: &[u8], meta: &NodeMeta) -> Result<Option<Instance>, Error> {
    let Some(registration) = stored(read, id)?.map(|stored| stored.registration) else { return Ok(None) };
    let Some(service) = registration.service else { return Ok(None) };
    let node = super::node(read, &registration.node.node)?.unwrap_or(registration.node);
    Ok(has_meta(&node, meta).then_some(Instance { node, service }))
}

fn has_tags(service: &Service, wanted: &[String]) -> bool {
    let tags: Vec<String> = service.tags.iter().flatten().map(|tag| fold(tag)).collect();
    wanted.iter().all(|tag| tags.contains(&fold(tag)))
}

fn with_health(read: &dyn Read, Instance { node, service }: Instance) -> Result<InstanceHealth, Error> {
    let id = fold(&service.id);
    let (of_node, others): (Vec<Check>, Vec<Check>) =
        super::checks(read, &node.node)?.into_iter().partition(|check| check.service_id.is_empty());
    let of_service = others.into_iter().filter(|check| fold(&check.service_id) == id);
    let checks = of_node.into_iter().chain(of_service).collect();
    Ok(InstanceHealth { node, service, checks })
}

/// The index of an answer about instances: that of the services they belong to, or, where there are none,
/// when the last instance of any service went.
fn instances_index(
    read: &dyn Read,
    name: &str,
    ids: &[Bytes],
    filter: &InstanceFilter,
    with_checks: bool,
) -> Result<u64, Error> {
    let services: BTreeSet<String> = match filter.in_mesh {
        false => BTreeSet::from([name.to_owned()]),
        // Proxies have names of their own.
        true => {
            let found = ids.iter().map(|id| instance(read, id, &NodeMeta::new()));
            found
                .filter_map(Result::transpose)
                .map(|found| Ok(found?.service.service))
                .collect::<Result<_, Error>>()?
        }
    };
    if ids.is_empty() {
        return service_index(read, name, false, with_checks);
    }
    let mut highest = 0;
    for service in &services {
        highest = highest.max(service_index(read, service, true, with_checks)?);
    }
    Ok(highest)
}

fn service_index(read: &dyn Read, name: &str, is_there: bool, with_checks: bool) -> Result<u64, Error> {
    if !is_there && let Some(index) = indexes::of(read, names::LAST_SERVICE_GONE)? {
        return Ok(index);
    }
    match indexes::of(read, &names::of_service(name))? {
        Some(index) => Ok(index),
        None if with_checks => indexes::highest(read, &[names::CHECKS, names::SERVICES, names::NODES]),
        None => indexes::highest(read, &[names::SERVICES, names::NODES]),
    }
}

/// The checks of a node and of its services, in ascending order of their ids.
pub fn node_checks(read: &dyn Read, node: &str) -> Result<Answer<Vec<Check>>, Error> {
    Ok(answer(read, indexes::highest(read, &[names::CHECKS])?, super::checks(read, node)?))
}

/// The checks of all instances of a service on nodes with this meta data.
pub fn service_checks<'a>(
    read: &'a dyn Read,
    name: &str,
    meta: &'a NodeMeta,
) -> Result<Answer<Found<'a, Check>>, Error> {
    let index = match meta.is_empty() {
        true => indexes::highest(read, &[names::CHECKS])?,
        false => service_index(read, name, true, true)?,
    };
    let ids = lookups::from(read, Tag::CheckOfService, &[name])?;
    Ok(answer(read, index, Box::new(checks(read, ids, meta))))
}

/// The checks in a state, on nodes with this meta data.
pub fn checks_in_state<'a>(
    read: &'a dyn Read,
    state: &CheckState,
    meta: &'a NodeMeta,
) -> Result<Answer<Found<'a, Check>>, Error> {
    let index = indexes::highest(read, &[names::CHECKS])?;
    let ids = match state {
        CheckState::Is(status) => lookups::from(read, Tag::CheckWithStatus, &[status])?,
        CheckState::Any => {
            let all = read.derived(&lookups::prefix(Tag::CheckWithStatus, &[]))?.into_iter();
            let mut ids: Vec<Bytes> = all.filter_map(after_first_part).collect();
            ids.sort();
            ids
        }
    };
    Ok(answer(read, index, Box::new(checks(read, ids, meta))))
}

/// What follows the status in a derived key.
fn after_first_part(key: Bytes) -> Option<Bytes> {
    let end = key.iter().position(|byte| *byte == 0)?;
    Some(key.slice(end + 1..))
}

fn checks<'a>(
    read: &'a dyn Read,
    ids: Vec<Bytes>,
    meta: &'a NodeMeta,
) -> impl Iterator<Item = Result<Check, Error>> + Send + 'a {
    ids.into_iter().filter_map(move |id| check(read, &id, meta).transpose())
}

fn check(read: &dyn Read, id: &[u8], meta: &NodeMeta) -> Result<Option<Check>, Error> {
    let Some(registration) = stored(read, id)?.map(|stored| stored.registration) else { return Ok(None) };
    let node = match meta.is_empty() {
        true => registration.node,
        false => super::node(read, &registration.node.node)?.unwrap_or(registration.node),
    };
    Ok(registration.check.filter(|_| has_meta(&node, meta)))
}
