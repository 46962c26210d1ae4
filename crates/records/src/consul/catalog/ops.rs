//! What can be asked of the catalog: registrations, deregistrations, and operations of transactions.

use archive::consul::{Check, Node, Service};
use serde::{Deserialize, Serialize};

use crate::wire;

/// Registers a node, and with it a service and checks. Indexes in them are of no account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Register {
    /// The node.
    #[serde(with = "wire")]
    pub node: Node,
    /// Whether a node that is there already stays as it is.
    pub skip_node_update: bool,
    /// The service.
    #[serde(with = "wire::option")]
    pub service: Option<Box<Service>>,
    /// The checks. Without a node of their own they are of this one, without an id they have their name's.
    #[serde(with = "wire::list")]
    pub checks: Vec<Check>,
}

/// Removes a service and its checks; if none is named, a check; if none is named either, a node with all
/// it has. To remove what is not there succeeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deregister {
    /// The node.
    pub node: String,
    /// The service's id, or empty.
    pub service_id: String,
    /// The check's id, or empty.
    pub check_id: String,
}

/// What a transaction does to one thing of the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Tells of it; fails if it is not there.
    Get,
    /// Stores it.
    Set,
    /// Stores it if it was last modified at its own `modify_index`; at 0, if it is not there.
    Cas,
    /// Removes it. To remove what is not there succeeds.
    Delete,
    /// Removes it if it was last modified at its own `modify_index`.
    DeleteCas,
}

/// An operation on a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeOp {
    /// What to do.
    pub verb: Verb,
    /// To which node: its id says which to tell of, its name which to remove.
    #[serde(with = "wire")]
    pub node: Node,
}

/// An operation on a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceOp {
    /// What to do.
    pub verb: Verb,
    /// The name of its node.
    pub node: String,
    /// To which service. Genuine servers want its name even to remove it.
    #[serde(with = "wire")]
    pub service: Service,
}

/// An operation on a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckOp {
    /// What to do.
    pub verb: Verb,
    /// To which check; it names its node.
    #[serde(with = "wire")]
    pub check: Check,
}
