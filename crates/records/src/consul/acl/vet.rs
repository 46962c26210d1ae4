//! What a caller must be allowed before a change is proposed, where that is more than one question.
//!
//! Follows `hashicorp/consul:agent/consul/{catalog,kvs,txn}_endpoint.go` and `hashicorp/consul:agent/consul/filter.go`.
//! As there, the state is looked at before the change is in the log: what others change meanwhile is not seen.

use archive::consul::{Check, Service};

use super::access::Denied;
use super::authorizer::Authorizer;
use crate::consul::catalog::ops::{CheckOp, Deregister, NodeOp, Register, ServiceOp};
use crate::consul::catalog::{self, register::is_changed};
use crate::consul::lookups::fold;
use crate::consul::session::query::stored as session;
use crate::consul::{KvOp, KvRead, TxnError, TxnOp, TxnResult, Verb};
use crate::{Error, Read};

const CONNECT_PROXY: &str = "connect-proxy";

/// Why a change may not be proposed. Texts are the genuine ones.
#[derive(Debug, thiserror::Error)]
pub enum Veto {
    /// A right is missing.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A right to something is missing whose name the caller is not told.
    #[error("Permission denied")]
    DeniedUnnamed,
    /// The change breaks a rule, or names something that is not there.
    #[error("{0}")]
    Refused(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

/// Whether a key may be changed so.
pub fn vet_kv(may: &Authorizer, op: &KvOp) -> Result<(), Denied> {
    match op {
        KvOp::Set(pair) => may.key_write(&pair.key),
        KvOp::Cas { pair, .. } | KvOp::Lock { pair, .. } | KvOp::Unlock { pair, .. } => {
            may.key_write(&pair.key)
        }
        KvOp::Delete { key } | KvOp::DeleteCas { key, .. } => may.key_write(key),
        KvOp::DeleteTree { prefix } => may.key_write_prefix(prefix),
    }
}

/// Whether a node, a service and checks may be registered. What says nothing new about the node needs no
/// right to it: owners of services repeat what is known of theirs.
pub fn vet_register(read: &dyn Read, may: &Authorizer, register: &Register) -> Result<(), Veto> {
    let Register { node, skip_node_update, service, checks } =
        register.clone().settle().map_err(|refusal| Veto::Refused(refusal.to_string()))?;
    if let Some(service) = &service {
        vet_service(may, service)?;
    }
    let found = catalog::node(read, &node.node)?;
    let services = match &found {
        Some(found) => catalog::services(read, &found.node)?,
        None => Vec::new(),
    };
    if found.is_none_or(|found| !skip_node_update && is_changed(&found, &node)) {
        may.node_write(&node.node)?;
    }
    let named = |id: &str| services.iter().find(|service| service.id == id);
    if let Some(replaced) = service.as_ref().and_then(|service| named(&service.id)) {
        may.service_write(&replaced.service).map_err(|_| Veto::DeniedUnnamed)?;
    }
    for Check { node: on, check_id, service_id, .. } in &checks {
        if fold(on) != fold(&node.node) {
            let text = format!(
                "Node '{on}' for check '{check_id}' doesn't match register request node '{}'",
                node.node
            );
            return Err(Veto::Refused(text));
        }
        if service_id.is_empty() {
            may.node_write(&node.node)?;
        } else if service.as_ref().is_none_or(|service| service.id != *service_id) {
            let unknown = || format!("Unknown service ID '{service_id}' for check ID '{check_id}'");
            let other = named(service_id).ok_or_else(|| Veto::Refused(unknown()))?;
            may.service_write(&other.service)?;
        }
    }
    Ok(())
}

/// Whether a service, a check or a node may be removed. Who may write the node may remove what is on it.
pub fn vet_deregister(read: &dyn Read, may: &Authorizer, deregister: &Deregister) -> Result<(), Veto> {
    deregister.check().map_err(|refusal| Veto::Refused(refusal.to_string()))?;
    let Deregister { node, service_id, check_id } = deregister;
    let Err(denied) = may.node_write(node) else { return Ok(()) };
    if !service_id.is_empty() {
        let unknown = || Veto::Refused(format!("Unknown service ID '{service_id}'"));
        let service = catalog::service(read, node, service_id)?.ok_or_else(unknown)?;
        return Ok(may.service_write(&service.service)?);
    }
    if check_id.is_empty() {
        return Err(denied.into());
    }
    let unknown = || Veto::Refused(format!("Unknown check ID '{check_id}'"));
    let check = catalog::check(read, node, check_id)?.ok_or_else(unknown)?;
    match check.service_id.is_empty() {
        true => Err(denied.into()),
        false => Ok(may.service_write(&check.service_name)?),
    }
}

/// The operations of a transaction that may not be done, or that no state could make right. Those that only
/// tell of something may always be done: [`keep_visible`] hides what they found.
pub fn vet_txn(read: &dyn Read, may: &Authorizer, ops: &[TxnOp]) -> Result<Vec<TxnError>, Error> {
    let mut errors = Vec::new();
    for (op_index, op) in ops.iter().enumerate() {
        match vet_op(read, may, op.clone()) {
            Ok(()) => {}
            Err(Veto::Store(error)) => return Err(error),
            Err(veto) => errors.push(TxnError { op_index, what: veto.to_string() }),
        }
    }
    Ok(errors)
}

fn vet_op(read: &dyn Read, may: &Authorizer, mut op: TxnOp) -> Result<(), Veto> {
    op.settle().map_err(|refusal| Veto::Refused(refusal.to_string()))?;
    match &op {
        TxnOp::Kv(op) => Ok(vet_kv(may, op)?),
        TxnOp::KvRead(op) => Ok(vet_kv_read(may, op)?),
        TxnOp::Node(NodeOp { verb: Verb::Get, .. }) => Ok(()),
        TxnOp::Node(op) => vet_node_op(read, may, op),
        TxnOp::Service(op) if op.verb == Verb::Get => Ok(()),
        TxnOp::Service(op) => vet_service_op(read, may, op),
        TxnOp::Check(op) if op.verb == Verb::Get => Ok(()),
        TxnOp::Check(op) => vet_check_op(read, may, op),
        TxnOp::SessionDelete { session: id } => match session(read, id)? {
            Some(session) => Ok(may.session_write(&session.node)?),
            None => Ok(()),
        },
    }
}

/// Conditions tell something by holding or not, so they need a right; to ask whether there is no such key
/// even that to write it, which is what genuine servers ask for.
fn vet_kv_read(may: &Authorizer, op: &KvRead) -> Result<(), Denied> {
    match op {
        KvRead::Get { .. } | KvRead::GetOrEmpty { .. } | KvRead::GetTree { .. } => Ok(()),
        KvRead::CheckIndex { key, .. } | KvRead::CheckSession { key, .. } => may.key_read(key),
        KvRead::CheckNotExists { key } => may.key_write(key),
    }
}

/// A node is found by its UUID before its name: both nodes must be the caller's.
fn vet_node_op(read: &dyn Read, may: &Authorizer, op: &NodeOp) -> Result<(), Veto> {
    if !op.node.id.is_empty()
        && let Some(found) = catalog::node_with_id(read, &op.node.id)?
    {
        may.node_write(&found.node)?;
    }
    Ok(may.node_write(&op.node.node)?)
}

/// A service is found by its id: what it is called now counts as much as what it will be.
fn vet_service_op(read: &dyn Read, may: &Authorizer, op: &ServiceOp) -> Result<(), Veto> {
    vet_service(may, &op.service)?;
    match catalog::service(read, &op.node, &op.service.id)? {
        Some(found) => Ok(may.service_write(&found.service)?),
        None => Ok(()),
    }
}

/// A check is found by its id: what it is bound to now counts as much as what it will be.
fn vet_check_op(read: &dyn Read, may: &Authorizer, op: &CheckOp) -> Result<(), Veto> {
    if let Some(found) = catalog::check(read, &op.check.node, &op.check.check_id)? {
        vet_check(read, may, &found)?;
    }
    match op.verb {
        Verb::Delete | Verb::DeleteCas if op.check.service_id.is_empty() => Ok(()),
        _ => vet_check(read, may, &op.check),
    }
}

fn vet_check(read: &dyn Read, may: &Authorizer, check: &Check) -> Result<(), Veto> {
    let Check { node, check_id, service_id, service_name, .. } = check;
    if service_id.is_empty() {
        return Ok(may.node_write(node)?);
    }
    match catalog::service(read, node, service_id)? {
        Some(service) => Ok(may.service_write(&service.service)?),
        // An operation before this one may bring it about.
        None if !service_name.is_empty() => Ok(may.service_write(service_name)?),
        None => Err(Veto::Refused(format!("unknown service ID {service_id:?} for check ID {check_id:?}"))),
    }
}

/// A proxy speaks for its destination.
fn vet_service(may: &Authorizer, service: &Service) -> Result<(), Denied> {
    may.service_write(&service.service)?;
    match service.kind.as_str() {
        CONNECT_PROXY => may.service_write(&service.proxy.destination_service_name),
        _ => Ok(()),
    }
}

/// Takes out of a transaction's results what may not be seen. Returns whether there was anything.
pub fn keep_visible(may: &Authorizer, results: &mut Vec<TxnResult>) -> bool {
    let before = results.len();
    results.retain(|result| {
        let answer = match result {
            TxnResult::Kv(entry) => may.key_read(&entry.key),
            TxnResult::Node(node) => may.node_read(&node.node),
            TxnResult::Service(service) => may.service_read(&service.service),
            TxnResult::Check(check) if check.service_name.is_empty() => may.node_read(&check.node),
            TxnResult::Check(check) => may.service_read(&check.service_name),
        };
        answer.is_ok()
    });
    results.len() != before
}
