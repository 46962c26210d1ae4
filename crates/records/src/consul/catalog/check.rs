//! Changes to checks, and what a failing or missing check does to sessions.
//!
//! Follows `hashicorp/consul:agent/consul/state/catalog.go`, `ensureCheckTxn` and `deleteCheckTxn`.

use archive::consul::{Check, Registration};
use bytes::Bytes;

use super::refusal::{Refusal, quoted};
use super::{Verb, names, ops::CheckOp, store, stored_part};
use crate::consul::layout::REGISTER;
use crate::consul::lookups::{self, Tag};
use crate::consul::refusal::Failure;
use crate::consul::{indexes, session};
use crate::{Error, Read, Txn};

/// The state of a failing check.
pub(in crate::consul) const CRITICAL: &str = "critical";

/// The state of a check that does not fail.
pub(in crate::consul) const PASSING: &str = "passing";

/// The type of checks that follow the life of a session.
pub(in crate::consul) const OF_SESSION: &str = "session";

/// Carries out an operation of a transaction. Returns the check as it now stands, or nothing after a removal.
pub(in crate::consul) fn apply(txn: &mut Txn<'_>, op: &CheckOp) -> Result<Option<Check>, Failure> {
    let (on, name, index) = (op.check.node.as_str(), op.check.check_id.as_str(), op.check.modify_index);
    let (id, node) = (quoted(name), quoted(on));
    let found_index = super::check(txn, on, name)?.map(|check| check.modify_index);
    match op.verb {
        Verb::Get => found(txn, &op.check).map(Some),
        Verb::Cas if found_index != (index != 0).then_some(index) => {
            Err(Refusal::StaleCheck { id, node }.into())
        }
        Verb::Set | Verb::Cas => {
            ensure(txn, op.check.clone())?;
            Ok(super::check(txn, on, name)?)
        }
        Verb::DeleteCas if found_index != Some(index) => Err(Refusal::StaleCheckDelete { id, node }.into()),
        Verb::Delete | Verb::DeleteCas => delete(txn, on, name).map(|()| None),
    }
}

/// The check that a transaction means.
pub(in crate::consul) fn found(read: &dyn Read, check: &Check) -> Result<Check, Failure> {
    let missing = || Refusal::NoSuchCheck { id: quoted(&check.check_id), node: quoted(&check.node) };
    super::check(read, &check.node, &check.check_id)?.ok_or_else(|| missing().into())
}

/// Stores a check of a node, and of a service if it names one, that are there. Failing, it ends the sessions
/// that depend on it.
pub(super) fn ensure(txn: &mut Txn<'_>, check: Check) -> Result<(), Failure> {
    let sessions = put(txn, check, Dating::Now)?;
    session::end(txn, sessions)
}

/// What becomes of the index at which a check was last changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::consul) enum Dating {
    /// It is that of the command.
    Now,
    /// It stays, as genuine servers leave it where a session's life changes a check.
    Kept,
}

/// Stores a check; returns the sessions that must end with it.
pub(in crate::consul) fn put(txn: &mut Txn<'_>, check: Check, dating: Dating) -> Result<Vec<Bytes>, Failure> {
    let Some(node) = super::node(txn, &check.node)? else { return Err(Refusal::MissingNode.into()) };
    let before = stored_part(txn, &node.node, Check::record_prefix, &check.check_id)?;
    let found = before.as_ref().and_then(|stored| stored.registration.check.as_ref());
    let check = settled(txn, check)?;
    let is_changed = !found.is_some_and(|found| is_same(found, &check));
    if is_changed {
        touch_services(txn, &check)?;
    }
    let sessions = match check.status.as_str() {
        CRITICAL => lookups::from(txn, Tag::SessionOfCheck, &[&check.node, &check.check_id])?,
        _ => Vec::new(),
    };
    if !is_changed {
        return Ok(sessions);
    }
    let index = txn.index();
    let create_index = found.map_or(index, |found| found.create_index);
    let modify_index = match (dating, found) {
        (Dating::Kept, Some(found)) => found.modify_index,
        _ => index,
    };
    let check = Check { create_index, modify_index, ..check };
    let mut registration = match &before {
        Some(stored) => stored.registration.clone(),
        None => Registration::of_node(node),
    };
    registration.check = Some(check);
    store(txn, before.as_ref(), &registration)?;
    names::touch_checks(txn)?;
    Ok(sessions)
}

/// A check as a server's state holds it: with a state, and with what is known of its service.
fn settled(txn: &Txn<'_>, mut check: Check) -> Result<Check, Failure> {
    check.peer_name.clear();
    if check.status.is_empty() {
        CRITICAL.clone_into(&mut check.status);
    }
    if !check.service_id.is_empty() {
        let Some(service) = super::service(txn, &check.node, &check.service_id)? else {
            return Err(Refusal::MissingService.into());
        };
        (check.service_name, check.service_tags) = (service.service, service.tags);
    }
    Ok(check)
}

/// Whether genuine servers take the two for the same. They don't look at how often a check is carried out.
fn is_same(found: &Check, check: &Check) -> bool {
    let alike = Check {
        node: check.node.clone(),
        kind: check.kind.clone(),
        interval: check.interval.clone(),
        timeout: check.timeout.clone(),
        exposed_port: check.exposed_port,
        create_index: check.create_index,
        modify_index: check.modify_index,
        ..found.clone()
    };
    alike == *check
}

/// Moves the indexes of the services that are shown with a check: its own, or all of its node.
fn touch_services(txn: &mut Txn<'_>, check: &Check) -> Result<(), Error> {
    if check.service_id.is_empty() {
        return names::touch_instances(txn, &check.node);
    }
    indexes::touch(txn, &names::of_service(&check.service_name))?;
    match super::service(txn, &check.node, &check.service_id)? {
        Some(service) => names::touch_kind(txn, &service.kind),
        None => Ok(()),
    }
}

/// Removes a check, and ends the sessions that depend on it.
pub(super) fn delete(txn: &mut Txn<'_>, node: &str, id: &str) -> Result<(), Failure> {
    let Some(stored) = stored_part(txn, node, Check::record_prefix, id)? else { return Ok(()) };
    let Some(check) = stored.registration.check else { return Ok(()) };
    touch_services(txn, &check)?;
    if check.service_id.is_empty() {
        names::touch_services(txn)?;
    }
    txn.remove(REGISTER, &stored.id)?;
    names::touch_checks(txn)?;
    let sessions = lookups::from(txn, Tag::SessionOfCheck, &[node, &check.check_id])?;
    session::end(txn, sessions)
}
