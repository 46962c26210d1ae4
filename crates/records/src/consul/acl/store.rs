//! Finds and keeps tokens, policies and roles: by id, by secret, by name.

use archive::consul::{AclPolicy, AclRole, AclToken, Link, kinds};

use super::derived;
use super::query::{POLICIES_TABLE, ROLES_TABLE, TOKENS_TABLE};
use crate::consul::indexes::touch;
use crate::{Error, Read, Txn, error};

pub(super) fn token(read: &dyn Read, accessor: &str) -> Result<Option<AclToken>, Error> {
    read.get(kinds::ACL_TOKEN, accessor.as_bytes())?.map(|bytes| decode_token(&bytes)).transpose()
}

/// The token with this secret. Should an archive give one secret to several, it is the first of them.
pub(super) fn token_by_secret(read: &dyn Read, secret: &str) -> Result<Option<AclToken>, Error> {
    match read.derived(&derived::by_secret(secret))?.first() {
        Some(id) => read.get(kinds::ACL_TOKEN, id)?.map(|bytes| decode_token(&bytes)).transpose(),
        None => Ok(None),
    }
}

pub(super) fn policy(read: &dyn Read, id: &str) -> Result<Option<AclPolicy>, Error> {
    read.get(kinds::ACL_POLICY, id.as_bytes())?.map(|bytes| decode_policy(&bytes)).transpose()
}

/// Names are found whatever their case.
pub(super) fn policy_by_name(read: &dyn Read, name: &str) -> Result<Option<AclPolicy>, Error> {
    match read.derived(&derived::by_policy_name(name))?.first() {
        Some(id) => read.get(kinds::ACL_POLICY, id)?.map(|bytes| decode_policy(&bytes)).transpose(),
        None => Ok(None),
    }
}

pub(super) fn role(read: &dyn Read, id: &str) -> Result<Option<AclRole>, Error> {
    read.get(kinds::ACL_ROLE, id.as_bytes())?.map(|bytes| decode_role(&bytes)).transpose()
}

/// Names are found whatever their case.
pub(super) fn role_by_name(read: &dyn Read, name: &str) -> Result<Option<AclRole>, Error> {
    match read.derived(&derived::by_role_name(name))?.first() {
        Some(id) => read.get(kinds::ACL_ROLE, id)?.map(|bytes| decode_role(&bytes)).transpose(),
        None => Ok(None),
    }
}

/// Stores a token in place of `before`, with hash and indexes as they have to be.
pub(super) fn put_token(
    txn: &mut Txn<'_>,
    mut token: AclToken,
    before: Option<&AclToken>,
) -> Result<AclToken, Error> {
    token.create_index = before.map_or(txn.index(), |before| before.create_index);
    token.modify_index = txn.index();
    // Of the tenancy nothing is written, so nothing of it may be hashed.
    (token.namespace, token.partition) = (String::new(), String::new());
    token.hash = Some(token.content_hash());
    txn.put(kinds::ACL_TOKEN, token.accessor_id.as_bytes(), token.encode().into())?;
    touch(txn, TOKENS_TABLE)?;
    Ok(token)
}

/// Stores a policy in place of `before`, with hash and indexes as they have to be.
pub(super) fn put_policy(
    txn: &mut Txn<'_>,
    mut policy: AclPolicy,
    before: Option<&AclPolicy>,
) -> Result<AclPolicy, Error> {
    policy.create_index = before.map_or(txn.index(), |before| before.create_index);
    policy.modify_index = txn.index();
    (policy.namespace, policy.partition) = (String::new(), String::new());
    policy.hash = Some(policy.content_hash());
    txn.put(kinds::ACL_POLICY, policy.id.as_bytes(), policy.encode().into())?;
    touch(txn, POLICIES_TABLE)?;
    Ok(policy)
}

/// Stores a role in place of `before`, with hash and indexes as they have to be.
pub(super) fn put_role(
    txn: &mut Txn<'_>,
    mut role: AclRole,
    before: Option<&AclRole>,
) -> Result<AclRole, Error> {
    role.create_index = before.map_or(txn.index(), |before| before.create_index);
    role.modify_index = txn.index();
    (role.namespace, role.partition) = (String::new(), String::new());
    role.hash = Some(role.content_hash());
    txn.put(kinds::ACL_ROLE, role.id.as_bytes(), role.encode().into())?;
    touch(txn, ROLES_TABLE)?;
    Ok(role)
}

/// Gives the links of a token their present names and drops those that lead nowhere.
pub(super) fn refresh_token(read: &dyn Read, mut token: AclToken) -> Result<AclToken, Error> {
    refresh(&mut token.policies, |id| Ok(policy(read, id)?.map(|policy| policy.name)))?;
    refresh(&mut token.roles, |id| Ok(role(read, id)?.map(|role| role.name)))?;
    Ok(token)
}

/// Gives the links of a role their present names and drops those that lead nowhere.
pub(super) fn refresh_role(read: &dyn Read, mut role: AclRole) -> Result<AclRole, Error> {
    refresh(&mut role.policies, |id| Ok(policy(read, id)?.map(|policy| policy.name)))?;
    Ok(role)
}

fn refresh(
    links: &mut Option<Vec<Link>>,
    name: impl Fn(&str) -> Result<Option<String>, Error>,
) -> Result<(), Error> {
    let Some(old) = links.take() else { return Ok(()) };
    let mut new = Vec::with_capacity(old.len());
    for link in old {
        if let Some(name) = name(&link.id)? {
            new.push(Link { id: link.id, name });
        }
    }
    *links = Some(new);
    Ok(())
}

pub(super) fn decode_token(bytes: &[u8]) -> Result<AclToken, Error> {
    AclToken::decode(bytes).map_err(|e| error::stored("ACL token", e))
}

pub(super) fn decode_policy(bytes: &[u8]) -> Result<AclPolicy, Error> {
    AclPolicy::decode(bytes).map_err(|e| error::stored("ACL policy", e))
}

pub(super) fn decode_role(bytes: &[u8]) -> Result<AclRole, Error> {
    AclRole::decode(bytes).map_err(|e| error::stored("ACL role", e))
}
