//! Changes to policies.
//!
//! Follows `hashicorp/consul:agent/consul/acl_endpoint.go`.

use archive::consul::{AclPolicy, kinds};

use super::query::POLICIES_TABLE;
use super::refusal::{Failure, Refusal};
use super::rules::Rules;
use super::{builtin, is_uuid, is_word, store};
use crate::consul::indexes::touch;
use crate::hcl::Repeats;
use crate::quote::Quoted;
use crate::{Read, Txn};

const NAME_BYTES_MAX: usize = 128;

/// Names that begin so are given to built-in policies alone.
const RESERVED_NAMES: &str = "builtin/";

pub(super) fn create(txn: &mut Txn<'_>, policy: AclPolicy) -> Result<AclPolicy, Failure> {
    check_name(&policy)?;
    if !is_uuid(&policy.id) {
        return Err(Refusal::IdNotUuid("Policy").into());
    }
    if store::policy(txn, &policy.id)?.is_some() {
        return Err(Refusal::IdTaken("Policy").into());
    }
    check_name_is_free(txn, &policy)?;
    write(txn, policy, None)
}

pub(super) fn update(txn: &mut Txn<'_>, policy: AclPolicy) -> Result<AclPolicy, Failure> {
    if !is_uuid(&policy.id) {
        return Err(Refusal::IdNotUuid("Policy").into());
    }
    let Some(before) = store::policy(txn, &policy.id)? else {
        return Err(Refusal::CannotFind { what: "policy", id: policy.id }.into());
    };
    if policy.name != before.name {
        check_name(&policy)?;
        check_name_is_free(txn, &policy)?;
    }
    if let Some(builtin) = builtin::policy(&policy.id) {
        let refused = |part| Refusal::ChangeBuiltin { part, policy: builtin.name.clone() };
        if policy.datacenters.as_ref().is_some_and(|datacenters| !datacenters.is_empty()) {
            return Err(refused("Datacenters of").into());
        }
        if policy.rules != before.rules {
            return Err(refused("Rules for").into());
        }
    }
    write(txn, policy, Some(&before))
}

pub(super) fn delete(txn: &mut Txn<'_>, id: &str) -> Result<(), Failure> {
    if let Some(builtin) = builtin::policy(id) {
        return Err(Refusal::DeleteBuiltin(builtin.name).into());
    }
    if !txn.remove(kinds::ACL_POLICY, id.as_bytes())? {
        return Err(Refusal::NotFound.into());
    }
    Ok(touch(txn, POLICIES_TABLE)?)
}

fn write(txn: &mut Txn<'_>, mut policy: AclPolicy, before: Option<&AclPolicy>) -> Result<AclPolicy, Failure> {
    // Rules that were stored before are not refused for what was allowed then.
    if before.is_none_or(|before| before.rules != policy.rules) {
        Rules::parse(&policy.rules, Repeats::Refused).map_err(Refusal::Rules)?;
    }
    policy.datacenters = policy.datacenters.filter(|datacenters| !datacenters.is_empty());
    Ok(store::put_policy(txn, policy, before)?)
}

/// Letters, digits, `-` and `_`, and one slash that is not the first (`hashicorp/consul:acl/validation.go`).
fn check_name(policy: &AclPolicy) -> Result<(), Refusal> {
    let name = policy.name.as_str();
    let (first, second) = name.split_once('/').unwrap_or((name, ""));
    match name.len() {
        0 => Err(Refusal::NoName("Policy")),
        1..=NAME_BYTES_MAX
            if !first.is_empty()
                && is_word(first)
                && is_word(second)
                && !name.starts_with(RESERVED_NAMES) =>
        {
            Ok(())
        }
        _ => Err(Refusal::PolicyName),
    }
}

fn check_name_is_free(read: &dyn Read, policy: &AclPolicy) -> Result<(), Failure> {
    match store::policy_by_name(read, &policy.name)? {
        Some(other) if other.id != policy.id => {
            let name = Quoted(policy.name.clone().into());
            Err(Refusal::NameInUse { what: "Policy", name }.into())
        }
        _ => Ok(()),
    }
}
