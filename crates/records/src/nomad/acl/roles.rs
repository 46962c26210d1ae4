//! Changes to roles.
//!
//! Follows `hashicorp/nomad:nomad/acl_endpoint.go`, `nomad/structs/acl.go` and `nomad/state/state_store_acl.go`.

use std::collections::BTreeSet;

use archive::nomad::{AclRole, PolicyLink, kinds};

use super::flaws::{self, Flaws};
use super::query::ROLES_TABLE;
use super::store;
use crate::acl::is_uuid;
use crate::nomad::indexes::touch;
use crate::nomad::refusal::{Failure, Refusal};
use crate::{Read, Txn};

pub(super) fn create(txn: &mut Txn<'_>, role: AclRole) -> Result<AclRole, Failure> {
    check(&role)?;
    if store::role_by_name(txn, &role.name)?.is_some() {
        return Err(Refusal::Invalid(format!("role with name {} already exists", role.name)).into());
    }
    if !is_uuid(&role.id) || store::role(txn, &role.id)?.is_some() {
        return Err(Refusal::Failed("the id drawn for the role can't be used".into()).into());
    }
    let role = AclRole { policies: links(txn, role.policies)?, ..role };
    Ok(store::put_role(txn, role)?)
}

pub(super) fn update(txn: &mut Txn<'_>, role: AclRole) -> Result<AclRole, Failure> {
    check(&role)?;
    let Some(before) = store::role(txn, &role.id)? else {
        return Err(Refusal::Invalid(format!("cannot find role {}", role.id)).into());
    };
    if store::role_by_name(txn, &role.name)?.is_some_and(|other| other.id != role.id) {
        return Err(Refusal::Failed(format!("ACL role with name {} already exists", role.name)).into());
    }
    let role = AclRole { policies: links(txn, role.policies)?, ..role };
    // What changes nothing wakes nobody who waits for a change.
    if role.content_hash() == before.content_hash() {
        return Ok(before);
    }
    Ok(store::put_role(txn, role)?)
}

pub(super) fn delete(txn: &mut Txn<'_>, id: &str) -> Result<(), Failure> {
    if !txn.remove(kinds::ACL_ROLE, id.as_bytes())? {
        return Err(Refusal::Failed("ACL role not found".into()).into());
    }
    Ok(touch(txn, ROLES_TABLE)?)
}

/// The links to policies, which must be there, each once.
fn links(read: &dyn Read, links: Option<Vec<PolicyLink>>) -> Result<Option<Vec<PolicyLink>>, Failure> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for link in links.into_iter().flatten() {
        if store::policy(read, &link.name)?.is_none() {
            return Err(Refusal::Invalid(format!("cannot find policy {}", link.name)).into());
        }
        if seen.insert(link.name.clone()) {
            kept.push(link);
        }
    }
    Ok(Some(kept))
}

fn check(role: &AclRole) -> Result<(), Refusal> {
    let mut flaws = Flaws::default();
    if !flaws::is_name(&role.name) {
        flaws.add(format!("invalid name '{}'", role.name));
    }
    flaws::of_description(&role.description, &mut flaws);
    let has_policies = role.policies.as_ref().is_some_and(|links| !links.is_empty());
    flaws.add_if(!has_policies, "at least one policy should be specified");
    flaws.check("role")
}
