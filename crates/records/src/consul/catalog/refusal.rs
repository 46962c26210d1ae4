//! Why the catalog's rules refuse an operation, in the words that clients of genuine servers match on.

use bytes::Bytes;

use crate::quote::Quoted;

/// A rule stands against the operation. Texts as in `hashicorp/consul:agent/consul/catalog_endpoint.go` and
/// `hashicorp/consul:agent/consul/state/{catalog,state_store,txn}.go`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::consul) enum Refusal {
    #[error("Must provide node")]
    NoNode,
    #[error("Bad node ID: {0}")]
    BadNodeId(String),
    #[error("Must provide address if SkipNodeUpdate is not set")]
    NoAddress,
    #[error("cannot register requests with PeerName in them")]
    Peer,
    #[error("Must provide service name (Service.Service) when service ID is provided")]
    NoServiceName,
    #[error("Invalid service address")]
    AnyAddress,
    /// What a service definition lacks, as genuine servers list it.
    #[error("{0}")]
    Definition(String),
    #[error("Invalid Service Meta for node {node} and serviceID {service}: {reason}")]
    ServiceMeta { node: String, service: String, reason: String },
    #[error("Missing node registration")]
    MissingNode,
    #[error("Missing service registration")]
    MissingService,
    /// Ours: genuine servers keep everything in memory, whatever its size.
    #[error("the registration can't be stored: {0}")]
    Unstorable(String),
    #[error("Node name {name} is reserved by node {id} with name {other} ({address})")]
    Reserved { name: String, id: String, other: String, address: String },
    #[error("Error while renaming Node ID: {id} ({address}): {cause}")]
    Renaming { id: Quoted, address: String, cause: Box<Refusal> },
    #[error("Error while renaming Node ID: {id}: {cause}")]
    Claiming { id: Quoted, cause: Box<Refusal> },
    #[error("failed inserting {what}: {cause}")]
    Inserting { what: &'static str, cause: Box<Refusal> },
    #[error("failed inserting check on node {node}: {cause}")]
    InsertingCheck { node: Quoted, cause: Box<Refusal> },
    #[error("failed updating virtual IP: cannot allocate any more unique service virtual IPs")]
    NoVirtualIp,
    #[error("check node {check} does not match node {node}")]
    OtherNode { check: Quoted, node: Quoted },
    #[error("node {0} doesn't exist")]
    NoSuchNode(Quoted),
    #[error("failed to set node {0}, index is stale")]
    StaleNode(Quoted),
    #[error("failed to delete node {0}, index is stale")]
    StaleNodeDelete(Quoted),
    #[error("service {id} on node {node} doesn't exist")]
    NoSuchService { id: Quoted, node: Quoted },
    #[error("failed to set service {id} on node {node}, index is stale")]
    StaleService { id: Quoted, node: Quoted },
    #[error("failed to delete service {id} on node {node}, index is stale")]
    StaleServiceDelete { id: Quoted, node: Quoted },
    #[error("check {id} on node {node} doesn't exist")]
    NoSuchCheck { id: Quoted, node: Quoted },
    #[error("failed to set check {id} on node {node}, index is stale")]
    StaleCheck { id: Quoted, node: Quoted },
    #[error("failed to delete check {id} on node {node}, index is stale")]
    StaleCheckDelete { id: Quoted, node: Quoted },
}

/// Text as Go quotes it.
pub(super) fn quoted(text: &str) -> Quoted {
    Quoted(Bytes::copy_from_slice(text.as_bytes()))
}
