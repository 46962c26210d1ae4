//! Changes to roles.
//!
//! Follows `hashicorp/consul:agent/consul/acl_endpoint.go`.

use archive::consul::{AclRole, kinds};

use super::query::ROLES_TABLE;
use super::refusal::{Failure, Refusal};
use super::{is_uuid, is_word, links, store};
use crate::consul::indexes::touch;
use crate::quote::Quoted;
use crate::{Read, Txn};

const NAME_BYTES_MAX: usize = 256;

pub(super) fn create(txn: &mut Txn<'_>, role: AclRole) -> Result<AclRole, Failure> {
    check_name(&role)?;
    if !is_uuid(&role.id) {
        return Err(Refusal::IdNotUuid("Role").into());
    }
    if store::role(txn, &role.id)?.is_some() {
        return Err(Refusal::IdTaken("Role").into());
    }
    check_name_is_free(txn, &role)?;
    write(txn, role, None)
}

pub(super) fn update(txn: &mut Txn<'_>, role: AclRole) -> Result<AclRole, Failure> {
    check_name(&role)?;
    if !is_uuid(&role.id) {
        return Err(Refusal::IdNotUuid("Role").into());
    }
    let Some(before) = store::role(txn, &role.id)? else {
        return Err(Refusal::CannotFind { what: "role", id: role.id }.into());
    };
    check_name_is_free(txn, &role)?;
    write(txn, role, Some(&before))
}

pub(super) fn delete(txn: &mut Txn<'_>, id: &str) -> Result<(), Failure> {
    if !txn.remove(kinds::ACL_ROLE, id.as_bytes())? {
        return Err(Refusal::NotFound.into());
    }
    Ok(touch(txn, ROLES_TABLE)?)
}

fn write(txn: &mut Txn<'_>, role: AclRole, before: Option<&AclRole>) -> Result<AclRole, Failure> {
    let policies = links::policies(txn, role.policies).map_err(|failure| match failure {
        // Genuine servers look policies up by id in another place than by name, and say so.
        Failure::Refused(Refusal::NoSuchId { id, .. }) => {
            Refusal::NoSuchPolicyOfRole(String::from_utf8_lossy(&id.0).into_owned()).into()
        }
        failure => failure,
    })?;
    let role = AclRole {
        policies,
        service_identities: links::services(role.service_identities, "role", false)?,
        node_identities: links::nodes(role.node_identities, "role")?,
        templated_policies: links::templated(role.templated_policies, "role")?,
        ..role
    };
    Ok(store::put_role(txn, role, before)?)
}

fn check_name(role: &AclRole) -> Result<(), Refusal> {
    match role.name.len() {
        0 => Err(Refusal::NoName("Role")),
        1..=NAME_BYTES_MAX if is_word(&role.name) => Ok(()),
        _ => Err(Refusal::RoleName),
    }
}

fn check_name_is_free(read: &dyn Read, role: &AclRole) -> Result<(), Failure> {
    match store::role_by_name(read, &role.name)? {
        Some(other) if other.id != role.id => {
            let name = Quoted(role.name.clone().into());
            Err(Refusal::NameInUse { what: "Role", name }.into())
        }
        _ => Ok(()),
    }
}
