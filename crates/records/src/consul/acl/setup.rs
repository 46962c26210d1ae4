//! What access control begins with: built-in policies and tokens, and the first management token.
//!
//! Follows `hashicorp/consul:agent/consul/{leader,acl_endpoint}.go` and
//! `hashicorp/consul:agent/consul/state/acl.go`.

use archive::consul::{AclPolicy, AclToken};

use super::builtin::{self, ANONYMOUS_SECRET};
use super::command::{ManagementToken, Reply};
use super::refusal::{Failure, Refusal};
use super::{is_uuid, links, store, tokens};
use crate::acl;
use crate::consul::indexes;
use crate::{Error, Read, Txn};

/// The table index that tells that a cluster was bootstrapped, and when.
const BOOTSTRAP_TABLE: &str = "acl-token-bootstrap";

/// Whether there is nothing for [`super::Command::Initialize`] to do. Not so on a fresh server, and after a
/// restore that brought built-in policies in an older form, or none.
pub fn is_initialized(read: &dyn Read, management_secret: Option<&str>) -> Result<bool, Error> {
    for policy in builtin::policies() {
        if !is_present(read, &policy)? {
            return Ok(false);
        }
    }
    for secret in [Some(ANONYMOUS_SECRET), management_secret].into_iter().flatten() {
        if store::token_by_secret(read, secret)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The index at which the cluster was bootstrapped, if it was: the reset index that allows to do it again.
pub fn bootstrapped_at(read: &dyn Read) -> Result<Option<u64>, Error> {
    indexes::of(read, BOOTSTRAP_TABLE)
}

/// What [`super::Command::Bootstrap`] would answer for want of the right reset index; `None` if it may be tried.
/// Who may not do it can ask for it again and again: so it is looked up, which costs no log entry.
pub fn bootstrap_refusal(read: &dyn Read, reset_index: Option<u64>) -> Result<Option<Reply>, Error> {
    match check_bootstrap(read, reset_index) {
        Ok(()) => Ok(None),
        Err(Failure::Refused(refusal)) => Ok(Some(refusal.reply())),
        Err(Failure::Broken(error)) => Err(error),
    }
}

pub(super) fn initialize(txn: &mut Txn<'_>, management: Option<ManagementToken>) -> Result<(), Failure> {
    for policy in builtin::policies() {
        ensure_policy(txn, policy)?;
    }
    if let Some(ManagementToken { accessor, secret }) = management
        && store::token_by_secret(txn, &secret)?.is_none()
    {
        if !acl::is_possible(&secret) {
            return Err(Refusal::ManagementSecret.into());
        }
        if !is_uuid(&accessor) || tokens::is_in_use(txn, &accessor)? {
            return Err(Refusal::IdInUse("AccessorID").into());
        }
        let token = builtin::management_token(accessor, secret, "Initial Management Token");
        put(txn, token)?;
        if bootstrapped_at(txn)?.is_none() {
            indexes::touch(txn, BOOTSTRAP_TABLE)?;
        }
    }
    if store::token_by_secret(txn, ANONYMOUS_SECRET)?.is_none() {
        put(txn, builtin::anonymous_token())?;
    }
    Ok(())
}

fn check_bootstrap(read: &dyn Read, reset_index: Option<u64>) -> Result<(), Failure> {
    match (bootstrapped_at(read)?, reset_index.filter(|index| *index != 0)) {
        (None, _) => Ok(()),
        (Some(at), None) => Err(Refusal::Bootstrapped(at).into()),
        (Some(at), Some(specified)) if specified != at => {
            Err(Refusal::ResetIndex { specified, expected: at }.into())
        }
        (Some(_), Some(_)) => Ok(()),
    }
}

pub(super) fn bootstrap(
    txn: &mut Txn<'_>,
    accessor: String,
    secret: String,
    reset_index: Option<u64>,
) -> Result<AclToken, Failure> {
    check_bootstrap(txn, reset_index)?;
    if !is_uuid(&secret) || !is_uuid(&accessor) {
        return Err(Refusal::SecretNotUuid.into());
    }
    if tokens::is_in_use(txn, &secret)? || tokens::is_in_use(txn, &accessor)? {
        return Err(Refusal::BootstrapSecretInUse.into());
    }
    // An archive from a server without access control may just have been restored.
    ensure_policy(txn, builtin::policies().into_iter().next().expect("there are two"))?;
    let token = put(txn, builtin::management_token(accessor, secret, "Bootstrap Token (Global Management)"))?;
    indexes::touch(txn, BOOTSTRAP_TABLE)?;
    Ok(token)
}

fn is_present(read: &dyn Read, policy: &AclPolicy) -> Result<bool, Error> {
    Ok(store::policy(read, &policy.id)?.is_some_and(|found| found.rules == policy.rules))
}

/// Creates a built-in policy, or gives it its rules; what it was renamed to stays.
fn ensure_policy(txn: &mut Txn<'_>, policy: AclPolicy) -> Result<(), Failure> {
    if is_present(txn, &policy)? {
        return Ok(());
    }
    let before = store::policy(txn, &policy.id)?;
    let policy = match &before {
        Some(before) => {
            let (name, description) = (before.name.clone(), before.description.clone());
            AclPolicy { name, description, ..policy }
        }
        None => policy,
    };
    store::put_policy(txn, policy, before.as_ref())?;
    Ok(())
}

fn put(txn: &mut Txn<'_>, mut token: AclToken) -> Result<AclToken, Failure> {
    token.create_time = acl::time(txn.at_ms());
    token.policies = links::policies(txn, token.policies)?;
    Ok(store::put_token(txn, token, None)?)
}
